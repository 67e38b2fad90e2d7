// What a product of a few rows takes beside a plain read of the bytes that it reads: products.sh builds and runs it.
//
//   products THREADS FORMAT ROWS COLUMNS OUTPUTS     (FORMAT: f32, bf16, int8, int4)
//
// Matrices of 160 MB together, which no cache holds, are read one after another, in alternation with reads of the same memory.
#define _GNU_SOURCE
#include "ckernels.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { ROUNDS = 31 };

static double now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static int by_size(const void *a, const void *b) { return (*(const double *)a > *(const double *)b) - (*(const double *)a < *(const double *)b); }

static void *memory(int64_t bytes) {
  void *p = lk_zeroed(bytes);
  if (!p) {
    fprintf(stderr, "products: no memory for %lld bytes\n", (long long)bytes);
    exit(1);
  }
  return p;
}

int main(int count, char **arguments) {
  static const char *const names[] = {"f32", "bf16", "int8", "int4"};
  int format = 0;
  while (count > 2 && format < 4 && strcmp(arguments[2], names[format])) format++;
  if (count != 6 || format == 4) {
    fprintf(stderr, "products THREADS f32|bf16|int8|int4 ROWS COLUMNS OUTPUTS\n");
    return 64;
  }
  const int threads = atoi(arguments[1]);
  const int64_t rows = atoll(arguments[3]), columns = atoll(arguments[4]), outputs = atoll(arguments[5]), size = columns * outputs;
  const int64_t group = format == LK_INT8 ? 64 : format == LK_INT4 ? 32 : 0;
  if (threads < 1 || rows < 1 || outputs < 1 || columns < 32 || columns % 128 || columns > 16384) {
    fprintf(stderr, "products: at least one thread, row and output; columns are a multiple of 128, at most 16384\n");
    return 64;
  }

  // One matrix in its format, the others copies of it.
  float *w = memory(4 * size), *scales = memory(4 * size);
  uint8_t *stored = memory(4 * size);
  lk_normal(1, 1, 0, w, size);
  int64_t bytes = format == LK_F32 ? 4 * size : 2 * size;
  if (format == LK_F32) memcpy(stored, w, (size_t)bytes);
  else if (format == LK_BF16) lk_to_bf16(w, (uint16_t *)stored, size);
  else bytes = lk_tiled_bytes(format, outputs, columns);
  if (format == LK_INT8) lk_to_int8(w, (int8_t *)stored, scales, outputs, columns, group);
  if (format == LK_INT4) lk_to_int4(w, stored, scales, outputs, columns, group);
  const int64_t matrices = 160000000 / bytes + 1;
  char *all = memory(matrices * bytes);
  for (int64_t j = 0; j < matrices; j++) {
    if (group) lk_tile(format, stored, scales, all + j * bytes, outputs, columns);
    else memcpy(all + j * bytes, stored, (size_t)bytes);
  }

  const lk_isa isa = lk_best_isa();
  lk_pool *pool = lk_pool_create(threads);
  float *x = memory(4 * rows * columns), *out = memory(4 * rows * outputs);
  lk_call *calls = memory(matrices * (int64_t)sizeof *calls), read = {.kernel = lk_kernel_for(LK_READ, isa), .parallel = 64};
  int32_t sums[64];
  lk_normal(1, 2, 0, x, rows * columns);
  read.p[0] = all, read.p[1] = sums, read.i[0] = matrices * bytes;
  for (int64_t j = 0; j < matrices; j++) {
    calls[j] = (lk_call){.kernel = lk_kernel_for(LK_LINEAR, isa), .parallel = 64};
    calls[j].p[0] = x, calls[j].p[1] = all + j * bytes, calls[j].p[3] = out;
    calls[j].i[0] = rows, calls[j].i[1] = columns, calls[j].i[2] = outputs, calls[j].i[3] = format, calls[j].i[4] = group, calls[j].i[5] = -1;
    calls[j].i[7] = rows > 16;  // as a prompt
  }
  double reads[ROUNDS], products[ROUNDS];
  for (int j = 0; j < ROUNDS; j++) {
    double start = now();
    lk_run(pool, &read, 1);
    reads[j] = now() - start;
    start = now();
    lk_run(pool, calls, matrices);
    products[j] = now() - start;
  }
  qsort(reads, ROUNDS, sizeof *reads, by_size);
  qsort(products, ROUNDS, sizeof *products, by_size);
  const double read_time = reads[ROUNDS / 2], product_time = products[ROUNDS / 2], total = (double)(matrices * bytes);
  printf(
    "%s, %d thread%s, %s, %lld row%s of %lld columns, %lld outputs: %.1f us a product, %.1f GB/s (a plain read %.1f), %.2f times as long, %.0f billion products a second\n",
    lk_isa_name(isa), threads, threads > 1 ? "s" : "", names[format], (long long)rows, rows > 1 ? "s" : "", (long long)columns, (long long)outputs,
    1e6 * product_time / (double)matrices, 1e-9 * total / product_time, 1e-9 * total / read_time, product_time / read_time,
    1e-9 * (double)(matrices * size * rows) / product_time);
  lk_pool_destroy(pool);
  return 0;
}
