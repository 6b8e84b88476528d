/* SPDX-License-Identifier: Apache-2.0 */
/* The memory-mapped virtio transport and split virtqueues. */
#include <linux/virtio_config.h>
#include <linux/virtio_mmio.h>

#include "host/err.h"
#include "host/page.h"
#include "kernel/port.h"
#include "kernel/virtio.h"

#define VIRTIO_MAGIC   0x74726976
#define VIRTIO_VERSION 2

/* Where the parts of a queue lie in its page; the rings' alignments are 16, 2 and 4. */
#define AVAIL_OFFSET (VIRTQUEUE_SIZE * sizeof(struct vring_desc))
#define USED_OFFSET  2048

_Static_assert(AVAIL_OFFSET + 6 + 2 * VIRTQUEUE_SIZE <= USED_OFFSET &&
		       USED_OFFSET + 6 + 8 * VIRTQUEUE_SIZE <= PAGE_SIZE,
	       "a queue fits its page");

static u32 read_reg(const struct virtio_device *dev, u32 offset)
{
	return port_io_read32(dev->regs + offset);
}

static void write_reg(struct virtio_device *dev, u32 offset, u32 value)
{
	port_io_write32(dev->regs + offset, value);
}

static void add_status(struct virtio_device *dev, u32 bits)
{
	write_reg(dev, VIRTIO_MMIO_STATUS, read_reg(dev, VIRTIO_MMIO_STATUS) | bits);
}

int virtio_find(struct virtio_device *dev, u32 device_id)
{
	for (unsigned int i = 0; i < boot_info.virtio_count; i++) {
		dev->regs = port_map_device(boot_info.virtio[i].start, boot_info.virtio[i].size);
		dev->irq = boot_info.virtio_irq[i];
		if (read_reg(dev, VIRTIO_MMIO_MAGIC_VALUE) != VIRTIO_MAGIC ||
		    read_reg(dev, VIRTIO_MMIO_DEVICE_ID) != device_id)
			continue;
		if (read_reg(dev, VIRTIO_MMIO_VERSION) != VIRTIO_VERSION)
			return -EIO;
		write_reg(dev, VIRTIO_MMIO_STATUS, 0);
		add_status(dev, VIRTIO_CONFIG_S_ACKNOWLEDGE);
		add_status(dev, VIRTIO_CONFIG_S_DRIVER);
		return 0;
	}
	return -ENODEV;
}

/* The @half-th 32 feature bits: offers must cover @wanted, which is then accepted. */
static bool negotiate_half(struct virtio_device *dev, u32 half, u32 wanted)
{
	write_reg(dev, VIRTIO_MMIO_DEVICE_FEATURES_SEL, half);
	if (wanted & ~read_reg(dev, VIRTIO_MMIO_DEVICE_FEATURES))
		return false;
	write_reg(dev, VIRTIO_MMIO_DRIVER_FEATURES_SEL, half);
	write_reg(dev, VIRTIO_MMIO_DRIVER_FEATURES, wanted);
	return true;
}

int virtio_negotiate(struct virtio_device *dev, u32 features)
{
	if (!negotiate_half(dev, 0, features) ||
	    !negotiate_half(dev, 1, 1U << (VIRTIO_F_VERSION_1 - 32)))
		return -EIO;
	add_status(dev, VIRTIO_CONFIG_S_FEATURES_OK);
	if (!(read_reg(dev, VIRTIO_MMIO_STATUS) & VIRTIO_CONFIG_S_FEATURES_OK))
		return -EIO;
	return 0;
}

static void write_address(struct virtio_device *dev, u32 low, u32 high, const void *p)
{
	u64 pa = virt_to_phys(p).v;

	write_reg(dev, low, (u32)pa);
	write_reg(dev, high, (u32)(pa >> 32));
}

int virtqueue_init(struct virtqueue *q, struct virtio_device *dev, u32 index)
{
	struct page *page;
	u8 *base;

	write_reg(dev, VIRTIO_MMIO_QUEUE_SEL, index);
	if (read_reg(dev, VIRTIO_MMIO_QUEUE_NUM_MAX) < VIRTQUEUE_SIZE)
		return -EIO;
	page = page_alloc(ORDER_4K, PAGE_ZEROED);
	if (!page)
		return -ENOMEM;
	base = page_to_virt(page);
	*q = (struct virtqueue){
		.dev = dev,
		.index = index,
		.desc = (struct vring_desc *)base,
		.avail = (struct vring_avail *)(base + AVAIL_OFFSET),
		.used = (struct vring_used *)(base + USED_OFFSET),
	};
	write_reg(dev, VIRTIO_MMIO_QUEUE_NUM, VIRTQUEUE_SIZE);
	write_address(dev, VIRTIO_MMIO_QUEUE_DESC_LOW, VIRTIO_MMIO_QUEUE_DESC_HIGH, q->desc);
	write_address(dev, VIRTIO_MMIO_QUEUE_AVAIL_LOW, VIRTIO_MMIO_QUEUE_AVAIL_HIGH, q->avail);
	write_address(dev, VIRTIO_MMIO_QUEUE_USED_LOW, VIRTIO_MMIO_QUEUE_USED_HIGH, q->used);
	write_reg(dev, VIRTIO_MMIO_QUEUE_READY, 1);
	return 0;
}

void virtio_start(struct virtio_device *dev)
{
	add_status(dev, VIRTIO_CONFIG_S_DRIVER_OK);
}

void virtio_ack_irq(struct virtio_device *dev)
{
	write_reg(dev, VIRTIO_MMIO_INTERRUPT_ACK, read_reg(dev, VIRTIO_MMIO_INTERRUPT_STATUS));
}

void virtqueue_add(struct virtqueue *q, u16 id, const void *buf, u32 len,
		   enum virtqueue_direction direction)
{
	u16 at = q->avail->idx;

	q->desc[id] = (struct vring_desc){
		.addr = virt_to_phys(buf).v,
		.len = len,
		.flags = direction == VIRTQUEUE_FROM_DEVICE ? VRING_DESC_F_WRITE : 0,
	};
	q->avail->ring[at % VIRTQUEUE_SIZE] = id;
	/* The device sees the entry before the index that covers it. */
	__atomic_store_n(&q->avail->idx, (u16)(at + 1), __ATOMIC_RELEASE);
}

void virtqueue_notify(struct virtqueue *q)
{
	write_reg(q->dev, VIRTIO_MMIO_QUEUE_NOTIFY, q->index);
}

int virtqueue_take(struct virtqueue *q, u32 *len)
{
	const struct vring_used_elem *e;

	if (__atomic_load_n(&q->used->idx, __ATOMIC_ACQUIRE) == q->used_seen)
		return -1;
	e = &q->used->ring[q->used_seen++ % VIRTQUEUE_SIZE];
	*len = e->len;
	return (int)(e->id % VIRTQUEUE_SIZE);
}

void virtqueue_set_irq(struct virtqueue *q, enum virtqueue_irq irq)
{
	__atomic_store_n(&q->avail->flags, irq == VIRTQUEUE_IRQ_ON ? 0 : VRING_AVAIL_F_NO_INTERRUPT,
			 __ATOMIC_RELAXED);
	/* Against the caller's next look at the used ring. */
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
}
