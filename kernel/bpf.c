/* SPDX-License-Identifier: Apache-2.0 */
/* Classic BPF: the check of a program, and its interpreter. */
#include "kernel/bpf.h"

enum { WORD_BITS = 32 };

/* ---- the check */
/* Operations on the accumulator; the operand is K or X. There is no BPF_MOD, as on Linux. */
static bool alu_ok(const struct sock_filter *i)
{
	bool constant = BPF_SRC(i->code) == BPF_K;

	if (i->code & ~(u32)(BPF_CLASS(0xff) | BPF_OP(0xff) | BPF_SRC(0xff)))
		return false;
	switch (BPF_OP(i->code)) {
	case BPF_ADD:
	case BPF_SUB:
	case BPF_MUL:
	case BPF_OR:
	case BPF_AND:
	case BPF_XOR: return true;
	case BPF_NEG: return constant;
	case BPF_DIV: return !constant || i->k != 0;
	case BPF_LSH:
	case BPF_RSH: return !constant || i->k < WORD_BITS;
	default: return false;
	}
}

/* @left: instructions behind this one. */
static bool jump_ok(const struct sock_filter *i, u32 left)
{
	switch (BPF_OP(i->code)) {
	case BPF_JA: return i->code == (BPF_JMP | BPF_JA) && i->k < left;
	case BPF_JEQ:
	case BPF_JGE:
	case BPF_JGT:
	case BPF_JSET:
		return !(i->code & ~(u32)(BPF_JMP | BPF_OP(0xff) | BPF_X)) && i->jt < left &&
		       i->jf < left;
	default: return false;
	}
}

static bool insn_ok(const struct sock_filter *i, u32 left)
{
	switch (i->code) {
	case BPF_LD | BPF_W | BPF_ABS:
		return i->k < sizeof(struct seccomp_data) && i->k % sizeof(u32) == 0;
	case BPF_LD | BPF_W | BPF_LEN:
	case BPF_LDX | BPF_W | BPF_LEN:
	case BPF_LD | BPF_IMM:
	case BPF_LDX | BPF_IMM:
	case BPF_MISC | BPF_TAX:
	case BPF_MISC | BPF_TXA:
	case BPF_RET | BPF_K:
	case BPF_RET | BPF_A: return true;
	case BPF_LD | BPF_MEM:
	case BPF_LDX | BPF_MEM:
	case BPF_ST:
	case BPF_STX: return i->k < BPF_MEMWORDS;
	default: break;
	}
	switch (BPF_CLASS(i->code)) {
	case BPF_ALU: return alu_ok(i);
	case BPF_JMP: return jump_ok(i, left);
	default: return false;
	}
}

bool bpf_check(const struct sock_filter *insns, u32 count)
{
	if (count == 0 || count > BPF_MAXINSNS)
		return false;
	for (u32 n = 0; n < count; n++)
		if (!insn_ok(&insns[n], count - 1 - n))
			return false;
	return BPF_CLASS(insns[count - 1].code) == BPF_RET;
}

/* ---- the interpreter */
struct machine {
	u32 a, x;
	u32 mem[BPF_MEMWORDS];
};

static u32 alu(u32 op, u32 a, u32 operand)
{
	switch (op) {
	case BPF_ADD: return a + operand;
	case BPF_SUB: return a - operand;
	case BPF_MUL: return a * operand;
	case BPF_DIV: return a / operand;
	case BPF_OR: return a | operand;
	case BPF_AND: return a & operand;
	case BPF_XOR: return a ^ operand;
	case BPF_LSH: return a << (operand & (WORD_BITS - 1));
	case BPF_RSH: return a >> (operand & (WORD_BITS - 1));
	default: return -a; /* BPF_NEG */
	}
}

static bool condition(u32 op, u32 a, u32 operand)
{
	switch (op) {
	case BPF_JEQ: return a == operand;
	case BPF_JGE: return a >= operand;
	case BPF_JGT: return a > operand;
	default: return a & operand; /* BPF_JSET */
	}
}

/* How many instructions a jump skips. */
static u32 jump(const struct machine *m, const struct sock_filter *i)
{
	u32 operand = BPF_SRC(i->code) == BPF_X ? m->x : i->k;

	if (BPF_OP(i->code) == BPF_JA)
		return i->k;
	return condition(BPF_OP(i->code), m->a, operand) ? i->jt : i->jf;
}

static void move(struct machine *m, const struct sock_filter *i, const struct seccomp_data *data)
{
	switch (i->code) {
	case BPF_LD | BPF_W | BPF_ABS: m->a = ((const u32 *)data)[i->k / sizeof(u32)]; break;
	case BPF_LD | BPF_W | BPF_LEN: m->a = sizeof(*data); break;
	case BPF_LDX | BPF_W | BPF_LEN: m->x = sizeof(*data); break;
	case BPF_LD | BPF_IMM: m->a = i->k; break;
	case BPF_LDX | BPF_IMM: m->x = i->k; break;
	case BPF_LD | BPF_MEM: m->a = m->mem[i->k]; break;
	case BPF_LDX | BPF_MEM: m->x = m->mem[i->k]; break;
	case BPF_ST: m->mem[i->k] = m->a; break;
	case BPF_STX: m->mem[i->k] = m->x; break;
	case BPF_MISC | BPF_TAX: m->x = m->a; break;
	default: m->a = m->x; break; /* BPF_TXA */
	}
}

u32 bpf_run(const struct sock_filter *insns, const struct seccomp_data *data)
{
	struct machine m = { 0 };

	for (const struct sock_filter *i = insns;; i++) {
		u32 operand = BPF_SRC(i->code) == BPF_X ? m.x : i->k;

		switch (BPF_CLASS(i->code)) {
		case BPF_RET: return i->code == (BPF_RET | BPF_A) ? m.a : i->k;
		case BPF_JMP: i += jump(&m, i); break;
		case BPF_ALU:
			/* As on Linux, a division by an X of 0 ends the program with 0. */
			if (BPF_OP(i->code) == BPF_DIV && operand == 0)
				return 0;
			m.a = alu(BPF_OP(i->code), m.a, operand);
			break;
		default: move(&m, i, data); break;
		}
	}
}
