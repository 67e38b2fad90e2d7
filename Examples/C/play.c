// Plays a package through a simulated audio callback, and writes what it hears to a WAV file.
//
//   cc play.c -I ../../out/c/include -L ../../out/c/lib -llegato -lpthread -o play
//   ./play Models/legato-first play.wav [--seconds 10] [--seed 7] [--block 512] [--depth 4] [--threads 2] [--fast]
//
// The callback is a thread that asks for a block every block's time, as a sound card would. --fast asks whenever the ring holds
// a block: for machines that only want the file. A real host calls legato_stream_pull from the callback that it has.
#define _POSIX_C_SOURCE 200809L
#include "legato.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

typedef struct {
  legato_stream *stream;
  float *samples;  // interleaved, all of it
  int64_t total, block;
  int32_t channels, sample_rate;
  int fast;
  int64_t status;  // negative: why it ended early
} callback_job;

static void sleep_until(struct timespec *time, int64_t nanoseconds) {
  time->tv_nsec += (long)(nanoseconds % 1000000000);
  time->tv_sec += (time_t)(nanoseconds / 1000000000) + time->tv_nsec / 1000000000;
  time->tv_nsec %= 1000000000;
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  struct timespec rest = {time->tv_sec - now.tv_sec, time->tv_nsec - now.tv_nsec};
  if (rest.tv_nsec < 0) rest.tv_nsec += 1000000000, rest.tv_sec--;
  if (rest.tv_sec >= 0) nanosleep(&rest, 0);
}

static void *callback_thread(void *argument) {
  callback_job *job = argument;
  struct timespec next;
  clock_gettime(CLOCK_MONOTONIC, &next);
  for (int64_t done = 0; done < job->total;) {
    const int64_t count = job->block < job->total - done ? job->block : job->total - done;
    float *target = job->samples + done * job->channels;
    if (job->fast) {
      // Not what a callback does: it looks first whether the block is there.
      legato_stream_metrics metrics = {.size = sizeof metrics};
      legato_stream_metrics_get(job->stream, &metrics);
      if (metrics.waiting_samples < (uint64_t)count) {
        nanosleep(&(struct timespec){0, 1000000}, 0);
        continue;
      }
    }
    const int64_t music = legato_stream_pull_interleaved(job->stream, target, count);
    if (music < 0) {
      job->status = music;
      return 0;
    }
    done += count;
    if (!job->fast) sleep_until(&next, count * 1000000000 / job->sample_rate);
  }
  return 0;
}

static void put(FILE *file, uint32_t value, int bytes) {
  for (int j = 0; j < bytes; j++) fputc((int)(value >> 8 * j & 255), file);
}

// 16-bit PCM.
static int write_wav(const char *path, const float *samples, int64_t frames, int32_t channels, int32_t rate) {
  FILE *file = fopen(path, "wb");
  if (!file) return 0;
  const uint32_t bytes = (uint32_t)(frames * channels * 2);
  fputs("RIFF", file), put(file, 36 + bytes, 4), fputs("WAVEfmt ", file), put(file, 16, 4);
  put(file, 1, 2), put(file, (uint32_t)channels, 2), put(file, (uint32_t)rate, 4);
  put(file, (uint32_t)(rate * channels * 2), 4), put(file, (uint32_t)(channels * 2), 2), put(file, 16, 2);
  fputs("data", file), put(file, bytes, 4);
  for (int64_t j = 0; j < frames * channels; j++) {
    const float scaled = samples[j] * 32767.0f;
    put(file, (uint32_t)(int32_t)(scaled < 0 ? scaled - 0.5f : scaled + 0.5f), 2);
  }
  const int failed = ferror(file);
  return fclose(file) == 0 && !failed;
}

static int fail(const char *what) {
  fprintf(stderr, "play: %s: %s\n", what, legato_error_message());
  return 1;
}

int main(int count, char **arguments) {
  if (count < 3) {
    fprintf(stderr, "play: give a package's folder and the WAV file to write\n");
    return 64;
  }
  double seconds = 10;
  int64_t block = 512;
  int fast = 0;
  legato_stream_options options;
  legato_stream_options_init(&options);
  options.seed = 7;
  for (int j = 3; j < count; j++) {
    const char *name = arguments[j], *value = j + 1 < count ? arguments[j + 1] : "";
    if (!strcmp(name, "--fast")) {
      fast = 1;
      continue;
    }
    if (!strcmp(name, "--seconds")) seconds = atof(value);
    else if (!strcmp(name, "--seed")) options.seed = strtoull(value, 0, 10);
    else if (!strcmp(name, "--block")) block = atoll(value);
    else if (!strcmp(name, "--depth")) options.depth = atoi(value);
    else if (!strcmp(name, "--threads")) options.threads = atoi(value);
    else {
      fprintf(stderr, "play: there is no option %s\n", name);
      return 64;
    }
    j++;
  }
  if (!(seconds > 0 && seconds <= 3600) || block < 1) {
    fprintf(stderr, "play: --seconds must be from 0 to 3600, --block at least 1\n");
    return 64;
  }

  legato_package *package;
  if (legato_package_open(arguments[1], &package) != LEGATO_OK) return fail("the package cannot be opened");
  legato_package_info info = {.size = sizeof info};
  legato_package_info_get(package, &info);
  legato_stream *stream;
  if (legato_stream_create(package, &options, &stream) != LEGATO_OK) return fail("no stream can be made");
  // The stream keeps what it needs.
  legato_package_close(package);
  if (legato_stream_start(stream) != LEGATO_OK || legato_stream_wait_until_full(stream, 30) != LEGATO_OK)
    return fail("the stream does not start");

  callback_job job = {.stream = stream, .total = (int64_t)(seconds * info.sample_rate), .block = block,
                      .channels = info.channels, .sample_rate = info.sample_rate, .fast = fast};
  job.samples = calloc((size_t)(job.total * job.channels), sizeof(float));
  pthread_t thread;
  if (!job.samples || pthread_create(&thread, 0, callback_thread, &job) != 0) {
    fprintf(stderr, "play: no memory or no thread for %g s\n", seconds);
    return 1;
  }
  // A controller's call while it plays: heard after what waits in the ring.
  if (legato_stream_set(stream, LEGATO_TEMPERATURE, 0.9) != LEGATO_OK) return fail("temperature");
  pthread_join(thread, 0);
  if (job.status < 0) {
    fprintf(stderr, "play: the pull failed: %s\n", legato_status_text((legato_status)job.status));
    return 1;
  }

  legato_stream_metrics metrics = {.size = sizeof metrics};
  legato_stream_metrics_get(stream, &metrics);
  printf("%" PRId64 " samples of %d channels, %" PRIu64 " underruns (%" PRIu64 " samples missing), %.1f ms a frame of %.1f ms, "
         "at most %.1f ms, %.1f MB beside the package's %.1f MB\n",
         job.total, info.channels, metrics.underruns, metrics.missing_samples, metrics.mean_frame_time * 1e3,
         info.samples_per_frame * 1e3 / info.sample_rate, metrics.longest_frame_time * 1e3, (double)metrics.memory / 1e6,
         (double)info.memory / 1e6);
  legato_stream_destroy(stream);
  const int written = write_wav(arguments[2], job.samples, job.total, job.channels, job.sample_rate);
  free(job.samples);
  if (!written) {
    fprintf(stderr, "play: %s cannot be written\n", arguments[2]);
    return 1;
  }
  return 0;
}
