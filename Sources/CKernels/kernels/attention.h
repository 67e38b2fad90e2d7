// LK_ROTARY, LK_ATTENTION, LK_ATTENTION_STREAM.
#pragma once
#include "elementary.h"

static void kernel_rotary(const lk_call *c, int thread, int threads) {
  const int64_t B = c->i[0], T = c->i[1], H = c->i[2], D = c->i[3], half = D / 2;
  const float *x = c->p[0];
  const int32_t *positions = c->p[1];
  float *out = c->p[2];
  const double ratio = exp(-2.0 * log((double)c->f[0]) / (double)D);
  int64_t begin, end;
  lk_share(B * T, 1, thread, threads, &begin, &end);
  for (int64_t r = begin; r < end; r++) {
    const double position = positions[r % T];
    double frequency = 1.0;
    for (int64_t j = 0; j < half; j += W) {
      const int64_t n = lk_min64(W, half - j);
      vd angle = {0};
      for (int64_t l = 0; l < n; l++) angle[l] = position * frequency, frequency *= ratio;
      const vf sine = v_sin_wide(angle, 0), cosine = v_sin_wide(angle, 1);
      for (int64_t h = 0; h < H; h++) {
        const float *p = x + (r * H + h) * D + j;
        float *q = out + (r * H + h) * D + j;
        vf a = v_load_n(p, n), b = v_load_n(p + half, n);
        v_store_n(q, v_fma(a, cosine, -(b * sine)), n);
        v_store_n(q + half, v_fma(b, cosine, a * sine), n);
      }
    }
  }
}

// The keys and values of one head. Positions below `first` are in the ring, the others in the call's own k and v.
typedef struct {
  const float *sink_k, *sink_v, *ring_k, *ring_v, *k, *v;
  int64_t sinks, window, first, stride, D;
  float scale;
} lk_head;

#define LK_CHUNK 64

typedef struct {
  float max, sum;
} lk_softmax_state;

// Adds keys begin ..< end (places in a chunk of 64) to the running softmax of one query, whose weighted sum is kept in out.
LK_INLINE void attend_chunk(const float *q, float *out, const lk_head *h, const float *const *keys, const float *const *values, int64_t begin, int64_t end, lk_softmax_state *state) {
  const int64_t D = h->D;
  float p[LK_CHUNK];
  for (int64_t j = 0; j < LK_CHUNK; j += W) v_store(p + j, v_set(-__builtin_inff()));
  int64_t j = begin;
  for (; j + 4 <= end; j += 4) {
    vf s0 = v_zero(), s1 = v_zero(), s2 = v_zero(), s3 = v_zero();
    int64_t d = 0;
    for (; d + W <= D; d += W) {
      vf a = v_load(q + d);
      s0 = v_fma(a, v_load(keys[j] + d), s0), s1 = v_fma(a, v_load(keys[j + 1] + d), s1);
      s2 = v_fma(a, v_load(keys[j + 2] + d), s2), s3 = v_fma(a, v_load(keys[j + 3] + d), s3);
    }
    if (d < D) {
      int64_t n = D - d;
      vf a = v_load_part(q + d, n);
      s0 = v_fma(a, v_load_part(keys[j] + d, n), s0), s1 = v_fma(a, v_load_part(keys[j + 1] + d, n), s1);
      s2 = v_fma(a, v_load_part(keys[j + 2] + d, n), s2), s3 = v_fma(a, v_load_part(keys[j + 3] + d, n), s3);
    }
    p[j] = v_sum(s0) * h->scale, p[j + 1] = v_sum(s1) * h->scale;
    p[j + 2] = v_sum(s2) * h->scale, p[j + 3] = v_sum(s3) * h->scale;
  }
  for (; j < end; j++) {
    vf s = v_zero();
    int64_t d = 0;
    for (; d + W <= D; d += W) s = v_fma(v_load(q + d), v_load(keys[j] + d), s);
    if (d < D) s = v_fma(v_load_part(q + d, D - d), v_load_part(keys[j] + d, D - d), s);
    p[j] = v_sum(s) * h->scale;
  }
  vf m = v_load(p);
  for (int64_t l = W; l < LK_CHUNK; l += W) m = v_max(v_load(p + l), m);
  float max = v_max_lane(m);
  const int first = state->max == -__builtin_inff();
  if (state->max > max) max = state->max;
  vf sum = v_zero(), center = v_set(max);
  for (int64_t l = 0; l < LK_CHUNK; l += W) {
    vf e = v_exp(v_load(p + l) - center);
    v_store(p + l, e);
    sum += e;
  }
  const float correction = first ? 0.0f : v_exp(v_set(state->max - max))[0];
  state->sum = state->sum * correction + v_sum(sum);
  state->max = max;
  int64_t d = 0;
  for (; d + 4 * W <= D; d += 4 * W) {
    vf o[4];
    LK_UNROLL
    for (int l = 0; l < 4; l++) o[l] = first ? v_zero() : v_load(out + d + l * W) * correction;
    for (int64_t i = begin; i < end; i++) {
      vf w = v_set(p[i]);
      LK_UNROLL
      for (int l = 0; l < 4; l++) o[l] = v_fma(w, v_load(values[i] + d + l * W), o[l]);
    }
    LK_UNROLL
    for (int l = 0; l < 4; l++) v_store(out + d + l * W, o[l]);
  }
  for (; d < D; d += W) {
    vf o = first ? v_zero() : v_load_n(out + d, D - d) * correction;
    for (int64_t i = begin; i < end; i++) o = v_fma(v_set(p[i]), v_load_n(values[i] + d, D - d), o);
    v_store_n(out + d, o, D - d);
  }
}

// One query. Chunks of keys begin at multiples of 64 in absolute position (sinks have chunks of their own, before them),
// so that a stream and an offline pass over the same positions give the same bits.
static void attend(const lk_head *h, const float *q, int64_t position, float *out) {
  const float *keys[LK_CHUNK], *values[LK_CHUNK];
  lk_softmax_state state = {-__builtin_inff(), 0.0f};
  for (int64_t s = 0; s < h->sinks; s += LK_CHUNK) {
    int64_t n = lk_min64(LK_CHUNK, h->sinks - s);
    for (int64_t j = 0; j < n; j++) keys[j] = h->sink_k + (s + j) * h->stride, values[j] = h->sink_v + (s + j) * h->stride;
    attend_chunk(q, out, h, keys, values, 0, n, &state);
  }
  const int64_t low = lk_max64(0, position - h->window + 1);
  for (int64_t base = low / LK_CHUNK * LK_CHUNK; base <= position; base += LK_CHUNK) {
    int64_t begin = lk_max64(low, base), end = lk_min64(position + 1, base + LK_CHUNK);
    int64_t slot = begin < h->first ? begin % h->window : 0;
    for (int64_t t = begin; t < end; t++) {
      if (t >= h->first) {
        keys[t - base] = h->k + (t - h->first) * h->stride, values[t - base] = h->v + (t - h->first) * h->stride;
      } else {
        keys[t - base] = h->ring_k + slot * h->stride, values[t - base] = h->ring_v + slot * h->stride;
        if (++slot == h->window) slot = 0;
      }
    }
    attend_chunk(q, out, h, keys, values, begin - base, end - base, &state);
  }
  const float inverse = 1.0f / state.sum;
  for (int64_t d = 0; d < h->D; d += W) v_store_n(out + d, v_load_n(out + d, h->D - d) * inverse, h->D - d);
}

static void kernel_attention(const lk_call *c, int thread, int threads) {
  const int64_t B = c->i[0], T = c->i[1], H = c->i[2], D = c->i[3], window = c->i[4], S = c->p[3] ? c->i[5] : 0;
  const int64_t blocks = (T + 31) / 32, stride = H * D;
  int64_t begin, end;
  lk_share(B * H * blocks, 1, thread, threads, &begin, &end);
  for (int64_t u = begin; u < end; u++) {
    // Blocks from both ends of the sequence alternate, since early positions see fewer keys.
    int64_t block = u / (B * H), b = u / H % B, head = u % H, offset = (b * T * H + head) * D;
    block = block & 1 ? blocks - 1 - block / 2 : block / 2;
    lk_head h = {
      .sink_k = S ? (const float *)c->p[3] + head * D : 0, .sink_v = S ? (const float *)c->p[4] + head * D : 0,
      .k = (const float *)c->p[1] + offset, .v = (const float *)c->p[2] + offset,
      .sinks = S, .window = window, .first = 0, .stride = stride, .D = D, .scale = c->f[0],
    };
    for (int64_t t = block * 32; t < lk_min64(T, block * 32 + 32); t++)
      attend(&h, (const float *)c->p[0] + offset + t * stride, t, (float *)c->p[5] + offset + t * stride);
  }
}

static void kernel_attention_stream(const lk_call *c, int thread, int threads) {
  const int64_t B = c->i[0], T = c->i[1], H = c->i[2], D = c->i[3], window = c->i[4], S = c->p[3] ? c->i[5] : 0;
  const int64_t stride = H * D, first = *(const int32_t *)c->p[7];
  int64_t begin, end;
  lk_share(B * H, 1, thread, threads, &begin, &end);
  for (int64_t u = begin; u < end; u++) {
    int64_t b = u / H, head = u % H, offset = (b * T * H + head) * D;
    float *ring_k = (float *)c->p[5] + (b * window * H + head) * D, *ring_v = (float *)c->p[6] + (b * window * H + head) * D;
    lk_head h = {
      .sink_k = S ? (const float *)c->p[3] + head * D : 0, .sink_v = S ? (const float *)c->p[4] + head * D : 0,
      .ring_k = ring_k, .ring_v = ring_v, .k = (const float *)c->p[1] + offset, .v = (const float *)c->p[2] + offset,
      .sinks = S, .window = window, .first = first, .stride = stride, .D = D, .scale = c->f[0],
    };
    // The call's own keys are read where they lie and enter the ring only once every query of this head is answered:
    // the same as writing each before its query, and no query finds its window overwritten by a later position.
    for (int64_t t = 0; t < T; t++)
      attend(&h, (const float *)c->p[0] + offset + t * stride, first + t, (float *)c->p[8] + offset + t * stride);
    for (int64_t t = lk_max64(0, T - window); t < T; t++) {
      int64_t slot = (first + t) % window * stride;
      memcpy(ring_k + slot, h.k + t * stride, (size_t)D * sizeof(float));
      memcpy(ring_v + slot, h.v + t * stride, (size_t)D * sizeof(float));
    }
  }
}
