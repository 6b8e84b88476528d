/* SPDX-License-Identifier: Apache-2.0 */
/* TLB maintenance of programs' translations, the switch between them, and instruction coherence. */
#include "arm64.h"
#include "cpu.h"
#include "sysreg.h"

/* Beyond so many entries one invalidation of the whole address space is cheaper. */
#define TLBI_MAX_ENTRIES 64

static u64 empty_table[PAGE_SIZE / sizeof(u64)] __aligned(PAGE_SIZE);

static inline void tlbi_begin(void)
{
	__asm__ volatile("dsb ishst" ::: "memory");
}

static inline void tlbi_end(void)
{
	__asm__ volatile("dsb ish\n\tisb" ::: "memory");
}

static inline u64 tlbi_operand(u16 asid, u64 va)
{
	return (u64)asid << 48 | ((va >> PAGE_SHIFT) & GENMASK(43, 0));
}

/* Every level: a table entry may have gone too. */
static void tlbi_all_levels(u16 asid, u64 start, u64 end)
{
	for (u64 va = start; va < end; va += PAGE_SIZE)
		__asm__ volatile("tlbi vae1is, %0" ::"r"(tlbi_operand(asid, va)) : "memory");
}

static void tlbi_last_level(u16 asid, u64 start, u64 end, u64 stride)
{
	for (u64 va = start; va < end; va += stride)
		__asm__ volatile("tlbi vale1is, %0" ::"r"(tlbi_operand(asid, va)) : "memory");
}

void port_tlbi_host_range(u16 asid, hva_t start, hva_t end, int level)
{
	bool leaf_known = level >= LEVEL_1G && level <= LEVEL_4K;
	u64 stride = leaf_known ? level_size(level) : PAGE_SIZE;

	if ((end.v - start.v) / stride > TLBI_MAX_ENTRIES) {
		port_tlbi_host_asid(asid);
		return;
	}
	tlbi_begin();
	if (leaf_known)
		tlbi_last_level(asid, start.v, end.v, stride);
	else
		tlbi_all_levels(asid, start.v, end.v);
	tlbi_end();
}

void port_tlbi_host_asid(u16 asid)
{
	tlbi_begin();
	__asm__ volatile("tlbi aside1is, %0" ::"r"((u64)asid << 48) : "memory");
	tlbi_end();
}

void port_tlbi_host_all(void)
{
	tlbi_begin();
	__asm__ volatile("tlbi vmalle1is" ::: "memory");
	tlbi_end();
}

unsigned int port_asid_bits(void)
{
	return cpu_features.asid_bits;
}

void port_mm_switch(pa_t root, u16 asid)
{
	if (root.v == 0)
		root = virt_to_phys(empty_table);
	write_sysreg(ttbr0_el2, root.v | (u64)asid << 48);
	isb();
}

void port_icache_sync(void *p, size_t n)
{
	u64 start = (u64)p;

	if (!cpu_features.idc) {
		for (u64 line = ALIGN_DOWN(start, (u64)cpu_features.dcache_line); line < start + n;
		     line += cpu_features.dcache_line)
			__asm__ volatile("dc cvau, %0" ::"r"(line) : "memory");
	}
	__asm__ volatile("dsb ish" ::: "memory");
	if (!cpu_features.dic) {
		/* The lines may be cached under any alias: all of the instruction caches. */
		__asm__ volatile("ic ialluis\n\tdsb ish" ::: "memory");
	}
	isb();
}

void port_zero(void *p, size_t n)
{
	if (n == 0)
		return;
	if (cpu_features.zva_size && ((u64)p | n) % cpu_features.zva_size == 0)
		arm64_zero_zva(p, (u8 *)p + n, cpu_features.zva_size);
	else
		__builtin_memset(p, 0, n);
}
