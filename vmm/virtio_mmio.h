/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The virtio-mmio transport in its modern form (virtio 1.2, 4.2), and what a virtio device adds to
 * it.
 */
#ifndef VMM_VIRTIO_MMIO_H
#define VMM_VIRTIO_MMIO_H

#include "vmm/bus.h"
#include "vmm/gic.h"
#include "vmm/virtqueue.h"

enum { VIRTIO_QUEUES_MAX = 2, VIRTIO_CONFIG_MAX = 64 };

/* Feature bits of the transport and the rings (virtio 1.2, 6). */
#define VIRTIO_F_INDIRECT_DESC (UINT64_C(1) << 28)
#define VIRTIO_F_EVENT_IDX     (UINT64_C(1) << 29)
#define VIRTIO_F_VERSION_1     (UINT64_C(1) << 32)

struct virtio_device {
	/* Set by the device before virtio_add(). */
	const char *name;
	uint32_t id; /* virtio 1.2, 5 */
	unsigned int queue_count;
	uint64_t features; /* its own; the rings' come on top */
	unsigned char config[VIRTIO_CONFIG_MAX];
	unsigned int config_size;
	/* Chains may wait in a queue. Called with the device locked. */
	void (*work)(struct virtio_device *device, unsigned int queue);
	/* The transport's. */
	struct device device;
	const struct vm *vm;
	struct irq_line irq;
	struct virtqueue queues[VIRTIO_QUEUES_MAX];
	uint32_t status, interrupt_status;
	uint32_t features_select, driver_features_select, queue_select;
	uint64_t driver_features;
};

/* Adds a device to the bus, at the next free place. */
void virtio_add(struct virtio_device *device, const struct vm *vm);

/* How many were added. */
unsigned int virtio_count(void);

/* Whether the driver has finished setting the device up. */
bool virtio_running(const struct virtio_device *device);

/* Tells the driver what was given back, if it wants to know; with the device locked. */
void virtio_notify(struct virtio_device *device, unsigned int queue);

#endif
