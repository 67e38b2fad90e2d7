#include "depthwise.h"

#include <ATen/Parallel.h>
#include <torch/csrc/autograd/custom_function.h>

#include "support.h"

// libtorch's own convolution wants [B, C, T], and the transpositions around it cost more than the convolution;
// on a CPU these loops in [B, T, C] train a ConvNeXt block faster than it or a sum of shifted products.

#if defined(__x86_64__) && defined(__linux__)
#define LGT_CLONES __attribute__((target_clones("avx512f", "avx2", "default")))
#else
#define LGT_CLONES
#endif

namespace legato {

namespace {

using torch::autograd::AutogradContext;
using torch::autograd::Function;
using torch::autograd::variable_list;

__attribute__((always_inline)) inline void accumulate(float *__restrict y, const float *__restrict a,
                                                      const float *__restrict b, int64_t count) {
  for (int64_t i = 0; i < count; ++i) y[i] += a[i] * b[i];
}

/// Adds to rows from..<to of y `[B · T, C]`. `ahead` runs the taps against time: the gradient of x.
LGT_CLONES void convolve(float *y, const float *x, const float *taps, int64_t from, int64_t to, int64_t length,
                         int64_t channels, int64_t width, bool ahead) {
  for (int64_t row = from; row < to; ++row) {
    const int64_t t = row % length;
    for (int64_t tap = 0; tap < width; ++tap) {
      const int64_t shift = ahead ? width - 1 - tap : tap - (width - 1);
      if (t + shift < 0 || t + shift >= length) continue;
      accumulate(y + row * channels, x + (row + shift) * channels, taps + tap * channels, channels);
    }
  }
}

/// Adds to channels from..<from + count of the taps' gradient `[K, C]`.
LGT_CLONES void correlate(float *gradient, const float *x, const float *y, int64_t from, int64_t count, int64_t rows,
                          int64_t length, int64_t channels, int64_t width) {
  for (int64_t row = 0; row < rows; ++row) {
    for (int64_t tap = std::max<int64_t>(0, width - 1 - row % length); tap < width; ++tap) {
      const int64_t source = row + tap - (width - 1);
      accumulate(gradient + tap * channels + from, x + source * channels + from, y + row * channels + from, count);
    }
  }
}

/// Stands for a bias that is not there: autograd functions take no undefined tensors.
at::Tensor absent(const at::Tensor &x) { return at::empty({0}, x.options()); }

at::Tensor convolved(const at::Tensor &x, const at::Tensor &taps, const at::Tensor &bias, bool ahead) {
  const auto input = x.contiguous(), by_tap = taps.t().contiguous();
  auto y = bias.numel() > 0 ? bias.expand(input.sizes()).contiguous() : at::zeros_like(input);
  const int64_t length = input.size(1), channels = input.size(2), width = taps.size(1);
  const int64_t grain = std::max<int64_t>(1, at::internal::GRAIN_SIZE / std::max<int64_t>(1, channels * width));
  auto *target = y.data_ptr<float>();
  const auto *source = input.const_data_ptr<float>(), *weights = by_tap.const_data_ptr<float>();
  at::parallel_for(0, input.size(0) * length, grain, [&](int64_t from, int64_t to) {
    convolve(target, source, weights, from, to, length, channels, width, ahead);
  });
  return y;
}

struct Depthwise : Function<Depthwise> {
  static at::Tensor forward(AutogradContext *context, const at::Tensor &x, const at::Tensor &taps,
                            const at::Tensor &bias) {
    context->save_for_backward({x, taps});
    context->saved_data["bias"] = bias.numel() > 0;
    return convolved(x, taps, bias, false);
  }

  static variable_list backward(AutogradContext *context, const variable_list &grads) {
    const auto saved = context->get_saved_variables();
    const auto x = saved[0].contiguous(), y = grads[0].contiguous();
    const auto &taps = saved[1];
    at::Tensor dx, dtaps, dbias;
    if (context->needs_input_grad(0)) dx = convolved(y, taps, absent(y), true);
    if (context->needs_input_grad(1)) {
      const int64_t length = x.size(1), channels = x.size(2), width = taps.size(1), block = 64;
      auto gradient = at::zeros({width, channels}, taps.options());
      auto *target = gradient.data_ptr<float>();
      const auto *inputs = x.const_data_ptr<float>(), *outputs = y.const_data_ptr<float>();
      // Split over channels, never over the rows that are summed: the same at any number of threads.
      at::parallel_for(0, (channels + block - 1) / block, 1, [&](int64_t from, int64_t to) {
        for (int64_t first = from * block; first < std::min(to * block, channels); first += block) {
          correlate(target, inputs, outputs, first, std::min(block, channels - first), x.size(0) * length, length,
                    channels, width);
        }
      });
      dtaps = gradient.t();
    }
    if (context->saved_data["bias"].toBool()) dbias = y.sum(at::IntArrayRef({0, 1}));
    return {dx, dtaps, dbias};
  }
};

}  // namespace

at::Tensor depthwise(const at::Tensor &input, const at::Tensor &taps, const at::Tensor &bias) {
  const auto x = full(input);
  if (x.is_cpu()) return Depthwise::apply(x, taps, bias.defined() ? bias : absent(x));
  const c10::impl::ExcludeDispatchKeyGuard no_autocast(c10::autocast_dispatch_keyset);
  const auto padded = at::constant_pad_nd(x.transpose(1, 2), {taps.size(1) - 1, 0}, 0);
  return at::conv1d(padded, taps.unsqueeze(1), bias.defined() ? std::optional<at::Tensor>(bias) : std::nullopt,
                    at::IntArrayRef{1}, at::IntArrayRef{0}, at::IntArrayRef{1}, x.size(2))
      .transpose(1, 2);
}

}  // namespace legato
