// What legato.h promises, checked from outside: good calls, bad calls, and what a stream without a reader costs.
#define _POSIX_C_SOURCE 200809L
#include "legato.h"

#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static int failures;

#define CHECK(condition) \
  do { \
    if (!(condition)) { \
      failures++; \
      printf("line %d: %s; last message: %s\n", __LINE__, #condition, legato_error_message()); \
    } \
  } while (0)

// A failure with this status and a message.
#define REFUSED(call, expected) \
  do { \
    const legato_status status = (call); \
    if (status != (expected) || !*legato_error_message()) { \
      failures++; \
      printf("line %d: %s gave %d\n", __LINE__, #call, (int)status); \
    } \
  } while (0)

static void rest(double seconds) {
  struct timespec time = {(time_t)seconds, (long)((seconds - (double)(time_t)seconds) * 1e9)};
  nanosleep(&time, 0);
}

static legato_package *package;
static legato_package_info info = {.size = sizeof info};

static legato_stream *stream_of(uint64_t seed, int depth, int threads) {
  legato_stream_options options;
  legato_stream_options_init(&options);
  options.seed = seed, options.depth = depth, options.threads = threads;
  legato_stream *stream = 0;
  if (legato_stream_create(package, &options, &stream) != LEGATO_OK) {
    printf("no stream: %s\n", legato_error_message());
    exit(1);
  }
  return stream;
}

// Music only: waits where the ring is empty.
static void music(legato_stream *stream, float *interleaved, int64_t frames) {
  for (int64_t done = 0; done < frames;) {
    const int64_t count = frames - done < 300 ? frames - done : 300;
    const int64_t got = legato_stream_pull_interleaved(stream, interleaved + done * info.channels, count);
    if (got < 0) {
      printf("a pull gave %d\n", (int)got);
      exit(1);
    }
    if (got == 0) rest(0.001);
    done += got;
  }
}

static void *reader(void *stream) {
  float *block = malloc(64 * sizeof(float) * (size_t)info.channels);
  intptr_t refused = 0;
  for (int j = 0; j < 50000; j++) refused += legato_stream_pull_interleaved(stream, block, 64) == LEGATO_ERROR_BUSY;
  free(block);
  return (void *)refused;
}

static void bad_packages(const char *path) {
  legato_package *none = (legato_package *)&failures;
  REFUSED(legato_package_open("/no/such/folder", &none), LEGATO_ERROR_PACKAGE);
  CHECK(!none && strstr(legato_error_message(), "/no/such/folder"));
  REFUSED(legato_package_open("", &none), LEGATO_ERROR_PACKAGE);
  REFUSED(legato_package_open("\xff\xfe", &none), LEGATO_ERROR_PACKAGE);
  REFUSED(legato_package_open(0, &none), LEGATO_ERROR_ARGUMENT);
  REFUSED(legato_package_open(path, 0), LEGATO_ERROR_ARGUMENT);
  legato_package_close(0);
  REFUSED(legato_package_info_get(0, &info), LEGATO_ERROR_ARGUMENT);
  REFUSED(legato_package_info_get(package, 0), LEGATO_ERROR_ARGUMENT);
  legato_package_info unset = {0};
  REFUSED(legato_package_info_get(package, &unset), LEGATO_ERROR_ARGUMENT);
  CHECK(!legato_package_style(package, -1) && !legato_package_style(package, info.styles) && !legato_package_style(0, 0));
}

static void bad_streams(void) {
  legato_stream_options good, options;
  legato_stream_options_init(0);
  legato_stream_options_init(&good);
  legato_stream *none = (legato_stream *)&failures;
  REFUSED(legato_stream_create(0, &good, &none), LEGATO_ERROR_ARGUMENT);
  CHECK(!none);
  REFUSED(legato_stream_create(package, &good, 0), LEGATO_ERROR_ARGUMENT);
#define REFUSED_WITH(field, value) \
  options = good, options.field = value; \
  REFUSED(legato_stream_create(package, &options, &none), LEGATO_ERROR_ARGUMENT)
  REFUSED_WITH(size, 0);
  REFUSED_WITH(depth, 0);
  REFUSED_WITH(depth, 1);
  REFUSED_WITH(depth, -7);
  REFUSED_WITH(depth, 1 << 30);
  REFUSED_WITH(threads, -1);
  REFUSED_WITH(priority, 99);
  REFUSED_WITH(style, "no such style");
  CHECK(strstr(legato_error_message(), "no such style"));

  CHECK(legato_stream_pull(0, 0, 10) == LEGATO_ERROR_ARGUMENT && legato_stream_pull_interleaved(0, 0, 10) == LEGATO_ERROR_ARGUMENT);
  REFUSED(legato_stream_start(0), LEGATO_ERROR_ARGUMENT);
  REFUSED(legato_stream_stop(0), LEGATO_ERROR_ARGUMENT);
  REFUSED(legato_stream_pause(0), LEGATO_ERROR_ARGUMENT);
  REFUSED(legato_stream_set(0, LEGATO_STEPS, 1), LEGATO_ERROR_ARGUMENT);
  REFUSED(legato_stream_save(0, 0, 0), LEGATO_ERROR_ARGUMENT);
  REFUSED(legato_stream_metrics_get(0, 0), LEGATO_ERROR_ARGUMENT);
  legato_stream_destroy(0);
  CHECK(*legato_status_text((legato_status)-1234) && legato_version() == LEGATO_VERSION);
}

static void bad_calls(void) {
  legato_stream *stream = stream_of(1, 2, 1);
  float block[64 * 8];
  float *rows[8] = {block, block + 64};
  CHECK(legato_stream_pull(stream, 0, 64) == LEGATO_ERROR_ARGUMENT);
  CHECK(legato_stream_pull(stream, rows, -1) == LEGATO_ERROR_ARGUMENT);
  CHECK(legato_stream_pull(stream, rows, INT64_MAX) == LEGATO_ERROR_ARGUMENT);
  CHECK(legato_stream_pull(stream, rows, 1000000000) == LEGATO_ERROR_ARGUMENT);
  CHECK(legato_stream_pull_interleaved(stream, block, 1000000000) == LEGATO_ERROR_ARGUMENT);
  CHECK(legato_stream_pull(stream, rows, 2 * info.samples_per_frame + 1) == LEGATO_ERROR_ARGUMENT);
  CHECK(legato_stream_pull_interleaved(stream, block, INT64_MIN) == LEGATO_ERROR_ARGUMENT);
  rows[info.channels - 1] = 0;
  CHECK(legato_stream_pull(stream, rows, 64) == LEGATO_ERROR_ARGUMENT);
  CHECK(legato_stream_pull_interleaved(stream, block, 0) == 0);

  const double bad[] = {NAN, INFINITY, -INFINITY, 1e300, -1};
  for (int parameter = -1; parameter < 5; parameter++)
    for (int j = 0; j < 5; j++) REFUSED(legato_stream_set(stream, (legato_parameter)parameter, bad[j]), LEGATO_ERROR_ARGUMENT);
  REFUSED(legato_stream_set(stream, (legato_parameter)77, 1), LEGATO_ERROR_ARGUMENT);
  double value;
  REFUSED(legato_stream_get(stream, (legato_parameter)77, &value), LEGATO_ERROR_ARGUMENT);
  REFUSED(legato_stream_get(stream, LEGATO_STEPS, 0), LEGATO_ERROR_ARGUMENT);
  REFUSED(legato_stream_set_style(stream, "nonsense"), LEGATO_ERROR_ARGUMENT);
  REFUSED(legato_stream_wait_until_full(stream, NAN), LEGATO_ERROR_ARGUMENT);
  REFUSED(legato_stream_wait_until_full(stream, 0.01), LEGATO_ERROR_SYSTEM);
  REFUSED(legato_stream_prompt(stream, 0, 100, 0), LEGATO_ERROR_ARGUMENT);
  const float *short_rows[8] = {block, block};
  REFUSED(legato_stream_prompt(stream, short_rows, 64, 0), LEGATO_ERROR_ARGUMENT);
  REFUSED(legato_stream_prompt(stream, short_rows, -1, 0), LEGATO_ERROR_ARGUMENT);
  REFUSED(legato_stream_restore(stream, 0, 10), LEGATO_ERROR_ARGUMENT);
  REFUSED(legato_stream_restore(stream, block, 0), LEGATO_ERROR_ARGUMENT);
  REFUSED(legato_stream_restore(stream, block, sizeof block), LEGATO_ERROR_STATE);
  REFUSED(legato_stream_save(stream, block, 0), LEGATO_ERROR_ARGUMENT);
  size_t size = sizeof block;
  REFUSED(legato_stream_save(stream, block, &size), LEGATO_ERROR_BUFFER);
  CHECK(size > sizeof block);

  CHECK(legato_stream_stop(stream) == LEGATO_OK && legato_stream_stop(stream) == LEGATO_OK);
  REFUSED(legato_stream_start(stream), LEGATO_ERROR_STOPPED);
  REFUSED(legato_stream_set(stream, LEGATO_STEPS, 4), LEGATO_ERROR_STOPPED);
  REFUSED(legato_stream_save(stream, 0, &size), LEGATO_ERROR_STOPPED);
  block[0] = 1;
  CHECK(legato_stream_pull_interleaved(stream, block, 64) == LEGATO_ERROR_STOPPED && block[0] == 0);
  legato_stream_destroy(stream);
}

static void parameters(void) {
  legato_stream *stream = stream_of(1, 2, 1);
  const double values[] = {0.5, 3, 0.125, 1.5};
  for (int j = 0; j < 4; j++) {
    double value = 0;
    CHECK(legato_stream_set(stream, (legato_parameter)j, values[j]) == LEGATO_OK);
    CHECK(legato_stream_get(stream, (legato_parameter)j, &value) == LEGATO_OK && value == values[j]);
  }
  for (int j = 0; j < info.styles; j++) CHECK(legato_stream_set_style(stream, legato_package_style(package, j)) == LEGATO_OK);
  CHECK(legato_stream_set_style(stream, "none") == LEGATO_OK && legato_stream_set_style(stream, 0) == LEGATO_OK);
  CHECK(legato_stream_set_seed(stream, UINT64_MAX) == LEGATO_OK);
  legato_stream_destroy(stream);
}

// The same seed, planar and interleaved, one thread and absurdly many, saved and restored.
static void same_samples(void) {
  const int64_t frames = 24000, saved_at = 9000;
  const size_t bytes = (size_t)(frames * info.channels) * sizeof(float);
  float *one = malloc(bytes), *two = malloc(bytes);
  legato_stream *first = stream_of(3, 3, 1), *second = stream_of(3, 5, 10000);
  CHECK(legato_stream_start(first) == LEGATO_OK && legato_stream_start(second) == LEGATO_OK);
  CHECK(legato_stream_wait_until_full(second, 60) == LEGATO_OK);
  music(first, one, saved_at);
  size_t size = 0, needed;
  CHECK(legato_stream_save(first, 0, &size) == LEGATO_OK && size > 0);
  needed = size;
  void *state = malloc(size);
  CHECK(legato_stream_save(first, state, &size) == LEGATO_OK && size > 0 && size <= needed);
  music(first, one + saved_at * info.channels, frames - saved_at);
  music(second, two, frames);
  CHECK(memcmp(one, two, bytes) == 0);
  int loud = 0;
  for (int64_t j = 0; j < frames * info.channels; j++) loud += fabsf(one[j]) > 1e-4f, failures += !(fabsf(one[j]) <= 1);
  CHECK(loud > 1000);

  CHECK(legato_stream_restore(second, state, size) == LEGATO_OK);
  float block[256 * 8], *rows[8];
  for (int c = 0; c < info.channels; c++) rows[c] = block + 256 * c;
  for (int64_t done = saved_at; done < frames;) {
    const int64_t got = legato_stream_pull(second, rows, frames - done < 256 ? frames - done : 256);
    for (int64_t j = 0; j < got; j++)
      for (int c = 0; c < info.channels; c++) CHECK(rows[c][j] == one[(done + j) * info.channels + c]);
    done += got > 0 ? got : 0;
    if (failures) break;
    if (got <= 0) rest(0.001);
  }
  legato_stream_metrics metrics = {.size = sizeof metrics};
  CHECK(legato_stream_metrics_get(second, &metrics) == LEGATO_OK);
  CHECK(metrics.frames > 0 && metrics.threads >= 1 && metrics.threads < 10000 && metrics.memory > 0 && !metrics.is_stopped && metrics.failed_frames == 0);
  free(state), free(one), free(two);
  legato_stream_destroy(first);
  legato_stream_destroy(second);
}

static void prompted(void) {
  legato_stream *stream = stream_of(4, 2, 1);
  const int64_t frames = 3 * info.samples_per_frame;
  float *tone = malloc((size_t)frames * sizeof(float)), out[512 * 8];
  for (int64_t j = 0; j < frames; j++) tone[j] = 0.3f * sinf((float)j * 0.05f);
  const float *rows[8];
  for (int c = 0; c < 8; c++) rows[c] = tone;
  CHECK(legato_stream_prompt(stream, rows, frames, 1) == LEGATO_OK);
  CHECK(legato_stream_start(stream) == LEGATO_OK);
  music(stream, out, 512);
  CHECK(legato_stream_prompt(stream, rows, frames, 0) == LEGATO_OK);
  music(stream, out, 512);
  free(tone);
  legato_stream_destroy(stream);
}

// Paused, and with nobody who reads: no music is made, and hardly any time used.
static void at_rest(void) {
  legato_stream *stream = stream_of(5, 4, 2);
  CHECK(legato_stream_start(stream) == LEGATO_OK && legato_stream_wait_until_full(stream, 60) == LEGATO_OK);
  CHECK(legato_stream_pause(stream) == LEGATO_OK);
  float block[64 * 8];
  CHECK(legato_stream_pull_interleaved(stream, block, 64) == 0);
  rest(0.1);
  legato_stream_metrics before = {.size = sizeof before}, after = {.size = sizeof after};
  legato_stream_metrics_get(stream, &before);
  const clock_t start = clock();
  rest(2);
  const double used = (double)(clock() - start) / CLOCKS_PER_SEC;
  legato_stream_metrics_get(stream, &after);
  CHECK(before.frames == after.frames && after.underruns == 0 && after.is_paused);
  // A hundred looks a second are far less than a hundredth of a processor.
  CHECK(used < 0.02);
  legato_stream_destroy(stream);
}

static void two_readers(void) {
  legato_stream *stream = stream_of(6, 8, 1);
  CHECK(legato_stream_start(stream) == LEGATO_OK);
  pthread_t one, two;
  void *refused_one, *refused_two;
  pthread_create(&one, 0, reader, stream), pthread_create(&two, 0, reader, stream);
  pthread_join(one, &refused_one), pthread_join(two, &refused_two);
  legato_stream_metrics metrics = {.size = sizeof metrics};
  legato_stream_metrics_get(stream, &metrics);
  CHECK(metrics.refused_pulls == (uint64_t)(intptr_t)refused_one + (uint64_t)(intptr_t)refused_two);
  // Destroyed while it plays.
  legato_stream_destroy(stream);
}

int main(int count, char **arguments) {
  if (count < 2) return 64;
  CHECK(*legato_error_message() == 0);
  CHECK(legato_package_open(arguments[1], &package) == LEGATO_OK && package);
  if (!package) return 1;
  CHECK(legato_package_info_get(package, &info) == LEGATO_OK);
  CHECK(info.channels > 0 && info.channels <= 8 && info.sample_rate > 0 && info.samples_per_frame > 0 && info.memory > 0);
  bad_packages(arguments[1]);
  bad_streams();
  bad_calls();
  parameters();
  same_samples();
  prompted();
  at_rest();
  two_readers();
  // A stream outlives its package's handle.
  legato_stream *last = stream_of(9, 2, 1);
  legato_package_close(package);
  CHECK(legato_stream_start(last) == LEGATO_OK);
  float block[512 * 8];
  music(last, block, 512);
  legato_stream_destroy(last);
  printf("%d failures\n", failures);
  return failures ? 1 : 0;
}
