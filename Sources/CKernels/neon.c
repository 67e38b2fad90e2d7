#include "ckernels.h"

#if defined(__aarch64__)
#include <arm_neon.h>

#define LK_NEON_BUILD
#define LK_TABLE lk_kernels_neon
#include "kernels/table.h"
#endif
