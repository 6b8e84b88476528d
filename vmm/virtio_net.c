/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The virtio network device (virtio 1.2, 5.1), without offloads: frames over a stream, each behind
 * its length of 32 bits, most significant byte first, as QEMU's stream netdev has them.
 */
#define _GNU_SOURCE
#include "vmm/error.h"
#include "vmm/files.h"
#include "vmm/loop.h"
#include "vmm/virtio_devices.h"
#include "vmm/virtio_mmio.h"

#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

enum {
	DEVICE_ID_NET = 1,
	QUEUE_RECEIVE = 0,
	QUEUE_TRANSMIT = 1,
	HEADER_BYTES = 12, /* struct virtio_net_hdr_v1 */
	NUM_BUFFERS = 10,  /* in it: buffers that the frame takes, 1 */
	LENGTH_BYTES = 4,
	FRAME_MAX = 1518,
	ADDRESS_BYTES = 6,
};

#define F_MAC (UINT64_C(1) << 5)

struct virtio_net {
	struct virtio_device virtio;
	const char *where; /* as the command line has it */
	int out;
	struct watch watch; /* of what comes in */
	/* The frame that comes in: its length, then its bytes. The main thread's. */
	unsigned char incoming[LENGTH_BYTES + FRAME_MAX];
	size_t incoming_size;
	bool starved; /* a whole frame waits for a buffer; under the device's lock */
	bool ended;
};

static struct virtio_net *of_virtio(struct virtio_device *v)
{
	return (struct virtio_net *)((char *)v - offsetof(struct virtio_net, virtio));
}

static struct virtio_net *of_watch(struct watch *watch)
{
	return (struct virtio_net *)((char *)watch - offsetof(struct virtio_net, watch));
}

/* ---- out */

/* A stream that has ended, or fails, swallows what is sent. */
static void write_all(int fd, const unsigned char *from, size_t size)
{
	while (size) {
		ssize_t n = write(fd, from, size);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return;
		from += n;
		size -= (size_t)n;
	}
}

static void put_length(unsigned char *to, size_t length)
{
	for (int i = 0; i < LENGTH_BYTES; i++)
		to[i] = (unsigned char)(length >> 8 * (LENGTH_BYTES - 1 - i));
}

/* Frames that are longer than one may be are dropped. */
static void transmit(struct virtio_net *net)
{
	struct virtqueue *q = &net->virtio.queues[QUEUE_TRANSMIT];
	unsigned char frame[LENGTH_BYTES + FRAME_MAX];
	struct chain chain;

	while (virtqueue_pop(q, &chain)) {
		uint64_t size = buffers_size(chain.buffers, chain.out_count);

		if (size > HEADER_BYTES && size - HEADER_BYTES <= FRAME_MAX) {
			size -= HEADER_BYTES;
			put_length(frame, size);
			buffers_read(chain.buffers, chain.out_count, HEADER_BYTES,
				     frame + LENGTH_BYTES, size);
			write_all(net->out, frame, LENGTH_BYTES + size);
		}
		virtqueue_push(q, chain.head, 0);
	}
	virtio_notify(&net->virtio, QUEUE_TRANSMIT);
}

/* ---- in */

static size_t incoming_length(const struct virtio_net *net)
{
	size_t length = 0;

	for (int i = 0; i < LENGTH_BYTES; i++)
		length = length << 8 | net->incoming[i];
	return length;
}

/* Gives the whole frame to the driver; without a buffer it waits for one. */
static void deliver(struct virtio_net *net)
{
	struct virtqueue *q = &net->virtio.queues[QUEUE_RECEIVE];
	unsigned char header[HEADER_BYTES] = { [NUM_BUFFERS] = 1 };
	const struct iovec *in;
	struct chain chain;
	uint64_t written;

	pthread_mutex_lock(&net->virtio.device.lock);
	net->starved = !virtio_running(&net->virtio) || !virtqueue_pop(q, &chain);
	if (!net->starved) {
		in = chain.buffers + chain.out_count;
		written = buffers_write(in, chain.in_count, 0, header, sizeof(header));
		written += buffers_write(in, chain.in_count, sizeof(header),
					 net->incoming + LENGTH_BYTES,
					 net->incoming_size - LENGTH_BYTES);
		virtqueue_push(q, chain.head, (uint32_t)written);
		net->incoming_size = 0;
	}
	virtio_notify(&net->virtio, QUEUE_RECEIVE);
	pthread_mutex_unlock(&net->virtio.device.lock);
}

static bool frame_whole(const struct virtio_net *net)
{
	return net->incoming_size >= LENGTH_BYTES &&
	       net->incoming_size == LENGTH_BYTES + incoming_length(net);
}

static bool wanted(struct watch *watch)
{
	struct virtio_net *net = of_watch(watch);

	if (frame_whole(net))
		deliver(net);
	return !net->ended && !frame_whole(net);
}

static void ready(struct watch *watch)
{
	struct virtio_net *net = of_watch(watch);
	size_t want = LENGTH_BYTES;
	ssize_t n;

	if (net->incoming_size >= LENGTH_BYTES)
		want += incoming_length(net);
	n = read(watch->fd, net->incoming + net->incoming_size, want - net->incoming_size);
	if (n < 0 && (errno == EINTR || errno == EAGAIN))
		return;
	if (n <= 0) {
		net->ended = true;
		return;
	}
	net->incoming_size += (size_t)n;
	if (net->incoming_size == LENGTH_BYTES &&
	    (incoming_length(net) == 0 || incoming_length(net) > FRAME_MAX)) {
		complain("--net \"%s\": a frame of %zu bytes: 1 to %d; nothing more is received",
			 net->where, incoming_length(net), FRAME_MAX);
		net->incoming_size = 0;
		net->ended = true;
	}
}

static void work(struct virtio_device *v, unsigned int queue)
{
	struct virtio_net *net = of_virtio(v);

	if (queue == QUEUE_TRANSMIT)
		transmit(net);
	else if (net->starved)
		loop_wake();
}

static bool is_open(int fd)
{
	return fcntl(fd, F_GETFD) >= 0;
}

/* "fd:IN,OUT": descriptors that whoever started this left open. */
static bool take_descriptors(struct virtio_net *net)
{
	int in, out, length = 0;

	if (sscanf(net->where, "fd:%d,%d%n", &in, &out, &length) != 2 || net->where[length])
		return false;
	if (!is_open(in) || !is_open(out))
		bad_input("--net \"%s\": such descriptors are not open", net->where);
	net->watch.fd = in;
	net->out = out;
	return true;
}

struct virtio_net *virtio_net_open(const char *where)
{
	struct virtio_net *net = calloc(1, sizeof(*net));
	struct file file;

	if (!net)
		fail("out of memory");
	net->where = where;
	if (take_descriptors(net))
		return net;
	file = file_open("--net", where, O_RDWR | O_NOCTTY);
	net->watch.fd = file.fd;
	net->out = file.fd;
	return net;
}

void virtio_net_add(struct virtio_net *net, const struct vm *vm)
{
	struct virtio_device *v = &net->virtio;

	v->name = "virtio-net";
	v->id = DEVICE_ID_NET;
	v->queue_count = 2;
	v->features = F_MAC;
	if (getrandom(v->config, ADDRESS_BYTES, 0) != ADDRESS_BYTES)
		fail("getrandom gives no %d bytes", ADDRESS_BYTES);
	/* Locally administered, and of one station. */
	v->config[0] = (unsigned char)((v->config[0] & 0xfc) | 2);
	v->config_size = ADDRESS_BYTES;
	v->work = work;
	virtio_add(v, vm);
	net->watch.wanted = wanted;
	net->watch.ready = ready;
	loop_add(&net->watch);
}
