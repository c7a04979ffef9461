# SPDX-License-Identifier: GPL-2.0-or-later
# The two commands most people need are `make run` and `make test`; `make help`
# lists all.  Meson builds our own programs, toolchain/ and userland/ the rest,
# image/build the disk image; what they need they fetch themselves.

BUILD := build
OBJ := $(BUILD)/obj
CROSS := $(BUILD)/x86_64-gnu.ini
IMAGE := $(BUILD)/quadrille.img

# Words for tools/boot, e.g. make run BOOT="--chain 3 --exec ldso"
BOOT ?=
# Words for tests/run, e.g. make test TESTS="boot/chains"
TESTS ?=
# Words for tests/fuzz/run and tests/soak/run, e.g. make fuzz FUZZ="--seconds 60 elf"
FUZZ ?=
SOAK ?=

all: $(IMAGE)

help:
	@echo 'make         everything, with the disk image $(IMAGE)'
	@echo 'make run     boots it, the console on this terminal; BOOT="--chain 3" etc.'
	@echo '             (tools/boot --help; Ctrl-A X ends it)'
	@echo 'make test    all tests; TESTS="NAME..." for some of them'
	@echo 'make fuzz    libFuzzer on each target of tests/fuzz, 10 minutes each; FUZZ="--seconds 60 NAME..."'
	@echo 'make soak    the long campaigns of tests/soak; SOAK="NAME..."'
	@echo 'make bench   measures, beside the figures of the real Hurd'
	@echo 'make trace   boots with each server telling its steps (--trace-boot)'
	@echo 'make clean   removes build/ (the cache with glibc stays)'

setup:
	@toolchain/setup

# Meson starts over when the sysroot is another one: it does not know that
# every object depends on it.
programs: setup
	@if [ "$$(cat $(OBJ)/.sysroot 2>/dev/null)" != "$$(readlink $(BUILD)/sysroot)" ]; then \
	    rm -rf $(OBJ) && \
	    meson setup $(OBJ) --cross-file $(CROSS) >$(BUILD)/meson.log 2>&1 || \
	    { tail -n 20 $(BUILD)/meson.log >&2; exit 1; }; \
	    readlink $(BUILD)/sysroot >$(OBJ)/.sysroot; \
	fi
	@ninja -C $(OBJ)

userland: setup
	@userland/build

$(IMAGE): programs userland
	@image/build

run: $(IMAGE)
	@tools/boot $(BOOT)

test: $(IMAGE)
	@tests/run $(TESTS)

fuzz:
	@toolchain/setup --fuzz
	@tests/fuzz/run $(FUZZ)

soak: $(IMAGE)
	@tests/soak/run $(SOAK)

bench: $(IMAGE)
	@bench/run

trace: $(IMAGE)
	@tools/boot --trace $(BOOT)

clean:
	rm -rf $(BUILD)

.PHONY: all help setup programs userland run test fuzz soak bench trace clean $(IMAGE)
