/* SPDX-License-Identifier: Apache-2.0 */
/* KVM_DEV_TYPE_ARM_VGIC_V3: its creation and its attributes. */
#include "host/err.h"
#include "host/page.h"
#include "kvm/irqchip.h"
#include "kvm/vcpu.h"

static u64 ipa_limit(const struct vm *vm)
{
	return vm->memory.guest.s2.ipa_limit;
}

/* ---- creation */

/* vCPUs that are there already, in the order in which they were made. */
static void adopt_vcpus(struct vm *vm, struct vgic *g)
{
	for (u32 order = 0; order < vm->vcpu_count; order++) {
		for (u32 id = 0; id < VM_VCPUS_MAX; id++) {
			struct vcpu *v = vm->vcpus[id];

			if (v && v->order == order)
				vgic_vcpu_adopt(v, g);
		}
	}
}

static int create(struct device *d)
{
	struct vm *vm = d->vm;
	struct vgic *g;

	if (vm->vgic)
		return -EEXIST;
	if (vm->ran)
		return -EBUSY;
	g = kzalloc(sizeof(*g));
	if (!g)
		return -ENOMEM;
	vgic_init(g, &vgic_vcpu_ops, vm);
	adopt_vcpus(vm, g);
	__atomic_store_n(&vm->vgic, g, __ATOMIC_RELEASE);
	return 0;
}

/* ---- addresses */

#define REGION_INDEX(v) ((u32)(v)&0xfff)
#define REGION_FLAGS(v) ((v) >> 12 & 0xf)
#define REGION_BASE(v)	((v)&GENMASK(51, 16))
#define REGION_COUNT(v) ((u32)((v) >> 52))

static int region_set(struct vgic *g, u64 value, u64 limit)
{
	if (REGION_FLAGS(value))
		return -EINVAL;
	return vgic_place_redists(g, REGION_BASE(value), REGION_COUNT(value), REGION_INDEX(value),
				  limit);
}

static int address_set_locked(struct vm *vm, u64 attr, u64 value)
{
	struct vgic *g = vm->vgic;

	if (vm->vgic_placed)
		return -EBUSY;
	switch (attr) {
	case KVM_VGIC_V3_ADDR_TYPE_DIST: return vgic_place_dist(g, value, ipa_limit(vm));
	case KVM_VGIC_V3_ADDR_TYPE_REDIST: return vgic_place_all_redists(g, value, ipa_limit(vm));
	case KVM_VGIC_V3_ADDR_TYPE_REDIST_REGION: return region_set(g, value, ipa_limit(vm));
	}
	return -ENXIO;
}

static int address_set(struct vm *vm, const struct device_attr *a)
{
	u64 value;
	int error;

	if (copy_from_user(&value, a->addr, sizeof(value)))
		return -EFAULT;
	mutex_lock(&vm->lock);
	error = address_set_locked(vm, a->attr, value);
	mutex_unlock(&vm->lock);
	return error;
}

static int address_get_locked(const struct vgic *g, u64 attr, u64 *value)
{
	const struct vgic_region *r = vgic_region_of(g, 0);

	switch (attr) {
	case KVM_VGIC_V3_ADDR_TYPE_DIST: *value = g->dist_base; return 0;
	case KVM_VGIC_V3_ADDR_TYPE_REDIST:
		if (r && r->room)
			return -EINVAL;
		*value = r ? r->base : VGIC_NO_ADDRESS;
		return 0;
	case KVM_VGIC_V3_ADDR_TYPE_REDIST_REGION:
		if (r && !r->room)
			return -EINVAL;
		r = vgic_region_of(g, REGION_INDEX(*value));
		if (!r)
			return -ENOENT;
		*value = REGION_INDEX(*value) | r->base | (u64)r->room << 52;
		return 0;
	}
	return -ENXIO;
}

static int address_get(struct vm *vm, const struct device_attr *a)
{
	u64 value;
	int error;

	if (copy_from_user(&value, a->addr, sizeof(value)))
		return -EFAULT;
	mutex_lock(&vm->lock);
	error = address_get_locked(vm->vgic, a->attr, &value);
	mutex_unlock(&vm->lock);
	return error ? error : copy_to_user(a->addr, &value, sizeof(value));
}

/* ---- the number of interrupts, and the start */

static int irqs_set(struct vm *vm, const struct device_attr *a)
{
	int error = 0;
	u32 count;

	if (copy_from_user(&count, a->addr, sizeof(count)))
		return -EFAULT;
	if (count < VGIC_IRQS_MIN || count > VGIC_IRQS_MAX || count % 32)
		return -EINVAL;
	mutex_lock(&vm->lock);
	if (vm->vgic_irqs)
		error = -EBUSY;
	else
		vm->vgic_irqs = count;
	mutex_unlock(&vm->lock);
	return error;
}

static int irqs_get(struct vm *vm, const struct device_attr *a)
{
	u32 count;

	mutex_lock(&vm->lock);
	count = vm->vgic_irqs ? vm->vgic_irqs : VGIC_PRIVATE;
	mutex_unlock(&vm->lock);
	return copy_to_user(a->addr, &count, sizeof(count));
}

static int start(struct vm *vm)
{
	int error = 0;

	mutex_lock(&vm->lock);
	if (!vgic_is_initialised(vm->vgic)) {
		u32 irqs = vm->vgic_irqs ? vm->vgic_irqs : VGIC_IRQS_DEFAULT;

		error = vgic_start(vm->vgic, irqs - VGIC_PRIVATE);
		if (!error) {
			vm->vgic_irqs = irqs;
			irq_routes_reset(vm);
		}
	}
	mutex_unlock(&vm->lock);
	return error;
}

static int save_pending(struct vm *vm)
{
	int error;

	mutex_lock(&vm->lock);
	error = vgic_is_initialised(vm->vgic) ? vcpus_trylock(vm) : -ENXIO;
	if (!error) {
		error = vgic_lpis_save(vm->vgic);
		vcpus_unlock(vm);
	}
	mutex_unlock(&vm->lock);
	return error;
}

static int control_set(struct vm *vm, u64 attr)
{
	switch (attr) {
	case KVM_DEV_ARM_VGIC_CTRL_INIT: return start(vm);
	case KVM_DEV_ARM_VGIC_SAVE_PENDING_TABLES: return save_pending(vm);
	}
	return -ENXIO;
}

/* ---- registers */

#define ATTR_AFFINITY(a) ((a) >> 32)
#define ATTR_OFFSET(a)	 ((u32)(a))

/* Aff3 to Aff0, one byte each. */
static struct vcpu *vcpu_by_attr(struct vm *vm, u64 attr)
{
	u64 aff = ATTR_AFFINITY(attr), mpidr = (aff >> 24 & 0xff) << 32 | (aff & 0xffffff);

	for (u32 id = 0; id < VM_VCPUS_MAX; id++) {
		struct vcpu *v = vm_vcpu(vm, id);

		if (v && v->initialised && (v->cpu.reg[GR_MPIDR_EL1] & VGIC_AFFINITY) == mpidr)
			return v;
	}
	return NULL;
}

static int access_of(struct vm *vm, const struct device_attr *a, struct vgic_access *out)
{
	struct vcpu *v = NULL;

	if (a->group == KVM_DEV_ARM_VGIC_GRP_REDIST_REGS) {
		v = vcpu_by_attr(vm, a->attr);
		if (!v)
			return -EINVAL;
	}
	*out = (struct vgic_access){
		.frame = v ? VGIC_FRAME_REDIST : VGIC_FRAME_DIST,
		.cpu = v ? &v->vgic : NULL,
		.by = VGIC_BY_USER,
		.offset = ATTR_OFFSET(a->attr),
		.len = 4,
	};
	return 0;
}

enum direction { ATTR_GET, ATTR_SET };

/* What the vGIC is, and not what state it is in: there before it is started, too. */
static bool is_description(const struct device_attr *a)
{
	return a->group == KVM_DEV_ARM_VGIC_GRP_DIST_REGS &&
	       (ATTR_OFFSET(a->attr) == VGIC_GICD_IIDR || ATTR_OFFSET(a->attr) == VGIC_GICD_TYPER2);
}

/* nASSGIcap and all else that GICD_TYPER2 could tell is not there: user space may only agree. */
static int typer2_set(const struct vgic *g, u32 value)
{
	if (!value)
		return 0;
	return vgic_is_initialised(g) ? -EBUSY : -EINVAL;
}

/* GICD_IIDR, which user space writes to choose a revision, GICD_TYPER2 and all others. */
static int register_access(struct vgic *g, const struct vgic_access *a, enum direction dir,
			   u32 *value)
{
	if (!vgic_has_register(a))
		return -ENXIO;
	if (dir == ATTR_GET)
		*value = (u32)vgic_read(g, a);
	else if (a->frame == VGIC_FRAME_DIST && a->offset == VGIC_GICD_IIDR)
		return vgic_set_revision(g, *value);
	else if (a->frame == VGIC_FRAME_DIST && a->offset == VGIC_GICD_TYPER2)
		return typer2_set(g, *value);
	else
		vgic_write(g, a, *value);
	return 0;
}

/* With all vCPUs locked: nothing is in list registers, so all state is in memory. */
static int attr_locked(struct vm *vm, const struct device_attr *a, enum direction dir, u32 *value)
{
	struct vgic_access access;
	int error = access_of(vm, a, &access);

	return error ? error : register_access(vm->vgic, &access, dir, value);
}

#define LEVEL_INTID(a) ((u32)(a)&KVM_DEV_ARM_VGIC_LINE_LEVEL_INTID_MASK)
#define LEVEL_INFO(a)                                                                              \
	((u32)(a) >> KVM_DEV_ARM_VGIC_LINE_LEVEL_INFO_SHIFT &                                      \
	 KVM_DEV_ARM_VGIC_LINE_LEVEL_INFO_MASK >> KVM_DEV_ARM_VGIC_LINE_LEVEL_INFO_SHIFT)

static int level_locked(struct vm *vm, const struct device_attr *a, enum direction dir, u32 *value)
{
	struct vcpu *v = vcpu_by_attr(vm, a->attr);

	if (!v || LEVEL_INFO(a->attr) != VGIC_LEVEL_INFO_LINE_LEVEL || LEVEL_INTID(a->attr) % 32)
		return -EINVAL;
	if (dir == ATTR_GET) {
		*value = vgic_levels_get(vm->vgic, &v->vgic, LEVEL_INTID(a->attr));
		return 0;
	}
	vgic_levels_set(vm->vgic, &v->vgic, LEVEL_INTID(a->attr), *value);
	v->timer_level = TIMER_LEVEL_UNKNOWN;
	return 0;
}

/* Order of errors: no such vCPU, then a vCPU that runs, then a vGIC that was not started. */
static int state_access(struct vm *vm, const struct device_attr *a, enum direction dir, u32 *value)
{
	int error;

	if (a->group == KVM_DEV_ARM_VGIC_GRP_REDIST_REGS && !vcpu_by_attr(vm, a->attr))
		return -EINVAL;
	mutex_lock(&vm->lock);
	error = vcpus_trylock(vm);
	if (!error) {
		if (!vgic_is_initialised(vm->vgic) && !is_description(a))
			error = -EBUSY;
		else if (a->group == KVM_DEV_ARM_VGIC_GRP_LEVEL_INFO)
			error = level_locked(vm, a, dir, value);
		else
			error = attr_locked(vm, a, dir, value);
		vcpus_unlock(vm);
	}
	mutex_unlock(&vm->lock);
	return error;
}

static int state_set(struct vm *vm, const struct device_attr *a)
{
	u32 value;

	if (copy_from_user(&value, a->addr, sizeof(value)))
		return -EFAULT;
	return state_access(vm, a, ATTR_SET, &value);
}

static int state_get(struct vm *vm, const struct device_attr *a)
{
	u32 value = 0;
	int error = state_access(vm, a, ATTR_GET, &value);

	return error ? error : copy_to_user(a->addr, &value, sizeof(value));
}

/* ---- the CPU interface */

static int sysreg_access(struct vm *vm, const struct device_attr *a, enum direction dir, u64 *value)
{
	struct vcpu *v = vcpu_by_attr(vm, a->attr);
	int error;

	if (!v)
		return -EINVAL;
	mutex_lock(&vm->lock);
	error = vcpus_trylock(vm);
	if (!error) {
		if (!vgic_is_initialised(vm->vgic))
			error = -EBUSY;
		else if (dir == ATTR_GET)
			error = vgic_icc_get(v, (u16)a->attr, value);
		else
			error = vgic_icc_set(v, (u16)a->attr, *value);
		vcpus_unlock(vm);
	}
	mutex_unlock(&vm->lock);
	return error;
}

static int sysreg_attr_set(struct vm *vm, const struct device_attr *a)
{
	u64 value;

	if (copy_from_user(&value, a->addr, sizeof(value)))
		return -EFAULT;
	return sysreg_access(vm, a, ATTR_SET, &value);
}

static int sysreg_attr_get(struct vm *vm, const struct device_attr *a)
{
	u64 value = 0;
	int error = sysreg_access(vm, a, ATTR_GET, &value);

	return error ? error : copy_to_user(a->addr, &value, sizeof(value));
}

/* ---- the device */

static int set(struct device *d, const struct device_attr *a)
{
	struct vm *vm = d->vm;

	switch (a->group) {
	case KVM_DEV_ARM_VGIC_GRP_ADDR: return address_set(vm, a);
	case KVM_DEV_ARM_VGIC_GRP_NR_IRQS: return irqs_set(vm, a);
	case KVM_DEV_ARM_VGIC_GRP_CTRL: return control_set(vm, a->attr);
	case KVM_DEV_ARM_VGIC_GRP_CPU_SYSREGS: return sysreg_attr_set(vm, a);
	case KVM_DEV_ARM_VGIC_GRP_DIST_REGS:
	case KVM_DEV_ARM_VGIC_GRP_REDIST_REGS:
	case KVM_DEV_ARM_VGIC_GRP_LEVEL_INFO: return state_set(vm, a);
	}
	return -ENXIO;
}

static int get(struct device *d, const struct device_attr *a)
{
	struct vm *vm = d->vm;

	switch (a->group) {
	case KVM_DEV_ARM_VGIC_GRP_ADDR: return address_get(vm, a);
	case KVM_DEV_ARM_VGIC_GRP_NR_IRQS: return irqs_get(vm, a);
	case KVM_DEV_ARM_VGIC_GRP_CPU_SYSREGS: return sysreg_attr_get(vm, a);
	case KVM_DEV_ARM_VGIC_GRP_DIST_REGS:
	case KVM_DEV_ARM_VGIC_GRP_REDIST_REGS:
	case KVM_DEV_ARM_VGIC_GRP_LEVEL_INFO: return state_get(vm, a);
	}
	return -ENXIO;
}

static bool has_address(u64 attr)
{
	return attr == KVM_VGIC_V3_ADDR_TYPE_DIST || attr == KVM_VGIC_V3_ADDR_TYPE_REDIST ||
	       attr == KVM_VGIC_V3_ADDR_TYPE_REDIST_REGION;
}

static bool has_control(u64 attr)
{
	return attr == KVM_DEV_ARM_VGIC_CTRL_INIT || attr == KVM_DEV_ARM_VGIC_SAVE_PENDING_TABLES;
}

static int has_register(struct vm *vm, const struct device_attr *a)
{
	struct vgic_access access;
	int error = access_of(vm, a, &access);

	if (error)
		return error;
	return vgic_has_register(&access) ? 0 : -ENXIO;
}

static int has_sysreg(struct vm *vm, const struct device_attr *a)
{
	if (!vcpu_by_attr(vm, a->attr))
		return -EINVAL;
	return vgic_icc_is_there((u16)a->attr) ? 0 : -ENXIO;
}

static int has(struct device *d, const struct device_attr *a)
{
	struct vm *vm = d->vm;

	switch (a->group) {
	case KVM_DEV_ARM_VGIC_GRP_ADDR: return has_address(a->attr) ? 0 : -ENXIO;
	case KVM_DEV_ARM_VGIC_GRP_NR_IRQS: return 0;
	case KVM_DEV_ARM_VGIC_GRP_CTRL: return has_control(a->attr) ? 0 : -ENXIO;
	case KVM_DEV_ARM_VGIC_GRP_CPU_SYSREGS: return has_sysreg(vm, a);
	case KVM_DEV_ARM_VGIC_GRP_DIST_REGS:
	case KVM_DEV_ARM_VGIC_GRP_REDIST_REGS: return has_register(vm, a);
	case KVM_DEV_ARM_VGIC_GRP_LEVEL_INFO:
		return LEVEL_INFO(a->attr) == VGIC_LEVEL_INFO_LINE_LEVEL ? 0 : -ENXIO;
	}
	return -ENXIO;
}

const struct device_type vgic_device = {
	.name = "kvm-arm-vgic-v3",
	.create = create,
	.set = set,
	.get = get,
	.has = has,
};
