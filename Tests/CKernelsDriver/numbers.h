// Random numbers and the conversions of weight formats.
#pragma once
#include "harness.h"

static uint64_t hash(const void *data, size_t bytes) {
  uint64_t h = 0xcbf29ce484222325u;  // FNV-1a
  for (size_t j = 0; j < bytes; j++) h = (h ^ ((const uint8_t *)data)[j]) * 0x100000001b3u;
  return h;
}

// The known answers of philox4x32 with ten rounds that come with Random123 (Salmon et al. 2011).
static void test_philox(void) {
  static const struct {
    uint64_t key, stream, index;
    uint32_t out[4];
  } answers[] = {
    {0, 0, 0, {0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}},
    {~0ull, ~0ull, ~0ull, {0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}},
    {0x299f31d0a4093822, 0x0370734413198a2e, 0x85a308d3243f6a88, {0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}},
  };
  for (int j = 0; j < COUNT(answers); j++) {
    uint32_t out[4];
    lk_philox(answers[j].key, answers[j].stream, answers[j].index, out);
    expect(!memcmp(out, answers[j].out, sizeof out), "known answer %d of Philox is %08x %08x %08x %08x", j, out[0], out[1], out[2], out[3]);
  }
}

typedef void (*generator)(uint64_t key, uint64_t stream, uint64_t offset, float *out, int64_t count);

static void test_generator(const char *name, generator make, const double moments[4], double low, double high, uint64_t bits) {
  enum { N = 400000, PIECES = 5000 };
  float *x = floats(N);
  make(7, 11, 3, x, N);
  double sums[4] = {0}, least = x[0], most = x[0];
  for (int64_t j = 0; j < N; j++) {
    double power = 1;
    for (int m = 0; m < 4; m++) power *= x[j], sums[m] += power / N;
    least = fmin(least, x[j]), most = fmax(most, x[j]);
  }
  // Six standard errors: of x^m they are below sqrt(105 / N) for m up to 4.
  static const double deviations[4] = {1, 1.42, 3.9, 9.8};
  for (int m = 0; m < 4; m++)
    expect(fabs(sums[m] - moments[m]) < 6 * deviations[m] / sqrt(N), "moment %d of %s is %g, expected %g", m + 1, name, sums[m], moments[m]);
  expect(least > low && most < high, "%s values lie in %g ... %g", name, least, most);

  // Any range, made in any pieces, is the same; and nothing is written outside it.
  int same = 1;
  for (int64_t j = 0; j < PIECES;) {
    const int64_t n = random_int(0, 13);
    float piece[15];
    piece[0] = piece[n + 1] = -99;
    make(7, 11, 3 + (uint64_t)j, piece + 1, n);
    same &= !memcmp(piece + 1, x + j, (size_t)n * sizeof(float)) && piece[0] == -99 && piece[n + 1] == -99;
    j += n;
  }
  expect(same, "%s values depend on how a range is cut", name);
  float other[64];
  make(8, 11, 3, other, 64);
  expect(memcmp(other, x, sizeof other) != 0, "%s values do not depend on the key", name);
  make(7, 12, 3, other, 64);
  expect(memcmp(other, x, sizeof other) != 0, "%s values do not depend on the stream", name);
  make(7, 11, ~0ull - 31, other, 64);  // positions wrap round
  expect(isfinite(other[0]) && isfinite(other[63]), "%s values at the end of the positions", name);
  // Bits that every machine and compiler must give.
  make(1, 2, 0, x, 4096);
  const uint64_t got = hash(x, 4096 * sizeof(float));
  expect(got == bits, "the hash of 4096 %s values is 0x%016llx, expected 0x%016llx", name, (unsigned long long)got, (unsigned long long)bits);
  release();
}

static void test_bf16(void) {
  static const uint32_t special[] = {0, 0x80000000, 0x3f800000, 0x3f808000, 0x3f818000, 0x3f807fff, 0x3f808001, 0x7f7fffff, 0x7f800000, 0xff800000, 0x7f800001, 0xffc00000, 0x7fffffff, 1, 0x00808000};
  static const uint16_t expected[] = {0, 0x8000, 0x3f80, 0x3f80, 0x3f82, 0x3f80, 0x3f81, 0x7f80, 0x7f80, 0xff80, 0x7fc0, 0xffc0, 0x7fff, 0, 0x0080};
  for (int j = 0; j < COUNT(special); j++) {
    float x, back;
    uint16_t h;
    memcpy(&x, &special[j], 4);
    lk_to_bf16(&x, &h, 1);
    expect(h == expected[j], "%08x to bf16 is %04x, expected %04x", special[j], h, expected[j]);
    lk_from_bf16(&h, &back, 1);
    const uint32_t bits = (uint32_t)h << 16;
    expect(!memcmp(&back, &bits, 4), "bf16 %04x back to f32", h);
  }
  int nearest = 1;
  for (int j = 0; j < 20000; j++) {
    float x = (float)(random_normal() * exp(random_real(-20, 20))), back;
    uint16_t h;
    lk_to_bf16(&x, &h, 1), lk_from_bf16(&h, &back, 1);
    nearest &= fabs((double)back - x) <= ldexp(1, ilogb(x) - 8);
  }
  expect(nearest, "bf16 is not the nearest");
}

// int8: scales are max / 127. int4: of the scale's values -8 ... 7, the nearest; the squared error is at most that of max / 7.
static void check_quantized(int bits, int64_t rows, int64_t columns, int64_t group) {
  const int64_t groups = columns / group, row = bits == 8 ? columns : (columns + 1) / 2;
  float *x = normal_floats(rows * columns), *scales = floats(rows * groups + 1), *back = floats(rows * columns + 1);
  uint8_t *out = keep(rows * row + 1, 1);
  for (int64_t k = 0; k < group && rows; k++) x[k] = 0;  // a group of zeros
  out[rows * row] = 0xc3, scales[rows * groups] = back[rows * columns] = -99;
  if (bits == 8) lk_to_int8(x, (int8_t *)out, scales, rows, columns, group);
  else lk_to_int4(x, out, scales, rows, columns, group), lk_from_int4(out, scales, back, rows, columns, group);
  int ok = out[rows * row] == 0xc3 && scales[rows * groups] == -99 && back[rows * columns] == -99;
  for (int64_t g = 0; g < rows * groups; g++) {
    const float *p = x + g * group;
    const double scale = scales[g];
    double max = 0, error = 0, plain = 0;
    for (int64_t j = 0; j < group; j++) max = fmax(max, fabs((double)p[j]));
    for (int64_t j = 0; j < group; j++) {
      const int64_t r = g / groups, k = g % groups * group + j;
      const int q = bits == 8 ? (int8_t)out[r * row + k] : (out[r * row + k / 2] >> (k & 1 ? 4 : 0) & 15) - 8;
      const double nearest = scale == 0 ? 0 : fmin(fmax(p[j] / scale, bits == 8 ? -127 : -8), bits == 8 ? 127 : 7);
      ok &= fabs(q - nearest) <= 0.50001;
      if (bits == 4) ok &= back[r * columns + k] == (float)q * scales[g];
      error += (q * scale - p[j]) * (q * scale - p[j]);
      if (max > 0) plain += pow(nearbyint(p[j] / max * 7) * max / 7 - p[j], 2);
    }
    ok &= bits == 8 ? scales[g] == (float)max / 127.0f : error <= plain * 1.00001 + 1e-12;
  }
  expect(ok, "to int%d, %lld rows of %lld, groups of %lld", bits, (long long)rows, (long long)columns, (long long)group);
  release();
}

static void test_zeroed(void) {
  for (int64_t bytes = 0; bytes < 5000; bytes += 1 + bytes / 2) {
    char *p = lk_zeroed(bytes), any = 0;
    for (int64_t j = 0; p && j < bytes; j++) any |= p[j], p[j] = 1;
    expect(p && !any && (uintptr_t)p % 64 == 0, "%lld zeroed bytes", (long long)bytes);
    lk_free_zeroed(p);
  }
  expect(!lk_zeroed(-1), "zeroed memory of a negative size");
  lk_free_zeroed(0);
}

static void test_numbers(void) {
  test_philox();
  static const double uniform[4] = {1 / 2.0, 1 / 3.0, 1 / 4.0, 1 / 5.0}, normal[4] = {0, 1, 0, 3};
  test_generator("uniform", lk_uniform, uniform, 0, 1, 0xde770ef59ef8351f);
  test_generator("normal", lk_normal, normal, -7, 7, 0x420962281fc0099b);
  test_bf16();
  test_zeroed();
  static const int64_t columns[] = {1, 2, 3, 6, 8, 15, 30, 64, 96, 130};
  for (int bits = 4; bits <= 8; bits += 4)
    for (int j = 0; j < COUNT(columns); j++)
      for (int64_t group = 1; group <= columns[j]; group++)
        if (columns[j] % group == 0 && (bits == 8 || group % 2 == 0 || group == columns[j])) check_quantized(bits, random_int(0, 4), columns[j], group);
}
