/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The parts of kvm_mixed: guests that fault, read, write and execute all over 1 GiB of slots over
 * memory of many kinds (kvm_mixed_guest.c), and threads that change what is behind them
 * (kvm_mixed_changes.c), under an agreement by which both always know what each word must be.
 *
 * The GiB is cut into stripes. Of each two pages are used, of each page four words, by one vCPU
 * alone (areas that nobody writes: by all). Every write is a generation of its own: its number is
 * in each of the four words. The guest keeps what it wrote last in the state of the page.
 *
 * A stripe has an epoch. The host makes it odd before it changes what the stripe contains, and even
 * afterwards; a guest that saw the same even epoch before and after an access knows what it must
 * have found. In all other changes the words stay, and so does the epoch.
 *
 * What the host has taken away, and nobody may do until it is given back, it says too: in a word
 * for each stripe (what mappings allow) and in one for each area (what slots and types allow), with
 * a number that grows with each change. An access that was done though the words forbade it all the
 * while has used a translation that should have gone.
 */
#ifndef TESTS_TARGET_KVM_MIXED_H
#define TESTS_TARGET_KVM_MIXED_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>

#include "tests/target/client.h"

enum {
	VCPUS = 4,
	STRIPE = 16 * PAGE,
	STRIPES = 1024 * MIB / STRIPE,
	USED = 2, /* pages of a stripe */
	WORDS = 4,
	BANKS = 2,
	AREAS_MAX = 20,
	CODE_AT = PAGE / 2, /* words 2 and 3 are code that returns the generation */
	MIXED_STACK = 4096,
};

#define DATA_GPA  0x80000000UL
#define EMPTY_GPA 0xc0000000UL /* no slot */
/* Where guests have their code, and what they share with the host. */
#define CODE_GPA   ((uint64_t)GUEST_RAM + 0x4000)
#define TABLES_GPA ((uint64_t)GUEST_RAM + 0x100000)
#define SHARED_GPA ((uint64_t)GUEST_RAM + 2 * MIB)
#define SHARED_MAX (4 * MIB)

/* What guests do in an area, and what the host does to its words. */
enum {
	AREA_WRITES = 1,
	AREA_EXECUTES = 2,
	AREA_DISCARDED = 4, /* with a new epoch all words are 0 */
	AREA_BANKED = 8,    /* with a new epoch the words are those of the other bank */
	AREA_HOLE = 16,	    /* a slot over nothing */
};

struct guest_area {
	uint32_t first, stripes; /* multiples of VCPUS */
	uint32_t flags;
	uint32_t reserved;
};

/* What is forbidden; above these bits is the number. */
enum { CLOSED_READ = 1, CLOSED_WRITE = 2, CLOSED_EXECUTE = 4, CLOSED_ALL = 7 };

/* What the words of a page can be: of @gen, or of torn_from to torn_to if torn_to is not 0, since a
 * write met a change of the epoch. Generation 0 is zeros. */
struct page_state {
	uint32_t epoch; /* AREA_DISCARDED: of what follows */
	uint32_t gen;
	uint32_t torn_from, torn_to;
};

enum operation { OP_READ, OP_WRITE, OP_EXECUTE, OP_UNSTABLE, OPERATIONS };

/* Of a vCPU. */
struct walker {
	uint64_t random; /* not 0 */
	uint32_t id;
	uint32_t area;
	uint32_t position; /* in the area, by VCPUS stripes */
	uint32_t generation;
	uint64_t done[OPERATIONS];
	/* What TELL_WRONG and TELL_CLOSED are about. */
	uint64_t wrong_at, wrong_value, wrong_before, wrong_after;
	struct page_state wrong_state;
	uint8_t stack[MIXED_STACK] __attribute__((aligned(16)));
};

struct mixed_shared {
	struct guest_area area[AREAS_MAX];
	uint32_t areas;
	_Atomic uint32_t area_closed[AREAS_MAX];
	_Atomic uint32_t closed[STRIPES];
	_Atomic uint32_t epoch[STRIPES];
	struct walker walker[VCPUS];
	struct page_state state[BANKS][STRIPES * USED];
};

/* What guests tell, at GUEST_MMIO: a batch is done, an exception (ESR_EL1), a wrong word, an access
 * that was forbidden. */
enum { TELL_BATCH = 0, TELL_EXCEPTION = 8, TELL_WRONG = 16, TELL_CLOSED = 24 };

/* In guests' code there is nothing to call. */
#define MIXED_INLINE static inline __attribute__((always_inline))

MIXED_INLINE uint64_t page_offset(uint32_t stripe, uint32_t used)
{
	return (uint64_t)stripe * STRIPE + (stripe * 5 + used * 7) % (STRIPE / PAGE) * PAGE;
}

MIXED_INLINE uint64_t word_offset(uint32_t word)
{
	return word & 2 ? CODE_AT + (word & 1) * 8 : (word & 1) * (PAGE - 8UL);
}

/* The word @word of page @index (stripe * USED + used) in generation @gen. */
MIXED_INLINE uint64_t word_of(uint32_t index, uint32_t word, uint32_t gen)
{
	const uint64_t mov = 0x52800000, movk = 0x72a00000, ret = 0xd65f03c0;

	if (gen == 0)
		return 0;
	if (word == 2) /* of w0 */
		return mov | (gen & 0xffff) << 5 | (movk | gen >> 16 << 5) << 32;
	return (uint64_t)gen << 32 | (word == 3 ? ret : (uint64_t)index << 2 | word);
}

MIXED_INLINE uint32_t gen_of(uint32_t word, uint64_t value)
{
	if (word == 2)
		return (uint32_t)(value >> 5 & 0xffff) | (uint32_t)(value >> 37 & 0xffff) << 16;
	return (uint32_t)(value >> 32);
}

/* Can the word be this? */
MIXED_INLINE int is_possible(struct page_state s, uint32_t index, uint32_t word, uint64_t value)
{
	uint32_t gen = gen_of(word, value);

	if (word_of(index, word, gen) != value)
		return 0;
	return gen == s.gen || (s.torn_to && gen >= s.torn_from && gen <= s.torn_to);
}

MIXED_INLINE uint32_t bank_of(uint32_t area_flags, uint32_t epoch)
{
	return area_flags & AREA_BANKED ? epoch >> 1 & 1 : 0;
}

/* The state of a page in the even epoch @epoch. */
MIXED_INLINE struct page_state state_of(const struct mixed_shared *s, uint32_t area_flags,
					uint32_t index, uint32_t epoch)
{
	struct page_state state = s->state[bank_of(area_flags, epoch)][index];

	if (area_flags & AREA_DISCARDED && state.epoch != epoch)
		state = (struct page_state){ .epoch = epoch };
	return state;
}

/* ---- guests */

/* Everything that is to be at CODE_GPA, the vectors at GUEST_RAM, and where vCPUs start, with x0
 * SHARED_GPA and x1 their number. */
extern const char __start_guest_text[], __stop_guest_text[];
extern const char mixed_vectors[], mixed_vectors_end[];
void guest_walk(struct mixed_shared *s, uint64_t id);

/* ---- the host */

/* What a change makes possible for a while: KVM_RUN fails with EFAULT, accesses exit, fetches
 * abort. */
enum window { WINDOW_FAULT, WINDOW_MMIO, WINDOW_ABORT, WINDOWS };

/* X(name, who does it, what it is) */
#define MIXED_ACTIONS(X)                                                                           \
	X(PROTECT, MAPPER, "mprotects")                                                            \
	X(ZAP, MAPPER, "zaps")                                                                     \
	X(DISCARD, MAPPER, "discards")                                                             \
	X(REPLACE, MAPPER, "replacements")                                                         \
	X(REMAP, MAPPER, "remaps")                                                                 \
	X(EXCHANGE, MAPPER, "exchanges")                                                           \
	X(HUGE, MAPPER, "huge page changes")                                                       \
	X(RETYPE, RETYPER, "retypes")                                                              \
	X(REVOKE, RETYPER, "revokes")                                                              \
	X(LOG, RETYPER, "logs")                                                                    \
	X(READ_ONLY, RETYPER, "read-only changes")                                                 \
	X(GUARANTEE, RETYPER, "write-back guarantees")                                             \
	X(MOVE, RETYPER, "slot moves")                                                             \
	X(RECREATE, RETYPER, "slot recreations")                                                   \
	X(PREFAULT, RETYPER, "prefaults")

enum action {
#define X(name, ...) ACTION_##name,
	MIXED_ACTIONS(X)
#undef X
		ACTIONS,
};

enum disturber { MAPPER, RETYPER, DISTURBERS };

struct area_kind;

struct area {
	const struct area_kind *kind;
	struct guest_area guest;
	uint32_t actions; /* bits, of enum action */
	uint32_t slot, slot_flags;
	uint64_t gpa, size;
	char *window;
	char *hidden;	 /* the other bank, of anonymous memory */
	int fd[BANKS];	 /* or -1 */
	off_t at[BANKS]; /* in the file */
	int node;	 /* of these, the device, or -1 */
	int all_device;
	unsigned long type; /* CATWALK_DEVMEM_*, while nobody retypes */
	/* Held for reading by who changes something, for writing by who looks at the words. */
	pthread_rwlock_t lock;
	atomic_uint begun[WINDOWS], ended[WINDOWS];
};

struct mixed {
	struct vm vm;
	int fwb; /* the host can force write-back */
	struct mixed_shared *shared;
	char *data; /* of 1 GiB: where windows are */
	struct area area[AREAS_MAX];
	uint32_t areas;
	atomic_ulong actions[ACTIONS];
	atomic_int stop;
};

/* Makes the areas and their slots, from slot 1 on. */
void areas_make(struct mixed *m);
/* After the VM. */
void areas_end(struct mixed *m);
/* NULL: none is there. */
struct area *area_at(struct mixed *m, uint64_t gpa);
const char *area_name(const struct area *a);
/* KVM_SET_USER_MEMORY_REGION, as vm_slot(). */
int area_slot(struct mixed *m, const struct area *a, uint32_t flags, uint64_t gpa);
/* Maps a part of the window again: what @bank has there, or fresh anonymous memory. */
void area_map(const struct area *a, uint64_t offset, uint64_t size, uint32_t bank);

extern const char *const action_names[ACTIONS];
/* Has every action been done that some area allows? */
int areas_disturbed(struct mixed *m);
/* The other bank of @count stripes becomes theirs; with the epochs. */
void area_exchange(struct mixed *m, struct area *a, uint32_t first, uint32_t count);

struct disturbance {
	struct mixed *mixed;
	enum disturber who;
	uint64_t random; /* not 0 */
};
/* A thread, of a struct disturbance: changes areas until mixed.stop. */
void *disturb(void *disturbance);

enum exit_kind { EXIT_FAULT, EXIT_MMIO, EXIT_ABORT, EXIT_HOLE, EXIT_EMPTY, EXIT_KINDS };

struct runner {
	struct mixed *m;
	struct vcpu vcpu;
	struct walker *w;
	unsigned ended[AREAS_MAX][WINDOWS]; /* before KVM_RUN */
	unsigned long exits[EXIT_KINDS];
	unsigned long batches, looked_at;
};

/* A thread, of a struct runner: runs until mixed.stop, to the end of a batch, so that no write is
 * left half done. */
void *run_guest(void *runner);
/* Looks at all that was ever written, in both banks; nobody runs. Gives the number of pages. */
unsigned long look_at_all(struct mixed *m);

/* A step of a generator (xorshift). */
MIXED_INLINE uint64_t mixed_random(uint64_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return *state >> 8;
}

#endif
