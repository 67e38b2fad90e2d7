#include "ckernels.h"

#if defined(__x86_64__)
#include <immintrin.h>
#include <math.h>
#include <string.h>

#if defined(__clang__)
#pragma clang attribute push(__attribute__((target("avx512f,avx512bw,avx512vl,avx512dq,avx2,fma,f16c"))), apply_to = function)
#else
#pragma GCC target("avx512f,avx512bw,avx512vl,avx512dq,avx2,fma,f16c")
#endif

#define LK_AVX512_BUILD
#define LK_TABLE lk_kernels_avx512
#include "kernels/table.h"

#if defined(__clang__)
#pragma clang attribute pop
#endif
#endif
