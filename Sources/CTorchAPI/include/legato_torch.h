// The ABI between Swift and the libtorch plug-in (Plugins/Torch). Plain C: nothing of libtorch crosses.
//
// - Every function returns 0, or 1 on failure; results leave through pointers and are null on failure. The
//   text of a failure is kept per thread until the next failing call on that thread (`last_error`).
// - Tensors are opaque handles that the caller owns and gives back to `release`. Optional ones may be null.
// - One list names every function once: it makes the prototypes, the table and the table's initialiser. Its
//   order is the ABI: whoever adds, removes or changes a function raises LEGATO_TORCH_ABI_VERSION.
// - The table is immutable and lives as long as the process.
#pragma once
#include <stdint.h>

#define LEGATO_TORCH_ABI_VERSION 4

typedef struct lgt_tensor_s *lgt_tensor;

// Values are those of `Operation.Unary`, `.Binary` and `.Reduction` in LegatoTensor.
enum {
  lgt_negate, lgt_absolute, lgt_exp, lgt_log, lgt_sqrt, lgt_rsqrt, lgt_sin, lgt_cos, lgt_tanh, lgt_sigmoid,
  lgt_relu, lgt_gelu, lgt_silu, lgt_softplus, lgt_square
};
enum {
  lgt_add, lgt_subtract, lgt_multiply, lgt_divide, lgt_maximum, lgt_minimum, lgt_power, lgt_greater
};
enum { lgt_sum, lgt_mean, lgt_max };
// Where a tensor lives: LGT_CPU, or the index of a CUDA device.
#define LGT_CPU (-1)

#define LGT_FUNCTIONS(F)                                                                                        \
  /* The library. */                                                                                            \
  F(last_error, (const char **text))                                                                            \
  F(versions, (const char **compiled, const char **loaded))                                                     \
  F(live_handles, (int64_t *count, int64_t *of_this_thread))                                                    \
  F(set_threads, (int32_t count))                                                                               \
  F(get_threads, (int32_t *count))                                                                              \
  F(set_deterministic, (int32_t on))                                                                            \
  F(seed, (uint64_t value))                                                                                     \
  F(cuda_devices, (int32_t *count))                                                                             \
  F(memory, (int32_t device, int64_t *allocated, int64_t *maximum))                                             \
  F(synchronize, (int32_t device))                                                                              \
  /* Tensors and their values. */                                                                               \
  F(release, (lgt_tensor tensor))                                                                               \
  F(from_floats, (const float *values, const int64_t *shape, int32_t rank, int32_t device, lgt_tensor *result)) \
  F(from_ints, (const int32_t *values, const int64_t *shape, int32_t rank, int32_t device, lgt_tensor *result)) \
  F(zeros, (const int64_t *shape, int32_t rank, int32_t device, lgt_tensor *result))                            \
  F(placeholder, (const int64_t *shape, int32_t rank, int32_t is_int, lgt_tensor *result))                      \
  F(to_floats, (lgt_tensor tensor, float *values, int64_t count))                                               \
  F(set_floats, (lgt_tensor tensor, const float *values, int64_t count))                                        \
  F(copy_from, (lgt_tensor tensor, lgt_tensor source))                                                          \
  F(shape, (lgt_tensor tensor, int64_t *sizes, int32_t capacity, int32_t *rank))                                \
  F(bits, (lgt_tensor tensor, int32_t *bits, int32_t *is_float))                                                \
  F(detach, (lgt_tensor tensor, lgt_tensor *result))                                                            \
  F(clone, (lgt_tensor tensor, lgt_tensor *result))                                                             \
  F(set_requires_grad, (lgt_tensor tensor, int32_t on))                                                         \
  F(requires_grad, (lgt_tensor tensor, int32_t *on))                                                            \
  F(item, (lgt_tensor tensor, double *value))                                                                   \
  F(is_finite, (const lgt_tensor *tensors, int32_t count, int32_t *finite))                                     \
  /* Gradients, autocast, optimisers. */                                                                        \
  F(backward, (lgt_tensor loss))                                                                                \
  F(grad, (lgt_tensor tensor, lgt_tensor *result))                                                              \
  F(clear_grads, (const lgt_tensor *tensors, int32_t count))                                                    \
  F(scale_grads, (const lgt_tensor *tensors, int32_t count, double factor))                                     \
  F(clip_grads, (const lgt_tensor *tensors, int32_t count, double max_norm, double *norm))                      \
  F(set_grad_mode, (int32_t on, int32_t *previous))                                                             \
  F(autocast_enter, (int32_t device, int32_t on, int32_t *previous))                                            \
  F(autocast_exit, (int32_t device, int32_t previous))                                                          \
  F(adamw, (const lgt_tensor *parameters, const lgt_tensor *m, const lgt_tensor *v, const lgt_tensor *steps,    \
            int32_t count, double rate, double beta1, double beta2, double epsilon, double decay))              \
  F(lerp, (const lgt_tensor *shadows, const lgt_tensor *parameters, int32_t count, double weight))              \
  /* Primitives. */                                                                                             \
  F(unary, (int32_t kind, lgt_tensor x, lgt_tensor *result))                                                    \
  F(binary, (int32_t kind, lgt_tensor a, lgt_tensor b, lgt_tensor *result))                                     \
  F(scalar, (int32_t kind, lgt_tensor x, float constant, lgt_tensor *result))                                   \
  F(select, (lgt_tensor condition, lgt_tensor a, lgt_tensor b, lgt_tensor *result))                             \
  F(reduce, (int32_t kind, lgt_tensor x, int32_t axis, lgt_tensor *result))                                     \
  F(softmax, (lgt_tensor x, lgt_tensor *result))                                                                \
  F(matmul, (lgt_tensor a, lgt_tensor b, int32_t transposed, lgt_tensor *result))                               \
  F(reshape, (lgt_tensor x, const int64_t *shape, int32_t rank, lgt_tensor *result))                            \
  F(permute, (lgt_tensor x, const int64_t *axes, int32_t rank, lgt_tensor *result))                             \
  F(slice, (lgt_tensor x, int32_t axis, int64_t from, int64_t to, lgt_tensor *result))                          \
  F(concatenate, (const lgt_tensor *tensors, int32_t count, int32_t axis, lgt_tensor *result))                  \
  F(pad, (lgt_tensor x, int32_t axis, int64_t before, int64_t after, lgt_tensor *result))                       \
  F(broadcast, (lgt_tensor x, const int64_t *shape, int32_t rank, lgt_tensor *result))                          \
  F(gather, (lgt_tensor table, lgt_tensor indices, lgt_tensor *result))                                         \
  F(frame, (lgt_tensor x, int64_t size, int64_t hop, lgt_tensor *result))                                       \
  F(overlap_add, (lgt_tensor x, int64_t hop, lgt_tensor *result))                                               \
  F(rfft, (lgt_tensor x, lgt_tensor *result))                                                                   \
  F(irfft, (lgt_tensor x, lgt_tensor *result))                                                                  \
  /* Fused. */                                                                                                  \
  F(linear, (lgt_tensor x, lgt_tensor weight, lgt_tensor bias, lgt_tensor *result))                             \
  F(layer_norm, (lgt_tensor x, lgt_tensor weight, lgt_tensor bias, float epsilon, lgt_tensor *result))          \
  F(rms_norm, (lgt_tensor x, lgt_tensor weight, float epsilon, lgt_tensor *result))                             \
  F(rotary, (lgt_tensor x, lgt_tensor positions, float base, int64_t pairs, lgt_tensor *result))                \
  F(attention, (lgt_tensor q, lgt_tensor k, lgt_tensor v, lgt_tensor sink_k, lgt_tensor sink_v, int64_t window, \
                lgt_tensor *result))                                                                            \
  F(depthwise_convolution, (lgt_tensor x, lgt_tensor weight, lgt_tensor bias, lgt_tensor *result))              \
  F(convolution2d, (lgt_tensor x, lgt_tensor weight, lgt_tensor bias, const int64_t *stride,                    \
                    const int64_t *padding, lgt_tensor *result))                                                \
  F(modulate, (lgt_tensor x, lgt_tensor shift, lgt_tensor scale, lgt_tensor *result))                           \
  F(gated_add, (lgt_tensor x, lgt_tensor gate, lgt_tensor h, lgt_tensor *result))

typedef struct {
  /* sizeof the table that the plug-in was compiled with: catches a forgotten change of the version. */
  uint32_t version, byte_count;
#define LGT_FIELD(name, parameters) int32_t(*name) parameters;
  LGT_FUNCTIONS(LGT_FIELD)
#undef LGT_FIELD
} lgt_api;

// The one exported symbol. Refuses another ABI version and a libtorch other than the plug-in was compiled for.
#define LEGATO_TORCH_ENTRY "legato_torch_open"
typedef int32_t (*lgt_open_function)(uint32_t version, const lgt_api **table, const char **error);
