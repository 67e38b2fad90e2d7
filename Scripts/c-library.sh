#!/usr/bin/env bash
# Builds Legato for C and puts it under PREFIX (out/c unless told): include/legato.h and lib/liblegato.so or .dylib.
# On Linux Swift's runtime is inside the library, so that it runs where no Swift is.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
prefix=${PREFIX:-out/c}
swift=${SWIFT:-swift}

mkdir -p "$prefix/lib" "$prefix/include"
if [ "$(uname -s)" = Darwin ]; then
  "$swift" build -c release --product LegatoC --scratch-path .build/c
  cp .build/c/release/libLegatoC.dylib "$prefix/lib/liblegato.dylib"
  install_name_tool -id @rpath/liblegato.dylib "$prefix/lib/liblegato.dylib"
else
  # The first flag alone leaves the runtime outside of libraries.
  "$swift" build -c release --product LegatoC --static-swift-stdlib -Xswiftc -static-stdlib --scratch-path .build/c
  cp .build/c/release/libLegatoC.so "$prefix/lib/liblegato.so"
fi
cp Sources/CLegato/include/legato.h "$prefix/include/legato.h"
echo "Link with: -I $prefix/include -L $prefix/lib -llegato -Wl,-rpath,$prefix/lib"
