/* SPDX-License-Identifier: Apache-2.0 */
/* Why guests were left, counted for each vCPU by its own thread. */
#ifndef KVM_COUNTERS_H
#define KVM_COUNTERS_H

#include "engine/types.h"

/* X(name): the exits that the report names. */
#define EXIT_REASONS(X)                                                                            \
	X(irq)                                                                                     \
	X(abort_data)                                                                              \
	X(abort_fetch)                                                                             \
	X(wfi)                                                                                     \
	X(hvc)                                                                                     \
	X(smc)                                                                                     \
	X(sysreg)                                                                                  \
	X(cmo)                                                                                     \
	X(debug)                                                                                   \
	X(serror)                                                                                  \
	X(undefined)

enum exit_reason {
#define X(name) EXIT_##name,
	EXIT_REASONS(X)
#undef X
		EXIT_REASONS_COUNT,
};

struct exit_counters {
	u64 count[EXIT_REASONS_COUNT];
	u64 served_vgic; /* aborts that were accesses to the vGIC */
	u64 to_user_mmio;
	u64 to_user_signal;
	u64 to_user_other;
	u64 runs; /* KVM_RUN calls */
};

#endif
