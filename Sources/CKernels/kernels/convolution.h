// LK_DEPTHWISE, LK_DEPTHWISE_STREAM.
#pragma once
#include "vector.h"

// Taps that are transposed into a local block; longer filters read their weights where they lie.
#define LK_TAPS 128

// Channels ch ..< ch + n of positions t0 ..< t1 of one sequence. tail: the K-1 inputs before x, or null for zeros.
static void depthwise_block(const float *x, const float *tail, const float *w, const float *bias, float *out, int64_t t0, int64_t t1, int64_t C, int64_t K, int64_t ch, int64_t n) {
  vf taps[LK_TAPS];
  const int local = K <= LK_TAPS;
  for (int64_t j = 0; local && j < K; j++) {
    vf v = {0};
    for (int64_t l = 0; l < n; l++) v[l] = w[(ch + l) * K + j];
    taps[j] = v;
  }
  const vf start = bias ? v_load_n(bias + ch, n) : v_zero();
  for (int64_t t = t0; t < t1; t++) {
    // Four whole positions that need nothing from before the chunk.
    if (local && n == W && t >= K - 1 && t + 4 <= t1) {
      vf a0 = start, a1 = start, a2 = start, a3 = start;
      const float *row = x + (t - K + 1) * C + ch;
      for (int64_t j = 0; j < K; j++, row += C) {
        const vf tap = taps[j];
        a0 = v_fma(tap, v_load(row), a0), a1 = v_fma(tap, v_load(row + C), a1);
        a2 = v_fma(tap, v_load(row + 2 * C), a2), a3 = v_fma(tap, v_load(row + 3 * C), a3);
      }
      float *o = out + t * C + ch;
      v_store(o, a0), v_store(o + C, a1), v_store(o + 2 * C, a2), v_store(o + 3 * C, a3);
      t += 3;
      continue;
    }
    vf acc = start;
    for (int64_t j = 0; j < K; j++) {
      int64_t s = t - K + 1 + j;
      const float *row;
      if (s >= 0) row = x + s * C;
      else if (tail) row = tail + (s + K - 1) * C;
      else continue;
      vf tap = {0};
      if (local) tap = taps[j];
      else
        for (int64_t l = 0; l < n; l++) tap[l] = w[(ch + l) * K + j];
      acc = v_fma(tap, v_load_n(row + ch, n), acc);
    }
    v_store_n(out + t * C + ch, acc, n);
  }
}

static void kernel_depthwise(const lk_call *c, int thread, int threads) {
  const int64_t B = c->i[0], T = c->i[1], C = c->i[2], K = c->i[3];
  const int64_t blocks = (C + W - 1) / W, spans = (T + 127) / 128;
  int64_t begin, end;
  lk_share(B * spans * blocks, 1, thread, threads, &begin, &end);
  for (int64_t u = begin; u < end; u++) {
    int64_t b = u / (spans * blocks), t = u / blocks % spans * 128, ch = u % blocks * W;
    depthwise_block((const float *)c->p[0] + b * T * C, 0, c->p[1], c->p[2], (float *)c->p[3] + b * T * C, t, lk_min64(T, t + 128), C, K, ch, lk_min64(W, C - ch));
  }
}

static void kernel_depthwise_stream(const lk_call *c, int thread, int threads) {
  const int64_t B = c->i[0], T = c->i[1], C = c->i[2], K = c->i[3], blocks = (C + W - 1) / W;
  const int32_t *slots = c->p[5];
  int64_t begin, end;
  lk_share(B * blocks, 1, thread, threads, &begin, &end);
  for (int64_t u = begin; u < end; u++) {
    int64_t b = u / blocks, ch = u % blocks * W, n = lk_min64(W, C - ch);
    const float *x = (const float *)c->p[0] + b * T * C;
    float *tail = (float *)c->p[3] + (slots ? slots[b] : b) * (K - 1) * C;
    depthwise_block(x, tail, c->p[1], c->p[2], (float *)c->p[4] + b * T * C, 0, T, C, K, ch, n);
    // Ascending, so that a tail longer than the chunk moves down before it is overwritten.
    for (int64_t j = 0; j < K - 1; j++) {
      int64_t s = T - (K - 1) + j;
      v_store_n(tail + j * C + ch, v_load_n(s >= 0 ? x + s * C + ch : tail + (j + T) * C + ch, n), n);
    }
  }
}
