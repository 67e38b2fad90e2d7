#!/usr/bin/env bash
# Seconds a training step of Legato beside the same networks in Python PyTorch, in alternation: medians and their ratio.
#   Benchmarks/training-against-pytorch.sh [THREADS [DEVICE [ROUNDS]]]
# PYTORCH=DIR has a torch of the plug-in's version to import; else it is installed into .tools/pytorch. Extra words for
# the Python side, such as --compile, go into PYTORCH_OPTIONS. Run it on a machine that does nothing else.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
threads=${1:-1} device=${2:-cpu} rounds=${3:-3}
legato=${LEGATO:-.build/release/legato}
[ -x "$legato" ] || { echo "build first: make legato torch" >&2; exit 1; }
if [ -z "${PYTORCH:-}" ]; then
  PYTORCH=.tools/pytorch
  [ -d $PYTORCH/torch ] || python3 -m pip install --quiet --target $PYTORCH torch==2.13.0 numpy \
    --extra-index-url https://download.pytorch.org/whl/cpu
fi
# Both in bf16, which Legato leaves to processors that multiply it.
precision=bf16
if [ "$device" = cpu ] && ! grep -qw avx512_bf16 /proc/cpuinfo; then
  precision=f32 PYTORCH_OPTIONS="${PYTORCH_OPTIONS:-} --f32"
  echo "this processor has no instructions for bf16: both compute in f32" >&2
fi
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT
"$legato" corpus --hours 0.1 --maximum-minutes 2 --instrument piano --output "$work/corpus" --quiet

common="seed: 1
device: $device
precision: $precision
threads: $threads
steps: 40
batch_size: 8
checkpoint: { every_steps: 0, every_minutes: 0, keep: 1 }
evaluate: { every_steps: 0, batches: 1 }
samples: { every_steps: 0, seconds: 1, count: 1 }
log: { every_steps: 1 }"
printf 'kind: codec\nname: bench\n%s\ndata: { corpus: %s, crop_seconds: 0.96 }\n%s\n' "$common" "$work/corpus" \
  'codec: { preset: small, kl_weight: 3e-4, loss: { stft_weight: 0.3, mel_weight: 0.5, waveform_steps: 0, stft_sizes: [2048, 512] } }' > "$work/codec.yaml"
printf 'kind: model\nname: bench\n%s\ndata: { latents: %s, crop_frames: 384 }\n%s\n' "$common" "$work/latents" \
  'model: { preset: small, transform: { kind: linear-noise, k_max: 0.5 } }' > "$work/model.yaml"
"$legato" train "$work/codec.yaml" --set steps=2 --output "$work/first" --quiet > /dev/null
"$legato" prepare "$work/corpus" --codec "$work/first/package" --output "$work/latents" --excerpts 0 --quiet > /dev/null

for what in codec model; do
  for round in $(seq "$rounds"); do
    rm -rf "$work/run"
    "$legato" train "$work/$what.yaml" --output "$work/run" --quiet > /dev/null
    python3 - "$work/run/progress.jsonl" "$what" >> "$work/rows" <<'PY'
import json, statistics, sys
at = [row["seconds"] for row in map(json.loads, open(sys.argv[1])) if "loss" in row and "seconds" in row]
print(sys.argv[2], "legato", statistics.median(b - a for a, b in zip(at[5:], at[6:])))
PY
    # shellcheck disable=SC2086
    printf '%s pytorch %s\n' "$what" "$(PYTHONPATH=$PYTORCH python3 -W ignore Benchmarks/training_in_pytorch.py \
      "$what" 40 "$threads" "$device" ${PYTORCH_OPTIONS:-} | cut -d ' ' -f 1)" >> "$work/rows"
  done
done
python3 - "$work/rows" <<'PY'
import statistics, sys
rows = [line.split() for line in open(sys.argv[1])]
print("| network | a step | Legato s | PyTorch s | Legato's speed ÷ PyTorch's |\n|---|---|---|---|---|")
for what, amount, count in (("codec", "8 × 0.96 s of sound", 7.68), ("model", "8 × 384 latents", 3072)):
    own, other = (statistics.median(float(r[2]) for r in rows if r[:2] == [what, who]) for who in ("legato", "pytorch"))
    unit = "s of sound a second" if what == "codec" else "latents a second"
    print(f"| {what} | {amount} | {own:.3f} ({count / own:.0f} {unit}) | {other:.3f} | {other / own:.2f} |")
PY
