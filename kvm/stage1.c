/* SPDX-License-Identifier: Apache-2.0 */
/* A walk of a guest's stage 1 (Arm ARM D8.2.8 to D8.2.10, D8.3), of 48-bit addresses at most. */
#include "kvm/stage1.h"

#define SCTLR_M	 BIT(0)
#define SCTLR_EE BIT(25)

#define TTBR_BADDR GENMASK(47, 1)
#define DESC_TYPE  3UL
#define DESC_VALID 1UL
#define DESC_TABLE 3UL /* a page at level 3 */
#define DESC_NEXT  GENMASK(47, 12)

/* What TCR_EL1 says of one half of the address space. */
struct half {
	u64 size_offset; /* TxSZ */
	bool disabled;	 /* EPDx */
	bool ignores_tag;
	unsigned int granule; /* 0: reserved */
};

static struct half half_of(u64 tcr, unsigned int which)
{
	static const u8 granule[2][4] = { { 12, 16, 14, 0 }, { 0, 14, 12, 16 } };

	if (which)
		return (struct half){ tcr >> 16 & 0x3f, tcr & BIT(23), tcr & BIT(38),
				      granule[1][tcr >> 30 & 3] };
	return (struct half){ tcr & 0x3f, tcr & BIT(7), tcr & BIT(37), granule[0][tcr >> 14 & 3] };
}

/* Bits of the address that index one table. */
static unsigned int index_bits(unsigned int granule)
{
	return granule - 3;
}

static unsigned int level_shift_of(unsigned int granule, int level)
{
	return granule + (unsigned int)(3 - level) * index_bits(granule);
}

/* Is @va, of @bits significant bits, in the half that its bit 55 chose? */
static bool is_canonical(u64 va, unsigned int bits, const struct half *h)
{
	u64 high = (va & (h->ignores_tag ? GENMASK(55, 0) : ~0UL)) >> bits;
	u64 ones = (h->ignores_tag ? GENMASK(55, 0) : ~0UL) >> bits;

	return high == (va & BIT(55) ? ones : 0);
}

static void set_desc(struct stage1_walk *w, u64 table, unsigned int bits)
{
	u64 index = (w->va & GENMASK(bits - 1, 0)) >> level_shift_of(w->granule, w->level);

	w->desc = IPA(table + 8 * index);
}

bool stage1_begin(struct stage1_walk *w, const struct stage1_regs *regs, u64 va)
{
	unsigned int which = va >> 55 & 1;
	struct half h = half_of(regs->tcr, which);
	unsigned int bits = 64 - (unsigned int)h.size_offset, top, table_bits;

	if (!(regs->sctlr & SCTLR_M) || h.disabled || !h.granule || bits > 48 ||
	    bits <= h.granule || !is_canonical(va, bits, &h))
		return false;
	*w = (struct stage1_walk){
		.level = 3 - (int)((bits - h.granule - 1) / index_bits(h.granule)),
		.va = va,
		.granule = h.granule,
		.big_endian = (regs->sctlr & SCTLR_EE) != 0,
	};
	/* The first table is aligned to its size, and to 64 bytes at least if it is smaller. */
	top = level_shift_of(w->granule, w->level);
	table_bits = max(bits - top + 3, 6U);
	set_desc(w, regs->ttbr[which] & TTBR_BADDR & ~GENMASK(table_bits - 1, 0), bits);
	return true;
}

static u64 as_read(const struct stage1_walk *w, u64 desc)
{
	return w->big_endian ? __builtin_bswap64(desc) : desc;
}

bool stage1_next(struct stage1_walk *w, u64 desc)
{
	desc = as_read(w, desc);
	if (w->level == 3 || (desc & DESC_TYPE) != DESC_TABLE)
		return false;
	w->level++;
	set_desc(w, desc & DESC_NEXT & ~GENMASK(w->granule - 1, 0),
		 level_shift_of(w->granule, w->level) + index_bits(w->granule));
	return true;
}

bool stage1_is_leaf(const struct stage1_walk *w, u64 desc)
{
	desc = as_read(w, desc);
	return w->level == 3 ? (desc & DESC_TYPE) == DESC_TABLE : (desc & DESC_TYPE) == DESC_VALID;
}
