/* SPDX-License-Identifier: Apache-2.0 */
/*
 * KVM_IRQFD: an eventfd that interrupts the guest when it is signalled, by its GSI. The line of a
 * level-triggered interrupt stays high. With RESAMPLE it falls when the guest ends the interrupt,
 * and another eventfd tells the device to look again; without, user space lowers it, as on Linux.
 */
#include <asm/poll.h>

#include "host/err.h"
#include "host/eventfd.h"
#include "host/page.h"
#include "host/task.h"
#include "kvm/irqchip.h"
#include "kvm/vgic.h"

struct irqfd {
	RB_ENTRY(irqfd) node;
	LIST_ENTRY(irqfd) resampler_link;
	LIST_ENTRY(irqfd) gone_link;
	struct vm *vm;
	struct eventfd *event;	  /* counted */
	struct eventfd *resample; /* counted, or NULL */
	u32 gsi;
	bool gone; /* the last descriptor of the event was closed; guarded by gone_lock */
	struct waiter waiter; /* of the event's queue */
};

static int compare(const struct irqfd *a, const struct irqfd *b)
{
	return a->event < b->event ? -1 : a->event > b->event;
}

RB_GENERATE_INTERNAL(irqfd_tree, irqfd, node, compare, static __maybe_unused)

void irqfds_init(struct irqfds *fds)
{
	RB_INIT(&fds->all);
	spin_init(&fds->lock);
	LIST_INIT(&fds->resamplers);
	spin_init(&fds->gone_lock);
	LIST_INIT(&fds->gone);
}

/* ---- the event's waiter: under its queue's lock */

/* A line that it holds high would stay so for good. */
static void let_line_fall(const struct irqfd *f)
{
	if (f->resample)
		irq_route_signal(f->vm, f->gsi, GSI_FALLS);
}

/* Nobody can signal it any more. It is freed by whoever ties or unties one next. */
static void hung_up(struct irqfd *f)
{
	struct irqfds *fds = &f->vm->irqfds;

	spin_lock(&fds->gone_lock);
	f->gone = true;
	LIST_INSERT_HEAD(&fds->gone, f, gone_link);
	spin_unlock(&fds->gone_lock);
	let_line_fall(f);
}

static void signalled(struct waiter *w, u32 key)
{
	struct irqfd *f = container_of(w, struct irqfd, waiter);
	u64 count;

	if (key & POLLIN && eventfd_take_in_waiter(f->event, &count))
		irq_route_signal(f->vm, f->gsi, GSI_RISES);
	if (key & POLLHUP)
		hung_up(f);
}

/* ---- all of a VM; under its lock */

static struct irqfd *find(struct vm *vm, struct eventfd *event)
{
	struct irqfd key = { .event = event };

	return RB_FIND(irqfd_tree, &vm->irqfds.all, &key);
}

static void unlink_irqfd(struct irqfd *f)
{
	struct irqfds *fds = &f->vm->irqfds;

	waitq_remove(&f->waiter);
	eventfd_unbind(f->event);
	RB_REMOVE(irqfd_tree, &fds->all, f);
	fds->count--;
	spin_lock(&fds->gone_lock);
	if (f->gone)
		LIST_REMOVE(f, gone_link);
	spin_unlock(&fds->gone_lock);
	if (!f->resample)
		return;
	spin_lock(&fds->lock);
	LIST_REMOVE(f, resampler_link);
	fds->resampler_count--;
	spin_unlock(&fds->lock);
	let_line_fall(f);
}

static void free_irqfd(struct irqfd *f)
{
	eventfd_put(f->event);
	if (f->resample)
		eventfd_put(f->resample);
	kfree(f);
}

static void link_irqfd(struct irqfd *f)
{
	struct irqfds *fds = &f->vm->irqfds;
	u64 count;

	RB_INSERT(irqfd_tree, &fds->all, f);
	fds->count++;
	if (f->resample) {
		spin_lock(&fds->lock);
		LIST_INSERT_HEAD(&fds->resamplers, f, resampler_link);
		fds->resampler_count++;
		spin_unlock(&fds->lock);
	}
	waitq_add(eventfd_waitq(f->event), &f->waiter);
	/* What was signalled before. */
	if (eventfd_take(f->event, &count))
		irq_route_signal(f->vm, f->gsi, GSI_RISES);
}

static struct irqfd *first_gone(struct irqfds *fds)
{
	struct irqfd *f;

	spin_lock(&fds->gone_lock);
	f = LIST_FIRST(&fds->gone);
	spin_unlock(&fds->gone_lock);
	return f;
}

static void free_gone(struct vm *vm)
{
	struct irqfd *f;

	while ((f = first_gone(&vm->irqfds))) {
		unlink_irqfd(f);
		free_irqfd(f);
		sched_point();
	}
}

/* ---- the ioctl */

struct eventfd *eventfd_of(s32 fd)
{
	struct file *f = fd_get(port_current()->files, fd);
	struct eventfd *e;

	if (!f)
		return ERR_PTR(-EBADF);
	e = eventfd_get(f);
	file_put(f);
	return e ? e : ERR_PTR(-EINVAL);
}

/* An event interrupts one VM, by one GSI. */
static int may_link(struct vm *vm, const struct irqfd *f)
{
	const struct irqfds *fds = &vm->irqfds;

	if (find(vm, f->event))
		return -EBUSY;
	if (fds->count == IRQFDS_MAX || (f->resample && fds->resampler_count == RESAMPLERS_MAX))
		return -ENOSPC;
	return eventfd_bind(f->event) ? 0 : -EBUSY;
}

static int link_new(struct vm *vm, struct irqfd *f)
{
	int error;

	mutex_lock(&vm->lock);
	free_gone(vm);
	error = may_link(vm, f);
	if (!error)
		link_irqfd(f);
	mutex_unlock(&vm->lock);
	if (error)
		free_irqfd(f);
	return error;
}

/* The caller holds the file of @event, so that it hangs up when the waiter is in its queue. */
static int assign_event(struct vm *vm, struct eventfd *event, const struct kvm_irqfd *a)
{
	struct eventfd *resample = NULL;
	struct irqfd *f;

	if (a->flags & KVM_IRQFD_FLAG_RESAMPLE)
		resample = eventfd_of((s32)a->resamplefd);
	if (IS_ERR(resample)) {
		eventfd_put(event);
		return (int)PTR_ERR(resample);
	}
	f = kzalloc(sizeof(*f));
	if (!f) {
		eventfd_put(event);
		if (resample)
			eventfd_put(resample);
		return -ENOMEM;
	}
	f->vm = vm;
	f->event = event;
	f->resample = resample;
	f->gsi = a->gsi;
	f->waiter.fn = signalled;
	return link_new(vm, f);
}

static int assign(struct vm *vm, const struct kvm_irqfd *a)
{
	struct file *file = fd_get(port_current()->files, (s32)a->fd);
	struct eventfd *event;
	int error;

	if (!file)
		return -EBADF;
	event = eventfd_get(file);
	error = event ? assign_event(vm, event, a) : -EINVAL;
	file_put(file);
	return error;
}

/* None that matches: nothing to do. */
static int deassign(struct vm *vm, const struct kvm_irqfd *a)
{
	struct eventfd *event = eventfd_of((s32)a->fd);
	struct irqfd *f;

	if (IS_ERR(event))
		return (int)PTR_ERR(event);
	mutex_lock(&vm->lock);
	free_gone(vm);
	f = find(vm, event);
	if (f && f->gsi == a->gsi)
		unlink_irqfd(f);
	else
		f = NULL;
	mutex_unlock(&vm->lock);
	if (f)
		free_irqfd(f);
	eventfd_put(event);
	return 0;
}

int irqfd_ioctl(struct vm *vm, hva_t arg)
{
	struct kvm_irqfd a;

	if (copy_from_user(&a, arg, sizeof(a)))
		return -EFAULT;
	if (a.flags & ~(KVM_IRQFD_FLAG_DEASSIGN | KVM_IRQFD_FLAG_RESAMPLE))
		return -EINVAL;
	if (a.flags & KVM_IRQFD_FLAG_DEASSIGN)
		return deassign(vm, &a);
	if (!vm->vgic || !vgic_is_initialised(vm->vgic))
		return -EAGAIN;
	return assign(vm, &a);
}

void irqfd_ended(struct vm *vm, u32 intid)
{
	struct irqfds *fds = &vm->irqfds;
	struct irqfd *f;

	if (!__atomic_load_n(&fds->resampler_count, __ATOMIC_RELAXED))
		return;
	spin_lock(&fds->lock);
	LIST_FOREACH (f, &fds->resamplers, resampler_link) {
		if (!irq_route_is_spi(vm, f->gsi, intid))
			continue;
		irq_route_signal(vm, f->gsi, GSI_FALLS);
		eventfd_signal(f->resample, 1);
	}
	spin_unlock(&fds->lock);
}

void irqfd_destroy(struct vm *vm)
{
	struct irqfd *f;

	while ((f = RB_ROOT(&vm->irqfds.all))) {
		unlink_irqfd(f);
		free_irqfd(f);
		sched_point();
	}
}
