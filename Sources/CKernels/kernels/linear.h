// LK_LINEAR and LK_MATMUL.
#pragma once
#include "dot.h"
#include "elementwise.h"
#include "quantized.h"

// What follows a product, on columns n0 ..< n1: the activation, then the sum with the residual.
static void finish_linear(const lk_call *c, int64_t m0, int64_t m1, int64_t n0, int64_t n1) {
  const int64_t N = c->i[2], repeat = lk_max64(1, c->i[6]);
  const int activation = (int)c->i[5];
  const float *residual = c->p[5], *gate = c->p[6];
  if (activation < 0 && !residual) return;
  for (int64_t m = m0; m < m1; m++) {
    float *out = (float *)c->p[3] + m * N;
    if (activation >= 0) apply_unary(activation, out + n0, out + n0, n1 - n0);
    if (!residual) continue;
    const float *r = residual + m * N, *g = gate ? gate + m / repeat * N : 0;
    for (int64_t n = n0; n < n1; n += W) {
      const int64_t k = n1 - n;
      const vf y = v_load_n(out + n, k), x = v_load_n(r + n, k);
      v_store_n(out + n, g ? v_fma(v_load_n(g + n, k), y, x) : x + y, k);
    }
  }
}

#if defined(LK_BF16_PAIRS)
// Products of bf16 with bf16, summed in f32 two columns a lane: x is rounded first. Every output is one accumulator that walks K in
// order and is summed by v_sum, alone or in any block.
#define LK_PAIR_ROWS 6
#define LK_PAIR_COLUMNS 4
#define LK_PAIR_BYTES 196608  // rounded rows of x on the stack
#define LK_PAIR_MOST 16384    // columns: LK_PAIR_ROWS of them fit

LK_INLINE void pair_block(const int mr, const int nr, const lk_dot *d, const uint16_t *x, int64_t m, int64_t n) {
  vf acc[LK_PAIR_ROWS][LK_PAIR_COLUMNS];
  LK_UNROLL
  for (int i = 0; i < mr; i++) {
    LK_UNROLL
    for (int j = 0; j < nr; j++) acc[i][j] = v_zero();
  }
  const char *w = d->w + n * d->bytes_w;
  for (int64_t k = 0; k < d->K; k += 2 * W) {
    fetch_ahead(nr, w + 2 * k * nr + fetch_distance(nr, d));
    __m512bh a[LK_PAIR_ROWS];
    LK_UNROLL
    for (int i = 0; i < mr; i++) memcpy(&a[i], x + i * d->K + k, sizeof a[i]);
    LK_UNROLL
    for (int j = 0; j < nr; j++) {
      __m512bh b;
      memcpy(&b, w + j * d->bytes_w + 2 * k, sizeof b);
      LK_UNROLL
      for (int i = 0; i < mr; i++) acc[i][j] = (vf)_mm512_dpbf16_ps((__m512)acc[i][j], a[i], b);
    }
  }
  LK_UNROLL
  for (int i = 0; i < mr; i++) {
    float *out = d->out + (m + i) * d->stride_out + n, sums[4];
    if (nr == 4) v_sum4(acc[i][0], acc[i][1], acc[i][2], acc[i][3], sums);
    else sums[0] = v_sum(acc[i][0]);
    LK_UNROLL
    for (int j = 0; j < nr; j++) out[j] = d->bias ? sums[j] + d->bias[n + j] : sums[j];
  }
}

// `panel`: rows of w that stay in the second-level cache while all rows of x pass over them.
static void pair_range(const lk_dot *d, int64_t m0, int64_t m1, int64_t n0, int64_t n1, int64_t panel) {
  if (m0 >= m1 || n0 >= n1) return;
  const int64_t K = d->K, rows = lk_max64(LK_PAIR_ROWS, LK_PAIR_BYTES / (2 * K) / LK_PAIR_ROWS * LK_PAIR_ROWS);
  _Alignas(64) uint16_t x[lk_min64(rows, m1 - m0) * K];
  for (int64_t from = m0; from < m1; from += rows) {
    const int64_t to = lk_min64(m1, from + rows);
    for (int64_t m = from; m < to; m++)
      for (int64_t k = 0; k < K; k += W) {
        const __m256bh rounded = _mm512_cvtneps_pbh((__m512)v_load(d->x + m * d->stride_x + k));
        memcpy(x + (m - from) * K + k, &rounded, sizeof rounded);
      }
    for (int64_t p = n0; p < n1; p += panel) {
      const int64_t stop = lk_min64(n1, p + panel);
      int64_t m = from;
#define COLUMNS(MR)                                                                                                         \
  {                                                                                                                         \
    int64_t n = p;                                                                                                          \
    for (; n + LK_PAIR_COLUMNS <= stop; n += LK_PAIR_COLUMNS) pair_block(MR, LK_PAIR_COLUMNS, d, x + (m - from) * K, m, n); \
    for (; n < stop; n++) pair_block(MR, 1, d, x + (m - from) * K, m, n);                                                   \
  }
      for (; m + LK_PAIR_ROWS <= to; m += LK_PAIR_ROWS) COLUMNS(LK_PAIR_ROWS)
      for (; m < to; m++) COLUMNS(1)
#undef COLUMNS
    }
  }
}
#endif

static void kernel_linear(const lk_call *c, int thread, int threads) {
  const int64_t M = c->i[0], K = c->i[1], N = c->i[2], group = c->i[4];
  const int format = (int)c->i[3];
  const int scaled = format == LK_INT8 || format == LK_INT4;
  const int64_t row_bytes = format == LK_F32 ? 4 * K : format == LK_BF16 ? 2 * K : format == LK_INT8 ? K : (K + 1) / 2;
  lk_dot d = {
    .x = c->p[0], .stride_x = K, .w = c->p[1], .bytes_w = row_bytes, .scales = c->p[4],
    .groups = scaled ? K / group : 1, .group = scaled ? group : K, .K = K, .bias = c->p[2], .out = c->p[3], .stride_out = N,
  };
  const int tiled = lk_is_tiled(format, K, group);
  int64_t m0 = 0, m1 = M, n0 = 0, n1 = N;
  if (N >= 64 * threads || M < LK_MR * threads) lk_share(N, tiled || N >= 32 * threads ? LK_TILE : 1, thread, threads, &n0, &n1);
  else lk_share(M, LK_MR, thread, threads, &m0, &m1);
  if (tiled) {
    quantized_range(format, &d, m0, m1, n0, n1);
    finish_linear(c, m0, m1, n0, n1);
    return;
  }
  // A panel of weights stays in the second-level cache while all rows pass over it.
  const int64_t panel = lk_max64(16, 131072 / lk_max64(1, row_bytes) / 16 * 16);
#if defined(LK_BF16_PAIRS)
  if (c->i[7] && format == LK_BF16 && K > 0 && K <= LK_PAIR_MOST && K % (2 * W) == 0) {
    pair_range(&d, m0, m1, n0, n1, panel);
    finish_linear(c, m0, m1, n0, n1);
    return;
  }
#endif
  for (int64_t n = n0; n < n1; n += panel) {
    int64_t stop = lk_min64(n1, n + panel);
    dot_any(format, &d, m0, m1, n, stop);
    finish_linear(c, m0, m1, n, stop);
  }
}

// Rows of a by vectors of b in one block of the product with b [K, N].
#if defined(LK_AVX512_BUILD)
#define LK_OUTER_ROWS 6
#define LK_OUTER_VECTORS 4
#elif defined(LK_AVX2_BUILD)
#define LK_OUTER_ROWS 6
#define LK_OUTER_VECTORS 2
#elif defined(LK_NEON_BUILD)
#define LK_OUTER_ROWS 5
#define LK_OUTER_VECTORS 4
#else
#define LK_OUTER_ROWS 4
#define LK_OUTER_VECTORS 2
#endif

// out[m ..< m + mr, n ..< n + nv vectors] = a . b, b [K, N]: one accumulator an output, k in order.
LK_INLINE void outer_block(const int mr, const int nv, const float *a, const float *b, float *out, int64_t K, int64_t N, int64_t columns) {
  vf acc[8][4];
  const int partial = nv == 1;
  LK_UNROLL
  for (int i = 0; i < mr; i++) {
    LK_UNROLL
    for (int j = 0; j < nv; j++) acc[i][j] = v_zero();
  }
  for (int64_t k = 0; k < K; k++) {
    vf row[4];
    LK_UNROLL
    for (int j = 0; j < nv; j++) row[j] = partial ? v_load_n(b + k * N, columns) : v_load(b + k * N + j * W);
    LK_UNROLL
    for (int i = 0; i < mr; i++) {
      vf x = v_set(a[i * K + k]);
      LK_UNROLL
      for (int j = 0; j < nv; j++) acc[i][j] = v_fma(x, row[j], acc[i][j]);
    }
  }
  LK_UNROLL
  for (int i = 0; i < mr; i++) {
    LK_UNROLL
    for (int j = 0; j < nv; j++) {
      if (partial) v_store_n(out + i * N, acc[i][j], columns);
      else v_store(out + i * N + j * W, acc[i][j]);
    }
  }
}

static void outer_range(const float *a, const float *b, float *out, int64_t K, int64_t N, int64_t m0, int64_t m1, int64_t n0, int64_t n1) {
  enum { V = LK_OUTER_VECTORS };
  int64_t m = m0;
#define COLUMNS(MR)                                                                                                  \
  {                                                                                                                  \
    int64_t n = n0;                                                                                                  \
    for (; n + V * W <= n1; n += V * W) outer_block(MR, V, a + m * K, b + n, out + m * N + n, K, N, 0);              \
    for (; n < n1; n += W) outer_block(MR, 1, a + m * K, b + n, out + m * N + n, K, N, lk_min64(W, n1 - n));         \
  }
  for (; m + LK_OUTER_ROWS <= m1; m += LK_OUTER_ROWS) COLUMNS(LK_OUTER_ROWS)
  for (; m < m1; m++) COLUMNS(1)
#undef COLUMNS
}

static void kernel_matmul(const lk_call *c, int thread, int threads) {
  const int64_t rank = c->i[0], M = c->i[13], N = c->i[14], K = c->i[15];
  const int transposed = c->i[16] != 0;
  int64_t batch = 1;
  for (int64_t d = 0; d < rank; d++) batch *= c->i[1 + d];
  const int64_t tile_m = transposed ? LK_MR * 8 : LK_OUTER_ROWS * 8, tile_n = transposed ? 32 : 8 * W;
  const int64_t tiles_m = (M + tile_m - 1) / tile_m, tiles_n = (N + tile_n - 1) / tile_n;
  int64_t begin, end;
  lk_share(batch * tiles_m * tiles_n, 1, thread, threads, &begin, &end);
  for (int64_t u = begin; u < end; u++) {
    int64_t rest = u / (tiles_m * tiles_n), index = rest, oa = 0, ob = 0;
    for (int64_t d = rank - 1; d >= 0; d--) {
      int64_t at = rest % c->i[1 + d];
      rest /= c->i[1 + d];
      oa += at * c->i[5 + d], ob += at * c->i[9 + d];
    }
    const float *a = (const float *)c->p[0] + oa, *b = (const float *)c->p[1] + ob;
    float *out = (float *)c->p[2] + index * M * N;
    int64_t m0 = u / tiles_n % tiles_m * tile_m, n0 = u % tiles_n * tile_n;
    int64_t m1 = lk_min64(M, m0 + tile_m), n1 = lk_min64(N, n0 + tile_n);
    if (transposed) {
      lk_dot d = {.x = a, .stride_x = K, .w = (const char *)b, .bytes_w = 4 * K, .groups = 1, .group = K, .K = K, .out = out, .stride_out = N};
      dot_range_f32(&d, m0, m1, n0, n1);
    } else {
      outer_range(a, b, out, K, N, m0, m1, n0, n1);
    }
  }
}
