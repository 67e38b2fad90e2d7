#!/usr/bin/env bash
# Tests the C kernels with the driver of Tests/CKernelsDriver, which needs a C compiler and no Swift: on every instruction set of
# this processor, under the address, undefined-behaviour and thread sanitizers, and, on x86-64 Linux, for aarch64 (NEON) under
# qemu. Warnings are errors. Anywhere else what this machine can run is run, and what is left out is said. Logs: .build/kernels.
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
cd "$root"
out=.build/kernels

fail() { printf 'Scripts/test-kernels.sh: %s\n' "$*" >&2; exit 1; }
leave_out() { printf 'left out: %s\n' "$*"; }

host=$(uname -s)-$(uname -m)
# The Swift toolchain's clang, which is what builds the kernels in the package.
toolchain=$(dirname "$(readlink -f "$(command -v swift || echo /)")")
clang=${CLANG:-$toolchain/clang}
command -v "$clang" >/dev/null || clang=$(command -v clang) ||
  fail "clang is missing; it comes with the Swift toolchain (CLANG=... names another one)"

if [ "$host" = Linux-x86_64 ]; then
  missing=()
  command -v aarch64-linux-gnu-gcc >/dev/null || missing+=(gcc-aarch64-linux-gnu)
  [ -e /usr/aarch64-linux-gnu/include/stdio.h ] || missing+=(libc6-dev-arm64-cross)
  command -v qemu-aarch64 >/dev/null || missing+=(qemu-user)
  [ ${#missing[@]} -eq 0 ] || fail "missing (as Debian names them): ${missing[*]}; Scripts/setup-test-dependencies.sh installs them"
fi

# compile FOLDER COMPILER FLAGS...: the kernels and the driver, each to an object file.
compile() {
  local folder=$out/$1 source
  shift
  mkdir -p "$folder"
  rm -f "$folder"/*.o
  for source in Sources/CKernels/*.c Tests/CKernelsDriver/driver.c; do
    "$@" -std=gnu11 -Wall -Wextra -Werror -ISources/CKernels/include -c "$source" -o "$folder/$(basename "$source" .c).o"
  done
}
# link FOLDER COMPILER FLAGS...: the driver of what was compiled into the folder. Linkers warn of the sanitizers' own symbols.
link() {
  "${@:2}" "$out/$1"/*.o -o "$out/$1/driver" -lm -lpthread 2>"$out/$1/link.log" || { cat "$out/$1/link.log" >&2; return 1; }
}
# with_locks FOLDER COMPILER FLAGS...: the same driver where threads sleep without a futex, as on Apple's systems.
with_locks() {
  "${@:2}" -Qunused-arguments -DLK_NO_FUTEX -ISources/CKernels/include -c Sources/CKernels/pool.c -o "$out/$1/pool.o"
  link "$@"
}
# part NAME COMMAND...: runs it; one line, or the beginning of what it said where it fails.
part() {
  local name=$1 log
  log=$out/${name//[^A-Za-z0-9]/-}.log
  if "${@:2}" >"$log" 2>&1; then
    printf '%s: %s\n' "$name" "$(tail -n 1 "$log")"
  else
    printf '%s FAILED:\n%s\n' "$name" "$(head -n 60 "$log")"
    exit 1
  fi
}
# Whether a program with these flags can be built and run here.
works() { printf 'int main(void) { return 0; }\n' | "$clang" "$@" -x c - -o $out/probe 2>/dev/null && $out/probe 2>/dev/null; }

native() {
  compile native "$clang" -O2
  link native "$clang"
  part "native" $out/native/driver
  local isa
  for isa in $(sed -n 's/^Instruction sets: //p' $out/native.log); do
    part "native, LEGATO_ISA=$isa" env LEGATO_ISA="$isa" $out/native/driver dispatch pool
  done
  with_locks native "$clang" -O2
  part "native, pool with locks" $out/native/driver pool
}

thread_sanitizer() {
  # Swift's runtime of it refers to libdispatch.
  local swift=$toolchain/../lib/swift/linux
  local flags=(-fsanitize=thread)
  works "${flags[@]}" || flags+=("-L$swift" "-Wl,-rpath,$swift" -ldispatch -lBlocksRuntime)
  if ! works "${flags[@]}"; then
    leave_out "the thread sanitizer, which $clang cannot use here"
    return
  fi
  compile threads "$clang" -O1 -g -fsanitize=thread
  link threads "$clang" "${flags[@]}"
  part "thread sanitizer" $out/threads/driver pool
  with_locks threads "$clang" -O1 -g "${flags[@]}"
  part "thread sanitizer, pool with locks" $out/threads/driver pool
}

memory_sanitizers() {
  local flags=(-fsanitize=address,undefined,float-cast-overflow -fno-sanitize-recover=all)
  if ! works "${flags[@]}"; then
    leave_out "the address and undefined-behaviour sanitizers, which $clang cannot use here"
    return
  fi
  # Not optimised: the checks make the unrolled kernels five times slower to compile otherwise.
  compile memory "$clang" -O0 -g "${flags[@]}"
  link memory "$clang" "${flags[@]}"
  part "address and undefined-behaviour sanitizers" $out/memory/driver
}

aarch64() {
  if [ "$host" != Linux-x86_64 ]; then
    leave_out "other processors than this one; on x86-64 Linux, aarch64 is tested too"
    return
  fi
  # Two compilers: gcc, and the clang that Swift brings. Two processors: one without the dot-product extension, one with it.
  compile aarch64-gcc aarch64-linux-gnu-gcc -O2
  link aarch64-gcc aarch64-linux-gnu-gcc -static
  part "aarch64, gcc" qemu-aarch64 -cpu cortex-a53 $out/aarch64-gcc/driver
  compile aarch64-clang "$clang" --target=aarch64-linux-gnu -O2
  link aarch64-clang aarch64-linux-gnu-gcc -static
  part "aarch64, clang" env LEGATO_ISA=neon-dot qemu-aarch64 -cpu max $out/aarch64-clang/driver
}

mkdir -p $out
# Two lanes, for two processors. In the background, so that the first error ends a lane.
(native; thread_sanitizer) & one=$!
(aarch64; memory_sanitizers) & two=$!
status=0
wait $one || status=1
wait $two || status=1
[ $status = 0 ] || fail "the kernels do not hold; see above, and the logs in $out"
