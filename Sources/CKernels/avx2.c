#include "ckernels.h"

#if defined(__x86_64__)
#include <immintrin.h>
#include <math.h>
#include <string.h>

#if defined(__clang__)
#pragma clang attribute push(__attribute__((target("avx2,fma,f16c"))), apply_to = function)
#else
#pragma GCC target("avx2,fma,f16c")
#endif

#define LK_AVX2_BUILD
#define LK_TABLE lk_kernels_avx2
#include "kernels/table.h"

#if defined(__clang__)
#pragma clang attribute pop
#endif
#endif
