#!/usr/bin/env bash
# Legato's CPU engine beside PyTorch and pocket-tts with random weights, in alternation on 1 and 2 threads: one table.
#   Benchmarks/engine-against-peers.sh [--quick] [--rounds N] [--threads 1,2] [--json FILE]
# LEGATO=FILE measures this program instead of building it. LEGATO_PEERS=DIR is the virtual environment of the peers (default
# .build/peers), made if it is missing; LEGATO_TORCH_WHEEL=FILE installs this torch into it instead of downloading one. Run it
# on a machine that does nothing else.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
environment=${LEGATO_PEERS:-.build/peers}
torch=$(sed -n 's/^torch_version=//p' Plugins/Torch/setup.sh)
pocket=4.0.1
python=$environment/bin/python
# Without torchao on purpose: pocket-tts would prefer it, and its int8 takes ten times as long in eager mode.
if ! "$python" -c "from importlib.metadata import version
assert version('torch').split('+')[0] == '$torch' and version('pocket-tts') == '$pocket'" 2> /dev/null; then
  echo "Installing torch $torch and pocket-tts $pocket into $environment ..." >&2
  python3 -m venv "$environment"
  "$python" -m pip install --quiet --disable-pip-version-check "${LEGATO_TORCH_WHEEL:-torch==$torch}" numpy \
    --extra-index-url https://download.pytorch.org/whl/cpu
  "$python" -m pip install --quiet --disable-pip-version-check "torch==$torch" "pocket-tts==$pocket"
fi
if [ -z "${LEGATO:-}" ]; then
  swift build -c release --product legato >&2
  LEGATO=.build/release/legato
fi
exec "$python" Benchmarks/engine_against_peers.py "$LEGATO" "$@"
