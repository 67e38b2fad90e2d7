#!/usr/bin/env bash
# Copies what `legato` opens at run time, with all that it needs in turn, into a folder, so that a machine that lacks
# them can use them from there. Linux.
#
# usage: libraries.sh FOLDER LICENCES libfluidsynth.so.3 libsndfile.so.1 ...
#
# What every machine with a C++ compiler has (the C and C++ libraries, OpenMP) stays out: another version of these
# beside the machine's own would break it. Sound cards and windows, which FluidSynth links for playing aloud and a
# corpus never uses, are replaced by libraries that hold the names alone: the real ones pull in 20 MB.
set -euo pipefail
folder=$1 licences=$2
shift 2

fail() { printf 'Scripts/gpu-bundle/libraries.sh: %s\n' "$*" >&2; exit 1; }
for tool in readelf nm "${CC:-cc}"; do
  command -v "$tool" >/dev/null || fail "$tool is missing. Install it with: apt-get install gcc binutils"
done
mkdir -p "$folder" "$licences"

known=$( (ldconfig -p 2>/dev/null || /sbin/ldconfig -p) )
locate() {
  # Of this machine's architecture: ldconfig lists others too where they are installed.
  awk -v name="$1" -v kind="$(uname -m | sed 's/_/-/g; s/aarch64/AArch64/')" \
    '$1 == name && index($0, kind) { print $NF; exit }' <<<"$known"
}
needed() { readelf -d "$1" | sed -n 's/.*(NEEDED).*\[\(.*\)\]/\1/p'; }

is_everywhere() {
  case $1 in
    libc.so.*|libm.so.*|libpthread.so.*|libdl.so.*|librt.so.*|ld-linux*|libstdc++.so.*|libgcc_s.so.*|libgomp.so.*) true ;;
    *) false ;;
  esac
}
plays_aloud() {
  case $1 in
    libpulse*|libasound*|libjack*|libdbus-1*|libSDL2*|libSDL3*|libreadline*|libpipewire*|libsystemd*|libportaudio*) true ;;
    *) false ;;
  esac
}

# A library of the same name and versions whose functions, those that USER asks for, do nothing.
stand_in() {
  local name=$1 real=$2 user=$3 scratch
  scratch=$(mktemp -d)
  nm -D --defined-only "$real" | awk '{ print $NF }' | sed 's/@.*//' | sort -u >"$scratch/defined"
  # Of each undefined name: with its version where it has one.
  readelf --dyn-syms --wide "$user" | awk '$7 == "UND" && $8 != "" { print $8 }' >"$scratch/wanted"
  sed 's/@.*//' "$scratch/wanted" | sort -u | comm -12 - "$scratch/defined" >"$scratch/functions"
  sed 's/.*/long &(void) { return 0; }/' "$scratch/functions" >"$scratch/code.c"
  # One node for each version; names without any are exported without.
  sed 's/@@*/ /' "$scratch/wanted" | awk 'NR == FNR { ours[$1] = 1; next }
      ($1 in ours) && NF == 2 { list[$2] = list[$2] " " $1 ";" }
      END { for (version in list) printf "%s { global:%s };\n", version, list[version] }' \
    "$scratch/functions" - >"$scratch/versions"
  local arguments=(-shared -fPIC -fno-builtin -w -nostdlib "-Wl,-soname,$name")
  if [ -s "$scratch/versions" ]; then arguments+=("-Wl,--version-script,$scratch/versions"); fi
  "${CC:-cc}" "${arguments[@]}" "$scratch/code.c" -o "$folder/$name"
  rm -rf "$scratch"
}

licence() {
  local package
  command -v dpkg >/dev/null || return 0
  package=$(dpkg -S "$(readlink -f "$1")" 2>/dev/null | head -n 1 | sed 's/:.*//') || true
  [ -n "$package" ] || package=$(dpkg -S "$1" 2>/dev/null | head -n 1 | sed 's/:.*//') || true
  if [ -n "$package" ] && [ -f "/usr/share/doc/$package/copyright" ]; then
    cp "/usr/share/doc/$package/copyright" "$licences/$package"
  fi
}

take() {
  local name=$1 path dependency
  [ -e "$folder/$name" ] && return
  path=$(locate "$name")
  [ -n "$path" ] || fail "$name is not installed. make test-dependencies installs what is opened at run time"
  cp -L "$path" "$folder/$name"
  chmod 755 "$folder/$name"
  strip --strip-unneeded "$folder/$name" 2>/dev/null || true
  licence "$path"
  for dependency in $(needed "$path"); do
    is_everywhere "$dependency" && continue
    [ -e "$folder/$dependency" ] && continue
    if plays_aloud "$dependency"; then
      stand_in "$dependency" "$(locate "$dependency")" "$path"
    else
      take "$dependency"
    fi
  done
}

for name in "$@"; do take "$name"; done
