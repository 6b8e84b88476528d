/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Devices in the guest's physical address space: whose registers an access is for.
 *
 * Each device has a lock, which the bus holds around its functions; whoever works for a device on
 * another thread takes it too. All devices are added before the guest runs.
 */
#ifndef VMM_BUS_H
#define VMM_BUS_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

struct device {
	const char *name;
	uint64_t base, size; /* bytes */
	/* An aligned or unaligned access of 1, 2, 4 or 8 bytes within the device; called locked. */
	uint64_t (*read)(struct device *device, uint64_t offset, unsigned int bytes);
	void (*write)(struct device *device, uint64_t offset, unsigned int bytes, uint64_t value);
	pthread_mutex_t lock;
};

/* Adds a device whose members up to the lock are set. */
void bus_add(struct device *device);

/*
 * The guest's access of 1 to 8 bytes at an IPA, little-endian in data. Where no device is, reads
 * give zeroes and writes do nothing, as on a bus without an answer.
 */
void bus_access(uint64_t ipa, bool is_write, unsigned int bytes, unsigned char *data);

#endif
