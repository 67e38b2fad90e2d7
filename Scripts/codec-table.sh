#!/usr/bin/env bash
# Codecs of several rates, dimensions and bottlenecks, trained alike on one corpus, each with a small model on its latents:
# how well recordings come back, and how near to real music what the model makes is. One row a codec; done rows are kept.
#   Scripts/codec-table.sh WORK_FOLDER CORPUS HELD_OUT [CELL ...]
# A CELL is BOTTLENECK:FOLD:DIMENSION, fold 4 for 25 latents a second, 8 for 12.5 (default: those of Documentation/architecture.md).
# CODEC_STEPS (2100) and MODEL_STEPS (500) set the training, THREADS (1) the threads.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
legato=${LEGATO:-$PWD/.build/release/legato}
export LEGATO_TORCH_PLUGIN=${LEGATO_TORCH_PLUGIN:-$PWD/.tools/torch-plugin/liblegato_torch.so}
work=${1:?a folder for runs} corpus=$(realpath "${2:?a corpus}") held=$(realpath "${3:?held-out recordings}")
shift 3
cells=("$@")
[ ${#cells[@]} -gt 0 ] || cells=(kl:4:64 kl:8:64 kl:8:96 fixed:8:64)
mkdir -p "$work" && cd "$work"
# The models learn from the first 150 pieces, about 8 hours.
python3 - "$corpus" > first-150.jsonl <<'PY'
import itertools, json, sys
for line in itertools.islice(open(sys.argv[1] + "/manifest.jsonl"), 150):
    row = json.loads(line)
    print(json.dumps(row | {"path": sys.argv[1] + "/" + row["path"]}))
PY
common="seed: 1
device: cpu
precision: bf16
threads: ${THREADS:-1}
batch_size: 8
ema: { decay: 0.998 }
checkpoint: { every_steps: 0, every_minutes: 5, keep: 1 }
samples: { every_steps: 0, seconds: 5, count: 1 }"

for cell in "${cells[@]}"; do
  IFS=: read -r bottleneck fold dimension <<<"$cell"
  name=$bottleneck-$fold-$dimension
  cat > "codec-$name.yaml" <<YAML
kind: codec
name: codec-$name
$common
steps: ${CODEC_STEPS:-2100}
data: { corpus: $corpus, crop_seconds: 0.96 }
optimizer: { learning_rate: 1e-3, betas: [0.8, 0.99], warmup_steps: 50, schedule: cosine, final_fraction: 0.05 }
evaluate: { every_steps: 700, batches: 4 }
codec:
  preset: small
  latent_dimension: $dimension
  fold: $fold
  bottleneck: $bottleneck
  kl_weight: 3e-4
  fixed_std: 0.4
  loss: { stft_weight: 0.3, mel_weight: 0.5, waveform_weight: 12, waveform_steps: 700, stft_sizes: [2048, 512] }
YAML
  cat > "model-$name.yaml" <<YAML
kind: model
name: model-$name
$common
steps: ${MODEL_STEPS:-500}
data: { latents: latents-$name, crop_frames: $((1536 / fold)) }
optimizer: { learning_rate: 1e-3, betas: [0.9, 0.95], weight_decay: 0.02, warmup_steps: 50, schedule: cosine, final_fraction: 0.05 }
evaluate: { every_steps: 250, batches: 4 }
model:
  preset: small
  window: $((512 / fold))
  start_fraction: 0.1
  transform: { kind: linear-noise, k_max: 0.5 }
  generation: { temperature: 1, context_noise: 0.03 }
YAML
  [ -d "run-codec-$name/package" ] || "$legato" train "codec-$name.yaml" --output "run-codec-$name" --quiet >&2
  [ -f "latents-$name/latents.json" ] ||
    "$legato" prepare first-150.jsonl --codec "run-codec-$name/package" --output "latents-$name" --quiet >&2
  [ -d "run-model-$name/package" ] || "$legato" train "model-$name.yaml" --output "run-model-$name" --quiet >&2
  if [ ! -f "row-$name.json" ]; then
    mkdir -p "sound-$name"
    "$legato" generate --model "run-model-$name/package" --count 8 --duration 60 --seed 1 --output "sound-$name/a.wav" --quiet >&2
    "$legato" measure "sound-$name"/*.wav --reference "$held" --json > "row-$name.new"
    mv "row-$name.new" "row-$name.json"
  fi
done
python3 - "${cells[@]}" <<'PY'
import json, sys
print("| bottleneck | latents a second × dimension | mel distance | waveform | model's loss | Fréchet distance of what it makes |")
print("|---|---|---|---|---|---|")
for cell in sys.argv[1:]:
    bottleneck, fold, dimension = cell.split(":")
    name = f"{bottleneck}-{fold}-{dimension}"
    def last(run, key):
        rows = [json.loads(line) for line in open(f"run-{run}-{name}/progress.jsonl")]
        return [row[key] for row in rows if key in row][-1]
    total = json.loads(open(f"row-{name}.json").read().strip().splitlines()[-1])["distance"]["frechet_distance"]
    print(f"| {bottleneck} | {100 / int(fold):g} × {dimension} | {last('codec', 'validation_mel'):.3f} | "
          f"{last('codec', 'validation_waveform'):.4f} | {last('model', 'validation_loss'):.3f} | "
          f"{total['value']:.0f} ({total['low']:.0f} to {total['high']:.0f}) |")
PY
