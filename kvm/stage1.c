/* SPDX-License-Identifier: Apache-2.0 */
/* A walk of a guest's stage 1 (Arm ARM D8.2.8 to D8.2.10, D8.3), of 48-bit addresses at most;
 * AArch32's: G5.4, G5.5. */
#include "kvm/stage1.h"

#include "kvm/aarch32.h"

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

/* At the first table, of addresses of @bits bits; it is aligned to its size, and to
 * BIT(@least_align) if it is smaller. */
static void begin_long(struct stage1_walk *w, unsigned int bits, u64 ttbr, unsigned int least_align)
{
	unsigned int top, table_bits;

	w->level = 3 - (int)((bits - w->granule - 1) / index_bits(w->granule));
	top = level_shift_of(w->granule, w->level);
	table_bits = max(bits - top + 3, least_align);
	set_desc(w, ttbr & TTBR_BADDR & ~GENMASK(table_bits - 1, 0), bits);
}

/* ---- AArch32 */

#define SHORT_L1_BITS	 12
#define SHORT_L1_SHIFT	 20
#define SHORT_L2_SHIFT	 12
#define SHORT_L2_TABLE	 GENMASK(31, 10)
#define SHORT_DESC_TABLE 1UL

/* Are the uppermost @n bits of the 32 all @ones? */
static bool top_bits_are(u64 va, unsigned int n, u64 ones)
{
	return n && va >> (32 - n) == (ones & (BIT(n) - 1));
}

/* Which half @va is in by T0SZ and T1SZ (G5.5.5); 2: none. */
static unsigned int half32_of(u64 va, unsigned int t0sz, unsigned int t1sz)
{
	bool lower = t0sz == 0 || top_bits_are(va, t0sz, 0);

	if (t1sz ? top_bits_are(va, t1sz, ~0UL) : !lower)
		return 1;
	return lower ? 0 : 2;
}

static bool begin_long32(struct stage1_walk *w, const struct stage1_regs *regs)
{
	unsigned int size[2] = { regs->tcr & 7, regs->tcr >> 16 & 7 };
	unsigned int which = half32_of(w->va, size[0], size[1]);

	if (which > 1 || regs->tcr & (which ? BIT(23) : BIT(7)))
		return false;
	begin_long(w, 32 - size[which], regs->ttbr[which], 4);
	return true;
}

/* TTBCR.N: the upper addresses are TTBR1's, whose table is always whole (G5.4.1). */
static bool begin_short(struct stage1_walk *w, const struct stage1_regs *regs)
{
	unsigned int n = regs->tcr & 7;
	unsigned int which = n && !top_bits_are(w->va, n, 0);
	unsigned int bits = SHORT_L1_BITS - (which ? 0 : n);

	if (regs->tcr & (which ? BIT(5) : BIT(4)))
		return false;
	w->size = 4;
	w->level = 1;
	w->desc = IPA((regs->ttbr[which] & GENMASK(31, bits + 2)) |
		      (w->va >> SHORT_L1_SHIFT & GENMASK(bits - 1, 0)) << 2);
	return true;
}

static bool next_short(struct stage1_walk *w, u64 desc)
{
	if (w->level == 2 || (desc & DESC_TYPE) != SHORT_DESC_TABLE)
		return false;
	w->level = 2;
	w->desc = IPA((desc & SHORT_L2_TABLE) | (w->va >> SHORT_L2_SHIFT & 0xff) << 2);
	return true;
}

static bool begin32(struct stage1_walk *w, const struct stage1_regs *regs, u64 va)
{
	if (!(regs->sctlr & SCTLR_M))
		return false;
	*w = (struct stage1_walk){
		.va = (u32)va,
		.granule = 12,
		.size = 8,
		.big_endian = (regs->sctlr & SCTLR_EE) != 0,
	};
	return regs->tcr & TTBCR_EAE ? begin_long32(w, regs) : begin_short(w, regs);
}

/* ---- both */

static bool begin64(struct stage1_walk *w, const struct stage1_regs *regs, u64 va)
{
	unsigned int which = va >> 55 & 1;
	struct half h = half_of(regs->tcr, which);
	unsigned int bits = 64 - (unsigned int)h.size_offset;

	if (!(regs->sctlr & SCTLR_M) || h.disabled || !h.granule || bits > 48 ||
	    bits <= h.granule || !is_canonical(va, bits, &h))
		return false;
	*w = (struct stage1_walk){
		.va = va,
		.granule = h.granule,
		.size = 8,
		.big_endian = (regs->sctlr & SCTLR_EE) != 0,
	};
	begin_long(w, bits, regs->ttbr[which], 6);
	return true;
}

bool stage1_begin(struct stage1_walk *w, const struct stage1_regs *regs, u64 va)
{
	return regs->is_32bit ? begin32(w, regs, va) : begin64(w, regs, va);
}

static u64 as_read(const struct stage1_walk *w, u64 desc)
{
	if (!w->big_endian)
		return desc;
	return w->size == 4 ? __builtin_bswap32((u32)desc) : __builtin_bswap64(desc);
}

bool stage1_next(struct stage1_walk *w, u64 desc)
{
	desc = as_read(w, desc);
	if (w->size == 4)
		return next_short(w, desc);
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
	if (w->size == 4) /* a section, or a page of either size */
		return desc & DESC_TYPE &&
		       (w->level == 2 || (desc & DESC_TYPE) != SHORT_DESC_TABLE);
	return w->level == 3 ? (desc & DESC_TYPE) == DESC_TABLE : (desc & DESC_TYPE) == DESC_VALID;
}
