// Elementary functions on vectors. Polynomials are our own minimax fits; results are good to about 1e-7 relative, 2 units in the last place. NaN gives NaN.
#pragma once
#include "vector.h"

#define LK_ROUND_MAGIC 12582912.0f  // 1.5 * 2^23: adding it rounds to an integer that can be read from the low bits

// e^x. Below -87.3 the result would be denormal and is 0.
LK_INLINE vf v_exp(vf x) {
  vf c = v_min(v_max(x, v_set(-87.4f)), v_set(88.8f));
  vf t = v_fma(c, v_set(1.44269504088896341f), v_set(LK_ROUND_MAGIC));
  vf n = t - LK_ROUND_MAGIC;
  vf r = v_fma(n, v_set(-0.693145751953125f), c);
  r = v_fma(n, v_set(-1.42860682030941723e-6f), r);
  vf p = v_set(1.381314439e-03f);
  p = v_fma(p, r, v_set(8.369418847e-03f));
  p = v_fma(p, r, v_set(4.166845679e-02f));
  p = v_fma(p, r, v_set(1.666651479e-01f));
  p = v_fma(p, r, v_set(4.999999305e-01f));
  p = v_fma(p * r, r, r) + 1.0f;
  // 2^n in two factors, since n = 128 has no float of its own.
  vi k = (vi)t - 0x4b400000;
  vi half = k >> 1;
  p = p * (vf)((half + 127) << 23) * (vf)((k - half + 127) << 23);
  p = v_select((vi)(x < -87.33654f), v_zero(), p);
  return v_select((vi)(x == x), p, x);
}

// log(1 + f) for f in [sqrt(1/2) - 1, sqrt(2) - 1]
LK_INLINE vf v_log1p_reduced(vf f) {
  vf p = v_set(6.915424463e-02f);
  p = v_fma(p, f, v_set(-1.178983519e-01f));
  p = v_fma(p, f, v_set(1.187296550e-01f));
  p = v_fma(p, f, v_set(-1.238434308e-01f));
  p = v_fma(p, f, v_set(1.421865888e-01f));
  p = v_fma(p, f, v_set(-1.666925115e-01f));
  p = v_fma(p, f, v_set(2.000222658e-01f));
  p = v_fma(p, f, v_set(-2.499998659e-01f));
  p = v_fma(p, f, v_set(3.333331044e-01f));
  vf z = f * f;
  return v_fma(p * f, z, v_fma(v_set(-0.5f), z, f));
}

LK_INLINE vf v_log(vf x) {
  vi tiny = (vi)(x < 1.17549435e-38f);
  vf y = v_select(tiny, x * 8388608.0f, x);
  // Mantissa in [sqrt(1/2), sqrt(2)).
  vi e = ((vi)y - 0x3f3504f3) >> 23;
  vf m = (vf)((vi)y - (e << 23));
  vf n = __builtin_convertvector(e - (tiny & 23), vf);
  vf small = v_log1p_reduced(m - 1.0f);
  vf r = v_fma(n, v_set(0.693145751953125f), v_fma(n, v_set(1.42860682030941723e-6f), small));
  vf infinity = v_set(__builtin_inff());
  r = v_select((vi)(x == infinity), infinity, r);
  r = v_select((vi)(x == 0.0f), -infinity, r);
  return v_select((vi)(x >= 0.0f), r, v_set(__builtin_nanf("")));
}

// log(1 + x) for x in [0, 1], small x exactly.
LK_INLINE vf v_log1p_unit(vf x) {
  vi large = (vi)(x > 0.41421356f);
  vf f = v_select(large, v_fma(x, v_set(0.5f), v_set(-0.5f)), x);
  vf r = v_log1p_reduced(f);
  return r + v_select(large, v_set(0.693147180559945f), v_zero());
}

// sin(x + quarter * pi/2) of an argument in double precision, good for |x| up to 1e9 or so. Infinities give anything in [-1, 1].
LK_INLINE vf v_sin_wide(vd x, int quarter) {
  const double magic = 6755399441055744.0;  // 1.5 * 2^52
  vd t = x * 0.63661977236758134308 + magic;
  vd n = t - magic;
  vd reduced = (x - n * 1.57079632679489655800) - n * 6.12323399573676603587e-17;
  vi q = __builtin_convertvector((vl)t, vi) + quarter;
  vf r = v_min(v_max(v_narrow(reduced), v_set(-0.7853983f)), v_set(0.7853983f));
  vf z = r * r;
  vf s = v_set(2.717939912e-06f);
  s = v_fma(s, z, v_set(-1.983929613e-04f));
  s = v_fma(s, z, v_set(8.333329267e-03f));
  s = v_fma(s, z, v_set(-1.666666664e-01f));
  s = v_fma(s * z, r, r);
  vf c = v_set(2.443484594e-05f);
  c = v_fma(c, z, v_set(-1.388733708e-03f));
  c = v_fma(c, z, v_set(4.166664627e-02f));
  c = v_fma(c, z * z, v_fma(z, v_set(-0.5f), v_set(1.0f)));
  vf y = v_select((vi)((q & 1) != 0), c, s);
  return (vf)((vi)y ^ ((q & 2) << 30));
}

LK_INLINE vf v_sin_quarter(vf x, int quarter) {
  return v_select((vi)(v_abs(x) < __builtin_inff()), v_sin_wide(v_wide(x), quarter), v_set(__builtin_nanf("")));
}

LK_INLINE vf v_sigmoid(vf x) { return 1.0f / (1.0f + v_exp(-x)); }

LK_INLINE vf v_tanh(vf x) {
  vf a = v_abs(x);
  vf large = 1.0f - 2.0f / (v_exp(a + a) + 1.0f);
  vf z = x * x;
  vf p = v_set(2.147539742e-03f);
  p = v_fma(p, z, v_set(-8.182677256e-03f));
  p = v_fma(p, z, v_set(2.170296861e-02f));
  p = v_fma(p, z, v_set(-5.394720457e-02f));
  p = v_fma(p, z, v_set(1.333320977e-01f));
  p = v_fma(p, z, v_set(-3.333333091e-01f));
  vf small = v_fma(p * z, x, x);
  vf signed_large = (vf)((vi)large | ((vi)x & (int32_t)0x80000000));
  return v_select((vi)(a < 0.625f), small, v_select((vi)(x == x), signed_large, x));
}

// x * sigmoid(2u) = x/2 * (1 + tanh(u)): no cancellation on the negative side.
LK_INLINE vf v_gelu(vf x) {
  vf u2 = x * v_fma(x * x, v_set(2.0f * 0.79788456080286535588f * 0.044715f), v_set(2.0f * 0.79788456080286535588f));
  vf e = v_exp(-u2);
  return v_select((vi)(e < __builtin_inff()), x / (1.0f + e), v_select((vi)(x == x), x * 0.0f, x));
}

LK_INLINE vf v_softplus(vf x) {
  vf positive = v_select((vi)(x < 0.0f), v_zero(), x);
  return positive + v_log1p_unit(v_exp(-v_abs(x)));
}

// libm, lane by lane: the exact cases (negative bases, infinities) are its, and no hot loop raises to a power.
LK_INLINE vf v_power(vf a, vf b) {
  vf r;
  for (int j = 0; j < W; j++) r[j] = powf(a[j], b[j]);
  return r;
}
