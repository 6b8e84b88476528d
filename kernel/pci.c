/* SPDX-License-Identifier: Apache-2.0 */
/* PCI Local Bus Specification 3.0, chapter 6; ECAM: PCI Express Base Specification, 7.2.2. */
#include "kernel/pci.h"

#include <linux/pci_regs.h>

/* Of configuration space, by ECAM: one page a function, eight functions a slot. */
#define SLOT_STRIDE (8 * PAGE_SIZE)
#define SLOT_COUNT  32

/* What is left of the bridge's windows. */
struct pci_windows {
	struct boot_region low;
	struct boot_region high;
};

/* One memory BAR: which registers hold it and what it asks for. */
struct bar_wish {
	int index;
	u64 size;
	bool is_wide; /* 64 bits: the next register is its upper half */
};

static u32 config_read(volatile char *config, u32 offset)
{
	return port_io_read32(config + offset);
}

static void config_write(volatile char *config, u32 offset, u32 value)
{
	port_io_write32(config + offset, value);
}

static u32 bar_offset(int index)
{
	return PCI_BASE_ADDRESS_0 + 4 * (u32)index;
}

/* The writable address bits of a BAR, found by writing ones. The size is the lowest of them. */
static u32 bar_probe(volatile char *config, int index)
{
	config_write(config, bar_offset(index), ~0U);
	return config_read(config, bar_offset(index));
}

/* False if there is no memory BAR at @index. */
static bool bar_read_wish(volatile char *config, int index, struct bar_wish *wish)
{
	u32 low = bar_probe(config, index);
	u64 mask = low & (u32)PCI_BASE_ADDRESS_MEM_MASK;

	*wish = (struct bar_wish){ .index = index };
	if (!mask || (low & PCI_BASE_ADDRESS_SPACE) == PCI_BASE_ADDRESS_SPACE_IO)
		return false;
	wish->is_wide = (low & PCI_BASE_ADDRESS_MEM_TYPE_MASK) == PCI_BASE_ADDRESS_MEM_TYPE_64 &&
			index + 1 < PCI_BAR_COUNT;
	mask |= (u64)(wish->is_wide ? bar_probe(config, index + 1) : ~0U) << 32;
	wish->size = max(mask & -mask, PAGE_SIZE);
	return true;
}

/* Cuts an aligned piece off the window's start; size 0 if there is none. */
static struct boot_region window_take(struct boot_region *window, u64 size)
{
	u64 end = window->start.v + window->size;
	u64 start = ALIGN_UP(window->start.v, size);

	if (!window->size || start < window->start.v || start > end || end - start < size)
		return (struct boot_region){ PA(0), 0 };
	window->start = PA(start + size);
	window->size = end - window->start.v;
	return (struct boot_region){ PA(start), size };
}

static struct boot_region bar_place(volatile char *config, const struct bar_wish *wish,
				    struct pci_windows *windows)
{
	struct boot_region bar = { PA(0), 0 };

	if (wish->is_wide)
		bar = window_take(&windows->high, wish->size);
	if (!bar.size)
		bar = window_take(&windows->low, wish->size);
	config_write(config, bar_offset(wish->index), (u32)bar.start.v);
	if (wish->is_wide)
		config_write(config, bar_offset(wish->index + 1), (u32)(bar.start.v >> 32));
	return bar;
}

/* The upper half of the same word is the status, whose bits only ones clear. */
static void decode_memory(volatile char *config, bool on)
{
	config_write(config, PCI_COMMAND, on ? PCI_COMMAND_MEMORY : 0);
}

/* A BAR that found no room would decode at address 0: then memory stays off. */
static void function_place(volatile char *config, struct pci_function *f,
			   struct pci_windows *windows)
{
	bool all_placed = true;
	struct bar_wish wish;

	decode_memory(config, false);
	for (int i = 0; i < PCI_BAR_COUNT; i += wish.is_wide ? 2 : 1) {
		if (!bar_read_wish(config, i, &wish))
			continue;
		f->bars[i] = bar_place(config, &wish, windows);
		all_placed = all_placed && f->bars[i].size;
	}
	for (int i = 0; i < PCI_BAR_COUNT && !all_placed; i++)
		f->bars[i].size = 0;
	decode_memory(config, all_placed);
}

static bool is_plain_function(volatile char *config)
{
	u32 word = config_read(config, PCI_HEADER_TYPE & ~3U);

	return (word >> 16 & PCI_HEADER_TYPE_MASK) == PCI_HEADER_TYPE_NORMAL;
}

void pci_scan(void (*found)(const struct pci_function *function))
{
	struct pci_windows windows = { boot_info.pci_low, boot_info.pci_high };

	for (u64 slot = 0;
	     slot < SLOT_COUNT && (slot + 1) * SLOT_STRIDE <= boot_info.pci_config.size; slot++) {
		pa_t pa = PA(boot_info.pci_config.start.v + slot * SLOT_STRIDE);
		volatile char *config = port_map_device(pa, PAGE_SIZE);
		u32 id = config_read(config, PCI_VENDOR_ID);
		struct pci_function f = { .vendor = (u16)id, .device = (u16)(id >> 16) };

		if (f.vendor == 0xffff || !is_plain_function(config))
			continue;
		function_place(config, &f, &windows);
		found(&f);
	}
}
