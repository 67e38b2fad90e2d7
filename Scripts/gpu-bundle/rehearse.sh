#!/usr/bin/env bash
# Rehearses out/gpu-bundle.tar.xz where nothing helps it: in an empty Debian of its own that has a C++ compiler and
# Python but neither Swift, nor xz, nor a network, nor a GPU, with the torch 2.11 for CUDA 13 that GPU machines have. First
# everything that can be wrong about a place or a machine, then the whole way on the CPU: render, train a codec and a
# model for a minute or so each, collect, join the parts outside, and generate with the result by the repository's own
# legato.
#
# usage: sudo Scripts/gpu-bundle/rehearse.sh [minutes of training, 5 by default]
#
# Needs root (chroot), debootstrap, pip, and the first time a network: 2.5 GB in out/gpu-rehearsal, which stays for
# the next time. LEGATO_TORCH_ROOT=DIR uses the packages of an installed torch instead (a folder that holds torch/).
set -euo pipefail
repository=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
minutes=${1:-5}
place=$repository/out/gpu-rehearsal
root=$place/root
packages=${LEGATO_TORCH_ROOT:-$place/torch-packages}
archive=$repository/out/gpu-bundle.tar.xz
legato=${LEGATO:-$repository/.build/gpu-bundle/release/legato}
say() { printf '%s\n' "$*"; }
fail() { printf 'rehearse.sh: %s\n' "$*" >&2; exit 1; }

[ "$(id -u)" = 0 ] || fail "a root directory of its own needs root: sudo $0"
[ -f "$archive" ] || fail "$archive does not exist. make gpu-bundle makes it"
mkdir -p "$place"
if [ ! -x "$root/usr/bin/g++" ]; then
  command -v debootstrap >/dev/null || fail "debootstrap is missing: apt-get install debootstrap"
  say "Making an empty Debian (300 MB) ..."
  rm -rf "$root"
  debootstrap --variant=minbase --include=g++,python3 bookworm "$root" >"$place/debootstrap.log" 2>&1 ||
    fail "debootstrap failed, see $place/debootstrap.log"
fi
if [ ! -d "$packages/torch/lib" ]; then
  say "Fetching torch 2.11 with CUDA 13, without CUDA's own libraries but the two that it cannot be loaded without (550 MB) ..."
  python3 -m pip install --quiet --disable-pip-version-check --no-deps --only-binary=:all: --platform manylinux_2_28_x86_64 \
    --python-version 3.11 --implementation cp --target "$packages" torch==2.11.0 \
    "nvidia-cuda-runtime>=13.0,<13.1" "nvidia-cuda-cupti>=13.0,<13.1"
fi

# Runs a command there: no network, no environment, /proc as a program expects it.
there() {
  unshare --mount --net bash -ec '
    mount -t proc proc "$0/proc"
    mkdir -p "$0/opt/torch" && mount --bind -o ro "$1" "$0/opt/torch"
    root=$0; shift
    exec chroot "$root" /usr/bin/env -i HOME=/root PATH=/usr/sbin:/usr/bin:/sbin:/bin PYTHONPATH=/opt/torch '"${extra:-}"' "$@"
  ' "$root" "$packages" "$@"
}
# A command that must fail, with words that its message must have.
expect() {
  local words=$1 answer
  shift
  if answer=$(there "$@" 2>&1); then fail "this should have failed: $* ($answer)"; fi
  grep -qF -- "$words" <<<"$answer" || fail "'$*' failed without saying '$words': $answer"
  say "  as it should: $(tail -n 1 <<<"$answer")"
}

say "== there is no Swift, no xz and no network"
for tool in swift xz curl; do
  if there bash -c "command -v $tool" >/dev/null; then fail "$tool is there: this proves nothing"; fi
done
there bash -c 'rm -rf /root/gpu-bundle /root/elsewhere /root/full; mkdir -p /root/elsewhere'
cp "$archive" "$root/root/"
say "== unpacking"
there bash -c 'cd /root && python3 -m tarfile -e gpu-bundle.tar.xz'
run=/root/gpu-bundle/run.sh

say "== what can be wrong"
expect "no NVIDIA GPU" bash $run check
expect "no NVIDIA GPU" bash $run start
extra=PYTHONPATH=/nowhere expect "holds no torch" bash $run check --device cpu
extra=TORCH_DIR=/nowhere expect "holds no libtorch" bash $run check --device cpu
# A folder with all but the compilers.
there bash -c 'rm -rf /root/few && mkdir /root/few && cd /usr/bin && for f in *; do case $f in *g++*|*c++*|*clang*) ;; *) ln -s /usr/bin/$f /root/few/$f ;; esac; done'
extra=PATH=/root/few expect "no C++ compiler" /usr/bin/bash $run check --device cpu
expect "GB free" bash $run check --device cpu --hours 90000
expect "not the bundle's folder" bash -c "cp $run /root/elsewhere/ && bash /root/elsewhere/run.sh start"
expect "damaged or not whole" bash -c 'cp -R /root/gpu-bundle /root/elsewhere/cut && : >/root/elsewhere/cut/lib/libFLAC.so.12 && bash /root/elsewhere/cut/run.sh check'
expect "damaged or not whole" bash -c 'rm -rf /root/elsewhere/cut/lib && bash /root/elsewhere/cut/run.sh check'
there rm -rf /root/elsewhere
expect "cannot write" bash -c 'mkdir -p /root/sealed && mount -t tmpfs -o ro none /root/sealed && bash /root/gpu-bundle/run.sh check --device cpu --work /root/sealed/work'
expect "does not run here" bash -c 'mount --bind /root/gpu-bundle /root/gpu-bundle && mount -o remount,bind,noexec /root/gpu-bundle && bash /root/gpu-bundle/run.sh check --device cpu --work /root/other'
expect "unknown option --minuts" bash $run start --minuts 3
expect "recipe Recipes/none.yaml does not exist" bash $run check --device cpu --codec Recipes/none.yaml
expect "nothing was started" bash $run status
expect "nothing to collect" bash $run collect

say "== the same losses twice: cpu against cpu"
there bash /root/gpu-bundle/check-cuda.sh --devices "cpu cpu" --steps 20

say "== the whole way, in $minutes minutes"
there bash -c 'cat >/root/plan <<PLAN
# options, one a line
device cpu
hours 0.1
maximum-minutes 1
codec Recipes/toy-codec.yaml
model Recipes/toy-model.yaml
set-codec steps=100000
set-codec ema.decay=0.99
set-model steps=100000
PLAN'
expect "no time is left to train the codec" bash -c "$run start --plan /root/plan --minutes 0.05 && $run wait"
there bash $run start --plan /root/plan --minutes "$minutes"
# Each command is a new one, in a mount space of its own, as on a machine that is lent by the command.
expect "already at work" bash $run start --plan /root/plan
there bash $run wait $((minutes * 120 + 600))
out=$place/collected
rm -rf "$out"
# In two goes, as where only so many files may travel at once; checkpoints too, to go on with below.
there bash -c "rm -rf /root/out && OUT=/root/out bash $run collect --with-checkpoints --part-megabytes 1"
last=$(ls "$root/root/out" | sed -n 's/^weights.tar.part-0*\([0-9]\)/\1/p' | tail -n 1)
[ "$last" -ge 2 ] || fail "too few parts to rehearse with: $(ls "$root/root/out")"
there bash -c "OUT=/root/out bash $run collect --part-megabytes 1 --parts 0-1"
cp -R "$root/root/out" "$out"
there bash -c "OUT=/root/out bash $run collect --part-megabytes 1 --parts 2-$last"
cp "$root"/root/out/* "$out/"

say "== outside: join, look, generate"
ls -l "$out"
oversized=$(find "$out" -size +16000000c)
[ -z "$oversized" ] || fail "too large: $oversized"
if (p=$(ls "$out"/weights.tar.part-* | head -n 1); cp "$p" "$place/kept"; printf x >>"$p"; bash "$out/join.sh" "$place/broken" 2>"$place/said"; code=$?; mv "$place/kept" "$p"; [ $code = 0 ]); then
  fail "a damaged part was joined"
fi
say "  as it should: $(cat "$place/said")"
bash "$out/join.sh"
"$legato" info "$out/joined/runs/model/package"
"$legato" generate --model "$out/joined/runs/model/package" --duration 5 --seed 1 --output "$place/rehearsal.wav"
say "== going on elsewhere: another folder, the joined checkpoints, stopped by hand"
there bash -c 'rm -rf /root/gpu-bundle /root/another && mkdir /root/another && cd /root/another && python3 -m tarfile -e ../gpu-bundle.tar.xz'
run=/root/another/gpu-bundle/run.sh
mkdir "$root/root/another/gpu-bundle/work"
cp -R "$out/joined/runs" "$root/root/another/gpu-bundle/work/"
there bash $run start --plan /root/plan --codec-share 0
work=$root/root/another/gpu-bundle/work
for _ in $(seq 300); do
  if [ "$(wc -l <"$work/runs/model/progress.jsonl")" -gt "$(wc -l <"$out/joined/runs/model/progress.jsonl")" ]; then break; fi
  there bash $run wait 1 >/dev/null || [ $? = 2 ] || fail "it ended: $(there bash $run status)"
done
there bash $run stop
there bash $run wait 300
grep -F "resuming at step" "$work/log.txt" || fail "it did not go on: $(tail "$work/log.txt")"
there bash -c "bash $run collect /root/another/out && bash /root/another/out/join.sh"
rm "$root/root/gpu-bundle.tar.xz"
say "rehearsed: $place/rehearsal.wav"
