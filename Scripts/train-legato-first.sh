#!/usr/bin/env bash
# How the package Models/legato-first was made, from nothing, on two CPU cores: about an hour and a half.
#   Scripts/train-legato-first.sh WORK_FOLDER
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
work=${1:?a folder for corpus, latents and runs}
swift build -c release --product legato
legato=$PWD/.build/release/legato recipes=$PWD/Recipes/legato-first
mkdir -p "$work" && cd "$work"
"$legato" corpus --hours 4 --seed 1 --instrument "acoustic grand piano" --output piano
"$legato" train "$recipes/codec-waveform.yaml" --output codec-waveform
"$legato" train "$recipes/codec.yaml" --from codec-waveform/package --output codec
"$legato" prepare piano --codec codec/package --output piano-latents
"$legato" train "$recipes/model.yaml" --output model
