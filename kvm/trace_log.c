/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The events of VMs' traces (engine/trace.h) in one ring for the whole run, and their text. A VM's
 * own ring goes with it; here the last LOG_ENTRIES events of all VMs stay until the run ends.
 */
#include "kvm/trace_log.h"

#include "engine/trace.h"
#include "host/string.h"
#include "kvm/kvm.h"
#include "kvm/guest_memfd.h"
#include "kvm/report.h"
#include "kvm/vm.h"

enum { LOG_ENTRIES = 512, BATCH = 8, LINE_MAX = 320 };

struct logged {
	u32 vm; /* its number, by order of creation */
	struct trace_event event;
};

static struct mutex lock; /* guards all below; taken under report.c's */
static struct logged *ring;
static u64 count; /* events logged so far; @ring holds the last of them */
static u64 lost;  /* that VMs met and had no room for, or nobody had */

void trace_log_init(void)
{
	mutex_init(&lock);
}

static void log_events(struct vm *vm, const struct trace_event *e, unsigned int n)
{
	if (!ring)
		ring = kmalloc(LOG_ENTRIES * sizeof(*ring));
	if (!ring) {
		lost += n;
		return;
	}
	for (unsigned int i = 0; i < n; i++)
		ring[count++ % LOG_ENTRIES] = (struct logged){ vm->number, e[i] };
}

void trace_log_vm(struct vm *vm)
{
	struct trace_event e[BATCH];
	u64 after = 0;
	unsigned int n;

	mutex_lock(&lock);
	while ((n = trace_read(vm->memory.guest.trace, after, e, BATCH)) > 0) {
		lost += e[n - 1].number - after - n;
		after = e[n - 1].number;
		log_events(vm, e, n);
	}
	mutex_unlock(&lock);
}

/* ---- text */

/* At most LINE_MAX bytes. */
static size_t line_of(const struct logged *l, char *line)
{
	static const char *const sources[TRACE_SOURCES] = { "fault", "prefault", "slot call" };
	static const char *const accesses[MEM_ACCESS_COUNT] = { "read", "write", "exec" };
	const struct trace_event *e = &l->event;
	char slot[32] = "no slot", error[24] = "";
	int n;

	if (e->slot != TRACE_NO_SLOT)
		snprintf(slot, sizeof(slot), "slot %u", e->slot);
	if (e->error)
		snprintf(error, sizeof(error), " %d", -e->error);
	n = snprintf(line, LINE_MAX,
		     "vm %u #%lu: %s%s%s at IPA 0x%lx, %s, HVA 0x%lx: %s%s, M%u: %s\n", l->vm,
		     e->number, sources[e->source], e->source == TRACE_SLOT ? "" : " ",
		     e->source == TRACE_SLOT ? "" : accesses[e->access], e->ipa.v, slot,
		     gmem_is_hva(e->hva.v) ? 0 : e->hva.v, answer_name(e->answer), error,
		     reason_rule(e->why), reason_text(e->why));
	return min((size_t)n, (size_t)LINE_MAX - 1);
}

/* The events from *@next on. */
static size_t text_locked(char *buf, size_t size, u64 *next)
{
	char line[LINE_MAX];
	size_t used = 0, n;

	for (; *next < count; ++*next) {
		n = line_of(&ring[*next % LOG_ENTRIES], line);
		if (n > size - used)
			break;
		memcpy(buf + used, line, n);
		used += n;
	}
	return used;
}

/* How many events are not in the ring, if any. */
static size_t tell_lost(char *buf, size_t size, u64 overwritten)
{
	u64 gone = lost + overwritten;

	return gone ? (size_t)snprintf(buf, size, "%lu earlier events are lost\n", gone) : 0;
}

/* *@at: 0 at first; then the number of the event to begin with, and one. */
size_t kvm_trace(char *buf, size_t size, u64 *at)
{
	u64 oldest, next;
	size_t n = 0;

	if (!*at)
		report_each_vm(trace_log_vm);
	mutex_lock(&lock);
	oldest = count > LOG_ENTRIES ? count - LOG_ENTRIES : 0;
	if (!*at)
		n = tell_lost(buf, size, oldest);
	next = *at ? max(*at - 1, oldest) : oldest;
	n += text_locked(buf + n, size - n, &next);
	*at = next + 1;
	mutex_unlock(&lock);
	return n;
}
