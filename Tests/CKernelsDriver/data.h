// LK_COPY, LK_GATHER, LK_FRAME, LK_OVERLAP_ADD and their streaming forms.
#pragma once
#include "elementwise.h"

// A copy from any strides to any others: both sides are permutations of a dense tensor, the input perhaps repeating.
static void check_copy(int rank, const int64_t *dims, int repeats, int shuffled_in, int shuffled_out) {
  int64_t si[LK_MAX_RANK] = {0}, so[LK_MAX_RANK] = {0}, count = 1;
  for (int d = 0; d < rank; d++) count *= dims[d];
  int64_t ni = broadcast_strides(rank, dims, si, repeats, shuffled_in), no = broadcast_strides(rank, dims, so, 0, shuffled_out);
  const int64_t from = random_int(0, 5), to = random_int(0, 5);
  if (count == 0) ni = no = 0;
  ni += from, no += to;
  float *in = normal_floats(ni), *out = normal_floats(no);
  double *expected = doubles(no);
  for (int64_t j = 0; j < no; j++) expected[j] = out[j];
  for (int64_t u = 0; u < count; u++) {
    int64_t rest = u, oi = from, oo = to;
    for (int d = rank - 1; d >= 0; d--) oi += rest % dims[d] * si[d], oo += rest % dims[d] * so[d], rest /= dims[d];
    expected[oo] = in[oi];
  }
  trial t = trial_of(
    LK_COPY, "copy", "rank %d, %lld x %lld x %lld x ..., repeating axes %x%s%s", rank, (long long)(rank > 0 ? dims[0] : 1), (long long)(rank > 1 ? dims[1] : 1),
    (long long)(rank > 2 ? dims[2] : 1), repeats, shuffled_in ? ", from strides" : "", shuffled_out ? ", to strides" : "");
  input_floats(&t, 0, in, ni);
  state(&t, 1, out, no, expected, 0);
  t.call.i[0] = rank, t.call.i[19] = from, t.call.i[20] = to;
  for (int d = 0; d < rank; d++) t.call.i[1 + d] = dims[d], t.call.i[7 + d] = si[d], t.call.i[13 + d] = so[d];
  check(&t);
}

static void test_copy(void) {
  check_copy(0, 0, 0, 0, 0);
  for (int l = 0; l < COUNT(lengths); l++) {
    const int64_t n = lengths[l], square[2] = {random_int(1, 40), n};
    check_copy(1, &n, 0, 0, 0);
    check_copy(1, &n, 1, 0, 0);
    for (int j = 0; j < 8; j++) check_copy(2, square, j >> 2, j & 1, j >> 1 & 1);
  }
  for (int j = 0; j < 80; j++) {
    int64_t dims[LK_MAX_RANK];
    const int rank = (int)random_int(1, LK_MAX_RANK);
    for (int d = 0; d < rank; d++) dims[d] = random_int(1, rank > 4 ? 5 : 19);
    check_copy(rank, dims, j % 3 ? 0 : (int)random_int(0, 63), j & 1, j >> 1 & 1);
  }
}

static void test_gather(void) {
  for (int l = 0; l < COUNT(lengths); l++) {
    const int64_t width = lengths[l], rows = random_int(0, 9), count = random_int(0, 20);
    float *table = normal_floats(rows * width);
    int32_t *indices = keep(count, sizeof *indices);
    double *expected = doubles(count * width);
    for (int64_t r = 0; r < count; r++) {
      static const int32_t outside[] = {-1, INT32_MIN, INT32_MAX};
      indices[r] = r % 4 == 3 ? outside[r / 4 % 3] : (int32_t)random_int(0, rows);
      for (int64_t j = 0; j < width && indices[r] >= 0 && indices[r] < rows; j++) expected[r * width + j] = table[indices[r] * width + j];
    }
    trial t = trial_of(LK_GATHER, "gather", "count %lld, width %lld, rows %lld", (long long)count, (long long)width, (long long)rows);
    input_floats(&t, 0, table, rows * width);
    input(&t, 1, indices, count, sizeof *indices);
    output(&t, 2, count * width, expected, 0);
    INTEGERS(&t, count, width, rows);
    by_rows(&t, 0, 2, 1, 2);
    check(&t);
  }
}

static void check_frame(int64_t batch, int64_t length, int64_t frames, int64_t size, int64_t hop) {
  float *in = normal_floats(batch * length);
  double *expected = doubles(batch * frames * size);
  for (int64_t u = 0; u < batch * frames * size; u++) {
    const int64_t at = u / size % frames * hop + u % size;
    expected[u] = at < length ? in[u / size / frames * length + at] : 0;
  }
  trial t = trial_of(
    LK_FRAME, "frame", "batch %lld, length %lld, frames %lld, size %lld, hop %lld", (long long)batch, (long long)length, (long long)frames, (long long)size, (long long)hop);
  input_floats(&t, 0, in, batch * length);
  output(&t, 1, batch * frames * size, expected, 0);
  INTEGERS(&t, batch, length, frames, size, hop);
  by_rows(&t, 0, 2, 0, 1);
  check(&t);
}

// Samples are at most as many terms as a frame has hops, added in order.
static double sum_bound(int64_t size, int64_t hop) { return 6e-8 * (double)(size / hop + 1) * (double)(size / hop + 2) * 3; }

static void check_overlap_add(int64_t batch, int64_t frames, int64_t size, int64_t hop) {
  const int64_t length = (frames - 1) * hop + size;
  float *in = normal_floats(batch * frames * size);
  double *expected = doubles(batch * length), *bound = doubles(batch * length);
  for (int64_t j = 0; j < batch * length; j++) bound[j] = sum_bound(size, hop);
  for (int64_t u = 0; u < batch * frames * size; u++) expected[u / size / frames * length + u / size % frames * hop + u % size] += in[u];
  trial t = trial_of(LK_OVERLAP_ADD, "overlap-add", "batch %lld, frames %lld, size %lld, hop %lld", (long long)batch, (long long)frames, (long long)size, (long long)hop);
  input_floats(&t, 0, in, batch * frames * size);
  output(&t, 1, batch * length, expected, bound);
  INTEGERS(&t, batch, frames, size, hop);
  by_rows(&t, 0, 2, 0, 1);
  check(&t);
}

static void check_frame_stream(int64_t batch, int64_t frames, int64_t size, int64_t hop) {
  const int64_t count = size - hop, length = frames * hop;
  float *in = normal_floats(batch * length), *tail = normal_floats(batch * count);
  double *expected = doubles(batch * frames * size), *after = doubles(batch * count);
  for (int64_t b = 0; b < batch; b++) {
#define SAMPLE(S) ((S) < count ? tail[b * count + (S)] : in[b * length + (S) - count])
    for (int64_t u = 0; u < frames * size; u++) expected[b * frames * size + u] = SAMPLE(u / size * hop + u % size);
    for (int64_t j = 0; j < count; j++) after[b * count + j] = SAMPLE(length + j);
#undef SAMPLE
  }
  trial t = trial_of(LK_FRAME_STREAM, "frame stream", "batch %lld, frames %lld, size %lld, hop %lld", (long long)batch, (long long)frames, (long long)size, (long long)hop);
  input_floats(&t, 0, in, batch * length);
  state(&t, 1, tail, batch * count, after, 0);
  output(&t, 2, batch * frames * size, expected, 0);
  INTEGERS(&t, batch, frames, size, hop);
  by_rows(&t, 0, 3, 0, 1, 2);
  check(&t);
}

static void check_overlap_add_stream(int64_t batch, int64_t frames, int64_t size, int64_t hop) {
  const int64_t count = size - hop, length = frames * hop;
  float *in = normal_floats(batch * frames * size), *tail = normal_floats(batch * count);
  double *sum = doubles(length + count), *expected = doubles(batch * length), *after = doubles(batch * count);
  double *bound = doubles(batch * (length + count));
  for (int64_t j = 0; j < batch * (length + count); j++) bound[j] = sum_bound(size, hop);
  for (int64_t b = 0; b < batch; b++) {
    for (int64_t j = 0; j < length + count; j++) sum[j] = j < count ? tail[b * count + j] : 0;
    for (int64_t u = 0; u < frames * size; u++) sum[u / size * hop + u % size] += in[b * frames * size + u];
    memcpy(expected + b * length, sum, (size_t)length * sizeof *sum);
    memcpy(after + b * count, sum + length, (size_t)count * sizeof *sum);
  }
  trial t = trial_of(
    LK_OVERLAP_ADD_STREAM, "overlap-add stream", "batch %lld, frames %lld, size %lld, hop %lld", (long long)batch, (long long)frames, (long long)size, (long long)hop);
  input_floats(&t, 0, in, batch * frames * size);
  state(&t, 1, tail, batch * count, after, bound);
  output(&t, 2, batch * length, expected, bound);
  INTEGERS(&t, batch, frames, size, hop);
  by_rows(&t, 0, 3, 0, 1, 2);
  check(&t);
}

// A stream of frames, cut anyhow, gives the bits of the offline pass.
static void check_overlap_add_cut(int64_t frames, int64_t size, int64_t hop) {
  for (int k = 0; k < isa_count; k++) {
    float *in = normal_floats(frames * size), *whole = floats((frames - 1) * hop + size), *tail = floats(size - hop), *out = floats(frames * hop);
    lk_call offline = {.p = {in, whole}, .i = {1, frames, size, hop}};
    lk_kernel_for(LK_OVERLAP_ADD, isas[k])(&offline, 0, 1);
    for (int64_t j = 0; j < frames;) {
      const int64_t n = random_int(0, frames - j < 3 ? frames - j : 3);
      lk_call piece = {.p = {in + j * size, tail, out + j * hop}, .i = {1, n, size, hop}};
      lk_kernel_for(LK_OVERLAP_ADD_STREAM, isas[k])(&piece, 0, 1);
      j += n;
    }
    expect(!memcmp(out, whole, (size_t)(frames * hop) * sizeof *out) && !memcmp(tail, whole + frames * hop, (size_t)(size - hop) * sizeof *tail),
           "overlap-add %s, frames %lld, size %lld, hop %lld: a stream's bits are not those of the offline pass", lk_isa_name(isas[k]), (long long)frames, (long long)size, (long long)hop);
    release();
  }
}

// Gives nothing but the time it takes; here, that it reads within its bounds.
static void test_read(void) {
  for (int l = 0; l < COUNT(lengths); l++) {
    int32_t words[64];
    float *in = normal_floats(lengths[l] * 5);
    current_topic = "read";
    for (int k = 0; k < isa_count; k++) {
      operand o = {.bytes = (size_t)lengths[l] * 5 * sizeof *in};
      char *p = place(0, &o, 1);
      if (o.bytes) memcpy(p, in, o.bytes);
      lk_call call = {.p = {p, words}, .i = {(int64_t)o.bytes}};
      for (int s = 0; s < 64; s++) words[s] = 1, lk_kernel_for(LK_READ, isas[k])(&call, s, 64);
      expect(o.bytes >= 512 || !words[0], "%s reads %zu bytes and finds some", lk_isa_name(isas[k]), o.bytes);
    }
    tried[LK_READ] = 1;
    release();
  }
  current_topic = "data";
}

static void test_data(void) {
  test_read();
  static const int64_t sizes[] = {1, 2, 4, 7, 8, 15, 16, 17, 33, 64, 130, 512};
  test_copy();
  test_gather();
  for (int j = 0; j < COUNT(sizes); j++) {
    const int64_t size = sizes[j], hops[] = {1, size / 2 > 0 ? size / 2 : 1, (size + 2) / 3, size};
    for (int k = size > 64 ? 1 : 0; k < COUNT(hops); k++) {
      const int64_t hop = hops[k];
      for (int64_t frames = 0; frames < 13; frames += 1 + frames / 2) {
        const int64_t batch = random_int(0, 3);
        check_frame(batch, frames * hop + random_int(0, size), frames, size, hop);
        check_overlap_add(batch, frames, size, hop);
        check_frame_stream(batch, frames, size, hop);
        check_overlap_add_stream(batch, frames, size, hop);
      }
      check_overlap_add_cut(11, size, hop);
    }
  }
}
