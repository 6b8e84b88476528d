/* SPDX-License-Identifier: Apache-2.0 */
/*
 * KVM_RUN. The vCPU is loaded once and stays so across the exits the kernel serves; when its thread
 * is switched out, the switch hook puts it (design.md 4a).
 */
#include "kvm/costs.h"
#include "kvm/debug.h"
#include "kvm/irqchip.h"
#include "kvm/vcpu.h"

bool costs_wanted;

/* ---- load and put */

void vcpu_load(struct vcpu *v)
{
	struct guest_mem *mem = &v->vm->memory.guest;

	__atomic_store_n(&v->on_cpu, port_cpu(), __ATOMIC_RELAXED);
	v->cpu.vttbr = guest_mem_enter(mem, v->id);
	v->cpu.vtcr = mem->s2.vtcr;
	v->cpu.cntvoff = v->vm->counter_offset[GUEST_TIMER_VIRTUAL];
	v->cpu.cntpoff = v->vm->counter_offset[GUEST_TIMER_PHYSICAL];
	v->cpu.ctr = v->vm->ctr;
	port_guest_load(&v->cpu);
	v->loaded = true;
	v->timer_unmasked = ~0U; /* not what the CPU has: sync sets it */
	timer_sync(v);
	if (pvtime_is_on(v))
		__atomic_fetch_or(&v->requests, VCPU_REQ_STEAL, __ATOMIC_RELAXED);
}

void vcpu_put(struct vcpu *v)
{
	port_guest_put(&v->cpu);
	guest_mem_leave(&v->vm->memory.guest);
	v->loaded = false;
	debug_after_put(v);
}

static void switch_out(struct switch_hook *hook)
{
	struct vcpu *v = container_of(hook, struct vcpu, hook);

	if (v->loaded)
		vcpu_put(v);
}

static void switch_in(struct switch_hook *hook)
{
	vcpu_load(container_of(hook, struct vcpu, hook));
}

/* ---- what happens before an entry */

static bool is_stopped(const struct vcpu *v)
{
	return __atomic_load_n(&v->mp_state, __ATOMIC_ACQUIRE) == KVM_MP_STATE_STOPPED;
}

/* KVM_RUN ends because somebody wants the thread. */
static int interrupted(struct vcpu *v)
{
	v->run->exit_reason = KVM_EXIT_INTR;
	v->exits.to_user_signal++;
	return -EINTR;
}

/* A powered-off vCPU waits here for PSCI CPU_ON, KVM_SET_MP_STATE or a signal. */
static int sleep_while_stopped(struct vcpu *v)
{
	if (!is_stopped(v) || !wait_event_interruptible(&v->wait, !is_stopped(v)))
		return 1;
	__atomic_fetch_or(&v->requests, VCPU_REQ_SLEEP, __ATOMIC_RELAXED);
	return interrupted(v);
}

static bool irq_is_pending(struct vcpu *v)
{
	return __atomic_load_n(&v->irq_lines, __ATOMIC_ACQUIRE) != 0 || vgic_vcpu_is_pending(v);
}

/* Until an interrupt or a request comes, or @deadline_ns. */
static int sleep_until_irq(struct vcpu *v, u64 deadline_ns)
{
	int error;

	/* What overflowed right before it sleeps, nobody would tell it. */
	if (v->cpu.pmu)
		pmu_settle(v);
	error = wait_event_until(&v->wait,
				 irq_is_pending(v) ||
					 __atomic_load_n(&v->requests, __ATOMIC_ACQUIRE),
				 SLEEP_INTERRUPTIBLE, deadline_ns);

	return error == -EINTR ? interrupted(v) : 1;
}

int vcpu_wait(struct vcpu *v)
{
	u64 deadline;

	timers_settle(v);
	port_guest_regs_save(&v->cpu);
	/* With a vGIC, a timer's line that it has is enough to wake it, or masked. */
	deadline = timer_next_ns(v, v->cpu.gic.present ? v->timer_level : 0);
	if (!deadline || (v->cpu.hcr & GUEST_HCR_VSE))
		return 1;
	return sleep_until_irq(v, deadline);
}

static int suspended(struct vcpu *v)
{
	int result;

	if (__atomic_load_n(&v->mp_state, __ATOMIC_ACQUIRE) != KVM_MP_STATE_SUSPENDED)
		return 1;
	/* Interrupts alone wake it. Of timers, those whose lines are asserted have done what they
	 * can. */
	timers_settle(v);
	port_guest_regs_save(&v->cpu);
	result = sleep_until_irq(v, timer_next_ns(v, v->timer_level));
	/* Until user space ends it, also across a KVM_RUN that a signal ended. */
	__atomic_fetch_or(&v->requests, VCPU_REQ_SUSPEND, __ATOMIC_RELAXED);
	if (result < 0)
		return result;
	if (!irq_is_pending(v))
		return 1;
	v->run->system_event.type = KVM_SYSTEM_EVENT_WAKEUP;
	v->run->system_event.ndata = 0;
	v->run->exit_reason = KVM_EXIT_SYSTEM_EVENT;
	return 0;
}

/* 1: go on. */
static int requests_handle(struct vcpu *v)
{
	u32 requests = __atomic_exchange_n(&v->requests, 0, __ATOMIC_ACQ_REL);
	bool user_must_know = false;
	int result = 1;

	if (requests & VCPU_REQ_RESET) {
		/* What the CPU holds of the old state is dropped. */
		vcpu_put(v);
		vcpu_take_reset(v);
		debug_run_begin(v);
		vcpu_load(v);
	}
	if (requests & VCPU_REQ_ITS)
		its_go_on(v);
	if (requests & VCPU_REQ_STEAL)
		pvtime_record(v);
	if (requests & VCPU_REQ_PMU)
		user_must_know = pmu_attend(v);
	if (requests & VCPU_REQ_SLEEP)
		result = sleep_while_stopped(v);
	if (result > 0 && (requests & VCPU_REQ_SUSPEND))
		result = suspended(v);
	return result > 0 && user_must_know ? interrupted(v) : result;
}

/* The interrupt lines user space drives go in with the entry. */
static void lines_apply(struct vcpu *v)
{
	u64 lines = __atomic_load_n(&v->irq_lines, __ATOMIC_RELAXED);

	v->cpu.hcr = (v->cpu.hcr & ~(GUEST_HCR_VI | GUEST_HCR_VF)) | lines;
}

static bool must_not_enter(const struct vcpu *v, const struct task *me)
{
	return __atomic_load_n(&v->requests, __ATOMIC_RELAXED) ||
	       __atomic_load_n(&me->signal_pending, __ATOMIC_RELAXED) ||
	       __atomic_load_n(&me->need_resched, __ATOMIC_RELAXED) ||
	       __atomic_load_n(&v->run->immediate_exit, __ATOMIC_RELAXED);
}

/* Why must_not_enter() said so, and what to do about it. As exit_handle(). */
static int attend(struct vcpu *v, struct task *me)
{
	if (task_signal_pending(me) || __atomic_load_n(&v->run->immediate_exit, __ATOMIC_RELAXED))
		return interrupted(v);
	sched_point(); /* whatever it is, others get their turn however often it comes */
	if (__atomic_load_n(&v->requests, __ATOMIC_RELAXED))
		return requests_handle(v);
	return 1;
}

/*
 * One stay in the guest. The order is the kick protocol's: IN_GUEST is published, then everything
 * that could forbid entry is read; whoever sets such a thing after that sees IN_GUEST and sends an
 * interrupt, which is masked until the ERET.
 */
static int enter_once(struct vcpu *v, struct task *me)
{
	enum guest_exit why;

	__atomic_store_n(&v->mode, VCPU_IN_GUEST, __ATOMIC_SEQ_CST);
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	if (must_not_enter(v, me)) {
		__atomic_store_n(&v->mode, VCPU_OUTSIDE, __ATOMIC_RELAXED);
		return attend(v, me);
	}
	lines_apply(v);
	sched_quiescent();
	if (v->cpu.gic.present && !vgic_is_idle(&v->vgic))
		vgic_enter(v);
	costs_turn(&v->exits, TIME_guest);
	why = port_guest_enter(&v->cpu);
	costs_turn(&v->exits, TIME_run);
	v->exits.all++;
	__atomic_store_n(&v->mode, VCPU_OUTSIDE, __ATOMIC_RELAXED);
	v->takes_now = false;
	if (v->lrs.used)
		vgic_leave(v);

	switch (why) {
	case GUEST_EXITED_SYNC: return exit_handle(v);
	case GUEST_EXITED_IRQ:
	case GUEST_EXITED_FIQ:
		exit_count(&v->exits, EXIT_irq);
		port_guest_irq();
		return 1;
	case GUEST_EXITED_SERROR: break;
	}
	/* An asynchronous abort while the guest ran is the guest's. */
	exit_count(&v->exits, EXIT_serror);
	port_guest_consume_serror();
	inject_serror(v);
	return 1;
}

/* ---- the ioctl */

/* The first run of any vCPU fixes the VM's configuration. */
static int first_run(struct vcpu *v)
{
	struct vm *vm = v->vm;
	int error;

	mutex_lock(&vm->lock);
	error = vm->vgic ? vgic_first_run(v) : 0;
	if (!error)
		error = pmu_first_run(v);
	if (!error && !vm->ran && !vm->vgic)
		id_regs_hide_gic(vm);
	if (!error)
		vm->ran = true;
	mutex_unlock(&vm->lock);
	v->ran = !error;
	/* Another vCPU's file may have changed it since this one's reset. */
	v->cpu.vpidr = vm->imp_id[IMP_MIDR];
	return error;
}

/* Completes what the last exit left to user space. */
static void finish_exit(struct vcpu *v)
{
	if (!v->mmio_pending)
		return;
	mmio_finish(v);
	debug_stepped(v);
}

static int run_loop(struct vcpu *v, struct task *me)
{
	int result;

	if (is_stopped(v))
		__atomic_fetch_or(&v->requests, VCPU_REQ_SLEEP, __ATOMIC_RELAXED);
	do {
		/* After whatever took interrupts: a timer's was disabled by that (gic.c). */
		timers_settle(v);
		if (timer_user_must_know(v))
			return interrupted(v);
		if (ring_is_full(v))
			return ring_full_exit(v);
		result = enter_once(v, me);
	} while (result > 0);
	return result;
}

/* With the vCPU loaded. */
static s64 run_loaded(struct vcpu *v, struct task *me)
{
	s64 result;

	v->hook = (struct switch_hook){ .out = switch_out, .in = switch_in };
	vcpu_load(v);
	me->hook = &v->hook;
	result = run_loop(v, me);
	me->hook = NULL;
	timers_settle(v);
	timer_tell_user(v);
	vcpu_put(v);
	debug_run_end(v);
	return result;
}

/* Under the signal mask that user space chose for KVM_RUN. */
static s64 run_masked(struct vcpu *v, struct task *me)
{
	u64 old_mask = task_set_signal_mask(v->signal_mask);
	s64 result = run_loaded(v, me);

	(void)task_set_signal_mask(old_mask);
	return result;
}

s64 vcpu_run(struct vcpu *v)
{
	struct task *me = port_current();
	s64 result;
	int error;

	if (!v->initialised)
		return -ENOEXEC;
	error = v->ran ? 0 : first_run(v);
	if (error)
		return error;
	costs_turn(&v->exits, TIME_run);
	v->exits.runs++;
	finish_exit(v);
	if (__atomic_load_n(&v->run->immediate_exit, __ATOMIC_RELAXED))
		return -EINTR;
	debug_run_begin(v);
	v->run->exit_reason = KVM_EXIT_UNKNOWN;
	v->run->flags = 0;
	result = v->signal_mask_set ? run_masked(v, me) : run_loaded(v, me);
	costs_turn(&v->exits, TIME_user);
	return result;
}
