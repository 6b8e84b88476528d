/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Every slot over every backing, accessed in every way, after every event: the whole product of the
 * axes of kvm_rows.h on a real VM, each row against the oracle: the slot call, a first read and the
 * event where there is one, the access, what the page holds and what the log says then. To be run
 * with --trap-cmo. What this host does not have is left out and told; a pair of values that no row
 * reached, and that nothing explains, is a failure.
 *
 *   kvm_rows     slots of 2 MiB
 *   kvm_rows 1g  slots of 1 GiB over leaves of that size, of memory that has them
 */
#define _GNU_SOURCE
#include "tests/target/check.h"
#include "tests/target/guest_mmu.h"
#include "tests/target/kvm_rows.h"
#include "tests/target/kvm_rows_place.h"

#include "abi/catwalk.h"

#include <unistd.h>

enum {
	VECTORS = GUEST_RAM + 0x1000,
	CODE = GUEST_RAM + 0x4000,
	CODE_STRIDE = 128,
	TABLES = GUEST_RAM + 0x10000,
	TARGET = GUEST_RAM + 0x30000, /* where walks by the page's entries end */
	AREA = 2 * MIB,
	DATA = GUEST_RAM + 1 * AREA, /* one view each of the slot's start */
	DATA_AS_CODE = GUEST_RAM + 2 * AREA,
	BY_TABLE = GUEST_RAM + 3 * AREA,
	SLOT = 1,
	ESR_DATA = 0x96000010,
	ESR_FETCH = 0x86000010,
	ESR_WALK = 0x96000017,
	ESR_WALK_LINUX = 0x96000010, /* 6.12 reports it as the access's own */
};

#define DATA_GPA     (2UL << 30) /* as blocks of 1 GiB want it */
#define TARGET_VALUE 0xfeedf00dcafe1234UL
#define WRITTEN	     0x1122334455667788UL
#define TABLE_ENTRY  (TARGET | S1_PAGE | S1_DATA)

/* ---- tallies */

enum reach { NOT_TRIED, REFUSED_AT_CREATION, REACHED };

enum { VALUES_MAX = 32, DIFFERENCES_MAX = 8 };

static struct tally {
	unsigned rows, failed, points, differences;
	unsigned said[RULES + 1];  /* a refusal carried this number */
	unsigned shown[RULES + 1]; /* an answer that this rule alone explains */
	unsigned outcomes[OUTCOMES];
	uint8_t pairs[AXES][VALUES_MAX][AXES][VALUES_MAX];
	uint8_t here[AXES][VALUES_MAX]; /* this host has the value */
	const struct linux_difference *seen[DIFFERENCES_MAX];
	unsigned seen_count[DIFFERENCES_MAX];
} tally;

static const unsigned sizes[AXES] = { SLOT_KINDS, BACKING_KINDS, ACCESS_KINDS, EVENTS };
static const char *const axis_names[AXES] = { "slot", "backing", "access", "event" };

static const struct {
	const char *name;
	uint32_t flags;
	int strict, upgrades, catwalks_own;
} slot_kinds[SLOT_KINDS] = {
#define X(name, flags, strict, upgrades, own, text) { text, flags, strict, upgrades, own },
	ROWS_SLOTS(X)
#undef X
};

static const char *value_name(unsigned axis, unsigned value)
{
	switch (axis) {
	case AXIS_SLOT: return slot_kinds[value].name;
	case AXIS_BACKING: return backing_kinds[value].name;
	case AXIS_ACCESS: return access_kinds[value].name;
	default: return event_names[value];
	}
}

static void mark(const unsigned *value, unsigned a, unsigned b, enum reach reach)
{
	uint8_t *pair = &tally.pairs[a][value[a]][b][value[b]];

	if (*pair < reach)
		*pair = (uint8_t)reach;
}

/* What was not reached because the slot was refused counts as that, but for slot and backing. */
static void mark_pairs(const struct row_case *c, enum reach reach)
{
	const unsigned value[AXES] = { c->slot, (unsigned)c->backing, (unsigned)c->access,
				       c->event };

	for (unsigned a = 0; a < AXES; a++) {
		for (unsigned b = a + 1; b < AXES; b++)
			mark(value, a, b, b == AXIS_BACKING ? REACHED : reach);
	}
}

/* ---- the machine */

struct world {
	struct host_facts host;
	struct places places;
	struct vm vm;
	struct vcpu vcpu;
	char *code;
	struct slot_facts slot;
	struct place place;
	int hw_af; /* TCR_EL1 says so now */
	int gigabyte;
	uint64_t traced; /* the last event that was read */
	int row_failed;
};

static void enable(struct world *w, uint32_t number, uint64_t arg)
{
	struct kvm_enable_cap cap = { .cap = number, .args = { arg } };

	REQUIRE(ioctl(w->vm.fd, KVM_ENABLE_CAP, &cap) == 0);
}

static void load_code(struct world *w)
{
	struct guest_mmu mmu;

	LOAD(w->code + VECTORS - GUEST_RAM, guest_vectors);
	for (unsigned i = 0; i < ACCESS_KINDS; i++)
		guest_load(w->code + CODE - GUEST_RAM + i * CODE_STRIDE, access_kinds[i].start,
			   access_kinds[i].end);
	*(uint64_t *)(w->code + TARGET - GUEST_RAM) = TARGET_VALUE;
	guest_mmu_init(&mmu, w->code + TABLES - GUEST_RAM, TABLES);
	guest_mmu_set(&mmu, DATA, DATA_GPA | S1_BLOCK | S1_DATA);
	guest_mmu_set(&mmu, DATA_AS_CODE, DATA_GPA | S1_BLOCK | S1_CODE);
	guest_mmu_on(&w->vcpu, &mmu, VECTORS);
}

/* The page that is used. */
static uint64_t page_gpa(const struct world *w)
{
	return DATA_GPA + (uint64_t)w->place.kind->page * PAGE;
}

/* It is also the table of BY_TABLE. */
static void use_table(struct world *w)
{
	struct guest_mmu mmu = {
		.gib = (uint64_t *)(w->code + TABLES - GUEST_RAM + PAGE),
	};

	guest_mmu_set(&mmu, BY_TABLE, page_gpa(w) | S1_TABLE);
}

static void world_make(struct world *w, unsigned kind)
{
	vm_create(&w->vm, 0);
	w->code = vm_ram(&w->vm, 0, GUEST_RAM, AREA);
	vcpu_create(&w->vm, &w->vcpu, 0, 0);
	load_code(w);
	w->hw_af = 0;
	w->traced = 0;
	w->slot = (struct slot_facts){ .strict = slot_kinds[kind].strict,
				       .upgrades = slot_kinds[kind].upgrades };
	if (slot_kinds[kind].strict)
		enable(w, KVM_CAP_CATWALK_STRICT_SLOTS, 0);
	if (slot_kinds[kind].upgrades)
		enable(w, KVM_CAP_CATWALK_IVAC_POLICY, 1);
	if ((slot_kinds[kind].flags & KVM_MEM_WRITE_BACK) && w->host.fwb)
		enable(w, KVM_CAP_CATWALK_WRITE_BACK, 0);
}

static void world_end(struct world *w)
{
	vcpu_destroy(&w->vcpu);
	vm_destroy(&w->vm);
	munmap(w->code, AREA);
}

/* ---- checks of a row */

enum { PATIENCE_S = 20, FAILURES_PRINTED = 200 };

static char row_now[160]; /* its name */

static void name_row(const struct row_case *c)
{
	snprintf(row_now, sizeof(row_now), "%s / %s / %s / %s", slot_kinds[c->slot].name,
		 backing_kinds[c->backing].name, access_kinds[c->access].name,
		 event_names[c->event]);
}

/* A guest that faults for ever never comes back by itself. */
static void give_up(int signal)
{
	static const char text[] = ": does not end\n";

	(void)signal;
	if (write(STDOUT_FILENO, row_now, strlen(row_now)) < 0 ||
	    write(STDOUT_FILENO, text, sizeof(text) - 1) < 0)
		_exit(2);
	_exit(1);
}

static void note(struct world *w, const char *what, uint64_t seen, uint64_t expected)
{
	if (check_note(seen == expected))
		return;
	w->row_failed = 1;
	if (tally.failed >= FAILURES_PRINTED)
		return;
	printf("%s: %s: seen %#lx, expected %#lx\n", row_now, what, seen, expected);
}

static void count_rule(unsigned *counts, unsigned rule)
{
	if (rule <= RULES)
		counts[rule]++;
}

static void check_refusal(struct world *w, const struct expected *e)
{
	struct catwalk_refusal refusal = { 0 };

	if (!w->host.is_catwalk)
		return;
	REQUIRE(ioctl(w->vm.fd, KVM_CATWALK_GET_REFUSAL, &refusal) == 0);
	note(w, "recorded error", (uint64_t)refusal.error, (uint64_t)e->error);
	note(w, "recorded rule", refusal.rule, e->rule);
	note(w, "recorded reason is empty", refusal.reason[0] == '\0', 0);
	count_rule(tally.said, refusal.rule);
}

/* Asks for @flags. Returns whether the slot is so now. */
static int slot_call(struct world *w, uint32_t flags)
{
	struct slot_facts asked = w->slot;
	struct expected e;
	int error;

	asked.flags = flags;
	asked.exists = 1;
	e = oracle_slot(&w->host, &asked, &w->place.facts);
	if (w->slot.exists && w->slot.flags == flags) /* nothing changes */
		e = (struct expected){ DONE };
	error = vm_slot(&w->vm, SLOT, flags, DATA_GPA, w->place.size, w->place.at);
	note(w, "slot call", (uint64_t)error, (uint64_t)(e.outcome == DONE ? 0 : e.error));
	if (e.outcome != DONE)
		check_refusal(w, &e);
	if (error)
		return 0;
	w->slot = asked;
	return 1;
}

/* What came of an access, as the program sees it. */
struct seen {
	struct guest_end end;
	int error; /* of an ioctl that is the access */
	uint64_t x3;
	uint32_t exit; /* kvm_run.exit_reason at its end */
	uint32_t rule; /* by which the page was passed over; of prefault alone */
};

static uint64_t address_of(const struct world *w, const struct access_kind *access)
{
	uint64_t page = page_gpa(w) - DATA_GPA;

	switch (access->view) {
	case VIEW_CODE: return DATA_AS_CODE + page + CODE_AT;
	case VIEW_TABLE: return BY_TABLE + TABLE_INDEX * PAGE;
	case VIEW_OLD: return BY_TABLE + OLD_INDEX * PAGE;
	case VIEW_DATA: break;
	}
	return DATA + page;
}

static void set_hw_af(struct world *w, int on)
{
	if (w->hw_af == on)
		return;
	w->hw_af = on;
	reg_set(&w->vcpu, REG_TCR_EL1, TCR_39_BITS | (on ? TCR_HA : 0));
}

static int prefault(struct world *w)
{
	struct kvm_pre_fault_memory r = {
		.gpa = page_gpa(w),
		.size = PAGE,
	};

	return ioctl(w->vcpu.fd, KVM_PRE_FAULT_MEMORY, &r) ? -errno : 0;
}

static struct seen prefault_present(struct world *w)
{
	struct catwalk_prefault r = {
		.slot = SLOT,
		.flags = CATWALK_PREFAULT_PRESENT,
		.offset = page_gpa(w) - DATA_GPA,
		.size = PAGE,
	};
	struct seen seen = { .error = ioctl(w->vm.fd, KVM_CATWALK_PREFAULT_SLOT, &r) ? -errno : 0 };

	seen.rule = r.skip_rule;
	note(w, "bytes left", seen.error ? 0 : r.size, 0);
	note(w, "bytes passed over", r.skipped, r.skip_rule ? PAGE : 0);
	note(w, "reason is empty", r.skip_reason[0] == '\0', !r.skip_rule);
	return seen;
}

static struct seen do_access(struct world *w, const struct access_kind *access)
{
	struct seen seen = { 0 };

	if (access->class == CLASS_PREFAULT_PRESENT)
		return prefault_present(w);
	if (access->class == CLASS_PREFAULT) {
		seen.error = prefault(w);
		return seen;
	}
	set_hw_af(w, access->class == CLASS_WALK_UPDATES);
	vcpu_start(&w->vcpu, (uint64_t)(CODE + (access - access_kinds) * CODE_STRIDE));
	vcpu_set_x(&w->vcpu, 1, address_of(w, access));
	vcpu_set_x(&w->vcpu, 2, WRITTEN);
	seen.end = guest_run_to_end(&w->vcpu);
	seen.exit = w->vcpu.run->exit_reason;
	memcpy(&seen.x3, w->vcpu.run->mmio.data, sizeof(seen.x3));
	return seen;
}

/* How the access must end, in the words of guest_run_to_end(). */
static struct guest_end end_of(struct world *w, const struct access_kind *access,
			       const struct expected *e)
{
	struct guest_end end = { 0 };

	switch (e->outcome) {
	case MMIO_EXIT: end.exit = KVM_EXIT_MMIO; return end;
	case NO_SYNDROME: end.error = -ENOSYS; return end;
	case REFUSED: end.error = -EFAULT; return end;
	case ABORT_DATA: end.esr = ESR_DATA; break;
	case ABORT_FETCH: end.esr = ESR_FETCH; break;
	case ABORT_WALK: end.esr = w->host.is_catwalk ? ESR_WALK : ESR_WALK_LINUX; break;
	default: return end;
	}
	end.far = address_of(w, access);
	return end;
}

static void check_payload(struct world *w, const struct expected *e, const struct seen *seen)
{
	struct catwalk_memory_fault fault;

	if (!w->host.is_catwalk)
		return;
	memcpy(&fault, (char *)w->vcpu.run + offsetof(struct kvm_run, padding), sizeof(fault));
	note(w, "exit reason", seen->exit, KVM_EXIT_MEMORY_FAULT);
	note(w, "page of the refusal", fault.gpa & -(uint64_t)PAGE, page_gpa(w));
	note(w, "rule", fault.rule, e->rule);
	note(w, "reason is empty", fault.reason[0] == '\0', 0);
	count_rule(tally.said, fault.rule);
}

/* What a read finds. */
static void check_value(struct world *w, const struct access_kind *access, const struct seen *seen)
{
	if (access->view == VIEW_TABLE && access->start == access_kinds[ACCESS_AT].start)
		note(w, "PAR_EL1.F", seen->x3 & 1, 0);
	else if (access->view == VIEW_TABLE || access->view == VIEW_OLD)
		note(w, "value by the table", seen->x3, TARGET_VALUE);
	else if (access->class == CLASS_FETCH)
		note(w, "code ran", seen->x3, 0x77);
	else if (access->class == CLASS_READ && !w->place.kind->registers)
		note(w, "value read", seen->x3, w->place.content);
}

/* What a write leaves behind in the page's first word. */
static uint64_t content_after(const struct world *w, const struct access_kind *access,
			      const struct expected *e)
{
	if (!e->writes || access->class != CLASS_WRITE)
		return w->place.content;
	if (access == &access_kinds[ACCESS_LDADD])
		return w->place.content + WRITTEN;
	return access == &access_kinds[ACCESS_DC_ZVA] ? 0 : WRITTEN;
}

static void check_content(struct world *w, const struct access_kind *access,
			  const struct expected *e)
{
	int old = access->class != CLASS_WALK_UPDATES || !e->writes;

	if (!w->place.facts.reads || w->place.kind->registers)
		return;
	note(w, "content", place_word(&w->place, 0), content_after(w, access, e));
	note(w, "Access flag", (place_word(&w->place, OLD_INDEX) & S1_AF) != 0, !old);
}

static void check_shown(struct world *w, const struct expected *e, enum event event)
{
	const struct facts *f = &w->place.facts;

	tally.outcomes[e->outcome]++;
	if (e->outcome != REFUSED)
		count_rule(tally.shown, e->rule);
	if (e->outcome == DONE && f->vma && f->type != f->declared)
		tally.shown[1]++;
	if (event != EVENT_NONE && event != EVENT_LOGGED)
		tally.shown[13]++;
	if (e->outcome == DONE && e->rule == 14)
		note(w, "the owner was asked", place_write_notifies(&w->place), 1);
}

/* Before anything has changed it, and where no log wants pages, a mapping is as large as its leaf.
 */
static void check_size(struct world *w, const struct catwalk_explain *x, enum event event)
{
	uint64_t size = oracle_size((int)(w->place.kind - backing_kinds));

	if (x->answer != CATWALK_ANSWER_MAP || event != EVENT_NONE || !size ||
	    (w->slot.flags & KVM_MEM_LOG_DIRTY_PAGES))
		return;
	note(w, "size that is explained", x->would.size, size);
	tally.said[6] += x->bound_by != CATWALK_LIMIT_NONE;
}

/* What would the access get? Where the host's own fault handler has to be asked, nobody knows. */
static void check_explained(struct world *w, const struct access_kind *access,
			    const struct expected *e, enum event event)
{
	static const uint32_t kinds[] = {
		[CLASS_READ] = CATWALK_READ,
		[CLASS_WRITE] = CATWALK_WRITE,
		[CLASS_FETCH] = CATWALK_EXEC,
	};
	struct catwalk_explain x = { .gpa = page_gpa(w) };

	if (!w->host.is_catwalk || (!access->has_syndrome && access->class != CLASS_FETCH))
		return;
	x.access = kinds[access->class];
	REQUIRE(ioctl(w->vm.fd, KVM_CATWALK_EXPLAIN, &x) == 0);
	if ((x.facts & CATWALK_FACT_ASKS_HOST) || x.answer == CATWALK_ANSWER_RETRY)
		return;
	note(w, "rule that is explained", x.rule, oracle_explained(&w->slot, &w->place.facts, e));
	count_rule(tally.said, x.rule);
	check_size(w, &x, event);
}

/* What the queries say of the page once a guest has it. */
static void check_queries(struct world *w, const struct access_kind *access,
			  const struct expected *e)
{
	struct catwalk_coherence c = { .gpa = page_gpa(w), .size = PAGE };
	struct catwalk_contract_slot slots[2];
	struct catwalk_contract k = { .slots = (uint64_t)slots, .slot_count = 2 };

	if (!w->host.is_catwalk || e->outcome != DONE || access->class > CLASS_FETCH)
		return;
	REQUIRE(ioctl(w->vm.fd, KVM_CATWALK_GET_COHERENCE, &c) == 0);
	note(w, "class by the query", c.all, oracle_class(&w->host, &w->place.facts));
	tally.said[11]++;
	REQUIRE(ioctl(w->vm.fd, KVM_CATWALK_GET_CONTRACT, &k) == 0);
	note(w, "promises", slots[1].promises, oracle_promises(&w->slot, &w->place.facts));
	tally.said[16] += slots[1].promises != 0;
}

/* What the VM's trace has of it: what ends in an error or an abort stands there, with its rule. */
static void check_traced(struct world *w, const struct expected *e)
{
	struct catwalk_trace_event events[8];
	struct catwalk_trace t = {
		.after = w->traced,
		.events = (uint64_t)events,
		.count = 8,
	};
	int must = e->outcome >= REFUSED && e->outcome <= ABORT_WALK, found = 0;

	if (!w->host.is_catwalk)
		return;
	REQUIRE(ioctl(w->vm.fd, KVM_CATWALK_READ_TRACE, &t) == 0);
	w->traced = t.after;
	for (unsigned i = 0; i < t.count; i++) {
		found |= events[i].rule == e->rule;
		count_rule(tally.said, events[i].rule);
	}
	if (must)
		note(w, "is in the trace", (uint64_t)found, 1);
}

static void count_difference(const struct linux_difference *d)
{
	unsigned i = 0;

	if (!d)
		return;
	while (i < DIFFERENCES_MAX - 1 && tally.seen[i] && tally.seen[i] != d)
		i++;
	tally.seen[i] = d;
	tally.seen_count[i]++;
	tally.differences++;
}

static struct expected check_access(struct world *w, const struct access_kind *access,
				    enum event event)
{
	struct expected e = oracle_access(&w->host, &w->slot, &w->place.facts, access);
	struct guest_end end = end_of(w, access, &e);
	struct seen seen;

	check_explained(w, access, &e, event);
	seen = do_access(w, access);
	check_traced(w, &e);
	if (!w->host.is_catwalk)
		count_difference(oracle_linux(&w->slot, &w->place.facts, access));
	tally.points++;
	note(w, "call", (uint64_t)seen.error, e.outcome == CALL_FAILED ? (uint64_t)e.error : 0);
	if (access->class == CLASS_PREFAULT_PRESENT && !seen.error) {
		note(w, "rule of what is passed over", seen.rule, e.rule);
		count_rule(tally.said, seen.rule);
	}
	note(w, "KVM_RUN", (uint64_t)seen.end.error, (uint64_t)end.error);
	note(w, "exit", seen.end.exit, end.exit);
	note(w, "ESR_EL1", seen.end.esr, end.esr);
	note(w, "FAR_EL1", seen.end.far, end.far);
	if (e.outcome == REFUSED)
		check_payload(w, &e, &seen);
	if (e.outcome == DONE)
		check_value(w, access, &seen);
	if (w->slot.exists && access->class != CLASS_PREFAULT_PRESENT)
		place_was_faulted(&w->place);
	check_content(w, access, &e);
	check_queries(w, access, &e);
	check_shown(w, &e, event);
	return e;
}

static void check_log(struct world *w, const struct expected *e)
{
	static uint64_t bitmap[PLACE_SIZE_MAX / PAGE / 64];
	uint64_t count = 0;
	struct kvm_dirty_log log = { .slot = SLOT, .dirty_bitmap = bitmap };

	if (!w->slot.exists || !(w->slot.flags & KVM_MEM_LOG_DIRTY_PAGES))
		return;
	REQUIRE(ioctl(w->vm.fd, KVM_GET_DIRTY_LOG, &log) == 0);
	for (unsigned i = 0; i < (w->place.size / PAGE + 63) / 64; i++)
		count += (uint64_t)__builtin_popcountl(bitmap[i]);
	note(w, "pages dirty", count, (uint64_t)e->logged);
}

/* Reads, has the event happen, and goes on. */
static void happen(struct world *w, enum event event)
{
	(void)check_access(w, &access_kinds[ACCESS_LDR], EVENT_NONE);
	if (event == EVENT_LOGGED)
		(void)slot_call(w, w->slot.flags | KVM_MEM_LOG_DIRTY_PAGES);
	else
		place_change(&w->places, &w->place, event);
}

/*
 * What creation refuses comes by the back door: a slot over nothing, and then the memory. Faults
 * must answer as creation did (M7). False: not even that slot can be had.
 */
static int swap_in(struct world *w, uint32_t flags)
{
	const struct backing_kind *kind = w->place.kind;

	place_end(&w->places, &w->place);
	REQUIRE(munmap(w->place.at, w->place.size) == 0);
	w->place.facts = (struct facts){ 0 };
	w->place.fd = -1;
	if (!slot_call(w, flags))
		return 0;
	REQUIRE(place_make(&w->places, &w->place, kind));
	tally.shown[7]++;
	return 1;
}

static int slot_make(struct world *w, uint32_t flags)
{
	return w->place.kind->maker == MAKE_NO_SLOT || slot_call(w, flags) || swap_in(w, flags);
}

static void run_made(struct world *w, const struct row_case *c)
{
	struct expected e;

	use_table(w);
	if (!slot_make(w, slot_kinds[c->slot].flags)) {
		mark_pairs(c, REFUSED_AT_CREATION);
		return;
	}
	if (c->event != EVENT_NONE)
		happen(w, c->event);
	e = check_access(w, &access_kinds[c->access], c->event);
	check_log(w, &e);
	mark_pairs(c, REACHED);
}

static void slot_delete(struct world *w)
{
	if (w->slot.exists)
		REQUIRE(vm_slot(&w->vm, SLOT, 0, 0, 0, NULL) == 0);
	w->slot.exists = 0;
	w->slot.flags = 0;
}

static void run_row(struct world *w, const struct row_case *c)
{
	name_row(c);
	w->row_failed = 0;
	alarm(PATIENCE_S);
	if (place_make(&w->places, &w->place, &backing_kinds[c->backing])) {
		run_made(w, c);
		tally.rows++;
		tally.failed += (unsigned)w->row_failed;
	}
	slot_delete(w);
	place_end(&w->places, &w->place);
}

/* ---- the product */

static int is_impossible(const struct row_case *c)
{
	const int value[AXES] = { (int)c->slot, c->backing, c->access, (int)c->event };

	for (unsigned a = 0; a < AXES; a++) {
		for (unsigned b = a + 1; b < AXES; b++) {
			if (oracle_impossible(a, value[a], b, value[b]))
				return 1;
		}
	}
	return 0;
}

static int is_here(const struct row_case *c)
{
	return tally.here[AXIS_SLOT][c->slot] && tally.here[AXIS_BACKING][c->backing] &&
	       tally.here[AXIS_ACCESS][c->access] && tally.here[AXIS_EVENT][c->event];
}

static void run_slot_kind(struct world *w, enum slot_kind slot)
{
	struct row_case c = { .slot = slot };

	world_make(w, slot);
	for (c.backing = 0; c.backing < BACKING_KINDS; c.backing++) {
		for (c.access = 0; c.access < ACCESS_KINDS; c.access++) {
			for (c.event = 0; c.event < EVENTS; c.event++) {
				if (is_here(&c) && !is_impossible(&c))
					run_row(w, &c);
			}
		}
	}
	world_end(w);
}

static int has_access(const struct world *w, enum access_class class)
{
	switch (class) {
	case CLASS_PREFAULT: return VM_CAP(&w->vm, KVM_CAP_PRE_FAULT_MEMORY) > 0;
	case CLASS_PREFAULT_PRESENT: return VM_CAP(&w->vm, KVM_CAP_CATWALK_PREFAULT) > 0;
	default: return 1;
	}
}

static void look_around(struct world *w)
{
	struct place p;

	vm_create(&w->vm, 0);
	w->host.is_catwalk = VM_CAP(&w->vm, KVM_CAP_CATWALK_REFUSAL) > 0;
	w->host.fwb = VM_CAP(&w->vm, KVM_CAP_CATWALK_WRITE_BACK) > 0;
	w->host.traps = w->host.is_catwalk;
	w->host.cpus = (int)sysconf(_SC_NPROCESSORS_ONLN);
	for (unsigned i = 0; i < SLOT_KINDS; i++)
		tally.here[AXIS_SLOT][i] = w->host.is_catwalk || !slot_kinds[i].catwalks_own;
	for (unsigned i = 0; i < ACCESS_KINDS; i++)
		tally.here[AXIS_ACCESS][i] = (uint8_t)has_access(w, access_kinds[i].class);
	for (unsigned i = 0; i < EVENTS; i++)
		tally.here[AXIS_EVENT][i] = (uint8_t)place_can(&w->places, i);
	for (unsigned i = 0; i < BACKING_KINDS; i++) {
		if (backing_kinds[i].gigabyte != w->gigabyte)
			continue;
		tally.here[AXIS_BACKING][i] =
			(uint8_t)place_make(&w->places, &p, &backing_kinds[i]);
		place_end(&w->places, &p);
	}
	vm_destroy(&w->vm);
}

/* ---- the report */

static void report_left_out(void)
{
	for (unsigned a = 0; a < AXES; a++) {
		for (unsigned i = 0; i < sizes[a]; i++) {
			if (!tally.here[a][i])
				printf("left out: %s %s\n", axis_names[a], value_name(a, i));
		}
	}
}

struct pairs {
	unsigned reached, refused, impossible, missed;
};

static void report_pair(struct pairs *sum, unsigned a, unsigned i, unsigned b, unsigned j)
{
	const char *why = oracle_impossible(a, (int)i, b, (int)j);

	if (why) {
		sum->impossible++;
		printf("impossible: %s x %s: %s\n", value_name(a, i), value_name(b, j), why);
	} else if (tally.pairs[a][i][b][j] == REACHED) {
		sum->reached++;
	} else if (tally.pairs[a][i][b][j] == REFUSED_AT_CREATION) {
		sum->refused++;
	} else {
		sum->missed++;
		printf("not covered: %s %s x %s %s\n", axis_names[a], value_name(a, i),
		       axis_names[b], value_name(b, j));
	}
}

static void report_axes(struct pairs *sum, unsigned a, unsigned b)
{
	for (unsigned i = 0; i < sizes[a]; i++) {
		for (unsigned j = 0; j < sizes[b]; j++) {
			if (tally.here[a][i] && tally.here[b][j])
				report_pair(sum, a, i, b, j);
		}
	}
}

static void report_pairs(void)
{
	struct pairs sum = { 0 };

	for (unsigned a = 0; a < AXES; a++) {
		for (unsigned b = a + 1; b < AXES; b++)
			report_axes(&sum, a, b);
	}
	printf("pairs: %u reached, %u whose slot is refused whatever else, %u impossible, "
	       "%u not covered\n",
	       sum.reached, sum.refused, sum.impossible, sum.missed);
	CHECK_EQ(sum.missed, 0);
}

/* Each rule was said twice, or there is a reason why none says it here. The few places of 1 GiB do
 * not meet all. */
static void report_rules(const struct world *w)
{
	for (unsigned r = 1; r <= RULES; r++) {
		const char *why = oracle_unseen(r);

		if (r == 4 && w->host.fwb)
			why = "this host can force write-back: none is refused";
		if (r == 3 && !w->host.fwb)
			why = "this host cannot force write-back";
		if (r == 18)
			for (unsigned i = 1; i < r; i++)
				tally.said[r] += tally.said[i];
		printf("M%u: said %u, shown %u%s%s\n", r, tally.said[r], tally.shown[r],
		       why ? "; " : "", why ? why : "");
		if (!why && !w->gigabyte)
			CHECK(tally.said[r] >= 2);
	}
}

static void report(const struct world *w)
{
	report_left_out();
	report_pairs();
	if (w->host.is_catwalk)
		report_rules(w);
	for (unsigned i = 0; i < OUTCOMES; i++)
		printf("%s%s %u", i ? ", " : "answers: ", outcome_names[i], tally.outcomes[i]);
	printf("\n");
	for (unsigned i = 0; i < DIFFERENCES_MAX && tally.seen[i]; i++)
		printf("Linux differs by M%u in %u: %s\n", tally.seen[i]->rule, tally.seen_count[i],
		       tally.seen[i]->what);
	printf("kvm_rows: %u rows, %u accesses, %u failed, %u answers that differ on Linux\n",
	       tally.rows, tally.points, tally.failed, tally.differences);
}

int main(int argc, char **argv)
{
	static struct world w;

	REQUIRE(signal(SIGALRM, give_up) != SIG_ERR);
	places_init(&w.places, TABLE_ENTRY);
	w.gigabyte = argc > 1 && !strcmp(argv[1], "1g");
	look_around(&w);
	for (unsigned i = 0; i < SLOT_KINDS; i++) {
		if (tally.here[AXIS_SLOT][i])
			run_slot_kind(&w, i);
	}
	report(&w);
	return check_done("kvm_rows");
}
