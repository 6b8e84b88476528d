/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Files and descriptors: regular files, directories, pipes, eventfd, epoll, memfd, descriptor flags
 * and limits, /dev, /proc/self and /sys files that programs read, uname and getrandom.
 */
#define _GNU_SOURCE
#include "tests/target/check.h"

#include <dirent.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/sysinfo.h>
#include <sys/uio.h>
#include <sys/utsname.h>
#include <unistd.h>

static void check_regular(void)
{
	char text[64] = { 0 };
	struct stat st;
	int fd = open("/tmp/file", O_RDWR | O_CREAT | O_TRUNC, 0640);

	REQUIRE(fd >= 0);
	CHECK_EQ(write(fd, "hello, world", 12), 12);
	CHECK_EQ(lseek(fd, 0, SEEK_CUR), 12);
	CHECK_EQ(lseek(fd, -5, SEEK_END), 7);
	CHECK_EQ(read(fd, text, sizeof(text)), 5);
	CHECK_EQ(memcmp(text, "world", 5), 0);
	CHECK_EQ(read(fd, text, sizeof(text)), 0);
	CHECK_EQ(pwrite(fd, "J", 1, 0), 1);
	CHECK_EQ(pread(fd, text, 5, 0), 5);
	CHECK_EQ(memcmp(text, "Jello", 5), 0);
	CHECK_OK(fstat(fd, &st));
	CHECK_EQ(st.st_size, 12);
	CHECK(S_ISREG(st.st_mode));
	CHECK_EQ(st.st_mode & 0777, 0640);
	CHECK_OK(ftruncate(fd, 5000));
	CHECK_EQ(pread(fd, text, 10, 4990), 10);
	CHECK_EQ(text[9], 0);
	CHECK_EQ(lseek(fd, 10000, SEEK_SET), 10000);
	CHECK_EQ(write(fd, "x", 1), 1);
	CHECK_OK(stat("/tmp/file", &st));
	CHECK_EQ(st.st_size, 10001);
	CHECK_FAILS(lseek(fd, -1, SEEK_SET), EINVAL);
	CHECK_FAILS(lseek(fd, 0, 99), EINVAL);
	close(fd);
	CHECK_FAILS(open("/tmp/file", O_CREAT | O_EXCL | O_RDWR, 0600), EEXIST);
	fd = open("/tmp/file", O_WRONLY | O_APPEND);
	CHECK_FAILS(read(fd, text, 1), EBADF);
	CHECK_EQ(write(fd, "end", 3), 3);
	CHECK_EQ(lseek(fd, 0, SEEK_CUR), 10004);
	close(fd);
	CHECK_OK(unlink("/tmp/file"));
	CHECK_FAILS(open("/tmp/file", O_RDONLY), ENOENT);
	CHECK_FAILS(open("/tmp/none/file", O_RDWR | O_CREAT, 0600), ENOENT);
}

static void check_vectors(void)
{
	char a[4] = { 0 }, b[8] = { 0 };
	struct iovec out[2] = { { (void *)"abc", 3 }, { (void *)"defgh", 5 } };
	struct iovec in[2] = { { a, 4 }, { b, 8 } };
	int fd = open("/tmp/vectors", O_RDWR | O_CREAT | O_TRUNC, 0600);

	REQUIRE(fd >= 0);
	CHECK_EQ(writev(fd, out, 2), 8);
	lseek(fd, 0, SEEK_SET);
	CHECK_EQ(readv(fd, in, 2), 8);
	CHECK_EQ(memcmp(a, "abcd", 4), 0);
	CHECK_EQ(memcmp(b, "efgh", 4), 0);
	close(fd);
	unlink("/tmp/vectors");
}

static void check_mapped_file(void)
{
	int fd = open("/tmp/mapped", O_RDWR | O_CREAT | O_TRUNC, 0600);
	char *private;

	REQUIRE(fd >= 0);
	CHECK_OK(ftruncate(fd, 8192));
	CHECK_EQ(pwrite(fd, "mapped", 6, 4096), 6);
	private = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
	REQUIRE(private != MAP_FAILED);
	CHECK_EQ(memcmp(private + 4096, "mapped", 6), 0);
	private[4096] = 'M';
	CHECK_EQ(pread(fd, private, 1, 4096), 1);
	CHECK_EQ(private[0], 'm');
	CHECK_OK(munmap(private, 8192));
	close(fd);
	unlink("/tmp/mapped");
}

static void check_directories(void)
{
	struct dirent *entry;
	struct stat st;
	int found = 0, dots = 0, fd;
	DIR *dir;

	CHECK_OK(mkdir("/tmp/dir", 0755));
	CHECK_FAILS(mkdir("/tmp/dir", 0755), EEXIST);
	fd = open("/tmp/dir/entry", O_WRONLY | O_CREAT, 0600);
	CHECK(fd >= 0);
	close(fd);
	dir = opendir("/tmp/dir");
	REQUIRE(dir);
	while ((entry = readdir(dir))) {
		found += !strcmp(entry->d_name, "entry");
		dots += !strcmp(entry->d_name, ".") || !strcmp(entry->d_name, "..");
	}
	CHECK_EQ(found, 1);
	CHECK_EQ(dots, 2);
	CHECK_OK(fstatat(dirfd(dir), "entry", &st, 0));
	closedir(dir);
	CHECK_FAILS(unlink("/tmp/dir"), EISDIR);
	CHECK_FAILS(rmdir("/tmp/dir"), ENOTEMPTY);
	CHECK_OK(unlink("/tmp/dir/entry"));
	CHECK_OK(rmdir("/tmp/dir"));
	CHECK_FAILS(stat("/tmp/dir", &st), ENOENT);
	CHECK_FAILS(open("/tmp", O_WRONLY), EISDIR);
	CHECK_FAILS(open("/dev/null", O_RDONLY | O_DIRECTORY), ENOTDIR);
	CHECK_OK(access("/tmp", R_OK | W_OK | X_OK));
	CHECK_FAILS(access("/nowhere", F_OK), ENOENT);
}

static void check_pipe(void)
{
	char text[16], *big = malloc(1 << 20);
	long total = 0;
	int fd[2];
	ssize_t n;

	CHECK_OK(pipe2(fd, O_CLOEXEC | O_NONBLOCK));
	CHECK_EQ(fcntl(fd[0], F_GETFD), FD_CLOEXEC);
	CHECK(fcntl(fd[1], F_GETFL) & O_NONBLOCK);
	CHECK_FAILS(read(fd[0], text, 1), EAGAIN);
	CHECK_EQ(write(fd[1], "one", 3), 3);
	CHECK_EQ(write(fd[1], "two", 3), 3);
	CHECK_EQ(read(fd[0], text, 16), 6);
	CHECK_EQ(memcmp(text, "onetwo", 6), 0);
	memset(big, 1, 1 << 20);
	while ((n = write(fd[1], big, 4096)) > 0)
		total += n;
	CHECK_EQ(errno, EAGAIN);
	CHECK_EQ(total, 65536);
	CHECK_FAILS(lseek(fd[0], 0, SEEK_SET), ESPIPE);
	CHECK_FAILS(pread(fd[0], text, 1, 0), ESPIPE);
	CHECK_FAILS(write(fd[0], "x", 1), EBADF);
	CHECK_FAILS(read(fd[1], text, 1), EBADF);
	CHECK_OK(close(fd[1]));
	while ((n = read(fd[0], big, 1 << 20)) > 0)
		total -= n;
	CHECK_EQ(n, 0);
	CHECK_EQ(total, 0);
	close(fd[0]);
	CHECK_FAILS(pipe2(fd, 0x1234567), EINVAL);
	free(big);
}

static void check_eventfd(void)
{
	int fd = eventfd(3, EFD_NONBLOCK), semaphore;
	uint64_t value = 0;

	REQUIRE(fd >= 0);
	CHECK_EQ(read(fd, &value, 8), 8);
	CHECK_EQ(value, 3);
	CHECK_FAILS(read(fd, &value, 8), EAGAIN);
	value = 5;
	CHECK_EQ(write(fd, &value, 8), 8);
	CHECK_EQ(write(fd, &value, 8), 8);
	CHECK_EQ(read(fd, &value, 8), 8);
	CHECK_EQ(value, 10);
	CHECK_FAILS(read(fd, &value, 4), EINVAL);
	CHECK_FAILS(write(fd, &value, 4), EINVAL);
	value = ~0ull;
	CHECK_FAILS(write(fd, &value, 8), EINVAL);
	value = ~0ull - 1;
	CHECK_EQ(write(fd, &value, 8), 8);
	value = 1;
	CHECK_FAILS(write(fd, &value, 8), EAGAIN);
	close(fd);
	semaphore = eventfd(2, EFD_SEMAPHORE | EFD_NONBLOCK);
	CHECK_EQ(read(semaphore, &value, 8), 8);
	CHECK_EQ(value, 1);
	CHECK_EQ(read(semaphore, &value, 8), 8);
	CHECK_FAILS(read(semaphore, &value, 8), EAGAIN);
	close(semaphore);
	CHECK_FAILS(eventfd(0, 0x1000000), EINVAL);
}

static uint32_t event_hole(const struct epoll_event *event)
{
	uint32_t hole;

	memcpy(&hole, (const char *)event + sizeof(event->events), sizeof(hole));
	return hole;
}

static void check_epoll(void)
{
	int ep = epoll_create1(EPOLL_CLOEXEC), event = eventfd(0, 0), fd[2];
	struct epoll_event want = { .events = EPOLLIN, .data.u64 = 77 }, got[4];
	uint64_t one = 1;

	REQUIRE(ep >= 0 && event >= 0 && pipe(fd) == 0);
	CHECK_OK(epoll_ctl(ep, EPOLL_CTL_ADD, event, &want));
	want.data.u64 = 88;
	CHECK_OK(epoll_ctl(ep, EPOLL_CTL_ADD, fd[0], &want));
	CHECK_FAILS(epoll_ctl(ep, EPOLL_CTL_ADD, fd[0], &want), EEXIST);
	CHECK_EQ(epoll_wait(ep, got, 4, 0), 0);
	CHECK_EQ(epoll_wait(ep, got, 4, 20), 0);
	CHECK_EQ(write(event, &one, 8), 8);
	memset(got, 0xb6, sizeof(got));
	CHECK_EQ(epoll_wait(ep, got, 4, -1), 1);
	/* Between its members nothing of the kernel's: not written (Linux), or 0. */
	CHECK(event_hole(&got[0]) == 0 || event_hole(&got[0]) == 0xb6b6b6b6);
	CHECK_EQ(got[0].data.u64, 77);
	CHECK_EQ(got[0].events, EPOLLIN);
	CHECK_EQ(write(fd[1], "x", 1), 1);
	CHECK_EQ(epoll_wait(ep, got, 4, 100), 2);
	CHECK_EQ(read(event, &one, 8), 8);
	CHECK_EQ(epoll_wait(ep, got, 4, 100), 1);
	CHECK_EQ(got[0].data.u64, 88);
	want.events = 0;
	CHECK_OK(epoll_ctl(ep, EPOLL_CTL_MOD, fd[0], &want));
	CHECK_EQ(epoll_wait(ep, got, 4, 0), 0);
	close(fd[1]); /* a hang-up is reported unasked */
	CHECK_EQ(epoll_wait(ep, got, 4, 100), 1);
	CHECK_EQ(got[0].events, EPOLLHUP);
	CHECK_OK(epoll_ctl(ep, EPOLL_CTL_DEL, fd[0], NULL));
	CHECK_FAILS(epoll_ctl(ep, EPOLL_CTL_DEL, fd[0], NULL), ENOENT);
	CHECK_EQ(epoll_wait(ep, got, 4, 0), 0);
	close(fd[0]);
	close(event);
	close(ep);
}

static void check_poll(void)
{
	struct pollfd p[3];
	int fd[2];

	REQUIRE(pipe(fd) == 0);
	p[0] = (struct pollfd){ .fd = fd[0], .events = POLLIN };
	p[1] = (struct pollfd){ .fd = fd[1], .events = POLLOUT };
	p[2] = (struct pollfd){ .fd = 999, .events = POLLIN };
	CHECK_EQ(poll(p, 2, 0), 1);
	CHECK_EQ(p[0].revents, 0);
	CHECK_EQ(p[1].revents, POLLOUT);
	CHECK_EQ(poll(p, 3, 0), 2);
	CHECK_EQ(p[2].revents, POLLNVAL);
	CHECK_EQ(write(fd[1], "x", 1), 1);
	CHECK_EQ(poll(p, 1, -1), 1);
	CHECK_EQ(p[0].revents, POLLIN);
	close(fd[0]);
	close(fd[1]);
}

static void check_descriptors(void)
{
	int fd = open("/dev/null", O_RDWR), copy, high;
	struct rlimit limit;

	REQUIRE(fd >= 0);
	copy = dup(fd);
	CHECK(copy > fd);
	CHECK_EQ(fcntl(copy, F_GETFD), 0);
	CHECK_OK(fcntl(copy, F_SETFD, FD_CLOEXEC));
	CHECK_EQ(fcntl(copy, F_GETFD), FD_CLOEXEC);
	high = fcntl(fd, F_DUPFD_CLOEXEC, 100);
	CHECK_EQ(high, 100);
	CHECK_EQ(dup3(fd, 50, O_CLOEXEC), 50);
	CHECK_FAILS(dup3(fd, fd, 0), EINVAL);
	CHECK_FAILS(dup3(999, 51, 0), EBADF);
	CHECK_FAILS(fcntl(999, F_GETFD), EBADF);
	CHECK_FAILS(fcntl(fd, 9999), EINVAL);
	CHECK_EQ(fcntl(fd, F_GETFL) & O_ACCMODE, O_RDWR);
	CHECK_OK(close(copy));
	CHECK_FAILS(close(copy), EBADF);
	copy = dup(fd); /* the lowest free one */
	CHECK_EQ(copy, fd + 1);
	close(copy);
	close(50);
	close(high);
	close(fd);
	CHECK_OK(getrlimit(RLIMIT_NOFILE, &limit));
	CHECK(limit.rlim_cur >= 256);
	CHECK_OK(setrlimit(RLIMIT_NOFILE, &limit));
}

static void check_dev(void)
{
	char text[32];
	struct stat st;
	int fd = open("/dev/zero", O_RDONLY);

	memset(text, 1, sizeof(text));
	CHECK_EQ(read(fd, text, sizeof(text)), sizeof(text));
	CHECK_EQ(text[31], 0);
	close(fd);
	fd = open("/dev/null", O_RDWR);
	CHECK_EQ(write(fd, text, 32), 32);
	CHECK_EQ(read(fd, text, 32), 0);
	close(fd);
	CHECK_OK(stat("/dev/kvm", &st));
	CHECK(S_ISCHR(st.st_mode));
	fd = open("/dev/urandom", O_RDONLY);
	CHECK_EQ(read(fd, text, 16), 16);
	close(fd);
}

/* Reads a small file whole; the number of bytes, or -1. */
static ssize_t slurp(const char *path, char *text, size_t size)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n, total = 0;

	if (fd < 0)
		return -1;
	while ((n = read(fd, text + total, size - 1 - (size_t)total)) > 0)
		total += n;
	text[total] = '\0';
	close(fd);
	return total;
}

static void check_proc(void)
{
	static char text[65536];
	char path[256];
	unsigned long start, end;
	ssize_t n;
	FILE *maps;
	int found = 0;

	n = readlink("/proc/self/exe", path, sizeof(path) - 1);
	CHECK(n > 0);
	path[n > 0 ? n : 0] = '\0';
	CHECK(strstr(path, "files") != NULL);
	CHECK(slurp(path, text, 5) == 4 && !memcmp(text, "\177ELF", 4));
	maps = fopen("/proc/self/maps", "r");
	REQUIRE(maps);
	while (fgets(text, sizeof(text), maps)) {
		if (sscanf(text, "%lx-%lx", &start, &end) == 2 &&
		    (unsigned long)check_proc >= start && (unsigned long)check_proc < end) {
			found++;
			CHECK(strstr(text, "r-xp") != NULL);
		}
	}
	fclose(maps);
	CHECK_EQ(found, 1);
	CHECK(slurp("/proc/meminfo", text, sizeof(text)) > 0 && strstr(text, "MemTotal:"));
	CHECK(slurp("/proc/cpuinfo", text, sizeof(text)) > 0 && strstr(text, "processor"));
	CHECK_EQ(slurp("/proc/self/none", text, sizeof(text)), -1);
	CHECK(slurp("/sys/devices/system/cpu/online", text, sizeof(text)) > 0 && text[0] == '0');
	CHECK_EQ(slurp("/sys/devices/system/cpu/cpu0/regs/identification/midr_el1", text,
		       sizeof(text)),
		 19);
	CHECK(!strncmp(text, "0x00000000", 10) && strtoul(text, NULL, 16));
	n = slurp("/sys/kernel/mm/transparent_hugepage/hpage_pmd_size", text, sizeof(text));
	CHECK(n > 0 && atol(text) == 2 << 20);
}

static void check_names(void)
{
	struct utsname name;
	struct sysinfo info;
	char thread_name[16], random[256], zero[256] = { 0 };

	CHECK_OK(uname(&name));
	CHECK_EQ(strcmp(name.sysname, "Linux"), 0);
	CHECK_EQ(strcmp(name.machine, "aarch64"), 0);
	CHECK(name.release[0] >= '3' && name.release[0] <= '9');
	CHECK_OK(sysinfo(&info));
	CHECK(info.totalram > 0 && info.freeram <= info.totalram);
	CHECK_EQ(getrandom(random, sizeof(random), 0), sizeof(random));
	CHECK(memcmp(random, zero, sizeof(random)));
	CHECK_FAILS(getrandom(random, 1, 0xff), EINVAL);
	CHECK_OK(prctl(PR_SET_NAME, "a name too long for it"));
	CHECK_OK(prctl(PR_GET_NAME, thread_name));
	CHECK_EQ(strcmp(thread_name, "a name too long"), 0);
	CHECK_EQ(getuid(), 0);
	CHECK_EQ(geteuid(), 0);
	CHECK(getppid() >= 0);
}

static void check_memfd(void)
{
	int fd = memfd_create("files", MFD_CLOEXEC);
	char text[8];
	struct stat st;

	REQUIRE(fd >= 0);
	CHECK_EQ(write(fd, "0123456789", 10), 10);
	CHECK_EQ(pread(fd, text, 4, 3), 4);
	CHECK_EQ(memcmp(text, "3456", 4), 0);
	CHECK_OK(fstat(fd, &st));
	CHECK_EQ(st.st_size, 10);
	CHECK_OK(fallocate(fd, 0, 0, 8192));
	CHECK_OK(fstat(fd, &st));
	CHECK_EQ(st.st_size, 8192);
	CHECK_OK(fallocate(fd, FALLOC_FL_KEEP_SIZE, 8192, 4096));
	CHECK_OK(fstat(fd, &st));
	CHECK_EQ(st.st_size, 8192);
	CHECK_FAILS(fallocate(fd, FALLOC_FL_PUNCH_HOLE, 0, 4096), EOPNOTSUPP);
	CHECK_FAILS(fallocate(fd, 0, 0, 0), EINVAL);
	CHECK_FAILS(fallocate(fd, 0, -1, 10), EINVAL);
	CHECK_FAILS(memfd_create("files", 0x800), EINVAL);
	close(fd);
}

/* Holes are as tmpfs has them: what was never written, by pages. */
static void check_holes(void)
{
	int fd = memfd_create("holes", MFD_CLOEXEC);

	REQUIRE(fd >= 0);
	CHECK_FAILS(lseek(fd, 0, SEEK_DATA), ENXIO);
	CHECK_OK(ftruncate(fd, 0x10000));
	CHECK_FAILS(lseek(fd, 0, SEEK_DATA), ENXIO);
	CHECK_EQ(lseek(fd, 0xffff, SEEK_HOLE), 0xffff);
	CHECK_FAILS(lseek(fd, 0x10000, SEEK_HOLE), ENXIO);
	CHECK_EQ(pwrite(fd, "data", 4, 0x7ffe), 4);
	CHECK_EQ(pwrite(fd, "data", 4, 0x40000000), 4);
	CHECK_EQ(lseek(fd, 0, SEEK_HOLE), 0);
	CHECK_EQ(lseek(fd, 0, SEEK_DATA), 0x7000);
	CHECK_EQ(lseek(fd, 0, SEEK_CUR), 0x7000);
	CHECK_EQ(lseek(fd, 0x7abc, SEEK_DATA), 0x7abc);
	CHECK_EQ(lseek(fd, 0x7abc, SEEK_HOLE), 0x9000);
	CHECK_EQ(lseek(fd, 0x9000, SEEK_DATA), 0x40000000);
	CHECK_EQ(lseek(fd, 0x40000000, SEEK_HOLE), 0x40000004);
	CHECK_OK(fallocate(fd, FALLOC_FL_KEEP_SIZE | FALLOC_FL_PUNCH_HOLE, 0x7000, 0x1000));
	CHECK_EQ(lseek(fd, 0, SEEK_DATA), 0x8000);
	CHECK_FAILS(lseek(fd, -1, SEEK_DATA), ENXIO);
	close(fd);
}

/* Bytes from file to file, at positions given or the files' own. */
static void check_copy_range(void)
{
	static char block[40000], seen[40000];
	int in = open("/tmp/copy.in", O_RDWR | O_CREAT | O_TRUNC, 0600);
	int out = open("/tmp/copy.out", O_RDWR | O_CREAT | O_TRUNC, 0600);
	off_t from = 1, to = 100;

	for (size_t i = 0; i < sizeof(block); i++)
		block[i] = (char)(i * 7);
	CHECK_EQ(write(in, block, sizeof(block)), sizeof(block));
	CHECK_EQ(copy_file_range(in, &from, out, &to, 39000, 0), 39000);
	CHECK_EQ(from, 39001);
	CHECK_EQ(to, 39100);
	CHECK_EQ(pread(out, seen, sizeof(seen), 100), 39000);
	CHECK_EQ(memcmp(seen, block + 1, 39000), 0);
	/* Up to the end, and no further. */
	CHECK_EQ(lseek(in, 39990, SEEK_SET), 39990);
	CHECK_EQ(copy_file_range(in, NULL, out, NULL, 100, 0), 10);
	CHECK_EQ(lseek(in, 0, SEEK_CUR), 40000);
	CHECK_EQ(lseek(out, 0, SEEK_CUR), 10);
	CHECK_EQ(copy_file_range(in, NULL, out, NULL, 100, 0), 0);
	/* Within a file, where the ranges are apart. */
	from = 0;
	to = 50000;
	CHECK_EQ(copy_file_range(in, &from, in, &to, 5, 0), 5);
	CHECK_EQ(pread(in, seen, 5, 50000), 5);
	CHECK_EQ(memcmp(seen, block, 5), 0);
	CHECK_OK(fcntl(out, F_SETFL, O_APPEND));
	CHECK_FAILS(copy_file_range(in, &from, out, NULL, 5, 0), EBADF);
	close(in);
	close(out);
}

int main(void)
{
	mkdir("/tmp", 0777);
	check_regular();
	check_vectors();
	check_mapped_file();
	check_directories();
	check_pipe();
	check_eventfd();
	check_epoll();
	check_poll();
	check_descriptors();
	check_dev();
	check_proc();
	check_names();
	check_memfd();
	check_holes();
	check_copy_range();
	return check_done("files");
}
