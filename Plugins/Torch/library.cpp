// The library itself: versions, threads, devices, memory.
#include <ATen/Parallel.h>
#include <ATen/detail/CUDAHooksInterface.h>
#include <c10/core/CachingDeviceAllocator.h>
#include <dlfcn.h>
#include <torch/headeronly/version.h>

#include <mutex>

#include "support.h"

extern "C" uint64_t aoti_torch_abi_version();

namespace legato {

namespace {
std::string cuda_failure;
}

void open_cuda() {
  static std::once_flag once;
  std::call_once(once, [] {
    Dl_info info;
    if (dladdr(reinterpret_cast<void *>(&aoti_torch_abi_version), &info) == 0 || info.dli_fname == nullptr) return;
    std::string path = info.dli_fname;
    path = path.substr(0, path.find_last_of('/') + 1) + "libtorch_cuda.so";
    if (dlopen(path.c_str(), RTLD_NOW | RTLD_GLOBAL) == nullptr) {
      const char *text = dlerror();
      cuda_failure = text == nullptr ? "" : text;
    }
  });
}

const std::string &compiled_version() {
  static const std::string text = TORCH_VERSION;
  return text;
}

const std::string &loaded_version() {
  static const std::string text = [] {
    const uint64_t version = aoti_torch_abi_version();
    return std::to_string(version >> 56) + "." + std::to_string((version >> 48) & 0xff) + "." +
           std::to_string((version >> 40) & 0xff);
  }();
  return text;
}

bool versions_agree() {
  const uint64_t version = aoti_torch_abi_version();
  return (version >> 56) == TORCH_VERSION_MAJOR && ((version >> 48) & 0xff) == TORCH_VERSION_MINOR;
}

}  // namespace legato

using namespace legato;

int32_t lgt_last_error(const char **text) {
  *text = failure().c_str();
  return 0;
}

int32_t lgt_versions(const char **compiled, const char **loaded) {
  return guarded([&] {
    *compiled = compiled_version().c_str();
    *loaded = loaded_version().c_str();
  });
}

int32_t lgt_live_handles(int64_t *count, int64_t *of_this_thread) {
  *count = live_handles.load();
  *of_this_thread = thread_handles();
  return 0;
}

int32_t lgt_set_threads(int32_t count) {
  return guarded([&] {
    TORCH_CHECK(count > 0, "the number of threads must be positive, not ", count);
    at::set_num_threads(count);
  });
}

int32_t lgt_get_threads(int32_t *count) {
  return guarded([&] { *count = at::get_num_threads(); });
}

int32_t lgt_set_deterministic(int32_t on) {
  return guarded([&] {
    auto &context = at::globalContext();
    context.setDeterministicAlgorithms(on != 0, /*warn_only=*/true);
    // It would write NaN over every fresh buffer, which costs time and changes no result.
    context.setDeterministicFillUninitializedMemory(false);
    context.setDeterministicCuDNN(on != 0);
    context.setBenchmarkCuDNN(false);
  });
}

int32_t lgt_seed(uint64_t value) {
  return guarded([&] { at::manual_seed(value); });
}

int32_t lgt_cuda_devices(int32_t *count) {
  return guarded([&] {
    open_cuda();
    *count = at::hasCUDA() ? static_cast<int32_t>(at::detail::getCUDAHooks().deviceCount()) : 0;
    if (*count == 0) failure() = cuda_failure;
  });
}

int32_t lgt_memory(int32_t index, int64_t *allocated, int64_t *maximum) {
  *allocated = *maximum = 0;
  return guarded([&] {
    if (index == LGT_CPU) return;
    const auto place = device(index);
    if (!at::hasCUDA()) return;
    const auto stats = c10::getDeviceAllocator(at::kCUDA)->getDeviceStats(place.index());
    constexpr auto all = static_cast<size_t>(c10::CachingAllocator::StatType::AGGREGATE);
    *allocated = stats.allocated_bytes[all].current;
    *maximum = stats.allocated_bytes[all].peak;
  });
}

int32_t lgt_synchronize(int32_t index) {
  return guarded([&] {
    if (index == LGT_CPU) return;
    const auto place = device(index);
    at::detail::getCUDAHooks().deviceSynchronize(place.index());
  });
}
