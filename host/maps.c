/* SPDX-License-Identifier: Apache-2.0 */
/* What /proc says of a program's mappings, in Linux's formats (proc(5)). */
#include "host/mm_impl.h"
#include "host/pte.h"
#include "host/string.h"

#define LINE_MAX    384
#define NAME_COLUMN 73 /* where Linux puts the name */

/* VmFlags in smaps, in Linux's order. */
static const struct {
	u32 flag;
	char name[3];
} flag_names[] = {
	{ VM_READ, "rd" },	 { VM_WRITE, "wr" },	  { VM_EXEC, "ex" },
	{ VM_SHARED, "sh" },	 { VM_MAYWRITE, "mw" },	  { VM_GROWSDOWN, "gd" },
	{ VM_PFNMAP, "pf" },	 { VM_IO, "io" },	  { VM_DONTCOPY, "dc" },
	{ VM_DONTEXPAND, "de" }, { VM_NORESERVE, "nr" },  { VM_HUGETLB, "ht" },
	{ VM_WIPEONFORK, "wf" }, { VM_DONTDUMP, "dd" },	  { VM_MIXEDMAP, "mm" },
	{ VM_HUGEPAGE, "hg" },	 { VM_NOHUGEPAGE, "nh" }, { VM_UFFD_MISSING, "um" },
	{ VM_UFFD_WP, "uw" },	 { VM_UFFD_MINOR, "ui" },
};

static const char *vma_name(const struct vma *vma)
{
	if (vma->file)
		return vma->file->path ? vma->file->path : vma->file->ops->name;
	if (vma->flags & VM_HEAP)
		return "[heap]";
	if (vma->flags & VM_STACK)
		return "[stack]";
	return vma->flags & VM_SHARED ? "/dev/zero (deleted)" : NULL;
}

static size_t format_line(const struct vma *v, char *line, size_t size)
{
	const char *name = vma_name(v);
	int n = snprintf(line, size, "%08lx-%08lx %c%c%c%c %08lx 00:00 0 ",
			 (unsigned long)v->start.v, (unsigned long)v->end.v,
			 v->flags & VM_READ ? 'r' : '-', v->flags & VM_WRITE ? 'w' : '-',
			 v->flags & VM_EXEC ? 'x' : '-', v->flags & VM_SHARED ? 's' : 'p',
			 v->file ? (unsigned long)v->offset : 0);

	if (name) {
		while (n < NAME_COLUMN)
			line[n++] = ' ';
		n += snprintf(line + n, size - (size_t)n - 1, "%s", name);
		n = min(n, (int)size - 2);
	}
	line[n++] = '\n';
	return (size_t)n;
}

void mm_format_maps(struct mm *mm, struct maps_sink *sink)
{
	char line[LINE_MAX];
	struct vma *v;

	mm_read_lock(mm);
	RB_FOREACH (v, vma_tree, &mm->vmas)
		sink->emit(sink, line, format_line(v, line, sizeof(line)));
	mm_read_unlock(mm);
}

/* Bytes of the VMA that are mapped, by kind. */
struct vma_usage {
	u64 resident;
	u64 anonymous;
	u64 huge;
};

static void usage_add_run(struct vma_usage *u, const struct pte_run *r)
{
	u64 size = level_size(r->level);

	for (u32 i = 0; i < r->count; i++) {
		u64 pte = port_pte_read(&r->entry[i]);

		if (!pte_is_leaf(pte) || pte_is_special(pte))
			continue;
		u->resident += size;
		if (pte_is_anon(pte))
			u->anonymous += size;
		if (pte_is_anon(pte) && r->level == LEVEL_2M)
			u->huge += size;
	}
}

static struct vma_usage vma_usage(const struct vma *v)
{
	struct vma_usage u = { .resident = 0 };

	for (u64 addr = v->start.v; addr < v->end.v;) {
		struct pte_run r;

		spin_lock(&v->mm->pt_lock);
		r = pgt_run_locked(v->mm, addr, v->end.v);
		usage_add_run(&u, &r);
		spin_unlock(&v->mm->pt_lock);
		addr = pgt_run_end(&r);
		sched_point();
	}
	return u;
}

static void emit_kb(struct maps_sink *sink, const char *name, u64 bytes)
{
	char line[64];
	int n = snprintf(line, sizeof(line), "%-16s%8lu kB\n", name, (unsigned long)(bytes >> 10));

	sink->emit(sink, line, (size_t)n);
}

static void emit_flags(struct maps_sink *sink, const struct vma *v)
{
	char line[16 + 3 * ARRAY_SIZE(flag_names)];
	int n = snprintf(line, sizeof(line), "VmFlags: ");

	for (size_t i = 0; i < ARRAY_SIZE(flag_names); i++) {
		if (v->flags & flag_names[i].flag)
			n += snprintf(line + n, sizeof(line) - (size_t)n, "%s ",
				      flag_names[i].name);
	}
	line[n++] = '\n';
	sink->emit(sink, line, (size_t)n);
}

void mm_format_smaps(struct mm *mm, struct maps_sink *sink)
{
	char line[LINE_MAX];
	struct vma *v;

	mm_read_lock(mm);
	RB_FOREACH (v, vma_tree, &mm->vmas) {
		struct vma_usage u = vma_usage(v);

		sink->emit(sink, line, format_line(v, line, sizeof(line)));
		emit_kb(sink, "Size:", v->end.v - v->start.v);
		emit_kb(sink, "KernelPageSize:", vma_unit(v));
		emit_kb(sink, "MMUPageSize:", vma_unit(v));
		emit_kb(sink, "Rss:", u.resident);
		emit_kb(sink, "Anonymous:", u.anonymous);
		emit_kb(sink, "AnonHugePages:", u.huge);
		emit_flags(sink, v);
	}
	mm_read_unlock(mm);
}
