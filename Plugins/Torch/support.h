// What every file of the plug-in shares: handles, the guard around each function, the list of functions.
#pragma once
#include <ATen/ATen.h>
#include <ATen/autocast_mode.h>

#include <atomic>
#include <string>
#include <utility>
#include <vector>

#include "legato_torch.h"

struct lgt_tensor_s {
  at::Tensor tensor;
};

// Prototypes, so that a definition whose parameters differ from the list does not compile.
extern "C" {
#define LGT_PROTOTYPE(name, parameters) int32_t lgt_##name parameters;
LGT_FUNCTIONS(LGT_PROTOTYPE)
#undef LGT_PROTOTYPE
}

namespace legato {

inline std::atomic<int64_t> live_handles{0};

/// Handles made less handles released by this thread: what a leak test can count while other threads work.
inline int64_t &thread_handles() {
  thread_local int64_t count = 0;
  return count;
}

inline void count_handle(int64_t change) {
  live_handles.fetch_add(change, std::memory_order_relaxed);
  thread_handles() += change;
}

/// Text of this thread's latest failure.
inline std::string &failure() {
  thread_local std::string text;
  return text;
}

/// Runs a function's body. Nothing may unwind into Swift.
template <typename Body>
int32_t guarded(Body &&body) noexcept {
  try {
    body();
    return 0;
  } catch (const c10::Error &error) {
    failure() = error.what_without_backtrace();
  } catch (const std::exception &error) {
    failure() = error.what();
  } catch (...) {
    failure() = "an exception of unknown type";
  }
  return 1;
}

inline lgt_tensor wrap(at::Tensor tensor) {
  auto *handle = new lgt_tensor_s{std::move(tensor)};
  count_handle(1);
  return handle;
}

/// Runs a body that gives a tensor.
template <typename Body>
int32_t produce(lgt_tensor *result, Body &&body) noexcept {
  *result = nullptr;
  return guarded([&] { *result = wrap(body()); });
}

inline const at::Tensor &get(lgt_tensor handle) {
  TORCH_CHECK(handle != nullptr, "a tensor handle is null");
  return handle->tensor;
}

inline std::optional<at::Tensor> optional(lgt_tensor handle) {
  if (handle == nullptr) return std::nullopt;
  return handle->tensor;
}

inline std::vector<at::Tensor> list(const lgt_tensor *handles, int32_t count) {
  std::vector<at::Tensor> tensors;
  tensors.reserve(count);
  for (int32_t i = 0; i < count; ++i) tensors.push_back(get(handles[i]));
  return tensors;
}

inline at::IntArrayRef sizes(const int64_t *shape, int32_t rank) { return {shape, static_cast<size_t>(rank)}; }

inline bool is_half(const at::Tensor &x) { return at::isReducedFloatingType(x.scalar_type()); }

/// For operations that lose too much in bf16: f32 under autocast too.
inline at::Tensor full(const at::Tensor &x) { return is_half(x) ? x.to(at::kFloat) : x; }

/// Opens libtorch_cuda where it is installed. Before any question about CUDA: libtorch remembers the answer.
void open_cuda();

inline at::Device device(int32_t index) {
  if (index == LGT_CPU) return at::kCPU;
  open_cuda();
  return at::Device(at::kCUDA, static_cast<at::DeviceIndex>(index));
}

}  // namespace legato
