#include "attention.h"

#include <cmath>
#include <limits>
#include <mutex>
#include <tuple>

#include "support.h"

namespace legato {

namespace {

/// Sequences of several windows are cut into blocks of `length` queries, each with the keys of its own positions and
/// of `before` more: the work grows with T · window, not with T². A short sequence is one block with none before.
struct Blocks {
  int64_t count, length, before, window;
  int64_t keys() const { return before + length; }
};

/// To be added to the scores, 0 or −∞: `[count, 1, length, sinks + keys]`. Key j of block n stands at position
/// n · length − before + j. Kept for the process: a model asks for the same few.
at::Tensor mask(const Blocks &blocks, int64_t sinks, const at::TensorOptions &options) {
  using Key = std::tuple<int64_t, int64_t, int64_t, int64_t, int64_t, std::string>;
  static std::mutex mutex;
  // Never destroyed: at exit CUDA may be gone before its tensors.
  static auto &cache = *new std::vector<std::pair<Key, at::Tensor>>();
  constexpr size_t kept = 16;
  const Key key{blocks.count, blocks.length, blocks.before, blocks.window, sinks,
                options.device().str() + c10::toString(c10::typeMetaToScalarType(options.dtype()))};
  const std::lock_guard<std::mutex> lock(mutex);
  for (const auto &[known, tensor] : cache)
    if (known == key) return tensor;
  at::NoGradGuard no_grad;
  const auto whole = options.dtype(at::kLong);
  const int64_t keys = blocks.keys();
  const auto key_at = at::arange(keys, whole) - blocks.before;
  const auto distance = at::arange(blocks.length, whole).unsqueeze(1) - key_at;
  const auto outside = distance.lt(0).logical_or(distance.ge(blocks.window));
  const auto start = (at::arange(blocks.count, whole) * blocks.length).view({-1, 1, 1, 1});
  const auto hidden = outside.logical_or((start + key_at).lt(0));
  // CUDA's kernels take a mask without copying where its rows are aligned.
  const int64_t row = (sinks + keys + 15) / 16 * 16;
  auto made = at::zeros({blocks.count, 1, blocks.length, row}, options).narrow(3, 0, sinks + keys);
  made.narrow(3, sinks, keys).masked_fill_(hidden, -std::numeric_limits<double>::infinity());
  if (cache.size() >= kept) cache.erase(cache.begin());
  cache.emplace_back(key, made);
  return made;
}

/// `[B, T, H, D]` → `[count, B · H, length, D]`.
at::Tensor cut_queries(const at::Tensor &x, const Blocks &blocks) {
  const int64_t batch = x.size(0), heads = x.size(2), width = x.size(3);
  const auto padded = at::constant_pad_nd(x, {0, 0, 0, 0, 0, blocks.count * blocks.length - x.size(1)}, 0);
  return padded.view({batch, blocks.count, blocks.length, heads, width})
      .permute({1, 0, 3, 2, 4})
      .reshape({blocks.count, batch * heads, blocks.length, width});
}

/// `[B, T, H, D]` and sinks `[S, H, D]` → `[count, B · H, S + keys, D]`.
at::Tensor cut_keys(const at::Tensor &x, const at::Tensor &sinks, const Blocks &blocks) {
  const int64_t batch = x.size(0), heads = x.size(2), width = x.size(3), keys = blocks.keys();
  const int64_t after = blocks.count * blocks.length - x.size(1);
  const auto padded = at::constant_pad_nd(x, {0, 0, 0, 0, blocks.before, after}, 0);
  auto cut = padded.unfold(1, keys, blocks.length).permute({1, 0, 2, 4, 3});
  if (!sinks.defined()) return cut.reshape({blocks.count, batch * heads, keys, width});
  const int64_t count = sinks.size(0);
  const auto first = sinks.to(x.scalar_type()).transpose(0, 1).expand({blocks.count, batch, heads, count, width});
  return at::cat({first, cut}, 3).view({blocks.count, batch * heads, count + keys, width});
}

/// `[B, T, H, D]` and sinks `[S, H, D]` → `[B, H, S + T, D]`.
at::Tensor whole_keys(const at::Tensor &x, const at::Tensor &sinks) {
  if (!sinks.defined()) return x.transpose(1, 2);
  const auto first = sinks.to(x.scalar_type()).unsqueeze(0).expand({x.size(0), -1, -1, -1});
  return at::cat({first, x}, 1).transpose(1, 2);
}

/// On a CPU libtorch's fused kernel is slow in bf16 where rows of scores are short; plain products use the matrix units.
bool prefers_products(const at::Tensor &q, int64_t row) {
  constexpr int64_t short_row = 544;
  return q.is_cpu() && is_half(q) && row <= short_row;
}

/// Attention of `[N, H, L, D]` over `[N, H, K, D]` with `bias` added to the scores.
at::Tensor attended(const at::Tensor &q, const at::Tensor &k, const at::Tensor &v, const at::Tensor &bias) {
  if (!prefers_products(q, k.size(2))) return at::scaled_dot_product_attention(q, k, v, bias);
  const double scale = 1 / std::sqrt(static_cast<double>(q.size(3)));
  const auto weights = at::softmax(at::add(bias, at::matmul(q, k.transpose(-1, -2)), scale), -1);
  return at::matmul(weights.to(v.scalar_type()), v);
}

}  // namespace

at::Tensor attention(const at::Tensor &q, const at::Tensor &k, const at::Tensor &v, const at::Tensor &sink_k,
                     const at::Tensor &sink_v, int64_t window) {
  const auto place = q.device().type();
  const bool autocast = at::autocast::is_autocast_enabled(place);
  const auto type = autocast ? at::autocast::get_autocast_dtype(place) : at::kFloat;
  const auto queries = q.to(type), keys = k.to(type), values = v.to(type);
  const int64_t batch = q.size(0), length = q.size(1), heads = q.size(2), width = q.size(3);
  const int64_t sinks = sink_k.defined() ? sink_k.size(0) : 0;

  constexpr int64_t shortest_block = 64;
  const int64_t block = std::max(window, shortest_block);
  const bool cut = length / 2 >= block + window;
  const Blocks blocks = cut ? Blocks{(length + block - 1) / block, block, window, window}
                            : Blocks{1, length, 0, std::min(window, length)};
  const bool products = prefers_products(queries, sinks + blocks.keys());
  if (!cut && !products && sinks == 0 && window >= length) {
    return at::scaled_dot_product_attention(queries.transpose(1, 2), keys.transpose(1, 2), values.transpose(1, 2), {},
                                            /*dropout_p=*/0.0, /*is_causal=*/true)
        .transpose(1, 2);
  }
  // Plain products add the mask in f32; libtorch's kernels take it in the operands' type.
  const auto bias = mask(blocks, sinks, queries.options().dtype(products ? at::kFloat : type));
  if (!cut) {
    return attended(queries.transpose(1, 2), whole_keys(keys, sink_k), whole_keys(values, sink_v), bias)
        .transpose(1, 2);
  }
  return attended(cut_queries(queries, blocks), cut_keys(keys, sink_k, blocks), cut_keys(values, sink_v, blocks), bias)
      .view({blocks.count, batch, heads, block, width})
      .permute({1, 0, 3, 2, 4})
      .reshape({batch, blocks.count * block, heads, width})
      .narrow(1, 0, length);
}

}  // namespace legato
