/* SPDX-License-Identifier: Apache-2.0 */
/* Synchronous exceptions: of programs, and of the kernel's own accesses to programs' memory. */
#include "asm.h"
#include "arm64.h"
#include "host/task.h"
#include "sysreg.h"

_Static_assert(offsetof(struct user_regs, sp) == REGS_SP &&
		       offsetof(struct user_regs, pc) == REGS_PC &&
		       offsetof(struct user_regs, pstate) == REGS_PSTATE &&
		       offsetof(struct user_regs, orig_x0) == REGS_ORIG_X0 &&
		       offsetof(struct user_regs, syscall) == REGS_SYSCALL &&
		       sizeof(struct user_regs) == REGS_SIZE,
	       "vectors.S saves programs' registers by these offsets");
_Static_assert(offsetof(struct trap_frame, pstate) == REGS_PSTATE &&
		       offsetof(struct trap_frame, record) == FRAME_RECORD &&
		       sizeof(struct trap_frame) == REGS_SIZE,
	       "vectors.S saves the kernel's registers by these offsets");
_Static_assert(offsetof(struct port_thread, callee_saved) == THREAD_X19 &&
		       offsetof(struct port_thread, callee_saved[11]) == THREAD_SP &&
		       offsetof(struct port_thread, pc) == THREAD_PC &&
		       offsetof(struct port_thread, tpidr_el0) == THREAD_TPIDR &&
		       offsetof(struct port_thread, fp) == THREAD_FP &&
		       offsetof(struct user_fpsimd, fpsr) == FP_FPSR &&
		       offsetof(struct user_fpsimd, fpcr) == FP_FPCR,
	       "thread.S saves threads by these offsets");
_Static_assert(offsetof(struct percpu, current) == PERCPU_CURRENT &&
		       offsetof(struct percpu, overflow_top) == PERCPU_OVERFLOW &&
		       offsetof(struct percpu, stack_top) == PERCPU_STACK &&
		       sizeof(struct percpu) == 1 << PERCPU_SIZE_SHIFT,
	       "assembly reads per-CPU data by these offsets");

enum { EC_DATA_ABORT_SAME_EL = 0x25 };
#define PSTATE_PAN BIT(22)

static unsigned int esr_class(u64 esr)
{
	return (unsigned int)(esr >> 26) & 0x3f;
}

/* Programs' addresses may carry a tag (TCR_EL2.TBI0), which nobody above us shall see. */
static u64 untag(u64 far)
{
	return (u64)((s64)(far << 8) >> 8);
}

void arm64_user_exception(struct user_regs *regs, u64 esr, u64 far)
{
	kernel_user_exception(regs, esr, untag(far));
}

/* A routine of uaccess.S. */
struct user_access {
	u64 start;
	u64 end;
	u64 fixup; /* returns -EFAULT to the routine's caller */
	u64 nofault;
};

extern const struct user_access __user_access_start[], __user_access_end[];

static const struct user_access *find_user_access(u64 pc)
{
	for (const struct user_access *a = __user_access_start; a < __user_access_end; a++) {
		if (pc >= a->start && pc < a->end)
			return a;
	}
	return NULL;
}

/* Translation, access flag and permission faults can be cured by the host's fault path. */
static bool is_curable(u64 esr)
{
	unsigned int status = (unsigned int)esr & 0x3f;

	return status >= 0x04 && status <= 0x0f;
}

void arm64_kernel_sync(struct trap_frame *frame, u64 esr, u64 far)
{
	const struct user_access *access = find_user_access(frame->pc);

	if (esr_class(esr) != EC_DATA_ABORT_SAME_EL || far >= USER_END || !access)
		panic_with_frame(frame, esr, far, "unexpected exception in the kernel");
	if (!access->nofault && is_curable(esr) && kernel_user_access_fault(HVA(far), esr) == 0)
		return;
	frame->pc = access->fixup;
	frame->pstate |= PSTATE_PAN;
}

void arm64_kernel_unexpected(struct trap_frame *frame, u64 esr, u64 far)
{
	panic_with_frame(frame, esr, far, "unexpected vector in the kernel (interrupt or SError)");
}

void arm64_kernel_overflow(struct trap_frame *frame, u64 esr, u64 far)
{
	panic_with_frame(frame, esr, far, "kernel stack overflow");
}
