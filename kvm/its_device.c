/* SPDX-License-Identifier: Apache-2.0 */
/* KVM_DEV_TYPE_ARM_VGIC_ITS: its creation, attributes and frame, and messages that go to it. */
#include "host/err.h"
#include "host/page.h"
#include "host/task.h"
#include "kvm/irqchip.h"
#include "kvm/its.h"
#include "kvm/vcpu.h"

struct vm_its {
	struct its its;
	struct mutex mutex; /* its registers and tables */
};

static u64 base_of(const struct vm_its *i)
{
	return __atomic_load_n(&i->its.base, __ATOMIC_ACQUIRE);
}

static int create(struct device *d)
{
	struct vm *vm = d->vm;
	struct vm_its *i;

	if (!vm->vgic)
		return -ENODEV;
	if (vm->ran)
		return -EBUSY;
	if (vm->its_count == VM_ITS_MAX)
		return -ENOSPC;
	i = kzalloc(sizeof(*i));
	if (!i)
		return -ENOMEM;
	its_init(&i->its, vm->vgic);
	mutex_init(&i->mutex);
	vm->vgic->has_lpis = true;
	vm->its[vm->its_count] = i;
	__atomic_store_n(&vm->its_count, vm->its_count + 1, __ATOMIC_RELEASE);
	d->state = i;
	return 0;
}

void its_devices_destroy(struct vm *vm)
{
	for (u32 n = 0; n < vm->its_count; n++) {
		its_destroy(&vm->its[n]->its);
		kfree(vm->its[n]);
	}
}

/* ---- from guests and devices */

/* Whose range of @size bytes from its base holds @address, or NULL. */
static struct vm_its *its_at(const struct vm *vm, u64 address, u64 size)
{
	u32 count = __atomic_load_n(&vm->its_count, __ATOMIC_ACQUIRE);

	for (u32 n = 0; n < count; n++) {
		u64 base = base_of(vm->its[n]);

		if (base != VGIC_NO_ADDRESS && address - base < size)
			return vm->its[n];
	}
	return NULL;
}

/* Until a signal waits: then the vCPU goes on with it before its next entry. Another that accesses
 * the ITS meanwhile waits for one command at most. */
static void process(struct vm_its *i, struct vcpu *v)
{
	bool more;

	do {
		mutex_lock(&i->mutex);
		more = its_process(&i->its);
		mutex_unlock(&i->mutex);
		sched_point();
	} while (more && !task_signal_pending(port_current()));
	if (more)
		vcpu_request(v, VCPU_REQ_ITS);
}

void its_go_on(struct vcpu *v)
{
	for (u32 n = 0; n < v->vm->its_count; n++)
		process(v->vm->its[n], v);
}

bool its_mmio(struct vcpu *v, const struct fault_outcome *o, u64 *data)
{
	struct vm_its *i = its_at(v->vm, o->ipa.v, ITS_SIZE);
	u32 offset;

	if (!i)
		return false;
	offset = (u32)(o->ipa.v - base_of(i));
	mutex_lock(&i->mutex);
	if (o->is_write)
		its_write(&i->its, offset, o->len, *data);
	else
		*data = its_read(&i->its, offset, o->len);
	mutex_unlock(&i->mutex);
	if (o->is_write)
		process(i, v);
	return true;
}

int its_signal(struct vm *vm, const struct msi *m)
{
	struct vm_its *i = its_at(vm, m->address - ITS_TRANSLATER, 1);

	if (!vm->its_count)
		return -ENODEV;
	if (!i || !m->has_device)
		return -EINVAL;
	return its_trigger(&i->its, m->device, m->data);
}

/* ---- attributes */

static int address_check(const struct vm_its *i, u64 base, u64 limit)
{
	if (base_of(i) != VGIC_NO_ADDRESS)
		return -EEXIST;
	if (!IS_ALIGNED(base, 0x10000UL))
		return -EINVAL;
	return base >= limit || limit - base < ITS_SIZE ? -E2BIG : 0;
}

static int address_set(struct device *d, const struct device_attr *a)
{
	struct vm_its *i = d->state;
	u64 base;
	int error;

	if (a->attr != KVM_VGIC_ITS_ADDR_TYPE)
		return -ENODEV;
	if (copy_from_user(&base, a->addr, sizeof(base)))
		return -EFAULT;
	mutex_lock(&d->vm->lock);
	error = address_check(i, base, d->vm->memory.guest.s2.ipa_limit);
	if (!error)
		__atomic_store_n(&i->its.base, base, __ATOMIC_RELEASE);
	mutex_unlock(&d->vm->lock);
	return error;
}

static int address_get(struct device *d, const struct device_attr *a)
{
	u64 base = base_of(d->state);

	if (a->attr != KVM_VGIC_ITS_ADDR_TYPE)
		return -ENODEV;
	return copy_to_user(a->addr, &base, sizeof(base));
}

/* What is done with all vCPUs stopped. */
enum its_action { ACT_SAVE, ACT_RESTORE, ACT_RESET, ACT_GET, ACT_SET };

static int set_register(struct its *t, u32 offset, u64 value)
{
	int error = its_reg_set(t, offset, value);

	while (!error && its_process(t) && !task_kill_pending(port_current()))
		sched_point();
	return error;
}

static int act_locked(struct its *t, enum its_action action, u32 offset, u64 *value)
{
	switch (action) {
	case ACT_SAVE: return its_tables_save(t);
	case ACT_RESTORE: return its_tables_restore(t);
	case ACT_RESET: its_reset(t); return 0;
	case ACT_GET: return its_reg_get(t, offset, value);
	case ACT_SET: return set_register(t, offset, *value);
	}
	return -ENXIO;
}

static int act(struct device *d, enum its_action action, u32 offset, u64 *value)
{
	struct vm_its *i = d->state;
	int error;

	if (base_of(i) == VGIC_NO_ADDRESS && (action == ACT_GET || action == ACT_SET))
		return -ENXIO;
	mutex_lock(&d->vm->lock);
	error = vcpus_trylock(d->vm);
	if (!error) {
		mutex_lock(&i->mutex);
		error = act_locked(&i->its, action, offset, value);
		mutex_unlock(&i->mutex);
		vcpus_unlock(d->vm);
	}
	mutex_unlock(&d->vm->lock);
	return error;
}

static int control_set(struct device *d, u64 attr)
{
	switch (attr) {
	case KVM_DEV_ARM_VGIC_CTRL_INIT: return 0; /* it has nothing to be done first */
	case KVM_DEV_ARM_ITS_SAVE_TABLES: return act(d, ACT_SAVE, 0, NULL);
	case KVM_DEV_ARM_ITS_RESTORE_TABLES: return act(d, ACT_RESTORE, 0, NULL);
	case KVM_DEV_ARM_ITS_CTRL_RESET: return act(d, ACT_RESET, 0, NULL);
	}
	return -ENXIO;
}

static int register_set(struct device *d, const struct device_attr *a)
{
	u64 value;

	if (copy_from_user(&value, a->addr, sizeof(value)))
		return -EFAULT;
	if (a->attr >> 32)
		return -ENXIO;
	return act(d, ACT_SET, (u32)a->attr, &value);
}

static int register_get(struct device *d, const struct device_attr *a)
{
	u64 value = 0;
	int error;

	if (a->attr >> 32)
		return -ENXIO;
	error = act(d, ACT_GET, (u32)a->attr, &value);
	return error ? error : copy_to_user(a->addr, &value, sizeof(value));
}

static int set(struct device *d, const struct device_attr *a)
{
	switch (a->group) {
	case KVM_DEV_ARM_VGIC_GRP_ADDR: return address_set(d, a);
	case KVM_DEV_ARM_VGIC_GRP_CTRL: return control_set(d, a->attr);
	case KVM_DEV_ARM_VGIC_GRP_ITS_REGS: return register_set(d, a);
	}
	return -ENXIO;
}

static int get(struct device *d, const struct device_attr *a)
{
	switch (a->group) {
	case KVM_DEV_ARM_VGIC_GRP_ADDR: return address_get(d, a);
	case KVM_DEV_ARM_VGIC_GRP_ITS_REGS: return register_get(d, a);
	}
	return -ENXIO;
}

static bool has_control(u64 attr)
{
	return attr == KVM_DEV_ARM_VGIC_CTRL_INIT || attr == KVM_DEV_ARM_ITS_SAVE_TABLES ||
	       attr == KVM_DEV_ARM_ITS_RESTORE_TABLES || attr == KVM_DEV_ARM_ITS_CTRL_RESET;
}

static int has(struct device *d, const struct device_attr *a)
{
	(void)d;
	switch (a->group) {
	case KVM_DEV_ARM_VGIC_GRP_ADDR: return a->attr == KVM_VGIC_ITS_ADDR_TYPE ? 0 : -ENXIO;
	case KVM_DEV_ARM_VGIC_GRP_CTRL: return has_control(a->attr) ? 0 : -ENXIO;
	case KVM_DEV_ARM_VGIC_GRP_ITS_REGS:
		return a->attr >> 32 ? -ENXIO : its_reg_has((u32)a->attr);
	}
	return -ENXIO;
}

const struct device_type its_device = {
	.name = "kvm-arm-vgic-its",
	.create = create,
	.set = set,
	.get = get,
	.has = has,
};
