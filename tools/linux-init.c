/* SPDX-License-Identifier: Apache-2.0 */
/*
 * /init of the reference host: mounts what programs expect, runs the one program named in /args
 * with its arguments (one per line), writes its status as the last line of the console and powers
 * off.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

enum { MAX_ARGS = 256, MAX_TEXT = 64 * 1024 };

/* The kernel opened no descriptors if the initramfs has no /dev/console. */
static void open_console(void)
{
	struct termios tty;
	int fd = open("/dev/console", O_RDWR);

	if (fd < 0)
		return;
	for (int i = 0; i < 3; i++)
		dup2(fd, i);
	if (fd > 2)
		close(fd);
	if (tcgetattr(0, &tty) == 0) {
		tty.c_oflag &= ~(tcflag_t)OPOST;
		tcsetattr(0, TCSANOW, &tty);
	}
}

static void mount_all(void)
{
	static const struct {
		const char *type, *where;
	} fs[] = {
		{ "devtmpfs", "/dev" }, { "proc", "/proc" },	 { "sysfs", "/sys" },
		{ "tmpfs", "/tmp" },	{ "tmpfs", "/dev/shm" }, { "hugetlbfs", "/dev/hugepages" },
	};

	for (size_t i = 0; i < sizeof(fs) / sizeof(fs[0]); i++) {
		mkdir(fs[i].where, 0755);
		mount(fs[i].type, fs[i].where, fs[i].type, 0, NULL);
	}
}

/* Huge pages for MAP_HUGETLB, as many as the launcher asks for in /nr_hugepages (a missing file
 * asks for none). */
static void reserve_huge_pages(void)
{
	char text[32];
	int in = open("/nr_hugepages", O_RDONLY), out;
	ssize_t n;

	if (in < 0)
		return;
	n = read(in, text, sizeof(text));
	close(in);
	out = open("/proc/sys/vm/nr_hugepages", O_WRONLY);
	if (out >= 0 && n > 0 && write(out, text, (size_t)n) < 0)
		perror("linux-init: nr_hugepages");
	close(out);
}

static char **read_args(void)
{
	static char text[MAX_TEXT];
	static char *argv[MAX_ARGS];
	int fd = open("/args", O_RDONLY);
	ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);
	int argc = 0;

	close(fd);
	if (n <= 0)
		return NULL;
	for (char *p = text, *end; *p && argc < MAX_ARGS - 1; p = end + 1) {
		end = strchrnul(p, '\n');
		argv[argc++] = p;
		if (!*end)
			break;
		*end = '\0';
	}
	return argv;
}

static int run(char **argv)
{
	int status;
	pid_t pid = fork();

	if (pid == 0) {
		setsid();
		execv(argv[0], argv);
		fprintf(stderr, "linux-init: %s: %s\n", argv[0], strerror(errno));
		_exit(127);
	}
	if (pid < 0 || waitpid(pid, &status, 0) != pid)
		return 125;
	return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

int main(void)
{
	char **argv;
	int status = 125;

	open_console();
	mount_all();
	open_console();
	reserve_huge_pages();
	argv = read_args();
	if (argv)
		status = run(argv);
	printf("[linux-host status %d]\n", status);
	fflush(stdout);
	tcdrain(1);
	reboot(RB_POWER_OFF);
	for (;;)
		pause();
}
