// LK_RFFT, LK_IRFFT.
#pragma once
#include "fft_plan.h"
#include "vector.h"

LK_INLINE void fft_store(float *y, vf v, const lk_fft_stage *s, int64_t i, int64_t n, int64_t shift) {
  if (n == W && s->stride % W == 0) {
    v_store(y + s->place[i] + shift, v);
  } else if (n == W && s->stride % 4 == 0) {
    float lanes[W];
    v_store(lanes, v);
    for (int l = 0; l < W; l += 4) memcpy(y + s->place[i + l] + shift, lanes + l, 16);
  } else {
    for (int64_t l = 0; l < n; l++) y[s->place[i + l] + shift] = v[l];
  }
}

LK_INLINE void fft_stage(const int radix, const lk_fft_stage *s, const float *xr, const float *xi, float *yr, float *yi) {
  const int64_t count = s->count;
  for (int64_t i = 0; i < count; i += W) {
    const int64_t n = lk_min64(W, count - i);
    vf ar[5], ai[5], br[5], bi[5];
    LK_UNROLL
    for (int l = 0; l < radix; l++) ar[l] = v_load_n(xr + i + l * count, n), ai[l] = v_load_n(xi + i + l * count, n);
    if (radix == 2) {
      br[0] = ar[0] + ar[1], bi[0] = ai[0] + ai[1];
      br[1] = ar[0] - ar[1], bi[1] = ai[0] - ai[1];
    } else if (radix == 3) {
      vf sr = ar[1] + ar[2], si = ai[1] + ai[2];
      vf dr = (ar[1] - ar[2]) * 0.86602540378443864676f, di = (ai[1] - ai[2]) * 0.86602540378443864676f;
      vf cr = ar[0] - sr * 0.5f, ci = ai[0] - si * 0.5f;
      br[0] = ar[0] + sr, bi[0] = ai[0] + si;
      br[1] = cr + di, bi[1] = ci - dr;
      br[2] = cr - di, bi[2] = ci + dr;
    } else if (radix == 4) {
      vf pr = ar[0] + ar[2], pi = ai[0] + ai[2], mr = ar[0] - ar[2], mi = ai[0] - ai[2];
      vf qr = ar[1] + ar[3], qi = ai[1] + ai[3], nr = ar[1] - ar[3], ni = ai[1] - ai[3];
      br[0] = pr + qr, bi[0] = pi + qi;
      br[1] = mr + ni, bi[1] = mi - nr;
      br[2] = pr - qr, bi[2] = pi - qi;
      br[3] = mr - ni, bi[3] = mi + nr;
    } else {
      const float c1 = 0.30901699437494742410f, c2 = -0.80901699437494742410f, s1 = 0.95105651629515357212f, s2 = 0.58778525229247312917f;
      vf pr = ar[1] + ar[4], pi = ai[1] + ai[4], mr = ar[1] - ar[4], mi = ai[1] - ai[4];
      vf qr = ar[2] + ar[3], qi = ai[2] + ai[3], nr = ar[2] - ar[3], ni = ai[2] - ai[3];
      br[0] = ar[0] + pr + qr, bi[0] = ai[0] + pi + qi;
      vf er = ar[0] + pr * c1 + qr * c2, ei = ai[0] + pi * c1 + qi * c2;
      vf fr = mr * s1 + nr * s2, fi = mi * s1 + ni * s2;
      vf gr = ar[0] + pr * c2 + qr * c1, gi = ai[0] + pi * c2 + qi * c1;
      vf hr = mr * s2 - nr * s1, hi = mi * s2 - ni * s1;
      br[1] = er + fi, bi[1] = ei - fr;
      br[2] = gr + hi, bi[2] = gi - hr;
      br[3] = gr - hi, bi[3] = gi + hr;
      br[4] = er - fi, bi[4] = ei + fr;
    }
    fft_store(yr, br[0], s, i, n, 0);
    fft_store(yi, bi[0], s, i, n, 0);
    LK_UNROLL
    for (int l = 1; l < radix; l++) {
      vf wr = v_load_n(s->twiddle + (2 * l - 2) * count + i, n), wi = v_load_n(s->twiddle + (2 * l - 1) * count + i, n);
      fft_store(yr, br[l] * wr - bi[l] * wi, s, i, n, l * s->stride);
      fft_store(yi, br[l] * wi + bi[l] * wr, s, i, n, l * s->stride);
    }
  }
}

// Forward complex transform of scratch[0 ..< m] + i scratch[m ..< 2m]; gives where the result lies, laid out alike. 4m floats.
static float *fft_complex(const struct lk_fft *plan, float *scratch) {
  const int64_t m = plan->m;
  float *x = scratch, *y = scratch + 2 * m;
  for (int32_t j = 0; j < plan->stages; j++) {
    const lk_fft_stage *s = &plan->stage[j];
    switch (s->radix) {
      case 2: fft_stage(2, s, x, x + m, y, y + m); break;
      case 3: fft_stage(3, s, x, x + m, y, y + m); break;
      case 4: fft_stage(4, s, x, x + m, y, y + m); break;
      default: fft_stage(5, s, x, x + m, y, y + m); break;
    }
    float *t = x;
    x = y, y = t;
  }
  return x;
}

static void rfft_row(const struct lk_fft *plan, const float *in, float *out) {
  const int64_t m = plan->m;
  float scratch[4 * m];
  for (int64_t k = 0; k < m; k++) scratch[k] = in[2 * k], scratch[m + k] = in[2 * k + 1];
  const float *zr = fft_complex(plan, scratch), *zi = zr + m, *wr = plan->real, *wi = plan->imaginary;
  float *xr = out, *xi = out + m + 1;
  xr[0] = zr[0] + zi[0], xi[0] = 0.0f;
  xr[m] = zr[0] - zi[0], xi[m] = 0.0f;
  for (int64_t k = 1; k < m; k++) {
    float er = 0.5f * (zr[k] + zr[m - k]), ei = 0.5f * (zi[k] - zi[m - k]);
    float or = 0.5f * (zi[k] + zi[m - k]), oi = -0.5f * (zr[k] - zr[m - k]);
    xr[k] = er + (wr[k] * or - wi[k] * oi);
    xi[k] = ei + (wr[k] * oi + wi[k] * or);
  }
}

static void irfft_row(const struct lk_fft *plan, const float *in, float *out) {
  const int64_t m = plan->m;
  float scratch[4 * m];
  const float *xr = in, *xi = in + m + 1, *wr = plan->real, *wi = plan->imaginary;
  // The inverse is the forward transform with real and imaginary parts exchanged on both sides.
  float *zi = scratch, *zr = scratch + m;
  const float scale = (float)(0.5 / (double)m);
  zr[0] = scale * (xr[0] + xr[m]), zi[0] = scale * (xr[0] - xr[m]);
  for (int64_t k = 1; k < m; k++) {
    float er = xr[k] + xr[m - k], ei = xi[k] - xi[m - k];
    float dr = xr[k] - xr[m - k], di = xi[k] + xi[m - k];
    float or = dr * wr[k] + di * wi[k], oi = di * wr[k] - dr * wi[k];
    zr[k] = scale * (er - oi), zi[k] = scale * (ei + or);
  }
  const float *imaginary = fft_complex(plan, scratch), *real = imaginary + m;
  for (int64_t k = 0; k < m; k++) out[2 * k] = real[k], out[2 * k + 1] = imaginary[k];
}

static void kernel_rfft(const lk_call *c, int thread, int threads) {
  const struct lk_fft *plan = c->p[2];
  const int64_t n = c->i[1];
  int64_t begin, end;
  lk_share(c->i[0], 1, thread, threads, &begin, &end);
  for (int64_t r = begin; r < end; r++) rfft_row(plan, (const float *)c->p[0] + r * n, (float *)c->p[1] + r * (n + 2));
}

static void kernel_irfft(const lk_call *c, int thread, int threads) {
  const struct lk_fft *plan = c->p[2];
  const int64_t n = c->i[1];
  int64_t begin, end;
  lk_share(c->i[0], 1, thread, threads, &begin, &end);
  for (int64_t r = begin; r < end; r++) irfft_row(plan, (const float *)c->p[0] + r * (n + 2), (float *)c->p[1] + r * n);
}
