# SPDX-License-Identifier: Apache-2.0
# QEMU, as it was released, as a VMM on Catwalk: a static arm64 program with KVM. Built once, outside of `make check`: it
# takes ten minutes. The row of the dirty ring skips itself with Debian 12's QEMU, which knows of none on Arm.
QEMU_VMM := $(O)/qemu/qemu-system-aarch64
CHECK_QEMU := $(O)/check-qemu

$(QEMU_VMM): tools/build-qemu | $(setup)
	@tools/setup $(O) qemu
	$(call say,BUILD,QEMU for arm64: ten minutes)
	$(Q)CROSS_COMPILE=$(CROSS_COMPILE) tools/build-qemu $(O)

.PHONY: run-qemu check-qemu
run-qemu: $(O)/catwalk $(O)/catwalk.Image $(GUEST) $(QEMU_VMM)
	@tools/run-guest $(O) --vmm qemu --firmware $(RUN_OPTIONS)

# $(call qemu_guest,NAME,OPTIONS OF tools/run-guest), $(call qemu_moves,NAME,OPTIONS OF catwalk): in the plan
qemu_guest = $(call plan,qemu/guest/$(1),260,tools/run-guest $(O) --vmm qemu --nonce --timeout 240 $(2))
qemu_moves = $(foreach how,live postcopy snapshot gdb,$(call plan,qemu/$(how)/$(1),260,tests/cli/qemu $(O) $(how) $(2)))
qemu_memory = -- -machine memory-backend=ram -object $(1),id=ram,size=1G

$(CHECK_QEMU)/plan: FORCE
	@mkdir -p $(@D) && : >$@
	$(call qemu_guest,max/2,--cpus 2)
	$(call qemu_guest,max/4-2G,--cpus 4 --memory 2048M)
	$(call qemu_guest,nofwb/2,--no-fwb --cpus 2)
	$(call qemu_guest,a76/1,--cpu cortex-a76)
	$(call qemu_guest,a76/4-on-2,--cpu cortex-a76 --cpus 4 --host-cpus 2)
	$(call qemu_guest,firmware/max/2,--firmware --cpus 2)
	$(call qemu_guest,firmware/nofwb/2,--firmware --no-fwb --cpus 2)
	$(call qemu_guest,firmware/a76/1,--firmware --cpu cortex-a76)
	$(call qemu_guest,pmu/max/2,--pmu --cpus 2)
	$(call qemu_guest,memfd/max/2,--cpus 2 --memory 1024M $(call qemu_memory,memory-backend-memfd))
	$(call qemu_guest,memfd-2M/max/2,--cpus 2 --memory 1024M $(call qemu_memory,memory-backend-memfd$(comma)hugetlb=on))
	$(call qemu_guest,memfd-2M/a76/2,--cpu cortex-a76 --cpus 2 --memory 1024M $(call qemu_memory,memory-backend-memfd$(comma)hugetlb=on))
	$(call qemu_guest,hugetlbfs/max/2,--cpus 2 --memory 1024M $(call qemu_memory,memory-backend-file$(comma)share=on$(comma)mem-path=/dev/hugepages))
	$(call plan,qemu/shell,120,tests/cli/qemu $(O) shell)
	$(call plan,qemu/ring/max/2,260,tests/cli/qemu $(O) ring --cpus 2)
	$(call qemu_moves,max/2,--cpus 2)
	$(call qemu_moves,nofwb/2,--no-fwb --cpus 2)
	$(call qemu_moves,a76/2,--cpu cortex-a76 --cpus 2)
	$(call qemu_moves,a76/1,--cpu cortex-a76)

check-qemu: $(O)/catwalk $(O)/catwalk.Image $(GUEST) $(BUSYBOX) $(TERMINAL) $(QEMU_VMM) $(CHECK_QEMU)/plan
	@tools/run-tests $(CHECK_QEMU)/logs $(CHECK_QEMU)/plan
