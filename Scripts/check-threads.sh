#!/usr/bin/env bash
# Runs the tests of the ring and of real-time streams under ThreadSanitizer, which finds what two threads touch without order.
# It needs a build of its own, some ten minutes on two cores.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
# A race ends the run with a status that is not zero.
TSAN_OPTIONS="halt_on_error=1 ${TSAN_OPTIONS:-}" \
  "${SWIFT:-swift}" test --sanitize=thread --scratch-path .build/threads --filter 'AudioRingTests|RealtimeStreamTests'
