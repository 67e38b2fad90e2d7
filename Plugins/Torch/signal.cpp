#include "signal.h"

#include <torch/csrc/autograd/custom_function.h>

#include "support.h"

namespace legato {

namespace {

using torch::autograd::AutogradContext;
using torch::autograd::Function;
using torch::autograd::variable_list;

/// `[..., frames, size]` → `[..., (frames − 1) · hop + size]`: as many shifted sums as a frame has hops.
at::Tensor summed(const at::Tensor &x, int64_t hop) {
  const int64_t count = x.size(-2), size = x.size(-1), pieces = (size + hop - 1) / hop;
  auto shape = x.sizes().vec();
  shape.pop_back();
  shape.back() = count + pieces - 1;
  shape.push_back(hop);
  auto sum = at::zeros(shape, x.options());
  for (int64_t piece = 0; piece < pieces; ++piece) {
    const int64_t width = std::min(hop, size - piece * hop);
    sum.narrow(-2, piece, count).narrow(-1, 0, width).add_(x.narrow(-1, piece * hop, width));
  }
  shape.pop_back();
  shape.back() = (count + pieces - 1) * hop;
  return sum.view(shape).narrow(-1, 0, (count - 1) * hop + size);
}

struct Frames : Function<Frames> {
  static at::Tensor forward(AutogradContext *context, const at::Tensor &x, int64_t size, int64_t hop) {
    context->saved_data["hop"] = hop;
    return x.unfold(-1, size, hop).contiguous();
  }
  static variable_list backward(AutogradContext *context, const variable_list &grads) {
    return {overlap_add(grads[0], context->saved_data["hop"].toInt()), {}, {}};
  }
};

struct OverlapAdd : Function<OverlapAdd> {
  static at::Tensor forward(AutogradContext *context, const at::Tensor &x, int64_t hop) {
    context->saved_data["hop"] = hop;
    context->saved_data["size"] = x.size(-1);
    return summed(x, hop);
  }
  static variable_list backward(AutogradContext *context, const variable_list &grads) {
    return {frames(grads[0], context->saved_data["size"].toInt(), context->saved_data["hop"].toInt()), {}};
  }
};

}  // namespace

at::Tensor frames(const at::Tensor &x, int64_t size, int64_t hop) { return Frames::apply(x, size, hop); }

at::Tensor overlap_add(const at::Tensor &x, int64_t hop) { return OverlapAdd::apply(x, hop); }

}  // namespace legato
