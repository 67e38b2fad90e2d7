// Philox 4x32-10 (Salmon, Moraes, Dror, Shaw: "Parallel random numbers: as easy as 1, 2, 3", SC 2011).
//
// The generator's key is (low word of `key`, high word of `key`); its counter is (low and high word of `index`, low and
// high word of `stream`). Value j of a stream is word j % 4 of block j / 4 (normals: pairs of words give pairs of values),
// so any range of positions can be made in any order and by any number of calls.
//
// Compiled for the baseline instruction set and without contraction: normals are the same bits everywhere.
#include "ckernels.h"

#include <math.h>
#include <string.h>

#if defined(__clang__)
#pragma STDC FP_CONTRACT OFF
#else
#pragma GCC optimize("fp-contract=off")
#endif

void lk_philox(uint64_t key, uint64_t stream, uint64_t index, uint32_t out[4]) {
  uint32_t c0 = (uint32_t)index, c1 = (uint32_t)(index >> 32), c2 = (uint32_t)stream, c3 = (uint32_t)(stream >> 32);
  uint32_t k0 = (uint32_t)key, k1 = (uint32_t)(key >> 32);
  for (int round = 0; round < 10; round++) {
    uint64_t a = 0xD2511F53ull * c0, b = 0xCD9E8D57ull * c2;
    uint32_t n0 = (uint32_t)(b >> 32) ^ c1 ^ k0, n2 = (uint32_t)(a >> 32) ^ c3 ^ k1;
    c0 = n0, c1 = (uint32_t)b, c2 = n2, c3 = (uint32_t)a;
    k0 += 0x9E3779B9u, k1 += 0xBB67AE85u;
  }
  out[0] = c0, out[1] = c1, out[2] = c2, out[3] = c3;
}

// Calls make(words, values) for every block that the range touches and copies out the part that was asked for.
static void fill(uint64_t key, uint64_t stream, uint64_t offset, float *out, int64_t count, void (*make)(const uint32_t *, float *)) {
  int64_t done = 0;
  while (done < count) {
    const uint64_t position = offset + (uint64_t)done;
    const int64_t skip = (int64_t)(position & 3);
    const int64_t n = 4 - skip < count - done ? 4 - skip : count - done;
    uint32_t words[4];
    float values[4];
    lk_philox(key, stream, position >> 2, words);
    make(words, values);
    memcpy(out + done, values + skip, (size_t)n * sizeof(float));
    done += n;
  }
}

// 23 bits and a half: never 0, never 1.
static void uniforms(const uint32_t *words, float *values) {
  for (int j = 0; j < 4; j++) values[j] = ((float)(words[j] >> 9) + 0.5f) * 0x1p-23f;
}

void lk_uniform(uint64_t key, uint64_t stream, uint64_t offset, float *out, int64_t count) {
  fill(key, stream, offset, out, count, uniforms);
}

// Natural logarithm of u in (0, 1), to 1e-13: log m = 2 artanh((m - 1) / (m + 1)) with m in [sqrt(1/2), sqrt(2)).
static double logarithm(double u) {
  int64_t bits;
  memcpy(&bits, &u, 8);
  const int64_t exponent = (bits - 0x3fe6a09e667f3bcdll) >> 52;
  bits -= exponent * (1ll << 52);
  double m;
  memcpy(&m, &bits, 8);
  const double s = (m - 1.0) / (m + 1.0), z = s * s;
  double p = 2.0 / 15.0;
  p = p * z + 2.0 / 13.0;
  p = p * z + 2.0 / 11.0;
  p = p * z + 2.0 / 9.0;
  p = p * z + 2.0 / 7.0;
  p = p * z + 2.0 / 5.0;
  p = p * z + 2.0 / 3.0;
  p = p * z + 2.0;
  return p * s + (double)exponent * 0.69314718055994530942;
}

// Cosine and sine of 2 pi (word + 1/2) / 2^32. The quadrant is read from the top bits, the rest is within pi/4.
static void circle(uint32_t word, double *c, double *s) {
  const uint32_t quadrant = (word + 0x20000000u) >> 30;
  const double x = ((double)(int32_t)(word - (quadrant << 30)) + 0.5) * (6.28318530717958647693 * 0x1p-32), z = x * x;
  double a = -1.0 / 39916800.0;
  a = a * z + 1.0 / 362880.0;
  a = a * z - 1.0 / 5040.0;
  a = a * z + 1.0 / 120.0;
  a = a * z - 1.0 / 6.0;
  a = a * z * x + x;
  double b = 1.0 / 479001600.0;
  b = b * z - 1.0 / 3628800.0;
  b = b * z + 1.0 / 40320.0;
  b = b * z - 1.0 / 720.0;
  b = b * z + 1.0 / 24.0;
  b = b * z - 0.5;
  b = b * z + 1.0;
  switch (quadrant) {
    case 0: *c = b, *s = a; break;
    case 1: *c = -a, *s = b; break;
    case 2: *c = -b, *s = -a; break;
    default: *c = a, *s = -b; break;
  }
}

// Box-Muller on the pairs of words (0, 1) and (2, 3): radius from the first, angle from the second.
static void normals(const uint32_t *words, float *values) {
  for (int j = 0; j < 4; j += 2) {
    const double radius = sqrt(-2.0 * logarithm(((double)words[j] + 0.5) * 0x1p-32));
    double c, s;
    circle(words[j + 1], &c, &s);
    values[j] = (float)(radius * c), values[j + 1] = (float)(radius * s);
  }
}

void lk_normal(uint64_t key, uint64_t stream, uint64_t offset, float *out, int64_t count) {
  fill(key, stream, offset, out, count, normals);
}
