# SPDX-License-Identifier: Apache-2.0
# Tools, the packages they come from, and the include directories of others' headers.
COMPILER      ?= gcc
CROSS_COMPILE ?= aarch64-linux-gnu-
HOSTCC        ?= $(COMPILER)
ARM64_SYSROOT := $(O)/arm64
ARM64_INCLUDE ?= /usr/aarch64-linux-gnu/include

# What every C file is built with, on whatever machine.
WARNINGS := -Wall -Wextra -Werror -Wstrict-prototypes -Wmissing-prototypes -Wvla

define say
	@printf '  %-8s %s\n' '$(1)' '$(patsubst $(O)/%,%,$(2))'
endef

# The packages and the arm64 libraries; a prerequisite by order of whatever uses one of them.
setup := $(O)/.setup
$(setup): tools/setup
	@mkdir -p $(O)
	@tools/setup $(O)
	@touch $@

# Linux's and the BSD headers, apart from the C library's that lie in the same directories:
# -I$(O)/uapi for arm64, -I$(O)/uapi-native for natively built parts (KVM's ABI is arm64's in both).
uapi := $(O)/uapi/.stamp
$(uapi): mk/setup.mk | $(setup)
	@mkdir -p $(O)/uapi $(O)/uapi-native/asm
	@for name in linux asm asm-generic; do \
		ln -sfn $(ARM64_INCLUDE)/$$name $(O)/uapi/$$name; \
	done
	@ln -sfn /usr/include/bsd $(O)/uapi/bsd
	@ln -sfn /usr/include/bsd $(O)/uapi-native/bsd
	@for name in kvm hwcap ptrace sve_context; do \
		ln -sfn $(ARM64_INCLUDE)/asm/$$name.h $(O)/uapi-native/asm/$$name.h; \
	done
	@touch $@
