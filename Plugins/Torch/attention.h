// Causal attention within a sliding window, with sinks.
#pragma once
#include <ATen/ATen.h>

namespace legato {
/// q, k, v `[B, T, H, D]`; sink_k, sink_v `[S, H, D]`, or undefined. Position t sees t − window + 1 … t and every sink.
at::Tensor attention(const at::Tensor &q, const at::Tensor &k, const at::Tensor &v, const at::Tensor &sink_k,
                     const at::Tensor &sink_v, int64_t window);
}  // namespace legato
