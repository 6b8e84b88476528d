/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The report of guest memory: what all VMs of a run counted, and whether the counters agree with
 * the tables themselves.
 */
#include "kvm/report.h"

#include <stdarg.h>

#include "host/string.h"
#include "kvm/costs.h"
#include "kvm/kvm.h"
#include "kvm/trace_log.h"
#include "kvm/vcpu.h"

struct totals {
	struct stats stats;
	struct exit_counters exits;
	u64 vms;
	u64 dumped[STAT_LEVELS][S2_TYPE_COUNT]; /* bytes, by walking the tables at each check */
	u64 tables_dumped;
	u64 checks;
	u64 mismatches; /* checks at which counters and tables differed */
};

static LIST_HEAD(, vm) all_vms; /* guarded by vms_lock: none ends while they are walked */
static struct mutex vms_lock;
static u32 vms_made;	   /* guarded by vms_lock */
static bool wanted;	   /* set before the first VM */
static struct totals past; /* of VMs that have ended; guarded by past_lock */
static struct spinlock past_lock;

void report_init(void)
{
	mutex_init(&vms_lock);
	trace_log_init();
	spin_init(&past_lock);
}

void report_vm_add(struct vm *vm)
{
	mutex_lock(&vms_lock);
	vm->number = ++vms_made;
	LIST_INSERT_HEAD(&all_vms, vm, link);
	mutex_unlock(&vms_lock);
}

void report_each_vm(void (*fn)(struct vm *vm))
{
	struct vm *vm;

	mutex_lock(&vms_lock);
	LIST_FOREACH (vm, &all_vms, link)
		fn(vm);
	mutex_unlock(&vms_lock);
}

static void exits_add(struct exit_counters *to, const struct exit_counters *from)
{
	for (unsigned int i = 0; i < EXIT_REASONS_COUNT; i++)
		to->count[i] += from->count[i];
	for (unsigned int i = 0; i < TIME_SPENT_COUNT; i++)
		to->time[i] += from->time[i];
	to->served_vgic += from->served_vgic;
	to->served_ctr += from->served_ctr;
	to->to_user_mmio += from->to_user_mmio;
	to->to_user_signal += from->to_user_signal;
	to->to_user_other += from->to_user_other;
	to->runs += from->runs;
	to->all += from->all;
	to->mmio_kernel += from->mmio_kernel;
}

static void dump_tables(struct stage2 *s2, u64 bytes[STAT_LEVELS][S2_TYPE_COUNT])
{
	struct s2_run run;

	for (ipa_t at = IPA(0); stage2_dump(s2, at, &run); at = IPA(run.ipa.v + run.size)) {
		bytes[run.leaf.level][run.leaf.type] += run.size;
		sched_point();
	}
}

static bool dump_agrees(const struct stats *s, u64 bytes[STAT_LEVELS][S2_TYPE_COUNT], u64 tables)
{
	for (unsigned int l = 0; l < STAT_LEVELS; l++) {
		for (unsigned int t = 0; t < S2_TYPE_COUNT; t++) {
			if (s->mapped[l][t] != bytes[l][t])
				return false;
		}
	}
	return s->count[STAT_table_alloc] - s->count[STAT_table_free] == tables;
}

static void stats_add(struct stats *to, const struct stats *from)
{
	for (unsigned int i = 0; i < STAT_COUNT; i++) {
		if (i == STAT_steps_max)
			to->count[i] = max(to->count[i], from->count[i]);
		else
			to->count[i] += from->count[i];
	}
	for (unsigned int l = 0; l < STAT_LEVELS; l++) {
		for (unsigned int t = 0; t < S2_TYPE_COUNT; t++)
			to->mapped_ever[l][t] += from->mapped_ever[l][t];
	}
}

/* Reads counters, walks tables and compares; gives the counters. */
static void check(struct totals *to, struct vm *vm, struct stats *stats)
{
	u64 bytes[STAT_LEVELS][S2_TYPE_COUNT] = { { 0 } };
	u64 tables;

	stage2_stats(&vm->memory.guest.s2, stats);
	dump_tables(&vm->memory.guest.s2, bytes);
	tables = stage2_count_tables(&vm->memory.guest.s2);
	to->checks++;
	to->mismatches += !dump_agrees(stats, bytes, tables);
	to->tables_dumped += tables;
	for (unsigned int l = 0; l < STAT_LEVELS; l++) {
		for (unsigned int t = 0; t < S2_TYPE_COUNT; t++)
			to->dumped[l][t] += bytes[l][t];
	}
}

static void totals_add(struct totals *to, const struct totals *from)
{
	stats_add(&to->stats, &from->stats);
	exits_add(&to->exits, &from->exits);
	to->vms += from->vms;
	to->checks += from->checks;
	to->mismatches += from->mismatches;
	to->tables_dumped += from->tables_dumped;
	for (unsigned int l = 0; l < STAT_LEVELS; l++) {
		for (unsigned int t = 0; t < S2_TYPE_COUNT; t++)
			to->dumped[l][t] += from->dumped[l][t];
	}
}

static void past_add(const struct totals *t)
{
	spin_lock(&past_lock);
	totals_add(&past, t);
	spin_unlock(&past_lock);
}

void report_vm_check(struct vm *vm)
{
	struct totals t = { 0 };
	struct stats stats;

	if (!wanted)
		return;
	check(&t, vm, &stats);
	past_add(&t);
}

static void vm_add(struct totals *to, struct vm *vm)
{
	struct stats stats;

	check(to, vm, &stats);
	to->vms++;
	stats_add(&to->stats, &stats);
	for (unsigned int i = 0; i < VM_VCPUS_MAX; i++) {
		const struct vcpu *v = vm->vcpus[i];

		if (!v)
			continue;
		exits_add(&to->exits, &v->exits);
		to->exits.served_ctr += v->cpu.ctr_reads;
	}
}

/* The walk of its tables is long, and needs no lock: nobody else has the VM. */
void report_vm_remove(struct vm *vm)
{
	struct totals t = { 0 };

	mutex_lock(&vms_lock);
	LIST_REMOVE(vm, link);
	mutex_unlock(&vms_lock);
	if (wanted) {
		vm_add(&t, vm);
		past_add(&t);
	}
	trace_log_vm(vm);
}

void kvm_want_report(void)
{
	wanted = true;
}

/* ---- text */

struct text {
	char *at;
	size_t left;
};

static void line(struct text *t, const char *fmt, ...) __printf(2, 3);

static void line(struct text *t, const char *fmt, ...)
{
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(t->at, t->left, fmt, ap);
	va_end(ap);
	if (n < 0 || (size_t)n >= t->left) {
		t->left = 0;
		return;
	}
	t->at += n;
	t->left -= (size_t)n;
}

static void print_stats(struct text *t, const struct totals *sum)
{
	static const char *const levels[STAT_LEVELS] = { "512g", "1g", "2m", "4k" };
	static const char *const types[S2_TYPE_COUNT] = { "normal", "normal_nc", "device" };

	for (unsigned int i = 0; i < STAT_COUNT; i++)
		line(t, "memory.%s %lu\n", stat_name((enum stat_id)i), sum->stats.count[i]);
	for (unsigned int l = LEVEL_1G; l <= LEVEL_4K; l++) {
		for (unsigned int y = 0; y < S2_TYPE_COUNT; y++) {
			line(t, "mapped.%s.%s %lu\n", levels[l], types[y],
			     sum->stats.mapped_ever[l][y]);
			line(t, "dumped.%s.%s %lu\n", levels[l], types[y], sum->dumped[l][y]);
		}
	}
}

/* Nanoseconds, instructions under --icount. */
static void print_costs(struct text *t, const struct exit_counters *e)
{
	static const char *const names[TIME_SPENT_COUNT] = {
#define X(name) #name,
		EXIT_REASONS(X) TIME_SPENT(X)
#undef X
	};
	u64 ns = 1000000000UL / port_counter_hz();

	for (unsigned int i = 0; costs_wanted && i < TIME_SPENT_COUNT; i++)
		line(t, "time_ns.%s %lu\n", names[i], e->time[i] * ns);
}

static void print_exits(struct text *t, const struct exit_counters *e)
{
	static const char *const names[] = {
#define X(name) #name,
		EXIT_REASONS(X)
#undef X
	};

	for (unsigned int i = 0; i < EXIT_REASONS_COUNT; i++)
		line(t, "exit.%s %lu\n", names[i], e->count[i]);
	line(t, "served.vgic %lu\nserved.ctr %lu\n", e->served_vgic, e->served_ctr);
	line(t, "run.calls %lu\nrun.mmio %lu\nrun.signal %lu\nrun.other %lu\n", e->runs,
	     e->to_user_mmio, e->to_user_signal, e->to_user_other);
}

/* A VMID is a number until its generation ends, whether its VM lives or not. */
static void print_vmids(struct text *t)
{
	struct vmid_pool *pool = &kvm_vmids;
	u64 used = 0, rollovers;

	port_read_lock(pool->port, &pool->lock);
	for (u64 i = 0; i < BIT(pool->bits); i++)
		used += pool->map[i / 64] >> (i % 64) & 1;
	rollovers = pool->rollovers;
	port_read_unlock(pool->port, &pool->lock);
	line(t, "vmid.numbers %lu\nvmid.used %lu\nvmid.rollovers %lu\n", BIT(pool->bits), used,
	     rollovers);
}

size_t kvm_report(char *buf, size_t size)
{
	static struct totals sum; /* guarded by vms_lock: too large for a stack */
	struct text t = { buf, size };
	struct vm *vm;

	mutex_lock(&vms_lock);
	spin_lock(&past_lock);
	sum = past;
	spin_unlock(&past_lock);
	LIST_FOREACH (vm, &all_vms, link)
		vm_add(&sum, vm);
	line(&t, "vms %lu\n", sum.vms);
	print_stats(&t, &sum);
	line(&t, "dumped.tables %lu\n", sum.tables_dumped);
	print_exits(&t, &sum.exits);
	print_costs(&t, &sum.exits);
	print_vmids(&t);
	line(&t, "table_checks %lu\ntable_mismatches %lu\n", sum.checks, sum.mismatches);
	mutex_unlock(&vms_lock);
	return (size_t)(t.at - buf);
}
