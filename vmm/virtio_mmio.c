/* SPDX-License-Identifier: Apache-2.0 */
#define _GNU_SOURCE
#include "vmm/virtio_mmio.h"

#include "vmm/error.h"

#include <stddef.h>
#include <string.h>

/* virtio 1.2, 4.2.2: offsets. */
enum {
	MAGIC = 0x000,
	VERSION = 0x004,
	DEVICE_ID = 0x008,
	VENDOR_ID = 0x00c,
	DEVICE_FEATURES = 0x010,
	DEVICE_FEATURES_SELECT = 0x014,
	DRIVER_FEATURES = 0x020,
	DRIVER_FEATURES_SELECT = 0x024,
	QUEUE_SELECT = 0x030,
	QUEUE_SIZE_LIMIT = 0x034,
	QUEUE_SIZE = 0x038,
	QUEUE_READY = 0x044,
	QUEUE_NOTIFY = 0x050,
	INTERRUPT_STATUS = 0x060,
	INTERRUPT_ACK = 0x064,
	STATUS = 0x070,
	QUEUE_DESC_LOW = 0x080,
	QUEUE_DESC_HIGH = 0x084,
	QUEUE_DRIVER_LOW = 0x090,
	QUEUE_DRIVER_HIGH = 0x094,
	QUEUE_DEVICE_LOW = 0x0a0,
	QUEUE_DEVICE_HIGH = 0x0a4,
	CONFIG = 0x100,
};

#define MAGIC_VALUE  0x74726976u /* "virt" */
#define VENDOR_VALUE 0x4b575443u /* "CTWK" */

enum { STATUS_FEATURES_OK = 8, STATUS_DRIVER_OK = 4, STATUS_NEEDS_RESET = 64 };
enum { INTERRUPT_RING = 1, INTERRUPT_CONFIG = 2 };

static struct virtio_device *of_device(struct device *device)
{
	return (struct virtio_device *)((char *)device - offsetof(struct virtio_device, device));
}

static uint64_t offered(const struct virtio_device *v)
{
	return v->features | VIRTIO_F_VERSION_1 | VIRTIO_F_INDIRECT_DESC | VIRTIO_F_EVENT_IDX;
}

static void interrupt(struct virtio_device *v, uint32_t cause)
{
	v->interrupt_status |= cause;
	irq_line_pulse(&v->irq);
}

bool virtio_running(const struct virtio_device *v)
{
	return v->status & STATUS_DRIVER_OK && !(v->status & STATUS_NEEDS_RESET);
}

/* The driver broke a rule: the device does nothing more until it is reset (2.1.2). */
static void stop_if_broken(struct virtio_device *v, unsigned int queue)
{
	if (!v->queues[queue].broken || v->status & STATUS_NEEDS_RESET)
		return;
	complain("%s: the guest's driver broke queue %u: %s", v->name, queue,
		 v->queues[queue].broken);
	v->status |= STATUS_NEEDS_RESET;
	if (v->status & STATUS_DRIVER_OK)
		interrupt(v, INTERRUPT_CONFIG);
}

void virtio_notify(struct virtio_device *v, unsigned int queue)
{
	if (virtqueue_wants_interrupt(&v->queues[queue]))
		interrupt(v, INTERRUPT_RING);
	stop_if_broken(v, queue);
}

static void reset(struct virtio_device *v)
{
	for (unsigned int i = 0; i < v->queue_count; i++)
		virtqueue_reset(&v->queues[i], &v->vm->memory);
	v->status = 0;
	v->interrupt_status = 0;
	v->driver_features = 0;
	v->features_select = v->driver_features_select = v->queue_select = 0;
}

static struct virtqueue *selected(struct virtio_device *v)
{
	return v->queue_select < v->queue_count ? &v->queues[v->queue_select] : NULL;
}

static uint32_t read_config(const struct virtio_device *v, uint64_t offset, unsigned int bytes)
{
	uint32_t value = 0;

	if (bytes <= sizeof(value) && offset + bytes <= v->config_size)
		memcpy(&value, v->config + offset, bytes);
	return value;
}

static uint64_t virtio_read(struct device *device, uint64_t offset, unsigned int bytes)
{
	struct virtio_device *v = of_device(device);
	const struct virtqueue *q = selected(v);

	if (offset >= CONFIG)
		return read_config(v, offset - CONFIG, bytes);
	if (bytes != 4)
		return 0;
	switch (offset) {
	case MAGIC: return MAGIC_VALUE;
	case VERSION: return 2;
	case DEVICE_ID: return v->id;
	case VENDOR_ID: return VENDOR_VALUE;
	case DEVICE_FEATURES:
		return v->features_select < 2 ? (uint32_t)(offered(v) >> 32 * v->features_select)
					      : 0;
	case QUEUE_SIZE_LIMIT: return q ? QUEUE_SIZE_MAX : 0;
	case QUEUE_READY: return q && q->ready;
	case INTERRUPT_STATUS: return v->interrupt_status;
	case STATUS: return v->status;
	default: return 0; /* CONFIG_GENERATION too: configurations do not change */
	}
}

static void set_driver_features(struct virtio_device *v, uint32_t value)
{
	unsigned int shift = 32 * (v->driver_features_select & 1);

	if (v->driver_features_select > 1 || v->status & STATUS_FEATURES_OK)
		return;
	v->driver_features &= ~(UINT64_C(0xffffffff) << shift);
	v->driver_features |= (uint64_t)value << shift;
}

/* Features that were not offered, or a driver of the time before 1.0: the bit stays clear (3.1.1).
 */
static bool features_acceptable(const struct virtio_device *v)
{
	return !(v->driver_features & ~offered(v)) && v->driver_features & VIRTIO_F_VERSION_1;
}

static void set_status(struct virtio_device *v, uint32_t value)
{
	if (value == 0) {
		reset(v);
		return;
	}
	if (value & STATUS_FEATURES_OK && !features_acceptable(v))
		value &= ~(uint32_t)STATUS_FEATURES_OK;
	v->status = (v->status & STATUS_NEEDS_RESET) | (value & 0xff);
}

static void set_ready(struct virtio_device *v, struct virtqueue *q, bool ready)
{
	if (!ready)
		q->ready = false;
	else if (!q->ready && !q->broken) {
		virtqueue_start(q, v->driver_features & VIRTIO_F_EVENT_IDX);
		stop_if_broken(v, v->queue_select);
	}
}

static void notified(struct virtio_device *v, uint32_t queue)
{
	if (queue >= v->queue_count || !virtio_running(v))
		return;
	v->work(v, queue);
	stop_if_broken(v, queue);
}

static void set_low(uint64_t *address, uint64_t value)
{
	*address = (*address & ~UINT64_C(0xffffffff)) | (uint32_t)value;
}

static void set_high(uint64_t *address, uint64_t value)
{
	*address = (uint32_t)*address | value << 32;
}

/* Registers of the selected queue: fixed while it is ready (4.2.2.2). */
static void write_queue(struct virtio_device *v, struct virtqueue *q, uint64_t offset,
			uint64_t value)
{
	if (offset == QUEUE_READY) {
		set_ready(v, q, value & 1);
		return;
	}
	if (q->ready)
		return;
	switch (offset) {
	case QUEUE_SIZE: q->size = value > QUEUE_SIZE_MAX ? 0 : (uint16_t)value; break;
	case QUEUE_DESC_LOW: set_low(&q->desc, value); break;
	case QUEUE_DESC_HIGH: set_high(&q->desc, value); break;
	case QUEUE_DRIVER_LOW: set_low(&q->avail, value); break;
	case QUEUE_DRIVER_HIGH: set_high(&q->avail, value); break;
	case QUEUE_DEVICE_LOW: set_low(&q->used, value); break;
	case QUEUE_DEVICE_HIGH: set_high(&q->used, value); break;
	default: break;
	}
}

static void virtio_write(struct device *device, uint64_t offset, unsigned int bytes, uint64_t value)
{
	struct virtio_device *v = of_device(device);
	struct virtqueue *q = selected(v);

	if (bytes != 4 || offset >= CONFIG)
		return; /* no configuration can be written */
	switch (offset) {
	case DEVICE_FEATURES_SELECT: v->features_select = (uint32_t)value; break;
	case DRIVER_FEATURES: set_driver_features(v, (uint32_t)value); break;
	case DRIVER_FEATURES_SELECT: v->driver_features_select = (uint32_t)value; break;
	case QUEUE_SELECT: v->queue_select = (uint32_t)value; break;
	case QUEUE_NOTIFY: notified(v, (uint32_t)value); break;
	case INTERRUPT_ACK: v->interrupt_status &= ~(uint32_t)value; break;
	case STATUS: set_status(v, (uint32_t)value); break;
	default:
		if (q)
			write_queue(v, q, offset, value);
	}
}

static unsigned int count;

void virtio_add(struct virtio_device *v, const struct vm *vm)
{
	v->vm = vm;
	v->irq = (struct irq_line){ .vm = vm, .intid = INTID_VIRTIO + count };
	v->device.name = v->name;
	v->device.base = VIRTIO_BASE + count * VIRTIO_SIZE;
	v->device.size = VIRTIO_SIZE;
	v->device.read = virtio_read;
	v->device.write = virtio_write;
	count++;
	reset(v);
	bus_add(&v->device);
}

unsigned int virtio_count(void)
{
	return count;
}
