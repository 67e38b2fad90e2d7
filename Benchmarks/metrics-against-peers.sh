#!/usr/bin/env bash
# Legato's Fréchet distance, FD∞ and KAD beside the field's tools, on the same random embeddings: a table, and
# exit code 1 where a distance differs by more than 1e-6 of tr C1 + tr C2.
#   Benchmarks/metrics-against-peers.sh [--quick]
# LEGATO=FILE takes this program instead of building it. LEGATO_METRIC_PEERS=DIR is the virtual environment of the peers
# (default .build/metric-peers), made if it is missing. Takes some minutes, most of them the peers' matrix roots.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
environment=${LEGATO_METRIC_PEERS:-.build/metric-peers}
python=$environment/bin/python
# frechet-audio-distance 0.3.4 needs NumPy 1 here. Of it the arithmetic alone is taken, without the networks and their hundreds of megabytes.
if ! "$python" -c "from importlib.metadata import version
assert version('frechet-audio-distance') == '0.3.4' and version('safetensors') and version('scipy')" 2> /dev/null; then
  echo "Installing frechet-audio-distance 0.3.4, NumPy, SciPy and safetensors into $environment ..." >&2
  python3 -m venv "$environment"
  "$python" -m pip install --quiet --disable-pip-version-check "numpy<2" "scipy<1.18" safetensors
  "$python" -m pip install --quiet --disable-pip-version-check --no-deps frechet-audio-distance==0.3.4
fi
if [ -z "${LEGATO:-}" ]; then
  swift build -c release --product legato >&2
  LEGATO=.build/release/legato
fi
exec "$python" -B Benchmarks/metrics_against_peers.py "$LEGATO" "$@"
