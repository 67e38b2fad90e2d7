// Gradients, autocast, and what an optimiser does to whole lists of tensors.
#include <cmath>

#include "support.h"

using namespace legato;

namespace {

/// The gradients that exist among those of these tensors.
std::vector<at::Tensor> gradients(const lgt_tensor *tensors, int32_t count) {
  std::vector<at::Tensor> found;
  found.reserve(count);
  for (int32_t i = 0; i < count; ++i) {
    const auto &grad = get(tensors[i]).grad();
    if (grad.defined()) found.push_back(grad);
  }
  return found;
}

}  // namespace

int32_t lgt_backward(lgt_tensor loss) {
  return guarded([&] { get(loss).backward(); });
}

int32_t lgt_grad(lgt_tensor tensor, lgt_tensor *result) {
  *result = nullptr;
  return guarded([&] {
    const auto &grad = get(tensor).grad();
    if (grad.defined()) *result = wrap(grad);
  });
}

int32_t lgt_clear_grads(const lgt_tensor *tensors, int32_t count) {
  return guarded([&] {
    for (int32_t i = 0; i < count; ++i) get(tensors[i]).mutable_grad() = at::Tensor();
  });
}

int32_t lgt_scale_grads(const lgt_tensor *tensors, int32_t count, double factor) {
  return guarded([&] {
    at::NoGradGuard no_grad;
    const auto grads = gradients(tensors, count);
    if (!grads.empty()) at::_foreach_mul_(grads, factor);
  });
}

int32_t lgt_clip_grads(const lgt_tensor *tensors, int32_t count, double max_norm, double *norm) {
  return guarded([&] {
    at::NoGradGuard no_grad;
    *norm = 0;
    const auto grads = gradients(tensors, count);
    if (grads.empty()) return;
    *norm = at::linalg_vector_norm(at::stack(at::_foreach_norm(grads, 2))).item<double>();
    // A norm that is not finite is the caller's to act on: the gradients stay as they are.
    const double factor = max_norm / (*norm + 1e-6);
    if (std::isfinite(*norm) && factor < 1) at::_foreach_mul_(grads, factor);
  });
}

int32_t lgt_set_grad_mode(int32_t on, int32_t *previous) {
  return guarded([&] {
    *previous = at::GradMode::is_enabled() ? 1 : 0;
    if (*previous == (on != 0 ? 1 : 0)) return;
    at::GradMode::set_enabled(on != 0);
    // Casts of weights made without gradients would be found, and cut the graph, once gradients are on.
    at::autocast::clear_cache();
  });
}

int32_t lgt_autocast_enter(int32_t index, int32_t on, int32_t *previous) {
  return guarded([&] {
    const auto type = device(index).type();
    *previous = at::autocast::is_autocast_enabled(type) ? 1 : 0;
    at::autocast::set_autocast_dtype(type, at::kBFloat16);
    at::autocast::set_autocast_enabled(type, on != 0);
    at::autocast::increment_nesting();
  });
}

int32_t lgt_autocast_exit(int32_t index, int32_t previous) {
  return guarded([&] {
    at::autocast::set_autocast_enabled(device(index).type(), previous != 0);
    // Cached casts of weights must not outlive the step that changes the weights.
    if (at::autocast::decrement_nesting() == 0) at::autocast::clear_cache();
  });
}

int32_t lgt_adamw(const lgt_tensor *parameters, const lgt_tensor *m, const lgt_tensor *v, const lgt_tensor *steps,
                  int32_t count, double rate, double beta1, double beta2, double epsilon, double decay) {
  return guarded([&] {
    at::NoGradGuard no_grad;
    std::vector<at::Tensor> values, grads, first, second, counters;
    for (int32_t i = 0; i < count; ++i) {
      const auto &parameter = get(parameters[i]);
      if (!parameter.grad().defined()) continue;
      values.push_back(parameter);
      grads.push_back(parameter.grad().to(parameter.scalar_type()));
      first.push_back(get(m[i]));
      second.push_back(get(v[i]));
      counters.push_back(get(steps[i]));
    }
    if (values.empty()) return;
    at::_foreach_add_(counters, 1);
    at::_fused_adamw_(values, grads, first, second, {}, counters, rate, beta1, beta2, decay, epsilon,
                      /*amsgrad=*/false, /*maximize=*/false);
    at::autocast::clear_cache();
  });
}

int32_t lgt_lerp(const lgt_tensor *shadows, const lgt_tensor *parameters, int32_t count, double weight) {
  return guarded([&] {
    if (count == 0) return;
    at::NoGradGuard no_grad;
    at::_foreach_lerp_(list(shadows, count), list(parameters, count), weight);
  });
}
