/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The virtio console (virtio 1.2, 5.3): one port, without a size.
 */
#define _GNU_SOURCE
#include "vmm/terminal.h"
#include "vmm/virtio_devices.h"
#include "vmm/virtio_mmio.h"

#include <stddef.h>
#include <string.h>

enum { DEVICE_ID_CONSOLE = 3, QUEUE_RECEIVE = 0, QUEUE_TRANSMIT = 1, INPUT_SIZE = 256 };

struct virtio_console {
	struct virtio_device virtio;
	struct terminal_sink sink;
	/* The guest has written: before that nobody has opened the port, and input would be lost.
	 */
	bool in_use;
	unsigned char input[INPUT_SIZE]; /* typed, for which the driver gave no buffer yet */
	size_t input_count;
};

static struct virtio_console *of_sink(struct terminal_sink *sink)
{
	return (struct virtio_console *)((char *)sink - offsetof(struct virtio_console, sink));
}

static struct virtio_console *of_virtio(struct virtio_device *v)
{
	return (struct virtio_console *)((char *)v - offsetof(struct virtio_console, virtio));
}

static void receive(struct virtio_console *c)
{
	struct virtqueue *q = &c->virtio.queues[QUEUE_RECEIVE];
	struct chain chain;

	while (c->input_count && virtqueue_pop(q, &chain)) {
		uint64_t n = buffers_write(chain.buffers + chain.out_count, chain.in_count, 0,
					   c->input, c->input_count);

		c->input_count -= n;
		memmove(c->input, c->input + n, c->input_count);
		virtqueue_push(q, chain.head, (uint32_t)n);
	}
	virtio_notify(&c->virtio, QUEUE_RECEIVE);
}

static void transmit(struct virtio_console *c)
{
	struct virtqueue *q = &c->virtio.queues[QUEUE_TRANSMIT];
	struct chain chain;

	while (virtqueue_pop(q, &chain)) {
		for (unsigned int i = 0; i < chain.out_count; i++)
			terminal_write(chain.buffers[i].iov_base, chain.buffers[i].iov_len);
		virtqueue_push(q, chain.head, 0);
	}
	virtio_notify(&c->virtio, QUEUE_TRANSMIT);
	if (!c->in_use) {
		c->in_use = true;
		terminal_room();
	}
}

static void work(struct virtio_device *v, unsigned int queue)
{
	struct virtio_console *c = of_virtio(v);

	if (queue == QUEUE_TRANSMIT) {
		transmit(c);
		return;
	}
	receive(c);
	if (c->input_count < INPUT_SIZE)
		terminal_room();
}

static size_t room(struct terminal_sink *sink)
{
	struct virtio_console *c = of_sink(sink);
	size_t bytes;

	pthread_mutex_lock(&c->virtio.device.lock);
	bytes = c->in_use ? INPUT_SIZE - c->input_count : 0;
	pthread_mutex_unlock(&c->virtio.device.lock);
	return bytes;
}

static void put(struct terminal_sink *sink, const unsigned char *bytes, size_t count)
{
	struct virtio_console *c = of_sink(sink);

	pthread_mutex_lock(&c->virtio.device.lock);
	if (count > INPUT_SIZE - c->input_count)
		count = INPUT_SIZE - c->input_count;
	memcpy(c->input + c->input_count, bytes, count);
	c->input_count += count;
	if (virtio_running(&c->virtio))
		receive(c);
	pthread_mutex_unlock(&c->virtio.device.lock);
}

struct terminal_sink *virtio_console_add(const struct vm *vm)
{
	static struct virtio_console console = {
		.virtio = {
			.name = "virtio-console",
			.id = DEVICE_ID_CONSOLE,
			.queue_count = 2,
			.work = work,
		},
		.sink = { room, put },
	};

	virtio_add(&console.virtio, vm);
	return &console.sink;
}
