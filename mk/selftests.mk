# SPDX-License-Identifier: Apache-2.0
# The KVM selftests of Debian's linux-source-6.12, unmodified, as static arm64 programs in
# $(O)/selftests. Unpacked and built once; nothing of them is in this tree.
LINUX_TAR  ?= /usr/src/linux-source-6.12.tar.xz
SELFTESTS  := $(O)/selftests/.stamp

$(SELFTESTS): tools/build-selftests | $(setup)
	$(call say,BUILD,KVM selftests)
	$(Q)CROSS_COMPILE=$(CROSS_COMPILE) tools/build-selftests $(LINUX_TAR) $(O)
	@touch $@

.PHONY: selftests
selftests: $(SELFTESTS)
