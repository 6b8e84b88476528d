/* SPDX-License-Identifier: Apache-2.0 */
/* /dev/devmem: memory and registers of devices, for programs to map (abi/catwalk_devmem.h). */
#ifndef KERNEL_DEVMEM_H
#define KERNEL_DEVMEM_H

/*
 * Registers /dev/devmem/REGION/POPULATION for each region that the device tree and PCI show. A
 * region for which memory is out has no nodes. Once, at boot, after vfs_init().
 */
void devmem_init(void);

#endif
