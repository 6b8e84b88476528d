/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The VMM's judgement of kernels (vmm/image.h): what is a whole arm64 Image, and what fits.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "vmm/image.h"
#include "vmm/layout.h"

enum { FILE_SIZE = 64 * 1024, PE = 0x40 + 0x40, OPTIONAL = 0xa0, SECTIONS = PE + 24 + OPTIONAL };

static unsigned char head[IMAGE_HEAD_BYTES];
static struct image image;

static void put(unsigned int at, uint64_t value, unsigned int bytes)
{
	for (unsigned int i = 0; i < bytes; i++)
		head[at + i] = (unsigned char)(value >> 8 * i);
}

/* Without an end of a text's own: what is there stands in the file so. */
static void put_bytes(unsigned int at, const char *bytes, unsigned int count)
{
	for (unsigned int i = 0; i < count; i++)
		head[at + i] = (unsigned char)bytes[i];
}

/* As Debian's kernel: an EFI stub with two sections, the second of which ends with the file. */
static void whole_image(void)
{
	memset(head, 0, sizeof(head));
	put_bytes(0, "MZ", 2);
	put(16, 4 * FILE_SIZE, 8);
	put(24, 0xa, 8);
	put_bytes(56, "ARM\x64", 4);
	put(60, PE, 4);
	put_bytes(PE, "PE\0\0", 4);
	put(PE + 6, 2, 2);
	put(PE + 20, OPTIONAL, 2);
	put(SECTIONS + 16, FILE_SIZE / 2, 4);
	put(SECTIONS + 40 + 16, FILE_SIZE / 2, 4);
	put(SECTIONS + 40 + 20, FILE_SIZE / 2, 4);
}

static void refused(uint64_t file_size, const char *words)
{
	const char *reason = image_check(head, file_size, &image);

	assert_non_null(reason);
	if (!strstr(reason, words))
		fail_msg("\"%s\" says nothing of \"%s\"", reason, words);
}

static void a_whole_image_is_taken(void **state)
{
	(void)state;
	whole_image();
	assert_null(image_check(head, FILE_SIZE, &image));
	assert_int_equal(image.size, 4 * FILE_SIZE);
	assert_int_equal(image.text_offset, 0);
	assert_null(image_check(head, FILE_SIZE + 1000, &image));
	put(16, 100, 8);
	assert_null(image_check(head, FILE_SIZE, &image));
	assert_int_equal(image.size, FILE_SIZE);
	/* Without an EFI stub nothing tells how long the file should be. */
	put_bytes(0, "\x1f\x20\x03\xd5", 4);
	put(16, 4 * FILE_SIZE, 8);
	assert_null(image_check(head, 64, &image));
}

static void each_fault_is_told(void **state)
{
	(void)state;
	whole_image();
	for (uint64_t size = 0; size < 64; size++)
		refused(size, "64 bytes");
	for (uint64_t size = SECTIONS + 80; size < FILE_SIZE; size += 997)
		refused(size, "truncated");
	refused(FILE_SIZE - 1, "truncated");
	whole_image();
	head[56] = 'a';
	refused(FILE_SIZE, "ARM");
	whole_image();
	put(24, 0xb, 8);
	refused(FILE_SIZE, "big-endian");
	whole_image();
	put(16, 0, 8);
	refused(FILE_SIZE, "3.17");
	whole_image();
	put(8, 2 * MIB, 8);
	refused(FILE_SIZE, "no sense");
	whole_image();
	put(16, UINT64_MAX, 8);
	refused(FILE_SIZE, "no sense");
	whole_image();
	put_bytes(4, "zimg", 4);
	refused(FILE_SIZE, "zboot");
	put_bytes(0, "\x1f\x8b", 2);
	refused(FILE_SIZE, "gzip");
	put_bytes(0,
		  "\x7f"
		  "ELF",
		  4);
	refused(FILE_SIZE, "ELF");
}

/* Whatever the PE header says, nothing beyond the file's start is looked at (a sanitizer watches).
 */
static void wild_headers_are_survived(void **state)
{
	static const uint64_t wild[] = { 0,	     1,		 63,	    4071,  4072,
					 4073,	     4095,	 4096,	    65535, 0x7fffffff,
					 0x80000000, 0xffffffe8, 0xffffffff };

	(void)state;
	for (size_t i = 0; i < sizeof(wild) / sizeof(wild[0]); i++) {
		for (size_t j = 0; j < sizeof(wild) / sizeof(wild[0]); j++) {
			whole_image();
			put(60, wild[i], 4);
			put(PE + 6, wild[j], 2);
			put(PE + 20, wild[i] ^ wild[j], 2);
			(void)image_check(head, FILE_SIZE, &image);
			(void)image_check(head, 64 + (wild[j] & 4095), &image);
		}
	}
	/* Sections at every place, also across the end of what is read. */
	for (unsigned int optional = 0; optional < 2 * IMAGE_HEAD_BYTES; optional++) {
		whole_image();
		put(PE + 6, 3, 2);
		put(PE + 20, optional, 2);
		(void)image_check(head, FILE_SIZE, &image);
	}
}

static void parts_lie_one_behind_the_other(void **state)
{
	const struct image kernel = { .text_offset = 0x80000, .size = 20 * MIB + 1 };
	struct boot_plan plan;
	uint64_t missing;

	(void)state;
	assert_int_equal(boot_place(RAM_BASE, 128 * MIB, &kernel, 3 * MIB, &plan), 0);
	assert_int_equal(plan.kernel, RAM_BASE + 0x80000);
	assert_true(plan.tree >= plan.kernel + kernel.size);
	assert_int_equal(plan.tree / (2 * MIB), (plan.tree + TREE_ROOM - 1) / (2 * MIB));
	assert_true(plan.initramfs >= plan.tree + TREE_ROOM);
	assert_int_equal(plan.initramfs % GUEST_PAGE, 0);

	missing = boot_place(RAM_BASE, 64 * MIB, &kernel, 64 * MIB, &plan);
	assert_true(missing);
	assert_int_equal(boot_place(RAM_BASE, 64 * MIB + missing, &kernel, 64 * MIB, &plan), 0);
	assert_int_equal(boot_place(RAM_BASE, 64 * MIB + missing - 1, &kernel, 64 * MIB, &plan), 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_whole_image_is_taken),
		cmocka_unit_test(each_fault_is_told),
		cmocka_unit_test(wild_headers_are_survived),
		cmocka_unit_test(parts_lie_one_behind_the_other),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
