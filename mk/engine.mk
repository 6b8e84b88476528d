# SPDX-License-Identifier: Apache-2.0
# The engine by itself: `make engine` builds libcatwalk-engine.a, freestanding, for arm64 and for this machine, with the headers
# that a program needs, and an example. PORT is the folder of the port it is built for (docs/porting.md). No headers but the
# port's, the engine's and the compiler's own are seen.
PORT        ?= examples/port
ENGINE_O    := $(O)/engine
ENGINE_SRC  := $(wildcard engine/*.c)
ENGINE_FLAGS := -std=c11 -O2 -g -ffreestanding -fno-builtin -nostdinc $(WARNINGS) -I$(PORT) -I.
compiler_headers = -isystem $(shell $(1) -print-file-name=include)

# The objects are made again when PORT is another one than the last time.
$(ENGINE_O)/port: FORCE
	@mkdir -p $(@D)
	@echo '$(abspath $(PORT))' | cmp -s - $@ || echo '$(abspath $(PORT))' >$@

$(ENGINE_O)/arm64/%.o: %.c $(ENGINE_O)/port | $(setup)
	@mkdir -p $(@D)
	$(call say,CC,$@)
	$(Q)$(CROSS_COMPILE)gcc $(ENGINE_FLAGS) $(call compiler_headers,$(CROSS_COMPILE)gcc) -mgeneral-regs-only -mno-outline-atomics -MMD -MP -c -o $@ $<

$(ENGINE_O)/native/%.o: %.c $(ENGINE_O)/port | $(setup)
	@mkdir -p $(@D)
	$(call say,CC,$@)
	$(Q)$(HOSTCC) $(ENGINE_FLAGS) $(call compiler_headers,$(HOSTCC)) -MMD -MP -c -o $@ $<

$(ENGINE_O)/arm64/libcatwalk-engine.a: $(ENGINE_SRC:%.c=$(ENGINE_O)/arm64/%.o)
$(ENGINE_O)/native/libcatwalk-engine.a: $(ENGINE_SRC:%.c=$(ENGINE_O)/native/%.o)
$(ENGINE_O)/%/libcatwalk-engine.a:
	$(call say,AR,$@)
	$(Q)rm -f $@ && ar crs $@ $^

# The example sees the installed headers alone. The locks are part of the engine's structures, so it goes with an archive for its
# own port and no other.
$(ENGINE_O)/map: examples/map.c $(ENGINE_O)/native/libcatwalk-engine.a $(ENGINE_O)/include/.stamp
	$(call say,LINK,$@)
	$(Q)$(HOSTCC) -std=c11 -O2 $(WARNINGS) -Iexamples/port -I$(ENGINE_O)/include -o $@ $(filter %.c %.a,$^)

$(ENGINE_O)/include/.stamp: $(wildcard engine/*.h)
	@mkdir -p $(@D)/engine
	$(Q)cp $^ $(@D)/engine && touch $@

.PHONY: engine
engine: $(ENGINE_O)/arm64/libcatwalk-engine.a $(ENGINE_O)/native/libcatwalk-engine.a $(ENGINE_O)/include/.stamp \
	$(if $(filter $(abspath examples/port),$(abspath $(PORT))),$(ENGINE_O)/map)

-include $(wildcard $(ENGINE_O)/*/engine/*.d)
