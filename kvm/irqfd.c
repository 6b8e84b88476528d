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
	LIST_ENTRY(irqfd) link;
	struct vm *vm;
	struct file *event;    /* counted */
	struct file *resample; /* counted, or NULL */
	u32 gsi;
	struct waiter waiter; /* of the event's queue */
};

/* Takes what was signalled, and interrupts. Under the event's queue's lock, or before others know.
 */
static void deliver(struct irqfd *f)
{
	u64 count;

	if (eventfd_take_in_waiter(f->event, &count))
		irq_route_signal(f->vm, f->gsi, GSI_RISES);
}

static void signalled(struct waiter *w, u32 key)
{
	if (key & POLLIN)
		deliver(container_of(w, struct irqfd, waiter));
}

/* ---- the list; under the VM's lock, and irqfd_lock for who walks it in a vCPU's thread */

static struct irqfd *find(const struct vm *vm, const struct file *event)
{
	struct irqfd *f;

	LIST_FOREACH (f, &vm->irqfds, link) {
		if (f->event == event)
			return f;
	}
	return NULL;
}

static void unlink_irqfd(struct irqfd *f)
{
	struct vm *vm = f->vm;

	waitq_remove(&f->waiter);
	spin_lock(&vm->irqfd_lock);
	LIST_REMOVE(f, link);
	if (f->resample)
		vm->resamplers--;
	spin_unlock(&vm->irqfd_lock);
	/* A line that it holds high would stay so for good. */
	if (f->resample)
		irq_route_signal(vm, f->gsi, GSI_FALLS);
}

static void free_irqfd(struct irqfd *f)
{
	file_put(f->event);
	if (f->resample)
		file_put(f->resample);
	kfree(f);
}

static void link_irqfd(struct irqfd *f)
{
	struct vm *vm = f->vm;
	u64 count;

	spin_lock(&vm->irqfd_lock);
	LIST_INSERT_HEAD(&vm->irqfds, f, link);
	if (f->resample)
		vm->resamplers++;
	spin_unlock(&vm->irqfd_lock);
	waitq_add(eventfd_waitq(f->event), &f->waiter);
	/* What was signalled before. */
	if (eventfd_take(f->event, &count))
		irq_route_signal(vm, f->gsi, GSI_RISES);
}

/* ---- the ioctl */

/* The eventfd that @fd names, counted; or ERR_PTR: -EBADF, -EINVAL. */
static struct file *eventfd_of(u32 fd)
{
	struct file *f = fd_get(port_current()->files, (int)fd);

	if (!f)
		return ERR_PTR(-EBADF);
	if (!file_is_eventfd(f)) {
		file_put(f);
		return ERR_PTR(-EINVAL);
	}
	return f;
}

static int assign(struct vm *vm, const struct kvm_irqfd *a)
{
	struct irqfd *f = kzalloc(sizeof(*f));
	int error = 0;

	if (!f)
		return -ENOMEM;
	f->vm = vm;
	f->gsi = a->gsi;
	f->waiter.fn = signalled;
	f->event = eventfd_of(a->fd);
	if (IS_ERR(f->event)) {
		error = (int)PTR_ERR(f->event);
		kfree(f);
		return error;
	}
	if (a->flags & KVM_IRQFD_FLAG_RESAMPLE)
		f->resample = eventfd_of(a->resamplefd);
	if (IS_ERR(f->resample)) {
		error = (int)PTR_ERR(f->resample);
		f->resample = NULL;
		free_irqfd(f);
		return error;
	}
	mutex_lock(&vm->lock);
	if (find(vm, f->event))
		error = -EBUSY;
	else
		link_irqfd(f);
	mutex_unlock(&vm->lock);
	if (error)
		free_irqfd(f);
	return error;
}

/* None that matches: nothing to do. */
static int deassign(struct vm *vm, const struct kvm_irqfd *a)
{
	struct file *event = eventfd_of(a->fd);
	struct irqfd *f;

	if (IS_ERR(event))
		return (int)PTR_ERR(event);
	mutex_lock(&vm->lock);
	f = find(vm, event);
	if (f && f->gsi == a->gsi)
		unlink_irqfd(f);
	else
		f = NULL;
	mutex_unlock(&vm->lock);
	if (f)
		free_irqfd(f);
	file_put(event);
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
	struct irqfd *f;

	if (!__atomic_load_n(&vm->resamplers, __ATOMIC_RELAXED))
		return;
	spin_lock(&vm->irqfd_lock);
	LIST_FOREACH (f, &vm->irqfds, link) {
		if (!f->resample || !irq_route_is_spi(vm, f->gsi, intid))
			continue;
		irq_route_signal(vm, f->gsi, GSI_FALLS);
		eventfd_signal(f->resample, 1);
	}
	spin_unlock(&vm->irqfd_lock);
}

void irqfd_destroy(struct vm *vm)
{
	struct irqfd *f;

	while ((f = LIST_FIRST(&vm->irqfds))) {
		unlink_irqfd(f);
		free_irqfd(f);
	}
}
