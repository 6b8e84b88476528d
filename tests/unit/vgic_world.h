/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A program with one VM on the modelled machine: the interrupt side of kvm/, from its ioctls to the
 * list registers, over the real host/ layer. Guests' CPU interfaces are the model's; guest memory
 * is a slot of the engine's. The life of VMs and vCPUs is kvm/vm.c's and kvm/vcpu.c's on the
 * target; here the world plays that part.
 *
 * What must hold of the vGIC and of the ITSes at any time is looked at by vworld_check(). A breach
 * ends the test program.
 *
 * Used by unit tests and by the fuzzer, so it has no test framework in it.
 */
#ifndef TESTS_UNIT_VGIC_WORLD_H
#define TESTS_UNIT_VGIC_WORLD_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <linux/mman.h>

#include <asm-generic/fcntl.h>

#include "host/driver.h"
#include "host/err.h"
#include "host/eventfd.h"
#include "host/mm_impl.h"
#include "host/task.h"
#include "kvm/guest_data.h"
#include "kvm/irqchip.h"
#include "kvm/its.h"
#include "kvm/vcpu.h"
#include "port/model/gic.h"
#include "port/model/machine.h"

#define VWORLD_RAM (64UL << 20)
/* Where the program has guest memory, and its ioctls' arguments. */
#define VAREA	    0x40000000UL
#define VARGS	    0x30000000UL
#define VARGS_SIZE  (4 * PAGE_SIZE)
#define VGUEST	    0x80000000UL
#define VGUEST_SIZE (4UL << 20)
enum { VWORLD_CPUS = 4, VWORLD_IPA_BITS = 36, VWORLD_EVENTFDS = 6 };

/* What the guest has where, from the beginning of its memory. */
#define VQUEUE(its)   (0x000000UL + (its)*0x10000UL)
#define VDEVICES(its) (0x020000UL + (its)*0x10000UL)
#define VCOLLECT(its) (0x040000UL + (its)*0x10000UL)
#define VLEVEL2(its)  (0x060000UL + (its)*0x10000UL)
#define VCONFIG	      0x080000UL
#define VPENDING(cpu) (0x0a0000UL + (cpu)*0x10000UL)
#define VITT(device)  (0x100000UL + (device)*0x1000UL) /* of a device below 256 */
enum { VWORLD_ITSES = 2 };
/* Where its frames are. */
#define VDIST	    0x08000000UL
#define VITS(its)   (0x08080000UL + (its)*ITS_SIZE)
#define VREDIST	    0x08100000UL
#define VREDISTS(n) (0x09000000UL + (n)*0x100000UL)

static struct {
	struct port *p;
	struct mm *mm;
	struct vmid_pool vmids;
	struct vm *vm;
	struct vcpu *cpu[VWORLD_CPUS]; /* by order of creation: the CPU of that number runs it */
	u32 cpus;
	u32 ipis; /* bit n: CPU n was asked to leave its guest */
	int vgic_fd, its_fd[VM_ITS_MAX];
	u32 its_fds;
	int event_fd[VWORLD_EVENTFDS];
	struct mem_counts before;
	u64 checked;
} vworld;

#define vworld_require(cond, ...)                                                                  \
	do {                                                                                       \
		if (!(cond)) {                                                                     \
			(void)fprintf(stderr, "%s:%d: %s: ", __FILE__, __LINE__, #cond);           \
			(void)fprintf(stderr, __VA_ARGS__);                                        \
			(void)fprintf(stderr, "\n");                                               \
			abort();                                                                   \
		}                                                                                  \
	} while (0)

/* ---- what kvm/vm.c, kvm/vcpu.c and kvm/timer.c are on the target */

struct vm *vm_get(struct vm *vm)
{
	vm->refs++;
	return vm;
}

static inline void vworld_vm_free(struct vm *vm)
{
	irqfd_destroy(vm);
	ioeventfd_destroy(vm);
	irq_routes_destroy(vm);
	for (u32 i = 0; i < vworld.cpus; i++)
		kfree(vworld.cpu[i]);
	its_devices_destroy(vm);
	if (vm->vgic)
		vgic_destroy(vm->vgic);
	kfree(vm->vgic);
	vm_memory_destroy(&vm->memory);
	kfree(vm);
}

void vm_put(struct vm *vm)
{
	if (--vm->refs == 0)
		vworld_vm_free(vm);
}

struct vcpu *vm_vcpu(struct vm *vm, u64 id)
{
	return id < VM_VCPUS_MAX ? vm->vcpus[id] : NULL;
}

void vcpu_request(struct vcpu *v, u32 requests)
{
	v->requests |= requests;
	if (v->mode == VCPU_IN_GUEST)
		port_ipi_resched(v->on_cpu);
}

void timers_settle(struct vcpu *v)
{
	u32 level = port_guest_timer_lines();

	if (!v->cpu.gic.present)
		return;
	for (u32 n = 0; n < GUEST_TIMERS; n++)
		(void)vgic_line(v->vm->vgic, &v->vgic, v->vm->timer_ppi[n], level & BIT(n));
	v->timer_level = level;
}

/* ---- vCPUs */

/* As KVM_CREATE_VCPU and KVM_ARM_VCPU_INIT. */
static inline int vworld_vcpu(u64 id)
{
	struct vm *vm = vworld.vm;
	struct vcpu *v;

	if (id >= VM_VCPUS_MAX || vworld.cpus == VWORLD_CPUS)
		return -EINVAL;
	if (vm->vcpus[id])
		return -EEXIST;
	if (vm->vgic && vgic_is_initialised(vm->vgic))
		return -EBUSY;
	v = kzalloc(sizeof(*v));
	if (!v)
		return -ENOMEM;
	v->vm = vm;
	v->id = (u32)id;
	v->order = vm->vcpu_count++;
	v->on_cpu = vworld.cpus;
	v->cpu.reg[GR_MPIDR_EL1] = BIT(31) | (id & 0xf) | (id >> 4) << 8;
	v->initialised = true;
	mutex_init(&v->mutex);
	waitq_init(&v->wait);
	vworld.cpu[vworld.cpus++] = v;
	if (vm->vgic)
		vgic_vcpu_adopt(v, vm->vgic);
	vm->vcpus[id] = v;
	return 0;
}

static inline bool vworld_in_guest(const struct vcpu *v)
{
	return v->mode == VCPU_IN_GUEST;
}

/* Part of KVM_RUN as kvm/run.c does it, but for the guest's execution. -EBUSY: the guest runs. */
static inline int vworld_run_begin(struct vcpu *v)
{
	int error;

	if (vworld_in_guest(v))
		return -EBUSY;
	mutex_lock(&v->mutex);
	model_gic_cpu(v->on_cpu);
	if (v->ran)
		return 0;
	mutex_lock(&v->vm->lock);
	error = v->vm->vgic ? vgic_first_run(v) : -ENXIO;
	if (!error)
		v->vm->ran = true;
	mutex_unlock(&v->vm->lock);
	v->ran = !error;
	if (error)
		mutex_unlock(&v->mutex);
	else
		model_gic_set_vmcr(v->cpu.gic.vmcr);
	return error;
}

static inline void vworld_run_end(struct vcpu *v)
{
	v->cpu.gic.vmcr = port_guest_gic_vmcr();
	mutex_unlock(&v->mutex);
}

/* From the kernel: the vCPU is in KVM_RUN. */
static inline void vworld_enter_again(struct vcpu *v)
{
	if (v->requests & VCPU_REQ_ITS) {
		v->requests &= ~(u32)VCPU_REQ_ITS;
		its_go_on(v);
	}
	timers_settle(v);
	vworld.ipis &= ~(1U << v->on_cpu);
	v->mode = VCPU_IN_GUEST;
	if (!vgic_is_idle(&v->vgic))
		vgic_enter(v);
}

static inline int vworld_enter(struct vcpu *v)
{
	int error = vworld_run_begin(v);

	if (!error)
		vworld_enter_again(v);
	return error;
}

/* To the kernel: the vCPU is still in KVM_RUN. */
static inline void vworld_exit(struct vcpu *v)
{
	model_gic_cpu(v->on_cpu);
	v->mode = VCPU_OUTSIDE;
	v->takes_now = false;
	vworld.ipis &= ~(1U << v->on_cpu);
	if (v->lrs.used)
		vgic_leave(v);
}

static inline void vworld_leave(struct vcpu *v)
{
	vworld_exit(v);
	vworld_run_end(v);
}

static inline void vworld_on_ipi(unsigned int cpu)
{
	vworld.ipis |= 1U << cpu;
}

/* Who spins has asked another to leave its guest. */
static inline void vworld_on_relax(void)
{
	vworld_require(vworld.ipis, "a CPU waits for nobody");
	vworld_require(!model_spinlocks_held, "a CPU waits for another with a spin lock held");
	for (u32 i = 0; i < vworld.cpus; i++) {
		if (vworld.ipis >> i & 1 && vworld_in_guest(vworld.cpu[i]))
			vworld_leave(vworld.cpu[i]);
	}
}

/* ---- the program's calls */

static inline void vworld_put(u64 to, const void *from, size_t n)
{
	vworld_require(!copy_to_user(HVA(to), from, n), "no argument at %#lx", (unsigned long)to);
}

static inline s64 vworld_ioctl(int fd, u32 cmd, const void *arg, size_t n)
{
	struct file *f = fd_get(port_current()->files, fd);
	s64 ret;

	if (!f)
		return -EBADF;
	vworld_put(VARGS, arg, n);
	ret = f->ops->ioctl ? f->ops->ioctl(f, cmd, VARGS) : -ENOTTY;
	file_put(f);
	return ret;
}

#define VVALUE (VARGS + PAGE_SIZE)

/* Where the value of an attribute is. */
static inline s64 vworld_attr_at(int fd, u32 cmd, u32 group, u64 attr, u64 addr)
{
	const struct kvm_device_attr a = { .group = group, .attr = attr, .addr = addr };

	return vworld_ioctl(fd, cmd, &a, sizeof(a));
}

static inline s64 vworld_attr_set(int fd, u32 group, u64 attr, u64 value)
{
	vworld_put(VVALUE, &value, sizeof(value));
	return vworld_attr_at(fd, KVM_SET_DEVICE_ATTR, group, attr, VVALUE);
}

/* Of 64 bits, or of 32 and zeroes. */
static inline s64 vworld_attr_get(int fd, u32 group, u64 attr, u64 *value)
{
	s64 ret;

	vworld_put(VVALUE, value, sizeof(*value));
	ret = vworld_attr_at(fd, KVM_GET_DEVICE_ATTR, group, attr, VVALUE);
	vworld_require(!copy_from_user(value, HVA(VVALUE), sizeof(*value)), "no value");
	return ret;
}

static inline int vworld_device(u32 type)
{
	struct kvm_create_device d = { .type = type };
	int ret;

	vworld_put(VARGS, &d, sizeof(d));
	ret = device_create(vworld.vm, HVA(VARGS));
	if (ret)
		return ret;
	vworld_require(!copy_from_user(&d, HVA(VARGS), sizeof(d)), "no descriptor");
	if (type == KVM_DEV_TYPE_ARM_VGIC_V3)
		vworld.vgic_fd = (int)d.fd;
	else
		vworld.its_fd[vworld.its_fds++] = (int)d.fd;
	return 0;
}

static inline void vworld_close(int *fd)
{
	if (*fd >= 0)
		(void)fd_close(port_current()->files, *fd);
	*fd = -1;
}

/* ---- guest memory, as the guest's stores and loads have it */

static inline void vworld_guest_put(u64 offset, const void *from, size_t n)
{
	(void)guest_data_write(&vworld.vm->memory, VGUEST + offset, from, n);
}

static inline u64 vworld_guest_word(u64 ipa)
{
	u64 word = 0;

	(void)guest_data_read(&vworld.vm->memory, ipa, &word, sizeof(word));
	return word;
}

static inline int vworld_slot(u64 size)
{
	const struct kvm_userspace_memory_region r = {
		.guest_phys_addr = VGUEST,
		.memory_size = size,
		.userspace_addr = VAREA,
	};

	vworld_put(VARGS, &r, sizeof(r));
	return (int)vm_memory_ioctl(&vworld.vm->memory, KVM_SET_USER_MEMORY_REGION, HVA(VARGS));
}

/* The guest's access of @v, which has left the guest for it. */
static inline bool vworld_mmio(struct vcpu *v, u64 ipa, u8 len, bool is_write, u64 *data)
{
	const struct fault_outcome o = {
		.kind = OUTCOME_MMIO,
		.ipa = IPA(ipa),
		.len = len,
		.is_write = is_write,
	};
	bool served;

	if (vworld_in_guest(v))
		vworld_leave(v);
	if (vworld_run_begin(v))
		return false;
	served = vgic_mmio(v, &o, data) || its_mmio(v, &o, data) ||
		 (is_write && ioeventfd_write(v->vm, ipa, len, *data));
	model_gic_cpu(v->on_cpu);
	vworld_run_end(v);
	return served;
}

static inline void vworld_write(struct vcpu *v, u64 ipa, u8 len, u64 value)
{
	(void)vworld_mmio(v, ipa, len, true, &value);
}

static inline u64 vworld_read(struct vcpu *v, u64 ipa, u8 len)
{
	u64 value = 0;

	(void)vworld_mmio(v, ipa, len, false, &value);
	return value;
}

/* ---- life */

static inline bool vworld_user_fault(u64 va, enum model_access access)
{
	return mm_fault(port_current()->mm, HVA(va),
			access == MODEL_WRITE ? HOST_WRITE : HOST_READ) == FAULT_OK;
}

static inline void vworld_vm_counts(struct vm_memory *m)
{
	(void)m;
}

static inline int vworld_vm_begin(void)
{
	static const struct vm_memory_ops ops = { .get = vworld_vm_counts,
						  .put = vworld_vm_counts };
	const struct vm_memory_config config = {
		.port = vworld.p,
		.vmids = &vworld.vmids,
		.ipa_bits = VWORLD_IPA_BITS,
		.ops = &ops,
	};
	struct vm *vm = kzalloc(sizeof(*vm));

	if (!vm)
		return -ENOMEM;
	vworld.vm = vm;
	vm->refs = 1;
	mutex_init(&vm->lock);
	irqfds_init(&vm->irqfds);
	vm->timer_ppi[GUEST_TIMER_VIRTUAL] = 27;
	vm->timer_ppi[GUEST_TIMER_PHYSICAL] = 30;
	return vm_memory_init(&vm->memory, vworld.mm, &config);
}

static inline s64 vworld_map(u64 at, u64 size)
{
	return mm_mmap(vworld.mm, at, size, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, NULL, 0);
}

/* @p: a machine as after machine_new() or machine_reset(). @lrs: list registers of its CPUs. */
static inline void vworld_start(struct port *p, unsigned int lrs)
{
	memset(&vworld, 0, sizeof(vworld));
	model_host_boot(VWORLD_RAM);
	model_gic_reset(lrs);
	model_timer_lines = 0;
	vworld.p = p;
	vworld.before = page_counts();
	vworld.mm = mm_new();
	vworld_require(vworld.mm, "no memory");
	port_current()->mm = vworld.mm;
	port_current()->files = fdtable_new();
	vworld_require(port_current()->files, "no memory");
	mm_activate(vworld.mm);
	model_user_fault = vworld_user_fault;
	model_on_ipi = vworld_on_ipi;
	model_on_relax = vworld_on_relax;
	vworld.vgic_fd = -1;
	memset(vworld.its_fd, -1, sizeof(vworld.its_fd));
	memset(vworld.event_fd, -1, sizeof(vworld.event_fd));
	vworld_require(vworld_map(VARGS, VARGS_SIZE) == (s64)VARGS, "no memory");
	for (u64 at = VARGS; at < VARGS + VARGS_SIZE; at += PAGE_SIZE)
		vworld_require(!clear_user(HVA(at), PAGE_SIZE), "no memory");
	vworld_require(vworld_map(VAREA, VGUEST_SIZE) == (s64)VAREA, "no memory");
	vworld_require(!vmid_pool_init(&vworld.vmids, p, 0), "no memory");
	vworld_require(!vworld_vm_begin(), "no memory");
	vworld_require(!vworld_slot(VGUEST_SIZE), "no slot");
}

/* Everything must have been given back. */
static inline void vworld_stop(void)
{
	struct mem_counts after;

	page_fail_nth(0);
	machine_fail_alloc(vworld.p, 0);
	for (u32 i = 0; i < vworld.cpus; i++) {
		if (vworld_in_guest(vworld.cpu[i]))
			vworld_leave(vworld.cpu[i]);
	}
	mm_exit(vworld.mm);
	port_current()->mm = NULL;
	fdtable_put(port_current()->files);
	port_current()->files = NULL;
	vworld_require(vworld.vm->refs == 1, "%u references to the VM are left",
		       vworld.vm->refs - 1);
	vm_put(vworld.vm);
	vmid_pool_destroy(&vworld.vmids);
	mm_put(vworld.mm);
	model_host_grace();
	machine_quiesce(vworld.p);
	vworld_require(machine_live(vworld.p) == 0, "the engine leaks %lu pieces of memory",
		       (unsigned long)machine_live(vworld.p));
	after = page_counts();
	vworld_require(after.kmalloc_objects == vworld.before.kmalloc_objects, "the host leaks");
	vworld_require(after.free_pages + after.slab_pages ==
			       vworld.before.free_pages + vworld.before.slab_pages,
		       "pages leak");
	model_host_off();
}

/* ---- what holds at any time */

/* Where the vGIC's owner keeps an ITS: its first member. */
static inline struct its *vworld_its(u32 n)
{
	return (struct its *)vworld.vm->its[n];
}

static inline struct vgic_irq *vworld_lpi(u32 intid)
{
	struct vgic *g = vworld.vm->vgic;
	u32 n = intid - VGIC_LPI_FIRST;

	return g->lpis && g->lpis[n / 64] ? &g->lpis[n / 64][n % 64] : NULL;
}

static inline u32 vworld_lrs_with(const struct vgic_irq *irq)
{
	u32 found = 0;

	for (u32 i = 0; i < vworld.cpus; i++) {
		const struct vcpu *v = vworld.cpu[i];

		for (u32 n = 0; n < v->lrs.used; n++)
			found += v->vgic.lr[n] == irq && irq->on == &v->vgic;
	}
	return found;
}

/* One interrupt, wherever it is. */
static inline void vworld_check_irq(const struct vgic_irq *irq)
{
	bool wanted = vgic_irq_is_wanted(irq);

	vworld_require(irq->group <= 1 && irq->trigger <= VGIC_EDGE && !(irq->priority & 7),
		       "interrupt %u has group %u, trigger %u, priority %u", irq->intid, irq->group,
		       irq->trigger, irq->priority);
	vworld_require(vworld_lrs_with(irq) == irq->in_lr,
		       "interrupt %u is in %u list registers, and thought to be in %u", irq->intid,
		       vworld_lrs_with(irq), irq->in_lr);
	if (irq->in_lr)
		return; /* the rest comes about when it is folded */
	vworld_require(!irq->lr_latch, "interrupt %u has left a latch behind", irq->intid);
	if (irq->active)
		vworld_require(irq->on || !irq->target, "active interrupt %u is nobody's",
			       irq->intid);
	else
		vworld_require(irq->on == (wanted ? irq->target : NULL),
			       "interrupt %u, wanted %u, is on the wrong list", irq->intid, wanted);
	if (!irq->on)
		return;
	vworld_require(irq->list_urgency == irq->priority >> VGIC_URGENCY_SHIFT &&
			       irq->list_kind == (irq->active  ? VGIC_ACTIVE
						  : irq->group ? VGIC_PENDING_1
							       : VGIC_PENDING_0),
		       "interrupt %u, priority %#x, is on list %u, %u", irq->intid, irq->priority,
		       irq->list_kind, irq->list_urgency);
}

/* One vCPU's lists against their counts. */
static inline void vworld_check_lists(const struct vcpu *v)
{
	const struct vgic_irq *irq;
	u32 listed = 0;

	for (u32 kind = 0; kind < VGIC_LIST_KINDS; kind++) {
		for (u32 urgency = 0; urgency < VGIC_URGENCIES; urgency++) {
			const struct vgic_list *list = &v->vgic.lists[kind][urgency];

			vworld_require(TAILQ_EMPTY(list) == !(v->vgic.filled[kind] >> urgency & 1),
				       "vCPU %u: a list and its bit disagree", v->id);
			TAILQ_FOREACH (irq, list, link) {
				listed++;
				vworld_require(irq->on == &v->vgic && irq->list_kind == kind &&
						       irq->list_urgency == urgency,
					       "interrupt %u is on another list", irq->intid);
			}
		}
	}
	vworld_require(listed == v->vgic.listed, "vCPU %u: %u are listed, %u counted", v->id,
		       listed, v->vgic.listed);
	vworld_require(vworld_in_guest(v) || !v->lrs.used, "vCPU %u has list registers outside",
		       v->id);
}

/* Of the events that are mapped to an LPI: what they agree on. */
struct vworld_lpi_account {
	u32 events;
	bool differ;
	const struct vgic_cpu *cpu;
};
static struct vworld_lpi_account vworld_lpis[(1 << VGIC_LPI_BITS) - VGIC_LPI_FIRST];
/* Events of different collections, or MOVALL, have had to do with it: whom it interrupts is
 * anybody's guess until no event is mapped to it. */
static bool vworld_lpi_vague[ARRAY_SIZE(vworld_lpis)];

static inline void vworld_count_event(const struct its_event *e)
{
	struct vworld_lpi_account *a;
	const struct vgic_cpu *cpu = e->collection ? e->collection->cpu : NULL;

	vworld_require(e->intid >= VGIC_LPI_FIRST && e->intid < 1U << VGIC_LPI_BITS &&
			       vworld_lpi(e->intid),
		       "an event is mapped to LPI %u, which does not exist", e->intid);
	a = &vworld_lpis[e->intid - VGIC_LPI_FIRST];
	a->differ |= a->events++ && a->cpu != cpu;
	a->cpu = cpu;
}

static inline void vworld_check_its(struct its *t)
{
	u32 devices = 0, events = 0, collections = 0;
	struct its_collection *c;
	struct its_device *d;
	struct its_event *e;

	RB_FOREACH (c, its_collections, &t->collections)
		collections++;
	RB_FOREACH (d, its_devices, &t->devices) {
		devices++;
		vworld_require(d->event_bits >= 1 && d->event_bits <= ITS_EVENT_BITS,
			       "device %u has %u bits", d->id, d->event_bits);
		RB_FOREACH (e, its_events, &d->events) {
			events++;
			vworld_require(!(e->id >> d->event_bits), "event %u of device %u", e->id,
				       d->id);
			vworld_require(!e->collection ||
					       its_collection_find(t, e->collection->id) ==
						       e->collection,
				       "event %u of device %u is of a collection that went", e->id,
				       d->id);
			vworld_count_event(e);
		}
	}
	vworld_require(devices == t->device_count && events == t->event_count &&
			       collections == t->collection_count,
		       "%u, %u, %u devices, events, collections; counted %u, %u, %u", devices,
		       events, collections, t->device_count, t->event_count, t->collection_count);
	vworld_require(devices <= ITS_DEVICES_MAX && events <= ITS_EVENTS_MAX &&
			       collections <= ITS_COLLECTIONS_MAX,
		       "an ITS grows without bounds");
}

static inline void vworld_check_lpi(const struct vgic_irq *irq)
{
	const struct vworld_lpi_account *a = &vworld_lpis[irq->intid - VGIC_LPI_FIRST];
	bool *vague = &vworld_lpi_vague[irq->intid - VGIC_LPI_FIRST];

	vworld_check_irq(irq);
	vworld_require(!irq->active && !irq->line && irq->trigger == VGIC_EDGE, "LPI %u is active",
		       irq->intid);
	vworld_require(irq->target || !(irq->latch || irq->lr_latch),
		       "LPI %u is pending and interrupts nobody", irq->intid);
	*vague = a->events && (*vague || a->differ);
	vworld_require(*vague || irq->target == a->cpu,
		       "LPI %u of %u events does not interrupt whom its collection is mapped to",
		       irq->intid, a->events);
}

static inline void vworld_each_lpi(void (*fn)(const struct vgic_irq *irq))
{
	for (u32 n = 0; vworld.vm->vgic->lpis && n < ARRAY_SIZE(vworld_lpis); n += 64) {
		const struct vgic_irq *chunk = vworld_lpi(VGIC_LPI_FIRST + n);

		for (u32 i = 0; chunk && i < 64; i++)
			fn(&chunk[i]);
	}
}

static inline void vworld_forget_account(const struct vgic_irq *irq)
{
	vworld_lpis[irq->intid - VGIC_LPI_FIRST] = (struct vworld_lpi_account){ 0 };
}

/* After MOVALL. */
static inline void vworld_is_vague(const struct vgic_irq *irq)
{
	vworld_lpi_vague[irq->intid - VGIC_LPI_FIRST] = true;
}

static inline void vworld_check(void)
{
	struct vgic *g = vworld.vm->vgic;

	vworld_require(!model_spinlocks_held, "a spin lock is held");
	vworld.checked++;
	if (!g)
		return;
	for (u32 i = 0; i < g->spi_count; i++)
		vworld_check_irq(&g->spis[i]);
	for (u32 i = 0; i < vworld.cpus; i++) {
		vworld_check_lists(vworld.cpu[i]);
		for (u32 n = 0; n < VGIC_PRIVATE; n++)
			vworld_check_irq(&vworld.cpu[i]->vgic.private[n]);
	}
	vworld_each_lpi(vworld_forget_account);
	for (u32 n = 0; n < vworld.vm->its_count; n++)
		vworld_check_its(vworld_its(n));
	vworld_each_lpi(vworld_check_lpi);
}

/* ---- what a guest must get */

/* Would @v be interrupted by @irq, if its priority mask and what runs allow it? */
static inline bool vworld_delivers(const struct vcpu *v, const struct vgic_irq *irq, u64 vmcr)
{
	return !irq->in_lr && irq->on == &v->vgic && vgic_irq_is_wanted(irq) &&
	       (v->vm->vgic->enabled & vmcr & BIT(irq->group)) &&
	       !(irq->active && irq->trigger == VGIC_LEVEL);
}

/* The most urgent that @v must be offered; NULL: none. */
static inline const struct vgic_irq *vworld_first(const struct vcpu *v, u64 vmcr)
{
	const struct vgic_irq *irq, *best = NULL;

	for (u32 kind = 0; kind < VGIC_LIST_KINDS; kind++) {
		for (u32 urgency = 0; urgency < VGIC_URGENCIES; urgency++) {
			TAILQ_FOREACH (irq, &v->vgic.lists[kind][urgency], link) {
				if (vworld_delivers(v, irq, vmcr) &&
				    (!best || irq->priority < best->priority))
					best = irq;
			}
		}
	}
	return best;
}

#endif
