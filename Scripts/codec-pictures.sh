#!/usr/bin/env bash
# Spectrograms of held-out pieces beside their reconstructions, one PNG for the first piece of each instrument.
#   Scripts/codec-pictures.sh CODEC_OR_MODEL_PACKAGE HELD_OUT_CORPUS OUTPUT_FOLDER
# Needs ffmpeg.
set -euo pipefail
legato=${LEGATO:-.build/release/legato}
package=${1:?codec or model package} corpus=${2:?corpus folder} output=${3:?folder for pictures}
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT
mkdir -p "$output"
python3 - "$corpus" > "$work/list" <<'PY'
import json, os, sys
seen = set()
for line in open(os.path.join(sys.argv[1], "manifest.jsonl")):
    row = json.loads(line)
    if row["instrument"] not in seen:
        seen.add(row["instrument"])
        print(row["instrument"].replace(" ", "-"), os.path.join(sys.argv[1], row["path"]))
PY
while read -r name piece; do
  ffmpeg -nostdin -loglevel error -y -ss 60 -t 10 -i "$piece" -bitexact "$work/$name.wav"
  "$legato" encode "$work/$name.wav" --codec "$package" --output "$work/latents.safetensors" --quiet
  "$legato" decode "$work/latents.safetensors" --codec "$package" --output "$work/$name-reconstructed.wav" --quiet
  echo "$name $("$legato" compare "$work/$name.wav" "$work/$name-reconstructed.wav" --picture "$output/$name.png" | tr -s ' ' | tr '\n' ' ')"
done < "$work/list"
