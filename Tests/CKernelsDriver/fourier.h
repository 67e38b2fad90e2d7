// LK_RFFT, LK_IRFFT and their plans.
#pragma once
#include "harness.h"

static void check_fourier(int64_t rows, int64_t n) {
  lk_fft *plan = lk_fft_create(n);
  expect(plan != 0, "no plan of %lld", (long long)n);
  if (!plan) return;
  const int64_t bins = n / 2 + 1;
  float *x = normal_floats(rows * n), *y = normal_floats(rows * 2 * bins);
  double *forward = doubles(rows * 2 * bins), *forward_bound = doubles(rows * 2 * bins), *inverse = doubles(rows * n), *inverse_bound = doubles(rows * n);
  double *c = doubles(n), *s = doubles(n);
  for (int64_t k = 0; k < n; k++) c[k] = cos(2 * M_PI * (double)k / (double)n), s[k] = sin(2 * M_PI * (double)k / (double)n);
  const double relative = 2e-7 * (1 + log2((double)n));
  for (int64_t r = 0; r < rows; r++) {
    const float *p = x + r * n, *re = y + r * 2 * bins, *im = re + bins;
    double norm = 0, spectrum = 0;
    for (int64_t j = 0; j < n; j++) norm += (double)p[j] * p[j];
    for (int64_t k = 0; k < bins; k++) spectrum += 2 * ((double)re[k] * re[k] + (double)im[k] * im[k]);
    for (int64_t k = 0; k < bins; k++) {
      double a = 0, b = 0;
      for (int64_t j = 0; j < n; j++) a += p[j] * c[j * k % n], b -= p[j] * s[j * k % n];
      forward[r * 2 * bins + k] = a, forward[r * 2 * bins + bins + k] = k == 0 || k == n / 2 ? 0 : b;
      forward_bound[r * 2 * bins + k] = forward_bound[r * 2 * bins + bins + k] = relative * sqrt(norm);
    }
    for (int64_t j = 0; j < n; j++) {
      double a = re[0] + (j % 2 ? -1 : 1) * (double)re[n / 2];
      for (int64_t k = 1; k < n / 2; k++) a += 2 * (re[k] * c[j * k % n] - im[k] * s[j * k % n]);
      inverse[r * n + j] = a / (double)n, inverse_bound[r * n + j] = relative * sqrt(spectrum) / (double)n;
    }
  }
  trial t = trial_of(LK_RFFT, "rfft", "rows %lld, n %lld", (long long)rows, (long long)n);
  t.slot[2] = (operand){.role = PLAN, .data = plan};
  input_floats(&t, 0, x, rows * n);
  output(&t, 1, rows * 2 * bins, forward, forward_bound);
  INTEGERS(&t, rows, n);
  by_rows(&t, 0, 2, 0, 1);
  trial back = trial_of(LK_IRFFT, "irfft", "rows %lld, n %lld", (long long)rows, (long long)n);
  back.slot[2] = t.slot[2];
  input_floats(&back, 0, y, rows * 2 * bins);
  output(&back, 1, rows * n, inverse, inverse_bound);
  INTEGERS(&back, rows, n);
  by_rows(&back, 0, 2, 0, 1);
  check_kept(&t), check_kept(&back);
  release();
  lk_fft_destroy(plan);
}

// The largest transform, there and back.
static void check_fourier_round(int64_t n) {
  lk_fft *plan = lk_fft_create(n);
  for (int i = 0; i < isa_count; i++) {
    float *x = normal_floats(n), *y = floats(n + 2), *z = floats(n);
    lk_call forward = {.p = {x, y, plan}, .i = {1, n}}, back = {.p = {y, z, plan}, .i = {1, n}};
    lk_kernel_for(LK_RFFT, isas[i])(&forward, 0, 1);
    lk_kernel_for(LK_IRFFT, isas[i])(&back, 0, 1);
    double worst = 0;
    for (int64_t j = 0; j < n; j++) worst = fmax(worst, fabs((double)z[j] - x[j]));
    expect(worst < 5e-6, "%s, n %lld: there and back is off by %g", lk_isa_name(isas[i]), (long long)n, worst);
    release();
  }
  lk_fft_destroy(plan);
}

static void test_fourier(void) {
  static const int64_t sizes[] = {2, 4, 6, 8, 10, 12, 16, 18, 20, 24, 30, 32, 36, 40, 48, 50, 54, 60, 64, 72, 90, 100, 120, 128, 144, 150, 240, 250, 256, 320, 450, 480, 512, 960, 1024, 1350, 1920};
  static const int64_t refused[] = {0, -2, 1, 3, 15, 14, 22, 26, 28, 16386, 16400, 20000, 1 << 20};
  for (int j = 0; j < COUNT(sizes); j++) check_fourier(sizes[j] < 300 ? random_int(0, 5) : 2, sizes[j]);
  check_fourier_round(16384), check_fourier_round(15000), check_fourier_round(13122);
  for (int j = 0; j < COUNT(refused); j++) {
    lk_fft *plan = lk_fft_create(refused[j]);
    expect(!plan, "a plan of %lld", (long long)refused[j]);
    lk_fft_destroy(plan);
  }
}
