// A pool of threads that walk a plan together.
//
// The caller is thread 0. For each parallel call it publishes the call and raises `epoch`; every worker does its share and
// lowers `pending`; the caller goes on once `pending` is zero. Serial calls never wake anyone. Both sides spin for a while and
// then sleep on a condition variable. A side that is about to sleep announces it (`sleepers`, `caller_sleeps`) and
// then looks again; the other side changes the counter and then looks for sleepers. All four are sequentially consistent, so at
// least one sees the other, and the mutex, held from the announcement until the wait begins, keeps the wake-up from being lost.
#include "ckernels.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <time.h>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

struct lk_pool {
  int threads;
  pthread_t *workers;
  pthread_mutex_t mutex;
  pthread_cond_t work, idle;
  const lk_call *call;  // written before epoch is raised, read after; null ends the workers
  _Alignas(64) _Atomic uint64_t epoch;
  _Alignas(64) _Atomic int pending;
  _Alignas(64) _Atomic int sleepers;
  _Atomic int caller_sleeps;
};

typedef struct {
  lk_pool *pool;
  int index;
} worker_start;

#define SPIN_NANOSECONDS 50000

static int64_t now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static void pause_briefly(void) {
#if defined(__x86_64__)
  _mm_pause();
#elif defined(__aarch64__)
  __asm__ volatile("yield");
#endif
}

// Flush denormals to zero, in results and in operands; gives what to restore.
static uint64_t flush_denormals(void) {
#if defined(__x86_64__)
  unsigned mode = _mm_getcsr();
  _mm_setcsr(mode | 0x8040u);
  return mode;
#elif defined(__aarch64__)
  uint64_t mode;
  __asm__ volatile("mrs %0, fpcr" : "=r"(mode));
  __asm__ volatile("msr fpcr, %0" : : "r"(mode | (1ull << 24)));
  return mode;
#else
  return 0;
#endif
}

static void restore_denormals(uint64_t mode) {
#if defined(__x86_64__)
  _mm_setcsr((unsigned)mode);
#elif defined(__aarch64__)
  __asm__ volatile("msr fpcr, %0" : : "r"(mode));
#else
  (void)mode;
#endif
}

static void wait_for_work(lk_pool *pool, uint64_t seen) {
  const int64_t start = now();
  do {
    for (int j = 0; j < 64; j++) {
      if (atomic_load_explicit(&pool->epoch, memory_order_acquire) != seen) return;
      pause_briefly();
    }
  } while (now() - start < SPIN_NANOSECONDS);
  pthread_mutex_lock(&pool->mutex);
  atomic_fetch_add(&pool->sleepers, 1);
  while (atomic_load(&pool->epoch) == seen) pthread_cond_wait(&pool->work, &pool->mutex);
  atomic_fetch_sub(&pool->sleepers, 1);
  pthread_mutex_unlock(&pool->mutex);
}

static void wait_for_workers(lk_pool *pool) {
  const int64_t start = now();
  do {
    for (int j = 0; j < 64; j++) {
      if (atomic_load_explicit(&pool->pending, memory_order_acquire) == 0) return;
      pause_briefly();
    }
  } while (now() - start < SPIN_NANOSECONDS);
  pthread_mutex_lock(&pool->mutex);
  atomic_store(&pool->caller_sleeps, 1);
  while (atomic_load(&pool->pending) != 0) pthread_cond_wait(&pool->idle, &pool->mutex);
  atomic_store(&pool->caller_sleeps, 0);
  pthread_mutex_unlock(&pool->mutex);
}

static void publish(lk_pool *pool, const lk_call *call) {
  pool->call = call;
  atomic_store_explicit(&pool->pending, pool->threads - 1, memory_order_relaxed);
  atomic_fetch_add(&pool->epoch, 1);
  if (atomic_load(&pool->sleepers) > 0) {
    pthread_mutex_lock(&pool->mutex);
    pthread_cond_broadcast(&pool->work);
    pthread_mutex_unlock(&pool->mutex);
  }
}

static void *work(void *argument) {
  worker_start start = *(worker_start *)argument;
  free(argument);
  lk_pool *pool = start.pool;
  flush_denormals();
  for (uint64_t seen = 0;; seen++) {
    wait_for_work(pool, seen);
    const lk_call *call = pool->call;
    if (call) call->kernel(call, start.index, pool->threads);
    if (atomic_fetch_sub(&pool->pending, 1) == 1 && atomic_load(&pool->caller_sleeps)) {
      pthread_mutex_lock(&pool->mutex);
      pthread_cond_signal(&pool->idle);
      pthread_mutex_unlock(&pool->mutex);
    }
    if (!call) return 0;
  }
}

lk_pool *lk_pool_create(int threads) {
  if (threads < 1) threads = 1;
  lk_pool *pool = 0;
  if (posix_memalign((void **)&pool, 64, sizeof *pool) != 0) return 0;
  pool->threads = threads;
  pool->call = 0;
  atomic_init(&pool->epoch, 0);
  atomic_init(&pool->pending, 0);
  atomic_init(&pool->sleepers, 0);
  atomic_init(&pool->caller_sleeps, 0);
  pool->workers = calloc((size_t)threads, sizeof *pool->workers);
  if (!pool->workers) {
    free(pool);
    return 0;
  }
  pthread_mutex_init(&pool->mutex, 0);
  pthread_cond_init(&pool->work, 0);
  pthread_cond_init(&pool->idle, 0);

  // Signals go to the application's own threads.
  sigset_t every, before;
  sigfillset(&every);
  pthread_sigmask(SIG_SETMASK, &every, &before);
  pthread_attr_t attributes;
  pthread_attr_init(&attributes);
  pthread_attr_setstacksize(&attributes, 1 << 20);
  int made = 1;
  for (; made < threads; made++) {
    worker_start *start = malloc(sizeof *start);
    if (!start) break;
    *start = (worker_start){pool, made};
    if (pthread_create(&pool->workers[made], &attributes, work, start) != 0) {
      free(start);
      break;
    }
  }
  pthread_attr_destroy(&attributes);
  pthread_sigmask(SIG_SETMASK, &before, 0);
  // Fewer threads than asked for give the same results. Workers read the number only after the first call is published.
  pool->threads = made;
  return pool;
}

void lk_pool_destroy(lk_pool *pool) {
  if (!pool) return;
  if (pool->threads > 1) {
    publish(pool, 0);
    for (int j = 1; j < pool->threads; j++) pthread_join(pool->workers[j], 0);
  }
  pthread_cond_destroy(&pool->work);
  pthread_cond_destroy(&pool->idle);
  pthread_mutex_destroy(&pool->mutex);
  free(pool->workers);
  free(pool);
}

int lk_pool_threads(const lk_pool *pool) { return pool->threads; }

void lk_run(lk_pool *pool, const lk_call *calls, int64_t count) {
  const uint64_t mode = flush_denormals();
  for (int64_t j = 0; j < count; j++) {
    const lk_call *call = &calls[j];
    if (!call->parallel || pool->threads == 1) {
      call->kernel(call, 0, 1);
      continue;
    }
    publish(pool, call);
    call->kernel(call, 0, pool->threads);
    wait_for_workers(pool);
  }
  restore_denormals(mode);
}
