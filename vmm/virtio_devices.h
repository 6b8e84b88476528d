/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The virtio devices there are. Each function adds one to the bus.
 */
#ifndef VMM_VIRTIO_DEVICES_H
#define VMM_VIRTIO_DEVICES_H

#include "vmm/options.h"
#include "vmm/vm.h"

struct terminal_sink;

/* Opens and locks the disk; one that is in use, or no whole sectors long, is bad input. */
struct virtio_block *virtio_block_open(const struct disk_option *option);
void virtio_block_add(struct virtio_block *block, const struct vm *vm);

/* The console on the terminal; its input side is the sink returned. */
struct terminal_sink *virtio_console_add(const struct vm *vm);

void virtio_rng_add(const struct vm *vm);

/* Frames over a stream, each behind its length. `where` is a path, or fd:IN,OUT. */
struct virtio_net *virtio_net_open(const char *where);
void virtio_net_add(struct virtio_net *net, const struct vm *vm);

#endif
