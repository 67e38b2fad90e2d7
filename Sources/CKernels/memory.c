// Memory for weights, caches and intermediate results.
//
// One product after another reads all weights, once a frame: with pages of 4 KiB the processor looks up a page every 64 cache
// lines and reads at two thirds of what memory gives with pages of 2 MiB. So blocks stand side by side in chunks that ask for
// large pages. A chunk is handed out from its beginning to its end, never twice, and goes back to the system as a whole when the
// last of its blocks is freed; so what is handed out is zero, and pages that nobody has touched take no room.
#include "ckernels.h"

#include <pthread.h>
#include <stdlib.h>
#include <sys/mman.h>

#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define LK_ADDRESS_SANITIZER
#endif
#elif defined(__SANITIZE_ADDRESS__)
#define LK_ADDRESS_SANITIZER
#endif
#ifdef LK_ADDRESS_SANITIZER
#include <sanitizer/asan_interface.h>
#endif

#define ALIGNMENT 64
// Smaller blocks come from the C library; all of them where the address sanitizer is to see what goes beyond one.
#ifdef LK_ADDRESS_SANITIZER
#define LEAST SIZE_MAX
#else
#define LEAST ((size_t)64 << 10)
#endif
#define LARGE_PAGE ((size_t)2 << 20)
#define CHUNK ((size_t)32 << 20)
// A block of more has a chunk of its own.
#define MOST ((size_t)8 << 20)

typedef struct {
  char *base;  // what mmap gave
  size_t length;
  int64_t blocks;
} chunk_t;

// Stands before every block.
typedef struct {
  chunk_t *chunk;  // null: from calloc, whose block this is
  void *block;
} head_t;

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static chunk_t *current;
static char *next, *end;

static chunk_t *make_chunk(size_t length, char **first) {
  chunk_t *chunk = malloc(sizeof *chunk);
  if (!chunk) return 0;
  chunk->length = length + LARGE_PAGE;
  chunk->base = mmap(0, chunk->length, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (chunk->base == MAP_FAILED) {
    free(chunk);
    return 0;
  }
  *first = (char *)(((uintptr_t)chunk->base + LARGE_PAGE - 1) / LARGE_PAGE * LARGE_PAGE);
#if defined(MADV_HUGEPAGE)
  madvise(*first, length, MADV_HUGEPAGE);
#endif
  chunk->blocks = 0;
  return chunk;
}

static void drop(chunk_t *chunk) {
  munmap(chunk->base, chunk->length);
  free(chunk);
}

static void *hand_out(char *p, chunk_t *chunk) {
  char *block = p + ALIGNMENT;
  ((head_t *)block)[-1] = (head_t){chunk, 0};
  chunk->blocks++;
  return block;
}

void *lk_zeroed(int64_t bytes) {
  if (bytes < 0) return 0;
  const size_t size = ((size_t)bytes + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT + ALIGNMENT;
  if (size < LEAST) {
    char *base = calloc(1, size + ALIGNMENT);
    if (!base) return 0;
    char *block = (char *)(((uintptr_t)base + 2 * ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT);
    ((head_t *)block)[-1] = (head_t){0, base};
#ifdef LK_ADDRESS_SANITIZER
    __asan_poison_memory_region(block + bytes, (size_t)(base + size + ALIGNMENT - (block + bytes)));
#endif
    return block;
  }
  char *first;
  if (size > MOST) {
    chunk_t *own = make_chunk(size, &first);
    return own ? hand_out(first, own) : 0;
  }
  pthread_mutex_lock(&mutex);
  if (!current || (size_t)(end - next) < size) {
    chunk_t *fresh = make_chunk(CHUNK, &first);
    if (!fresh) {
      pthread_mutex_unlock(&mutex);
      return 0;
    }
    if (current && current->blocks == 0) drop(current);
    current = fresh, next = first, end = first + CHUNK;
  }
  void *block = hand_out(next, current);
  next += size;
  pthread_mutex_unlock(&mutex);
  return block;
}

void lk_free_zeroed(void *memory) {
  if (!memory) return;
  const head_t head = ((head_t *)memory)[-1];
  if (!head.chunk) {
    free(head.block);
    return;
  }
  pthread_mutex_lock(&mutex);
  const int last = --head.chunk->blocks == 0;
  if (last && head.chunk == current) current = 0;
  pthread_mutex_unlock(&mutex);
  if (last) drop(head.chunk);
}
