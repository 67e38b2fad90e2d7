// Kernels that move data: LK_COPY, LK_GATHER, LK_FRAME, LK_OVERLAP_ADD and their streaming forms.
#pragma once
#include "vector.h"

static void copy_row(const float *in, int64_t stride_in, float *out, int64_t stride_out, int64_t n) {
  if (stride_out == 1 && stride_in == 1) {
    memcpy(out, in, (size_t)n * sizeof(float));
  } else if (stride_out == 1 && stride_in == 0) {
    uint32_t value;
    memcpy(&value, in, 4);
    for (int64_t j = 0; j < n; j++) memcpy(out + j, &value, 4);
  } else {
    for (int64_t j = 0; j < n; j++) memcpy(out + j * stride_out, in + j * stride_in, 4);
  }
}

// A transposition: `along` walks the input's contiguous axis, the last axis the output's. Tiles of 16 by 16, so that a cache
// line that is read is used whole. Units are tiles of `along` by the whole last axis, for every index of the other axes.
static void copy_transposed(const float *in, float *out, const int64_t *dims, const int64_t *si, const int64_t *so, int rank, int along, int thread, int threads) {
  const int last = rank - 1;
  const int64_t tiles = (dims[along] + 15) / 16;
  int64_t units = tiles, begin, end;
  for (int d = 0; d < last; d++)
    if (d != along) units *= dims[d];
  lk_share(units, 1, thread, threads, &begin, &end);
  for (int64_t u = begin; u < end; u++) {
    int64_t rest = u / tiles, a0 = u % tiles * 16, oi = 0, oo = 0;
    for (int d = last - 1; d >= 0; d--) {
      if (d == along) continue;
      int64_t index = rest % dims[d];
      rest /= dims[d];
      oi += index * si[d], oo += index * so[d];
    }
    const int64_t na = lk_min64(16, dims[along] - a0);
    for (int64_t j0 = 0; j0 < dims[last]; j0 += 16) {
      const int64_t nj = lk_min64(16, dims[last] - j0);
      const float *p = in + oi + a0 * si[along] + j0 * si[last];
      float *q = out + oo + a0 * so[along] + j0 * so[last];
      for (int64_t a = 0; a < na; a++)
        for (int64_t j = 0; j < nj; j++) memcpy(q + a * so[along] + j * so[last], p + a * si[along] + j * si[last], 4);
    }
  }
}

static void kernel_copy(const lk_call *c, int thread, int threads) {
  const float *in = (const float *)c->p[0] + c->i[19];
  float *out = (float *)c->p[1] + c->i[20];
  int64_t dims[LK_MAX_RANK], si[LK_MAX_RANK], so[LK_MAX_RANK], count = 1;
  int rank = 0;
  for (int64_t d = 0; d < c->i[0]; d++) {
    int64_t n = c->i[1 + d], a = c->i[7 + d], b = c->i[13 + d];
    count *= n;
    if (n == 1) continue;
    if (rank > 0 && si[rank - 1] == n * a && so[rank - 1] == n * b) {
      dims[rank - 1] *= n, si[rank - 1] = a, so[rank - 1] = b;
    } else {
      dims[rank] = n, si[rank] = a, so[rank] = b, rank++;
    }
  }
  if (rank == 0) dims[0] = 1, si[0] = 1, so[0] = 1, rank = 1;
  if (si[rank - 1] != 1 && dims[rank - 1] > 1)
    for (int d = rank - 2; d >= 0; d--)
      if (si[d] == 1 && dims[d] > 1) {
        copy_transposed(in, out, dims, si, so, rank, d, thread, threads);
        return;
      }
  int64_t begin, end;
  lk_share(count, 16 * W, thread, threads, &begin, &end);
  const int64_t inner = dims[rank - 1];
  while (begin < end) {
    int64_t rest = begin / inner, column = begin % inner, n = lk_min64(inner - column, end - begin);
    int64_t oi = column * si[rank - 1], oo = column * so[rank - 1];
    for (int d = rank - 2; d >= 0; d--) {
      int64_t index = rest % dims[d];
      rest /= dims[d];
      oi += index * si[d], oo += index * so[d];
    }
    copy_row(in + oi, si[rank - 1], out + oo, so[rank - 1], n);
    begin += n;
  }
}

static void kernel_gather(const lk_call *c, int thread, int threads) {
  const float *table = c->p[0];
  const int32_t *indices = c->p[1];
  float *out = c->p[2];
  const int64_t width = c->i[1], rows = c->i[2];
  int64_t begin, end;
  lk_share(c->i[0], 1, thread, threads, &begin, &end);
  for (int64_t r = begin; r < end; r++) {
    int64_t index = indices[r];
    if (index >= 0 && index < rows) memcpy(out + r * width, table + index * width, (size_t)width * sizeof(float));
    else memset(out + r * width, 0, (size_t)width * sizeof(float));
  }
}

static void kernel_frame(const lk_call *c, int thread, int threads) {
  const float *in = c->p[0];
  float *out = c->p[1];
  const int64_t length = c->i[1], frames = c->i[2], size = c->i[3], hop = c->i[4];
  int64_t begin, end;
  lk_share(c->i[0] * frames, 1, thread, threads, &begin, &end);
  for (int64_t u = begin; u < end; u++) {
    int64_t b = u / frames, start = u % frames * hop, n = lk_max64(0, lk_min64(size, length - start));
    if (n > 0) memcpy(out + u * size, in + b * length + start, (size_t)n * sizeof(float));
    if (n < size) memset(out + u * size + n, 0, (size_t)(size - n) * sizeof(float));
  }
}

// out[s - s0] for samples s0 ..< s1 that lie within one hop: `before` (what earlier chunks left, or zero) plus every
// frame that covers them, oldest first. Alike offline and in a stream, so both give the same bits.
LK_INLINE void overlap_add_span(const float *in, const float *before, int64_t before_count, float *out, int64_t s0, int64_t s1, int64_t frames, int64_t size, int64_t hop) {
  const int64_t newest = lk_min64(frames - 1, s0 / hop);
  for (int64_t s = s0; s < s1; s += W) {
    const int64_t n = lk_min64(W, s1 - s), left = lk_min64(n, before_count - s);
    vf acc = left > 0 ? v_load_n(before + s, left) : v_zero();
    int64_t oldest = s < size ? 0 : (s - size) / hop + 1;
    for (int64_t j = oldest; j <= newest; j++) {
      int64_t at = s - j * hop, m = lk_min64(n, size - at);
      if (m > 0) acc += v_load_n(in + j * size + at, m);
    }
    v_store_n(out + s - s0, acc, n);
  }
}

static void kernel_overlap_add(const lk_call *c, int thread, int threads) {
  const int64_t frames = c->i[1], size = c->i[2], hop = c->i[3];
  const int64_t length = (frames - 1) * hop + size, spans = (length + hop - 1) / hop;
  int64_t begin, end;
  lk_share(c->i[0] * spans, 1, thread, threads, &begin, &end);
  for (int64_t u = begin; u < end; u++) {
    int64_t b = u / spans, s = u % spans * hop;
    overlap_add_span((const float *)c->p[0] + b * frames * size, 0, 0, (float *)c->p[1] + b * length + s, s, lk_min64(length, s + hop), frames, size, hop);
  }
}

// Where the state of row `b` lies: rows come in groups of `rows`, one group a slot.
LK_INLINE int64_t state_row(const int32_t *slots, int64_t rows, int64_t b) { return slots ? slots[b / rows] * rows + b % rows : b; }

static void kernel_overlap_add_stream(const lk_call *c, int thread, int threads) {
  const int64_t frames = c->i[1], size = c->i[2], hop = c->i[3], count = size - hop;
  int64_t begin, end;
  lk_share(c->i[0], 1, thread, threads, &begin, &end);
  for (int64_t b = begin; b < end; b++) {
    const float *in = (const float *)c->p[0] + b * frames * size;
    float *tail = (float *)c->p[1] + state_row(c->p[3], c->i[4], b) * count, *out = (float *)c->p[2] + b * frames * hop;
    for (int64_t j = 0; j < frames; j++) overlap_add_span(in, tail, count, out + j * hop, j * hop, (j + 1) * hop, frames, size, hop);
    // The tail is rewritten from samples that lie further on, in ascending order: each is read before it is overwritten.
    for (int64_t s = frames * hop; s < frames * hop + count; s += hop)
      overlap_add_span(in, tail, count, tail + s - frames * hop, s, lk_min64(frames * hop + count, s + hop), frames, size, hop);
  }
}

static void kernel_frame_stream(const lk_call *c, int thread, int threads) {
  const int64_t frames = c->i[1], size = c->i[2], hop = c->i[3], count = size - hop, length = frames * hop;
  int64_t begin, end;
  lk_share(c->i[0], 1, thread, threads, &begin, &end);
  for (int64_t b = begin; b < end; b++) {
    const float *in = (const float *)c->p[0] + b * length;
    float *tail = (float *)c->p[1] + state_row(c->p[3], c->i[4], b) * count, *out = (float *)c->p[2] + b * frames * size;
    for (int64_t j = 0; j < frames; j++) {
      int64_t start = j * hop, old = lk_max64(0, lk_min64(size, count - start));
      if (old > 0) memcpy(out + j * size, tail + start, (size_t)old * sizeof(float));
      if (old < size) memcpy(out + j * size + old, in + start + old - count, (size_t)(size - old) * sizeof(float));
    }
    int64_t keep = lk_max64(0, count - length);
    if (keep > 0) memmove(tail, tail + length, (size_t)keep * sizeof(float));
    if (count > keep) memcpy(tail + keep, in + length - (count - keep), (size_t)(count - keep) * sizeof(float));
  }
}

// Shares of whole lines, each with a word of its own in `out`: the compiler cannot leave the reading out.
static void kernel_read(const lk_call *c, int thread, int threads) {
  int64_t begin, end;
  lk_share(c->i[0], 1024, thread, threads, &begin, &end);
  const char *p = c->p[0];
  vi a[8] = {{0}};
  for (; begin + 32 * W <= end; begin += 32 * W)
    LK_UNROLL
    for (int j = 0; j < 8; j++) {
      vi v;
      memcpy(&v, p + begin + j * 4 * W, sizeof v);
      a[j] ^= v;
    }
  for (int j = 1; j < 8; j++) a[0] ^= a[j];
  ((int32_t *)c->p[1])[thread] = a[0][0] ^ a[0][1];
}
