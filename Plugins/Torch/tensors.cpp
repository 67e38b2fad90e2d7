// Tensors: made from host values and read back.
#include <cstring>

#include "support.h"

using namespace legato;

namespace {

at::Tensor upload(const void *values, at::ScalarType type, const int64_t *shape, int32_t rank, int32_t index) {
  const auto place = device(index);
  // The values belong to Swift: they are copied before this returns.
  const auto host = at::empty(sizes(shape, rank), at::TensorOptions().dtype(type));
  if (host.numel() > 0) std::memcpy(host.data_ptr(), values, host.nbytes());
  return place.is_cpu() ? host : host.to(place);
}

}  // namespace

int32_t lgt_release(lgt_tensor tensor) {
  if (tensor == nullptr) return 0;
  return guarded([&] {
    delete tensor;
    count_handle(-1);
  });
}

int32_t lgt_from_floats(const float *values, const int64_t *shape, int32_t rank, int32_t index, lgt_tensor *result) {
  return produce(result, [&] { return upload(values, at::kFloat, shape, rank, index); });
}

int32_t lgt_from_ints(const int32_t *values, const int64_t *shape, int32_t rank, int32_t index, lgt_tensor *result) {
  return produce(result, [&] { return upload(values, at::kInt, shape, rank, index); });
}

int32_t lgt_zeros(const int64_t *shape, int32_t rank, int32_t index, lgt_tensor *result) {
  return produce(result, [&] { return at::zeros(sizes(shape, rank), at::TensorOptions().device(device(index))); });
}

int32_t lgt_placeholder(const int64_t *shape, int32_t rank, int32_t is_int, lgt_tensor *result) {
  return produce(result, [&] {
    return at::zeros({}, at::TensorOptions().dtype(is_int ? at::kInt : at::kFloat)).expand(sizes(shape, rank));
  });
}

int32_t lgt_to_floats(lgt_tensor tensor, float *values, int64_t count) {
  return guarded([&] {
    const auto &source = get(tensor);
    TORCH_CHECK(source.numel() == count, "the tensor has ", source.numel(), " values, not ", count);
    const auto host = source.detach().to(at::kCPU, at::kFloat).contiguous();
    if (count > 0) std::memcpy(values, host.data_ptr(), count * sizeof(float));
  });
}

int32_t lgt_set_floats(lgt_tensor tensor, const float *values, int64_t count) {
  return guarded([&] {
    at::NoGradGuard no_grad;
    const auto &target = get(tensor);
    TORCH_CHECK(target.numel() == count, "the tensor has ", target.numel(), " values, not ", count);
    const auto shape = target.sizes();
    const auto host = at::empty(shape, at::TensorOptions().dtype(at::kFloat));
    if (count > 0) std::memcpy(host.data_ptr(), values, count * sizeof(float));
    target.copy_(host);
    at::autocast::clear_cache();
  });
}

int32_t lgt_copy_from(lgt_tensor tensor, lgt_tensor source) {
  return guarded([&] {
    at::NoGradGuard no_grad;
    get(tensor).copy_(get(source));
    at::autocast::clear_cache();
  });
}

int32_t lgt_shape(lgt_tensor tensor, int64_t *shape, int32_t capacity, int32_t *rank) {
  return guarded([&] {
    const auto source = get(tensor).sizes();
    *rank = static_cast<int32_t>(source.size());
    TORCH_CHECK(*rank <= capacity, "the tensor has ", *rank, " axes, more than ", capacity);
    for (int32_t i = 0; i < *rank; ++i) shape[i] = source[i];
  });
}

int32_t lgt_bits(lgt_tensor tensor, int32_t *bits, int32_t *is_float) {
  return guarded([&] {
    const auto &source = get(tensor);
    *bits = static_cast<int32_t>(source.element_size() * 8);
    *is_float = source.is_floating_point() ? 1 : 0;
  });
}

int32_t lgt_detach(lgt_tensor tensor, lgt_tensor *result) {
  return produce(result, [&] { return get(tensor).detach(); });
}

int32_t lgt_clone(lgt_tensor tensor, lgt_tensor *result) {
  return produce(result, [&] { return get(tensor).detach().clone(); });
}

int32_t lgt_set_requires_grad(lgt_tensor tensor, int32_t on) {
  return guarded([&] { get(tensor).requires_grad_(on != 0); });
}

int32_t lgt_requires_grad(lgt_tensor tensor, int32_t *on) {
  return guarded([&] { *on = get(tensor).requires_grad() ? 1 : 0; });
}

int32_t lgt_item(lgt_tensor tensor, double *value) {
  return guarded([&] { *value = get(tensor).item().toDouble(); });
}

int32_t lgt_is_finite(const lgt_tensor *tensors, int32_t count, int32_t *finite) {
  return guarded([&] {
    at::NoGradGuard no_grad;
    *finite = 1;
    for (const auto &tensor : list(tensors, count)) {
      if (!tensor.isfinite().all().item<bool>()) {
        *finite = 0;
        return;
      }
    }
  });
}
