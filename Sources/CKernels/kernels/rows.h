// LK_REDUCE, LK_SOFTMAX, LK_LAYER_NORM, LK_RMS_NORM: one row (or one column) is one thread's, in a fixed order.
#pragma once
#include "elementary.h"

// Sums of blocks of 1024 in float, blocks in double: long sums keep their precision.
LK_INLINE double row_sum(const float *x, int64_t n) {
  double total = 0;
  for (int64_t block = 0; block < n; block += 1024) {
    int64_t m = lk_min64(1024, n - block), j = 0;
    const float *p = x + block;
    vf s0 = v_zero(), s1 = v_zero();
    for (; j + 2 * W <= m; j += 2 * W) s0 += v_load(p + j), s1 += v_load(p + j + W);
    if (j + W <= m) s0 += v_load(p + j), j += W;
    if (j < m) s1 += v_load_part(p + j, m - j);
    total += v_sum(s0 + s1);
  }
  return total;
}

// Sum of (x - mean)^2.
LK_INLINE double row_squares(const float *x, int64_t n, float mean) {
  double total = 0;
  vf center = v_set(mean);
  for (int64_t block = 0; block < n; block += 1024) {
    int64_t m = lk_min64(1024, n - block), j = 0;
    const float *p = x + block;
    vf s0 = v_zero(), s1 = v_zero();
    for (; j + 2 * W <= m; j += 2 * W) {
      vf a = v_load(p + j) - center, b = v_load(p + j + W) - center;
      s0 = v_fma(a, a, s0), s1 = v_fma(b, b, s1);
    }
    if (j + W <= m) {
      vf a = v_load(p + j) - center;
      s0 = v_fma(a, a, s0), j += W;
    }
    for (; j < m; j++) {
      float a = p[j] - mean;
      total += (double)a * a;
    }
    total += v_sum(s0 + s1);
  }
  return total;
}

LK_INLINE float row_max(const float *x, int64_t n) {
  vf m = v_set(-__builtin_inff());
  int64_t j = 0;
  for (; j + W <= n; j += W) m = v_maximum(m, v_load(x + j));
  float best = m[0];
  for (int k = 1; k < W; k++) best = (m[k] > best || m[k] != m[k]) && best == best ? m[k] : best;
  for (; j < n; j++) best = (x[j] > best || x[j] != x[j]) && best == best ? x[j] : best;
  return best;
}

static void reduce_columns(const float *in, float *out, int function, int64_t n, int64_t inner, int64_t columns) {
  if (function == LK_MAX) {
    vf m = v_set(-__builtin_inff());
    for (int64_t r = 0; r < n; r++) m = v_maximum(m, v_load_n(in + r * inner, columns));
    v_store_n(out, m, columns);
    return;
  }
  vd total = {0};
  for (int64_t block = 0; block < n; block += 64) {
    vf s = v_zero();
    int64_t stop = lk_min64(n, block + 64);
    for (int64_t r = block; r < stop; r++) s += v_load_n(in + r * inner, columns);
    total += v_wide(s);
  }
  if (function == LK_MEAN) total /= (double)n;
  v_store_n(out, v_narrow(total), columns);
}

static void kernel_reduce(const lk_call *c, int thread, int threads) {
  const float *in = c->p[0];
  float *out = c->p[1];
  int function = (int)c->i[0];
  int64_t outer = c->i[1], n = c->i[2], inner = c->i[3], begin, end;
  if (inner == 1) {
    lk_share(outer, 1, thread, threads, &begin, &end);
    for (int64_t r = begin; r < end; r++) {
      const float *x = in + r * n;
      if (function == LK_MAX) out[r] = row_max(x, n);
      else out[r] = (float)(function == LK_MEAN ? row_sum(x, n) / (double)n : row_sum(x, n));
    }
    return;
  }
  int64_t blocks = (inner + W - 1) / W;
  lk_share(outer * blocks, 1, thread, threads, &begin, &end);
  for (int64_t u = begin; u < end; u++) {
    int64_t o = u / blocks, j = u % blocks * W;
    reduce_columns(in + o * n * inner + j, out + o * inner + j, function, n, inner, lk_min64(W, inner - j));
  }
}

static void kernel_softmax(const lk_call *c, int thread, int threads) {
  int64_t n = c->i[1], begin, end;
  lk_share(c->i[0], 1, thread, threads, &begin, &end);
  for (int64_t r = begin; r < end; r++) {
    const float *x = (const float *)c->p[0] + r * n;
    float *out = (float *)c->p[1] + r * n;
    vf m = v_set(row_max(x, n));
    for (int64_t j = 0; j < n; j += W) v_store_n(out + j, v_exp(v_load_n(x + j, n - j) - m), n - j);
    float inverse = (float)(1.0 / row_sum(out, n));
    for (int64_t j = 0; j < n; j += W) v_store_n(out + j, v_load_n(out + j, n - j) * inverse, n - j);
  }
}

// (x - mean) * inverse * weight + bias
LK_INLINE void normalize_row(const float *x, float *out, int64_t n, float mean, float inverse, const float *weight, const float *bias) {
  for (int64_t j = 0; j < n; j += W) {
    int64_t m = n - j;
    vf y = (v_load_n(x + j, m) - mean) * inverse;
    if (weight && bias) y = v_fma(y, v_load_n(weight + j, m), v_load_n(bias + j, m));
    else if (weight) y = y * v_load_n(weight + j, m);
    else if (bias) y = y + v_load_n(bias + j, m);
    v_store_n(out + j, y, m);
  }
}

static void kernel_layer_norm(const lk_call *c, int thread, int threads) {
  int64_t n = c->i[1], begin, end;
  lk_share(c->i[0], 1, thread, threads, &begin, &end);
  for (int64_t r = begin; r < end; r++) {
    const float *x = (const float *)c->p[0] + r * n;
    float mean = (float)(row_sum(x, n) / (double)n);
    float inverse = (float)(1.0 / sqrt(row_squares(x, n, mean) / (double)n + (double)c->f[0]));
    normalize_row(x, (float *)c->p[3] + r * n, n, mean, inverse, c->p[1], c->p[2]);
  }
}

static void kernel_rms_norm(const lk_call *c, int thread, int threads) {
  int64_t n = c->i[1], begin, end;
  lk_share(c->i[0], 1, thread, threads, &begin, &end);
  for (int64_t r = begin; r < end; r++) {
    const float *x = (const float *)c->p[0] + r * n;
    float inverse = (float)(1.0 / sqrt(row_squares(x, n, 0.0f) / (double)n + (double)c->f[0]));
    normalize_row(x, (float *)c->p[3] + r * n, n, 0.0f, inverse, c->p[1], c->p[2]);
  }
}
