/* SPDX-License-Identifier: Apache-2.0 */
/* The whole state in lines, for people and for comparison. */
#include "check/world_priv.h"

#include <stdlib.h>
#include <string.h>

static const char *size_text(u64 size, char *buffer, size_t room)
{
	static const char units[] = "BKMGT";
	int unit = 0;

	while (size && !(size & 1023) && unit < 4) {
		size >>= 10;
		unit++;
	}
	(void)snprintf(buffer, room, "%lu%c", (unsigned long)size, units[unit]);
	return buffer;
}

static void print_pa(const struct world *w, u64 pa, FILE *out)
{
	const char *name;
	u64 offset;

	if (host_name_pa(w, pa, &name, &offset))
		fprintf(out, "%s+0x%lx", name, (unsigned long)offset);
	else
		fputs("nobody's", out);
}

/* ---- VMs */

static void print_slots(const struct wvm *v, unsigned int vm, FILE *out)
{
	char size[24];

	for (int i = 0; i < WORLD_SLOTS; i++) {
		const struct slot *s = slot_by_id(&v->m.slots, (u32)i);

		if (!s)
			continue;
		fprintf(out, "slot vm%u %d %#lx %s hva=%#lx%s%s%s\n", vm, i,
			(unsigned long)(s->gfn << PAGE_SHIFT),
			size_text(s->npages << PAGE_SHIFT, size, sizeof(size)),
			(unsigned long)s->hva.v, s->flags & SLOT_READONLY ? " readonly" : "",
			s->flags & SLOT_LOG_DIRTY ? " log" : "",
			s->flags & SLOT_WRITE_BACK ? " write-back" : "");
	}
}

static bool is_dirty(const struct slot *s, u64 page)
{
	return s->dirty[page / 64] >> page % 64 & 1;
}

static void print_dirty(const struct wvm *v, unsigned int vm, FILE *out)
{
	for (int i = 0; i < WORLD_SLOTS; i++) {
		const struct slot *s = slot_by_id(&v->m.slots, (u32)i);

		for (u64 page = 0; s && s->dirty && page < s->npages; page++) {
			u64 first = page;

			if (!is_dirty(s, page))
				continue;
			while (page + 1 < s->npages && is_dirty(s, page + 1))
				page++;
			fprintf(out, "dirty vm%u %d page %lu", vm, i, (unsigned long)first);
			if (page > first)
				fprintf(out, "-%lu", (unsigned long)page);
			fputc('\n', out);
		}
	}
}

static const char *level_text(int level)
{
	static const char *const names[] = { "512G", "1G", "2M", "4K" };

	return names[level];
}

static void print_stage2(struct world *w, struct wvm *v, unsigned int vm, FILE *out)
{
	static const char *const types[] = { "normal", "nc", "device" };
	struct s2_run run;

	for (u64 at = 0; stage2_dump(&v->m.s2, IPA(at), &run); at = run.ipa.v + run.size) {
		u64 leaves = run.size / level_size(run.leaf.level);

		fprintf(out, "s2 vm%u %#lx", vm, (unsigned long)run.ipa.v);
		if (leaves > 1)
			fprintf(out, " %lux", (unsigned long)leaves);
		else
			fputc(' ', out);
		fprintf(out, "%s %s %s%s%s%s ", level_text(run.leaf.level), types[run.leaf.type],
			run.leaf.perms & S2_R ? "r" : "-", run.leaf.perms & S2_W ? "w" : "-",
			run.leaf.perms & S2_X ? "x" : "-", run.leaf.accessed ? "" : " old");
		print_pa(w, run.leaf.pa.v, out);
		fputc('\n', out);
	}
}

/* ---- the host */

static bool alike(const struct leaf *a, const struct leaf *b, u64 pages)
{
	return a->present == b->present && a->gone == b->gone && a->type == b->type &&
	       a->level == b->level && a->writable == b->writable && a->poisoned == b->poisoned &&
	       (!a->present || b->pa == a->pa + (pages << PAGE_SHIFT));
}

static void print_leaves(const struct mapping *m, u64 first, u64 count, FILE *out)
{
	static const char *const types[] = { "wb", "nc", "device" };
	const struct leaf *l = &m->leaf[first];
	char size[24];

	if (l->gone)
		return;
	fprintf(out, "host %s+0x%lx %s", m->name, (unsigned long)(first << PAGE_SHIFT),
		size_text(count << PAGE_SHIFT, size, sizeof(size)));
	if (l->poisoned)
		fputs(" poisoned\n", out);
	else if (!l->present)
		fputs(" absent\n", out);
	else
		fprintf(out, " %s %s %s%s\n", level_text(l->level), types[l->type],
			l->writable && m->writable ? "rw" : "ro", m->special ? " special" : "");
}

static void print_mapping(const struct mapping *m, FILE *out)
{
	for (u64 i = 0; m->used && i < m->npages;) {
		u64 n = 1;

		while (i + n < m->npages && alike(&m->leaf[i], &m->leaf[i + n], n))
			n++;
		print_leaves(m, i, n, out);
		i += n;
	}
}

/* ---- sorted */

static int by_text(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static void print_sorted(char *text, FILE *out)
{
	char **lines = NULL, *rest = text, *line;
	size_t count = 0;

	while ((line = strsep(&rest, "\n")) != NULL) {
		if (!*line)
			continue;
		lines = world_must(realloc(lines, (count + 1) * sizeof(*lines)));
		lines[count++] = line;
	}
	if (count)
		qsort(lines, count, sizeof(*lines), by_text);
	for (size_t i = 0; i < count; i++)
		fprintf(out, "%s\n", lines[i]);
	free(lines);
}

u32 world_ranges(const struct world *w)
{
	static const struct hva_range everything = { 0, ~0UL };
	u32 ranges = 0;

	for (unsigned int i = 0; i < WORLD_VMS; i++) {
		const struct invalidations *inv = &w->vm[i].m.inv;

		if (w->vm[i].created && (inv->used || inv->overflow))
			ranges |= RANGE_OPEN;
		if (w->vm[i].created && invalidate_unsettled(inv, everything))
			ranges |= RANGE_UNSETTLED;
	}
	return ranges;
}

void world_state(struct world *w, FILE *out)
{
	char *text = NULL;
	size_t size;
	FILE *f = open_memstream(&text, &size);

	if (!f)
		abort();
	for (unsigned int i = 0; i < WORLD_VMS; i++) {
		if (!w->vm[i].created)
			continue;
		fprintf(f, "vm %u\n", i);
		print_slots(&w->vm[i], i, f);
		print_dirty(&w->vm[i], i, f);
		print_stage2(w, &w->vm[i], i, f);
	}
	for (int i = 0; i < WORLD_MAPS; i++)
		print_mapping(&w->map[i], f);
	if (fclose(f))
		abort();
	print_sorted(text, out);
	free(text);
}

char *state_text(struct world *w)
{
	char *text = NULL;
	size_t size;
	FILE *f = open_memstream(&text, &size);

	if (!f)
		abort();
	world_state(w, f);
	if (fclose(f))
		abort();
	return text;
}
