// LK_UNARY, LK_BINARY, LK_SCALAR_OP, LK_SELECT, LK_FILL, LK_MODULATE, LK_GATED_ADD.
#pragma once
#include "elementary.h"

LK_INLINE vf v_unary(int function, vf x) {
  switch (function) {
    case LK_NEGATE: return -x;
    case LK_ABSOLUTE: return v_abs(x);
    case LK_EXP: return v_exp(x);
    case LK_LOG: return v_log(x);
    case LK_SQRT: return v_sqrt(x);
    case LK_RSQRT: return 1.0f / v_sqrt(x);
    case LK_SIN: return v_sin_quarter(x, 0);
    case LK_COS: return v_sin_quarter(x, 1);
    case LK_TANH: return v_tanh(x);
    case LK_SIGMOID: return v_sigmoid(x);
    case LK_RELU: return v_select((vi)(x < 0.0f), v_zero(), x);
    case LK_GELU: return v_gelu(x);
    case LK_SILU: return x * v_sigmoid(x);
    case LK_SOFTPLUS: return v_softplus(x);
    case LK_SQUARE: return x * x;
    default: return x;
  }
}

#define LK_EACH_UNARY(CASE) \
  CASE(LK_NEGATE) CASE(LK_ABSOLUTE) CASE(LK_EXP) CASE(LK_LOG) CASE(LK_SQRT) CASE(LK_RSQRT) CASE(LK_SIN) CASE(LK_COS) \
  CASE(LK_TANH) CASE(LK_SIGMOID) CASE(LK_RELU) CASE(LK_GELU) CASE(LK_SILU) CASE(LK_SOFTPLUS) CASE(LK_SQUARE)

// out[0 ..< n] = function(in); in == out is allowed.
static void apply_unary(int function, const float *in, float *out, int64_t n) {
  switch (function) {
#define CASE(F)                                                                          \
  case F:                                                                                \
    for (int64_t j = 0; j < n; j += W) v_store_n(out + j, v_unary(F, v_load_n(in + j, n - j)), n - j); \
    break;
    LK_EACH_UNARY(CASE)
#undef CASE
    default: break;
  }
}

static void kernel_unary(const lk_call *c, int thread, int threads) {
  int64_t begin, end;
  lk_share(c->i[0], 16 * W, thread, threads, &begin, &end);
  apply_unary((int)c->i[1], (const float *)c->p[0] + begin, (float *)c->p[1] + begin, end - begin);
}

LK_INLINE vf v_binary(int function, vf a, vf b) {
  switch (function) {
    case LK_ADD: return a + b;
    case LK_SUBTRACT: return a - b;
    case LK_MULTIPLY: return a * b;
    case LK_DIVIDE: return a / b;
    case LK_MAXIMUM: return v_maximum(a, b);
    case LK_MINIMUM: return v_minimum(a, b);
    case LK_POWER: return v_power(a, b);
    case LK_GREATER: return (vf)((vi)(a > b) & 0x3f800000);
    default: return a;
  }
}

#define LK_EACH_BINARY(CASE) \
  CASE(LK_ADD) CASE(LK_SUBTRACT) CASE(LK_MULTIPLY) CASE(LK_DIVIDE) CASE(LK_MAXIMUM) CASE(LK_MINIMUM) CASE(LK_POWER) CASE(LK_GREATER)

LK_INLINE vf v_gather_strided(const float *p, int64_t stride, int64_t n) {
  vf v = {0};
  for (int64_t j = 0; j < n; j++) v[j] = p[j * stride];
  return v;
}

// One contiguous row of the output; strides are 0, 1 or anything.
LK_INLINE void binary_row(int function, const float *a, int64_t stride_a, const float *b, int64_t stride_b, float *out, int64_t n) {
  if (stride_a == 1 && stride_b == 1) {
    for (int64_t j = 0; j < n; j += W)
      v_store_n(out + j, v_binary(function, v_load_n(a + j, n - j), v_load_n(b + j, n - j)), n - j);
  } else if (stride_a == 1 && stride_b == 0) {
    vf constant = v_set(b[0]);
    for (int64_t j = 0; j < n; j += W) v_store_n(out + j, v_binary(function, v_load_n(a + j, n - j), constant), n - j);
  } else if (stride_a == 0 && stride_b == 1) {
    vf constant = v_set(a[0]);
    for (int64_t j = 0; j < n; j += W) v_store_n(out + j, v_binary(function, constant, v_load_n(b + j, n - j)), n - j);
  } else {
    for (int64_t j = 0; j < n; j += W) {
      int64_t m = lk_min64(W, n - j);
      v_store_n(out + j, v_binary(function, v_gather_strided(a + j * stride_a, stride_a, m), v_gather_strided(b + j * stride_b, stride_b, m)), m);
    }
  }
}

static void apply_binary_row(int function, const float *a, int64_t stride_a, const float *b, int64_t stride_b, float *out, int64_t n) {
  switch (function) {
#define CASE(F) case F: binary_row(F, a, stride_a, b, stride_b, out, n); break;
    LK_EACH_BINARY(CASE)
#undef CASE
    default: break;
  }
}

static void kernel_binary(const lk_call *c, int thread, int threads) {
  const float *a = c->p[0], *b = c->p[1];
  float *out = c->p[2];
  // Drop axes of length 1 and merge neighbours that both operands walk as one axis.
  int64_t dims[LK_MAX_RANK], sa[LK_MAX_RANK], sb[LK_MAX_RANK], count = 1;
  int rank = 0;
  for (int64_t d = 0; d < c->i[1]; d++) {
    int64_t n = c->i[2 + d], ta = c->i[8 + d], tb = c->i[14 + d];
    count *= n;
    if (n == 1) continue;
    if (rank > 0 && sa[rank - 1] == n * ta && sb[rank - 1] == n * tb) {
      dims[rank - 1] *= n, sa[rank - 1] = ta, sb[rank - 1] = tb;
    } else {
      dims[rank] = n, sa[rank] = ta, sb[rank] = tb, rank++;
    }
  }
  if (rank == 0) dims[0] = 1, sa[0] = 1, sb[0] = 1, rank = 1;
  int64_t begin, end;
  lk_share(count, 16 * W, thread, threads, &begin, &end);
  int64_t inner = dims[rank - 1];
  while (begin < end) {
    int64_t rest = begin / inner, column = begin % inner, n = lk_min64(inner - column, end - begin);
    int64_t oa = column * sa[rank - 1], ob = column * sb[rank - 1];
    for (int d = rank - 2; d >= 0; d--) {
      int64_t index = rest % dims[d];
      rest /= dims[d];
      oa += index * sa[d], ob += index * sb[d];
    }
    apply_binary_row((int)c->i[0], a + oa, sa[rank - 1], b + ob, sb[rank - 1], out + begin, n);
    begin += n;
  }
}

static void kernel_scalar_op(const lk_call *c, int thread, int threads) {
  int64_t begin, end;
  lk_share(c->i[0], 16 * W, thread, threads, &begin, &end);
  const float *in = (const float *)c->p[0] + begin;
  float *out = (float *)c->p[1] + begin;
  int64_t n = end - begin;
  float constant = c->f[0];
  int function = (int)c->i[1];
  if (function == LK_POWER) {
    // Common exponents without the general power.
    if (constant == 2.0f) { apply_unary(LK_SQUARE, in, out, n); return; }
    if (constant == 1.0f) { apply_binary_row(LK_MULTIPLY, in, 1, &constant, 0, out, n); return; }
    if (constant == -1.0f) {
      float one = 1.0f;
      apply_binary_row(LK_DIVIDE, &one, 0, in, 1, out, n);
      return;
    }
  }
  apply_binary_row(function, in, 1, &constant, 0, out, n);
}

static void kernel_select(const lk_call *c, int thread, int threads) {
  int64_t begin, end;
  lk_share(c->i[0], 16 * W, thread, threads, &begin, &end);
  const float *condition = c->p[0], *a = c->p[1], *b = c->p[2];
  float *out = c->p[3];
  for (int64_t j = begin; j < end; j += W) {
    int64_t n = end - j;
    v_store_n(out + j, v_select((vi)(v_load_n(condition + j, n) != 0.0f), v_load_n(a + j, n), v_load_n(b + j, n)), n);
  }
}

static void kernel_fill(const lk_call *c, int thread, int threads) {
  int64_t begin, end;
  lk_share(c->i[0], 16 * W, thread, threads, &begin, &end);
  float *out = c->p[0];
  vf value = v_set(c->f[0]);
  for (int64_t j = begin; j < end; j += W) v_store_n(out + j, value, end - j);
}

static void kernel_modulate(const lk_call *c, int thread, int threads) {
  const float *x = c->p[0], *shift = c->p[1], *scale = c->p[2];
  float *out = c->p[3];
  int64_t rows = c->i[0], n = c->i[1], repeat = c->i[2], begin, end;
  lk_share(rows * n, W, thread, threads, &begin, &end);
  while (begin < end) {
    int64_t row = begin / n, column = begin % n, count = lk_min64(n - column, end - begin);
    int64_t m = row / repeat * n + column;
    for (int64_t j = 0; j < count; j += W) {
      int64_t k = count - j;
      v_store_n(out + begin + j, v_fma(v_load_n(x + begin + j, k), v_load_n(scale + m + j, k) + 1.0f, v_load_n(shift + m + j, k)), k);
    }
    begin += count;
  }
}

static void kernel_gated_add(const lk_call *c, int thread, int threads) {
  const float *x = c->p[0], *gate = c->p[1], *h = c->p[2];
  float *out = c->p[3];
  int64_t rows = c->i[0], n = c->i[1], repeat = c->i[2], begin, end;
  lk_share(rows * n, W, thread, threads, &begin, &end);
  while (begin < end) {
    int64_t row = begin / n, column = begin % n, count = lk_min64(n - column, end - begin);
    int64_t m = row / repeat * n + column;
    for (int64_t j = 0; j < count; j += W) {
      int64_t k = count - j;
      v_store_n(out + begin + j, v_fma(v_load_n(gate + m + j, k), v_load_n(h + begin + j, k), v_load_n(x + begin + j, k)), k);
    }
    begin += count;
  }
}
