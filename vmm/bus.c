/* SPDX-License-Identifier: Apache-2.0 */
#define _GNU_SOURCE
#include "vmm/bus.h"

#include <stddef.h>
#include <string.h>

enum { DEVICES_MAX = 16 };

static struct device *devices[DEVICES_MAX];
static unsigned int device_count;

void bus_add(struct device *device)
{
	pthread_mutex_init(&device->lock, NULL);
	devices[device_count++] = device;
}

static struct device *find(uint64_t ipa, unsigned int bytes)
{
	for (unsigned int i = 0; i < device_count; i++) {
		struct device *d = devices[i];

		if (ipa >= d->base && ipa - d->base < d->size && bytes <= d->size - (ipa - d->base))
			return d;
	}
	return NULL;
}

void bus_access(uint64_t ipa, bool is_write, unsigned int bytes, unsigned char *data)
{
	struct device *device;
	uint64_t value = 0;

	if (bytes > sizeof(value))
		return;
	device = find(ipa, bytes);
	if (is_write)
		memcpy(&value, data, bytes);
	if (device) {
		pthread_mutex_lock(&device->lock);
		if (is_write)
			device->write(device, ipa - device->base, bytes, value);
		else
			value = device->read(device, ipa - device->base, bytes);
		pthread_mutex_unlock(&device->lock);
	}
	if (!is_write)
		memcpy(data, &value, bytes);
}
