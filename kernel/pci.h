/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The PCI bus of the board: functions of bus 0 found by their configuration space (ECAM), memory
 * BARs placed in the bridge's windows, which no firmware has done before us.
 */
#ifndef KERNEL_PCI_H
#define KERNEL_PCI_H

#include "kernel/port.h"

enum { PCI_BAR_COUNT = 6 };

struct pci_function {
	u16 vendor;
	u16 device;
	/* Memory BARs that have been placed; size 0: none, an I/O BAR, or no room in the windows.
	 * Starts and sizes are multiples of a page, so that no page holds two. */
	struct boot_region bars[PCI_BAR_COUNT];
};

/*
 * Calls @found for function 0 of each slot of bus 0, its BARs placed and memory decoding on.
 * Bridges are not looked behind. Once, at boot.
 */
void pci_scan(void (*found)(const struct pci_function *function));

#endif
