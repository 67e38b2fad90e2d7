#!/usr/bin/env bash
# Reconstruction of a codec on held-out recordings beside Opus at 6, 12, 24 and 48 kb/s: one table, means over the pieces of each
# instrument and over all.
#   Benchmarks/codec-against-opus.sh CODEC_OR_MODEL_PACKAGE CORPUS [SECONDS_A_PIECE]
# CORPUS is a folder with manifest.jsonl; its validation and test pieces are used. Needs ffmpeg and opus-tools.
set -euo pipefail
package=${1:?codec or model package} corpus=${2:?corpus folder} seconds=${3:-20}
legato=${LEGATO:-.build/release/legato}
command -v opusenc >/dev/null && command -v ffmpeg >/dev/null || { echo "install ffmpeg and opus-tools: apt-get install ffmpeg opus-tools" >&2; exit 1; }
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT
python3 - "$corpus" > "$work/list" <<'PY'
import json, os, sys
for line in open(os.path.join(sys.argv[1], "manifest.jsonl")):
    row = json.loads(line)
    name = row.get("instrument", "").replace(" ", "_") or "-"
    if row["split"] in ("validation", "test"): print(name, os.path.join(sys.argv[1], row["path"]))
PY
measure() { "$legato" compare "$work/a.wav" "$work/b.wav" --json | sed "s|^{|{\"instrument\":\"$name\",\"codec\":\"$1\",|" | tr -d '\n' >> "$work/rows"; echo >> "$work/rows"; }
while read -r name piece; do
  # From the 20th second: past the beginning, where all pieces are alike.
  ffmpeg -nostdin -loglevel error -y -ss 20 -t "$seconds" -i "$piece" -bitexact "$work/a.wav"
  "$legato" encode "$work/a.wav" --codec "$package" --output "$work/a.safetensors" --quiet
  "$legato" decode "$work/a.safetensors" --codec "$package" --output "$work/b.wav" --quiet
  measure legato
  for rate in 6 12 24 48; do
    opusenc --quiet --bitrate "$rate" "$work/a.wav" "$work/a.opus"
    ffmpeg -nostdin -loglevel error -y -i "$work/a.opus" -ar 48000 "$work/b.wav"
    measure "opus $rate kb/s"
  done
done < "$work/list"
python3 - "$work/rows" <<'PY'
import json, sys
rows = [json.loads(line) for line in open(sys.argv[1]) if line.strip()]
print("| instrument | codec | pieces | mel distance | spectral convergence | log-magnitude |\n|---|---|---|---|---|---|")
def table(name, rows):
    for codec in dict.fromkeys(row["codec"] for row in rows):
        own = [row for row in rows if row["codec"] == codec]
        mean = lambda key: sum(row[key] for row in own) / len(own)
        print(f"| {name} | {codec} | {len(own)} | {mean('mel_distance'):.3f} | {mean('spectral_convergence'):.3f} | {mean('log_magnitude'):.3f} |")
names = sorted({row["instrument"] for row in rows})
if len(names) > 1:
    for name in names: table(name.replace("_", " "), [row for row in rows if row["instrument"] == name])
table("all", rows)
PY
