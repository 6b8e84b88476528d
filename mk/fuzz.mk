# SPDX-License-Identifier: Apache-2.0
# Fuzzing with libFuzzer, which clang brings: every tests/fuzz/NAME.c is one harness, and
# tests/fuzz/corpus/NAME/ holds the inputs that together reach what was ever reached.
#
#   make fuzz SECONDS=600     all of them side by side; 1 if one finds something
#   make fuzz-merge           takes over into the corpus what runs have found, minimised
FUZZ_SRC     := $(wildcard tests/fuzz/*.c)
FUZZ_NAMES   := $(FUZZ_SRC:tests/fuzz/%.c=%)
FUZZERS      := $(FUZZ_SRC:%.c=$(O)/%)
FUZZ_CHECKS  := -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer
SECONDS      ?= 60

# Coverage of the model would lead the fuzzer into it; it is not what is tested.
$(O)/fuzz/port/model/%.o: FUZZ_COVERAGE :=
# Tracing of comparisons costs half the speed, and the inputs hold no numbers to be guessed.
FUZZ_COVERAGE := -fsanitize=fuzzer-no-link -fno-sanitize-coverage=trace-cmp
$(O)/fuzz/%.o: %.c $(uapi)
	@mkdir -p $(@D)
	$(call say,CC,$@)
	$(Q)clang $(UNIT_FLAGS) -g -O1 $(FUZZ_CHECKS) $(FUZZ_COVERAGE) -MMD -MP -c -o $@ $<

$(O)/fuzz/layers.a: $(NATIVE_SRC:%.c=$(O)/fuzz/%.o)
	$(call say,AR,$@)
	$(Q)rm -f $@ && ar crs $@ $^

$(FUZZERS): $(O)/tests/fuzz/%: $(O)/fuzz/tests/fuzz/%.o $(O)/fuzz/layers.a
	@mkdir -p $(@D)
	$(call say,LINK,$@)
	$(Q)clang $(FUZZ_CHECKS) -fsanitize=fuzzer -o $@ $^

.PHONY: fuzz fuzz-merge
fuzz: $(FUZZERS)
	@tools/fuzz run $(O) $(SECONDS) $(FUZZ_NAMES)

fuzz-merge: $(FUZZERS)
	@tools/fuzz merge $(O) $(FUZZ_NAMES)

-include $(wildcard $(O)/fuzz/*/*.d $(O)/fuzz/*/*/*.d)
