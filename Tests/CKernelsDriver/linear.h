// LK_LINEAR in every weight format, LK_MATMUL.
#pragma once
#include "elementwise.h"

static const char *const format_names[] = {"f32", "bf16", "int8", "int4"};

typedef struct {
  int64_t M, K, N, group;
  int format, activation, bias;
  int64_t repeat;  // 0: no residual, -1: one without a gate, else rows that share a row of the gate
  int exact;  // inputs that rounding to int8 by groups does not change
  int rounding;  // x may be rounded to bf16, too
} linear_shape;

// Float rounding of one dot product: products are summed in W lanes, so a long sum gains error by its length.
static double dot_bound(double squares, int64_t K) { return 6e-8 * (4 + sqrt((double)K)) * sqrt(squares); }

// Rows of x. Exact ones are whole numbers up to 127 times a power of two of the group's own, 127 among them.
static float *linear_inputs(const linear_shape *s) {
  float *x = normal_floats(s->M * s->K);
  double unit = 1;
  for (int64_t m = 0; m < s->M && s->exact; m++)
    for (int64_t k = 0; k < s->K; k++) {
      if (k % s->group == 0) unit = ldexp(1, (int)random_int(-9, -5));
      x[m * s->K + k] = (float)((k % s->group == s->group / 2 ? 127 : random_int(-127, 127)) * unit);
    }
  return x;
}

// Weights as the kernel reads them, with their values in `values` [N, K]; the bytes of a row.
static int64_t linear_weights(const linear_shape *s, void **weights, float **scales, double *values) {
  const int64_t K = s->K, N = s->N, groups = s->format >= LK_INT8 ? K / s->group : 1;
  const int64_t row = s->format == LK_F32 ? 4 * K : s->format == LK_BF16 ? 2 * K : s->format == LK_INT8 ? K : (K + 1) / 2;
  uint8_t *bytes = keep(N * row, 1);
  *weights = bytes, *scales = uniform_floats(N * groups, 0.001, 0.02);
  for (int64_t n = 0; n < N; n++)
    for (int64_t k = 0; k < K; k++) {
      const double scale = (*scales)[n * groups + (s->format >= LK_INT8 ? k / s->group : 0)];
      double *value = &values[n * K + k];
      if (s->format == LK_F32) {
        const float w = random_normal();
        memcpy(bytes + n * row + 4 * k, &w, 4);
        *value = w;
      } else if (s->format == LK_BF16) {
        float w = random_normal();
        uint32_t bits;
        memcpy(&bits, &w, 4);
        bits &= 0xffff0000;
        const uint16_t high = (uint16_t)(bits >> 16);
        memcpy(bytes + n * row + 2 * k, &high, 2);
        memcpy(&w, &bits, 4);
        *value = w;
      } else if (s->format == LK_INT8) {
        const int q = (int)random_int(-127, 127);
        bytes[n * row + k] = (uint8_t)q;
        *value = q * scale;
      } else {
        const int q = (int)random_int(-8, 7);
        bytes[n * row + k / 2] |= (uint8_t)((q + 8) << (k & 1 ? 4 : 0));
        *value = q * scale;
      }
    }
  // The last half byte of an odd row is no one's.
  for (int64_t n = 0; n < N && s->format == LK_INT4 && K % 2; n++) bytes[n * row + row - 1] |= 0xf0;
  return row;
}

// What rounding x to int8 by groups (symmetric, max / 127) may add: six standard deviations of the sum of the roundings, or every
// one at its worst, whichever is less. Six of them are some 2 % of sqrt(K) times the products' size.
static double rounding_bound(const linear_shape *s, const float *x, const double *w) {
  double variance = 0, worst = 0;
  for (int64_t g = 0; g < s->K; g += s->group) {
    double max = 0;
    for (int64_t k = g; k < g + s->group; k++) max = fmax(max, fabs((double)x[k]));
    const double step = max / 127;
    for (int64_t k = g; k < g + s->group; k++) variance += w[k] * w[k] * step * step / 12, worst += fabs(w[k]) * step / 2;
  }
  return fmin(6 * sqrt(variance), worst);
}

static void check_linear(linear_shape s) {
  const int64_t M = s.M, K = s.K, N = s.N;
  if (s.format < LK_INT8) s.group = K, s.exact = 0;
  float *x = linear_inputs(&s), *bias = normal_floats(N), *scales;
  void *weights;
  double *values = doubles(N * K), *expected = doubles(M * N), *bound = doubles(M * N);
  const int64_t row = linear_weights(&s, &weights, &scales, values);
  // A row with NaN or infinity spoils itself alone.
  if (s.format < LK_INT8 && M > 2 && K > 0) x[1 * K + random_int(0, K - 1)] = NAN, x[2 * K + random_int(0, K - 1)] = INFINITY;
  const int64_t gates = s.repeat > 0 ? (M + s.repeat - 1) / s.repeat : 0;
  float *residual = normal_floats(M * N), *gate = normal_floats(gates * N);
  for (int64_t m = 0; m < M; m++)
    for (int64_t n = 0; n < N; n++) {
      const double *w = values + n * K;
      double sum = 0, squares = 0;
      for (int64_t k = 0; k < K; k++) sum += x[m * K + k] * w[k], squares += x[m * K + k] * w[k] * (x[m * K + k] * w[k]);
      double error = dot_bound(squares, K);
      // Half of bf16's last place of every term, six standard deviations of all.
      if (s.rounding && s.format == LK_BF16 && K % 32 == 0) error += 6 * ldexp(sqrt(squares), -8) / sqrt(3);
      if (s.format >= LK_INT8 && !s.exact) error += rounding_bound(&s, x + m * K, w);
      if (s.bias) sum += bias[n], error += 1.2e-7 * (fabs(sum) + fabs((double)bias[n]));
      // The activations here are nowhere steeper than 1.13.
      const double y = s.activation < 0 ? sum : reference_unary(s.activation, sum);
      expected[m * N + n] = y;
      bound[m * N + n] = s.activation < 0 ? error : 1.15 * error + unary_bound(s.activation, sum, y);
      if (isinf(sum) && s.activation >= 0 && sum < 0 && (s.activation == LK_GELU || s.activation == LK_SILU)) expected[m * N + n] = NAN;
      if (s.repeat) {
        const double g = s.repeat > 0 ? gate[m / s.repeat * N + n] : 1, r = residual[m * N + n];
        expected[m * N + n] = r + g * expected[m * N + n];
        bound[m * N + n] = fabs(g) * bound[m * N + n] + 1.2e-7 * (fabs(r) + fabs(expected[m * N + n]));
      }
    }
  trial t = trial_of(
    LK_LINEAR, "linear", "%s, M %lld, K %lld, N %lld, group %lld, %s%s%s%s%s", format_names[s.format], (long long)M, (long long)K, (long long)N, (long long)s.group,
    s.activation < 0 ? "no activation" : unary_names[s.activation], s.bias ? ", bias" : "", s.exact ? ", inputs that int8 holds" : "", s.rounding ? ", rounding" : "",
    s.repeat > 0 ? ", residual and gate" : s.repeat ? ", residual" : "");
  input_floats(&t, 0, x, M * K);
  const int tiled = lk_is_tiled(s.format, K, s.group);
  if (tiled) {
    const int64_t bytes = lk_tiled_bytes(s.format, N, K);
    void *tiles = keep(bytes, 1), *values_again = keep(N * row, 1);
    float *scales_again = keep(N * (K / s.group), 4);
    lk_tile(s.format, weights, scales, tiles, N, K);
    lk_untile(s.format, tiles, values_again, scales_again, N, K);
    if (memcmp(weights, values_again, (size_t)(N * row)) || memcmp(scales, scales_again, (size_t)(N * (K / s.group) * 4))) expect(0, "tiles do not give the rows again");
    input(&t, 1, tiles, bytes, 1);
  } else {
    input(&t, 1, weights, N * row, 1);
  }
  if (s.bias) input_floats(&t, 2, bias, N);
  output(&t, 3, M * N, expected, bound);
  if (s.format >= LK_INT8 && !tiled) input_floats(&t, 4, scales, N * (K / s.group));
  if (s.repeat) input_floats(&t, 5, residual, M * N);
  if (s.repeat > 0) input_floats(&t, 6, gate, gates * N);
  INTEGERS(&t, M, K, N, s.format, s.group, s.activation, s.repeat, s.rounding);
  if (s.repeat <= 1) by_rows(&t, 0, 2, 0, 3);
  if (s.repeat) t.slot[5].per_row = 1;
  if (s.repeat > 0) t.slot[6].per_row = 1;
  check(&t);
}

static void test_linear(void) {
  static const int activations[] = {-1, LK_GELU, LK_SILU, LK_RELU, LK_TANH, LK_SIGMOID, LK_SOFTPLUS};
  static const int64_t Ks[] = {1, 2, 3, 5, 7, 8, 9, 15, 16, 17, 31, 33, 48, 64, 65, 96, 128, 129, 256, 258, 384, 640, 768};
  static const int64_t Ns[] = {0, 1, 2, 3, 4, 5, 7, 8, 9, 11, 16, 17, 33, 65, 131};
  int turn = 0;
  for (int format = LK_F32; format <= LK_INT4; format++) {
    for (int k = 0; k < COUNT(Ks); k++)
      for (int n = k & 1; n < COUNT(Ns); n += 2) {
        const int64_t K = Ks[k];
        linear_shape s = {.M = turn % 12, .K = K, .N = Ns[n], .format = format, .activation = activations[turn % COUNT(activations)], .bias = turn & 1, .exact = turn / 2 & 1, .repeat = turn % 5 - 1};
        // Groups that divide K: whole rows, the largest even one below, 32 and 2, in turn.
        s.group = K;
        if (K % 32 == 0 && turn % 4) s.group = format == LK_INT8 && K % 64 == 0 ? 64 : 32;  // the groups of the kernels for whole numbers
        else if (turn % 4 == 1 && K % 32 == 0) s.group = 32;
        if (turn % 4 == 2 && K % 2 == 0) s.group = 2;
        if (turn % 4 == 3 && K % 4 == 0) s.group = K / 2;
        if (turn % 4 == 3 && K % 3 == 0 && K / 3 % 2 == 0) s.group = K / 3;
        check_linear(s);
        turn++;
      }
    // Long rows, many columns (several panels), shares by rows, the paths of one row.
    check_linear((linear_shape){.M = 1, .K = 4099, .N = 9, .group = 4099, .format = format, .activation = -1, .exact = 1});
    check_linear((linear_shape){.M = 7, .K = 1024, .N = 300, .group = 64, .format = format, .activation = LK_SILU, .bias = 1, .exact = 1});
    check_linear((linear_shape){.M = 70, .K = 130, .N = 37, .group = 26, .format = format, .activation = -1, .bias = 1});
    check_linear((linear_shape){.M = 1, .K = 512, .N = 515, .group = 128, .format = format, .activation = -1});
  }
  // Inputs rounded to bf16 with the weights, where there are instructions for that: all rests of a block, several panels and chunks.
  for (int64_t M = 1; M < 160; M += M < 14 ? 1 : 47)
    for (int K = 32; K < 4000; K = K * 5 + 32)
      check_linear((linear_shape){.M = M, .K = K, .N = 3 + M * 7 % 120, .format = LK_BF16, .activation = -1, .bias = (int)M & 1, .rounding = 1});
  for (int64_t M = 0; M < 10; M += 3)
    for (int64_t N = 0; N < 20; N += 9)
      check_linear((linear_shape){.M = M, .K = 96, .N = N, .format = LK_BF16, .activation = LK_SILU, .bias = 1, .repeat = M % 2 ? 1 : -1, .rounding = 1});
  check_linear((linear_shape){.M = 8, .K = 16384, .N = 5, .format = LK_BF16, .activation = -1, .rounding = 1});
  check_linear((linear_shape){.M = 5, .K = 72, .N = 9, .format = LK_BF16, .activation = -1, .rounding = 1});
  check_linear((linear_shape){.M = 5, .K = 64, .N = 9, .format = LK_F32, .activation = LK_GELU, .rounding = 1});
  // The kernels for whole numbers: more rows than are rounded at once, the longest rows, and longer ones, which they leave to the others.
  for (int64_t M = 1; M < 20; M += 3) {
    check_linear((linear_shape){.M = M, .K = 16384, .N = 5, .group = 64, .format = LK_INT8, .activation = -1, .exact = 1});
    check_linear((linear_shape){.M = M, .K = 384, .N = 70, .group = 32, .format = LK_INT4, .activation = LK_GELU, .exact = 1});
  }
  // Tiles: several blocks of rows, several panels of columns, the last ones of either not full, groups that are not fours.
  for (int64_t M = 11; M < 150; M += 46) {
    check_linear((linear_shape){.M = M, .K = 2176, .N = 19, .group = 64, .format = LK_INT8, .activation = -1, .bias = 1, .exact = 1});
    check_linear((linear_shape){.M = M, .K = 192, .N = 50, .group = 64, .format = LK_INT8, .activation = -1});
    check_linear((linear_shape){.M = M, .K = 1408, .N = 19, .group = 32, .format = LK_INT4, .activation = -1, .bias = 1, .exact = 1});
  }
  check_linear((linear_shape){.M = 2, .K = 16512, .N = 5, .group = 32, .format = LK_INT4, .activation = -1, .exact = 1});
  check_linear((linear_shape){.M = 3, .K = 0, .N = 5, .format = LK_F32, .activation = -1, .bias = 1});
  check_linear((linear_shape){.M = 3, .K = 0, .N = 5, .format = LK_BF16, .activation = -1});
}

static void check_matmul(int rank, const int64_t *dims, int repeats_a, int repeats_b, int64_t M, int64_t N, int64_t K, int transposed) {
  int64_t sa[4] = {0}, sb[4] = {0}, batch = 1, na = M * K, nb = K * N;
  for (int d = rank - 1; d >= 0; d--) {
    batch *= dims[d];
    if (!(repeats_a >> d & 1)) sa[d] = na, na *= dims[d];
    if (!(repeats_b >> d & 1)) sb[d] = nb, nb *= dims[d];
  }
  float *a = normal_floats(na), *b = normal_floats(nb);
  double *expected = doubles(batch * M * N), *bound = doubles(batch * M * N);
  for (int64_t u = 0; u < batch; u++) {
    int64_t rest = u, oa = 0, ob = 0;
    for (int d = rank - 1; d >= 0; d--) oa += rest % dims[d] * sa[d], ob += rest % dims[d] * sb[d], rest /= dims[d];
    for (int64_t m = 0; m < M; m++)
      for (int64_t n = 0; n < N; n++) {
        double sum = 0, squares = 0;
        for (int64_t k = 0; k < K; k++) {
          const double v = (double)a[oa + m * K + k] * b[ob + (transposed ? n * K + k : k * N + n)];
          sum += v, squares += v * v;
        }
        // Not transposed, all of K runs through one accumulator.
        expected[(u * M + m) * N + n] = sum, bound[(u * M + m) * N + n] = (transposed ? 1 : 3) * dot_bound(squares, K);
      }
  }
  trial t = trial_of(
    LK_MATMUL, "matmul", "batch rank %d, %lld, repeating axes %x and %x, M %lld, N %lld, K %lld%s", rank, (long long)batch, repeats_a, repeats_b, (long long)M, (long long)N,
    (long long)K, transposed ? ", transposed" : "");
  input_floats(&t, 0, a, na), input_floats(&t, 1, b, nb);
  output(&t, 2, batch * M * N, expected, bound);
  t.call.i[0] = rank, t.call.i[13] = M, t.call.i[14] = N, t.call.i[15] = K, t.call.i[16] = transposed;
  for (int d = 0; d < rank; d++) t.call.i[1 + d] = dims[d], t.call.i[5 + d] = sa[d], t.call.i[9 + d] = sb[d];
  if (rank == 0) by_rows(&t, 13, 2, 0, 2);
  check(&t);
}

static void test_matmul(void) {
  static const int64_t sizes[] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 15, 16, 17, 31, 33, 63, 65, 100};
  for (int transposed = 0; transposed < 2; transposed++) {
    for (int j = 0; j < COUNT(sizes); j++)
      for (int l = j & 1; l < COUNT(sizes); l += 2)
        check_matmul(0, 0, 0, 0, sizes[j], sizes[(l + j) % COUNT(sizes)], sizes[(l * 5 + j) % COUNT(sizes)], transposed);
    for (int j = 0; j < 30; j++) {
      int64_t dims[4];
      const int rank = j % 5;
      for (int d = 0; d < rank; d++) dims[d] = random_int(1, 4);
      check_matmul(rank, dims, (int)random_int(0, 15), (int)random_int(0, 15), random_int(1, 12), random_int(1, 40), random_int(1, 40), transposed);
    }
    check_matmul(0, 0, 0, 0, 53, 140, 300, transposed);
    check_matmul(0, 0, 0, 0, 2, 3, 4099, transposed);
  }
}

static void test_products(void) {
  test_linear();
  test_matmul();
}
