#!/usr/bin/env bash
# Tests the C kernels with the driver of Tests/CKernelsDriver, which needs a C compiler and no Swift: on every instruction set of
# this processor, under the address, undefined-behaviour and thread sanitizers, and, on x86-64 Linux, for aarch64 (NEON) under
# qemu. Warnings are errors. Anywhere else what this machine can run is run, and what is left out is said. Logs: .build/kernels.
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
cd "$root"
out=.build/kernels
mkdir -p $out

fail() { printf 'Scripts/test-kernels.sh: %s\n' "$*" >&2; exit 1; }
leave_out() { printf 'left out: %s\n' "$*"; }

# The Swift toolchain's clang, which is what builds the kernels in the package.
clang=${CLANG:-}
for candidate in clang "$(dirname "$(readlink -f "$(command -v swift)" 2>/dev/null)" 2>/dev/null)/clang"; do
  [ -n "$clang" ] || ! command -v "$candidate" >/dev/null || clang=$candidate
done
[ -n "$clang" ] || fail "clang is missing; it comes with the Swift toolchain (CLANG=... names another one)"

flags=(-std=gnu11 -Wall -Wextra -Werror -ISources/CKernels/include)
sources=(Sources/CKernels/*.c)
driver=Tests/CKernelsDriver/driver.c

# part NAME COMMAND...: runs it with its output in a log, which is shown where it fails.
part() {
  local name=$1 log
  shift
  log="$out/${name//[^A-Za-z0-9]/-}.log"
  if "$@" >"$log" 2>&1; then
    printf '%s: %s\n' "$name" "$(tail -n 1 "$log")"
  else
    printf '%s FAILED:\n' "$name"
    head -n 40 "$log"
    [ "$(wc -l <"$log")" -le 40 ] || tail -n 1 "$log"
    return 1
  fi
}
# build NAME FLAGS...: a driver for this machine, quietly.
build() {
  local name=$1
  shift
  part "$name, building" "$clang" "${flags[@]}" "$@" "${sources[@]}" $driver -o "$out/$name" -lm -lpthread >"$out/$name.build" ||
    { cat "$out/$name.build"; return 1; }
}
# Whether a program with this sanitizer can be built and run here.
has_sanitizer() { printf 'int main(void) { return 0; }\n' | "$clang" "-fsanitize=$1" -x c - -o $out/probe 2>/dev/null && $out/probe 2>/dev/null; }

native() {
  build native -O2
  part "native" $out/native
  local isa
  for isa in $(sed -n 's/^Instruction sets: //p' $out/native.log); do
    part "native, LEGATO_ISA=$isa" env LEGATO_ISA="$isa" $out/native dispatch pool
  done
  # How threads sleep where there is no futex, as on Apple's systems.
  build locks -O2 -DLK_NO_FUTEX
  part "native, pool with locks" $out/locks pool
}

sanitizers() {
  if has_sanitizer address,undefined; then
    build sanitized -O1 -g -fsanitize=address,undefined,float-cast-overflow -fno-sanitize-recover=all -fno-omit-frame-pointer
    part "address and undefined-behaviour sanitizers" $out/sanitized
  else
    leave_out "the address and undefined-behaviour sanitizers, which $clang cannot use here"
  fi
  if has_sanitizer thread; then
    build threads -O1 -g -fsanitize=thread
    part "thread sanitizer" $out/threads pool
    build threads-locks -O1 -g -fsanitize=thread -DLK_NO_FUTEX
    part "thread sanitizer, pool with locks" $out/threads-locks pool
  else
    leave_out "the thread sanitizer, which $clang cannot use here"
  fi
}

aarch64() {
  if [ "$(uname -s)-$(uname -m)" != Linux-x86_64 ]; then
    leave_out "processors other than this one ($(uname -m)); x86-64 Linux tests both"
    return
  fi
  # Two compilers: gcc, and the clang that Swift brings.
  part "aarch64, building with gcc" aarch64-linux-gnu-gcc -static -O2 "${flags[@]}" "${sources[@]}" $driver -o $out/aarch64-gcc -lm -lpthread >$out/aarch64-gcc.build ||
    { cat $out/aarch64-gcc.build; return 1; }
  part "aarch64, gcc" qemu-aarch64 -cpu cortex-a53 $out/aarch64-gcc
  local source objects=()
  for source in "${sources[@]}" $driver; do
    objects+=("$out/aarch64-$(basename "$source" .c).o")
    "$clang" --target=aarch64-linux-gnu -O2 "${flags[@]}" -c "$source" -o "${objects[${#objects[@]} - 1]}"
  done
  aarch64-linux-gnu-gcc -static "${objects[@]}" -o $out/aarch64-clang -lm -lpthread
  part "aarch64, clang" env LEGATO_ISA=neon qemu-aarch64 -cpu max $out/aarch64-clang
}

if [ "$(uname -s)-$(uname -m)" = Linux-x86_64 ]; then
  missing=()
  command -v aarch64-linux-gnu-gcc >/dev/null || missing+=(gcc-aarch64-linux-gnu)
  [ -e /usr/aarch64-linux-gnu/include/stdio.h ] || missing+=(libc6-dev-arm64-cross)
  command -v qemu-aarch64 >/dev/null || missing+=(qemu-user)
  [ ${#missing[@]} -eq 0 ] || fail "these packages (named as Debian names them) are missing: ${missing[*]}; Scripts/setup-test-dependencies.sh installs them"
fi

# Two lanes, for two processors.
(aarch64) &
other=$!
status=0
(native && sanitizers) || status=1
wait $other || status=1
[ $status = 0 ] || fail "the kernels do not hold; see above, and the logs in $out"
