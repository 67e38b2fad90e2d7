// LK_LINEAR of AVX-512 with the instructions for whole numbers and those for bf16, which read a prompt with weights in bf16 sooner.
#include "ckernels.h"

#if defined(__x86_64__)
#include <immintrin.h>
#include <math.h>
#include <string.h>

#if defined(__clang__)
#pragma clang attribute push(__attribute__((target("avx512f,avx512bw,avx512vl,avx512dq,avx512vnni,avx512bf16,avx2,fma,f16c"))), apply_to = function)
#pragma clang diagnostic ignored "-Wunused-function"
#else
#pragma GCC target("avx512f,avx512bw,avx512vl,avx512dq,avx512vnni,avx512bf16,avx2,fma,f16c")
#pragma GCC diagnostic ignored "-Wunused-function"
#endif

#define LK_AVX512_BUILD
#define LK_VNNI
#define LK_BF16_PAIRS
#include "kernels/linear.h"

const lk_kernel lk_linear_avx512_bf16 = kernel_linear;

#if defined(__clang__)
#pragma clang attribute pop
#endif
#endif
