/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Waiting for a spin lock. Under an emulator or hypervisor the holder, or the waiter whose turn it
 * is, may not be running at all, and spinning then takes the very time they need. So who has waited
 * for long sleeps for a moment at a time: this CPU's timer is borrowed, whose interrupt ends WFI
 * though it is masked, and goes away unacknowledged when the timer gets its own deadline back.
 */
#include "arm64.h"
#include "sysreg.h"

/* Looks at the lock before sleeping: a few times what a critical section takes. */
#define PATIENCE 256
/* 2^-14 s, some 60 us; about what a host's scheduler makes of any short sleep. */
#define DOZE_SHIFT 14
#define CTL_ENABLE 1

static void doze(void)
{
	u64 deadline = read_sysreg(cntp_cval_el0);
	u64 control = read_sysreg(cntp_ctl_el0) & CTL_ENABLE;
	u64 wake = read_sysreg(cntpct_el0) + (read_sysreg(cntfrq_el0) >> DOZE_SHIFT);

	if (!control || deadline > wake)
		write_sysreg(cntp_cval_el0, wake);
	write_sysreg(cntp_ctl_el0, CTL_ENABLE);
	isb();
	__asm__ volatile("wfi" ::: "memory");
	write_sysreg(cntp_ctl_el0, control);
	write_sysreg(cntp_cval_el0, deadline);
	isb();
}

/* WFE returns at once when the owner changes: the exclusive load has armed the monitor. */
static u16 read_owner_or_wait(struct spinlock *l, u16 ticket)
{
	u32 owner;

	__asm__ volatile("	ldaxrh	%w0, %1\n"
			 "	cmp	%w0, %w2\n"
			 "	b.eq	1f\n"
			 "	wfe\n"
			 "1:\n"
			 : "=&r"(owner)
			 : "Q"(l->owner), "r"((u32)ticket)
			 : "cc", "memory");
	return (u16)owner;
}

void arm64_spin_wait(struct spinlock *l, u16 ticket)
{
	unsigned int looks = 0;

	while (read_owner_or_wait(l, ticket) != ticket) {
		if (++looks % PATIENCE == 0)
			doze();
	}
}
