/* SPDX-License-Identifier: Apache-2.0 */
#include "vmm/virtqueue.h"

#include <stdatomic.h>
#include <string.h>

/* virtio 1.2, 2.7.5: a descriptor. */
struct descriptor {
	uint64_t address;
	uint32_t length;
	uint16_t flags;
	uint16_t next;
};

enum { DESC_NEXT = 1, DESC_WRITE = 2, DESC_INDIRECT = 4 };
enum { AVAIL_NO_INTERRUPT = 1 };

/* Offsets in the rings (2.7.6, 2.7.8). */
enum {
	RING_FLAGS = 0,
	RING_IDX = 2,
	RING_ENTRIES = 4,
	AVAIL_ENTRY_BYTES = 2,
	USED_ENTRY_BYTES = 8,
	EVENT_BYTES = 2,
};

enum { DESC_ALIGN = 16, AVAIL_ALIGN = 2, USED_ALIGN = 4 };

/* A field that the driver may change meanwhile is read once, whole. */
static uint16_t load16(const unsigned char *at)
{
	return __atomic_load_n((const uint16_t *)(const void *)at, __ATOMIC_RELAXED);
}

static void store16(unsigned char *at, uint16_t value)
{
	__atomic_store_n((uint16_t *)(void *)at, value, __ATOMIC_RELEASE);
}

static void break_queue(struct virtqueue *q, const char *rule)
{
	if (!q->broken)
		q->broken = rule;
}

void virtqueue_reset(struct virtqueue *q, const struct guest_memory *memory)
{
	*q = (struct virtqueue){ .memory = memory, .size = QUEUE_SIZE_MAX };
}

static void *part_at(const struct virtqueue *q, uint64_t ipa, uint64_t size, uint64_t align)
{
	return ipa % align ? NULL : guest_at(q->memory, ipa, size);
}

bool virtqueue_start(struct virtqueue *q, bool event_idx)
{
	uint64_t n = q->size;

	q->event_idx = event_idx;
	if (n == 0 || n > QUEUE_SIZE_MAX || n & (n - 1)) {
		break_queue(q, "a queue size that is no power of two up to 256");
		return false;
	}
	q->desc_at = part_at(q, q->desc, n * sizeof(struct descriptor), DESC_ALIGN);
	q->avail_at = part_at(q, q->avail, RING_ENTRIES + n * AVAIL_ENTRY_BYTES + EVENT_BYTES,
			      AVAIL_ALIGN);
	q->used_at =
		part_at(q, q->used, RING_ENTRIES + n * USED_ENTRY_BYTES + EVENT_BYTES, USED_ALIGN);
	q->ready = q->desc_at && q->avail_at && q->used_at;
	if (!q->ready)
		break_queue(q, "a ring outside of memory, or not aligned");
	return q->ready;
}

/* ---- taking */

static bool avail_event_set(struct virtqueue *q)
{
	if (!q->event_idx)
		return false;
	store16(q->used_at + RING_ENTRIES + (uint64_t)q->size * USED_ENTRY_BYTES, q->next_avail);
	return true;
}

/* Chains that wait, or 0. */
static uint16_t waiting(struct virtqueue *q)
{
	uint16_t count = (uint16_t)(load16(q->avail_at + RING_IDX) - q->next_avail);

	/* What the driver wrote before the index is seen after it (2.7.13.2). */
	atomic_thread_fence(memory_order_acquire);
	if (count > q->size) {
		break_queue(q, "an available index that is ahead by more than the queue's size");
		return 0;
	}
	return count;
}

bool virtqueue_has_work(struct virtqueue *q)
{
	if (!q->ready || q->broken)
		return false;
	if (waiting(q))
		return true;
	if (!avail_event_set(q))
		return false;
	/* A chain that came before the driver could see the event index is seen here (2.7.7.1). */
	atomic_thread_fence(memory_order_seq_cst);
	return waiting(q);
}

static bool add_buffer(struct virtqueue *q, struct chain *chain, const struct descriptor *d)
{
	unsigned int count = chain->out_count + chain->in_count;
	struct iovec *buffer = &chain->buffers[count];

	if (count == CHAIN_MAX) {
		break_queue(q, "a chain of more than 130 buffers");
		return false;
	}
	buffer->iov_base = guest_at(q->memory, d->address, d->length);
	buffer->iov_len = d->length;
	if (!buffer->iov_base) {
		break_queue(q, "a buffer outside of memory, or empty");
		return false;
	}
	if (d->flags & DESC_WRITE) {
		chain->in_count++;
		return true;
	}
	if (chain->in_count) {
		break_queue(q, "a buffer to be read behind one to be written");
		return false;
	}
	chain->out_count++;
	return true;
}

/* Descriptors of one chain, or those of the indirect descriptor that it consists of. */
struct table {
	const unsigned char *at;
	uint32_t size;		  /* descriptors */
	uint16_t forbidden_flags; /* of a descriptor in it */
};

/*
 * Adds the buffers of a chain up to its end, or up to an indirect descriptor, which *last is then.
 * A chain no longer than its table has no loop.
 */
static bool walk(struct virtqueue *q, struct chain *chain, const struct table *table,
		 uint16_t index, struct descriptor *last)
{
	for (uint32_t steps = 0; steps < table->size; steps++) {
		if (index >= table->size) {
			break_queue(q, "a descriptor's index beyond its table");
			return false;
		}
		memcpy(last, table->at + (size_t)index * sizeof(*last), sizeof(*last));
		if (last->flags & table->forbidden_flags) {
			break_queue(q, "an indirect descriptor within an indirect table");
			return false;
		}
		if (last->flags & DESC_INDIRECT)
			return true;
		if (!add_buffer(q, chain, last))
			return false;
		if (!(last->flags & DESC_NEXT))
			return true;
		index = last->next;
	}
	break_queue(q, "a chain that is longer than its table");
	return false;
}

/* An indirect descriptor is the last of its chain, and its table has none (2.7.5.3.1). */
static bool walk_indirect(struct virtqueue *q, struct chain *chain, const struct descriptor *d)
{
	struct table table = { .forbidden_flags = DESC_INDIRECT };
	struct descriptor last;

	table.at = guest_at(q->memory, d->address, d->length);
	table.size = d->length / sizeof(*d);
	if (d->flags & DESC_NEXT || !table.at || d->length % sizeof(*d) ||
	    d->address % DESC_ALIGN) {
		break_queue(q, "an indirect descriptor that is malformed");
		return false;
	}
	return walk(q, chain, &table, 0, &last);
}

bool virtqueue_pop(struct virtqueue *q, struct chain *chain)
{
	const struct table table = { q->desc_at, q->size, 0 };
	struct descriptor last;

	if (!virtqueue_has_work(q))
		return false;
	chain->head = load16(q->avail_at + RING_ENTRIES +
			     (uint64_t)(q->next_avail % q->size) * AVAIL_ENTRY_BYTES);
	chain->out_count = 0;
	chain->in_count = 0;
	if (!walk(q, chain, &table, chain->head, &last))
		return false;
	if (last.flags & DESC_INDIRECT && !walk_indirect(q, chain, &last))
		return false;
	q->next_avail++;
	return true;
}

/* ---- giving back */

void virtqueue_push(struct virtqueue *q, uint16_t head, uint32_t written)
{
	const uint32_t entry[2] = { head, written };

	memcpy(q->used_at + RING_ENTRIES + (uint64_t)(q->next_used % q->size) * USED_ENTRY_BYTES,
	       entry, sizeof(entry));
	q->next_used++;
	store16(q->used_at + RING_IDX, q->next_used);
}

bool virtqueue_wants_interrupt(struct virtqueue *q)
{
	uint16_t before = q->signalled, event;

	if (!q->ready || q->next_used == before)
		return false;
	/* The index is written before the driver's wish is read (2.7.7.2, 2.7.10.1). */
	atomic_thread_fence(memory_order_seq_cst);
	q->signalled = q->next_used;
	if (!q->event_idx)
		return !(load16(q->avail_at + RING_FLAGS) & AVAIL_NO_INTERRUPT);
	event = load16(q->avail_at + RING_ENTRIES + (uint64_t)q->size * AVAIL_ENTRY_BYTES);
	return (uint16_t)(q->next_used - event - 1) < (uint16_t)(q->next_used - before);
}

/* ---- buffers */

/* Calls for each piece of [skip, skip + size) within the buffers, in order; bytes in all. */
static uint64_t each_piece(const struct iovec *buffers, unsigned int count, uint64_t skip,
			   unsigned char *to, const unsigned char *from, uint64_t size)
{
	uint64_t done = 0;

	for (unsigned int i = 0; i < count && done < size; i++) {
		uint64_t length = buffers[i].iov_len, n;

		if (skip >= length) {
			skip -= length;
			continue;
		}
		n = length - skip < size - done ? length - skip : size - done;
		if (to)
			memcpy(to + done, (char *)buffers[i].iov_base + skip, n);
		else
			memcpy((char *)buffers[i].iov_base + skip, from + done, n);
		done += n;
		skip = 0;
	}
	return done;
}

uint64_t buffers_read(const struct iovec *buffers, unsigned int count, uint64_t skip, void *to,
		      uint64_t size)
{
	return each_piece(buffers, count, skip, to, NULL, size);
}

uint64_t buffers_write(const struct iovec *buffers, unsigned int count, uint64_t skip,
		       const void *from, uint64_t size)
{
	return each_piece(buffers, count, skip, NULL, from, size);
}

uint64_t buffers_size(const struct iovec *buffers, unsigned int count)
{
	uint64_t size = 0;

	for (unsigned int i = 0; i < count; i++)
		size += buffers[i].iov_len;
	return size;
}
