/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The first program of a machine, on Catwalk or as Linux's /init: says at once that it runs, and
 * how long the machine has been on by its counter (with -icount: instructions since reset), and how
 * many KiB of memory are free.
 */
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/sysinfo.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

static uint64_t nanoseconds_since_reset(void)
{
	uint64_t count, frequency;

	__asm__ volatile("isb; mrs %0, cntvct_el0" : "=r"(count));
	__asm__ volatile("mrs %0, cntfrq_el0" : "=r"(frequency));
	return (uint64_t)((__uint128_t)count * 1000000000u / frequency);
}

/* Linux gives /init no descriptors if the initramfs holds no console. */
static void open_console(void)
{
	if (fcntl(STDOUT_FILENO, F_GETFD) >= 0)
		return;
	mkdir("/dev", 0755);
	mknod("/dev/console", S_IFCHR | 0600, makedev(5, 1));
	for (int i = 0; i < 3; i++)
		open("/dev/console", O_RDWR);
}

int main(void)
{
	uint64_t ns = nanoseconds_since_reset();
	struct sysinfo info = { .mem_unit = 1 };

	open_console();
	sysinfo(&info);
	printf("first %llu\nfree %llu\n", (unsigned long long)ns,
	       (unsigned long long)info.freeram * info.mem_unit / 1024);
	fflush(stdout);
	/* As /init it must not end: Linux would panic. */
	if (getpid() == 1 && access("/proc/self", F_OK))
		pause();
	return 0;
}
