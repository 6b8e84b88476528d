/* SPDX-License-Identifier: Apache-2.0 */
/* A vGICv3 for the tests' machines, and the guest code that takes its interrupts. */
#ifndef TESTS_TARGET_VGIC_H
#define TESTS_TARGET_VGIC_H

#include "tests/target/client.h"

enum {
	GICD_BASE = 0x08000000,
	GICR_BASE = 0x080a0000,
	GICR_SIZE = 0x20000,
	GICR_SGI_PAGE = 0x10000,
	GICD_CTLR = 0x0000,
	GICD_IGROUPR = 0x0080,
	GICD_ISENABLER = 0x0100,
	GICD_ICENABLER = 0x0180,
	GICD_ISPENDR = 0x0200,
	GICD_ICPENDR = 0x0280,
	GICD_ISACTIVER = 0x0300,
	GICD_ICACTIVER = 0x0380,
	GICD_IPRIORITYR = 0x0400,
	GICD_ICFGR = 0x0c00,
	GICD_IROUTER = 0x6000,
	/* Where the guests below are loaded, from GUEST_RAM on */
	AT_VECTORS = 0,
	AT_CODE = 0x1000,
};

/* KVM_CREATE_DEVICE; the descriptor, or -errno. */
int device_create(struct vm *vm, uint32_t type, uint32_t flags);
/* Attributes of any descriptor. 0 or -errno. */
int attr_set(int fd, uint32_t group, uint64_t attr, const void *value);
int attr_get(int fd, uint32_t group, uint64_t attr, void *value);
int attr_has(int fd, uint32_t group, uint64_t attr);

/* A vGIC with @irqs interrupts at the addresses above, started; all vCPUs exist. Its descriptor. */
int vgic_setup(struct vm *vm, unsigned vcpus, uint32_t irqs);
uint32_t dist_get(int gic, uint32_t offset);
void dist_set(int gic, uint32_t offset, uint32_t value);
/* Of the vCPU with Aff0 = @cpu. */
uint32_t redist_get(int gic, unsigned cpu, uint32_t offset);
void redist_set(int gic, unsigned cpu, uint32_t offset, uint32_t value);
/* Enables @intid with @priority, for vCPU 0; @edge: 1, level: 0. */
void spi_enable(int gic, uint32_t intid, uint8_t priority, int edge);
/* KVM_IRQ_LINE of an SPI. 0 or -errno. */
int spi_line(struct vm *vm, uint32_t intid, int level);

/*
 * Loads vectors and a guest that turns its CPU interface on, unmasks interrupts and waits by WFI
 * until x22 interrupts were taken; then it writes x22 to GUEST_MMIO. For each interrupt the handler
 * writes its number to GUEST_MMIO + 0x20, unless x24 is 1: then it stores it at x21, which it
 * advances. With x25 1 it ends interrupts in two steps (EOImode 1).
 */
void vgic_guest_load(char *ram);
/* Starts it on @vcpu: see above. */
void vgic_guest_start(struct vcpu *vcpu, uint64_t interrupts, uint64_t log);

#endif
