# SPDX-License-Identifier: Apache-2.0
# Programs that run on the kernel (and on Linux): static arm64 programs, one a source file.
TARGET_CC     := $(CROSS_COMPILE)gcc
TARGET_CFLAGS := -std=gnu11 -O2 -g $(WARNINGS) -pthread -static -I.
# Sources of more than one program, or of a program beside its main file.
TARGET_PARTS  := tests/target/client.c
TARGET_SRC    := $(filter-out $(TARGET_PARTS),$(wildcard user/*.c vmm/*.c tests/target/*.c bench/*.c))
PROGRAMS      := $(TARGET_SRC:%.c=$(O)/target/%)

$(O)/target/%: %.c | $(setup)
	@mkdir -p $(@D)
	$(call say,TARGET,$@)
	$(Q)$(TARGET_CC) $(TARGET_CFLAGS) -MMD -MP -MF $@.d -o $@ $(filter %.c %.S,$^)

$(O)/target/vmm/vmm: vmm/guest.S
# The KVM tests share a client.
$(filter $(O)/target/tests/target/kvm_% $(O)/target/tests/target/errno,$(PROGRAMS)): tests/target/client.c

.PHONY: programs
programs: $(PROGRAMS)

-include $(wildcard $(O)/target/*/*.d $(O)/target/*/*/*.d)
