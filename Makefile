# SPDX-License-Identifier: Apache-2.0
# Catwalk. `make run` sets up what is missing and boots a guest, `make check` the tests,
# `make help` lists the rest. Everything that is built goes to $(O).
O ?= build
V ?= 0
Q := $(if $(filter 1,$(V)),,@)
.DEFAULT_GOAL := all
.DELETE_ON_ERROR:
.SECONDEXPANSION:
MAKEFLAGS += --no-builtin-rules

include mk/setup.mk
-include mk/kernel.mk
include mk/native.mk
include mk/engine.mk
include mk/fuzz.mk
include mk/target.mk
include mk/selftests.mk
include mk/guest.mk
include mk/shell.mk
include mk/coverage.mk
include mk/check.mk
include mk/long.mk
include mk/qemu.mk
include mk/bench.mk
include mk/install.mk

.PHONY: all clean help
all: $(O)/catwalk $(O)/catwalk.Image programs

clean:
	$(Q)rm -rf $(O)

help:
	@echo 'make            the kernel, the catwalk program and the programs that run on the kernel'
	@echo 'make run        boots Debian'\''s arm64 kernel as a guest on Catwalk: a shell, or without a terminal a proof'
	@echo '                (DEVICE=coherent CPU=MODEL CPUS=N MEMORY=512M cpu.fwb=off HOST=linux)'
	@echo 'make run-qemu   the same with QEMU as the VMM: UEFI firmware, then the kernel (builds QEMU: ten minutes)'
	@echo 'make run-programs  a small VMM and the KVM selftests on Catwalk; a line each, then a report'
	@echo 'make shell      a shell on Catwalk: Debian'\''s busybox, and our small VMM by its name (demo)'
	@echo 'make check      all tests; the last line is "N passed, N failed, N skipped"'
	@echo 'make check-long exhaustive interleavings, random lives, seeded faults: hours'
	@echo 'make mutate     seeded faults: each must turn the tests red (MUTANTS=NAME ... for some)'
	@echo 'make engine     the engine as a library, with an example (docs/porting.md)'
	@echo 'make coverage   lines and branches of engine/ and host/ that the native tests reach'
	@echo 'make bench      boot time and instruction counts beside those of Linux'
	@echo 'make fuzz       fuzzes the memory engine and its ioctls for SECONDS=60 (tests/fuzz)'
	@echo 'make bench-engine  instructions of the engine'\''s table code, beside Linux'\''s and Hafnium'\''s'
	@echo 'make install    the program, its kernel, manual page and completion (PREFIX=/usr/local, DESTDIR=)'
	@echo 'make format     formats the sources'
	@echo 'make clean      removes $(O)/'
	@echo
	@echo 'make check-selftests  every KVM selftest for arm64, with more of their parameters: half an hour'
	@echo 'make check-qemu  QEMU as the VMM: guests, firmware, moves of running VMs, gdb: twenty minutes'
	@echo 'make check-unit, check-cli, check-target, check-static: parts of make check'
	@echo 'O=DIR builds into DIR; V=1 prints the commands; COMPILER=clang builds with clang'
