/* SPDX-License-Identifier: Apache-2.0 */
/* What the CPUs can do (cpu.h), and the registers that keep it from programs and guests. */
#include <stdlib.h>
#include <string.h>

#include "arm64.h"
#include "cpu.h"
#include "sysreg.h"

struct cpu_features cpu_features;

static const u8 pa_bits_by_range[] = { 32, 36, 40, 42, 44, 48, 52 };

/* Is there no level to which data must be cleaned, so that instruction fetches see it? */
static bool effective_idc(u64 ctr, bool fwb)
{
	u64 clidr = read_sysreg(clidr_el1);
	bool no_loc = ((clidr >> 24) & 7) == 0;
	bool no_lou = ((clidr >> 27) & 7) == 0 && ((clidr >> 21) & 7) == 0;

	return (ctr & BIT(28)) || no_loc || no_lou || fwb;
}

static u32 zva_size(void)
{
	u64 dczid = read_sysreg(dczid_el0);

	return dczid & BIT(4) ? 0 : 4U << (dczid & 0xf);
}

static void read_translation_features(struct cpu_features *f)
{
	u64 mmfr0 = read_sysreg(id_aa64mmfr0_el1);
	u64 mmfr1 = read_sysreg(id_aa64mmfr1_el1);
	u64 mmfr2 = read_sysreg(id_aa64mmfr2_el1);
	unsigned int range = id_field(mmfr0, 0);

	f->pa_bits = pa_bits_by_range[min(range, (unsigned int)ARRAY_SIZE(pa_bits_by_range) - 1)];
	f->asid_bits = id_field(mmfr0, 4) == 2 ? 16 : 8;
	f->fgt = id_field(mmfr0, 56) >= 1;
	f->haf = id_field(mmfr1, 0) >= 1;
	f->hafdbs = id_field(mmfr1, 0) >= 2;
	f->vmid_bits = id_field(mmfr1, 4) == 2 ? 16 : 8;
	f->xnx = id_field(mmfr1, 28) >= 1;
	f->hcx = id_field(mmfr1, 40) >= 1;
	f->fwb = id_field(mmfr2, 40) >= 1;
	f->ttl = id_field(mmfr2, 48) >= 1;
	f->bbm = (u8)id_field(mmfr2, 52);
	f->evt = id_field(mmfr2, 56) >= 2;
}

static u8 pmu_version(void)
{
	unsigned int version = id_field(read_sysreg(id_aa64dfr0_el1), 8);

	return version == 0xf ? 0 : (u8)version; /* of its maker's own kind */
}

static struct cpu_features read_features(void)
{
	struct cpu_features f = { 0 };
	u64 ctr = read_sysreg(ctr_el0);
	u64 isar0 = read_sysreg(id_aa64isar0_el1);

	read_translation_features(&f);
	f.range_tlbi = id_field(isar0, 56) >= 2;
	f.rndr = id_field(isar0, 60) >= 1;
	f.pmu = pmu_version();
	f.dic = (ctr & BIT(29)) != 0;
	f.idc = effective_idc(ctr, f.fwb);
	f.dcache_line = 4U << ((ctr >> 16) & 0xf);
	f.icache_line = 4U << (ctr & 0xf);
	f.zva_size = zva_size();
	return f;
}

/* Anything but "off" is refused: a typing error must not pass for a measurement. */
static bool is_off(const char *key)
{
	char value[8];

	if (!boot_option(key, value, sizeof(value)))
		return false;
	if (strcmp(value, "off") != 0)
		panic("%s=%s on the command line; accepted is off", key, value);
	return true;
}

static bool is_cmo_trapped(void)
{
	char value[8];

	if (!boot_option("cmo", value, sizeof(value)))
		return false;
	if (strcmp(value, "trap") != 0)
		panic("cmo=%s on the command line; accepted is trap", value);
	return true;
}

static void hide_by_command_line(struct cpu_features *f)
{
	char value[8];

	f->trap_cmo = is_cmo_trapped();
	if (is_off("cpu.fwb"))
		f->fwb = false;
	if (is_off("cpu.dic"))
		f->dic = false;
	if (is_off("cpu.idc"))
		f->idc = false;
	if (is_off("cpu.bbm"))
		f->bbm = 0;
	if (is_off("cpu.rangetlbi"))
		f->range_tlbi = false;
	if (is_off("cpu.hafdbs"))
		f->haf = f->hafdbs = false;
	if (is_off("cpu.pmu"))
		f->pmu = 0;
	if (boot_option("vmid.bits", value, sizeof(value))) {
		unsigned long bits = strtoul(value, NULL, 10);

		if (bits < 2 || bits > f->vmid_bits)
			panic("vmid.bits=%s on the command line; accepted are 2 to %u", value,
			      f->vmid_bits);
		f->vmid_bits = (u8)bits;
	}
}

void cpu_read_features(void)
{
	cpu_features = read_features();
	hide_by_command_line(&cpu_features);
}

static const char *on(bool feature)
{
	return feature ? "on" : "off";
}

void cpu_report(void)
{
	const struct cpu_features *f = &cpu_features;

	console_printf("catwalk: %u CPUs, %u-bit PA, FWB %s, DIC %s, IDC %s, BBM level %u, "
		       "range TLBI %s, HAFDBS %s, %u-bit VMID\n",
		       boot_info.cpu_count, f->pa_bits, on(f->fwb), on(f->dic), on(f->idc), f->bbm,
		       on(f->range_tlbi), on(f->hafdbs), f->vmid_bits);
}

/* No trap that reset may have left on; SVE and the like are off since boot.S. */
static void clear_traps(void)
{
	if (cpu_features.fgt) {
		write_sysreg(SYS_HFGRTR, 0);
		write_sysreg(SYS_HFGWTR, 0);
		write_sysreg(SYS_HFGITR, 0);
		write_sysreg(SYS_HDFGRTR, 0);
		write_sysreg(SYS_HDFGWTR, 0);
	}
	if (cpu_features.hcx)
		write_sysreg(SYS_HCRX_EL2, 0);
	if (id_field(read_sysreg(id_aa64pfr0_el1), 44))
		write_sysreg(SYS_AMUSERENR, 0);
}

void cpu_init(void)
{
	struct cpu_features f = read_features();

	hide_by_command_line(&f);
	if (memcmp(&f, &cpu_features, sizeof(f)) != 0)
		panic("CPU %u has not the boot CPU's features", port_cpu());
	clear_traps();
	isb();
}
