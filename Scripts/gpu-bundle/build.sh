#!/usr/bin/env bash
# `make gpu-bundle`: packs what a CUDA machine without Swift and without a network needs to train, into
# out/gpu-bundle and out/gpu-bundle.tar.xz. Linux, on the architecture of that machine.
#
#   INSTRUMENTS="0 11 24"   General MIDI programs, names or families that the sound font keeps
#   SOUND_FONT=FILE.sf2     (default: LEGATO_SOUNDFONT, or FluidR3 where distributions put it)
#   LIMIT_MB=30             what the archive may have at most
#   SWIFT=swift             the Swift to build with
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
scripts=$root/Scripts/gpu-bundle
bundle=$root/out/gpu-bundle
instruments=${INSTRUMENTS:-0 11 24 42 48 73}
font=${SOUND_FONT:-${LEGATO_SOUNDFONT:-/usr/share/sounds/sf2/FluidR3_GM.sf2}}
limit=${LIMIT_MB:-30}
say() { printf '%s\n' "$*"; }
fail() { printf 'make gpu-bundle: %s\n' "$*" >&2; exit 1; }

[ "$(uname -s)" = Linux ] || fail "bundles are made on Linux, for machines of the same architecture"
for tool in python3 xz strip readelf nm cc sha256sum; do
  command -v "$tool" >/dev/null || fail "$tool is missing. Install what is needed with: apt-get install gcc binutils xz-utils python3"
done
[ -f "$font" ] || fail "no sound font in $font. apt-get install fluid-soundfont-gm, or name one with SOUND_FONT"

# A build folder of its own: with other flags in the same one, this and `make demo` would undo each other.
"${SWIFT:-swift}" build --package-path "$root" -c release --product legato --static-swift-stdlib --scratch-path "$root/.build/gpu-bundle"

# Written aside, then renamed.
aside=$bundle.new
rm -rf "$aside"
mkdir -p "$aside"
strip -o "$aside/legato" "$root/.build/gpu-bundle/release/legato"
python3 "$scripts/trim-icu.py" "$aside/legato"
chmod 755 "$aside/legato"
"$scripts/libraries.sh" "$aside/lib" "$aside/licences" libfluidsynth.so.3 libsndfile.so.1 libsoxr.so.0

name=$(basename "$font" .sf2)-cut.sf2
# Words of a list, each an option: names of instruments with spaces are written with dashes.
options=()
for instrument in $instruments; do options+=(--instrument "$instrument"); done
LC_ALL=C LD_LIBRARY_PATH=$aside/lib "$aside/legato" sound-font "$font" --output "$aside/$name" "${options[@]}"
# Sound compresses better as differences between its 16-bit samples.
xz --delta=dist=2 --lzma2=preset=9e,lc=0,lp=1,pb=1 "$aside/$name"

mkdir -p "$aside/Plugins" "$aside/Sources/CTorchAPI" "$aside/Recipes"
cp -R "$root/Plugins/Torch" "$aside/Plugins/"
cp -R "$root/Sources/CTorchAPI/include" "$aside/Sources/CTorchAPI/"
cp -R "$root/Recipes/." "$aside/Recipes/"
cp "$root/LICENSE" "$scripts/run.sh" "$scripts/join.sh" "$scripts/check-cuda.sh" "$aside/"
cp "$root/Documentation/gpu.md" "$aside/README.md"
chmod 755 "$aside"/*.sh "$aside/Plugins/Torch/setup.sh"
{
  say "instruments=$instruments"
  say "architecture=$(uname -m)"
  say "libc=$(ldd --version 2>/dev/null | head -n 1 | sed 's/.* //')"
  say "version=$("$aside/legato" --version)"
  say "commit=$(git -C "$root" rev-parse --short HEAD 2>/dev/null || echo unknown)"
} >"$aside/bundle.conf"
# Recipes may be changed there.
(cd "$aside" && find . -type f ! -path './Recipes/*' ! -name SHA256SUMS -print0 | sort -z | xargs -0 sha256sum >SHA256SUMS)
rm -rf "$bundle"
mv "$aside" "$bundle"

archive=$root/out/gpu-bundle.tar.xz
tar -C "$root/out" --owner=0 --group=0 --sort=name -cf - gpu-bundle | xz --x86 --lzma2=preset=9e >"$archive.new"
mv "$archive.new" "$archive"
bytes=$(stat -c %s "$archive")
megabytes() { awk "BEGIN { printf \"%.1f MB\", $1 / 1e6 }"; }
say "$archive  $(megabytes "$bytes"); unpacked $(megabytes "$(du -sb "$bundle" | cut -f 1)")"
if [ "$bytes" -gt $((limit * 1000000)) ]; then
  fail "the archive has $(megabytes "$bytes"), more than the $limit MB that are wanted. Choose fewer instruments: INSTRUMENTS='0 11' make gpu-bundle (a piano takes 5 MB, most others 1 to 5)"
fi
say "take it there, then: tar -xf gpu-bundle.tar.xz && gpu-bundle/run.sh start   (without xz: python3 -m tarfile -e gpu-bundle.tar.xz)"
