// One vector type and the handful of operations that the kernels are written in. The includer defines exactly one of
// LK_AVX512_BUILD, LK_AVX2_BUILD, LK_NEON_BUILD, LK_SCALAR_BUILD before including it.
//
// Contraction is off in every build, and a fused multiply-add happens only where v_fma says so: a loop gives the same
// bits whether the compiler vectorises it or not, at its head and in its tail.
#pragma once
#include <math.h>
#include <stdint.h>
#include <string.h>

#if defined(__clang__)
#pragma STDC FP_CONTRACT OFF
#define LK_UNROLL _Pragma("clang loop unroll(full)")
#else
#pragma GCC optimize("fp-contract=off")
#define LK_UNROLL _Pragma("GCC unroll 16")
#endif

// Every function that takes a vector is inlined, so none has an ABI that could differ.
#pragma GCC diagnostic ignored "-Wpsabi"

#define LK_INLINE static inline __attribute__((always_inline, unused))

#if defined(LK_AVX512_BUILD)
#define W 16
#elif defined(LK_AVX2_BUILD)
#define W 8
#else
#define W 4
#endif

typedef float vf __attribute__((vector_size(4 * W)));
typedef int32_t vi __attribute__((vector_size(4 * W)));
typedef uint32_t vu __attribute__((vector_size(4 * W)));
typedef double vd __attribute__((vector_size(8 * W)));
typedef int64_t vl __attribute__((vector_size(8 * W)));

LK_INLINE int64_t lk_min64(int64_t a, int64_t b) { return a < b ? a : b; }
LK_INLINE int64_t lk_max64(int64_t a, int64_t b) { return a > b ? a : b; }

LK_INLINE vf v_set(float x) { return x - (vf){0}; }
LK_INLINE vf v_zero(void) { return (vf){0}; }

LK_INLINE vf v_load(const float *p) {
  vf v;
  memcpy(&v, p, sizeof v);
  return v;
}
LK_INLINE void v_store(float *p, vf v) { memcpy(p, &v, sizeof v); }

// The first n (0 ... W) lanes; the others are zero and their memory is not touched.
LK_INLINE vf v_load_part(const float *p, int64_t n) {
#if defined(LK_AVX512_BUILD)
  return (vf)_mm512_maskz_loadu_ps((__mmask16)((1u << n) - 1u), p);
#else
  vf v = {0};
  for (int64_t j = 0; j < n; j++) v[j] = p[j];
  return v;
#endif
}
LK_INLINE void v_store_part(float *p, vf v, int64_t n) {
#if defined(LK_AVX512_BUILD)
  _mm512_mask_storeu_ps(p, (__mmask16)((1u << n) - 1u), (__m512)v);
#else
  for (int64_t j = 0; j < n; j++) p[j] = v[j];
#endif
}
LK_INLINE vf v_load_n(const float *p, int64_t n) { return n >= W ? v_load(p) : v_load_part(p, n); }
LK_INLINE void v_store_n(float *p, vf v, int64_t n) {
  if (n >= W) v_store(p, v);
  else v_store_part(p, v, n);
}

// a * b + c
LK_INLINE vf v_fma(vf a, vf b, vf c) {
#if defined(LK_AVX512_BUILD)
  return (vf)_mm512_fmadd_ps((__m512)a, (__m512)b, (__m512)c);
#elif defined(LK_AVX2_BUILD)
  return (vf)_mm256_fmadd_ps((__m256)a, (__m256)b, (__m256)c);
#elif defined(LK_NEON_BUILD)
  return (vf)vfmaq_f32((float32x4_t)c, (float32x4_t)a, (float32x4_t)b);
#else
  return a * b + c;
#endif
}

LK_INLINE vf v_select(vi mask, vf a, vf b) { return (vf)((mask & (vi)a) | (~mask & (vi)b)); }
// The second operand where either is NaN, as x86's instructions do.
LK_INLINE vf v_max(vf a, vf b) {
#if defined(LK_AVX512_BUILD)
  return (vf)_mm512_max_ps((__m512)a, (__m512)b);
#elif defined(LK_AVX2_BUILD)
  return (vf)_mm256_max_ps((__m256)a, (__m256)b);
#else
  return v_select((vi)(a > b), a, b);
#endif
}
LK_INLINE vf v_min(vf a, vf b) {
#if defined(LK_AVX512_BUILD)
  return (vf)_mm512_min_ps((__m512)a, (__m512)b);
#elif defined(LK_AVX2_BUILD)
  return (vf)_mm256_min_ps((__m256)a, (__m256)b);
#else
  return v_select((vi)(a < b), a, b);
#endif
}
// NaN where either is NaN.
LK_INLINE vf v_maximum(vf a, vf b) { return v_select((vi)(a == a) & (vi)(b == b), v_max(a, b), a + b); }
LK_INLINE vf v_minimum(vf a, vf b) { return v_select((vi)(a == a) & (vi)(b == b), v_min(a, b), a + b); }
LK_INLINE vf v_abs(vf a) { return (vf)((vi)a & 0x7fffffff); }

LK_INLINE vf v_sqrt(vf a) {
#if defined(LK_AVX512_BUILD)
  return (vf)_mm512_sqrt_ps((__m512)a);
#elif defined(LK_AVX2_BUILD)
  return (vf)_mm256_sqrt_ps((__m256)a);
#elif defined(LK_NEON_BUILD)
  return (vf)vsqrtq_f32((float32x4_t)a);
#elif defined(__x86_64__)
  return (vf)_mm_sqrt_ps((__m128)a);
#else
  for (int j = 0; j < W; j++) a[j] = sqrtf(a[j]);
  return a;
#endif
}

// Sums and maxima of the lanes, by halving: lane j meets lane j + W/2, then j + W/4, and so on. Every path that adds
// lanes keeps to this tree, so that blocking never shows in a result.
LK_INLINE float v_sum(vf a) {
#if defined(LK_AVX512_BUILD)
  __m256 h = _mm256_add_ps(_mm512_castps512_ps256((__m512)a), _mm512_extractf32x8_ps((__m512)a, 1));
#elif defined(LK_AVX2_BUILD)
  __m256 h = (__m256)a;
#endif
#if defined(LK_AVX512_BUILD) || defined(LK_AVX2_BUILD)
  __m128 q = _mm_add_ps(_mm256_castps256_ps128(h), _mm256_extractf128_ps(h, 1));
  q = _mm_add_ps(q, _mm_movehl_ps(q, q));
  return _mm_cvtss_f32(_mm_add_ss(q, _mm_shuffle_ps(q, q, 1)));
#else
  return (a[0] + a[2]) + (a[1] + a[3]);
#endif
}

// v_sum of four vectors at once, by the same tree.
LK_INLINE void v_sum4(vf a, vf b, vf c, vf d, float out[4]) {
#if defined(LK_AVX512_BUILD)
  __m512 ab = _mm512_add_ps(_mm512_shuffle_f32x4((__m512)a, (__m512)b, 0x44), _mm512_shuffle_f32x4((__m512)a, (__m512)b, 0xee));
  __m512 cd = _mm512_add_ps(_mm512_shuffle_f32x4((__m512)c, (__m512)d, 0x44), _mm512_shuffle_f32x4((__m512)c, (__m512)d, 0xee));
  __m512 q = _mm512_add_ps(_mm512_shuffle_f32x4(ab, cd, 0x88), _mm512_shuffle_f32x4(ab, cd, 0xdd));
  q = _mm512_add_ps(q, _mm512_permute_ps(q, 0x4e));
  q = _mm512_add_ps(q, _mm512_permute_ps(q, 0xb1));
  q = _mm512_permutexvar_ps(_mm512_setr_epi32(0, 4, 8, 12, 0, 4, 8, 12, 0, 4, 8, 12, 0, 4, 8, 12), q);
  _mm_storeu_ps(out, _mm512_castps512_ps128(q));
#elif defined(LK_AVX2_BUILD)
  __m256 ab = _mm256_add_ps(_mm256_permute2f128_ps((__m256)a, (__m256)b, 0x20), _mm256_permute2f128_ps((__m256)a, (__m256)b, 0x31));
  __m256 cd = _mm256_add_ps(_mm256_permute2f128_ps((__m256)c, (__m256)d, 0x20), _mm256_permute2f128_ps((__m256)c, (__m256)d, 0x31));
  __m256 q = _mm256_add_ps(_mm256_shuffle_ps(ab, cd, 0x44), _mm256_shuffle_ps(ab, cd, 0xee));
  q = _mm256_add_ps(q, _mm256_permute_ps(q, 0xb1));  // a a c c | b b d d
  __m128 bd = _mm256_extractf128_ps(q, 1), ac = _mm256_castps256_ps128(q);
  _mm_storeu_ps(out, _mm_unpacklo_ps(_mm_shuffle_ps(ac, ac, 0x08), _mm_shuffle_ps(bd, bd, 0x08)));
#elif defined(__x86_64__)
  __m128 ab = _mm_add_ps(_mm_movelh_ps((__m128)a, (__m128)b), _mm_movehl_ps((__m128)b, (__m128)a));
  __m128 cd = _mm_add_ps(_mm_movelh_ps((__m128)c, (__m128)d), _mm_movehl_ps((__m128)d, (__m128)c));
  _mm_storeu_ps(out, _mm_add_ps(_mm_shuffle_ps(ab, cd, 0x88), _mm_shuffle_ps(ab, cd, 0xdd)));
#else
  out[0] = v_sum(a), out[1] = v_sum(b), out[2] = v_sum(c), out[3] = v_sum(d);
#endif
}

LK_INLINE float v_max_lane(vf a) {
  float m = a[0];
  for (int j = 1; j < W; j++) m = a[j] > m ? a[j] : m;
  return m;
}

LK_INLINE vd v_wide(vf a) { return __builtin_convertvector(a, vd); }
LK_INLINE vf v_narrow(vd a) { return __builtin_convertvector(a, vf); }

// The share of `thread` of `count` items, in whole multiples of `grain`.
LK_INLINE void lk_share(int64_t count, int64_t grain, int thread, int threads, int64_t *begin, int64_t *end) {
  int64_t grains = (count + grain - 1) / grain;
  *begin = lk_min64(count, grains * thread / threads * grain);
  *end = lk_min64(count, grains * (thread + 1) / threads * grain);
}
