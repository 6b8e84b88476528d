/* SPDX-License-Identifier: Apache-2.0 */
/* The state of the world, shared by the files that implement check/world.h. */
#ifndef CHECK_WORLD_PRIV_H
#define CHECK_WORLD_PRIV_H

#include "check/world.h"

enum { WORLD_MAPS = 32, WORLD_SLOTS = 24, WORLD_FREE = 4096 };

/* ---- host memory (world_host.c) */

/* One page's entry of the host's table. A block is 512 entries, or 512 * 512, of the same level. */
struct leaf {
	u64 pa; /* 0: no page yet */
	u8 type;
	s8 level;
	bool present, writable, poisoned;
	bool gone; /* unmapped: no VMA any more */
};

struct mapping {
	struct host_map conf;
	char name[24];
	u64 npages;
	struct leaf *leaf; /* [npages] */
	bool used, special, writable;
};

/* Pages that nobody has, by reach; the last one freed is used first. */
struct free_pages {
	u64 pa[WORLD_FREE];
	u32 count;
};

/* ---- VMs as user space sees them */

struct wslot {
	struct slot_request r;
	bool used;
	/* By page, if it logs: when a guest last wrote it and user space was not told yet; when it
	 * last may have got a mark. 0: never. */
	u64 *written, *marked;
	u64 pages;
};

struct wvm {
	struct guest_mem m;
	bool created;
	bool leaving;  /* no new call gets in */
	bool detached; /* no notifier either */
	bool ran;
	bool moved; /* to a host like @home */
	struct port_caps home;
	u32 users; /* calls and guests inside */
	struct stage_mutex slots_lock;
	struct wslot slot[WORLD_SLOTS]; /* by id; what the VMM asked for and was given */
	struct wslot going;		/* the slot that a call in flight takes away */
};

/* Memory over which the last slot was refused, as it was then (M7). */
struct refused {
	const struct mapping *map; /* NULL: none */
	u64 hva, pa;
	u32 flags; /* of the slot */
	u8 type;
};

struct world {
	struct port *port;
	struct stage *stage;
	struct world_config config;
	struct vmid_pool vmids;
	bool has_vmids;
	struct wvm vm[WORLD_VMS];
	struct mapping map[WORLD_MAPS];
	struct free_pages free[REACH_COUNT];
	struct stage_mutex mm;
	enum world_sabotage sabotage;
	struct refused refused;
	u64 place; /* IPA of what the oracle stopped; 0: nothing */
	u64 clock; /* events that the oracle orders */
	u64 calls; /* that may be refused */
	bool together;
};

static inline u64 page_of(u64 address, u64 base)
{
	return (address - base) >> PAGE_SHIFT;
}

/* The VM, if it is there to be used. */
static inline struct wvm *vm_use(struct world *w, unsigned int vm)
{
	struct wvm *v = vm < WORLD_VMS ? &w->vm[vm] : NULL;

	if (!v || !v->created || v->leaving)
		return NULL;
	v->users++;
	return v;
}

static inline void vm_unuse(struct wvm *v)
{
	v->users--;
}

static inline bool sequential(const struct world *w)
{
	return !w->together;
}

/* Descriptors that software has touched so far on the present CPU. */
static inline u64 descriptors_now(const struct world *w)
{
	return machine_counts(w->port)->desc_touched[port_this_cpu(w->port)];
}

void *world_must(void *mem);

/* ---- (world_host.c) */
extern const struct host_ops world_host_ops;
void host_reset(struct world *w);
struct mapping *host_mapping(struct world *w, u64 hva);
/* The entry for @hva, present or not; NULL: no VMA. */
struct leaf *host_leaf_at(struct world *w, u64 hva);
/* The name and page of @pa; false: nobody has it. */
bool host_name_pa(const struct world *w, u64 pa, const char **name, u64 *offset);

/* ---- (world_oracle.c) */
/* Slot creation refused @r for what is at @hva, with @why. */
void oracle_refused(struct world *w, const struct slot_request *r, u64 hva, enum reason why);
void oracle_guest_access(void *arg, const struct machine_used *u);
void oracle_may_mark(struct world *w, struct wvm *v, u64 ipa);
/* User space was told which pages are dirty, by a call that began at @began (world.clock). */
void oracle_told(struct world *w, struct wslot *s, const u64 *words, u64 began,
		 enum dirty_protect protect);
/* It has cleared pages, and looks at them from now on. */
void oracle_cleared(struct wslot *s, u64 first, u64 pages);
void oracle_forget_log(struct wslot *s);
/* Writes count from now on: the call that started the log has returned. */
void oracle_log_begins(struct wslot *s);
/* A slot changed while guests ran: any page may have got a mark under the slot as it was. */
void oracle_marks_unknown(struct world *w, struct wslot *s);
void oracle_start_log(struct world *w, struct wslot *s, enum slot_initially initially);
/* Is anything mapped at @hva's page in any VM now? */
bool oracle_is_mapped(struct world *w, u64 hva);
enum s2_type oracle_type(const struct world *w, const struct leaf *leaf, const struct mapping *map,
			 u32 slot_flags);

/* ---- (world_state.c) The state as sorted text, in memory of its own. */
char *state_text(struct world *w);

#endif
