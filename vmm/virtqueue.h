/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The device's side of a split virtqueue (virtio 1.2, 2.7), with indirect descriptors and event
 * indices.
 *
 * The driver is not trusted, and may write to the rings at any time: each field is read once, and
 * what was checked is what is used. A driver that breaks a rule breaks its queue: nothing more is
 * taken from it until the device is reset. The device's lock guards a queue.
 */
#ifndef VMM_VIRTQUEUE_H
#define VMM_VIRTQUEUE_H

#include "vmm/memory.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/uio.h>

enum {
	QUEUE_SIZE_MAX = 256,
	/* Buffers of a chain; a driver asks for no more than a block request of as many pages. */
	CHAIN_MAX = 130,
};

struct virtqueue {
	const struct guest_memory *memory;
	/* As the driver sets it up. */
	uint16_t size; /* 1 to QUEUE_SIZE_MAX, a power of two */
	bool ready;
	uint64_t desc, avail, used; /* IPAs */
	/* While it is ready. */
	bool event_idx;	    /* VIRTIO_F_EVENT_IDX was negotiated */
	const char *broken; /* the rule that the driver broke, or NULL */
	uint16_t next_avail, next_used, signalled;
	const unsigned char *desc_at, *avail_at;
	unsigned char *used_at;
};

/* Buffers of one request: first those the device reads, then those it writes. */
struct chain {
	uint16_t head;
	unsigned int out_count, in_count;
	struct iovec buffers[CHAIN_MAX];
};

/* As after a reset. */
void virtqueue_reset(struct virtqueue *queue, const struct guest_memory *memory);

/* The driver says that it is set up. False, and broken, if it is not. */
bool virtqueue_start(struct virtqueue *queue, bool event_idx);

/* Takes the next chain. False: there is none now, or the queue is broken. */
bool virtqueue_pop(struct virtqueue *queue, struct chain *chain);

/* Gives a chain back, into which the device wrote this many bytes. */
void virtqueue_push(struct virtqueue *queue, uint16_t head, uint32_t written);

/* Whether the driver wants an interrupt for what was given back since the last question. */
bool virtqueue_wants_interrupt(struct virtqueue *queue);

/* Whether a chain waits; if none does, the driver is asked to tell of the next. */
bool virtqueue_has_work(struct virtqueue *queue);

/* ---- the bytes of buffers; both give the number of bytes moved */

/* Copies up to size bytes from buffers, beginning `skip` bytes into them. */
uint64_t buffers_read(const struct iovec *buffers, unsigned int count, uint64_t skip, void *to,
		      uint64_t size);
uint64_t buffers_write(const struct iovec *buffers, unsigned int count, uint64_t skip,
		       const void *from, uint64_t size);
uint64_t buffers_size(const struct iovec *buffers, unsigned int count);

#endif
