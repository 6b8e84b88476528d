/* SPDX-License-Identifier: Apache-2.0 */
/*
 * userfaultfd over the model: what it does to descriptors is seen by the observer (nothing narrows
 * unannounced), by the machine (break before make) and by the count of pages and objects. What
 * programs see of it: tests/target/uffd.c.
 */
#include "uffd_world.h"

#include "host/pagemap.h"

/* ---- who waits; the other threads' part is played by what runs while the only one sleeps */

static unsigned int sleeps;

static int serve_on_sleep(u64 deadline_ns)
{
	struct uffd_wait *w = TAILQ_FIRST(&u->pending);
	u64 at;

	(void)deadline_ns;
	sleeps++;
	assert_non_null(w);
	at = w->msg.arg.pagefault.address;
	if (w->msg.arg.pagefault.flags & UFFD_PAGEFAULT_FLAG_WP)
		assert_int_equal(uffd_write_protect(u, at, at + PAGE_SIZE, UFFD_UNPROTECT), 0);
	else
		assert_int_equal(fill(FILL_COPY, at, PAGE_SIZE, UFFD_UNPROTECT), PAGE_SIZE);
	uffd_wake(u, at, at + PAGE_SIZE);
	assert_true(w->woken);
	return 0;
}

static int unregister_on_sleep(u64 deadline_ns)
{
	(void)deadline_ns;
	sleeps++;
	assert_int_equal(uffd_unregister(u, 0x400000, 0x404000), 0);
	return 0;
}

static int close_on_sleep(u64 deadline_ns)
{
	(void)deadline_ns;
	sleeps++;
	file_put(file);
	file = NULL;
	return 0;
}

static int signal_on_sleep(u64 deadline_ns)
{
	(void)deadline_ns;
	return -EINTR;
}

static void a_fault_waits_until_it_is_served(void **state)
{
	u64 at = map_anon(0x400000, 4 * PAGE_SIZE);

	(void)state;
	watch(at, 4 * PAGE_SIZE, VM_UFFD_MISSING);
	model_on_sleep = serve_on_sleep;
	sleeps = 0;
	assert_int_equal(peek_byte(at + 64), 's');
	assert_int_equal(sleeps, 1);
	assert_int_equal(poke_byte(at + PAGE_SIZE, 'w'), 0);
	assert_int_equal(peek_byte(at + PAGE_SIZE + 64), 's');
	assert_int_equal(sleeps, 2);
	assert_true(TAILQ_EMPTY(&u->pending) && TAILQ_EMPTY(&u->told));
}

static void a_wait_ends_with_its_range_its_file_or_a_signal(void **state)
{
	u64 at = map_anon(0x400000, 4 * PAGE_SIZE);

	(void)state;
	watch(at, 4 * PAGE_SIZE, VM_UFFD_MISSING);
	model_on_sleep = signal_on_sleep;
	assert_int_equal(mm_fault_by(world_mm, HVA(at), HOST_READ, FAULT_BY_GUEST), FAULT_INTR);
	assert_true(TAILQ_EMPTY(&u->pending));
	model_on_sleep = unregister_on_sleep;
	assert_int_equal(peek_byte(at), 0);
	watch(at + PAGE_SIZE, PAGE_SIZE, VM_UFFD_MISSING);
	model_on_sleep = close_on_sleep;
	assert_int_equal(peek_byte(at + PAGE_SIZE), 0);
	assert_int_equal(vma_find(world_mm, HVA(at + PAGE_SIZE))->flags & VM_UFFD, 0);
}

/* ---- protection */

static void protection_narrows_only_what_was_announced(void **state)
{
	u64 at = map_anon(0x400000, 2 * SZ_2M);

	(void)state;
	watch(at, 2 * SZ_2M, VM_UFFD_WP);
	assert_int_equal(poke_byte(at, 'a'), 0); /* a block */
	assert_int_equal(leaf_at(at).level, LEVEL_2M);
	shadow_take(at);
	assert_int_equal(uffd_write_protect(u, at + PAGE_SIZE, at + 3 * PAGE_SIZE, UFFD_PROTECT),
			 0);
	assert_int_equal(leaf_at(at).level, LEVEL_4K);
	assert_true(leaf_at(at).writable);
	assert_false(leaf_at(at + PAGE_SIZE).writable);
	/* Neither mprotect nor a fault gives it back. */
	assert_int_equal(mm_mprotect(world_mm, at, SZ_2M, PROT_READ), 0);
	assert_int_equal(mm_mprotect(world_mm, at, SZ_2M, RW), 0);
	model_on_sleep = serve_on_sleep;
	sleeps = 0;
	assert_int_equal(poke_byte(at, 'b'), 0);
	assert_int_equal(sleeps, 0);
	assert_int_equal(poke_byte(at + PAGE_SIZE, 'c'), 0);
	assert_int_equal(sleeps, 1);
	assert_int_equal(poke_byte(at + PAGE_SIZE, 'd'), 0);
	assert_int_equal(sleeps, 1);
	/* Where nothing is cut, the protection itself is announced. */
	shadow_take(at + 8 * PAGE_SIZE);
	assert_int_equal(poke_byte(at + 8 * PAGE_SIZE, 'e'), 0);
	shadow_take(at + 8 * PAGE_SIZE);
	assert_int_equal(uffd_write_protect(u, at + 8 * PAGE_SIZE, at + 9 * PAGE_SIZE,
					    UFFD_PROTECT),
			 0);
	assert_false(leaf_at(at + 8 * PAGE_SIZE).writable);
	/* A child's copy is nobody's; the parent's stays protected. */
	struct mm *child = mm_copy(world_mm);

	assert_non_null(child);
	assert_int_equal(vma_find(child, HVA(at))->flags & VM_UFFD, 0);
	assert_true(pte_at(at + 2 * PAGE_SIZE) & PTE_SW_UFFD_WP);
	mm_exit(child);
	mm_put(child);
	assert_int_equal(uffd_unregister(u, at, at + 2 * SZ_2M), 0);
	assert_int_equal(pte_at(at + 2 * PAGE_SIZE) & PTE_SW_UFFD_WP, 0);
}

static void marks_keep_their_place(void **state)
{
	struct memobj *o = memobj_new();
	struct file *f = world_file(o, O_RDWR);
	u64 at = 0x400000;

	(void)state;
	assert_int_equal(memobj_truncate(o, 4 * PAGE_SIZE), 0);
	assert_int_equal(mm_mmap(world_mm, at, 4 * PAGE_SIZE, RW, MAP_SHARED | MAP_FIXED, f, 0),
			 at);
	file_put(f);
	watch(at, 4 * PAGE_SIZE, VM_UFFD_WP);
	assert_int_equal(poke_byte(at, 'f'), 0);
	assert_int_equal(uffd_write_protect(u, at, at + 2 * PAGE_SIZE, UFFD_PROTECT), 0);
	/* With a page or without, whatever goes and comes. */
	assert_int_equal(mm_madvise(world_mm, at, PAGE_SIZE, MADV_DONTNEED), 0);
	assert_int_equal(pte_at(at), PTE_SW_UFFD_WP);
	assert_int_equal(pte_at(at + PAGE_SIZE), PTE_SW_UFFD_WP);
	assert_int_equal(peek_byte(at), 'f');
	assert_false(leaf_at(at).writable);
	/* Moved, it is not watched any more. */
	assert_int_equal(mm_mremap(world_mm, at, 2 * PAGE_SIZE, 2 * PAGE_SIZE,
				   MREMAP_MAYMOVE | MREMAP_FIXED, 0x800000),
			 0x800000);
	assert_int_equal(poke_byte(0x800000, 'g'), 0);
	assert_int_equal(poke_byte(0x800000 + PAGE_SIZE, 'h'), 0);
	/* Unmapped, nothing of it is left for what comes there. */
	assert_int_equal(uffd_write_protect(u, at + 2 * PAGE_SIZE, at + 4 * PAGE_SIZE,
					    UFFD_PROTECT),
			 0);
	assert_int_equal(mm_munmap(world_mm, at + 2 * PAGE_SIZE, PAGE_SIZE), 0);
	assert_int_equal(pte_at(at + 2 * PAGE_SIZE), 0);
	/* Poison that comes first keeps a page out, of the mapping and of the object. */
	struct vma *vma = vma_find(world_mm, HVA(at + 3 * PAGE_SIZE));
	u64 before = memobj_resident(vma->priv);

	assert_int_equal(uffd_write_protect(u, vma->start.v, vma->end.v, UFFD_UNPROTECT), 0);
	assert_int_equal(fill(FILL_POISON, vma->start.v, PAGE_SIZE, UFFD_UNPROTECT), PAGE_SIZE);
	assert_int_equal(memobj_fill(vma, vma->start.v, page_alloc(ORDER_4K, PAGE_ZEROED)),
			 -EEXIST);
	assert_int_equal(memobj_resident(vma->priv), before);
}

static void poison_stays_until_it_is_covered(void **state)
{
	u64 at = map_anon(0x400000, 4 * PAGE_SIZE);

	(void)state;
	watch(at, 4 * PAGE_SIZE, VM_UFFD_MISSING);
	assert_int_equal(fill(FILL_POISON, at, 2 * PAGE_SIZE, UFFD_UNPROTECT), 2 * PAGE_SIZE);
	assert_int_equal(mm_fault(world_mm, HVA(at), HOST_READ), FAULT_POISON);
	assert_int_equal(fill(FILL_ZERO, at, PAGE_SIZE, UFFD_UNPROTECT), -EEXIST);
	/* The child has it too: zeroes in its place would be a lie. */
	struct mm *child = mm_copy(world_mm);

	assert_int_equal(mm_fault(child, HVA(at), HOST_READ), FAULT_POISON);
	mm_exit(child);
	mm_put(child);
	assert_int_equal(fill(FILL_COPY, at, PAGE_SIZE, UFFD_UNPROTECT), PAGE_SIZE);
	assert_int_equal(peek_byte(at), 's');
	assert_int_equal(mm_mremap(world_mm, at + PAGE_SIZE, PAGE_SIZE, PAGE_SIZE,
				   MREMAP_MAYMOVE | MREMAP_FIXED, 0x800000),
			 0x800000);
	assert_int_equal(mm_fault(world_mm, HVA(0x800000), HOST_READ), FAULT_POISON);
}

/* ---- memory that runs out: an error and nothing lost; what was done is whole */

static s64 fill_an_object(u64 at)
{
	s64 done = fill(FILL_COPY, at, 2 * PAGE_SIZE, UFFD_PROTECT);

	for (s64 i = 0; i < done; i += PAGE_SIZE)
		assert_int_equal(peek_byte(at + (u64)i), 's');
	return done;
}

static void every_allocation_may_fail(void **state)
{
	u64 at = 0x400000;

	(void)state;
	for (u64 n = 1;; n++) {
		struct memobj *o = memobj_new();
		struct file *f = world_file(o, O_RDWR);
		s64 done;
		bool fired;

		assert_int_equal(memobj_truncate(o, 2 * PAGE_SIZE), 0);
		assert_int_equal(mm_mmap(world_mm, at, 2 * PAGE_SIZE, RW, MAP_SHARED | MAP_FIXED, f,
					 0),
				 at);
		file_put(f);
		watch(at, 2 * PAGE_SIZE, VM_UFFD_MISSING | VM_UFFD_WP);
		page_fail_nth(n);
		done = fill_an_object(at);
		fired = page_fail_nth(0) == 0;
		/* A page that could not be mapped is not in the object either. */
		assert_int_equal(memobj_resident(o), done > 0 ? (u64)done : 0);
		if (done < 0)
			assert_int_equal(done, -ENOMEM);
		/* Nor is the mark of one that did not come. */
		if (done < (s64)(2 * PAGE_SIZE))
			assert_int_equal(pte_at(at + (u64)max(done, 0)), 0);
		assert_int_equal(mm_munmap(world_mm, at, 2 * PAGE_SIZE), 0);
		if (!fired)
			break;
	}
}

/* ---- idle pages */

static void an_idle_page_is_one_that_nobody_uses(void **state)
{
	u64 at = map_anon(0x400000, 4 * PAGE_SIZE), pfn, words[1] = { 0 };
	struct idle_hint hint = { 0 };

	(void)state;
	assert_int_equal(mm_madvise(world_mm, at, 4 * PAGE_SIZE, MADV_NOHUGEPAGE), 0);
	assert_int_equal(poke_byte(at, 'i'), 0);
	pfn = leaf_at(at).pa.v >> PAGE_SHIFT;
	words[0] = BIT(pfn % 64);
	idle_mark(&hint, pfn / 64, words, 1);
	assert_false(pte_at(at) & PTE_AF);
	idle_read(&hint, pfn / 64, words, 1);
	assert_int_equal(words[0], BIT(pfn % 64));
	assert_int_equal(peek_byte(at), 'i');
	assert_true(pte_at(at) & PTE_AF);
	idle_read(&hint, pfn / 64, words, 1);
	assert_int_equal(words[0], 0);
	/* Given back and taken anew, a page is not marked. */
	words[0] = BIT(pfn % 64);
	idle_mark(&hint, pfn / 64, words, 1);
	struct page *page = phys_to_page(PA(pfn << PAGE_SHIFT));

	assert_true(page_is_idle(page));
	assert_int_equal(mm_munmap(world_mm, at, PAGE_SIZE), 0);
	struct page *again = page_alloc(ORDER_4K, PAGE_UNFILLED);

	assert_ptr_equal(again, page); /* the last one given back is the first one taken */
	assert_false(page_is_idle(again));
	page_put(again);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		uffd_test(a_fault_waits_until_it_is_served),
		uffd_test(a_wait_ends_with_its_range_its_file_or_a_signal),
		uffd_test(protection_narrows_only_what_was_announced),
		uffd_test(marks_keep_their_place),
		uffd_test(poison_stays_until_it_is_covered),
		uffd_test(every_allocation_may_fail),
		uffd_test(an_idle_page_is_one_that_nobody_uses),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
