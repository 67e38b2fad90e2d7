// Threads: lk_pool and lk_run.
#pragma once
#include "harness.h"

#include <pthread.h>
#include <stdatomic.h>
#include <time.h>

// MARK: Every share once

typedef struct {
  _Atomic int begun[64], shares, odd;
} shares_record;

static void record_share(const lk_call *call, int share, int shares) {
  shares_record *record = call->p[0];
  if (share < 0 || share >= shares || shares > 64) {
    atomic_store(&record->odd, 1);
    return;
  }
  atomic_fetch_add(&record->begun[share], 1);
  atomic_store(&record->shares, shares);
  // Some work, so that others come to take shares.
  volatile int64_t busy = call->i[0] * (share % 3);
  while (busy > 0) busy--;
}

static int every_share_once(lk_pool *pool, int parallel, int64_t work) {
  shares_record record;
  memset(&record, 0, sizeof record);
  lk_call call = {.kernel = record_share, .p = {&record}, .i = {work}, .parallel = parallel};
  lk_run(pool, &call, 1);
  const int shares = record.shares;
  int ok = !record.odd && shares >= 1 && (parallel != 0 || shares == 1) && (parallel <= 1 || shares <= parallel);
  for (int j = 0; j < 64; j++) ok &= record.begun[j] == (j < shares);
  return ok;
}

static void open_gate(void *context) { atomic_fetch_add((_Atomic int64_t *)context, 1); }

static void nap(int64_t nanoseconds) {
  struct timespec t = {.tv_nsec = (long)nanoseconds};
  nanosleep(&t, 0);
}

static void test_shares(void) {
  for (int threads = 1; threads <= 20; threads += threads < 5 ? 1 : 5)
    for (int gated = 0; gated < 2; gated++) {
      _Atomic int64_t passed_gate = 0;
      lk_pool *pool = gated ? lk_pool_create_gated(threads, open_gate, &passed_gate) : lk_pool_create(threads);
      expect(pool && lk_pool_threads(pool) == threads, "a pool of %d threads", threads);
      int ok = 1;
      for (int j = 0; j < 2000; j++) {
        static const int parallel[] = {1, 0, 2, 1, 5, 64, 1000, 3};
        ok &= every_share_once(pool, parallel[j % 8], j % 5 * 100);
        // Long enough for workers to fall asleep, now and then.
        if (j % 200 == 50) nap(300000);
      }
      lk_pool_destroy(pool);
      expect(ok, "%d threads%s: a share was not done exactly once", threads, gated ? ", gated" : "");
    }
}

// MARK: Chains of calls, each reading what the one before wrote

// `calls` calls that add 1, then one row sum: any call that began before the last one's end gives another number.
static int chain_is_right(lk_pool *pool, lk_isa isa, int calls, int64_t n, const float *start) {
  float *a = malloc((size_t)n * sizeof *a), *b = malloc((size_t)n * sizeof *b), sum = 0;
  lk_call *plan = calloc((size_t)calls + 1, sizeof *plan);
  if (!a || !b || !plan) abort();
  memcpy(a, start, (size_t)n * sizeof *a);
  for (int j = 0; j < calls; j++)
    plan[j] = (lk_call){.kernel = lk_kernel_for(LK_SCALAR_OP, isa), .p = {j & 1 ? b : a, j & 1 ? a : b}, .i = {n, LK_ADD}, .f = {1}, .parallel = j % 7 == 3 ? 0 : j % 5 == 2 ? 2 : 1};
  float *last = calls & 1 ? b : a;
  plan[calls] = (lk_call){.kernel = lk_kernel_for(LK_REDUCE, isa), .p = {last, &sum}, .i = {LK_SUM, 1, n, 1}, .parallel = 1};
  lk_run(pool, plan, calls + 1);
  int ok = 1;
  double expected = 0;
  for (int64_t j = 0; j < n; j++) ok &= last[j] == start[j] + (float)calls, expected += last[j];
  ok &= fabs(sum - expected) <= 1e-6 * fabs(expected);
  free(a), free(b), free(plan);
  return ok;
}

static void test_chains(void) {
  const int64_t n = 5000;
  float *start = floats(n);
  for (int64_t j = 0; j < n; j++) start[j] = (float)(j % 100);
  for (int k = 0; k < isa_count; k++)
    for (int threads = 1; threads <= 4; threads++) {
      lk_pool *pool = lk_pool_create(threads);
      int ok = 1;
      for (int j = 0; j < 30; j++) ok &= chain_is_right(pool, isas[k], 40 + j, n, start);
      lk_run(pool, 0, 0);
      lk_pool_destroy(pool);
      expect(ok, "%s, %d threads: a chain of calls gives other numbers", lk_isa_name(isas[k]), threads);
    }
  release();
}

// MARK: Pools at once, pools in a loop

typedef struct {
  pthread_t thread;
  lk_isa isa;
  const float *start;
  int64_t n;
  int threads, ok;
} pool_user;

static void *use_pool(void *argument) {
  pool_user *user = argument;
  user->ok = 1;
  for (int round = 0; round < 8; round++) {
    lk_pool *pool = lk_pool_create(user->threads);
    for (int j = 0; j < 10; j++) user->ok &= chain_is_right(pool, user->isa, 20 + j, user->n, user->start);
    for (int j = 0; j < 200; j++) user->ok &= every_share_once(pool, j % 4, 200);
    lk_pool_destroy(pool);
  }
  return 0;
}

static void test_pools_at_once(void) {
  enum { USERS = 4 };
  const int64_t n = 2000;
  float *start = floats(n);
  for (int64_t j = 0; j < n; j++) start[j] = (float)j;
  for (int k = 0; k < isa_count; k++) {
    pool_user users[USERS];
    for (int j = 0; j < USERS; j++) {
      users[j] = (pool_user){.isa = isas[k], .start = start, .n = n, .threads = 1 + j};
      if (pthread_create(&users[j].thread, 0, use_pool, &users[j])) abort();
    }
    for (int j = 0; j < USERS; j++) {
      pthread_join(users[j].thread, 0);
      expect(users[j].ok, "%s: pool %d of several at once gives other numbers", lk_isa_name(isas[k]), j);
    }
  }
  release();
}

static void test_pool_lives(void) {
  int ok = 1;
  for (int j = 0; j < 400; j++) {
    lk_pool *pool = lk_pool_create(1 + j % 6);
    if (j % 4 == 1) ok &= every_share_once(pool, 1, 50);
    if (j % 4 == 2) nap(100000);
    if (j % 4 == 3) ok &= every_share_once(pool, 1, 0) && every_share_once(pool, 3, 0);
    lk_pool_destroy(pool);
  }
  expect(ok, "pools made and ended in a loop");
  for (int threads = -1; threads <= 0; threads++) {
    lk_pool *pool = lk_pool_create(threads);
    expect(pool && lk_pool_threads(pool) == 1 && every_share_once(pool, 1, 0), "a pool of %d threads is one of 1", threads);
    lk_pool_destroy(pool);
  }
  lk_pool_destroy(0);
}

// MARK: Denormals

// Flushed on every thread while lk_run runs, both read and made; as before afterwards.
static void test_denormals(void) {
  enum { N = 4096 };
  float *in = floats(N), *out = floats(N);
  for (int k = 0; k < isa_count; k++) {
    lk_pool *pool = lk_pool_create(4);
    for (int made = 0; made < 2; made++) {
      for (int64_t j = 0; j < N; j++) in[j] = made ? 2e-38f : 1e-39f, out[j] = 1;
      lk_call call = {.kernel = lk_kernel_for(LK_SCALAR_OP, isas[k]), .p = {in, out}, .i = {N, LK_MULTIPLY}, .f = {made ? 0.125f : 1e3f}, .parallel = 1};
      lk_run(pool, &call, 1);
      int ok = 1;
      for (int64_t j = 0; j < N; j++) ok &= out[j] == 0;
      expect(ok, "%s: denormals that are %s are not flushed", lk_isa_name(isas[k]), made ? "made" : "read");
    }
    volatile float small = 2e-38f, eighth = 0.125f;
    volatile float product = small * eighth;
    expect(product != 0, "%s: denormals stay flushed after lk_run", lk_isa_name(isas[k]));
    lk_pool_destroy(pool);
  }
  release();
}

static void test_pool(void) {
  test_shares();
  test_chains();
  test_pools_at_once();
  test_pool_lives();
  test_denormals();
}
