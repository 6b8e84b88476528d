/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Cache maintenance by a guest (M12): each operation, from EL1 and EL0, on each kind of address,
 * under each policy for DC IVAC. To be run with --trap-cmo: QEMU takes no faults for maintenance,
 * so elsewhere (and on Linux) all of it passes as if nothing were behind it.
 */
#define _GNU_SOURCE
#include "tests/target/check.h"
#include "tests/target/client.h"
#include "tests/target/guest_mmu.h"

#include "abi/catwalk.h"

#include <pthread.h>
#include <sched.h>
#include <unistd.h>

enum {
	VECTORS = GUEST_RAM + 0x1000,
	TABLES = GUEST_RAM + 0x10000,
	AREA = 2 * MIB, /* each place has one of its own */
	WRITABLE = GUEST_RAM + 1 * AREA,
	READ_ONLY = GUEST_RAM + 2 * AREA,
	EMPTY = GUEST_RAM + 3 * AREA,
	HOLE = GUEST_RAM + 4 * AREA, /* a slot over nothing */
	/* Stage 1 has something to say of these. */
	S1_NOTHING = GUEST_RAM + 5 * AREA,
	S1_KERNEL_RO = GUEST_RAM + 6 * AREA, /* of WRITABLE, read-only at EL1, no access at EL0 */
	S1_OLD = GUEST_RAM + 7 * AREA,	     /* of WRITABLE, no Access flag */
	S1_ROM_TABLE = GUEST_RAM + 8 * AREA, /* pages of WRITABLE, by a table in READ_ONLY */
	S1_RAM_TABLE = GUEST_RAM + 9 * AREA, /* the same by a table in WRITABLE */
	S1_NO_TABLE = GUEST_RAM + 10 * AREA, /* by a table in EMPTY */
	TABLE_AT = 0x8000,		     /* in READ_ONLY and WRITABLE */
	USED = 0x3000,			     /* offset of the addresses that are maintained, */
	OLD = 0x4000,			     /* or of one whose Access flag hardware would set */
};

/* ---- operations */

#define OPERATION(name, insn)                                                                      \
	GUEST(name, "	" insn "\n"                                                                \
		    "	str xzr, [x19]\n"                                                            \
		    "	b .\n")

OPERATION(dc_ivac, "dc ivac, x1");
OPERATION(dc_civac, "dc civac, x1");
OPERATION(dc_cvac, "dc cvac, x1");
OPERATION(dc_cvau, "dc cvau, x1");
OPERATION(dc_cvap, "sys #3, c7, c12, #1, x1");
OPERATION(ic_ivau, "ic ivau, x1");
OPERATION(ic_iallu, "ic iallu");
OPERATION(ic_ialluis, "ic ialluis");
OPERATION(dc_zva, "dc zva, x1");
OPERATION(load, "ldr x2, [x1]");

enum kind { MAINTAINS, DISCARDS, ZEROES };

static const struct operation {
	const char *name, *start, *end;
	enum kind kind;
	int el1_only;
	int no_address;
} operations[] = {
#define ROW(op, kind, ...)                                                                         \
	{                                                                                          \
#op, op, op##_end, kind, __VA_ARGS__                                               \
	}
	ROW(dc_civac, MAINTAINS, 0, 0), ROW(dc_cvac, MAINTAINS, 0, 0),
	ROW(dc_cvau, MAINTAINS, 0, 0),	ROW(dc_cvap, MAINTAINS, 0, 0),
	ROW(ic_ivau, MAINTAINS, 0, 0),	ROW(dc_ivac, DISCARDS, 1, 0),
	ROW(ic_iallu, MAINTAINS, 1, 1), ROW(ic_ialluis, MAINTAINS, 1, 1),
	ROW(dc_zva, ZEROES, 0, 0),
#undef ROW
};

/* ---- what is expected */

enum result {
	DONE,	     /* or skipped: the guest goes on */
	EXTERNAL,    /* external abort, DFSC 0x10, FAR the address */
	BY_POLICY,   /* EXTERNAL, or DONE if the VM wants DC IVAC performed */
	NO_SYNDROME, /* KVM_RUN fails with ENOSYS */
	REFUSED,     /* KVM_RUN fails with EFAULT */
	S1_FAULT,    /* stage 1's own: CM and WnR set, and the status that the row has */
	WALK_ABORT,  /* external abort on a walk, at level 3 */
	DATA_FAULT,  /* stage 1's own of a store: WnR alone */
};

static const struct place {
	const char *name;
	uint64_t va;
	uint64_t at;	/* offset */
	int loaded;	/* the guest reads the page first */
	uint8_t el1[3]; /* by enum kind */
	uint8_t el0[3];
	uint8_t status, status_el0; /* of stage-1 faults */
} places[] = {
	{ "writable", WRITABLE, USED, 0, { DONE, DONE, DONE }, { DONE, DONE, DONE }, 0, 0 },
	{ "writable, read before",
	  WRITABLE,
	  USED,
	  1,
	  { DONE, DONE, DONE },
	  { DONE, DONE, DONE },
	  0,
	  0 },
	{ "read-only",
	  READ_ONLY,
	  USED,
	  0,
	  { DONE, BY_POLICY, NO_SYNDROME },
	  { DONE, DONE, NO_SYNDROME },
	  0,
	  0 },
	{ "read-only, read before",
	  READ_ONLY,
	  USED,
	  1,
	  { DONE, BY_POLICY, NO_SYNDROME },
	  { DONE, DONE, NO_SYNDROME },
	  0,
	  0 },
	{ "no slot",
	  EMPTY,
	  USED,
	  0,
	  { DONE, DONE, NO_SYNDROME },
	  { DONE, DONE, NO_SYNDROME },
	  0,
	  0 },
	{ "hole in a slot", HOLE, USED, 0, { DONE, DONE, REFUSED }, { DONE, DONE, REFUSED }, 0, 0 },
	{ "stage 1 has nothing",
	  S1_NOTHING,
	  USED,
	  0,
	  { S1_FAULT, S1_FAULT, DATA_FAULT },
	  { S1_FAULT, S1_FAULT, DATA_FAULT },
	  0x06,
	  0x06 },
	{ "stage 1 read-only, EL1's",
	  S1_KERNEL_RO,
	  USED,
	  0,
	  { DONE, S1_FAULT, DATA_FAULT },
	  { S1_FAULT, S1_FAULT, DATA_FAULT },
	  0x0e,
	  0x0e },
	{ "stage 1 without Access flag",
	  S1_OLD,
	  USED,
	  0,
	  { S1_FAULT, S1_FAULT, DATA_FAULT },
	  { S1_FAULT, S1_FAULT, DATA_FAULT },
	  0x0a,
	  0x0a },
	{ "table in a read-only slot",
	  S1_ROM_TABLE,
	  USED,
	  0,
	  { DONE, DONE, DONE },
	  { DONE, DONE, DONE },
	  0,
	  0 },
	{ "table in a read-only slot, Access flag to be set",
	  S1_ROM_TABLE,
	  OLD,
	  0,
	  { WALK_ABORT, WALK_ABORT, WALK_ABORT },
	  { WALK_ABORT, WALK_ABORT, WALK_ABORT },
	  0,
	  0 },
	{ "table in a writable slot",
	  S1_RAM_TABLE,
	  USED,
	  0,
	  { DONE, DONE, DONE },
	  { DONE, DONE, DONE },
	  0,
	  0 },
	{ "table in a writable slot, Access flag to be set",
	  S1_RAM_TABLE,
	  OLD,
	  0,
	  { DONE, DONE, DONE },
	  { DONE, DONE, DONE },
	  0,
	  0 },
	{ "table in no slot",
	  S1_NO_TABLE,
	  USED,
	  0,
	  { WALK_ABORT, WALK_ABORT, WALK_ABORT },
	  { WALK_ABORT, WALK_ABORT, WALK_ABORT },
	  0,
	  0 },
};

/* ---- the machine */

#define REG_PAR_EL1 ARM64_SYS_REG(3, 0, 7, 4, 0)
#define PAR_KEPT    0xff00000012345b80UL /* the guest's, which no trap may change */

struct world {
	struct vm vm;
	struct vcpu vcpu;
	int traps; /* this host takes maintenance by trap */
	int file;  /* behind `writable`, privately */
	char *code, *writable, *read_only;
	unsigned long policy;
};

static void make_tables(struct world *w)
{
	struct guest_mmu mmu;
	uint64_t page = (WRITABLE + USED) | S1_PAGE | S1_DATA, old;

	guest_mmu_init(&mmu, w->code + TABLES - GUEST_RAM, TABLES);
	for (uint64_t at = WRITABLE; at <= HOLE; at += AREA)
		guest_mmu_set(&mmu, at, at | S1_BLOCK | S1_DATA);
	guest_mmu_set(&mmu, S1_KERNEL_RO, WRITABLE | S1_BLOCK | S1_SHARED | S1_AF | S1_READ_ONLY);
	guest_mmu_set(&mmu, S1_OLD, WRITABLE | S1_BLOCK | S1_SHARED | S1_EL0);
	guest_mmu_set(&mmu, S1_ROM_TABLE, (READ_ONLY + TABLE_AT) | S1_TABLE);
	guest_mmu_set(&mmu, S1_RAM_TABLE, (WRITABLE + TABLE_AT) | S1_TABLE);
	guest_mmu_set(&mmu, S1_NO_TABLE, (EMPTY + TABLE_AT) | S1_TABLE);
	memcpy(w->read_only + TABLE_AT + USED / PAGE * 8, &page, sizeof(page));
	old = page & ~(uint64_t)S1_AF;
	memcpy(w->read_only + TABLE_AT + OLD / PAGE * 8, &old, sizeof(old));
	REQUIRE(pwrite(w->file, &page, sizeof(page), TABLE_AT + USED / PAGE * 8) == sizeof(page));
	REQUIRE(pwrite(w->file, &old, sizeof(old), TABLE_AT + OLD / PAGE * 8) == sizeof(old));
	guest_mmu_on(&w->vcpu, &mmu, VECTORS);
}

static void *private_file(int *file)
{
	char *p = host_memory(AREA, AREA);

	*file = memfd_create("writable", 0);
	REQUIRE(*file >= 0 && ftruncate(*file, AREA) == 0);
	REQUIRE(mmap(p, AREA, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_FIXED, *file, 0) == p);
	return p;
}

static void world_make(struct world *w)
{
	char *hole = host_memory(AREA, AREA);

	vm_create(&w->vm, 0);
	w->traps = VM_CAP(&w->vm, KVM_CAP_CATWALK_IVAC_POLICY) > 0;
	w->code = vm_ram(&w->vm, 0, GUEST_RAM, AREA);
	w->writable = private_file(&w->file);
	w->read_only = host_memory(AREA, AREA);
	REQUIRE(vm_slot(&w->vm, 1, KVM_MEM_LOG_DIRTY_PAGES, WRITABLE, AREA, w->writable) == 0);
	REQUIRE(vm_slot(&w->vm, 2, KVM_MEM_READONLY, READ_ONLY, AREA, w->read_only) == 0);
	REQUIRE(vm_slot(&w->vm, 3, 0, HOLE, AREA, hole) == 0);
	REQUIRE(munmap(hole, AREA) == 0);
	vcpu_create(&w->vm, &w->vcpu, 0, 0);
	LOAD(w->code + VECTORS - GUEST_RAM, guest_vectors);
	make_tables(w);
}

static void world_end(struct world *w)
{
	vcpu_destroy(&w->vcpu);
	vm_destroy(&w->vm);
	munmap(w->code, AREA);
	munmap(w->writable, AREA);
	munmap(w->read_only, AREA);
	close(w->file);
}

static void policy_set(struct world *w, unsigned long policy)
{
	struct kvm_enable_cap cap = { .cap = KVM_CAP_CATWALK_IVAC_POLICY, .args = { policy } };

	w->policy = policy;
	if (w->traps)
		CHECK_OK(ioctl(w->vm.fd, KVM_ENABLE_CAP, &cap));
}

/* Nothing of the places is mapped in stage 2, nor in the host; the log is empty. */
static uint64_t dirty_pages(struct world *w)
{
	static uint64_t bitmap[AREA / PAGE / 64];
	struct kvm_dirty_log log = { .slot = 1, .dirty_bitmap = bitmap };
	uint64_t count = 0;

	CHECK_OK(ioctl(w->vm.fd, KVM_GET_DIRTY_LOG, &log));
	for (unsigned i = 0; i < AREA / PAGE / 64; i++)
		count += (uint64_t)__builtin_popcountl(bitmap[i]);
	return count;
}

static void forget(struct world *w)
{
	uint64_t page;

	/* What the file has of it comes back; what was private is lost. */
	REQUIRE(madvise(w->writable, AREA, MADV_DONTNEED) == 0);
	/* Anonymous: moved out and in, so that its content stays. */
	REQUIRE(mprotect(w->read_only, AREA, PROT_NONE) == 0);
	REQUIRE(mprotect(w->read_only, AREA, PROT_READ | PROT_WRITE) == 0);
	memcpy(&page, w->read_only + TABLE_AT + USED / PAGE * 8, sizeof(page));
	REQUIRE(page == ((WRITABLE + USED) | S1_PAGE | S1_DATA));
	dirty_pages(w);
}

/* ---- one case */

struct cmo_case {
	const struct operation *op;
	const struct place *place;
	int el;
};

static struct guest_end run_at(struct world *w, const struct cmo_case *c, const char *start,
			       const char *end)
{
	guest_load(w->code, start, end);
	vcpu_start(&w->vcpu, GUEST_RAM);
	reg_set(&w->vcpu, REG_TCR_EL1, TCR_39_BITS | (c->place->at == OLD ? TCR_HA : 0));
	reg_set(&w->vcpu, REG_PAR_EL1, PAR_KEPT);
	reg_set(&w->vcpu, CORE_REG(regs.pstate), c->el ? 0x3c5 : 0x3c0);
	vcpu_set_x(&w->vcpu, 1, c->place->va + c->place->at);
	return guest_run_to_end(&w->vcpu);
}

static enum result expected_of(const struct world *w, const struct cmo_case *c)
{
	enum result r = c->el ? c->place->el1[c->op->kind] : c->place->el0[c->op->kind];

	if (c->op->no_address || (!w->traps && c->op->kind != ZEROES))
		return DONE;
	if (r == BY_POLICY)
		return w->policy ? DONE : EXTERNAL;
	return r;
}

static struct guest_end end_of(const struct world *w, const struct cmo_case *c, enum result r)
{
	const uint64_t data_abort = c->el ? 0x96000000 : 0x92000000;
	uint64_t far = c->place->va + c->place->at;
	uint64_t status = c->el ? c->place->status : c->place->status_el0;

	switch (r) {
	case DONE:
	case BY_POLICY: break;
	case NO_SYNDROME: return (struct guest_end){ .error = -ENOSYS };
	case REFUSED: return (struct guest_end){ .error = -EFAULT };
	case EXTERNAL: return (struct guest_end){ .esr = data_abort | 0x10, .far = far };
	case S1_FAULT: return (struct guest_end){ .esr = data_abort | 0x140 | status, .far = far };
	case DATA_FAULT: return (struct guest_end){ .esr = data_abort | 0x40 | status, .far = far };
	case WALK_ABORT: /* Linux 6.12 reports it as the access's own */
		return (struct guest_end){ .esr = data_abort | (w->traps ? 0x17 : 0x10),
					   .far = far };
	}
	return (struct guest_end){ 0 };
}

/* A case's name, if it has failed. */
static void note(const struct world *w, const struct cmo_case *c, const char *what, uint64_t seen,
		 uint64_t expected)
{
	if (!check_note(seen == expected))
		printf("%s at EL%d on %s, policy %lu: %s %#lx, expected %#lx\n", c->op->name, c->el,
		       c->place->name, w->policy, what, seen, expected);
}

/* Does the private page still show what is written to its file? */
static int shows_file(struct world *w)
{
	static uint64_t mark = 0x1000;

	mark++;
	REQUIRE(pwrite(w->file, &mark, sizeof(mark), USED) == sizeof(mark));
	return memcmp(w->writable + USED, &mark, sizeof(mark)) == 0;
}

/* Only stores, and DC IVAC that needed permission for one, write. */
static int writes(const struct world *w, const struct cmo_case *c, enum result r)
{
	if (r != DONE || (c->place->va != WRITABLE && c->place->va != S1_ROM_TABLE &&
			  c->place->va != S1_RAM_TABLE))
		return 0;
	return c->op->kind == ZEROES || (c->op->kind == DISCARDS && w->traps);
}

/* Does the walk of stage 1 set an Access flag in `writable`? */
static int walk_writes(const struct world *w, const struct cmo_case *c)
{
	if (c->place->va != S1_RAM_TABLE || c->place->at != OLD || c->op->no_address)
		return 0;
	return w->traps || c->op->kind == ZEROES;
}

static void check_case(struct world *w, const struct cmo_case *c)
{
	enum result r = expected_of(w, c);
	struct guest_end end, want = end_of(w, c, r);
	int written = writes(w, c, r);

	forget(w);
	if (c->place->loaded) {
		end = run_at(w, c, load, load_end);
		note(w, c, "a load before gives", end.esr, 0);
	}
	end = run_at(w, c, c->op->start, c->op->end);
	note(w, c, "error", (uint64_t)end.error, (uint64_t)want.error);
	note(w, c, "exit", end.exit, want.exit);
	note(w, c, "ESR", end.esr, want.esr);
	note(w, c, "FAR", end.far, want.far);
	note(w, c, "PAR_EL1", reg_get(&w->vcpu, REG_PAR_EL1), PAR_KEPT);
	note(w, c, "pages dirtied", dirty_pages(w),
	     (uint64_t)written + (uint64_t)walk_writes(w, c));
	note(w, c, "shares its page with the file", (uint64_t)shows_file(w), (uint64_t)!written);
}

static void check_all(struct world *w)
{
	for (size_t o = 0; o < sizeof(operations) / sizeof(operations[0]); o++) {
		for (size_t p = 0; p < sizeof(places) / sizeof(places[0]); p++) {
			struct cmo_case c = { &operations[o], &places[p], 1 };

			if (!w->traps && c.op->start == dc_cvap)
				continue; /* QEMU 7.2 has it read, and fault as a load */
			check_case(w, &c);
			c.el = 0;
			if (!operations[o].el1_only)
				check_case(w, &c);
		}
	}
}

/* With SCTLR_EL1.UCI clear EL0's maintenance is a trap to EL1, and nothing of ours. */
static void check_el0_without_uci(struct world *w)
{
	struct cmo_case c = { &operations[0], &places[2], 0 };
	struct guest_end end;

	reg_set(&w->vcpu, REG_SCTLR_EL1, SCTLR_ON & ~SCTLR_UCI);
	end = run_at(w, &c, dc_civac, dc_civac_end);
	CHECK_EQ(end.esr >> 26, 0x18);
	reg_set(&w->vcpu, REG_SCTLR_EL1, SCTLR_ON);
}

/* Maintenance with the MMU off: the address is the guest's physical one. */
static void check_mmu_off(struct world *w)
{
	struct cmo_case c = { &operations[0], &places[2], 1 };
	struct guest_end end;

	reg_set(&w->vcpu, REG_SCTLR_EL1, SCTLR_ALWAYS);
	end = run_at(w, &c, dc_civac, dc_civac_end);
	CHECK_EQ(end.esr, 0);
	policy_set(w, 0);
	end = run_at(w, &c, dc_ivac, dc_ivac_end);
	CHECK_EQ(end.esr, w->traps ? 0x96000010 : 0);
	reg_set(&w->vcpu, REG_SCTLR_EL1, SCTLR_ON);
}

/* ---- while the host changes what is behind the addresses */

/* x1, x2, x3: pages; x4: rounds. */
GUEST(maintain_all, "1:	dc civac, x1\n"
		    "	dc ivac, x1\n"
		    "	ic ivau, x1\n"
		    "	dc cvac, x2\n"
		    "	dc ivac, x2\n"
		    "	ic ivau, x2\n"
		    "	dc civac, x3\n"
		    "	dc ivac, x3\n"
		    "	subs x4, x4, #1\n"
		    "	b.ne 1b\n"
		    "	str xzr, [x19]\n"
		    "	b .\n");

enum { ROUNDS = 3000 };

static atomic_int host_stops;

/* The pages, and the tables that lead to them, go and come back. */
static void *change_host(void *arg)
{
	struct world *w = arg;

	while (!atomic_load(&host_stops)) {
		REQUIRE(madvise(w->writable, AREA, MADV_DONTNEED) == 0);
		REQUIRE(mprotect(w->read_only, AREA, PROT_NONE) == 0);
		sched_yield();
		REQUIRE(mprotect(w->read_only, AREA, PROT_READ | PROT_WRITE) == 0);
	}
	return NULL;
}

/* Maintenance gets to the end, whatever happens to what it finds; no abort and no exit. */
static void check_races(struct world *w)
{
	struct guest_end end;
	pthread_t thread;

	policy_set(w, 1);
	LOAD(w->code, maintain_all);
	vcpu_start(&w->vcpu, GUEST_RAM);
	vcpu_set_x(&w->vcpu, 1, WRITABLE + USED);
	vcpu_set_x(&w->vcpu, 2, READ_ONLY + USED);
	vcpu_set_x(&w->vcpu, 3, S1_RAM_TABLE + USED);
	vcpu_set_x(&w->vcpu, 4, ROUNDS);
	REQUIRE(pthread_create(&thread, NULL, change_host, w) == 0);
	end = guest_run_to_end(&w->vcpu);
	atomic_store(&host_stops, 1);
	REQUIRE(pthread_join(thread, NULL) == 0);
	CHECK_EQ(end.error, 0);
	CHECK_EQ(end.exit, 0);
	CHECK_EQ(end.esr, 0);
	CHECK_EQ(end.far, 0);
}

int main(void)
{
	struct world w = { 0 };

	world_make(&w);
	for (unsigned long policy = 0; policy <= 1; policy++) {
		policy_set(&w, policy);
		check_all(&w);
	}
	check_el0_without_uci(&w);
	check_mmu_off(&w);
	check_races(&w);
	world_end(&w);
	return check_done("kvm_cmo");
}
