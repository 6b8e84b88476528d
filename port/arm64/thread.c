/* SPDX-License-Identifier: Apache-2.0 */
/* Threads beyond the switch itself: a new thread's first frame, thread pointer, hardware names. */
#include <asm/hwcap.h>
#include <string.h>

#include "arm64.h"
#include "cpu.h"
#include "sysreg.h"

void port_thread_init(struct port_thread *t, void *top, void (*fn)(void *arg), void *arg)
{
	memset(t, 0, sizeof(*t));
	t->callee_saved[0] = (u64)fn;
	t->callee_saved[1] = (u64)arg;
	t->callee_saved[11] = (u64)top;
	t->pc = (u64)arm64_thread_start;
}

u64 port_tls_get(void)
{
	return read_sysreg(tpidr_el0);
}

void port_tls_set(u64 tpidr_el0)
{
	write_sysreg(tpidr_el0, tpidr_el0);
}

/*
 * What programs may use is the base architecture, Armv8.1's atomics, and whatever needs no state of
 * its own. SVE, SME, pointer authentication and memory tagging are switched off at EL0 (boot.S).
 */
struct hwcap_rule {
	unsigned int reg; /* ISAR0, ISAR1, PFR0 */
	unsigned int shift;
	unsigned int least; /* 4-bit value from which on the feature is there */
	u64 hwcap;
};

enum { REG_ISAR0, REG_ISAR1, REG_PFR0, REG_COUNT };

static const struct hwcap_rule hwcap_rules[] = {
	{ REG_ISAR0, 4, 1, HWCAP_AES },	      { REG_ISAR0, 4, 2, HWCAP_PMULL },
	{ REG_ISAR0, 8, 1, HWCAP_SHA1 },      { REG_ISAR0, 12, 1, HWCAP_SHA2 },
	{ REG_ISAR0, 12, 2, HWCAP_SHA512 },   { REG_ISAR0, 16, 1, HWCAP_CRC32 },
	{ REG_ISAR0, 20, 2, HWCAP_ATOMICS },  { REG_ISAR0, 28, 1, HWCAP_ASIMDRDM },
	{ REG_ISAR0, 32, 1, HWCAP_SHA3 },     { REG_ISAR0, 44, 1, HWCAP_ASIMDDP },
	{ REG_ISAR0, 48, 1, HWCAP_ASIMDFHM }, { REG_ISAR0, 52, 1, HWCAP_FLAGM },
	{ REG_ISAR1, 0, 1, HWCAP_DCPOP },     { REG_ISAR1, 12, 1, HWCAP_JSCVT },
	{ REG_ISAR1, 16, 1, HWCAP_FCMA },     { REG_ISAR1, 20, 1, HWCAP_LRCPC },
};

u64 port_hwcap(void)
{
	const u64 regs[REG_COUNT] = {
		[REG_ISAR0] = read_sysreg(id_aa64isar0_el1),
		[REG_ISAR1] = read_sysreg(id_aa64isar1_el1),
		[REG_PFR0] = read_sysreg(id_aa64pfr0_el1),
	};
	u64 hwcap = HWCAP_FP | HWCAP_ASIMD;

	for (size_t i = 0; i < ARRAY_SIZE(hwcap_rules); i++) {
		const struct hwcap_rule *r = &hwcap_rules[i];

		if (id_field(regs[r->reg], r->shift) >= r->least)
			hwcap |= r->hwcap;
	}
	/* FP and ASIMD fields: 1 means half precision too, 15 none at all. */
	if (id_field(regs[REG_PFR0], 16) == 1)
		hwcap |= HWCAP_FPHP | HWCAP_ASIMDHP;
	return hwcap;
}

u64 port_hwcap2(void)
{
	return 0;
}
