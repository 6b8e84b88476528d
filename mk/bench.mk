# SPDX-License-Identifier: Apache-2.0
# Measurements beside Linux's. Those of the whole machine decide nothing; those of bench/engine are
# exact, and `make check` accepts no more than bench/engine/*.tbl do.
.PHONY: bench
bench: $(O)/catwalk $(O)/catwalk.Image $(BENCH_PROGRAMS) $(VMM) $(GUEST) bench-engine
	@echo
	@tools/bench $(O)

# The engine's table code by itself, counted by callgrind on a port that does nothing, and a second program that counts
# what is asked of the machine. gcc whatever COMPILER is: the peers' figures are gcc's.
BENCH_ENGINE := $(O)/bench-engine
BENCH_ENGINE_FLAGS := -std=c11 -O2 -g $(WARNINGS) -D_DEFAULT_SOURCE= -Ibench/engine -I.
$(BENCH_ENGINE)/events: BENCH_ENGINE_FLAGS += -DBENCH_EVENTS
$(BENCH_ENGINE)/costs $(BENCH_ENGINE)/events: $(wildcard bench/engine/*.[ch] engine/*.[ch]) | $(setup)
	@mkdir -p $(@D)
	$(call say,CC,$@)
	$(Q)gcc $(BENCH_ENGINE_FLAGS) -o $@ $(filter %.c,$^)

.PHONY: bench-engine
bench-engine: $(BENCH_ENGINE)/costs $(BENCH_ENGINE)/events
	@tools/bench-engine $(O)
