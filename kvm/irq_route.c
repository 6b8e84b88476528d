/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a GSI stands for: an SPI, or a message to an ITS (KVM_SET_GSI_ROUTING). The table is
 * replaced as a whole and read without a lock; the old one is freed after a grace period.
 */
#include "host/err.h"
#include "host/page.h"
#include "kvm/irqchip.h"
#include "kvm/vgic.h"

enum { PINS = VGIC_SPECIAL - VGIC_PRIVATE };

enum gsi_kind { GSI_NOTHING, GSI_PIN, GSI_MSI };

struct route {
	u8 kind;
	u32 pin; /* SPI 0 is INTID 32 */
	struct msi msi;
};

struct irq_routes {
	struct grace_work work;
	u32 count; /* GSIs */
	struct route by_gsi[];
};

static void free_routes(struct grace_work *work)
{
	kfree(container_of(work, struct irq_routes, work));
}

/* -EINVAL: what the entry names does not exist. */
static int route_of(const struct kvm_irq_routing_entry *e, struct route *r)
{
	switch (e->type) {
	case KVM_IRQ_ROUTING_IRQCHIP:
		if (e->flags || e->u.irqchip.irqchip || e->u.irqchip.pin >= PINS)
			return -EINVAL;
		r->kind = GSI_PIN;
		r->pin = e->u.irqchip.pin;
		return 0;
	case KVM_IRQ_ROUTING_MSI:
		if (e->flags & ~KVM_MSI_VALID_DEVID)
			return -EINVAL;
		r->kind = GSI_MSI;
		r->msi = (struct msi){
			.address = e->u.msi.address_lo | (u64)e->u.msi.address_hi << 32,
			.data = e->u.msi.data,
			.device = e->u.msi.devid,
			.has_device = e->flags & KVM_MSI_VALID_DEVID,
		};
		return 0;
	}
	return -EINVAL;
}

static hva_t entry_at(hva_t arg, u32 i)
{
	return HVA(arg.v + sizeof(struct kvm_irq_routing) +
		   i * sizeof(struct kvm_irq_routing_entry));
}

/* One more than the highest GSI of @n entries; or an error. */
static s32 count_gsis(hva_t arg, u32 n)
{
	struct kvm_irq_routing_entry e;
	u32 count = 0;

	for (u32 i = 0; i < n; i++) {
		if (copy_from_user(&e, entry_at(arg, i), sizeof(e)))
			return -EFAULT;
		if (e.gsi >= IRQ_ROUTES_MAX)
			return -EINVAL;
		count = max(count, e.gsi + 1);
	}
	return (s32)count;
}

/* Each GSI stands for one thing. Another thread may have changed the entry meanwhile. */
static int add_entry(struct irq_routes *table, hva_t at)
{
	struct kvm_irq_routing_entry e;

	if (copy_from_user(&e, at, sizeof(e)))
		return -EFAULT;
	if (e.gsi >= table->count || table->by_gsi[e.gsi].kind != GSI_NOTHING)
		return -EINVAL;
	return route_of(&e, &table->by_gsi[e.gsi]);
}

/* Under the VM's lock. */
static void publish(struct vm *vm, struct irq_routes *table)
{
	struct irq_routes *old = vm->routes;

	__atomic_store_n(&vm->routes, table, __ATOMIC_RELEASE);
	if (old)
		sched_after_grace(&old->work, free_routes);
}

void irq_routes_reset(struct vm *vm)
{
	publish(vm, NULL);
}

int irq_routes_set(struct vm *vm, hva_t arg)
{
	struct kvm_irq_routing head;
	struct irq_routes *table;
	s32 count;
	int error = 0;

	if (copy_from_user(&head, arg, sizeof(head)))
		return -EFAULT;
	if (head.nr > IRQ_ROUTES_MAX || head.flags)
		return -EINVAL;
	count = count_gsis(arg, head.nr);
	if (count < 0)
		return count;
	table = kzalloc(sizeof(*table) + (u32)count * sizeof(struct route));
	if (!table)
		return -ENOMEM;
	table->count = (u32)count;
	for (u32 i = 0; i < head.nr && !error; i++)
		error = add_entry(table, entry_at(arg, i));
	if (error) {
		kfree(table);
		return error;
	}
	mutex_lock(&vm->lock);
	publish(vm, table);
	mutex_unlock(&vm->lock);
	return 0;
}

void irq_routes_destroy(struct vm *vm)
{
	kfree(vm->routes);
}

/* Until user space says otherwise, GSI n is SPI n. */
static struct route look_up(const struct vm *vm, u32 gsi)
{
	const struct irq_routes *table = __atomic_load_n(&vm->routes, __ATOMIC_ACQUIRE);

	if (!table)
		return (struct route){ .kind = gsi < PINS ? GSI_PIN : GSI_NOTHING, .pin = gsi };
	return gsi < table->count ? table->by_gsi[gsi] : (struct route){ .kind = GSI_NOTHING };
}

void irq_route_signal(struct vm *vm, u32 gsi, enum gsi_event event)
{
	struct route r = look_up(vm, gsi);

	switch ((enum gsi_kind)r.kind) {
	case GSI_NOTHING: return;
	case GSI_PIN:
		(void)vgic_line(vm->vgic, NULL, VGIC_PRIVATE + r.pin, event == GSI_RISES);
		return;
	case GSI_MSI:
		if (event == GSI_RISES)
			(void)its_signal(vm, &r.msi);
		return;
	}
}

bool irq_route_is_spi(const struct vm *vm, u32 gsi, u32 intid)
{
	struct route r = look_up(vm, gsi);

	return r.kind == GSI_PIN && VGIC_PRIVATE + r.pin == intid;
}

/* ---- messages */

int msi_ioctl(struct vm *vm, hva_t arg)
{
	struct kvm_msi a;
	struct msi m;

	if (copy_from_user(&a, arg, sizeof(a)))
		return -EFAULT;
	if (!vm->vgic || (a.flags & ~KVM_MSI_VALID_DEVID))
		return -EINVAL;
	m = (struct msi){
		.address = a.address_lo | (u64)a.address_hi << 32,
		.data = a.data,
		.device = a.devid,
		.has_device = a.flags & KVM_MSI_VALID_DEVID,
	};
	return its_signal(vm, &m);
}
