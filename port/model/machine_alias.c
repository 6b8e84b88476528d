/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who maps which memory on the modelled machine: the leaves that TLBs may use, and the host's own
 * mappings, so that mismatched aliases are seen (Arm ARM, mismatched memory attributes). Memory is
 * counted in frames, one for each naturally aligned piece that a leaf at some level maps.
 */
#include "port/model/machine_priv.h"

#include <stdlib.h>
#include <string.h>

void alias_reset(struct machine *m)
{
	keymap_reset(&m->frames);
	keymap_reset(&m->pieces);
	memset(m->frames_at, 0, sizeof(m->frames_at));
}

void alias_delete(struct machine *m)
{
	keymap_delete(&m->frames);
	keymap_delete(&m->pieces);
	free(m->frame);
	free(m->piece);
}

/* ---- frames */

static u64 frame_key(u64 pa, int level)
{
	return m_base(pa, level) | (u64)level;
}

static struct frame *frame_find(const struct port *p, u64 pa, int level)
{
	struct machine *m = p->machine;
	u32 i;

	if (!m->frames_at[level])
		return NULL;
	i = keymap_find(&m->frames, frame_key(pa, level));
	return i == KEYMAP_NONE ? NULL : &m->frame[i];
}

static struct frame *frame_get(struct port *p, u64 pa, int level)
{
	struct machine *m = p->machine;
	struct frame *f = frame_find(p, pa, level);
	u32 i;

	if (f)
		return f;
	m->frames_at[level]++;
	i = keymap_add(&m->frames, frame_key(pa, level), &m->frame, sizeof(*m->frame));
	f = &m->frame[i];
	*f = (struct frame){ .pa = m_base(pa, level), .level = (s8)level };
	return f;
}

typedef bool frame_test(const struct frame *f, u32 mask);

static const struct frame *meets_at(const struct port *p, u64 pa, u64 size, int level,
				    frame_test *wanted, u32 mask)
{
	for (u64 a = m_base(pa, level); a < pa + size; a += m_size(level)) {
		const struct frame *f = frame_find(p, a, level);

		if (f && wanted(f, mask))
			return f;
	}
	return NULL;
}

static const struct frame *meets_any(const struct port *p, u64 pa, u64 size, frame_test *wanted,
				     u32 mask)
{
	const struct machine *m = p->machine;

	for (u32 i = 0; i < m->frames.used; i++) {
		const struct frame *f = &m->frame[i];

		if (f->pa < pa + size && pa < f->pa + m_size(f->level) && wanted(f, mask))
			return f;
	}
	return NULL;
}

/* A frame that meets [@pa, @pa + @size) and is @wanted, or NULL. */
static const struct frame *frame_meets(const struct port *p, u64 pa, u64 size, frame_test *wanted,
				       u32 mask)
{
	if (size / 4096 > p->machine->frames.used)
		return meets_any(p, pa, size, wanted, mask);
	for (int level = 0; level <= 3; level++) {
		const struct frame *f = NULL;

		if (p->machine->frames_at[level])
			f = meets_at(p, pa, size, level, wanted, mask);
		if (f)
			return f;
	}
	return NULL;
}

static bool has_stage2(const struct frame *f, u32 types)
{
	for (int t = MACHINE_WB; t <= MACHINE_DEVICE; t++) {
		if ((types & 1U << t) && f->stage2[t])
			return true;
	}
	return false;
}

static bool has_host(const struct frame *f, u32 attrs)
{
	for (int a = ATTR_WB; a <= ATTR_DEVICE; a++) {
		if ((attrs & 1U << a) && f->host[a])
			return true;
	}
	return false;
}

static bool has_exec(const struct frame *f, u32 unused)
{
	(void)unused;
	return f->exec != 0;
}

enum {
	WB_ONLY = 1U << MACHINE_WB,
	NOT_WB = 1U << MACHINE_NC | 1U << MACHINE_DEVICE,
	ANY_TYPE = WB_ONLY | NOT_WB,
};
_Static_assert((int)ATTR_WB == (int)MACHINE_WB && (int)ATTR_NC == (int)MACHINE_NC &&
		       (int)ATTR_DEVICE == (int)MACHINE_DEVICE,
	       "one mask serves both");

bool alias_is_mapped(const struct port *p, u64 pa, u64 size)
{
	return frame_meets(p, pa, size, has_stage2, ANY_TYPE) != NULL;
}

bool alias_is_executable(const struct port *p, u64 pa)
{
	return frame_meets(p, pa, 1, has_exec, 0) != NULL;
}

bool alias_is_cacheable(const struct port *p, u64 pa)
{
	if (pa >= PAGES_PA && pa < p->machine->next_pa)
		return true;
	return frame_meets(p, pa, 1, has_stage2, WB_ONLY) ||
	       frame_meets(p, pa, 1, has_host, WB_ONLY);
}

/* ---- stage-2 leaves */

static void count_leaf(struct port *p, const struct mapping *a, u32 change)
{
	enum machine_type type = guest_type(&p->caps, a->desc);
	u64 ipa = m_is_wide(a) ? m_cont_base(a->ipa, a->level) : a->ipa;

	for (u64 i = 0; i < (m_is_wide(a) ? M_CONT_ENTRIES : 1); i++) {
		struct frame *f = frame_get(p, mapping_pa(a, ipa + i * m_size(a->level)), a->level);

		f->stage2[type] += change;
		f->exec += a->desc & M_XN ? 0 : change;
	}
}

void alias_leaf_added(struct port *p, const struct mapping *a)
{
	count_leaf(p, a, 1);
}

void alias_leaf_gone(struct port *p, const struct mapping *a)
{
	count_leaf(p, a, ~0U);
}

static const char *type_name(bool is_wb)
{
	return is_wb ? "write-back" : "uncached";
}

static void __noreturn refuse(struct port *p, u64 pa, bool stage2_is_wb)
{
	machine_refuse(p, REFUSED_ALIAS, pa,
		       "memory at PA %#lx is mapped %s by stage 2 and %s by the host",
		       (unsigned long)pa, type_name(stage2_is_wb), type_name(!stage2_is_wb));
}

void alias_check_make(struct port *p, u64 desc, int level)
{
	bool is_wb = guest_type(&p->caps, desc) == MACHINE_WB;
	u64 pa = m_leaf_pa(desc, level);
	const struct frame *f;

	if (!p->machine->pieces.used)
		return;
	f = frame_meets(p, pa, m_size(level), has_host, is_wb ? NOT_WB : WB_ONLY);
	if (f)
		refuse(p, pa > f->pa ? pa : f->pa, is_wb);
}

/* ---- the host's mappings: pieces of one size of leaf, aligned both in HVA and PA */

static struct host_piece *piece_find(const struct port *p, u64 hva, int level)
{
	struct machine *m = p->machine;
	u32 i = keymap_find(&m->pieces, frame_key(hva, level));

	return i == KEYMAP_NONE || !m->piece[i].used ? NULL : &m->piece[i];
}

static void piece_add(struct port *p, struct host_piece piece)
{
	struct machine *m = p->machine;
	u64 key = frame_key(piece.hva, piece.level);
	u32 i = keymap_find(&m->pieces, key);

	if (i == KEYMAP_NONE)
		i = keymap_add(&m->pieces, key, &m->piece, sizeof(*m->piece));
	piece.used = true;
	m->piece[i] = piece;
	frame_get(p, piece.pa, piece.level)->host[piece.attr]++;
}

static void piece_remove(struct port *p, struct host_piece *piece)
{
	piece->used = false;
	frame_get(p, piece->pa, piece->level)->host[piece->attr]--;
}

static void piece_split(struct port *p, struct host_piece *piece)
{
	struct host_piece old = *piece;
	u64 size = m_size(old.level + 1);

	piece_remove(p, piece);
	for (u64 i = 0; i < 512; i++)
		piece_add(p, (struct host_piece){ .hva = old.hva + i * size,
						  .pa = old.pa + i * size,
						  .level = (s8)(old.level + 1),
						  .attr = old.attr });
}

/* The largest piece that begins at @hva, @pa and fits. */
static int piece_level(u64 hva, u64 pa, u64 size)
{
	for (int level = 1; level < 3; level++) {
		if (!((hva | pa) & (m_size(level) - 1)) && size >= m_size(level))
			return level;
	}
	return 3;
}

static void note(struct port *p, enum event_kind kind, u64 hva, u64 pa, u64 size,
		 enum machine_attr attr)
{
	struct event *e = history_add(p, kind);

	e->pa = pa;
	e->size = size;
	e->a = hva;
	e->b = attr;
}

void machine_host_unmap(struct port *p, u64 hva, u64 size)
{
	for (u64 at = hva, end = hva + size; at < end;) {
		struct host_piece *piece = NULL;
		int level = 1;

		while (level <= 3 && !(piece = piece_find(p, at, level)))
			level++;
		if (!piece) {
			at += 4096;
		} else if (piece->hva < at || piece->hva + m_size(level) > end) {
			piece_split(p, piece);
		} else {
			note(p, EVENT_HOST_UNMAP, at, piece->pa, m_size(level), piece->attr);
			piece_remove(p, piece);
			at += m_size(level);
		}
	}
}

void machine_host_map(struct port *p, u64 hva, pa_t pa, u64 size, enum machine_attr attr)
{
	bool is_wb = attr == ATTR_WB;
	const struct frame *f = frame_meets(p, pa.v, size, has_stage2, is_wb ? NOT_WB : WB_ONLY);

	if ((hva | pa.v | size) & 4095)
		machine_refuse(p, REFUSED_MISUSE, pa.v, "a host mapping not in pages");
	if (f)
		refuse(p, pa.v > f->pa ? pa.v : f->pa, !is_wb);
	machine_host_unmap(p, hva, size);
	note(p, EVENT_HOST_MAP, hva, pa.v, size, attr);
	for (u64 at = 0; at < size;) {
		int level = piece_level(hva + at, pa.v + at, size - at);

		piece_add(p, (struct host_piece){ .hva = hva + at,
						  .pa = pa.v + at,
						  .level = (s8)level,
						  .attr = (u8)attr });
		at += m_size(level);
	}
}
