/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Bytes as a sequence of memory ioctls, memory system calls and guests' accesses on the world of
 * kvm_world.h, with arguments that are mostly plausible and sometimes hostile. For random tests and
 * for the fuzzer: whatever the bytes are, the world's checks hold, calls are refused exactly if the
 * reference refuses them, and nothing leaks.
 */
#ifndef TESTS_UNIT_KVM_OPS_H
#define TESTS_UNIT_KVM_OPS_H

#include <linux/ioctl.h>
#include <linux/userfaultfd.h>

#include "host/uffd.h"
#include "tests/unit/kvm_world.h"

/* Bytes of the object that is mapped, and of the driver's device memory. */
#define OBJECT_PAGES 700UL
enum { DEVICES = 3 };

static struct {
	const u8 *at, *end;
	struct memobj *object;
	struct file *object_file;
	struct world_device device[DEVICES];
	struct file *device_file[DEVICES];
	bool lacks_memory; /* an allocation may fail in the present operation */
	bool manual_log[WORLD_VMS];
	/* A log may have pages that no guest wrote: all were, to begin with, or somebody faulted.
	 */
	bool vague_log[WORLD_VMS][WORLD_SLOTS];
	bool strict[WORLD_VMS];
	bool write_back[WORLD_VMS];
	struct file *uffd; /* or NULL */
	u32 sleeps;	   /* in the present operation */
	bool poisoned;	   /* some page is, or was */
} ops;

/* ---- arguments */

static inline u8 op_u8(void)
{
	return ops.at < ops.end ? *ops.at++ : 0;
}

static inline u64 op_u16(void)
{
	u64 low = op_u8();

	return low | (u64)op_u8() << 8;
}

static inline u64 op_hostile(void)
{
	static const u64 numbers[] = {
		0,
		1,
		8,
		63,
		64,
		PAGE_SIZE - 4,
		PAGE_SIZE,
		AREA - PAGE_SIZE,
		AREA_END - PAGE_SIZE,
		AREA + 1,
		ARGS + ARGS_SIZE - 4,
		ARGS + ARGS_SIZE,
		GUEST_RAM,
		0x7fffffff,
		1UL << 31,
		1UL << 32,
		(1UL << WORLD_IPA_BITS) - PAGE_SIZE,
		1UL << WORLD_IPA_BITS,
		1UL << 40,
		1UL << 43,
		USER_END - PAGE_SIZE,
		USER_END,
		1UL << 60 | AREA,
		1UL << 63,
		0xffff800000001000,
		-PAGE_SIZE,
		-1UL,
		32766,
		32767,
		1UL << 16,
	};
	u64 i = op_u8();

	return i < ARRAY_SIZE(numbers) ? numbers[i] : i * 0x0101010101010101UL;
}

/* True in an eighth of all cases, and never where the bytes are zeroes. */
static inline bool op_is_hostile(void)
{
	return op_u8() >= 224;
}

struct page_range {
	u64 first, count;
};

/* Of the area: any page, or one where a block begins. */
static inline struct page_range op_range(void)
{
	u64 word = op_u16(), length = op_u16();
	struct page_range r = { .first = word % AREA_PAGES };

	if (word & 0x8000)
		r.first = ALIGN_DOWN(r.first, 512UL);
	r.count = (length & 0xc000) == 0xc000 ? 512 * (1 + length % 4) : 1 + length % 64;
	r.count = min(r.count, AREA_PAGES - r.first);
	return r;
}

static inline u64 op_ipa(void)
{
	u64 page = op_u16() % (AREA_PAGES + 16);

	return GUEST_RAM + page * PAGE_SIZE + 8;
}

static inline unsigned int op_vm(void)
{
	return op_u8() % WORLD_VMS;
}

/*
 * Puts an ioctl's argument where the program has its arguments, or takes for one whatever lies at
 * some other address, and copies it to @arg. False: nothing lies there. @at: the address.
 */
static inline bool op_argument(void *arg, size_t n, u64 *at)
{
	*at = ARGS;
	if (!op_is_hostile()) {
		world_put(ARGS, arg, n);
		return true;
	}
	*at = op_hostile();
	return !copy_from_user(arg, HVA(*at), n);
}

/* ---- slots */

static inline bool region_is_aligned(const struct kvm_userspace_memory_region *r)
{
	return !((r->guest_phys_addr | r->memory_size | r->userspace_addr) & ~PAGE_MASK);
}

static inline bool region_overlaps(unsigned int vm, const struct kvm_userspace_memory_region *r)
{
	for (unsigned int i = 0; i < WORLD_SLOTS; i++) {
		const struct slot_ref *s = &world.slot[vm][i];

		if (s->used && i != r->slot && r->guest_phys_addr < s->ipa + s->size &&
		    s->ipa < r->guest_phys_addr + r->memory_size)
			return true;
	}
	return false;
}

/* What is wrong with the numbers alone. */
static inline int region_check(unsigned int vm, const struct kvm_userspace_memory_region *r)
{
	u32 known = KVM_MEM_LOG_DIRTY_PAGES | KVM_MEM_READONLY |
		    (ops.write_back[vm] ? (u32)KVM_MEM_WRITE_BACK : 0);

	if (r->slot >= 32767 || (r->flags & ~known) || !region_is_aligned(r))
		return -EINVAL;
	if (r->userspace_addr >= USER_END || r->memory_size > USER_END - r->userspace_addr)
		return -EINVAL;
	if (r->guest_phys_addr + r->memory_size < r->guest_phys_addr ||
	    r->memory_size >> PAGE_SHIFT > 0x7fffffff)
		return -EINVAL;
	return 0;
}

/* What Linux says to this region, the memory behind it not considered. */
static inline int region_expect(unsigned int vm, const struct kvm_userspace_memory_region *r)
{
	static const struct slot_ref none;
	const struct slot_ref *s = r->slot < WORLD_SLOTS ? &world.slot[vm][r->slot] : &none;
	int error = region_check(vm, r);

	if (error)
		return error;
	if (!r->memory_size)
		return s->used ? 0 : -EINVAL;
	if (s->used && (s->size != r->memory_size || s->hva != r->userspace_addr ||
			((s->flags ^ r->flags) & KVM_MEM_READONLY)))
		return -EINVAL;
	if (s->used && s->ipa == r->guest_phys_addr)
		return 0;
	if (region_overlaps(vm, r))
		return -EEXIST;
	return r->guest_phys_addr + r->memory_size > 1UL << WORLD_IPA_BITS ? -EFAULT : 0;
}

static inline struct kvm_userspace_memory_region op_region(void)
{
	struct page_range gpa = op_range(), hva = op_range();
	u8 kind = op_u8();
	struct kvm_userspace_memory_region r = {
		.slot = op_u8() % WORLD_SLOTS,
		.flags = kind & 3,
		.guest_phys_addr = GUEST_RAM + gpa.first * PAGE_SIZE,
		.memory_size = (kind & 0x84) == 0x84 ? 0 : hva.count * PAGE_SIZE,
		.userspace_addr = AREA + hva.first * PAGE_SIZE,
	};

	if (kind & 8)
		r.flags |= (u32)KVM_MEM_WRITE_BACK;
	if (kind & 16) /* one more change of the slot that is there */
		r.memory_size = world.slot[kind & 1][r.slot].size;
	if (kind & 32)
		r.userspace_addr = world.slot[kind & 1][r.slot].hva;
	if (kind & 64)
		r.guest_phys_addr = world.slot[kind & 1][r.slot].ipa;
	return r;
}

static inline void region_spoil(struct kvm_userspace_memory_region *r)
{
	u8 which = op_u8();
	u64 number = op_hostile();

	switch (which % 5) {
	case 0: r->slot = (u32)number; break;
	case 1: r->flags = (u32)number; break;
	case 2: r->guest_phys_addr = number; break;
	case 3: r->memory_size = number; break;
	case 4: r->userspace_addr = number; break;
	}
}

/* Slots that the reference does not know go at once. */
static inline void slot_forget(unsigned int vm, u32 id)
{
	const struct kvm_userspace_memory_region gone = { .slot = id };

	world_require(!world_ioctl(vm, KVM_SET_USER_MEMORY_REGION, &gone, sizeof(gone)) ||
			      ops.lacks_memory,
		      "slot %u cannot be deleted", id);
}

/* May the memory behind it be a reason to refuse it (M4, M8, M10)? */
static inline bool region_may_be_refused(unsigned int vm,
					 const struct kvm_userspace_memory_region *r)
{
	return ops.lacks_memory || ops.strict[vm] || (r->flags & KVM_MEM_WRITE_BACK) ||
	       (r->flags & KVM_MEM_LOG_DIRTY_PAGES);
}

static inline void op_slot(void)
{
	unsigned int vm = op_vm();
	struct kvm_userspace_memory_region r = op_region();
	int expected;
	s64 ret;
	u64 at;

	if (op_is_hostile())
		region_spoil(&r);
	if (!op_argument(&r, sizeof(r), &at)) {
		ret = world_ioctl_at(vm, KVM_SET_USER_MEMORY_REGION, at);
		world_require(ret == -EFAULT, "slot at a bad address: %ld", (long)ret);
		return;
	}
	expected = region_expect(vm, &r);
	ret = world_ioctl_at(vm, KVM_SET_USER_MEMORY_REGION, at);
	if (expected || !region_may_be_refused(vm, &r))
		world_require(ret == expected || (ret == -ENOMEM && ops.lacks_memory),
			      "slot %u flags %#x at %#llx size %#llx of %#llx: %ld, expected %d",
			      r.slot, r.flags, r.guest_phys_addr, r.memory_size, r.userspace_addr,
			      (long)ret, expected);
	if (!ret && r.slot < WORLD_SLOTS) {
		world_slot_done(vm, &r);
		ops.vague_log[vm][r.slot] |= ops.manual_log[vm];
	} else if (!ret) {
		slot_forget(vm, r.slot);
	}
}

/* ---- the dirty log */

enum { LOG_BITMAP_BYTES = 64 * PAGE_SIZE / 2 };
#define LOG_BITMAP (ARGS + ARGS_SIZE / 2)

static inline bool log_bit(const u64 *words, u64 i)
{
	return words[i / 64] >> (i % 64) & 1;
}

static inline bool log_is_checked(const struct slot_ref *s)
{
	return s->used && (s->flags & KVM_MEM_LOG_DIRTY_PAGES) && s->size <= AREA_PAGES * PAGE_SIZE;
}

/* Every page that was written is in the log; if reading clears it, none that was not. */
static inline void log_check(unsigned int vm, struct slot_ref *s)
{
	u64 words[AREA_PAGES / 64] = { 0 }, pages = s->size >> PAGE_SHIFT;
	bool *vague = &ops.vague_log[vm][s - world.slot[vm]];

	world_require(!copy_from_user(words, HVA(LOG_BITMAP), (pages + 63) / 64 * 8), "no bitmap");
	for (u64 i = 0; i < pages; i++) {
		world_require(log_bit(words, i) || !s->written[i],
			      "VM %u: page %lu was written and is not in the log", vm,
			      (unsigned long)i);
		world_require(*vague || s->written[i] || !log_bit(words, i),
			      "VM %u: page %lu was not written and is in the log", vm,
			      (unsigned long)i);
	}
	if (ops.manual_log[vm])
		return;
	memset(s->written, 0, sizeof(s->written));
	/* Marks that hardware made may have been collected, by a leaf that went, after their words
	 * were taken: the next log has them. */
	*vague = world.raced;
}

static inline void logs_are_vague(unsigned int vm)
{
	for (unsigned int i = 0; i < WORLD_SLOTS; i++)
		ops.vague_log[vm][i] = true;
}

static inline void op_get_log(void)
{
	unsigned int vm = op_vm();
	struct kvm_dirty_log arg = {
		.slot = op_is_hostile() ? (u32)op_hostile() : op_u8() % WORLD_SLOTS,
	};
	struct slot_ref *s;
	u64 at;
	s64 ret;

	arg.dirty_bitmap = (void *)(op_is_hostile() ? op_hostile() : LOG_BITMAP);
	if (!op_argument(&arg, sizeof(arg), &at)) {
		ret = world_ioctl_at(vm, KVM_GET_DIRTY_LOG, at);
		world_require(ret == -EFAULT, "log at a bad address: %ld", (long)ret);
		return;
	}
	ret = world_ioctl_at(vm, KVM_GET_DIRTY_LOG, at);
	if (arg.slot >= WORLD_SLOTS)
		return;
	s = &world.slot[vm][arg.slot];
	if (!log_is_checked(s))
		return;
	if ((u64)arg.dirty_bitmap != LOG_BITMAP) {
		memset(s->written, 0, sizeof(s->written)); /* taken, and who knows where it went */
		ops.vague_log[vm][arg.slot] = true;
		return;
	}
	world_require(ret == 0, "log of slot %u: %ld", arg.slot, (long)ret);
	log_check(vm, s);
}

static inline void op_clear_log(void)
{
	unsigned int vm = op_vm();
	struct kvm_clear_dirty_log arg = {
		.slot = op_u8() % WORLD_SLOTS,
		.first_page = (u64)op_u8() * 64,
		.num_pages = (u32)op_u8() * 64,
		.dirty_bitmap = (void *)(op_is_hostile() ? op_hostile() : LOG_BITMAP),
	};
	u64 at;

	if (op_is_hostile())
		arg.first_page = op_hostile();
	if (op_is_hostile())
		arg.num_pages = (u32)op_hostile();
	(void)op_argument(&arg, sizeof(arg), &at);
	/* What the mask has cleared is for the user to know; the reference forgets it all. */
	(void)world_ioctl_at(vm, KVM_CLEAR_DIRTY_LOG, at);
	if (arg.slot >= WORLD_SLOTS)
		return;
	memset(world.slot[vm][arg.slot].written, 0, AREA_PAGES);
	ops.vague_log[vm][arg.slot] = true;
}

/* ---- other ioctls */

static inline void op_enable_cap(void)
{
	static const u32 caps[] = { KVM_CAP_MANUAL_DIRTY_LOG_PROTECT2,
				    KVM_CAP_ARM_EAGER_SPLIT_CHUNK_SIZE, KVM_CAP_CATWALK_WRITE_BACK,
				    KVM_CAP_CATWALK_STRICT_SLOTS, KVM_CAP_CATWALK_IVAC_POLICY };
	unsigned int vm = op_vm();
	u8 which = op_u8();
	struct kvm_enable_cap cap = { .cap = caps[which % ARRAY_SIZE(caps)],
				      .args = { op_u8() % 4 } };
	s64 answer;
	int ret;

	if (cap.cap == KVM_CAP_ARM_EAGER_SPLIT_CHUNK_SIZE)
		cap.args[0] = cap.args[0] ? PAGE_SIZE << (9 * (cap.args[0] - 1)) : 0;
	if (op_is_hostile())
		cap.args[0] = op_hostile();
	if (op_is_hostile())
		cap.cap = (u32)op_hostile();
	ret = memory_cap_enable(&world.vm[vm], &cap);
	if (!memory_cap_check(port_caps(world.p), &world.vm[vm], cap.cap, &answer))
		world_require(ret == -EINVAL, "capability %u is unknown and enabled", cap.cap);
	if (ret)
		return;
	switch (cap.cap) {
	case KVM_CAP_MANUAL_DIRTY_LOG_PROTECT2:
		ops.manual_log[vm] = cap.args[0] & 1;
		logs_are_vague(vm);
		break;
	case KVM_CAP_CATWALK_STRICT_SLOTS: ops.strict[vm] = true; break;
	case KVM_CAP_CATWALK_WRITE_BACK: ops.write_back[vm] = true; break;
	}
}

static inline void op_refusal(void)
{
	unsigned int vm = op_vm();
	u8 none = 0;
	u64 at;

	(void)op_argument(&none, 1, &at);
	(void)world_ioctl_at(vm, KVM_CATWALK_GET_REFUSAL, at);
}

static inline void op_prefault(void)
{
	unsigned int vm = op_vm();
	struct page_range range = op_range();
	struct kvm_pre_fault_memory arg = {
		.gpa = GUEST_RAM + range.first * PAGE_SIZE,
		.size = range.count * PAGE_SIZE,
	};
	u64 at;

	if (op_is_hostile())
		arg.gpa = op_hostile();
	if (op_is_hostile())
		arg.size = op_hostile();
	if (op_is_hostile())
		arg.flags = op_hostile();
	(void)op_argument(&arg, sizeof(arg), &at);
	(void)world_ioctl_at(vm, KVM_PRE_FAULT_MEMORY, at);
}

/* ---- what can be asked: answers have a sentence that ends, sums that add up, and no more lists
 * than there was room for */

static inline void require_sentence(const char *text, size_t n)
{
	world_require(memchr(text, 0, n), "a sentence without an end");
}

static inline void op_coherence(void)
{
	unsigned int vm = op_vm();
	struct page_range range = op_range();
	struct catwalk_coherence arg = {
		.gpa = GUEST_RAM + range.first * PAGE_SIZE,
		.size = range.count * PAGE_SIZE,
	};
	u64 at, sum = 0;

	if (op_is_hostile())
		arg.gpa = op_hostile();
	/* The whole of an address space page by page takes long, and nothing more. */
	if (op_is_hostile())
		arg.size = min(op_hostile(), 1UL << 32);
	if (op_is_hostile())
		arg.flags = op_hostile();
	(void)op_argument(&arg, sizeof(arg), &at);
	if (world_ioctl_at(vm, KVM_CATWALK_GET_COHERENCE, at) || at != ARGS)
		return;
	world_require(!copy_from_user(&arg, HVA(at), sizeof(arg)), "no answer");
	for (unsigned int c = 0; c < ARRAY_SIZE(arg.bytes); c++)
		sum += arg.bytes[c];
	world_require(sum == arg.done && arg.done <= arg.size && arg.mapped <= arg.done,
		      "M11: %#lx of %#lx bytes", (unsigned long)sum, (unsigned long)arg.done);
}

static inline void op_contract(void)
{
	unsigned int vm = op_vm();
	struct catwalk_contract arg = {
		.slot_count = op_is_hostile() ? (u32)op_hostile() : WORLD_SLOTS + 1,
		.slots = op_is_hostile() ? op_hostile() : LOG_BITMAP,
	};
	u64 at;

	(void)op_argument(&arg, sizeof(arg), &at);
	(void)world_ioctl_at(vm, KVM_CATWALK_GET_CONTRACT, at);
}

static inline void op_trace(void)
{
	unsigned int vm = op_vm();
	struct catwalk_trace arg = {
		.after = op_is_hostile() ? op_hostile() : op_u8(),
		.count = op_is_hostile() ? (u32)op_hostile() : op_u8(),
		.events = op_is_hostile() ? op_hostile() : LOG_BITMAP,
	};
	u32 room = arg.count;
	u64 at, after = arg.after;

	(void)op_argument(&arg, sizeof(arg), &at);
	if (world_ioctl_at(vm, KVM_CATWALK_READ_TRACE, at) || at != ARGS)
		return;
	world_require(!copy_from_user(&arg, HVA(at), sizeof(arg)), "no answer");
	world_require(arg.count <= room && arg.after - after == arg.count + arg.lost,
		      "M18: %u events, %lu lost", arg.count, (unsigned long)arg.lost);
}

static inline void op_explain(void)
{
	unsigned int vm = op_vm();
	struct catwalk_explain arg = {
		.gpa = op_is_hostile() ? op_hostile() : op_ipa(),
		.access = op_is_hostile() ? (u32)op_hostile() : op_u8() % 3,
	};
	u64 at;

	(void)op_argument(&arg, sizeof(arg), &at);
	if (world_ioctl_at(vm, KVM_CATWALK_EXPLAIN, at) || at != ARGS)
		return;
	world_require(!copy_from_user(&arg, HVA(at), sizeof(arg)), "no answer");
	require_sentence(arg.reason, sizeof(arg.reason));
}

static inline void op_prefault_slot(void)
{
	unsigned int vm = op_vm();
	struct page_range range = op_range();
	struct catwalk_prefault arg = {
		.slot = op_is_hostile() ? (u32)op_hostile() : op_u8() % WORLD_SLOTS,
		.flags = op_is_hostile() ? (u32)op_hostile() : op_u8() % 2,
		.offset = range.first * PAGE_SIZE,
		.size = range.count * PAGE_SIZE,
	};
	u64 at;

	if (op_is_hostile())
		arg.offset = op_hostile();
	if (op_is_hostile())
		arg.size = op_hostile();
	(void)op_argument(&arg, sizeof(arg), &at);
	if (world_ioctl_at(vm, KVM_CATWALK_PREFAULT_SLOT, at) || at != ARGS)
		return;
	world_require(!copy_from_user(&arg, HVA(at), sizeof(arg)), "no answer");
	require_sentence(arg.reason, sizeof(arg.reason));
	require_sentence(arg.skip_reason, sizeof(arg.skip_reason));
}

static inline void op_any_ioctl(void)
{
	unsigned int vm = op_vm();
	u32 cmd = (u32)(op_u16() | op_hostile() << 16);
	s64 ret;

	switch (cmd) {
	case KVM_SET_USER_MEMORY_REGION:
	case KVM_SET_USER_MEMORY_REGION2:
	case KVM_GET_DIRTY_LOG:
	case KVM_CLEAR_DIRTY_LOG:
	case KVM_CATWALK_GET_REFUSAL:
	case KVM_CATWALK_GET_COHERENCE:
	case KVM_CATWALK_GET_CONTRACT:
	case KVM_CATWALK_READ_TRACE:
	case KVM_CATWALK_EXPLAIN:
	case KVM_CATWALK_PREFAULT_SLOT:
	case KVM_PRE_FAULT_MEMORY: return;
	}
	ret = world_ioctl_at(vm, cmd, op_hostile());
	world_require(ret == -EINVAL, "ioctl %#x: %ld", cmd, (long)ret);
}

/* ---- guests */

/* The host has something at @hva that may be accessed so, and it is plain memory. */
static inline bool host_must_serve(u64 hva, enum machine_op op)
{
	struct vma *vma;
	bool serves;

	mm_read_lock(world.mm);
	vma = vma_find(world.mm, HVA(hva));
	serves = vma && !vma->file && !vma->ops && !vma->uffd && (vma_perms(vma) & LEAF_R) &&
		 (op != MACHINE_WRITE || (vma_perms(vma) & LEAF_W));
	mm_read_unlock(world.mm);
	return serves;
}

/* An access that did not go through must have had a reason. */
static inline void check_outcome(unsigned int vm, u64 ipa, enum machine_op op,
				 const struct fault_outcome *o)
{
	const struct slot_ref *s = world_slot_at(vm, ipa);
	bool is_mmio = !s || (op == MACHINE_WRITE && (s->flags & KVM_MEM_READONLY));

	if (o->kind == OUTCOME_ERROR && (ops.lacks_memory || port_current()->signal_pending))
		return;
	if (op != MACHINE_FETCH)
		world_require((o->kind == OUTCOME_MMIO) == is_mmio, "outcome %d at %#lx",
			      (int)o->kind, (unsigned long)ipa);
	/* Poison stays, whoever has left it. */
	if (is_mmio || ops.lacks_memory || world.raced || ops.sleeps || ops.poisoned)
		return;
	world_require(!host_must_serve(s->hva + (ipa - s->ipa), op), "refused: outcome %d: %s",
		      (int)o->kind, reason_text(o->why));
}

static inline void op_guest(void)
{
	unsigned int vm = op_vm();
	u8 what = op_u8();
	enum machine_op op = (enum machine_op)(what % 3);
	u64 ipa = op_ipa();
	unsigned int count = what & 0x80 ? 1 + op_u8() % 64 : 1;
	struct fault_outcome o;
	pa_t pa;

	for (; count; count--, ipa += PAGE_SIZE) {
		if (op == MACHINE_WRITE && world_guest_write(vm, ipa, what))
			continue;
		o = world_guest(vm, ipa, op, &pa);
		if (o.kind != OUTCOME_RESUME)
			check_outcome(vm, ipa, op, &o);
	}
}

/* DC CIVAC or IVAC that trapped, whatever the tables have. */
static inline void op_guest_cmo(void)
{
	unsigned int vm = op_vm();
	u64 ipa = op_ipa();
	u8 kind = op_u8();
	struct fault_trap t = {
		.esr = 0x24UL << 26 | BIT(8) | BIT(6) | (kind & 1 ? 0xf : 7),
		.far = ipa & ~PAGE_MASK,
		.hpfar = (ipa & PAGE_MASK) >> 8,
	};

	logs_are_vague(vm);
	(void)world_fault(vm, &t);
}

/* Any syndrome at all. */
static inline void op_guest_trap(void)
{
	unsigned int vm = op_vm();
	struct fault_trap t = {
		.esr = 0x20UL << 26 | op_u16() | op_u16() << 16,
		.far = op_hostile(),
		.hpfar = (op_is_hostile() ? op_hostile() : op_ipa() & PAGE_MASK) >> 8,
	};

	logs_are_vague(vm);
	(void)world_fault(vm, &t);
}

static inline void op_vcpu(void)
{
	unsigned int vm = op_vm();

	world_leave(vm);
	world_enter(vm, op_u8() % 4);
}

static inline void op_new_vm(void)
{
	unsigned int vm = op_vm();

	world_vm_end(vm);
	ops.manual_log[vm] = false;
	memset(ops.vague_log[vm], 0, sizeof(ops.vague_log[vm]));
	ops.strict[vm] = ops.write_back[vm] = false;
	if (world_vm_begin(vm)) {
		world_require(ops.lacks_memory, "no VM");
		page_fail_nth(0);
		machine_fail_alloc(world.p, 0);
		world_require(!world_vm_begin(vm), "still no VM");
	}
	(void)world_slot(vm, 0, 0, GUEST_RAM, AREA_PAGES * PAGE_SIZE / 2, AREA);
}

/* ---- the program */

static inline void op_touch(void)
{
	u64 at = AREA + op_u16() % AREA_PAGES * PAGE_SIZE;
	u8 byte = op_u8();

	if (byte & 1)
		(void)!copy_to_user(HVA(at), &byte, 1);
	else
		(void)!copy_from_user(&byte, HVA(at), 1);
}

static inline void op_mmap(void)
{
	static const int prots[] = { PROT_READ | PROT_WRITE, PROT_READ | PROT_WRITE, PROT_READ,
				     PROT_NONE, PROT_READ | PROT_WRITE | PROT_EXEC };
	struct page_range r = op_range();
	u8 what = op_u8();
	int prot = prots[op_u8() % ARRAY_SIZE(prots)];
	u64 offset = op_u16() % OBJECT_PAGES * PAGE_SIZE;
	int flags = MAP_FIXED | (what & 1 ? MAP_SHARED : MAP_PRIVATE);
	struct file *f = NULL;

	if (what % 5 < DEVICES) {
		f = ops.device_file[what % 5];
		flags = MAP_FIXED | MAP_SHARED;
		offset = ALIGN_DOWN(offset, what & 8 ? SZ_2M : PAGE_SIZE);
	} else if (what % 5 == 3) {
		f = ops.object_file;
	} else {
		flags |= MAP_ANONYMOUS;
	}
	(void)mm_mmap(world.mm, AREA + r.first * PAGE_SIZE, r.count * PAGE_SIZE, prot, flags, f,
		      offset);
}

static inline void op_anonymous(void)
{
	struct page_range r = op_range();

	(void)world_map(AREA + r.first * PAGE_SIZE, r.count * PAGE_SIZE, PROT_READ | PROT_WRITE,
			op_u8() & 1 ? MAP_SHARED : MAP_PRIVATE);
}

static inline void op_munmap(void)
{
	struct page_range r = op_range();

	(void)mm_munmap(world.mm, AREA + r.first * PAGE_SIZE, r.count * PAGE_SIZE);
}

static inline void op_mprotect(void)
{
	struct page_range r = op_range();

	(void)mm_mprotect(world.mm, AREA + r.first * PAGE_SIZE, r.count * PAGE_SIZE, op_u8() & 7);
}

static inline void op_madvise(void)
{
	static const int advices[] = { MADV_DONTNEED,	MADV_HUGEPAGE, MADV_NOHUGEPAGE,
				       MADV_REMOVE,	MADV_FREE,     MADV_POPULATE_READ,
				       MADV_DONTFORK,	MADV_DOFORK,   MADV_WIPEONFORK,
				       MADV_KEEPONFORK, MADV_COLLAPSE, MADV_POPULATE_WRITE };
	struct page_range r = op_range();
	u8 which = op_u8();

	(void)mm_madvise(world.mm, AREA + r.first * PAGE_SIZE, r.count * PAGE_SIZE,
			 which < 240 ? advices[which % ARRAY_SIZE(advices)] : which);
}

static inline void op_mremap(void)
{
	struct page_range from = op_range(), to = op_range();

	(void)mm_mremap(world.mm, AREA + from.first * PAGE_SIZE, from.count * PAGE_SIZE,
			min(from.count, AREA_PAGES - to.first) * PAGE_SIZE,
			MREMAP_MAYMOVE | MREMAP_FIXED, AREA + to.first * PAGE_SIZE);
}

/* A child that writes to what it shares with its parent, and ends. */
static inline void op_fork(void)
{
	struct mm *child = mm_copy(world.mm);
	u64 at = AREA + op_u16() % AREA_PAGES * PAGE_SIZE;
	u8 byte = op_u8();

	if (!child) {
		world_require(ops.lacks_memory, "no memory for a child");
		return;
	}
	port_current()->mm = child;
	mm_activate(child);
	(void)!copy_to_user(HVA(at), &byte, 1);
	port_current()->mm = world.mm;
	mm_activate(world.mm);
	mm_exit(child);
	mm_put(child);
}

static inline void op_object(void)
{
	u64 word = op_u16(), first = word % OBJECT_PAGES * PAGE_SIZE;

	if (word & 0x8000)
		(void)memobj_truncate(ops.object, first);
	else
		(void)memobj_fallocate(ops.object, op_u8() % 4, first,
				       (1 + (u64)op_u8()) * PAGE_SIZE);
}

/* The driver takes its memory back. */
static inline void op_revoke(void)
{
	u64 at = AREA + op_u16() % AREA_PAGES * PAGE_SIZE;
	u64 size = (1 + (u64)op_u8()) * PAGE_SIZE;
	struct vma *vma;

	mm_read_lock(world.mm);
	vma = vma_find(world.mm, HVA(at));
	if (vma && (vma->flags & VM_PFNMAP))
		vma_zap(vma, HVA(at), HVA(at + size));
	mm_read_unlock(world.mm);
}

static inline void op_age(void)
{
	struct mm_notifier *n = &world.vm[op_vm()].notifier;
	struct page_range r = op_range();

	(void)n->ops->age(n, HVA(AREA + r.first * PAGE_SIZE),
			  HVA(AREA + (r.first + r.count) * PAGE_SIZE));
}

/* Placement, length, flags: anything. What it maps outside of the area stays there. */
static inline void op_hostile_call(void)
{
	u8 which = op_u8();
	u64 a = op_hostile(), b = op_hostile(), c = op_hostile();
	struct page_range r = op_range();

	a = which & 0x80 ? a : AREA + r.first * PAGE_SIZE;
	if (a < ARGS + ARGS_SIZE && a + b > ARGS)
		return; /* the arguments' own place */
	switch (which % 4) {
	case 0: (void)mm_munmap(world.mm, a, b); break;
	case 1: (void)mm_mprotect(world.mm, a, b, (int)c); break;
	case 2: (void)mm_madvise(world.mm, a, b, (int)(c % 32)); break;
	case 3: (void)mm_msync(world.mm, a, b, (int)c); break;
	}
}

/* ---- faults of the machine */

/* An allocation of the next operation fails, the host's or the engine's. */
static inline void op_lack_memory(void)
{
	u8 which = op_u8();

	if (which & 1)
		page_fail_nth(1 + which / 2 % 32);
	else
		machine_fail_alloc(world.p, 1 + which / 2 % 8);
	ops.lacks_memory = true;
}

static inline void op_signal(void)
{
	port_current()->signal_pending = op_u8() & 1;
}

/* Another thread of the program does something in the middle of an ioctl or fault to come. */
static inline void op_race(void)
{
	static void (*const races[])(void) = { op_munmap,    op_mprotect, op_madvise, op_mremap,
					       op_anonymous, op_fork,	  op_mmap,    op_touch,
					       op_object,    op_revoke,	  op_age };

	world.race = races[op_u8() % ARRAY_SIZE(races)];
	world.race_after = op_u8() % 64;
}

/* ---- userfaultfd */

/* Where its ioctls' arguments are, and a page to copy from. */
#define UFFD_ARGS (ARGS + PAGE_SIZE)
#define UFFD_PAGE (ARGS + 2 * PAGE_SIZE)

static inline s64 uffd_call(u32 cmd, const void *arg, size_t n)
{
	world_put(UFFD_ARGS, arg, n);
	return ops.uffd->ops->ioctl(ops.uffd, cmd, UFFD_ARGS);
}

static inline void uffd_close(void)
{
	struct file *f = ops.uffd;

	ops.uffd = NULL;
	if (f)
		file_put(f);
}

/* Whoever knows no features has none; so most know all that there are. */
static inline void op_uffd(void)
{
	struct uffdio_api api = { .api = UFFD_API };
	u8 what = op_u8();

	if (ops.uffd) {
		if (what >= 240)
			uffd_close();
		return;
	}
	ops.uffd = uffd_new(world.mm, what % 8 == 7 ? UFFD_PROGRAM_FAULTS : UFFD_ALL_FAULTS,
			    O_NONBLOCK);
	world_require(ops.uffd || ops.lacks_memory, "no userfaultfd");
	if (!ops.uffd)
		return;
	if (what % 4)
		api.features = UFFD_FEATURE_MISSING_SHMEM | UFFD_FEATURE_MINOR_SHMEM |
			       UFFD_FEATURE_PAGEFAULT_FLAG_WP | UFFD_WP_UNPOPULATED | UFFD_POISON;
	if (what % 8 == 6)
		api.features |= UFFD_FEATURE_SIGBUS;
	if (what & 16)
		api.features |= UFFD_FEATURE_EXACT_ADDRESS | UFFD_FEATURE_THREAD_ID;
	if (op_is_hostile())
		api.features = op_hostile();
	(void)uffd_call(UFFDIO_API, &api, sizeof(api));
}

static inline struct uffdio_range op_uffd_range(void)
{
	struct page_range at = op_range();
	struct uffdio_range r = { AREA + at.first * PAGE_SIZE, at.count * PAGE_SIZE };

	if (op_is_hostile())
		r.start = op_hostile();
	if (op_is_hostile())
		r.len = op_hostile();
	return r;
}

static inline void op_uffd_register(void)
{
	struct uffdio_register r = { .range = op_uffd_range(), .mode = op_u8() % 8 };

	if (ops.uffd)
		(void)uffd_call(UFFDIO_REGISTER, &r, sizeof(r));
}

/* UFFDIO_COPY and CONTINUE have the same shape as the others, but for the copy's source. */
static inline void uffd_serve(u8 what, struct uffdio_range r, u64 mode)
{
	struct uffdio_copy copy = {
		.dst = r.start, .src = UFFD_PAGE, .len = min(r.len, (u64)PAGE_SIZE), .mode = mode
	};
	struct uffdio_zeropage zero = { .range = r, .mode = mode };
	struct uffdio_continue go_on = { .range = r, .mode = mode };
	struct uffdio_writeprotect protect = { .range = r, .mode = mode };
	struct uffd_poison_args poison = { .start = r.start, .len = r.len, .mode = mode };

	switch (what % 8) {
	case 0: (void)uffd_call(UFFDIO_COPY, &copy, sizeof(copy)); return;
	case 1: (void)uffd_call(UFFDIO_ZEROPAGE, &zero, sizeof(zero)); return;
	case 2: (void)uffd_call(UFFDIO_CONTINUE, &go_on, sizeof(go_on)); return;
	case 3:
	case 4: (void)uffd_call(UFFDIO_WRITEPROTECT, &protect, sizeof(protect)); return;
	case 5:
		ops.poisoned = true;
		(void)uffd_call(UFFDIO_POISON_CMD, &poison, sizeof(poison));
		return;
	case 6: (void)uffd_call(UFFDIO_WAKE, &r, sizeof(r)); return;
	default: (void)uffd_call(UFFDIO_UNREGISTER, &r, sizeof(r)); return;
	}
}

static inline void op_uffd_serve(void)
{
	u8 what = op_u8();
	struct uffdio_range r = op_uffd_range();
	u64 mode = op_is_hostile() ? op_hostile() : op_u8() % 4;

	if (ops.uffd)
		uffd_serve(what, r, mode);
}

static inline bool uffd_read(struct uffd_msg *msg)
{
	struct iobuf io = { .kernel = msg, .left = sizeof(*msg) };
	u64 pos = 0;

	return ops.uffd && ops.uffd->ops->read(ops.uffd, &io, &pos) == sizeof(*msg);
}

/*
 * The only thread waits for what the userfaultfd's owner does: another thread, which this is. It
 * serves the page, or wakes for nothing, or a signal comes; and closes the userfaultfd if that goes
 * on.
 */
static inline int uffd_others(u64 deadline)
{
	enum { SLEEPS_MAX = 8 };
	u8 what = op_u8();
	struct uffd_msg msg;
	struct uffdio_range r;

	(void)deadline;
	world_require(ops.uffd, "the only thread sleeps, and for no userfaultfd");
	if (++ops.sleeps > SLEEPS_MAX || !uffd_read(&msg)) {
		uffd_close();
		return 0;
	}
	if (what >= 240)
		return -EINTR;
	r = (struct uffdio_range){ msg.arg.pagefault.address & PAGE_MASK, PAGE_SIZE };
	uffd_serve(what, r, 0);
	return 0;
}

static inline void op_check(void)
{
	world_check();
	model_host_grace();
	machine_quiesce(world.p);
}

/* ---- the sequence */

typedef void op_fn(void);
static op_fn *const op_table[] = {
	op_slot,     op_slot,	   op_slot,	  op_get_log,	    op_clear_log,    op_enable_cap,
	op_refusal,  op_prefault,  op_any_ioctl,  op_guest,	    op_guest,	     op_guest,
	op_guest,    op_guest_cmo, op_guest_trap, op_vcpu,	    op_new_vm,	     op_touch,
	op_mmap,     op_anonymous, op_munmap,	  op_mprotect,	    op_madvise,	     op_mremap,
	op_fork,     op_object,	   op_revoke,	  op_age,	    op_hostile_call, op_lack_memory,
	op_race,     op_race,	   op_race,	  op_signal,	    op_check,	     op_coherence,
	op_contract, op_trace,	   op_explain,	  op_prefault_slot,
};

/* By the last of 256 numbers. */
static op_fn *const op_uffd_table[] = {
	op_uffd, op_uffd_register, op_uffd_register, op_uffd_serve, op_uffd_serve,
};
enum { OP_UFFD_FIRST = 240 };

static inline op_fn *op_next(void)
{
	u8 n = op_u8();

	return n < OP_UFFD_FIRST ? op_table[n % ARRAY_SIZE(op_table)]
				 : op_uffd_table[n % ARRAY_SIZE(op_uffd_table)];
}

static const struct port_caps op_machines[] = {
	{ .fwb = true,
	  .dic = true,
	  .idc = true,
	  .ttl = true,
	  .tlb_range = true,
	  .pa_bits = 48,
	  .ipa_bits = 40,
	  .vmid_bits = 8,
	  .cpus = WORLD_VMS },
	{ .idc = true, .pa_bits = 48, .ipa_bits = 40, .vmid_bits = 8, .cpus = WORLD_VMS },
	{ .pa_bits = 48,
	  .ipa_bits = 40,
	  .vmid_bits = 8,
	  .cpus = WORLD_VMS,
	  .bbm = 2,
	  .hw_af = true,
	  .hw_dbm = true,
	  .tlb_range = true },
	{ .fwb = true,
	  .idc = true,
	  .ttl = true,
	  .hw_af = true,
	  .bbm = 1,
	  .pa_bits = 48,
	  .ipa_bits = 40,
	  .vmid_bits = 16,
	  .cpus = WORLD_VMS },
};

static inline void ops_start(struct port *p)
{
	static const struct world_device devices[DEVICES] = {
		{ HOST_NC, 0, LEVEL_4K },
		{ HOST_DEVICE, 0, LEVEL_2M },
		{ HOST_NC, VM_ALLOW_ANY_UNCACHED, LEVEL_2M },
	};

	world_start(p);
	model_on_sleep = uffd_others;
	for (int i = 0; i < DEVICES; i++) {
		ops.device[i] = devices[i];
		ops.device_file[i] = file_alloc(&world_device_ops, &ops.device[i], O_RDWR);
		world_require(ops.device_file[i], "no memory");
	}
	ops.object = memobj_new();
	world_require(ops.object && !memobj_truncate(ops.object, OBJECT_PAGES * PAGE_SIZE),
		      "no memory");
	ops.object_file = file_alloc(&world_object_ops, ops.object, O_RDWR);
	world_require(ops.object_file, "no memory");
	world_require(world_map(AREA, AREA_PAGES * PAGE_SIZE, PROT_READ | PROT_WRITE,
				MAP_PRIVATE) == (s64)AREA,
		      "no memory");
	for (unsigned int vm = 0; vm < WORLD_VMS; vm++)
		world_require(!world_slot(vm, 0, 0, GUEST_RAM, AREA_PAGES * PAGE_SIZE / 2, AREA),
			      "no slot");
}

static inline void ops_stop(void)
{
	uffd_close();
	model_on_sleep = NULL;
	for (int i = 0; i < DEVICES; i++)
		file_put(ops.device_file[i]);
	file_put(ops.object_file);
	world_stop();
}

/* Runs what the bytes say, at most @max operations; the first byte chooses the machine. @p: NULL,
 * or a machine to use again. Returns the machine. */
static inline struct port *ops_run(struct port *p, const u8 *bytes, size_t n, unsigned int max_ops)
{
	const struct port_caps *caps = &op_machines[n ? bytes[0] % ARRAY_SIZE(op_machines) : 0];

	if (p)
		machine_reset(p, caps);
	else
		p = machine_new(caps);
	memset(&ops, 0, sizeof(ops));
	ops.at = bytes + (n > 0);
	ops.end = bytes + n;
	ops_start(p);
	for (unsigned int i = 0; i < max_ops && ops.at < ops.end; i++) {
		op_fn *op = op_next();

		ops.sleeps = 0;
		op();
		if (op == op_lack_memory)
			continue;
		page_fail_nth(0);
		machine_fail_alloc(p, 0);
		ops.lacks_memory = false;
	}
	world.race = NULL;
	port_current()->signal_pending = 0;
	world_check();
	ops_stop();
	return p;
}

#endif
