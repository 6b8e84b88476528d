/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Stolen time (Arm DEN0057A): how long a vCPU could have run and was not let, which is what its
 * thread waited in the run queue. It stands in guest memory, in a place that user space chooses
 * and the guest asks for.
 */
#include "host/page.h"
#include "host/string.h"
#include "kvm/guest_data.h"
#include "kvm/vcpu.h"

/* The structure of DEN0057A, 3.2.2. Revision and attributes are 0. */
struct stolen_time {
	u32 revision;
	u32 attributes;
	u64 stolen_ns;
	u8 padding[48];
};
_Static_assert(sizeof(struct stolen_time) == 64, "aligned to its size, it lies within a page");

void pvtime_init(struct vcpu *v)
{
	v->steal_ipa = PVTIME_NOWHERE;
}

/* ---- KVM_ARM_VCPU_PVTIME_CTRL */

static bool is_writable(struct vcpu *v, u64 ipa)
{
	struct slot_view slot;

	return slot_look_up(&v->vm->memory.guest.slots, ipa >> PAGE_SHIFT, &slot) &&
	       !(slot.flags & SLOT_READONLY);
}

int pvtime_set(struct vcpu *v, hva_t arg)
{
	u64 ipa;

	if (copy_from_user(&ipa, arg, sizeof(ipa)))
		return -EFAULT;
	if (ipa % sizeof(struct stolen_time))
		return -EINVAL;
	if (pvtime_is_on(v))
		return -EEXIST;
	if (!is_writable(v, ipa))
		return -EINVAL;
	v->steal_ipa = ipa;
	return 0;
}

int pvtime_get(struct vcpu *v, hva_t arg)
{
	return copy_to_user(arg, &v->steal_ipa, sizeof(v->steal_ipa));
}

/* ---- counting */

/*
 * What the calling thread has waited since it was last asked for this vCPU. Another thread than
 * then begins anew: what it waited elsewhere was not this vCPU's time.
 */
static u64 stolen_since(struct vcpu *v)
{
	u64 now = sched_wait_ns(), last = v->steal_seen_ns;
	const struct task *thread = v->steal_thread;

	v->steal_seen_ns = now;
	v->steal_thread = port_current();
	return thread == port_current() && now > last ? now - last : 0;
}

static int place_write(struct vcpu *v, size_t at, const void *from, size_t n)
{
	return guest_data_write_by(&v->vm->memory, &v->ring, v->steal_ipa + at, from, n);
}

/* Memory that is not there any more is the guest's loss: the next call tries again (as Linux). */
void pvtime_record(struct vcpu *v)
{
	u64 at = v->steal_ipa + offsetof(struct stolen_time, stolen_ns), stolen, total;

	if (guest_data_read(&v->vm->memory, at, &total, sizeof(total)))
		return;
	stolen = stolen_since(v);
	total += stolen;
	if (stolen)
		(void)place_write(v, offsetof(struct stolen_time, stolen_ns), &total,
				  sizeof(total));
}

u64 pvtime_start(struct vcpu *v)
{
	const struct stolen_time zero = { 0 };

	if (!pvtime_is_on(v))
		return PVTIME_NOWHERE;
	(void)stolen_since(v);
	(void)place_write(v, 0, &zero, sizeof(zero));
	return v->steal_ipa;
}
