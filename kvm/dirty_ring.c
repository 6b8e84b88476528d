/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Dirty rings as user space sees them: their capabilities, their memory, which each vCPU's
 * descriptor maps at page KVM_DIRTY_LOG_PAGE_OFFSET, and the ioctl that takes entries back. What
 * the entries mean is the engine's (engine/dirty_ring.h).
 */
#include "host/page.h"
#include "host/task.h"
#include "kvm/vcpu.h"

_Static_assert(sizeof(struct dirty_entry) == sizeof(struct kvm_dirty_gfn) &&
		       DIRTY_ENTRY_DIRTY == KVM_DIRTY_GFN_F_DIRTY &&
		       DIRTY_ENTRY_RESET == KVM_DIRTY_GFN_F_RESET,
	       "the engine's entries are the ABI's");

/* ---- capabilities */

static int check_ring_size(u64 bytes)
{
	u64 entries = bytes / sizeof(struct dirty_entry);

	if (!bytes || (bytes & (bytes - 1)) || entries < DIRTY_RING_MIN)
		return -EINVAL;
	return entries > DIRTY_RING_MAX ? -E2BIG : 0;
}

int ring_enable(struct vm *vm, u64 bytes)
{
	int error = check_ring_size(bytes);

	if (error)
		return error;
	mutex_lock(&vm->memory.slots_lock);
	/* A vCPU is given its ring when it is made. */
	mutex_lock(&vm->lock);
	if (vm->vcpu_count || vm->ring_entries) {
		error = -EINVAL;
	} else {
		guest_mem_log_to(&vm->memory.guest, TO_RING);
		vm->ring_entries = (u32)(bytes / sizeof(struct dirty_entry));
	}
	mutex_unlock(&vm->lock);
	mutex_unlock(&vm->memory.slots_lock);
	return error;
}

int ring_enable_bitmap(struct vm *vm)
{
	struct guest_mem *m = &vm->memory.guest;
	int error = -EINVAL;

	mutex_lock(&vm->memory.slots_lock);
	if (m->policy.dirty_to != TO_BITMAP && !m->slots.count) {
		guest_mem_log_to(m, TO_RING_AND_BITMAP);
		error = 0;
	}
	mutex_unlock(&vm->memory.slots_lock);
	return error;
}

/* ---- memory: one run for the engine, single pages for user space's mappings */

static u32 ring_pages(const struct vcpu *v)
{
	return v->ring.size / (PAGE_SIZE / sizeof(struct dirty_entry));
}

static unsigned int ring_order(u32 entries)
{
	unsigned int order = 0;

	while (PAGE_SIZE << order < entries * sizeof(struct dirty_entry))
		order++;
	return order;
}

int ring_create(struct vcpu *v, u32 entries)
{
	struct page *run;

	if (!entries)
		return 0;
	run = page_alloc(ring_order(entries), PAGE_ZEROED);
	if (!run)
		return -ENOMEM;
	dirty_ring_init(&v->ring, page_to_virt(run), entries);
	(void)page_split_run(run); /* nobody else has it yet */
	return 0;
}

static struct page *ring_page_at(const struct vcpu *v, u32 index)
{
	return virt_to_page((char *)v->ring.entry + index * PAGE_SIZE);
}

void ring_destroy(struct vcpu *v)
{
	for (u32 i = 0; i < ring_pages(v); i++)
		page_put(ring_page_at(v, i));
}

struct page *ring_page(const struct vcpu *v, u64 index)
{
	if (index < KVM_DIRTY_LOG_PAGE_OFFSET || index - KVM_DIRTY_LOG_PAGE_OFFSET >= ring_pages(v))
		return NULL;
	return ring_page_at(v, (u32)(index - KVM_DIRTY_LOG_PAGE_OFFSET));
}

/* ---- running */

int ring_full_exit(struct vcpu *v)
{
	v->run->exit_reason = KVM_EXIT_DIRTY_RING_FULL;
	v->exits.to_user_other++;
	return 0;
}

/* ---- KVM_RESET_DIRTY_RINGS */

/* -EINTR: a signal came before the ring was done. */
static int reset_one(struct vm *vm, struct vcpu *v, struct dirty_reset *reset)
{
	while (dirty_ring_reset_step(&vm->memory.guest, &v->ring, reset)) {
		if (task_signal_pending(port_current()))
			return -EINTR;
		sched_point();
	}
	return 0;
}

int ring_reset_all(struct vm *vm)
{
	struct dirty_reset reset = { .count = 0 };
	int error = 0;

	mutex_lock(&vm->memory.slots_lock);
	if (vm->memory.guest.policy.dirty_to == TO_BITMAP)
		error = -EINVAL;
	for (u64 id = 0; !error && id < VM_VCPUS_MAX; id++) {
		struct vcpu *v = vm_vcpu(vm, id);

		if (v)
			error = reset_one(vm, v, &reset);
	}
	dirty_reset_end(&vm->memory.guest, &reset);
	mutex_unlock(&vm->memory.slots_lock);
	return reset.count ? (int)reset.count : error;
}
