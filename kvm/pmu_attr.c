/* SPDX-License-Identifier: Apache-2.0 */
/* KVM_ARM_VCPU_PMU_V3_CTRL (Documentation/virt/kvm/devices/vcpu.rst). */
#include "kvm/pmu.h"

#include "host/page.h"
#include "host/string.h"
#include "kvm/irqchip.h"
#include "kvm/vcpu.h"

#ifndef KVM_ARM_VCPU_PMU_V3_SET_NR_COUNTERS /* of Linux 6.16 */
#define KVM_ARM_VCPU_PMU_V3_SET_NR_COUNTERS 4
#endif

/* ---- the interrupt */

static bool is_ppi(u32 intid)
{
	return intid >= VGIC_SGIS && intid < VGIC_PRIVATE;
}

/* A PPI is the same for all vCPUs; an SPI is one's own. */
static bool others_agree(const struct vm *vm, u32 intid)
{
	for (u32 id = 0; id < VM_VCPUS_MAX; id++) {
		const struct vcpu *v = vm->vcpus[id];

		if (v && v->pmu.intid && (v->pmu.intid == intid) != is_ppi(intid))
			return false;
	}
	return true;
}

static int intid_set(struct vcpu *v, hva_t arg)
{
	s32 intid;

	if (!v->vm->vgic)
		return -EINVAL;
	if (copy_from_user(&intid, arg, sizeof(intid)))
		return -EFAULT;
	if (intid < VGIC_SGIS || intid >= VGIC_SPECIAL || !others_agree(v->vm, (u32)intid))
		return -EINVAL;
	if (v->pmu.intid)
		return -EBUSY;
	v->pmu.intid = (u32)intid;
	return 0;
}

static int intid_get(struct vcpu *v, hva_t arg)
{
	s32 intid = (s32)v->pmu.intid;

	if (!v->vm->vgic)
		return -EINVAL;
	if (!pmu_is_there(v->vm))
		return -ENODEV;
	return intid ? copy_to_user(arg, &intid, sizeof(intid)) : -ENXIO;
}

static int init(struct vcpu *v)
{
	const struct vm *vm = v->vm;

	if (vm->vgic) {
		if (!vgic_is_initialised(vm->vgic))
			return -ENODEV;
		if (!v->pmu.intid)
			return -ENXIO;
		if (v->pmu.intid >= vm->vgic_irqs)
			return -EINVAL;
	}
	v->pmu.ready = true;
	return 0;
}

/* ---- the event filter */

#define FILTER_BYTES (BIT(16) / 8)

static int filter_check(const struct vm *vm, const struct kvm_pmu_event_filter *f)
{
	u64 events = pmu_event_mask(pmu_version_limit()) + 1;

	if ((u32)f->base_event + f->nevents > events)
		return -EINVAL;
	if (f->action != KVM_PMU_EVENT_ALLOW && f->action != KVM_PMU_EVENT_DENY)
		return -EINVAL;
	return vm->ran ? -EBUSY : 0;
}

/* The first range decides about all events that no range names. */
static u8 *filter_alloc(u8 first_action)
{
	u8 *filter = kzalloc(FILTER_BYTES);

	if (filter && first_action == KVM_PMU_EVENT_DENY)
		memset(filter, 0xff, FILTER_BYTES);
	return filter;
}

static int filter_add(struct vm *vm, hva_t arg)
{
	struct kvm_pmu_event_filter f;
	int error;

	if (copy_from_user(&f, arg, sizeof(f)))
		return -EFAULT;
	error = filter_check(vm, &f);
	if (error)
		return error;
	if (!vm->pmu_filter) /* other vCPUs' ioctls look at it */
		__atomic_store_n(&vm->pmu_filter, filter_alloc(f.action), __ATOMIC_RELEASE);
	if (!vm->pmu_filter)
		return -ENOMEM;
	for (u32 event = f.base_event; event < (u32)f.base_event + f.nevents; event++) {
		if (f.action == KVM_PMU_EVENT_ALLOW)
			vm->pmu_filter[event / 8] |= (u8)BIT(event % 8);
		else
			vm->pmu_filter[event / 8] &= (u8)~BIT(event % 8);
	}
	return 0;
}

/* ---- which PMU, and how many counters */

/* The one PMU there is, which every VM has anyway; with all its counters. */
static int pmu_choose(struct vm *vm, hva_t arg)
{
	s32 identifier;

	if (copy_from_user(&identifier, arg, sizeof(identifier)))
		return -EFAULT;
	if (identifier != PMU_IDENTIFIER)
		return -ENXIO;
	if (vm->ran)
		return -EBUSY;
	vm->pmu_counters = port_pmu()->counters;
	return 0;
}

static int counters_set(struct vm *vm, hva_t arg)
{
	u32 counters;

	if (copy_from_user(&counters, arg, sizeof(counters)))
		return -EFAULT;
	if (vm->ran)
		return -EBUSY;
	if (counters > port_pmu()->counters)
		return -EINVAL;
	vm->pmu_counters = counters;
	return 0;
}

/* ---- the attributes */

static int set_locked(struct vcpu *v, const struct kvm_device_attr *a)
{
	if (!pmu_is_there(v->vm))
		return -ENODEV;
	if (v->pmu.ready)
		return -EBUSY;
	switch (a->attr) {
	case KVM_ARM_VCPU_PMU_V3_IRQ: return intid_set(v, HVA(a->addr));
	case KVM_ARM_VCPU_PMU_V3_INIT: return init(v);
	case KVM_ARM_VCPU_PMU_V3_FILTER: return filter_add(v->vm, HVA(a->addr));
	case KVM_ARM_VCPU_PMU_V3_SET_PMU: return pmu_choose(v->vm, HVA(a->addr));
	case KVM_ARM_VCPU_PMU_V3_SET_NR_COUNTERS: return counters_set(v->vm, HVA(a->addr));
	}
	return -ENXIO;
}

int pmu_attribute(struct vcpu *v, u32 cmd, const struct kvm_device_attr *a)
{
	int error;

	if (cmd == KVM_GET_DEVICE_ATTR)
		return a->attr == KVM_ARM_VCPU_PMU_V3_IRQ ? intid_get(v, HVA(a->addr)) : -ENXIO;
	if (cmd == KVM_HAS_DEVICE_ATTR)
		return a->attr <= KVM_ARM_VCPU_PMU_V3_SET_NR_COUNTERS && pmu_is_there(v->vm)
			       ? 0
			       : -ENXIO;
	mutex_lock(&v->vm->lock);
	error = set_locked(v, a);
	mutex_unlock(&v->vm->lock);
	return error;
}
