# SPDX-License-Identifier: Apache-2.0
# What is built for the machine that builds: the catwalk program, and the unit tests, which link
# the engine and the host layer with the modelled machine.

# --- the catwalk program: once for use, once under sanitizers for its tests -----------------------
CLI_SRC    := $(wildcard cli/*.c)
CLI_CFLAGS := -std=c11 -O2 -g $(WARNINGS) -D_GNU_SOURCE -D_FORTIFY_SOURCE=2 -I.
CLI_LIBS   := -larchive
SANITIZE   := -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer

$(O)/cli/%.o: cli/%.c | $(setup)
	@mkdir -p $(@D)
	$(call say,CC,$@)
	$(Q)$(HOSTCC) $(CLI_CFLAGS) -MMD -MP -c -o $@ $<

$(O)/catwalk: $(CLI_SRC:%.c=$(O)/%.o)
	$(call say,LD,$@)
	$(Q)$(HOSTCC) -o $@ $^ $(CLI_LIBS)

$(O)/native/cli/%.o: cli/%.c | $(setup)
	@mkdir -p $(@D)
	$(call say,CC,$@)
	$(Q)$(HOSTCC) $(filter-out -O2 -D_FORTIFY_SOURCE=2,$(CLI_CFLAGS)) -O1 $(SANITIZE) -MMD -MP -c -o $@ $<

$(O)/native/catwalk: $(CLI_SRC:%.c=$(O)/native/%.o)
	$(call say,LD,$@)
	$(Q)$(HOSTCC) $(SANITIZE) -o $@ $^ $(CLI_LIBS)

# --- unit tests: one cmocka program a file --------------------------------------------------------
UNIT_CFLAGS := -std=c11 -g -O1 $(SANITIZE) $(WARNINGS) -I. -Iport/model -I$(O)/uapi-native
UNIT_TESTS  := $(patsubst tests/unit/%.c,%,$(wildcard tests/unit/*.c))

$(O)/native/%.o: %.c $(uapi)
	@mkdir -p $(@D)
	$(call say,CC,$@)
	$(Q)$(HOSTCC) $(UNIT_CFLAGS) -MMD -MP -c -o $@ $<

# Layers whose sources build natively; kvm/ joins when it has a modelled world switch.
NATIVE_SRC := $(wildcard engine/*.c host/*.c port/model/*.c)

$(O)/native/model.a: $(NATIVE_SRC:%.c=$(O)/native/%.o)
	$(call say,AR,$@)
	$(Q)rm -f $@ && ar crs $@ $^

$(O)/native/tests/unit/%: $(O)/native/tests/unit/%.o $(O)/native/model.a
	$(call say,LD,$@)
	$(Q)$(HOSTCC) $(SANITIZE) -o $@ $^ -lcmocka -lpthread

.PHONY: unit
unit: $(UNIT_TESTS:%=$(O)/native/tests/unit/%)

-include $(wildcard $(O)/cli/*.d $(O)/native/*/*.d $(O)/native/*/*/*.d)
