/* SPDX-License-Identifier: Apache-2.0 */
/* The world of host_world.h with a userfaultfd that can protect what is absent too, and its calls.
 */
#ifndef TESTS_UNIT_UFFD_WORLD_H
#define TESTS_UNIT_UFFD_WORLD_H

#include "host_world.h"

#include "host/err.h"
#include "host/uffd_impl.h"

#define P PAGE_SIZE

static struct file *file;
static struct uffd *u;
static u64 src; /* a page of 's' */

static inline int uffd_begin(void **state)
{
	world_begin(state);
	file = uffd_new(world_mm, UFFD_ALL_FAULTS, 0);
	assert_non_null(file);
	u = file->priv;
	u->features = UFFD_WP_UNPOPULATED;
	u->ready = true;
	src = map_anon(0, 4 * PAGE_SIZE);
	for (u64 i = 0; i < 4 * PAGE_SIZE; i += 64)
		assert_int_equal(poke_byte(src + i, 's'), 0);
	return 0;
}

static inline int uffd_end(void **state)
{
	model_on_sleep = NULL;
	if (file)
		file_put(file);
	model_host_grace();
	return world_end(state);
}

static inline void watch(u64 at, u64 len, u32 flags)
{
	u64 ioctls;

	assert_int_equal(uffd_register(u, at, at + len, flags, &ioctls), 0);
}

static inline s64 fill(enum uffd_fill_kind kind, u64 at, u64 len, enum uffd_wp wp)
{
	struct uffd_fill f = { .kind = kind, .start = at, .len = len, .src = src, .wp = wp };

	return uffd_fill(u, &f);
}

static inline u64 pte_at(u64 addr)
{
	int level;

	return port_pte_read(pgt_lookup_locked(world_mm, addr, &level));
}

/* An object of @len bytes, mapped at @at, whose only references are the mapping's. */
static inline struct memobj *map_object(struct memobj *o, u64 at, u64 len, int flags)
{
	struct file *f = world_file(o, O_RDWR);

	assert_int_equal(memobj_truncate(o, len), 0);
	assert_int_equal(mm_mmap(world_mm, at, len, RW, flags | MAP_FIXED, f, 0), at);
	file_put(f);
	return o;
}

#define uffd_test(f) cmocka_unit_test_setup_teardown(f, uffd_begin, uffd_end)

#endif
