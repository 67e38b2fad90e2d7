#!/usr/bin/env bash
# Legato's CPU engine beside PyTorch and pocket-tts with random weights, in alternation on 1 and 2 threads: one table.
#   Benchmarks/engine-against-peers.sh [--quick] [--only NETWORK] [--rounds N] [--threads 1,2] [--json FILE]
# LEGATO=FILE measures this program instead of building it. LEGATO_PEERS=DIR is the virtual environment of the peers
# (default .build/peers), made if it is missing; LEGATO_TORCH_WHEEL=FILE installs this torch into it instead of
# downloading one. Run it on a machine that does nothing else. NETWORK is cam-150m, pocket-tts or codec.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
environment=${LEGATO_PEERS:-.build/peers}
torch=$(sed -n 's/^torch_version=//p' Plugins/Torch/setup.sh)
pocket=4.0.1
python=$environment/bin/python
# Without torchao on purpose: pocket-tts would prefer it, and in eager mode its int8 is much slower for one row.
if ! "$python" -c "from importlib.metadata import version
assert version('torch').split('+')[0] == '$torch' and version('pocket-tts') == '$pocket'" 2> /dev/null; then
  echo "Installing torch $torch and pocket-tts $pocket into $environment ..." >&2
  python3 -m venv "$environment"
  install() { "$python" -m pip install --quiet --disable-pip-version-check "$@"; }
  # torch alone first, from where the build for CPUs is; first of all where pip is configured to look without a network.
  wheel=${LEGATO_TORCH_WHEEL:-torch==$torch}
  install --no-deps --no-index "$wheel" 2> /dev/null ||
    install --no-deps --index-url https://download.pytorch.org/whl/cpu "$wheel"
  install "torch==$torch" "pocket-tts==$pocket"
fi
if [ -z "${LEGATO:-}" ]; then
  swift build -c release --product legato >&2
  LEGATO=.build/release/legato
fi
exec "$python" -B Benchmarks/engine_against_peers.py "$LEGATO" "$@"
