/* SPDX-License-Identifier: Apache-2.0 */
/* KVM_GET_ONE_REG, KVM_SET_ONE_REG and KVM_GET_REG_LIST: finds the register an id names. */
#include "host/string.h"
#include "kvm/aarch32.h"
#include "kvm/vcpu.h"

#define CORE(member) KVM_REG_ARM_CORE_REG(member)
#define CORE_WORDS   (sizeof(struct kvm_regs) / sizeof(u32))
#define SPSRS	     KVM_NR_SPSR

/* ---- core registers: an index of 32-bit words into struct kvm_regs */

struct core_reg {
	void *at;
	unsigned int size;
};

static u64 core_index(u64 id)
{
	return id & ~(KVM_REG_ARCH_MASK | KVM_REG_SIZE_MASK | KVM_REG_ARM_CORE);
}

static bool in_array(u64 index, u64 base, unsigned int count, unsigned int words, unsigned int *n)
{
	if (index < base || index >= base + (u64)count * words || (index - base) % words)
		return false;
	*n = (unsigned int)((index - base) / words);
	return true;
}

/* Where the register is kept; at is NULL if the index names none. */
static struct core_reg core_find(struct vcpu *v, u64 index)
{
	struct guest_cpu *g = &v->cpu;
	unsigned int n;

	if (in_array(index, CORE(regs.regs[0]), 31, 2, &n))
		return (struct core_reg){ &g->x[n], 8 };
	if (in_array(index, CORE(spsr[1]), SPSRS - 1, 2, &n))
		return (struct core_reg){ &g->reg[GR_SPSR_ABT + n], 8 };
	if (in_array(index, CORE(fp_regs.vregs[0]), 32, 4, &n))
		return (struct core_reg){ &g->fp.v[n], 16 };
	switch (index) {
	case CORE(regs.sp): return (struct core_reg){ &g->reg[GR_SP_EL0], 8 };
	case CORE(regs.pc): return (struct core_reg){ &g->pc, 8 };
	case CORE(regs.pstate): return (struct core_reg){ &g->pstate, 8 };
	case CORE(sp_el1): return (struct core_reg){ &g->reg[GR_SP_EL1], 8 };
	case CORE(elr_el1): return (struct core_reg){ &g->reg[GR_ELR_EL1], 8 };
	case CORE(spsr[0]): return (struct core_reg){ &g->reg[GR_SPSR_EL1], 8 };
	case CORE(fp_regs.fpsr): return (struct core_reg){ &g->fp.fpsr, 4 };
	case CORE(fp_regs.fpcr): return (struct core_reg){ &g->fp.fpcr, 4 };
	}
	return (struct core_reg){ NULL, 0 };
}

/* -ENOENT: beyond the structure; -EINVAL: no register begins there, or not of that size. */
static inline int core_look_up(struct vcpu *v, u64 id, struct core_reg *out)
{
	u64 index = core_index(id);

	if (index >= CORE_WORDS || index + KVM_REG_SIZE(id) / sizeof(u32) >= CORE_WORDS)
		return -ENOENT;
	*out = core_find(v, index);
	return out->at && out->size == KVM_REG_SIZE(id) ? 0 : -EINVAL;
}

static int core_get(struct vcpu *v, const struct kvm_one_reg *r)
{
	struct core_reg c;
	int error = core_look_up(v, r->id, &c);

	return error ? error : copy_to_user(HVA(r->addr), c.at, c.size);
}

/* An ERET to anything else would be illegal, and taken by the host. */
static bool mode_is_allowed(const struct vcpu *v, u64 pstate)
{
	switch (pstate & AARCH32_MODE_MASK) {
	case PSTATE_MODE_EL0T:
	case PSTATE_MODE_EL1T:
	case PSTATE_MODE_EL1H: return !vcpu_is_32bit(v);
	case AARCH32_USR: return id_has_aarch32();
	case AARCH32_FIQ:
	case AARCH32_IRQ:
	case AARCH32_SVC:
	case AARCH32_ABT:
	case AARCH32_UND:
	case AARCH32_SYS: return vcpu_is_32bit(v);
	}
	return false;
}

/* In AArch32 registers have 32 bits: R0 to R14 of User and System mode are x0 to x14, the banked
 * ones of the other modes are the rest (G1.20.1). */
static void narrow(struct guest_cpu *g)
{
	u64 mode = g->pstate & AARCH32_MODE_MASK;
	unsigned int count = mode == AARCH32_USR || mode == AARCH32_SYS ? 15 : ARRAY_SIZE(g->x);

	for (unsigned int i = 0; i < count; i++)
		g->x[i] = (u32)g->x[i];
	g->pc = (u32)g->pc;
}

static int core_set(struct vcpu *v, const struct kvm_one_reg *r)
{
	u8 value[16] __aligned(16);
	struct core_reg c;
	int error = core_look_up(v, r->id, &c);

	if (error)
		return error;
	if (copy_from_user(value, HVA(r->addr), c.size))
		return -EFAULT;
	if (c.at == &v->cpu.pstate && !mode_is_allowed(v, *(u64 *)value))
		return -EINVAL;
	memcpy(c.at, value, c.size);
	if (v->cpu.pstate & PSTATE_NRW)
		narrow(&v->cpu);
	return 0;
}

static int core_list(struct vcpu *v, struct reg_sink *sink)
{
	int error = 0;

	for (u64 i = 0; i < CORE_WORDS && !error; i++) {
		struct core_reg c = core_find(v, i);
		u64 size = c.size == 4	 ? KVM_REG_SIZE_U32
			   : c.size == 8 ? KVM_REG_SIZE_U64
					 : KVM_REG_SIZE_U128;

		if (c.at)
			error = sink->emit(sink, KVM_REG_ARM64 | size | KVM_REG_ARM_CORE | i);
	}
	return error;
}

/* ---- everything else is a number of up to 64 bits */

static bool is_timer_reg(u64 id)
{
	for (unsigned int i = 0; i < ARRAY_SIZE(timer_regs); i++) {
		if (timer_regs[i] == id)
			return true;
	}
	return false;
}

static bool is_firmware_reg(u64 id)
{
	u64 kind = id & KVM_REG_ARM_COPROC_MASK;

	return kind == KVM_REG_ARM_FW || kind == KVM_REG_ARM_FW_FEAT_BMAP;
}

static int number_get(struct vcpu *v, u64 id, u64 *value)
{
	if (is_firmware_reg(id))
		return firmware_reg_get(v, id, value);
	if (is_timer_reg(id))
		return timer_reg_get(v, id, value);
	return sysreg_get(v, id, value);
}

static int number_set(struct vcpu *v, u64 id, u64 value)
{
	if (is_firmware_reg(id))
		return firmware_reg_set(v, id, value);
	if (is_timer_reg(id))
		return timer_reg_set(v, id, value);
	return sysreg_set(v, id, value);
}

static bool is_arm64_id(u64 id)
{
	return (id & ~KVM_REG_SIZE_MASK) >> 32 == KVM_REG_ARM64 >> 32;
}

/* A register that PSCI CPU_ON has set, but no entry taken over yet, is taken over first. */
static void settle_reset(struct vcpu *v)
{
	if (!(__atomic_load_n(&v->requests, __ATOMIC_RELAXED) & VCPU_REQ_RESET))
		return;
	if (__atomic_fetch_and(&v->requests, ~(u32)VCPU_REQ_RESET, __ATOMIC_ACQ_REL) &
	    VCPU_REQ_RESET)
		vcpu_take_reset(v);
}

static int one_reg(struct vcpu *v, hva_t arg, struct kvm_one_reg *r)
{
	if (!v->initialised)
		return -ENOEXEC;
	if (copy_from_user(r, arg, sizeof(*r)))
		return -EFAULT;
	settle_reset(v);
	return is_arm64_id(r->id) ? 0 : -EINVAL;
}

static bool is_core(u64 id)
{
	return (id & KVM_REG_ARM_COPROC_MASK) == KVM_REG_ARM_CORE;
}

int regs_get_one(struct vcpu *v, hva_t arg)
{
	struct kvm_one_reg r;
	u64 value = 0;
	int error = one_reg(v, arg, &r);

	if (error)
		return error;
	if (is_core(r.id))
		return core_get(v, &r);
	error = number_get(v, r.id, &value);
	return error ? error : copy_to_user(HVA(r.addr), &value, min(KVM_REG_SIZE(r.id), 8U));
}

int regs_set_one(struct vcpu *v, hva_t arg)
{
	struct kvm_one_reg r;
	u64 value = 0, old;
	int error = one_reg(v, arg, &r);

	if (error)
		return error;
	if (is_core(r.id))
		return core_set(v, &r);
	error = number_get(v, r.id, &old); /* does it exist? */
	if (error)
		return error;
	if (copy_from_user(&value, HVA(r.addr), min(KVM_REG_SIZE(r.id), 8U)))
		return -EFAULT;
	return number_set(v, r.id, value);
}

/* ---- the list */

struct counting_sink {
	struct reg_sink sink;
	u64 count;
};

static int count_one(struct reg_sink *sink, u64 id)
{
	(void)id;
	container_of(sink, struct counting_sink, sink)->count++;
	return 0;
}

struct copying_sink {
	struct reg_sink sink;
	hva_t to;
};

static int copy_one(struct reg_sink *sink, u64 id)
{
	struct copying_sink *s = container_of(sink, struct copying_sink, sink);

	if (copy_to_user(s->to, &id, sizeof(id)))
		return -EFAULT;
	s->to.v += sizeof(id);
	return 0;
}

static int list_all(struct vcpu *v, struct reg_sink *sink)
{
	int error = core_list(v, sink);

	for (unsigned int i = 0; i < firmware_reg_count && !error; i++)
		error = sink->emit(sink, firmware_regs[i]);
	for (unsigned int i = 0; i < ARRAY_SIZE(timer_regs) && !error; i++)
		error = sink->emit(sink, timer_regs[i]);
	return error ? error : sysreg_list(v, sink);
}

int regs_list(struct vcpu *v, hva_t arg)
{
	struct counting_sink counter = { .sink.emit = count_one };
	struct copying_sink copy = { .sink.emit = copy_one, .to = HVA(arg.v + sizeof(u64)) };
	u64 room;

	if (!v->initialised)
		return -ENOEXEC;
	if (copy_from_user(&room, arg, sizeof(room)))
		return -EFAULT;
	(void)list_all(v, &counter.sink);
	if (copy_to_user(arg, &counter.count, sizeof(counter.count)))
		return -EFAULT;
	return room < counter.count ? -E2BIG : list_all(v, &copy.sink);
}
