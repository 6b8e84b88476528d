/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A virtual CPU. Its mutex serialises its ioctls, KVM_RUN among them; whatever others may touch
 * meanwhile is atomic and marked so.
 */
#ifndef KVM_VCPU_H
#define KVM_VCPU_H

#include "host/task.h"
#include "kvm/pmu.h"
#include "kvm/port.h"
#include "kvm/vgic.h"
#include "kvm/vm.h"

/* What others ask of a vCPU; handled before the next entry (design.md 4a, kick). */
enum vcpu_request {
	VCPU_REQ_KICK = 1 << 0,	   /* look at everything again */
	VCPU_REQ_RESET = 1 << 1,   /* take over the state of PSCI CPU_ON */
	VCPU_REQ_SLEEP = 1 << 2,   /* it may be powered off now: do not enter */
	VCPU_REQ_SUSPEND = 1 << 3, /* KVM_MP_STATE_SUSPENDED */
	VCPU_REQ_ITS = 1 << 4,	   /* a signal ended its processing of an ITS's commands */
	VCPU_REQ_STEAL = 1 << 5,   /* its thread may have waited: count that */
	VCPU_REQ_PMU = 1 << 6,	   /* its PMU's interrupt may have another level */
};

enum vcpu_mode { VCPU_OUTSIDE, VCPU_IN_GUEST };

struct vcpu {
	struct guest_cpu cpu;
	struct vm *vm; /* counted by the vCPU's descriptor */
	u32 id;
	u32 order;		/* how many were created before it */
	struct dirty_ring ring; /* size 0: none; its memory is shared with user space */
	struct page *run_page;
	struct kvm_run *run; /* shared with user space: read each field once */
	struct mutex mutex;

	u32 mode;      /* atomic: enum vcpu_mode */
	u32 requests;  /* atomic: enum vcpu_request */
	u32 on_cpu;    /* atomic: where it is loaded */
	u32 mp_state;  /* atomic: KVM_MP_STATE_* */
	u32 irq_lines; /* atomic: GUEST_HCR_VI, GUEST_HCR_VF as KVM_IRQ_LINE set them */
	struct waitq wait;

	struct switch_hook hook;
	bool loaded;
	bool initialised; /* KVM_ARM_VCPU_INIT was done */
	bool ran;
	u32 feature_bits;

	/* An MMIO exit that user space still has to answer */
	bool mmio_pending;
	bool mmio_is_write;
	bool mmio_sign_extend;
	bool mmio_reg_64;
	u8 mmio_len;
	u8 mmio_reg;

	/* Timers: which lines are asserted and known (kvm/timer.c) */
	u32 timer_unmasked;
	u32 timer_level; /* as the vGIC, or user space, was told */

	/* Stolen time (kvm/pvtime.c) */
	u64 steal_ipa;			 /* where it stands, or PVTIME_NOWHERE; set once */
	u64 steal_seen_ns;		 /* what this thread had waited when it was last asked */
	const struct task *steal_thread; /* to compare, not to follow */

	/* The vGIC's part (kvm/vgic_vcpu.c); unused without one */
	struct vgic_cpu vgic;
	struct vgic_lrs lrs; /* used: atomic; not 0 while the CPU has them */
	bool takes_now;	     /* what the next entry finds pending, the guest is about to take */
	u32 folds;	     /* atomic: how often the list registers were taken back */

	/* PSCI CPU_ON: written under reset_lock, taken by VCPU_REQ_RESET */
	struct spinlock reset_lock;
	u64 reset_pc;
	u64 reset_x0;
	bool reset_be;

	/* Debugging (kvm/debug.h) */
	struct guest_debug own_debug;  /* the guest's */
	struct guest_debug user_hw;    /* KVM_GUESTDBG_USE_HW */
	struct guest_debug user_debug; /* in the CPU while user space debugs */
	u32 guest_debug;	       /* KVM_GUESTDBG_* */
	bool step_pending;	       /* stepped, and user space not yet told */
	u64 own_step;		       /* the guest's PSTATE.SS while user space steps */
	u64 signal_mask;	       /* KVM_SET_SIGNAL_MASK: the thread has it during KVM_RUN, */
	bool signal_mask_set;	       /* if this is set */
	u64 ccsidr[14];		       /* by CSSELR value; 0: as computed */
	bool ccsidr_set[14];

	struct exit_counters exits;

	struct vcpu_pmu pmu; /* the last: it is large, and not used at entries and exits */
};

/* KVM_CREATE_VCPU: a new vCPU of @vm; its descriptor. -EINVAL, -EEXIST, -EMFILE, -ENOMEM: there is
 * none. */
int vcpu_create(struct vm *vm, u64 id);
/* Frees what vm_put() finds. */
void vcpu_free(struct vcpu *v);
/* Sets @requests; if the vCPU is in the guest it leaves it, if it sleeps it wakes. Any context. */
void vcpu_request(struct vcpu *v, u32 requests);

/* ---- kvm/run.c */
/* KVM_RUN, under the vCPU's mutex. */
s64 vcpu_run(struct vcpu *v);
/* Takes the registers out of the CPU and back, for sleeping and for what changes controls. */
void vcpu_load(struct vcpu *v);
void vcpu_put(struct vcpu *v);
/* Sleeps until an interrupt, a request or the vCPU's next timer. 1, or -EINTR. Loaded. */
int vcpu_wait(struct vcpu *v);

/* ---- kvm/reset.c */
/* KVM_ARM_VCPU_INIT with the struct at @arg. */
int vcpu_init(struct vcpu *v, hva_t arg);
/* Registers as after a warm reset. */
void vcpu_reset(struct vcpu *v);
/* VCPU_REQ_RESET was set. The vCPU is put. */
void vcpu_take_reset(struct vcpu *v);

/* ---- kvm/exit.c: after a synchronous exit. 1: enter again; 0: to user space; negative: an error.
 */
int exit_handle(struct vcpu *v);

/* ---- kvm/abort.c, kvm/mmio.c */
int abort_handle(struct vcpu *v);
/* Fills the MMIO exit, or serves it in the kernel. Result as exit_handle(). */
int mmio_begin(struct vcpu *v, const struct fault_outcome *o);
/* User space has answered: completes the instruction. */
void mmio_finish(struct vcpu *v);

/* ---- kvm/cmo.c: maintenance that trapped (kvm/cmo_trap.h). Result as exit_handle(). */
struct cmo_op;
int cmo_trap(struct vcpu *v, const struct cmo_op *op);

/* ---- kvm/guest_walk.c */
struct guest_walk_step {
	ipa_t desc; /* where the descriptor lies */
	s8 level;
	bool is_leaf; /* a block or a page */
};
/* The descriptors that a walk of stage 1 reads; the last may lie outside of all slots. */
struct guest_walk {
	unsigned int count;
	struct guest_walk_step step[4];
};
/* For @va, by the guest's registers and tables as they are now. On the thread in KVM_RUN. May
 * sleep. */
void guest_walk(struct vcpu *v, u64 va, struct guest_walk *out);

/* ---- kvm/dirty_ring.c: the vCPU's part */
/* A ring of @entries, 0: none; its memory. -ENOMEM. */
int ring_create(struct vcpu *v, u32 entries);
void ring_destroy(struct vcpu *v);
/* The page that the vCPU's descriptor maps at page @index, or NULL: it is not the ring's. */
struct page *ring_page(const struct vcpu *v, u64 index);
/* Before an entry: has the ring no place left? Then ring_full_exit() ends KVM_RUN. */
static inline bool ring_is_full(const struct vcpu *v)
{
	return v->ring.size && dirty_ring_is_full(&v->ring);
}
int ring_full_exit(struct vcpu *v);

/* ---- kvm/inject.c: the vCPU is loaded, or its registers are all in memory */
void inject_undefined(struct vcpu *v);
/* The access that trapped traps to the guest's EL1, with the same syndrome; so does an absent ID
 * register's on a CPU with FEAT_IDST. */
void inject_trap(struct vcpu *v);
/* @walk_level: of the descriptor, if a walk of stage 1 is refused; else NOT_ON_WALK. */
enum { NOT_ON_WALK = -1 };
void inject_sea(struct vcpu *v, enum inject_kind kind, u64 far, int walk_level);
/* A data abort with syndrome @iss (Arm ARM D19.2.37). */
void inject_data_abort(struct vcpu *v, u64 far, u64 iss);
void inject_serror(struct vcpu *v);

/* ---- kvm/inject32.c: the same for a vCPU whose EL1 is AArch32 */
void inject32_undefined(struct vcpu *v);
/* @iss: of the abort if EL1 were AArch64. */
void inject32_abort(struct vcpu *v, bool is_fetch, u64 far, u64 iss);

/* ---- kvm/hypercall.c, kvm/psci.c. Result as exit_handle(). */
int hypercall_handle(struct vcpu *v);
int smc_handle(struct vcpu *v);
/* @function is in PSCI's range. */
int psci_call(struct vcpu *v, u32 function);
/* Fills the firmware registers of ONE_REG. -ENOENT: not one. */
int firmware_reg_get(struct vcpu *v, u64 id, u64 *value);
int firmware_reg_set(struct vcpu *v, u64 id, u64 value);
extern const u64 firmware_regs[];
extern const unsigned int firmware_reg_count;
void firmware_init(struct vm *vm);
int smccc_filter_set(struct vm *vm, hva_t arg);

/* ---- kvm/sysreg.c */
/* A trapped MRS, MSR or SYS. Result as exit_handle(). */
int sysreg_trap(struct vcpu *v);
/* The same for AArch32's coprocessor accesses (kvm/coproc.h). */
struct sr_access;
int coproc_trap(struct vcpu *v, const struct sr_access *a);
/* System registers of ONE_REG by their id. -ENOENT: none. */
int sysreg_get(struct vcpu *v, u64 id, u64 *value);
int sysreg_set(struct vcpu *v, u64 id, u64 value);
/* Calls @emit for each id; counts them if NULL. */
struct reg_sink {
	int (*emit)(struct reg_sink *sink, u64 id);
};
int sysreg_list(struct vcpu *v, struct reg_sink *sink);
void sysreg_reset(struct vcpu *v);
int sysreg_writable_masks(struct vm *vm, hva_t arg);

/* ---- kvm/regs.c: the ioctls of that name */
int regs_get_one(struct vcpu *v, hva_t arg);
int regs_set_one(struct vcpu *v, hva_t arg);
int regs_list(struct vcpu *v, hva_t arg);

/* ---- kvm/timer.c */
/* After load, and before every entry: learns which lines are asserted. */
void timer_sync(struct vcpu *v);
/* The same, and with a vGIC the timers' interrupts have the lines' levels. */
void timers_settle(struct vcpu *v);
/* The vGIC may have other levels than were told: tell it both. */
enum { TIMER_LEVEL_UNKNOWN = 1 << 31 };
/* Must user space be told of a line that changed (KVM_CAP_ARM_USER_IRQ)? */
bool timer_user_must_know(struct vcpu *v);
/* Tells it, in kvm_run. */
void timer_tell_user(struct vcpu *v);
/* The vCPU is put: when does the next of its timers expire, ns as port_time_ns(); 0: one has, other
 * than those that @settled has a bit for, BIT(enum guest_timer). */
u64 timer_next_ns(const struct vcpu *v, u32 settled);
int timer_reg_get(struct vcpu *v, u64 id, u64 *value);
int timer_reg_set(struct vcpu *v, u64 id, u64 value);
extern const u64 timer_regs[6];
/* The guest's accesses while its physical counter has an offset (kvm/port.h). Loaded. */
enum timer_reg { PTIMER_COUNT, PTIMER_TVAL, PTIMER_CTL, PTIMER_CVAL };
u64 timer_trapped_read(struct vcpu *v, enum timer_reg reg);
void timer_trapped_write(struct vcpu *v, enum timer_reg reg, u64 value);
/* KVM_ARM_SET_COUNTER_OFFSET, of both counters and for good. -EBUSY: a vCPU runs. */
int timer_set_counter_offset(struct vm *vm, hva_t arg);
void guest_timers_init(struct vm *vm);
/* KVM_ARM_VCPU_TIMER_CTRL: the interrupt of timer @n (enum guest_timer). -EINVAL: no PPI, no vGIC;
 * -EBUSY: a vCPU ran. */
int timer_ppi_set(struct vm *vm, u32 n, hva_t arg);
int timer_ppi_get(struct vm *vm, u32 n, hva_t arg);

/* ---- kvm/pvtime.c: stolen time */
#define PVTIME_NOWHERE (~0UL)
void pvtime_init(struct vcpu *v);
/* KVM_ARM_VCPU_PVTIME_IPA. -EFAULT; -EINVAL: not aligned, no slot that can be written there;
 * -EEXIST: chosen already. */
int pvtime_set(struct vcpu *v, hva_t arg);
int pvtime_get(struct vcpu *v, hva_t arg);
/* The guest asks where (PV_TIME_ST): counts from now on. The place, or PVTIME_NOWHERE. On the
 * thread in KVM_RUN, as the next; may sleep. */
u64 pvtime_start(struct vcpu *v);
/* Adds to the place what was stolen since the last call. There is a place. */
void pvtime_record(struct vcpu *v);
static inline bool pvtime_is_on(const struct vcpu *v)
{
	return v->steal_ipa != PVTIME_NOWHERE;
}

/* ---- kvm/vgic_vcpu.c: a vCPU whose VM has a vGIC */
extern const struct vgic_ops vgic_vcpu_ops;
/* The new vCPU is one of @g's. Under the VM's lock. */
void vgic_vcpu_adopt(struct vcpu *v, struct vgic *g);
/* Before each vCPU's first run: is the vGIC complete? 0, -ENXIO, -EINVAL, -EBUSY. Under the VM's
 * lock. */
int vgic_first_run(struct vcpu *v);
/* Right before an entry, IN_GUEST published, if there is something on the vCPU's list; and after
 * the exit, if something was entered with. */
void vgic_enter(struct vcpu *v);
void vgic_leave(struct vcpu *v);
/* The guest looks what is pending, for the first time since vgic_enter() had it trap: it runs
 * again, with the timers' lines as they are now. */
int vgic_vcpu_acknowledges(struct vcpu *v);
/* Would an interrupt end its WFI? Without a vGIC: no. */
bool vgic_vcpu_is_pending(struct vcpu *v);
/* The CPU interface as after a warm reset; the vCPU is put. */
void vgic_vcpu_reset(struct vcpu *v);
/* The MMIO access @o, if it is to a frame of the vGIC; a read gives *@data. */
bool vgic_mmio(struct vcpu *v, const struct fault_outcome *o, u64 *data);
/* Trapped ICC_SGI1R_EL1 (@group 1) or ICC_SGI0R_EL1, ICC_ASGI1R_EL1 (0), and ICC_DIR_EL1. */
void vgic_vcpu_sgi(struct vcpu *v, u64 value, unsigned int group);
void vgic_vcpu_deactivate(struct vcpu *v, u32 intid);

/* ---- kvm/vgic_icc.c: registers of the CPU interface by the encoding of KVM's attribute. The vCPU
 * does not run. -ENXIO: none, -EINVAL: a value or an active priority that is not implemented. */
bool vgic_icc_is_there(u16 instr);
int vgic_icc_get(const struct vcpu *v, u16 instr, u64 *value);
int vgic_icc_set(struct vcpu *v, u16 instr, u64 value);

static inline bool vcpu_is_32bit(const struct vcpu *v)
{
	return guest_is_32bit(&v->cpu);
}

/* The general register @n, by its AArch64 name; 31 is zero. Of an AArch32 guest's the upper half is
 * unknown. */
static inline u64 vcpu_x(const struct vcpu *v, unsigned int n)
{
	return n == 31 ? 0 : v->cpu.x[n];
}

static inline void vcpu_set_x(struct vcpu *v, unsigned int n, u64 value)
{
	if (n != 31)
		v->cpu.x[n] = value;
}

#define PSTATE_SS	 BIT(21) /* software step */
#define PSTATE_NRW	 BIT(4)	 /* AArch32 */
#define PSTATE_MODE_EL0T 0x0UL
#define PSTATE_MODE_EL1T 0x4UL
#define PSTATE_MODE_EL1H 0x5UL
#define PSTATE_MODE	 0xfUL

/* Of either width: AArch32's user mode has no bit of PSTATE_MODE, either. */
static inline bool vcpu_is_at_el0(const struct vcpu *v)
{
	return (v->cpu.pstate & PSTATE_MODE) == PSTATE_MODE_EL0T;
}

#define ESR_EC_SHIFT 26
#define ESR_IL	     BIT(25)

static inline unsigned int esr_ec(u64 esr)
{
	return (unsigned int)(esr >> ESR_EC_SHIFT) & 0x3f;
}

/* Steps over the trapped instruction. */
void vcpu_skip(struct vcpu *v);

#endif
