#!/usr/bin/env bash
# A package like Models/legato-first, from nothing, on two CPU cores: about eight hours. The model of the one that ships was trained
# in six parts of different settings, 21,120 updates (its card tells them); the recipe makes 20,000 of one.
#   Scripts/train-legato-first.sh WORK_FOLDER
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
work=${1:?a folder for corpus, latents and runs}
swift build -c release --product legato
legato=$PWD/.build/release/legato recipes=$PWD/Recipes/legato-first
mkdir -p "$work" && cd "$work"
# Piano, vibraphone, nylon guitar, cello, strings and flute: 24 hours, 17 GB.
instruments=$(printf -- '--instrument %s ' 0 11 24 42 48 73)
"$legato" corpus --hours 24 --seed 11 --maximum-minutes 6 $instruments --output six
"$legato" train "$recipes/codec-1.yaml" --output codec-1
"$legato" train "$recipes/codec-2.yaml" --from codec-1/package --output codec-2
"$legato" train "$recipes/codec-3.yaml" --from codec-2/package --output codec-3
"$legato" prepare six --codec codec-3/package --output latents
# In turn, though they need not be: latents do not depend on the decoder.
"$legato" train "$recipes/decoder.yaml" --from codec-3/package --output decoder
"$legato" train "$recipes/model.yaml" --output model
# The model's package with the finished decoder.
rm -rf package && cp -R model/package package
rm -rf package/codec && cp -R decoder/package package/codec
# A style for each instrument, five minutes each, and four more to tune it; they join the package one by one.
from=package
for style in "piano acoustic grand piano" "vibraphone vibraphone" "guitar nylon guitar" "cello cello" \
  "strings string ensemble" "flute flute"; do
  read -r name instrument <<< "$style"
  "$legato" train "$recipes/../style.yaml" --from "$from" --set data.latents=latents --set "model.style.name=$name" \
    --set "model.style.pieces=instrument=$instrument" --output "style-$name"
  from=style-$name/package
  "$legato" tune --model "$from" --latents latents --style "$name" --pieces "instrument=$instrument" --trials 12
done
cp -R "$from/styles" package/
