# SPDX-License-Identifier: Apache-2.0
# The guest that our VMM boots: Debian's arm64 cloud kernel, and an initramfs of its modules and busybox.
GUEST := $(O)/guest/initramfs

$(GUEST): tools/build-guest tools/fetch-arm64 vmm/guest/init $(GUEST_PROGRAMS) | $(setup)
	$(call say,GUEST,$@)
	$(Q)tools/build-guest $(O)

.PHONY: guest
guest: $(GUEST)

# --- make run -------------------------------------------------------------------------------------
# DEVICE=coherent, CPU=MODEL, CPUS=N (vCPUs), MEMORY=512M, HOST=linux, cpu.fwb=off: as tools/run-guest has them.
RUN_OPTIONS = $(if $(DEVICE),--device $(DEVICE)) $(if $(CPU),--cpu $(CPU)) $(if $(CPUS),--cpus $(CPUS)) \
	$(if $(MEMORY),--memory $(MEMORY)) $(if $(HOST),--host $(HOST)) $(if $(filter off,$(cpu.fwb)),--no-fwb)
RUN_REPORT := $(O)/run/guest.report

.PHONY: run run-programs
run: $(O)/catwalk $(O)/catwalk.Image $(VMM) $(GUEST)
	@mkdir -p $(dir $(RUN_REPORT))
	@rm -f $(RUN_REPORT)
	@tools/run-guest $(O) --report $(RUN_REPORT) $(RUN_OPTIONS)
	@[ "$(HOST)" = linux ] || tools/sum-reports $(RUN_REPORT)

run-programs: $(O)/catwalk $(O)/catwalk.Image $(VMM_DEMO) $(SELFTESTS)
	@tools/run-demo $(O) tests/target/run.tbl
