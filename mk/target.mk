# SPDX-License-Identifier: Apache-2.0
# Programs that run on the kernel (and on Linux): static arm64 programs. In tests/target, bench and
# user every file with a main() is one program and the others are linked into each; vmm/ and
# vmm/demo are one each.
TARGET_CC     := $(CROSS_COMPILE)gcc
TARGET_CFLAGS := -std=gnu11 -O2 -g $(WARNINGS) -pthread -I.

target_mains  = $(shell grep -ls '^int main\b' $(wildcard $(1)/*.c))
target_shared = $(filter-out $(call target_mains,$(1)),$(wildcard $(1)/*.c $(1)/*.S))
objects       = $(addprefix $(O)/target/,$(addsuffix .o,$(basename $(1))))

TEST_PROGRAMS  := $(patsubst %.c,$(O)/target/%,$(call target_mains,tests/target))
BENCH_PROGRAMS := $(patsubst %.c,$(O)/target/%,$(call target_mains,bench))
USER_PROGRAMS  := $(patsubst %.c,$(O)/target/%,$(call target_mains,user))
VMM            := $(O)/target/vmm/vmm
VMM_DEMO       := $(O)/target/vmm/demo/demo
GUEST_PROGRAMS := $(O)/target/vmm/guest/stress $(O)/target/vmm/guest/perf
PROGRAMS       := $(TEST_PROGRAMS) $(BENCH_PROGRAMS) $(USER_PROGRAMS) $(VMM) $(VMM_DEMO) $(GUEST_PROGRAMS)

$(O)/target/%.o: %.c | $(setup)
	@mkdir -p $(@D)
	$(call say,TARGET,$@)
	$(Q)$(TARGET_CC) $(TARGET_CFLAGS) -MMD -MP -c -o $@ $<

$(O)/target/%.o: %.S | $(setup)
	@mkdir -p $(@D)
	$(call say,TARGET,$@)
	$(Q)$(TARGET_CC) -I. -MMD -MP -c -o $@ $<

$(TEST_PROGRAMS): $(call objects,$(call target_shared,tests/target))
# The benchmarks use the tests' KVM client.
$(BENCH_PROGRAMS): $(call objects,tests/target/client.c tests/target/vgic.c) $(call objects,$(call target_shared,bench))
$(USER_PROGRAMS): $(call objects,$(call target_shared,user))
$(TEST_PROGRAMS) $(BENCH_PROGRAMS) $(USER_PROGRAMS): %: %.o
# The VMM writes device trees by libfdt, whose header is the native package's too.
$(call objects,vmm/main.c vmm/tree.c): TARGET_CFLAGS += -isystem $(ARM64_SYSROOT)/usr/include
$(VMM): $(call objects,$(wildcard vmm/*.c)) $(LIBFDT)
$(VMM_DEMO): $(call objects,$(wildcard vmm/demo/*.c vmm/demo/*.S))
$(GUEST_PROGRAMS): %: %.o

$(PROGRAMS):
	$(call say,LINK,$@)
	$(Q)$(TARGET_CC) -static -pthread -o $@ $(filter %.o %.a,$^)

.PHONY: programs
programs: $(PROGRAMS)

-include $(wildcard $(O)/target/*/*.d $(O)/target/*/*/*.d)
