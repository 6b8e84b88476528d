/* SPDX-License-Identifier: Apache-2.0 */
/* The vCPU object: its descriptor, its shared page, its ioctls, and how others get its attention.
 */
#include "kvm/vcpu.h"

#include <asm-generic/fcntl.h>

#include "host/driver.h"
#include "host/page.h"
#include "kvm/debug.h"
#include "kvm/stats.h"

/* ---- attention */

/*
 * Pairs with the entry protocol in run.c: the request is visible before mode is read here, IN_GUEST
 * before the requests are read there.
 */
void vcpu_request(struct vcpu *v, u32 requests)
{
	__atomic_fetch_or(&v->requests, requests, __ATOMIC_SEQ_CST);
	waitq_wake(&v->wait, WAKE_ALL, 0);
	if (__atomic_load_n(&v->mode, __ATOMIC_SEQ_CST) == VCPU_IN_GUEST)
		port_ipi_resched(__atomic_load_n(&v->on_cpu, __ATOMIC_RELAXED));
}

/* ---- the shared page */

static int run_fault(struct vma *vma, hva_t addr, enum host_access access)
{
	struct vcpu *v = vma->priv;
	u64 index = (vma->offset + addr.v - vma->start.v) >> PAGE_SHIFT;
	struct page *page;

	if (index == 0)
		page = v->run_page;
	else if (index == KVM_COALESCED_MMIO_PAGE_OFFSET)
		page = v->vm->coalesced_page;
	else
		page = ring_page(v, index);
	if (!page)
		return -EIO;
	return vma_insert_page(vma, HVA(ALIGN_DOWN(addr.v, PAGE_SIZE)), page_get(page), access);
}

static const struct vma_ops run_vma_ops = { .fault = run_fault };

/* Does the mapping reach into the ring? */
static bool maps_ring(const struct vcpu *v, const struct vma *vma)
{
	u64 first = vma->offset >> PAGE_SHIFT;
	u64 last = first + ((vma->end.v - vma->start.v) >> PAGE_SHIFT) - 1;

	return ring_page(v, first) || ring_page(v, last);
}

static int vcpu_mmap(struct file *f, struct vma *vma)
{
	if (maps_ring(f->priv, vma) && (vma->flags & (VM_SHARED | VM_EXEC)) != VM_SHARED)
		return -EINVAL;
	vma->ops = &run_vma_ops;
	vma->priv = f->priv;
	return 0;
}

/* ---- ioctls */

static int get_mp_state(struct vcpu *v, hva_t arg)
{
	struct kvm_mp_state s = { .mp_state = __atomic_load_n(&v->mp_state, __ATOMIC_ACQUIRE) };

	return copy_to_user(arg, &s, sizeof(s));
}

static int set_mp_state(struct vcpu *v, hva_t arg)
{
	struct kvm_mp_state s;
	u32 request;

	if (copy_from_user(&s, arg, sizeof(s)))
		return -EFAULT;
	switch (s.mp_state) {
	case KVM_MP_STATE_RUNNABLE: request = 0; break;
	case KVM_MP_STATE_STOPPED: request = VCPU_REQ_SLEEP; break;
	case KVM_MP_STATE_SUSPENDED: request = VCPU_REQ_SUSPEND; break;
	default: return -EINVAL;
	}
	__atomic_store_n(&v->mp_state, s.mp_state, __ATOMIC_RELEASE);
	vcpu_request(v, request);
	return 0;
}

static int get_events(struct vcpu *v, hva_t arg)
{
	struct kvm_vcpu_events e = { 0 };

	e.exception.serror_pending = (v->cpu.hcr & GUEST_HCR_VSE) != 0;
	return copy_to_user(arg, &e, sizeof(e));
}

static bool events_are_valid(const struct kvm_vcpu_events *e)
{
	for (unsigned int i = 0; i < ARRAY_SIZE(e->reserved); i++) {
		if (e->reserved[i])
			return false;
	}
	for (unsigned int i = 0; i < ARRAY_SIZE(e->exception.pad); i++) {
		if (e->exception.pad[i])
			return false;
	}
	/* Guests see no RAS extension: an SError has no syndrome. */
	return !(e->exception.serror_pending && e->exception.serror_has_esr);
}

static int set_events(struct vcpu *v, hva_t arg)
{
	struct kvm_vcpu_events e;

	if (copy_from_user(&e, arg, sizeof(e)))
		return -EFAULT;
	if (!events_are_valid(&e))
		return -EINVAL;
	if (e.exception.serror_pending)
		inject_serror(v);
	if (e.exception.ext_dabt_pending) {
		/* The answer to an MMIO exit: the instruction is not completed. */
		v->mmio_pending = false;
		inject_sea(v, INJECT_SEA_DATA, v->cpu.far, NOT_ON_WALK);
	}
	return 0;
}

/* Nothing is finalised without SVE. */
static int finalize(struct vcpu *v, hva_t arg)
{
	s32 what;

	if (!v->initialised)
		return -ENOEXEC;
	return copy_from_user(&what, arg, sizeof(what)) ? -EFAULT : -EINVAL;
}

static int timer_attribute(struct vcpu *v, u32 cmd, const struct kvm_device_attr *a)
{
	if (a->attr > KVM_ARM_VCPU_TIMER_IRQ_PTIMER)
		return -ENXIO;
	switch (cmd) {
	case KVM_SET_DEVICE_ATTR: return timer_ppi_set(v->vm, (u32)a->attr, HVA(a->addr));
	case KVM_GET_DEVICE_ATTR: return timer_ppi_get(v->vm, (u32)a->attr, HVA(a->addr));
	}
	return 0;
}

static int pvtime_attribute(struct vcpu *v, u32 cmd, const struct kvm_device_attr *a)
{
	if (a->attr != KVM_ARM_VCPU_PVTIME_IPA)
		return -ENXIO;
	switch (cmd) {
	case KVM_SET_DEVICE_ATTR: return pvtime_set(v, HVA(a->addr));
	case KVM_GET_DEVICE_ATTR: return pvtime_get(v, HVA(a->addr));
	}
	return 0;
}

static int vcpu_attribute(struct vcpu *v, u32 cmd, hva_t arg)
{
	struct kvm_device_attr a;

	if (copy_from_user(&a, arg, sizeof(a)))
		return -EFAULT;
	switch (a.group) {
	case KVM_ARM_VCPU_PMU_V3_CTRL: return pmu_attribute(v, cmd, &a);
	case KVM_ARM_VCPU_TIMER_CTRL: return timer_attribute(v, cmd, &a);
	case KVM_ARM_VCPU_PVTIME_CTRL: return pvtime_attribute(v, cmd, &a);
	}
	return -ENXIO;
}

/* Linux wants the size of its own signal set; a null pointer takes the mask away. */
static int set_signal_mask(struct vcpu *v, hva_t arg)
{
	struct kvm_signal_mask m;
	u64 mask;

	if (!arg.v) {
		v->signal_mask_set = false;
		return 0;
	}
	if (copy_from_user(&m, arg, sizeof(m)))
		return -EFAULT;
	if (m.len != sizeof(mask))
		return -EINVAL;
	arg.v += sizeof(m);
	if (copy_from_user(&mask, arg, sizeof(mask)))
		return -EFAULT;
	v->signal_mask = mask;
	v->signal_mask_set = true;
	return 0;
}

static s64 vcpu_ioctl_locked(struct vcpu *v, u32 cmd, u64 value)
{
	hva_t arg = HVA(value);

	switch (cmd) {
	case KVM_RUN: return value ? -EINVAL : vcpu_run(v);
	case KVM_ARM_VCPU_INIT: return vcpu_init(v, arg);
	case KVM_ARM_VCPU_FINALIZE: return finalize(v, arg);
	case KVM_GET_ONE_REG: return regs_get_one(v, arg);
	case KVM_SET_ONE_REG: return regs_set_one(v, arg);
	case KVM_GET_REG_LIST: return regs_list(v, arg);
	case KVM_GET_MP_STATE: return get_mp_state(v, arg);
	case KVM_SET_MP_STATE: return set_mp_state(v, arg);
	case KVM_GET_VCPU_EVENTS: return v->initialised ? get_events(v, arg) : -ENOEXEC;
	case KVM_SET_VCPU_EVENTS: return v->initialised ? set_events(v, arg) : -ENOEXEC;
	case KVM_SET_GUEST_DEBUG: return debug_set_guest_debug(v, arg);
	case KVM_SET_SIGNAL_MASK: return set_signal_mask(v, arg);
	case KVM_PRE_FAULT_MEMORY: return vm_pre_fault(&v->vm->memory, arg);
	case KVM_GET_STATS_FD: return vm_install_new(stats_file_of_vcpu(v));
	case KVM_SET_DEVICE_ATTR:
	case KVM_GET_DEVICE_ATTR:
	case KVM_HAS_DEVICE_ATTR: return vcpu_attribute(v, cmd, arg);
	}
	return -EINVAL;
}

static s64 vcpu_ioctl(struct file *f, u32 cmd, u64 value)
{
	struct vcpu *v = f->priv;
	s64 result;

	if (!vm_is_mine(v->vm))
		return -EIO;
	if (!mutex_trylock(&v->mutex) && mutex_lock_interruptible(&v->mutex))
		return -EINTR;
	result = vcpu_ioctl_locked(v, cmd, value);
	mutex_unlock(&v->mutex);
	return result;
}

/* The vCPU stays with its VM, which may still name it. */
static void vcpu_release(struct file *f)
{
	struct vcpu *v = f->priv;

	vm_put(v->vm);
}

static const struct file_ops vcpu_file_ops = {
	.name = "anon_inode:kvm-vcpu",
	.ioctl = vcpu_ioctl,
	.mmap = vcpu_mmap,
	.release = vcpu_release,
};

/* ---- life */

static struct vcpu *vcpu_alloc(struct vm *vm, u32 id)
{
	struct vcpu *v = kzalloc(sizeof(*v));

	if (!v)
		return NULL;
	v->run_page = page_alloc(0, PAGE_ZEROED);
	if (!v->run_page) {
		kfree(v);
		return NULL;
	}
	v->run = page_to_virt(v->run_page);
	v->vm = vm;
	v->id = id;
	v->cpu.hcr = port_guest_hcr();
	v->cpu.debug = &v->own_debug;
	mutex_init(&v->mutex);
	waitq_init(&v->wait);
	spin_init(&v->reset_lock);
	pvtime_init(v);
	return v;
}

void vcpu_free(struct vcpu *v)
{
	ring_destroy(v);
	page_put(v->run_page);
	kfree(v);
}

/*
 * With a descriptor that names it, into the VM, where everybody finds it; the caller has the VM's
 * lock and the vCPU's. In this order, as a descriptor may be refused, and nobody can be made to
 * forget a vCPU. Who guesses the descriptor waits for the vCPU's lock.
 */
static int vcpu_publish(struct vcpu *v, struct file *f)
{
	struct vm *vm = v->vm;
	int fd;

	if (vm->vcpus[v->id])
		return -EEXIST;
	/* The number of redistributors is fixed. */
	if (vm->vgic && vgic_is_initialised(vm->vgic))
		return -EBUSY;
	if (ring_create(v, vm->ring_entries))
		return -ENOMEM;
	fd = vm_install(f);
	if (fd < 0)
		return fd;
	v->order = vm->vcpu_count++;
	if (vm->vgic)
		vgic_vcpu_adopt(v, vm->vgic);
	__atomic_store_n(&vm->vcpus[v->id], v, __ATOMIC_RELEASE);
	return fd;
}

int vcpu_create(struct vm *vm, u64 id)
{
	struct vcpu *v;
	struct file *f;
	int fd;

	if (id >= VM_VCPUS_MAX)
		return -EINVAL;
	if (vm_vcpu(vm, id))
		return -EEXIST;
	v = vcpu_alloc(vm, (u32)id);
	f = v ? file_alloc(&vcpu_file_ops, v, O_RDWR) : NULL;
	if (!f) {
		if (v)
			vcpu_free(v);
		return -ENOMEM;
	}
	vm_get(vm);
	mutex_lock(&v->mutex);
	mutex_lock(&vm->lock);
	fd = vcpu_publish(v, f);
	mutex_unlock(&vm->lock);
	mutex_unlock(&v->mutex);
	if (fd < 0) {
		file_put(f); /* drops the VM, not the vCPU */
		vcpu_free(v);
	}
	return fd;
}
