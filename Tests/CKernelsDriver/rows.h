// LK_REDUCE, LK_SOFTMAX, LK_LAYER_NORM, LK_RMS_NORM.
#pragma once
#include "harness.h"

static void check_reduce(int function, int64_t outer, int64_t n, int64_t inner, int special) {
  static const char *const names[] = {"sum", "mean", "max"};
  float *x = normal_floats(outer * n * inner);
  if (special && outer * n * inner > 0) x[random_int(0, outer * n * inner - 1)] = special == 1 ? NAN : -INFINITY;
  double *expected = doubles(outer * inner), *bound = doubles(outer * inner);
  for (int64_t u = 0; u < outer * inner; u++) {
    double sum = 0, size = 0, max = -HUGE_VAL;
    for (int64_t k = 0; k < n; k++) {
      const double v = x[(u / inner * n + k) * inner + u % inner];
      sum += v, size += fabs(v);
      max = isnan(v) || v > max ? v : max;
      if (isnan(sum)) max = NAN;
    }
    expected[u] = function == LK_MAX ? max : function == LK_MEAN ? sum / (double)n : sum;
    bound[u] = function == LK_MAX ? 0 : 5e-7 * size / (function == LK_MEAN ? (double)n : 1);
  }
  trial t = trial_of(LK_REDUCE, "reduce", "%s, outer %lld, n %lld, inner %lld%s", names[function], (long long)outer, (long long)n, (long long)inner, special ? ", NaN or infinity" : "");
  input_floats(&t, 0, x, outer * n * inner);
  output(&t, 1, outer * inner, expected, bound);
  INTEGERS(&t, function, outer, n, inner);
  by_rows(&t, 1, 2, 0, 1);
  check(&t);
}

static void test_reduce(void) {
  for (int function = LK_SUM; function <= LK_MAX; function++)
    for (int l = 0; l < COUNT(lengths); l++) {
      const int64_t n = lengths[l];
      check_reduce(function, random_int(1, 9), n, 1, 0);
      check_reduce(function, 3, n, 1, 1);
      check_reduce(function, 3, n, 1, 2);
      check_reduce(function, random_int(0, 3), n < 300 ? n : 130, random_int(2, 40), 0);
      check_reduce(function, 2, random_int(1, 150), n < 300 ? n : 130, (int)random_int(0, 2));
    }
}

static void check_softmax(int64_t rows, int64_t n, double scale, int special) {
  float *x = normal_floats(rows * n);
  double *expected = doubles(rows * n), *bound = doubles(rows * n);
  for (int64_t j = 0; j < rows * n; j++) x[j] = (float)(x[j] * scale) + 3;
  // Minus infinity gives zero beside finite values; NaN makes its own row NaN.
  if (special && n > 1)
    for (int64_t r = 0; r < rows; r++) x[r * n + random_int(0, n - 1)] = r % 2 ? NAN : -INFINITY;
  for (int64_t r = 0; r < rows; r++) {
    const float *p = x + r * n;
    double max = -HUGE_VAL, sum = 0;
    for (int64_t j = 0; j < n; j++) max = p[j] > max ? p[j] : max;
    for (int64_t j = 0; j < n; j++) sum += exp(p[j] - max);
    for (int64_t j = 0; j < n; j++) {
      const double y = exp(p[j] - max) / sum;
      expected[r * n + j] = y, bound[r * n + j] = y * (1e-6 + 2e-7 * (max - p[j])) + 1e-37;
      if (p[j] == -INFINITY) bound[r * n + j] = 0;
    }
  }
  trial t = trial_of(LK_SOFTMAX, "softmax", "rows %lld, n %lld, scale %g%s", (long long)rows, (long long)n, scale, special ? ", NaN and infinity" : "");
  input_floats(&t, 0, x, rows * n);
  output(&t, 1, rows * n, expected, bound);
  INTEGERS(&t, rows, n);
  by_rows(&t, 0, 2, 0, 1);
  check(&t);
}

static void check_norm(int rms, int64_t rows, int64_t n, int has_weight, int has_bias) {
  const float epsilon = 1e-5f;
  float *x = normal_floats(rows * n), *weight = normal_floats(n), *bias = normal_floats(n);
  double *expected = doubles(rows * n), *bound = doubles(rows * n);
  for (int64_t j = 0; j < rows * n; j++) x[j] += 0.5f;
  for (int64_t r = 0; r < rows; r++) {
    const float *p = x + r * n;
    double mean = 0, squares = 0;
    for (int64_t j = 0; j < n && !rms; j++) mean += p[j] / (double)n;
    for (int64_t j = 0; j < n; j++) squares += (p[j] - mean) * (p[j] - mean);
    const double inverse = 1 / sqrt(squares / (double)n + (double)epsilon);
    for (int64_t j = 0; j < n; j++) {
      const double y = (p[j] - mean) * inverse, w = has_weight ? weight[j] : 1, b = has_bias ? bias[j] : 0;
      expected[r * n + j] = y * w + b;
      // The mean's rounding counts by the row's inverse deviation.
      bound[r * n + j] = 1e-6 * (fabs(w) * (fabs(y) + (rms ? 0 : inverse * (fabs(mean) + 0.2))) + fabs(b));
    }
  }
  trial t = trial_of(
    rms ? LK_RMS_NORM : LK_LAYER_NORM, rms ? "rms norm" : "layer norm", "rows %lld, n %lld%s%s", (long long)rows, (long long)n, has_weight ? ", weight" : "", has_bias ? ", bias" : "");
  input_floats(&t, 0, x, rows * n);
  if (has_weight) input_floats(&t, 1, weight, n);
  if (has_bias) input_floats(&t, 2, bias, n);
  output(&t, 3, rows * n, expected, bound);
  INTEGERS(&t, rows, n);
  t.call.f[0] = epsilon;
  by_rows(&t, 0, 2, 0, 3);
  check(&t);
}

static void test_rows(void) {
  test_reduce();
  for (int l = 0; l < COUNT(lengths); l++) {
    check_softmax(random_int(0, 7), lengths[l], 1, 0);
    check_softmax(3, lengths[l], 20, 0);
    check_softmax(4, lengths[l], 1, 1);
    for (int flags = 0; flags < 8; flags++) check_norm(flags & 1, random_int(0, 7), lengths[l], flags >> 1 & 1, flags >> 2);
  }
}
