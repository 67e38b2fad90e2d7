// What every topic uses: random values, guarded memory, and the check of one kernel call on every instruction set.
#pragma once
#include "ckernels.h"

#include <math.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define COUNT(A) ((int64_t)(sizeof(A) / sizeof *(A)))

static int passed, failed;
static lk_isa isas[8];
static int isa_count;
static int tried[LK_KERNEL_COUNT];

// MARK: Random values

static uint64_t random_state;

// SplitMix64 (Steele, Lea, Flood 2014).
static uint64_t random_bits(void) {
  uint64_t z = random_state += 0x9e3779b97f4a7c15u;
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
  return z ^ (z >> 31);
}
static int64_t random_int(int64_t low, int64_t high) { return low + (int64_t)(random_bits() % (uint64_t)(high - low + 1)); }
static double random_real(double low, double high) { return low + (high - low) * (double)(random_bits() >> 11) * 0x1p-53; }

// Near enough to normal, of variance 1.
static float random_normal(void) {
  double s = 0;
  for (int j = 0; j < 6; j++) s += random_real(-1, 1);
  return (float)(s * 0.70710678118654752440);
}

// MARK: Memory of one trial

static void *kept[256];
static int kept_count;

// Zeroed memory until the next `release`. At least one byte, so that sanitizers see a pointer.
static void *keep(int64_t count, size_t size) {
  void *p = calloc((size_t)count + 1, size);
  if (!p || kept_count == COUNT(kept)) abort();
  return kept[kept_count++] = p;
}
static void release(void) {
  while (kept_count > 0) free(kept[--kept_count]);
}
static float *floats(int64_t count) { return keep(count, sizeof(float)); }
static double *doubles(int64_t count) { return keep(count, sizeof(double)); }
static float *normal_floats(int64_t count) {
  float *p = floats(count);
  for (int64_t j = 0; j < count; j++) p[j] = random_normal();
  return p;
}
static float *uniform_floats(int64_t count, double low, double high) {
  float *p = floats(count);
  for (int64_t j = 0; j < count; j++) p[j] = (float)random_real(low, high);
  return p;
}

// MARK: Trials

typedef struct {
  enum { ABSENT, INPUT, OUTPUT, STATE, PLAN } role;
  size_t bytes;
  const void *data;                // contents before the call
  const double *expected, *bound;  // of an output of floats; null where it is not compared
  int per_row;                     // cut into rows of equal size
} operand;

// One call of a kernel, with what it must give.
typedef struct {
  lk_kernel_id id;
  const char *name;
  char sizes[200];
  lk_call call;
  operand slot[LK_MAX_POINTERS];
  int rows_at;  // the integer that counts rows, which are then also computed one by one; -1: none
} trial;

static const trial *current_trial;
static const char *current_isa = "", *current_topic = "";

static trial trial_of(lk_kernel_id id, const char *name, const char *sizes, ...) {
  trial t = {.id = id, .name = name, .rows_at = -1};
  va_list arguments;
  va_start(arguments, sizes);
  vsnprintf(t.sizes, sizeof t.sizes, sizes, arguments);
  va_end(arguments);
  return t;
}
static void input(trial *t, int slot, const void *data, int64_t count, size_t size) {
  t->slot[slot] = (operand){.role = INPUT, .bytes = (size_t)count * size, .data = data};
}
static void input_floats(trial *t, int slot, const float *data, int64_t count) { input(t, slot, data, count, sizeof *data); }
static void state(trial *t, int slot, const float *data, int64_t count, const double *expected, const double *bound) {
  t->slot[slot] = (operand){.role = STATE, .bytes = (size_t)count * sizeof *data, .data = data, .expected = expected, .bound = bound};
}
static void output(trial *t, int slot, int64_t count, const double *expected, const double *bound) {
  t->slot[slot] = (operand){.role = OUTPUT, .bytes = (size_t)count * sizeof(float), .expected = expected, .bound = bound};
}
#define INTEGERS(T, ...) memcpy((T)->call.i, (int64_t[]){__VA_ARGS__}, sizeof((int64_t[]){__VA_ARGS__}))

// Rows (counted by integer `at`) are computed one by one as well; `slots` lists the operands that are cut.
static void by_rows(trial *t, int at, int slots, ...) {
  va_list arguments;
  va_start(arguments, slots);
  t->rows_at = at;
  for (int j = 0; j < slots; j++) t->slot[va_arg(arguments, int)].per_row = 1;
  va_end(arguments);
}

static int complain(const char *what, ...) {
  printf("FAIL %s %s, %s: ", current_trial ? current_trial->name : current_topic, current_isa, current_trial ? current_trial->sizes : "");
  va_list arguments;
  va_start(arguments, what);
  vprintf(what, arguments);
  va_end(arguments);
  printf("\n");
  return 0;
}
static void count_result(int ok) {
  if (ok) passed++;
  else failed++;
}
// A check that is no kernel call.
static void expect(int ok, const char *what, ...) {
  if (!ok) {
    printf("FAIL %s: ", current_topic);
    va_list arguments;
    va_start(arguments, what);
    vprintf(what, arguments);
    va_end(arguments);
    printf("\n");
  }
  count_result(ok);
}

static void on_fault(int signal_number) {
  complain(signal_number == SIGALRM ? "signal %d: it takes too long" : "signal %d: a read or write outside an operand?", signal_number);
  printf("%d passed, %d failed\n", passed, failed + 1);
  fflush(stdout);
  _exit(1);
}

// MARK: Guarded memory: one region a slot between two pages that must not be touched

#define REGION (16 << 20)
#define CANARIES 256
static char *regions[LK_MAX_POINTERS];

static void make_regions(void) {
  const size_t page = (size_t)sysconf(_SC_PAGESIZE);
  for (int j = 0; j < LK_MAX_POINTERS; j++) {
    char *p = mmap(0, REGION + 2 * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (p == MAP_FAILED || mprotect(p, page, PROT_NONE) || mprotect(p + page + REGION, page, PROT_NONE)) {
      perror("guarded memory");
      exit(1);
    }
    regions[j] = p + page;
  }
}

// Where the operand lies: flush with the guard page after it, or with the one before it and canaries on the other side.
static char *place(int slot, const operand *o, int at_end) {
  if (o->bytes + CANARIES > REGION) abort();
  return at_end ? regions[slot] + REGION - o->bytes : regions[slot];
}
static char *canaries(char *p, const operand *o, int at_end) { return at_end ? p - CANARIES : p + o->bytes; }

// Runs the call in `shares` shares, last to first where `backwards`; outputs and states are copied to `results`.
static int run(const trial *t, lk_kernel kernel, int shares, int backwards, int at_end, void *results[]) {
  lk_call call = t->call;
  call.kernel = kernel;
  for (int j = 0; j < LK_MAX_POINTERS; j++) {
    const operand *o = &t->slot[j];
    if (o->role == ABSENT) continue;
    if (o->role == PLAN) {
      call.p[j] = (void *)o->data;
      continue;
    }
    char *p = place(j, o, at_end);
    memset(canaries(p, o, at_end), 0xc3, CANARIES);
    if (o->role == OUTPUT) memset(p, at_end ? 0xa5 : 0x5a, o->bytes);
    else if (o->bytes) memcpy(p, o->data, o->bytes);
    call.p[j] = p;
  }
  for (int s = 0; s < shares; s++) kernel(&call, backwards ? shares - 1 - s : s, shares);
  for (int j = 0; j < LK_MAX_POINTERS; j++) {
    const operand *o = &t->slot[j];
    if (o->role == ABSENT || o->role == PLAN) continue;
    char *p = call.p[j], *c = canaries(p, o, at_end);
    for (int l = 0; l < CANARIES; l++)
      if ((uint8_t)c[l] != 0xc3) return complain("%d shares wrote outside operand %d, byte %d %s", shares, j, l, at_end ? "of 256 before" : "after");
    if (o->role == INPUT) {
      if (o->bytes && memcmp(p, o->data, o->bytes)) return complain("%d shares wrote to input %d", shares, j);
    } else if (o->bytes) {
      memcpy(results[j], p, o->bytes);
    }
  }
  return 1;
}

static int within(float got, double expected, double bound) {
  if (isnan(expected)) return isnan(got);
  if (isinf(expected)) return got == (float)expected;
  return fabs((double)got - expected) <= bound;
}

static int matches_reference(const trial *t, void *results[]) {
  for (int j = 0; j < LK_MAX_POINTERS; j++) {
    const operand *o = &t->slot[j];
    const float *got = results[j];
    for (size_t l = 0; o->expected && l < o->bytes / sizeof(float); l++)
      if (!within(got[l], o->expected[l], o->bound ? o->bound[l] : 0))
        return complain("operand %d [%zu] is %.9g, expected %.9g within %.3g", j, l, got[l], o->expected[l], o->bound ? o->bound[l] : 0);
  }
  return 1;
}

static int same_bits(const float *got, const float *expected, size_t bytes, int slot, const char *how, int64_t number) {
  for (size_t l = 0; l < bytes / sizeof(float); l++)
    if (memcmp(got + l, expected + l, sizeof(float)))
      return complain("operand %d [%zu] is %.9g %s %lld, otherwise %.9g", slot, l, got[l], how, (long long)number, expected[l]);
  return 1;
}

static int matches_rows(const trial *t, lk_kernel kernel, void *results[], void *others[]) {
  const int64_t rows = t->rows_at < 0 ? 0 : t->call.i[t->rows_at];
  for (int64_t r = 0; r < rows; r++) {
    if (r == 4 && rows > 8) r = rows - 4;
    trial one = *t;
    one.call.i[t->rows_at] = 1;
    for (int j = 0; j < LK_MAX_POINTERS; j++) {
      operand *o = &one.slot[j];
      if (!o->per_row) continue;
      o->bytes /= (size_t)rows;
      if (o->data) o->data = (const char *)o->data + (size_t)r * o->bytes;
    }
    if (!run(&one, kernel, 1, 0, 1, others)) return 0;
    for (int j = 0; j < LK_MAX_POINTERS; j++) {
      const operand *o = &one.slot[j];
      if (o->per_row && (o->role == OUTPUT || o->role == STATE) &&
          !same_bits(others[j], (const float *)results[j] + (size_t)r * o->bytes / sizeof(float), o->bytes, j, "for single row", r))
        return 0;
    }
  }
  return 1;
}

static int check_on(const trial *t, lk_kernel kernel, void *results[], void *others[]) {
  static const int shares[] = {2, 3, 7, 64};
  if (!kernel) return complain("the kernel is missing");
  if (!run(t, kernel, 1, 0, 1, results) || !matches_reference(t, results)) return 0;
  for (int s = 0; s < COUNT(shares); s++) {
    if (!run(t, kernel, shares[s], s & 1, s & 1, others)) return 0;
    for (int j = 0; j < LK_MAX_POINTERS; j++) {
      const operand *o = &t->slot[j];
      if ((o->role == OUTPUT || o->role == STATE) && !same_bits(others[j], results[j], o->bytes, j, "in shares,", shares[s])) return 0;
    }
  }
  return matches_rows(t, kernel, results, others);
}

// Runs the trial on every instruction set against its reference, in shares and by rows.
static void check_kept(const trial *t) {
  void *results[LK_MAX_POINTERS] = {0}, *others[LK_MAX_POINTERS] = {0};
  for (int j = 0; j < LK_MAX_POINTERS; j++)
    if (t->slot[j].role == OUTPUT || t->slot[j].role == STATE) {
      results[j] = keep((int64_t)t->slot[j].bytes, 1);
      others[j] = keep((int64_t)t->slot[j].bytes, 1);
    }
  current_trial = t;
  tried[t->id] = 1;
  for (int k = 0; k < isa_count; k++) {
    current_isa = lk_isa_name(isas[k]);
    count_result(check_on(t, lk_kernel_for(t->id, isas[k]), results, others));
  }
  current_trial = 0;
}

// The same, then forgets the trial's memory.
static void check(const trial *t) {
  check_kept(t);
  release();
}

// Sizes around every vector width, and larger ones.
static const int64_t lengths[] = {0, 1, 2, 3, 4, 5, 7, 8, 9, 15, 16, 17, 31, 32, 33, 63, 64, 65, 127, 129, 255, 257, 1000, 4099};
