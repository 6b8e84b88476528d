/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The virtio entropy device (virtio 1.2, 5.4).
 */
#define _GNU_SOURCE
#include "vmm/virtio_devices.h"
#include "vmm/virtio_mmio.h"

#include <sys/random.h>

enum { DEVICE_ID_RNG = 4, BYTES_MAX = 256 };

static void work(struct virtio_device *v, unsigned int queue)
{
	struct virtqueue *q = &v->queues[queue];
	unsigned char bytes[BYTES_MAX];
	struct chain chain;

	while (virtqueue_pop(q, &chain)) {
		/* As much as fits into a buffer of ours: the device may give less (5.4.6.2). */
		ssize_t n = getrandom(bytes, sizeof(bytes), 0);

		virtqueue_push(q, chain.head,
			       (uint32_t)buffers_write(chain.buffers + chain.out_count,
						       chain.in_count, 0, bytes,
						       n < 0 ? 0 : (uint64_t)n));
	}
	virtio_notify(v, queue);
}

void virtio_rng_add(const struct vm *vm)
{
	static struct virtio_device rng = {
		.name = "virtio-rng",
		.id = DEVICE_ID_RNG,
		.queue_count = 1,
		.work = work,
	};

	virtio_add(&rng, vm);
}
