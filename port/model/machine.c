/* SPDX-License-Identifier: Apache-2.0 */
/* The modelled machine: life, refusals, hooks. */
#define _DEFAULT_SOURCE /* MAP_ANONYMOUS */
#include "port/model/machine_priv.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

/* ---- refusals */

static const struct {
	const char *phrase, *rule;
} refusals[REFUSAL_KINDS] = {
#define REFUSAL_TEXT(name, phrase, rule) [REFUSED_##name] = { phrase, rule },
	MACHINE_REFUSALS(REFUSAL_TEXT)
#undef REFUSAL_TEXT
};

const char *machine_refusal_phrase(enum machine_refusal_kind kind)
{
	return kind < REFUSAL_KINDS ? refusals[kind].phrase : "";
}

const char *machine_refusal_rule(enum machine_refusal_kind kind)
{
	return kind < REFUSAL_KINDS ? refusals[kind].rule : "";
}

static void __noreturn stop(struct port *p)
{
	struct machine *m = p->machine;

	if (m->on_stop)
		m->on_stop(m->on_stop_arg);
	if (m->catching)
		longjmp(m->catch, 1);
	fprintf(stderr, "model: refused: %s\n", m->refusal);
	abort();
}

void machine_refuse(struct port *p, enum machine_refusal_kind kind, u64 at, const char *fmt, ...)
{
	struct machine *m = p->machine;
	size_t n = (size_t)snprintf(m->refusal, sizeof(m->refusal), "%s: ", refusals[kind].phrase);
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(m->refusal + n, sizeof(m->refusal) - n, fmt, ap);
	va_end(ap);
	m->refused = kind;
	m->refused_at = at;
	stop(p);
}

void machine_stop(struct port *p, const char *fmt, ...)
{
	struct machine *m = p->machine;
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(m->refusal, sizeof(m->refusal), fmt, ap);
	va_end(ap);
	m->refused = REFUSED_NOT;
	m->refused_at = NO_PLACE;
	stop(p);
}

void port_bug(struct port *p, const char *what)
{
	machine_refuse(p, REFUSED_BUG, NO_PLACE, "%s", what);
}

bool machine_refuses(struct port *p, void (*fn)(void *arg), void *arg)
{
	struct machine *m = p->machine;

	m->refusal[0] = '\0';
	m->refused = REFUSED_NOT;
	m->catching = true;
	if (!setjmp(m->catch))
		fn(arg);
	m->catching = false;
	return m->refusal[0] != '\0';
}

const char *machine_refusal(const struct port *p)
{
	return p->machine->refusal;
}

enum machine_refusal_kind machine_refusal_kind(const struct port *p)
{
	return p->machine->refused;
}

bool machine_refusal_place(const struct port *p, u64 *at)
{
	*at = p->machine->refused_at;
	return p->machine->refusal[0] && *at != NO_PLACE;
}

/* ---- life */

void *machine_must(void *mem)
{
	if (mem && mem != MAP_FAILED)
		return mem;
	perror("model: no memory");
	abort();
}

static void power_on(struct port *p, const struct port_caps *caps)
{
	struct machine *m = p->machine;

	if ((caps->fwb && !caps->idc) || caps->cpus > MACHINE_CPUS || !caps->cpus) {
		fprintf(stderr, "model: FWB implies IDC; CPUs are 1 to %d\n", MACHINE_CPUS);
		abort();
	}
	p->caps = *caps;
	p->cpu = 0;
	m->next_pa = PAGES_PA;
	m->next_device_pa = DEVICE_PA;
	m->writes = 1;
	m->published = 0;
	m->contiguous = false;
	m->version = 0;
	m->events = 0;
	for (int i = 0; i < MACHINE_CPUS; i++)
		m->loaded[i] = -1;
}

struct port *machine_new(const struct port_caps *caps)
{
	struct port *p = machine_must(calloc(1, sizeof(*p)));
	struct machine *m = machine_must(calloc(1, sizeof(*m)));

	p->machine = m;
	m->refused = REFUSED_NOT;
	m->refused_at = NO_PLACE;
	m->arena = machine_must(mmap(NULL, ARENA_TABLES * TABLE_SIZE, PROT_READ | PROT_WRITE,
				     MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0));
	m->table = machine_must(calloc(ARENA_TABLES, sizeof(*m->table)));
	m->event = machine_must(malloc(EVENTS * sizeof(*m->event)));
	tlb_init(&m->tlb);
	power_on(p, caps);
	return p;
}

static void forget_hooks(struct machine *m)
{
	m->on_relax = NULL;
	m->on_write_lock = NULL;
	m->on_change = NULL;
	m->on_step = NULL;
	m->on_touch = NULL;
	m->on_choice = NULL;
	m->on_guest = NULL;
	m->on_stop = NULL;
	m->in_relax = false;
	m->catching = false;
}

void machine_reset(struct port *p, const struct port_caps *caps)
{
	struct machine *m = p->machine;

	memory_reset(p);
	tlb_reset(&m->tlb);
	ledger_reset(m);
	alias_reset(m);
	line_reset(m);
	forget_hooks(m);
	memset(m->vm, 0, sizeof(m->vm));
	memset(m->walk_depth, 0, sizeof(m->walk_depth));
	memset(m->locks_held, 0, sizeof(m->locks_held));
	memset(m->deaf, 0, sizeof(m->deaf));
	m->fail_nth = 0;
	m->counts = (struct machine_counts){ 0 };
	m->refusal[0] = '\0';
	m->refused = REFUSED_NOT;
	m->refused_at = NO_PLACE;
	power_on(p, caps);
}

u64 machine_delete(struct port *p)
{
	struct machine *m = p->machine;
	u64 live;

	memset(m->walk_depth, 0, sizeof(m->walk_depth));
	machine_quiesce(p);
	live = m->live;
	memory_delete(p);
	munmap(m->arena, ARENA_TABLES * TABLE_SIZE);
	free(m->table);
	tlb_delete(&m->tlb);
	ledger_delete(m);
	alias_delete(m);
	line_delete(m);
	history_delete(m);
	free(m);
	free(p);
	return live;
}

u64 machine_live(const struct port *p)
{
	return p->machine->live;
}

void machine_cpu(struct port *p, unsigned int cpu)
{
	p->cpu = cpu;
}

const struct machine_counts *machine_counts(const struct port *p)
{
	return &p->machine->counts;
}

/* ---- hooks */

u64 machine_fail_alloc(struct port *p, u64 nth)
{
	u64 left = p->machine->fail_nth;

	p->machine->fail_nth = nth;
	return left;
}

void machine_deafen(struct port *p, enum machine_deafness what)
{
	p->machine->deaf[what] = true;
}

void machine_hear_again(struct port *p)
{
	memset(p->machine->deaf, 0, sizeof(p->machine->deaf));
}

void machine_on_stop(struct port *p, void (*fn)(void *arg), void *arg)
{
	p->machine->on_stop = fn;
	p->machine->on_stop_arg = arg;
}

void machine_on_relax(struct port *p, void (*fn)(void *arg), void *arg)
{
	p->machine->on_relax = fn;
	p->machine->on_relax_arg = arg;
}

void machine_on_write_lock(struct port *p, void (*fn)(void *arg), void *arg)
{
	p->machine->on_write_lock = fn;
	p->machine->on_write_lock_arg = arg;
}

void machine_on_change(struct port *p, void (*fn)(void *arg), void *arg)
{
	p->machine->on_change = fn;
	p->machine->on_change_arg = arg;
}

void machine_on_touch(struct port *p, void (*touch)(void *arg, pa_t pa, enum machine_touch how),
		      void *arg)
{
	p->machine->on_touch = touch;
	p->machine->on_touch_arg = arg;
}

void machine_on_step(struct port *p,
		     void (*step)(void *arg, enum machine_step kind, const char *where), void *arg)
{
	p->machine->on_step = step;
	p->machine->on_step_arg = arg;
}

void machine_on_choice(struct port *p,
		       unsigned int (*choose)(void *arg, enum machine_choice what,
					      unsigned int options),
		       void *arg)
{
	p->machine->on_choice = choose;
	p->machine->on_choice_arg = arg;
}

void machine_on_guest_access(struct port *p, void (*fn)(void *arg, const struct machine_used *u),
			     void *arg)
{
	p->machine->on_guest = fn;
	p->machine->on_guest_arg = arg;
}

unsigned int machine_choose(struct port *p, enum machine_choice what, unsigned int options)
{
	struct machine *m = p->machine;
	unsigned int answer = m->on_choice ? m->on_choice(m->on_choice_arg, what, options) : 0;

	if (answer >= options)
		machine_refuse(p, REFUSED_MISUSE, NO_PLACE, "the chooser answers %u of %u options",
			       answer, options);
	return answer;
}
