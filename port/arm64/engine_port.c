/* SPDX-License-Identifier: Apache-2.0 */
/* The out-of-line half of engine/port.h on the real machine: capabilities, the slow paths of the
 * lock, range invalidation, cache maintenance. */
#include "engine/port.h"

#include "cpu.h"
#include "kvm/port.h"

static struct port engine_port;

/* From here on, invalidating all instruction caches costs less than one line at a time. */
#define ICACHE_BY_LINE_MAX 0x10000UL

struct port *port_engine(void)
{
	const struct cpu_features *f = &cpu_features;

	engine_port.caps = (struct port_caps){
		.fwb = f->fwb,
		.dic = f->dic,
		.idc = f->idc,
		.ttl = f->ttl,
		.tlb_range = f->range_tlbi,
		.hw_af = f->haf,
		.hw_dbm = f->hafdbs,
		.bbm = f->bbm,
		.pa_bits = min(f->pa_bits, (u8)48),
		.ipa_bits = min(f->pa_bits, (u8)48),
		.vmid_bits = f->vmid_bits,
		.cpus = (u8)port_cpu_count(),
	};
	return &engine_port;
}

void port_bug(struct port *p, const char *what)
{
	(void)p;
	panic("engine: %s", what);
}

/* ---- the lock */

void arm64_read_lock_slow(struct port_rwlock *l)
{
	__atomic_fetch_sub(&l->state, 1, __ATOMIC_RELAXED);
	spin_lock(&l->door); /* whoever holds it is a writer, or a reader on its way in */
	__atomic_fetch_add(&l->state, 1, __ATOMIC_ACQUIRE);
	spin_unlock(&l->door);
}

void arm64_write_lock_wait(struct port_rwlock *l)
{
	while (__atomic_load_n(&l->state, __ATOMIC_ACQUIRE) != RWLOCK_WRITER)
		port_cpu_relax();
}

/* ---- TLB invalidation by range: FEAT_TLBIRANGE, "TLB range maintenance" */

/* TLBI RIPAS2E1IS; invalidates (num + 1) << (5 * scale + 1) pages. */
static void tlbi_range(u64 page, unsigned int scale, u64 num, int level)
{
	u64 arg = (page & GENMASK(36, 0)) | num << 39 | (u64)scale << 44 | 1UL << 46;

	if (level >= 0)
		arg |= (u64)level << 37;
	__asm__ volatile("sys #4, c8, c0, #2, %0" : : "r"(arg) : "memory");
}

static void tlbi_page(u64 page)
{
	__asm__ volatile("tlbi ipas2e1is, %0" : : "r"(page) : "memory");
}

/* An odd page by itself, then the largest power of 32 that fits, until nothing is left. */
void arm64_tlbi_ipa_range(ipa_t ipa, u64 size, int level)
{
	u64 page = ipa.v >> PAGE_SHIFT, left = size >> PAGE_SHIFT;

	for (unsigned int scale = 0; left; scale = min(scale + 1, 3U)) {
		unsigned int shift = 5 * scale + 1;
		u64 n = min(left >> shift, 32UL);

		if (scale == 0 && (left & 1)) {
			tlbi_page(page++);
			left--;
			n = min(left >> shift, 32UL);
		}
		/* Below the last scale only the remainder modulo the next one is due. */
		if (scale < 3)
			n = (left >> shift) & 31;
		if (!n)
			continue;
		tlbi_range(page, scale, n - 1, level);
		page += n << shift;
		left -= n << shift;
	}
}

/* ---- caches, by line (string.S) */
void arm64_dcache_civac(u64 start, u64 end, u64 line);

void arm64_dcache_clean_inval(const void *start, u64 size)
{
	u64 line = cpu_features.dcache_line;

	arm64_dcache_civac(ALIGN_DOWN((u64)start, line), (u64)start + size, line);
	__asm__ volatile("dsb ish" ::: "memory");
}

void arm64_icache_inval(const void *start, u64 size)
{
	u64 line = cpu_features.icache_line, end = (u64)start + size;

	if (size > ICACHE_BY_LINE_MAX) {
		__asm__ volatile("ic ialluis" ::: "memory");
	} else {
		for (u64 va = ALIGN_DOWN((u64)start, line); va < end; va += line)
			__asm__ volatile("ic ivau, %0" : : "r"(va) : "memory");
	}
	__asm__ volatile("dsb ish\n\tisb" ::: "memory");
}
