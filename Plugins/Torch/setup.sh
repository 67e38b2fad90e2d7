#!/usr/bin/env bash
# Makes the libtorch plug-in that training needs: fetches libtorch unless told where it is, and compiles
# Plugins/Torch against it. Running it again does only what is out of date. Needs a C++ compiler and Python 3;
# no CMake, no root.
#
#   TORCH_DIR=DIR            use this installation instead of fetching one (the way to a CUDA build), e.g.
#                            TORCH_DIR=$(python3 -c "import torch, os; print(os.path.dirname(torch.__file__))")
#   LEGATO_TORCH_WHEEL=FILE  use this wheel instead of downloading it
#   LEGATO_TORCH_INDEX=URL   package index to download from
#   LEGATO_TORCH_PREFIX=DIR  where the plug-in goes (default: .tools/torch-plugin in the repository)
#   CXX=COMPILER             C++20 compiler (default: g++, else clang++)
set -euo pipefail

torch_version=2.13.0
oldest_minor=11 newest_minor=13

source_dir=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$(cd "$source_dir/../.." && pwd)
prefix=${LEGATO_TORCH_PREFIX:-$root/.tools/torch-plugin}
cpu_index=https://download.pytorch.org/whl/cpu

say() { printf '%s\n' "$*"; }
fail() { printf 'Plugins/Torch/setup.sh: %s\n' "$*" >&2; exit 1; }

sha256() {
  if command -v sha256sum >/dev/null; then sha256sum "$@"; else shasum -a 256 "$@"; fi
}

# The wheel for this machine. Nothing in it that we use depends on Python's version, so one is pinned.
case "$(uname -s)-$(uname -m)" in
  Linux-x86_64)
    platform=manylinux_2_28_x86_64
    index=$cpu_index
    checksum=6746dbcbeb526eb61330b76b41ff1b4eb848951103a892eeb080dfa2b264667b ;;
  Darwin-arm64)
    platform=macosx_14_0_arm64
    index=https://pypi.org/simple
    checksum=e76f9bcecc52b8ff711239a2f7547d5353df95878ab232f0773c1d95928b92f8 ;;
  *) platform='' index=$cpu_index checksum='' ;;
esac
index=${LEGATO_TORCH_INDEX:-$index}
case "$(uname -s)" in
  Darwin) extension=dylib install='xcode-select --install' ;;
  *) extension=so install='sudo apt-get install g++ python3 python3-pip' ;;
esac

command -v python3 >/dev/null || fail "python3 is missing. Install it with: $install"
compiler=${CXX:-}
if [ -z "$compiler" ]; then
  for candidate in g++ clang++; do
    if command -v "$candidate" >/dev/null; then compiler=$candidate; break; fi
  done
fi
[ -n "$compiler" ] || fail "no C++ compiler (g++ or clang++) found. Install one with: $install"

mkdir -p "$prefix"

# 1. libtorch: headers and three libraries out of the wheel.
fetch() {
  local scratch wheel found
  [ -n "$platform" ] ||
    fail "no libtorch is pinned for $(uname -s) $(uname -m). Run: python3 -m pip install torch==$torch_version --index-url $cpu_index, then run this again with TORCH_DIR set to the folder of the package"
  scratch=$(mktemp -d "$prefix/fetch.XXXXXX")
  trap 'rm -rf "$scratch"' EXIT
  wheel=${LEGATO_TORCH_WHEEL:-}
  if [ -z "$wheel" ]; then
    python3 -m pip --version >/dev/null 2>&1 || fail "pip is missing. Install it with: $install"
    download() {
      python3 -m pip download --quiet --disable-pip-version-check --no-deps --only-binary=:all: \
        --implementation cp --python-version 3.11 --abi cp311 --platform "$platform" --dest "$scratch" \
        "$@" "torch==$torch_version"
    }
    # First where pip is configured to look without a network (find-links): that answers at once.
    if ! download --no-index >/dev/null 2>&1; then
      say "Downloading torch $torch_version ($platform) from $index ..."
      download --index-url "$index" ||
        fail "torch $torch_version could not be downloaded from $index. Check the network, or set LEGATO_TORCH_WHEEL or TORCH_DIR."
    fi
    wheel=$(ls "$scratch"/torch-*.whl)
  fi
  [ -f "$wheel" ] || fail "LEGATO_TORCH_WHEEL=$wheel does not exist"
  found=$(sha256 "$wheel" | cut -d ' ' -f 1)
  [ "$found" = "$checksum" ] ||
    fail "$wheel is not the wheel that is pinned: sha256 $found where $checksum is expected. Delete it and run again."
  say "Unpacking $(basename "$wheel") ..."
  python3 - "$wheel" "$scratch/unpacked" <<'PYTHON'
import re, sys, zipfile

wanted = re.compile(
    r"torch/include/.*|torch/lib/lib(torch_cpu|c10|gomp|omp)\.[^/]*|torch/version\.py|torch-[^/]*\.dist-info/licenses/.*|torch-[^/]*\.dist-info/LICENSE")
with zipfile.ZipFile(sys.argv[1]) as wheel:
    wheel.extractall(sys.argv[2], [name for name in wheel.namelist() if wanted.fullmatch(name)])
PYTHON
  printf '%s\n' "$checksum" >"$scratch/unpacked/torch/wheel.sha256"
  rm -rf "$prefix/torch"
  mv "$scratch/unpacked/torch" "$prefix/torch"
  rm -rf "$prefix/licenses"
  mkdir -p "$prefix/licenses"
  mv "$scratch"/unpacked/torch-*.dist-info "$prefix/licenses/" 2>/dev/null || true
  rm -rf "$scratch"
  trap - EXIT
}

if [ -n "${TORCH_DIR:-}" ]; then
  torch=$(cd "$TORCH_DIR" 2>/dev/null && pwd) || fail "TORCH_DIR=$TORCH_DIR does not exist"
  library_path=$torch/lib
else
  torch=$prefix/torch
  if [ "$(uname -s)" = Darwin ]; then library_path=@loader_path/torch/lib; else library_path="\$ORIGIN/torch/lib"; fi
  if [ ! -f "$torch/wheel.sha256" ] || [ "$(cat "$torch/wheel.sha256")" != "$checksum" ]; then fetch; fi
fi
header=$torch/include/torch/headeronly/version.h
[ -f "$header" ] || fail "$torch has no headers of libtorch 2.$oldest_minor or newer (looked for $header)"
component() { sed -n "s/^#define TORCH_VERSION_$1 //p" "$header"; }
found_version=$(component MAJOR).$(component MINOR).$(component PATCH)
if [ "$(component MAJOR)" != 2 ] || [ "$(component MINOR)" -lt $oldest_minor ] || [ "$(component MINOR)" -gt $newest_minor ]; then
  fail "$torch is libtorch $found_version; Legato works with 2.$oldest_minor to 2.$newest_minor. Install one with: pip install torch==$torch_version"
fi

# 2. The plug-in.
plugin=$prefix/liblegato_torch.$extension
stamp=$prefix/plugin.stamp
flags=(-O3 -std=c++20 -fPIC -shared -fvisibility=hidden -Wall -Wextra -Wno-unused-parameter
  -isystem "$torch/include" -isystem "$torch/include/torch/csrc/api/include" -I "$root/Sources/CTorchAPI/include")
if [ "$(uname -s)" = Linux ]; then
  # DT_RPATH, unlike DT_RUNPATH, serves the dependencies of dependencies too; CUDA builds leave symbols for
  # libraries that are not linked here.
  links=(-L "$torch/lib" -ltorch_cpu -lc10 -Wl,--disable-new-dtags "-Wl,-rpath,$library_path" -Wl,--allow-shlib-undefined)
else
  links=(-L "$torch/lib" -ltorch_cpu -lc10 "-Wl,-rpath,$library_path")
fi
state=$(
  { printf '%s\n' "${flags[@]}" "${links[@]}" "$found_version" "$("$compiler" --version | head -n 1)"
    cat "$source_dir"/*.cpp "$source_dir"/*.h "$root"/Sources/CTorchAPI/include/*.h "$header"; } | sha256 | cut -d ' ' -f 1
)
if [ ! -f "$plugin" ] || [ ! -f "$stamp" ] || [ "$(cat "$stamp")" != "$state" ]; then
  say "Compiling the plug-in with $compiler for libtorch $found_version (about half a minute, 1 GB of memory) ..."
  # Written aside, then renamed: a running process keeps the file it has mapped.
  "$compiler" "${flags[@]}" "$source_dir/legato_torch.cpp" -o "$plugin.new" "${links[@]}" ||
    fail "the plug-in did not compile against libtorch $found_version in $torch"
  mv "$plugin.new" "$plugin"
  printf '%s\n' "$state" >"$stamp"
fi

say "libtorch $found_version in $torch"
say "plug-in  $plugin"
