/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Loading a program: static ELF64 executables for AArch64, at fixed addresses or position
 * independent, and the stack that their start code expects (System V ABI, auxiliary vector).
 */
#include <linux/auxvec.h>
#include <linux/elf.h>
#include <linux/fcntl.h>

#include "host/mm.h"
#include "host/string.h"
#include "kernel/process.h"
#include "kernel/sched.h"
#include "kernel/sigframe.h"
#include "kernel/vfs.h"

/* Where a position-independent program goes: two thirds up, as on Linux. */
#define PIE_BASE 0xaaaaaaaa0000UL
/* The stack ends a little below the end of the user half; signal.h has a page above it. */
#define STACK_TOP 0xffffffff0000UL
#define USER_TOP  0x1000000000000UL
/* Linux's limit for the stack's share of arguments, at the least. */
#define STACK_STRINGS_MAX (128UL * 1024 + 2 * 4096)

#define PHDRS_MAX	64
#define ELF_CLOCK_TICKS 100

struct image {
	struct file *file;
	u64 file_size;
	struct elf64_hdr header;
	struct elf64_phdr phdrs[PHDRS_MAX];
	u64 bias;  /* added to addresses in the file */
	u64 first; /* lowest mapped address, before the bias */
	u64 end;   /* end of the highest segment, before the bias */
};

/* ---- reading and checking; nothing is changed */

static bool header_is_good(const struct elf64_hdr *h)
{
	return memcmp(h->e_ident, ELFMAG, SELFMAG) == 0 && h->e_ident[EI_CLASS] == ELFCLASS64 &&
	       h->e_ident[EI_DATA] == ELFDATA2LSB && h->e_machine == EM_AARCH64 &&
	       (h->e_type == ET_EXEC || h->e_type == ET_DYN) &&
	       h->e_phentsize == sizeof(struct elf64_phdr) && h->e_phnum > 0 &&
	       h->e_phnum <= PHDRS_MAX;
}

static bool segment_is_good(const struct elf64_phdr *p, u64 file_size)
{
	return p->p_filesz <= p->p_memsz && p->p_offset <= file_size &&
	       p->p_filesz <= file_size - p->p_offset && p->p_vaddr < STACK_TOP &&
	       p->p_memsz < STACK_TOP - p->p_vaddr &&
	       p->p_offset % PAGE_SIZE == p->p_vaddr % PAGE_SIZE;
}

static int check_segments(struct image *img)
{
	img->first = UINT64_MAX;
	for (unsigned int i = 0; i < img->header.e_phnum; i++) {
		const struct elf64_phdr *p = &img->phdrs[i];

		if (p->p_type == PT_INTERP)
			return -ENOEXEC;
		if (p->p_type != PT_LOAD || !p->p_memsz)
			continue;
		if (!segment_is_good(p, img->file_size))
			return -ENOEXEC;
		img->first = min(img->first, ALIGN_DOWN(p->p_vaddr, PAGE_SIZE));
		img->end = max(img->end, p->p_vaddr + p->p_memsz);
	}
	return img->end ? 0 : -ENOEXEC;
}

static u64 largest_alignment(const struct image *img)
{
	u64 align = PAGE_SIZE;

	for (unsigned int i = 0; i < img->header.e_phnum; i++) {
		u64 a = img->phdrs[i].p_align;

		if (img->phdrs[i].p_type == PT_LOAD && !(a & (a - 1)))
			align = max(align, a);
	}
	return align;
}

static int read_exactly(struct file *f, void *buf, size_t n, u64 pos)
{
	s64 got = vfs_read_kernel(f, buf, n, pos);

	if (got < 0)
		return (int)got;
	return (size_t)got == n ? 0 : -ENOEXEC;
}

static int read_image(struct image *img, struct file *f)
{
	s64 size = vfs_file_size(f);
	int err;

	if (size < 0)
		return (int)size;
	img->file = f;
	img->file_size = (u64)size;
	err = read_exactly(f, &img->header, sizeof(img->header), 0);
	if (err)
		return err;
	if (!header_is_good(&img->header))
		return -ENOEXEC;
	err = read_exactly(f, img->phdrs, img->header.e_phnum * sizeof(img->phdrs[0]),
			   img->header.e_phoff);
	if (err)
		return err;
	err = check_segments(img);
	if (err)
		return err;
	if (img->header.e_type == ET_DYN)
		img->bias = ALIGN_DOWN(PIE_BASE, largest_alignment(img)) - img->first;
	return img->end + img->bias < STACK_TOP ? 0 : -ENOEXEC;
}

/* ---- mapping; the calling thread already uses the new mm */

static u32 segment_flags(const struct elf64_phdr *p)
{
	return (p->p_flags & PF_R ? VM_READ : 0) | (p->p_flags & PF_W ? VM_WRITE : 0) |
	       (p->p_flags & PF_X ? VM_EXEC : 0);
}

static int map_segment(struct mm *mm, const struct image *img, const struct elf64_phdr *p)
{
	u64 start = ALIGN_DOWN(p->p_vaddr, PAGE_SIZE) + img->bias;
	u64 file_end = p->p_vaddr + p->p_filesz + img->bias;
	u64 file_map_end = p->p_filesz ? ALIGN_UP(file_end, PAGE_SIZE) : start;
	u64 end = ALIGN_UP(p->p_vaddr + p->p_memsz + img->bias, PAGE_SIZE);
	int err = 0;

	if (file_map_end > start)
		err = mm_map_kernel(mm, start, file_map_end - start, segment_flags(p), img->file,
				    ALIGN_DOWN(p->p_offset, PAGE_SIZE));
	if (!err && end > file_map_end)
		err = mm_map_kernel(mm, file_map_end, end - file_map_end, segment_flags(p), NULL,
				    0);
	/* What the file has behind the segment in its last page is not the program's. */
	if (!err && p->p_memsz > p->p_filesz && file_map_end > file_end && (p->p_flags & PF_W))
		err = clear_user(HVA(file_end), file_map_end - file_end);
	return err;
}

static int map_image(struct mm *mm, const struct image *img)
{
	for (unsigned int i = 0; i < img->header.e_phnum; i++) {
		const struct elf64_phdr *p = &img->phdrs[i];
		int err;

		if (p->p_type != PT_LOAD || !p->p_memsz)
			continue;
		err = map_segment(mm, img, p);
		if (err)
			return err;
	}
	mm_set_brk(mm, ALIGN_UP(img->end + img->bias, PAGE_SIZE));
	return 0;
}

static int map_stack(struct mm *mm)
{
	u64 size = min(process_limit(current_process(), RLIMIT_STACK), 1UL << 30);

	size = max(ALIGN_UP(size, PAGE_SIZE), STACK_STRINGS_MAX);
	return mm_map_kernel(mm, STACK_TOP - size, size, VM_READ | VM_WRITE | VM_STACK, NULL, 0);
}

/* ---- the stack's contents, built in kernel memory and copied in one go */

static const char platform[] = "aarch64";

struct stack_image {
	char *buf;
	u64 size;    /* of buf; its end is STACK_TOP */
	u64 strings; /* offset of the strings */
	u64 next;    /* where the next string goes */
};

#define AUXV_MAX 24

static size_t strings_size(const struct exec_strings *s)
{
	size_t n = 0;

	for (unsigned int i = 0; i < s->count; i++)
		n += strlen(s->v[i]) + 1;
	return n;
}

static u64 offset_to_user(const struct stack_image *st, u64 offset)
{
	return STACK_TOP - st->size + offset;
}

/* Appends @n bytes to the strings; their address in the program. */
static u64 put_bytes(struct stack_image *st, const void *data, size_t n)
{
	u64 at = st->next;

	memcpy(st->buf + at, data, n);
	st->next += n;
	return offset_to_user(st, at);
}

/* Appends the strings; writes their addresses and a NULL at @vector, and returns its end. */
static u64 *put_strings(struct stack_image *st, const struct exec_strings *s, u64 *vector)
{
	for (unsigned int i = 0; i < s->count; i++)
		*vector++ = put_bytes(st, s->v[i], strlen(s->v[i]) + 1);
	*vector++ = 0;
	return vector;
}

/* Where the program sees its own program headers, or 0 if no segment holds them. */
static u64 phdrs_address(const struct image *img)
{
	u64 offset = img->header.e_phoff;

	for (unsigned int i = 0; i < img->header.e_phnum; i++) {
		const struct elf64_phdr *p = &img->phdrs[i];

		if (p->p_type == PT_LOAD && offset >= p->p_offset &&
		    offset - p->p_offset < p->p_filesz)
			return offset - p->p_offset + p->p_vaddr + img->bias;
	}
	return 0;
}

static void put_auxv(struct stack_image *st, u64 *v, const struct image *img, const char *path)
{
	u8 random[16];

	port_random(random, sizeof(random));
	const u64 auxv[][2] = {
		{ AT_HWCAP, port_hwcap() },
		{ AT_PAGESZ, PAGE_SIZE },
		{ AT_CLKTCK, ELF_CLOCK_TICKS },
		{ AT_PHDR, phdrs_address(img) },
		{ AT_PHENT, sizeof(struct elf64_phdr) },
		{ AT_PHNUM, img->header.e_phnum },
		{ AT_BASE, 0 },
		{ AT_FLAGS, 0 },
		{ AT_ENTRY, img->header.e_entry + img->bias },
		{ AT_UID, 0 },
		{ AT_EUID, 0 },
		{ AT_GID, 0 },
		{ AT_EGID, 0 },
		{ AT_SECURE, 0 },
		{ AT_RANDOM, put_bytes(st, random, sizeof(random)) },
		{ AT_HWCAP2, port_hwcap2() },
		{ AT_EXECFN, put_bytes(st, path, strlen(path) + 1) },
		{ AT_PLATFORM, put_bytes(st, platform, sizeof(platform)) },
		{ AT_MINSIGSTKSZ, SIGNAL_FRAME_MAX },
		{ AT_NULL, 0 },
	};
	_Static_assert(ARRAY_SIZE(auxv) <= AUXV_MAX, "the stack has room for the auxiliary vector");

	memcpy(v, auxv, sizeof(auxv));
}

static int build_stack(const struct exec_request *req, const struct image *img, u64 *sp)
{
	u64 vectors = (1 + req->args.count + 1 + req->env.count + 1 + 2 * AUXV_MAX) * sizeof(u64);
	u64 strings = strings_size(&req->args) + strings_size(&req->env) + strlen(req->path) + 1 +
		      sizeof(platform) + 16;
	struct stack_image st = { .size = ALIGN_UP(vectors + strings + sizeof(u64), 16UL) };
	struct process *p = current_process();
	u64 *v;
	int err;

	if (st.size > STACK_STRINGS_MAX)
		return -E2BIG;
	st.buf = kzalloc(st.size);
	if (!st.buf)
		return -ENOMEM;
	st.next = vectors;
	v = (u64 *)st.buf;
	*v++ = req->args.count;
	p->arg_start = HVA(offset_to_user(&st, st.next));
	v = put_strings(&st, &req->args, v);
	p->arg_end = p->env_start = HVA(offset_to_user(&st, st.next));
	v = put_strings(&st, &req->env, v);
	p->env_end = HVA(offset_to_user(&st, st.next));
	put_auxv(&st, v, img, req->path);
	*sp = STACK_TOP - st.size;
	err = copy_to_user(HVA(*sp), st.buf, st.size);
	kfree(st.buf);
	return err;
}

/* ---- all of it */

static int load_into(struct mm *mm, const struct exec_request *req, const struct image *img,
		     struct user_regs *regs)
{
	u64 sp = 0;
	int err = map_image(mm, img);

	if (!err)
		err = map_stack(mm);
	if (!err)
		err = signal_map_trampoline();
	if (!err)
		err = build_stack(req, img, &sp);
	if (err)
		return err == -EFAULT ? -ENOMEM : err;
	*regs = (struct user_regs){ .sp = sp,
				    .pc = img->header.e_entry + img->bias,
				    .syscall = -1 };
	return 0;
}

static int replace_mm(const struct exec_request *req, const struct image *img,
		      struct user_regs *regs)
{
	struct mm *old = current_mm();
	struct mm *mm = mm_new();
	int err;

	if (!mm)
		return -ENOMEM;
	sched_adopt_mm(mm);
	err = load_into(mm, req, img, regs);
	if (err) {
		sched_adopt_mm(old);
		mm_exit(mm);
		mm_put(mm);
		return err;
	}
	/* /proc of others takes a reference under the lock. */
	spin_lock(&current_process()->lock);
	current_process()->mm = mm;
	spin_unlock(&current_process()->lock);
	if (old && !current_process()->mm_borrowed)
		mm_exit(old);
	if (old)
		mm_put(old);
	return 0;
}

static void name_after(const char *path)
{
	const char *slash = strrchr(path, '/');

	thread_set_name(current_thread(), slash ? slash + 1 : path);
}

static bool is_alone(struct process *p)
{
	bool alone;

	spin_lock(&p->lock);
	alone = p->thread_count == 1;
	spin_unlock(&p->lock);
	return alone;
}

/* Ends the other threads of the process. -EAGAIN: another one does the same, or it ends. */
static int be_alone(struct process *p)
{
	struct thread *self = current_thread(), *t;

	spin_lock(&p->lock);
	if (p->exiting || p->exec_thread) {
		spin_unlock(&p->lock);
		return -EAGAIN;
	}
	__atomic_store_n(&p->exec_thread, self, __ATOMIC_RELEASE);
	LIST_FOREACH (t, &p->threads, process_link) {
		if (t == self)
			continue;
		task_kill(&t->task);
		sched_signal(t);
	}
	spin_unlock(&p->lock);
	waitq_wake(&p->signals.continued, WAKE_ALL, 0);
	wait_event(&p->exec_wait, is_alone(p));
	__atomic_store_n(&p->exec_thread, NULL, __ATOMIC_RELEASE);
	thread_become_leader();
	return 0;
}

/* What the process gets besides memory; made before anything is changed. */
struct belongings {
	char *exe_path;
	struct fdtable *files; /* NULL: it keeps its own */
};

static int make_belongings(struct belongings *b, const struct exec_request *req)
{
	/* Where the program lies, whichever links led there: /proc/self/exe is no link to itself.
	 */
	const char *path = req->file->path ? req->file->path : req->path;
	struct fdtable *files = current_files();

	b->exe_path = kmalloc(strlen(path) + 1);
	if (!b->exe_path)
		return -ENOMEM;
	memcpy(b->exe_path, path, strlen(path) + 1);
	/* No other thread is left that could begin to share them. */
	b->files = fdtable_is_shared(files) ? fdtable_copy(files) : NULL;
	return b->files || !fdtable_is_shared(files) ? 0 : -ENOMEM;
}

/* Takes those of @b; @b gets what was there before. */
static void swap_belongings(struct process *p, struct belongings *b)
{
	struct belongings old = { .exe_path = p->exe_path };

	/* /proc of others looks at both under the lock. */
	spin_lock(&p->lock);
	p->exe_path = b->exe_path;
	if (b->files) {
		old.files = p->files;
		p->files = b->files;
		current_thread()->task.files = b->files;
	}
	spin_unlock(&p->lock);
	*b = old;
}

static void drop_belongings(struct belongings *b)
{
	kfree(b->exe_path);
	if (b->files)
		fdtable_put(b->files);
}

int exec_load(const struct exec_request *req, struct user_regs *regs)
{
	struct process *p = current_process();
	struct image *img = kzalloc(sizeof(*img));
	struct belongings b = { 0 };
	int err = img ? read_image(img, req->file) : -ENOMEM;

	if (!err)
		err = be_alone(p);
	if (!err)
		err = make_belongings(&b, req);
	if (!err)
		err = replace_mm(req, img, regs);
	if (!err) {
		swap_belongings(p, &b);
		name_after(req->path);
		port_fp_reset();
		port_tls_set(0);
	}
	drop_belongings(&b);
	kfree(img);
	return err;
}
