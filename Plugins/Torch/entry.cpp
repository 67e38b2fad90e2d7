// The one exported symbol.
#include "support.h"

#ifdef __GLIBC__
#include <malloc.h>
#endif

namespace legato {
bool versions_agree();
const std::string &compiled_version();
const std::string &loaded_version();
}  // namespace legato

namespace {
#define LGT_ENTRY(name, parameters) lgt_##name,
const lgt_api table = {LEGATO_TORCH_ABI_VERSION, sizeof(lgt_api), LGT_FUNCTIONS(LGT_ENTRY)};
#undef LGT_ENTRY

/// A step frees what the next one asks for again. By default glibc gives large blocks back to the system at once, and a
/// tenth of training goes into clearing their pages anew.
void keep_freed_memory() {
#ifdef __GLIBC__
  mallopt(M_MMAP_MAX, 0);
  mallopt(M_TRIM_THRESHOLD, 2'147'483'647);
#endif
}
}  // namespace

extern "C" __attribute__((visibility("default"))) int32_t legato_torch_open(uint32_t version, const lgt_api **result,
                                                                            const char **error) {
  using namespace legato;
  *result = nullptr;
  const int32_t status = guarded([&] {
    TORCH_CHECK(version == LEGATO_TORCH_ABI_VERSION, "the plug-in has ABI version ", LEGATO_TORCH_ABI_VERSION,
                " where Legato needs ", version);
    // Enumerations move between minor versions: a plug-in that loads with another libtorch still misbehaves.
    TORCH_CHECK(versions_agree(), "the plug-in was compiled for libtorch ", compiled_version(), " but libtorch ",
                loaded_version(), " was loaded");
    keep_freed_memory();
    *result = &table;
  });
  *error = failure().c_str();
  return status;
}
