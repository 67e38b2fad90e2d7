// A pool of threads that walk a plan together, on a machine that is busy with other things.
//
// A parallel call is cut into chunks, `call->kernel(call, chunk, chunks)`, one bit each in `left`. The caller and any worker
// that is there claim chunks by clearing bits. Once no bit is left the caller waits for the chunks that workers hold, and for
// nothing else: a worker that has not come by then is not waited for, so workers without a processor cost nothing. Kernels
// give an output the same bits however outputs are shared out (see vector.h, dot.h), so it does not matter who does what.
//
// Why a late worker does no harm. All that a worker reads before it has claimed a chunk is `left`, in the pool. It reads
// `call` and `chunks` only after its claim, and the call that they belong to cannot end before the worker has reported that
// chunk in `unfinished`; so whatever was read earlier, however old, a claim that succeeds is one on the call that is open now.
// There is no generation to compare and nothing to be mistaken for an older one: clearing a bit that is clear already changes
// nothing, and clearing one of a newer call is a good claim on the newer call. The call itself stays where the caller of
// lk_run has it, and no one looks at it after the last report.
//
// Orders. Opening: `call`, `chunks` and `unfinished` are written before the store to `left` and a claim acquires that store,
// directly or through other claims, which are read-modify-writes and so continue its release sequence. Closing: a report
// releases, the caller acquires `unfinished` == 0, so all outputs and all reads of `call` come before what the caller does
// next. The caller may store to `left` and `unfinished` without looking: `left` is 0 since it saw it so, and only holders of
// chunks, of whom there are none, touch `unfinished`.
//
// Waiting. Both sides watch for a while, then sleep. A worker that watches lets others run first, for the caller may be among
// them. A caller that waits for a chunk does not yield, since who gets the processor then keeps it for milliseconds, and the
// chunk may be done in a microsecond; it goes to sleep, which also lets the kernel move the worker here.
//
// Sleeping. A bell is a number; odd says that someone may sleep on it. Who wants to sleep makes it odd, looks at the thing
// waited for once more, and sleeps while the number is unchanged. Who changes that thing looks at the bell afterwards, and if
// it is odd adds one and wakes. Both sides change one and then read the other in sequential consistency, so at least one
// sees the other; and the one who was seen too late finds the number changed and does not sleep.
#include "ckernels.h"

#include <limits.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

#if defined(__linux__) && !defined(LK_NO_FUTEX)
#include <sys/syscall.h>
#define LK_FUTEX 1
#endif

// How long a thread watches before it sleeps: longer than most serial calls between parallel ones, shorter than what a sleep
// and a wake-up cost twice.
#define SPIN_NANOSECONDS 30000
#define CHUNKS_PER_THREAD 4
#define MOST_CHUNKS 64

// On a machine with no processor to spare, help can cost more than it brings: a worker that loses its processor while it holds a
// chunk keeps the caller waiting for milliseconds, and one that is woken may take the caller's own. So the caller keeps account: what
// it lost by waking and waiting, less what the chunks that others did would have cost it. Beyond ALONE_AFTER it works alone for
// ALONE_FACTOR times what it lost, twice that when company has failed again soon after, and so on. A pool costs little more than
// one thread would take then, whatever the scheduler does.
#define ALONE_AFTER 200000
#define ALONE_FACTOR 8
#define MOST_ALONE_FACTOR 64
#define MOST_ALONE 1000000000

typedef struct {
  _Atomic uint32_t number;
#if !LK_FUTEX
  pthread_mutex_t mutex;
  pthread_cond_t condition;
#endif
} lk_bell;

struct lk_pool {
  // Of one call, written by the caller before `left`, read by holders of a chunk; `chunks` is also a hint to the others.
  _Alignas(64) const lk_call *call;
  _Atomic int chunks;
  _Alignas(64) _Atomic uint64_t left;
  _Alignas(64) _Atomic int unfinished;
  _Alignas(64) lk_bell work;  // workers sleep on it
  _Alignas(64) lk_bell done;  // the caller does
  _Atomic int stop;
  void (*gate)(void *);  // for tests, which want every call shared: no account is kept
  void *gate_context;

  // The caller's own.
  _Alignas(64) int threads;
  int helpers;          // workers that a processor could be free for
  int64_t lost;         // nanoseconds, on account
  int alone, alone_factor;
  int64_t alone_until, alone_time;  // of the present or the last time alone
  pthread_t *workers;
};

typedef struct {
  lk_pool *pool;
  int index;
} worker_start;

static int64_t now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static int64_t lesser(int64_t a, int64_t b) { return a < b ? a : b; }

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

// MARK: Bells

static int bell_init(lk_bell *bell) {
  atomic_init(&bell->number, 0);
#if !LK_FUTEX
  if (pthread_mutex_init(&bell->mutex, 0) != 0) return 0;
  if (pthread_cond_init(&bell->condition, 0) != 0) {
    pthread_mutex_destroy(&bell->mutex);
    return 0;
  }
#endif
  return 1;
}

static void bell_destroy(lk_bell *bell) {
#if LK_FUTEX
  (void)bell;
#else
  pthread_cond_destroy(&bell->condition);
  pthread_mutex_destroy(&bell->mutex);
#endif
}

// Says that the caller of this is about to sleep; gives the number to sleep on.
static uint32_t bell_announce(lk_bell *bell) { return atomic_fetch_or(&bell->number, 1) | 1; }

// Sleeps while the bell shows `number`. May return early, or at once.
static void bell_sleep(lk_bell *bell, uint32_t number) {
#if LK_FUTEX
  syscall(SYS_futex, &bell->number, 128 /* FUTEX_WAIT_PRIVATE */, number, 0, 0, 0);
#else
  // A lock that someone holds who lost the processor is not waited for.
  if (pthread_mutex_trylock(&bell->mutex) != 0) {
    sched_yield();
    return;
  }
  if (atomic_load(&bell->number) == number) pthread_cond_wait(&bell->condition, &bell->mutex);
  pthread_mutex_unlock(&bell->mutex);
#endif
}

// Wakes `count` of those who sleep on the bell. Where there are locks and `must` is 0, may leave all to the next ring.
static void bell_wake(lk_bell *bell, int count, int must) {
#if LK_FUTEX
  (void)must;
  atomic_fetch_add(&bell->number, 1);
  syscall(SYS_futex, &bell->number, 129 /* FUTEX_WAKE_PRIVATE */, count, 0, 0, 0);
#else
  if (must) pthread_mutex_lock(&bell->mutex);
  else if (pthread_mutex_trylock(&bell->mutex) != 0) return;
  atomic_fetch_add(&bell->number, 1);
  if (must) pthread_cond_broadcast(&bell->condition);
  else
    for (int j = 0; j < count; j++) pthread_cond_signal(&bell->condition);
  pthread_mutex_unlock(&bell->mutex);
#endif
}

// The same if someone has announced that it may sleep since the last ring.
static void bell_ring(lk_bell *bell, int count, int must) {
  if (atomic_load(&bell->number) & 1) bell_wake(bell, count, must);
}

// MARK: Chunks

// Claims a chunk of the open call, if one is left: `first` or the next free one after it, so that a thread finds from call to
// call what it had before, in its cache.
static int claim(lk_pool *pool, int first) {
  uint64_t left = atomic_load_explicit(&pool->left, memory_order_relaxed);
  while (left) {
    const uint64_t turned = first ? left >> first | left << (64 - first) : left;
    const int chunk = (__builtin_ctzll(turned) + first) & 63;
    left = atomic_fetch_and_explicit(&pool->left, ~(1ull << chunk), memory_order_acquire);
    if (left >> chunk & 1) return chunk;
  }
  return -1;
}

// Does chunks until none is left; how many. They count as unfinished until the caller of this reports them, so all are of one call.
static int work_on(lk_pool *pool, int first) {
  int count = 0;
  for (int chunk; (chunk = claim(pool, first)) >= 0; count++)
    pool->call->kernel(pool->call, chunk, atomic_load_explicit(&pool->chunks, memory_order_relaxed));
  return count;
}

// MARK: Workers

static int has_work(lk_pool *pool) { return atomic_load(&pool->left) != 0 || atomic_load(&pool->stop); }

static void wait_for_work(lk_pool *pool) {
  for (;;) {
    const int64_t start = now();
    do {
      for (int j = 0; j < 32; j++) {
        if (has_work(pool)) return;
        pause_briefly();
      }
      // Watching is worth less than whatever else would run here, the caller perhaps.
      sched_yield();
    } while (now() - start < SPIN_NANOSECONDS);
    const uint32_t number = bell_announce(&pool->work);
    if (has_work(pool)) return;
    bell_sleep(&pool->work, number);
    // Rung: if the call is over, the next one is near.
  }
}

static void *work(void *argument) {
  worker_start start = *(worker_start *)argument;
  free(argument);
  lk_pool *pool = start.pool;
  flush_denormals();
  for (;;) {
    wait_for_work(pool);
    if (atomic_load(&pool->stop)) return 0;
    if (pool->gate) pool->gate(pool->gate_context);
    const int hint = atomic_load_explicit(&pool->chunks, memory_order_relaxed) * start.index / pool->threads;
    const int count = work_on(pool, hint);
    if (count > 0 && atomic_fetch_sub(&pool->unfinished, count) == count) bell_ring(&pool->done, 1, 1);
  }
}

// MARK: The caller

static void open_call(lk_pool *pool, const lk_call *call, int chunks) {
  pool->call = call;
  atomic_store_explicit(&pool->chunks, chunks, memory_order_relaxed);
  atomic_store_explicit(&pool->unfinished, chunks, memory_order_relaxed);
  atomic_store(&pool->left, chunks == 64 ? ~0ull : (1ull << chunks) - 1);
  bell_ring(&pool->work, pool->helpers, 0);
}

// Waits for the chunks that workers hold.
static void wait_for_workers(lk_pool *pool) {
  const int64_t start = now();
  do {
    for (int j = 0; j < 32; j++) {
      if (atomic_load_explicit(&pool->unfinished, memory_order_acquire) == 0) return;
      pause_briefly();
    }
  } while (now() - start < SPIN_NANOSECONDS);
  for (;;) {
    const uint32_t number = bell_announce(&pool->done);
    if (atomic_load(&pool->unfinished) == 0) return;
    bell_sleep(&pool->done, number);
    if (atomic_load(&pool->unfinished) == 0) return;
  }
}

// Enters a call that ended at `end` and brought `gain` nanoseconds.
static void keep_account(lk_pool *pool, int64_t gain, int64_t end) {
  if (pool->gate) return;
  if (gain >= 0) {
    // The gain is a guess, high where the caller lost its processor, so no single one settles the account.
    pool->lost -= lesser(gain, pool->lost / 2);
    return;
  }
  pool->lost -= gain;
  if (pool->lost < ALONE_AFTER) return;
  const int again = end - pool->alone_until < pool->alone_time;
  pool->alone_factor = again ? (int)lesser(2 * pool->alone_factor, MOST_ALONE_FACTOR) : ALONE_FACTOR;
  pool->alone_time = lesser(pool->lost * pool->alone_factor, MOST_ALONE);
  pool->alone_until = end + pool->alone_time;
  pool->alone = 1;
  pool->lost = 0;
}

static void run_shared(lk_pool *pool, const lk_call *call) {
  int chunks = pool->threads <= MOST_CHUNKS / CHUNKS_PER_THREAD ? pool->threads * CHUNKS_PER_THREAD : MOST_CHUNKS;
  if (call->parallel > 1 && call->parallel < chunks) chunks = call->parallel;
  const int64_t start = now();
  open_call(pool, call, chunks);
  const int64_t opened = now();
  const int own = work_on(pool, 0);
  if (own == chunks) {
    keep_account(pool, start - opened, opened);
    return;
  }
  const int64_t worked = now();
  int64_t end = worked;
  if (atomic_fetch_sub(&pool->unfinished, own) != own) {
    wait_for_workers(pool);
    end = now();
  }
  const int64_t saved = own > 0 ? (worked - opened) / own * (chunks - own) : 0;
  keep_account(pool, saved - (opened - start) - (end - worked), end);
}

static int works_alone(lk_pool *pool) {
  if (pool->threads == 1) return 1;
  if (pool->alone && now() >= pool->alone_until) pool->alone = 0;
  return pool->alone;
}

void lk_run(lk_pool *pool, const lk_call *calls, int64_t count) {
  const uint64_t mode = flush_denormals();
  for (int64_t j = 0; j < count; j++) {
    const lk_call *call = &calls[j];
    if (!call->parallel || works_alone(pool)) call->kernel(call, 0, 1);
    else run_shared(pool, call);
  }
  restore_denormals(mode);
}

// MARK: Making and ending

lk_pool *lk_pool_create(int threads) { return lk_pool_create_gated(threads, 0, 0); }

lk_pool *lk_pool_create_gated(int threads, void (*gate)(void *), void *context) {
  if (threads < 1) threads = 1;
  lk_pool *pool = 0;
  if (posix_memalign((void **)&pool, 64, sizeof *pool) != 0) return 0;
  pool->call = 0;
  atomic_init(&pool->chunks, 1);
  atomic_init(&pool->left, 0);
  atomic_init(&pool->unfinished, 0);
  atomic_init(&pool->stop, 0);
  pool->gate = gate;
  pool->gate_context = context;
  pool->threads = threads;
  pool->lost = 0;
  pool->alone = 0;
  pool->alone_factor = ALONE_FACTOR;
  pool->alone_until = 0;
  pool->alone_time = 0;
  pool->workers = calloc((size_t)threads, sizeof *pool->workers);
  if (!pool->workers) {
    free(pool);
    return 0;
  }
  if (!bell_init(&pool->work)) {
    free(pool->workers);
    free(pool);
    return 0;
  }
  if (!bell_init(&pool->done)) {
    bell_destroy(&pool->work);
    free(pool->workers);
    free(pool);
    return 0;
  }
  const long processors = sysconf(_SC_NPROCESSORS_ONLN);
  pool->helpers = processors > 2 ? (int)processors - 1 : 1;

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
  // Fewer threads than asked for give the same results. Workers read the number only after the first call is open.
  pool->threads = made;
  return pool;
}

void lk_pool_destroy(lk_pool *pool) {
  if (!pool) return;
  atomic_store(&pool->stop, 1);
  // Every worker sees `stop` or is asleep by now or finds the number changed. An even number does not say that none sleeps.
  bell_wake(&pool->work, INT_MAX, 1);
  for (int j = 1; j < pool->threads; j++) pthread_join(pool->workers[j], 0);
  bell_destroy(&pool->work);
  bell_destroy(&pool->done);
  free(pool->workers);
  free(pool);
}

int lk_pool_threads(const lk_pool *pool) { return pool->threads; }
