/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The virtio block device (virtio 1.2, 5.2): a file. Requests are carried out on the vCPU's thread
 * that asks for them: the file is in memory, or in the page cache.
 */
#define _GNU_SOURCE
#include "vmm/error.h"
#include "vmm/files.h"
#include "vmm/virtio_devices.h"
#include "vmm/virtio_mmio.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

enum { DEVICE_ID_BLOCK = 2, SECTOR = 512, ID_BYTES = 20 };

#define F_SEG_MAX (UINT64_C(1) << 2)
#define F_RO	  (UINT64_C(1) << 5)
#define F_FLUSH	  (UINT64_C(1) << 9)

/* 5.2.6 */
enum { REQUEST_IN = 0, REQUEST_OUT = 1, REQUEST_FLUSH = 4, REQUEST_GET_ID = 8 };
enum { DONE_OK = 0, DONE_IO_ERROR = 1, DONE_UNSUPPORTED = 2 };

struct request {
	uint32_t type;
	uint32_t reserved;
	uint64_t sector;
};

/* The start of struct virtio_blk_config (5.2.4). */
struct config {
	uint64_t capacity; /* sectors */
	uint32_t size_max, seg_max;
};

struct virtio_block {
	struct virtio_device virtio;
	struct file file;
	bool read_only;
	char id[ID_BYTES];
};

static struct virtio_block *of_virtio(struct virtio_device *v)
{
	return (struct virtio_block *)((char *)v - offsetof(struct virtio_block, virtio));
}

struct virtio_block *virtio_block_open(const struct disk_option *option)
{
	struct virtio_block *block = calloc(1, sizeof(*block));
	int lock = option->read_only ? LOCK_SH : LOCK_EX;

	if (!block)
		fail("out of memory");
	block->read_only = option->read_only;
	block->file =
		file_open_regular("--disk", option->path, option->read_only ? O_RDONLY : O_RDWR);
	if (flock(block->file.fd, lock | LOCK_NB) < 0)
		bad_input("--disk \"%s\": %s", option->path,
			  errno == EWOULDBLOCK ? "in use by another VMM (it is locked)"
					       : strerror(errno));
	if (block->file.size % SECTOR)
		bad_input("--disk \"%s\": %" PRIu64 " bytes: give whole sectors (512)",
			  option->path, block->file.size);
	return block;
}

/* What a request does with the file. */
typedef ssize_t transfer_function(int fd, void *at, size_t size, off_t offset);

static ssize_t write_out(int fd, void *at, size_t size, off_t offset)
{
	return pwrite(fd, at, size, offset);
}

/* All of [offset, offset + size) of the file; false: an error. */
static bool transfer_piece(int fd, transfer_function *function, char *at, uint64_t size,
			   uint64_t offset)
{
	while (size) {
		ssize_t n = function(fd, at, size, (off_t)offset);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return false;
		at += n;
		size -= (uint64_t)n;
		offset += (uint64_t)n;
	}
	return true;
}

/* Data of a request: part of its buffers, and of the disk. */
struct data {
	const struct iovec *buffers;
	unsigned int count;
	uint64_t skip, size, sector; /* bytes into the buffers, bytes, where on the disk */
};

/* False: an error, or beyond the disk's end. */
static bool transfer(const struct virtio_block *block, transfer_function *function, struct data d)
{
	uint64_t capacity = block->file.size, offset;

	if (d.size % SECTOR || d.sector > capacity / SECTOR ||
	    d.size > capacity - d.sector * SECTOR)
		return false;
	offset = d.sector * SECTOR;
	for (unsigned int i = 0; i < d.count && d.size; i++) {
		uint64_t length = d.buffers[i].iov_len, n;

		if (d.skip >= length) {
			d.skip -= length;
			continue;
		}
		n = length - d.skip < d.size ? length - d.skip : d.size;
		if (!transfer_piece(block->file.fd, function,
				    (char *)d.buffers[i].iov_base + d.skip, n, offset))
			return false;
		offset += n;
		d.size -= n;
		d.skip = 0;
	}
	return true;
}

/* Carries one request out; *written: bytes put into the chain's buffers before the status. */
static unsigned char carry_out(struct virtio_block *block, const struct chain *chain,
			       uint64_t *written)
{
	const struct iovec *in = chain->buffers + chain->out_count;
	uint64_t out_size = buffers_size(chain->buffers, chain->out_count) - sizeof(struct request);
	uint64_t in_size = buffers_size(in, chain->in_count) - 1;
	struct request r;

	buffers_read(chain->buffers, chain->out_count, 0, &r, sizeof(r));
	switch (r.type) {
	case REQUEST_IN:
		/* The last byte is the status's. */
		if (!transfer(block, pread,
			      (struct data){ in, chain->in_count, 0, in_size, r.sector }))
			return DONE_IO_ERROR;
		*written = in_size;
		return DONE_OK;
	case REQUEST_OUT:
		if (block->read_only || !transfer(block, write_out,
						  (struct data){ chain->buffers, chain->out_count,
								 sizeof(r), out_size, r.sector }))
			return DONE_IO_ERROR;
		return DONE_OK;
	case REQUEST_FLUSH: return fdatasync(block->file.fd) < 0 ? DONE_IO_ERROR : DONE_OK;
	case REQUEST_GET_ID:
		*written = buffers_write(in, chain->in_count, 0, block->id,
					 in_size < ID_BYTES ? in_size : ID_BYTES);
		return DONE_OK;
	default: return DONE_UNSUPPORTED;
	}
}

static void work(struct virtio_device *v, unsigned int queue)
{
	struct virtio_block *block = of_virtio(v);
	struct virtqueue *q = &v->queues[queue];
	struct chain chain;

	while (virtqueue_pop(q, &chain)) {
		const struct iovec *in = chain.buffers + chain.out_count;
		uint64_t in_size = buffers_size(in, chain.in_count), written = 0;
		unsigned char status;

		if (in_size == 0 ||
		    buffers_size(chain.buffers, chain.out_count) < sizeof(struct request)) {
			q->broken = "a block request without its header or its status";
			break;
		}
		status = carry_out(block, &chain, &written);
		buffers_write(in, chain.in_count, in_size - 1, &status, 1);
		virtqueue_push(q, chain.head, (uint32_t)written + 1);
	}
	virtio_notify(v, queue);
}

void virtio_block_add(struct virtio_block *block, const struct vm *vm)
{
	static unsigned int index;
	struct virtio_device *v = &block->virtio;
	const struct config config = {
		.capacity = block->file.size / SECTOR,
		.seg_max = CHAIN_MAX - 2, /* the header and the status */
	};

	snprintf(block->id, sizeof(block->id), "disk%u", index++);
	v->name = "virtio-block";
	v->id = DEVICE_ID_BLOCK;
	v->queue_count = 1;
	v->features = F_SEG_MAX | F_FLUSH | (block->read_only ? F_RO : 0);
	memcpy(v->config, &config, sizeof(config));
	v->config_size = sizeof(config);
	v->work = work;
	virtio_add(v, vm);
}
