/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The kernel's half of the address space (layout.h): linear map, device registers, stacks. Text is
 * never writable and data never executable, under any alias. The tables of boot.S are the roots;
 * entries are added, and only those of stacks ever go away (kstack.c).
 */
#include <libfdt.h>

#include "arm64.h"
#include "host/page.h"
#include "mair.h"
#include "mmu.h"
#include "sysreg.h"

#define PTE_VALID      BIT(0)
#define PTE_TABLE      BIT(1) /* with PTE_VALID: a table, or a page at the last level */
#define PTE_READ_ONLY  BIT(7)
#define PTE_SH_INNER   (3UL << 8)
#define PTE_ACCESSED   BIT(10)
#define PTE_PXN	       BIT(53)
#define PTE_UXN	       BIT(54)
#define PTE_OUTPUT     GENMASK(47, 12)
#define PTE_NO_EXECUTE (PTE_PXN | PTE_UXN)
#define TABLE_ENTRIES  (PAGE_SIZE / sizeof(u64))

#define ATTR_DATA   (PTE_ATTR_INDEX(MAIR_IDX_WB) | PTE_SH_INNER | PTE_ACCESSED | PTE_NO_EXECUTE)
#define ATTR_RODATA (ATTR_DATA | PTE_READ_ONLY)
#define ATTR_DEVICE (PTE_ATTR_INDEX(MAIR_IDX_NGNRE) | PTE_ACCESSED | PTE_NO_EXECUTE)

extern const char _start[], __rodata_end[], _end[];
extern u64 arm64_kernel_table[TABLE_ENTRIES];

u64 arm64_kimage_offset;

/* Tables made before there is a page allocator; how many that takes depends on the RAM's corners.
 */
static u64 early_tables[20][TABLE_ENTRIES] __aligned(PAGE_SIZE);
static unsigned int early_tables_used;

static u64 *alloc_table(void)
{
	struct page *page;

	if (early_tables_used < ARRAY_SIZE(early_tables))
		return early_tables[early_tables_used++];
	page = page_alloc(ORDER_4K, PAGE_ZEROED);
	return page ? page_to_virt(page) : NULL;
}

/* Tables of the image are reached through the image: the linear map may not be there yet. */
static u64 *table_virt(u64 entry)
{
	u64 pa = entry & PTE_OUTPUT;
	u64 image = (u64)_start - arm64_kimage_offset;

	if (pa >= image && pa < image + (u64)(_end - _start))
		return (u64 *)(pa + arm64_kimage_offset);
	return phys_to_virt(PA(pa));
}

/* The entry for @va at @level; makes the tables above. NULL: no memory, or a block is in the way.
 */
static u64 *entry_at(u64 va, int level)
{
	u64 *table = arm64_kernel_table;

	for (int l = LEVEL_512G;; l++) {
		u64 *entry = &table[(va >> level_shift(l)) % TABLE_ENTRIES];

		if (l == level)
			return entry;
		if (!(*entry & PTE_VALID)) {
			u64 *next = alloc_table();

			if (!next)
				return NULL;
			/* The table's zeroes are there before a walk can find it. */
			__asm__ volatile("dsb ishst" ::: "memory");
			port_pte_write(entry, virt_to_phys(next).v | PTE_TABLE | PTE_VALID);
		} else if (!(*entry & PTE_TABLE)) {
			return NULL;
		}
		table = table_virt(*entry);
	}
}

u64 *mmu_page_entry(u64 va)
{
	return entry_at(va, LEVEL_4K);
}

u64 mmu_data_page(pa_t pa)
{
	return pa.v | ATTR_DATA | PTE_TABLE | PTE_VALID;
}

pa_t mmu_page_of_entry(u64 entry)
{
	return PA(entry & PTE_OUTPUT);
}

/* The largest leaf that both addresses and the size allow. */
static int leaf_level(u64 va, u64 pa, u64 size)
{
	for (int level = LEVEL_1G; level < LEVEL_4K; level++) {
		if (IS_ALIGNED(va | pa, level_size(level)) && size >= level_size(level))
			return level;
	}
	return LEVEL_4K;
}

/* Boot only, hence the panic. What is mapped already stays. */
static void map(u64 va, u64 pa, u64 size, u64 attr)
{
	while (size) {
		int level = leaf_level(va, pa, size);
		u64 *entry = entry_at(va, level);

		if (!entry)
			panic("no page table for address 0x%lx", va);
		if (!(*entry & PTE_VALID))
			port_pte_write(entry,
				       pa | attr | PTE_VALID | (level == LEVEL_4K ? PTE_TABLE : 0));
		va += level_size(level);
		pa += level_size(level);
		size -= level_size(level);
	}
	port_pte_publish();
}

const void *mmu_map_fdt(pa_t fdt_pa)
{
	/* The boot protocol bounds it: 2 MiB, on an 8-byte boundary, so two blocks hold it. */
	u64 start = ALIGN_DOWN(fdt_pa.v, SZ_2M);
	const void *fdt = (const void *)(DEVICE_BASE + fdt_pa.v);

	if (fdt_pa.v == 0 || !IS_ALIGNED(fdt_pa.v, 8UL))
		return NULL;
	map(DEVICE_BASE + start, start, 2 * SZ_2M, ATTR_RODATA);
	if (fdt_check_header(fdt) != 0 || fdt_totalsize(fdt) > SZ_2M)
		return NULL;
	return fdt;
}

static void map_linear(u64 start, u64 end, u64 attr)
{
	if (start < end)
		map(LINEAR_BASE + start, start, end - start, attr);
}

void mmu_map_ram(void)
{
	u64 constant = virt_to_phys(_start).v;
	u64 constant_end = virt_to_phys(__rodata_end).v;

	for (unsigned int i = 0; i < boot_info.ram_count; i++) {
		u64 start = boot_info.ram[i].start.v;
		u64 end = start + boot_info.ram[i].size;

		if (constant >= start && constant < end) {
			map_linear(start, constant, ATTR_DATA);
			map_linear(constant, constant_end, ATTR_RODATA);
			start = constant_end;
		}
		map_linear(start, end, ATTR_DATA);
	}
}

void mmu_drop_identity(void)
{
	port_mm_switch(PA(0), 0);
	__asm__ volatile("tlbi vmalle1\n\tdsb nsh\n\tisb" ::: "memory");
}

void *port_map_device(pa_t pa, u64 size)
{
	u64 start = ALIGN_DOWN(pa.v, PAGE_SIZE);
	u64 end = ALIGN_UP(pa.v + size, PAGE_SIZE);

	/* By pages, so that a neighbour mapped later never meets a block. */
	for (u64 page = start; page < end; page += PAGE_SIZE)
		map(DEVICE_BASE + page, page, PAGE_SIZE, ATTR_DEVICE);
	return (void *)(DEVICE_BASE + pa.v);
}

bool port_pa_is_ram(pa_t pa)
{
	for (unsigned int i = 0; i < boot_info.ram_count; i++) {
		if (pa.v >= boot_info.ram[i].start.v &&
		    pa.v - boot_info.ram[i].start.v < boot_info.ram[i].size)
			return true;
	}
	return false;
}
