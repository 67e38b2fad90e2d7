// The kernels of Legato's CPU engine.
//
// A plan is an array of `lk_call`. Every kernel has one signature, reads its operands from the call and does
// the share `thread` of `threads` of the work; a share may be empty, and one thread may do several. Work is split over outputs, never over a summed dimension, so
// that results do not depend on the number of threads; a row's result does not depend on how many rows there are.
#pragma once
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define LK_MAX_POINTERS 10
#define LK_MAX_INTS 32
#define LK_MAX_RANK 6

typedef struct lk_call lk_call;
typedef void (*lk_kernel)(const lk_call *call, int thread, int threads);

struct lk_call {
  lk_kernel kernel;
  void *p[LK_MAX_POINTERS];   // operands, as each kernel's comment says; absent ones are null
  int64_t i[LK_MAX_INTS];
  float f[4];
  int32_t parallel;           // 0: the caller's thread alone, 1: split over the pool, more: into so many shares at most
};

// Instruction sets. LEGATO_ISA=scalar|avx2|avx512|avx512-vnni|avx512-bf16|neon|neon-dot forces a slower one. Those after AVX-512 have
// products of their own alone: VNNI of whole numbers (the same bits), BF16 of a prompt's rounded inputs, too.
typedef enum { LK_SCALAR = 0, LK_AVX2 = 1, LK_AVX512 = 2, LK_NEON = 3, LK_NEON_DOT = 4, LK_AVX512_VNNI = 5, LK_AVX512_BF16 = 6 } lk_isa;
lk_isa lk_best_isa(void);               // what this processor has, or what LEGATO_ISA asks for (if present)
const char *lk_isa_name(lk_isa isa);
// Not 0 where libtorch's products in bf16 are faster than in f32: the processor has instructions for them, LEGATO_ISA forces nothing
// slower, and oneDNN uses them (not on macOS).
int lk_multiplies_bf16(void);

// `lk_kernel_for(id, isa)` gives the kernel; ids are these. All tensors are contiguous, row-major, f32 unless said.
typedef enum {
  // p: in, out.  i: count, function (lk_unary)
  LK_UNARY,
  // Broadcasting. p: a, b, out.  i: function (lk_binary), rank, dims[6], strides_a[6], strides_b[6] (elements; out contiguous).
  // Fast paths for equal strides and for b constant or repeating along leading axes are the kernel's own business.
  LK_BINARY,
  // p: in, out.  i: count, function (lk_binary); f: c.  out = in (function) c
  LK_SCALAR_OP,
  // out = condition != 0 ? a : b, same shapes. p: condition, a, b, out.  i: count
  LK_SELECT,
  // p: in, out.  i: function (lk_reduction), outer, n, inner: in [outer, n, inner] -> out [outer, inner]
  LK_REDUCE,
  // p: in, out.  i: rows, n
  LK_SOFTMAX,
  // p: a, b, out.  i: batch rank (<=4), batch dims[4], batch strides_a[4], batch strides_b[4], M, N, K, b_transposed
  // a [.., M, K], b [.., K, N] or [.., N, K] (b_transposed), out [.., M, N]
  LK_MATMUL,
  // Strided copy of 4-byte elements. p: in, out.  i: rank, dims[6], strides_in[6], strides_out[6], offset_in, offset_out
  LK_COPY,
  // p: out.  i: count; f: value
  LK_FILL,
  // p: table, indices (int32), out.  i: count, width, rows.  An index out of range gives a row of zeros.
  LK_GATHER,
  // p: in [batch, length], out [batch, frames, size].  i: batch, length, frames, size, hop
  LK_FRAME,
  // p: in [batch, frames, size], out [batch, (frames-1)*hop+size].  i: batch, frames, size, hop
  LK_OVERLAP_ADD,
  // p: in [rows, n], out [rows, 2, n/2+1] (real parts, then imaginary), plan (lk_fft*), i: rows, n.  n even.
  LK_RFFT,
  // p: in [rows, 2, n/2+1], out [rows, n], plan.  i: rows, n.  Scaled by 1/n; imaginary parts of bins 0 and n/2 ignored.
  LK_IRFFT,
  // out = x . w^T (+ bias), then the activation, then what it is added to: residual + out, or residual + gate * out.
  // p: x [M, K], w, bias or null, out [M, N], scales or null, residual [M, N] or null, gate [M / repeat, N] or null.
  // i: M, K, N, weight format (lk_weight_format), group (int8/int4: columns per scale), activation (lk_unary, or -1), repeat,
  // rounding: not 0 where x may be rounded to bf16, too, if the weights are and the processor multiplies such pairs.
  // int8: w int8 [N, K], scales f32 [N, K/group].  int4: w as lk_to_int4 lays it out, scales alike.
  // Where lk_is_tiled says so, w is what lk_tile made and has the scales, and x is rounded to int8, one scale a group (quantized.h).
  LK_LINEAR,
  // p: x [rows, n], weight or null, bias or null, out.  i: rows, n; f: epsilon
  LK_LAYER_NORM,
  LK_RMS_NORM,
  // Rotary embedding on pairs (j, j + D/2). p: x [B, T, H, D], positions (int32 [T]), out.  i: B, T, H, D, pairs; f: base.
  // angle = position * base^(-2j/D) for j < pairs, else 0; computed in double (positions grow without bound).
  LK_ROTARY,
  // Causal attention within a window, plus sinks that every position sees. p: q [B,T,H,D], k, v, sink_k [S,H,D] or null, sink_v, out [B,T,H,D].
  // i: B, T, H, D, window (position t sees t-window+1 ... t), S; f: scale
  LK_ATTENTION,
  // The same on a stream. p: q, k, v (as above, T new positions), sink_k, sink_v, cache_k [slots, H, ring, D] (position % ring), cache_v, position (int32 [B, T]), out, slots (int32 [B]: where the state of each row lies) or null.
  // Without slots row b has state b, and position[0] is everybody's first.
  // i: B, T, H, D, window, S, elements from the sinks of one slot to those of the next (0: all have the same), ring (0: window; more lets a stream go back by the difference), format of the ring (LK_F32 or LK_BF16); f: scale.  Each new position is written to its slot before its query is answered, so T may be any number.
  // Bit for bit what LK_ATTENTION gives over the same positions (in LK_BF16 with keys and values rounded), however the stream is cut (the convolution and overlap-add streams likewise).
  LK_ATTENTION_STREAM,
  // Causal depthwise convolution. p: x [B,T,C], w [C,K], bias [C] or null, out [B,T,C].  i: B, T, C, K.  out[t] = sum_j w[j] * x[t-K+1+j], zeros before the start
  LK_DEPTHWISE,
  // p: x, w, bias, tail [slots,K-1,C] (the last K-1 inputs; updated), out, slots (as above) or null.  Same i.
  LK_DEPTHWISE_STREAM,
  // out = x * (1 + scale) + shift. p: x [rows, n], shift [rows / repeat, n], scale [rows / repeat, n], out.  i: rows, n, repeat
  LK_MODULATE,
  // out = x + gate * h. p: x [rows, n], gate [rows / repeat, n], h, out.  i: rows, n, repeat
  LK_GATED_ADD,
  // p: in [batch, frames*hop], tail [slots * rows, size-hop] (updated), out [batch, frames, size], slots or null.  i: batch, frames, size, hop, rows of one slot.  Frame j ends at sample (j+1)*hop of the chunk.
  LK_FRAME_STREAM,
  // p: in [batch, frames, size], tail [slots * rows, size-hop] (updated), out [batch, frames*hop], slots or null.  i: batch, frames, size, hop, rows of one slot
  LK_OVERLAP_ADD_STREAM,
  // Reads memory and does nothing else, to measure how fast that is. p: in, out (int32 [64]: a word a share).  i: bytes
  LK_READ,
  LK_KERNEL_COUNT
} lk_kernel_id;

typedef enum {
  LK_NEGATE, LK_ABSOLUTE, LK_EXP, LK_LOG, LK_SQRT, LK_RSQRT, LK_SIN, LK_COS, LK_TANH, LK_SIGMOID, LK_RELU, LK_GELU /* tanh form */,
  LK_SILU, LK_SOFTPLUS, LK_SQUARE, LK_UNARY_COUNT
} lk_unary;
typedef enum { LK_ADD, LK_SUBTRACT, LK_MULTIPLY, LK_DIVIDE, LK_MAXIMUM, LK_MINIMUM, LK_POWER, LK_GREATER, LK_BINARY_COUNT } lk_binary;
typedef enum { LK_SUM, LK_MEAN, LK_MAX } lk_reduction;
typedef enum { LK_F32 = 0, LK_BF16 = 1, LK_INT8 = 2, LK_INT4 = 3 } lk_weight_format;

// Null where the kernel does not exist for this instruction set.
lk_kernel lk_kernel_for(lk_kernel_id id, lk_isa isa);

// FFT plans: immutable after creation, shared by threads. n even, at most 16384 (scratch is on the stack), n/2 a product of 2, 3, 5 (null otherwise).
typedef struct lk_fft lk_fft;
lk_fft *lk_fft_create(int64_t n);
void lk_fft_destroy(lk_fft *plan);
size_t lk_fft_byte_count(const lk_fft *plan);  // that it takes

// Threads. A pool of `threads` (the caller's included). Denormals are flushed in lk_run on every thread and the caller's mode restored.
// A call is cut into shares that whoever is there takes; the caller never waits for a worker that has not begun, so workers
// without a processor cost little. A waiting thread spins at most some 30 microseconds, then sleeps. One lk_run at a time on one pool.
typedef struct lk_pool lk_pool;
lk_pool *lk_pool_create(int threads);
void lk_pool_destroy(lk_pool *pool);
int lk_pool_threads(const lk_pool *pool);
// For tests: every worker calls `gate(context)` after it has seen work and before it takes some; all must return for the pool to end.
// Calls are always shared, where another pool works with the caller alone for a while when help costs more than it brings.
lk_pool *lk_pool_create_gated(int threads, void (*gate)(void *context), void *context);
void lk_run(lk_pool *pool, const lk_call *calls, int64_t count);

// Zeroed memory, aligned for the kernels, on large pages where the system has some; what is not touched takes no room. Null where
// there is none. Any thread may call.
void *lk_zeroed(int64_t bytes);
void lk_free_zeroed(void *memory);

// Philox 4x32-10 (Salmon et al. 2011). Block `index` of stream (key): out[4]. The same everywhere.
void lk_philox(uint64_t key, uint64_t stream, uint64_t index, uint32_t out[4]);
// `count` values from position `offset` of the stream. Uniform in (0, 1); normals by Box-Muller on our own polynomials,
// the same bits on every machine and instruction set (no libm, no contraction).
void lk_uniform(uint64_t key, uint64_t stream, uint64_t offset, float *out, int64_t count);
void lk_normal(uint64_t key, uint64_t stream, uint64_t offset, float *out, int64_t count);

// bf16 <-> f32, round to nearest even.
void lk_to_bf16(const float *in, uint16_t *out, int64_t count);
void lk_from_bf16(const uint16_t *in, float *out, int64_t count);
// Rows of [rows, columns] to int8 with one scale a group of columns (symmetric, max/127). group divides columns.
void lk_to_int8(const float *in, int8_t *out, float *scales, int64_t rows, int64_t columns, int64_t group);
// The same to int4, -8 ... 7 times the scale (of either sign) of least squared error: rows of (columns + 1) / 2 bytes, column 2j in
// the low nibble, each nibble the value + 8. group divides columns and is even, or is columns.
void lk_to_int4(const float *in, uint8_t *out, float *scales, int64_t rows, int64_t columns, int64_t group);
// The scale whose multiples by -8 ... 7 are nearest to x in the mean square, each value weighted by its importance (null: all alike).
float lk_int4_scale(const float *x, const float *importance, int64_t n);
void lk_from_int4(const uint8_t *in, const float *scales, float *out, int64_t rows, int64_t columns, int64_t group);

// Whether LK_LINEAR reads matrices of this format, rows of so many columns in groups of so many, in tiles: int8 in groups of 64, int4
// in groups of 32, up to 16384 columns.
int lk_is_tiled(int format, int64_t columns, int64_t group);
// Bytes of the tiles of a matrix.
int64_t lk_tiled_bytes(int format, int64_t rows, int64_t columns);
// Tiles of 16 rows, the last one filled up with zeros. A tile has its groups in turn, each of them in cache lines of 64 bytes: four
// bytes of every row, then the next four of every row and so on, and last the 16 rows' scales.
void lk_tile(int format, const void *values, const float *scales, void *tiles, int64_t rows, int64_t columns);
// The rows and the scales again.
void lk_untile(int format, const void *tiles, void *values, float *scales, int64_t rows, int64_t columns);

#ifdef __cplusplus
}
#endif
