/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What must come of each row, said from the rules of docs/guest-memory.md a second time: const
 * tables by the values of the axes, and the few sentences that connect them. Nothing here is
 * shared with the engine.
 */
#define _GNU_SOURCE
#include "tests/target/kvm_rows.h"
#include "tests/target/client.h"

#include "abi/catwalk.h"

#include <errno.h>

/* ---- the axes */

#define RAM(...)                                                                                   \
	{                                                                                          \
		.vma = 1, .reads = 1, .present = 1, __VA_ARGS__                                    \
	}
/* The file has its pages, the mapping not yet. */
#define FILE_RAM(can_write)                                                                        \
	{                                                                                          \
		.vma = 1, .reads = 1, .writes = (can_write)                                        \
	}
/* Memory of a device, mapped by its driver. */
#define OWN(...)                                                                                   \
	{                                                                                          \
		.vma = 1, .reads = 1, .writes = 1, .no_alias = 1, .special = 1, __VA_ARGS__        \
	}
#define NC     .type = TYPE_NC, .declared = TYPE_NC
#define DEVICE .type = TYPE_DEVICE, .declared = TYPE_DEVICE

const struct backing_kind backing_kinds[BACKING_KINDS] = {
	[BACKING_RAM_4K] = { "RAM 4K", MAKE_ANONYMOUS, NULL, RAM(.writes = 1), 3, 0, 3 },
	[BACKING_RAM_2M] = { "RAM 2M", MAKE_THP, NULL, RAM(.writes = 1), 3, 0, 3 },
	[BACKING_HUGETLB] = { "hugetlb 2M", MAKE_HUGETLB, NULL, RAM(.writes = 1), 3, 0, 3 },
	[BACKING_FILE] = { "file", MAKE_FILE, NULL, FILE_RAM(1), 3, 0, 3 },
	[BACKING_ROM] = { "read-only file", MAKE_ROM, NULL, FILE_RAM(0), 3, 0, 1 },
	[BACKING_PRIVATE] = { "private file", MAKE_PRIVATE, NULL, FILE_RAM(1), 3, 0, 3 },
	[BACKING_PROT_READ] = { "PROT_READ", MAKE_ANONYMOUS, NULL, RAM(.writes = 0), 3, 0, 1 },
	[BACKING_PROT_NONE] = { "PROT_NONE", MAKE_ANONYMOUS, NULL, { .vma = 1 }, 3, 0, 0 },
	[BACKING_HOLE] = { "hole", MAKE_HOLE, NULL, { 0 }, 3, 0, 0 },
	[BACKING_NO_SLOT] = { "no slot", MAKE_NO_SLOT, NULL, { 0 }, 3, 0, 0 },
	[BACKING_NOW] = { "coherent now", MAKE_NODE, "ivshmem0/now", OWN(.present = 1), 3, 0, 3 },
	[BACKING_NOW_2M] = { "coherent now-2m", MAKE_NODE, "ivshmem0/now-2m", OWN(.present = 1), 3,
			     0, 3 },
	[BACKING_LAZY] = { "coherent lazy", MAKE_NODE, "ivshmem0/lazy", OWN(.present = 0), 3, 0,
			   3 },
	[BACKING_LAZY_2M] = { "coherent lazy-2m", MAKE_NODE, "ivshmem0/lazy-2m", OWN(.present = 0),
			      3, 0, 3 },
	[BACKING_LATE] = { "coherent late-pfnmap", MAKE_NODE, "ivshmem0/late-pfnmap",
			   OWN(.late = 1), 3, 0, 3 },
	[BACKING_READ_FIRST] = { "coherent read-first", MAKE_NODE, "ivshmem0/read-first",
				 OWN(.leaf_reads_first = 1), 3, 0, 3 },
	[BACKING_OWNER_REFUSES] = { "coherent read-only", MAKE_NODE, "ivshmem0/read-only",
				    OWN(.leaf_reads_first = 1, .owner_refuses = 1), 3, 0, 3 },
	[BACKING_DECLARED_DEVICE] = { "coherent declared-device", MAKE_NODE,
				      "ivshmem0/declared-device", OWN(.declared = TYPE_DEVICE), 3,
				      0, 3 },
	[BACKING_NC] = { "NC", MAKE_NODE, "ivshmem0/nc", OWN(NC, .present = 1), 3, 0, 3 },
	[BACKING_NC_ANY] = { "NC, any uncached", MAKE_NODE, "ivshmem0/nc-any-uncached",
			     OWN(NC, .present = 1, .any_uncached = 1), 3, 0, 3 },
	[BACKING_DEVICE] = { "Device", MAKE_NODE, "ivshmem0/device", OWN(DEVICE, .present = 1), 3,
			     0, 3 },
	[BACKING_DEVICE_ANY] = { "Device, any uncached", MAKE_NODE, "ivshmem0/any-uncached",
				 OWN(DEVICE, .present = 1, .any_uncached = 1), 3, 0, 3 },
	[BACKING_MIXED_DEVICE] = { "mixed, coherent page", MAKE_NODE, "ivshmem0/mixed",
				   OWN(.present = 0), 2, 0, 3 },
	[BACKING_MIXED_RAM] = { "mixed, RAM page", MAKE_NODE, "ivshmem0/mixed",
				RAM(.writes = 1, .special = 1), 3, 0, 3 },
	[BACKING_REGISTERS] = { "registers now", MAKE_NODE, "edu0/now", OWN(DEVICE, .present = 1),
				0, 1, 3 },
	[BACKING_DECLARED_WB] = { "registers declared-wb", MAKE_NODE, "edu0/declared-wb",
				  OWN(.type = TYPE_DEVICE), 0, 1, 3 },
	[BACKING_HUGETLB_1G] = { "hugetlb 1G", MAKE_HUGETLB_1G, NULL, RAM(.writes = 1), 3, 0, 3,
				 1 },
	[BACKING_NOW_1G] = { "coherent now-1g", MAKE_NODE, "ivshmem0/now-1g", OWN(.present = 1), 3,
			     0, 3, 1 },
	[BACKING_LAZY_1G] = { "coherent lazy-1g", MAKE_NODE, "ivshmem0/lazy-1g", OWN(.present = 0),
			      3, 0, 3, 1 },
};

#define X(name, class, syndrome, view, first_fault, code, text)                                    \
	GUEST(access_##name, "	" code "\n"                                                        \
			     "	str x3, [x19]\n"                                                    \
			     "	b .\n");
ROWS_ACCESSES(X)
#undef X

const struct access_kind access_kinds[ACCESS_KINDS] = {
#define X(name, class, syndrome, view, first_fault, code, text)                                    \
	[ACCESS_##name] = { text,     access_##name, access_##name##_end, class,                   \
			    syndrome, view,	     first_fault },
	ROWS_ACCESSES(X)
#undef X
};

const char *const event_names[EVENTS] = { "none",     "unmapped", "remapped",
					  "narrowed", "retyped",  "logged" };
const char *const outcome_names[OUTCOMES] = { "done",	      "MMIO exit",  "ENOSYS",
					      "EFAULT",	      "data abort", "fetch abort",
					      "walk's abort", "call failed" };

/* ---- slots (M4, M8, M10, M17) */

static struct expected fails(int error, unsigned int rule)
{
	return (struct expected){ CALL_FAILED, .error = error, .rule = rule };
}

/* Write-back that cannot be cleaned and need not be forced: nobody may use it (M4). */
static int is_out_of_reach(const struct host_facts *host, const struct facts *place, int type)
{
	return type == TYPE_WB && place->no_alias && !host->fwb;
}

enum page { NOT_THERE_YET, AS_IT_IS };

/* What is not there yet is what the mapping declares, and in reach for all anybody knows (M7). */
static unsigned int refused_page(const struct host_facts *host, const struct slot_facts *slot,
				 const struct facts *place, enum page page)
{
	int type = page == AS_IT_IS ? place->type : place->declared;

	if (page == AS_IT_IS && is_out_of_reach(host, place, type))
		return 4;
	if ((slot->flags & KVM_MEM_WRITE_BACK) && type != TYPE_WB)
		return 10;
	if ((slot->flags & KVM_MEM_LOG_DIRTY_PAGES) && place->special && type != TYPE_WB)
		return 17;
	return 0;
}

struct expected oracle_slot(const struct host_facts *host, const struct slot_facts *slot,
			    const struct facts *place)
{
	unsigned int rule;

	if ((slot->flags & KVM_MEM_WRITE_BACK) && !host->fwb)
		return fails(-EINVAL, 10);
	if (!place->vma)
		return (struct expected){ DONE, .rule = 8 };
	/* The slot's first pages come first, and they need not be there. */
	rule = refused_page(host, slot, place, NOT_THERE_YET);
	if (!rule && place->present)
		rule = refused_page(host, slot, place, AS_IT_IS);
	if (rule)
		return fails(-EINVAL, rule);
	if (slot->strict && !place->writes && !(slot->flags & KVM_MEM_READONLY))
		return fails(-EPERM, 8);
	return (struct expected){ DONE };
}

/* ---- accesses */

static struct expected ends(enum outcome outcome, unsigned int rule)
{
	return (struct expected){ outcome, .rule = rule };
}

/* No memory that can be written is there: no slot, or a read-only one (M15). */
static struct expected outside(const struct access_kind *access)
{
	switch (access->class) {
	case CLASS_READ:
	case CLASS_WRITE: return ends(access->has_syndrome ? MMIO_EXIT : NO_SYNDROME, 15);
	case CLASS_FETCH: return ends(ABORT_FETCH, 15);
	case CLASS_MAINTAIN:
	case CLASS_DISCARD: return ends(DONE, 12);
	case CLASS_WALK:
	case CLASS_WALK_UPDATES: return ends(ABORT_WALK, 15);
	case CLASS_PREFAULT: return fails(-ENOENT, 9);
	case CLASS_PREFAULT_PRESENT: break;
	}
	return fails(-ENOENT, 8);
}

static int may_write(enum access_class class)
{
	return class == CLASS_WRITE || class == CLASS_WALK_UPDATES;
}

/* The rule by which no access at all comes to such memory, or 0. */
static unsigned int refusal_of(const struct host_facts *host, const struct slot_facts *slot,
			       const struct facts *place)
{
	if (!place->vma || !place->reads)
		return 8;
	if (is_out_of_reach(host, place, place->type))
		return 4;
	if ((slot->flags & KVM_MEM_WRITE_BACK) && place->type != TYPE_WB)
		return 10;
	return 0;
}

/* The rule by which a page that may be mapped cannot be written, or 0 (M8, M14). */
static unsigned int write_refusal_of(const struct facts *place)
{
	if (!place->writes)
		return 8;
	return place->owner_refuses ? 14 : 0;
}

static struct expected refused(const struct access_kind *access, unsigned int rule)
{
	if (access->class == CLASS_MAINTAIN || access->class == CLASS_DISCARD)
		return ends(DONE, 12);
	/* What is there but may not be mapped prefault passes over (M9). */
	if (access->class == CLASS_PREFAULT)
		return ends(DONE, 9);
	return ends(REFUSED, rule);
}

/* Normal-NC is left to the guest if its owner says so; all else uncached is Device (M5). */
static int is_device_to_guest(const struct facts *place)
{
	return place->type != TYPE_WB && !place->any_uncached;
}

/* The rule that memory of this kind is mapped by. */
static unsigned int mapped_by(const struct facts *place)
{
	if (place->type != TYPE_WB)
		return 5;
	return place->no_alias ? 3 : 2;
}

static struct expected writes(const struct slot_facts *slot, const struct facts *place,
			      unsigned int rule)
{
	int logged = (slot->flags & KVM_MEM_LOG_DIRTY_PAGES) && place->type == TYPE_WB;

	return (struct expected){ DONE, .rule = logged ? 17 : rule, .writes = 1, .logged = logged };
}

/* DC IVAC on memory that can be read (M12): where maintenance does not fault, nothing is seen. */
static struct expected discards(const struct host_facts *host, const struct slot_facts *slot,
				const struct facts *place)
{
	if (!host->traps)
		return ends(DONE, 12);
	if (slot->flags & KVM_MEM_READONLY)
		return ends(slot->upgrades ? DONE : ABORT_DATA, 12);
	if (write_refusal_of(place))
		return ends(DONE, 12);
	return writes(slot, place, 12);
}

static int reads_first(const struct host_facts *host, const struct access_kind *access)
{
	return access->first_fault == READS_FIRST ||
	       (access->first_fault == READS_ALONE && host->cpus == 1);
}

/* What is not there is passed over, as what may not be mapped (M9): by which rule. */
static struct expected prefaults_present(const struct host_facts *host,
					 const struct slot_facts *slot, const struct facts *place)
{
	if (!place->vma || !place->reads || !place->present)
		return ends(DONE, 9);
	return ends(DONE, refusal_of(host, slot, place));
}

struct expected oracle_access(const struct host_facts *host, const struct slot_facts *slot,
			      const struct facts *place, const struct access_kind *access)
{
	enum access_class class = access->class;
	unsigned int rule;

	if (!slot->exists)
		return outside(access);
	if (class == CLASS_PREFAULT_PRESENT)
		return prefaults_present(host, slot, place);
	rule = refusal_of(host, slot, place);
	if (class == CLASS_WRITE && !(rule && reads_first(host, access))) {
		if (slot->flags & KVM_MEM_READONLY)
			return outside(access);
		if (write_refusal_of(place))
			return ends(REFUSED, write_refusal_of(place));
	}
	if (rule)
		return refused(access, rule);
	if (class == CLASS_FETCH && place->type != TYPE_WB)
		return ends(ABORT_FETCH, 5);
	if ((class == CLASS_WALK || class == CLASS_WALK_UPDATES) && is_device_to_guest(place))
		return ends(ABORT_WALK, 5);
	if (class == CLASS_WALK_UPDATES && (slot->flags & KVM_MEM_READONLY))
		return outside(access);
	if (may_write(class) && write_refusal_of(place))
		return ends(REFUSED, write_refusal_of(place));
	if (class == CLASS_DISCARD)
		return discards(host, slot, place);
	if (class == CLASS_MAINTAIN)
		return ends(DONE, 12);
	if (may_write(class))
		return writes(slot, place, place->leaf_reads_first ? 14 : mapped_by(place));
	return ends(DONE, class == CLASS_PREFAULT ? 9 : mapped_by(place));
}

uint32_t oracle_class(const struct host_facts *host, const struct facts *place)
{
	if (place->type == TYPE_WB)
		return host->fwb ? CATWALK_CLASS_FORCED : CATWALK_CLASS_GUEST;
	return is_device_to_guest(place) ? CATWALK_CLASS_DEVICE : CATWALK_CLASS_NC;
}

uint32_t oracle_promises(const struct slot_facts *slot, const struct facts *place)
{
	return (slot->flags & KVM_MEM_WRITE_BACK ? CATWALK_PROMISE_WRITE_BACK : 0) |
	       (slot->flags & KVM_MEM_READONLY ? CATWALK_PROMISE_READ_ONLY : 0) |
	       (place->type == TYPE_WB && place->no_alias ? CATWALK_PROMISE_CACHEABLE_PFNMAP : 0);
}

unsigned int oracle_explained(const struct slot_facts *slot, const struct facts *place,
			      const struct expected *e)
{
	if (e->outcome != DONE)
		return e->rule;
	if ((slot->flags & KVM_MEM_LOG_DIRTY_PAGES) && place->type != TYPE_WB)
		return 17;
	return mapped_by(place);
}

uint64_t oracle_size(int backing)
{
	static const uint64_t leaves[BACKING_KINDS] = {
		[BACKING_RAM_4K] = PAGE,
		[BACKING_RAM_2M] = 2UL * MIB,
		[BACKING_HUGETLB] = 2UL * MIB,
		[BACKING_NOW] = PAGE,
		[BACKING_NOW_2M] = 2UL * MIB,
		[BACKING_NC] = 2UL * MIB,
		[BACKING_NC_ANY] = 2UL * MIB,
		[BACKING_DEVICE] = 2UL * MIB,
		[BACKING_DEVICE_ANY] = 2UL * MIB,
		[BACKING_MIXED_RAM] = PAGE,
		[BACKING_HUGETLB_1G] = 1024UL * MIB,
		[BACKING_NOW_1G] = 1024UL * MIB,
	};

	return leaves[backing];
}

/* ---- pairs that cannot be */

enum { ANY = -1 };

static const struct {
	enum axis a;
	int value_a; /* of this axis, or ANY but `but` */
	int but;
	enum axis b;
	int value_b;
	const char *why;
} impossible[] = {
	{ AXIS_EVENT, ANY, EVENT_NONE, AXIS_BACKING, BACKING_NO_SLOT,
	  "nothing is there that could change" },
	{ AXIS_SLOT, SLOT_LOGS, 0, AXIS_BACKING, BACKING_NO_SLOT, "no slot has no flags" },
	{ AXIS_SLOT, SLOT_READ_ONLY, 0, AXIS_BACKING, BACKING_NO_SLOT, "no slot has no flags" },
	{ AXIS_SLOT, SLOT_UPGRADES, 0, AXIS_BACKING, BACKING_NO_SLOT, "no slot has no flags" },
	{ AXIS_SLOT, SLOT_WRITE_BACK, 0, AXIS_BACKING, BACKING_NO_SLOT, "no slot has no flags" },
	{ AXIS_SLOT, SLOT_WRITE_BACK_LOGS, 0, AXIS_BACKING, BACKING_NO_SLOT,
	  "no slot has no flags" },
	{ AXIS_ACCESS, ACCESS_DC_ZVA, 0, AXIS_BACKING, BACKING_REGISTERS,
	  "QEMU's device aborts stores of single bytes itself" },
	{ AXIS_ACCESS, ACCESS_DC_ZVA, 0, AXIS_BACKING, BACKING_DECLARED_WB,
	  "QEMU's device aborts stores of single bytes itself" },
	{ AXIS_EVENT, EVENT_NARROWED, 0, AXIS_BACKING, BACKING_HOLE,
	  "mprotect() finds no mapping" },
	{ AXIS_EVENT, EVENT_NARROWED, 0, AXIS_BACKING, BACKING_PROT_NONE,
	  "nothing is allowed there that could be taken away" },
};

static int is_row(size_t i, enum axis a, int value_a, enum axis b, int value_b)
{
	int first = impossible[i].value_a == ANY ? value_a != impossible[i].but
						 : value_a == impossible[i].value_a;

	return impossible[i].a == a && first && impossible[i].b == b &&
	       impossible[i].value_b == value_b;
}

const char *oracle_impossible(enum axis a, int value_a, enum axis b, int value_b)
{
	for (size_t i = 0; i < sizeof(impossible) / sizeof(impossible[0]); i++) {
		if (is_row(i, a, value_a, b, value_b) || is_row(i, b, value_b, a, value_a))
			return impossible[i].why;
	}
	return NULL;
}

/* ---- rules that are not seen */

static const char *const unseen[RULES + 1] = {
	[1] = "the leaf decides: seen by what a lying mapping gets, never said",
	[7] = "one function for all answers: seen as slots and faults that agree",
	[13] = "a retried fault is silent",
	[18] = "that a reason is there: each one that was seen",
};

const char *oracle_unseen(unsigned int rule)
{
	return unseen[rule];
}

/* ---- Linux */

/* What hosts are that have no /dev/devmem to tell them apart by. */
static const struct host_facts catwalk = { .is_catwalk = 1, .traps = 1, .cpus = 1 };
static const struct host_facts linux_kvm = { .cpus = 1 };

static const struct linux_difference of_outcome[OUTCOMES] = {
	[REFUSED] = { 18, "EFAULT without an exit reason and without a rule" },
	[ABORT_WALK] = { 15, "a walk's abort is reported as the access's own (status 0x10)" },
};
static const struct linux_difference of_maintenance = {
	12,
	"not trapped, and QEMU takes no fault for it: maintenance that must abort or write passes"
};

const struct linux_difference *oracle_linux(const struct slot_facts *slot,
					    const struct facts *place,
					    const struct access_kind *access)
{
	struct expected ours = oracle_access(&catwalk, slot, place, access);
	struct expected theirs = oracle_access(&linux_kvm, slot, place, access);

	if (ours.outcome != theirs.outcome || ours.writes != theirs.writes)
		return &of_maintenance;
	return of_outcome[ours.outcome].what ? &of_outcome[ours.outcome] : NULL;
}
