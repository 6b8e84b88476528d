/* SPDX-License-Identifier: Apache-2.0 */
/* userfaultfd's ioctls, as a program makes them: what each does, refuses and answers. */
#include "uffd_world.h"

#define AT   0x400000UL /* where each test has its memory */
#define HUGE 0x40000000UL
#define ANON (MAP_PRIVATE | MAP_ANONYMOUS)
#define FAR  0x7000000000UL /* nothing is there */

static u64 args; /* a page of the program for the structures */

static int ioctl_begin(void **state)
{
	uffd_begin(state);
	args = map_anon(0, P);
	return 0;
}

#define ioctl_test(f) cmocka_unit_test_setup_teardown(f, ioctl_begin, uffd_end)

static s64 ioctl_of(struct file *f, u32 cmd, void *s, size_t size)
{
	s64 result;

	assert_int_equal(copy_to_user(HVA(args), s, size), 0);
	result = f->ops->ioctl(f, cmd, args);
	assert_int_equal(copy_from_user(s, HVA(args), size), 0);
	return result;
}

static s64 call(u32 cmd, void *s, size_t size)
{
	return ioctl_of(file, cmd, s, size);
}

static s64 reg(u64 start, u64 len, u64 mode)
{
	struct uffdio_register r = { .range = { start, len }, .mode = mode };

	return call(UFFDIO_REGISTER, &r, sizeof(r));
}

static u64 reg_ioctls(u64 start, u64 len, u64 mode)
{
	struct uffdio_register r = { .range = { start, len }, .mode = mode };

	assert_int_equal(call(UFFDIO_REGISTER, &r, sizeof(r)), 0);
	return r.ioctls;
}

static s64 range(u32 cmd, u64 start, u64 len)
{
	struct uffdio_range r = { start, len };

	return call(cmd, &r, sizeof(r));
}

static s64 protect(u64 start, u64 len, u64 mode)
{
	struct uffdio_writeprotect w = { .range = { start, len }, .mode = mode };

	return call(UFFDIO_WRITEPROTECT, &w, sizeof(w));
}

/* What the last of these said was done. */
static s64 said;

static s64 copy_from(u64 dst, u64 from, u64 len, u64 mode)
{
	struct uffdio_copy c = { .dst = dst, .src = from, .len = len, .mode = mode, .copy = 7 };
	s64 result = call(UFFDIO_COPY, &c, sizeof(c));

	said = c.copy;
	return result;
}

static s64 copy(u64 dst, u64 len, u64 mode)
{
	return copy_from(dst, src, len, mode);
}

/* ZEROPAGE, CONTINUE and POISON have one layout. */
static s64 give(u32 cmd, u64 start, u64 len, u64 mode)
{
	struct uffd_poison_args a = { .start = start, .len = len, .mode = mode, .updated = 7 };
	s64 result = call(cmd, &a, sizeof(a));

	said = a.updated;
	return result;
}

#define MISSING UFFDIO_REGISTER_MODE_MISSING
#define WP	UFFDIO_REGISTER_MODE_WP
#define MINOR	UFFDIO_REGISTER_MODE_MINOR

/* ---- the handshake */

static s64 api(struct file *f, u64 version, u64 features, struct uffdio_api *answer)
{
	*answer = (struct uffdio_api){ .api = version, .features = features, .ioctls = 7 };
	return ioctl_of(f, UFFDIO_API, answer, sizeof(*answer));
}

static bool settle_at_write(u64 va, enum model_access access)
{
	if (access == MODEL_WRITE && va == args)
		u->ready = true;
	return world_fault(va, access);
}

static void assert_zeroes(const struct uffdio_api *a)
{
	static const struct uffdio_api nothing;

	assert_memory_equal(a, &nothing, sizeof(nothing));
}

static void the_handshake_comes_first_and_once(void **state)
{
	static const u32 cmds[] = { UFFDIO_REGISTER,	 UFFDIO_UNREGISTER, UFFDIO_WAKE,
				    UFFDIO_WRITEPROTECT, UFFDIO_COPY,	    UFFDIO_ZEROPAGE,
				    UFFDIO_CONTINUE,	 UFFDIO_POISON_CMD };
	struct uffdio_api a;

	(void)state;
	u->ready = false;
	for (size_t i = 0; i < ARRAY_SIZE(cmds); i++)
		assert_int_equal(uffd_ioctl(file, cmds[i], FAR), -EINVAL);
	assert_false(uffd_has_feature(u, UFFD_WP_UNPOPULATED));
	assert_int_equal(uffd_ioctl(file, UFFDIO_API, FAR), -EFAULT);
	assert_int_equal(api(file, UFFD_API + 1, 0, &a), -EINVAL);
	assert_zeroes(&a);
	assert_int_equal(api(file, UFFD_API, UFFD_FEATURE_EVENT_FORK, &a), -EINVAL);
	assert_zeroes(&a);
	assert_false(u->ready);
	assert_int_equal(api(file, UFFD_API, UFFD_FEATURE_EXACT_ADDRESS, &a), 0);
	assert_true(a.features & UFFD_FEATURE_THREAD_ID);
	assert_true(a.features & UFFD_POISON);
	assert_false(a.features & UFFD_FEATURE_EVENT_FORK);
	assert_int_equal(a.ioctls, UFFD_API_IOCTLS);
	assert_true(uffd_has_feature(u, UFFD_FEATURE_EXACT_ADDRESS));
	assert_false(uffd_has_feature(u, UFFD_FEATURE_THREAD_ID));
	assert_int_equal(api(file, UFFD_API, 0, &a), -EINVAL);
	assert_zeroes(&a);
	assert_int_equal(uffd_ioctl(file, _IO(UFFDIO, 0x20), args), -EINVAL);
}

/* Two threads at once: one is refused, wherever it has come to. */
static void of_two_handshakes_one_is_refused(void **state)
{
	struct mm *child;
	struct uffdio_api a;

	(void)state;
	u->ready = false;
	a = (struct uffdio_api){ .api = UFFD_API };
	assert_int_equal(copy_to_user(HVA(args), &a, sizeof(a)), 0);
	child = mm_copy(world_mm); /* now a write to it faults */
	model_user_fault = settle_at_write;
	assert_int_equal(uffd_ioctl(file, UFFDIO_API, args), -EINVAL);
	model_user_fault = world_fault;
	assert_int_equal(copy_from_user(&a, HVA(args), sizeof(a)), 0);
	assert_zeroes(&a);
	mm_exit(child);
	mm_put(child);
}

static void an_answer_that_cannot_be_written_is_an_error(void **state)
{
	struct uffdio_api a = { .api = UFFD_API };

	(void)state;
	u->ready = false;
	assert_int_equal(copy_to_user(HVA(args), &a, sizeof(a)), 0);
	assert_int_equal(mm_mprotect(world_mm, args, P, PROT_READ), 0);
	assert_int_equal(uffd_ioctl(file, UFFDIO_API, args), -EFAULT);
	assert_false(u->ready);
	u->ready = true;
	assert_int_equal(uffd_ioctl(file, UFFDIO_API, args), -EFAULT);
	assert_int_equal(mm_mprotect(world_mm, args, P, RW), 0);

	struct uffdio_register r = { .range = { map_anon(AT, P), P }, .mode = MISSING };

	assert_int_equal(copy_to_user(HVA(args), &r, sizeof(r)), 0);
	assert_int_equal(mm_mprotect(world_mm, args, P, PROT_READ), 0);
	assert_int_equal(uffd_ioctl(file, UFFDIO_REGISTER, args), -EFAULT);
	assert_int_equal(mm_mprotect(world_mm, args, P, RW), 0);

	struct uffdio_copy c = { .dst = AT, .src = src, .len = P };

	assert_int_equal(copy_to_user(HVA(args), &c, sizeof(c)), 0);
	assert_int_equal(mm_mprotect(world_mm, args, P, PROT_READ), 0);
	assert_int_equal(uffd_ioctl(file, UFFDIO_COPY, args), -EFAULT);
}

static void arguments_are_read_from_the_program(void **state)
{
	static const u32 cmds[] = { UFFDIO_REGISTER,	 UFFDIO_UNREGISTER, UFFDIO_WAKE,
				    UFFDIO_WRITEPROTECT, UFFDIO_COPY,	    UFFDIO_ZEROPAGE,
				    UFFDIO_CONTINUE,	 UFFDIO_POISON_CMD };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cmds); i++)
		assert_int_equal(uffd_ioctl(file, cmds[i], FAR), -EFAULT);
}

/* ---- ranges */

static s64 reg_missing(u64 start, u64 len)
{
	return reg(start, len, MISSING);
}

static s64 unreg(u64 start, u64 len)
{
	return range(UFFDIO_UNREGISTER, start, len);
}

static s64 wake(u64 start, u64 len)
{
	return range(UFFDIO_WAKE, start, len);
}

static s64 unprotect(u64 start, u64 len)
{
	return protect(start, len, 0);
}

static s64 copy_to(u64 start, u64 len)
{
	return copy(start, len, 0);
}

static s64 zero(u64 start, u64 len)
{
	return give(UFFDIO_ZEROPAGE, start, len, 0);
}

static s64 go_on(u64 start, u64 len)
{
	return give(UFFDIO_CONTINUE, start, len, 0);
}

static s64 poison(u64 start, u64 len)
{
	return give(UFFDIO_POISON_CMD, start, len, 0);
}

static void a_range_is_of_whole_pages_below_the_end(void **state)
{
	static s64 (*const calls[])(u64 start, u64 len) = { reg_missing, unreg, wake,  unprotect,
							    copy_to,	 zero,	go_on, poison };
	static const struct uffdio_range bad[] = {
		{ AT + 1, P },
		{ AT, P + 1 },
		{ AT, 0 },
		{ TASK_SIZE, P },
		{ TASK_SIZE - P, 2 * P },
		{ AT, -P },
		{ (u64)-P, P },
	};

	(void)state;
	(void)map_anon(AT, 4 * P);
	for (size_t i = 0; i < ARRAY_SIZE(calls); i++) {
		for (size_t j = 0; j < ARRAY_SIZE(bad); j++)
			assert_int_equal(calls[i](bad[j].start, bad[j].len), -EINVAL);
	}
}

static void modes_that_nobody_knows_are_refused(void **state)
{
	(void)state;
	(void)map_anon(AT, P);
	assert_int_equal(reg(AT, P, 0), -EINVAL);
	assert_int_equal(reg(AT, P, 8 | MISSING), -EINVAL);
	assert_int_equal(reg(AT, P, MISSING | WP), 0);
	assert_int_equal(protect(AT, P, 4), -EINVAL);
	assert_int_equal(protect(AT, P,
				 UFFDIO_WRITEPROTECT_MODE_WP | UFFDIO_WRITEPROTECT_MODE_DONTWAKE),
			 -EINVAL);
	assert_int_equal(copy(AT, P, 4), -EINVAL);
	assert_int_equal(give(UFFDIO_ZEROPAGE, AT, P, 2), -EINVAL);
	assert_int_equal(give(UFFDIO_CONTINUE, AT, P, 4), -EINVAL);
	assert_int_equal(give(UFFDIO_POISON_CMD, AT, P, 2), -EINVAL);
	assert_int_equal(said, 7);
}

static int device_mmap(struct file *f, struct vma *vma)
{
	static const struct vma_ops ops = { 0 };

	(void)f;
	vma->ops = &ops;
	return 0;
}

static int io_mmap(struct file *f, struct vma *vma)
{
	(void)f;
	vma->flags |= VM_PFNMAP | VM_IO;
	return 0;
}

static void map_device(u64 at, int (*mmap)(struct file *f, struct vma *vma))
{
	const struct file_ops ops = { .name = "device", .mmap = mmap };
	static struct file_ops kept[2];
	struct file_ops *own = &kept[mmap == io_mmap];
	struct file *f;

	*own = ops;
	f = file_alloc(own, NULL, O_RDWR);
	assert_int_equal(mm_mmap(world_mm, at, P, RW, MAP_SHARED | MAP_FIXED, f, 0), at);
	file_put(f);
}

static void what_can_be_registered(void **state)
{
	struct file *f = world_file(memobj_new(), O_RDONLY), *other;
	struct vma *vma;

	(void)state;
	assert_int_equal(reg(FAR, P, MISSING), -EINVAL);
	(void)map_anon(AT, 4 * P);
	assert_int_equal(reg(AT, P, MINOR), -EINVAL);
	map_device(AT + 8 * P, device_mmap);
	assert_int_equal(reg(AT + 8 * P, P, MISSING), -EINVAL);
	assert_int_equal(reg(AT, 9 * P, MISSING), -EINVAL); /* all or nothing */
	assert_int_equal(vma_find(world_mm, HVA(AT))->flags & VM_UFFD, 0);
	map_device(AT + 9 * P, io_mmap);
	assert_int_equal(reg(AT + 9 * P, P, MISSING), -EINVAL);
	assert_int_equal(mm_mmap(world_mm, AT + 10 * P, P, PROT_READ, MAP_SHARED | MAP_FIXED, f, 0),
			 AT + 10 * P);
	file_put(f);
	assert_int_equal(reg(AT + 10 * P, P, MISSING), -EPERM);
	assert_int_equal(map_at(HUGE, SZ_2M, RW, ANON | MAP_HUGETLB), HUGE);
	assert_int_equal(reg(HUGE, P, MISSING), -EINVAL);
	assert_int_equal(reg(HUGE, SZ_2M, MISSING), 0);
	other = uffd_new(world_mm, UFFD_ALL_FAULTS, 0);
	((struct uffd *)other->priv)->ready = true;
	file_put(file);
	file = other;
	u = file->priv; /* all of the first is given up */
	vma = vma_find(world_mm, HVA(HUGE));
	assert_null(vma->uffd);
	assert_int_equal(reg(HUGE, SZ_2M, MISSING), 0);
}

static void a_range_is_of_one_userfaultfd(void **state)
{
	struct file *first = file, *other = uffd_new(world_mm, UFFD_ALL_FAULTS, 0);

	(void)state;
	((struct uffd *)other->priv)->ready = true;
	(void)map_anon(AT, 4 * P);
	assert_int_equal(reg(AT, 2 * P, MISSING | WP), 0);
	file = other;
	assert_int_equal(reg(AT, 4 * P, MISSING), -EBUSY);
	assert_int_equal(unreg(AT, 4 * P), -EINVAL);
	assert_int_equal(protect(AT, P, 0), -ENOENT);
	file = first;
	assert_int_equal(protect(AT + 2 * P, P, 0), -ENOENT);
	file_put(other);
	assert_ptr_equal(vma_find(world_mm, HVA(AT))->uffd, u);
}

#define HAS(name) ((u64)1 << _UFFDIO_##name)

static void registering_tells_what_the_range_can_do(void **state)
{
	u64 always = HAS(WAKE) | HAS(COPY) | (u64)1 << UFFDIO_POISON_NR;

	(void)state;
	(void)map_anon(AT, 4 * P);
	assert_int_equal(reg_ioctls(AT, 4 * P, MISSING), always | HAS(ZEROPAGE));
	assert_int_equal(reg_ioctls(AT, 4 * P, MISSING | WP),
			 always | HAS(ZEROPAGE) | HAS(WRITEPROTECT));
	(void)map_object(memobj_new(), AT + 8 * P, P, MAP_SHARED);
	assert_int_equal(reg_ioctls(AT + 8 * P, P, MINOR), always | HAS(ZEROPAGE) | HAS(CONTINUE));
	assert_int_equal(map_at(HUGE, SZ_2M, RW, ANON | MAP_HUGETLB), HUGE);
	assert_int_equal(reg_ioctls(HUGE, SZ_2M, MISSING), always);
}

static void registering_cuts_and_joins(void **state)
{
	struct vma *vma;
	u32 count;

	(void)state;
	(void)map_anon(AT, 8 * P);
	count = world_mm->vma_count;
	assert_int_equal(reg(AT + 2 * P, 2 * P, MISSING), 0);
	assert_int_equal(world_mm->vma_count, count + 2);
	assert_int_equal(reg(AT + 2 * P, 2 * P, MISSING), 0);
	assert_int_equal(reg(AT, 8 * P, MISSING), 0);
	assert_int_equal(world_mm->vma_count, count);
	vma = vma_find(world_mm, HVA(AT));
	assert_ptr_equal(vma->uffd, u);
	assert_int_equal(unreg(AT + 2 * P, 2 * P), 0);
	assert_null(vma_find(world_mm, HVA(AT + 2 * P))->uffd);
	assert_int_equal(unreg(AT, 8 * P), 0); /* over what is not, too */
	assert_int_equal(world_mm->vma_count, count);
	assert_int_equal(unreg(FAR, P), -EINVAL);
	map_device(AT + 16 * P, device_mmap);
	assert_int_equal(unreg(AT + 16 * P, P), -EINVAL);
	assert_int_equal(map_at(HUGE, SZ_2M, RW, ANON | MAP_HUGETLB), HUGE);
	assert_int_equal(unreg(HUGE, P), -EINVAL);
}

/* ---- content */

static void copies_come_where_nothing_is(void **state)
{
	(void)state;
	(void)map_anon(AT, 4 * P);
	assert_int_equal(copy(AT, P, 0), -ENOENT);
	assert_int_equal(said, -ENOENT);
	assert_int_equal(reg(AT, 4 * P, MISSING), 0);
	assert_int_equal(copy(AT, P, UFFDIO_COPY_MODE_WP), -EINVAL);
	assert_int_equal(copy(AT, 5 * P, 0), -ENOENT); /* beyond the VMA */
	assert_int_equal(copy_from(AT, FAR, P, 0), -EFAULT);
	assert_int_equal(copy_from(AT, TASK_SIZE, P, 0), -EINVAL);
	assert_int_equal(copy(AT + 2 * P, P, UFFDIO_COPY_MODE_DONTWAKE), 0);
	assert_int_equal(said, P);
	assert_int_equal(copy_from(AT, src + 1, 4 * P, 0), -EAGAIN); /* as far as it went */
	assert_int_equal(said, 2 * P);
	assert_int_equal(copy(AT + 2 * P, P, 0), -EEXIST);
	assert_int_equal(said, -EEXIST);
	assert_int_equal(peek_byte(AT + 63), 's');
	assert_int_equal(pte_at(AT + 3 * P), 0);
}

static void zeroes_poison_and_what_the_object_has(void **state)
{
	struct memobj *o = map_object(memobj_new(), AT, 8 * P, MAP_SHARED);

	(void)state;
	assert_int_equal(reg(AT, 8 * P, MISSING | MINOR | WP), 0);
	assert_int_equal(zero(AT, P), 0);
	assert_int_equal(said, P);
	assert_int_equal(peek_byte(AT), 0);
	assert_int_equal(memobj_resident(o), P);
	assert_int_equal(copy(AT + P, P, UFFDIO_COPY_MODE_WP), 0);
	assert_true(pte_at(AT + P) & PTE_SW_UFFD_WP);
	assert_int_equal(go_on(AT + P, P), -EEXIST);
	assert_int_equal(go_on(AT + 2 * P, P), -EFAULT); /* nothing is there */
	assert_int_equal(mm_madvise(world_mm, AT, 2 * P, MADV_DONTNEED), 0);
	assert_int_equal(copy(AT, P, 0), -EEXIST); /* the object has it */
	assert_int_equal(give(UFFDIO_CONTINUE, AT, P, UFFDIO_CONTINUE_MODE_DONTWAKE | 2), 0);
	assert_true(pte_at(AT) & PTE_SW_UFFD_WP);
	assert_int_equal(go_on(AT + P, P), 0);
	assert_int_equal(peek_byte(AT + P), 's');
	assert_int_equal(poison(AT + 3 * P, P), 0);
	assert_int_equal(poison(AT + 3 * P, P), -EEXIST);
	assert_int_equal(mm_fault(world_mm, HVA(AT + 3 * P), HOST_READ), FAULT_POISON);
	/* What lies beyond the end has no content. */
	assert_int_equal(memobj_truncate(o, 4 * P), 0);
	assert_int_equal(copy(AT + 4 * P, P, 0), -EFAULT);
	assert_int_equal(go_on(AT + 4 * P, P), -EFAULT);
	assert_int_equal(memobj_resident(o), 2 * P);
}

static void private_mappings_get_pages_of_their_own(void **state)
{
	struct memobj *o = map_object(memobj_new(), AT, 4 * P, MAP_PRIVATE);

	(void)state;
	assert_int_equal(reg(AT, 4 * P, MISSING), 0);
	assert_int_equal(copy(AT, P, 0), 0);
	assert_int_equal(zero(AT + P, P), 0);
	assert_int_equal(memobj_resident(o), 0);
	assert_int_equal(peek_byte(AT), 's');
	assert_int_equal(poke_byte(AT + P, 'z'), 0);
	assert_int_equal(memobj_truncate(o, 2 * P), 0);
	assert_int_equal(copy(AT + 2 * P, P, 0), -EFAULT);
	assert_int_equal(zero(AT + 3 * P, P), -EFAULT);
	(void)map_anon(AT, 4 * P);
	assert_int_equal(reg(AT, 4 * P, MISSING), 0);
	assert_int_equal(zero(AT, P), 0);
	assert_int_equal(zero(AT, P), -EEXIST);
	assert_int_equal(pte_pa(pte_at(AT)).v, zero_page_pa().v);
	assert_int_equal(go_on(AT + P, P), -EINVAL);
}

static void huge_pages_come_whole(void **state)
{
	u64 from = map_anon(4 * HUGE, SZ_2M);

	(void)state;
	assert_int_equal(map_at(HUGE, 2 * SZ_2M, RW, ANON | MAP_HUGETLB), HUGE);
	assert_int_equal(reg(HUGE, 2 * SZ_2M, MISSING | WP), 0);
	assert_int_equal(poke_byte(from + SZ_2M - 1, 'e'), 0);
	assert_int_equal(copy_from(HUGE, from, P, 0), -EINVAL);
	assert_int_equal(copy_from(HUGE, from, SZ_2M, 0), 0);
	assert_int_equal(said, SZ_2M);
	assert_int_equal(leaf_at(HUGE).level, LEVEL_2M);
	assert_int_equal(peek_byte(HUGE + SZ_2M - 1), 'e');
	assert_int_equal(zero(HUGE + SZ_2M, SZ_2M), -EINVAL);
	assert_int_equal(protect(HUGE, P, UFFDIO_WRITEPROTECT_MODE_WP), -EINVAL);
	assert_int_equal(protect(HUGE, 2 * SZ_2M, UFFDIO_WRITEPROTECT_MODE_WP), 0);
	assert_false(leaf_at(HUGE).writable);
	assert_int_equal(pte_at(HUGE + SZ_2M), PTE_SW_UFFD_WP);
	assert_int_equal(copy_from(HUGE + SZ_2M, FAR, SZ_2M, 0), -EFAULT);
	assert_int_equal(protect(HUGE, 2 * SZ_2M, 0), 0);
	assert_int_equal(poke_byte(HUGE, 'w'), 0);
	assert_int_equal(poison(HUGE + SZ_2M, SZ_2M), 0);
	assert_int_equal(mm_fault(world_mm, HVA(HUGE + SZ_2M + P), HOST_READ), FAULT_POISON);
}

/* ---- while the content is fetched, anything may happen to the place */

static u64 from_at;
static void (*meanwhile)(void);

static bool change_meanwhile(u64 va, enum model_access access)
{
	void (*change)(void) = meanwhile;

	if (va >= from_at && va < from_at + SZ_2M && change) {
		meanwhile = NULL;
		change();
	}
	return world_fault(va, access);
}

static s64 copy_while(u64 dst, u64 len, void (*change)(void))
{
	s64 result;

	from_at = map_anon(4 * HUGE, SZ_2M); /* never touched: the first access faults */
	meanwhile = change;
	model_user_fault = change_meanwhile;
	result = copy_from(dst, from_at, len, 0);
	model_user_fault = world_fault;
	assert_null(meanwhile);
	return result;
}

static void unmap_it(void)
{
	assert_int_equal(mm_munmap(world_mm, HUGE, SZ_2M), 0);
}

static void fill_it(void)
{
	assert_int_equal(fill(FILL_COPY, HUGE, P, UFFD_UNPROTECT), P);
}

static void make_it_huge(void)
{
	assert_int_equal(map_at(HUGE, SZ_2M, RW, ANON | MAP_HUGETLB), HUGE);
	watch(HUGE, SZ_2M, VM_UFFD_MISSING);
}

static struct mm *other_mm;

static void end_it(void)
{
	mm_exit(other_mm);
}

/* As a process that got the descriptor of another one. */
static void watch_another_mm(void)
{
	other_mm = mm_new();
	file_put(file);
	file = uffd_new(other_mm, UFFD_ALL_FAULTS, 0);
	u = file->priv;
	u->ready = true;
	assert_int_equal(mm_mmap(other_mm, HUGE, SZ_2M, RW, ANON | MAP_FIXED, NULL, 0), HUGE);
	assert_int_equal(reg(HUGE, SZ_2M, MISSING | WP), 0);
}

static void the_place_is_looked_at_again(void **state)
{
	(void)state;
	(void)map_anon(HUGE, SZ_2M);
	assert_int_equal(reg(HUGE, SZ_2M, MISSING), 0);
	assert_int_equal(copy_while(HUGE, P, fill_it), -EEXIST);
	assert_int_equal(peek_byte(HUGE), 's');
	assert_int_equal(copy_while(HUGE + P, P, unmap_it), -ENOENT);
	(void)map_anon(HUGE, SZ_2M);
	assert_int_equal(reg(HUGE, SZ_2M, MISSING), 0);
	assert_int_equal(copy_while(HUGE, SZ_2M, make_it_huge), -EAGAIN);
	assert_int_equal(said, -EAGAIN);
	assert_int_equal(pte_at(HUGE), 0);
	watch_another_mm();
	assert_int_equal(copy(HUGE, P, 0), 0);
	assert_int_equal(copy_while(HUGE + P, P, end_it), -ESRCH);
	assert_int_equal(said, 7); /* no word of it */
	mm_put(other_mm);
}

static void of_a_program_that_ended_nothing_is_left_to_do(void **state)
{
	(void)state;
	watch_another_mm();
	port_current()->kill_pending = 1; /* nor does who ends go on */
	assert_int_equal(copy(HUGE, P, 0), -EINTR);
	port_current()->kill_pending = 0;
	mm_exit(other_mm);
	assert_int_equal(reg(HUGE, P, MISSING), -ENOMEM);
	assert_int_equal(unreg(HUGE, P), -ENOMEM);
	assert_int_equal(protect(HUGE, P, 0), -ESRCH);
	assert_int_equal(copy(HUGE, P, 0), -ESRCH);
	assert_int_equal(said, 7);
	mm_put(other_mm);
}

/* ---- memory that runs out */

static u64 allocations; /* that a call is granted */

static s64 with_allocations(u64 n, s64 (*what)(void))
{
	s64 result;

	page_fail_nth(n);
	result = what();
	allocations = page_fail_nth(0);
	return result;
}

static s64 register_middle(void)
{
	u64 ioctls;

	return uffd_register(u, HUGE + P, HUGE + 2 * P, VM_UFFD_WP, &ioctls);
}

static s64 unregister_middle(void)
{
	return uffd_unregister(u, HUGE + P, HUGE + 2 * P);
}

static s64 protect_middle(void)
{
	return uffd_write_protect(u, HUGE + P, HUGE + SZ_2M + P, UFFD_PROTECT);
}

static s64 unprotect_middle(void)
{
	return uffd_write_protect(u, HUGE + P, HUGE + SZ_2M + P, UFFD_UNPROTECT);
}

static s64 poison_far(void)
{
	return fill(FILL_POISON, FAR, P, UFFD_UNPROTECT);
}

static s64 zero_far(void)
{
	return fill(FILL_ZERO, FAR, P, UFFD_UNPROTECT);
}

static s64 copy_far(void)
{
	return fill(FILL_COPY, FAR, P, UFFD_PROTECT);
}

static s64 new_one(void)
{
	struct file *f = uffd_new(world_mm, UFFD_ALL_FAULTS, 0);

	if (!f)
		return -ENOMEM;
	file_put(f);
	return 0;
}

/* Fails as long as an allocation does, and then gives @result. */
static void assert_fails_until(s64 (*what)(void), s64 result, u64 least)
{
	u64 n = 0;
	s64 got;

	do {
		got = with_allocations(++n, what);
		if (!allocations)
			assert_int_equal(got, -ENOMEM);
	} while (!allocations);
	assert_int_equal(got, result);
	assert_true(n > least);
}

static void without_memory_a_call_fails_and_can_be_made_again(void **state)
{
	(void)state;
	assert_fails_until(new_one, 0, 2);
	(void)map_anon(HUGE, 2 * SZ_2M);
	(void)map_anon(FAR, P);
	assert_int_equal(poke_byte(HUGE, 1), 0);
	assert_int_equal(leaf_at(HUGE).level, LEVEL_2M);
	assert_fails_until(register_middle, 0, 1);
	assert_fails_until(unregister_middle, 0, 0);
	assert_int_equal(reg(HUGE, 2 * SZ_2M, WP), 0);
	assert_int_equal(reg(FAR, P, WP | MISSING), 0);
	assert_fails_until(protect_middle, 0, 1);
	assert_false(leaf_at(HUGE + P).writable);
	assert_int_equal(pte_at(HUGE + SZ_2M), PTE_SW_UFFD_WP);
	assert_fails_until(unprotect_middle, 0, 0);
	assert_fails_until(poison_far, P, 1);
	(void)map_anon(FAR, P);
	assert_int_equal(reg(FAR, P, WP | MISSING), 0);
	assert_fails_until(zero_far, P, 1);
	(void)map_anon(FAR, P);
	assert_int_equal(reg(FAR, P, WP | MISSING), 0);
	assert_fails_until(copy_far, P, 2);
	assert_true(pte_at(FAR) & PTE_SW_UFFD_WP);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		ioctl_test(the_handshake_comes_first_and_once),
		ioctl_test(of_two_handshakes_one_is_refused),
		ioctl_test(an_answer_that_cannot_be_written_is_an_error),
		ioctl_test(arguments_are_read_from_the_program),
		ioctl_test(a_range_is_of_whole_pages_below_the_end),
		ioctl_test(modes_that_nobody_knows_are_refused),
		ioctl_test(what_can_be_registered),
		ioctl_test(a_range_is_of_one_userfaultfd),
		ioctl_test(registering_tells_what_the_range_can_do),
		ioctl_test(registering_cuts_and_joins),
		ioctl_test(copies_come_where_nothing_is),
		ioctl_test(zeroes_poison_and_what_the_object_has),
		ioctl_test(private_mappings_get_pages_of_their_own),
		ioctl_test(huge_pages_come_whole),
		ioctl_test(the_place_is_looked_at_again),
		ioctl_test(of_a_program_that_ended_nothing_is_left_to_do),
		ioctl_test(without_memory_a_call_fails_and_can_be_made_again),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
