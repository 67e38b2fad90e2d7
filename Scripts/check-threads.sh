#!/usr/bin/env bash
# Runs a stream under ThreadSanitizer, which finds what two threads touch without order: engine, helpers, ring, controllers and
# two readers, through legato.h. A race ends it with a status that is not zero. The library is built anew, under .build/threads.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
swift=${SWIFT:-swift}
"$swift" build -c release --sanitize=thread --product LegatoC --scratch-path .build/threads
# The compiler that belongs to Swift, whose sanitizer's runtime the library was built for.
bin=$(dirname "$(readlink -f "$(command -v "$swift")")")
# On Linux that runtime leans on Swift's libdispatch.
libraries=()
[ "$(uname -s)" = Darwin ] || libraries=(-L "$bin/../lib/swift/linux" -ldispatch -lBlocksRuntime "-Wl,-rpath,$bin/../lib/swift/linux")
"$bin/clang" -std=c99 -O1 -g -fsanitize=thread Tests/LegatoRealtimeTests/Programs/contract.c -I Sources/CLegato/include \
  -L .build/threads/release -lLegatoC "-Wl,-rpath,$PWD/.build/threads/release" "${libraries[@]}" -lpthread -lm \
  -o .build/threads/contract
TSAN_OPTIONS="halt_on_error=1 ${TSAN_OPTIONS:-}" .build/threads/contract Models/legato-first
