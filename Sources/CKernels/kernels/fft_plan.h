// What an FFT plan holds. A real transform of n is a complex one of m = n/2 (Stockham, radices 4, 2, 3, 5) and one pass that
// separates even and odd samples.
#pragma once
#include <stdint.h>

#define LK_FFT_STAGES 24
// A row needs 4m floats of stack in the thread that transforms it: 128 KiB at most.
#define LK_FFT_MAX 16384

typedef struct {
  int32_t radix;
  int64_t stride, count;    // butterflies: count = m / radix
  const float *twiddle;     // [radix - 1][re, im][count]
  const int32_t *place;     // [count]: where butterfly i writes its first output; the others follow at multiples of stride
} lk_fft_stage;

struct lk_fft {
  int64_t n, m;
  int32_t stages;
  lk_fft_stage stage[LK_FFT_STAGES];
  const float *real, *imaginary;  // exp(-2 pi i k / n), k = 0 ... m
  void *memory;
};
