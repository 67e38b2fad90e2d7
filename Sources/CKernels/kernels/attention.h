// LK_ROTARY, LK_ATTENTION, LK_ATTENTION_STREAM.
#pragma once
#include "dot.h"

static void kernel_rotary(const lk_call *c, int thread, int threads) {
  const int64_t B = c->i[0], T = c->i[1], H = c->i[2], D = c->i[3], half = D / 2, pairs = c->i[4];
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
      for (int64_t l = 0; l < n; l++) angle[l] = j + l < pairs ? position * frequency : 0, frequency *= ratio;
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

// The keys and values of one head. Positions below `first` are in its ring, one run of memory in `format`, the others in the call's
// own k and v.
typedef struct {
  const float *sink_k, *sink_v;
  const char *ring_k, *ring_v;
  const float *k, *v;
  int64_t sinks, window, ring, first, stride, D;  // ring: positions that the ring holds
  float scale;
  const char *next_ring_k;  // of the head that comes after it, or null
} lk_head;

#define LK_CHUNK 64

// The running softmax of one query; its weighted sum so far is kept in `out`.
typedef struct {
  const float *q;
  float *out;
  int64_t begin, end;  // the keys of the present chunk that it sees
  float max, sum, correction;
  float p[LK_CHUNK];  // scores, then their exponentials
} lk_query;

// One query is bound by memory: what is read next is asked for while something else is worked on.
LK_INLINE void fetch(const char *p, int64_t bytes) {
  for (int64_t j = 0; j < bytes; j += 64) __builtin_prefetch(p + j, 0, 2);
}

// Scores of `nq` queries against `nk` keys: one accumulator each along D, summed by the tree of v_sum.
LK_INLINE void score_block(
    const int format, const int nq, const int nk, lk_query *query, const char *const *keys, int64_t j, int64_t D, float scale) {
  vf s[4][4];
  LK_UNROLL
  for (int i = 0; i < nq; i++) {
    LK_UNROLL
    for (int l = 0; l < nk; l++) s[i][l] = v_zero();
  }
  int64_t d = 0;
  for (; d + W <= D; d += W) {
    LK_UNROLL
    for (int l = 0; l < nk; l++) {
      vf k = weights_at(format, keys[j + l], d);
      LK_UNROLL
      for (int i = 0; i < nq; i++) s[i][l] = v_fma(v_load(query[i].q + d), k, s[i][l]);
    }
  }
  if (d < D) {
    LK_UNROLL
    for (int l = 0; l < nk; l++) {
      vf k = weights_part(format, keys[j + l], d, D - d);
      LK_UNROLL
      for (int i = 0; i < nq; i++) s[i][l] = v_fma(v_load_part(query[i].q + d, D - d), k, s[i][l]);
    }
  }
  LK_UNROLL
  for (int i = 0; i < nq; i++) {
    float sums[4];
    if (nk == 4) v_sum4(s[i][0], s[i][1], s[i][2], s[i][3], sums);
    else sums[0] = v_sum(s[i][0]);
    LK_UNROLL
    for (int l = 0; l < nk; l++) query[i].p[j + l] = sums[l] * scale;
  }
}

// out += p[i] * values[i] for i in begin ..< end, in that order.
LK_INLINE void weigh_block(
    const int format, const int nq, lk_query *query, const char *const *values, int64_t begin, int64_t end, int64_t D, const char *next) {
  if (begin >= end) return;
  enum { V = W == 16 || W == 4 ? 4 : 2 };
  int64_t d = 0;
  for (; d + V * W <= D; d += V * W) {
    vf o[4][V];
    LK_UNROLL
    for (int i = 0; i < nq; i++) {
      LK_UNROLL
      for (int l = 0; l < V; l++) o[i][l] = v_load(query[i].out + d + l * W);
    }
    for (int64_t t = begin; t < end; t++) {
      if (next) fetch(next + offset_of(format, t * D + d), offset_of(format, V * W));
      LK_UNROLL
      for (int l = 0; l < V; l++) {
        vf v = weights_at(format, values[t], d + l * W);
        LK_UNROLL
        for (int i = 0; i < nq; i++) o[i][l] = v_fma(v_set(query[i].p[t]), v, o[i][l]);
      }
    }
    LK_UNROLL
    for (int i = 0; i < nq; i++) {
      LK_UNROLL
      for (int l = 0; l < V; l++) v_store(query[i].out + d + l * W, o[i][l]);
    }
  }
  for (; d < D; d += W) {
    vf o[4];
    LK_UNROLL
    for (int i = 0; i < nq; i++) o[i] = v_load_n(query[i].out + d, D - d);
    for (int64_t t = begin; t < end; t++) {
      vf v = D - d < W ? weights_part(format, values[t], d, D - d) : weights_at(format, values[t], d);
      LK_UNROLL
      for (int i = 0; i < nq; i++) o[i] = v_fma(v_set(query[i].p[t]), v, o[i]);
    }
    LK_UNROLL
    for (int i = 0; i < nq; i++) v_store_n(query[i].out + d, o[i], D - d);
  }
}

// Adds the chunk's keys to the running softmax of every query.
// `next`: where the keys of the next chunk begin, or null.
LK_INLINE void attend_chunk(
    const int format, const int nq, lk_query *query, const lk_head *h, const char *const *keys, const char *const *values,
    const char *next) {
  const int64_t D = h->D;
  int64_t from = LK_CHUNK, to = 0, all_from = 0, all_to = LK_CHUNK;
  for (int i = 0; i < nq; i++) {
    from = lk_min64(from, query[i].begin), to = lk_max64(to, query[i].end);
    all_from = lk_max64(all_from, query[i].begin), all_to = lk_min64(all_to, query[i].end);
  }
  int64_t j = from;
  for (; j + 4 <= to; j += 4) {
    for (int l = 0; nq == 1 && l < 4; l++) fetch(values[j + l], offset_of(format, D));
    score_block(format, nq, 4, query, keys, j, D, h->scale);
  }
  for (; j < to; j++) score_block(format, nq, 1, query, keys, j, D, h->scale);
  for (int i = 0; i < nq; i++) {
    lk_query *a = &query[i];
    if (a->begin >= a->end) continue;
    for (int64_t l = 0; l < a->begin; l++) a->p[l] = -__builtin_inff();
    for (int64_t l = a->end; l < LK_CHUNK; l++) a->p[l] = -__builtin_inff();
    vf m = v_load(a->p);
    for (int64_t l = W; l < LK_CHUNK; l += W) m = v_max(v_load(a->p + l), m);
    float max = v_max_lane(m);
    if (a->max > max) max = a->max;
    vf sum = v_zero(), center = v_set(max);
    for (int64_t l = 0; l < LK_CHUNK; l += W) {
      vf e = v_exp(v_load(a->p + l) - center);
      v_store(a->p + l, e);
      sum += e;
    }
    if (a->max != max) {
      const vf correction = v_exp(v_set(a->max - max));
      a->sum *= correction[0];
      for (int64_t d = 0; d < D; d += W) v_store_n(a->out + d, v_load_n(a->out + d, D - d) * correction, D - d);
    }
    a->sum += v_sum(sum);
    a->max = max;
  }
  // Keys that all queries see together, the ragged ends one by one: a key outside a window is never multiplied by zero,
  // for it may be infinite.
  if (nq > 1 && all_from < all_to) {
    for (int i = 0; i < nq; i++) weigh_block(format, 1, query + i, values, query[i].begin, all_from, D, 0);
    weigh_block(format, nq, query, values, all_from, all_to, D, 0);
    for (int i = 0; i < nq; i++) weigh_block(format, 1, query + i, values, all_to, query[i].end, D, 0);
  } else {
    for (int i = 0; i < nq; i++) weigh_block(format, 1, query + i, values, query[i].begin, query[i].end, D, next);
  }
}

// `nq` queries at consecutive positions. Chunks of keys begin at multiples of 64 in absolute position (sinks have chunks of
// their own, before them), and a query's arithmetic is the same alone and among others, so that a stream, cut anyhow, and an
// offline pass over the same positions give the same bits.
LK_INLINE void attend(const int format, const int nq, const lk_head *h, const float *q, int64_t position, float *out) {
  const char *keys[LK_CHUNK], *values[LK_CHUNK];
  lk_query query[4];
  for (int i = 0; i < nq; i++) {
    query[i].q = q + i * h->stride, query[i].out = out + i * h->stride;
    query[i].max = -__builtin_inff(), query[i].sum = 0.0f;
    memset(query[i].out, 0, (size_t)h->D * sizeof(float));
  }
  for (int64_t s = 0; s < h->sinks; s += LK_CHUNK) {
    const int64_t n = lk_min64(LK_CHUNK, h->sinks - s);
    for (int64_t j = 0; j < n; j++) {
      keys[j] = (const char *)(h->sink_k + (s + j) * h->stride), values[j] = (const char *)(h->sink_v + (s + j) * h->stride);
    }
    for (int i = 0; i < nq; i++) query[i].begin = 0, query[i].end = n;
    attend_chunk(LK_F32, nq, query, h, keys, values, 0);
  }
  const int64_t low = lk_max64(0, position - h->window + 1), high = position + nq;
  for (int64_t base = low / LK_CHUNK * LK_CHUNK; base < high; base += LK_CHUNK) {
    const int64_t begin = lk_max64(low, base), end = lk_min64(high, base + LK_CHUNK);
    int64_t slot = begin < h->first ? begin % h->ring : 0;
    for (int64_t t = begin; t < end; t++) {
      if (t >= h->first) {
        const int64_t at = (t - h->first) * h->stride;
        keys[t - base] = (const char *)(h->k + at), values[t - base] = (const char *)(h->v + at);
      } else {
        keys[t - base] = h->ring_k + offset_of(format, slot * h->D), values[t - base] = h->ring_v + offset_of(format, slot * h->D);
        if (++slot == h->ring) slot = 0;
      }
    }
    for (int i = 0; i < nq; i++) {
      query[i].begin = lk_max64(begin, position + i - h->window + 1) - base;
      query[i].end = lk_min64(end, position + i + 1) - base;
    }
    const int64_t then = base + LK_CHUNK < high ? base + LK_CHUNK : low;
    const char *next = then > low ? h->ring_k : h->next_ring_k;
    if (next) next = nq == 1 && then < h->first ? next + offset_of(format, then % h->ring * h->D) : 0;
    attend_chunk(format, nq, query, h, keys, values, next);
  }
  for (int i = 0; i < nq; i++) {
    const float inverse = 1.0f / query[i].sum;
    for (int64_t d = 0; d < h->D; d += W) v_store_n(query[i].out + d, v_load_n(query[i].out + d, h->D - d) * inverse, h->D - d);
  }
}

// Queries at positions p0 ..< p1, of which q and out have the rows.
LK_INLINE void attend_range(const int format, const lk_head *h, const float *q, float *out, int64_t p0, int64_t p1) {
  int64_t p = p0;
  for (; p + 4 <= p1; p += 4) attend(format, 4, h, q + (p - p0) * h->stride, p, out + (p - p0) * h->stride);
  for (; p < p1; p++) attend(format, 1, h, q + (p - p0) * h->stride, p, out + (p - p0) * h->stride);
}

static void attend_f32(const lk_head *h, const float *q, float *out, int64_t p0, int64_t p1) { attend_range(LK_F32, h, q, out, p0, p1); }
static void attend_bf16(const lk_head *h, const float *q, float *out, int64_t p0, int64_t p1) { attend_range(LK_BF16, h, q, out, p0, p1); }

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
      .sinks = S, .window = window, .ring = 1, .first = 0, .stride = stride, .D = D, .scale = c->f[0],
    };
    const int64_t t0 = block * 32, from = offset + t0 * stride;
    attend_f32(&h, (const float *)c->p[0] + from, (float *)c->p[5] + from, t0, lk_min64(T, t0 + 32));
  }
}

LK_INLINE void ring_write(const int format, const lk_head *h, char *ring_k, char *ring_v, int64_t t, int64_t position) {
  const int64_t at = offset_of(format, position % h->ring * h->D);
  if (format == LK_F32) {
    memcpy(ring_k + at, h->k + t * h->stride, (size_t)h->D * sizeof(float));
    memcpy(ring_v + at, h->v + t * h->stride, (size_t)h->D * sizeof(float));
  } else {
    lk_to_bf16(h->k + t * h->stride, (uint16_t *)(ring_k + at), h->D);
    lk_to_bf16(h->v + t * h->stride, (uint16_t *)(ring_v + at), h->D);
  }
}

static void kernel_attention_stream(const lk_call *c, int thread, int threads) {
  const int format = (int)c->i[8];
  const int64_t B = c->i[0], T = c->i[1], H = c->i[2], D = c->i[3], window = c->i[4], S = c->p[3] ? c->i[5] : 0;
  const int64_t stride = H * D, sinks_stride = c->i[6], length = c->i[7] ? c->i[7] : window;
  const int32_t *position = c->p[7], *slots = c->p[9];
  if (T <= 0) return;
  int64_t begin, end;
  lk_share(B * H, 1, thread, threads, &begin, &end);
  for (int64_t u = begin; u < end; u++) {
    int64_t b = u / H, head = u % H, offset = (b * T * H + head) * D;
    const int64_t slot = slots ? slots[b] : b, first = slots ? position[b * T] : position[0];
    const int64_t sink = slot * sinks_stride + head * D, ring = (slot * H + head) * length * D;
    char *ring_k = (char *)c->p[5] + offset_of(format, ring), *ring_v = (char *)c->p[6] + offset_of(format, ring);
    const float *q = (const float *)c->p[0] + offset, *k = (const float *)c->p[1] + offset, *v = (const float *)c->p[2] + offset;
    float *out = (float *)c->p[8] + offset;
    lk_head h = {
      .sink_k = S ? (const float *)c->p[3] + sink : 0, .sink_v = S ? (const float *)c->p[4] + sink : 0,
      .ring_k = ring_k, .ring_v = ring_v, .k = k, .v = v,
      .sinks = S, .window = window, .ring = length, .first = first, .stride = stride, .D = D, .scale = c->f[0],
      .next_ring_k = head + 1 < H && u + 1 < end ? ring_k + offset_of(format, length * D) : 0,
    };
    if (format == LK_F32) {
      // The call's own keys are read where they lie and enter the ring only once every query of this head is answered:
      // the same as writing each before its query, and no query finds its window overwritten by a later position.
      attend_f32(&h, q, out, first, first + T);
      for (int64_t t = lk_max64(0, T - length); t < T; t++) ring_write(format, &h, ring_k, ring_v, t, first + t);
    } else {
      // They have to be rounded, so they enter the ring before they are read: no more at a time than leave the first one's window whole.
      const int64_t most = length - window + 1;
      for (int64_t t = 0; t < T; t += most) {
        const int64_t to = lk_min64(T, t + most);
        for (int64_t l = t; l < to; l++) ring_write(format, &h, ring_k, ring_v, l, first + l);
        h.first = first + to;
        attend_bf16(&h, q + t * stride, out + t * stride, first + t, first + to);
      }
    }
  }
}
