#include "ckernels.h"

#include <string.h>

#if defined(__clang__)
#pragma STDC FP_CONTRACT OFF
#endif

void lk_to_bf16(const float *in, uint16_t *out, int64_t count) {
  for (int64_t j = 0; j < count; j++) {
    uint32_t bits;
    memcpy(&bits, in + j, 4);
    uint32_t rounded = (bits + 0x7fffu + ((bits >> 16) & 1u)) >> 16;
    uint32_t quiet = (bits >> 16) | 0x40u;  // a NaN stays one, whatever its low bits
    out[j] = (uint16_t)((bits & 0x7fffffffu) > 0x7f800000u ? quiet : rounded);
  }
}

void lk_from_bf16(const uint16_t *in, float *out, int64_t count) {
  for (int64_t j = 0; j < count; j++) {
    uint32_t bits = (uint32_t)in[j] << 16;
    memcpy(out + j, &bits, 4);
  }
}

static float largest(const float *x, int64_t n) {
  float m = 0.0f;
  for (int64_t j = 0; j < n; j++) {
    float a = x[j] < 0.0f ? -x[j] : x[j];
    m = a > m ? a : m;
  }
  return m;
}

// x / scale rounded to nearest even and held within -limit ... limit.
static int quantized(float x, float scale, int limit) {
  const float magic = 12582912.0f;  // 1.5 * 2^23
  volatile float shifted = x / scale + magic;
  int q = (int)(shifted - magic);
  return q > limit ? limit : q < -limit ? -limit : q;
}

void lk_to_int8(const float *in, int8_t *out, float *scales, int64_t rows, int64_t columns, int64_t group) {
  for (int64_t r = 0; r < rows; r++)
    for (int64_t g = 0; g * group < columns; g++) {
      const float *x = in + r * columns + g * group;
      int8_t *q = out + r * columns + g * group;
      float scale = largest(x, group) / 127.0f;
      *scales++ = scale;
      for (int64_t j = 0; j < group; j++) q[j] = (int8_t)(scale > 0.0f ? quantized(x[j], scale, 127) : 0);
    }
}

void lk_to_int4(const float *in, uint8_t *out, float *scales, int64_t rows, int64_t columns, int64_t group) {
  const int64_t bytes = (columns + 1) / 2;
  memset(out, 0x88, (size_t)(rows * bytes));
  for (int64_t r = 0; r < rows; r++)
    for (int64_t g = 0; g * group < columns; g++) {
      const float *x = in + r * columns + g * group;
      float scale = largest(x, group) / 7.0f;
      *scales++ = scale;
      for (int64_t j = 0; j < group; j++) {
        int64_t k = g * group + j;
        int q = 8 + (scale > 0.0f ? quantized(x[j], scale, 7) : 0);
        uint8_t *byte = out + r * bytes + k / 2;
        *byte = (uint8_t)(k & 1 ? (*byte & 0x0f) | q << 4 : (*byte & 0xf0) | q);
      }
    }
}
