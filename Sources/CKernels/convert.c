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

// Candidates are scales around the largest value's, of either sign (8 steps reach farther than 7), each followed by its
// least-squares refinement.
float lk_int4_scale(const float *x, const float *importance, int64_t n) {
  const float magic = 12582912.0f;  // 1.5 * 2^23
  const float top = largest(x, n);
  if (!(top > 0.0f)) return 0.0f;
  double best_gain = -1.0;
  float best = 0.0f;
  for (int candidate = 0; candidate < 24; candidate++) {
    const float steps = 7.0f + 0.25f * (float)((candidate / 2 + 2) % 12 - 2);  // from 7 to 9.25, then from 6.5 to 6.75
    float scale = (candidate & 1 ? -top : top) / steps;
    for (int round = 0; round < 3; round++) {
      const float inverse = 1.0f / scale;
      float product = 0.0f, square = 0.0f;
      for (int64_t j = 0; j < n; j++) {
        float q = (x[j] * inverse + magic) - magic;
        q = q > 7.0f ? 7.0f : q < -8.0f ? -8.0f : q;
        const float weighted = importance ? importance[j] * q : q;
        product += x[j] * weighted;
        square += q * weighted;
      }
      // |x|^2 - gain is the squared error at the scale that suits these q best, product / square.
      const double gain = square > 0.0f ? (double)product * product / square : -1.0;
      if (!(gain > best_gain)) break;
      best_gain = gain;
      best = scale = product / square;
    }
  }
  return best;
}

void lk_to_int4(const float *in, uint8_t *out, float *scales, int64_t rows, int64_t columns, int64_t group) {
  const int64_t bytes = (columns + 1) / 2;
  memset(out, 0x88, (size_t)(rows * bytes));
  for (int64_t r = 0; r < rows; r++)
    for (int64_t g = 0; g * group < columns; g++) {
      const float *x = in + r * columns + g * group;
      const float scale = lk_int4_scale(x, NULL, group);
      *scales++ = scale;
      for (int64_t j = 0; j < group; j++) {
        const int64_t k = g * group + j;
        const int q = scale != 0.0f ? quantized(x[j], scale, 8) : 0;
        const int nibble = 8 + (q > 7 ? 7 : q);
        uint8_t *byte = out + r * bytes + k / 2;
        *byte = (uint8_t)(k & 1 ? (*byte & 0x0f) | nibble << 4 : (*byte & 0xf0) | nibble);
      }
    }
}

void lk_from_int4(const uint8_t *in, const float *scales, float *out, int64_t rows, int64_t columns, int64_t group) {
  const int64_t bytes = (columns + 1) / 2;
  for (int64_t r = 0; r < rows; r++)
    for (int64_t k = 0; k < columns; k++) {
      const uint8_t byte = in[r * bytes + k / 2];
      *out++ = (float)((k & 1 ? byte >> 4 : byte & 15) - 8) * scales[r * (columns / group) + k / group];
    }
}

// MARK: Tiles

enum { TILE = 16, LINE = 64, MOST_COLUMNS = 16384 };

int lk_is_tiled(int format, int64_t columns, int64_t group) {
  const int64_t wanted = format == LK_INT8 ? 64 : format == LK_INT4 ? 32 : 0;
  return wanted > 0 && group == wanted && columns > 0 && columns <= MOST_COLUMNS && columns % wanted == 0;
}

// Cache lines with the values of a group.
static int64_t lines_of(int format) { return format == LK_INT8 ? 16 : 4; }
static int64_t groups_of(int format, int64_t columns) { return columns / (format == LK_INT8 ? 64 : 32); }

int64_t lk_tiled_bytes(int format, int64_t rows, int64_t columns) {
  return (rows + TILE - 1) / TILE * groups_of(format, columns) * (lines_of(format) + 1) * LINE;
}

void lk_tile(int format, const void *values, const float *scales, void *tiles, int64_t rows, int64_t columns) {
  const int64_t lines = lines_of(format), groups = groups_of(format, columns), bytes = groups * lines * 4;
  char *to = tiles;
  for (int64_t first = 0; first < rows; first += TILE) {
    const int64_t count = rows - first < TILE ? rows - first : TILE;
    for (int64_t g = 0; g < groups; g++, to += (lines + 1) * LINE) {
      if (count < TILE) memset(to, 0, (size_t)((lines + 1) * LINE));
      for (int64_t r = 0; r < count; r++) {
        const char *from = (const char *)values + (first + r) * bytes + g * lines * 4;
        for (int64_t l = 0; l < lines; l++) memcpy(to + l * LINE + 4 * r, from + 4 * l, 4);
        memcpy(to + lines * LINE + 4 * r, scales + (first + r) * groups + g, 4);
      }
    }
  }
}

void lk_untile(int format, const void *tiles, void *values, float *scales, int64_t rows, int64_t columns) {
  const int64_t lines = lines_of(format), groups = groups_of(format, columns), bytes = groups * lines * 4;
  const char *from = tiles;
  for (int64_t first = 0; first < rows; first += TILE) {
    const int64_t count = rows - first < TILE ? rows - first : TILE;
    for (int64_t g = 0; g < groups; g++, from += (lines + 1) * LINE)
      for (int64_t r = 0; r < count; r++) {
        char *to = (char *)values + (first + r) * bytes + g * lines * 4;
        for (int64_t l = 0; l < lines; l++) memcpy(to + 4 * l, from + l * LINE + 4 * r, 4);
        memcpy(scales + (first + r) * groups + g, from + lines * LINE + 4 * r, 4);
      }
  }
}
