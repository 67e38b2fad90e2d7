// States in slots: a call over some rows of a larger set of states gives the bits that each row gives alone with its own state, and
// touches no other state.
#pragma once
#include "harness.h"

enum { SLOTS = 5, ROWS = 3 };
static const int32_t chosen[ROWS] = {4, 0, 3};

// The streaming kernel `id` on ROWS rows of the states `all` (two tensors at most, of SLOTS rows of `size`), against `one` call a row.
typedef struct {
  lk_kernel_id id;
  const char *name;
  lk_call call;
  int batch_at;               // the integer that counts rows
  int state[2], out, slots;   // operands
  int inputs[4];              // cut by rows; -1: none
  int64_t input_size, state_size, out_size;
  int state_rows;             // rows of a slot
} slot_case;

static void check_slots(const slot_case *s) {
  for (int k = 0; k < isa_count; k++) {
    float *all[2] = {0}, *expected[2] = {0}, *out = floats(ROWS * s->out_size), *single = floats(ROWS * s->out_size);
    for (int j = 0; j < 2 && s->state[j] >= 0; j++) {
      all[j] = normal_floats(SLOTS * s->state_size), expected[j] = floats(SLOTS * s->state_size);
      memcpy(expected[j], all[j], (size_t)(SLOTS * s->state_size) * sizeof(float));
    }
    lk_kernel kernel = lk_kernel_for(s->id, isas[k]);
    for (int r = 0; r < ROWS; r++) {
      lk_call call = s->call;
      int32_t zero = 0;
      call.i[s->batch_at] = s->state_rows;
      for (int j = 0; j < 4 && s->inputs[j] >= 0; j++) call.p[s->inputs[j]] = (float *)call.p[s->inputs[j]] + r * s->input_size;
      for (int j = 0; j < 2 && s->state[j] >= 0; j++) call.p[s->state[j]] = expected[j] + chosen[r] * s->state_size;
      call.p[s->out] = single + r * s->out_size, call.p[s->slots] = &zero;
      if (s->id == LK_ATTENTION_STREAM) {
        call.p[7] = (int32_t *)call.p[7] + r * call.i[1];
        call.p[3] = (float *)call.p[3] + chosen[r] * call.i[6], call.p[4] = (float *)call.p[4] + chosen[r] * call.i[6];
      }
      kernel(&call, 0, 1);
    }
    lk_call call = s->call;
    call.i[s->batch_at] = ROWS * s->state_rows;
    for (int j = 0; j < 2 && s->state[j] >= 0; j++) call.p[s->state[j]] = all[j];
    call.p[s->out] = out, call.p[s->slots] = (void *)chosen;
    for (int share = 0; share < 2; share++) kernel(&call, share, 2);
    int ok = !memcmp(out, single, (size_t)(ROWS * s->out_size) * sizeof *out);
    for (int j = 0; j < 2 && s->state[j] >= 0; j++) ok &= !memcmp(all[j], expected[j], (size_t)(SLOTS * s->state_size) * sizeof(float));
    expect(ok, "%s %s: states in slots", s->name, lk_isa_name(isas[k]));
  }
  release();
}

static void test_slots(void) {
  const int64_t C = 19, K = 7, T = 5;
  slot_case depthwise = {
    .id = LK_DEPTHWISE_STREAM, .name = "depthwise stream", .call = {.p = {normal_floats(ROWS * T * C), normal_floats(C * K)}, .i = {0, T, C, K}},
    .state = {3, -1}, .out = 4, .slots = 5, .inputs = {0, -1}, .input_size = T * C, .state_size = (K - 1) * C, .out_size = T * C, .state_rows = 1};
  check_slots(&depthwise);
  const int64_t frames = 3, size = 24, hop = 10, rows = 2;
  slot_case frame = {
    .id = LK_FRAME_STREAM, .name = "frame stream", .call = {.p = {normal_floats(ROWS * rows * frames * hop)}, .i = {0, frames, size, hop, rows}},
    .state = {1, -1}, .out = 2, .slots = 3, .inputs = {0, -1}, .input_size = rows * frames * hop, .state_size = rows * (size - hop), .out_size = rows * frames * size, .state_rows = rows};
  check_slots(&frame);
  slot_case overlap = {
    .id = LK_OVERLAP_ADD_STREAM, .name = "overlap-add stream", .call = {.p = {normal_floats(ROWS * rows * frames * size)}, .i = {0, frames, size, hop, rows}},
    .state = {1, -1}, .out = 2, .slots = 3, .inputs = {0, -1}, .input_size = rows * frames * size, .state_size = rows * (size - hop), .out_size = rows * frames * hop, .state_rows = rows};
  check_slots(&overlap);
  // Sinks of every slot's own, a ring longer than the window, each row at a position of its own.
  const int64_t H = 2, D = 20, window = 9, ring = 13, S = 2, row = H * D;
  int32_t *positions = keep(ROWS * T, sizeof *positions);
  for (int64_t u = 0; u < ROWS * T; u++) positions[u] = (int32_t)(u / T * 17 + u % T);
  slot_case attention = {
    .id = LK_ATTENTION_STREAM, .name = "attention stream",
    .call = {.p = {normal_floats(ROWS * T * row), normal_floats(ROWS * T * row), normal_floats(ROWS * T * row), normal_floats(SLOTS * S * row), normal_floats(SLOTS * S * row), 0, 0, positions},
             .i = {0, T, H, D, window, S, S * row, ring}, .f = {0.2f}},
    .state = {5, 6}, .out = 8, .slots = 9, .inputs = {0, 1, 2, -1}, .input_size = T * row, .state_size = ring * row, .out_size = T * row, .state_rows = 1};
  check_slots(&attention);
}
