// LK_LINEAR for int8 weights in groups of 64 columns and int4 weights in groups of 32: rows of x are rounded to int8, one scale
// a group, and the products are summed as whole numbers.
//
// A group's sum over all its columns is exact in 32 bits, whatever instructions make it and in whatever order; floating point begins
// with sum · (scale of x) · (scale of w), added to accumulator g % 4 of the output, group after group. The four are added at the
// end, (0 + 2) + (1 + 3). So an output has the same bits on every path below, in any block and any share.
// A row of x that is not finite gives NaN in every output, as it would in f32.
//
// Two paths. With few rows of x, memory is the limit: vectors lie along K, and lanes are added up for four groups and several rows of
// w at once. With more, a tile of w is transposed so that lanes are outputs, and all rows of x pass over it.
#pragma once
#include "dot.h"

#define LK_INT8_GROUP 64
#define LK_INT4_GROUP 32
#define LK_INT4_STEP 128  // K must be a multiple for int4: four groups
#define LK_QUANTIZED_MOST 16384  // columns: the rounded rows lie on the stack
#define LK_QUANTIZED_ROWS 128    // of x, rounded at a time, and what they may take of the stack
#define LK_QUANTIZED_BYTES 196608

typedef int8_t vq __attribute__((vector_size(4 * W)));

#if defined(LK_NEON_BUILD) && (defined(LK_NEON_DOT_BUILD) || defined(__ARM_FEATURE_DOTPROD))
#define LK_QUANTIZED_DOT
#endif

// Rows of w in a vector of sums where vectors lie along K (four groups of each), such vectors at a time, and rows of x.
#define LK_QR (W / 4)
#define LK_QV (LK_QR >= 4 ? 1 : 4 / LK_QR)
#define LK_QM 2

// Vectors of outputs in a tile, rows of x at most that pass over it together, and from how many rows on.
#if defined(LK_AVX512_BUILD)
#define LK_TILE_VECTORS 1
#define LK_TILE_ROWS 8
#elif defined(LK_AVX2_BUILD)
#define LK_TILE_VECTORS 1
#define LK_TILE_ROWS 4
#elif defined(LK_QUANTIZED_DOT)
#define LK_TILE_VECTORS 2
#define LK_TILE_ROWS 4
#endif
#define LK_TILE_FROM 4
#define LK_TILE_PANEL 1024  // columns of a tile that are transposed at a time

LK_INLINE vq q_load(const void *p) {
  vq v;
  memcpy(&v, p, sizeof v);
  return v;
}

LK_INLINE int q_group(const int format) { return format == LK_INT8 ? LK_INT8_GROUP : LK_INT4_GROUP; }

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
LK_INLINE vi q4_products(vq low, vq high, vq even, vq odd) {
#if defined(LK_AVX2_BUILD)
  return q_add16((vi){0}, _mm256_add_epi16(_mm256_maddubs_epi16((__m256i)low, (__m256i)even), _mm256_maddubs_epi16((__m256i)high, (__m256i)odd)));
#else
  return q_products(q_products((vi){0}, low, even), high, odd);
#endif
}

// MARK: Rounding

// Rows of x in int8. Row i of the `rows` of a block has its group g at values + (g · rows + i) · group, for int4 the even columns of
// the group before the odd ones, and its scale and what its sums begin with at g · rows + i. Alone (rows = 1), int4 has instead the
// even columns of every W / 4 groups before the odd ones, as the halves of the bytes of a vector of w have them, and groups of zeros
// fill up the last four.
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

// Row i of a block of `rows`.
LK_INLINE void q_round_row(const int format, const float *x, int64_t K, lk_rounded to, int64_t i, int64_t rows) {
  enum { PART = LK_INT4_GROUP / 2 };  // bytes are little-endian everywhere here
  const int group = q_group(format), offset = format == LK_INT8 ? LK_Q8_OFFSET : LK_Q4_OFFSET;
  const int64_t groups = K / group;
  for (int64_t g = 0; g < groups; g++) {
    const int64_t at = g * rows + i;
    int32_t sum;
    if (format == LK_INT8) {
      to.scales[at] = q_round_group(x + g * group, LK_INT8_GROUP, to.values + at * group, &sum);
    } else {
      typedef uint16_t pairs __attribute__((vector_size(LK_INT4_GROUP)));
      typedef uint8_t part __attribute__((vector_size(PART)));
      int8_t bytes[LK_INT4_GROUP];
      pairs line;
      to.scales[at] = q_round_group(x + g * group, LK_INT4_GROUP, bytes, &sum);
      memcpy(&line, bytes, sizeof line);
      int8_t *even = to.values + at * group, *odd = even + PART;
      if (rows == 1) even = to.values + g / LK_QR * 8 * W + g % LK_QR * PART, odd = even + 4 * W;
      const part low = __builtin_convertvector(line & 255, part), high = __builtin_convertvector(line >> 8, part);
      memcpy(even, &low, PART), memcpy(odd, &high, PART);
    }
    to.starts[at] = -offset * sum;
  }
  if (rows > 1) return;
  for (int64_t g = groups; g % 4; g++) {
    memset(to.values + g * group, 0, (size_t)group);
    to.scales[g] = 0, to.starts[g] = 0;
  }
}

// MARK: Vectors along K

// The sums of four vectors within each four lanes: lanes 4l ... 4l + 3 have those of a, b, c and d.
LK_INLINE vi q_sum4(vi a, vi b, vi c, vi d) {
#if defined(LK_AVX512_BUILD)
  // Half of each sum by a blend, which costs less than a shuffle.
  const __m512i ab = _mm512_add_epi32(_mm512_mask_blend_epi32(0xcccc, (__m512i)a, (__m512i)b), (__m512i)_mm512_shuffle_ps((__m512)a, (__m512)b, 0x4e));
  const __m512i cd = _mm512_add_epi32(_mm512_mask_blend_epi32(0xcccc, (__m512i)c, (__m512i)d), (__m512i)_mm512_shuffle_ps((__m512)c, (__m512)d, 0x4e));
  return (vi)_mm512_add_epi32((__m512i)_mm512_shuffle_ps((__m512)ab, (__m512)cd, 0x88), (__m512i)_mm512_shuffle_ps((__m512)ab, (__m512)cd, 0xdd));
#elif defined(LK_AVX2_BUILD)
  return (vi)_mm256_hadd_epi32(_mm256_hadd_epi32((__m256i)a, (__m256i)b), _mm256_hadd_epi32((__m256i)c, (__m256i)d));
#elif defined(LK_NEON_BUILD)
  return (vi)vpaddq_s32(vpaddq_s32((int32x4_t)a, (int32x4_t)b), vpaddq_s32((int32x4_t)c, (int32x4_t)d));
#else
  return (vi){(a[0] + a[1]) + (a[2] + a[3]), (b[0] + b[1]) + (b[2] + b[3]), (c[0] + c[1]) + (c[2] + c[3]), (d[0] + d[1]) + (d[2] + d[3])};
#endif
}

// int8: t[r] has four groups of row r in every four lanes, in parts; lanes 4r ... 4r + 3 of the result have the sums of row r.
LK_INLINE vi q8_fold(const vi t[LK_QR]) {
#if defined(LK_AVX512_BUILD)
  const __m512i a = (__m512i)t[0], b = (__m512i)t[1], c = (__m512i)t[2], d = (__m512i)t[3];
  const __m512i ab = _mm512_add_epi32(_mm512_mask_blend_epi32(0xff00, a, b), _mm512_shuffle_i32x4(a, b, 0x4e));
  const __m512i cd = _mm512_add_epi32(_mm512_mask_blend_epi32(0xff00, c, d), _mm512_shuffle_i32x4(c, d, 0x4e));
  return (vi)_mm512_add_epi32(_mm512_shuffle_i32x4(ab, cd, 0x88), _mm512_shuffle_i32x4(ab, cd, 0xdd));
#elif defined(LK_AVX2_BUILD)
  const __m256i a = (__m256i)t[0], b = (__m256i)t[1];
  return (vi)_mm256_add_epi32(_mm256_permute2x128_si256(a, b, 0x20), _mm256_permute2x128_si256(a, b, 0x31));
#else
  return t[0];
#endif
}

// int4: the same of vector h of row r in u[r · 4 / LK_QR + h], where every four lanes are a group.
LK_INLINE vi q4_fold(const vi u[4]) {
  const vi s = q_sum4(u[0], u[1], u[2], u[3]);
#if defined(LK_AVX512_BUILD)
  return (vi)_mm512_permutexvar_epi32(_mm512_setr_epi32(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15), (__m512i)s);
#elif defined(LK_AVX2_BUILD)
  return (vi)_mm256_permutevar8x32_epi32((__m256i)s, _mm256_setr_epi32(0, 4, 1, 5, 2, 6, 3, 7));
#else
  return s;
#endif
}

// Four numbers of 32 bits from each of LK_QR places.
LK_INLINE vf q_fours(const char *const p[LK_QR], int64_t at) {
#if defined(LK_AVX512_BUILD)
  const __m256 low = _mm256_insertf128_ps(_mm256_castps128_ps256(_mm_loadu_ps((const float *)(p[0] + at))), _mm_loadu_ps((const float *)(p[1] + at)), 1);
  const __m256 high = _mm256_insertf128_ps(_mm256_castps128_ps256(_mm_loadu_ps((const float *)(p[2] + at))), _mm_loadu_ps((const float *)(p[3] + at)), 1);
  return (vf)_mm512_insertf32x8(_mm512_castps256_ps512(low), high, 1);
#elif defined(LK_AVX2_BUILD)
  return (vf)_mm256_insertf128_ps(_mm256_castps128_ps256(_mm_loadu_ps((const float *)(p[0] + at))), _mm_loadu_ps((const float *)(p[1] + at)), 1);
#else
  return v_load((const float *)(p[0] + at));
#endif
}
LK_INLINE vf q_four(const void *p) {
#if defined(LK_AVX512_BUILD)
  return (vf)_mm512_broadcast_f32x4(_mm_loadu_ps(p));
#elif defined(LK_AVX2_BUILD)
  return (vf)_mm256_broadcast_ps(p);
#else
  return v_load(p);
#endif
}

// Vectors that four groups of a row of w are summed in before lanes are folded.
LK_INLINE int q_parts(const int format) { return format == LK_INT8 ? 1 : 4 / LK_QR; }

// Groups g ... g + 3 of mr rows of x with those of a row of w at `w`, not folded: to parts[i * stride].
LK_INLINE void q_step(const int format, const int mr, const char *w, const lk_rounded *x, int64_t g, vi *parts, int64_t stride) {
  if (format == LK_INT8) {
    enum { PARTS = LK_INT8_GROUP / (4 * W) };
    vi groups[LK_QM][4];
    LK_UNROLL
    for (int j = 0; j < 4; j++) {
      LK_UNROLL
      for (int i = 0; i < mr; i++) groups[i][j] = (vi){0};
      LK_UNROLL
      for (int p = 0; p < PARTS; p++) {
        const vq b = q8_weights(q_load(w + j * LK_INT8_GROUP + p * 4 * W));
        LK_UNROLL
        for (int i = 0; i < mr; i++) groups[i][j] = q_products(groups[i][j], b, q_load(x[i].values + (g + j) * LK_INT8_GROUP + p * 4 * W));
      }
    }
    LK_UNROLL
    for (int i = 0; i < mr; i++) parts[i * stride] = q_sum4(groups[i][0], groups[i][1], groups[i][2], groups[i][3]);
  } else {
    LK_UNROLL
    for (int h = 0; h < 4 / LK_QR; h++) {
      const vq both = q_load(w + h * 4 * W), low = q4_low(both), high = q4_high(both);
      LK_UNROLL
      for (int i = 0; i < mr; i++) {
        const int8_t *values = x[i].values + g * LK_INT4_GROUP + h * 8 * W;
        parts[i * stride + h] = q4_products(low, high, q_load(values), q_load(values + 4 * W));
      }
    }
  }
}

// out[m ..< m + mr, n ..< n + count], count <= LK_QV * LK_QR. One row of w is read after another, as memory has them: the processor
// finds out by itself then what to fetch, and does it as well as it can be told to. For int4, with more to do a byte, it is told, and
// the last row's share is asked for while lanes are folded, so that memory has no rest. Scales are always asked for, a block ahead.
LK_INLINE void q_block(const int format, const int mr, const lk_dot *d, const lk_rounded *x, int64_t m, int64_t n, int64_t count) {
  enum { ROWS = LK_QV * LK_QR };
  const int64_t step = format == LK_INT8 ? 4 * LK_INT8_GROUP : 2 * LK_INT4_GROUP, groups = d->groups;
  const int64_t steps = (groups + 3) / 4, vectors = q_parts(format), stride = ROWS * steps * vectors;
  vi parts[LK_QM * stride];
  const char *scales[ROWS];
  float rest[ROWS][4];
  LK_UNROLL
  for (int j = 0; j < ROWS; j++) {
    // The last row stands for those that are missing.
    const int64_t row = n + lk_min64(j, count - 1);
    const char *w = d->w + row * d->bytes_w;
    scales[j] = (const char *)(d->scales + row * groups);
    vi *to = parts + j * steps * vectors;
    int64_t g = 0;
    for (; g + 4 <= groups; g += 4, w += step, to += vectors) {
      if (format == LK_INT4 && j + 1 < ROWS) __builtin_prefetch(w + LK_AHEAD, 0, 2);
      q_step(format, mr, w, x, g, to, stride);
    }
    if (format == LK_INT8 && g < groups) {
      // What is missing of four groups: zeros, whose scale −0 leaves an accumulator its bits.
      char line[4 * LK_INT8_GROUP] = {0};
      memcpy(line, w, (size_t)((groups - g) * LK_INT8_GROUP));
      for (int l = 0; l < 4; l++) rest[j][l] = -0.0f;
      memcpy(rest[j], scales[j] + 4 * g, (size_t)(4 * (groups - g)));
      q_step(format, mr, line, x, g, to, stride);
    }
  }
  vf acc[LK_QM][LK_QV];
  LK_UNROLL
  for (int i = 0; i < mr; i++) {
    LK_UNROLL
    for (int v = 0; v < LK_QV; v++) acc[i][v] = v_zero();
  }
  const char *last = d->w + (n + ROWS - 1) * d->bytes_w;
  for (int64_t t = 0; t < steps; t++) {
    const int64_t g = 4 * t;
    __builtin_prefetch(scales[0] + 4 * ROWS * groups + 64 * t, 0, 2);
    if (format == LK_INT4) __builtin_prefetch(last + LK_AHEAD + 64 * t, 0, 2);
    int64_t at = 4 * g;
    if (format == LK_INT8 && g + 4 > groups) {
      at = 0;
      LK_UNROLL
      for (int j = 0; j < ROWS; j++) scales[j] = (const char *)rest[j];
    }
    LK_UNROLL
    for (int v = 0; v < LK_QV; v++) {
      const vf ws = q_fours(scales + v * LK_QR, at);
      LK_UNROLL
      for (int i = 0; i < mr; i++) {
        vi u[4];
        LK_UNROLL
        for (int j = 0; j < LK_QR * vectors; j++) u[j] = parts[i * stride + ((v * LK_QR + j / vectors) * steps + t) * vectors + j % vectors];
        const vi sum = (format == LK_INT8 ? q8_fold(u) : q4_fold(u)) + (vi)q_four(x[i].starts + g);
        acc[i][v] = v_fma(__builtin_convertvector(sum, vf) * q_four(x[i].scales + g), ws, acc[i][v]);
      }
    }
  }
  LK_UNROLL
  for (int i = 0; i < mr; i++) {
    float *out = d->out + (m + i) * d->stride_out + n;
    LK_UNROLL
    for (int j = 0; j < ROWS; j++) {
      const vf a = acc[i][j / LK_QR];
      const int l = j % LK_QR * 4;
      const float sum = (a[l] + a[l + 2]) + (a[l + 1] + a[l + 3]);
      if (j < count) out[j] = d->bias ? sum + d->bias[n + j] : sum;
    }
  }
}

// out[m ..< m + rows, n0 ..< n1] of rows that have been rounded alone.
LK_INLINE void q_rows(const int format, const lk_dot *d, const lk_rounded *x, int64_t m, int64_t rows, int64_t n0, int64_t n1) {
  enum { ROWS = LK_QV * LK_QR };
  int64_t i = 0;
  for (; i + 2 <= rows; i += 2)
    for (int64_t n = n0; n < n1; n += ROWS) q_block(format, 2, d, x + i, m + i, n, lk_min64(ROWS, n1 - n));
  for (; i < rows; i++)
    for (int64_t n = n0; n < n1; n += ROWS) q_block(format, 1, d, x + i, m + i, n, lk_min64(ROWS, n1 - n));
}

#if defined(LK_TILE_ROWS)
// MARK: Tiles

#define LK_TILE (LK_TILE_VECTORS * W)  // rows of w

// Where the next tile is asked for while this one is worked on.
typedef struct {
  const char *next, *end;
  int64_t lines;  // a group
} lk_ahead;

// 16 bytes of each of W rows: lane n of vector j of the result is the j-th four bytes of row n.
LK_INLINE void q_transpose(const char *const rows[W], int64_t at, vi out[4]) {
#if defined(LK_AVX512_BUILD)
  __m512i a[4];
  LK_UNROLL
  for (int q = 0; q < 4; q++) {
    const __m256i low = _mm256_inserti128_si256(_mm256_castsi128_si256(_mm_loadu_si128((const __m128i *)(rows[q] + at))), _mm_loadu_si128((const __m128i *)(rows[q + 4] + at)), 1);
    const __m256i high = _mm256_inserti128_si256(_mm256_castsi128_si256(_mm_loadu_si128((const __m128i *)(rows[q + 8] + at))), _mm_loadu_si128((const __m128i *)(rows[q + 12] + at)), 1);
    a[q] = _mm512_inserti64x4(_mm512_castsi256_si512(low), high, 1);
  }
  const __m512i ab = _mm512_unpacklo_epi32(a[0], a[1]), AB = _mm512_unpackhi_epi32(a[0], a[1]);
  const __m512i cd = _mm512_unpacklo_epi32(a[2], a[3]), CD = _mm512_unpackhi_epi32(a[2], a[3]);
  out[0] = (vi)_mm512_unpacklo_epi64(ab, cd), out[1] = (vi)_mm512_unpackhi_epi64(ab, cd);
  out[2] = (vi)_mm512_unpacklo_epi64(AB, CD), out[3] = (vi)_mm512_unpackhi_epi64(AB, CD);
#elif defined(LK_AVX2_BUILD)
  __m256i a[4];
  LK_UNROLL
  for (int q = 0; q < 4; q++)
    a[q] = _mm256_inserti128_si256(_mm256_castsi128_si256(_mm_loadu_si128((const __m128i *)(rows[q] + at))), _mm_loadu_si128((const __m128i *)(rows[q + 4] + at)), 1);
  const __m256i ab = _mm256_unpacklo_epi32(a[0], a[1]), AB = _mm256_unpackhi_epi32(a[0], a[1]);
  const __m256i cd = _mm256_unpacklo_epi32(a[2], a[3]), CD = _mm256_unpackhi_epi32(a[2], a[3]);
  out[0] = (vi)_mm256_unpacklo_epi64(ab, cd), out[1] = (vi)_mm256_unpackhi_epi64(ab, cd);
  out[2] = (vi)_mm256_unpacklo_epi64(AB, CD), out[3] = (vi)_mm256_unpackhi_epi64(AB, CD);
#else
  int32x4_t a[4];
  LK_UNROLL
  for (int q = 0; q < 4; q++) a[q] = vreinterpretq_s32_s8(vld1q_s8((const int8_t *)rows[q] + at));
  const int64x2_t ab = vreinterpretq_s64_s32(vzip1q_s32(a[0], a[1])), AB = vreinterpretq_s64_s32(vzip2q_s32(a[0], a[1]));
  const int64x2_t cd = vreinterpretq_s64_s32(vzip1q_s32(a[2], a[3])), CD = vreinterpretq_s64_s32(vzip2q_s32(a[2], a[3]));
  out[0] = (vi)vzip1q_s64(ab, cd), out[1] = (vi)vzip2q_s64(ab, cd);
  out[2] = (vi)vzip1q_s64(AB, CD), out[3] = (vi)vzip2q_s64(AB, CD);
#endif
}

// Groups g0 ..< g0 + count of a tile: of each group its fours of columns, in the order in which x has them, and its scales.
LK_INLINE void q_tile_weights(const int format, const char *const w[LK_TILE], const char *const scales[LK_TILE], int64_t g0, int64_t count, vq *tile, float *ws) {
  enum { V = LK_TILE_VECTORS };
  LK_UNROLL
  for (int v = 0; v < V; v++) {
    const char *const *rows = w + v * W;
    vq *to = tile + v;
    for (int64_t g = 0; g < count; g++) {
      vi t[4];
      if (format == LK_INT8) {
        LK_UNROLL
        for (int q = 0; q < 4; q++) {
          q_transpose(rows, (g0 + g) * LK_INT8_GROUP + 16 * q, t);
          LK_UNROLL
          for (int j = 0; j < 4; j++) to[j * V] = q8_weights((vq)t[j]);
          to += 4 * V;
        }
      } else {
        q_transpose(rows, (g0 + g) * (LK_INT4_GROUP / 2), t);
        LK_UNROLL
        for (int j = 0; j < 4; j++) to[j * V] = q4_low((vq)t[j]), to[(4 + j) * V] = q4_high((vq)t[j]);
        to += 8 * V;
      }
    }
    int64_t g = 0;
    for (; g + 4 <= count; g += 4) {
      vi t[4];
      q_transpose(scales + v * W, 4 * (g0 + g), t);
      LK_UNROLL
      for (int j = 0; j < 4; j++) v_store(ws + (g + j) * LK_TILE + v * W, (vf)t[j]);
    }
    for (; g < count; g++)
      for (int j = 0; j < W; j++) memcpy(&ws[g * LK_TILE + v * W + j], scales[v * W + j] + 4 * (g0 + g), 4);
  }
}

// s[i] + the products of a group of mr rows of x, from `x` on, with the group of a tile.
LK_INLINE void q_tile_group(const int format, const int mr, const vq *w, const int8_t *x, vi s[LK_TILE_ROWS][LK_TILE_VECTORS]) {
  enum { V = LK_TILE_VECTORS };
  const int group = q_group(format);
#if defined(LK_QUANTIZED_DOT)
  LK_UNROLL
  for (int q = 0; q < group / 16; q++) {
    int8x16_t a[LK_TILE_ROWS];
    LK_UNROLL
    for (int i = 0; i < mr; i++) a[i] = vld1q_s8(x + i * group + 16 * q);
#define LANE(L)                                    \
  LK_UNROLL                                        \
  for (int v = 0; v < V; v++) {                    \
    const int8x16_t b = (int8x16_t)w[(4 * q + L) * V + v]; \
    LK_UNROLL                                      \
    for (int i = 0; i < mr; i++) s[i][v] = (vi)vdotq_laneq_s32((int32x4_t)s[i][v], b, a[i], L); \
  }
    LANE(0) LANE(1) LANE(2) LANE(3)
#undef LANE
  }
#else
#if defined(LK_AVX2_BUILD)
  // 16 bits hold the eight sums of two products of a group of int4.
  __m256i pairs[LK_TILE_ROWS];
  LK_UNROLL
  for (int i = 0; i < mr; i++) pairs[i] = _mm256_setzero_si256();
#endif
  LK_UNROLL
  for (int c = 0; c < group / 4; c++) {
    const vq b = w[c];
    LK_UNROLL
    for (int i = 0; i < mr; i++) {
      int32_t four;
      memcpy(&four, x + i * group + 4 * c, 4);
      const vq a = (vq)((vi){0} + four);
#if defined(LK_AVX2_BUILD)
      if (format == LK_INT4) {
        pairs[i] = _mm256_add_epi16(pairs[i], _mm256_maddubs_epi16((__m256i)b, (__m256i)a));
        continue;
      }
#endif
      s[i][0] = q_products(s[i][0], b, a);
    }
  }
#if defined(LK_AVX2_BUILD)
  LK_UNROLL
  for (int i = 0; i < mr && format == LK_INT4; i++) s[i][0] = q_add16(s[i][0], pairs[i]);
#endif
#endif
}

// `count` groups of mr rows of x with a tile; `sums` [4, mr, LK_TILE] are the accumulators.
LK_INLINE void q_tile(const int format, const int mr, const vq *w, const float *ws, lk_rounded x, int64_t count, float *sums, const int first, lk_ahead *ahead) {
  enum { V = LK_TILE_VECTORS };
  const int group = q_group(format), offset = format == LK_INT8 ? LK_Q8_OFFSET : LK_Q4_OFFSET;
  const char *next = ahead->next, *end = ahead->end;
  for (int64_t p = 0; p < 4; p++) {
    vf acc[LK_TILE_ROWS][V];
    LK_UNROLL
    for (int i = 0; i < mr; i++) {
      LK_UNROLL
      for (int v = 0; v < V; v++) acc[i][v] = first ? v_zero() : v_load(sums + (p * mr + i) * LK_TILE + v * W);
    }
    for (int64_t g = p; g < count; g += 4) {
      for (int64_t l = ahead->lines; l > 0 && next < end; l--, next += 64) __builtin_prefetch(next, 0, 2);
      vi s[LK_TILE_ROWS][V];
      LK_UNROLL
      for (int i = 0; i < mr; i++) {
        LK_UNROLL
        for (int v = 0; v < V; v++) s[i][v] = offset ? (vi){0} + x.starts[g * mr + i] : (vi){0};
      }
      q_tile_group(format, mr, w + g * (group / 4) * V, x.values + g * mr * group, s);
      LK_UNROLL
      for (int v = 0; v < V; v++) {
        const vf b = v_load(ws + g * LK_TILE + v * W);
        LK_UNROLL
        for (int i = 0; i < mr; i++) acc[i][v] = v_fma(__builtin_convertvector(s[i][v], vf) * v_set(x.scales[g * mr + i]), b, acc[i][v]);
      }
    }
    LK_UNROLL
    for (int i = 0; i < mr; i++) {
      LK_UNROLL
      for (int v = 0; v < V; v++) v_store(sums + (p * mr + i) * LK_TILE + v * W, acc[i][v]);
    }
  }
  ahead->next = next;
}

// How many of the `rest` rows of x pass over a tile next; one more than there are may be asked for, a row of zeros.
LK_INLINE int64_t q_tile_rows(int64_t rest) {
#if LK_TILE_ROWS == 8
  return rest >= 12 || rest == 8 || rest == 7 ? 8 : rest > 4 ? 6 : 4;
#else
  return rest > 2 ? 4 : 2;
#endif
}

// out[m ..< m + rows, n0 ..< n1] of rows that have been rounded in blocks of q_tile_rows; `sums`: 4 LK_TILE for each of their rows.
LK_INLINE void q_tiles(const int format, const lk_dot *d, lk_rounded x, float *sums, int64_t m, int64_t rows, int64_t n0, int64_t n1) {
  enum { V = LK_TILE_VECTORS, CHUNK = LK_TILE_PANEL / 4 };
  const int64_t group = q_group(format), groups = d->groups, most = LK_TILE_PANEL / group;
  _Alignas(64) vq tile[CHUNK * V];
  _Alignas(64) float ws[LK_TILE_PANEL / LK_INT4_GROUP * LK_TILE];
  int64_t blocks = 0;
  for (int64_t i = 0; i < rows; i += q_tile_rows(rows - i)) blocks++;
  const int64_t lines = (LK_TILE * d->bytes_w / groups + 63) / 64;
  for (int64_t n = n0; n < n1; n += LK_TILE) {
    const int64_t columns = lk_min64(LK_TILE, n1 - n);
    const char *w[LK_TILE], *scales[LK_TILE];
    for (int j = 0; j < LK_TILE; j++) {
      const int64_t row = n + lk_min64(j, columns - 1);
      w[j] = d->w + row * d->bytes_w, scales[j] = (const char *)(d->scales + row * groups);
    }
    const char *next = w[0] + LK_TILE * d->bytes_w;
    lk_ahead ahead = {.next = next, .end = next + lk_min64(LK_TILE, n1 - n - columns) * d->bytes_w, .lines = (lines + blocks - 1) / blocks};
    for (int64_t g = 0; g < groups; g += most) {
      const int64_t count = lk_min64(most, groups - g);
      q_tile_weights(format, w, scales, g, count, tile, ws);
      for (int64_t i = 0, mr; i < rows; i += mr) {
        mr = q_tile_rows(rows - i);
        lk_rounded at = {x.values + (i * groups + g * mr) * group, x.scales + i * groups + g * mr, x.starts + i * groups + g * mr};
        float *acc = sums + i * 4 * LK_TILE;
#define ROWS(MR)                                                                     \
  case MR:                                                                           \
    if (g == 0) q_tile(format, MR, tile, ws, at, count, acc, 1, &ahead);             \
    else q_tile(format, MR, tile, ws, at, count, acc, 0, &ahead);                    \
    break;
        switch (mr) {
#if LK_TILE_ROWS == 8
          ROWS(8)
          ROWS(6)
          ROWS(4)
#else
          ROWS(4)
          ROWS(2)
#endif
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
#endif

// MARK: Ranges

// Whether a product of this layout goes by whole numbers. The same on every instruction set.
LK_INLINE int is_quantized(int format, int64_t K, int64_t group) {
  if (K > LK_QUANTIZED_MOST) return 0;
  return (format == LK_INT8 && group == LK_INT8_GROUP && K % LK_INT8_GROUP == 0) || (format == LK_INT4 && group == LK_INT4_GROUP && K % LK_INT4_STEP == 0);
}

// out[m ..< m + rows, n0 ..< n1]: rounds the rows of x, `K` columns of which and `groups` scales have room in each row of `to`.
LK_INLINE void q_range(const int format, const lk_dot *d, lk_rounded to, float *sums, int64_t m, int64_t rows, int64_t n0, int64_t n1) {
  const int64_t K = d->K, group = q_group(format);
  const float *x = d->x + m * d->stride_x;
#if defined(LK_TILE_ROWS)
  if (rows >= LK_TILE_FROM) {
    for (int64_t i = 0, mr; i < rows; i += mr) {
      mr = q_tile_rows(rows - i);
      const lk_rounded block = {to.values + i * K, to.scales + i * d->groups, to.starts + i * d->groups};
      for (int64_t r = 0; r < mr; r++) {
        if (i + r < rows) {
          q_round_row(format, x + (i + r) * d->stride_x, K, block, r, mr);
          continue;
        }
        for (int64_t g = 0; g < d->groups; g++) {
          memset(block.values + (g * mr + r) * group, 0, (size_t)group);
          block.scales[g * mr + r] = 0, block.starts[g * mr + r] = 0;
        }
      }
    }
    q_tiles(format, d, to, sums, m, rows, n0, n1);
    return;
  }
#endif
  (void)sums;
  const int64_t padded = (d->groups + 3) / 4 * 4;
  lk_rounded alone[LK_QUANTIZED_ROWS];
  for (int64_t i = 0; i < rows; i++) {
    alone[i] = (lk_rounded){to.values + i * padded * group, to.scales + i * padded, to.starts + i * padded};
    q_round_row(format, x + i * d->stride_x, K, alone[i], 0, 1);
  }
  q_rows(format, d, alone, m, rows, n0, n1);
}

static __attribute__((noinline)) void q_range_int8(const lk_dot *d, lk_rounded to, float *sums, int64_t m, int64_t rows, int64_t n0, int64_t n1) { q_range(LK_INT8, d, to, sums, m, rows, n0, n1); }
static __attribute__((noinline)) void q_range_int4(const lk_dot *d, lk_rounded to, float *sums, int64_t m, int64_t rows, int64_t n0, int64_t n1) { q_range(LK_INT4, d, to, sums, m, rows, n0, n1); }

static __attribute__((noinline)) void quantized_range(int format, const lk_dot *d, int64_t m0, int64_t m1, int64_t n0, int64_t n1) {
  const int64_t M = m1 - m0;
  if (M <= 0 || n0 >= n1) return;
  const int64_t padded = (d->groups + 3) / 4 * 4;
#if defined(LK_TILE_ROWS)
  const int64_t tile = 4 * LK_TILE;
#else
  const int64_t tile = 0;
#endif
  // As many rows at a time as there is room for, eight at least, in equal parts; one more where a block is filled up.
  const int64_t room = LK_QUANTIZED_BYTES / (padded * (q_group(format) + 8) + 4 * tile);
  const int64_t parts = (M - 1) / lk_max64(8, lk_min64(LK_QUANTIZED_ROWS, room)) + 1, most = (M - 1) / parts + 1;
  const int64_t rows = M >= LK_TILE_FROM ? most + 1 : most;
  _Alignas(64) int8_t values[rows * padded * q_group(format)];
  _Alignas(64) float scales[rows * padded], sums[rows * tile + 1];
  int32_t starts[rows * padded];
  const lk_rounded to = {values, scales, starts};
  for (int64_t m = m0; m < m1; m += most) {
    if (format == LK_INT8) q_range_int8(d, to, sums, m, lk_min64(most, m1 - m), n0, n1);
    else q_range_int4(d, to, sums, m, lk_min64(most, m1 - m), n0, n1);
  }
}
