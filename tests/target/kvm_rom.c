/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A flash-like ROM: a read-only slot over a file mapping that the client itself cannot write. It is
 * read, executed in place and holds stage-1 tables; what writes to it is the client's to emulate,
 * if the CPU says what it was (M15).
 */
#define _GNU_SOURCE
#include "tests/target/check.h"
#include "tests/target/client.h"
#include "tests/target/guest_mmu.h"

#include "abi/catwalk.h"

#include <unistd.h>

enum {
	VECTORS = GUEST_RAM + 0x1000,
	TABLES = GUEST_RAM + 0x10000,
	AREA = 2 * MIB,
	ROM = GUEST_RAM + 1 * AREA,	  /* data */
	ROM_CODE = GUEST_RAM + 2 * AREA,  /* the same, executable */
	BY_TABLE = GUEST_RAM + 3 * AREA,  /* pages of ROM, by a table in ROM */
	RAM_TABLE = GUEST_RAM + 4 * AREA, /* pages of ROM, by a table in RAM */
	NO_CODE = GUEST_RAM + 5 * AREA,	  /* executable, of no slot */
	NO_TABLE = GUEST_RAM + 6 * AREA,  /* by a table in no slot */
	TABLE_AT = 0x8000,		  /* in ROM */
	RAM_TABLE_AT = GUEST_RAM + 0x18000,
	USED = 0x3000, /* offset of what is accessed: a page with its Access flag, */
	OLD = 0x4000,  /* and by tables one without */
	CODE_AT = 0x6000,
	CODE_SIZE = 128,
};

#define CONTENT 0x0123456789abcdefUL
#define WRITTEN 0x1122334455667788UL

/* x1: the address; x2: WRITTEN. What a guest has read it stores at the end. */
#define ACCESS(name, code)                                                                         \
	GUEST(name, "	" code "\n"                                                                \
		    "	str x3, [x19]\n"                                                             \
		    "	b .\n")
ACCESS(ldr, "ldr x3, [x1]");
ACCESS(ldp, "ldp x3, x4, [x1]");
ACCESS(ldxr, "ldxr x3, [x1]");
ACCESS(prfm, "mov x3, #0\n prfm pstl1keep, [x1]");
ACCESS(at, "at s1e1r, x1\n isb\n mrs x3, par_el1\n and x3, x3, #1");
ACCESS(at_w, "at s1e1w, x1\n isb\n mrs x3, par_el1\n and x3, x3, #1");
ACCESS(str, "str x2, [x1]");
ACCESS(str_w, "str w2, [x1, #4]");
ACCESS(strh, "strh w2, [x1, #2]");
ACCESS(strb, "strb w2, [x1, #1]");
ACCESS(stlr, "stlr x2, [x1]");
ACCESS(stp, "stp x2, x2, [x1]");
ACCESS(str_post, "str x2, [x1], #8");
ACCESS(stxr, "ldxr x3, [x1]\n stxr w4, x2, [x1]");
ACCESS(ldadd, ".inst 0xf8220023"); /* LDADD x2, x3, [x1] */
ACCESS(dc_zva, "dc zva, x1");

enum end {
	READS,	     /* gets to the end; x3 is `value` */
	WRITE_EXIT,  /* KVM_EXIT_MMIO with `value` and `len` bytes of it */
	NO_SYNDROME, /* ENOSYS; KVM_EXIT_ARM_NISV once that is enabled */
	WALK_ABORT,  /* external abort on a walk, at level 3 */
	OWN_FAULT,   /* of stage 1: an Access flag fault */
};

static const struct row {
	const char *name, *start, *end;
	uint64_t va;
	enum end expected;
	uint64_t value;
	uint8_t at, len; /* of a write: from the address, bytes */
	uint8_t hw_af;	 /* hardware sets the Access flag */
} rows[] = {
#define ROW(name, code, va, ...)                                                                   \
	{                                                                                          \
		name, code, code##_end, va, __VA_ARGS__                                            \
	}
	ROW("LDR", ldr, ROM + USED, READS, CONTENT, 0, 0, 0),
	ROW("LDP", ldp, ROM + USED, READS, CONTENT, 0, 0, 0),
	ROW("LDXR", ldxr, ROM + USED, READS, CONTENT, 0, 0, 0),
	ROW("PRFM for a store", prfm, ROM + USED, READS, 0, 0, 0, 0),
	ROW("AT S1E1R", at, ROM + USED, READS, 0, 0, 0, 0),
	ROW("STR", str, ROM + USED, WRITE_EXIT, WRITTEN, 0, 8, 0),
	ROW("STR of 4", str_w, ROM + USED, WRITE_EXIT, 0x55667788, 4, 4, 0),
	ROW("STRH", strh, ROM + USED, WRITE_EXIT, 0x7788, 2, 2, 0),
	ROW("STRB", strb, ROM + USED, WRITE_EXIT, 0x88, 1, 1, 0),
	ROW("STLR", stlr, ROM + USED, WRITE_EXIT, WRITTEN, 0, 8, 0),
	ROW("STP", stp, ROM + USED, NO_SYNDROME, 0, 0, 0, 0),
	ROW("STR with write-back", str_post, ROM + USED, NO_SYNDROME, 0, 0, 0, 0),
	ROW("STXR", stxr, ROM + USED, NO_SYNDROME, 0, 0, 0, 0),
	ROW("LDADD", ldadd, ROM + USED, NO_SYNDROME, 0, 0, 0, 0),
	ROW("DC ZVA", dc_zva, ROM + USED, NO_SYNDROME, 0, 0, 0, 0),
	ROW("LDR by a table in ROM", ldr, BY_TABLE + USED, READS, CONTENT, 0, 0, 0),
	ROW("LDR by it, hardware AF, set already", ldr, BY_TABLE + USED, READS, CONTENT, 0, 0, 1),
	ROW("AT S1E1R by a table in ROM", at, BY_TABLE + USED, READS, 0, 0, 0, 0),
	ROW("AT S1E1W by a table in ROM", at_w, BY_TABLE + USED, READS, 0, 0, 0, 0),
	ROW("STR by a table in ROM", str, BY_TABLE + USED, WRITE_EXIT, WRITTEN, 0, 8, 0),
	ROW("Access flag clear in ROM", ldr, BY_TABLE + OLD, OWN_FAULT, 0, 0, 0, 0),
	ROW("Access flag set by hardware in ROM", ldr, BY_TABLE + OLD, WALK_ABORT, 0, 0, 0, 1),
	ROW("the same by a store", str, BY_TABLE + OLD, WALK_ABORT, 0, 0, 0, 1),
	ROW("Access flag clear in RAM", ldr, RAM_TABLE + OLD, OWN_FAULT, 0, 0, 0, 0),
	ROW("Access flag set by hardware in RAM", ldr, RAM_TABLE + OLD, READS, CONTENT, 0, 0, 1),
#undef ROW
};

struct world {
	struct vm vm;
	struct vcpu vcpu;
	int is_catwalk, nisv;
	int file;
	char *ram, *rom;
};

/* A table of two pages of ROM: USED with its Access flag, OLD without. */
static void make_table(uint64_t *table)
{
	table[USED / PAGE] = (ROM + USED) | S1_PAGE | S1_DATA;
	table[OLD / PAGE] = (ROM + OLD) | S1_PAGE | (S1_DATA & ~S1_AF);
}

static void burn_at(struct world *w, off_t at, const void *data, size_t size)
{
	REQUIRE(pwrite(w->file, data, size, at) == (ssize_t)size);
}

static void burn(struct world *w)
{
	uint64_t table[PAGE / 8] = { 0 }, content = CONTENT;

	w->file = memfd_create("rom", 0);
	REQUIRE(w->file >= 0 && ftruncate(w->file, AREA) == 0);
	make_table(table);
	burn_at(w, TABLE_AT, table, sizeof(table));
	burn_at(w, USED, &content, sizeof(content));
	burn_at(w, OLD, &content, sizeof(content));
	burn_at(w, CODE_AT, ldr, (size_t)(ldr_end - ldr));
	w->rom = host_memory(AREA, AREA);
	REQUIRE(mmap(w->rom, AREA, PROT_READ, MAP_SHARED | MAP_FIXED, w->file, 0) == w->rom);
}

static void world_make(struct world *w)
{
	struct guest_mmu mmu;

	vm_create(&w->vm, 0);
	w->is_catwalk = VM_CAP(&w->vm, KVM_CAP_CATWALK_REFUSAL) > 0;
	w->ram = vm_ram(&w->vm, 0, GUEST_RAM, AREA);
	burn(w);
	REQUIRE(vm_slot(&w->vm, 1, KVM_MEM_READONLY, ROM, AREA, w->rom) == 0);
	vcpu_create(&w->vm, &w->vcpu, 0, 0);
	LOAD(w->ram + VECTORS - GUEST_RAM, guest_vectors);
	guest_mmu_init(&mmu, w->ram + TABLES - GUEST_RAM, TABLES);
	guest_mmu_set(&mmu, ROM, ROM | S1_BLOCK | S1_DATA);
	guest_mmu_set(&mmu, ROM_CODE, ROM | S1_BLOCK | S1_CODE);
	guest_mmu_set(&mmu, BY_TABLE, (ROM + TABLE_AT) | S1_TABLE);
	guest_mmu_set(&mmu, RAM_TABLE, RAM_TABLE_AT | S1_TABLE);
	guest_mmu_set(&mmu, NO_CODE, NO_CODE | S1_BLOCK | S1_CODE);
	guest_mmu_set(&mmu, NO_TABLE, NO_CODE | S1_TABLE);
	guest_mmu_on(&w->vcpu, &mmu, VECTORS);
}

static void world_end(struct world *w)
{
	vcpu_destroy(&w->vcpu);
	vm_destroy(&w->vm);
	munmap(w->ram, AREA);
	munmap(w->rom, AREA);
	close(w->file);
}

static void note(const struct row *row, int el, const char *what, uint64_t seen, uint64_t expected)
{
	if (!check_note(seen == expected))
		printf("%s at EL%d: %s %#lx, expected %#lx\n", row->name, el, what, seen, expected);
}

static struct guest_end run(struct world *w, uint64_t pc, uint64_t va, int el)
{
	vcpu_start(&w->vcpu, pc);
	reg_set(&w->vcpu, CORE_REG(regs.pstate), el ? 0x3c5 : 0x3c0);
	vcpu_set_x(&w->vcpu, 1, va);
	vcpu_set_x(&w->vcpu, 2, WRITTEN);
	return guest_run_to_end(&w->vcpu);
}

/* The guest offers to emulate: with what is right, and it goes on. */
static void check_write_exit(struct world *w, const struct row *row, int el)
{
	struct kvm_run *kvm_run = w->vcpu.run;
	uint64_t data = 0;

	note(row, el, "MMIO address", kvm_run->mmio.phys_addr, ROM + USED + row->at);
	note(row, el, "MMIO write", kvm_run->mmio.is_write, 1);
	note(row, el, "MMIO length", kvm_run->mmio.len, row->len);
	memcpy(&data, kvm_run->mmio.data, row->len);
	note(row, el, "MMIO data", data, row->value);
	note(row, el, "goes on: exit", guest_run_to_end(&w->vcpu).exit, 0);
}

static void check_no_syndrome(struct world *w, const struct row *row, int el,
			      const struct guest_end *end)
{
	note(row, el, "error", (uint64_t)end->error, w->nisv ? 0 : (uint64_t)-ENOSYS);
	if (!w->nisv)
		return;
	note(row, el, "exit", end->exit, KVM_EXIT_ARM_NISV);
	note(row, el, "address", w->vcpu.run->arm_nisv.fault_ipa, ROM + USED);
}

static void check_abort(const struct row *row, int el, const struct guest_end *end, uint64_t status)
{
	uint64_t wnr = row->start == str && row->expected == OWN_FAULT ? 0x40 : 0;

	note(row, el, "error", (uint64_t)end->error, 0);
	note(row, el, "ESR", end->esr, (el ? 0x96000000 : 0x92000000) | wnr | status);
	note(row, el, "FAR", end->far, row->va);
}

static void check_row(struct world *w, const struct row *row, int el)
{
	struct guest_end end;
	uint64_t data;

	guest_load(w->ram, row->start, row->end);
	make_table((uint64_t *)(w->ram + RAM_TABLE_AT - GUEST_RAM));
	reg_set(&w->vcpu, REG_TCR_EL1, TCR_39_BITS | (row->hw_af ? TCR_HA : 0));
	end = run(w, GUEST_RAM, row->va, el);
	switch (row->expected) {
	case READS:
		note(row, el, "error", (uint64_t)end.error, 0);
		note(row, el, "ESR", end.esr, 0);
		memcpy(&data, w->vcpu.run->mmio.data, sizeof(data));
		note(row, el, "value", data, row->value);
		break;
	case WRITE_EXIT:
		note(row, el, "exit", end.exit, KVM_EXIT_MMIO);
		check_write_exit(w, row, el);
		break;
	case NO_SYNDROME: check_no_syndrome(w, row, el, &end); break;
	/* Linux 6.12 reports it as the access's own. */
	case WALK_ABORT: check_abort(row, el, &end, w->is_catwalk ? 0x17 : 0x10); break;
	case OWN_FAULT: check_abort(row, el, &end, 0x0b); break;
	}
	note(row, el, "ROM has", *(uint64_t *)(w->rom + USED), CONTENT);
}

/* Stage 2, and the client's own tables, hold nothing of the ROM. */
static void forget(struct world *w)
{
	REQUIRE(madvise(w->rom, AREA, MADV_DONTNEED) == 0);
}

static void check_all(struct world *w)
{
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		for (int el = 1; el >= 0; el--) {
			if (el == 0 && (rows[i].start == at || rows[i].start == at_w))
				continue; /* EL1's alone */
			forget(w);
			check_row(w, &rows[i], el);
			check_row(w, &rows[i], el); /* now it is mapped */
		}
	}
}

/* Executed in place, from EL1 and EL0; the first fetch finds nothing mapped. */
static void check_fetch(struct world *w)
{
	for (int el = 1; el >= 0; el--) {
		struct guest_end end;

		forget(w);
		end = run(w, ROM_CODE + CODE_AT, ROM + USED, el);
		CHECK_EQ(end.error, 0);
		CHECK_EQ(end.esr, 0);
		CHECK_EQ(*(uint64_t *)w->vcpu.run->mmio.data, CONTENT);
	}
}

/* Where nothing is, and by a table that is nowhere: external aborts of the fetch. */
static void check_fetch_aborts(struct world *w)
{
	static const struct {
		uint64_t pc;
		uint64_t status, linux_status; /* 6.12 reports all as the access's own */
	} fetches[] = { { NO_CODE, 0x10, 0x10 }, { NO_TABLE, 0x17, 0x10 } };

	for (unsigned i = 0; i < sizeof(fetches) / sizeof(fetches[0]); i++) {
		for (int el = 1; el >= 0; el--) {
			struct guest_end end = run(w, fetches[i].pc, ROM + USED, el);
			uint64_t status =
				w->is_catwalk ? fetches[i].status : fetches[i].linux_status;

			CHECK_EQ(end.error, 0);
			CHECK_EQ(end.esr, (el ? 0x86000000 : 0x82000000) | status);
			CHECK_EQ(end.far, fetches[i].pc);
		}
	}
}

int main(void)
{
	struct kvm_enable_cap cap = { .cap = KVM_CAP_ARM_NISV_TO_USER };
	struct world w = { 0 };

	world_make(&w);
	check_all(&w);
	check_fetch(&w);
	check_fetch_aborts(&w);
	if (VM_CAP(&w.vm, KVM_CAP_ARM_NISV_TO_USER) > 0) {
		CHECK_OK(ioctl(w.vm.fd, KVM_ENABLE_CAP, &cap));
		w.nisv = 1;
		check_all(&w);
	}
	world_end(&w);
	return check_done("kvm_rom");
}
