#include "ckernels.h"

#include <stdlib.h>

#define ALIGNMENT 64

// calloc knows which pages are zero already; what it gave stands before the aligned block.
void *lk_zeroed(int64_t bytes) {
  if (bytes < 0) return 0;
  char *base = calloc(1, (size_t)bytes + 2 * ALIGNMENT);
  if (!base) return 0;
  char *aligned = (char *)(((uintptr_t)base + 2 * ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT);
  ((void **)aligned)[-1] = base;
  return aligned;
}

void lk_free_zeroed(void *memory) {
  if (memory) free(((void **)memory)[-1]);
}
