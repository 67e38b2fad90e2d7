#!/usr/bin/env bash
# Counts the instructions of a frame of the shipped package on one thread, in f32 and in int8, and compares them with what is
# committed: a guard against getting slower that does not depend on how busy the machine is. Callgrind knows no AVX-512, so
# the frames are those of AVX2.
#   Scripts/check-instructions.sh [--update]          LEGATO=FILE counts this program (default .build/tests/release/legato)
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
legato=${LEGATO:-.build/tests/release/legato}
thresholds=Benchmarks/instructions-per-frame.txt
# Another compiler gives somewhat other numbers.
slack_percent=5

fail() { printf 'Scripts/check-instructions.sh: %s\n' "$*" >&2; exit 1; }
if [ "$(uname -s)-$(uname -m)" != Linux-x86_64 ]; then
  echo "left out: instruction counts are kept for x86-64 Linux"
  exit 0
fi
command -v valgrind >/dev/null || fail "valgrind is missing; Scripts/setup-test-dependencies.sh installs it"
[ -x "$legato" ] || fail "$legato is missing; build it first: make test, or LEGATO=FILE names another"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
# Valgrind gives up on debug information that is newer than it is.
strip -o "$work/legato" "$legato"
legato=$work/legato

# instructions PACKAGE SECONDS
instructions() {
  LEGATO_ISA=avx2 valgrind --tool=callgrind --callgrind-out-file="$work/out" \
    "$legato" generate --model "$1" --duration "$2" --seed 3 --threads 1 --quiet --output "$work/sound.wav" 2>"$work/log" ||
    { cat "$work/log" >&2; fail "valgrind could not run $legato"; }
  sed -n 's/^.*Collected : \([0-9]*\).*$/\1/p' "$work/log"
}

"$legato" convert Models/legato-first --weights int8 --output "$work/int8" --no-check --quiet >/dev/null
status=0
: >"$work/new"
for weights in f32 int8; do
  package=Models/legato-first
  [ $weights = f32 ] || package=$work/$weights
  # What starting costs is in both.
  short=$(instructions "$package" 0.4)
  long=$(instructions "$package" 0.8)
  count=$(((long - short) / 10))
  echo "$weights $count" >>"$work/new"
  known=$(sed -n "s/^$weights \([0-9]*\)$/\1/p" $thresholds 2>/dev/null || true)
  if [ "${1:-}" = --update ]; then
    echo "$weights: $count instructions a frame"
  elif [ -z "$known" ]; then
    fail "$thresholds has no line for $weights; Scripts/check-instructions.sh --update writes it"
  elif [ "$count" -gt $((known * (100 + slack_percent) / 100)) ]; then
    echo "$weights: $count instructions a frame, over $slack_percent % more than the $known of $thresholds" >&2
    status=1
  else
    echo "$weights: $count instructions a frame ($known committed)"
  fi
done
[ "${1:-}" != --update ] || cp "$work/new" $thresholds
exit $status
