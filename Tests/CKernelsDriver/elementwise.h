// LK_UNARY, LK_BINARY, LK_SCALAR_OP, LK_SELECT, LK_FILL, LK_MODULATE, LK_GATED_ADD.
#pragma once
#include "harness.h"

static const char *const unary_names[] = {"negate", "absolute", "exp", "log", "sqrt", "rsqrt", "sin", "cos", "tanh", "sigmoid", "relu", "gelu", "silu", "softplus", "square"};
static const char *const binary_names[] = {"add", "subtract", "multiply", "divide", "maximum", "minimum", "power", "greater"};

static double reference_unary(int function, double x) {
  switch (function) {
    case LK_NEGATE: return -x;
    case LK_ABSOLUTE: return fabs(x);
    case LK_EXP: return exp(x);
    case LK_LOG: return log(x);
    case LK_SQRT: return sqrt(x);
    case LK_RSQRT: return 1 / sqrt(x);
    case LK_SIN: return sin(x);
    case LK_COS: return cos(x);
    case LK_TANH: return tanh(x);
    case LK_SIGMOID: return 1 / (1 + exp(-x));
    case LK_RELU: return x < 0 ? 0 : x;
    case LK_GELU: return x / (1 + exp(-2 * sqrt(2 / M_PI) * (x + 0.044715 * x * x * x)));
    case LK_SILU: return x / (1 + exp(-x));
    case LK_SOFTPLUS: return x > 0 ? x + log1p(exp(-x)) : log1p(exp(x));
    default: return x * x;
  }
}

// Relative, plus what flushing results below the normal range costs; sine and cosine are absolute, since the double
// reference's own argument is exact and theirs is too.
static double unary_bound(int function, double x, double y) {
  if (function == LK_SIN || function == LK_COS) return 2e-7;
  // The exponent's own rounding grows with its size.
  if (function == LK_GELU) return fabs(y) * (6e-7 + 2e-7 * fmax(0, -1.6 * (x + 0.044715 * x * x * x))) + 1e-36;
  if (function == LK_SILU) return fabs(y) * 6e-7 + 1e-36;
  if (function == LK_SIGMOID || function == LK_SOFTPLUS || function == LK_EXP) return fabs(y) * 6e-7 + 1.3e-38;
  return fabs(y) * 4e-7 + 1.2e-38;
}

static float unary_argument(int function) {
  switch (function) {
    case LK_EXP: return (float)random_real(-90, 88.7);
    case LK_LOG: case LK_SQRT: case LK_RSQRT: return (float)exp(random_real(-80, 80));
    case LK_SIN: case LK_COS: return (float)(random_real(-1, 1) * exp(random_real(-8, 12)));
    default: return (float)(random_real(-1, 1) * exp(random_real(-8, 3)));
  }
}

static void check_unary(int function, const float *x, int64_t n, const char *what) {
  double *y = doubles(n), *bound = doubles(n);
  for (int64_t j = 0; j < n; j++) {
    y[j] = reference_unary(function, x[j]), bound[j] = unary_bound(function, x[j], y[j]);
    if (fabs(y[j]) > 3.4028236e38) y[j] = y[j] > 0 ? HUGE_VAL : -HUGE_VAL;
  }
  trial t = trial_of(LK_UNARY, "unary", "%s, %scount %lld", unary_names[function], what, (long long)n);
  input_floats(&t, 0, x, n);
  output(&t, 1, n, y, bound);
  INTEGERS(&t, n, function);
  check(&t);
}

static void test_unary(void) {
  for (int function = 0; function < LK_UNARY_COUNT; function++) {
    for (int l = 0; l < COUNT(lengths); l++) {
      float *x = floats(lengths[l]);
      for (int64_t j = 0; j < lengths[l]; j++) x[j] = unary_argument(function);
      check_unary(function, x, lengths[l], "");
    }
    // GELU and SiLU of minus infinity are infinity times zero.
    static const float special[] = {NAN, 0.0f, -0.0f, 1.0f, -1.0f, INFINITY, 1e38f, 1e-30f, -1e-30f, NAN, 89.5f, -104.0f, 500.0f, -500.0f, NAN, INFINITY, -INFINITY};
    int64_t n = COUNT(special) - (function == LK_GELU || function == LK_SILU);
    float *x = floats(n);
    memcpy(x, special, (size_t)n * sizeof(float));
    for (int64_t j = 0; j < n && (function == LK_SIN || function == LK_COS); j++)
      if (fabsf(x[j]) > 1e6f && !isinf(x[j])) x[j] = 0;  // promised up to 1e9 only
    check_unary(function, x, n, "special values, ");
  }
}

static double reference_binary(int function, double a, double b) {
  switch (function) {
    case LK_ADD: return a + b;
    case LK_SUBTRACT: return a - b;
    case LK_MULTIPLY: return a * b;
    case LK_DIVIDE: return a / b;
    case LK_MAXIMUM: return isnan(a) || isnan(b) ? NAN : a > b ? a : b;
    case LK_MINIMUM: return isnan(a) || isnan(b) ? NAN : a < b ? a : b;
    case LK_POWER: return pow(a, b);
    default: return a > b;
  }
}

// Operands of a broadcast: zero strides repeat, others walk a tensor whose axes lie in a random order, some with gaps.
static int64_t broadcast_strides(int rank, const int64_t *dims, int64_t *strides, int repeats, int shuffled) {
  int order[LK_MAX_RANK];
  for (int d = 0; d < rank; d++) order[d] = rank - 1 - d;
  for (int d = rank - 1; shuffled && d > 0; d--) {
    int other = (int)random_int(0, d), at = order[d];
    order[d] = order[other], order[other] = at;
  }
  int64_t stride = shuffled ? random_int(1, 2) : 1, last = 0;
  for (int d = 0; d < rank; d++) {
    int axis = order[d];
    if (repeats >> axis & 1) continue;
    strides[axis] = stride;
    last += (dims[axis] - 1) * stride;
    stride *= dims[axis];
  }
  return last + 1;
}

static void check_binary(int function, int rank, const int64_t *dims, int repeats_a, int repeats_b, int shuffled) {
  int64_t sa[LK_MAX_RANK] = {0}, sb[LK_MAX_RANK] = {0}, count = 1;
  for (int d = 0; d < rank; d++) count *= dims[d];
  int64_t na = broadcast_strides(rank, dims, sa, repeats_a, shuffled), nb = broadcast_strides(rank, dims, sb, repeats_b, shuffled);
  if (count == 0) na = nb = 0;
  float *a = normal_floats(na), *b = normal_floats(nb);
  for (int64_t j = 0; function == LK_POWER && j < na; j++)
    if (j % 3) a[j] = fabsf(a[j]);
  for (int64_t j = 0; function == LK_POWER && j < nb; j++)
    if (j % 2) b[j] = (float)random_int(-3, 3);
  for (int64_t j = 0; function != LK_POWER && j < na; j += 11) a[j] = j % 22 ? NAN : INFINITY;
  for (int64_t j = 5; function != LK_POWER && j < nb; j += 13) b[j] = j % 2 ? NAN : -INFINITY;
  double *expected = doubles(count), *bound = doubles(count);
  for (int64_t u = 0; u < count; u++) {
    int64_t rest = u, oa = 0, ob = 0;
    for (int d = rank - 1; d >= 0; d--) oa += rest % dims[d] * sa[d], ob += rest % dims[d] * sb[d], rest /= dims[d];
    expected[u] = reference_binary(function, a[oa], b[ob]), bound[u] = fabs(expected[u]) * 4e-7;
  }
  trial t = trial_of(
    LK_BINARY, "binary", "%s, rank %d, %lld x %lld x %lld x ..., repeating axes %x and %x%s", binary_names[function], rank, (long long)(rank > 0 ? dims[0] : 1),
    (long long)(rank > 1 ? dims[1] : 1), (long long)(rank > 2 ? dims[2] : 1), repeats_a, repeats_b, shuffled ? ", strided" : "");
  input_floats(&t, 0, a, na), input_floats(&t, 1, b, nb);
  output(&t, 2, count, expected, bound);
  t.call.i[0] = function, t.call.i[1] = rank;
  for (int d = 0; d < rank; d++) t.call.i[2 + d] = dims[d], t.call.i[8 + d] = sa[d], t.call.i[14 + d] = sb[d];
  check(&t);
}

static void test_binary(void) {
  for (int function = 0; function < LK_BINARY_COUNT; function++) {
    for (int l = 0; l < COUNT(lengths); l++) {
      const int64_t n = lengths[l], pair[2] = {random_int(1, 5), n};
      check_binary(function, 1, &n, 0, 0, 0);
      check_binary(function, 2, pair, 0, 3, 0);  // b constant
      check_binary(function, 2, pair, 3, 0, 0);
      check_binary(function, 2, pair, 0, 1, 0);  // b repeats along the leading axis
      check_binary(function, 2, pair, 0, 2, 0);
    }
    check_binary(function, 0, 0, 0, 0, 0);
    for (int j = 0; j < 12; j++) {
      int64_t dims[LK_MAX_RANK];
      int rank = (int)random_int(2, LK_MAX_RANK);
      for (int d = 0; d < rank; d++) dims[d] = random_int(1, rank > 4 ? 5 : 11);
      check_binary(function, rank, dims, (int)random_int(0, 63), (int)random_int(0, 63), j & 1);
    }
  }
}

static void test_scalar_op(void) {
  static const float constants[] = {2, 1, -1, 0.5f, 3, -2.5f};
  for (int function = 0; function < LK_BINARY_COUNT; function++)
    for (int l = 0; l < COUNT(lengths); l++)
      for (int k = 0; k < COUNT(constants); k++) {
        const int64_t n = lengths[l];
        const float c = constants[k];
        float *x = normal_floats(n);
        for (int64_t j = 0; j < n; j++)
          if (function == LK_POWER && c != floorf(c)) x[j] = fabsf(x[j]);
        if (n > 3) x[1] = NAN, x[2] = INFINITY;
        double *expected = doubles(n), *bound = doubles(n);
        for (int64_t j = 0; j < n; j++) expected[j] = reference_binary(function, x[j], c), bound[j] = fabs(expected[j]) * 4e-7;
        trial t = trial_of(LK_SCALAR_OP, "scalar op", "%s, count %lld, c %g", binary_names[function], (long long)n, c);
        input_floats(&t, 0, x, n);
        output(&t, 1, n, expected, bound);
        INTEGERS(&t, n, function);
        t.call.f[0] = c;
        check(&t);
      }
}

static void test_select_and_fill(void) {
  for (int l = 0; l < COUNT(lengths); l++) {
    const int64_t n = lengths[l];
    float *condition = floats(n), *a = normal_floats(n), *b = normal_floats(n);
    double *expected = doubles(n);
    for (int64_t j = 0; j < n; j++) {
      static const float values[] = {0, 1, -0.0f, -2, NAN};
      condition[j] = values[random_int(0, 4)];
      if (j % 7 == 3) a[j] = NAN;
      if (j % 5 == 2) b[j] = INFINITY;
      expected[j] = condition[j] != 0 ? a[j] : b[j];
    }
    trial t = trial_of(LK_SELECT, "select", "count %lld", (long long)n);
    input_floats(&t, 0, condition, n), input_floats(&t, 1, a, n), input_floats(&t, 2, b, n);
    output(&t, 3, n, expected, 0);
    INTEGERS(&t, n);
    check(&t);

    expected = doubles(n);
    for (int64_t j = 0; j < n; j++) expected[j] = -1.25;
    t = trial_of(LK_FILL, "fill", "count %lld", (long long)n);
    output(&t, 0, n, expected, 0);
    INTEGERS(&t, n);
    t.call.f[0] = -1.25f;
    check(&t);
  }
}

static void test_modulate(void) {
  static const int64_t repeats[] = {1, 2, 5};
  for (int l = 0; l < COUNT(lengths); l++)
    for (int k = 0; k < COUNT(repeats); k++)
      for (int gated = 0; gated < 2; gated++) {
        const int64_t n = lengths[l], repeat = repeats[k], groups = random_int(0, 4), rows = groups * repeat;
        float *x = normal_floats(rows * n), *a = normal_floats(groups * n), *b = normal_floats(gated ? rows * n : groups * n);
        double *expected = doubles(rows * n), *bound = doubles(rows * n);
        for (int64_t j = 0; j < rows * n; j++) {
          const int64_t m = j / n / repeat * n + j % n;
          expected[j] = gated ? x[j] + (double)a[m] * b[j] : x[j] * (1.0 + b[m]) + a[m];
          bound[j] = 4e-7 * (gated ? fabs(x[j]) + fabs((double)a[m] * b[j]) : fabs(x[j]) * (2 + fabs(b[m])) + fabs(a[m]));
        }
        trial t = trial_of(
          gated ? LK_GATED_ADD : LK_MODULATE, gated ? "gated add" : "modulate", "rows %lld, n %lld, repeat %lld", (long long)rows, (long long)n, (long long)repeat);
        input_floats(&t, 0, x, rows * n), input_floats(&t, 1, a, groups * n), input_floats(&t, 2, b, gated ? rows * n : groups * n);
        output(&t, 3, rows * n, expected, bound);
        INTEGERS(&t, rows, n, repeat);
        if (repeat == 1) by_rows(&t, 0, 4, 0, 1, 2, 3);
        check(&t);
      }
}

static void test_elementwise(void) {
  test_unary();
  test_binary();
  test_scalar_op();
  test_select_and_fill();
  test_modulate();
}
