#!/usr/bin/env bash
# A package for solo piano, from nothing, on two CPU cores: about two hours, and one more for the model without noise that
# Documentation/drift-without-noise.md compares it with.
#   Scripts/train-solo-piano.sh WORK_FOLDER [--with-comparison]
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
work=${1:?a folder for corpus, latents and runs}
swift build -c release --product legato
legato=$PWD/.build/release/legato recipes=$PWD/Recipes/solo-piano
mkdir -p "$work" && cd "$work"
# The codec was trained on the first 4 hours, the model on all 24: 17 GB of recordings.
"$legato" corpus --hours 4 --seed 1 --instrument "acoustic grand piano" --output piano
"$legato" train "$recipes/codec-waveform.yaml" --output codec-waveform
"$legato" train "$recipes/codec.yaml" --from codec-waveform/package --output codec
"$legato" corpus --hours 24 --seed 1 --instrument "acoustic grand piano" --output piano
"$legato" prepare piano --codec codec/package --output piano-latents
"$legato" train "$recipes/model.yaml" --output model
if [ "${2-}" = --with-comparison ]; then
  "$legato" train "$recipes/model-without-noise.yaml" --output model-without-noise
fi
