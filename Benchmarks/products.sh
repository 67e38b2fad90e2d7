#!/usr/bin/env bash
# Single products of the engine beside plain reads of the bytes that they read, on one thread: one line each.
#   Benchmarks/products.sh                          (the products of 150 M in int8, of 1 to 125 rows)
#   Benchmarks/products.sh 2 bf16 1 768 3072        (threads, format, rows, columns, outputs)
# LEGATO_ISA=avx2 for a slower instruction set. CC is the compiler (default clang, or cc). Run it on a machine that does nothing else.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
mkdir -p .build/benchmarks
program=.build/benchmarks/products
"${CC:-$(command -v clang || command -v cc)}" -O2 -ISources/CKernels/include Sources/CKernels/*.c Benchmarks/products.c -lm -lpthread -o $program
if [ $# -gt 0 ]; then
  exec $program "$@"
fi
for rows in 1 2 4 8 16 125; do
  for shape in "768 3072" "3072 768"; do
    # shellcheck disable=SC2086
    $program 1 int8 $rows $shape
  done
done
$program 1 int4 1 768 3072
$program 1 f32 125 768 3072
$program 1 bf16 125 768 3072
