# SPDX-License-Identifier: Apache-2.0
# Programs that run on the kernel (and on Linux): static arm64 programs, one a source file.
TARGET_CC     := $(CROSS_COMPILE)gcc
TARGET_CFLAGS := -std=gnu11 -O2 -g $(WARNINGS) -pthread -static -I.
TARGET_SRC    := $(wildcard user/*.c vmm/*.c tests/target/*.c bench/*.c)
PROGRAMS      := $(TARGET_SRC:%.c=$(O)/target/%)

$(O)/target/%: %.c | $(setup)
	@mkdir -p $(@D)
	$(call say,TARGET,$@)
	$(Q)$(TARGET_CC) $(TARGET_CFLAGS) -MMD -MP -MF $@.d -o $@ $<

.PHONY: programs
programs: $(PROGRAMS)

-include $(wildcard $(O)/target/*/*.d $(O)/target/*/*/*.d)
