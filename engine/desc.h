/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a stage-2 descriptor means: VMSAv8-64, 4 KiB granule (Arm ARM D8.3). The only file that
 * knows bit numbers of descriptors.
 *
 * Bit 0 clear makes hardware ignore the rest, so an invalid descriptor has room for what the engine
 * must remember:
 *
 *	EMPTY		all zero
 *	BUSY		another CPU is between break and make
 *	DRAINING	a leaf or table that a range operation took down and whose TLB
 *			invalidation or cache maintenance is outstanding; keeps its address and the
 *			number of invalidations that had begun by then
 */
#ifndef ENGINE_DESC_H
#define ENGINE_DESC_H

#include "engine/stage2.h"

#define DESC_VALID    BIT(0)
#define DESC_TABLE    BIT(1) /* levels 0..2: a table; level 3: a page; must be set there */
#define DESC_MEMATTR  GENMASK(5, 2)
#define DESC_READ     BIT(6)
#define DESC_WRITE    BIT(7)
#define DESC_SH_INNER GENMASK(9, 8)
#define DESC_AF	      BIT(10)
#define DESC_DBM      BIT(51) /* with VTCR_EL2.HD, hardware sets DESC_WRITE at the first write */
#define DESC_CONT     BIT(52)
#define DESC_XN	      BIT(54)
#define DESC_LOGGED   BIT(55) /* software: a block that lost DESC_WRITE to the dirty log only */
#define DESC_ADDR     GENMASK(47, 12)

#define DESC_EMPTY	    0UL
#define DESC_BUSY	    BIT(63)
#define DESC_DRAINING_LEAF  BIT(62)
#define DESC_DRAINING_TABLE BIT(61)

/* What may change in a valid leaf without a break: permissions, the Access flag, dirty state and
 * what hardware ignores (R_WHZWS names what does); the contiguous hint only where it is ever set
 * (stage2_hint.c).
 */
#define DESC_SOFT (DESC_READ | DESC_WRITE | DESC_XN | DESC_AF | DESC_DBM | DESC_CONT | DESC_LOGGED)

enum { TABLE_ENTRIES = 512 };

/* Permissions and the Access flag, without what the log has to do with. */
#define DESC_PLAIN (DESC_READ | DESC_WRITE | DESC_XN | DESC_AF)
/* What allows something where it is set; XN does where it is clear. */
#define DESC_GRANTS (DESC_PLAIN | DESC_DBM)

static inline bool desc_is_valid(u64 d)
{
	return (d & DESC_VALID) != 0;
}

static inline bool desc_is_table(u64 d, int level)
{
	return (d & (DESC_VALID | DESC_TABLE)) == (DESC_VALID | DESC_TABLE) && level < LEVEL_4K;
}

static inline bool desc_is_leaf(u64 d, int level)
{
	return desc_is_valid(d) && !desc_is_table(d, level);
}

static inline u64 desc_leaf_bits(int level)
{
	return level == LEVEL_4K ? DESC_VALID | DESC_TABLE : DESC_VALID;
}

static inline u64 desc_index(u64 ipa, int level)
{
	return (ipa >> level_shift(level)) & (TABLE_ENTRIES - 1);
}

/* MemAttr[3:0] (D8.6.5; with FWB D8.6.6). With FWB, 0b0110 makes the result Normal write-back
 * whatever stage 1 says. */
static inline u64 desc_memattr(enum s2_type type, bool fwb)
{
	static const u8 attr[2][S2_TYPE_COUNT] = {
		{ [S2_NORMAL] = 0xf, [S2_NORMAL_NC] = 0x5, [S2_DEVICE] = 0x1 },
		{ [S2_NORMAL] = 0x6, [S2_NORMAL_NC] = 0x5, [S2_DEVICE] = 0x1 },
	};

	return (u64)attr[fwb][type] << 2;
}

static inline enum s2_type desc_type(u64 d)
{
	static const u8 type[16] = { [0x5] = S2_NORMAL_NC, [0x1] = S2_DEVICE }; /* else NORMAL */

	return (enum s2_type)type[d >> 2 & 0xf];
}

/* S2_R and S2_W lie as S2AP does, S2_X is the inverse of XN: no branches on a path this hot. */
_Static_assert(S2_R << 6 == DESC_READ && S2_W << 6 == DESC_WRITE && (u64)S2_X << 52 == DESC_XN &&
		       (u64)S2_DBM << 48 == DESC_DBM,
	       "permissions are shifted into place");

static inline u8 desc_perms(u64 d)
{
	return (u8)((d >> 6 & (S2_R | S2_W)) | (~d >> 52 & S2_X) | (d >> 48 & S2_DBM));
}

#define DESC_PERMS(p)                                                                              \
	(((p) & (S2_R | S2_W) * 1UL) << 6 | (~(p)&S2_X * 1UL) << 52 | ((p)&S2_DBM * 1UL) << 48)
#define DESC_PERMS_4(p) DESC_PERMS(p), DESC_PERMS(p + 1), DESC_PERMS(p + 2), DESC_PERMS(p + 3)

static inline u64 desc_perm_bits(u8 perms)
{
	static const u64 bits[] = { DESC_PERMS_4(0), DESC_PERMS_4(4), DESC_PERMS_4(8),
				    DESC_PERMS_4(12) };

	return bits[perms & (ARRAY_SIZE(bits) - 1)];
}

/* Of two leaves that differ in what DESC_PLAIN names only: what either allows. */
static inline u64 desc_union(u64 a, u64 b)
{
	return ((a ^ DESC_XN) | (b ^ DESC_XN)) ^ DESC_XN;
}

/* @old with what leaf @d allows added: equal to @old if it lacks nothing. To a leaf that is
 * writable DBM adds nothing. */
static inline u64 desc_relaxed(u64 old, u64 d)
{
	u64 grants = d ^ DESC_XN, relaxed;

	if ((grants & DESC_DBM) && (old & DESC_WRITE))
		grants &= ~DESC_DBM;
	relaxed = ((old ^ DESC_XN) | (grants & DESC_GRANTS)) ^ DESC_XN;
	if ((relaxed & DESC_LOGGED) && (relaxed & DESC_WRITE))
		relaxed &= ~DESC_LOGGED;
	return relaxed;
}

/* Is @old what leaf @d asks for, or allows more of the same? */
static inline bool desc_allows(u64 old, u64 d)
{
	return !((old ^ d) & ~DESC_SOFT) && desc_relaxed(old, d) == old;
}

/* Was the leaf written since it lost DESC_WRITE, and only hardware can tell? */
static inline bool desc_is_written(u64 d)
{
	/* The rarest bit first: hot loops ask. */
	if (__builtin_expect(!(d & DESC_DBM), 1))
		return false;
	return (d & (DESC_VALID | DESC_WRITE)) == (DESC_VALID | DESC_WRITE);
}

/* Does the page's TLB entry speak for its 15 neighbours too? */
static inline bool desc_has_hint(u64 d)
{
	return (d & (DESC_VALID | DESC_CONT)) == (DESC_VALID | DESC_CONT);
}

static inline pa_t desc_pa(u64 d)
{
	return PA(d & DESC_ADDR);
}

/* What all leaves of a type have in common: s2->leaf_bits. */
static inline u64 desc_type_bits(enum s2_type type, bool fwb)
{
	return desc_memattr(type, fwb) | DESC_SH_INNER | DESC_AF;
}

/* The leaf that @leaf asks for, accessed. */
static inline u64 desc_leaf(const struct stage2 *s2, const struct s2_leaf *leaf)
{
	return leaf->pa.v | desc_leaf_bits(leaf->level) | s2->leaf_bits[leaf->type] |
	       desc_perm_bits(leaf->perms);
}

static inline u64 desc_table(pa_t table)
{
	return table.v | DESC_VALID | DESC_TABLE;
}

/* The @index-th leaf of the table that block @d at @level is split into. What a block has lost to
 * the log, a page can do with DBM. */
static inline u64 desc_child(u64 d, int level, u64 index)
{
	u64 child = (d & ~(DESC_VALID | DESC_TABLE)) | desc_leaf_bits(level + 1) |
		    index << level_shift(level + 1);

	if (level + 1 == LEVEL_4K && (d & DESC_LOGGED))
		child = (child & ~DESC_LOGGED) | DESC_DBM;
	return child;
}

static inline void desc_decode(u64 d, int level, struct s2_leaf *leaf)
{
	*leaf = (struct s2_leaf){
		.pa = desc_pa(d),
		.type = desc_type(d),
		.perms = desc_perms(d),
		.level = (s8)level,
		.accessed = (d & DESC_AF) != 0,
	};
}

/* Bits 60:48 and 11:1 of a DRAINING entry are free for a number. */
enum { STAMP_LOW_BITS = 13, STAMP_BITS = 24 };

static inline u64 desc_stamp(u32 number)
{
	return (u64)(number & (BIT(STAMP_LOW_BITS) - 1)) << 48 |
	       (u64)(number >> STAMP_LOW_BITS & (BIT(STAMP_BITS - STAMP_LOW_BITS) - 1)) << 1;
}

static inline u32 desc_stamp_of(u64 d)
{
	return (u32)(d >> 48 & (BIT(STAMP_LOW_BITS) - 1)) |
	       (u32)(d >> 1 & (BIT(STAMP_BITS - STAMP_LOW_BITS) - 1)) << STAMP_LOW_BITS;
}

static inline u64 desc_draining_leaf(u64 d, u32 number)
{
	return (d & DESC_ADDR) | DESC_DRAINING_LEAF | desc_stamp(number);
}

static inline u64 desc_draining_table(u64 d, u32 number)
{
	return (d & DESC_ADDR) | DESC_DRAINING_TABLE | desc_stamp(number);
}

static inline bool desc_is_draining(u64 d)
{
	return !desc_is_valid(d) && (d & (DESC_DRAINING_LEAF | DESC_DRAINING_TABLE));
}

/* Was it taken down before invalidation @number began? Fewer than 2^23 begin meanwhile. */
static inline bool desc_drains_after(u64 d, u32 number)
{
	return (s32)((number - desc_stamp_of(d)) << (32 - STAMP_BITS)) > 0;
}

#endif
