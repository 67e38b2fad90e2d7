// Which instruction sets there are, and LEGATO_ISA.
#pragma once
#include "harness.h"

static int asked_for(const char *name) {
  const char *wanted = getenv("LEGATO_ISA");
  return !wanted || strcmp(wanted, name) == 0;
}

// Fills `isas`: all there are, or the one of LEGATO_ISA.
static void find_isas(void) {
  for (lk_isa isa = LK_SCALAR; isa <= LK_AVX512_BF16; isa++)
    if (lk_kernel_for(LK_UNARY, isa) && asked_for(lk_isa_name(isa))) isas[isa_count++] = isa;
}

#if defined(__linux__) && defined(__x86_64__)
// Whether the kernel's list of what the processor has names `flag`.
static int processor_has(const char *flag) {
  static char line[8192];
  if (!*line) {
    FILE *file = fopen("/proc/cpuinfo", "r");
    while (file && fgets(line, sizeof line, file) && strncmp(line, "flags", 5) != 0) {}
    if (file) fclose(file);
  }
  char word[32];
  snprintf(word, sizeof word, " %s ", flag);
  return strstr(line, word) != 0;
}
#endif

static void test_dispatch(void) {
#if defined(__linux__) && defined(__x86_64__)
  const int avx2 = processor_has("avx2") && processor_has("fma");
  const int avx512 = avx2 && processor_has("avx512f") && processor_has("avx512bw") && processor_has("avx512vl") && processor_has("avx512dq");
  expect(!lk_kernel_for(LK_UNARY, LK_AVX2) == !avx2, "AVX2 is used where /proc/cpuinfo does not name it, or the other way round");
  const int vnni = avx512 && processor_has("avx512_vnni"), bf16 = vnni && processor_has("avx512_bf16");
  expect(!lk_kernel_for(LK_UNARY, LK_AVX512_VNNI) == !vnni, "VNNI is used where /proc/cpuinfo does not name it, or the other way round");
  expect(!lk_kernel_for(LK_UNARY, LK_AVX512_BF16) == !bf16, "BF16 is used where /proc/cpuinfo does not name it, or the other way round");
  expect(!lk_kernel_for(LK_UNARY, LK_AVX512) == !avx512, "AVX-512 is used where /proc/cpuinfo does not name it, or the other way round");
#elif defined(__aarch64__)
  expect(lk_kernel_for(LK_UNARY, LK_NEON) != 0, "NEON, which every such processor has, is not used");
#endif
  expect(lk_kernel_for(LK_UNARY, LK_SCALAR) != 0, "the scalar kernels are missing");
  expect(isa_count > 0, "LEGATO_ISA asks for an instruction set that is not there");
  expect(!lk_kernel_for(LK_KERNEL_COUNT, LK_SCALAR) && !lk_kernel_for((lk_kernel_id)-1, LK_SCALAR), "a kernel of a number that none has");
  expect(!lk_kernel_for(LK_UNARY, (lk_isa)99), "kernels of an unknown instruction set");

  char *before = getenv("LEGATO_ISA") ? strdup(getenv("LEGATO_ISA")) : 0;
  for (int k = 0; k < isa_count; k++) {
    setenv("LEGATO_ISA", lk_isa_name(isas[k]), 1);
    expect(lk_best_isa() == isas[k], "LEGATO_ISA=%s gives %s", lk_isa_name(isas[k]), lk_isa_name(lk_best_isa()));
#if defined(__x86_64__)
    expect(!lk_multiplies_bf16() == (isas[k] != LK_AVX512_BF16), "training in bf16 is not that of LEGATO_ISA=%s", lk_isa_name(isas[k]));
#elif defined(__aarch64__)
    expect(isas[k] == LK_NEON_DOT || !lk_multiplies_bf16(), "training in bf16 with LEGATO_ISA=%s", lk_isa_name(isas[k]));
#endif
  }
  unsetenv("LEGATO_ISA");
  const lk_isa best = lk_best_isa();
  expect(lk_kernel_for(LK_UNARY, best) != 0, "the best instruction set, %s, is not there", lk_isa_name(best));
  setenv("LEGATO_ISA", "none of these", 1);
  expect(lk_best_isa() == best, "an unknown LEGATO_ISA gives %s, not the best, %s", lk_isa_name(lk_best_isa()), lk_isa_name(best));
  if (before) setenv("LEGATO_ISA", before, 1);
  else unsetenv("LEGATO_ISA");
  free(before);
}
