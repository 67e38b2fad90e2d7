#!/usr/bin/env bash
# Runs the engine under ThreadSanitizer, which finds what two threads touch without order, and AddressSanitizer, which finds
# memory that is touched beyond its end, after its end, or never freed: through legato.h
# (Tests/LegatoRealtimeTests/Programs/contract.c) and through Swift (Tests/LegatoStress). Whatever one of them finds ends it with a
# status that is not zero. Builds and logs: .build/thread, .build/address.
#   Scripts/check-sanitizers.sh [thread] [address]          both where none is named
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
swift=${SWIFT:-swift}
package=Models/legato-first

fail() { printf 'Scripts/check-sanitizers.sh: %s\n' "$*" >&2; exit 1; }
[ $# -gt 0 ] || set -- thread address
for sanitizer; do
  case $sanitizer in thread | address) ;; *) fail "'$sanitizer' is none of: thread, address" ;; esac
done

# The compiler that belongs to Swift, whose sanitizers' runtimes the library is built for.
bin=$(dirname "$(readlink -f "$(command -v "$swift")")")
clang=$bin/clang
[ -x "$clang" ] || clang=$(xcrun --find clang 2>/dev/null) || fail "there is no clang beside $bin/swift"
# On Linux the thread sanitizer's leans on Swift's libdispatch.
libraries=(-lpthread -lm)
[ "$(uname -s)" = Darwin ] || libraries+=(-L "$bin/../lib/swift/linux" -ldispatch -lBlocksRuntime "-Wl,-rpath,$bin/../lib/swift/linux")

# run NAME COMMAND...: one line, or all that it said where it fails.
run() {
  local log=$out/${1// /-}.log
  "${@:2}" >"$log" 2>&1 || { cat "$log" >&2; fail "$1 does not hold under the $sanitizer sanitizer; see above, and $log"; }
  printf '%s sanitizer, %s: %s\n' "$sanitizer" "$1" "$(tail -n 1 "$log")"
}

export TSAN_OPTIONS="halt_on_error=1 ${TSAN_OPTIONS:-}"
for sanitizer; do
  out=.build/$sanitizer
  mkdir -p "$out"
  # Whether a program with this sanitizer can be built and run here.
  if ! printf 'int main(void) { return 0; }\n' | "$clang" "-fsanitize=$sanitizer" -x c - "${libraries[@]}" -o "$out/probe" 2>/dev/null ||
    ! "$out/probe" 2>/dev/null; then
    echo "left out: the $sanitizer sanitizer, which $clang cannot use here"
    continue
  fi
  for product in LegatoC LegatoStress; do
    run "building $product" "$swift" build -c release "--sanitize=$sanitizer" --product $product --scratch-path "$out" ${SWIFT_BUILD_FLAGS:-}
  done
  "$clang" -std=c99 -O1 -g "-fsanitize=$sanitizer" Tests/LegatoRealtimeTests/Programs/contract.c -I Sources/CLegato/include \
    -L "$out/release" -lLegatoC "-Wl,-rpath,$PWD/$out/release" "${libraries[@]}" -o "$out/contract" 2>"$out/link.log" ||
    { cat "$out/link.log" >&2; fail "contract.c cannot be built"; }
  run "through C" "$out/contract" $package
  run "through Swift" "$out/release/LegatoStress" $package
done
