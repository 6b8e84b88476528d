# SPDX-License-Identifier: Apache-2.0
# The tests. Each part writes a plan (lines NAME, SECONDS, COMMAND with tabs between), and
# tools/run-tests runs it. `make check` runs all parts as one plan.
CHECK := $(O)/check
TABLES := tests/target/tests.tbl tests/target/run.tbl tests/target/selftests.tbl
SELFTEST_TABLES := tests/target/run.tbl tests/target/selftests.tbl tests/target/selftests-long.tbl
SOURCES := $(wildcard $(foreach dir,abi bench bench/* check cli engine examples examples/* host kernel kvm port/* port/*/* tests/* user \
	vmm vmm/* tools,$(dir)/*.[ch]))
tab := $(shell printf '\t')
comma := ,

# $(call plan,NAME,SECONDS,COMMAND)
define plan
	@printf '%s\t%s\t%s\n' '$(1)' '$(2)' '$(3)' >>$@

endef

# $(call plan_guest,NAME,OPTIONS OF tools/run-guest)
plan_guest = $(call plan,target/guest/$(1),190,tools/run-guest $(O) --nonce --timeout 180 $(2))

# $(call beside,SECONDS,OPTIONS), $(call boots,ROUNDS,OPTIONS): commands
vmm_files = --file=$(O)/target/vmm/vmm --file=$(O)/guest/Image --file=$(O)/guest/initramfs
beside = tests/cli/beside $(O)/catwalk run --timeout 600 --cpus 2 --memory 2G $(vmm_files) \
	--file=$(O)/target/tests/target/kvm_hostile $(2) $(O)/target/tests/target/vmm_beside $(1)
boots  = $(O)/catwalk run --timeout 1200 --cpus 2 --report - $(vmm_files) $(2) $(O)/target/tests/target/vmm_boots $(1) 2

# --- static checks --------------------------------------------------------------------------------
.PHONY: format format-check tidy
format:
	$(Q)clang-format -i $(SOURCES)
format-check:
	$(Q)clang-format --dry-run -Werror $(SOURCES)

# One stamp a source file, so that only what changed is analysed again.
TIDY_NATIVE := $(wildcard check/*.c engine/*.c host/*.c port/model/*.c tests/fuzz/*.c tests/fuzz/replay/*.c tests/unit/*.c)
TIDY_KERNEL := $(wildcard kvm/*.c kernel/*.c port/arm64/*.c)
TIDY_CLI    := $(CLI_SRC) tests/cli/terminal.c
TIDY_TARGET := $(wildcard user/*.c vmm/*.c vmm/demo/*.c vmm/guest/*.c bench/*.c tests/target/*.c)
$(TIDY_NATIVE:%=$(O)/tidy/%): TIDY_FLAGS = $(UNIT_FLAGS)
$(TIDY_KERNEL:%=$(O)/tidy/%): TIDY_FLAGS = --target=aarch64-linux-gnu \
	$(filter-out -fno-tree-loop-distribute-patterns -mno-outline-atomics,$(KERNEL_CFLAGS)) \
	-nostdinc -I. -Iport/arm64 -isystem port/arm64/include \
	-isystem $(shell clang -print-resource-dir)/include \
	-isystem $(ARM64_SYSROOT)/usr/include -isystem $(O)/uapi
$(TIDY_CLI:%=$(O)/tidy/%): TIDY_FLAGS = $(CLI_FLAGS)
$(TIDY_TARGET:%=$(O)/tidy/%): TIDY_FLAGS = --target=aarch64-linux-gnu -std=gnu11 -I. \
	-isystem $(ARM64_INCLUDE) -isystem $(ARM64_SYSROOT)/usr/include

TIDY_BENCH := $(wildcard bench/engine/*.c)
$(TIDY_BENCH:%=$(O)/tidy/%): TIDY_FLAGS = $(BENCH_ENGINE_FLAGS)
TIDY_ALL := $(TIDY_BENCH) $(TIDY_NATIVE) $(TIDY_KERNEL) $(TIDY_CLI) $(TIDY_TARGET)
$(TIDY_ALL:%=$(O)/tidy/%): $(O)/tidy/%: % .clang-tidy $(filter %.h,$(SOURCES)) $(uapi)
	@mkdir -p $(@D)
	$(Q)clang-tidy --quiet $< -- $(TIDY_FLAGS) 2>$@.err || { cat $@.err; exit 1; }
	@rm -f $@.err
	@touch $@
tidy: $(TIDY_ALL:%=$(O)/tidy/%)
# One folder, so that `make check` can run several side by side.
TIDY_DIRS := $(sort $(patsubst %/,%,$(dir $(TIDY_ALL))))
.PHONY: $(TIDY_DIRS:%=tidy-%)
tidy_stamps = $(filter $(O)/tidy/$(1)/%,$(TIDY_ALL:%=$(O)/tidy/%))
$(TIDY_DIRS:%=tidy-%): tidy-%: $$(call tidy_stamps,$$*)

# --- plans ----------------------------------------------------------------------------------------
$(CHECK)/plan-static: FORCE
	@mkdir -p $(@D) && : >$@
	$(call plan,static/format,60,$(MAKE) -s O=$(O) format-check)
	$(call plan,static/layers,60,tools/check-layers)
	$(call plan,static/layers-self-test,60,tools/check-layers --self-test)
	$(call plan,static/mutants,60,tools/mutate --places)
	$(call plan,static/statements,60,tools/check-statements)
	$(call plan,static/statements-self-test,60,tools/check-statements --self-test)
	$(foreach dir,$(TIDY_DIRS),$(call plan,static/tidy/$(dir),900,$(MAKE) -s -k O=$(O) tidy-$(dir)))

$(CHECK)/plan-unit: FORCE
	@mkdir -p $(@D) && : >$@
	$(foreach test,$(UNIT_TESTS),$(call plan,unit/$(notdir $(test)),120,$(test)))
	$(call plan,unit/engine_threads,120,$(THREAD_TEST))
	$(call plan,unit/scenarios,300,$(O)/native/catwalk check --subjects tests/scenario)
	$(call plan,unit/scenarios-fwb-dic,300,$(O)/native/catwalk check --cpu fwb=on$(comma)dic=on tests/scenario)
	$(call plan,unit/scenarios-plain,300,$(O)/native/catwalk check --cpu range=off$(comma)ttl=off tests/scenario)
	$(call plan,unit/scenarios-hafdbs,300,$(O)/native/catwalk check --cpu af=on$(comma)dbm=on$(comma)bbm=2 tests/scenario)
	$(call plan,unit/lives,300,$(O)/native/catwalk check --simulate --seed 1 --runs 40 --operations 2500)
	$(call plan,unit/engine_library,60,tools/check-engine $(O))
	$(call plan,bench/engine,60,tools/bench-engine $(O))
	$(call plan,unit/coverage,300,$(MAKE) -s O=$(O) coverage)
	$(foreach name,$(FUZZ_NAMES),$(call plan,unit/$(name),120,tools/fuzz check $(O) 5 $(name)))

$(CHECK)/plan-cli: FORCE
	@mkdir -p $(@D) && : >$@
	$(call plan,cli/launcher,120,tests/cli/test $(O)/native/catwalk $(TARGET_CC))

# Both compilers build everything and boot the kernel; gcc's runs the tests.
CLANG_IMAGE := $(O)/clang/catwalk.Image
$(CHECK)/plan-target: FORCE
	@mkdir -p $(@D) && : >$@
	$(call plan,target/image-size,10,tools/check-size $(O)/catwalk.Image 1048576)
	$(call plan,target/port,120,tests/port/run $(PORT_TEST_IMAGE))
	$(call plan,target/launcher,120,tests/cli/machine $(O)/catwalk $(O)/target/tests/target/launch \
		$(O)/target/tests/target/devmem $(O)/target/tests/target/kvm_ask)
	$(call plan,target/install,120,tests/cli/install $(O) $(O)/target/tests/target/hello)
	$(call plan,target/caches,120,tests/cli/caches $(O)/catwalk $(O)/target/tests/target/kvm_caches)
	$(call plan,target/exits,120,tests/cli/exits $(O)/catwalk $(O)/target/tests/target/kvm_exits)
	$(call plan,target/shell/max/2,180,tests/cli/shell $(O) max 2)
	$(call plan,target/shell/a76/1,180,tests/cli/shell $(O) cortex-a76 1)
	$(call plan,target/contracts,120,tests/cli/contracts $(O)/catwalk $(O)/target/user/contract)
	$(call plan,target/clang/hello,60,$(O)/catwalk run --kernel $(CLANG_IMAGE) --timeout 30 $(O)/target/tests/target/hello)
	$(call plan,target/clang/demo,60,$(O)/catwalk run --kernel $(CLANG_IMAGE) --timeout 30 --cpus 2 $(VMM_DEMO))
	$(call plan,target/vmm,300,tests/cli/vmm $(O)/catwalk $(VMM) $(O)/guest)
	$(call plan,target/vmm_beside/max/2,180!,$(call beside,8,))
	$(call plan,target/vmm_beside/a76/2,180!,$(call beside,8,--cpu cortex-a76))
	$(call plan_guest,max/1,--cpus 1)
	$(call plan_guest,max/2,--cpus 2)
	$(call plan_guest,max/4-on-2,--cpus 4 --host-cpus 2)
	$(call plan_guest,max/4-2G,--cpus 4 --memory 2048M)
	$(call plan_guest,nofwb/2,--no-fwb --cpus 2)
	$(call plan_guest,a76/1-128M,--cpu cortex-a76 --memory 128M)
	$(call plan_guest,a76/4,--cpu cortex-a76 --cpus 4)
	$(call plan_guest,pmu/max/2,--pmu --cpus 2)
	$(call plan_guest,pmu/a76/2-on-1,--pmu --cpu cortex-a76 --cpus 2 --host-cpus 1)
	$(call plan_guest,coherent,--device coherent)
	$(call plan_guest,linux/max/2,--host linux --cpus 2)
	$(call plan_guest,linux/a76/1,--host linux --cpu cortex-a76)
	@for table in $(TABLES); do tools/plan-target $(O) $$table || exit; done >>$@

# Every KVM selftest, with and without FWB.
$(CHECK)/plan-selftests: FORCE
	@mkdir -p $(@D)
	@for table in $(SELFTEST_TABLES); do tools/plan-target $(O) $$table || exit; done | \
		grep '/selftests/' | grep -v '^target/[^/]*/nofwb/' >$@

.PHONY: clang
clang: | $(setup)
	$(Q)$(MAKE) -s O=$(O)/clang COMPILER=clang setup=$(setup) ARM64_SYSROOT=$(ARM64_SYSROOT) \
		$(CLANG_IMAGE) $(O)/clang/catwalk unit

# --- running them ---------------------------------------------------------------------------------
CHECK_PARTS := static unit cli target
check-unit-needs   := $(UNIT_TESTS) $(THREAD_TEST) $(FUZZERS) $(O)/native/catwalk engine \
	$(O)/bench-engine/costs $(O)/bench-engine/events
check-cli-needs    := $(O)/native/catwalk
check-target-needs := $(O)/catwalk $(O)/catwalk.Image $(PROGRAMS) $(SELFTESTS) $(GUEST) $(BUSYBOX) $(TERMINAL) \
	clang port-test-image
check-selftests-needs := $(O)/catwalk $(O)/catwalk.Image $(SELFTESTS)

.PHONY: check FORCE $(CHECK_PARTS:%=check-%) check-selftests
check: $(foreach part,$(CHECK_PARTS),$(check-$(part)-needs) $(CHECK)/plan-$(part))
	@cat $(CHECK_PARTS:%=$(CHECK)/plan-%) >$(CHECK)/plan
	@tools/run-tests $(CHECK)/logs $(CHECK)/plan

$(CHECK_PARTS:%=check-%) check-selftests: check-%: $$(check-%-needs) $(CHECK)/plan-%
	@tools/run-tests $(CHECK)/logs-$* $(CHECK)/plan-$*
