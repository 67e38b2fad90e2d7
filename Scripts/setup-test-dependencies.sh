#!/usr/bin/env bash
# Sets up what the tests use beyond Swift: libsndfile, soxr, ffmpeg, FluidSynth with a General MIDI font, on x86-64 Linux a
# compiler and an emulator for aarch64, and the libtorch plug-in. Running it again only looks whether all is there.
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)

say() { printf '%s\n' "$*"; }
fail() { printf 'Scripts/setup-test-dependencies.sh: %s\n' "$*" >&2; exit 1; }

if [ "$(uname -s)" = Darwin ]; then
  formulas=()
  for formula in libsndfile libsoxr fluid-synth ffmpeg; do
    brew list "$formula" >/dev/null 2>&1 || formulas+=("$formula")
  done
  if [ ${#formulas[@]} -gt 0 ]; then
    command -v brew >/dev/null || fail "Homebrew is missing; install ${formulas[*]} another way, or Homebrew from https://brew.sh"
    brew install "${formulas[@]}"
  fi
else
  libraries=$( (ldconfig -p 2>/dev/null || /sbin/ldconfig -p) )
  has_library() { grep -q "$1" <<<"$libraries"; }
  packages=()
  has_library libsndfile.so.1 || packages+=(libsndfile1)
  has_library libsoxr.so.0 || packages+=(libsoxr0)
  has_library libfluidsynth.so.3 || packages+=(libfluidsynth3)
  [ -e /usr/share/sounds/sf2/FluidR3_GM.sf2 ] || [ -n "${LEGATO_SOUNDFONT:-}" ] || packages+=(fluid-soundfont-gm)
  command -v ffmpeg >/dev/null || packages+=(ffmpeg)
  command -v valgrind >/dev/null || packages+=(valgrind)
  command -v strip >/dev/null || packages+=(binutils)
  command -v python3 >/dev/null || packages+=(python3)
  python3 -m pip --version >/dev/null 2>&1 || packages+=(python3-pip)
  if [ "$(uname -m)" = x86_64 ]; then
    command -v aarch64-linux-gnu-gcc >/dev/null || packages+=(gcc-aarch64-linux-gnu)
    [ -e /usr/aarch64-linux-gnu/include/stdio.h ] || packages+=(libc6-dev-arm64-cross)
    command -v qemu-aarch64 >/dev/null || packages+=(qemu-user)
  fi
  command -v g++ >/dev/null || command -v clang++ >/dev/null || packages+=(g++)
  if [ ${#packages[@]} -gt 0 ]; then
    as_root=()
    if [ "$(id -u)" != 0 ]; then
      command -v sudo >/dev/null || fail "these packages are missing and you are not root: ${packages[*]}"
      as_root=(sudo)
    fi
    command -v apt-get >/dev/null || fail "install these (named as Debian names them) with your system's packager: ${packages[*]}"
    say "Installing ${packages[*]} ..."
    "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get update -qq </dev/null
    "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends \
      "${packages[@]}" </dev/null >/dev/null
  fi
fi

"$root/Plugins/Torch/setup.sh"
