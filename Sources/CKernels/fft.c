#include "kernels/fft_plan.h"
#include "ckernels.h"

#include <math.h>
#include <stdlib.h>

// cos and sin of 2 pi k / n, exact at the quarters.
static void unit(int64_t k, int64_t n, double *c, double *s) {
  k %= n;
  int quarter = (int)(4 * k / n);
  double angle = 6.28318530717958647693 * (double)(4 * k - quarter * n) / (double)(4 * n);
  double a = cos(angle), b = sin(angle);
  switch (quarter) {
    case 0: *c = a, *s = b; break;
    case 1: *c = -b, *s = a; break;
    case 2: *c = -a, *s = -b; break;
    default: *c = b, *s = -a; break;
  }
}

lk_fft *lk_fft_create(int64_t n) {
  if (n < 2 || n % 2 || n > LK_FFT_MAX) return 0;
  const int64_t m = n / 2;
  int radices[LK_FFT_STAGES], stages = 0;
  int64_t rest = m;
  while (rest % 4 == 0) radices[stages++] = 4, rest /= 4;
  while (rest % 2 == 0) radices[stages++] = 2, rest /= 2;
  while (rest % 3 == 0) radices[stages++] = 3, rest /= 3;
  while (rest % 5 == 0) radices[stages++] = 5, rest /= 5;
  if (rest != 1) return 0;

  int64_t floats = 2 * (m + 1), places = 0;
  for (int j = 0; j < stages; j++) floats += 2 * (radices[j] - 1) * (m / radices[j]), places += m / radices[j];
  lk_fft *plan = calloc(1, sizeof *plan);
  if (!plan) return 0;
  plan->memory = malloc((size_t)floats * sizeof(float) + (size_t)places * sizeof(int32_t));
  if (!plan->memory) {
    free(plan);
    return 0;
  }
  float *next = plan->memory;
  int32_t *place = (int32_t *)(next + floats);
  plan->n = n, plan->m = m, plan->stages = stages;
  double c, s;
  plan->real = next, plan->imaginary = next + m + 1;
  for (int64_t k = 0; k <= m; k++) {
    unit(k, n, &c, &s);
    next[k] = (float)c, next[m + 1 + k] = (float)-s;
  }
  next += 2 * (m + 1);
  int64_t stride = 1, length = m;
  for (int j = 0; j < stages; j++) {
    const int64_t radix = radices[j], count = m / radix;
    plan->stage[j] = (lk_fft_stage){.radix = (int32_t)radix, .stride = stride, .count = count, .twiddle = next, .place = place};
    for (int64_t i = 0; i < count; i++) {
      int64_t p = i / stride, q = i % stride;
      place[i] = (int32_t)(q + stride * radix * p);
      for (int64_t l = 1; l < radix; l++) {
        unit(p * l, length, &c, &s);
        next[(2 * l - 2) * count + i] = (float)c, next[(2 * l - 1) * count + i] = (float)-s;
      }
    }
    next += 2 * (radix - 1) * count, place += count;
    stride *= radix, length /= radix;
  }
  return plan;
}

size_t lk_fft_byte_count(const lk_fft *plan) {
  int64_t floats = 2 * (plan->m + 1), places = 0;
  for (int j = 0; j < plan->stages; j++)
    floats += 2 * (plan->stage[j].radix - 1) * plan->stage[j].count, places += plan->stage[j].count;
  return sizeof *plan + (size_t)floats * sizeof(float) + (size_t)places * sizeof(int32_t);
}

void lk_fft_destroy(lk_fft *plan) {
  if (!plan) return;
  free(plan->memory);
  free(plan);
}
