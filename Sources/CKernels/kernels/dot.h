// Blocks of dot products of rows of x with rows of a weight matrix, the heart of LK_LINEAR and of LK_MATMUL with b transposed.
//
// Every output is one vector accumulator that walks K in order (a group's last, partial vector padded with zeros) and
// is then summed by v_sum. Blocking only decides which outputs are computed together, never how one is.
#pragma once
#include "elementary.h"

typedef uint16_t v16 __attribute__((vector_size(2 * W)));
typedef int8_t v8 __attribute__((vector_size(W)));
typedef uint8_t v4 __attribute__((vector_size(W / 2)));

// Rows of x by rows of w in one block; LK_M1 rows of w where x has one row.
#if defined(LK_AVX512_BUILD)
#define LK_MR 6
#elif defined(LK_NEON_BUILD)
#define LK_MR 4
#elif defined(LK_AVX2_BUILD)
#define LK_MR 3
#else
#define LK_MR 2
#endif
#define LK_NR 4
#define LK_M1 8
#define LK_AHEAD 8192  // bytes

typedef struct {
  const float *x;
  int64_t stride_x;
  const char *w;
  int64_t bytes_w;  // of one row of w
  const float *scales;
  int64_t groups, group, K;
  const float *bias;
  float *out;
  int64_t stride_out;
} lk_dot;

LK_INLINE vf v_from_bf16(v16 a) { return (vf)(__builtin_convertvector(a, vu) << 16); }

LK_INLINE vf v_from_int4(v4 a) {
#if defined(LK_AVX512_BUILD)
  // Byte j to lanes 2j and 2j + 1, the second four bits further down; the table looks at the low four bits alone.
  __m512i q = _mm512_cvtepu8_epi64((__m128i)__builtin_shufflevector(a, a, 0, 1, 2, 3, 4, 5, 6, 7, -1, -1, -1, -1, -1, -1, -1, -1));
  q = _mm512_or_si512(q, _mm512_slli_epi64(q, 28));
  return (vf)_mm512_permutexvar_ps(q, _mm512_setr_ps(-8, -7, -6, -5, -4, -3, -2, -1, 0, 1, 2, 3, 4, 5, 6, 7));
#elif defined(LK_AVX2_BUILD)
  int32_t word;
  memcpy(&word, &a, 4);
  __m256i q = _mm256_cvtepu8_epi64(_mm_cvtsi32_si128(word));
  q = _mm256_and_si256(_mm256_or_si256(q, _mm256_slli_epi64(q, 28)), _mm256_set1_epi32(15));
  return (vf)_mm256_cvtepi32_ps(_mm256_sub_epi32(q, _mm256_set1_epi32(8)));
#else
  v4 low = a & 15, high = a >> 4;
  v8 both = (v8)__builtin_shufflevector(low, high, 0, 2, 1, 3);
  return __builtin_convertvector(__builtin_convertvector(both, vi) - 8, vf);
#endif
}

LK_INLINE int64_t offset_of(const int format, int64_t k) { return format == LK_F32 ? 4 * k : format == LK_BF16 ? 2 * k : format == LK_INT8 ? k : k / 2; }

// W weights from column k; n of them (0 < n < W) in the partial form, the others zero.
LK_INLINE vf weights_at(const int format, const char *row, int64_t k) {
  if (format == LK_F32) return v_load((const float *)row + k);
  if (format == LK_BF16) {
    v16 a;
    memcpy(&a, row + 2 * k, sizeof a);
    return v_from_bf16(a);
  }
  if (format == LK_INT8) {
    v8 a;
    memcpy(&a, row + k, sizeof a);
    return __builtin_convertvector(__builtin_convertvector(a, vi), vf);
  }
  v4 a;
  memcpy(&a, row + k / 2, sizeof a);
  return v_from_int4(a);
}
LK_INLINE vf weights_part(const int format, const char *row, int64_t k, int64_t n) {
  if (format == LK_F32) return v_load_part((const float *)row + k, n);
  vf v = {0};
  for (int64_t j = 0; j < n; j++) {
    if (format == LK_BF16) {
      uint16_t h;
      memcpy(&h, row + 2 * (k + j), 2);
      uint32_t bits = (uint32_t)h << 16;
      float f;
      memcpy(&f, &bits, 4);
      v[j] = f;
    } else if (format == LK_INT8) {
      v[j] = (float)((const int8_t *)row)[k + j];
    } else {
      uint8_t byte = ((const uint8_t *)row)[(k + j) / 2];
      v[j] = (float)((k + j) & 1 ? byte >> 4 : byte & 15) - 8.0f;
    }
  }
  return v;
}

// A product of one row is bound by memory. A block of rows of w is one run of bytes, and is asked for in the order of its addresses
// well before its turn, a block ahead at least: memory gives twice as much then as where every row is asked for by itself.
LK_INLINE int64_t fetch_distance(const int nr, const lk_dot *d) { return lk_max64(LK_AHEAD, nr * d->bytes_w); }
LK_INLINE void fetch_ahead(const int nr, const char *p) {
  LK_UNROLL
  for (int j = 0; j < nr; j++) __builtin_prefetch(p + 64 * j, 0, 2);
}

// out[m ..< m + mr, n ..< n + nr]
LK_INLINE void dot_block(const int format, const int mr, const int nr, const lk_dot *d, int64_t m, int64_t n) {
  vf acc[8][8];
  const float *x[8];
  const char *w[8];
  LK_UNROLL
  for (int i = 0; i < mr; i++) x[i] = d->x + (m + i) * d->stride_x;
  LK_UNROLL
  for (int j = 0; j < nr; j++) w[j] = d->w + (n + j) * d->bytes_w;
  LK_UNROLL
  for (int i = 0; i < mr; i++) {
    LK_UNROLL
    for (int j = 0; j < nr; j++) acc[i][j] = v_zero();
  }
  const int scaled = format == LK_INT8 || format == LK_INT4;
  const int64_t groups = scaled ? d->groups : 1, group = scaled ? d->group : d->K;
  const int fetches = mr == 1 && nr == LK_M1;
  const int line = format == LK_F32 ? 16 : format == LK_BF16 ? 32 : format == LK_INT8 ? 64 : 128;
  const int64_t distance = fetch_distance(nr, d);
  int64_t k = 0;
  for (int64_t g = 0; g < groups; g++) {
    vf scale[8];
    LK_UNROLL
    for (int j = 0; j < nr; j++) scale[j] = scaled ? v_set(d->scales[(n + j) * d->groups + g]) : v_zero();
    const int64_t stop = k + group;
    // One row of x: a cache line of every row of w at a time.
    for (; fetches && k + line <= stop; k += line) {
      fetch_ahead(nr, w[0] + offset_of(format, k) * nr + distance);
      LK_UNROLL
      for (int u = 0; u < line / W; u++) {
        const vf a = v_load(x[0] + k + u * W);
        LK_UNROLL
        for (int j = 0; j < nr; j++) {
          vf b = weights_at(format, w[j], k + u * W);
          if (scaled) b = b * scale[j];
          acc[0][j] = v_fma(a, b, acc[0][j]);
        }
      }
    }
    for (; k + W <= stop; k += W) {
      if (mr > 1 && nr > 1 && k % line == 0) fetch_ahead(nr, w[0] + offset_of(format, k) * nr + distance);
      vf a[8];
      LK_UNROLL
      for (int i = 0; i < mr; i++) a[i] = v_load(x[i] + k);
      LK_UNROLL
      for (int j = 0; j < nr; j++) {
        vf b = weights_at(format, w[j], k);
        if (scaled) b = b * scale[j];
        LK_UNROLL
        for (int i = 0; i < mr; i++) acc[i][j] = v_fma(a[i], b, acc[i][j]);
      }
    }
    if (k < stop) {
      const int64_t rest = stop - k;
      vf a[8];
      LK_UNROLL
      for (int i = 0; i < mr; i++) a[i] = v_load_part(x[i] + k, rest);
      LK_UNROLL
      for (int j = 0; j < nr; j++) {
        vf b = weights_part(format, w[j], k, rest);
        if (scaled) b = b * scale[j];
        LK_UNROLL
        for (int i = 0; i < mr; i++) acc[i][j] = v_fma(a[i], b, acc[i][j]);
      }
      k = stop;
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

// out[m0 ..< m1, n0 ..< n1] for one format; a function of its own per format.
LK_INLINE void dot_range(const int format, const lk_dot *d, int64_t m0, int64_t m1, int64_t n0, int64_t n1) {
  int64_t m = m0;
#define COLUMNS(MR, NR)                                                                   \
  {                                                                                       \
    int64_t n = n0;                                                                       \
    for (; n + NR <= n1; n += NR) dot_block(format, MR, NR, d, m, n);                     \
    for (; n < n1; n++) dot_block(format, MR, 1, d, m, n);                                \
  }
  for (; m + LK_MR <= m1; m += LK_MR) COLUMNS(LK_MR, LK_NR)
#if LK_MR > 4
  if (m + 4 <= m1) {
    COLUMNS(4, LK_NR)
    m += 4;
  }
#endif
#if LK_MR > 2
  if (m + 2 <= m1) {
    COLUMNS(2, LK_NR)
    m += 2;
  }
#endif
  for (; m < m1; m++) COLUMNS(1, LK_M1)
#undef COLUMNS
}

static __attribute__((noinline)) void dot_range_f32(const lk_dot *d, int64_t m0, int64_t m1, int64_t n0, int64_t n1) { dot_range(LK_F32, d, m0, m1, n0, n1); }
static __attribute__((noinline)) void dot_range_bf16(const lk_dot *d, int64_t m0, int64_t m1, int64_t n0, int64_t n1) { dot_range(LK_BF16, d, m0, m1, n0, n1); }
static __attribute__((noinline)) void dot_range_int8(const lk_dot *d, int64_t m0, int64_t m1, int64_t n0, int64_t n1) { dot_range(LK_INT8, d, m0, m1, n0, n1); }
static __attribute__((noinline)) void dot_range_int4(const lk_dot *d, int64_t m0, int64_t m1, int64_t n0, int64_t n1) { dot_range(LK_INT4, d, m0, m1, n0, n1); }

static void dot_any(int format, const lk_dot *d, int64_t m0, int64_t m1, int64_t n0, int64_t n1) {
  switch (format) {
    case LK_F32: dot_range_f32(d, m0, m1, n0, n1); break;
    case LK_BF16: dot_range_bf16(d, m0, m1, n0, n1); break;
    case LK_INT8: dot_range_int8(d, m0, m1, n0, n1); break;
    case LK_INT4: dot_range_int4(d, m0, m1, n0, n1); break;
    default: break;
  }
}
