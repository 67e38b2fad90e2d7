// LK_LINEAR for int8 weights in groups of 64 columns and int4 weights in groups of 32: rows of x are rounded to int8, one scale
// a group, and the products are summed as whole numbers.
//
// A group's sum over all its columns is exact in 32 bits, whatever instructions make it and in whatever order; floating point begins
// with sum · (scale of x) · (scale of w), added to accumulator g % 4 of the output, group after group. The four are added at the
// end, (0 + 2) + (1 + 3). So an output has the same bits on every path below, in any block and any share.
// A row of x that is not finite gives NaN in every output, as it would in f32.
//
// Weights lie in tiles of 16 outputs (lk_tile), so that a lane is an output and no lanes are ever added up: two instructions a cache
// line and row of x. One run of bytes has all that a product reads, in the order in which it is read, and the processor fetches that
// by itself as fast as memory gives it. Up to four rows of x are one pass, where asking in advance makes it slower; with more, the next
// tile is asked for while the passes after the first find this one in the cache.
#pragma once
#include "dot.h"

#define LK_INT8_GROUP 64
#define LK_INT4_GROUP 32
#define LK_TILE 16               // outputs
#define LK_QUANTIZED_ROWS 128    // of x, rounded at a time, and what they may take of the stack
#define LK_QUANTIZED_BYTES 196608
#define LK_TILE_PANEL 17408      // bytes of a tile that stay in the first cache while several blocks of rows pass over them

typedef int8_t vq __attribute__((vector_size(4 * W)));

#if defined(LK_NEON_BUILD) && (defined(LK_NEON_DOT_BUILD) || defined(__ARM_FEATURE_DOTPROD))
#define LK_QUANTIZED_DOT
#endif

// Rows of x at most that pass over a tile together, and vectors of its outputs at a time.
#define LK_TILE_ROWS 4
#if defined(LK_QUANTIZED_DOT)
#define LK_TILE_VECTORS 2
#else
#define LK_TILE_VECTORS 1
#endif

LK_INLINE vq q_load(const void *p) {
  vq v;
  memcpy(&v, p, sizeof v);
  return v;
}

LK_INLINE int q_group(const int format) { return format == LK_INT8 ? LK_INT8_GROUP : LK_INT4_GROUP; }
// Cache lines of a group of a tile: four columns each (eight in int4) of every output; one more has the scales.
LK_INLINE int q_lines(const int format) { return format == LK_INT8 ? 16 : 4; }

// MARK: Products of bytes

// Lane l of every result sums the products of bytes 4l ... 4l + 3. `w` has passed q8_weights, and LK_Q8_OFFSET times the sum of x is
// to be taken away again; no byte of x is −128.
#if defined(LK_AVX512_BUILD)
// (w + 128) · x − 128 · x: the instruction takes bytes without sign on one side.
#define LK_Q8_OFFSET 128
LK_INLINE vi q_products(vi c, vq w, vq x) {
#if defined(LK_VNNI)
  return (vi)_mm512_dpbusd_epi32((__m512i)c, (__m512i)w, (__m512i)x);
#else
  // Even and odd bytes as 16-bit numbers, so that each sum stands in the lane where VNNI puts it.
  const __m512i low = _mm512_set1_epi16(255);
  __m512i even = _mm512_madd_epi16(_mm512_and_si512((__m512i)w, low), _mm512_srai_epi16(_mm512_slli_epi16((__m512i)x, 8), 8));
  __m512i odd = _mm512_madd_epi16(_mm512_srli_epi16((__m512i)w, 8), _mm512_srai_epi16((__m512i)x, 8));
  return (vi)_mm512_add_epi32((__m512i)c, _mm512_add_epi32(even, odd));
#endif
}
LK_INLINE vq q8_weights(vq w) { return w ^ (int8_t)-128; }
#elif defined(LK_AVX2_BUILD)
#define LK_Q8_OFFSET 0
LK_INLINE vi q_add16(vi c, __m256i pairs) { return (vi)_mm256_add_epi32((__m256i)c, _mm256_madd_epi16(pairs, _mm256_set1_epi16(1))); }
// |w| · (x with the sign of w): 16 bits hold two products, 2 · 128 · 127.
LK_INLINE vi q_products(vi c, vq w, vq x) {
  return q_add16(c, _mm256_maddubs_epi16(_mm256_abs_epi8((__m256i)w), _mm256_sign_epi8((__m256i)x, (__m256i)w)));
}
LK_INLINE vq q8_weights(vq w) { return w; }
#elif defined(LK_NEON_BUILD)
#define LK_Q8_OFFSET 0
LK_INLINE vi q_products(vi c, vq w, vq x) {
#if defined(LK_QUANTIZED_DOT)
  return (vi)vdotq_s32((int32x4_t)c, (int8x16_t)w, (int8x16_t)x);
#else
  int16x8_t low = vmull_s8(vget_low_s8((int8x16_t)w), vget_low_s8((int8x16_t)x));
  int16x8_t high = vmull_s8(vget_high_s8((int8x16_t)w), vget_high_s8((int8x16_t)x));
  return (vi)vaddq_s32((int32x4_t)c, vpaddq_s32(vpaddlq_s16(low), vpaddlq_s16(high)));
#endif
}
LK_INLINE vq q8_weights(vq w) { return w; }
#else
#define LK_Q8_OFFSET 0
LK_INLINE vi q_products(vi c, vq w, vq x) {
  typedef int16_t v16s __attribute__((vector_size(8 * W)));
  v16s p = __builtin_convertvector(w, v16s) * __builtin_convertvector(x, v16s);
  for (int l = 0; l < W; l++) c[l] += (p[4 * l] + p[4 * l + 1]) + (p[4 * l + 2] + p[4 * l + 3]);
  return c;
}
LK_INLINE vq q8_weights(vq w) { return w; }
#endif
#define LK_Q4_OFFSET 8

// int4: the low and the high halves of the bytes, each 0 ... 15, stand for −8 ... 7: LK_Q4_OFFSET.
LK_INLINE vq q4_low(vq w) { return w & (int8_t)15; }
LK_INLINE vq q4_high(vq w) {
  typedef uint16_t v16u __attribute__((vector_size(4 * W)));
  return (vq)((v16u)w >> 4) & (int8_t)15;
}

// MARK: Rounding

// Rows of x in int8. Row i of the `rows` of a block has its group g at values + (g · rows + i) · group, for int4 the even columns of
// the group before the odd ones, and its scale and what its sums begin with at g · rows + i.
typedef struct {
  int8_t *values;
  float *scales;
  int32_t *starts;
} lk_rounded;

LK_INLINE int32_t q_largest(vi a) {
#if defined(LK_AVX512_BUILD)
  return _mm512_reduce_max_epi32((__m512i)a);
#else
  int32_t largest = a[0];
  for (int j = 1; j < W; j++) largest = a[j] > largest ? a[j] : largest;
  return largest;
#endif
}

// Scale and rounded values of `group` columns, and their sum.
LK_INLINE float q_round_group(const float *x, const int group, int8_t *out, int32_t *sum) {
  // Sizes are in the order of their bits; infinity and what is not a number come last.
  vi largest = {0};
  LK_UNROLL
  for (int j = 0; j < group; j += W) {
    const vi a = (vi)v_abs(v_load(x + j)), greater = a > largest;
    largest = (a & greater) | (largest & ~greater);
  }
  const int32_t bits = q_largest(largest);
  float max;
  memcpy(&max, &bits, sizeof max);
  *sum = 0;
  if (!(max > 0.0f) || bits >= 0x7f800000) {
    memset(out, 0, (size_t)group);
    return bits >= 0x7f800000 ? NAN : 0.0f;
  }
  const vf inverse = v_set(127.0f / max);
  vi total = {0};
  LK_UNROLL
  for (int j = 0; j < group; j += W) {
    const vi q = (vi)v_fma(v_load(x + j), inverse, v_set(LK_ROUND_MAGIC)) - 0x4b400000;
    const v8 bytes = __builtin_convertvector(q, v8);
    memcpy(out + j, &bytes, sizeof bytes);
    total += q;
  }
  *sum = (int32_t)v_sum(__builtin_convertvector(total, vf));
  return max / 127.0f;
}

// Row i of a block of `rows`; null stands for a row of zeros.
LK_INLINE void q_round_row(const int format, const float *x, int64_t groups, lk_rounded to, int64_t i, int64_t rows) {
  enum { PART = LK_INT4_GROUP / 2 };  // bytes are little-endian everywhere here
  const int group = q_group(format), offset = format == LK_INT8 ? LK_Q8_OFFSET : LK_Q4_OFFSET;
  for (int64_t g = 0; g < groups; g++) {
    const int64_t at = g * rows + i;
    int8_t *values = to.values + at * group;
    int32_t sum = 0;
    if (!x) {
      to.scales[at] = 0;
      memset(values, 0, (size_t)group);
    } else if (format == LK_INT8) {
      to.scales[at] = q_round_group(x + g * group, LK_INT8_GROUP, values, &sum);
    } else {
      typedef uint16_t pairs __attribute__((vector_size(LK_INT4_GROUP)));
      typedef uint8_t part __attribute__((vector_size(PART)));
      int8_t bytes[LK_INT4_GROUP];
      pairs line;
      to.scales[at] = q_round_group(x + g * group, LK_INT4_GROUP, bytes, &sum);
      memcpy(&line, bytes, sizeof line);
      const part low = __builtin_convertvector(line & 255, part), high = __builtin_convertvector(line >> 8, part);
      memcpy(values, &low, PART), memcpy(values + PART, &high, PART);
    }
    to.starts[at] = -offset * sum;
  }
}

// MARK: Tiles

// Where the next tile is asked for while several blocks of rows pass over this one, and how many of its lines a group.
typedef struct {
  const char *next, *end;
  int64_t lines;
} lk_ahead;

// Four bytes from p in every four.
LK_INLINE vq q_fours(const int8_t *p) {
  int32_t four;
  memcpy(&four, p, 4);
  return (vq)((vi){0} + four);
}

// sums[i][v]: the products of a group of mr rows of x, from `x` on, with vectors v of the group of a tile at `w`.
LK_INLINE void q_tile_group(const int format, const int mr, const char *w, const int8_t *x, vi sums[LK_TILE_ROWS][LK_TILE_VECTORS]) {
  enum { V = LK_TILE_VECTORS };
  const int group = q_group(format);
#if defined(LK_QUANTIZED_DOT)
  LK_UNROLL
  for (int q = 0; q < group / 16; q++) {
    int8x16_t a[LK_TILE_ROWS];
    LK_UNROLL
    for (int i = 0; i < mr; i++) a[i] = vld1q_s8(x + i * group + 16 * q);
#define LANE(L)                                                                                         \
  LK_UNROLL                                                                                             \
  for (int v = 0; v < V; v++) {                                                                         \
    const vq b = q_load(w + (format == LK_INT8 ? 4 * q + L : L) * 64 + v * 4 * W);                      \
    const int8x16_t c = (int8x16_t)(format == LK_INT8 ? b : q ? q4_high(b) : q4_low(b));                \
    LK_UNROLL                                                                                           \
    for (int i = 0; i < mr; i++) sums[i][v] = (vi)vdotq_laneq_s32((int32x4_t)sums[i][v], c, a[i], L);   \
  }
    LANE(0) LANE(1) LANE(2) LANE(3)
#undef LANE
  }
#else
  // An instruction waits for the one before it on the same sums, so they are in two parts where arithmetic is the limit: on AVX-512 with
  // several rows. There one row, which memory limits, goes best without: it asks for the next line no sooner than memory has it.
  enum { PARTS = 2 };
#if defined(LK_AVX512_BUILD)
  const int parts = mr == 1 ? 1 : 2;
#else
  const int parts = mr == 1 ? 2 : 1;
#endif
  vi s[LK_TILE_ROWS][PARTS];
  LK_UNROLL
  for (int i = 0; i < mr; i++) {
    LK_UNROLL
    for (int p = 0; p < parts; p++) s[i][p] = p ? (vi){0} : sums[i][0];
  }
#if defined(LK_AVX2_BUILD)
  // 16 bits hold the eight sums of two products of a group of int4.
  __m256i pairs[LK_TILE_ROWS];
  LK_UNROLL
  for (int i = 0; i < mr; i++) pairs[i] = _mm256_setzero_si256();
#endif
  LK_UNROLL
  for (int c = 0; c < q_lines(format); c++) {
    const vq b = q_load(w + 64 * c);
    if (format == LK_INT8) {
      const vq flipped = q8_weights(b);
      LK_UNROLL
      for (int i = 0; i < mr; i++) s[i][c % parts] = q_products(s[i][c % parts], flipped, q_fours(x + i * group + 4 * c));
    } else {
      const vq low = q4_low(b), high = q4_high(b);
      LK_UNROLL
      for (int i = 0; i < mr; i++) {
        const vq even = q_fours(x + i * group + 4 * c), odd = q_fours(x + i * group + LK_INT4_GROUP / 2 + 4 * c);
#if defined(LK_AVX2_BUILD)
        const __m256i both = _mm256_add_epi16(_mm256_maddubs_epi16((__m256i)low, (__m256i)even), _mm256_maddubs_epi16((__m256i)high, (__m256i)odd));
        pairs[i] = _mm256_add_epi16(pairs[i], both);
#else
        s[i][2 * c % parts] = q_products(s[i][2 * c % parts], low, even);
        s[i][(2 * c + 1) % parts] = q_products(s[i][(2 * c + 1) % parts], high, odd);
#endif
      }
    }
  }
  LK_UNROLL
  for (int i = 0; i < mr; i++) {
#if defined(LK_AVX2_BUILD)
    if (format == LK_INT4) s[i][0] = q_add16(s[i][0], pairs[i]);
#endif
    LK_UNROLL
    for (int p = 1; p < parts; p++) s[i][0] += s[i][p];
    sums[i][0] = s[i][0];
  }
#endif
}

// `count` groups of a tile at `w`, the first of them group g0, with mr rows of x; `acc` [4, mr, LK_TILE].
LK_INLINE void q_tile(const int format, const int mr, const char *w, lk_rounded x, int64_t g0, int64_t count, float *acc, lk_ahead *ahead) {
  enum { V = LK_TILE_VECTORS };
  const int group = q_group(format), lines = q_lines(format);
  const char *next = ahead->next, *end = ahead->end;
  for (int64_t g = 0; g < count; g++, w += (lines + 1) * 64) {
    for (int64_t l = ahead->lines; l > 0 && next < end; l--, next += 64) __builtin_prefetch(next, 0, 2);
    float *to = acc + (g0 + g) % 4 * mr * LK_TILE;
    LK_UNROLL
    for (int n = 0; n < LK_TILE; n += V * W) {
      vi s[LK_TILE_ROWS][V];
      LK_UNROLL
      for (int i = 0; i < mr; i++) {
        LK_UNROLL
        for (int v = 0; v < V; v++) s[i][v] = (vi){0} + x.starts[g * mr + i];
      }
      q_tile_group(format, mr, w + 4 * n, x.values + g * mr * group, s);
      LK_UNROLL
      for (int v = 0; v < V; v++) {
        const vf scales = v_load((const float *)(w + lines * 64) + n + v * W);
        LK_UNROLL
        for (int i = 0; i < mr; i++) {
          float *sum = to + i * LK_TILE + n + v * W;
          v_store(sum, v_fma(__builtin_convertvector(s[i][v], vf) * v_set(x.scales[g * mr + i]), scales, v_load(sum)));
        }
      }
    }
  }
  ahead->next = next;
}

// How many of the `rest` rows of x pass over a tile next: four for three, with a row of zeros.
LK_INLINE int64_t q_tile_rows(int64_t rest) { return rest > 2 ? LK_TILE_ROWS : rest; }

// out[m ..< m + rows, n0 ..< n1] of rows that have been rounded in blocks of q_tile_rows; `sums`: 4 LK_TILE for each of their rows.
LK_INLINE void q_tiles(const int format, const lk_dot *d, lk_rounded x, float *sums, int64_t m, int64_t rows, int64_t n0, int64_t n1) {
  const int64_t group = q_group(format), groups = d->groups, bytes = (q_lines(format) + 1) * 64;
  int64_t blocks = 0;
  for (int64_t i = 0; i < rows; i += q_tile_rows(rows - i)) blocks++;
  const int64_t most = blocks > 1 ? LK_TILE_PANEL / bytes : groups;
  for (int64_t n = n0; n < n1; n += LK_TILE) {
    const int64_t columns = lk_min64(LK_TILE, n1 - n);
    const char *w = d->w + n / LK_TILE * groups * bytes, *next = w + groups * bytes;
    lk_ahead ahead = {.next = next, .end = n + LK_TILE < n1 ? next + groups * bytes : next, .lines = blocks > 1 ? (bytes / 64 + blocks - 1) / blocks : 0};
    for (int64_t g = 0; g < groups; g += most) {
      const int64_t count = lk_min64(most, groups - g);
      for (int64_t i = 0, mr; i < rows; i += mr) {
        mr = q_tile_rows(rows - i);
        const int64_t first = i * groups + g * mr;
        const lk_rounded at = {x.values + first * group, x.scales + first, x.starts + first};
        float *acc = sums + i * 4 * LK_TILE;
        if (g == 0) memset(acc, 0, (size_t)(mr * 4 * LK_TILE) * sizeof(float));
#define ROWS(MR) \
  case MR: q_tile(format, MR, w + g * bytes, at, g, count, acc, &ahead); break;
        switch (mr) {
          ROWS(1)
          ROWS(2)
          ROWS(4)
        }
#undef ROWS
      }
    }
    for (int64_t i = 0, mr; i < rows; i += mr) {
      mr = q_tile_rows(rows - i);
      for (int64_t r = 0; r < lk_min64(mr, rows - i); r++) {
        const float *acc = sums + (i * 4 + r) * LK_TILE;
        const int64_t pass = mr * LK_TILE;
        float *out = d->out + (m + i + r) * d->stride_out + n;
        for (int64_t j = 0; j < columns; j += W) {
          const vf sum = (v_load(acc + j) + v_load(acc + 2 * pass + j)) + (v_load(acc + pass + j) + v_load(acc + 3 * pass + j));
          v_store_n(out + j, d->bias ? sum + v_load_n(d->bias + n + j, columns - j) : sum, columns - j);
        }
      }
    }
  }
}

// MARK: Ranges

// out[m ..< m + rows, n0 ..< n1]: rounds the rows of x, for which and for a block that is filled up there is room in `to`.
LK_INLINE void q_range(const int format, const lk_dot *d, lk_rounded to, float *sums, int64_t m, int64_t rows, int64_t n0, int64_t n1) {
  for (int64_t i = 0, mr; i < rows; i += mr) {
    mr = q_tile_rows(rows - i);
    const lk_rounded block = {to.values + i * d->K, to.scales + i * d->groups, to.starts + i * d->groups};
    for (int64_t r = 0; r < mr; r++) q_round_row(format, i + r < rows ? d->x + (m + i + r) * d->stride_x : 0, d->groups, block, r, mr);
  }
  q_tiles(format, d, to, sums, m, rows, n0, n1);
}

static __attribute__((noinline)) void q_range_int8(const lk_dot *d, lk_rounded to, float *sums, int64_t m, int64_t rows, int64_t n0, int64_t n1) { q_range(LK_INT8, d, to, sums, m, rows, n0, n1); }
static __attribute__((noinline)) void q_range_int4(const lk_dot *d, lk_rounded to, float *sums, int64_t m, int64_t rows, int64_t n0, int64_t n1) { q_range(LK_INT4, d, to, sums, m, rows, n0, n1); }

// out[m0 ..< m1, n0 ..< n1] with weights in tiles; n0 is the first output of one.
static __attribute__((noinline)) void quantized_range(int format, const lk_dot *d, int64_t m0, int64_t m1, int64_t n0, int64_t n1) {
  const int64_t M = m1 - m0;
  if (M <= 0 || n0 >= n1) return;
  // As many rows at a time as there is room for, eight at least, in equal parts.
  const int64_t room = LK_QUANTIZED_BYTES / (d->K + 8 * d->groups + 16 * LK_TILE);
  const int64_t parts = (M - 1) / lk_max64(8, lk_min64(LK_QUANTIZED_ROWS, room)) + 1, most = (M - 1) / parts + 1;
  const int64_t rows = most + 1;  // a row of zeros
  _Alignas(64) int8_t values[rows * d->K];
  _Alignas(64) float scales[rows * d->groups], sums[rows * 4 * LK_TILE];
  int32_t starts[rows * d->groups];
  const lk_rounded to = {values, scales, starts};
  for (int64_t m = m0; m < m1; m += most) {
    if (format == LK_INT8) q_range_int8(d, to, sums, m, lk_min64(most, m1 - m), n0, n1);
    else q_range_int4(d, to, sums, m, lk_min64(most, m1 - m), n0, n1);
  }
}
