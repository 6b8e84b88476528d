/* SPDX-License-Identifier: Apache-2.0 */
#include "vmm/image.h"

#include "vmm/layout.h"

#include <stdbool.h>
#include <string.h>

enum {
	HEADER_BYTES = 64,
	TEXT_OFFSET = 8,
	IMAGE_SIZE = 16,
	FLAGS = 24,
	MAGIC = 56,
	PE_POINTER = 60,
	/* Of the PE header that an Image with an EFI stub has besides, and of its sections. */
	PE_SECTION_COUNT = 6,
	PE_OPTIONAL_SIZE = 20,
	PE_OPTIONAL = 24,
	SECTION_BYTES = 40,
	SECTION_RAW_SIZE = 16,
	SECTION_RAW_POINTER = 20,
};

#define FLAG_BIG_ENDIAN 1

static uint64_t little_endian(const unsigned char *at, unsigned int bytes)
{
	uint64_t value = 0;

	for (unsigned int i = 0; i < bytes; i++)
		value |= (uint64_t)at[i] << 8 * i;
	return value;
}

/*
 * The header does not say how long the file is (image_size counts memory that starts as zeroes),
 * but that of the EFI stub does: no section ends beyond the file's end.
 */
static bool sections_whole(const unsigned char *head, uint64_t head_size, uint64_t file_size)
{
	uint64_t pe = little_endian(head + PE_POINTER, 4), sections, count;

	if (memcmp(head, "MZ", 2) || pe > head_size - PE_OPTIONAL || memcmp(head + pe, "PE\0\0", 4))
		return true; /* no EFI stub */
	count = little_endian(head + pe + PE_SECTION_COUNT, 2);
	sections = pe + PE_OPTIONAL + little_endian(head + pe + PE_OPTIONAL_SIZE, 2);
	for (uint64_t i = 0; i < count; i++) {
		uint64_t at = sections + i * SECTION_BYTES;

		if (at + SECTION_BYTES > head_size)
			return head_size == IMAGE_HEAD_BYTES;
		if (little_endian(head + at + SECTION_RAW_POINTER, 4) +
			    little_endian(head + at + SECTION_RAW_SIZE, 4) >
		    file_size)
			return false;
	}
	return true;
}

/* Kernels that are packed in ways one meets; NULL: none of them. */
static const char *packed_as(const unsigned char *head)
{
	if (memcmp(head, "\x1f\x8b", 2) == 0)
		return "no arm64 Image: it is compressed (gzip), unpack it first";
	if (memcmp(head, "MZ", 2) == 0 && memcmp(head + 4, "zimg", 4) == 0)
		return "no arm64 Image: it is compressed (EFI zboot), unpack it first";
	if (memcmp(head,
		   "\x7f"
		   "ELF",
		   4) == 0)
		return "no arm64 Image: it is an ELF file, make an Image of it (objcopy -O binary)";
	return NULL;
}

const char *image_check(const unsigned char *head, uint64_t file_size, struct image *image)
{
	uint64_t head_size = file_size < IMAGE_HEAD_BYTES ? file_size : IMAGE_HEAD_BYTES;
	const char *packed;

	if (head_size < HEADER_BYTES)
		return "no arm64 Image: shorter than its header (64 bytes)";
	packed = packed_as(head);
	if (packed)
		return packed;
	if (memcmp(head + MAGIC, "ARM\x64", 4))
		return "no arm64 Image: bytes 56 to 59 are not \"ARM\\x64\"";
	if (little_endian(head + FLAGS, 8) & FLAG_BIG_ENDIAN)
		return "an arm64 Image, but a big-endian one";
	image->text_offset = little_endian(head + TEXT_OFFSET, 8);
	image->size = little_endian(head + IMAGE_SIZE, 8);
	if (image->size == 0)
		return "an arm64 Image without its size (Linux before 3.17)";
	if (image->text_offset >= 2 * MIB || image->size > MIB * MIB)
		return "an arm64 Image whose header makes no sense";
	if (image->size < file_size)
		image->size = file_size; /* signatures behind the image */
	if (!sections_whole(head, head_size, file_size))
		return "an arm64 Image, but truncated: a section ends beyond the file's end";
	return NULL;
}

static uint64_t align_up(uint64_t value, uint64_t to)
{
	return (value + to - 1) / to * to;
}

uint64_t boot_place(uint64_t ram, uint64_t ram_size, const struct image *image,
		    uint64_t initramfs_size, struct boot_plan *plan)
{
	uint64_t end;

	plan->kernel = align_up(ram, 2 * MIB) + image->text_offset;
	/* The device tree may be anywhere but must not cross a 2 MiB boundary. */
	plan->tree = align_up(plan->kernel + image->size, TREE_ROOM);
	plan->initramfs = plan->tree + TREE_ROOM;
	plan->initramfs_size = initramfs_size;
	end = plan->initramfs + initramfs_size;
	return end - ram > ram_size ? end - ram - ram_size : 0;
}
