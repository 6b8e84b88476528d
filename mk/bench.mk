# SPDX-License-Identifier: Apache-2.0
# Measurements beside Linux's; nothing here decides whether a build is good.
.PHONY: bench
bench: $(O)/catwalk $(O)/catwalk.Image $(BENCH_PROGRAMS)
	@tools/bench $(O)
