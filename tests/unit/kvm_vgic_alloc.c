/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The n-th allocation fails, for all n, in every call about interrupts: -ENOMEM, everything as it
 * was, nothing lost; and the same call then succeeds. A command of a guest's, whom nobody tells,
 * does nothing.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/unit/vgic_ops.h"

enum { ALLOCATIONS_MAX = 64 };

static struct {
	int event_fd, resample_fd;
} scene;

/* ---- scenes: each begins with an empty VM */

static void with_vcpus(void)
{
	for (u32 i = 0; i < 2; i++)
		assert_int_equal(vworld_vcpu(i), 0);
}

static void with_vgic(void)
{
	with_vcpus();
	assert_int_equal(vworld_device(KVM_DEV_TYPE_ARM_VGIC_V3), 0);
}

static void ready(void)
{
	vops_setup(2, 1, 0);
	scene.event_fd = vops_event(0);
	scene.resample_fd = vops_event(1);
}

/* Two devices with events; their commands are done. */
static void mapped(void)
{
	ready();
	vguest_map(0);
	assert_int_equal(vworld_its(0)->event_count, 8);
}

static void saved(void)
{
	mapped();
	assert_int_equal(vop_control(0, KVM_DEV_ARM_ITS_SAVE_TABLES), 0);
	its_forget(vworld_its(0), ITS_DEVICES);
	its_forget(vworld_its(0), ITS_COLLECTIONS);
}

static void queued(const u64 *dw)
{
	vguest_queue(0, dw);
}

static void mapd_queued(void)
{
	const u64 dw[4] = { VCMD_MAPD | 5UL << 32, 4, 1UL << 63 | (VGUEST + VITT(5)) };

	ready();
	queued(dw);
}

static void mapc_queued(void)
{
	const u64 dw[4] = { VCMD_MAPC, 0, 1UL << 63 | 1UL << 16 | 7 };

	ready();
	queued(dw);
}

/* Of an LPI in a chunk of its own, and a collection that nobody has heard of. */
static void mapti_queued(void)
{
	const u64 dw[4] = { VCMD_MAPTI, 15 | (VGIC_LPI_FIRST + 1000UL) << 32, 9 };

	mapped();
	queued(dw);
}

/* ---- calls */

static s64 create_vgic(void)
{
	return vworld_device(KVM_DEV_TYPE_ARM_VGIC_V3);
}

static s64 create_its(void)
{
	return vworld_device(KVM_DEV_TYPE_ARM_VGIC_ITS);
}

static s64 place_redists(void)
{
	return vworld_attr_set(vworld.vgic_fd, KVM_DEV_ARM_VGIC_GRP_ADDR,
			       KVM_VGIC_V3_ADDR_TYPE_REDIST, VREDIST);
}

static s64 place_region(void)
{
	return vworld_attr_set(vworld.vgic_fd, KVM_DEV_ARM_VGIC_GRP_ADDR,
			       KVM_VGIC_V3_ADDR_TYPE_REDIST_REGION, VREDISTS(0) | 4UL << 52);
}

static s64 start_vgic(void)
{
	return vworld_attr_at(vworld.vgic_fd, KVM_SET_DEVICE_ATTR, KVM_DEV_ARM_VGIC_GRP_CTRL,
			      KVM_DEV_ARM_VGIC_CTRL_INIT, 0);
}

static s64 route(void)
{
	/* struct kvm_irq_routing and its entries. */
	const struct {
		u32 nr, flags;
		struct kvm_irq_routing_entry e[2];
	} a = { 2,
		0,
		{ { .gsi = 3, .type = KVM_IRQ_ROUTING_IRQCHIP, .u.irqchip.pin = 4 },
		  { .gsi = 100, .type = KVM_IRQ_ROUTING_IRQCHIP, .u.irqchip.pin = 5 } } };

	vworld_put(VARGS, &a, sizeof(a));
	return irq_routes_set(vworld.vm, HVA(VARGS));
}

static s64 tie(u32 flags)
{
	const struct kvm_irqfd a = { .fd = (u32)scene.event_fd,
				     .gsi = 3,
				     .flags = flags,
				     .resamplefd = (u32)scene.resample_fd };

	vworld_put(VARGS, &a, sizeof(a));
	return irqfd_ioctl(vworld.vm, HVA(VARGS));
}

static s64 tie_event(void)
{
	return tie(0);
}

static s64 tie_resampled(void)
{
	return tie(KVM_IRQFD_FLAG_RESAMPLE);
}

static s64 io_event(u64 addr, u32 flags)
{
	const struct kvm_ioeventfd a = {
		.fd = scene.event_fd,
		.addr = addr,
		.len = 4,
		.flags = flags,
	};

	vworld_put(VARGS, &a, sizeof(a));
	return ioeventfd_ioctl(vworld.vm, HVA(VARGS));
}

static void with_io_events(void)
{
	ready();
	assert_int_equal(io_event(0x1000, 0), 0);
	assert_int_equal(io_event(0x2000, 0), 0);
}

static s64 add_io_event(void)
{
	return io_event(0x3000, 0);
}

static s64 remove_io_event(void)
{
	return io_event(0x1000, KVM_IOEVENTFD_FLAG_DEASSIGN);
}

static s64 restore(void)
{
	s64 ret = vop_control(0, KVM_DEV_ARM_ITS_RESTORE_TABLES);

	/* What was restored until then stays, as on Linux; the next try needs an empty ITS. */
	if (ret) {
		its_forget(vworld_its(0), ITS_DEVICES);
		its_forget(vworld_its(0), ITS_COLLECTIONS);
	}
	return ret;
}

/* The guest's command: as if the call failed if nothing came of it. */
static s64 command(void)
{
	const struct its *t = vworld_its(0);
	u32 before = t->device_count + t->event_count + t->collection_count;

	/* Again, if it was done before. */
	vworld_write(vworld.cpu[0], VITS(0) + 0x88, 8, (vops.writer[0] + 0xffe0) % 0x10000);
	vguest_kick(vworld.cpu[0], 0);
	return t->device_count + t->event_count + t->collection_count > before ? 0 : -ENOMEM;
}

static s64 save_pending(void)
{
	return vworld_attr_at(vworld.vgic_fd, KVM_SET_DEVICE_ATTR, KVM_DEV_ARM_VGIC_GRP_CTRL,
			      KVM_DEV_ARM_VGIC_SAVE_PENDING_TABLES, 0);
}

/* ---- each of them */

/* What a call that failed may leave. */
enum leaves {
	LEAVES_NOTHING,
	LEAVES_LPIS, /* which exist for good, once an event was to be mapped to them */
};

struct row {
	const char *name;
	void (*scene)(void);
	s64 (*call)(void);
	enum leaves leaves;
	u32 allocations; /* at least */
};

static const struct row rows[] = {
	{ "KVM_CREATE_DEVICE, vGIC", with_vcpus, create_vgic, LEAVES_NOTHING, 3 },
	{ "KVM_CREATE_DEVICE, ITS", with_vgic, create_its, LEAVES_NOTHING, 3 },
	{ "REDIST", with_vgic, place_redists, LEAVES_NOTHING, 1 },
	{ "REDIST_REGION", with_vgic, place_region, LEAVES_NOTHING, 1 },
	{ "CTRL_INIT", with_vgic, start_vgic, LEAVES_NOTHING, 1 },
	{ "KVM_SET_GSI_ROUTING", ready, route, LEAVES_NOTHING, 1 },
	{ "KVM_IRQFD", ready, tie_event, LEAVES_NOTHING, 1 },
	{ "KVM_IRQFD, resampled", ready, tie_resampled, LEAVES_NOTHING, 1 },
	{ "KVM_IOEVENTFD", ready, add_io_event, LEAVES_NOTHING, 1 },
	{ "KVM_IOEVENTFD, another", with_io_events, add_io_event, LEAVES_NOTHING, 1 },
	{ "KVM_IOEVENTFD, less one", with_io_events, remove_io_event, LEAVES_NOTHING, 1 },
	{ "MAPD", mapd_queued, command, LEAVES_NOTHING, 1 },
	{ "MAPC", mapc_queued, command, LEAVES_NOTHING, 1 },
	{ "MAPTI", mapti_queued, command, LEAVES_LPIS, 3 },
	{ "ITS_RESTORE_TABLES", saved, restore, LEAVES_NOTHING, 14 },
	{ "SAVE_PENDING_TABLES", mapped, save_pending, LEAVES_NOTHING, 0 },
};

static u64 objects(void)
{
	model_host_grace();
	return page_counts().kmalloc_objects;
}

/* False: it makes fewer than @n. */
static bool nth_fails(const struct row *row, struct port *p, u32 n)
{
	u64 before;
	s64 ret;
	bool failed;

	memset(&vops, 0, sizeof(vops));
	memset(vworld_lpi_vague, 0, sizeof(vworld_lpi_vague));
	vworld_start(p, 4);
	row->scene();
	before = objects();
	(void)page_fail_nth(n);
	ret = row->call();
	failed = page_fail_nth(0) == 0;
	vworld_check();
	if (failed) {
		if (ret != -ENOMEM)
			fail_msg("%s, allocation %u: %ld", row->name, n, (long)ret);
		if (row->leaves == LEAVES_NOTHING && objects() != before)
			fail_msg("%s, allocation %u: objects are lost", row->name, n);
		ret = row->call();
		vworld_check();
	}
	if (ret)
		fail_msg("%s fails with memory: %ld", row->name, (long)ret);
	vworld_stop();
	return failed;
}

static void every_allocation_may_fail(void **state)
{
	struct port *p = machine_new(&vop_machine);

	(void)state;
	for (u32 i = 0; i < ARRAY_SIZE(rows); i++) {
		u32 n = 1;

		while (nth_fails(&rows[i], p, n)) {
			machine_reset(p, &vop_machine);
			assert_true(++n < ALLOCATIONS_MAX);
		}
		machine_reset(p, &vop_machine);
		if (n <= rows[i].allocations)
			fail_msg("%s makes %u allocations only", rows[i].name, n - 1);
	}
	machine_delete(p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_allocation_may_fail),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
