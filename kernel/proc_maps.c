/* SPDX-License-Identifier: Apache-2.0 */
/*
 * /proc/PID/maps and smaps: the mappings of a process, and what of them is present.
 */
#include "host/mm.h"
#include "kernel/inode.h"
#include "kernel/procfs.h"

struct mm *proc_mm(struct process *p)
{
	struct mm *mm;

	spin_lock(&p->lock);
	mm = p->mm ? mm_get(p->mm) : NULL;
	spin_unlock(&p->lock);
	return mm;
}

static const char *vma_name(const struct vma *vma)
{
	if (vma->file)
		return vma->file->path ? vma->file->path : vma->file->ops->name;
	if (vma->flags & VM_HEAP)
		return "[heap]";
	return vma->flags & (VM_STACK | VM_GROWSDOWN) ? "[stack]" : "";
}

static void show_vma(struct gen_text *t, const struct vma *vma)
{
	struct inode *inode = vma->file ? file_inode(vma->file) : NULL;
	const char *name = vma_name(vma);
	size_t start = t->len;

	gen_printf(t, "%lx-%lx %c%c%c%c %08lx 00:%02x %lu ", vma->start.v, vma->end.v,
		   vma->flags & VM_READ ? 'r' : '-', vma->flags & VM_WRITE ? 'w' : '-',
		   vma->flags & VM_EXEC ? 'x' : '-', vma->flags & VM_SHARED ? 's' : 'p',
		   vma->file ? vma->offset : 0, inode ? inode->fs + 1 : 0, inode ? inode->ino : 0);
	/* Names stand in a column, as proc(5) shows them. */
	while (*name && t->len - start < 73)
		gen_bytes(t, " ", 1);
	gen_printf(t, "%s\n", name);
}

/* What of a mapping is present, in bytes. */
struct vma_use {
	u64 resident, huge, special;
};

static struct vma_use vma_use(struct mm *mm, const struct vma *vma)
{
	struct vma_use use = { 0 };
	u64 addr = vma->start.v;

	while (addr < vma->end.v) {
		struct host_pte pte;
		u64 span = PAGE_SIZE;

		if (mm_peek(mm, HVA(addr), &pte, NULL)) {
			span = level_size(pte.level) - (addr & (level_size(pte.level) - 1));
			span = min(span, vma->end.v - addr);
			use.resident += pte.is_ram ? span : 0;
			use.special += pte.is_ram ? 0 : span;
			use.huge += pte.level != LEVEL_4K ? span : 0;
		}
		addr += span;
	}
	return use;
}

static void show_vma_use(struct gen_text *t, struct mm *mm, const struct vma *vma)
{
	struct vma_use use = vma_use(mm, vma);
	bool anonymous = !vma->file && !(vma->flags & VM_SHARED);
	bool hugetlb = vma->flags & VM_HUGETLB;
	u64 unit = hugetlb ? level_size(vma->hugetlb_level) : PAGE_SIZE;
	u64 rss = hugetlb ? 0 : use.resident;

	gen_printf(t, "Size:           %8lu kB\n", (vma->end.v - vma->start.v) / SZ_1K);
	gen_printf(t, "KernelPageSize: %8lu kB\n", unit / SZ_1K);
	gen_printf(t, "MMUPageSize:    %8lu kB\n", unit / SZ_1K);
	gen_printf(t, "Rss:            %8lu kB\n", rss / SZ_1K);
	gen_printf(t, "Anonymous:      %8lu kB\n", (anonymous ? rss : 0) / SZ_1K);
	gen_printf(t, "AnonHugePages:  %8lu kB\n", (anonymous && !hugetlb ? use.huge : 0) / SZ_1K);
	gen_printf(t, "ShmemPmdMapped: %8lu kB\n",
		   (!anonymous && !hugetlb && vma->flags & VM_SHARED ? use.huge : 0) / SZ_1K);
	gen_printf(t, "Shared_Hugetlb: %8lu kB\n",
		   (hugetlb && vma->flags & VM_SHARED ? use.resident : 0) / SZ_1K);
	gen_printf(t, "Private_Hugetlb:%8lu kB\n",
		   (hugetlb && !(vma->flags & VM_SHARED) ? use.resident : 0) / SZ_1K);
	gen_printf(t, "Swap:           %8lu kB\n", 0UL);
	gen_printf(t, "Locked:         %8lu kB\n", 0UL);
	gen_printf(t, "THPeligible:           %d\n",
		   anonymous && !hugetlb && !(vma->flags & VM_NOHUGEPAGE));
}

/* The VmFlags of proc(5) that exist here. */
static const struct {
	u32 flag;
	char name[4];
} vm_flag_names[] = {
	{ VM_READ, "rd " },	 { VM_WRITE, "wr " },	   { VM_EXEC, "ex " },
	{ VM_SHARED, "sh " },	 { VM_IO, "io " },	   { VM_PFNMAP, "pf " },
	{ VM_MIXEDMAP, "mm " },	 { VM_DONTEXPAND, "de " }, { VM_DONTDUMP, "dd " },
	{ VM_HUGEPAGE, "hg " },	 { VM_NOHUGEPAGE, "nh " }, { VM_HUGETLB, "ht " },
	{ VM_NORESERVE, "nr " }, { VM_GROWSDOWN, "gd " },  { VM_DONTCOPY, "dc " },
};

static void show_vm_flags(struct gen_text *t, const struct vma *vma)
{
	gen_printf(t, "VmFlags: ");
	for (size_t i = 0; i < ARRAY_SIZE(vm_flag_names); i++)
		if (vma->flags & vm_flag_names[i].flag)
			gen_printf(t, "%s", vm_flag_names[i].name);
	gen_printf(t, "\n");
}

static void show_vma_smaps(struct gen_text *t, struct mm *mm, const struct vma *vma)
{
	show_vma(t, vma);
	show_vma_use(t, mm, vma);
	show_vm_flags(t, vma);
}

static void show_vma_maps(struct gen_text *t, struct mm *mm, const struct vma *vma)
{
	(void)mm;
	show_vma(t, vma);
}

/* The process that thread @tid belongs to, counted, or NULL. */
static struct process *process_of(s32 tid)
{
	struct thread *thread = thread_find(tid);
	struct process *p = thread && thread->process ? process_get(thread->process) : NULL;

	if (thread)
		thread_put(thread);
	return p;
}

static int show_all(struct gen_text *t, u64 tag,
		    void (*show)(struct gen_text *t, struct mm *mm, const struct vma *vma))
{
	struct process *p = process_of((s32)tag);
	struct mm *mm;

	if (!p)
		return -ESRCH;
	mm = proc_mm(p);
	if (mm) {
		mm_read_lock(mm);
		for (struct vma *v = vma_first_after(mm, HVA(0)); v; v = vma_next(v))
			show(t, mm, v);
		mm_read_unlock(mm);
		mm_put(mm);
	}
	process_put(p);
	return 0;
}

int proc_show_maps(struct gen_text *t, u64 tag)
{
	return show_all(t, tag, show_vma_maps);
}

int proc_show_smaps(struct gen_text *t, u64 tag)
{
	return show_all(t, tag, show_vma_smaps);
}

struct proc_mem_use proc_mem_use(struct mm *mm)
{
	struct proc_mem_use use = { 0 };

	mm_read_lock(mm);
	for (struct vma *v = vma_first_after(mm, HVA(0)); v; v = vma_next(v)) {
		u64 pages = (v->end.v - v->start.v) / PAGE_SIZE;

		use.mapped += pages;
		use.resident += vma_use(mm, v).resident / PAGE_SIZE;
		if (v->flags & VM_EXEC)
			use.text += pages;
		else if (v->flags & (VM_STACK | VM_GROWSDOWN))
			use.stack += pages;
		else if (v->flags & VM_WRITE && !(v->flags & VM_SHARED))
			use.data += pages;
	}
	mm_read_unlock(mm);
	return use;
}
