// The primitives. What loses too much in bf16 (exp, log, sums, softmax, Fourier transforms) is done in f32.
#include "support.h"
#include "signal.h"

using namespace legato;

namespace {

/// Two operands that must have one type: outside autocast the result of an autocast region may meet f32.
std::pair<at::Tensor, at::Tensor> promoted(const at::Tensor &a, const at::Tensor &b) {
  if (a.scalar_type() == b.scalar_type()) return {a, b};
  const auto type = at::result_type(a, b);
  return {a.to(type), b.to(type)};
}

at::Scalar constant_for(const at::Tensor &x, float constant) {
  if (x.is_floating_point()) return constant;
  return static_cast<int64_t>(constant);
}

}  // namespace

int32_t lgt_unary(int32_t kind, lgt_tensor handle, lgt_tensor *result) {
  return produce(result, [&]() -> at::Tensor {
    const auto &x = get(handle);
    switch (kind) {
      case lgt_negate: return at::neg(x);
      case lgt_absolute: return at::abs(x);
      case lgt_exp: return at::exp(full(x));
      case lgt_log: return at::log(full(x));
      case lgt_sqrt: return at::sqrt(full(x));
      case lgt_rsqrt: return at::rsqrt(full(x));
      case lgt_sin: return at::sin(full(x));
      case lgt_cos: return at::cos(full(x));
      case lgt_tanh: return at::tanh(x);
      case lgt_sigmoid: return at::sigmoid(x);
      case lgt_relu: return at::relu(x);
      case lgt_gelu: return at::gelu(x, "tanh");
      case lgt_silu: return at::silu(x);
      case lgt_softplus: return at::softplus(full(x));
      case lgt_square: return at::square(full(x));
      default: TORCH_CHECK(false, "unknown unary operation ", kind);
    }
  });
}

int32_t lgt_binary(int32_t kind, lgt_tensor first, lgt_tensor second, lgt_tensor *result) {
  return produce(result, [&]() -> at::Tensor {
    const auto &a = get(first), &b = get(second);
    switch (kind) {
      case lgt_add: return at::add(a, b);
      case lgt_subtract: return at::sub(a, b);
      case lgt_multiply: return at::mul(a, b);
      case lgt_divide: return a.is_floating_point() || b.is_floating_point() ? at::div(a, b) : at::div(a, b, "trunc");
      case lgt_maximum: return at::maximum(a, b);
      case lgt_minimum: return at::minimum(a, b);
      case lgt_power: return at::pow(full(a), full(b));
      case lgt_greater: return at::gt(a, b).to(a.scalar_type());
      default: TORCH_CHECK(false, "unknown binary operation ", kind);
    }
  });
}

int32_t lgt_scalar(int32_t kind, lgt_tensor handle, float value, lgt_tensor *result) {
  return produce(result, [&]() -> at::Tensor {
    const auto &x = get(handle);
    const auto constant = constant_for(x, value);
    switch (kind) {
      case lgt_add: return at::add(x, constant);
      case lgt_subtract: return at::sub(x, constant);
      case lgt_multiply: return at::mul(x, constant);
      case lgt_divide: return x.is_floating_point() ? at::div(x, constant) : at::div(x, constant, "trunc");
      case lgt_maximum: return at::clamp_min(x, constant);
      case lgt_minimum: return at::clamp_max(x, constant);
      case lgt_power: return at::pow(full(x), constant);
      case lgt_greater: return at::gt(x, constant).to(x.scalar_type());
      default: TORCH_CHECK(false, "unknown scalar operation ", kind);
    }
  });
}

int32_t lgt_select(lgt_tensor condition, lgt_tensor a, lgt_tensor b, lgt_tensor *result) {
  return produce(result, [&] { return at::where(get(condition).ne(0), get(a), get(b)); });
}

int32_t lgt_reduce(int32_t kind, lgt_tensor handle, int32_t axis, lgt_tensor *result) {
  return produce(result, [&]() -> at::Tensor {
    const auto x = full(get(handle));
    switch (kind) {
      case lgt_sum: return at::sum(x, {axis}, /*keepdim=*/true, x.scalar_type());
      case lgt_mean:
        return x.is_floating_point() ? at::mean(x, {axis}, /*keepdim=*/true)
                                     : at::sum(x, {axis}, true, x.scalar_type()).div(x.size(axis), "trunc");
      case lgt_max: return at::amax(x, {axis}, /*keepdim=*/true);
      default: TORCH_CHECK(false, "unknown reduction ", kind);
    }
  });
}

int32_t lgt_softmax(lgt_tensor x, lgt_tensor *result) {
  return produce(result, [&] { return at::softmax(full(get(x)), -1); });
}

int32_t lgt_matmul(lgt_tensor first, lgt_tensor second, int32_t transposed, lgt_tensor *result) {
  return produce(result, [&] {
    const auto [a, b] = promoted(get(first), get(second));
    return at::matmul(a, transposed ? b.transpose(-1, -2) : b);
  });
}

int32_t lgt_reshape(lgt_tensor x, const int64_t *shape, int32_t rank, lgt_tensor *result) {
  return produce(result, [&] { return at::reshape(get(x), sizes(shape, rank)); });
}

int32_t lgt_permute(lgt_tensor x, const int64_t *axes, int32_t rank, lgt_tensor *result) {
  return produce(result, [&] { return at::permute(get(x), sizes(axes, rank)); });
}

int32_t lgt_slice(lgt_tensor x, int32_t axis, int64_t from, int64_t to, lgt_tensor *result) {
  return produce(result, [&] { return at::slice(get(x), axis, from, to); });
}

int32_t lgt_concatenate(const lgt_tensor *tensors, int32_t count, int32_t axis, lgt_tensor *result) {
  return produce(result, [&] { return at::cat(list(tensors, count), axis); });
}

int32_t lgt_pad(lgt_tensor handle, int32_t axis, int64_t before, int64_t after, lgt_tensor *result) {
  return produce(result, [&] {
    const auto &x = get(handle);
    // Pairs from the last axis backwards.
    std::vector<int64_t> amounts(2 * (x.dim() - axis), 0);
    amounts[amounts.size() - 2] = before;
    amounts[amounts.size() - 1] = after;
    return at::constant_pad_nd(x, amounts, 0);
  });
}

int32_t lgt_broadcast(lgt_tensor x, const int64_t *shape, int32_t rank, lgt_tensor *result) {
  return produce(result, [&] { return get(x).expand(sizes(shape, rank)); });
}

int32_t lgt_gather(lgt_tensor table, lgt_tensor indices, lgt_tensor *result) {
  return produce(result, [&] { return at::embedding(get(table), get(indices)); });
}

int32_t lgt_frame(lgt_tensor x, int64_t size, int64_t hop, lgt_tensor *result) {
  return produce(result, [&] { return frames(get(x), size, hop); });
}

int32_t lgt_overlap_add(lgt_tensor x, int64_t hop, lgt_tensor *result) {
  return produce(result, [&] { return overlap_add(get(x), hop); });
}

int32_t lgt_rfft(lgt_tensor x, lgt_tensor *result) {
  return produce(result, [&] { return at::view_as_real(at::fft_rfft(full(get(x)))).transpose(-1, -2); });
}

int32_t lgt_irfft(lgt_tensor handle, lgt_tensor *result) {
  return produce(result, [&] {
    const auto spectrum = full(get(handle)).transpose(-1, -2).contiguous();
    return at::fft_irfft(at::view_as_complex(spectrum), 2 * (spectrum.size(-2) - 1));
  });
}
