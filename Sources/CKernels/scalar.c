// The baseline: what every processor of the architecture has (SSE2 on x86-64), without fused multiply-add.
#include "ckernels.h"

#if defined(__x86_64__)
#include <immintrin.h>
#endif

#define LK_SCALAR_BUILD
#define LK_TABLE lk_kernels_scalar
#include "kernels/table.h"
