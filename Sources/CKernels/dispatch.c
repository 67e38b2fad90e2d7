#include "ckernels.h"

#include <stdlib.h>
#include <string.h>

#if defined(__aarch64__) && defined(__linux__)
#include <sys/auxv.h>
#elif defined(__aarch64__) && defined(__APPLE__)
#include <sys/sysctl.h>
#endif

extern const lk_kernel lk_kernels_scalar[LK_KERNEL_COUNT];
#if defined(__x86_64__)
extern const lk_kernel lk_kernels_avx2[LK_KERNEL_COUNT];
extern const lk_kernel lk_kernels_avx512[LK_KERNEL_COUNT];
extern const lk_kernel lk_linear_avx512_vnni, lk_linear_avx512_bf16;
#elif defined(__aarch64__)
extern const lk_kernel lk_kernels_neon[LK_KERNEL_COUNT];
extern const lk_kernel lk_kernels_neon_dot[LK_KERNEL_COUNT];

static int has_dot_product(void) {
#if defined(__linux__)
  return (getauxval(AT_HWCAP) & 1ul << 20) != 0;  // HWCAP_ASIMDDP
#elif defined(__APPLE__)
  int has = 0;
  size_t size = sizeof has;
  return sysctlbyname("hw.optional.arm.FEAT_DotProd", &has, &size, 0, 0) == 0 && has;
#else
  return 0;
#endif
}
#endif

static int available(lk_isa isa) {
  switch (isa) {
    case LK_SCALAR: return 1;
#if defined(__x86_64__)
    case LK_AVX2: return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
    case LK_AVX512:
      return available(LK_AVX2) && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
             __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512dq");
    case LK_AVX512_VNNI: return available(LK_AVX512) && __builtin_cpu_supports("avx512vnni");
    case LK_AVX512_BF16: return available(LK_AVX512_VNNI) && __builtin_cpu_supports("avx512bf16");
#elif defined(__aarch64__)
    case LK_NEON: return 1;
    case LK_NEON_DOT: return has_dot_product();
#endif
    default: return 0;
  }
}

int lk_multiplies_bf16(void) {
#if defined(__x86_64__)
  return lk_best_isa() == LK_AVX512_BF16;
#elif defined(__aarch64__) && defined(__linux__)
  return lk_best_isa() == LK_NEON_DOT && (getauxval(AT_HWCAP2) & 1ul << 14) != 0;  // HWCAP2_BF16
#else
  return 0;
#endif
}

static const lk_isa every_isa[] = {LK_NEON_DOT, LK_NEON, LK_AVX512_BF16, LK_AVX512_VNNI, LK_AVX512, LK_AVX2, LK_SCALAR};

const char *lk_isa_name(lk_isa isa) {
  switch (isa) {
    case LK_SCALAR: return "scalar";
    case LK_AVX2: return "avx2";
    case LK_AVX512: return "avx512";
    case LK_AVX512_VNNI: return "avx512-vnni";
    case LK_AVX512_BF16: return "avx512-bf16";
    case LK_NEON: return "neon";
    case LK_NEON_DOT: return "neon-dot";
    default: return "unknown";
  }
}

lk_isa lk_best_isa(void) {
#if defined(__x86_64__)
  __builtin_cpu_init();
#endif
  const char *wanted = getenv("LEGATO_ISA");
  for (int pass = wanted ? 0 : 1; pass < 2; pass++)
    for (size_t j = 0; j < sizeof every_isa / sizeof *every_isa; j++)
      if (available(every_isa[j]) && (pass == 1 || strcmp(wanted, lk_isa_name(every_isa[j])) == 0)) return every_isa[j];
  return LK_SCALAR;
}

lk_kernel lk_kernel_for(lk_kernel_id id, lk_isa isa) {
#if defined(__x86_64__)
  __builtin_cpu_init();
#endif
  if ((int)id < 0 || id >= LK_KERNEL_COUNT || !available(isa)) return 0;
  switch (isa) {
#if defined(__x86_64__)
    case LK_AVX2: return lk_kernels_avx2[id];
    case LK_AVX512: return lk_kernels_avx512[id];
    case LK_AVX512_VNNI: return id == LK_LINEAR ? lk_linear_avx512_vnni : lk_kernels_avx512[id];
    case LK_AVX512_BF16: return id == LK_LINEAR ? lk_linear_avx512_bf16 : lk_kernels_avx512[id];
#elif defined(__aarch64__)
    case LK_NEON: return lk_kernels_neon[id];
    case LK_NEON_DOT: return lk_kernels_neon_dot[id];
#endif
    default: return lk_kernels_scalar[id];
  }
}
