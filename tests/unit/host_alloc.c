/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The n-th allocation fails, for all n, in every operation of host/: a clean error, state as it was
 * if the call is atomic, exactly the reported progress if it is resumable, nothing lost; and the
 * same call then succeeds.
 */
#include <stdio.h>

#include "host_world.h"

#include "host/eventfd.h"

#define P     PAGE_SIZE
#define ANON  (MAP_PRIVATE | MAP_ANONYMOUS)
#define PAGES 8UL

/*
 * The scene of every operation. A huge page, written; pages beside it, two of them written; an
 * object of PAGES pages, shared and private, whose first page the private mapping has copied; and
 * places where nothing is mapped and no table stands.
 */
#define BLOCK	   0x40000000UL
#define SMALL	   (BLOCK + SZ_2M)
#define OBJECT_AT  0x8000000000UL
#define PRIVATE_AT (OBJECT_AT + SZ_1G)
#define HUGE_AT	   (OBJECT_AT + 2 * SZ_1G)
#define STACK_TOP  (OBJECT_AT + 8 * SZ_1G)
#define BRK	   (OBJECT_AT + 16 * SZ_1G)
#define FREE_AT	   0x100000000000UL

static struct {
	struct memobj *object, *ram;
	struct file *file, *huge_file, *device;
	struct fdtable *fds;
	struct mm *child; /* or NULL */
	char ram_data[2 * P + 100];
	char buffer[4 * P];
} scene;

/* ---- state as text */

enum view {
	VIEW_ALL,     /* with leaves: what maps which page how */
	VIEW_CONTENT, /* what the program can tell */
};

static u64 hash(const char *bytes, size_t n)
{
	u64 h = 14695981039346656037UL;

	for (size_t i = 0; i < n; i++)
		h = (h ^ (u8)bytes[i]) * 1099511628211UL;
	return h;
}

static u64 hash_of_object(struct memobj *o, u64 offset)
{
	static char page[P];
	struct iobuf io = { .kernel = page, .left = P };

	memset(page, 0, P);
	assert_true(memobj_read(o, &io, offset) >= 0);
	return hash(page, P);
}

static u64 hash_of_page(const struct vma *v, u64 addr, u64 pte, int level)
{
	static const char zeroes[P];

	if (pte_is_leaf(pte) && port_pa_is_ram(pte_pa(pte)))
		return hash((char *)phys_to_virt(pte_pa(pte)) +
				    (addr & (level_size(level) - 1) & PAGE_MASK),
			    P);
	if (v->ops == &memobj_vma_ops)
		return hash_of_object(v->priv, v->offset + (addr - v->start.v));
	return hash(zeroes, P);
}

static void print_page(FILE *out, const struct vma *v, u64 addr, enum view view)
{
	int level;
	u64 pte = port_pte_read(pgt_lookup_locked(world_mm, addr, &level));

	(void)fprintf(out, "%lx flags %x content %lx", (unsigned long)addr, v->flags,
		      (unsigned long)hash_of_page(v, addr, pte, level));
	if (view == VIEW_ALL && pte_is_leaf(pte))
		(void)fprintf(out, " pa %lx perms %x",
			      (unsigned long)(pte_pa(pte).v + (addr & (level_size(level) - 1))),
			      pte_perms(pte));
	(void)fprintf(out, "\n");
}

static void print_object(FILE *out, struct memobj *o, enum view view)
{
	(void)fprintf(out, "object of %lu:", (unsigned long)memobj_size(o));
	for (u64 at = 0; at < 2 * PAGES * P; at += P)
		(void)fprintf(out, " %lx", (unsigned long)hash_of_object(o, at));
	if (view == VIEW_ALL)
		(void)fprintf(out, " resident %lu", (unsigned long)memobj_resident(o));
	(void)fprintf(out, "\n");
}

/* Where one VMA was cut in two the pages tell the same, as the cut does to everybody. */
static char *state_but(enum view view, u64 start, u64 end)
{
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);
	struct vma *v;

	assert_non_null(out);
	RB_FOREACH (v, vma_tree, &world_mm->vmas) {
		for (u64 at = v->start.v; at < v->end.v; at += P) {
			if (at < start || at >= end)
				print_page(out, v, at, view);
		}
	}
	print_object(out, scene.object, view);
	print_object(out, scene.ram, view);
	(void)fprintf(out, "brk %lx\n", (unsigned long)world_mm->brk_end);
	for (int fd = fd_next(scene.fds, 0); fd >= 0; fd = fd_next(scene.fds, fd + 1))
		(void)fprintf(out, "fd %d\n", fd);
	if (view == VIEW_ALL)
		(void)fprintf(out, "pages %lu, resident %lu\n",
			      (unsigned long)world_mm->total_pages,
			      (unsigned long)world_mm->resident_pages);
	assert_int_equal(fclose(out), 0);
	return text;
}

/* ---- the scene */

static int pfn_mmap(struct file *f, struct vma *vma)
{
	(void)f;
	vma->flags |= VM_PFNMAP | VM_IO | VM_DONTEXPAND;
	return vma_insert_pfn(vma, vma->start, PA(0x4000000000UL), vma->end.v - vma->start.v,
			      HOST_NC, HOST_READ, LEVEL_1G);
}

static const struct file_ops pfn_file_ops = { .name = "device", .mmap = pfn_mmap };

static void fill(u64 at, u64 pages)
{
	for (u64 i = 0; i < pages; i++)
		assert_int_equal(poke_byte(at + i * P, (u8)(i + 1)), 0);
}

static void map_objects(void)
{
	scene.object = memobj_new();
	scene.file = world_file(scene.object, O_RDWR);
	assert_int_equal(memobj_truncate(scene.object, PAGES * P), 0);
	assert_int_equal(mm_mmap(world_mm, OBJECT_AT, PAGES * P, RW, MAP_SHARED | MAP_FIXED,
				 scene.file, 0),
			 OBJECT_AT);
	assert_int_equal(mm_mmap(world_mm, PRIVATE_AT, PAGES * P, RW, MAP_PRIVATE | MAP_FIXED,
				 scene.file, 0),
			 PRIVATE_AT);
	fill(OBJECT_AT, 2);
	assert_int_equal(poke_byte(PRIVATE_AT, 99), 0);
	assert_int_equal(peek_byte(PRIVATE_AT + P), 2);
	memset(scene.ram_data, 'r', sizeof(scene.ram_data));
	scene.ram = memobj_from_ram(scene.ram_data, sizeof(scene.ram_data));
	scene.huge_file = world_file(memobj_hugetlb_new(LEVEL_2M), O_RDWR);
	scene.huge_file->traits |= FILE_HUGE_2M;
	assert_int_equal(memobj_truncate(scene.huge_file->priv, SZ_2M), 0);
	assert_int_equal(mm_mmap(world_mm, HUGE_AT, SZ_2M, RW, MAP_PRIVATE | MAP_FIXED,
				 scene.huge_file, 0),
			 HUGE_AT);
	scene.device = file_alloc(&pfn_file_ops, NULL, O_RDWR);
}

static void scene_begin(void)
{
	void *state = NULL;

	assert_int_equal(world_begin(&state), 0);
	memset(&scene, 0, sizeof(scene));
	assert_int_equal(map_at(BLOCK, SZ_2M, RW, ANON), BLOCK);
	fill(BLOCK, 512);
	assert_int_equal(leaf_at(BLOCK).level, LEVEL_2M);
	assert_int_equal(map_at(SMALL, PAGES * P, RW, ANON), SMALL);
	fill(SMALL, 2);
	map_objects();
	assert_int_equal(mm_map_kernel(world_mm, STACK_TOP - P, P,
				       VM_READ | VM_WRITE | VM_STACK | VM_GROWSDOWN, NULL, 0),
			 0);
	mm_set_brk(world_mm, BRK);
	scene.fds = fdtable_new();
	assert_non_null(scene.fds);
	for (int fd = 0; fd < 64; fd++)
		assert_int_equal(fd_install(scene.fds, file_get(scene.file), 0, 0), fd);
	for (u64 at = BLOCK; at < SMALL + PAGES * P; at += SZ_2M)
		shadow_take(at);
	shadow_take(OBJECT_AT);
	shadow_take(PRIVATE_AT + P);
}

static void scene_end(void)
{
	void *state = NULL;

	if (scene.child) {
		mm_exit(scene.child);
		mm_put(scene.child);
	}
	fdtable_put(scene.fds);
	memobj_put(scene.ram);
	file_put(scene.file);
	file_put(scene.huge_file);
	file_put(scene.device);
	assert_int_equal(world_end(&state), 0);
}

/* ---- operations: >= 0 when they worked */

static s64 map_private(void)
{
	return map_at(FREE_AT, SZ_2M, RW, ANON);
}

static s64 map_shared(void)
{
	return map_at(FREE_AT, SZ_2M, RW, MAP_SHARED | MAP_ANONYMOUS);
}

static s64 map_hugetlb(void)
{
	return map_at(FREE_AT, SZ_2M, RW, MAP_SHARED | MAP_ANONYMOUS | MAP_HUGETLB);
}

static s64 map_somewhere(void)
{
	return map_at(0, 3 * P, PROT_READ, ANON);
}

static s64 map_file(void)
{
	return mm_mmap(world_mm, FREE_AT, P, RW, MAP_SHARED | MAP_FIXED, scene.file, 0);
}

/* The driver maps all of it at once: pages, blocks, and tables for them. */
static s64 map_device(void)
{
	return mm_mmap(world_mm, FREE_AT + SZ_2M - P, SZ_2M + 2 * P, RW, MAP_SHARED | MAP_FIXED,
		       scene.device, 0);
}

static s64 map_over(void)
{
	return map_at(BLOCK + P, P, RW, ANON);
}

static s64 map_for_the_kernel(void)
{
	return mm_map_kernel(world_mm, FREE_AT, P, VM_READ | VM_EXEC, scene.file, 0);
}

static s64 unmap_middle(void)
{
	return mm_munmap(world_mm, BLOCK + 5 * P, P);
}

static s64 unmap_across(void)
{
	return mm_munmap(world_mm, BLOCK + 500 * P, 14 * P);
}

static s64 protect(void)
{
	return mm_mprotect(world_mm, BLOCK + 9 * P, P, PROT_READ);
}

static s64 dontneed(void)
{
	return mm_madvise(world_mm, BLOCK + 3 * P, P, MADV_DONTNEED);
}

static s64 free_pages(void)
{
	return mm_madvise(world_mm, BLOCK + 3 * P, P, MADV_FREE);
}

static s64 nohugepage(void)
{
	return mm_madvise(world_mm, BLOCK + 3 * P, P, MADV_NOHUGEPAGE);
}

static s64 dontfork(void)
{
	return mm_madvise(world_mm, OBJECT_AT + P, P, MADV_DONTFORK);
}

static s64 populate(void)
{
	return mm_madvise(world_mm, SMALL, PAGES * P, MADV_POPULATE_WRITE);
}

static s64 populate_object(void)
{
	return mm_madvise(world_mm, OBJECT_AT, PAGES * P, MADV_POPULATE_READ);
}

static s64 remove_pages(void)
{
	return mm_madvise(world_mm, OBJECT_AT, P, MADV_REMOVE);
}

static s64 move(void)
{
	return mm_mremap(world_mm, BLOCK + P, 3 * P, 3 * P, MREMAP_MAYMOVE | MREMAP_FIXED,
			 FREE_AT + SZ_1G);
}

static s64 move_block(void)
{
	return mm_mremap(world_mm, BLOCK, SZ_2M, SZ_2M, MREMAP_MAYMOVE | MREMAP_FIXED,
			 FREE_AT + SZ_1G + P);
}

static s64 move_object(void)
{
	return mm_mremap(world_mm, OBJECT_AT, PAGES * P, 2 * PAGES * P,
			 MREMAP_MAYMOVE | MREMAP_FIXED, FREE_AT);
}

static s64 move_and_keep(void)
{
	return mm_mremap(world_mm, SMALL, 2 * P, 2 * P, MREMAP_MAYMOVE | MREMAP_DONTUNMAP, 0);
}

static s64 shrink(void)
{
	return mm_mremap(world_mm, BLOCK, SZ_2M, 7 * P, 0, 0);
}

static s64 brk_grows(void)
{
	return mm_brk(world_mm, BRK + 3 * P) == (s64)BRK + 3 * (s64)P ? 0 : -ENOMEM;
}

static s64 verdict(enum fault_verdict v)
{
	switch (v) {
	case FAULT_OK: return 0;
	case FAULT_OOM: return -ENOMEM;
	case FAULT_BUS: return -EIO;
	default: return -EFAULT;
	}
}

static s64 fault_at(u64 addr, enum host_access access)
{
	return verdict(mm_fault(world_mm, HVA(addr), access));
}

static s64 fault_read(void)
{
	return fault_at(SMALL + 3 * P, HOST_READ);
}

static void page_far_away(void)
{
	assert_int_equal(map_at(FREE_AT, P, RW, ANON), FREE_AT);
}

static s64 fault_read_far(void)
{
	return fault_at(FREE_AT, HOST_READ);
}

static s64 fault_write(void)
{
	return fault_at(SMALL + 3 * P, HOST_WRITE);
}

static void zero_page_there(void)
{
	assert_int_equal(fault_read(), 0);
}

static void block_unmapped(void)
{
	assert_int_equal(mm_munmap(world_mm, BLOCK, SZ_2M), 0);
	assert_int_equal(map_at(BLOCK, SZ_2M, RW, ANON), BLOCK);
}

static s64 fault_block(void)
{
	return fault_at(BLOCK + 5, HOST_WRITE);
}

static s64 fault_block_read(void)
{
	return fault_at(BLOCK + 5, HOST_READ);
}

static s64 fault_object(void)
{
	return fault_at(OBJECT_AT + 5 * P, HOST_WRITE);
}

static s64 fault_private(void)
{
	return fault_at(PRIVATE_AT + P, HOST_WRITE);
}

static s64 fault_private_absent(void)
{
	return fault_at(PRIVATE_AT + 5 * P, HOST_WRITE);
}

static s64 fault_huge(void)
{
	return fault_at(HUGE_AT, HOST_READ);
}

static s64 fault_huge_write(void)
{
	return fault_at(HUGE_AT, HOST_WRITE);
}

/* So that a block needs no table: what is missing is the block, which is SIGBUS; a table is OOM. */
static void tables_for_huge(void)
{
	assert_int_equal(map_at(HUGE_AT + SZ_2M, P, RW, ANON), HUGE_AT + SZ_2M);
	fill(HUGE_AT + SZ_2M, 1);
}

static void huge_page_there(void)
{
	tables_for_huge();
	assert_int_equal(fault_huge(), 0);
}

static s64 fault_stack(void)
{
	return fault_at(STACK_TOP - 2 * P, HOST_WRITE);
}

/* Which needs no memory; the page comes with the next fault. */
static void stack_grown(void)
{
	u64 pages = world_mm->total_pages;

	(void)page_fail_nth(1);
	assert_int_equal(fault_stack(), 0);
	assert_int_equal(page_fail_nth(0), 1);
	assert_int_equal(world_mm->total_pages, pages + 1);
}

static void forked(void)
{
	scene.child = mm_copy(world_mm);
	assert_non_null(scene.child);
}

static s64 fault_after_fork(void)
{
	return fault_at(SMALL, HOST_WRITE);
}

static s64 fork_mm(void)
{
	struct mm *mm = mm_copy(world_mm);

	if (!mm)
		return -ENOMEM;
	mm_exit(mm);
	mm_put(mm);
	return 0;
}

static s64 new_mm(void)
{
	struct mm *mm = mm_new();

	if (!mm)
		return -ENOMEM;
	mm_put(mm);
	return 0;
}

static s64 new_objects(void)
{
	struct memobj *objects[] = { memobj_new(), memobj_hugetlb_new(LEVEL_2M),
				     memobj_from_ram("x", 1) };
	s64 ret = 0;

	for (size_t i = 0; i < ARRAY_SIZE(objects); i++) {
		if (objects[i])
			memobj_put(objects[i]);
		else
			ret = -ENOMEM;
	}
	return ret;
}

static s64 truncate_ram(void)
{
	return memobj_truncate(scene.ram, P + 7);
}

static s64 allocate_pages(void)
{
	return memobj_fallocate(scene.object, 0, 4 * P, 6 * P);
}

static s64 allocate_far(void)
{
	return memobj_fallocate(scene.object, 1, 1UL << 40, P);
}

static s64 punch_ram(void)
{
	return memobj_fallocate(scene.ram, 3, P / 2, 2 * P);
}

static s64 write_object(void)
{
	struct iobuf io = { .kernel = scene.buffer, .left = 4 * P };

	memset(scene.buffer, 'w', sizeof(scene.buffer));
	return memobj_write(scene.object, &io, PAGES * P - P / 2);
}

static void check_written(s64 ret)
{
	u64 size = PAGES * P - P / 2 + (u64)ret;
	struct iobuf io = { .kernel = scene.buffer, .left = 4 * P };
	s64 n;

	assert_int_equal(memobj_size(scene.object), max(size, PAGES * P));
	memset(scene.buffer, 0, sizeof(scene.buffer));
	n = memobj_read(scene.object, &io, PAGES * P - P / 2);
	assert_true(n >= ret);
	for (s64 i = 0; i < n; i++)
		assert_int_equal(scene.buffer[i], i < ret ? 'w' : 0);
}

/* Into pages of the program that have to be made first. */
static s64 read_object(void)
{
	struct iobuf io = { .user = HVA(SMALL + P / 2), .left = 4 * P };

	return memobj_read(scene.ram, &io, 0);
}

static void check_read(s64 ret)
{
	for (s64 i = 0; i < (s64)sizeof(scene.ram_data); i++) {
		u64 at = SMALL + P / 2 + (u64)i;

		assert_int_equal(peek_byte(at), i < ret ? 'r' : at == SMALL + P ? 2 : 0);
	}
}

static s64 new_file(void)
{
	struct file *f = file_alloc(&pfn_file_ops, NULL, 0);

	if (!f)
		return -ENOMEM;
	file_put(f);
	return 0;
}

static s64 new_eventfd(void)
{
	struct file *f = eventfd_new(1, EVENTFD_COUNTER, 0);

	if (!f)
		return -ENOMEM;
	file_put(f);
	return 0;
}

static s64 new_fdtable(void)
{
	struct fdtable *t = fdtable_new();

	if (!t)
		return -ENOMEM;
	fdtable_put(t);
	return 0;
}

static s64 copy_fdtable(void)
{
	struct fdtable *t = fdtable_copy(scene.fds);

	if (!t)
		return -ENOMEM;
	fdtable_put(t);
	return 0;
}

static s64 keep_or_put(s64 fd, struct file *f)
{
	if (fd < 0)
		file_put(f);
	return fd;
}

static s64 install(void)
{
	struct file *f = file_get(scene.file);

	return keep_or_put(fd_install(scene.fds, f, 0, 0), f);
}

static s64 replace(void)
{
	struct file *f = file_get(scene.file);

	return keep_or_put(fd_replace(scene.fds, 1000, f, 0), f);
}

static s64 large_kmalloc(void)
{
	void *p = kzalloc(3 * P);

	if (!p)
		return -ENOMEM;
	kfree(p);
	return 0;
}

/* ---- what each promises */

enum promise {
	ATOMIC,	    /* an error, and all is as it was */
	INVISIBLE,  /* an error; the program cannot tell: pages may be there, or fault again */
	MAKES_HOLE, /* an error, and the place that it was to take is free (as Linux's MAP_FIXED) */
	RESUMABLE,  /* the answer says how far it came; an error: nowhere */
	COPES,	    /* may do without */
};

enum { EITHER = 1 }; /* -EIO or -ENOMEM, by what was missing */

static const struct operation {
	const char *name;
	s64 (*act)(void);
	enum promise promise;
	int error;
	void (*prepare)(void);
	void (*check)(s64 done); /* RESUMABLE */
	s64 all;		 /* RESUMABLE: the answer if nothing fails */
} operations[] = {
	{ "mmap", map_private, ATOMIC, -ENOMEM, NULL, NULL, 0 },
	{ "mmap, shared", map_shared, ATOMIC, -ENOMEM, NULL, NULL, 0 },
	{ "mmap, hugetlb", map_hugetlb, ATOMIC, -ENOMEM, NULL, NULL, 0 },
	{ "mmap, anywhere", map_somewhere, ATOMIC, -ENOMEM, NULL, NULL, 0 },
	{ "mmap of a file", map_file, ATOMIC, -ENOMEM, NULL, NULL, 0 },
	{ "mmap of a device", map_device, ATOMIC, -ENOMEM, NULL, NULL, 0 },
	{ "mmap over a page", map_over, MAKES_HOLE, -ENOMEM, NULL, NULL, 0 },
	{ "mapping of the kernel's", map_for_the_kernel, ATOMIC, -ENOMEM, NULL, NULL, 0 },
	{ "munmap inside", unmap_middle, ATOMIC, -ENOMEM, NULL, NULL, 0 },
	{ "munmap across", unmap_across, ATOMIC, -ENOMEM, NULL, NULL, 0 },
	{ "mprotect", protect, ATOMIC, -ENOMEM, NULL, NULL, 0 },
	{ "dontneed", dontneed, ATOMIC, -ENOMEM, NULL, NULL, 0 },
	{ "free", free_pages, ATOMIC, -ENOMEM, NULL, NULL, 0 },
	{ "nohugepage", nohugepage, ATOMIC, -ENOMEM, NULL, NULL, 0 },
	{ "dontfork", dontfork, ATOMIC, -ENOMEM, NULL, NULL, 0 },
	{ "populate", populate, INVISIBLE, -ENOMEM, NULL, NULL, 0 },
	{ "populate of an object", populate_object, INVISIBLE, -ENOMEM, NULL, NULL, 0 },
	{ "remove", remove_pages, COPES, 0, NULL, NULL, 0 },
	{ "mremap", move, ATOMIC, -ENOMEM, NULL, NULL, 0 },
	{ "mremap of a block", move_block, ATOMIC, -ENOMEM, NULL, NULL, 0 },
	{ "mremap of an object", move_object, ATOMIC, -ENOMEM, NULL, NULL, 0 },
	{ "mremap, dontunmap", move_and_keep, ATOMIC, -ENOMEM, NULL, NULL, 0 },
	{ "mremap, smaller", shrink, ATOMIC, -ENOMEM, NULL, NULL, 0 },
	{ "brk", brk_grows, ATOMIC, -ENOMEM, NULL, NULL, 0 },
	{ "read fault", fault_read_far, ATOMIC, -ENOMEM, page_far_away, NULL, 0 },
	{ "write fault", fault_write, ATOMIC, -ENOMEM, NULL, NULL, 0 },
	{ "write to the zero page", fault_write, ATOMIC, -ENOMEM, zero_page_there, NULL, 0 },
	{ "write fault on a block", fault_block, COPES, -ENOMEM, block_unmapped, NULL, 0 },
	{ "read fault on a block", fault_block_read, COPES, -ENOMEM, block_unmapped, NULL, 0 },
	{ "fault on an object", fault_object, ATOMIC, -ENOMEM, NULL, NULL, 0 },
	{ "copy on write", fault_private, ATOMIC, -ENOMEM, NULL, NULL, 0 },
	{ "copy of an absent page", fault_private_absent, INVISIBLE, -ENOMEM, NULL, NULL, 0 },
	{ "copy after fork", fault_after_fork, ATOMIC, -ENOMEM, forked, NULL, 0 },
	{ "copy of a block after fork", fault_block, ATOMIC, -ENOMEM, forked, NULL, 0 },
	{ "fault on hugetlb", fault_huge, ATOMIC, -EIO, tables_for_huge, NULL, 0 },
	{ "fault on hugetlb, no table", fault_huge, ATOMIC, EITHER, NULL, NULL, 0 },
	{ "copy of hugetlb", fault_huge_write, ATOMIC, -EIO, huge_page_there, NULL, 0 },
	{ "fault on a grown stack", fault_stack, ATOMIC, -ENOMEM, stack_grown, NULL, 0 },
	{ "fork", fork_mm, INVISIBLE, -ENOMEM, NULL, NULL, 0 },
	{ "a new mm", new_mm, ATOMIC, -ENOMEM, NULL, NULL, 0 },
	{ "new objects", new_objects, ATOMIC, -ENOMEM, NULL, NULL, 0 },
	{ "truncation of RAM", truncate_ram, ATOMIC, -ENOMEM, NULL, NULL, 0 },
	{ "fallocate", allocate_pages, INVISIBLE, -ENOMEM, NULL, NULL, 0 },
	{ "fallocate far away", allocate_far, ATOMIC, -ENOMEM, NULL, NULL, 0 },
	{ "punch in RAM", punch_ram, INVISIBLE, -ENOMEM, NULL, NULL, 0 },
	{ "write", write_object, RESUMABLE, -ENOMEM, NULL, check_written, 4 * P },
	{ "read", read_object, RESUMABLE, -EFAULT, NULL, check_read, 2 * P + 100 },
	{ "a new file", new_file, ATOMIC, -ENOMEM, NULL, NULL, 0 },
	{ "a new eventfd", new_eventfd, ATOMIC, -ENOMEM, NULL, NULL, 0 },
	{ "a new table of descriptors", new_fdtable, ATOMIC, -ENOMEM, NULL, NULL, 0 },
	{ "a copy of it", copy_fdtable, ATOMIC, -ENOMEM, NULL, NULL, 0 },
	{ "a descriptor", install, ATOMIC, -ENOMEM, NULL, NULL, 0 },
	{ "a descriptor far up", replace, ATOMIC, -ENOMEM, NULL, NULL, 0 },
	{ "large kmalloc", large_kmalloc, ATOMIC, -ENOMEM, NULL, NULL, 0 },
};

/* ---- the loop */

static char *state_for(const struct operation *op)
{
	enum view view = op->promise == INVISIBLE ? VIEW_CONTENT : VIEW_ALL;

	if (op->promise == MAKES_HOLE)
		return state_but(VIEW_CONTENT, BLOCK + P, BLOCK + 2 * P);
	return state_but(view, 0, 0);
}

static void check_same(const struct operation *op, const char *before, const char *after)
{
	const char *line = before;

	for (size_t i = 0; before[i] && before[i] == after[i]; i++) {
		if (before[i] == '\n')
			line = &before[i + 1];
	}
	if (strcmp(before, after) != 0)
		fail_msg("%s: changed, from\n%.300s\nto\n%.300s", op->name, line,
			 after + (line - before));
}

static void check_failed(const struct operation *op, const char *before, s64 ret)
{
	char *after = state_for(op);

	if (ret != op->error && !(op->error == EITHER && (ret == -EIO || ret == -ENOMEM)))
		fail_msg("%s: %ld, not %d", op->name, (long)ret, op->error);
	check_same(op, before, after);
	free(after);
	if (op->act() < 0)
		fail_msg("%s: still fails", op->name);
}

/* With the @n-th allocation refused. True: there was no n-th. */
static bool attempt(const struct operation *op, u64 n)
{
	char *before;
	bool fired;
	s64 ret;

	scene_begin();
	if (op->prepare)
		op->prepare();
	before = state_for(op);
	(void)page_fail_nth(n);
	ret = op->act();
	fired = page_fail_nth(0) == 0;
	if (op->promise == RESUMABLE) {
		assert_true(fired ? ret < op->all : ret == op->all);
		op->check(max(ret, (s64)0));
	}
	if (ret < 0 && fired)
		check_failed(op, before, ret);
	else if (ret < 0 || (fired && op->promise != COPES && op->promise != RESUMABLE))
		fail_msg("%s: %ld with allocation %lu %s", op->name, (long)ret, (unsigned long)n,
			 fired ? "refused" : "never made");
	free(before);
	scene_end();
	return !fired;
}

static void every_allocation_may_fail(void **state)
{
	u64 sum = 0;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(operations); i++) {
		u64 n = 1;

		while (!attempt(&operations[i], n))
			n++;
		print_message("%s: %lu\n", operations[i].name, (unsigned long)n - 1);
		/* "remove" takes pages out without any; everything else has something to lose. */
		assert_true(n > 1 || operations[i].error == 0);
		sum += n - 1;
	}
	print_message("%zu operations, %lu failing allocations\n", ARRAY_SIZE(operations),
		      (unsigned long)sum);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(every_allocation_may_fail) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
