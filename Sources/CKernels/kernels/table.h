// Every kernel of one instruction set. The includer defines LK_TABLE, the name of its table.
#pragma once
#include "attention.h"
#include "convolution.h"
#include "data.h"
#include "elementwise.h"
#include "fft.h"
#include "linear.h"
#include "rows.h"

const lk_kernel LK_TABLE[LK_KERNEL_COUNT] = {
  [LK_UNARY] = kernel_unary,
  [LK_BINARY] = kernel_binary,
  [LK_SCALAR_OP] = kernel_scalar_op,
  [LK_SELECT] = kernel_select,
  [LK_REDUCE] = kernel_reduce,
  [LK_SOFTMAX] = kernel_softmax,
  [LK_MATMUL] = kernel_matmul,
  [LK_COPY] = kernel_copy,
  [LK_FILL] = kernel_fill,
  [LK_GATHER] = kernel_gather,
  [LK_FRAME] = kernel_frame,
  [LK_OVERLAP_ADD] = kernel_overlap_add,
  [LK_RFFT] = kernel_rfft,
  [LK_IRFFT] = kernel_irfft,
  [LK_LINEAR] = kernel_linear,
  [LK_LAYER_NORM] = kernel_layer_norm,
  [LK_RMS_NORM] = kernel_rms_norm,
  [LK_ROTARY] = kernel_rotary,
  [LK_ATTENTION] = kernel_attention,
  [LK_ATTENTION_STREAM] = kernel_attention_stream,
  [LK_DEPTHWISE] = kernel_depthwise,
  [LK_DEPTHWISE_STREAM] = kernel_depthwise_stream,
  [LK_MODULATE] = kernel_modulate,
  [LK_GATED_ADD] = kernel_gated_add,
  [LK_FRAME_STREAM] = kernel_frame_stream,
  [LK_OVERLAP_ADD_STREAM] = kernel_overlap_add_stream,
  [LK_READ] = kernel_read,
};
