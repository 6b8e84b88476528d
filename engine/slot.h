/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Memory slots: which host addresses stand behind which guest pages. A slot object is immutable
 * once published, its dirty bitmap apart; a change publishes a new object. Readers look up in a
 * walk section (port_walk_enter) and copy what they need into a struct slot_view; writers are
 * serialised by the caller (the VM's slots lock).
 *
 * A change is done in two steps: prepare checks everything and may refuse, with nothing changed;
 * commit cannot fail.
 */
#ifndef ENGINE_SLOT_H
#define ENGINE_SLOT_H

#include "engine/err.h"
#include "engine/port.h"
#include "engine/reason.h"

/* The values are those of <linux/kvm.h> and abi/. */
enum slot_flag {
	SLOT_LOG_DIRTY = 1 << 0,   /* KVM_MEM_LOG_DIRTY_PAGES */
	SLOT_READONLY = 1 << 1,	   /* KVM_MEM_READONLY */
	SLOT_WRITE_BACK = 1 << 15, /* KVM_MEM_WRITE_BACK: guaranteed write-back (M10) */
};

enum { SLOT_ID_MAX = 32767 }; /* ids are below it; as Linux on arm64 */
#define SLOT_PAGES_MAX 0x7fffffffUL

struct slot {
	u64 gfn;    /* base, in pages */
	u64 npages; /* > 0 */
	hva_t hva;  /* base */
	u32 id;
	u32 flags;	 /* enum slot_flag */
	u64 *dirty;	 /* one bit a page; NULL unless SLOT_LOG_DIRTY, and if only rings log; words
			    are atomic */
	u64 *dirty_copy; /* what user space is given; guarded by the slots lock */
};

/* A copy that outlives the walk section. */
struct slot_view {
	u64 gfn;
	u64 npages;
	hva_t hva;
	u32 id;
	u32 flags;
	bool logging;	/* pages written are to be marked */
	u64 generation; /* of the slot table, at most as new as the rest */
};

struct slot_dir; /* private: the slots sorted by gfn */
struct slot_run; /* private: some of them */

/* All slots of a VM. */
struct slot_table {
	struct port *port;
	struct slot_dir *dir; /* by gfn; published with release, read in a walk section */
	struct slot **by_id;  /* [by_id_size]; guarded by the slots lock */
	u32 by_id_size;
	u32 count;
	u64 generation; /* of removals and exchanges; read by faults before they look up */
};

int __must_check slot_table_init(struct slot_table *t, struct port *p);
/* No reader is left. */
void slot_table_destroy(struct slot_table *t);

/* What KVM_SET_USER_MEMORY_REGION asks for. Sizes in bytes; size 0 deletes. */
struct slot_request {
	u32 id;
	u32 flags;
	ipa_t ipa;
	u64 size;
	hva_t hva;
};

enum slot_change_kind {
	SLOT_NO_CHANGE,
	SLOT_CREATE,
	SLOT_DELETE,
	SLOT_MOVE,
	SLOT_FLAGS, /* only flags change */
};

/* What a log begins with. */
enum slot_initially {
	SLOT_DIRTY_CLEAR,
	SLOT_DIRTY_SET,
	SLOT_NO_BITMAP, /* writes are told elsewhere */
};

/* Memory that commit may need: a move takes a slot out (one run, one directory) and puts one in
 * (two runs, one directory). */
struct slot_reserve {
	struct slot_run *run[3];
	struct slot_dir *dir[2];
	u32 runs, dirs;	     /* not used yet */
	struct slot **by_id; /* a larger one, or NULL */
	u32 by_id_size;
};

/* May a slot be as asked for? */
struct slot_verdict {
	int error; /* ERR_OK or why not */
	enum reason why;
};

/* What slot_prepare() says of a new slot @r to which no other slot and no memory matters. Pure. */
struct slot_verdict slot_vet_alone(const struct slot_request *r, u32 valid_flags, u64 ipa_limit);

/* A checked change: prepare fills it, commit or cancel empties it. */
struct slot_change {
	enum slot_change_kind kind;
	struct slot *old;      /* NULL if created */
	struct slot *new_slot; /* NULL if deleted */
	struct slot_reserve reserve;
	enum reason why; /* slot_prepare() refused */
};

/*
 * Checks @r against the rules of the ABI and what exists. @valid_flags: flags this VM knows;
 * @ipa_limit in bytes. ERR_INVAL, ERR_EXIST (overlap), ERR_FAULT (beyond the IPA limit), ERR_NOMEM;
 * then @change is empty, its `why` apart. May sleep.
 */
int __must_check slot_prepare(struct slot_table *t, const struct slot_request *r, u32 valid_flags,
			      u64 ipa_limit, enum slot_initially initially,
			      struct slot_change *change);
void slot_cancel(struct slot_table *t, struct slot_change *change);
/* Takes @change->old out of the table (delete, and the first half of a move). Readers from now on
 * do not find it. */
void slot_commit_remove(struct slot_table *t, struct slot_change *change);
/* Publishes @change->new_slot (create, second half of a move), or exchanges old for new (flags). */
void slot_commit_publish(struct slot_table *t, struct slot_change *change);
/* Frees what is no longer needed, after a grace period; @change is empty afterwards. */
void slot_commit_finish(struct slot_table *t, struct slot_change *change);

/* The slot that holds @gfn, or NULL. In a walk section, or under the slots lock. */
struct slot *slot_find(const struct slot_table *t, u64 gfn);
/* The slot with @id, or NULL. Under the slots lock. */
struct slot *slot_by_id(const struct slot_table *t, u32 id);
/* The slot of lowest gfn >= @gfn's slot: the one that holds @gfn, or the first behind it; NULL:
 * none. As slot_find(). */
struct slot *slot_first_from(const struct slot_table *t, u64 gfn);
/* Copies the slot that holds @gfn to @view; false: none. Any context. */
bool slot_look_up(const struct slot_table *t, u64 gfn, struct slot_view *view);

static inline u64 slot_hva_of(const struct slot_view *s, ipa_t ipa)
{
	return s->hva.v + (ipa.v - (s->gfn << PAGE_SHIFT));
}

static inline void slot_view_of(const struct slot *s, struct slot_view *v)
{
	*v = (struct slot_view){
		.gfn = s->gfn,
		.npages = s->npages,
		.hva = s->hva,
		.id = s->id,
		.flags = s->flags,
		.logging = (s->flags & (SLOT_LOG_DIRTY | SLOT_READONLY)) == SLOT_LOG_DIRTY,
	};
}

#endif
