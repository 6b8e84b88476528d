/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the tests of programs' memory share: a machine with one mm that is active, a check for leaks
 * at the end, a file of memory, and an observer that keeps what a stage 2 would keep and refuses
 * any change of a leaf it still holds (design.md M13).
 */
#ifndef TESTS_UNIT_HOST_WORLD_H
#define TESTS_UNIT_HOST_WORLD_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <linux/mman.h>

#include <asm-generic/fcntl.h>

#include "host/driver.h"
#include "host/mm_impl.h"
#include "host/pte.h"
#include "host/task.h"

#define WORLD_RAM (256UL << 20)

static struct mm *world_mm;
static struct mem_counts world_before;

/* ---- the observer */

#define SHADOW_MAX 4096

static struct {
	struct mm_notifier notifier;
	struct {
		u64 addr;
		u64 *entry;
		u64 pte;
	} held[SHADOW_MAX];
	u32 count;
	u32 begun; /* begin() calls without their end() */
	u64 begins;
	bool registered;
} shadow;

static void shadow_begin(struct mm_notifier *n, hva_t start, hva_t end)
{
	(void)n;
	assert_true(start.v < end.v);
	shadow.begun++;
	shadow.begins++;
	for (u32 i = 0; i < shadow.count;) {
		if (shadow.held[i].addr >= start.v && shadow.held[i].addr < end.v)
			shadow.held[i] = shadow.held[--shadow.count];
		else
			i++;
	}
}

static void shadow_end(struct mm_notifier *n, hva_t start, hva_t end)
{
	(void)n;
	(void)start;
	(void)end;
	assert_true(shadow.begun > 0);
	shadow.begun--;
}

static void shadow_release(struct mm_notifier *n)
{
	(void)n;
	shadow.count = 0;
}

static const struct mm_notifier_ops shadow_ops = {
	.begin = shadow_begin,
	.end = shadow_end,
	.release = shadow_release,
};

static inline bool leaf_narrows(u64 old, u64 value)
{
	return !(value & PTE_VALID) || pte_pa(old).v != pte_pa(value).v ||
	       (pte_is_writable(old) && !pte_is_writable(value)) || !pte_is_leaf(value);
}

static void shadow_check_write(u64 *entry, u64 old, u64 value)
{
	if (!pte_is_valid_leaf(old) || !leaf_narrows(old, value))
		return;
	for (u32 i = 0; i < shadow.count; i++) {
		if (shadow.held[i].entry == entry)
			fail_msg(
				"M13: a leaf narrows that the VMs still have, and were not told of");
	}
}

/* Takes what is mapped at @addr into the shadow, as a guest's fault would. */
static inline void shadow_take(u64 addr)
{
	int level;
	u64 *entry;

	spin_lock(&world_mm->pt_lock);
	entry = pgt_lookup_locked(world_mm, addr, &level);
	if (pte_is_valid_leaf(*entry) && shadow.count < SHADOW_MAX) {
		shadow.held[shadow.count].addr = addr;
		shadow.held[shadow.count].entry = entry;
		shadow.held[shadow.count].pte = *entry;
		shadow.count++;
	}
	spin_unlock(&world_mm->pt_lock);
}

/* ---- the world */

static inline bool world_fault(u64 va, enum model_access access)
{
	return mm_fault(world_mm, HVA(va), access == MODEL_WRITE ? HOST_WRITE : HOST_READ) ==
	       FAULT_OK;
}

static inline int world_begin_with(void **state, u64 ram)
{
	(void)state;
	model_host_boot(ram);
	world_before = page_counts();
	world_mm = mm_new();
	assert_non_null(world_mm);
	port_current()->mm = world_mm;
	mm_activate(world_mm);
	memset(&shadow, 0, sizeof(shadow));
	shadow.notifier.ops = &shadow_ops;
	mm_notifier_register(world_mm, &shadow.notifier);
	model_pte_hook = shadow_check_write;
	model_user_fault = world_fault;
	return 0;
}

static inline int world_begin(void **state)
{
	return world_begin_with(state, WORLD_RAM);
}

static inline int world_end(void **state)
{
	struct mem_counts after;

	(void)state;
	page_fail_nth(0);
	mm_exit(world_mm);
	port_current()->mm = NULL;
	mm_put(world_mm);
	model_host_grace();
	after = page_counts();
	assert_int_equal(shadow.begun, 0);
	assert_int_equal(after.kmalloc_objects, world_before.kmalloc_objects);
	assert_int_equal(after.free_pages + after.slab_pages,
			 world_before.free_pages + world_before.slab_pages);
	model_host_off();
	return 0;
}

#define world_test(f) cmocka_unit_test_setup_teardown(f, world_begin, world_end)

/* ---- shorthands */

#define RW (PROT_READ | PROT_WRITE)

static inline s64 map_at(u64 addr, u64 len, int prot, int flags)
{
	return mm_mmap(world_mm, addr, len, prot, flags | (addr ? MAP_FIXED : 0), NULL, 0);
}

static inline u64 map_anon(u64 addr, u64 len)
{
	s64 at = map_at(addr, len, RW, MAP_PRIVATE | MAP_ANONYMOUS);

	assert_true(at > 0);
	return (u64)at;
}

/* The byte at @addr, or -EFAULT; and writing one. */
static inline int peek_byte(u64 addr)
{
	u8 byte;

	return copy_from_user(&byte, HVA(addr), 1) ? -EFAULT : byte;
}

static inline int poke_byte(u64 addr, u8 byte)
{
	return copy_to_user(HVA(addr), &byte, 1);
}

static inline struct host_pte leaf_at(u64 addr)
{
	struct host_pte pte = { .level = 0 };

	return mm_peek(world_mm, HVA(addr), &pte) ? pte : (struct host_pte){ .level = -1 };
}

/* ---- a file of memory; the object's reference is the file's */

static inline int world_file_mmap(struct file *f, struct vma *vma)
{
	return memobj_mmap(f->priv, vma);
}

static inline int world_file_fallocate(struct file *f, int mode, u64 offset, u64 len)
{
	return memobj_fallocate(f->priv, mode, offset, len);
}

static inline void world_file_release(struct file *f)
{
	memobj_put(f->priv);
}

static const struct file_ops world_file_ops = {
	.name = "test",
	.mmap = world_file_mmap,
	.fallocate = world_file_fallocate,
	.release = world_file_release,
};

static inline struct file *world_file(struct memobj *o, u32 flags)
{
	struct file *f = file_alloc(&world_file_ops, o, flags);

	assert_non_null(f);
	return f;
}

#endif
