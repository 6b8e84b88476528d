/* SPDX-License-Identifier: Apache-2.0 */
/* Signal frames: a program's state, put on its stack for a handler and taken back afterwards. */
#include "kernel/sigframe.h"

#include <asm/mman.h>

#include "host/mm.h"
#include "host/string.h"
#include "kernel/sigaltstack.h"
#include "kernel/thread.h"

/* struct rt_sigframe up to the records, which have a structure of their own. */
struct frame_head {
	siginfo_t info;
	unsigned long uc_flags;
	u64 uc_link;
	stack_t uc_stack;
	sigmask_t uc_sigmask;
	u8 uc_sigmask_room[120]; /* the C library's sets are larger */
	struct {
		u64 fault_address;
		u64 regs[31];
		u64 sp;
		u64 pc;
		u64 pstate;
	} __aligned(16) context;
};

#define FRAME_ROOM sizeof(((struct sigcontext *)0)->__reserved)

/* Bits of PSTATE that a program may set: N Z C V, DIT, SSBS (as the port enforces). */
#define PSTATE_USER	   (GENMASK(31, 28) | BIT(24) | BIT(12))
#define PSTATE_MODE	   0x1fUL /* 0 is AArch64 EL0 */
#define PSTATE_BRANCH_TYPE GENMASK(11, 10)
#define PSTATE_TAG_CHECK   BIT(25)

_Static_assert(offsetof(struct rt_sigframe, uc.uc_sigmask) ==
			       offsetof(struct frame_head, uc_sigmask) &&
		       offsetof(struct rt_sigframe, uc.uc_mcontext.regs) ==
			       offsetof(struct frame_head, context.regs) &&
		       offsetof(struct rt_sigframe, uc.uc_mcontext.__reserved) ==
			       sizeof(struct frame_head),
	       "struct frame_head is the head of struct rt_sigframe");

/* Written in this order behind the head; the end may come where the cause would. */
struct frame_records {
	struct fpsimd_context fp;
	struct esr_context cause;
	struct _aarch64_ctx end;
};

/* ---- setting up */

static void fill_head(struct frame_head *head, const struct user_regs *regs, const siginfo_t *info,
		      sigmask_t mask, const struct fault_cause *cause)
{
	memset(head, 0, sizeof(*head));
	head->info = *info;
	head->uc_stack = current_thread()->signals.altstack;
	head->uc_sigmask = mask;
	head->context.fault_address = cause->esr ? cause->far : 0;
	memcpy(head->context.regs, regs->x, sizeof(regs->x));
	head->context.sp = regs->sp;
	head->context.pc = regs->pc;
	head->context.pstate = regs->pstate;
}

/* Returns how many bytes of @r are the frame's. */
static size_t fill_records(struct frame_records *r, const struct fault_cause *cause)
{
	struct user_fpsimd fp;

	port_fp_save(&fp);
	memset(r, 0, sizeof(*r));
	r->fp.head = (struct _aarch64_ctx){ FPSIMD_MAGIC, sizeof(r->fp) };
	r->fp.fpsr = fp.fpsr;
	r->fp.fpcr = fp.fpcr;
	memcpy(r->fp.vregs, fp.v, sizeof(fp.v));
	if (!cause->esr)
		return offsetof(struct frame_records, cause) + sizeof(r->end);
	r->cause.head = (struct _aarch64_ctx){ ESR_MAGIC, sizeof(r->cause) };
	r->cause.esr = cause->esr;
	return offsetof(struct frame_records, end) + sizeof(r->end);
}

static u64 handler_stack(const struct user_regs *regs, const struct sigaction *act)
{
	const stack_t *alt = &current_thread()->signals.altstack;

	if ((act->sa_flags & SA_ONSTACK) && alt->ss_size && !altstack_in_use(alt, regs->sp))
		return (u64)alt->ss_sp + alt->ss_size;
	return regs->sp;
}

static void enter_handler(struct user_regs *regs, const struct sigaction *act, int sig, u64 frame,
			  u64 record)
{
	regs->x[0] = (u64)sig;
	if (act->sa_flags & SA_SIGINFO) {
		regs->x[1] = frame + offsetof(struct rt_sigframe, info);
		regs->x[2] = frame + offsetof(struct rt_sigframe, uc);
	}
	regs->x[29] = record;
	regs->x[30] = act->sa_flags & SA_RESTORER ? (u64)act->sa_restorer : SIGNAL_TRAMPOLINE;
	regs->sp = frame;
	regs->pc = (u64)act->sa_handler;
	regs->pstate &= ~(PSTATE_BRANCH_TYPE | PSTATE_TAG_CHECK);
}

int sigframe_setup(struct user_regs *regs, const struct sigaction *act, const siginfo_t *info,
		   sigmask_t saved_mask, const struct fault_cause *cause)
{
	u64 record = ALIGN_DOWN(handler_stack(regs, act) - sizeof(struct sigframe_record), 16UL);
	u64 frame = record - sizeof(struct rt_sigframe);
	struct sigframe_record link = { regs->x[29], regs->x[30] };
	struct frame_head head;
	struct frame_records records;
	size_t records_size = fill_records(&records, cause);

	fill_head(&head, regs, info, saved_mask, cause);
	if (copy_to_user(HVA(record), &link, sizeof(link)) != 0 ||
	    copy_to_user(HVA(frame), &head, sizeof(head)) != 0 ||
	    copy_to_user(HVA(frame + sizeof(struct frame_head)), &records, records_size) != 0)
		return -EFAULT;
	altstack_entered(&current_thread()->signals.altstack);
	enter_handler(regs, act, info->si_signo, frame, record);
	return 0;
}

/* ---- taking back */

static int load_fp(hva_t at, const struct _aarch64_ctx *head)
{
	struct fpsimd_context ctx;
	struct user_fpsimd fp;

	if (head->size != sizeof(ctx))
		return -EINVAL;
	if (copy_from_user(&ctx, at, sizeof(ctx)) != 0)
		return -EFAULT;
	memcpy(fp.v, ctx.vregs, sizeof(fp.v));
	fp.fpsr = ctx.fpsr;
	fp.fpcr = ctx.fpcr;
	port_fp_load(&fp);
	return 0;
}

/* Walks the records behind the head: exactly one with FP state, and an end. */
static int load_records(u64 start)
{
	unsigned int fp_records = 0;
	u64 offset = 0;

	while (offset + sizeof(struct _aarch64_ctx) <= FRAME_ROOM) {
		struct _aarch64_ctx head;

		if (copy_from_user(&head, HVA(start + offset), sizeof(head)) != 0)
			return -EFAULT;
		if (!head.magic && !head.size)
			return fp_records == 1 ? 0 : -EINVAL;
		if (head.size < sizeof(head) || head.size % 16 || head.size > FRAME_ROOM - offset)
			return -EINVAL;
		if (head.magic == FPSIMD_MAGIC) {
			if (fp_records++ || load_fp(HVA(start + offset), &head) != 0)
				return -EINVAL;
		} else if (head.magic != ESR_MAGIC) {
			return -EINVAL;
		}
		offset += head.size;
	}
	return -EINVAL;
}

int sigframe_restore(struct user_regs *regs, sigmask_t *mask)
{
	u64 frame = regs->sp;
	struct frame_head head;

	if (frame % 16 || copy_from_user(&head, HVA(frame), sizeof(head)) != 0)
		return -EFAULT;
	if (head.context.pstate & PSTATE_MODE)
		return -EINVAL;
	if (load_records(frame + sizeof(struct frame_head)) != 0)
		return -EINVAL;
	memcpy(regs->x, head.context.regs, sizeof(regs->x));
	regs->sp = head.context.sp;
	regs->pc = head.context.pc;
	regs->pstate = head.context.pstate & PSTATE_USER;
	*mask = head.uc_sigmask;
	(void)altstack_set(&current_thread()->signals.altstack, &head.uc_stack, regs->sp);
	return 0;
}

/* ---- the page handlers return to */

int signal_map_trampoline(void)
{
	/* mov x8, #__NR_rt_sigreturn; svc #0: by this pair unwinders know a signal frame. */
	static const u32 code[] = { 0xd2801168, 0xd4000001 };
	struct mm *mm = current_mm();
	int err = mm_map_kernel(mm, SIGNAL_TRAMPOLINE, PAGE_SIZE, VM_READ | VM_WRITE, NULL, 0);

	if (!err)
		err = copy_to_user(HVA(SIGNAL_TRAMPOLINE), code, sizeof(code));
	if (!err)
		err = mm_mprotect(mm, SIGNAL_TRAMPOLINE, PAGE_SIZE, PROT_READ | PROT_EXEC);
	return err;
}
