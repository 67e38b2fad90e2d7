# Legato: the commands a person needs. `make` alone lists them.

SWIFT ?= swift
SEED  ?= 3
PREFIX ?= out/c
C_COMPILER ?= $(shell command -v cc || command -v clang)
LEGATO = .build/release/legato
# Tests have a build folder of their own: with other flags in the same one, demo and test would undo each other.
TEST_FLAGS = -c release -Xswiftc -enable-testing --scratch-path .build/tests

.PHONY: help swift legato demo test test-kernels test-dependencies torch example c-library gpu-bundle format lint clean

help:
	@echo "make demo    build, then write out/demo.wav and out/demo.png from the package that ships"
	@echo "make test    set up what the tests need, then run them all"
	@echo "make test-kernels  the C kernels alone, also under sanitizers and for aarch64; a minute or two, no Swift build"
	@echo "make c-library   build legato.h's library for C and C++, into PREFIX=$(PREFIX)"
	@echo "make torch   set up libtorch, which training needs (TORCH_DIR=... uses an installation)"
	@echo "make gpu-bundle  pack what training on a CUDA machine without Swift needs (Documentation/gpu.md)"
	@echo "make format  lay out the sources;  make lint  check the layout"
	@echo "make clean   remove what was built (not runs, data or sounds)"

swift:
	@command -v $(SWIFT) >/dev/null || { \
	  echo "Legato needs Swift 6.1 or newer, and nothing else. Install it from https://www.swift.org/install" >&2; \
	  exit 1; }

legato: swift
	@$(SWIFT) build -c release --product legato

demo: legato
	@mkdir -p out
	@$(LEGATO) generate --duration 30 --seed $(SEED) --output out/demo.wav --picture out/demo.png

test-dependencies:
	@Scripts/setup-test-dependencies.sh

test-kernels:
	@Scripts/test-kernels.sh

test: swift test-dependencies
	Scripts/test-kernels.sh
	$(SWIFT) build --build-tests $(TEST_FLAGS)
	$(SWIFT) test $(TEST_FLAGS) --skip-build
	SWIFT="$(SWIFT)" Scripts/check-sanitizers.sh
	Scripts/check-instructions.sh

# The examples of the README, and the one in C, which plays ten seconds.
example: swift
	$(SWIFT) build $(TEST_FLAGS) --product LegatoExample
	$(SWIFT) build $(TEST_FLAGS) --product LegatoC
	@mkdir -p out
	$(C_COMPILER) -std=c99 -O2 -Wall -Wextra -Wpedantic -Werror Examples/C/play.c -I Sources/CLegato/include \
	  -L .build/tests/release -lLegatoC -lpthread -Wl,-rpath,$(CURDIR)/.build/tests/release -o out/play
	out/play Models/legato-first out/play.wav --seconds 10

c-library: swift
	@SWIFT="$(SWIFT)" PREFIX="$(PREFIX)" Scripts/c-library.sh

torch:
	@Plugins/Torch/setup.sh

gpu-bundle: swift
	@SWIFT="$(SWIFT)" INSTRUMENTS="$(INSTRUMENTS)" Scripts/gpu-bundle/build.sh

format: swift
	$(SWIFT) format --in-place --parallel --recursive Package.swift Sources Tests Examples

lint: swift
	$(SWIFT) format lint --parallel --recursive Package.swift Sources Tests Examples

clean:
	rm -rf .build
