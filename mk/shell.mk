# SPDX-License-Identifier: Apache-2.0
# What `catwalk shell` runs: Debian's busybox-static for arm64, unpacked beside the catwalk program.
BUSYBOX := $(O)/arm64/busybox-static/bin/busybox

$(BUSYBOX): tools/fetch-arm64 | $(setup)
	$(call say,FETCH,$@)
	$(Q)tools/fetch-arm64 $(O)/arm64 busybox-static >/dev/null
	@touch $@

.PHONY: busybox shell
busybox: $(BUSYBOX)
shell: $(O)/catwalk $(O)/catwalk.Image $(BUSYBOX) $(VMM_DEMO)
	@$(O)/catwalk shell $(VMM_DEMO)

# Types on a terminal and reads what is shown, for the tests.
TERMINAL := $(O)/native/tests/cli/terminal
$(TERMINAL): tests/cli/terminal.c
	@mkdir -p $(@D)
	$(call say,LINK,$@)
	$(Q)$(HOSTCC) -std=gnu11 -O2 -g $(WARNINGS) -I. -o $@ $< -lutil
