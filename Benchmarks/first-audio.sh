#!/usr/bin/env bash
# Milliseconds from the start of a process until the first sound of an endless stream comes out of it.
#   Benchmarks/first-audio.sh [PACKAGE ...]       LEGATO=FILE measures this program (default .build/release/legato)
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
[ $# -gt 0 ] || set -- Models/legato-first
exec python3 - "${LEGATO:-.build/release/legato}" "$@" <<'END'
import statistics, subprocess, sys, time

legato, packages = sys.argv[1], sys.argv[2:]
print("| package | median | lowest | highest |\n|---|---|---|---|")
for package in packages:
    times = []
    for _ in range(21):
        start = time.perf_counter()
        process = subprocess.Popen(
            [legato, "generate", "--model", package, "--duration", "endless", "--seed", "3", "--output", "-", "--quiet"],
            stdout=subprocess.PIPE)
        sound = process.stdout.read(44 + 4)  # a header of WAV, and a sample
        times.append(1000 * (time.perf_counter() - start))
        process.kill()
        process.wait()
        if len(sound) < 48:
            sys.exit(f"{legato} made no sound of {package}")
    times = times[1:]  # the first one reads the files from the disk
    print(f"| {package} | {statistics.median(times):.0f} ms | {min(times):.0f} | {max(times):.0f} |")
END
