/* SPDX-License-Identifier: Apache-2.0 */
#define _GNU_SOURCE
#include "vmm/boot.h"

#include "vmm/error.h"

#include <fcntl.h>
#include <inttypes.h>

static struct image check_kernel(const struct file *kernel)
{
	static unsigned char head[IMAGE_HEAD_BYTES];
	struct image image;
	const char *reason;

	file_read(kernel, 0, head, kernel->size < sizeof(head) ? kernel->size : sizeof(head));
	reason = image_check(head, kernel->size, &image);
	if (reason)
		bad_input("--kernel \"%s\": %s", kernel->path, reason);
	return image;
}

void boot_open(struct boot *boot, const struct options *options)
{
	struct image image;
	uint64_t missing;

	boot->kernel = file_open_regular("--kernel", options->kernel, O_RDONLY);
	image = check_kernel(&boot->kernel);
	missing = boot_place(RAM_BASE, options->memory, &image, 0, &boot->plan);
	if (missing)
		bad_input("--kernel \"%s\": %" PRIu64 " KiB in memory do not fit into %" PRIu64
			  " MiB of RAM: %" PRIu64 " KiB are missing",
			  options->kernel, image.size / KIB, options->memory / MIB,
			  missing / KIB + 1);
	if (!options->initramfs)
		return;
	boot->initramfs = file_open_regular("--initramfs", options->initramfs, O_RDONLY);
	missing = boot_place(RAM_BASE, options->memory, &image, boot->initramfs.size, &boot->plan);
	if (missing)
		bad_input("--initramfs \"%s\": %" PRIu64 " KiB do not fit behind the kernel into "
			  "%" PRIu64 " MiB of RAM: %" PRIu64 " KiB are missing",
			  options->initramfs, boot->initramfs.size / KIB, options->memory / MIB,
			  missing / KIB + 1);
}

static void load(struct file *file, const struct guest_memory *memory, uint64_t ipa)
{
	file_read(file, 0, guest_at(memory, ipa, file->size), file->size);
	file_close(file);
}

void boot_load(struct boot *boot, const struct guest_memory *memory)
{
	load(&boot->kernel, memory, boot->plan.kernel);
	if (boot->plan.initramfs_size)
		load(&boot->initramfs, memory, boot->plan.initramfs);
}
