// LK_LINEAR for int8 weights in groups of 64 columns and int4 weights in groups of 32: rows of x are rounded to int8, one
// scale a group, and the products are summed as whole numbers.
//
// A group's sum is exact in 32 bits, whatever instructions make it; floating point begins with sum · (scale of x) · (scale of
// w), added to one vector accumulator an output, group after group. So an output has the same bits in any block and any share.
// A row of x that is not finite gives NaN in every output, as it would in f32.
#pragma once
#include "dot.h"

#define LK_INT8_GROUP 64
#define LK_INT4_GROUP 32
// Columns that int4's fast path takes at a time on the widest vectors: K must be a multiple.
#define LK_INT4_STEP 128
#define LK_QUANTIZED_MOST 16384  // columns: the rounded rows lie on the stack
#define LK_QUANTIZED_ROWS 8

typedef int8_t vq __attribute__((vector_size(4 * W)));

#if defined(LK_AVX512_BUILD)
#define LK_QR 4
#define LK_QN 4
#elif defined(LK_NEON_BUILD)
#define LK_QR 4
#define LK_QN 4
#else
#define LK_QR 2
#define LK_QN 4
#endif
// Rows of w at a time where x has one row, by format: what memory and the first-level cache like best.
#define LK_Q1(format) ((format) == LK_INT8 ? 4 : 2)

LK_INLINE vq q_load(const void *p) {
  vq v;
  memcpy(&v, p, sizeof v);
  return v;
}

// Lane l of every result sums the products of bytes 4l ... 4l + 3. `w` has passed q8_weights; `start` is q8_start(x).
#if defined(LK_AVX512_BUILD)
// (w + 128) · x − 128 · x: the instruction takes bytes without sign on one side.
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
LK_INLINE vi q8_start(vq x) { return -q_products((vi){0}, (vq){0} + (int8_t)-128, x); }
#elif defined(LK_AVX2_BUILD)
LK_INLINE vi q_add16(vi c, __m256i pairs) { return (vi)_mm256_add_epi32((__m256i)c, _mm256_madd_epi16(pairs, _mm256_set1_epi16(1))); }
// |x| · (w with the sign of x): 16 bits hold two products, since no byte is −128.
LK_INLINE vi q_products(vi c, vq w, vq x) {
  return q_add16(c, _mm256_maddubs_epi16(_mm256_abs_epi8((__m256i)x), _mm256_sign_epi8((__m256i)w, (__m256i)x)));
}
LK_INLINE vq q8_weights(vq w) { return w; }
LK_INLINE vi q8_start(__attribute__((unused)) vq x) { return (vi){0}; }
#elif defined(LK_NEON_BUILD)
LK_INLINE vi q_products(vi c, vq w, vq x) {
#if defined(LK_NEON_DOT_BUILD) || defined(__ARM_FEATURE_DOTPROD)
  return (vi)vdotq_s32((int32x4_t)c, (int8x16_t)w, (int8x16_t)x);
#else
  int16x8_t low = vmull_s8(vget_low_s8((int8x16_t)w), vget_low_s8((int8x16_t)x));
  int16x8_t high = vmull_s8(vget_high_s8((int8x16_t)w), vget_high_s8((int8x16_t)x));
  return (vi)vaddq_s32((int32x4_t)c, vpaddq_s32(vpaddlq_s16(low), vpaddlq_s16(high)));
#endif
}
LK_INLINE vq q8_weights(vq w) { return w; }
LK_INLINE vi q8_start(__attribute__((unused)) vq x) { return (vi){0}; }
#else
LK_INLINE vi q_products(vi c, vq w, vq x) {
  typedef int16_t v16s __attribute__((vector_size(8 * W)));
  v16s p = __builtin_convertvector(w, v16s) * __builtin_convertvector(x, v16s);
  for (int l = 0; l < W; l++) c[l] += (p[4 * l] + p[4 * l + 1]) + (p[4 * l + 2] + p[4 * l + 3]);
  return c;
}
LK_INLINE vq q8_weights(vq w) { return w; }
LK_INLINE vi q8_start(__attribute__((unused)) vq x) { return (vi){0}; }
#endif

// int4: the low and the high halves of the bytes, each 0 ... 15, stand for −8 ... 7; the start takes the 8 away again.
LK_INLINE vq q4_low(vq w) { return w & (int8_t)15; }
LK_INLINE vq q4_high(vq w) {
  typedef uint16_t v16u __attribute__((vector_size(4 * W)));
  return (vq)((v16u)w >> 4) & (int8_t)15;
}
LK_INLINE vi q4_products(vi c, vq w, vq x) {
#if defined(LK_AVX2_BUILD)
  return q_add16(c, _mm256_maddubs_epi16((__m256i)w, (__m256i)x));
#else
  return q_products(c, w, x);
#endif
}
LK_INLINE vi q4_start(vq even, vq odd) {
  const vq eight = (vq){0} + (int8_t)8;
  return -q4_products(q4_products((vi){0}, eight, even), eight, odd);
}

// A row of x in int8: bytes as the products want them, and the scale of every group, for int4 once a lane.
typedef struct {
  const int8_t *values;
  const float *scales;
} lk_rounded;

// Scale and rounded values of `group` columns.
LK_INLINE float q_round_group(const float *x, const int group, int8_t *out) {
  vf largest = v_zero(), invalid = v_zero();
  for (int j = 0; j < group; j += W) {
    const vf v = v_load(x + j);
    largest = v_max(largest, v_abs(v));
    invalid = invalid + v * 0.0f;
  }
  const float max = v_max_lane(largest), bad = v_sum(invalid);
  if (!(max > 0.0f) || bad != 0.0f) {
    memset(out, 0, (size_t)group);
    return bad;
  }
  const vf inverse = v_set(127.0f / max);
  for (int j = 0; j < group; j += W) {
    const vi q = (vi)v_fma(v_load(x + j), inverse, v_set(LK_ROUND_MAGIC)) - 0x4b400000;
    const v8 bytes = __builtin_convertvector(q, v8);
    memcpy(out + j, &bytes, sizeof bytes);
  }
  return max / 127.0f;
}

static void q_round_row8(const float *x, int64_t K, int8_t *values, float *scales) {
  for (int64_t k = 0; k < K; k += LK_INT8_GROUP) *scales++ = q_round_group(x + k, LK_INT8_GROUP, values + k);
}

// Even columns of every 8 W, then the odd ones, as the halves of the bytes of w have them.
static void q_round_row4(const float *x, int64_t K, int8_t *values, float *scales) {
  for (int64_t k = 0; k < K; k += 8 * W) {
    int8_t line[8 * W];
    for (int g = 0; g < 8 * W; g += LK_INT4_GROUP) {
      const float scale = q_round_group(x + k + g, LK_INT4_GROUP, line + g);
      for (int l = 0; l < 4; l++) *scales++ = scale;
    }
    for (int j = 0; j < 4 * W; j++) values[k + j] = line[2 * j], values[k + 4 * W + j] = line[2 * j + 1];
  }
}

// Scales of the W / 4 groups that a vector of int4 weights covers, each in its four lanes.
LK_INLINE vf q4_scales(const float *p) {
#if defined(LK_AVX512_BUILD)
  return (vf)_mm512_permutexvar_ps(_mm512_setr_epi32(0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3), _mm512_broadcast_f32x4(_mm_loadu_ps(p)));
#elif defined(LK_AVX2_BUILD)
  return (vf)_mm256_insertf128_ps(_mm256_castps128_ps256(_mm_set1_ps(p[0])), _mm_set1_ps(p[1]), 1);
#else
  return v_set(p[0]);
#endif
}

// out[m ..< m + mr, n ..< n + nr] of rows that have been rounded.
LK_INLINE void q_block(const int format, const int mr, const int nr, const lk_dot *d, const lk_rounded *x, int64_t m, int64_t n) {
  vf acc[4][8];
  const char *w[8];
  const float *scales[8];
  LK_UNROLL
  for (int j = 0; j < nr; j++) w[j] = d->w + (n + j) * d->bytes_w, scales[j] = d->scales + (n + j) * d->groups;
  LK_UNROLL
  for (int i = 0; i < mr; i++) {
    LK_UNROLL
    for (int j = 0; j < nr; j++) acc[i][j] = v_zero();
  }
  const int64_t step = format == LK_INT8 ? LK_INT8_GROUP : 8 * W, distance = fetch_distance(nr, d);
  for (int64_t k = 0; k < d->K; k += step) {
    const int64_t at = format == LK_INT8 ? k : k / 2;
    // Into the first-level cache: a block of few rows of few bytes fits there.
    if (at % 64 == 0) {
      LK_UNROLL
      for (int j = 0; j < nr; j++) __builtin_prefetch(w[0] + at * nr + distance + 64 * j, 0, 3);
    }
    if (format == LK_INT8) {
      enum { PARTS = LK_INT8_GROUP / (4 * W) };
      vq xv[4][PARTS];
      vi start[4];
      vf xs[4];
      LK_UNROLL
      for (int i = 0; i < mr; i++) {
        start[i] = (vi){0};
        LK_UNROLL
        for (int p = 0; p < PARTS; p++) xv[i][p] = q_load(x[i].values + k + p * 4 * W), start[i] += q8_start(xv[i][p]);
        xs[i] = v_set(x[i].scales[k / LK_INT8_GROUP]);
      }
      LK_UNROLL
      for (int j = 0; j < nr; j++) {
        vq wv[PARTS];
        LK_UNROLL
        for (int p = 0; p < PARTS; p++) wv[p] = q8_weights(q_load(w[j] + k + p * 4 * W));
        const vf ws = v_set(scales[j][k / LK_INT8_GROUP]);
        LK_UNROLL
        for (int i = 0; i < mr; i++) {
          vi s = start[i];
          LK_UNROLL
          for (int p = 0; p < PARTS; p++) s = q_products(s, wv[p], xv[i][p]);
          acc[i][j] = v_fma(__builtin_convertvector(s, vf) * xs[i], ws, acc[i][j]);
        }
      }
    } else {
      vq even[4], odd[4];
      vi start[4];
      vf xs[4];
      LK_UNROLL
      for (int i = 0; i < mr; i++) {
        even[i] = q_load(x[i].values + k), odd[i] = q_load(x[i].values + k + 4 * W);
        start[i] = q4_start(even[i], odd[i]);
        xs[i] = v_load(x[i].scales + k / 8);
      }
      LK_UNROLL
      for (int j = 0; j < nr; j++) {
        const vq both = q_load(w[j] + k / 2), low = q4_low(both), high = q4_high(both);
        const vf ws = q4_scales(scales[j] + k / LK_INT4_GROUP);
        LK_UNROLL
        for (int i = 0; i < mr; i++) {
          const vi s = q4_products(q4_products(start[i], low, even[i]), high, odd[i]);
          acc[i][j] = v_fma(__builtin_convertvector(s, vf) * xs[i], ws, acc[i][j]);
        }
      }
    }
  }
  LK_UNROLL
  for (int i = 0; i < mr; i++) {
    float *out = d->out + (m + i) * d->stride_out + n;
    float sums[8];
    LK_UNROLL
    for (int j = 0; j + 4 <= nr; j += 4) v_sum4(acc[i][j], acc[i][j + 1], acc[i][j + 2], acc[i][j + 3], sums + j);
    LK_UNROLL
    for (int j = nr & ~3; j < nr; j++) sums[j] = v_sum(acc[i][j]);
    LK_UNROLL
    for (int j = 0; j < nr; j++) out[j] = d->bias ? sums[j] + d->bias[n + j] : sums[j];
  }
}

// out[m ..< m + rows, n0 ..< n1], rows <= LK_QUANTIZED_ROWS.
LK_INLINE void q_rows(const int format, const lk_dot *d, const lk_rounded *x, int64_t m, int64_t rows, int64_t n0, int64_t n1) {
  int64_t i = 0;
#define COLUMNS(MR, NR)                                                                    \
  {                                                                                        \
    int64_t n = n0;                                                                        \
    for (; n + NR <= n1; n += NR) q_block(format, MR, NR, d, x + i, m + i, n);             \
    for (; n < n1; n++) q_block(format, MR, 1, d, x + i, m + i, n);                        \
  }
#if LK_QR >= 4
  for (; i + 4 <= rows; i += 4) COLUMNS(4, LK_QN)
#endif
  for (; i + 2 <= rows; i += 2) COLUMNS(2, LK_QN)
  if (i < rows) COLUMNS(1, LK_Q1(format))
#undef COLUMNS
}

static __attribute__((noinline)) void q_rows_int8(const lk_dot *d, const lk_rounded *x, int64_t m, int64_t rows, int64_t n0, int64_t n1) { q_rows(LK_INT8, d, x, m, rows, n0, n1); }
static __attribute__((noinline)) void q_rows_int4(const lk_dot *d, const lk_rounded *x, int64_t m, int64_t rows, int64_t n0, int64_t n1) { q_rows(LK_INT4, d, x, m, rows, n0, n1); }

// Whether a product of this layout goes by whole numbers. The same on every instruction set.
LK_INLINE int is_quantized(int format, int64_t K, int64_t group) {
  if (K > LK_QUANTIZED_MOST) return 0;
  return (format == LK_INT8 && group == LK_INT8_GROUP && K % LK_INT8_GROUP == 0) || (format == LK_INT4 && group == LK_INT4_GROUP && K % LK_INT4_STEP == 0);
}

static __attribute__((noinline)) void quantized_range(int format, const lk_dot *d, int64_t m0, int64_t m1, int64_t n0, int64_t n1) {
  const int64_t K = d->K, per_row = format == LK_INT8 ? K / LK_INT8_GROUP : K / 8;
  const int64_t most = lk_min64(LK_QUANTIZED_ROWS, m1 - m0);
  if (most <= 0 || n0 >= n1) return;
  _Alignas(64) int8_t values[most * K];
  _Alignas(64) float scales[most * per_row];
  lk_rounded rows[LK_QUANTIZED_ROWS];
  for (int64_t m = m0; m < m1; m += most) {
    const int64_t count = lk_min64(most, m1 - m);
    for (int64_t i = 0; i < count; i++) {
      rows[i] = (lk_rounded){values + i * K, scales + i * per_row};
      if (format == LK_INT8) q_round_row8(d->x + (m + i) * d->stride_x, K, values + i * K, scales + i * per_row);
      else q_round_row4(d->x + (m + i) * d->stride_x, K, values + i * K, scales + i * per_row);
    }
    if (format == LK_INT8) q_rows_int8(d, rows, m, count, n0, n1);
    else q_rows_int4(d, rows, m, count, n0, n1);
  }
}
