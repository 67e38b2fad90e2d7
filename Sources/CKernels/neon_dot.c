// NEON with the dot-product extension (Armv8.2 FEAT_DotProd), for products of int8.
#include "ckernels.h"

#if defined(__aarch64__)
#include <arm_neon.h>
#include <math.h>
#include <string.h>

#if defined(__clang__)
#pragma clang attribute push(__attribute__((target("dotprod"))), apply_to = function)
#else
#pragma GCC target("arch=armv8.2-a+dotprod")
#endif

#define LK_NEON_BUILD
#define LK_NEON_DOT_BUILD
#define LK_TABLE lk_kernels_neon_dot
#include "kernels/table.h"

#if defined(__clang__)
#pragma clang attribute pop
#endif
#endif
