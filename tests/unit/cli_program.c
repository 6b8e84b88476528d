/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The launcher's check of programs, on a smallest program of its own making: accepted as it is,
 * refused at every shorter length, and judged without harm whatever any byte of its headers is.
 */
#include <elf.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "cli/error.h"
#include "cli/program.h"

struct image {
	Elf64_Ehdr header;
	Elf64_Phdr segments[2];
	char code[16];
};

static char path[] = "/tmp/catwalk-unit-XXXXXX";

static struct image smallest_program(void)
{
	struct image image = { 0 };

	memcpy(image.header.e_ident, ELFMAG, SELFMAG);
	image.header.e_ident[EI_CLASS] = ELFCLASS64;
	image.header.e_ident[EI_DATA] = ELFDATA2LSB;
	image.header.e_type = ET_EXEC;
	image.header.e_machine = EM_AARCH64;
	image.header.e_entry = 0x400000;
	image.header.e_phoff = offsetof(struct image, segments);
	image.header.e_phentsize = sizeof(Elf64_Phdr);
	image.header.e_phnum = 2;
	image.segments[0].p_type = PT_NOTE;
	image.segments[1].p_type = PT_LOAD;
	image.segments[1].p_offset = offsetof(struct image, code);
	image.segments[1].p_filesz = sizeof(image.code);
	image.segments[1].p_memsz = sizeof(image.code);
	return image;
}

/* The verdict on a file that holds these bytes; its line of complaint goes nowhere. */
static int judge(const void *bytes, size_t length)
{
	int fd = open(path, O_WRONLY | O_TRUNC);
	int kept = dup(STDERR_FILENO);
	int null = open("/dev/null", O_WRONLY);
	int status;

	assert_true(fd >= 0 && kept >= 0 && null >= 0);
	assert_int_equal(length, write(fd, bytes, length));
	close(fd);
	dup2(null, STDERR_FILENO);
	close(null);
	status = check_program(path);
	dup2(kept, STDERR_FILENO);
	close(kept);
	return status;
}

static void the_smallest_program_passes(void **state)
{
	struct image image = smallest_program();

	(void)state;
	assert_int_equal(0, judge(&image, sizeof(image)));
	image.header.e_type = ET_DYN;
	assert_int_equal(0, judge(&image, sizeof(image)));
}

static void every_truncation_is_refused(void **state)
{
	struct image image = smallest_program();

	(void)state;
	for (size_t length = 0; length < sizeof(image); length++)
		assert_int_equal(STATUS_BAD_INPUT, judge(&image, length));
}

static void any_header_byte_may_be_anything(void **state)
{
	static const unsigned char values[] = { 0x00, 0x01, 0x7f, 0x80, 0xff };

	(void)state;
	for (size_t at = 0; at < offsetof(struct image, code); at++) {
		for (size_t i = 0; i < sizeof(values); i++) {
			struct image image = smallest_program();
			int status;

			((unsigned char *)&image)[at] = values[i];
			status = judge(&image, sizeof(image));
			assert_true(status == 0 || status == STATUS_BAD_INPUT);
		}
	}
}

static void offsets_that_wrap_are_refused(void **state)
{
	struct image image = smallest_program();

	(void)state;
	image.segments[1].p_offset = UINT64_MAX - 7;
	assert_int_equal(STATUS_BAD_INPUT, judge(&image, sizeof(image)));
	image = smallest_program();
	image.segments[1].p_filesz = UINT64_MAX;
	assert_int_equal(STATUS_BAD_INPUT, judge(&image, sizeof(image)));
	image = smallest_program();
	image.header.e_phoff = UINT64_MAX - sizeof(Elf64_Phdr) + 1;
	assert_int_equal(STATUS_BAD_INPUT, judge(&image, sizeof(image)));
	image = smallest_program();
	image.header.e_shoff = UINT64_MAX - 1;
	image.header.e_shnum = 0xffff;
	image.header.e_shentsize = 0xffff;
	assert_int_equal(STATUS_BAD_INPUT, judge(&image, sizeof(image)));
}

static int set_up(void **state)
{
	int fd = mkstemp(path);

	(void)state;
	return fd < 0 ? -1 : close(fd);
}

static int tear_down(void **state)
{
	(void)state;
	return unlink(path);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_smallest_program_passes),
		cmocka_unit_test(every_truncation_is_refused),
		cmocka_unit_test(any_header_byte_may_be_anything),
		cmocka_unit_test(offsets_that_wrap_are_refused),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
