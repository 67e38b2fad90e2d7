// Tests of the C kernels that need a C compiler alone: every kernel on every instruction set that this machine has, against naive
// references in double precision, plus the thread pool and the random numbers. Scripts/test-kernels.sh builds and runs it, also for
// other processors and under sanitizers.
//
//   driver [topic ...]    all topics if none is named
//
// LEGATO_ISA restricts it to one instruction set, as it does the engine.
#include "attention.h"
#include "convolution.h"
#include "data.h"
#include "dispatch.h"
#include "elementwise.h"
#include "fourier.h"
#include "linear.h"
#include "numbers.h"
#include "pool.h"
#include "rows.h"
#include "slots.h"

static const struct {
  const char *name;
  void (*run)(void);
} topics[] = {
  {"dispatch", test_dispatch},   {"elementwise", test_elementwise}, {"rows", test_rows},
  {"products", test_products},   {"data", test_data},               {"attention", test_attention},
  {"convolution", test_convolution}, {"fourier", test_fourier},     {"numbers", test_numbers},
  {"slots", test_slots},         {"pool", test_pool},
};

static int known(const char *topic) {
  for (int j = 0; j < COUNT(topics); j++)
    if (strcmp(topic, topics[j].name) == 0) return 1;
  return 0;
}

int main(int argc, char **argv) {
  for (int k = 1; k < argc; k++)
    if (!known(argv[k])) {
      fprintf(stderr, "driver: no topic is called '%s'; these are:", argv[k]);
      for (int j = 0; j < COUNT(topics); j++) fprintf(stderr, " %s", topics[j].name);
      fprintf(stderr, "\n");
      return 2;
    }
  setvbuf(stdout, 0, _IOLBF, 0);
  static const int signals[] = {SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGALRM};
  for (int j = 0; j < COUNT(signals); j++) signal(signals[j], on_fault);
  alarm(600);  // a pool that hangs
  make_regions();
  find_isas();
  printf("Instruction sets:");
  for (int k = 0; k < isa_count; k++) printf(" %s", lk_isa_name(isas[k]));
  printf("\n");
  for (int j = 0; j < COUNT(topics); j++) {
    int wanted = argc == 1;
    for (int k = 1; k < argc; k++) wanted |= strcmp(argv[k], topics[j].name) == 0;
    if (!wanted) continue;
    current_topic = topics[j].name;
    random_state = 1;  // a topic alone sees the values that it sees among all
    topics[j].run();
  }
  for (int id = 0; argc == 1 && id < LK_KERNEL_COUNT; id++) expect(tried[id], "kernel %d is not tested", id);
  printf("%d passed, %d failed\n", passed, failed);
  return failed != 0;
}
