/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Guest memory as user space sees it: slot and dirty-log ioctls, and the host memory behind the
 * slots as the engine asks for it. What a mapping becomes is the engine's to decide.
 */
#include "kvm/memory.h"

#include "engine/recover.h"
#include "host/page.h"
#include "host/string.h"
#include "host/task.h"
#include "kvm/guest_memfd.h"

#define V1_FLAGS      (KVM_MEM_LOG_DIRTY_PAGES | KVM_MEM_READONLY | KVM_MEM_WRITE_BACK)
#define AS_ID(slot)   ((slot) >> 16)
#define SLOT_ID(slot) ((slot)&0xffff)

/* ---- the host behind the slots */

static enum mem_type mem_type_of(enum host_memtype t)
{
	static const enum mem_type map[] = {
		[HOST_WB] = MEM_WB,
		[HOST_NC] = MEM_NC,
		[HOST_DEVICE] = MEM_DEVICE,
	};

	return map[t];
}

static int host_leaf_read(void *host, hva_t hva, struct host_leaf *out)
{
	struct vm_memory *m = host;
	struct host_pte pte;

	if (gmem_is_hva(hva.v))
		return gmem_leaf(m, hva, out);
	if (!mm_peek(m->mm, hva, &pte)) {
		out->level = (s8)max(pte.level, (int)LEVEL_1G);
		return ERR_NOENT;
	}
	*out = (struct host_leaf){
		.pa = pte.pa,
		.type = mem_type_of(pte.memtype),
		.reach = pte.is_ram ? REACH_ALIAS : REACH_NONE,
		.owner = pte.any_uncached ? OWNER_ANY_UNCACHED : OWNER_TYPE_FIXED,
		.writable = pte.writable,
		.level = (s8)pte.level,
	};
	return ERR_OK;
}

/* A guest's fetch only reads: whether its code may run is stage 2's to say, not the VMA's. */
static int host_fault_serve(void *host, hva_t hva, enum mem_access access)
{
	struct vm_memory *m = host;

	if (gmem_is_hva(hva.v))
		return gmem_fault(m, hva);
	switch (mm_fault_by(m->mm, hva, access == MEM_WRITE ? HOST_WRITE : HOST_READ,
			    FAULT_BY_GUEST)) {
	case FAULT_OK: return ERR_OK;
	case FAULT_OOM: return ERR_NOMEM;
	case FAULT_INTR: return ERR_INTR;
	case FAULT_POISON: return ERR_HWPOISON;
	case FAULT_SEGV_ACCERR: return ERR_PERM;
	case FAULT_SEGV_MAPERR:
	case FAULT_BUS: break;
	}
	return ERR_FAULT;
}

static int host_area_find(void *host, hva_t hva, hva_t end, struct host_area *out)
{
	struct vm_memory *m = host;
	struct vma *vma;

	if (gmem_is_hva(hva.v)) {
		gmem_area(hva, end, out);
		return ERR_OK;
	}
	vma = vma_first_after(m->mm, hva);
	if (!vma || vma->start.v >= end.v)
		return ERR_NOENT;
	*out = (struct host_area){
		.start = vma->start,
		.end = vma->end,
		.type = mem_type_of(vma->prot_type),
		.owner = vma->flags & VM_ALLOW_ANY_UNCACHED ? OWNER_ANY_UNCACHED : OWNER_TYPE_FIXED,
		.special = vma->flags & (VM_PFNMAP | VM_MIXEDMAP | VM_IO),
		.writable = vma->flags & VM_WRITE,
	};
	return ERR_OK;
}

static const struct host_ops host_ops = {
	.leaf = host_leaf_read,
	.fault = host_fault_serve,
	.area = host_area_find,
};

/* ---- notifiers */

static struct vm_memory *memory_of(struct mm_notifier *n)
{
	return container_of(n, struct vm_memory, notifier);
}

static void notify_begin(struct mm_notifier *n, hva_t start, hva_t end)
{
	guest_mem_invalidate_begin(&memory_of(n)->guest, start, end);
}

static void notify_end(struct mm_notifier *n, hva_t start, hva_t end)
{
	guest_mem_invalidate_end(&memory_of(n)->guest, start, end);
}

static bool notify_age(struct mm_notifier *n, hva_t start, hva_t end)
{
	return guest_mem_age(&memory_of(n)->guest, start, end, S2_AGE_CLEAR) != 0;
}

/* The last moment at which the tables of a program that just ends still map anything. */
static void notify_release(struct mm_notifier *n)
{
	struct vm_memory *m = memory_of(n);

	if (m->ops->before_release)
		m->ops->before_release(m);
	guest_mem_unmap_all(&m->guest);
}

static const struct mm_notifier_ops notifier_ops = {
	.begin = notify_begin,
	.end = notify_end,
	.age = notify_age,
	.release = notify_release,
};

int vm_memory_init(struct vm_memory *m, struct mm *mm, const struct vm_memory_config *config)
{
	struct guest_mem_config guest = {
		.ipa_bits = config->ipa_bits,
		.host_ops = &host_ops,
		.host = m,
	};
	int error = guest_mem_init(&m->guest, config->port, config->vmids, &guest);

	if (error)
		return error;
	m->mm = mm_get(mm);
	m->ops = config->ops;
	mutex_init(&m->slots_lock);
	spin_init(&m->gmem_lock);
	RB_INIT(&m->gmem);
	m->notifier.ops = &notifier_ops;
	mm_notifier_register(mm, &m->notifier);
	return 0;
}

/* What is mapped goes while the host still tells of its changes: a page that it gave to somebody
 * else before stage 2 has let go of it would miss the clean that tear-down owes (M2). */
void vm_memory_destroy(struct vm_memory *m)
{
	guest_mem_unmap_all(&m->guest);
	mm_notifier_unregister(m->mm, &m->notifier);
	guest_mem_destroy(&m->guest);
	gmem_forget_all(m);
	mm_put(m->mm);
}

/* ---- slots */

/* In the user half, without a tag: what access_ok() is on Linux. */
static bool user_range_ok(u64 addr, u64 size)
{
	return addr < USER_END && size <= USER_END - addr;
}

static int slot_update_run(struct vm_memory *m, const struct slot_request *r)
{
	struct slot_update update;
	int error;

	mutex_lock(&m->slots_lock);
	mm_read_lock(m->mm);
	error = guest_mem_slot_prepare(&m->guest, r, &update);
	mm_read_unlock(m->mm);
	if (!error)
		guest_mem_slot_commit(&m->guest, &update);
	if (!error && !r->size)
		gmem_unbind(m, r->id);
	mutex_unlock(&m->slots_lock);
	return error;
}

static int set_region(struct vm_memory *m, const struct kvm_userspace_memory_region *r)
{
	struct slot_request request = {
		.id = SLOT_ID(r->slot),
		.flags = r->flags,
		.ipa = IPA(r->guest_phys_addr),
		.size = r->memory_size,
		.hva = HVA(r->userspace_addr),
	};

	if (AS_ID(r->slot) || request.id >= SLOT_ID_MAX)
		return -EINVAL;
	if (!user_range_ok(r->userspace_addr, r->memory_size))
		return -EINVAL;
	return slot_update_run(m, &request);
}

int vm_set_memory_region(struct vm_memory *m, hva_t arg)
{
	struct kvm_userspace_memory_region r;

	if (copy_from_user(&r, arg, sizeof(r)))
		return -EFAULT;
	if (r.flags & ~V1_FLAGS)
		return -EINVAL;
	return set_region(m, &r);
}

/* What comes before the file is looked at: such a slot can be made and deleted, never changed. */
static int gmem_region_check(struct vm_memory *m, const struct slot_request *r)
{
	struct slot_verdict v = slot_vet_alone(r, SLOT_WRITE_BACK, UINT64_MAX);
	const struct slot *s;

	if (v.error)
		return guest_mem_slot_refuse(&m->guest, r, v.error, v.why);
	if (slot_by_id(&m->guest.slots, r->id))
		return guest_mem_slot_refuse(&m->guest, r, ERR_INVAL, WHY_SLOT_IMMUTABLE);
	s = slot_first_from(&m->guest.slots, r->ipa.v >> PAGE_SHIFT);
	if (s && s->gfn < (r->ipa.v + r->size) >> PAGE_SHIFT)
		return guest_mem_slot_refuse(&m->guest, r, ERR_EXIST, WHY_SLOT_OVERLAP);
	return 0;
}

/* With the binding made; the slots lock is held. */
static int gmem_region_make(struct vm_memory *m, const struct slot_request *r)
{
	struct slot_update update;
	int error;

	mm_read_lock(m->mm);
	error = guest_mem_slot_prepare(&m->guest, r, &update);
	mm_read_unlock(m->mm);
	if (error)
		return error;
	if (!gmem_is_shared(m, r->id)) {
		guest_mem_slot_cancel(&m->guest, &update);
		return guest_mem_slot_refuse(&m->guest, r, ERR_INVAL, WHY_GMEM_PRIVATE);
	}
	guest_mem_slot_commit(&m->guest, &update);
	return 0;
}

/* Slots lock held. */
static int gmem_region_create(struct vm_memory *m, const struct slot_request *r,
			      const struct gmem_request *file)
{
	struct slot_verdict v;
	int error = gmem_region_check(m, r);

	if (error)
		return error;
	v = gmem_bind(m, file);
	if (v.error)
		return guest_mem_slot_refuse(&m->guest, r, v.error, v.why);
	error = gmem_region_make(m, r);
	if (error)
		gmem_unbind(m, r->id);
	return error;
}

/* Neither logging nor read-only, and addresses of whole pages. */
static bool gmem_request_ok(const struct kvm_userspace_memory_region2 *r)
{
	return !(r->flags & ~(KVM_MEM_GUEST_MEMFD | KVM_MEM_WRITE_BACK)) &&
	       !((r->userspace_addr | r->guest_memfd_offset) & ~PAGE_MASK) &&
	       r->guest_memfd_offset + r->memory_size >= r->guest_memfd_offset;
}

/* A slot that shows a guest_memfd. Where user space would see it plays no part. */
static int set_gmem_region(struct vm_memory *m, const struct kvm_userspace_memory_region2 *r)
{
	struct slot_request request = {
		.id = SLOT_ID(r->slot),
		.flags = r->flags & ~(u32)KVM_MEM_GUEST_MEMFD,
		.ipa = IPA(r->guest_phys_addr),
		.size = r->memory_size,
		.hva = gmem_hva(SLOT_ID(r->slot)),
	};
	const struct gmem_request file = {
		.slot = request.id,
		.file = fd_get(port_current()->files, (s32)r->guest_memfd),
		.offset = r->guest_memfd_offset,
		.size = r->memory_size,
	};
	int error;

	mutex_lock(&m->slots_lock);
	error = gmem_region_create(m, &request, &file);
	mutex_unlock(&m->slots_lock);
	if (file.file)
		file_put(file.file);
	return error;
}

int vm_set_memory_region2(struct vm_memory *m, hva_t arg)
{
	struct kvm_userspace_memory_region2 r2;
	struct kvm_userspace_memory_region r;

	if (copy_from_user(&r2, arg, sizeof(r2)))
		return -EFAULT;
	if (AS_ID(r2.slot) || SLOT_ID(r2.slot) >= SLOT_ID_MAX ||
	    !user_range_ok(r2.userspace_addr, r2.memory_size))
		return -EINVAL;
	if (r2.flags & KVM_MEM_GUEST_MEMFD) {
		if (!gmem_request_ok(&r2))
			return -EINVAL;
		if (r2.memory_size)
			return set_gmem_region(m, &r2);
	}
	r = (struct kvm_userspace_memory_region){
		.slot = r2.slot,
		.flags = r2.flags & ~(u32)KVM_MEM_GUEST_MEMFD,
		.guest_phys_addr = r2.guest_phys_addr,
		.memory_size = r2.memory_size,
		.userspace_addr = r2.userspace_addr,
	};
	return set_region(m, &r);
}

int vm_get_refusal(struct vm_memory *m, hva_t arg)
{
	struct catwalk_refusal out = { 0 };

	mutex_lock(&m->slots_lock);
	if (m->guest.refusal.error) {
		out.error = m->guest.refusal.error;
		out.rule = reason_rule(m->guest.refusal.why);
		out.hva = gmem_shown_hva(m->guest.refusal.hva.v);
		snprintf(out.reason, sizeof(out.reason), "%s", reason_text(m->guest.refusal.why));
	}
	mutex_unlock(&m->slots_lock);
	return copy_to_user(arg, &out, sizeof(out));
}

/* ---- the dirty log */

/* Under the slots lock: is there a bitmap to ask for? */
static int log_check(const struct vm_memory *m, u32 slot)
{
	if (m->guest.policy.dirty_to == TO_RING)
		return -ENXIO;
	return AS_ID(slot) || SLOT_ID(slot) >= SLOT_ID_MAX ? -EINVAL : 0;
}

/* Under the slots lock; others get their turn between the steps. */
static int get_log(struct vm_memory *m, u32 slot, struct dirty_log *log)
{
	struct dirty_get get;
	int error = dirty_log_get_begin(&m->guest, &get, slot);

	if (error)
		return error;
	while (dirty_log_get_step(&m->guest, &get))
		sched_point();
	dirty_log_get_end(&m->guest, &get, log);
	return 0;
}

int vm_get_dirty_log(struct vm_memory *m, hva_t arg)
{
	struct kvm_dirty_log request;
	struct dirty_log log;
	int error;

	if (copy_from_user(&request, arg, sizeof(request)))
		return -EFAULT;
	mutex_lock(&m->slots_lock);
	error = log_check(m, request.slot);
	if (!error)
		error = get_log(m, SLOT_ID(request.slot), &log);
	if (!error)
		error = copy_to_user(HVA((u64)request.dirty_bitmap), log.words,
				     log.count * sizeof(u64));
	mutex_unlock(&m->slots_lock);
	return error;
}

enum { CLEAR_WORDS = PAGE_SIZE / sizeof(u64) };

/* Under the slots lock: the range lies in a slot that logs, as KVM_CLEAR_DIRTY_LOG asks. */
static int clear_check(struct vm_memory *m, const struct kvm_clear_dirty_log *r)
{
	struct slot *slot;
	int error = log_check(m, r->slot);

	if (error)
		return error;
	if (r->first_page & 63)
		return -EINVAL;
	slot = slot_by_id(&m->guest.slots, SLOT_ID(r->slot));
	if (!slot || !slot->dirty)
		return -ENOENT;
	if (r->first_page > slot->npages || r->num_pages > slot->npages - r->first_page)
		return -EINVAL;
	if (r->num_pages < slot->npages - r->first_page && (r->num_pages & 63))
		return -EINVAL;
	return 0;
}

/* A page of the mask at a time. */
static int clear_run(struct vm_memory *m, const struct kvm_clear_dirty_log *r, u64 *words)
{
	u64 mask = (u64)r->dirty_bitmap, page = r->first_page, left = r->num_pages;
	int error = 0;

	while (left && !error) {
		u64 n = min(left, (u64)CLEAR_WORDS * 64), bytes = (n + 63) / 64 * sizeof(u64);

		error = copy_from_user(words, HVA(mask), bytes);
		if (!error)
			error = dirty_log_clear(&m->guest, SLOT_ID(r->slot), page, n, words);
		mask += bytes;
		page += n;
		left -= n;
		sched_point();
	}
	dirty_log_clear_end(&m->guest, SLOT_ID(r->slot));
	return error;
}

int vm_clear_dirty_log(struct vm_memory *m, hva_t arg)
{
	struct kvm_clear_dirty_log request;
	u64 *words;
	int error;

	if (copy_from_user(&request, arg, sizeof(request)))
		return -EFAULT;
	words = kmalloc(PAGE_SIZE);
	if (!words)
		return -ENOMEM;
	mutex_lock(&m->slots_lock);
	error = clear_check(m, &request);
	if (!error)
		error = clear_run(m, &request, words);
	mutex_unlock(&m->slots_lock);
	kfree(words);
	return error;
}

/* ---- KVM_PRE_FAULT_MEMORY */

/* Up to 2 MiB; then others get their turn. 0, or why it stopped. */
static int pre_fault_step(struct vm_memory *m, struct kvm_pre_fault_memory *r)
{
	u64 size = min((u64)r->size, SZ_2M - (r->gpa & (SZ_2M - 1)));
	struct prefault_result res = guest_mem_prefault(&m->guest, IPA(r->gpa), size);

	r->gpa += res.done;
	r->size -= res.done;
	sched_point();
	return res.error == ERR_AGAIN ? 0 : res.error;
}

void vm_memory_recover(struct vm_memory *m, u64 gpa, u64 end)
{
	struct recovery r;

	for (; gpa < end && !recovery_begin_at(&m->guest, &r, IPA(gpa), end - gpa); gpa = r.end) {
		while (recovery_step(&m->guest, &r))
			sched_point();
	}
}

int vm_pre_fault(struct vm_memory *m, hva_t arg)
{
	struct kvm_pre_fault_memory r;
	int error = 0;
	u64 start, size;

	if (copy_from_user(&r, arg, sizeof(r)))
		return -EFAULT;
	if (r.flags || ((r.gpa | r.size) & ~PAGE_MASK) || r.gpa + r.size <= r.gpa)
		return -EINVAL;
	start = r.gpa;
	size = r.size;
	while (r.size && !error)
		error = task_signal_pending(port_current()) ? -EINTR : pre_fault_step(m, &r);
	mutex_lock(&m->slots_lock);
	vm_memory_recover(m, start, r.gpa);
	mutex_unlock(&m->slots_lock);
	if (copy_to_user(arg, &r, sizeof(r)))
		return -EFAULT;
	return r.size != size ? 0 : error;
}

s64 vm_memory_ioctl(struct vm_memory *m, u32 cmd, hva_t arg)
{
	switch (cmd) {
	case KVM_SET_USER_MEMORY_REGION: return vm_set_memory_region(m, arg);
	case KVM_SET_USER_MEMORY_REGION2: return vm_set_memory_region2(m, arg);
	case KVM_GET_DIRTY_LOG: return vm_get_dirty_log(m, arg);
	case KVM_CLEAR_DIRTY_LOG: return vm_clear_dirty_log(m, arg);
	case KVM_CATWALK_GET_REFUSAL: return vm_get_refusal(m, arg);
	case KVM_CATWALK_GET_COHERENCE: return vm_get_coherence(m, arg);
	case KVM_CATWALK_GET_CONTRACT: return vm_get_contract(m, arg);
	case KVM_CATWALK_READ_TRACE: return vm_read_trace(m, arg);
	case KVM_CATWALK_EXPLAIN: return vm_explain(m, arg);
	case KVM_CATWALK_PREFAULT_SLOT: return vm_prefault_slot(m, arg);
	}
	return -EINVAL;
}
