# SPDX-License-Identifier: Apache-2.0
# What takes long: exhaustive interleavings, ten million random operations, fifty guests started and
# destroyed, two minutes of a guest beside hostile ones, a minute of guests over changing memory on
# each kind of machine, a million random system calls and ioctls, seeded faults.
# `make check-long` runs all of it, `make mutate` the seeded faults alone.
CHECK_LONG := $(O)/check-long
RACES      := $(wildcard tests/scenario/good_race_*.scn)
SEEDS      ?= 1000
OPERATIONS ?= 10000

# One run of tools/simulate is a share of the seeds: first seed, number.
SHARES     := 0 1 2 3 4 5 6 7 8 9
share_size  = $(shell expr $(SEEDS) / 10)
share_first = $(shell expr 1 + $(1) \* $(SEEDS) / 10)

$(CHECK_LONG)/plan: FORCE
	@mkdir -p $(@D) && : >$@
	$(foreach race,$(RACES),$(call plan,exhaustive/$(basename $(notdir $(race))),5400,$(O)/catwalk check --exhaustive $(race)))
	$(foreach share,$(SHARES),$(call plan,simulate/$(share),3600,$(O)/catwalk check --simulate --seed $(call share_first,$(share)) --runs $(share_size) --operations $(OPERATIONS)))
	$(call plan,boots/max,1200,$(call boots,25,--append vmid.bits=4))
	$(call plan,boots/a76,1200,$(call boots,25,--cpu cortex-a76))
	$(call plan,beside/max,600!,$(call beside,120,))
	$(call plan,beside/a76,600!,$(call beside,120,--cpu cortex-a76))
	$(call mixed,max,)
	$(call mixed,nofwb,--no-fwb)
	$(call mixed,a76,--cpu cortex-a76)
	$(call mixed,max-without-hafdbs,--append cpu.hafdbs=off)
	$(call calls,max,)
	$(call calls,nofwb,--no-fwb)
	$(call calls,a76,--cpu cortex-a76)

# $(call mixed,NAME,OPTIONS), in the plan
mixed = $(foreach n,1 2,$(call plan,mixed/$(1)/$(n),240,tests/cli/mixed $(O)/catwalk $(MIXED) 60 --cpus $(n) $(2)))
# $(call calls,NAME,OPTIONS), in the plan: on two CPUs, and on one with page_fault_test after it, which shows
# that the system is whole (with several CPUs the emulator fails that test: docs/caveats.md).
calls = $(call plan,calls/$(1)/2,3610,$(O)/catwalk run --timeout 3600 --cpus 2 $(2) $(FUZZ_CALLS) --calls 1000000) \
	$(call plan,calls/$(1)/1,3610,$(O)/catwalk run --timeout 3600 $(2) --file $(FUZZ_CALLS) --file $(O)/selftests/page_fault_test $(IN_TURN) /fuzz_calls --calls 1000000 -- /page_fault_test)
FUZZ_CALLS := $(O)/target/tests/target/fuzz_calls
IN_TURN    := $(O)/target/tests/target/in_turn
MIXED := $(O)/target/tests/target/kvm_mixed

MUTATE_OBJECTS := $(patsubst %.c,$(O)/model/%.o,$(filter-out tests/unit/cli_%,$(wildcard tests/unit/*.c)))

.PHONY: check-long mutate
check-long: $(O)/catwalk $(O)/catwalk.Image $(MIXED) $(PROGRAMS) $(GUEST) $(SELFTESTS) $(CHECK_LONG)/plan
	@tools/run-tests $(CHECK_LONG)/logs $(CHECK_LONG)/plan
	@$(MAKE) -s O=$(O) mutate

# All that builds natively, without sanitizers: what a mutant does not change.
$(O)/model/all.a: $(NATIVE_SRC:%.c=$(O)/model/%.o)
	$(call say,AR,$@)
	$(Q)rm -f $@ && ar crs $@ $^

mutate: $(O)/catwalk $(O)/model.a $(O)/model/all.a $(MUTATE_OBJECTS)
	@tools/mutate $(O) $(HOSTCC) $(MUTANTS)
