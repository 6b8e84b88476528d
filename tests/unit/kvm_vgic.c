/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The vGIC's pure part: which interrupt is whose, what goes into list registers and what comes of
 * it, registers. A "guest" here acknowledges and ends what is in its list registers as the CPU
 * interface would (Arm IHI 0069, 4.1.2 and 6.4).
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "host/err.h"
#include "host/string.h"
#include "kvm/vgic.h"

enum { CPUS = 3, LRS = 4, RAM = 8 << 20 };

#define LR_EOI	    BIT(41)
#define LR_PENDING  BIT(62)
#define LR_ACTIVE   BIT(63)
#define LR_INTID(l) ((u32)(l))

#define HCR_LRENPIE  BIT(2)
#define HCR_NPIE     BIT(3)
#define HCR_VGRP0EIE BIT(4)
#define HCR_VGRP1EIE BIT(6)
#define HCR_TDIR     BIT(14)

#define ICH_HCR_TALL1 BIT(12)

/* Every group and priority is let through. */
#define VMCR_ALL (VMCR_ENG0 | VMCR_ENG1 | 0xffUL << VMCR_PMR_SHIFT)

static struct {
	struct vgic gic;
	struct vgic_cpu cpu[CPUS];
	u64 mpidr[CPUS];
	struct vgic_lrs lrs[CPUS];
	unsigned int kicks[CPUS];
} w;

static unsigned int index_of(const struct vgic_cpu *c)
{
	return (unsigned int)(c - w.cpu);
}

static void kick(struct vgic_cpu *c)
{
	w.kicks[index_of(c)]++;
}

static u32 ended[VGIC_ENDED_MAX];

static u32 leave_with(unsigned int cpu, u64 vmcr)
{
	u32 count = vgic_fold(&w.gic, &w.cpu[cpu], vmcr, &w.lrs[cpu], ended);

	w.lrs[cpu].used = 0;
	return count;
}

/* The vCPU leaves its guest; what was in the list registers is folded. */
static u32 leave(unsigned int cpu)
{
	return leave_with(cpu, VMCR_ALL);
}

static unsigned int recalls;

static void recall(struct vgic_cpu *c)
{
	recalls++;
	(void)leave(index_of(c));
}

static const struct vgic_ops ops = { .kick = kick, .recall = recall };

static void enter_with(unsigned int cpu, u64 vmcr)
{
	vgic_fill(&w.gic, &w.cpu[cpu], vmcr, LRS, &w.lrs[cpu]);
}

static void enter(unsigned int cpu)
{
	enter_with(cpu, VMCR_ALL);
}

static u64 *lr_of(unsigned int cpu, u32 intid)
{
	for (u32 i = 0; i < w.lrs[cpu].used; i++) {
		if (LR_INTID(w.lrs[cpu].lr[i]) == intid)
			return &w.lrs[cpu].lr[i];
	}
	return NULL;
}

/* The guest takes the most urgent pending one; 1023: there is none. */
static u32 acknowledge(unsigned int cpu)
{
	u64 *best = NULL;

	for (u32 i = 0; i < w.lrs[cpu].used; i++) {
		u64 *lr = &w.lrs[cpu].lr[i];

		if ((*lr & LR_PENDING) && (!best || (*lr >> 48 & 0xff) < (*best >> 48 & 0xff)))
			best = lr;
	}
	if (!best)
		return 1023;
	*best = (*best & ~LR_PENDING) | LR_ACTIVE;
	return LR_INTID(*best);
}

/* EOImode 0: what is in no list register is counted. */
static void end(unsigned int cpu, u32 intid)
{
	u64 *lr = lr_of(cpu, intid);

	if (lr && (*lr & LR_ACTIVE))
		*lr &= ~LR_ACTIVE;
	else
		w.lrs[cpu].hcr += 1UL << 27;
}

static int setup(void **state)
{
	(void)state;
	model_host_boot(RAM);
	memset(&w, 0, sizeof(w));
	recalls = 0;
	vgic_init(&w.gic, &ops, NULL);
	for (u32 i = 0; i < CPUS; i++) {
		w.mpidr[i] = BIT(31) | i;
		vgic_cpu_init(&w.gic, &w.cpu[i], i, &w.mpidr[i]);
	}
	assert_int_equal(vgic_start(&w.gic, 64 - VGIC_PRIVATE), 0);
	w.gic.enabled = 3;
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	vgic_destroy(&w.gic);
	model_host_off();
	return 0;
}

static struct vgic_access at(enum vgic_frame frame, unsigned int cpu, u32 offset, u32 len)
{
	return (struct vgic_access){ frame, &w.cpu[cpu], VGIC_BY_GUEST, offset, len };
}

static u64 dist_read(u32 offset, u32 len)
{
	struct vgic_access a = at(VGIC_FRAME_DIST, 0, offset, len);

	return vgic_read(&w.gic, &a);
}

static void dist_write(u32 offset, u32 len, u64 value)
{
	struct vgic_access a = at(VGIC_FRAME_DIST, 0, offset, len);

	vgic_write(&w.gic, &a, value);
}

static void enable(u32 intid, enum vgic_trigger trigger, u8 priority)
{
	struct vgic_irq *irq = vgic_find(&w.gic, &w.cpu[0], intid);

	irq->enabled = true;
	irq->trigger = (u8)trigger;
	irq->priority = priority;
}

static void raise(u32 intid)
{
	assert_int_equal(vgic_line(&w.gic, &w.cpu[0], intid, true), 0);
}

static void lower(u32 intid)
{
	assert_int_equal(vgic_line(&w.gic, &w.cpu[0], intid, false), 0);
}

/* ---- one interrupt */

static void an_edge_is_taken_once(void **state)
{
	(void)state;
	enable(40, VGIC_EDGE, 0x80);
	raise(40);
	assert_int_equal(w.kicks[0], 1);
	assert_false(vgic_is_idle(&w.cpu[0]));
	assert_true(vgic_has_pending(&w.gic, &w.cpu[0], VMCR_ALL));
	enter(0);
	assert_int_equal(w.lrs[0].used, 1);
	assert_int_equal(w.lrs[0].lr[0], 40 | 0x80UL << 48 | BIT(60) | LR_PENDING);
	assert_int_equal(acknowledge(0), 40);
	leave(0);
	assert_int_equal(dist_read(0x304, 4), 1 << 8); /* active */
	assert_int_equal(dist_read(0x204, 4), 0);
	enter(0);
	end(0, 40);
	leave(0);
	assert_true(vgic_is_idle(&w.cpu[0]));
	assert_int_equal(dist_read(0x304, 4), 0);
}

/* An edge that comes while the vCPU runs with the last one in a list register is not lost. */
static void an_edge_while_running_is_kept(void **state)
{
	(void)state;
	enable(40, VGIC_EDGE, 0x80);
	raise(40);
	enter(0);
	assert_int_equal(acknowledge(0), 40);
	w.kicks[0] = 0;
	raise(40);
	assert_int_equal(w.kicks[0], 1); /* or the guest would end it and never know */
	end(0, 40);
	leave(0);
	enter(0);
	assert_int_equal(acknowledge(0), 40);
	end(0, 40);
	leave(0);
	assert_true(vgic_is_idle(&w.cpu[0]));
}

/* One that was not acknowledged stays pending across exits, and is one. */
static void what_is_not_taken_stays(void **state)
{
	(void)state;
	enable(40, VGIC_EDGE, 0x80);
	raise(40);
	for (int i = 0; i < 3; i++) {
		enter(0);
		leave(0);
	}
	enter(0);
	assert_int_equal(acknowledge(0), 40);
	assert_int_equal(acknowledge(0), 1023);
	end(0, 40);
	leave(0);
	assert_true(vgic_is_idle(&w.cpu[0]));
}

static void a_level_is_taken_while_it_is_high(void **state)
{
	(void)state;
	enable(41, VGIC_LEVEL, 0x80);
	raise(41);
	enter(0);
	assert_true(w.lrs[0].lr[0] & LR_EOI);
	assert_int_equal(acknowledge(0), 41);
	leave(0);
	enter(0);
	/* Active and the line high: not pending again before it ends. */
	assert_int_equal(w.lrs[0].lr[0] & (LR_PENDING | LR_ACTIVE), LR_ACTIVE);
	end(0, 41);
	assert_int_equal(leave(0), 1);
	assert_int_equal(ended[0], 41);
	enter(0);
	assert_int_equal(acknowledge(0), 41);
	lower(41);
	end(0, 41);
	leave(0);
	assert_true(vgic_is_idle(&w.cpu[0]));
}

/* The line falls before it was acknowledged: nothing is left. */
static void a_level_that_falls_is_gone(void **state)
{
	(void)state;
	enable(41, VGIC_LEVEL, 0x80);
	raise(41);
	enter(0);
	w.kicks[0] = 0;
	lower(41);
	assert_int_equal(w.kicks[0], 1);
	leave(0);
	enter(0);
	assert_int_equal(w.lrs[0].used, 0);
	assert_true(vgic_is_idle(&w.cpu[0]));
}

/* What a guest could acknowledge now, and that it can be made to trap when it does. */
static void what_is_offered(void **state)
{
	(void)state;
	enable(41, VGIC_LEVEL, 0x80);
	enable(42, VGIC_LEVEL, 0x90);
	raise(41);
	raise(42);
	enter(0);
	assert_true(vgic_offers(&w.lrs[0], 41));
	assert_true(vgic_offers(&w.lrs[0], 42));
	assert_false(vgic_offers(&w.lrs[0], 43));
	assert_int_equal(acknowledge(0), 41);
	assert_false(vgic_offers(&w.lrs[0], 41));
	assert_int_equal(w.lrs[0].hcr & ICH_HCR_TALL1, 0);
	vgic_trap_acknowledge(&w.lrs[0]);
	assert_int_equal(w.lrs[0].hcr & ICH_HCR_TALL1, ICH_HCR_TALL1);
	leave(0);
	enter(0);
	assert_int_equal(w.lrs[0].hcr & ICH_HCR_TALL1, 0);
}

/* A write of ISPENDR to a level-triggered one lasts until it is acknowledged. */
static void a_written_pending_is_latched(void **state)
{
	(void)state;
	enable(41, VGIC_LEVEL, 0x80);
	dist_write(0x204, 4, 1 << 9);
	assert_int_equal(dist_read(0x204, 4), 1 << 9);
	enter(0);
	assert_int_equal(acknowledge(0), 41);
	end(0, 41);
	leave(0);
	assert_int_equal(dist_read(0x204, 4), 0);
	assert_true(vgic_is_idle(&w.cpu[0]));
	/* And ICPENDR takes it back, but not the line. */
	dist_write(0x204, 4, 1 << 9);
	raise(41);
	dist_write(0x284, 4, 1 << 9);
	assert_int_equal(dist_read(0x204, 4), 1 << 9);
	lower(41);
	assert_int_equal(dist_read(0x204, 4), 0);
}

/* ---- many */

static void the_most_urgent_go_first(void **state)
{
	(void)state;
	for (u32 i = 0; i < 10; i++) {
		enable(40 + i, VGIC_EDGE, (u8)(0x98 - 8 * i));
		raise(40 + i);
	}
	for (u32 i = 0; i < 10; i++) {
		enter(0);
		assert_int_equal(w.lrs[0].used, min(LRS, 10 - i));
		/* Those outside are asked for when none of these is pending. */
		assert_int_equal(!!(w.lrs[0].hcr & HCR_NPIE), 10 - i > LRS);
		assert_int_equal(acknowledge(0), 49 - i);
		end(0, 49 - i);
		leave(0);
	}
	assert_true(vgic_is_idle(&w.cpu[0]));
}

/* Nested as deep as there are priorities: the ends of those outside are counted. */
static void active_ones_outside_are_ended(void **state)
{
	(void)state;
	for (u32 i = 0; i < 8; i++) {
		enable(40 + i, VGIC_EDGE, (u8)(0x98 - 8 * i));
		raise(40 + i);
		enter(0);
		assert_int_equal(acknowledge(0), 40 + i);
		leave(0);
	}
	for (u32 i = 8; i-- > 0;) {
		enter(0);
		assert_int_equal(!!(w.lrs[0].hcr & HCR_LRENPIE), i >= LRS);
		end(0, 40 + i);
		leave(0);
		assert_int_equal(dist_read(0x304, 4) & 0xff00, (BIT(i) - 1) << 8);
	}
	assert_true(vgic_is_idle(&w.cpu[0]));
}

/* Two are outside: of these the more urgent ends first, wherever it is on the list. */
static void counted_ends_go_by_urgency(void **state)
{
	(void)state;
	for (u32 i = 0; i < 6; i++)
		enable(40 + i, VGIC_EDGE, i == 0 ? 0x90 : i == 1 ? 0x98 : 0x40);
	dist_write(0x304, 4, 0x3f00); /* as if restored */
	enter(0);
	assert_int_equal(w.lrs[0].used, LRS);
	for (u32 i = 2; i < 6; i++)
		end(0, 40 + i);
	end(0, 40);
	leave(0);
	assert_int_equal(dist_read(0x304, 4), 1 << 9);
}

/* EOImode 1: deactivation outside list registers traps, in any order. */
static void deactivation_is_exact_when_it_traps(void **state)
{
	(void)state;
	for (u32 i = 0; i < 6; i++) {
		enable(40 + i, VGIC_EDGE, 0x80);
		raise(40 + i);
		enter(0);
		assert_int_equal(acknowledge(0), 40 + i); /* one always has a place */
		leave_with(0, VMCR_ALL | VMCR_EOIM);
	}
	enter(0);
	assert_true(w.lrs[0].hcr & HCR_TDIR);
	/* A drop of priority deactivates nothing, though the CPU has counted it. */
	w.lrs[0].hcr += 3UL << 27;
	leave_with(0, VMCR_ALL | VMCR_EOIM);
	assert_int_equal(dist_read(0x304, 4), 0x3f00);
	assert_false(vgic_deactivate(&w.gic, &w.cpu[0], 42));
	assert_int_equal(dist_read(0x304, 4), 0x3b00);
	assert_false(vgic_deactivate(&w.gic, &w.cpu[0], 99999)); /* none */
	assert_false(vgic_deactivate(&w.gic, &w.cpu[1], 43));	 /* acknowledged by another */
	assert_int_equal(dist_read(0x304, 4), 0x3300);
}

/* With several vCPUs it always traps, as another may have the interrupt in a list register. */
static void deactivation_reaches_other_vcpus(void **state)
{
	(void)state;
	enable(40, VGIC_LEVEL, 0x80);
	raise(40);
	enter(0);
	assert_true(w.lrs[0].hcr & HCR_TDIR);
	assert_int_equal(acknowledge(0), 40);
	assert_true(vgic_deactivate(&w.gic, &w.cpu[1], 40));
	assert_int_equal(recalls, 1);
	assert_int_equal(dist_read(0x304, 4), 0);
	enter(0); /* its line is still high */
	assert_int_equal(acknowledge(0), 40);
	leave(0);
	/* Private ones are everybody's own. */
	w.cpu[0].private[20].active = true;
	vgic_irq_changed(&w.gic, &w.cpu[0].private[20]);
	assert_false(vgic_deactivate(&w.gic, &w.cpu[1], 20));
	assert_true(w.cpu[0].private[20].active);
	assert_false(vgic_deactivate(&w.gic, &w.cpu[0], 20));
	assert_false(w.cpu[0].private[20].active);
}

/* Who asked to hear of the end of each hears of all. */
static void every_end_is_reported(void **state)
{
	(void)state;
	for (u32 i = 32; i < 64; i++)
		enable(i, VGIC_LEVEL, 0x80);
	dist_write(0x304, 4, ~0U);
	enter(0);
	for (u32 i = 32; i < 63; i++)
		end(0, i);
	assert_int_equal(leave(0), 31);
	assert_int_equal(__builtin_popcount((u32)dist_read(0x304, 4)), 1);
}

/* ---- masks */

static void masked_ones_are_not_delivered(void **state)
{
	u64 low = VMCR_ENG1 | 0x80UL << VMCR_PMR_SHIFT;

	(void)state;
	enable(40, VGIC_EDGE, 0x80);
	raise(40);
	assert_false(vgic_has_pending(&w.gic, &w.cpu[0], low)); /* not more urgent than the mask */
	assert_false(vgic_has_pending(&w.gic, &w.cpu[0], VMCR_ALL & ~VMCR_ENG1));
	assert_true(vgic_has_pending(&w.gic, &w.cpu[0], VMCR_ALL));
	w.kicks[0] = 0;
	dist_write(0, 4, 1); /* group 1 off */
	assert_int_equal(w.kicks[0], 1);
	assert_false(vgic_has_pending(&w.gic, &w.cpu[0], VMCR_ALL));
	enter(0);
	assert_int_equal(w.lrs[0].used, 0);
	leave(0);
	dist_write(0, 4, 2);
	assert_true(vgic_has_pending(&w.gic, &w.cpu[0], VMCR_ALL));
	dist_write(0x184, 4, 1 << 8); /* disabled */
	assert_true(vgic_is_idle(&w.cpu[0]));
	dist_write(0x104, 4, 1 << 8);
	assert_false(vgic_is_idle(&w.cpu[0]));
}

/* Those of a group that the guest has disabled leave the list registers to the others. */
static void a_disabled_group_comes_last(void **state)
{
	const u64 group_1 = VMCR_ALL & ~VMCR_ENG0;

	(void)state;
	for (u32 i = 40; i < 50; i++) {
		enable(i, VGIC_EDGE, i < 46 ? 0x10 : 0x80);
		vgic_find(&w.gic, NULL, i)->group = i >= 46;
		raise(i);
	}
	enter_with(0, group_1);
	for (u32 i = 46; i < 50; i++)
		assert_non_null(lr_of(0, i));
	/* None of the others is asked for until the guest enables their group. */
	assert_int_equal(w.lrs[0].hcr & (HCR_NPIE | HCR_VGRP0EIE | HCR_VGRP1EIE), HCR_VGRP0EIE);
	assert_true(acknowledge(0) >= 46);
	end(0, 46);
	leave_with(0, group_1);
	/* With room they are there: enabling is not seen otherwise. */
	enter_with(0, group_1);
	assert_int_equal(w.lrs[0].used, LRS);
	leave_with(0, group_1);
	enter(0);
	assert_int_equal(acknowledge(0), 40);
	assert_true(w.lrs[0].hcr & HCR_NPIE);
	assert_false(w.lrs[0].hcr & (HCR_VGRP0EIE | HCR_VGRP1EIE));
	leave(0);
}

/* However many wait: an entry looks at few of them. */
static void an_entry_looks_at_few(void **state)
{
	struct vgic_irq *irq;
	u32 touched = 0;

	(void)state;
	for (u32 i = 32; i < 64; i++) {
		enable(i, VGIC_EDGE, i < 60 ? 0x80 : 0x40);
		raise(i);
	}
	/* The last of the list is not looked at: it may be nonsense. */
	irq = TAILQ_LAST(&w.cpu[0].lists[VGIC_PENDING_1][0x10], vgic_list);
	irq->priority = 0;
	enter(0);
	for (u32 i = 60; i < 64; i++)
		touched += lr_of(0, i) != NULL;
	assert_int_equal(touched, 4);
	irq->priority = 0x80;
	leave(0);
}

/* A write of its priority may make it more urgent than the mask of one that sleeps. */
static void a_priority_that_rises_is_told(void **state)
{
	(void)state;
	enable(40, VGIC_EDGE, 0xf0);
	raise(40);
	w.kicks[0] = 0;
	dist_write(0x428, 1, 0x20);
	assert_int_equal(w.kicks[0], 1);
	assert_true(vgic_has_pending(&w.gic, &w.cpu[0], VMCR_ENG1 | 0x80UL << VMCR_PMR_SHIFT));
}

/* Disabled while it is in a running vCPU's list register: not delivered from the next entry on. */
static void disabling_reaches_a_running_vcpu(void **state)
{
	(void)state;
	enable(40, VGIC_EDGE, 0x80);
	raise(40);
	enter(0);
	w.kicks[0] = 0;
	dist_write(0x184, 4, 1 << 8);
	assert_int_equal(w.kicks[0], 1);
	leave(0);
	enter(0);
	assert_int_equal(w.lrs[0].used, 0);
	leave(0);
	assert_int_equal(dist_read(0x204, 4), 1 << 8); /* pending all the same */
}

/* Taken back while it is in a running vCPU's list register, and not acknowledged there. */
static void clearing_reaches_a_running_vcpu(void **state)
{
	(void)state;
	enable(40, VGIC_EDGE, 0x80);
	raise(40);
	enter(0);
	dist_write(0x284, 4, 1 << 8);
	leave(0);
	assert_true(vgic_is_idle(&w.cpu[0]));
	assert_int_equal(dist_read(0x204, 4), 0);
}

/* ---- targets */

static void sgis_reach_their_targets(void **state)
{
	(void)state;
	for (unsigned int i = 0; i < CPUS; i++)
		w.cpu[i].private[3].enabled = w.cpu[i].private[4].enabled = true;
	vgic_sgi(&w.gic, &w.cpu[0], 3UL << 24 | 1 << 2, 1);
	assert_int_equal(w.kicks[0] + w.kicks[1], 0);
	assert_int_equal(w.kicks[2], 1);
	vgic_sgi(&w.gic, &w.cpu[0], BIT(40) | 4UL << 24, 1);
	assert_true(vgic_is_idle(&w.cpu[0]));
	assert_true(vgic_has_pending(&w.gic, &w.cpu[1], VMCR_ALL));
	/* Group 1 is not raised by the registers of group 0. */
	vgic_sgi(&w.gic, &w.cpu[1], 3UL << 24 | 1 << 0, 0);
	assert_true(vgic_is_idle(&w.cpu[0]));
	w.cpu[0].private[3].group = 0;
	vgic_sgi(&w.gic, &w.cpu[1], 3UL << 24 | 1 << 0, 0);
	assert_false(vgic_is_idle(&w.cpu[0]));
	/* Nobody is there. */
	vgic_sgi(&w.gic, &w.cpu[1], 3UL << 24 | 7UL << 16 | 0xffff, 1);
	vgic_sgi(&w.gic, &w.cpu[1], ~0UL & ~BIT(40), 1);
}

static void a_route_moves_what_is_pending(void **state)
{
	(void)state;
	enable(40, VGIC_EDGE, 0x80);
	raise(40);
	w.kicks[1] = 0;
	dist_write(0x6000 + 8 * 40, 8, 1);
	assert_true(vgic_is_idle(&w.cpu[0]));
	assert_int_equal(w.kicks[1], 1);
	enter(1);
	assert_int_equal(acknowledge(1), 40);
	leave(1);
	/* An active one stays where it is handled. */
	dist_write(0x6000 + 8 * 40, 8, 2);
	assert_true(vgic_is_idle(&w.cpu[2]));
	enter(1);
	end(1, 40);
	leave(1);
	raise(40);
	assert_false(vgic_is_idle(&w.cpu[2]));
	/* A route to nobody keeps it pending, and a later one finds it. */
	dist_write(0x6000 + 8 * 40, 8, 0x55);
	assert_true(vgic_is_idle(&w.cpu[2]));
	dist_write(0x6000 + 8 * 40, 8, 0);
	assert_false(vgic_is_idle(&w.cpu[0]));
}

/* In a list register of a vCPU that runs while its route changes. */
static void a_route_changes_while_it_runs(void **state)
{
	(void)state;
	enable(40, VGIC_EDGE, 0x80);
	raise(40);
	enter(0);
	dist_write(0x6000 + 8 * 40, 8, 1);
	leave(0);
	assert_true(vgic_is_idle(&w.cpu[0]));
	enter(1);
	assert_int_equal(acknowledge(1), 40);
	leave(1);
}

/* ---- state of running vCPUs */

static void active_state_of_a_running_vcpu_is_recalled(void **state)
{
	(void)state;
	enable(40, VGIC_EDGE, 0x80);
	raise(40);
	enter(1);
	dist_write(0x6000 + 8 * 40, 8, 1);
	enter(0);
	leave(0);
	enter(1);
	assert_int_equal(acknowledge(1), 40);
	assert_int_equal(dist_read(0x304, 4), 1 << 8);
	assert_int_equal(recalls, 1);
	assert_int_equal(dist_read(0x304, 4), 1 << 8); /* nothing is in list registers now */
	assert_int_equal(recalls, 1);
}

static void a_written_active_state_wins(void **state)
{
	(void)state;
	enable(40, VGIC_EDGE, 0x80);
	raise(40);
	enter(0);
	assert_int_equal(acknowledge(0), 40);
	dist_write(0x384, 4, 1 << 8); /* ICACTIVER, by another vCPU */
	leave(0);
	assert_int_equal(dist_read(0x304, 4), 0);
	assert_true(vgic_is_idle(&w.cpu[0]));
	dist_write(0x304, 4, 1 << 8);
	assert_false(vgic_is_idle(&w.cpu[0]));
	enter(0);
	assert_int_equal(w.lrs[0].lr[0] & (LR_ACTIVE | LR_PENDING), LR_ACTIVE);
	leave(0);
}

/* vCPUs created in another order, none of which has its MPIDR_EL1 yet. */
static void spis_go_to_vcpu_0_first(void **state)
{
	static const u32 ids[CPUS] = { 2, 0, 1 };

	(void)state;
	vgic_destroy(&w.gic);
	memset(&w, 0, sizeof(w));
	vgic_init(&w.gic, &ops, NULL);
	for (u32 i = 0; i < CPUS; i++)
		vgic_cpu_init(&w.gic, &w.cpu[i], ids[i], &w.mpidr[i]);
	assert_int_equal(vgic_start(&w.gic, 32), 0);
	assert_ptr_equal(vgic_find(&w.gic, NULL, 40)->target, &w.cpu[1]);
}

/* ---- registers */

static void any_access_is_harmless(void **state)
{
	static const u32 lens[] = { 1, 2, 4, 8 };

	(void)state;
	srand(1);
	for (u32 i = 0; i < 200000; i++) {
		enum vgic_frame frame = rand() & 1 ? VGIC_FRAME_DIST : VGIC_FRAME_REDIST;
		u32 size = frame == VGIC_FRAME_DIST ? VGIC_DIST_SIZE : VGIC_REDIST_SIZE;
		struct vgic_access a =
			at(frame, (u32)rand() % CPUS, (u32)rand() % size, lens[rand() % 4]);
		u64 value = (u64)rand() << 32 ^ (u64)rand();
		unsigned int cpu = (unsigned int)rand() % CPUS;

		a.by = rand() & 7 ? VGIC_BY_GUEST : VGIC_BY_USER;
		if (rand() & 1)
			vgic_write(&w.gic, &a, value);
		else
			(void)vgic_read(&w.gic, &a);
		if (rand() % 16 == 0) {
			/* All is in memory when a register is accessed in this test. */
			enter(cpu);
			(void)acknowledge(cpu);
			if (rand() & 1)
				end(cpu, acknowledge(cpu));
			leave(cpu);
		}
		if (rand() % 4 == 0)
			(void)vgic_line(&w.gic, &w.cpu[cpu], (u32)rand() % 80, rand() & 1);
	}
}

static u32 check_list(struct vgic_cpu *c, u8 kind, u8 urgency)
{
	struct vgic_irq *irq;
	u32 n = 0;

	TAILQ_FOREACH (irq, &c->lists[kind][urgency], link) {
		assert_true(irq->on == c);
		assert_int_equal(irq->priority >> 3, urgency);
		assert_true(irq->active || (irq->enabled && vgic_irq_is_pending(irq)));
		assert_int_equal(irq->active ? VGIC_ACTIVE : VGIC_PENDING_0 + irq->group, kind);
		n++;
	}
	assert_int_equal(!!(c->filled[kind] >> urgency & 1), n > 0);
	return n;
}

/* Each list holds what belongs to it and nothing else, however that came about. */
static void lists_hold_what_belongs_to_them(void **state)
{
	any_access_is_harmless(state);
	for (u32 c = 0; c < CPUS; c++) {
		u32 n = 0;

		enter(c);
		leave(c);
		for (u32 i = 0; i < VGIC_LIST_KINDS * VGIC_URGENCIES; i++)
			n += check_list(&w.cpu[c], (u8)(i / VGIC_URGENCIES),
					(u8)(i % VGIC_URGENCIES));
		assert_int_equal(n, w.cpu[c].listed);
	}
	for (u32 i = 32; i < 64; i++) {
		const struct vgic_irq *irq = vgic_find(&w.gic, NULL, i);

		if (irq->enabled && vgic_irq_is_pending(irq) && irq->target)
			assert_non_null(irq->on);
	}
}

static void registers_that_are_not_there(void **state)
{
	struct vgic_access a = at(VGIC_FRAME_DIST, 0, 0x5000, 4);

	(void)state;
	assert_false(vgic_has_register(&a));
	a.offset = 0;
	assert_true(vgic_has_register(&a));
	a.offset = 2;
	assert_false(vgic_has_register(&a));
	assert_int_equal(dist_read(0x100, 4), 0); /* private interrupts are elsewhere */
	dist_write(0x100, 4, ~0U);
	assert_false(w.cpu[0].private[31].enabled);
	assert_int_equal(vgic_set_revision(&w.gic, 0x4b00243b), 0);
	assert_int_equal(vgic_set_revision(&w.gic, 0x4b00043b), -EINVAL);
	assert_int_equal(vgic_set_revision(&w.gic, 0x4c00243b), -EINVAL);
}

/* ---- frames */

static void frames_are_found(void **state)
{
	struct vgic_access a = { .cpu = &w.cpu[0] };
	const u64 limit = 1UL << 40;

	(void)state;
	assert_int_equal(vgic_placement_check(&w.gic, limit), -ENXIO);
	assert_int_equal(vgic_place_dist(&w.gic, 0x8001000, limit), -EINVAL);
	assert_int_equal(vgic_place_dist(&w.gic, limit, limit), -E2BIG);
	assert_int_equal(vgic_place_dist(&w.gic, ~0xffffUL, limit), -E2BIG);
	assert_int_equal(vgic_place_dist(&w.gic, 0x8000000, limit), 0);
	assert_int_equal(vgic_place_dist(&w.gic, 0x8000000, limit), -EEXIST);
	assert_int_equal(vgic_place_redists(&w.gic, 0x7ff0000, 1, 0, limit), -EINVAL);
	assert_int_equal(vgic_place_redists(&w.gic, 0x80a0000, 2, 1, limit), -EINVAL);
	assert_int_equal(vgic_place_redists(&w.gic, 0x80a0000, 2, 0, limit), 0);
	assert_int_equal(vgic_placement_check(&w.gic, limit), -ENXIO);
	assert_int_equal(vgic_place_redists(&w.gic, 0x80c0000, 2, 1, limit), -EINVAL);
	assert_int_equal(vgic_place_redists(&w.gic, 0x80e0000, 2, 1, limit), 0);
	assert_int_equal(vgic_place_all_redists(&w.gic, 0x9000000, limit), -EINVAL);
	assert_int_equal(vgic_placement_check(&w.gic, limit), 0);
	assert_int_equal(vgic_placement_check(&w.gic, 0x8100000), -EINVAL);
	assert_true(vgic_find_frame(&w.gic, 0x8000004, 4, &a));
	assert_int_equal(a.frame, VGIC_FRAME_DIST);
	assert_int_equal(a.offset, 4);
	assert_true(vgic_find_frame(&w.gic, 0x80c0008, 8, &a));
	assert_int_equal(a.frame, VGIC_FRAME_REDIST);
	assert_ptr_equal(a.cpu, &w.cpu[1]);
	assert_int_equal(a.offset, 8);
	/* The last, and the place of one that does not exist. */
	assert_true(vgic_find_frame(&w.gic, 0x80fffff, 1, &a));
	assert_ptr_equal(a.cpu, &w.cpu[2]);
	assert_false(vgic_find_frame(&w.gic, 0x8100000, 4, &a));
	assert_false(vgic_find_frame(&w.gic, 0x809fffc, 4, &a));
	assert_false(vgic_find_frame(&w.gic, 0x8010000, 4, &a));
	/* A full region is followed by the next: its last one is not the end of the row. */
	assert_false(vgic_is_last(&w.cpu[0]));
	assert_false(vgic_is_last(&w.cpu[1]));
	assert_true(vgic_is_last(&w.cpu[2]));
}

#define VGIC_TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		VGIC_TEST(an_edge_is_taken_once),
		VGIC_TEST(an_edge_while_running_is_kept),
		VGIC_TEST(what_is_not_taken_stays),
		VGIC_TEST(a_level_is_taken_while_it_is_high),
		VGIC_TEST(a_level_that_falls_is_gone),
		VGIC_TEST(what_is_offered),
		VGIC_TEST(a_written_pending_is_latched),
		VGIC_TEST(the_most_urgent_go_first),
		VGIC_TEST(active_ones_outside_are_ended),
		VGIC_TEST(counted_ends_go_by_urgency),
		VGIC_TEST(deactivation_is_exact_when_it_traps),
		VGIC_TEST(deactivation_reaches_other_vcpus),
		VGIC_TEST(every_end_is_reported),
		VGIC_TEST(masked_ones_are_not_delivered),
		VGIC_TEST(a_priority_that_rises_is_told),
		VGIC_TEST(a_disabled_group_comes_last),
		VGIC_TEST(an_entry_looks_at_few),
		VGIC_TEST(disabling_reaches_a_running_vcpu),
		VGIC_TEST(clearing_reaches_a_running_vcpu),
		VGIC_TEST(sgis_reach_their_targets),
		VGIC_TEST(a_route_moves_what_is_pending),
		VGIC_TEST(a_route_changes_while_it_runs),
		VGIC_TEST(active_state_of_a_running_vcpu_is_recalled),
		VGIC_TEST(a_written_active_state_wins),
		VGIC_TEST(spis_go_to_vcpu_0_first),
		VGIC_TEST(any_access_is_harmless),
		VGIC_TEST(lists_hold_what_belongs_to_them),
		VGIC_TEST(registers_that_are_not_there),
		VGIC_TEST(frames_are_found),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
