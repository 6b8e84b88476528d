# SPDX-License-Identifier: Apache-2.0
# What is built for the machine that builds: the catwalk program, and the unit tests, which link
# the engine and the host layer with the modelled machine.
SANITIZE   := -g -O1 -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer
CLI_FLAGS  := -std=c11 $(WARNINGS) -D_GNU_SOURCE -I. -Iport/model
CLI_LIBS   := -larchive -ljansson
CLI_SRC    := $(wildcard cli/*.c)

# --- the engine on the modelled machine, without sanitizers: `catwalk check`, benchmarks -----------
UNIT_FLAGS := -std=c11 -D_DEFAULT_SOURCE= $(WARNINGS) -I. -Iport/model -I$(O)/uapi-native
MODEL_SRC  := $(filter-out port/model/host.c port/model/joined.c port/model/gic.c,$(wildcard engine/*.c port/model/*.c check/*.c))

$(O)/model/%.o: %.c $(uapi)
	@mkdir -p $(@D)
	$(call say,CC,$@)
	$(Q)$(HOSTCC) $(UNIT_FLAGS) -O2 -g -MMD -MP -c -o $@ $<

$(O)/model.a: $(MODEL_SRC:%.c=$(O)/model/%.o)
	$(call say,AR,$@)
	$(Q)rm -f $@ && ar crs $@ $^

# --- the catwalk program --------------------------------------------------------------------------
$(O)/cli/%.o: cli/%.c | $(setup)
	@mkdir -p $(@D)
	$(call say,CC,$@)
	$(Q)$(HOSTCC) $(CLI_FLAGS) -O2 -g -D_FORTIFY_SOURCE=2 -MMD -MP -c -o $@ $<

$(O)/catwalk: $(CLI_SRC:%.c=$(O)/%.o) $(O)/model.a
	$(call say,LD,$@)
	$(Q)$(HOSTCC) -o $@ $^ $(CLI_LIBS)

# --- the same under sanitizers, for its tests -----------------------------------------------------
$(O)/native/cli/%.o: cli/%.c | $(setup)
	@mkdir -p $(@D)
	$(call say,CC,$@)
	$(Q)$(HOSTCC) $(CLI_FLAGS) $(SANITIZE) -MMD -MP -c -o $@ $<

$(O)/native/catwalk: $(CLI_SRC:%.c=$(O)/native/%.o) $(O)/native/layers.a
	$(call say,LD,$@)
	$(Q)$(HOSTCC) $(SANITIZE) -o $@ $^ $(CLI_LIBS)

# --- unit tests: every file of tests/unit is one cmocka program -----------------------------------
UNIT_TESTS := $(patsubst %.c,$(O)/native/%,$(wildcard tests/unit/*.c))
# The layers that build natively, in one archive: a test links what it refers to.
KVM_MEMORY := kvm/memory.c kvm/memory_ask.c kvm/memory_caps.c kvm/guest_memfd.c \
	      kvm/engine_memory.c
KVM_VGIC   := kvm/vgic.c kvm/vgic_lr.c kvm/vgic_mmio.c kvm/vgic_place.c kvm/vgic_lpi.c kvm/its.c kvm/its_mmio.c \
	      kvm/its_tables.c
# What is around it of vCPUs, on the modelled CPU interface (port/model/gic.c).
KVM_IRQ    := kvm/vgic_device.c kvm/vgic_icc.c kvm/vgic_vcpu.c kvm/its_device.c kvm/device.c kvm/irqchip.c \
	      kvm/irq_route.c kvm/irqfd.c kvm/ioeventfd.c kvm/guest_data.c
KVM_PURE   := kvm/aarch32.c kvm/cmo_trap.c kvm/coproc.c kvm/stage1.c kvm/stats_layout.c $(KVM_VGIC) $(KVM_IRQ)
# The parts of the VMM and of the kernel that need no KVM.
VMM_PURE   := vmm/image.c vmm/memory.c vmm/virtqueue.c
KERNEL_PURE := kernel/tty_line.c kernel/bpf.c
NATIVE_SRC := $(wildcard engine/*.c host/*.c port/model/*.c check/*.c) $(KVM_MEMORY) $(KVM_PURE) $(VMM_PURE) $(KERNEL_PURE)
UNIT_ARCHIVES := $(O)/native/layers.a $(O)/native/cli.a

$(O)/native/%.o: %.c $(uapi)
	@mkdir -p $(@D)
	$(call say,CC,$@)
	$(Q)$(HOSTCC) $(UNIT_FLAGS) $(SANITIZE) -MMD -MP -c -o $@ $<

$(O)/native/layers.a: $(NATIVE_SRC:%.c=$(O)/native/%.o)
$(O)/native/cli.a: $(filter-out %/main.o,$(CLI_SRC:%.c=$(O)/native/%.o))
$(UNIT_ARCHIVES):
	$(call say,AR,$@)
	$(Q)rm -f $@ && ar crs $@ $^

$(filter $(O)/native/tests/unit/cli_%,$(UNIT_TESTS)): $(O)/native/cli.a
$(UNIT_TESTS): $(O)/native/layers.a
$(UNIT_TESTS): %: %.o
	$(call say,LINK,$@)
	$(Q)$(HOSTCC) $(SANITIZE) -o $@ $(filter %.o,$^) $(filter %.a,$^) -lcmocka -lpthread $(CLI_LIBS)

# --- the engine on native threads, under the thread sanitizer -------------------------------------
THREAD_TEST := $(O)/native/tests/threads/engine
$(THREAD_TEST): $(wildcard tests/threads/*.[ch] engine/*.[ch])
	@mkdir -p $(@D)
	$(call say,CC,$@)
	$(Q)$(HOSTCC) -std=gnu11 -O1 -g $(WARNINGS) -fsanitize=thread -Itests/threads -I. -o $@ $(filter %.c,$^) -lpthread

.PHONY: unit
unit: $(UNIT_TESTS) $(THREAD_TEST)

-include $(wildcard $(O)/cli/*.d $(O)/model/*/*.d $(O)/model/*/*/*.d $(O)/native/*/*.d $(O)/native/*/*/*.d)
