/* SPDX-License-Identifier: Apache-2.0 */
/* The ITS's pure part: commands, LPIs, tables saved to guest memory and restored, and any bytes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include <cmocka.h>

#include "host/err.h"
#include "host/page.h"
#include "host/string.h"
#include "host/task.h"
#include "kvm/its.h"

enum {
	CPUS = 2,
	RAM = 64 << 20,
	GUEST_SIZE = 4 << 20,
	QUEUE = 0x10000,
	DEVICES = 0x20000,
	COLLECTIONS = 0x40000,
	CONFIG = 0x50000,  /* of 64 KiB */
	PENDING = 0x60000, /* of each vCPU, 64 KiB */
	ITT = 0x100000,	   /* of device d: + d * 64 KiB */
	L2 = 0x300000,
	FIRST = VGIC_LPI_FIRST,
};

static struct {
	struct vgic gic;
	struct vgic_cpu cpu[CPUS];
	u64 mpidr[CPUS];
	struct its its;
	u32 writer;
} w;
static u8 guest[GUEST_SIZE];

static void kick(struct vgic_cpu *c)
{
	(void)c;
}

static int read_guest(struct vgic *g, u64 ipa, void *to, size_t n)
{
	(void)g;
	if (ipa >= GUEST_SIZE || n > GUEST_SIZE - ipa)
		return -EFAULT;
	memcpy(to, guest + ipa, n);
	return 0;
}

static int write_guest(struct vgic *g, u64 ipa, const void *from, size_t n)
{
	(void)g;
	if (ipa >= GUEST_SIZE || n > GUEST_SIZE - ipa)
		return -EFAULT;
	memcpy(guest + ipa, from, n);
	return 0;
}

static const struct vgic_ops ops = {
	.kick = kick,
	.recall = kick,
	.read = read_guest,
	.write = write_guest,
};

static void redist_write(unsigned int cpu, u32 offset, u32 len, u64 value)
{
	struct vgic_access a = { VGIC_FRAME_REDIST, &w.cpu[cpu], VGIC_BY_GUEST, offset, len };

	vgic_write(&w.gic, &a, value);
}

/* As its owner does after a write. */
static void register_write(u32 offset, u32 len, u64 value)
{
	its_write(&w.its, offset, len, value);
	while (its_process(&w.its))
		;
}

static void tables_valid(u64 indirect)
{
	its_write(&w.its, 0x100, 8, BASER_VALID | indirect | DEVICES);
	its_write(&w.its, 0x108, 8, BASER_VALID | COLLECTIONS);
	its_write(&w.its, 0x80, 8, BASER_VALID | QUEUE);
	its_write(&w.its, 0, 4, 1);
}

static void machine_on(void)
{
	memset(&w, 0, sizeof(w));
	vgic_init(&w.gic, &ops, NULL);
	for (u32 i = 0; i < CPUS; i++) {
		w.mpidr[i] = i;
		vgic_cpu_init(&w.gic, &w.cpu[i], i, &w.mpidr[i]);
	}
	assert_int_equal(vgic_start(&w.gic, 32), 0);
	w.gic.enabled = 2;
	w.gic.has_lpis = true;
	its_init(&w.its, &w.gic);
	for (u32 i = 0; i < CPUS; i++) {
		redist_write(i, 0x70, 8, CONFIG | 15);
		redist_write(i, 0x78, 8, PENDING + i * 0x10000);
		redist_write(i, 0, 4, 1);
	}
}

static void machine_off(void)
{
	its_destroy(&w.its);
	vgic_destroy(&w.gic);
}

static int setup(void **state)
{
	(void)state;
	model_host_boot(RAM);
	memset(guest, 0, sizeof(guest));
	/* All enabled, priority 0xa0. */
	memset(guest + CONFIG, 0xa1, 0x10000);
	machine_on();
	tables_valid(0);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	machine_off();
	model_host_off();
	return 0;
}

/* ---- commands */

static void command(u64 a, u64 b, u64 c, u64 d)
{
	const u64 dw[4] = { a, b, c, d };

	memcpy(guest + QUEUE + w.writer, dw, sizeof(dw));
	w.writer = (w.writer + 32) % 4096;
	register_write(0x88, 8, w.writer);
	assert_int_equal(its_read(&w.its, 0x90, 8), w.writer); /* CREADR: done */
}

static void mapd(u32 device, unsigned int bits)
{
	command(8 | (u64)device << 32, bits - 1, BIT(63) | (ITT + device * 0x10000), 0);
}

static void mapc(u32 collection, u32 cpu)
{
	command(9, 0, BIT(63) | (u64)cpu << 16 | collection, 0);
}

static void mapti(u32 device, u32 event, u32 intid, u32 collection)
{
	command(0xa | (u64)device << 32, event | (u64)intid << 32, collection, 0);
}

static bool pends(unsigned int cpu, u32 intid)
{
	struct vgic_irq *irq;

	for (u32 urgency = 0; urgency < VGIC_URGENCIES; urgency++) {
		TAILQ_FOREACH (irq, &w.cpu[cpu].lists[VGIC_PENDING_1][urgency], link) {
			if (irq->intid == intid)
				return vgic_irq_is_wanted(irq);
		}
	}
	return false;
}

static void a_message_becomes_an_lpi(void **state)
{
	struct vgic_lrs lrs;
	u32 ended[VGIC_ENDED_MAX];

	(void)state;
	mapd(3, 5);
	mapc(0, 0);
	mapc(1, 1);
	mapti(3, 7, FIRST + 100, 1);
	assert_int_equal(its_trigger(&w.its, 3, 8), 0);
	assert_int_equal(its_trigger(&w.its, 4, 7), 0);
	assert_int_equal(its_trigger(&w.its, 3, 7), 1);
	assert_true(pends(1, FIRST + 100));
	assert_true(vgic_is_idle(&w.cpu[0]));
	vgic_fill(&w.gic, &w.cpu[1], VMCR_ENG1, 4, &lrs);
	assert_int_equal(lrs.used, 1);
	assert_int_equal((u32)lrs.lr[0], FIRST + 100);
	assert_int_equal(lrs.lr[0] >> 48 & 0xff, 0xa0);
	lrs.lr[0] &= ~(BIT(62) | BIT(63)); /* taken and ended */
	assert_int_equal(vgic_fold(&w.gic, &w.cpu[1], 0, &lrs, ended), 0);
	assert_true(vgic_is_idle(&w.cpu[1]));
	/* It is never active, also where a list register has it so: its end may not be counted. */
	assert_int_equal(its_trigger(&w.its, 3, 7), 1);
	vgic_fill(&w.gic, &w.cpu[1], VMCR_ENG1, 4, &lrs);
	lrs.lr[0] ^= BIT(62) | BIT(63);
	assert_int_equal(vgic_fold(&w.gic, &w.cpu[1], 0, &lrs, ended), 0);
	assert_true(vgic_is_idle(&w.cpu[1]));
	assert_int_equal(its_trigger(&w.its, 3, 7), 1);
	vgic_fill(&w.gic, &w.cpu[1], VMCR_ENG1, 4, &lrs);
	assert_int_equal(lrs.lr[0] >> 62, 1);
}

static void commands_do_what_they_say(void **state)
{
	(void)state;
	mapd(3, 5);
	mapc(0, 0);
	mapc(1, 1);
	command(0xb | 3UL << 32, FIRST + 1, 0, 0); /* MAPI: beyond the device's 32 events */
	assert_int_equal(w.its.event_count, 0);
	mapd(3, 14);
	command(0xb | 3UL << 32, FIRST + 1, 0, 0); /* MAPI: the event is the LPI */
	assert_int_equal(its_trigger(&w.its, 3, FIRST + 1), 1);
	assert_true(pends(0, FIRST + 1));
	command(1 | 3UL << 32, FIRST + 1, 1, 0); /* MOVI */
	assert_true(pends(1, FIRST + 1));
	command(4 | 3UL << 32, FIRST + 1, 0, 0); /* CLEAR */
	assert_true(vgic_is_idle(&w.cpu[1]));
	command(3 | 3UL << 32, FIRST + 1, 0, 0); /* INT */
	assert_true(pends(1, FIRST + 1));
	command(0xe, 0, 1UL << 16, 0); /* MOVALL from 1 to 0 */
	assert_true(pends(0, FIRST + 1));
	guest[CONFIG + 1] = 0x40; /* disabled */
	assert_true(pends(0, FIRST + 1));
	command(0xc | 3UL << 32, FIRST + 1, 0, 0); /* INV */
	assert_false(pends(0, FIRST + 1));
	guest[CONFIG + 1] = 0x41;
	command(0xd, 0, 0, 0); /* INVALL */
	assert_true(pends(0, FIRST + 1));
	command(0xf | 3UL << 32, FIRST + 1, 0, 0); /* DISCARD */
	assert_true(vgic_is_idle(&w.cpu[0]));
	assert_int_equal(its_trigger(&w.its, 3, FIRST + 1), 0);
	mapti(3, 0, FIRST, 0);
	assert_int_equal(its_trigger(&w.its, 3, 0), 1);
	command(8 | 3UL << 32, 0, 0, 0); /* MAPD, not valid */
	assert_true(vgic_is_idle(&w.cpu[0]));
	assert_int_equal(w.its.event_count, 0);
	assert_int_equal(w.its.device_count, 0);
}

static void a_collection_moves_its_events(void **state)
{
	(void)state;
	mapd(0, 4);
	mapc(5, 0);
	mapti(0, 1, FIRST + 9, 5);
	assert_int_equal(its_trigger(&w.its, 0, 1), 1);
	mapc(5, 1);
	assert_true(pends(1, FIRST + 9));
	assert_true(vgic_is_idle(&w.cpu[0]));
	command(9, 0, 5, 0); /* not valid */
	assert_true(vgic_is_idle(&w.cpu[1]));
	assert_int_equal(its_trigger(&w.its, 0, 1), 0);
}

/* As Linux has it: the events wait for the MAPC. */
static void events_may_be_mapped_before_their_collection(void **state)
{
	(void)state;
	mapd(0, 4);
	mapti(0, 1, FIRST + 9, 5);
	assert_int_equal(w.its.event_count, 1);
	assert_int_equal(its_trigger(&w.its, 0, 1), 0);
	command(0xd, 0, 5, 0); /* INVALL of nobody's */
	mapc(6, 0);
	command(1, 1, 6, 0); /* MOVI from it: not yet */
	assert_int_equal(its_trigger(&w.its, 0, 1), 0);
	mapc(5, 1);
	assert_int_equal(its_trigger(&w.its, 0, 1), 1);
	assert_true(pends(1, FIRST + 9));
	mapti(0, 2, FIRST + 10, 7);
	command(1, 1, 7, 0); /* MOVI to such a one */
	assert_true(pends(1, FIRST + 9));
	/* Saved and restored it still waits. */
	assert_int_equal(its_tables_save(&w.its), 0);
	its_forget(&w.its, ITS_DEVICES);
	its_forget(&w.its, ITS_COLLECTIONS);
	assert_int_equal(its_tables_restore(&w.its), 0);
	assert_int_equal(w.its.event_count, 2);
	assert_int_equal(its_trigger(&w.its, 0, 2), 0);
	mapc(7, 0);
	assert_int_equal(its_trigger(&w.its, 0, 2), 1);
	assert_true(pends(0, FIRST + 10));
}

/* What is wrong is passed over, and the next is done. */
static void wrong_commands_do_nothing(void **state)
{
	(void)state;
	mapc(0, 9); /* no such vCPU */
	assert_int_equal(w.its.collection_count, 0);
	mapc(0, 0);
	mapti(3, 0, FIRST, 0); /* no such device */
	mapd(8192, 4);	       /* beyond the table of one page of 64 KiB */
	mapd(3, 32);
	assert_int_equal(w.its.device_count, 0);
	mapd(3, 4);
	mapti(3, 0, FIRST - 1, 0);
	mapti(3, 0, 1 << 16, 0);
	mapti(3, 0, FIRST, 9000); /* beyond the table of collections */
	mapti(3, 16, FIRST, 0);
	assert_int_equal(w.its.event_count, 0);
	command(0x55, 0, 0, 0);
	mapti(3, 15, FIRST, 0);
	assert_int_equal(w.its.event_count, 1);
	/* A queue that is not there. */
	its_write(&w.its, 0, 4, 0);
	its_write(&w.its, 0x80, 8, BASER_VALID | GENMASK(40, 30));
	its_write(&w.its, 0, 4, 1);
	register_write(0x88, 8, 64);
	assert_int_equal(its_read(&w.its, 0x90, 8), 64);
}

/* All collections go at once, and events with them: not each by a pass of its own. */
static void a_table_that_goes_takes_its_collections(void **state)
{
	clock_t start;

	(void)state;
	its_write(&w.its, 0, 4, 0);
	its_write(&w.its, 0x100, 8, BASER_VALID | DEVICES);
	its_write(&w.its, 0, 4, 1);
	for (u32 i = 0; i < ITS_COLLECTIONS_MAX; i++)
		mapc(i, i & 1);
	mapd(0, 16);
	for (u32 i = 0; i < 30000; i++)
		mapti(0, i, FIRST + i, i % ITS_COLLECTIONS_MAX);
	assert_int_equal(its_trigger(&w.its, 0, 5), 1);
	its_write(&w.its, 0, 4, 0);
	start = clock();
	its_write(&w.its, 0x108, 8, 0);
	assert_true(clock() - start < CLOCKS_PER_SEC / 4);
	assert_int_equal(w.its.collection_count, 0);
	assert_int_equal(w.its.event_count, 30000);
	assert_true(vgic_is_idle(&w.cpu[1]));
	its_write(&w.its, 0x108, 8, BASER_VALID | COLLECTIONS);
	its_write(&w.its, 0, 4, 1);
	assert_int_equal(its_trigger(&w.its, 0, 5), 0);
}

/* Each call is one command, however many there are. */
static void commands_are_done_one_by_one(void **state)
{
	(void)state;
	for (u64 i = 0; i < 3; i++) {
		const u64 dw[4] = { 9, 0, BIT(63) | i, 0 }; /* MAPC */

		memcpy(guest + QUEUE + i * 32, dw, sizeof(dw));
	}
	its_write(&w.its, 0x88, 8, 96);
	assert_int_equal(w.its.collection_count, 0);
	assert_true(its_process(&w.its));
	assert_int_equal(w.its.collection_count, 1);
	assert_int_equal(its_read(&w.its, 0x90, 8), 32);
	assert_int_equal(its_read(&w.its, 0, 4) & BIT(31), 0); /* not quiescent */
	assert_true(its_process(&w.its));
	assert_false(its_process(&w.its));
	assert_false(its_process(&w.its));
	assert_int_equal(w.its.collection_count, 3);
	assert_int_equal(its_read(&w.its, 0x90, 8), 96);
}

static void lpis_need_to_be_enabled(void **state)
{
	(void)state;
	mapd(3, 5);
	mapc(0, 0);
	mapti(3, 7, FIRST + 100, 0);
	assert_int_equal(its_trigger(&w.its, 3, 7), 1);
	redist_write(0, 0, 4, 0);
	assert_true(vgic_is_idle(&w.cpu[0]));
	assert_int_equal(its_trigger(&w.its, 3, 7), -EBUSY);
	its_write(&w.its, 0, 4, 0);
	assert_int_equal(its_trigger(&w.its, 3, 8), -EBUSY);
	its_write(&w.its, 0, 4, 1);
	assert_int_equal(its_trigger(&w.its, 3, 8), 0);
	/* What memory says is pending becomes so. */
	guest[PENDING + (FIRST + 100) / 8] = 1 << (FIRST + 100) % 8;
	redist_write(0, 0, 4, 1);
	assert_true(pends(0, FIRST + 100));
}

/* ---- registers */

static void registers_read_back(void **state)
{
	u64 value;

	(void)state;
	assert_int_equal(its_read(&w.its, 0, 4), 1 | BIT(31));
	assert_int_equal(its_read(&w.its, 8, 8) & 0xff, 0x71);
	assert_int_equal(its_read(&w.its, 8, 4), its_read(&w.its, 8, 8) & ~0U);
	assert_int_equal(its_read(&w.its, 0x100, 8) >> 56 & 7, 1);
	assert_int_equal(its_read(&w.its, 0x108, 8) >> 56 & 7, 4);
	assert_int_equal(its_read(&w.its, 0x110, 8), 0);
	/* While it is enabled they do not change. */
	value = its_read(&w.its, 0x100, 8);
	its_write(&w.its, 0x100, 8, 0);
	assert_int_equal(its_read(&w.its, 0x100, 8), value);
	its_write(&w.its, 0x88, 8, 0x1000); /* beyond the queue */
	assert_int_equal(its_read(&w.its, 0x88, 8), 0);
	assert_int_equal(its_read(&w.its, 0x80, 1), 0);
	assert_int_equal(its_read(&w.its, 0x84, 8), 0);
	assert_int_equal(its_reg_has(0x84), -EINVAL);
	assert_int_equal(its_reg_has(0x200), -ENXIO);
	assert_int_equal(its_reg_get(&w.its, 0x80, &value), 0);
	assert_int_equal(its_reg_set(&w.its, 4, 0x4b00143b), -EINVAL);
	assert_int_equal(its_reg_set(&w.its, 0x90, 0x1000), -EINVAL);
	/* Disabled, and a table that is not valid: nothing of it is left, and it cannot be enabled.
	 */
	mapd(1, 3);
	its_write(&w.its, 0, 4, 0);
	its_write(&w.its, 0x100, 8, 0);
	assert_int_equal(w.its.device_count, 0);
	its_write(&w.its, 0, 4, 1);
	assert_int_equal(its_read(&w.its, 0, 4) & 1, 0);
}

/* ---- saved and restored */

static void fill_tables(u32 devices)
{
	mapc(0, 0);
	mapc(9, 1);
	for (u32 d = 0; d < devices; d++) {
		mapd(d * 5, 6);
		for (u32 e = 1; e < 40; e += 7)
			mapti(d * 5, e, FIRST + d * 64 + e, e & 1 ? 9 : 0);
	}
}

static void save_and_restore(u64 indirect)
{
	u64 regs[4];

	fill_tables(6);
	assert_int_equal(its_trigger(&w.its, 15, 8), 1);
	assert_int_equal(its_tables_save(&w.its), 0);
	assert_int_equal(vgic_lpis_save(&w.gic), 0);
	machine_off();
	machine_on();
	its_write(&w.its, 0x100, 8, BASER_VALID | indirect | DEVICES);
	its_write(&w.its, 0x108, 8, BASER_VALID | COLLECTIONS);
	its_write(&w.its, 0x80, 8, BASER_VALID | QUEUE);
	assert_int_equal(its_tables_restore(&w.its), 0);
	its_write(&w.its, 0, 4, 1);
	assert_int_equal(w.its.device_count, 6);
	assert_int_equal(w.its.collection_count, 2);
	assert_int_equal(w.its.event_count, 6 * 6);
	assert_true(pends(0, FIRST + 3 * 64 + 8)); /* it was pending */
	assert_int_equal(its_trigger(&w.its, 25, 36), 1);
	assert_int_equal(its_trigger(&w.its, 25, 29), 1);
	assert_true(pends(1, FIRST + 5 * 64 + 29));
	assert_int_equal(its_trigger(&w.its, 25, 30), 0);
	(void)regs;
}

static void tables_outlive_the_its(void **state)
{
	(void)state;
	save_and_restore(0);
}

static void tables_of_two_levels_too(void **state)
{
	u64 l1 = BIT(63) | L2;

	(void)state;
	its_write(&w.its, 0, 4, 0);
	memcpy(guest + DEVICES, &l1, sizeof(l1));
	tables_valid(BASER_INDIRECT);
	save_and_restore(BASER_INDIRECT);
	mapd(8192, 4); /* of a page of the second level that is not there */
	assert_null(its_device_find(&w.its, 8192));
}

/* What the guest has taken from under its devices, by no command, keeps nobody from saving. */
static void a_device_out_of_reach_is_left_out(void **state)
{
	const u64 l1[2] = { BIT(63) | L2, BIT(63) | (L2 + 0x10000) }, none = 0;
	u64 entry;

	(void)state;
	its_write(&w.its, 0, 4, 0);
	memcpy(guest + DEVICES, l1, sizeof(l1));
	tables_valid(BASER_INDIRECT);
	mapd(1, 4);
	mapd(3, 4);
	command(8 | 8192UL << 32, 3, BIT(63) | ITT, 0);
	assert_int_equal(w.its.device_count, 3);
	memcpy(guest + DEVICES + 8, &none, sizeof(none));
	assert_int_equal(its_tables_save(&w.its), 0);
	memcpy(&entry, guest + L2 + 3 * 8, sizeof(entry));
	assert_int_equal(entry >> 49 & 0x3fff, 0); /* the last */
	memcpy(&entry, guest + L2 + 8, sizeof(entry));
	assert_int_equal(entry >> 49 & 0x3fff, 2);
	assert_true(entry & BIT(63));
	memcpy(guest + DEVICES, &none, sizeof(none)); /* now all */
	assert_int_equal(its_tables_save(&w.its), 0);
	memcpy(guest + DEVICES, &l1[0], sizeof(l1[0]));
	its_forget(&w.its, ITS_DEVICES);
	assert_int_equal(its_tables_restore(&w.its), 0);
	assert_int_equal(w.its.device_count, 2);
}

/* A table that becomes another is a new one; written as it is, it stays. */
static void another_table_is_empty(void **state)
{
	u64 entry = ~0UL;

	(void)state;
	fill_tables(2);
	its_write(&w.its, 0, 4, 0);
	its_write(&w.its, 0x100, 8, its_read(&w.its, 0x100, 8));
	its_write(&w.its, 0x108, 8, its_read(&w.its, 0x108, 8));
	assert_int_equal(w.its.device_count, 2);
	assert_int_equal(w.its.collection_count, 2);
	its_write(&w.its, 0x108, 8, its_read(&w.its, 0x108, 8) | 1); /* a page more */
	assert_int_equal(w.its.device_count, 2);
	assert_int_equal(w.its.collection_count, 0);
	assert_int_equal(its_tables_save(&w.its), 0);
	memcpy(&entry, guest + COLLECTIONS, sizeof(entry));
	assert_int_equal(entry, 0);
	its_write(&w.its, 0x100, 8, its_read(&w.its, 0x100, 8) | BASER_INDIRECT);
	assert_int_equal(w.its.device_count, 0);
}

/* What was unmapped after it had been saved does not come back. */
static void what_was_unmapped_stays_so(void **state)
{
	(void)state;
	fill_tables(3);
	assert_int_equal(its_tables_save(&w.its), 0);
	command(0xf | 5UL << 32, 1, 0, 0); /* DISCARD the first event of a device */
	command(8 | 10UL << 32, 0, 0, 0);  /* MAPD, not valid: the last device */
	its_forget(&w.its, ITS_DEVICES);
	its_forget(&w.its, ITS_COLLECTIONS);
	assert_int_equal(its_tables_restore(&w.its), 0);
	assert_int_equal(its_trigger(&w.its, 5, 1), 0);
	assert_int_equal(its_trigger(&w.its, 5, 8), 1);
	assert_null(its_device_find(&w.its, 10));
	assert_int_equal(w.its.event_count, 6 + 5);
}

/* An LPI that several events of a collection are mapped to is theirs until the last one goes. */
static void events_may_share_an_lpi(void **state)
{
	(void)state;
	mapd(3, 5);
	mapd(4, 5);
	mapc(0, 0);
	mapti(3, 1, FIRST, 0);
	mapti(3, 2, FIRST, 0);
	mapti(4, 1, FIRST, 0);
	command(0xf | 3UL << 32, 1, 0, 0); /* DISCARD */
	assert_int_equal(its_trigger(&w.its, 3, 1), 0);
	assert_int_equal(its_trigger(&w.its, 3, 2), 1);
	assert_true(pends(0, FIRST));
	command(8 | 3UL << 32, 0, 0, 0); /* MAPD, not valid */
	assert_true(pends(0, FIRST));
	assert_int_equal(its_trigger(&w.its, 4, 1), 1);
	command(0xf | 4UL << 32, 1, 0, 0);
	assert_false(pends(0, FIRST));
	assert_int_equal(vgic_lpi_pend(&w.gic, FIRST), 0);
}

/* The longest work there is ends early. */
static void a_killed_thread_neither_saves_nor_restores(void **state)
{
	(void)state;
	fill_tables(6);
	port_current()->kill_pending = 1;
	assert_int_equal(its_tables_save(&w.its), -EINTR);
	assert_int_equal(vgic_lpis_save(&w.gic), -EINTR);
	port_current()->kill_pending = 0;
	assert_int_equal(its_tables_save(&w.its), 0);
	its_forget(&w.its, ITS_DEVICES);
	its_forget(&w.its, ITS_COLLECTIONS);
	port_current()->kill_pending = 1;
	assert_int_equal(its_tables_restore(&w.its), -EINTR);
	port_current()->kill_pending = 0;
}

/* Whatever stands in memory: an error, or tables that agree with it; never more than the limits. */
static void any_tables_are_harmless(void **state)
{
	(void)state;
	srand(3);
	for (u32 i = 0; i < 300; i++) {
		for (u32 n = 0; n < 2000; n++) {
			u32 where[] = { DEVICES, COLLECTIONS, ITT, L2 };
			u32 at = where[rand() % 4] + ((u32)rand() % 1024) * 8;
			u64 entry = (u64)(rand() & 1) << 63 | ((u64)rand() << 32 ^ (u64)rand());

			if (rand() & 1)
				entry = BIT(63) | (u64)(ITT >> 8) << 5 | (entry & 0xf);
			memcpy(guest + at, &entry, sizeof(entry));
		}
		its_reset(&w.its);
		its_write(&w.its, 0x100, 8,
			  BASER_VALID | (rand() & 1 ? BASER_INDIRECT : 0) | DEVICES | (rand() & 3));
		its_write(&w.its, 0x108, 8, BASER_VALID | COLLECTIONS);
		(void)its_tables_restore(&w.its);
		assert_true(w.its.device_count <= ITS_DEVICES_MAX);
		assert_true(w.its.event_count <= ITS_EVENTS_MAX);
		(void)its_tables_save(&w.its);
	}
}

static void any_commands_are_harmless(void **state)
{
	(void)state;
	srand(4);
	mapc(0, 0);
	mapc(1, 1);
	for (u32 i = 0; i < 100000; i++) {
		u32 device = (u32)rand() % 8, event = (u32)rand() % 40;
		u32 intid = FIRST - 2 + (u32)rand() % 70, collection = (u32)rand() % 3;

		command((u64)(rand() % 18) | (u64)device << 32, event | (u64)intid << 32,
			(u64)(rand() & 1) << 63 | (u64)(rand() % 3) << 16 | collection |
				(rand() & 1 ? ITT : 0),
			(u64)(rand() % 3) << 16);
		if (rand() % 4 == 0)
			(void)its_trigger(&w.its, device, event);
		if (rand() % 64 == 0)
			redist_write((unsigned int)rand() % CPUS, 0, 4, rand() & 1);
	}
}

/* The n-th allocation fails: nothing breaks, nothing leaks (the model's end checks that). */
static void allocations_may_fail(void **state)
{
	(void)state;
	for (u32 n = 1; n < 40; n++) {
		its_reset(&w.its);
		w.writer = 0;
		tables_valid(0);
		page_fail_nth(n);
		fill_tables(3);
		page_fail_nth(0);
	}
}

#define ITS_TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		ITS_TEST(a_message_becomes_an_lpi),
		ITS_TEST(commands_do_what_they_say),
		ITS_TEST(a_collection_moves_its_events),
		ITS_TEST(wrong_commands_do_nothing),
		ITS_TEST(lpis_need_to_be_enabled),
		ITS_TEST(registers_read_back),
		ITS_TEST(what_was_unmapped_stays_so),
		ITS_TEST(events_may_share_an_lpi),
		ITS_TEST(events_may_be_mapped_before_their_collection),
		ITS_TEST(commands_are_done_one_by_one),
		ITS_TEST(a_table_that_goes_takes_its_collections),
		ITS_TEST(a_device_out_of_reach_is_left_out),
		ITS_TEST(another_table_is_empty),
		ITS_TEST(a_killed_thread_neither_saves_nor_restores),
		ITS_TEST(tables_outlive_the_its),
		ITS_TEST(tables_of_two_levels_too),
		ITS_TEST(any_tables_are_harmless),
		ITS_TEST(any_commands_are_harmless),
		ITS_TEST(allocations_may_fail),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
