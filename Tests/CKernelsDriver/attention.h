// LK_ROTARY, LK_ATTENTION, LK_ATTENTION_STREAM.
#pragma once
#include "harness.h"

static void check_rotary(int64_t B, int64_t T, int64_t H, int64_t D, int64_t pairs, double base, int32_t first) {
  const int64_t n = B * T * H * D, half = D / 2;
  float *x = normal_floats(n);
  int32_t *positions = keep(T, sizeof *positions);
  for (int64_t t = 0; t < T; t++) positions[t] = first + (int32_t)t * 3;
  double *expected = doubles(n), *bound = doubles(n);
  for (int64_t u = 0; u < n; u++) {
    const int64_t d = u % D, j = d % half, row = u - d;
    const double angle = j < pairs ? positions[u / D / H % T] * pow(base, -2.0 * (double)j / (double)D) : 0;
    const double a = x[row + j], b = x[row + j + half];
    expected[u] = d < half ? a * cos(angle) - b * sin(angle) : b * cos(angle) + a * sin(angle);
    // Frequencies are built up by multiplication.
    bound[u] = (fabs(a) + fabs(b)) * (3e-7 + 1e-15 * (double)(j + 4) * fabs(angle));
  }
  trial t = trial_of(
    LK_ROTARY, "rotary", "B %lld, T %lld, H %lld, D %lld, pairs %lld, base %g, from position %d", (long long)B, (long long)T, (long long)H, (long long)D, (long long)pairs, base, first);
  input_floats(&t, 0, x, n);
  input(&t, 1, positions, T, sizeof *positions);
  output(&t, 2, n, expected, bound);
  INTEGERS(&t, B, T, H, D, pairs);
  t.call.f[0] = (float)base;
  by_rows(&t, 0, 2, 0, 2);
  check(&t);
}

typedef struct {
  int64_t B, T, H, D, window, S;
  float scale;
} attention_shape;

// Attention of positions `first` ... over keys and values of all positions from 0 on, [B, first + T, H, D].
static void reference_attention(
  const attention_shape *s, int64_t first, const float *q, const float *k, const float *v, const float *sink_k, const float *sink_v, double *expected, double *bound) {
  const int64_t row = s->H * s->D, all = first + s->T;
  double *score = doubles(s->S + all);
  for (int64_t u = 0; u < s->B * s->T * s->H; u++) {
    const int64_t b = u / s->H / s->T, t = u / s->H % s->T + first, h = u % s->H, low = t < s->window ? 0 : t - s->window + 1;
    double max = -HUGE_VAL, sum = 0, size = 0;
    for (int64_t e = 0; e < s->S + t - low + 1; e++) {
      const float *key = e < s->S ? sink_k + e * row + h * s->D : k + (b * all + low + e - s->S) * row + h * s->D;
      score[e] = 0;
      for (int64_t d = 0; d < s->D; d++) score[e] += (double)q[u * s->D + d] * key[d] * (double)s->scale;
      max = fmax(max, score[e]);
    }
    for (int64_t e = 0; e < s->S + t - low + 1; e++) {
      score[e] = exp(score[e] - max), sum += score[e];
      const float *value = e < s->S ? sink_v + e * row + h * s->D : v + (b * all + low + e - s->S) * row + h * s->D;
      for (int64_t d = 0; d < s->D; d++) expected[u * s->D + d] += score[e] * value[d], size = fmax(size, fabs(value[d]));
    }
    for (int64_t d = 0; d < s->D; d++) expected[u * s->D + d] /= sum, bound[u * s->D + d] = 4e-6 * size;
  }
}

static void check_attention(attention_shape s) {
  const int64_t n = s.B * s.T * s.H * s.D, sinks = s.S * s.H * s.D;
  float *q = normal_floats(n), *k = normal_floats(n), *v = normal_floats(n), *sink_k = normal_floats(sinks), *sink_v = normal_floats(sinks);
  double *expected = doubles(n), *bound = doubles(n);
  reference_attention(&s, 0, q, k, v, sink_k, sink_v, expected, bound);
  trial t = trial_of(
    LK_ATTENTION, "attention", "B %lld, T %lld, H %lld, D %lld, window %lld, S %lld", (long long)s.B, (long long)s.T, (long long)s.H, (long long)s.D, (long long)s.window, (long long)s.S);
  input_floats(&t, 0, q, n), input_floats(&t, 1, k, n), input_floats(&t, 2, v, n);
  if (s.S) input_floats(&t, 3, sink_k, sinks), input_floats(&t, 4, sink_v, sinks);
  output(&t, 5, n, expected, bound);
  INTEGERS(&t, s.B, s.T, s.H, s.D, s.window, s.S);
  t.call.f[0] = s.scale;
  by_rows(&t, 0, 4, 0, 1, 2, 5);
  check(&t);
}

// Where the ring has a head's row of position t: [slots, H, ring, D].
static int64_t ring_place(const attention_shape *s, int64_t ring, int64_t slot, int64_t t, int64_t head) {
  return ((slot * s->H + head) * ring + t % ring) * s->D;
}

// T new positions after `first` old ones, whose last `window` lie in the ring, which holds `spare` more. With `slotted`, each row's
// state lies elsewhere than the row.
static void check_attention_stream(attention_shape s, int64_t first, int64_t spare, int slotted) {
  const int64_t row = s.H * s.D, all = first + s.T, n = s.B * s.T * row, length = s.window + spare, ring = (s.B + slotted) * length * row, sinks = s.S * row;
  float *q = normal_floats(n), *k = normal_floats(s.B * all * row), *v = normal_floats(s.B * all * row);
  float *sink_k = normal_floats(sinks), *sink_v = normal_floats(sinks), *new_k = floats(n), *new_v = floats(n), *ring_k = floats(ring), *ring_v = floats(ring);
  double *expected = doubles(n), *bound = doubles(n), *after_k = doubles(ring), *after_v = doubles(ring);
  reference_attention(&s, first, q, k, v, sink_k, sink_v, expected, bound);
  int32_t slots[16], positions[16 * 256];
  for (int64_t b = 0; b < s.B; b++) {
    slots[b] = (int32_t)(slotted ? s.B - b : b);
    for (int64_t t = 0; t < s.T; t++) positions[b * s.T + t] = (int32_t)(first + t);
  }
  for (int64_t j = 0; j < ring; j++) ring_k[j] = ring_v[j] = NAN;  // places that no position has filled yet
  for (int pass = 0; pass < 2; pass++) {
    for (int64_t u = 0; u < s.B * all; u++) {
      const int64_t b = u / all, t = u % all;
      for (int64_t head = 0; head < s.H; head++) {
        const int64_t at = ring_place(&s, length, slots[b], t, head);
        for (int64_t d = 0; d < s.D; d++) {
          const float key = k[u * row + head * s.D + d], value = v[u * row + head * s.D + d];
          if (pass == 0 && t < first) ring_k[at + d] = key, ring_v[at + d] = value;
          if (pass == 1 && t >= first) after_k[at + d] = key, after_v[at + d] = value;
        }
      }
      if (pass == 0 && t >= first)
        memcpy(new_k + (b * s.T + t - first) * row, k + u * row, (size_t)row * sizeof *k), memcpy(new_v + (b * s.T + t - first) * row, v + u * row, (size_t)row * sizeof *v);
    }
    for (int64_t j = 0; pass == 0 && j < ring; j++) after_k[j] = ring_k[j], after_v[j] = ring_v[j];
  }
  trial t = trial_of(
    LK_ATTENTION_STREAM, "attention stream", "B %lld, T %lld, H %lld, D %lld, window %lld, S %lld, first %lld, spare %lld, slots %d", (long long)s.B, (long long)s.T, (long long)s.H,
    (long long)s.D, (long long)s.window, (long long)s.S, (long long)first, (long long)spare, slotted);
  input_floats(&t, 0, q, n), input_floats(&t, 1, new_k, n), input_floats(&t, 2, new_v, n);
  if (s.S) input_floats(&t, 3, sink_k, sinks), input_floats(&t, 4, sink_v, sinks);
  state(&t, 5, ring_k, ring, after_k, 0), state(&t, 6, ring_v, ring, after_v, 0);
  input(&t, 7, positions, s.B * s.T, sizeof *positions);
  output(&t, 8, n, expected, bound);
  if (slotted) input(&t, 9, slots, s.B, sizeof *slots);
  INTEGERS(&t, s.B, s.T, s.H, s.D, s.window, s.S, 0, length);
  t.call.f[0] = s.scale;
  if (!slotted) by_rows(&t, 0, 6, 0, 1, 2, 5, 6, 8);
  check(&t);
}

// A stream, cut anyhow, gives the bits of the offline pass; one whose ring is bf16 those of the pass over rounded keys and values.
static void check_attention_cut(attention_shape s, int64_t spare, int format) {
  const int64_t row = s.H * s.D, n = s.T * row, length = s.window + spare;
  for (int i = 0; i < isa_count; i++) {
    float *q = normal_floats(n), *k = normal_floats(n), *v = normal_floats(n), *sink_k = normal_floats(s.S * row), *sink_v = normal_floats(s.S * row);
    float *seen_k = floats(n), *seen_v = floats(n), *whole = floats(n), *out = floats(n);
    const int64_t ring = format == LK_BF16 ? (length * row + 1) / 2 : length * row;
    float *ring_k = floats(ring), *ring_v = floats(ring);
    memset(ring_k, 0xff, (size_t)ring * sizeof *ring_k), memset(ring_v, 0xff, (size_t)ring * sizeof *ring_v);  // not a number
    for (int64_t j = 0; j < n; j++) {
      uint16_t rounded[2];
      lk_to_bf16(k + j, rounded, 1), lk_to_bf16(v + j, rounded + 1, 1);
      lk_from_bf16(rounded, seen_k + j, 1), lk_from_bf16(rounded + 1, seen_v + j, 1);
      if (format == LK_F32) seen_k[j] = k[j], seen_v[j] = v[j];
    }
    lk_call offline = {.p = {q, seen_k, seen_v, sink_k, sink_v, whole}, .i = {1, s.T, s.H, s.D, s.window, s.S}, .f = {s.scale}};
    lk_kernel_for(LK_ATTENTION, isas[i])(&offline, 0, 1);
    for (int64_t j = 0; j < s.T;) {
      const int64_t count = random_int(1, random_int(1, s.T - j));
      int32_t position = (int32_t)j;
      lk_call piece = {
        .p = {q + j * row, k + j * row, v + j * row, sink_k, sink_v, ring_k, ring_v, &position, out + j * row},
        .i = {1, count, s.H, s.D, s.window, s.S, 0, length, format}, .f = {s.scale}};
      lk_kernel_for(LK_ATTENTION_STREAM, isas[i])(&piece, 0, 1);
      j += count;
    }
    expect(!memcmp(out, whole, (size_t)n * sizeof *out), "attention %s, T %lld, H %lld, D %lld, window %lld, S %lld, spare %lld, format %d: a stream's bits are not those of the offline pass",
           lk_isa_name(isas[i]), (long long)s.T, (long long)s.H, (long long)s.D, (long long)s.window, (long long)s.S, (long long)spare, format);
    release();
  }
}

// What a window does not reach may be anything.
static void check_attention_outside(int64_t T, int64_t D, int64_t window) {
  for (int i = 0; i < isa_count; i++) {
    float *q = normal_floats(T * D), *k = normal_floats(T * D), *v = normal_floats(T * D), *out = floats(T * D);
    for (int64_t d = 0; d < D; d++) k[d] = INFINITY, v[d] = d % 2 ? NAN : INFINITY;
    lk_call call = {.p = {q, k, v, 0, 0, out}, .i = {1, T, 1, D, window}, .f = {1}};
    lk_kernel_for(LK_ATTENTION, isas[i])(&call, 0, 1);
    int ok = 1;
    for (int64_t j = window * D; j < T * D; j++) ok &= isfinite(out[j]) != 0;
    expect(ok, "attention %s, T %lld, D %lld, window %lld: infinity outside the window reached a result", lk_isa_name(isas[i]), (long long)T, (long long)D, (long long)window);
    release();
  }
}

static void test_attention(void) {
  static const int64_t Ds[] = {1, 2, 3, 4, 5, 7, 8, 9, 15, 16, 17, 31, 32, 33, 40, 48, 64, 65, 72, 96, 128};
  static const int64_t Ts[] = {0, 1, 2, 3, 4, 5, 9, 31, 32, 33, 63, 64, 65, 100, 130};
  for (int j = 0; j < COUNT(Ds); j++) {
    const int64_t D = 2 * Ds[j], pairs = j % 3 == 0 ? D / 2 : random_int(0, D / 2);
    check_rotary(random_int(0, 3), random_int(0, 9), random_int(1, 4), D, pairs, 10000, 0);
    check_rotary(1, 3, 2, D, D / 2, 10000, 12345);
    check_rotary(1, 3, 1, D, D / 2, 500000, 100000000);
  }
  int turn = 0;
  for (int j = 0; j < COUNT(Ts); j++)
    for (int l = 0; l < COUNT(Ds); l += 4) {
      const int64_t D = Ds[(l + j) % COUNT(Ds)], T = Ts[j];
      static const int64_t windows[] = {1, 2, 7, 16, 63, 64, 65, 200}, sinks[] = {0, 1, 3, 66};
      attention_shape s = {.B = turn % 3, .T = T, .H = random_int(1, 3), .D = D, .window = windows[turn % 8], .S = sinks[turn / 2 % 4], .scale = (float)(1 / sqrt((double)D))};
      check_attention(s);
      check_attention_stream(s, turn % 5 * random_int(1, 40), turn % 3 * 5, turn & 1);
      s.T = T + 1;
      check_attention_cut(s, turn % 3 * 5, LK_F32);
      check_attention_cut(s, turn % 4 * 7, LK_BF16);
      turn++;
    }
  for (int64_t window = 1; window < 70; window += 9) check_attention_outside(150, 1 + window % 37, window);
}
