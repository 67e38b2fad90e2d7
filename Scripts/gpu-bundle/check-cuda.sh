#!/usr/bin/env bash
# Trains the same small codec and the same small model on two devices, from the same seed on the same data and noise,
# and compares their losses step by step. One line for each says how far they are apart; exit code 1 where they differ.
#
#   ./check-cuda.sh                            cpu against cuda
#   ./check-cuda.sh --devices "cpu cpu"        a rehearsal without a GPU
#   --steps 50          --precision f32 (or bf16, which a CPU without instructions for it computes in f32)      --tolerance 0.02 of the loss
#   --codec RECIPE      --model RECIPE      --hours 0.1      --work FOLDER (made anew)
#
# The first loss is one forward pass over equal weights, so it must agree a hundred times better than the last, to
# which every rounding of every step has contributed.
set -euo pipefail
folder=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=run.sh
source "$folder/run.sh" functions

fail() { printf 'check-cuda.sh: %s\n' "$*" >&2; exit 1; }
devices="cpu cuda" steps=50 precision=f32 tolerance=0.02 hours=0.1
codec=Recipes/toy-codec.yaml model=Recipes/toy-model.yaml work=$here/check
while [ $# -gt 0 ]; do
  [ $# -ge 2 ] || fail "$1 needs a value"
  case $1 in
    --devices) devices=$2 ;;
    --steps) steps=$2 ;;
    --precision) precision=$2 ;;
    --tolerance) tolerance=$2 ;;
    --hours) hours=$2 ;;
    --codec) codec=$2 ;;
    --model) model=$2 ;;
    --work) work=$(absolute "$2") ;;
    *) fail "unknown option $1; the beginning of this file lists them" ;;
  esac
  shift 2
done
read -r reference other <<<"$devices"
[ -n "${other:-}" ] || fail "--devices is '$devices'; it must name two, such as 'cpu cuda'"
rm -rf "$work"
device=$reference check
device=$other check_machine

begin() {
  printf '%s\n' "$*" >>"$work/log.txt"
  "$@" >>"$work/log.txt" 2>&1 || fail "this failed, see $work/log.txt: $(tail -n 1 "$work/log.txt")"
}
# Into runs/KIND-N: the two devices may be the same.
train_on() {
  local kind=$1 number=$2 device=$3 recipe=$4 data=$5
  LEGATO_TORCH_PLUGIN=$here/.tools/torch-plugin/liblegato_torch.so begin legato train "$recipe" \
    --output "$work/runs/$kind-$number" --device "$device" --seed 1 --set "$data" --set "steps=$steps" \
    --set "precision=$precision" --set log.every_steps=1 --set samples.every_steps=0
}
compare() {
  python - "$1" "$reference" "$other" "$tolerance" "$work/runs/$1-1/progress.jsonl" "$work/runs/$1-2/progress.jsonl" <<'PYTHON'
import json, math, sys

kind, first, second, tolerance = sys.argv[1:4] + [float(sys.argv[4])]
losses = []
for path in sys.argv[5:]:
    rows = map(json.loads, open(path))
    losses.append({row["step"]: row["loss"] for row in rows if "learning_rate" in row})
steps = sorted(losses[0])
if not steps or steps != sorted(losses[1]):
    sys.exit(f"{kind}: the runs have {len(losses[0])} and {len(losses[1])} steps: they cannot be compared")
apart = {s: abs(losses[0][s] - losses[1][s]) / abs(losses[0][s]) for s in steps}
worst = max(apart, key=lambda s: math.inf if math.isnan(apart[s]) else apart[s])
agree = apart[steps[0]] <= tolerance / 100 and apart[worst] <= tolerance
print(
    f"{kind}: {len(steps)} steps on {first} and {second}, losses {losses[0][steps[0]]:.4f} to {losses[0][steps[-1]]:.4f}"
    f" and {losses[1][steps[-1]]:.4f}; apart by {apart[steps[0]]:.1e} at first, at most {apart[worst]:.1e} (step {worst}),"
    f" tolerance {tolerance}: {'agree' if agree else 'DIFFER'}")
sys.exit(0 if agree else 1)
PYTHON
}

TORCH_DIR=$torch begin "$here/Plugins/Torch/setup.sh"
font=$(unpack_font) || exit 1
begin legato corpus --hours "$hours" --maximum-minutes 1 --sound-font "$font" --threads "$threads" \
  --output "$work/corpus" $(sed -n 's/^instruments=//p' "$here/bundle.conf" | tr ' ' '\n' | sed 's/^/--instrument /')
train_on codec 1 "$reference" "$codec" "data.corpus=$work/corpus"
train_on codec 2 "$other" "$codec" "data.corpus=$work/corpus"
begin legato prepare "$work/corpus" --codec "$work/runs/codec-1/package" --output "$work/latents" --threads "$threads"
train_on model 1 "$reference" "$model" "data.latents=$work/latents"
train_on model 2 "$other" "$model" "data.latents=$work/latents"
result=0
compare codec || result=1
compare model || result=1
exit $result
