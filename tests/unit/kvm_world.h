/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A program with two VMs on the modelled machine: the memory part of kvm/ over the real host/ layer
 * and the engine. Guests reach the pages that the program's table maps, and nothing else; that is
 * looked at whenever a descriptor of the program's narrows (design.md M13), after each access that
 * went through, and over everything by world_check(). A breach ends the test program.
 *
 * Used by unit tests and by the fuzzer, so it has no test framework in it.
 */
#ifndef TESTS_UNIT_KVM_WORLD_H
#define TESTS_UNIT_KVM_WORLD_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <linux/mman.h>

#include <asm-generic/fcntl.h>

#include "host/driver.h"
#include "host/mm_impl.h"
#include "host/pte.h"
#include "host/task.h"
#include "kvm/memory.h"
#include "port/model/joined.h"

#define WORLD_RAM (64UL << 20)
/* What the VMs' slots usually show, and where the program keeps its ioctls' arguments. */
#define AREA	   0x40000000UL
#define AREA_PAGES 2048UL
#define AREA_END   (AREA + AREA_PAGES * PAGE_SIZE)
#define ARGS	   0x30000000UL
#define ARGS_SIZE  (64 * PAGE_SIZE)
/* Non-cacheable and Device memory of a driver, not RAM. */
#define DEVICE_PA(type) (0x8000000000UL + ((u64)(type) << 32))
/* Where guests' addresses begin, and how many bits they have. */
#define GUEST_RAM      0x80000000UL
#define WORLD_IPA_BITS 33U

enum { WORLD_VMS = 2, WORLD_SLOTS = 6 };

/* What a slot should be: kept by who calls the ioctls. */
struct slot_ref {
	bool used;
	u32 flags;
	u64 ipa, size, hva;
	u8 written[AREA_PAGES]; /* since the log was read last, if it logs */
};

static struct {
	struct port *p;
	struct mm *mm;
	struct vmid_pool vmids;
	struct vm_memory vm[WORLD_VMS]; /* each runs on the CPU of its number */
	struct slot_ref slot[WORLD_VMS][WORLD_SLOTS];
	struct mem_counts before;
	u64 narrowed; /* descriptors, each looked at */
	u64 reached;  /* guest accesses that went through */
	/* Another thread's doing, at the first step of an ioctl or fault, once @race_after were
	 * passed, at which it could run; NULL: none, or it has been. */
	void (*race)(void);
	unsigned int race_after;
	bool raced; /* in the last call */
	u64 races;
} world;

#define world_require(cond, ...)                                                                   \
	do {                                                                                       \
		if (!(cond)) {                                                                     \
			(void)fprintf(stderr, "%s:%d: %s: ", __FILE__, __LINE__, #cond);           \
			(void)fprintf(stderr, __VA_ARGS__);                                        \
			(void)fprintf(stderr, "\n");                                               \
			abort();                                                                   \
		}                                                                                  \
	} while (0)

/* ---- a guest's access without the fault path: what its translations allow now */

static inline struct machine_access world_probe(unsigned int vm, u64 ipa, enum machine_op op)
{
	unsigned int cpu = world.p->cpu;
	struct machine_access a;

	machine_cpu(world.p, vm);
	a = machine_access(world.p, IPA(ipa), op);
	machine_cpu(world.p, cpu);
	return a;
}

/* Could it, as far as translations go? Without hardware's marking the page as written. */
static inline bool world_can(unsigned int vm, u64 ipa, enum machine_op op)
{
	const u64 vttbr = world.vm[vm].guest.s2.vttbr;

	return op == MACHINE_WRITE ? machine_may_write(world.p, vttbr, IPA(ipa))
				   : world_probe(vm, ipa, op).fault == MF_NONE;
}

/* Where the part of a slot ends that is looked at page by page: all of it, unless it is huge. */
static inline u64 world_slot_end(const struct slot_ref *s)
{
	return s->hva + min(s->size, 2 * AREA_PAGES * PAGE_SIZE);
}

/* No guest may do @op at the program's [@hva, @hva + @size). */
static inline void world_check_gone(u64 hva, u64 size, enum machine_op op)
{
	for (unsigned int i = 0; i < WORLD_VMS * WORLD_SLOTS; i++) {
		unsigned int vm = i / WORLD_SLOTS;
		const struct slot_ref *s = &world.slot[vm][i % WORLD_SLOTS];

		if (!s->used)
			continue;
		for (u64 at = max(hva, s->hva); at < min(hva + size, world_slot_end(s));
		     at += PAGE_SIZE)
			world_require(!world_can(vm, s->ipa + (at - s->hva), op),
				      "M13: VM %u reaches %#lx, which the host takes away", vm,
				      (unsigned long)at);
	}
}

/* ---- descriptors of the program's table, as they change */

/* The part of the area that @entry translates; false: it is none of the area's. */
static inline bool world_entry_covers(const u64 *entry, u64 *hva, u64 *size)
{
	for (u64 at = AREA; at < AREA_END; at += SZ_2M) {
		int level;
		const u64 *e = pgt_lookup_locked(world.mm, at, &level);

		*size = level_size(level);
		*hva = at + (u64)(entry - e) * *size;
		if (level == LEVEL_2M && e == entry)
			return true;
		if (level == LEVEL_4K && entry >= e && entry < e + 512)
			return true;
	}
	return false;
}

static inline enum machine_attr world_attr(u64 pte)
{
	switch (pte_memtype(pte)) {
	case HOST_WB: return ATTR_WB;
	case HOST_NC: return ATTR_NC;
	case HOST_DEVICE: break;
	}
	return ATTR_DEVICE;
}

/* Before the write. */
static inline void world_pte_write(u64 *entry, u64 old, u64 value)
{
	bool gone = !pte_is_valid_leaf(value) || pte_pa(old).v != pte_pa(value).v;
	u64 hva, size;

	if (!world.mm || !(pte_is_valid_leaf(old) || pte_is_valid_leaf(value)) ||
	    !world_entry_covers(entry, &hva, &size))
		return;
	if (pte_is_valid_leaf(old) && gone) {
		world.narrowed++;
		world_check_gone(hva, size, MACHINE_READ);
		model_joined_unmap(world.p, hva, size);
	} else if (pte_is_writable(old) && !pte_is_writable(value)) {
		world.narrowed++;
		world_check_gone(hva, size, MACHINE_WRITE);
	}
	if (pte_is_valid_leaf(value) && (gone || !pte_is_valid_leaf(old)))
		model_joined_map(world.p, hva, pte_pa(value), size, world_attr(value));
}

static inline bool world_user_fault(u64 va, enum model_access access)
{
	return mm_fault(port_current()->mm, HVA(va),
			access == MODEL_WRITE ? HOST_WRITE : HOST_READ) == FAULT_OK;
}

/* ---- races: a step of the engine is a moment for another thread, if that need not wait */

static inline bool world_others_can_run(void)
{
	struct hva_range all = { 0, ~0UL };
	struct machine_held held;

	/* A notifier waits for what others are half-way through taking down. */
	for (unsigned int vm = 0; vm < WORLD_VMS; vm++) {
		if (invalidate_unsettled(&world.vm[vm].guest.inv, all))
			return false;
	}
	return !machine_locks_held(world.p, world.p->cpu, &held, 1) && !model_spinlocks_held &&
	       !(world.mm->lock.state & (RWSEM_READERS | RWSEM_WRITER));
}

static inline void world_step(void *arg, enum machine_step kind, const char *where)
{
	unsigned int cpu = world.p->cpu;
	void (*race)(void) = world.race;

	(void)arg;
	(void)kind;
	(void)where;
	if (world.race_after)
		world.race_after--;
	if (world.race_after || !world_others_can_run())
		return;
	machine_on_step(world.p, NULL, NULL);
	world.race = NULL;
	world.raced = true;
	world.races++;
	machine_cpu(world.p, (cpu + 1) % WORLD_VMS);
	race();
	machine_cpu(world.p, cpu);
}

/* Around what others may interrupt. */
static inline void world_call_begin(void)
{
	world.raced = false;
	if (world.race)
		machine_on_step(world.p, world_step, NULL);
}

static inline void world_call_end(void)
{
	machine_on_step(world.p, NULL, NULL);
}

/* ---- VMs */

/* Loads VM @vm's vCPU @vcpu on its CPU. */
static inline void world_enter(unsigned int vm, u32 vcpu)
{
	struct guest_mem *m = &world.vm[vm].guest;

	machine_cpu(world.p, vm);
	machine_guest_enter(world.p, guest_mem_enter(m, vcpu), m->s2.vtcr);
}

static inline void world_leave(unsigned int vm)
{
	machine_cpu(world.p, vm);
	machine_guest_leave(world.p);
	guest_mem_leave(&world.vm[vm].guest);
}

/* The VMs here end when a test says so, and after their files. */
static inline void world_vm_counts(struct vm_memory *m)
{
	(void)m;
}

static inline int world_vm_begin(unsigned int vm)
{
	static const struct vm_memory_ops ops = { .get = world_vm_counts, .put = world_vm_counts };
	const struct vm_memory_config config = {
		.port = world.p,
		.vmids = &world.vmids,
		.ipa_bits = WORLD_IPA_BITS,
		.ops = &ops,
	};
	int error = vm_memory_init(&world.vm[vm], world.mm, &config);

	if (!error)
		world_enter(vm, 0);
	return error;
}

static inline void world_vm_end(unsigned int vm)
{
	world_leave(vm);
	vm_memory_destroy(&world.vm[vm]);
	memset(world.slot[vm], 0, sizeof(world.slot[vm]));
}

/* ---- life */

/* @p: a machine as after machine_new() or machine_reset(), with a CPU for each VM. */
static inline void world_start(struct port *p)
{
	memset(&world, 0, sizeof(world));
	model_host_boot(WORLD_RAM);
	world.p = p;
	model_join(p);
	world.before = page_counts();
	world.mm = mm_new();
	world_require(world.mm, "no memory");
	port_current()->mm = world.mm;
	port_current()->files = fdtable_new();
	world_require(port_current()->files, "no memory");
	mm_activate(world.mm);
	model_user_fault = world_user_fault;
	model_pte_hook = world_pte_write;
	world_require(mm_mmap(world.mm, ARGS, ARGS_SIZE, PROT_READ | PROT_WRITE,
			      MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, NULL, 0) == (s64)ARGS,
		      "no memory");
	for (u64 at = ARGS; at < ARGS + ARGS_SIZE; at += PAGE_SIZE)
		world_require(!clear_user(HVA(at), PAGE_SIZE), "no memory");
	world_require(!vmid_pool_init(&world.vmids, p, 0), "no memory");
	for (unsigned int vm = 0; vm < WORLD_VMS; vm++)
		world_require(!world_vm_begin(vm), "no memory");
}

/* Everything must have been given back. */
static inline void world_stop(void)
{
	struct mem_counts after;

	page_fail_nth(0);
	machine_fail_alloc(world.p, 0);
	model_pte_hook = NULL; /* tables go as a whole; so do the guests' before them: */
	mm_exit(world.mm);
	port_current()->mm = NULL;
	fdtable_put(port_current()->files);
	port_current()->files = NULL;
	world_check_gone(0, USER_END, MACHINE_READ);
	for (unsigned int vm = 0; vm < WORLD_VMS; vm++)
		world_vm_end(vm);
	vmid_pool_destroy(&world.vmids);
	mm_put(world.mm);
	world.mm = NULL;
	model_host_grace();
	machine_quiesce(world.p);
	world_require(machine_live(world.p) == 0, "the engine leaks %lu pieces of memory",
		      (unsigned long)machine_live(world.p));
	after = page_counts();
	world_require(after.kmalloc_objects == world.before.kmalloc_objects, "the host leaks");
	world_require(after.free_pages + after.slab_pages ==
			      world.before.free_pages + world.before.slab_pages,
		      "pages leak");
	model_host_off();
}

/* ---- ioctls, their arguments in the program's memory */

static inline s64 world_ioctl_at(unsigned int vm, u32 cmd, u64 arg)
{
	s64 ret;

	machine_cpu(world.p, vm);
	world_call_begin();
	if (cmd == KVM_PRE_FAULT_MEMORY)
		ret = vm_pre_fault(&world.vm[vm], HVA(arg));
	else
		ret = vm_memory_ioctl(&world.vm[vm], cmd, HVA(arg));
	world_call_end();
	return ret;
}

static inline void world_put(u64 to, const void *from, size_t n)
{
	world_require(!copy_to_user(HVA(to), from, n), "no argument at %#lx", (unsigned long)to);
}

static inline s64 world_ioctl(unsigned int vm, u32 cmd, const void *arg, size_t n)
{
	world_put(ARGS, arg, n);
	return world_ioctl_at(vm, cmd, ARGS);
}

/* The ioctl worked: the reference follows. Slots of other numbers the world does not know. */
static inline void world_slot_done(unsigned int vm, const struct kvm_userspace_memory_region *r)
{
	struct slot_ref *s = &world.slot[vm][r->slot];
	bool was_logging = s->used && (s->flags & KVM_MEM_LOG_DIRTY_PAGES);

	world_require(r->slot < WORLD_SLOTS, "slot %u", r->slot);
	if (!r->memory_size || !was_logging)
		memset(s->written, 0, sizeof(s->written));
	s->used = r->memory_size != 0;
	s->flags = r->flags;
	s->ipa = r->guest_phys_addr;
	s->size = r->memory_size;
	s->hva = r->userspace_addr;
}

static inline s64 world_slot(unsigned int vm, u32 slot, u32 flags, u64 ipa, u64 size, u64 hva)
{
	const struct kvm_userspace_memory_region r = {
		.slot = slot,
		.flags = flags,
		.guest_phys_addr = ipa,
		.memory_size = size,
		.userspace_addr = hva,
	};
	s64 ret = world_ioctl(vm, KVM_SET_USER_MEMORY_REGION, &r, sizeof(r));

	if (!ret && slot < WORLD_SLOTS)
		world_slot_done(vm, &r);
	return ret;
}

static inline struct slot_ref *world_slot_at(unsigned int vm, u64 ipa)
{
	for (int i = 0; i < WORLD_SLOTS; i++) {
		struct slot_ref *s = &world.slot[vm][i];

		if (s->used && ipa >= s->ipa && ipa - s->ipa < s->size)
			return s;
	}
	return NULL;
}

/* ---- guests' accesses */

static inline struct fault_trap world_trap(const struct machine_access *a, enum machine_op op,
					   u64 ipa)
{
	static const u8 base[] = {
		[MF_TRANSLATION] = 4, [MF_ACCESS_FLAG] = 8, [MF_PERMISSION] = 12
	};
	u64 esr = base[a->fault] + (u64)a->level;

	if (op == MACHINE_FETCH)
		esr |= 0x20UL << 26;
	else /* a load or store of 8 bytes by X1 */
		esr |= 0x24UL << 26 | BIT(24) | 3UL << 22 | 1UL << 16 | BIT(15) |
		       (op == MACHINE_WRITE ? BIT(6) : 0);
	return (struct fault_trap){
		.esr = esr,
		.far = 0xffff000000000000UL | (ipa & ~PAGE_MASK),
		.hpfar = (ipa & PAGE_MASK) >> 8,
	};
}

/* What a guest reached is what the program has there now, and may be reached that way; the messages
 * name the rule that else is broken. */
static inline void world_check_reached(unsigned int vm, u64 ipa, enum machine_op op, pa_t pa)
{
	const struct slot_ref *s = world_slot_at(vm, ipa);
	struct host_pte pte;
	u64 hva;

	world_require(s, "M13: VM %u reaches %#lx, where no slot is", vm, (unsigned long)ipa);
	hva = s->hva + (ipa - s->ipa);
	world_require(mm_peek(world.mm, HVA(hva), &pte),
		      "M13: VM %u reaches %#lx, where the host has nothing", vm,
		      (unsigned long)hva);
	world_require(pte.pa.v == pa.v,
		      "M1, M13: VM %u reaches PA %#lx at %#lx, where the host has %#lx", vm,
		      (unsigned long)pa.v, (unsigned long)hva, (unsigned long)pte.pa.v);
	if (op != MACHINE_WRITE)
		return;
	world_require(pte.writable, "M8: VM %u writes %#lx, which the host may not", vm,
		      (unsigned long)hva);
	world_require(!(s->flags & KVM_MEM_READONLY), "M8: VM %u writes a read-only slot", vm);
}

/* What is not write-back is not logged (M17). */
static inline void world_note_written(struct slot_ref *s, u64 ipa)
{
	struct host_pte pte;

	if (!(s->flags & KVM_MEM_LOG_DIRTY_PAGES) || s->size > AREA_PAGES * PAGE_SIZE)
		return;
	if (mm_peek(world.mm, HVA(s->hva + (ipa - s->ipa)), &pte) && pte.memtype == HOST_WB)
		s->written[(ipa - s->ipa) >> PAGE_SHIFT] = 1;
}

static inline struct fault_outcome world_fault(unsigned int vm, const struct fault_trap *t)
{
	struct fault_outcome o;

	machine_cpu(world.p, vm);
	world_call_begin();
	o = fault_handle(&world.vm[vm].guest, t);
	world_call_end();
	return o;
}

/* Until the access goes through (outcome RESUME) or the outcome is another. */
static inline struct fault_outcome world_guest(unsigned int vm, u64 ipa, enum machine_op op,
					       pa_t *pa)
{
	struct fault_outcome o = { .kind = OUTCOME_RESUME };

	for (int i = 0; i < 16; i++) {
		struct machine_access a = world_probe(vm, ipa, op);
		struct fault_trap t;

		if (a.fault == MF_NONE) {
			world.reached++;
			world_check_reached(vm, ipa, op, a.pa);
			if (op == MACHINE_WRITE)
				world_note_written(world_slot_at(vm, ipa), ipa);
			*pa = a.pa;
			return o;
		}
		t = world_trap(&a, op, ipa);
		o = world_fault(vm, &t);
		if (o.kind != OUTCOME_RESUME)
			return o;
	}
	world_require(false, "the guest faults for ever at %#lx", (unsigned long)ipa);
	return o;
}

/* The byte a guest reads at @ipa, or -1: it did not get there. */
static inline int world_guest_read(unsigned int vm, u64 ipa)
{
	pa_t pa;

	if (world_guest(vm, ipa, MACHINE_READ, &pa).kind != OUTCOME_RESUME)
		return -1;
	return model_guest_byte(pa) ? *model_guest_byte(pa) : 0;
}

/* True: it went through. */
static inline bool world_guest_write(unsigned int vm, u64 ipa, u8 byte)
{
	pa_t pa;

	if (world_guest(vm, ipa, MACHINE_WRITE, &pa).kind != OUTCOME_RESUME)
		return false;
	if (model_guest_byte(pa))
		*model_guest_byte(pa) = byte;
	return true;
}

/* Everything that guests can reach without a fault. */
static inline void world_check(void)
{
	for (unsigned int i = 0; i < WORLD_VMS * WORLD_SLOTS; i++) {
		unsigned int vm = i / WORLD_SLOTS;
		const struct slot_ref *s = &world.slot[vm][i % WORLD_SLOTS];
		u64 size = s->used ? world_slot_end(s) - s->hva : 0;

		for (u64 at = 0; at < size; at += PAGE_SIZE) {
			struct machine_access a = world_probe(vm, s->ipa + at, MACHINE_READ);

			if (a.fault == MF_NONE)
				world_check_reached(vm, s->ipa + at, MACHINE_READ, a.pa);
			if (world_can(vm, s->ipa + at, MACHINE_WRITE))
				world_check_reached(vm, s->ipa + at, MACHINE_WRITE, a.pa);
		}
	}
}

/* ---- what the program maps: memory, a file of memory, a driver's device */

static inline int world_object_mmap(struct file *f, struct vma *vma)
{
	return memobj_mmap(f->priv, vma);
}

static inline int world_object_fallocate(struct file *f, int mode, u64 offset, u64 len)
{
	return memobj_fallocate(f->priv, mode, offset, len);
}

static inline void world_object_release(struct file *f)
{
	memobj_put(f->priv);
}

static const struct file_ops world_object_ops = {
	.name = "object",
	.mmap = world_object_mmap,
	.fallocate = world_object_fallocate,
	.release = world_object_release,
};

/* The driver: device memory of the type that its file is for, the same page at the same offset;
 * leaves appear when they are asked for. */
struct world_device {
	enum host_memtype type;
	u32 vma_flags; /* VM_ALLOW_ANY_UNCACHED, or 0 */
	int max_level;
};

static inline int world_device_fault(struct vma *vma, hva_t addr, enum host_access access)
{
	const struct world_device *d = vma->priv;
	u64 size = level_size(d->max_level), page = ALIGN_DOWN(addr.v, size);

	if (page < vma->start.v || page + size > vma->end.v) {
		size = PAGE_SIZE;
		page = ALIGN_DOWN(addr.v, size);
	}
	return vma_insert_pfn(vma, HVA(page),
			      PA(DEVICE_PA(d->type) + vma->offset + (page - vma->start.v)), size,
			      d->type, access, d->max_level);
}

static const struct vma_ops world_device_vma_ops = { .fault = world_device_fault };

static inline int world_device_mmap(struct file *f, struct vma *vma)
{
	struct world_device *d = f->priv;

	vma->flags |= VM_PFNMAP | VM_IO | VM_DONTEXPAND | d->vma_flags;
	vma->prot_type = d->type;
	vma->ops = &world_device_vma_ops;
	vma->priv = d;
	return 0;
}

static const struct file_ops world_device_ops = { .name = "device", .mmap = world_device_mmap };

static inline s64 world_map(u64 at, u64 size, int prot, int flags)
{
	return mm_mmap(world.mm, at, size, prot, flags | MAP_ANONYMOUS | MAP_FIXED, NULL, 0);
}

#endif
