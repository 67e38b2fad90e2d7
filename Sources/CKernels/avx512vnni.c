// LK_LINEAR of AVX-512 with the instructions for whole numbers that most of its processors have: the same bits, sooner.
#include "ckernels.h"

#if defined(__x86_64__)
#include <immintrin.h>
#include <math.h>
#include <string.h>

#if defined(__clang__)
#pragma clang attribute push(__attribute__((target("avx512f,avx512bw,avx512vl,avx512dq,avx512vnni,avx2,fma,f16c"))), apply_to = function)
#pragma clang diagnostic ignored "-Wunused-function"
#else
#pragma GCC target("avx512f,avx512bw,avx512vl,avx512dq,avx512vnni,avx2,fma,f16c")
#pragma GCC diagnostic ignored "-Wunused-function"
#endif

#define LK_AVX512_BUILD
#define LK_VNNI
#include "kernels/linear.h"

const lk_kernel lk_linear_avx512_vnni = kernel_linear;

#if defined(__clang__)
#pragma clang attribute pop
#endif
#endif
