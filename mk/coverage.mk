# SPDX-License-Identifier: Apache-2.0
# Which lines and branches of engine/ and host/ the native tests run, by gcov. `make coverage` prints a table and fails below
# the bars that tools/coverage states.
COVERAGE_O     := $(O)/coverage
COVERAGE_FLAGS := $(UNIT_FLAGS) -O0 -g --coverage
COVERAGE_SRC   := $(NATIVE_SRC)
# With scenarios and random lives: what only races reach.
COVERAGE_CHECK := $(COVERAGE_O)/catwalk
COVERAGE_TESTS := $(patsubst %.c,$(COVERAGE_O)/%,$(filter-out tests/unit/cli_%,$(wildcard tests/unit/*.c)))

$(COVERAGE_O)/%.o: %.c $(uapi)
	@mkdir -p $(@D)
	$(call say,CC,$@)
	$(Q)gcc $(COVERAGE_FLAGS) -MMD -MP -c -o $@ $<

$(COVERAGE_O)/layers.a: $(COVERAGE_SRC:%.c=$(COVERAGE_O)/%.o)
	$(call say,AR,$@)
	$(Q)rm -f $@ && ar crs $@ $^

$(COVERAGE_TESTS): %: %.o $(COVERAGE_O)/layers.a
	$(call say,LINK,$@)
	$(Q)gcc --coverage -o $@ $^ -lcmocka -lpthread

$(COVERAGE_CHECK): $(CLI_SRC:%.c=$(O)/%.o) $(COVERAGE_O)/layers.a
	$(call say,LINK,$@)
	$(Q)gcc --coverage -o $@ $^ $(CLI_LIBS) -lpthread

.PHONY: coverage
coverage: $(COVERAGE_TESTS) $(COVERAGE_CHECK)
	@tools/coverage $(COVERAGE_O) $(COVERAGE_TESTS) \
		'$(COVERAGE_CHECK) check tests/scenario' \
		'$(COVERAGE_CHECK) check --simulate --seed 1 --runs 20 --operations 500'

# The same of what the fuzzers' committed inputs reach, in kvm/ too, without bars: `make coverage-fuzz`.
COVERAGE_FUZZ := $(FUZZ_NAMES:%=$(COVERAGE_O)/tests/fuzz/%)
$(COVERAGE_FUZZ): %: %.o $(COVERAGE_O)/tests/fuzz/replay/replay.o $(COVERAGE_O)/layers.a
	$(call say,LINK,$@)
	$(Q)gcc --coverage -o $@ $^ -lpthread

.PHONY: coverage-fuzz
coverage-fuzz: $(COVERAGE_FUZZ)
	@tools/coverage --no-bars $(COVERAGE_O) $(foreach name,$(FUZZ_NAMES),\
		'$(COVERAGE_O)/tests/fuzz/$(name) tests/fuzz/corpus/$(name)$(if $(filter fuzz_scenario,$(name)), tests/scenario)')

-include $(wildcard $(COVERAGE_O)/*/*.d $(COVERAGE_O)/*/*/*.d)
