// Counts what the threads of a stream allocate, free and lock while it plays. For glibc: this program's malloc and its kin
// stand before the C library's, for the library's calls, too.
//
//   allocations PACKAGE SECONDS THREADS  ->  "name count" a line
//
// Every thread counts but the main one, which plays the controller: the engine, its helpers, and the one that pulls. Counting
// begins with the second second of music.
#define _GNU_SOURCE
#include "legato.h"

#include <dlfcn.h>
#include <errno.h>
#include <execinfo.h>
#include <malloc.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static _Atomic int counting;
static _Atomic long allocations, frees, locks, live;
static _Thread_local int exempt, inside;
static const char *volatile phase = "first";

static void count(_Atomic long *what) {
  if (!counting || exempt || inside) return;
  inside = 1;
  // LEGATO_TRACE=steady shows where the first few of that phase come from.
  const char *traced = getenv("LEGATO_TRACE");
  if (atomic_fetch_add(what, 1) < 3 && traced && !strcmp(traced, phase)) {
    void *frames[40];
    backtrace_symbols_fd(frames, backtrace(frames, 40), 2);
    (void)!write(2, "\n", 1);
  }
  inside = 0;
}

extern void *__libc_malloc(size_t), *__libc_calloc(size_t, size_t), *__libc_realloc(void *, size_t), *__libc_memalign(size_t, size_t);
extern void __libc_free(void *);

static void *counted(void *memory) {
  count(&allocations);
  live += (long)malloc_usable_size(memory);
  return memory;
}

void *malloc(size_t size) { return counted(__libc_malloc(size)); }
void *calloc(size_t number, size_t size) { return counted(__libc_calloc(number, size)); }
void *realloc(void *memory, size_t size) {
  live -= (long)malloc_usable_size(memory);
  return counted(__libc_realloc(memory, size));
}
void *memalign(size_t alignment, size_t size) { return counted(__libc_memalign(alignment, size)); }
void *aligned_alloc(size_t alignment, size_t size) { return memalign(alignment, size); }
int posix_memalign(void **memory, size_t alignment, size_t size) {
  *memory = memalign(alignment, size);
  return *memory ? 0 : ENOMEM;
}
void free(void *memory) {
  if (!memory) return;
  count(&frees);
  live -= (long)malloc_usable_size(memory);
  __libc_free(memory);
}

#define LOCK(name, type) \
  static int (*real_##name)(type *); \
  int name(type *lock) { \
    count(&locks); \
    if (!real_##name) real_##name = (int (*)(type *))(uintptr_t)dlsym(RTLD_NEXT, #name); \
    return real_##name(lock); \
  }
LOCK(pthread_mutex_lock, pthread_mutex_t)
LOCK(pthread_mutex_trylock, pthread_mutex_t)
LOCK(pthread_rwlock_rdlock, pthread_rwlock_t)
LOCK(pthread_rwlock_wrlock, pthread_rwlock_t)
LOCK(pthread_cond_signal, pthread_cond_t)
LOCK(pthread_cond_broadcast, pthread_cond_t)

static legato_package_info info = {.size = sizeof info};
static legato_stream *stream;
static _Atomic int64_t pulled;
static _Atomic int ended;

static void *reader(void *unused) {
  (void)unused;
  static float block[512 * 8];
  while (!ended) {
    const int64_t got = legato_stream_pull_interleaved(stream, block, 512);
    if (got < 0) break;
    pulled += got;
    if (got < 512) usleep(500);
  }
  return 0;
}

static void wait_for(double seconds) {
  const int64_t until = pulled + (int64_t)(seconds * info.sample_rate);
  while (pulled < until) usleep(1000);
}

// Prints a phase's counts; the next begins.
static void report(const char *next) {
  printf("%s_allocations %ld\n%s_frees %ld\n%s_locks %ld\n", phase, allocations, phase, frees, phase, locks);
  allocations = frees = locks = 0;
  phase = next;
}

int main(int argument_count, char **arguments) {
  if (argument_count < 4) return 64;
  exempt = 1;
  void *frames[4];
  backtrace(frames, 4);
  legato_package *package;
  if (legato_package_open(arguments[1], &package) != LEGATO_OK) {
    fprintf(stderr, "%s\n", legato_error_message());
    return 1;
  }
  legato_package_info_get(package, &info);
  legato_stream_options options;
  legato_stream_options_init(&options);
  options.seed = 7, options.threads = atoi(arguments[3]);
  // One stream before, so that what is made once for all is there.
  if (legato_stream_create(package, &options, &stream) != LEGATO_OK) return 1;
  legato_stream_destroy(stream);

  counting = 1;
  const long before = live;
  if (legato_stream_create(package, &options, &stream) != LEGATO_OK) return 1;
  legato_stream_metrics metrics = {.size = sizeof metrics};
  legato_stream_metrics_get(stream, &metrics);
  printf("stream_bytes %ld\nsaid_bytes %ld\n", live - before, (long)metrics.memory);
  legato_stream_start(stream);
  pthread_t thread;
  pthread_create(&thread, 0, reader, 0);
  wait_for(1);
  report("steady");

  // What a controller changes costs the engine nothing either.
  const double seconds = atof(arguments[2]);
  for (int j = 0; j < 4; j++) {
    legato_stream_set(stream, LEGATO_TEMPERATURE, 0.8 + 0.1 * j);
    // Numbers that the stream has not used before, the last of them more than are computed at once.
    static const float steps[] = {3, 12, 29, 70};
    legato_stream_set(stream, LEGATO_STEPS, steps[j]);
    if (info.styles) legato_stream_set_style(stream, legato_package_style(package, j % info.styles));
    wait_for(seconds / 4);
  }
  report("saving");

  // What does allocate must be seen.
  size_t size;
  legato_stream_save(stream, 0, &size);
  wait_for(0.2);
  report("end");
  counting = 0;
  ended = 1;
  pthread_join(thread, 0);
  legato_stream_metrics_get(stream, &metrics);
  printf("frames %ld\nthreads %d\n", (long)metrics.frames, metrics.threads);
  legato_stream_destroy(stream);
  legato_package_close(package);
  return 0;
}
