/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The memory part of kvm/, natively: ioctls with their arguments in a program's memory, guests over
 * the real host/ layer, and random sequences of all of it.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "kvm/engine_memory.h"
#include "tests/unit/kvm_machines.h"
#include "tests/unit/kvm_ops.h"

#define RW	  (PROT_READ | PROT_WRITE)
#define P	  PAGE_SIZE
#define LOG	  KVM_MEM_LOG_DIRTY_PAGES
#define RO	  KVM_MEM_READONLY
#define SLOT_SIZE (1024 * P)

/* The area is memory; VM 0 has it in slot 0. */
static int begin_on(const struct port_caps *caps)
{
	world_start(machine_new(caps));
	assert_int_equal(world_map(AREA, AREA_PAGES * P, RW, MAP_PRIVATE), AREA);
	assert_int_equal(world_slot(0, 0, 0, GUEST_RAM, SLOT_SIZE, AREA), 0);
	return 0;
}

static int begin_fwb(void **state)
{
	(void)state;
	return begin_on(&fwb);
}

static int begin_plain(void **state)
{
	(void)state;
	return begin_on(&plain);
}

static void poke(u64 hva, u8 byte)
{
	world_put(hva, &byte, 1);
}

static int peek(u64 hva)
{
	u8 byte;

	return copy_from_user(&byte, HVA(hva), 1) ? -EFAULT : byte;
}

static struct fault_outcome guest(u64 ipa, enum machine_op op)
{
	pa_t pa;

	return world_guest(0, ipa, op, &pa);
}

/* Bytes that stage 2 maps by leaves of @level. */
static u64 mapped(unsigned int vm, int level)
{
	struct stats st;
	u64 sum = 0;

	stage2_stats(&world.vm[vm].guest.s2, &st);
	for (int t = 0; t < S2_TYPE_COUNT; t++)
		sum += st.mapped[level][t];
	return sum;
}

/* ---- errors of the ioctls: rows as tests/target/errno_kvm.c has them, which also pass on Linux */

#define FREE	     0x40000000UL
#define LOG_GPA	     0x50000000UL
#define ERR_HVA	     0x7f0000000000UL
#define IPA_END	     (1UL << WORLD_IPA_BITS)
#define KERNEL	     0xffff800000001000UL
#define NOTHING	     (ARGS + ARGS_SIZE)
#define EDGE	     (ARGS + ARGS_SIZE - 4)
#define REGION_LIMIT 32767

struct slot_row {
	const char *name;
	int error;
	struct kvm_userspace_memory_region r;
};

/* clang-format off */
static const struct slot_row slot_rows[] = {
	{ "unknown flag, bit 4", -EINVAL, { 5, 1 << 4, FREE, P, ERR_HVA } },
	{ "unknown flag, bit 15", -EINVAL, { 5, 1 << 15, FREE, P, ERR_HVA } },
	{ "unknown flag, bit 31", -EINVAL, { 5, 1U << 31, FREE, P, ERR_HVA } },
	{ "guest_memfd flag with the first ioctl", -EINVAL, { 5, 1 << 2, FREE, P, ERR_HVA } },
	{ "number beyond the last", -EINVAL, { REGION_LIMIT, 0, FREE, P, ERR_HVA } },
	{ "number of another address space", -EINVAL, { 1 << 16, 0, FREE, P, ERR_HVA } },
	{ "number -1", -EINVAL, { -1U, 0, FREE, P, ERR_HVA } },
	{ "size not page aligned", -EINVAL, { 5, 0, FREE, P + 1, ERR_HVA } },
	{ "size 1", -EINVAL, { 5, 0, FREE, 1, ERR_HVA } },
	{ "guest address not page aligned", -EINVAL, { 5, 0, FREE + 0x800, P, ERR_HVA } },
	{ "host address not page aligned", -EINVAL, { 5, 0, FREE, P, ERR_HVA + 0x800 } },
	{ "host address tagged", -EINVAL, { 5, 0, FREE, P, ERR_HVA | 1UL << 60 } },
	{ "host address beyond user space", -EINVAL, { 5, 0, FREE, P, 1UL << 52 } },
	{ "host address in the kernel", -EINVAL, { 5, 0, FREE, P, KERNEL } },
	{ "host range ends beyond user space", -EINVAL, { 5, 0, FREE, 2 * P, (1UL << 52) - P } },
	{ "guest range wraps", -EINVAL, { 5, 0, -P, 2 * P, ERR_HVA } },
	{ "2^31 pages", -EINVAL, { 5, 0, FREE, 1UL << 43, ERR_HVA } },
	{ "delete what is not there", -EINVAL, { 5, 0, 0, 0, 0 } },
	{ "delete what is not there, with an address", -EINVAL, { 5, 0, FREE, 0, ERR_HVA } },
	{ "same as another", -EEXIST, { 5, 0, GUEST_RAM, SLOT_SIZE, ERR_HVA } },
	{ "overlaps another's end", -EEXIST, { 5, 0, GUEST_RAM + SLOT_SIZE - P, 2 * P, ERR_HVA } },
	{ "overlaps another's start", -EEXIST, { 5, 0, GUEST_RAM - P, 2 * P, ERR_HVA } },
	{ "around another", -EEXIST, { 5, 0, GUEST_RAM - P, SLOT_SIZE + 2 * P, ERR_HVA } },
	{ "within another", -EEXIST, { 5, 0, GUEST_RAM + P, P, ERR_HVA } },
	{ "overlaps a logged one", -EEXIST, { 5, 0, LOG_GPA, P, ERR_HVA } },
	{ "ends at the VM's IPA size", 0, { 5, 0, IPA_END - P, P, ERR_HVA } },
	{ "delete it", 0, { 5, 0, 0, 0, 0 } },
	{ "ends one page beyond the VM's IPA size", -EFAULT, { 5, 0, IPA_END - P, 2 * P, ERR_HVA } },
	{ "starts at the VM's IPA size", -EFAULT, { 5, 0, IPA_END, P, ERR_HVA } },
	{ "far beyond the VM's IPA size", -EFAULT, { 5, 0, 1UL << 50, P, ERR_HVA } },
	{ "refused above: still not there", -EINVAL, { 5, 0, 0, 0, 0 } },
	{ "nothing mapped behind it", 0, { 6, 0, FREE, 4 * P, ERR_HVA } },
	{ "the same once more", 0, { 6, 0, FREE, 4 * P, ERR_HVA } },
	{ "change of the size", -EINVAL, { 6, 0, FREE, 5 * P, ERR_HVA } },
	{ "change of the host address", -EINVAL, { 6, 0, FREE, 4 * P, ERR_HVA + P } },
	{ "change to read-only", -EINVAL, { 6, RO, FREE, 4 * P, ERR_HVA } },
	{ "change to logged", 0, { 6, LOG, FREE, 4 * P, ERR_HVA } },
	{ "change back", 0, { 6, 0, FREE, 4 * P, ERR_HVA } },
	{ "move", 0, { 6, 0, FREE + P, 4 * P, ERR_HVA } },
	{ "move over another", -EEXIST, { 6, 0, GUEST_RAM + P, 4 * P, ERR_HVA } },
	{ "move beyond the IPA size", -EFAULT, { 6, 0, IPA_END, 4 * P, ERR_HVA } },
	{ "after a refused move it is where it was", -EEXIST, { 7, 0, FREE + P, P, ERR_HVA } },
	{ "where it no longer is", 0, { 7, 0, FREE, P, ERR_HVA } },
	{ "delete the first", 0, { 6, 0, 0, 0, 0 } },
	{ "delete the second", 0, { 7, 0, 0, 0, 0 } },
	{ "delete it again", -EINVAL, { 7, 0, 0, 0, 0 } },
	{ "read-only and logged", 0, { 6, RO | LOG, FREE, 4 * P, ERR_HVA } },
	{ "read-only to writable", -EINVAL, { 6, LOG, FREE, 4 * P, ERR_HVA } },
	{ "delete the read-only one", 0, { 6, 0, 0, 0, 0 } },
	{ "the last number", 0, { REGION_LIMIT - 1, 0, FREE, P, ERR_HVA } },
	{ "delete the last number", 0, { REGION_LIMIT - 1, 0, 0, 0, 0 } },
};

#define LOW ((void *)8)
static const struct kvm_dirty_log get_rows[] = {
	{ .slot = 0 }, { .slot = 9 }, { .slot = 32767 }, { .slot = 1 << 16 | 1 }, { .slot = 1 },
	{ .slot = 1, .dirty_bitmap = LOW },
};
static const int get_errors[] = { -ENOENT, -ENOENT, -EINVAL, -EINVAL, -EFAULT, -EFAULT };

static const struct kvm_clear_dirty_log clear_rows[] = {
	{ .slot = 0, .num_pages = 1 },
	{ .slot = 1, .first_page = 1, .num_pages = 1 },
	{ .slot = 1, .num_pages = 1 << 20 },
	{ .slot = 1, .num_pages = 17 },
	{ .slot = 1, .first_page = -64UL, .num_pages = 64 },
	{ .slot = 32767, .num_pages = 64 },
	{ .slot = 1 << 16 | 1, .num_pages = 64 },
	{ .slot = 1, .num_pages = 64, .dirty_bitmap = LOW },
};
static const int clear_errors[] = { -ENOENT, -EINVAL, -EINVAL, -EINVAL, -EINVAL, -EINVAL, -EINVAL,
				    -EFAULT };

static const struct kvm_pre_fault_memory prefault_rows[] = {
	{ .gpa = GUEST_RAM, .size = P, .flags = 1 },
	{ .gpa = GUEST_RAM + 1, .size = P },
	{ .gpa = GUEST_RAM, .size = P - 1 },
	{ .gpa = GUEST_RAM, .size = 0 },
	{ .gpa = GUEST_RAM, .size = -GUEST_RAM },
	{ .gpa = 0, .size = P },
	{ .gpa = GUEST_RAM, .size = P },
};
static const int prefault_errors[] = { -EINVAL, -EINVAL, -EINVAL, -EINVAL, -EINVAL, -ENOENT, 0 };
/* clang-format on */

static void expect(s64 got, int error, const char *name, size_t row)
{
	if (got != error)
		print_error("%s, row %zu: %ld, expected %d\n", name, row, (long)got, error);
	assert_int_equal(got, error);
}

static void slot_errors_are_linuxs(void **state)
{
	struct kvm_userspace_memory_region2 r2 = { .slot = 5, .flags = 1 << 4 };

	(void)state;
	assert_int_equal(world_slot(0, 1, LOG, LOG_GPA, 64 * P, AREA), 0);
	for (size_t i = 0; i < ARRAY_SIZE(slot_rows); i++) {
		const struct slot_row *row = &slot_rows[i];

		expect(world_ioctl(0, KVM_SET_USER_MEMORY_REGION, &row->r, sizeof(row->r)),
		       row->error, row->name, i);
	}
	for (size_t i = 0; i < ARRAY_SIZE(slot_rows); i++) {
		const struct kvm_userspace_memory_region *r = &slot_rows[i].r;

		r2 = (struct kvm_userspace_memory_region2){ .slot = r->slot,
							    .flags = r->flags,
							    .guest_phys_addr = r->guest_phys_addr,
							    .memory_size = r->memory_size,
							    .userspace_addr = r->userspace_addr,
							    .guest_memfd = -1U };
		expect(world_ioctl(0, KVM_SET_USER_MEMORY_REGION2, &r2, sizeof(r2)),
		       r->flags & KVM_MEM_GUEST_MEMFD ? -EBADF : slot_rows[i].error,
		       slot_rows[i].name, i);
	}
}

static void log_and_prefault_errors_are_linuxs(void **state)
{
	(void)state;
	assert_int_equal(world_slot(0, 1, LOG, LOG_GPA, 64 * P, AREA), 0);
	for (size_t i = 0; i < ARRAY_SIZE(get_rows); i++)
		expect(world_ioctl(0, KVM_GET_DIRTY_LOG, &get_rows[i], sizeof(get_rows[i])),
		       get_errors[i], "get log", i);
	for (size_t i = 0; i < ARRAY_SIZE(clear_rows); i++)
		expect(world_ioctl(0, KVM_CLEAR_DIRTY_LOG, &clear_rows[i], sizeof(clear_rows[i])),
		       clear_errors[i], "clear log", i);
	for (size_t i = 0; i < ARRAY_SIZE(prefault_rows); i++)
		expect(world_ioctl(0, KVM_PRE_FAULT_MEMORY, &prefault_rows[i],
				   sizeof(prefault_rows[i])),
		       prefault_errors[i], "prefault", i);
	assert_int_equal(world_ioctl_at(0, _IO(KVMIO, 0xef), 0), -EINVAL);
}

static void bad_pointers_are_faults(void **state)
{
	static const u32 cmds[] = { KVM_SET_USER_MEMORY_REGION, KVM_SET_USER_MEMORY_REGION2,
				    KVM_GET_DIRTY_LOG,		KVM_CLEAR_DIRTY_LOG,
				    KVM_CATWALK_GET_REFUSAL,	KVM_PRE_FAULT_MEMORY };
	static const u64 pointers[] = { 0, 8, EDGE, NOTHING, KERNEL, USER_END - 4, -4UL };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cmds); i++) {
		for (size_t j = 0; j < ARRAY_SIZE(pointers); j++)
			expect(world_ioctl_at(0, cmds[i], pointers[j]), -EFAULT, "pointer", j);
	}
}

static void capabilities_are_checked(void **state)
{
	static const struct {
		u32 cap;
		u64 value;
		int error;
	} rows[] = {
		{ KVM_CAP_MANUAL_DIRTY_LOG_PROTECT2, 8, -EINVAL },
		{ KVM_CAP_MANUAL_DIRTY_LOG_PROTECT2, 2, -EINVAL },
		{ KVM_CAP_MANUAL_DIRTY_LOG_PROTECT2, 3, 0 },
		{ KVM_CAP_ARM_EAGER_SPLIT_CHUNK_SIZE, SZ_2M, -EINVAL }, /* there is a slot */
		{ KVM_CAP_CATWALK_WRITE_BACK, 1, -EINVAL },
		{ KVM_CAP_CATWALK_WRITE_BACK, 0, 0 },
		{ KVM_CAP_CATWALK_STRICT_SLOTS, 1, -EINVAL },
		{ KVM_CAP_CATWALK_STRICT_SLOTS, 0, 0 },
		{ KVM_CAP_CATWALK_IVAC_POLICY, 2, -EINVAL },
		{ KVM_CAP_CATWALK_IVAC_POLICY, 1, 0 },
		{ KVM_CAP_USER_MEMORY, 0, -EINVAL },
		{ 99999, 0, -EINVAL },
	};
	s64 answer;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct kvm_enable_cap cap = { .cap = rows[i].cap, .args = { rows[i].value } };

		expect(memory_cap_enable(&world.vm[0], &cap), rows[i].error, "capability", i);
	}
	assert_true(memory_cap_check(&fwb, NULL, KVM_CAP_CATWALK_WRITE_BACK, &answer));
	assert_int_equal(answer, 1);
	assert_true(memory_cap_check(&plain, NULL, KVM_CAP_CATWALK_WRITE_BACK, &answer));
	assert_int_equal(answer, 0);
	assert_true(memory_cap_check(&fwb, &world.vm[0], KVM_CAP_NR_MEMSLOTS, &answer));
	assert_int_equal(answer, REGION_LIMIT);
	assert_false(memory_cap_check(&fwb, NULL, 99999, &answer));
}

/* ---- one memory, seen by the program and by the guest */

static void both_see_what_the_other_wrote(void **state)
{
	(void)state;
	poke(AREA + 5 * P, 17);
	assert_int_equal(world_guest_read(0, GUEST_RAM + 5 * P), 17);
	assert_true(world_guest_write(0, GUEST_RAM + 6 * P, 18));
	assert_int_equal(peek(AREA + 6 * P), 18);
	assert_int_equal(world_guest_read(0, GUEST_RAM + 7 * P), 0);
	assert_true(world_guest_write(0, GUEST_RAM + 7 * P, 19)); /* no longer the zero page */
	assert_int_equal(peek(AREA + 7 * P), 19);
	assert_int_equal(guest(GUEST_RAM + SLOT_SIZE, MACHINE_READ).kind, OUTCOME_MMIO);
}

static void what_the_program_takes_is_gone(void **state)
{
	struct fault_outcome o;

	(void)state;
	for (u64 i = 0; i < 8; i++)
		assert_true(world_guest_write(0, GUEST_RAM + i * P, 1));
	assert_int_equal(mm_munmap(world.mm, AREA, P), 0);
	assert_int_equal(mm_mprotect(world.mm, AREA + P, P, PROT_NONE), 0);
	assert_int_equal(mm_mprotect(world.mm, AREA + 2 * P, P, PROT_READ), 0);
	assert_int_equal(mm_madvise(world.mm, AREA + 3 * P, P, MADV_DONTNEED), 0);
	assert_true(world.narrowed >= 4);
	o = guest(GUEST_RAM, MACHINE_READ);
	assert_int_equal(o.kind, OUTCOME_MEMORY_FAULT);
	assert_int_equal(o.error, -EFAULT);
	assert_int_equal(guest(GUEST_RAM + P, MACHINE_READ).kind, OUTCOME_MEMORY_FAULT);
	assert_int_equal(world_guest_read(0, GUEST_RAM + 2 * P), 1);
	assert_int_equal(guest(GUEST_RAM + 2 * P, MACHINE_WRITE).kind, OUTCOME_MEMORY_FAULT);
	assert_int_equal(world_guest_read(0, GUEST_RAM + 3 * P), 0);
	assert_int_equal(world_map(AREA, P, RW, MAP_PRIVATE), AREA);
	assert_true(world_guest_write(0, GUEST_RAM, 2));
	assert_int_equal(peek(AREA), 2);
}

/* The fault of either side separates parent and child; the guest is the parent's. */
static void a_forked_child_sees_nothing_of_the_guest(void **state)
{
	struct mm *child;

	(void)state;
	for (u64 i = 0; i < 3; i++)
		assert_true(world_guest_write(0, GUEST_RAM + i * P, 1));
	child = mm_copy(world.mm);
	assert_non_null(child);
	assert_int_equal(world_probe(0, GUEST_RAM, MACHINE_WRITE).fault != MF_NONE, true);
	assert_true(world_guest_write(0, GUEST_RAM, 2));
	port_current()->mm = child;
	mm_activate(child);
	assert_int_equal(peek(AREA), 1);
	poke(AREA + P, 3);
	port_current()->mm = world.mm;
	mm_activate(world.mm);
	assert_int_equal(world_guest_read(0, GUEST_RAM), 2);
	assert_int_equal(world_guest_read(0, GUEST_RAM + P), 1);
	mm_exit(child);
	mm_put(child);
	assert_true(world_guest_write(0, GUEST_RAM + P, 4));
	assert_int_equal(peek(AREA + P), 4);
}

static void blocks_stand_behind_blocks(void **state)
{
	(void)state;
	assert_int_equal(mm_madvise(world.mm, AREA, AREA_PAGES * P, MADV_HUGEPAGE), 0);
	assert_true(world_guest_write(0, GUEST_RAM + 3 * P, 7));
	assert_int_equal(mapped(0, LEVEL_2M), SZ_2M);
	assert_int_equal(mm_munmap(world.mm, AREA + 100 * P, P), 0);
	assert_int_equal(mapped(0, LEVEL_2M), 0);
	assert_int_equal(world_guest_read(0, GUEST_RAM + 3 * P), 7);
	assert_int_equal(guest(GUEST_RAM + 100 * P, MACHINE_READ).kind, OUTCOME_MEMORY_FAULT);
	world_check();
}

/* A table is filled before anybody can reach it: whatever its memory held is no descriptor. */
static void a_block_falls_apart_into_any_memory(void **state)
{
	struct page *page[64];

	(void)state;
	assert_int_equal(mm_madvise(world.mm, AREA, AREA_PAGES * P, MADV_HUGEPAGE), 0);
	assert_true(world_guest_write(0, GUEST_RAM, 7));
	for (size_t i = 0; i < ARRAY_SIZE(page); i++) {
		page[i] = page_alloc(ORDER_4K, PAGE_UNFILLED);
		memset(page_to_virt(page[i]), 0xff, P);
	}
	for (size_t i = 0; i < ARRAY_SIZE(page); i++)
		page_put(page[i]);
	assert_int_equal(mm_munmap(world.mm, AREA + 100 * P, P), 0);
	assert_int_equal(world_guest_read(0, GUEST_RAM), 7);
}

static void two_vms_share_a_file(void **state)
{
	struct memobj *object = memobj_new();
	struct file *f = file_alloc(&world_object_ops, object, O_RDWR);

	(void)state;
	assert_int_equal(memobj_truncate(object, 8 * P), 0);
	for (u64 at = AREA; at <= AREA + SLOT_SIZE; at += SLOT_SIZE)
		assert_int_equal(mm_mmap(world.mm, at, 8 * P, RW, MAP_SHARED | MAP_FIXED, f, 0),
				 at);
	assert_int_equal(world_slot(1, 0, 0, GUEST_RAM, 8 * P, AREA + SLOT_SIZE), 0);
	assert_true(world_guest_write(0, GUEST_RAM, 5));
	assert_int_equal(world_guest_read(1, GUEST_RAM), 5);
	assert_int_equal(memobj_truncate(object, 0), 0);
	assert_int_equal(guest(GUEST_RAM, MACHINE_READ).kind, OUTCOME_MEMORY_FAULT);
	assert_int_equal(world_guest_read(1, GUEST_RAM), -1);
	file_put(f);
}

/* ---- memory of a driver */

static struct world_device device;
static struct file *device_file;

static void map_device(enum host_memtype type, u32 flags, int max_level)
{
	device = (struct world_device){ type, flags, max_level };
	device_file = file_alloc(&world_device_ops, &device, O_RDWR);
	assert_non_null(device_file);
	assert_int_equal(mm_mmap(world.mm, AREA, SZ_2M, RW, MAP_SHARED | MAP_FIXED, device_file, 0),
			 AREA);
	file_put(device_file); /* the mapping has its own reference */
}

static void a_drivers_leaves_decide_the_type(void **state)
{
	static const struct {
		enum host_memtype type;
		u32 flags;
		enum machine_type seen;
	} rows[] = {
		{ HOST_NC, 0, MACHINE_DEVICE },
		{ HOST_NC, VM_ALLOW_ANY_UNCACHED, MACHINE_NC },
		{ HOST_DEVICE, 0, MACHINE_DEVICE },
		{ HOST_DEVICE, VM_ALLOW_ANY_UNCACHED, MACHINE_NC },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		map_device(rows[i].type, rows[i].flags, LEVEL_2M);
		assert_int_equal(guest(GUEST_RAM, MACHINE_WRITE).kind, OUTCOME_RESUME);
		assert_int_equal(world_probe(0, GUEST_RAM, MACHINE_WRITE).type, rows[i].seen);
		assert_int_equal(mapped(0, LEVEL_2M), SZ_2M);
		assert_int_equal(guest(GUEST_RAM, MACHINE_FETCH).kind, OUTCOME_INJECT);
		assert_int_equal(mm_munmap(world.mm, AREA, SZ_2M), 0);
		assert_int_equal(guest(GUEST_RAM, MACHINE_READ).kind, OUTCOME_MEMORY_FAULT);
	}
}

/* M10: guaranteed write-back is refused over memory that is not, and the refusal is on record. */
static void a_guarantee_that_cannot_be_kept_is_refused(void **state)
{
	struct kvm_enable_cap cap = { .cap = KVM_CAP_CATWALK_WRITE_BACK };
	struct catwalk_refusal refusal;

	(void)state;
	assert_int_equal(world_slot(0, 0, 0, GUEST_RAM, 0, 0), 0);
	assert_int_equal(memory_cap_enable(&world.vm[0], &cap), 0);
	map_device(HOST_NC, 0, LEVEL_4K);
	assert_int_equal(world_slot(0, 0, (u32)KVM_MEM_WRITE_BACK, GUEST_RAM, SZ_2M, AREA),
			 -EINVAL);
	assert_int_equal(world_ioctl_at(0, KVM_CATWALK_GET_REFUSAL, ARGS), 0);
	assert_int_equal(copy_from_user(&refusal, HVA(ARGS), sizeof(refusal)), 0);
	assert_int_equal(refusal.error, -EINVAL);
	assert_int_equal(refusal.rule, 10);
	assert_int_equal(refusal.hva, AREA);
	assert_true(strlen(refusal.reason) > 0);
	assert_int_equal(world_slot(0, 0, 0, GUEST_RAM, SZ_2M, AREA), 0);
}

static const struct host_ops *real_host;
static u64 leaves_asked;

/*
 * While the engine asks for a leaf, a program's thread wants to change its mappings: it waits for
 * who reads them, and who comes to read waits for it.
 */
static int leaf_while_a_writer_waits(void *host, hva_t hva, struct host_leaf *out)
{
	struct rwsem *lock = &world.mm->lock;
	int error;

	assert_int_equal(lock->state & RWSEM_READERS, 1); /* the VMAs stand still (M8) */
	leaves_asked++;
	lock->state += RWSEM_WAITING_ONE;
	error = real_host->leaf(host, hva, out);
	lock->state -= RWSEM_WAITING_ONE;
	return error;
}

static void create_over_a_device(void *arg)
{
	(void)arg;
	assert_int_equal(world_slot(0, 0, 0, GUEST_RAM, SZ_2M, AREA), 0);
}

static void a_slot_over_a_device_waits_for_no_writer(void **state)
{
	struct host_ops host;

	(void)state;
	assert_int_equal(world_slot(0, 0, 0, GUEST_RAM, 0, 0), 0);
	map_device(HOST_NC, VM_ALLOW_ANY_UNCACHED, LEVEL_2M);
	assert_int_equal(mm_fault(world.mm, HVA(AREA), HOST_READ), FAULT_OK);
	real_host = world.vm[0].guest.host_ops;
	host = *real_host;
	host.leaf = leaf_while_a_writer_waits;
	world.vm[0].guest.host_ops = &host;
	leaves_asked = 0;
	if (model_refuses(create_over_a_device, NULL))
		fail_msg("%s", model_refusal());
	assert_true(leaves_asked > 0);
	world.vm[0].guest.host_ops = real_host;
	assert_int_equal(guest(GUEST_RAM, MACHINE_READ).kind, OUTCOME_RESUME);
	assert_int_equal(world_probe(0, GUEST_RAM, MACHINE_READ).type, MACHINE_NC);
}

/* ---- the dirty log */

static void get_log(u32 slot, u64 *words, size_t n)
{
	struct kvm_dirty_log get = { .slot = slot, .dirty_bitmap = (void *)LOG_BITMAP };

	assert_int_equal(world_ioctl(0, KVM_GET_DIRTY_LOG, &get, sizeof(get)), 0);
	assert_int_equal(copy_from_user(words, HVA(LOG_BITMAP), n * sizeof(u64)), 0);
}

static void the_log_has_what_the_guest_wrote(void **state)
{
	u64 words[2];

	(void)state;
	assert_int_equal(mm_madvise(world.mm, AREA, AREA_PAGES * P, MADV_HUGEPAGE), 0);
	assert_true(world_guest_write(0, GUEST_RAM, 1)); /* a block, before there was a log */
	assert_int_equal(world_slot(0, 0, LOG, GUEST_RAM, SLOT_SIZE, AREA), 0);
	get_log(0, words, 2);
	assert_int_equal(words[0] | words[1], 0);
	assert_true(world_guest_write(0, GUEST_RAM + 3 * P, 1));
	assert_true(world_guest_write(0, GUEST_RAM + 65 * P, 1));
	assert_int_equal(world_guest_read(0, GUEST_RAM + 4 * P), 0);
	poke(AREA + 5 * P, 1); /* the program's own writes are its own affair */
	get_log(0, words, 2);
	assert_int_equal(words[0], BIT(3));
	assert_int_equal(words[1], BIT(1));
	get_log(0, words, 2);
	assert_int_equal(words[0] | words[1], 0);
	assert_true(world_guest_write(0, GUEST_RAM + 3 * P, 2));
	get_log(0, words, 2);
	assert_int_equal(words[0], BIT(3));
}

static void the_log_is_cleared_by_mask(void **state)
{
	struct kvm_enable_cap cap = { .cap = KVM_CAP_MANUAL_DIRTY_LOG_PROTECT2, .args = { 1 } };
	struct kvm_clear_dirty_log clear = { .num_pages = 64, .dirty_bitmap = (void *)LOG_BITMAP };
	u64 words[2], mask = BIT(1);

	(void)state;
	assert_int_equal(memory_cap_enable(&world.vm[0], &cap), 0);
	assert_int_equal(world_slot(0, 0, LOG, GUEST_RAM, SLOT_SIZE, AREA), 0);
	for (u64 i = 0; i < 3; i++)
		assert_true(world_guest_write(0, GUEST_RAM + i * P, 1));
	get_log(0, words, 1);
	assert_int_equal(words[0], 7);
	world_put(LOG_BITMAP, &mask, sizeof(mask));
	assert_int_equal(world_ioctl(0, KVM_CLEAR_DIRTY_LOG, &clear, sizeof(clear)), 0);
	get_log(0, words, 1);
	assert_int_equal(words[0], 5);
	assert_int_equal(world_probe(0, GUEST_RAM, MACHINE_WRITE).fault, MF_NONE);
	assert_int_not_equal(world_probe(0, GUEST_RAM + P, MACHINE_WRITE).fault, MF_NONE);
}

/* ---- KVM_PRE_FAULT_MEMORY */

static s64 prefault(u64 gpa, u64 size, struct kvm_pre_fault_memory *left)
{
	struct kvm_pre_fault_memory r = { .gpa = gpa, .size = size };
	s64 ret = world_ioctl(0, KVM_PRE_FAULT_MEMORY, &r, sizeof(r));

	assert_int_equal(copy_from_user(left, HVA(ARGS), sizeof(*left)), 0);
	return ret;
}

static void prefault_says_how_far_it_came(void **state)
{
	struct kvm_pre_fault_memory left;

	(void)state;
	assert_int_equal(mm_madvise(world.mm, AREA, AREA_PAGES * P, MADV_NOHUGEPAGE), 0);
	assert_int_equal(prefault(GUEST_RAM, 16 * P, &left), 0);
	assert_int_equal(left.size, 0);
	assert_int_equal(left.gpa, GUEST_RAM + 16 * P);
	assert_int_equal(mapped(0, LEVEL_4K), 16 * P);
	assert_int_equal(world_probe(0, GUEST_RAM + 15 * P, MACHINE_READ).fault, MF_NONE);
	assert_int_equal(prefault(GUEST_RAM + SLOT_SIZE - 4 * P, 8 * P, &left), 0);
	assert_int_equal(left.size, 4 * P);
	assert_int_equal(prefault(left.gpa, left.size, &left), -ENOENT);
	port_current()->signal_pending = 1;
	assert_int_equal(prefault(GUEST_RAM, P, &left), -EINTR);
	port_current()->signal_pending = 0;
	assert_int_equal(left.size, P);
}

/* ---- ends */

static void a_program_may_end_before_its_vms(void **state)
{
	(void)state;
	assert_true(world_guest_write(0, GUEST_RAM, 1));
	model_pte_hook = NULL;
	mm_exit(world.mm);
	assert_int_not_equal(world_probe(0, GUEST_RAM, MACHINE_READ).fault, MF_NONE);
	assert_int_equal(guest(GUEST_RAM, MACHINE_READ).kind, OUTCOME_MEMORY_FAULT);
	assert_int_equal(mapped(0, LEVEL_4K), 0);
}

static unsigned int releases;

static void count_release(struct vm_memory *m)
{
	releases += m == &world.vm[1];
}

static void the_owner_is_told_before_the_end(void **state)
{
	static struct vm_memory_ops ops;

	(void)state;
	releases = 0;
	ops = *world.vm[1].ops;
	ops.before_release = count_release;
	world.vm[1].ops = &ops;
	model_pte_hook = NULL;
	mm_exit(world.mm);
	assert_int_equal(releases, 1);
}

/* ---- the n-th allocation fails */

static s64 try_slot(void)
{
	return world_slot(0, 1, LOG, LOG_GPA, 64 * P, AREA + SLOT_SIZE);
}

static s64 try_move(void)
{
	return world_slot(0, 0, 0, GUEST_RAM + SLOT_SIZE, SLOT_SIZE, AREA);
}

static s64 try_guest(void)
{
	struct fault_outcome o = guest(GUEST_RAM + 9 * P, MACHINE_WRITE);

	return o.kind == OUTCOME_ERROR ? o.error : 0;
}

static s64 try_prefault(void)
{
	struct kvm_pre_fault_memory left;

	return prefault(GUEST_RAM + 512 * P, P, &left);
}

static s64 try_clear(void)
{
	struct kvm_clear_dirty_log clear = { .slot = 2,
					     .num_pages = 64,
					     .dirty_bitmap = (void *)LOG_BITMAP };

	return world_ioctl(0, KVM_CLEAR_DIRTY_LOG, &clear, sizeof(clear));
}

static s64 try_vm(void)
{
	world_vm_end(1);
	return world_vm_begin(1);
}

static void every_allocation_may_fail(void **state)
{
	static s64 (*const calls[])(void) = { try_slot, try_guest, try_prefault, try_clear,
					      try_move };

	(void)state;
	poke(LOG_BITMAP, 0);
	assert_int_equal(world_slot(0, 2, LOG, FREE, 64 * P, AREA), 0);
	for (size_t i = 0; i < ARRAY_SIZE(calls); i++) {
		u64 n = 1;
		s64 ret = -ENOMEM;

		for (; n < 50 && ret == -ENOMEM; n++) {
			/* Odd: one of the host's; even: one of the engine's. */
			page_fail_nth(n & 1 ? (n + 1) / 2 : 0);
			machine_fail_alloc(world.p, n & 1 ? 0 : n / 2);
			ret = calls[i]();
		}
		page_fail_nth(0);
		machine_fail_alloc(world.p, 0);
		while (ret == -ENOMEM)
			ret = calls[i]();
		assert_int_equal(ret, 0);
		world_check();
	}
}

static void no_vm_without_memory(void **state)
{
	u64 n = 0;

	(void)state;
	do {
		machine_fail_alloc(world.p, ++n);
		if (!try_vm())
			break;
		machine_fail_alloc(world.p, 0);
		assert_int_equal(world_vm_begin(1), 0);
	} while (n < 20);
	assert_in_range(n, 3, 19);
}

/* ---- the engine's memory from the host's allocators */

static void freed_memory_outlasts_its_readers(void **state)
{
	u64 *table = engine_memory_table(0), *retired = engine_memory_table(2);
	u8 *mem = engine_memory_alloc(100), *later = engine_memory_alloc(100);

	(void)state;
	assert_non_null(table);
	assert_true(IS_ALIGNED((u64)retired, 4 * P));
	for (size_t i = 0; i < 512; i++)
		assert_int_equal(table[i] | retired[4 * i], 0);
	for (size_t i = 0; i < 100; i++)
		assert_int_equal(mem[i] | later[i], 0);
	retired[0] = 1;
	later[0] = 2;
	engine_memory_table_free(table);
	engine_memory_free(mem);
	engine_memory_free(NULL);
	engine_memory_retire(NULL);
	engine_memory_table_retire(retired);
	engine_memory_retire(later);
	assert_int_equal(retired[0], 1);
	assert_int_equal(later[0], 2);
	model_host_grace();
}

static void no_memory_is_half_given(void **state)
{
	(void)state;
	for (u64 n = 1; n <= 2; n++) {
		page_fail_nth(n);
		assert_null(engine_memory_table(0));
		page_fail_nth(n);
		assert_null(engine_memory_alloc(100));
	}
	page_fail_nth(0);
}

/* ---- random sequences */

static u64 seed;

static u8 random_byte(void)
{
	seed = seed * 6364136223846793005UL + 1442695040888963407UL;
	return (u8)(seed >> 56);
}

static void random_sequences_keep_guests_within_the_host(void **state)
{
	enum { SEQUENCES = 400, BYTES = 4000 };
	struct port *machine = NULL;
	static u8 bytes[BYTES];
	u64 narrowed = 0, reached = 0, races = 0;

	(void)state;
	seed = 7;
	for (u64 i = 0; i < SEQUENCES; i++) {
		for (size_t b = 0; b < BYTES; b++)
			bytes[b] = random_byte();
		bytes[0] = (u8)i;
		machine = ops_run(machine, bytes, BYTES, 400);
		narrowed += world.narrowed;
		reached += world.reached;
		races += world.races;
	}
	machine_delete(machine);
	assert_true(narrowed > 100000);
	assert_true(reached > 50000);
	assert_true(races > 2000);
}

#define on_fwb(f)   cmocka_unit_test_setup_teardown(f, begin_fwb, world_teardown)
#define on_plain(f) cmocka_unit_test_setup_teardown(f, begin_plain, world_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		on_fwb(slot_errors_are_linuxs),
		on_fwb(log_and_prefault_errors_are_linuxs),
		on_fwb(bad_pointers_are_faults),
		on_fwb(capabilities_are_checked),
		on_fwb(both_see_what_the_other_wrote),
		on_plain(both_see_what_the_other_wrote),
		on_fwb(what_the_program_takes_is_gone),
		on_plain(what_the_program_takes_is_gone),
		on_fwb(a_forked_child_sees_nothing_of_the_guest),
		on_plain(a_forked_child_sees_nothing_of_the_guest),
		on_fwb(blocks_stand_behind_blocks),
		on_plain(blocks_stand_behind_blocks),
		on_fwb(a_block_falls_apart_into_any_memory),
		on_plain(two_vms_share_a_file),
		on_fwb(a_drivers_leaves_decide_the_type),
		on_plain(a_drivers_leaves_decide_the_type),
		on_fwb(a_guarantee_that_cannot_be_kept_is_refused),
		on_fwb(a_slot_over_a_device_waits_for_no_writer),
		on_fwb(the_log_has_what_the_guest_wrote),
		on_plain(the_log_has_what_the_guest_wrote),
		on_fwb(the_log_is_cleared_by_mask),
		on_fwb(prefault_says_how_far_it_came),
		on_fwb(a_program_may_end_before_its_vms),
		on_fwb(the_owner_is_told_before_the_end),
		on_fwb(every_allocation_may_fail),
		on_fwb(no_vm_without_memory),
		on_fwb(freed_memory_outlasts_its_readers),
		on_fwb(no_memory_is_half_given),
		cmocka_unit_test(random_sequences_keep_guests_within_the_host),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
