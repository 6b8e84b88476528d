/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The interpreter of seccomp's filters, natively: random programs, of which none that the check
 * lets pass may touch anything but its own (the sanitizers watch) or go on for ever, and a second
 * interpreter that must come to the same answers.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "kernel/bpf.h"

enum { PROGRAMS = 400000, LENGTH_MAX = 24, SEED = 12345 };

static u64 state = SEED;

static u32 random_u32(void)
{
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return (u32)(state * 0x2545f4914f6cdd1d >> 32);
}

static u32 below(u32 limit)
{
	return random_u32() % limit;
}

/* Codes that are all known; one in 16 instructions has another. */
static const u16 codes[] = {
	BPF_LD | BPF_W | BPF_ABS,
	BPF_LD | BPF_W | BPF_LEN,
	BPF_LDX | BPF_W | BPF_LEN,
	BPF_LD | BPF_IMM,
	BPF_LDX | BPF_IMM,
	BPF_LD | BPF_MEM,
	BPF_LDX | BPF_MEM,
	BPF_ST,
	BPF_STX,
	BPF_MISC | BPF_TAX,
	BPF_MISC | BPF_TXA,
	BPF_RET | BPF_K,
	BPF_RET | BPF_A,
	BPF_ALU, /* BPF_ADD of K: both are 0 */
	BPF_ALU | BPF_SUB | BPF_X,
	BPF_ALU | BPF_MUL | BPF_K,
	BPF_ALU | BPF_DIV | BPF_X,
	BPF_ALU | BPF_DIV | BPF_K,
	BPF_ALU | BPF_OR | BPF_X,
	BPF_ALU | BPF_AND | BPF_K,
	BPF_ALU | BPF_XOR | BPF_X,
	BPF_ALU | BPF_LSH | BPF_X,
	BPF_ALU | BPF_RSH | BPF_K,
	BPF_ALU | BPF_NEG,
	BPF_JMP | BPF_JA,
	BPF_JMP | BPF_JEQ | BPF_K,
	BPF_JMP | BPF_JGT | BPF_X,
	BPF_JMP | BPF_JGE | BPF_K,
	BPF_JMP | BPF_JSET | BPF_X,
};

static u32 random_operand(void)
{
	switch (below(4)) {
	case 0: return below(16);
	case 1: return below(17) * 4;
	case 2: return below(3);
	default: return random_u32();
	}
}

static void random_program(struct sock_filter *p, u32 count)
{
	for (u32 i = 0; i < count; i++) {
		p[i].code = below(16) ? codes[below(sizeof(codes) / sizeof(*codes))]
				      : (u16)random_u32();
		p[i].jt = (u8)below(count + 1);
		p[i].jf = (u8)below(4);
		p[i].k = random_operand();
		/* Most jumps inside, so that most programs pass. */
		if (BPF_CLASS(p[i].code) == BPF_JMP && below(16)) {
			p[i].jt %= count - i;
			p[i].jf %= count - i;
			if (BPF_OP(p[i].code) == BPF_JA)
				p[i].k %= count - i;
		}
	}
	if (below(16))
		p[count - 1].code = BPF_RET | (below(2) ? BPF_K : BPF_A);
}

/* The machine once more, as bpf(4) tells it: one instruction of a checked program. */
struct machine {
	u32 a, x, mem[BPF_MEMWORDS], pc, answer;
	bool ended;
};

static void load(struct machine *m, const struct sock_filter *i, const struct seccomp_data *data,
		 u32 *to)
{
	switch (BPF_MODE(i->code)) {
	case BPF_ABS: memcpy(to, (const char *)data + i->k, sizeof(*to)); break;
	case BPF_LEN: *to = 64; break;
	case BPF_MEM: *to = m->mem[i->k]; break;
	default: *to = i->k; break;
	}
}

static void compute(struct machine *m, const struct sock_filter *i)
{
	u64 b = i->code & BPF_X ? m->x : i->k;

	switch (i->code & 0xf0) {
	case BPF_ADD: m->a = (u32)(m->a + b); break;
	case BPF_SUB: m->a = (u32)(m->a - b); break;
	case BPF_MUL: m->a = (u32)(m->a * b); break;
	case BPF_DIV:
		m->ended = b == 0;
		m->answer = 0;
		m->a = b ? (u32)(m->a / b) : 0;
		break;
	case BPF_OR: m->a |= (u32)b; break;
	case BPF_AND: m->a &= (u32)b; break;
	case BPF_XOR: m->a ^= (u32)b; break;
	case BPF_LSH: m->a = (u32)((u64)m->a << b % 32); break;
	case BPF_RSH: m->a >>= b % 32; break;
	default: m->a = 0 - m->a; break;
	}
}

static void branch(struct machine *m, const struct sock_filter *i)
{
	u32 b = i->code & BPF_X ? m->x : i->k;
	bool taken = (i->code & 0xf0) == BPF_JEQ   ? m->a == b
		     : (i->code & 0xf0) == BPF_JGT ? m->a > b
		     : (i->code & 0xf0) == BPF_JGE ? m->a >= b
						   : (m->a & b) != 0;

	m->pc += (i->code & 0xf0) == BPF_JA ? i->k : taken ? i->jt : i->jf;
}

static void one_step(struct machine *m, const struct sock_filter *i,
		     const struct seccomp_data *data)
{
	m->pc++;
	switch (i->code & 7) {
	case BPF_LD: load(m, i, data, &m->a); break;
	case BPF_LDX: load(m, i, data, &m->x); break;
	case BPF_ST: m->mem[i->k] = m->a; break;
	case BPF_STX: m->mem[i->k] = m->x; break;
	case BPF_ALU: compute(m, i); break;
	case BPF_JMP: branch(m, i); break;
	case BPF_RET:
		m->ended = true;
		m->answer = (i->code & 0x18) == BPF_A ? m->a : i->k;
		break;
	default:
		if ((i->code & 0xf8) == BPF_TAX)
			m->x = m->a;
		else
			m->a = m->x;
		break;
	}
}

static u32 run_again(const struct sock_filter *p, u32 count, const struct seccomp_data *data)
{
	struct machine m = { 0 };
	u32 steps = 0;

	while (!m.ended) {
		assert_true(m.pc < count);
		assert_true(steps++ < count);
		one_step(&m, &p[m.pc], data);
	}
	return m.answer;
}

static void fill(void *p, size_t size)
{
	for (size_t i = 0; i < size; i++)
		((u8 *)p)[i] = (u8)(below(4) ? below(3) : random_u32());
}

static void random_programs(void **unused)
{
	u32 taken = 0;

	(void)unused;
	for (u32 n = 0; n < PROGRAMS; n++) {
		u32 count = 1 + below(LENGTH_MAX);
		/* Of exactly that size, so that a step outside is seen. */
		struct sock_filter *p = malloc(count * sizeof(*p));
		struct seccomp_data *data = malloc(sizeof(*data));

		assert_non_null(p);
		assert_non_null(data);
		random_program(p, count);
		fill(data, sizeof(*data));
		if (bpf_check(p, count)) {
			taken++;
			assert_int_equal(bpf_run(p, data), run_again(p, count, data));
		}
		free(p);
		free(data);
	}
	print_message("%u of %u programs taken\n", taken, (u32)PROGRAMS);
	assert_true(taken > PROGRAMS / 20);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(random_programs),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
