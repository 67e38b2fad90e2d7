// The fused operations.
#include <torch/csrc/autograd/custom_function.h>

#include "attention.h"
#include "depthwise.h"
#include "support.h"

using namespace legato;

namespace {

using torch::autograd::AutogradContext;
using torch::autograd::Function;
using torch::autograd::variable_list;

// MARK: Rotary embedding

struct Angles {
  at::Tensor positions, cosines, sines;
  int64_t version;
  float base;
  int64_t half, pairs;
};

/// Cosines and sines `[T, 1, half]`, from angles in double. The last few are kept: every layer asks for the same.
Angles angles(const at::Tensor &positions, float base, int64_t half, int64_t pairs) {
  constexpr size_t kept = 8;
  thread_local std::vector<Angles> cache;
  for (const auto &entry : cache) {
    if (entry.positions.is_same(positions) && entry.version == positions._version() && entry.base == base &&
        entry.half == half && entry.pairs == pairs)
      return entry;
  }
  at::NoGradGuard no_grad;
  const auto exponents = at::arange(half, positions.options().dtype(at::kDouble)) * (-1.0 / static_cast<double>(half));
  auto frequencies = at::pow(at::Scalar(static_cast<double>(base)), exponents);
  frequencies.narrow(0, pairs, half - pairs).zero_();
  const auto angle = positions.to(at::kDouble).view({-1, 1, 1}) * frequencies;
  const Angles made{positions, at::cos(angle).to(at::kFloat), at::sin(angle).to(at::kFloat), positions._version(), base, half, pairs};
  if (cache.size() >= kept) cache.erase(cache.begin());
  cache.push_back(made);
  return made;
}

/// x with its pairs (j, j + D/2) turned; `direction` −1 turns back.
at::Tensor turned(const at::Tensor &x, const at::Tensor &cosines, const at::Tensor &sines, double direction) {
  const int64_t half = x.size(-1) / 2;
  auto y = at::empty(x.sizes(), x.options());
  const auto a = x.narrow(-1, 0, half), b = x.narrow(-1, half, half);
  auto first = y.narrow(-1, 0, half), second = y.narrow(-1, half, half);
  at::mul_out(first, a, cosines);
  first.addcmul_(b, sines, -direction);
  at::mul_out(second, b, cosines);
  second.addcmul_(a, sines, direction);
  return y;
}

struct Rotary : Function<Rotary> {
  static at::Tensor forward(AutogradContext *context, const at::Tensor &x, const at::Tensor &cosines,
                            const at::Tensor &sines) {
    context->save_for_backward({cosines, sines});
    return turned(x, cosines, sines, 1);
  }
  static variable_list backward(AutogradContext *context, const variable_list &grads) {
    const auto saved = context->get_saved_variables();
    return {turned(grads[0], saved[0], saved[1], -1), {}, {}};
  }
};

}  // namespace

int32_t lgt_linear(lgt_tensor x, lgt_tensor weight, lgt_tensor bias, lgt_tensor *result) {
  return produce(result, [&] {
    const auto &input = get(x), &matrix = get(weight);
    const bool autocast = at::autocast::is_autocast_enabled(input.device().type());
    return at::linear(autocast ? input : input.to(matrix.scalar_type()), matrix, optional(bias));
  });
}

int32_t lgt_layer_norm(lgt_tensor x, lgt_tensor weight, lgt_tensor bias, float epsilon, lgt_tensor *result) {
  return produce(result, [&] {
    const auto input = full(get(x));
    return at::layer_norm(input, {input.size(-1)}, optional(weight), optional(bias), epsilon);
  });
}

int32_t lgt_rms_norm(lgt_tensor x, lgt_tensor weight, float epsilon, lgt_tensor *result) {
  return produce(result, [&] {
    const auto input = full(get(x));
    return at::rms_norm(input, {input.size(-1)}, optional(weight), epsilon);
  });
}

int32_t lgt_rotary(lgt_tensor handle, lgt_tensor positions, float base, int64_t pairs, lgt_tensor *result) {
  return produce(result, [&] {
    const auto &x = get(handle);
    const auto turn = angles(get(positions), base, x.size(-1) / 2, pairs);
    return Rotary::apply(full(x), turn.cosines, turn.sines);
  });
}

int32_t lgt_attention(lgt_tensor q, lgt_tensor k, lgt_tensor v, lgt_tensor sink_k, lgt_tensor sink_v, int64_t window,
                      lgt_tensor *result) {
  return produce(result, [&] {
    return attention(get(q), get(k), get(v), optional(sink_k).value_or(at::Tensor()),
                     optional(sink_v).value_or(at::Tensor()), window);
  });
}

int32_t lgt_depthwise_convolution(lgt_tensor x, lgt_tensor weight, lgt_tensor bias, lgt_tensor *result) {
  return produce(result, [&] { return depthwise(get(x), get(weight), optional(bias).value_or(at::Tensor())); });
}

int32_t lgt_convolution2d(lgt_tensor x, lgt_tensor weight, lgt_tensor bias, const int64_t *stride,
                          const int64_t *padding, lgt_tensor *result) {
  return produce(result, [&] {
    // Channels innermost: oneDNN's and cuDNN's bf16 kernels want it, and would else reorder in every layer.
    return at::conv2d(get(x).contiguous(at::MemoryFormat::ChannelsLast),
                      get(weight).contiguous(at::MemoryFormat::ChannelsLast), optional(bias), sizes(stride, 2),
                      sizes(padding, 2));
  });
}

int32_t lgt_modulate(lgt_tensor x, lgt_tensor shift, lgt_tensor scale, lgt_tensor *result) {
  return produce(result, [&] { return at::addcmul(full(get(shift)), full(get(x)), full(get(scale)) + 1); });
}

int32_t lgt_gated_add(lgt_tensor x, lgt_tensor gate, lgt_tensor h, lgt_tensor *result) {
  return produce(result, [&] { return at::addcmul(full(get(x)), get(gate), get(h)); });
}
