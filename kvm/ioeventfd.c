/* SPDX-License-Identifier: Apache-2.0 */
/*
 * KVM_IOEVENTFD: a guest's write to an address signals an eventfd, and the guest goes on. The table
 * is sorted by address, replaced as a whole and read without a lock; the old one is freed after a
 * grace period.
 */
#include "host/err.h"
#include "host/eventfd.h"
#include "host/page.h"
#include "host/string.h"
#include "host/task.h"
#include "kvm/irqchip.h"

enum { IOEVENTFDS_MAX = 1000 };

struct ioeventfd {
	u64 addr;
	u64 data;	       /* if @matches */
	struct eventfd *event; /* counted */
	u8 len;		       /* 0: any */
	bool matches;
	bool pio; /* never hit: guests have no port I/O */
};

struct ioeventfds {
	struct grace_work work;
	struct eventfd *gone; /* what the next table has no more; dropped with this one */
	u32 count;
	struct ioeventfd at[];
};

static void free_table(struct grace_work *work)
{
	struct ioeventfds *t = container_of(work, struct ioeventfds, work);

	if (t->gone)
		eventfd_put(t->gone);
	kfree(t);
}

/* The first entry whose address is not below @addr. */
static u32 lower_bound(const struct ioeventfds *t, u64 addr)
{
	u32 low = 0, high = t->count;

	while (low < high) {
		u32 mid = (low + high) / 2;

		if (t->at[mid].addr < addr)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

static bool is_hit(const struct ioeventfd *e, u32 len, u64 data)
{
	return !e->pio && (!e->len || e->len == len) && (!e->matches || e->data == data);
}

bool ioeventfd_write(struct vm *vm, u64 addr, u32 len, u64 data)
{
	const struct ioeventfds *t = __atomic_load_n(&vm->ioeventfds, __ATOMIC_ACQUIRE);

	if (!t)
		return false;
	for (u32 i = lower_bound(t, addr); i < t->count && t->at[i].addr == addr; i++) {
		if (is_hit(&t->at[i], len, data)) {
			eventfd_signal(t->at[i].event, 1);
			return true;
		}
	}
	return false;
}

/* ---- changes; under the VM's lock */

/* Would one write hit both? */
static bool collide(const struct ioeventfd *a, const struct ioeventfd *b)
{
	if (a->addr != b->addr || a->pio != b->pio)
		return false;
	if (!a->len || !b->len)
		return true;
	return a->len == b->len && (!a->matches || !b->matches || a->data == b->data);
}

static bool is_same(const struct ioeventfd *a, const struct ioeventfd *b)
{
	return a->event == b->event && a->addr == b->addr && a->len == b->len && a->pio == b->pio &&
	       a->matches == b->matches && (!a->matches || a->data == b->data);
}

static struct ioeventfds *table_new(u32 count)
{
	struct ioeventfds *t = kzalloc(sizeof(*t) + count * sizeof(struct ioeventfd));

	if (t)
		t->count = count;
	return t;
}

static void replace(struct vm *vm, struct ioeventfds *old, struct ioeventfds *t,
		    struct eventfd *gone)
{
	__atomic_store_n(&vm->ioeventfds, t, __ATOMIC_RELEASE);
	if (!old)
		return;
	old->gone = gone;
	sched_after_grace(&old->work, free_table);
}

static int add(struct vm *vm, const struct ioeventfd *e)
{
	struct ioeventfds *old = vm->ioeventfds, *t;
	u32 count = old ? old->count : 0, at = old ? lower_bound(old, e->addr) : 0;

	for (u32 i = at; i < count && old->at[i].addr == e->addr; i++) {
		if (collide(&old->at[i], e))
			return -EEXIST;
	}
	if (count == IOEVENTFDS_MAX)
		return -ENOSPC;
	t = table_new(count + 1);
	if (!t)
		return -ENOMEM;
	if (at)
		memcpy(t->at, old->at, at * sizeof(*e));
	t->at[at] = *e;
	if (count > at)
		memcpy(&t->at[at + 1], &old->at[at], (count - at) * sizeof(*e));
	replace(vm, old, t, NULL);
	return 0;
}

static int take_out(struct vm *vm, const struct ioeventfd *e)
{
	struct ioeventfds *old = vm->ioeventfds, *t;
	u32 count = old ? old->count : 0, at = 0;

	while (at < count && !is_same(&old->at[at], e))
		at++;
	if (at == count)
		return -ENOENT;
	t = table_new(count - 1);
	if (!t)
		return -ENOMEM;
	memcpy(t->at, old->at, at * sizeof(*e));
	memcpy(&t->at[at], &old->at[at + 1], (count - 1 - at) * sizeof(*e));
	replace(vm, old, t, old->at[at].event);
	return 0;
}

/* ---- the ioctl */

#define FLAGS_KNOWN                                                                                \
	(KVM_IOEVENTFD_FLAG_DATAMATCH | KVM_IOEVENTFD_FLAG_PIO | KVM_IOEVENTFD_FLAG_DEASSIGN)

static bool is_valid(const struct kvm_ioeventfd *a)
{
	bool length = a->len == 0 || a->len == 1 || a->len == 2 || a->len == 4 || a->len == 8;

	return length && !(a->flags & ~FLAGS_KNOWN) && a->addr + a->len >= a->addr &&
	       !(a->len == 0 && (a->flags & KVM_IOEVENTFD_FLAG_DATAMATCH));
}

int ioeventfd_ioctl(struct vm *vm, hva_t arg)
{
	struct kvm_ioeventfd a;
	struct ioeventfd e;
	int error;

	if (copy_from_user(&a, arg, sizeof(a)))
		return -EFAULT;
	if (!is_valid(&a))
		return -EINVAL;
	e = (struct ioeventfd){
		.addr = a.addr,
		.data = a.datamatch,
		.len = (u8)a.len,
		.matches = a.flags & KVM_IOEVENTFD_FLAG_DATAMATCH,
		.pio = a.flags & KVM_IOEVENTFD_FLAG_PIO,
		.event = eventfd_of(a.fd),
	};
	if (IS_ERR(e.event))
		return (int)PTR_ERR(e.event);
	mutex_lock(&vm->lock);
	error = a.flags & KVM_IOEVENTFD_FLAG_DEASSIGN ? take_out(vm, &e) : add(vm, &e);
	mutex_unlock(&vm->lock);
	/* What was added keeps the reference. */
	if (error || (a.flags & KVM_IOEVENTFD_FLAG_DEASSIGN))
		eventfd_put(e.event);
	return error;
}

void ioeventfd_destroy(struct vm *vm)
{
	struct ioeventfds *t = vm->ioeventfds;

	for (u32 i = 0; t && i < t->count; i++)
		eventfd_put(t->at[i].event);
	kfree(t);
}
