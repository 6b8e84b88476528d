/* SPDX-License-Identifier: Apache-2.0 */
/* Restartable sequences: registration, the CPU number, aborting critical sections. */
#include "kernel/rseq.h"

#include "kernel/syscalls.h"

/* struct rseq as of its first version: later fields are beyond the length that we accept to fill.
 */
#define RSEQ_SIZE 32

static int put_cpu(struct thread *t)
{
	u32 cpu[2] = { port_cpu(), port_cpu() }; /* cpu_id_start, cpu_id */

	return copy_to_user(t->rseq, cpu, sizeof(cpu));
}

/* Is it where it jumps to on abort that the program says it is? */
static int check_abort(const struct thread *t, const struct rseq_cs *cs)
{
	u32 signature;

	if (cs->version || cs->abort_ip - cs->start_ip < cs->post_commit_offset)
		return -EINVAL;
	if (copy_from_user(&signature, HVA(cs->abort_ip - sizeof(signature)), sizeof(signature)))
		return -EFAULT;
	return signature == t->rseq_signature ? 0 : -EINVAL;
}

static int leave_section(struct thread *t, struct user_regs *regs)
{
	hva_t field = HVA(t->rseq.v + offsetof(struct rseq, rseq_cs));
	struct rseq_cs cs;
	u64 at, none = 0;
	int err = copy_from_user(&at, field, sizeof(at));

	if (err || !at)
		return err;
	err = copy_from_user(&cs, HVA(at), sizeof(cs));
	if (err)
		return err;
	if (regs->pc - cs.start_ip < cs.post_commit_offset) {
		err = check_abort(t, &cs);
		if (err)
			return err;
		regs->pc = cs.abort_ip;
	}
	return copy_to_user(field, &none, sizeof(none));
}

void rseq_update(struct thread *t, struct user_regs *regs)
{
	/* First: a switch during the accesses below makes it due again. */
	t->rseq_due = 0;
	if (!t->rseq.v)
		return;
	if (put_cpu(t) == 0 && leave_section(t, regs) == 0)
		return;
	t->rseq = HVA(0);
	signal_force(SIGSEGV, SEGV_MAPERR, HVA(regs->pc));
}

static s64 rseq_unregister(struct thread *t, hva_t area, u32 size, u32 signature)
{
	u32 cpu[2] = { 0, (u32)RSEQ_CPU_ID_UNINITIALIZED };

	if (t->rseq.v != area.v || !area.v || size != RSEQ_SIZE)
		return -EINVAL;
	if (t->rseq_signature != signature)
		return -EPERM;
	if (copy_to_user(area, cpu, sizeof(cpu)) != 0)
		return -EFAULT;
	t->rseq = HVA(0);
	return 0;
}

s64 sys_rseq(const u64 a[6])
{
	struct thread *t = current_thread();
	hva_t area = HVA(a[0]);
	u32 size = (u32)a[1], flags = (u32)a[2], signature = (u32)a[3];

	if (flags & RSEQ_FLAG_UNREGISTER)
		return flags == RSEQ_FLAG_UNREGISTER ? rseq_unregister(t, area, size, signature)
						     : -EINVAL;
	if (flags)
		return -EINVAL;
	if (t->rseq.v) {
		if (t->rseq.v != area.v || size != RSEQ_SIZE)
			return -EINVAL;
		return t->rseq_signature == signature ? -EBUSY : -EPERM;
	}
	if (!IS_ALIGNED(area.v, RSEQ_SIZE) || size != RSEQ_SIZE)
		return -EINVAL;
	if (clear_user(area, 1) != 0)
		return -EFAULT;
	t->rseq = area;
	t->rseq_signature = signature;
	t->rseq_due = 1;
	return 0;
}
