# SPDX-License-Identifier: Apache-2.0
# make install PREFIX=DIR DESTDIR=ROOT: the program, the kernel it boots, its manual page and the
# shell's completion. `make uninstall` takes away the same files.
PREFIX  ?= /usr/local
DESTDIR ?=

INSTALLED := bin/catwalk lib/catwalk/catwalk.Image lib/catwalk/catwalk.elf share/man/man1/catwalk.1 \
	share/bash-completion/completions/catwalk

$(O)/catwalk.1: tools/make-manual $(O)/catwalk
	$(call say,MAN,$@)
	$(Q)tools/make-manual $(O)/catwalk >$@

.PHONY: install uninstall
install: $(O)/catwalk $(O)/catwalk.Image $(O)/catwalk.1
	$(Q)install -D -m 755 $(O)/catwalk $(DESTDIR)$(PREFIX)/bin/catwalk
	$(Q)install -D -m 644 $(O)/catwalk.Image $(DESTDIR)$(PREFIX)/lib/catwalk/catwalk.Image
	$(Q)install -D -m 644 $(O)/catwalk.elf $(DESTDIR)$(PREFIX)/lib/catwalk/catwalk.elf
	$(Q)install -D -m 644 $(O)/catwalk.1 $(DESTDIR)$(PREFIX)/share/man/man1/catwalk.1
	$(Q)install -D -m 644 tools/completion.bash $(DESTDIR)$(PREFIX)/share/bash-completion/completions/catwalk
	@echo 'installed in $(DESTDIR)$(PREFIX): $(INSTALLED)'

uninstall:
	$(Q)rm -f $(INSTALLED:%=$(DESTDIR)$(PREFIX)/%)
	$(Q)rmdir --ignore-fail-on-non-empty $(DESTDIR)$(PREFIX)/lib/catwalk 2>/dev/null || true
