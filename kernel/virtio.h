/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Virtio devices on the memory-mapped transport, and their split virtqueues (Virtio 1.1, sections
 * 2.6 and 4.2). Polled or interrupt-driven is the caller's choice.
 *
 * Locking: the caller serialises all calls for one device.
 */
#ifndef KERNEL_VIRTIO_H
#define KERNEL_VIRTIO_H

#include <linux/virtio_ring.h>

#include "host/port.h"

/* Entries per queue: what a page holds of descriptors and rings together. */
#define VIRTQUEUE_SIZE 64

struct virtio_device {
	volatile u8 *regs;
	u32 irq;
};

struct virtqueue {
	struct virtio_device *dev;
	u32 index;
	struct vring_desc *desc;
	struct vring_avail *avail;
	struct vring_used *used;
	u16 used_seen; /* used-ring index up to which buffers were taken back */
};

/*
 * Finds the first device of type @device_id (VIRTIO_ID_*) and resets it. 0; -ENODEV: none; -EIO: it
 * speaks only the legacy interface.
 */
int virtio_find(struct virtio_device *dev, u32 device_id);
/* Accepts VIRTIO_F_VERSION_1 and @features (low 32 bits), all of which the device must offer. 0 or
 * -EIO. */
int virtio_negotiate(struct virtio_device *dev, u32 features);
/* 0, -ENOMEM, or -EIO if the device has no such queue. Allocates a page. */
int virtqueue_init(struct virtqueue *q, struct virtio_device *dev, u32 index);
/* The device may work from now on. */
void virtio_start(struct virtio_device *dev);
/* Acknowledges the device's interrupt. */
void virtio_ack_irq(struct virtio_device *dev);

enum virtqueue_direction { VIRTQUEUE_TO_DEVICE, VIRTQUEUE_FROM_DEVICE };
/* Hands the device a buffer of @len bytes in RAM as number @id, which must be free. */
void virtqueue_add(struct virtqueue *q, u16 id, const void *buf, u32 len,
		   enum virtqueue_direction direction);
/* Tells the device to look. */
void virtqueue_notify(struct virtqueue *q);
/* Takes back a buffer the device has used: its number, and in *@len the bytes written; -1: none. */
int virtqueue_take(struct virtqueue *q, u32 *len);
/* Whether the device shall interrupt when it has used a buffer. */
enum virtqueue_irq { VIRTQUEUE_IRQ_OFF, VIRTQUEUE_IRQ_ON };
void virtqueue_set_irq(struct virtqueue *q, enum virtqueue_irq irq);

#endif
