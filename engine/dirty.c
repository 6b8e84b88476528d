/* SPDX-License-Identifier: Apache-2.0 */
/* The dirty log: marking, reading, clearing. */
#include "engine/dirty.h"

static u64 words_of(const struct slot *s)
{
	return (s->npages + 63) / 64;
}

static ipa_t word_ipa(const struct slot *s, u64 word)
{
	return IPA((s->gfn + word * 64) << PAGE_SHIFT);
}

void dirty_mark(struct guest_mem *m, u64 gfn)
{
	struct slot *s;

	port_walk_enter(m->s2.port);
	s = slot_find(&m->slots, gfn);
	if (s && s->dirty) {
		u64 bit = gfn - s->gfn;

		__atomic_fetch_or(&s->dirty[bit / 64], BIT(bit % 64), __ATOMIC_RELEASE);
		stat_inc(&m->s2, STAT_dirty_marked);
	}
	port_walk_leave(m->s2.port);
}

/* What was written between two flushes; size 0: nothing. */
struct span {
	u64 start, end;
};

static void span_add(struct span *x, u64 start, u64 size)
{
	if (x->start == x->end)
		x->start = start;
	x->end = start + size;
}

static void span_flush(struct guest_mem *m, const struct span *x)
{
	if (x->start != x->end)
		stage2_flush(&m->s2, IPA(x->start), x->end - x->start);
}

/* Takes the bits of one word and write-protects their pages; the invalidation is the caller's. */
static u64 take_word(struct guest_mem *m, struct slot *s, u64 word, struct span *flush)
{
	u64 bits = __atomic_load_n(&s->dirty[word], __ATOMIC_RELAXED);

	if (!bits)
		return 0;
	bits = __atomic_exchange_n(&s->dirty[word], 0, __ATOMIC_ACQ_REL);
	if (stage2_write_protect_mask(&m->s2, word_ipa(s, word), bits))
		span_add(flush, word_ipa(s, word).v, 64 * PAGE_SIZE);
	return bits;
}

static bool logs(const struct slot *s)
{
	return s && s->dirty;
}

int dirty_log_get(struct guest_mem *m, u32 slot_id, struct dirty_log *log)
{
	struct slot *s = slot_by_id(&m->slots, slot_id);
	struct span flush = { 0, 0 };

	if (!logs(s))
		return ERR_NOENT;
	for (u64 i = 0; i < words_of(s); i++) {
		if (m->policy.dirty_protect == DIRTY_PROTECT_ON_CLEAR)
			s->dirty_copy[i] = __atomic_load_n(&s->dirty[i], __ATOMIC_ACQUIRE);
		else
			s->dirty_copy[i] = take_word(m, s, i, &flush);
	}
	span_flush(m, &flush);
	*log = (struct dirty_log){ .words = s->dirty_copy, .count = words_of(s) };
	return ERR_OK;
}

int dirty_log_clear(struct guest_mem *m, u32 slot_id, u64 first_page, u64 npages, const u64 *mask)
{
	struct slot *s = slot_by_id(&m->slots, slot_id);

	if (!logs(s))
		return ERR_NOENT;
	if (first_page % 64 || first_page > s->npages || npages > s->npages - first_page ||
	    (npages % 64 && first_page + npages != s->npages))
		return ERR_INVAL;
	for (u64 i = 0; i < (npages + 63) / 64; i++) {
		u64 word = first_page / 64 + i, bits;

		if (!mask[i])
			continue;
		/* Only what was set: a page that was not dirty is protected, or about to be marked.
		 */
		bits = mask[i] & __atomic_fetch_and(&s->dirty[word], ~mask[i], __ATOMIC_ACQ_REL);
		if (bits)
			stage2_write_protect_mask(&m->s2, word_ipa(s, word), bits);
	}
	return ERR_OK;
}

void dirty_log_clear_end(struct guest_mem *m, u32 slot_id)
{
	const struct slot *s = slot_by_id(&m->slots, slot_id);

	if (logs(s))
		stage2_flush(&m->s2, IPA(s->gfn << PAGE_SHIFT), s->npages << PAGE_SHIFT);
}
