/* SPDX-License-Identifier: Apache-2.0 */
/* The dirty log: marking, reading, clearing. */
#include "engine/dirty.h"

/* Between two relax points: as many pages as a table has. */
enum { WORDS_PER_STEP = 8 };

static u64 words_of(const struct slot *s)
{
	return (s->npages + 63) / 64;
}

static ipa_t word_ipa(const struct slot *s, u64 word)
{
	return IPA((s->gfn + word * 64) << PAGE_SHIFT);
}

/* The slot that holds @gfn, or held it until just now. In a walk section. */
static struct slot *slot_to_mark(struct guest_mem *m, u64 gfn)
{
	struct slot *s = slot_find(&m->slots, gfn);

	if (!s)
		s = __atomic_load_n(&m->leaving, __ATOMIC_ACQUIRE);
	return s && gfn - s->gfn < s->npages ? s : NULL;
}

void dirty_mark(struct guest_mem *m, u64 gfn)
{
	struct slot *s;

	port_walk_enter(m->s2.port);
	s = slot_to_mark(m, gfn);
	if (s && s->dirty) {
		u64 bit = gfn - s->gfn;

		__atomic_fetch_or(&s->dirty[bit / 64], BIT(bit % 64), __ATOMIC_RELEASE);
		stat_inc(&m->s2, STAT_dirty_marked);
	}
	port_walk_leave(m->s2.port);
}

static bool logs(const struct slot *s)
{
	return s && s->dirty;
}

/* Takes the bits of one word, and those that hardware had @written, and write-protects their pages.
 */
static u64 take_word(struct guest_mem *m, struct slot *s, u64 word, u64 written)
{
	u64 bits = written;

	if (__atomic_load_n(&s->dirty[word], __ATOMIC_RELAXED))
		bits |= __atomic_exchange_n(&s->dirty[word], 0, __ATOMIC_ACQ_REL);
	if (bits)
		stage2_write_protect_mask(&m->s2, word_ipa(s, word), bits);
	return bits;
}

/* The bits of one word, which stay; so does what hardware has marked, until the word is cleared. */
static u64 read_word(struct slot *s, u64 word, u64 written)
{
	if (!written)
		return __atomic_load_n(&s->dirty[word], __ATOMIC_ACQUIRE);
	return written | __atomic_fetch_or(&s->dirty[word], written, __ATOMIC_ACQ_REL);
}

int dirty_log_get_begin(struct guest_mem *m, struct dirty_get *get, u32 slot_id)
{
	*get = (struct dirty_get){ .slot = slot_by_id(&m->slots, slot_id) };
	if (!logs(get->slot))
		return ERR_NOENT;
	/* Another vCPU may have written through a leaf whose page is about to be marked. */
	stage2_quiesce(&m->s2);
	return ERR_OK;
}

/*
 * A page whose bit was taken is invalidated even if its leaf was not there: who removed it may not
 * have come to its own invalidation yet.
 */
static void invalidate_later(struct dirty_get *get, u64 word)
{
	if (get->start == get->end)
		get->start = word_ipa(get->slot, word).v;
	get->end = word_ipa(get->slot, word + 1).v;
}

static void take_words(struct guest_mem *m, struct dirty_get *get, const u64 *written, u64 count)
{
	struct slot *s = get->slot;

	for (u64 i = 0; i < count; i++) {
		u64 word = get->word + i, bits = take_word(m, s, word, written[i]);

		s->dirty_copy[word] = bits;
		if (bits)
			invalidate_later(get, word);
	}
}

static void read_words(struct dirty_get *get, const u64 *written, u64 count)
{
	struct slot *s = get->slot;

	for (u64 i = 0; i < count; i++)
		s->dirty_copy[get->word + i] = read_word(s, get->word + i, written[i]);
}

/* Which of the step's pages hardware has marked. Where there are no tables, this is ahead of it. */
static void look(struct guest_mem *m, struct dirty_get *get, u64 *written)
{
	const struct slot *s = get->slot;
	u64 first = get->word * 64, end = min(first + WORDS_PER_STEP * 64, s->npages);

	while (get->looked < end)
		get->looked += stage2_written(&m->s2, IPA((s->gfn + get->looked) << PAGE_SHIFT),
					      end - get->looked, written, get->looked - first);
}

bool dirty_log_get_step(struct guest_mem *m, struct dirty_get *get)
{
	u64 words = words_of(get->slot);
	u64 count = min((u64)WORDS_PER_STEP, words - get->word);
	u64 written[WORDS_PER_STEP] = { 0 };

	/* First: a mark whose leaf goes after this look is in the bitmap by then, or here. */
	look(m, get, written);
	if (m->policy.dirty_protect == DIRTY_PROTECT_ON_CLEAR)
		read_words(get, written, count);
	else
		take_words(m, get, written, count);
	get->word += count;
	port_relax_point(m->s2.port);
	return get->word < words;
}

void dirty_log_get_end(struct guest_mem *m, struct dirty_get *get, struct dirty_log *log)
{
	if (get->start != get->end)
		stage2_flush(&m->s2, IPA(get->start), get->end - get->start);
	*log = (struct dirty_log){ .words = get->slot->dirty_copy, .count = words_of(get->slot) };
}

int dirty_log_get(struct guest_mem *m, u32 slot_id, struct dirty_log *log)
{
	struct dirty_get get;
	int error = dirty_log_get_begin(m, &get, slot_id);

	if (error)
		return error;
	while (dirty_log_get_step(m, &get))
		;
	dirty_log_get_end(m, &get, log);
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
		if (i % WORDS_PER_STEP == WORDS_PER_STEP - 1)
			port_relax_point(m->s2.port);
	}
	return ERR_OK;
}

void dirty_log_clear_end(struct guest_mem *m, u32 slot_id)
{
	const struct slot *s = slot_by_id(&m->slots, slot_id);

	if (logs(s))
		stage2_flush(&m->s2, IPA(s->gfn << PAGE_SHIFT), s->npages << PAGE_SHIFT);
}
