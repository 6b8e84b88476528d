/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Scheduling points, locks and walk sections of the modelled machine. One CPU executes at a time:
 * who finds a lock taken lets others go on, if there is somebody who says whose turn it is, and
 * would otherwise wait for ever.
 */
#include "port/model/machine_priv.h"

#include <string.h>

void machine_step(struct port *p, enum machine_step kind, const char *where)
{
	struct machine *m = p->machine;
	unsigned int cpu = p->cpu;

	if (!m->on_step)
		return;
	m->on_step(m->on_step_arg, kind, where);
	p->cpu = cpu;
	p->site = NULL;
}

/* ---- walk sections */

void machine_walk_enter(struct port *p)
{
	machine_point(p, "walk enter");
	p->machine->walk_depth[p->cpu]++;
}

void machine_walk_leave(struct port *p)
{
	if (p->machine->walk_depth[p->cpu] == 0)
		machine_refuse(p, REFUSED_LOCK, NO_PLACE,
			       "a walk section is left that was not entered");
	p->machine->walk_depth[p->cpu]--;
	machine_point(p, "walk leave");
}

/* ---- locks */

/*
 * The scheduling points are before a lock is taken and after it was released: what the releaser
 * does next to memory that no port call guards (counters, bits, generations) then has one too.
 */

static void wait_for(struct port *p, const struct port_rwlock *l, const char *where)
{
	if (l->held[p->cpu])
		machine_refuse(p, REFUSED_DEADLOCK, NO_PLACE, "%s by CPU %u, which holds it", where,
			       p->cpu);
	if (!p->machine->on_step)
		machine_refuse(p, REFUSED_DEADLOCK, NO_PLACE, "%s while another holds it", where);
	machine_step(p, STEP_WAIT, where);
}

static void take(struct port *p, struct port_rwlock *l, bool write)
{
	struct machine *m = p->machine;
	int held = m->locks_held[p->cpu]++;

	l->held[p->cpu]++;
	if (held < MACHINE_HELD)
		m->held[p->cpu][held] = (struct machine_held){ l, write };
}

/* Locks are released in any order. */
static void forget(struct port *p, const struct port_rwlock *l)
{
	struct machine_held *held = p->machine->held[p->cpu];
	int count = min(p->machine->locks_held[p->cpu], (int)MACHINE_HELD);

	for (int i = 0; i < count; i++) {
		if (held[i].lock == l) {
			held[i] = held[count - 1];
			return;
		}
	}
}

unsigned int machine_locks_held(const struct port *p, unsigned int cpu, struct machine_held *out,
				unsigned int most)
{
	unsigned int count = min((unsigned int)p->machine->locks_held[cpu], most);

	memcpy(out, p->machine->held[cpu], count * sizeof(*out));
	return count;
}

static void give(struct port *p, struct port_rwlock *l, const char *where)
{
	if (!l->held[p->cpu])
		machine_refuse(p, REFUSED_LOCK, NO_PLACE, "%s by CPU %u, which does not hold it",
			       where, p->cpu);
	l->held[p->cpu]--;
	forget(p, l);
	p->machine->locks_held[p->cpu]--;
}

void machine_read_lock(struct port *p, struct port_rwlock *l)
{
	machine_point(p, "read lock");
	while (l->writer || l->held[p->cpu])
		wait_for(p, l, "read lock");
	l->readers++;
	take(p, l, false);
}

void machine_read_unlock(struct port *p, struct port_rwlock *l)
{
	if (!l->readers)
		machine_refuse(p, REFUSED_LOCK, NO_PLACE, "read unlock of a lock not held so");
	give(p, l, "read unlock");
	l->readers--;
	machine_point(p, "read unlock");
}

void machine_write_lock(struct port *p, struct port_rwlock *l)
{
	if (p->machine->on_write_lock)
		p->machine->on_write_lock(p->machine->on_write_lock_arg);
	machine_point(p, "write lock");
	while (l->writer || l->readers)
		wait_for(p, l, "write lock");
	l->writer = true;
	take(p, l, true);
}

void machine_write_unlock(struct port *p, struct port_rwlock *l)
{
	if (!l->writer)
		machine_refuse(p, REFUSED_LOCK, NO_PLACE, "write unlock of a lock not held so");
	give(p, l, "write unlock");
	l->writer = false;
	machine_point(p, "write unlock");
}

void machine_relax_point(struct port *p)
{
	struct machine *m = p->machine;

	m->counts.relax++;
	if (m->locks_held[p->cpu])
		machine_refuse(p, REFUSED_SLEEP, NO_PLACE, "relax point with a lock held");
	machine_step(p, STEP_RELAX, "relax");
	if (!m->on_relax || m->in_relax)
		return;
	m->in_relax = true;
	m->on_relax(m->on_relax_arg);
	m->in_relax = false;
}
