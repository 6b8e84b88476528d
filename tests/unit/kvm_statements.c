/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the mails ask of the whole: ioctls over the real host layer and drivers of all manners. Each
 * test is named after its statement in docs/guest-memory.md.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "host/page_impl.h"
#include "kvm/engine_memory.h"
#include "tests/unit/kvm_machines.h"

#define RW (PROT_READ | PROT_WRITE)
#define P  PAGE_SIZE

/* Caches of instructions need maintenance still. */
static const struct port_caps fwb_alone = {
	.fwb = true,
	.idc = true,
	.ttl = true,
	.tlb_range = true,
	.pa_bits = 48,
	.ipa_bits = 40,
	.vmid_bits = 8,
	.cpus = WORLD_VMS,
};
static int begin_fwb(void **state)
{
	(void)state;
	world_start(machine_new(&fwb_alone));
	return 0;
}

static int begin_plain(void **state)
{
	(void)state;
	world_start(machine_new(&plain));
	return 0;
}

static enum outcome_kind guest(unsigned int vm, u64 ipa, enum machine_op op)
{
	pa_t pa;

	return world_guest(vm, ipa, op, &pa).kind;
}

/* ---- drivers: when leaves appear, and when the VMA is marked as special */

enum manner { ALL_AT_MMAP, MARKED_AT_MMAP, MARKED_AT_FAULT, MANNERS };

struct driver {
	enum manner manner;
	enum host_memtype type;
	pa_t pa;
	u64 asked; /* faults */
};

#define SPECIAL (VM_IO | VM_PFNMAP | VM_DONTEXPAND | VM_DONTDUMP)

static int driver_fault(struct vma *vma, hva_t addr, enum host_access access)
{
	struct driver *d = vma->priv;
	u64 page = ALIGN_DOWN(addr.v, P);

	d->asked++;
	vma->flags |= SPECIAL;
	return vma_insert_pfn(vma, HVA(page), PA(d->pa.v + (page - vma->start.v)), P, d->type,
			      access, LEVEL_4K);
}

static const struct vma_ops driver_vma_ops = { .fault = driver_fault };

static int driver_mmap(struct file *f, struct vma *vma)
{
	struct driver *d = f->priv;

	vma->ops = &driver_vma_ops;
	vma->priv = d;
	if (d->manner == MARKED_AT_FAULT)
		return 0;
	vma->flags |= SPECIAL;
	vma->prot_type = d->type;
	if (d->manner == MARKED_AT_MMAP)
		return 0;
	return vma_insert_pfn(vma, vma->start, d->pa, vma->end.v - vma->start.v, d->type,
			      HOST_WRITE, LEVEL_4K);
}

static const struct file_ops driver_ops = { .name = "driver", .mmap = driver_mmap };

static void map_driver_as(struct driver *d, u64 at, u64 size, int sharing)
{
	struct file *f = file_alloc(&driver_ops, d, O_RDWR);

	assert_non_null(f);
	assert_int_equal(mm_mmap(world.mm, at, size, RW, sharing | MAP_FIXED, f, 0), at);
	file_put(f); /* the mapping has its own reference */
}

static void map_driver(struct driver *d, u64 at, u64 size)
{
	map_driver_as(d, at, size, MAP_SHARED);
}

/* ---- R000-2 */

static void fork_and_end(void)
{
	struct mm *child = mm_copy(world.mm);

	assert_non_null(child);
	mm_exit(child);
	mm_put(child);
}

/* What a mapping can meet in its life; a private one of a driver is read-only. */
static void live_with_pfnmap(struct driver *d, int sharing)
{
	struct mm_notifier *n = &world.vm[0].notifier;

	map_driver_as(d, AREA, P, sharing);
	assert_int_equal(world_slot(0, 0, 0, GUEST_RAM, P, AREA), 0);
	assert_int_equal(guest(0, GUEST_RAM, MACHINE_READ), OUTCOME_RESUME);
	assert_int_equal(guest(0, GUEST_RAM, MACHINE_FETCH), OUTCOME_RESUME);
	assert_int_equal(guest(0, GUEST_RAM, MACHINE_WRITE),
			 sharing == MAP_SHARED ? OUTCOME_RESUME : OUTCOME_MEMORY_FAULT);
	(void)n->ops->age(n, HVA(AREA), HVA(AREA + P));
	fork_and_end();
	assert_int_equal(mm_mprotect(world.mm, AREA, P, PROT_READ), 0);
	assert_int_equal(guest(0, GUEST_RAM, MACHINE_READ), OUTCOME_RESUME);
	assert_int_equal(mm_munmap(world.mm, AREA, P), 0);
	assert_int_equal(guest(0, GUEST_RAM, MACHINE_READ), OUTCOME_MEMORY_FAULT);
	assert_int_equal(world_slot(0, 0, 0, GUEST_RAM, 0, 0), 0);
}

/*
 * A driver maps a page that happens to be RAM by its number. What the host knows of that page is
 * none of the mapping's business: its metadata may be anything, and stays as it is.
 */
static void r000_2_what_lies_behind_pfnmap_is_opaque(void **state)
{
	struct page *page = page_alloc(ORDER_4K, PAGE_ZEROED), saved, any;
	struct driver d = { .type = HOST_WB, .pa = page_to_phys(page) };

	(void)state;
	memset(&any, 0xa5, sizeof(any));
	saved = *page;
	*page = any;
	live_with_pfnmap(&d, MAP_SHARED);
	live_with_pfnmap(&d, MAP_PRIVATE);
	assert_memory_equal(page, &any, sizeof(any));
	*page = saved;
	page_put(page);
}

/* ---- R001 */

/* It reports FWB, of the system and of a VM; DIC does not count (M3). */
static void r001_5_a_capability_reports_cacheable_pfnmap(void **state)
{
	const u64 cap = KVM_CAP_ARM_CACHEABLE_PFNMAP_SUPPORTED;
	s64 answer = -1;

	(void)state;
	assert_int_equal(cap, 243);
	assert_true(memory_cap_check(&fwb, NULL, cap, &answer));
	assert_int_equal(answer, 1);
	assert_true(memory_cap_check(&fwb, &world.vm[0], cap, &answer));
	assert_int_equal(answer, 1);
	assert_true(memory_cap_check(&plain, NULL, cap, &answer));
	assert_int_equal(answer, 0);
}

/* What the capability promises is what a slot gets. */
static void r001_4_cacheable_device_memory_is_mapped_as_the_driver_made_it(void **state)
{
	struct driver d = { .type = HOST_WB, .pa = PA(DEVICE_PA(HOST_WB)) };

	(void)state;
	map_driver(&d, AREA, 4 * P);
	assert_int_equal(world_slot(0, 0, 0, GUEST_RAM, 4 * P, AREA), 0);
	assert_int_equal(guest(0, GUEST_RAM, MACHINE_WRITE), OUTCOME_RESUME);
	assert_int_equal(world_probe(0, GUEST_RAM, MACHINE_WRITE).type, MACHINE_WB);
	assert_int_equal(guest(0, GUEST_RAM, MACHINE_FETCH), OUTCOME_RESUME);
}

static void r001_1_and_is_refused_without_fwb(void **state)
{
	struct driver d = { .type = HOST_WB, .pa = PA(DEVICE_PA(HOST_WB)) };

	(void)state;
	map_driver(&d, AREA, 4 * P);
	assert_int_equal(world_slot(0, 0, 0, GUEST_RAM, 4 * P, AREA), -EINVAL);
}

/* By mmap() over what a slot shows, when the slot was made long ago. */
static void r001_2_and_when_it_comes_later(void **state)
{
	struct driver d = { .type = HOST_WB, .pa = PA(DEVICE_PA(HOST_WB)) };
	struct fault_outcome o;
	pa_t pa;

	(void)state;
	assert_int_equal(world_map(AREA, 4 * P, RW, MAP_PRIVATE), AREA);
	assert_int_equal(world_slot(0, 0, 0, GUEST_RAM, 4 * P, AREA), 0);
	assert_int_equal(guest(0, GUEST_RAM, MACHINE_WRITE), OUTCOME_RESUME);
	map_driver(&d, AREA, 4 * P);
	o = world_guest(0, GUEST_RAM, MACHINE_READ, &pa);
	assert_int_equal(o.kind, OUTCOME_MEMORY_FAULT);
	assert_int_equal(o.error, -EFAULT);
	assert_int_equal(o.why, WHY_CANNOT_CLEAN);
}

static void r001_6_the_guarantee_is_for_ram_and_pfnmap_alike(void **state)
{
	const struct kvm_enable_cap cap = { .cap = KVM_CAP_CATWALK_WRITE_BACK };
	const u32 flag = (u32)KVM_MEM_WRITE_BACK;
	struct driver d = { .type = HOST_WB, .pa = PA(DEVICE_PA(HOST_WB)) };

	(void)state;
	assert_int_equal(world_map(AREA, 4 * P, RW, MAP_PRIVATE), AREA);
	map_driver(&d, AREA + 4 * P, 4 * P);
	assert_int_equal(world_slot(0, 0, flag, GUEST_RAM, 8 * P, AREA), -EINVAL);
	assert_int_equal(memory_cap_enable(&world.vm[0], &cap), 0);
	assert_int_equal(world_slot(0, 0, flag, GUEST_RAM, 8 * P, AREA), 0);
	for (u64 at = 0; at < 8 * P; at += P) {
		assert_int_equal(guest(0, GUEST_RAM + at, MACHINE_WRITE), OUTCOME_RESUME);
		assert_int_equal(world_probe(0, GUEST_RAM + at, MACHINE_WRITE).type, MACHINE_WB);
	}
}

/* ---- R002 */

static const struct host_ops *real_host;
static u64 areas_asked, leaves_asked;

static int area_under_the_lock(void *host, hva_t hva, hva_t end, struct host_area *out)
{
	areas_asked++;
	assert_int_equal(world.mm->lock.state & RWSEM_READERS, 1);
	return real_host->area(host, hva, end, out);
}

static int leaf_under_the_lock(void *host, hva_t hva, struct host_leaf *out)
{
	leaves_asked++;
	assert_int_equal(world.mm->lock.state & RWSEM_READERS, 1);
	return real_host->leaf(host, hva, out);
}

/* What creation and flag change look at cannot go away meanwhile. */
static void r002_4_vmas_stand_still_while_a_slot_is_made(void **state)
{
	struct driver d = { .type = HOST_DEVICE, .pa = PA(DEVICE_PA(HOST_DEVICE)) };
	struct host_ops host;

	(void)state;
	map_driver(&d, AREA, 4 * P);
	real_host = world.vm[0].guest.host_ops;
	host = *real_host;
	host.area = area_under_the_lock;
	host.leaf = leaf_under_the_lock;
	world.vm[0].guest.host_ops = &host;
	areas_asked = leaves_asked = 0;
	assert_int_equal(world_slot(0, 0, 0, GUEST_RAM, 4 * P, AREA), 0);
	assert_true(areas_asked > 0 && leaves_asked > 0);
	areas_asked = 0;
	assert_int_equal(world_slot(0, 0, KVM_MEM_LOG_DIRTY_PAGES, GUEST_RAM, 4 * P, AREA),
			 -EINVAL); /* M17 */
	assert_true(areas_asked > 0);
	assert_int_equal(world.mm->lock.state & RWSEM_READERS, 0);
	world.vm[0].guest.host_ops = real_host;
}

/* PFNMAP says who looks after the pages, not what they are: RAM is mapped as RAM, and logged. */
static void r002_5_pfnmap_does_not_mean_device(void **state)
{
	struct page *page = page_alloc(ORDER_4K, PAGE_ZEROED);
	struct driver d = { .manner = MARKED_AT_MMAP, .type = HOST_WB, .pa = page_to_phys(page) };

	(void)state;
	map_driver(&d, AREA, P);
	assert_int_equal(world_slot(0, 0, KVM_MEM_LOG_DIRTY_PAGES, GUEST_RAM, P, AREA), 0);
	assert_int_equal(d.asked, 0);
	assert_int_equal(guest(0, GUEST_RAM, MACHINE_WRITE), OUTCOME_RESUME);
	assert_int_equal(world_probe(0, GUEST_RAM, MACHINE_WRITE).type, MACHINE_WB);
	assert_int_equal(mm_munmap(world.mm, AREA, P), 0);
	page_put(page);
}

/* ---- R004 */

static bool leaf_of(unsigned int vm, struct s2_leaf *leaf)
{
	return stage2_lookup(&world.vm[vm].guest.s2, IPA(GUEST_RAM + P), leaf);
}

/*
 * Just a driver: it maps everything in mmap(), or only sets the flags there, or does nothing at all
 * and sets them in its fault handler, after the slot was made over what looked like memory.
 */
static void r004_1_a_drivers_manner_makes_no_difference(void **state)
{
	static const struct {
		enum host_memtype type;
		enum machine_type seen;
	} rows[] = { { HOST_DEVICE, MACHINE_DEVICE },
		     { HOST_NC, MACHINE_DEVICE },
		     { HOST_WB, MACHINE_WB } };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows) * MANNERS; i++) {
		struct driver d = { .manner = (enum manner)(i % MANNERS),
				    .type = rows[i / MANNERS].type };
		struct s2_leaf leaf;

		d.pa = PA(DEVICE_PA(d.type));
		map_driver(&d, AREA, 8 * P);
		assert_int_equal(world_slot(0, 0, 0, GUEST_RAM, 8 * P, AREA), 0);
		assert_int_equal(guest(0, GUEST_RAM + P, MACHINE_WRITE), OUTCOME_RESUME);
		assert_int_equal(world_probe(0, GUEST_RAM + P, MACHINE_WRITE).type,
				 rows[i / MANNERS].seen);
		assert_true(leaf_of(0, &leaf));
		assert_int_equal(leaf.level, LEVEL_4K);
		assert_int_equal(leaf.pa.v, d.pa.v + P);
		assert_int_equal(d.asked, d.manner != ALL_AT_MMAP);
		assert_int_equal(world_slot(0, 0, 0, GUEST_RAM, 0, 0), 0);
		assert_int_equal(mm_munmap(world.mm, AREA, 8 * P), 0);
	}
}

/* Each page comes when the guest does, and not before. */
static void r004_2_leaves_may_appear_one_by_one(void **state)
{
	struct driver d = { .manner = MARKED_AT_FAULT,
			    .type = HOST_DEVICE,
			    .pa = PA(DEVICE_PA(HOST_DEVICE)) };
	struct host_pte pte;

	(void)state;
	map_driver(&d, AREA, 8 * P);
	assert_int_equal(world_slot(0, 0, 0, GUEST_RAM, 8 * P, AREA), 0);
	for (u64 i = 0; i < 8; i++) {
		assert_int_equal(d.asked, i);
		assert_false(mm_peek(world.mm, HVA(AREA + i * P), &pte));
		assert_int_equal(guest(0, GUEST_RAM + i * P, MACHINE_READ), OUTCOME_RESUME);
	}
}

#define on_fwb(f)   cmocka_unit_test_setup_teardown(f, begin_fwb, world_teardown)
#define on_plain(f) cmocka_unit_test_setup_teardown(f, begin_plain, world_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		on_fwb(r000_2_what_lies_behind_pfnmap_is_opaque),
		on_plain(r000_2_what_lies_behind_pfnmap_is_opaque),
		on_plain(r001_1_and_is_refused_without_fwb),
		on_plain(r001_2_and_when_it_comes_later),
		on_fwb(r001_4_cacheable_device_memory_is_mapped_as_the_driver_made_it),
		on_fwb(r001_5_a_capability_reports_cacheable_pfnmap),
		on_fwb(r001_6_the_guarantee_is_for_ram_and_pfnmap_alike),
		on_fwb(r002_4_vmas_stand_still_while_a_slot_is_made),
		on_fwb(r002_5_pfnmap_does_not_mean_device),
		on_plain(r002_5_pfnmap_does_not_mean_device),
		on_fwb(r004_1_a_drivers_manner_makes_no_difference),
		on_fwb(r004_2_leaves_may_appear_one_by_one),
		on_plain(r004_2_leaves_may_appear_one_by_one),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
