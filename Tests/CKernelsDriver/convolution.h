// LK_DEPTHWISE, LK_DEPTHWISE_STREAM.
#pragma once
#include "harness.h"

static void check_depthwise(int stream, int64_t B, int64_t T, int64_t C, int64_t K, int has_bias) {
  const int64_t n = B * T * C, kept_rows = K - 1;
  float *x = normal_floats(n), *w = normal_floats(C * K), *bias = normal_floats(C), *tail = normal_floats(B * kept_rows * C);
  double *expected = doubles(n), *bound = doubles(n), *after = doubles(B * kept_rows * C);
#define SAMPLE(B_, S, CH) ((S) >= 0 ? x[((B_) * T + (S)) * C + (CH)] : stream ? tail[((B_) * kept_rows + kept_rows + (S)) * C + (CH)] : 0.0f)
  for (int64_t u = 0; u < n; u++) {
    const int64_t c = u % C, t = u / C % T, b = u / C / T;
    double sum = has_bias ? bias[c] : 0, size = fabs(sum);
    for (int64_t j = 0; j < K; j++) {
      const double v = (double)w[c * K + j] * SAMPLE(b, t - K + 1 + j, c);
      sum += v, size += fabs(v);
    }
    expected[u] = sum, bound[u] = 6e-8 * size * (2 + sqrt((double)K));
  }
  for (int64_t u = 0; u < B * kept_rows * C; u++) after[u] = SAMPLE(u / C / kept_rows, T - kept_rows + u / C % kept_rows, u % C);
#undef SAMPLE
  trial t = trial_of(
    stream ? LK_DEPTHWISE_STREAM : LK_DEPTHWISE, stream ? "depthwise stream" : "depthwise", "B %lld, T %lld, C %lld, K %lld%s", (long long)B, (long long)T, (long long)C, (long long)K,
    has_bias ? ", bias" : "");
  input_floats(&t, 0, x, n), input_floats(&t, 1, w, C * K);
  if (has_bias) input_floats(&t, 2, bias, C);
  if (stream) state(&t, 3, tail, B * kept_rows * C, after, 0);
  output(&t, stream ? 4 : 3, n, expected, bound);
  INTEGERS(&t, B, T, C, K);
  by_rows(&t, 0, 2, 0, stream ? 4 : 3);
  if (stream) t.slot[3].per_row = 1;
  check(&t);
}

// A stream, cut anyhow, gives the bits of the offline pass.
static void check_depthwise_cut(int64_t T, int64_t C, int64_t K) {
  for (int i = 0; i < isa_count; i++) {
    float *x = normal_floats(T * C), *w = normal_floats(C * K), *tail = floats((K - 1) * C), *whole = floats(T * C), *out = floats(T * C);
    lk_call offline = {.p = {x, w, 0, whole}, .i = {1, T, C, K}};
    lk_kernel_for(LK_DEPTHWISE, isas[i])(&offline, 0, 1);
    for (int64_t j = 0; j < T;) {
      const int64_t n = random_int(1, T - j < 9 ? T - j : 9);
      lk_call piece = {.p = {x + j * C, w, 0, tail, out + j * C}, .i = {1, n, C, K}};
      lk_kernel_for(LK_DEPTHWISE_STREAM, isas[i])(&piece, 0, 1);
      j += n;
    }
    expect(!memcmp(out, whole, (size_t)(T * C) * sizeof *out), "depthwise %s, T %lld, C %lld, K %lld: a stream's bits are not those of the offline pass", lk_isa_name(isas[i]),
           (long long)T, (long long)C, (long long)K);
    release();
  }
}

static void test_convolution(void) {
  static const int64_t Cs[] = {0, 1, 2, 3, 4, 5, 7, 8, 9, 15, 16, 17, 31, 33, 64, 100}, Ks[] = {1, 2, 3, 4, 7, 31, 128, 129, 140};
  for (int j = 0; j < COUNT(Cs); j++)
    for (int l = 0; l < COUNT(Ks); l++) {
      const int64_t T = random_int(0, 40);
      check_depthwise(0, random_int(0, 3), T, Cs[j], Ks[l], l & 1);
      check_depthwise(1, random_int(0, 3), T, Cs[j], Ks[l], ~l & 1);
      check_depthwise_cut(33, Cs[j] + 1, Ks[l]);
    }
  for (int64_t T = 127; T <= 260; T += 44) check_depthwise(0, 2, T, 19, 7, 1);
}
