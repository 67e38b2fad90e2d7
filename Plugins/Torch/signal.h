// Framing and overlap-add, each the other's gradient.
#pragma once
#include <ATen/ATen.h>

namespace legato {
at::Tensor frames(const at::Tensor &x, int64_t size, int64_t hop);
at::Tensor overlap_add(const at::Tensor &x, int64_t hop);
}  // namespace legato
