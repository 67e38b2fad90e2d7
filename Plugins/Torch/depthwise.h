// Causal depthwise convolution.
#pragma once
#include <ATen/ATen.h>

namespace legato {
/// x `[B, T, C]`, taps `[C, K]`, bias `[C]` or undefined; zeros before the start. In f32, also under autocast.
at::Tensor depthwise(const at::Tensor &x, const at::Tensor &taps, const at::Tensor &bias);
}  // namespace legato
