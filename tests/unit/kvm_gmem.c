/* SPDX-License-Identifier: Apache-2.0 */
/*
 * guest_memfd on the modelled machine: what a guest reaches through a slot is what the file has,
 * whoever punches holes or closes it meanwhile; and whatever allocation fails, nothing is left.
 */
#include <linux/falloc.h>

#include "kvm/guest_memfd.h"
#include "tests/unit/engine_fixture.h"
#include "tests/unit/kvm_world.h"

enum { P = PAGE_SIZE, PAGES = 16, SLOT = 4, BOTH = GUEST_MEMFD_FLAGS };

#define SIZE ((u64)PAGES * P)
#define HOLE (FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE)

static int fd = -1;

static struct file *file_of(int n)
{
	struct file *f = fd_get(port_current()->files, n);

	assert_non_null(f);
	file_put(f); /* the table's is left */
	return f;
}

static int gmem_open(unsigned int vm, u64 size, u64 flags)
{
	struct file *f = gmem_create(&world.vm[vm], size, flags);
	int n;

	if (IS_ERR(f))
		return (int)PTR_ERR(f);
	n = fd_install(port_current()->files, f, 0, 0);
	if (n < 0)
		file_put(f);
	return n;
}

static s64 show_at(unsigned int vm, int n, u64 offset, u64 size)
{
	const struct kvm_userspace_memory_region2 r = {
		.slot = SLOT,
		.flags = KVM_MEM_GUEST_MEMFD,
		.guest_phys_addr = GUEST_RAM,
		.memory_size = size,
		.guest_memfd = (u32)n,
		.guest_memfd_offset = offset,
	};

	return world_ioctl(vm, KVM_SET_USER_MEMORY_REGION2, &r, sizeof(r));
}

static s64 delete (void)
{
	const struct kvm_userspace_memory_region2 r = { .slot = SLOT };

	return world_ioctl(0, KVM_SET_USER_MEMORY_REGION2, &r, sizeof(r));
}

static int punch(u64 first, u64 pages)
{
	return file_of(fd)->ops->fallocate(file_of(fd), HOLE, first * P, pages * P);
}

/* A program's mapping of the whole file. */
static u64 map_file(void)
{
	s64 at = mm_mmap(world.mm, AREA, SIZE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED,
			 file_of(fd), 0);

	assert_int_equal(at, AREA);
	return (u64)at;
}

static struct fault_outcome touch(u64 ipa, enum machine_op op, pa_t *pa)
{
	struct fault_outcome o = { .kind = OUTCOME_RESUME };

	for (int i = 0; i < 16; i++) {
		struct machine_access a = world_probe(0, ipa, op);
		struct fault_trap t;

		*pa = a.pa;
		if (a.fault == MF_NONE)
			return o;
		t = world_trap(&a, op, ipa);
		o = world_fault(0, &t);
		if (o.kind != OUTCOME_RESUME)
			return o;
	}
	fail_msg("the guest faults for ever");
	return o;
}

/* Where the program's mapping has the byte of page @n now, or 0. */
static u64 host_pa(u64 n)
{
	struct host_pte pte;

	return mm_peek(world.mm, HVA(AREA + n * P), &pte) ? pte.pa.v : 0;
}

/* No page that the guest reaches is another than the file's. */
static void check_reached(void)
{
	for (u64 n = 0; n < PAGES; n++) {
		struct machine_access a = world_probe(0, GUEST_RAM + n * P, MACHINE_READ);

		if (a.fault != MF_NONE)
			continue;
		(void)mm_fault(world.mm, HVA(AREA + n * P), HOST_READ);
		assert_int_equal(a.pa.v, host_pa(n));
	}
}

static void begin(const struct port_caps *caps)
{
	world_start(machine_new(caps));
	fd = gmem_open(0, SIZE, BOTH);
	assert_true(fd >= 0);
}

static int begin_fwb(void **state)
{
	(void)state;
	begin(&caps_fwb);
	return 0;
}

static int begin_plain(void **state)
{
	(void)state;
	begin(&caps_plain);
	return 0;
}

static int end(void **state)
{
	struct port *p = world.p;

	(void)state;
	if (fd >= 0)
		(void)fd_close(port_current()->files, fd);
	world_stop();
	machine_delete(p);
	return 0;
}

/* ---- */

static void guests_and_programs_share_pages(void **state)
{
	u64 at = map_file();
	u8 byte = 7;
	pa_t pa;

	(void)state;
	assert_int_equal(show_at(0, fd, 0, SIZE), 0);
	world_put(at + 3 * P, &byte, 1);
	assert_int_equal(touch(GUEST_RAM + 3 * P, MACHINE_READ, &pa).kind, OUTCOME_RESUME);
	assert_int_equal(pa.v, host_pa(3));
	assert_int_equal(*model_guest_byte(pa), 7);
	check_reached();
	/* A hole is gone for both before the call is back, and zeroes come. */
	assert_int_equal(punch(3, 1), 0);
	assert_int_equal(host_pa(3), 0);
	assert_int_not_equal(world_probe(0, GUEST_RAM + 3 * P, MACHINE_READ).fault, MF_NONE);
	assert_int_equal(touch(GUEST_RAM + 3 * P, MACHINE_READ, &pa).kind, OUTCOME_RESUME);
	assert_int_equal(*model_guest_byte(pa), 0);
	check_reached();
	assert_int_equal(delete (), 0);
}

static void a_slot_shows_a_part(void **state)
{
	pa_t pa;

	(void)state;
	map_file();
	assert_int_equal(show_at(0, fd, 5 * P, 4 * P), 0);
	assert_int_equal(touch(GUEST_RAM + P, MACHINE_WRITE, &pa).kind, OUTCOME_RESUME);
	(void)mm_fault(world.mm, HVA(AREA + 6 * P), HOST_READ);
	assert_int_equal(pa.v, host_pa(6));
	/* Holes beside it are none of its business, those over its edges are. */
	assert_int_equal(punch(0, 5), 0);
	assert_int_equal(punch(9, 7), 0);
	assert_int_equal(world_probe(0, GUEST_RAM + P, MACHINE_READ).fault, MF_NONE);
	assert_int_equal(punch(0, 7), 0);
	assert_int_not_equal(world_probe(0, GUEST_RAM + P, MACHINE_READ).fault, MF_NONE);
}

static const char *last_refusal(void)
{
	return reason_name(world.vm[0].guest.refusal.why);
}

static void m18_refusals_say_why(void **state)
{
	int none = gmem_open(0, SIZE, 0), foreign = gmem_open(1, SIZE, BOTH);

	(void)state;
	assert_int_equal(show_at(0, 77, 0, SIZE), -EBADF);
	assert_string_equal(last_refusal(), "GMEM_NOT_ONE");
	assert_int_equal(show_at(0, foreign, 0, SIZE), -EINVAL);
	assert_string_equal(last_refusal(), "GMEM_NOT_ONE");
	assert_int_equal(show_at(0, fd, P, SIZE), -EINVAL);
	assert_string_equal(last_refusal(), "GMEM_RANGE");
	assert_int_equal(show_at(0, none, 0, SIZE), -EINVAL);
	assert_string_equal(last_refusal(), "GMEM_PRIVATE");
	assert_int_equal(show_at(0, fd, 0, SIZE), 0);
	assert_int_equal(show_at(0, fd, 0, SIZE), -EINVAL);
	assert_string_equal(last_refusal(), "SLOT_IMMUTABLE");
	assert_int_equal(fd_close(port_current()->files, none), 0);
	assert_int_equal(fd_close(port_current()->files, foreign), 0);
}

static void a_closed_file_shows_nothing(void **state)
{
	struct fault_outcome o;
	pa_t pa;

	(void)state;
	assert_int_equal(show_at(0, fd, 0, SIZE), 0);
	assert_int_equal(touch(GUEST_RAM, MACHINE_WRITE, &pa).kind, OUTCOME_RESUME);
	assert_int_equal(fd_close(port_current()->files, fd), 0);
	fd = -1;
	assert_int_not_equal(world_probe(0, GUEST_RAM, MACHINE_READ).fault, MF_NONE);
	o = touch(GUEST_RAM, MACHINE_READ, &pa);
	assert_int_equal(o.kind, OUTCOME_MEMORY_FAULT);
	assert_int_equal(o.why, WHY_GMEM_CLOSED);
	assert_int_equal(delete (), 0);
}

/* ---- races: another thread does something at each step of a fault, in turn */

static void race_punch(void)
{
	assert_int_equal(punch(0, PAGES), 0);
}

static void race_close(void)
{
	assert_int_equal(fd_close(port_current()->files, fd), 0);
	fd = -1;
}

static void faults_race(void (*race)(void), bool is_mapped)
{
	unsigned int raced = 0;

	for (unsigned int step = 0; step < 60; step++) {
		pa_t pa;

		if (fd < 0)
			fd = gmem_open(0, SIZE, BOTH);
		if (is_mapped)
			map_file();
		(void)delete ();
		assert_int_equal(show_at(0, fd, 0, SIZE), 0);
		assert_int_equal(touch(GUEST_RAM + P, MACHINE_WRITE, &pa).kind, OUTCOME_RESUME);
		world.race = race;
		world.race_after = step;
		(void)touch(GUEST_RAM, MACHINE_WRITE, &pa);
		raced += !world.race;
		world.race = NULL;
		if (is_mapped)
			check_reached();
		else
			assert_int_not_equal(world_probe(0, GUEST_RAM, MACHINE_READ).fault ==
							     MF_NONE &&
						     world.raced,
					     true);
	}
	assert_true(raced > 5);
}

static void m13_holes_under_faults(void **state)
{
	(void)state;
	faults_race(race_punch, true);
}

static void m13_files_close_under_faults(void **state)
{
	(void)state;
	faults_race(race_close, false);
}

/* ---- the n-th allocation fails */

/* All of it, or nothing and -ENOMEM. */
static s64 try_all(void)
{
	pa_t pa;
	s64 error;
	int n = gmem_open(0, SIZE, BOTH);

	if (n < 0)
		return n;
	error = show_at(0, n, 0, SIZE);
	if (!error) {
		struct fault_outcome o = touch(GUEST_RAM, MACHINE_WRITE, &pa);
		s64 deleted = delete ();

		error = o.kind == OUTCOME_ERROR ? o.error : deleted;
		if (deleted) /* it needs memory too, and fails once */
			assert_int_equal(delete (), 0);
	}
	assert_int_equal(fd_close(port_current()->files, n), 0);
	return error;
}

static void allocations_fail(void **state)
{
	u64 n;

	(void)state;
	for (n = 1; n < 100; n++) {
		s64 error;

		page_fail_nth(n);
		error = try_all();
		if (page_fail_nth(0))
			break;
		assert_int_equal(error, -ENOMEM);
	}
	assert_in_range(n, 5, 99);
	for (n = 1; n < 100; n++) {
		s64 error;

		machine_fail_alloc(world.p, n);
		error = try_all();
		machine_fail_alloc(world.p, 0);
		if (!error)
			break;
		assert_int_equal(error, -ENOMEM);
	}
	assert_in_range(n, 2, 99);
}

#define on_fwb(f)   cmocka_unit_test_setup_teardown(f, begin_fwb, end)
#define on_plain(f) cmocka_unit_test_setup_teardown(f, begin_plain, end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		on_fwb(guests_and_programs_share_pages),
		on_plain(guests_and_programs_share_pages),
		on_fwb(a_slot_shows_a_part),
		on_fwb(m18_refusals_say_why),
		on_fwb(a_closed_file_shows_nothing),
		on_plain(a_closed_file_shows_nothing),
		on_fwb(m13_holes_under_faults),
		on_plain(m13_holes_under_faults),
		on_fwb(m13_files_close_under_faults),
		on_fwb(allocations_fail),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
