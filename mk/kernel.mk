# SPDX-License-Identifier: Apache-2.0
# The kernel: $(O)/catwalk.elf, for symbols, and $(O)/catwalk.Image, which is booted.
#
# KERNEL_DIRS may be cut down on the command line, to link a part of the tree.
KERNEL_DIRS ?= engine host kvm kernel port/arm64
ifeq ($(COMPILER),clang)
CC_KERNEL   ?= clang --target=aarch64-linux-gnu
endif
CC_KERNEL   ?= $(CROSS_COMPILE)gcc
LD_KERNEL   ?= $(CROSS_COMPILE)ld
NM_KERNEL   ?= $(CROSS_COMPILE)nm
COPY_KERNEL ?= $(CROSS_COMPILE)objcopy

KERNEL_SRC := $(foreach dir,$(KERNEL_DIRS),$(wildcard $(dir)/*.c $(dir)/*.S))
KERNEL_OBJ := $(KERNEL_SRC:%=$(O)/kernel/%.o)
LIBFDT     := $(ARM64_SYSROOT)/usr/lib/aarch64-linux-gnu/libfdt.a

# Headers: ours, the C library's few that we supply, the compiler's own, libfdt's, Linux's.
KERNEL_INCLUDE = -nostdinc -I. -Iport/arm64 -isystem port/arm64/include \
	-isystem $(shell $(CC_KERNEL) -print-file-name=include) \
	-isystem $(ARM64_SYSROOT)/usr/include -isystem $(O)/uapi

# General registers only: a program's FP state stays in the registers while the kernel works for it.
# Armv8.1 is what VHE implies; newer instructions are asked for where they are used.
# Functions that call none make no frame; a panic in one says the link register.
KERNEL_CFLAGS := -std=gnu11 -ffreestanding -O2 -g $(WARNINGS) -mgeneral-regs-only \
	-march=armv8.1-a -mcmodel=small -fno-pie -fno-pic -fno-omit-frame-pointer \
	-fno-stack-protector -fno-asynchronous-unwind-tables \
	-fno-strict-aliasing -fno-common
ifeq ($(findstring clang,$(CC_KERNEL)),)
# A call in a loop of its own body otherwise: string.c would be compiled into calls of itself.
KERNEL_CFLAGS += -fno-tree-loop-distribute-patterns -mno-outline-atomics
endif

$(O)/kernel/%.c.o: %.c $(uapi) mk/kernel.mk
	@mkdir -p $(@D)
	$(call say,CC,$@)
	$(Q)$(CC_KERNEL) $(KERNEL_CFLAGS) $(KERNEL_INCLUDE) -MMD -MP -c -o $@ $<

$(O)/kernel/%.S.o: %.S $(uapi) mk/kernel.mk
	@mkdir -p $(@D)
	$(call say,AS,$@)
	$(Q)$(CC_KERNEL) $(KERNEL_CFLAGS) $(KERNEL_INCLUDE) -D__ASSEMBLY__ -MMD -MP -c -o $@ $<

# Linked twice: the table of function names lies behind the text, which therefore does not move.
KERNEL_LINK = $(LD_KERNEL) -T port/arm64/kernel.lds -z max-page-size=4096 -z noexecstack \
	--no-warn-rwx-segments --fatal-warnings --build-id=none

$(O)/kernel/pass1.elf: $(KERNEL_OBJ) port/arm64/kernel.lds | $(setup)
	$(call say,LD,$@)
	$(Q)$(KERNEL_LINK) -o $@ $(KERNEL_OBJ) $(LIBFDT)

$(O)/kernel/symbols.S: $(O)/kernel/pass1.elf port/arm64/symbols.awk
	$(Q)$(NM_KERNEL) -n $< | awk -f port/arm64/symbols.awk >$@

$(O)/kernel/symbols.o: $(O)/kernel/symbols.S
	$(Q)$(CC_KERNEL) $(KERNEL_CFLAGS) -c -o $@ $<

$(O)/catwalk.elf: $(O)/kernel/symbols.o
	$(call say,LD,$@)
	$(Q)$(KERNEL_LINK) -Map=$(O)/kernel/catwalk.map -o $@ $(KERNEL_OBJ) $< $(LIBFDT)

$(O)/catwalk.Image: $(O)/catwalk.elf
	$(call say,IMAGE,$@)
	$(Q)$(COPY_KERNEL) -O binary $< $@

.PHONY: kernel
kernel: $(O)/catwalk.Image

# The port to arm64 alone, with its test in the kernel's place (tests/port/run boots it).
PORT_TEST_IMAGE := $(O)/port-test/catwalk.Image
.PHONY: port-test-image
port-test-image: | $(setup)
	$(Q)$(MAKE) -s O=$(O)/port-test setup=$(setup) ARM64_SYSROOT=$(ARM64_SYSROOT) \
		KERNEL_DIRS="port/arm64 tests/port" $(PORT_TEST_IMAGE)

-include $(KERNEL_OBJ:.o=.d)
