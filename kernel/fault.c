/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Synchronous exceptions of programs: page faults go to the mm, everything else is a signal, with
 * the codes that Linux gives it. Fields of ESR_EL2: Arm ARM, D24.2.39.
 */
#include "kernel/fault.h"
#include "kernel/process.h"
#include "kernel/signal.h"
#include "kernel/thread.h"

enum esr_class {
	EC_UNKNOWN = 0x00,
	EC_WFX = 0x01,
	EC_FP_ACCESS = 0x07,
	EC_BRANCH_TARGET = 0x0d,
	EC_ILLEGAL_STATE = 0x0e,
	EC_SYSREG = 0x18,
	EC_SVE_ACCESS = 0x19,
	EC_SME_ACCESS = 0x1d,
	EC_INSN_ABORT = 0x20,
	EC_PC_ALIGNMENT = 0x22,
	EC_DATA_ABORT = 0x24,
	EC_SP_ALIGNMENT = 0x26,
	EC_FP_EXCEPTION = 0x2c,
	EC_SERROR = 0x2f,
	EC_BREAKPOINT = 0x30,
	EC_STEP = 0x32,
	EC_WATCHPOINT = 0x34,
	EC_BRK = 0x3c,
	EC_COUNT = 0x40,
};

#define ESR_WNR BIT(6)
#define ESR_CM	BIT(8)
#define ESR_FNV BIT(10)
#define ESR_FSC 0x3fUL

/* Fault status codes (of data and instruction aborts alike), the level masked out where it has one.
 */
enum {
	FSC_TRANSLATION = 0x04,
	FSC_ACCESS_FLAG = 0x08,
	FSC_PERMISSION = 0x0c,
	FSC_EXTERNAL = 0x10,
	FSC_ALIGNMENT = 0x21,
	FSC_LEVELS = 0x03,
};

struct signal_code {
	u8 signal;
	s8 code;
};

/* Exceptions that are nothing but a signal. Any other class is SIGILL like an unknown instruction.
 */
static const struct signal_code class_signals[EC_COUNT] = {
	[EC_UNKNOWN] = { SIGILL, ILL_ILLOPC },	     [EC_FP_ACCESS] = { SIGILL, ILL_ILLOPC },
	[EC_BRANCH_TARGET] = { SIGILL, ILL_ILLOPC }, [EC_ILLEGAL_STATE] = { SIGILL, ILL_ILLOPC },
	[EC_SYSREG] = { SIGILL, ILL_ILLOPC }, /* HWCAP_CPUID is not offered */
	[EC_SVE_ACCESS] = { SIGILL, ILL_ILLOPC },    [EC_SME_ACCESS] = { SIGILL, ILL_ILLOPC },
	[EC_PC_ALIGNMENT] = { SIGBUS, BUS_ADRALN },  [EC_SP_ALIGNMENT] = { SIGBUS, BUS_ADRALN },
	[EC_FP_EXCEPTION] = { SIGFPE, FPE_FLTUNK },  [EC_BREAKPOINT] = { SIGTRAP, TRAP_HWBKPT },
	[EC_STEP] = { SIGTRAP, TRAP_TRACE },	     [EC_WATCHPOINT] = { SIGTRAP, TRAP_HWBKPT },
	[EC_BRK] = { SIGTRAP, TRAP_BRKPT },
};

static unsigned int esr_class(u64 esr)
{
	return (unsigned int)(esr >> 26) & 0x3f;
}

static void raise_fault(int sig, int code, u64 addr, u64 esr, u64 far)
{
	struct thread_signals *s = &current_thread()->signals;

	s->cause_signal = sig;
	s->cause_esr = esr;
	s->cause_far = far;
	signal_force(sig, code, HVA(addr));
}

/* Maintenance by address is a read, whatever WnR says. */
static enum host_access access_of(u64 esr)
{
	if (esr_class(esr) == EC_INSN_ABORT)
		return HOST_EXEC;
	return (esr & ESR_WNR) && !(esr & ESR_CM) ? HOST_WRITE : HOST_READ;
}

static bool is_page_fault(u64 esr)
{
	u64 kind = esr & ESR_FSC & ~(u64)FSC_LEVELS;

	return kind == FSC_TRANSLATION || kind == FSC_ACCESS_FLAG || kind == FSC_PERMISSION;
}

static void page_fault(u64 esr, u64 far)
{
	current_thread()->faults_minor++;
	switch (mm_fault_by(current_mm(), HVA(far), access_of(esr), FAULT_BY_PROGRAM)) {
	case FAULT_OK:
	case FAULT_INTR: return;
	case FAULT_SEGV_MAPERR: raise_fault(SIGSEGV, SEGV_MAPERR, far, esr, far); return;
	case FAULT_SEGV_ACCERR: raise_fault(SIGSEGV, SEGV_ACCERR, far, esr, far); return;
	case FAULT_BUS: raise_fault(SIGBUS, BUS_ADRERR, far, esr, far); return;
	case FAULT_POISON: raise_fault(SIGBUS, BUS_MCEERR_AR, far, esr, far); return;
	case FAULT_OOM:
		if (!task_memory_is_out() && !task_kill_pending(port_current()))
			process_exit(SIGKILL); /* nobody else is there */
		return;
	}
}

static void memory_abort(u64 esr, u64 far)
{
	if (is_page_fault(esr))
		page_fault(esr, far);
	else if ((esr & ESR_FSC) == FSC_ALIGNMENT)
		raise_fault(SIGBUS, BUS_ADRALN, far, esr, far);
	else if ((esr & ESR_FSC) == FSC_EXTERNAL)
		raise_fault(SIGBUS, BUS_OBJERR, esr & ESR_FNV ? 0 : far, esr, far);
	else
		raise_fault(SIGSEGV, SEGV_MAPERR, far, esr, far);
}

void kernel_user_exception(struct user_regs *regs, u64 esr, u64 far)
{
	unsigned int class = esr_class(esr);
	struct signal_code sc = class_signals[class];

	switch (class) {
	case EC_INSN_ABORT:
	case EC_DATA_ABORT: memory_abort(esr, far); return;
	case EC_WFX: regs->pc += 4; return;
	case EC_SERROR: panic("SError from a program: ESR %#lx, pc %#lx", esr, regs->pc);
	default: break;
	}
	if (!sc.signal)
		sc = class_signals[EC_UNKNOWN];
	raise_fault(sc.signal, sc.code, class == EC_WATCHPOINT ? far : regs->pc, esr, far);
}

enum fault_verdict fault_in(struct mm *mm, hva_t addr, enum host_access access)
{
	enum fault_verdict verdict;

	do {
		verdict = mm_fault(mm, addr, access);
	} while (verdict == FAULT_OOM && task_memory_is_out());
	return verdict;
}

int kernel_user_access_fault(hva_t far, u64 esr)
{
	struct mm *mm = current_mm();

	if (!mm)
		return -EFAULT;
	return fault_in(mm, far, access_of(esr)) == FAULT_OK ? 0 : -EFAULT;
}
