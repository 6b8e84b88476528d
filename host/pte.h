/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Descriptors of programs' translation tables: VMSAv8-64 stage 1 of the EL2&0 regime, 4 KiB granule
 * (Arm ARM D8.3), and what the bits that hardware ignores mean to us. Pure functions only;
 * host/pgtable.c alone writes live descriptors.
 */
#ifndef HOST_PTE_H
#define HOST_PTE_H

#include "host/mm_impl.h"

#define PTE_VALID      BIT(0)
#define PTE_TABLE      BIT(1) /* levels 0 to 2: points to a table; level 3: a page */
#define PTE_ATTR_SHIFT 2
#define PTE_ATTR_MASK  GENMASK(4, 2)
#define PTE_USER       BIT(6) /* AP[1]: EL0 has access */
#define PTE_RDONLY     BIT(7) /* AP[2] */
#define PTE_SH_INNER   (3UL << 8)
#define PTE_AF	       BIT(10)
#define PTE_NG	       BIT(11) /* the translation belongs to the ASID */
#define PTE_ADDR_MASK  GENMASK(47, 12)
#define PTE_PXN	       BIT(53) /* EL2 never executes a program's memory */
#define PTE_UXN	       BIT(54)

/* Bits 58:55 are reserved for software. */
#define PTE_SW_LEAF    BIT(55) /* a leaf, also when invalid: PROT_NONE keeps its page */
#define PTE_SW_SPECIAL BIT(56) /* the memory behind it is not counted (PFNMAP, the zero page) */
#define PTE_SW_ANON    BIT(57) /* the page belongs to the mapping, not to an object */
/* The same bit in leaves of other types than write-back, which anonymous memory never has: their
 * owner allows any uncached type. */
#define PTE_SW_ANY_UNCACHED PTE_SW_ANON
#define PTE_SW_BROKEN	    BIT(58) /* was valid before the break of a move that is under way */

/*
 * Bits 60 and 59 are PBHA, which hardware ignores while TCR_EL2.HWU* are 0 (Arm ARM D8.3.2); of an
 * invalid descriptor it ignores all. In a leaf PTE_SW_UFFD_WP keeps writing away until
 * UFFDIO_WRITEPROTECT gives it back. Where no leaf is, either bit alone is a mark: the leaf to come
 * will have it, or (poison) none may come.
 */
#define PTE_SW_UFFD_WP BIT(59)
#define PTE_SW_POISON  BIT(60)
#define PTE_MARKS      (PTE_SW_UFFD_WP | PTE_SW_POISON)

/* Who owns what a leaf maps. */
enum pte_owner { PTE_OBJECT_PAGE, PTE_ANON_PAGE, PTE_NO_PAGE };

static inline bool pte_is_leaf(u64 pte)
{
	return (pte & PTE_SW_LEAF) != 0;
}

/* @pte stands at @level. */
static inline bool pte_is_table(u64 pte, int level)
{
	return level < LEVEL_4K && !pte_is_leaf(pte) && (pte & PTE_VALID);
}

static inline bool pte_is_valid_leaf(u64 pte)
{
	return pte_is_leaf(pte) && (pte & PTE_VALID);
}

static inline bool pte_is_mark(u64 pte)
{
	return !pte_is_leaf(pte) && (pte & PTE_MARKS) && !(pte & PTE_VALID);
}

static inline bool pte_is_uffd_wp(u64 pte)
{
	return (pte & PTE_SW_UFFD_WP) != 0;
}

static inline bool pte_is_special(u64 pte)
{
	return (pte & PTE_SW_SPECIAL) != 0;
}

static inline bool pte_is_writable(u64 pte)
{
	return pte_is_valid_leaf(pte) && !(pte & PTE_RDONLY);
}

static inline bool pte_is_exec(u64 pte)
{
	return pte_is_valid_leaf(pte) && !(pte & PTE_UXN);
}

static inline bool pte_allows(u64 pte, enum host_access access)
{
	switch (access) {
	case HOST_WRITE: return pte_is_writable(pte);
	case HOST_EXEC: return pte_is_exec(pte);
	default: return pte_is_valid_leaf(pte);
	}
}

static inline pa_t pte_pa(u64 pte)
{
	return PA(pte & PTE_ADDR_MASK);
}

static inline u64 pte_make_table(pa_t table)
{
	return table.v | PTE_TABLE | PTE_VALID;
}

static inline enum host_memtype pte_memtype(u64 pte)
{
	switch ((pte & PTE_ATTR_MASK) >> PTE_ATTR_SHIFT) {
	case MAIR_IDX_WB: return HOST_WB;
	case MAIR_IDX_NC: return HOST_NC;
	default: return HOST_DEVICE;
	}
}

/* Nothing is fetched from memory that is not write-back: a fetch may be speculative, and reading a
 * device register is not harmless (Arm ARM B2.7.2). */
static inline u64 pte_with_perms(u64 pte, unsigned int perms)
{
	pte &= ~(PTE_VALID | PTE_RDONLY | PTE_UXN);
	if (perms)
		pte |= PTE_VALID;
	if (!(perms & LEAF_W) || pte_is_uffd_wp(pte))
		pte |= PTE_RDONLY;
	if (!(perms & LEAF_X) || pte_memtype(pte) != HOST_WB)
		pte |= PTE_UXN;
	return pte;
}

static inline unsigned int pte_perms(u64 pte)
{
	if (!pte_is_valid_leaf(pte))
		return 0;
	return LEAF_R | (pte & PTE_RDONLY ? 0 : LEAF_W) | (pte & PTE_UXN ? 0 : LEAF_X);
}

static inline bool pte_is_anon(u64 pte)
{
	return (pte & PTE_SW_ANON) && pte_memtype(pte) == HOST_WB;
}

static inline bool pte_any_uncached(u64 pte)
{
	return (pte & PTE_SW_ANY_UNCACHED) && pte_memtype(pte) != HOST_WB;
}

static inline u64 pte_memtype_attr(enum host_memtype type)
{
	switch (type) {
	case HOST_WB: return (u64)MAIR_IDX_WB << PTE_ATTR_SHIFT;
	case HOST_NC: return (u64)MAIR_IDX_NC << PTE_ATTR_SHIFT;
	default: return (u64)MAIR_IDX_NGNRE << PTE_ATTR_SHIFT;
	}
}

/* @perms is a set of enum leaf_perm. @pa is aligned to the level's size. */
static inline u64 pte_make_leaf(pa_t pa, int level, enum host_memtype type, unsigned int perms,
				enum pte_owner owner)
{
	u64 pte = pa.v | pte_memtype_attr(type) | PTE_SH_INNER | PTE_AF | PTE_NG | PTE_USER |
		  PTE_PXN | PTE_SW_LEAF;

	if (level == LEVEL_4K)
		pte |= PTE_TABLE;
	if (owner == PTE_NO_PAGE)
		pte |= PTE_SW_SPECIAL;
	if (owner == PTE_ANON_PAGE)
		pte |= PTE_SW_ANON;
	return pte_with_perms(pte, perms);
}

/* Entry @i of the 512 that replace the block leaf @pte of @level, one level further down. */
static inline u64 pte_split_entry(u64 pte, int level, unsigned int i)
{
	u64 entry = pte + (u64)i * level_size(level + 1);

	return level + 1 == LEVEL_4K ? entry | PTE_TABLE : entry;
}

#endif
