/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The first program of a bring-up: arguments, environment, heap, standard streams and the exit
 * status.
 */
#define _GNU_SOURCE
#include "tests/target/check.h"

#include <sys/auxv.h>
#include <unistd.h>

static int zero_initialised[4096];
static int initialised[2] = { 1, 2 };

static void check_image(void)
{
	int sum = 0;

	for (size_t i = 0; i < sizeof(zero_initialised) / sizeof(int); i++)
		sum |= zero_initialised[i];
	CHECK_EQ(sum, 0);
	CHECK_EQ(initialised[0], 1);
	CHECK_EQ(initialised[1], 2);
}

static void check_auxv(void)
{
	CHECK_EQ(getauxval(AT_PAGESZ), 4096);
	CHECK(getauxval(AT_PHDR) != 0);
	CHECK(getauxval(AT_PHNUM) > 0);
	CHECK(getauxval(AT_ENTRY) != 0);
	CHECK(getauxval(AT_RANDOM) != 0);
	CHECK(getauxval(AT_HWCAP) & HWCAP_FP);
	CHECK(getauxval(AT_HWCAP) & HWCAP_ASIMD);
	CHECK_EQ(getauxval(AT_SECURE), 0);
}

/* Floating point registers belong to the thread, whatever the kernel did between. */
static void check_float(void)
{
	volatile double x = 1.5;
	double y = x * 3.0;

	getppid();
	CHECK(y == 4.5);
}

static void check_heap(void)
{
	char *small = malloc(100), *large = malloc(4 << 20);

	REQUIRE(small && large);
	memset(small, 0x5a, 100);
	memset(large, 0xa5, 4 << 20);
	CHECK_EQ((unsigned char)small[99], 0x5a);
	CHECK_EQ((unsigned char)large[(4 << 20) - 1], 0xa5);
	free(large);
	free(small);
}

int main(int argc, char **argv)
{
	CHECK(argc >= 1);
	CHECK(argv[argc] == NULL);
	check_image();
	check_auxv();
	check_float();
	check_heap();
	printf("hello from pid %s, %d arguments\n", getpid() > 0 ? "ok" : "bad", argc - 1);
	fprintf(stderr, "hello on standard error\n");
	return check_done("hello") ? 1 : argc > 1 ? atoi(argv[1]) : 0;
}
