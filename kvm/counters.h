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
	X(wfe)                                                                                     \
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

/* What a vCPU's thread does: the exit it handles, or one of these (kvm/costs.h). */
#define TIME_SPENT(X)                                                                              \
	X(vgic)	 /* an abort that is an access to the vGIC */                                      \
	X(guest) /* the guest runs */                                                              \
	X(run)	 /* KVM_RUN, beside exits */                                                       \
	X(user)	 /* what the VMM's thread does between two KVM_RUN */

enum time_spent {
#define X(name) TIME_##name,
	TIME_first = EXIT_REASONS_COUNT - 1,
	TIME_SPENT(X)
#undef X
		TIME_SPENT_COUNT,
};

struct exit_counters {
	u64 count[EXIT_REASONS_COUNT];
	u64 served_vgic; /* aborts that were accesses to the vGIC */
	u64 to_user_mmio;
	u64 to_user_signal;
	u64 to_user_other;
	u64 runs;	 /* KVM_RUN calls */
	u64 all;	 /* returns from the guest, of every kind */
	u64 mmio_kernel; /* accesses without memory that the kernel served */
	u64 served_ctr;	 /* of totals only: guest_cpu.ctr_reads */

	/* With kvm.costs=on: ticks of the counter, by enum exit_reason or time_spent */
	u64 time[TIME_SPENT_COUNT];
	u64 since;	    /* when @doing began; 0: no KVM_RUN yet */
	unsigned int doing; /* the index of what goes on */
};

static inline void exit_count(struct exit_counters *e, enum exit_reason why)
{
	e->count[why]++;
	e->doing = why;
}

#endif
