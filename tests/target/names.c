/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Names and what they lead to: links, renames, removals and their errors; files opened by other
 * ways than their name; locks, sizes, seals, one-shot and edge-triggered events.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/select.h>
#include <sys/sendfile.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#include "tests/target/check.h"

static int make_file(const char *path, const char *text)
{
	int fd = open(path, O_RDWR | O_CREAT | O_TRUNC, 0644);

	if (CHECK(fd >= 0))
		CHECK_EQ(write(fd, text, strlen(text)), strlen(text));
	return fd;
}

static void check_links(void)
{
	char text[16];
	struct stat a, b;
	int fd;

	CHECK_OK(mkdir("d", 0755));
	CHECK_OK(symlink("target", "d/link"));
	CHECK_FAILS(open("d/link", O_RDONLY), ENOENT);
	CHECK_FAILS(open("d/link", O_CREAT | O_EXCL | O_RDWR, 0600), EEXIST);
	fd = open("d/link", O_CREAT | O_RDWR, 0600); /* makes what the link names */
	CHECK(fd >= 0);
	CHECK_EQ(write(fd, "abc", 3), 3);
	close(fd);
	CHECK_OK(stat("d/target", &a));
	CHECK_OK(stat("d/link", &b));
	CHECK_EQ(a.st_ino, b.st_ino);
	CHECK_OK(lstat("d/link", &b));
	CHECK(S_ISLNK(b.st_mode));
	CHECK_EQ(b.st_size, 6);
	CHECK_EQ(readlink("d/link", text, sizeof(text)), 6);
	CHECK_EQ(memcmp(text, "target", 6), 0);
	CHECK_EQ(readlink("d/link", text, 3), 3);
	CHECK_FAILS(readlink("d/target", text, sizeof(text)), EINVAL);
	CHECK_FAILS(readlink("d/link", text, 0), EINVAL);
	CHECK_FAILS(open("d/link", O_RDONLY | O_NOFOLLOW), ELOOP);
	CHECK_FAILS(open("d/link/", O_RDONLY), ENOTDIR);
	CHECK_FAILS(open("d/target/x", O_RDONLY), ENOTDIR);
	CHECK_OK(link("d/target", "d/hard"));
	CHECK_OK(stat("d/hard", &b));
	CHECK_EQ(b.st_nlink, 2);
	CHECK_EQ(a.st_ino, b.st_ino);
	CHECK_FAILS(link("d", "d2"), EPERM);
	CHECK_FAILS(link("d/target", "d/hard"), EEXIST);
	CHECK_FAILS(symlink("", "d/empty"), ENOENT);
	CHECK_FAILS(symlink("x", "d/link"), EEXIST);
	CHECK_OK(symlink("loop2", "d/loop1"));
	CHECK_OK(symlink("loop1", "d/loop2"));
	CHECK_FAILS(open("d/loop1", O_RDONLY), ELOOP);
	CHECK_OK(symlink("..", "d/up"));
	CHECK_OK(stat("d/up/d/up/d/target", &b));
	CHECK_EQ(a.st_ino, b.st_ino);
	CHECK_OK(unlink("d/hard"));
	CHECK_OK(unlink("d/link"));
	CHECK_OK(stat("d/target", &b));
	CHECK_EQ(b.st_nlink, 1);
}

static void check_long_names(void)
{
	char name[300], path[5000];

	memset(name, 'n', sizeof(name));
	name[255] = '\0';
	CHECK_OK(mkdir(name, 0755));
	CHECK_OK(rmdir(name));
	name[255] = 'n';
	name[256] = '\0';
	CHECK_FAILS(mkdir(name, 0755), ENAMETOOLONG);
	memset(path, '/', sizeof(path));
	path[4095] = '\0';
	CHECK_OK(access(path, F_OK));
	path[4095] = '/';
	path[4096] = '\0';
	CHECK_FAILS(access(path, F_OK), ENAMETOOLONG);
}

/* A path, what each call says of it; 0: it works, or was not tried. */
static const struct {
	const char *path;
	int mkdir, rmdir, unlink, open_create;
} endings[] = {
	{ "d/.", EEXIST, EINVAL, EISDIR, EISDIR },
	{ "d/..", EEXIST, ENOTEMPTY, EISDIR, EISDIR },
	{ "/", EEXIST, EBUSY, EISDIR, EISDIR },
	{ "d/target", EEXIST, ENOTDIR, 0, 0 },
	{ "d/target/", EEXIST, ENOTDIR, ENOTDIR, EISDIR },
	{ "d/none/", 0, ENOENT, ENOENT, EISDIR },
	{ "d/none/x", ENOENT, ENOENT, ENOENT, ENOENT },
	{ "d", EEXIST, ENOTEMPTY, EISDIR, EISDIR },
	{ "", ENOENT, ENOENT, ENOENT, ENOENT },
	{ "d/up", EEXIST, ENOTDIR, 0, EISDIR },
};

static void check_endings(void)
{
	for (size_t i = 0; i < sizeof(endings) / sizeof(endings[0]); i++) {
		const char *path = endings[i].path;

		if (endings[i].mkdir)
			CHECK_FAILS(mkdir(path, 0755), endings[i].mkdir);
		if (endings[i].rmdir)
			CHECK_FAILS(rmdir(path), endings[i].rmdir);
		if (endings[i].unlink)
			CHECK_FAILS(unlink(path), endings[i].unlink);
		if (endings[i].open_create)
			CHECK_FAILS(open(path, O_CREAT | O_RDWR, 0644), endings[i].open_create);
	}
	CHECK_FAILS(open("d", O_RDWR), EISDIR);
	CHECK_FAILS(open("d", O_RDONLY | O_TRUNC), EISDIR);
	CHECK_FAILS(open("d/target", O_RDONLY | O_DIRECTORY), ENOTDIR);
	CHECK_FAILS(open("d", O_RDONLY | O_CREAT | O_DIRECTORY, 0755), EINVAL);
}

static int renames(const char *from, const char *to, unsigned int flags)
{
	return (int)syscall(SYS_renameat2, AT_FDCWD, from, AT_FDCWD, to, flags);
}

static void check_rename(void)
{
	struct stat a, b;

	CHECK_OK(mkdir("r", 0755));
	CHECK_OK(mkdir("r/dir", 0755));
	CHECK_OK(mkdir("r/dir/sub", 0755));
	CHECK_OK(mkdir("r/empty", 0755));
	close(make_file("r/file", "one"));
	close(make_file("r/other", "two"));
	CHECK_OK(stat("r/file", &a));
	CHECK_FAILS(rename("r/dir", "r/dir/sub/x"), EINVAL);
	CHECK_FAILS(rename("r/dir/sub", "r/dir"), ENOTEMPTY);
	CHECK_FAILS(rename("r/file", "r/dir"), EISDIR);
	CHECK_FAILS(rename("r/dir", "r/file"), ENOTDIR);
	CHECK_FAILS(rename("r/empty", "r/dir"), ENOTEMPTY);
	CHECK_FAILS(rename("r/none", "r/file"), ENOENT);
	CHECK_FAILS(rename("r/file", "r/x/"), ENOTDIR);
	CHECK_FAILS(rename("r/.", "r/y"), EBUSY);
	CHECK_FAILS(renames("r/file", "r/other", RENAME_NOREPLACE), EEXIST);
	CHECK_FAILS(renames("r/file", "r/none", RENAME_EXCHANGE), ENOENT);
	CHECK_FAILS(renames("r/file", "r/other", RENAME_NOREPLACE | RENAME_EXCHANGE), EINVAL);
	CHECK_FAILS(renames("r/file", "r/other", 0x100), EINVAL);
	CHECK_OK(renames("r/file", "r/dir", RENAME_EXCHANGE));
	CHECK_OK(stat("r/dir", &b));
	CHECK_EQ(a.st_ino, b.st_ino);
	CHECK_OK(stat("r/file/sub", &b));
	CHECK_OK(renames("r/file", "r/dir", RENAME_EXCHANGE));
	CHECK_OK(rename("r/file", "r/other"));
	CHECK_OK(stat("r/other", &b));
	CHECK_EQ(a.st_ino, b.st_ino);
	CHECK_FAILS(stat("r/file", &b), ENOENT);
	CHECK_OK(stat("r/dir", &b));
	CHECK_EQ(b.st_nlink, 3);
	CHECK_OK(rename("r/dir", "r/empty")); /* over an empty directory */
	CHECK_OK(stat("r/empty/sub/..", &a));
	CHECK_EQ(a.st_ino, b.st_ino);
	CHECK_EQ(a.st_nlink, 3);
	CHECK_OK(rename("r/other", "r/other"));
	CHECK_FAILS(rename("r/other", "/dev/shm/other"), EXDEV);
	CHECK_FAILS(link("r/other", "/dev/shm/other"), EXDEV);
	CHECK_FAILS(rmdir("/proc"), EBUSY);
	CHECK_OK(rmdir("r/empty/sub"));
	CHECK_OK(rmdir("r/empty"));
	CHECK_OK(unlink("r/other"));
	CHECK_OK(rmdir("r"));
}

static void check_removed_directory(void)
{
	char cwd[256];
	int fd;

	CHECK_OK(mkdir("gone", 0755));
	CHECK_OK(chdir("gone"));
	fd = open(".", O_RDONLY | O_DIRECTORY);
	CHECK_OK(rmdir("../gone"));
	CHECK_FAILS(syscall(SYS_getcwd, cwd, sizeof(cwd)), ENOENT);
	CHECK_FAILS(open("new", O_CREAT | O_RDWR, 0644), ENOENT);
	CHECK_FAILS(mkdir("new", 0755), ENOENT);
	CHECK_OK(chdir(".."));
	CHECK(syscall(SYS_getcwd, cwd, sizeof(cwd)) > 0);
	CHECK_EQ(strcmp(cwd, "/tmp/names"), 0);
	CHECK_FAILS(syscall(SYS_getcwd, cwd, strlen(cwd)), ERANGE);
	CHECK_FAILS(openat(fd, "x", O_CREAT | O_RDWR, 0644), ENOENT);
	close(fd);
	fd = open("d/target", O_RDONLY);
	CHECK_FAILS(openat(fd, "x", O_RDONLY), ENOTDIR);
	CHECK_FAILS(fchdir(fd), ENOTDIR);
	CHECK_FAILS(openat(99, "x", O_RDONLY), EBADF);
	CHECK(openat(99, "/dev/null", O_RDONLY) >= 0);
	close(fd);
}

static void check_path_only(void)
{
	int path = open("d/target", O_PATH), link_fd, fd;
	char name[64], text[8];
	struct stat st;

	CHECK(path >= 0);
	CHECK_FAILS(read(path, text, 1), EBADF);
	CHECK_FAILS(ioctl(path, FIONREAD, text), EBADF);
	CHECK_FAILS(fchmod(path, 0600), EBADF);
	CHECK_FAILS((long)mmap(NULL, 4096, PROT_READ, MAP_PRIVATE, path, 0), EBADF);
	CHECK_OK(fstat(path, &st));
	CHECK_EQ(st.st_size, 3);
	CHECK_EQ(fcntl(path, F_GETFL) & O_PATH, O_PATH);
	snprintf(name, sizeof(name), "/proc/self/fd/%d", path);
	fd = open(name, O_RDONLY);
	CHECK_EQ(read(fd, text, sizeof(text)), 3);
	close(fd);
	close(path);
	CHECK_OK(symlink("d", "s"));
	link_fd = open("s", O_PATH | O_NOFOLLOW);
	CHECK_OK(fstat(link_fd, &st));
	CHECK(S_ISLNK(st.st_mode));
	CHECK_EQ(readlinkat(link_fd, "", text, sizeof(text)), 1);
	CHECK_EQ(text[0], 'd');
	CHECK_FAILS(open("s", O_RDONLY | O_NOFOLLOW | O_DIRECTORY), ENOTDIR);
	close(link_fd);
	unlink("s");
}

static void check_unnamed(void)
{
	int fd = open(".", O_TMPFILE | O_RDWR, 0600), again;
	char name[64], target[128];
	struct stat st;
	ssize_t n;

	CHECK(fd >= 0);
	CHECK_OK(fstat(fd, &st));
	CHECK_EQ(st.st_nlink, 0);
	CHECK_EQ(write(fd, "tmp", 3), 3);
	close(fd);
	CHECK_FAILS(open(".", O_TMPFILE | O_RDONLY, 0600), EINVAL);
	fd = make_file("here", "text");
	snprintf(name, sizeof(name), "/proc/self/fd/%d", fd);
	n = readlink(name, target, sizeof(target));
	CHECK_EQ(n, strlen("/tmp/names/here"));
	CHECK_EQ(memcmp(target, "/tmp/names/here", (size_t)n), 0);
	CHECK_OK(unlink("here"));
	again = open(name, O_RDONLY); /* a file of its own, with a position of its own */
	CHECK_EQ(read(again, target, sizeof(target)), 4);
	CHECK_OK(fstat(again, &st));
	CHECK_EQ(st.st_nlink, 0);
	close(again);
	close(fd);
}

static void check_listing(void)
{
	char name[32];
	unsigned int seen = 0;
	struct dirent *e;
	long half;
	DIR *dir;

	CHECK_OK(mkdir("many", 0755));
	for (int i = 0; i < 200; i++) {
		snprintf(name, sizeof(name), "many/file-%d", i);
		close(open(name, O_CREAT | O_RDWR, 0644));
	}
	dir = opendir("many");
	while (readdir(dir) != NULL)
		seen++;
	CHECK_EQ(seen, 202);
	rewinddir(dir);
	for (seen = 0; seen < 100 && readdir(dir) != NULL;)
		seen++;
	half = telldir(dir);
	while (readdir(dir) != NULL)
		seen++;
	CHECK_EQ(seen, 202);
	seekdir(dir, half);
	for (seen = 0; readdir(dir) != NULL;)
		seen++;
	CHECK_EQ(seen, 102);
	/* Removing as one goes loses none. */
	rewinddir(dir);
	for (seen = 0; (e = readdir(dir)) != NULL;)
		if (e->d_name[0] == 'f')
			seen += unlinkat(dirfd(dir), e->d_name, 0) == 0;
	CHECK_EQ(seen, 200);
	closedir(dir);
	CHECK_OK(rmdir("many"));
}

static void *append_lines(void *arg)
{
	int fd = open("log", O_WRONLY | O_APPEND);

	(void)arg;
	for (int i = 0; i < 200; i++)
		if (write(fd, "0123456\n", 8) != 8)
			break;
	close(fd);
	return NULL;
}

static void check_content(void)
{
	int fd = make_file("log", ""), twin;
	char text[16] = "";
	pthread_t threads[3];
	struct stat st;
	off_t at = 2;
	int out;

	for (int i = 0; i < 3; i++)
		pthread_create(&threads[i], NULL, append_lines, NULL);
	for (int i = 0; i < 3; i++)
		pthread_join(threads[i], NULL);
	CHECK_OK(fstat(fd, &st));
	CHECK_EQ(st.st_size, 3 * 200 * 8);
	twin = dup(fd);
	CHECK_EQ(lseek(fd, 8, SEEK_SET), 8);
	CHECK_EQ(read(twin, text, 4), 4);
	CHECK_EQ(memcmp(text, "0123", 4), 0);
	CHECK_EQ(lseek(fd, 0, SEEK_CUR), 12);
	CHECK_FAILS(lseek(fd, -1, SEEK_SET), EINVAL);
	CHECK_FAILS(lseek(fd, 0, 99), EINVAL);
	CHECK_EQ(lseek(fd, 5, SEEK_DATA), 5);
	CHECK_EQ(lseek(fd, 5, SEEK_HOLE), st.st_size);
	CHECK_FAILS(lseek(fd, st.st_size, SEEK_DATA), ENXIO);
	CHECK_OK(ftruncate(fd, 4));
	CHECK_OK(ftruncate(fd, 10000));
	CHECK_EQ(pread(fd, text, 8, 0), 8);
	CHECK_EQ(memcmp(text, "0123\0\0\0\0", 8), 0);
	CHECK_EQ(pread(fd, text, 8, 9998), 2);
	CHECK_EQ(pread(fd, text, 8, 20000), 0);
	CHECK_FAILS(pread(fd, text, 8, -1), EINVAL);
	out = open("copy", O_CREAT | O_RDWR, 0644);
	CHECK_EQ(sendfile(out, fd, &at, 6000), 6000);
	CHECK_EQ(at, 6002);
	CHECK_EQ(pread(out, text, 4, 0), 4);
	CHECK_EQ(memcmp(text, "23\0\0", 4), 0);
	CHECK_OK(fallocate(fd, 0, 10000, 5000));
	CHECK_OK(fstat(fd, &st));
	CHECK_EQ(st.st_size, 15000);
	CHECK_OK(fallocate(fd, FALLOC_FL_KEEP_SIZE | FALLOC_FL_PUNCH_HOLE, 0, 4096));
	CHECK_EQ(pread(fd, text, 4, 0), 4);
	CHECK_EQ(memcmp(text, "\0\0\0\0", 4), 0);
	close(out);
	close(twin);
	close(fd);
	unlink("log");
	unlink("copy");
}

static void check_partial_moves(void)
{
	char *map = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	struct iovec v[3];
	int fd = open("parts", O_CREAT | O_RDWR, 0644);

	munmap(map + 4096, 4096);
	memset(map, 'p', 4096);
	CHECK_EQ(write(fd, map + 4000, 200), 96); /* what lies before the hole */
	CHECK_FAILS(write(fd, map + 4096, 1), EFAULT);
	v[0] = (struct iovec){ map, 10 };
	v[1] = (struct iovec){ map + 5000, 0 };
	v[2] = (struct iovec){ map + 100, 20 };
	CHECK_EQ(writev(fd, v, 3), 30);
	CHECK_EQ(lseek(fd, 0, SEEK_SET), 0);
	v[1] = (struct iovec){ map + 4090, 6 };
	CHECK_EQ(readv(fd, v, 3), 36);
	CHECK_EQ(preadv(fd, v, 2, 120), 6);
	CHECK_FAILS(syscall(SYS_readv, fd, v, 1025), EINVAL);
	CHECK_FAILS(syscall(SYS_readv, fd, v, -1), EINVAL);
	v[0].iov_len = (size_t)-1;
	CHECK_FAILS(syscall(SYS_readv, fd, v, 1), EINVAL);
	CHECK_EQ(readv(fd, v, 0), 0);
	close(fd);
	unlink("parts");
}

static void check_seals(void)
{
	int fd = memfd_create("sealed", MFD_ALLOW_SEALING), plain = memfd_create("plain", 0);
	char *map;

	CHECK_OK(ftruncate(fd, 8192));
	CHECK_EQ(fcntl(fd, F_GET_SEALS), 0);
	CHECK_EQ(fcntl(plain, F_GET_SEALS), F_SEAL_SEAL);
	CHECK_FAILS(fcntl(plain, F_ADD_SEALS, F_SEAL_GROW), EPERM);
	CHECK_OK(fcntl(fd, F_ADD_SEALS, F_SEAL_GROW | F_SEAL_SHRINK));
	CHECK_FAILS(ftruncate(fd, 4096), EPERM);
	CHECK_FAILS(ftruncate(fd, 16384), EPERM);
	CHECK_FAILS(pwrite(fd, "x", 1, 8192), EPERM);
	CHECK_EQ(pwrite(fd, "x", 1, 8191), 1);
	map = mmap(NULL, 4096, PROT_READ, MAP_SHARED, fd, 0);
	CHECK_FAILS(fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE), EBUSY);
	munmap(map, 4096);
	CHECK_OK(fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE));
	map = mmap(NULL, 4096, PROT_READ, MAP_SHARED, fd, 0);
	CHECK(map != MAP_FAILED);
	CHECK_FAILS(mprotect(map, 4096, PROT_READ | PROT_WRITE), EACCES);
	CHECK_FAILS(pwrite(fd, "x", 1, 0), EPERM);
	CHECK_FAILS((long)mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0), EPERM);
	map = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
	CHECK(map != MAP_FAILED);
	CHECK_OK(fcntl(fd, F_ADD_SEALS, F_SEAL_SEAL));
	CHECK_FAILS(fcntl(fd, F_ADD_SEALS, F_SEAL_SEAL), EPERM);
	close(fd);
	close(plain);
	fd = open("/dev/null", O_RDWR);
	CHECK_FAILS(fcntl(fd, F_GET_SEALS), EINVAL);
	close(fd);
}

static void check_locks(void)
{
	int a = open("lock", O_CREAT | O_RDWR, 0644), b = open("lock", O_RDWR), c;

	CHECK_OK(flock(a, LOCK_SH));
	CHECK_OK(flock(b, LOCK_SH));
	CHECK_FAILS(flock(b, LOCK_EX | LOCK_NB), EWOULDBLOCK);
	CHECK_OK(flock(a, LOCK_UN));
	CHECK_OK(flock(b, LOCK_EX | LOCK_NB));
	CHECK_FAILS(flock(a, LOCK_SH | LOCK_NB), EWOULDBLOCK);
	c = dup(b);
	close(b);
	CHECK_FAILS(flock(a, LOCK_SH | LOCK_NB), EWOULDBLOCK);
	close(c);
	CHECK_OK(flock(a, LOCK_EX | LOCK_NB));
	CHECK_FAILS(flock(a, 0), EINVAL);
	close(a);
	unlink("lock");
}

static void check_event_modes(void)
{
	int ep = epoll_create1(0), inner = epoll_create1(0), event = eventfd(0, EFD_NONBLOCK), twin;
	struct epoll_event want = { .events = EPOLLIN | EPOLLET, .data.fd = 1 }, got[2];
	uint64_t n = 1;

	CHECK_OK(epoll_ctl(ep, EPOLL_CTL_ADD, event, &want));
	CHECK_EQ(write(event, &n, 8), 8);
	CHECK_EQ(epoll_wait(ep, got, 2, 0), 1);
	CHECK_EQ(epoll_wait(ep, got, 2, 0), 0); /* the edge is over */
	CHECK_EQ(write(event, &n, 8), 8);
	CHECK_EQ(epoll_wait(ep, got, 2, 0), 1);
	want.events = EPOLLIN | EPOLLONESHOT;
	CHECK_OK(epoll_ctl(ep, EPOLL_CTL_MOD, event, &want));
	CHECK_EQ(epoll_wait(ep, got, 2, 0), 1);
	CHECK_EQ(write(event, &n, 8), 8);
	CHECK_EQ(epoll_wait(ep, got, 2, 0), 0);
	CHECK_OK(epoll_ctl(ep, EPOLL_CTL_MOD, event, &want));
	CHECK_EQ(epoll_wait(ep, got, 2, 0), 1);
	/* Sets within sets, and what they refuse. */
	want.events = EPOLLIN;
	CHECK_FAILS(epoll_ctl(ep, EPOLL_CTL_ADD, ep, &want), EINVAL);
	CHECK_OK(epoll_ctl(inner, EPOLL_CTL_ADD, event, &want));
	CHECK_OK(epoll_ctl(ep, EPOLL_CTL_ADD, inner, &want));
	CHECK_FAILS(epoll_ctl(inner, EPOLL_CTL_ADD, ep, &want), ELOOP);
	CHECK_EQ(epoll_wait(ep, got, 2, 0), 1);
	/* A duplicate keeps the item alive; the last close takes it out. */
	CHECK_OK(epoll_ctl(ep, EPOLL_CTL_DEL, inner, NULL));
	CHECK_OK(epoll_ctl(ep, EPOLL_CTL_MOD, event, &want));
	twin = dup(event);
	close(event);
	CHECK_EQ(epoll_wait(ep, got, 2, 0), 1);
	close(twin);
	CHECK_EQ(epoll_wait(ep, got, 2, 0), 0);
	CHECK_FAILS(epoll_wait(ep, got, 0, 0), EINVAL);
	twin = open("/dev/null", O_RDONLY);
	CHECK_FAILS(epoll_ctl(ep, EPOLL_CTL_ADD, twin, &want), EPERM);
	close(twin);
	close(inner);
	close(ep);
}

static void *write_later(void *arg)
{
	struct timespec t = { .tv_nsec = 20000000 };

	nanosleep(&t, NULL);
	if (write(*(int *)arg, "w", 1) != 1)
		return arg;
	return NULL;
}

static void check_waiting(void)
{
	struct timeval none = { 0, 0 }, second = { 1, 0 };
	pthread_t thread;
	fd_set in, out;
	int fd[2];

	REQUIRE(pipe(fd) == 0);
	FD_ZERO(&in);
	FD_ZERO(&out);
	FD_SET(fd[0], &in);
	FD_SET(fd[1], &out);
	CHECK_EQ(select(fd[1] + 1, &in, &out, NULL, &none), 1);
	CHECK(!FD_ISSET(fd[0], &in) && FD_ISSET(fd[1], &out));
	FD_SET(fd[0], &in);
	pthread_create(&thread, NULL, write_later, &fd[1]);
	CHECK_EQ(select(fd[0] + 1, &in, NULL, NULL, &second), 1);
	CHECK(second.tv_sec == 0 && second.tv_usec > 0);
	pthread_join(thread, NULL);
	FD_SET(50, &in);
	CHECK_FAILS(select(51, &in, NULL, NULL, &none), EBADF);
	CHECK_FAILS(select(-1, NULL, NULL, NULL, &none), EINVAL);
	close(fd[0]);
	close(fd[1]);
}

static void check_timers(void)
{
	struct itimerspec its = { .it_value.tv_nsec = 2000000, .it_interval.tv_nsec = 2000000 };
	int fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK);
	struct pollfd p = { .fd = fd, .events = POLLIN };
	struct timespec nap = { .tv_nsec = 20000000 };
	uint64_t ticks;

	CHECK_FAILS(read(fd, &ticks, 8), EAGAIN);
	CHECK_OK(timerfd_settime(fd, 0, &its, NULL));
	CHECK_EQ(poll(&p, 1, 1000), 1);
	nanosleep(&nap, NULL);
	CHECK_EQ(read(fd, &ticks, 8), 8);
	CHECK(ticks >= 9);
	CHECK_OK(timerfd_gettime(fd, &its));
	CHECK_EQ(its.it_interval.tv_nsec, 2000000);
	CHECK(its.it_value.tv_nsec > 0 && its.it_value.tv_nsec <= 2000000);
	memset(&its, 0, sizeof(its));
	CHECK_OK(timerfd_settime(fd, 0, &its, NULL));
	CHECK_FAILS(read(fd, &ticks, 8), EAGAIN);
	its.it_value.tv_nsec = 1; /* long past */
	CHECK_OK(timerfd_settime(fd, TFD_TIMER_ABSTIME, &its, NULL));
	CHECK_EQ(poll(&p, 1, 1000), 1);
	CHECK_EQ(read(fd, &ticks, 8), 8);
	CHECK_EQ(ticks, 1);
	its.it_value.tv_nsec = 1000000000;
	CHECK_FAILS(timerfd_settime(fd, 0, &its, NULL), EINVAL);
	CHECK_FAILS(timerfd_create(99, 0), EINVAL);
	close(fd);
}

static void check_signalfd(void)
{
	struct signalfd_siginfo info[3];
	struct pollfd p = { .events = POLLIN };
	sigset_t set;
	int fd;

	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	sigaddset(&set, SIGUSR2);
	sigprocmask(SIG_BLOCK, &set, NULL);
	fd = p.fd = signalfd(-1, &set, SFD_NONBLOCK);
	CHECK_FAILS(read(fd, info, sizeof(info)), EAGAIN);
	CHECK_EQ(poll(&p, 1, 0), 0);
	kill(getpid(), SIGUSR2);
	CHECK_EQ(poll(&p, 1, 1000), 1);
	kill(getpid(), SIGUSR1);
	CHECK_EQ(read(fd, info, sizeof(info)), 2 * sizeof(info[0]));
	CHECK_EQ(info[0].ssi_signo, SIGUSR1);
	CHECK_EQ(info[1].ssi_signo, SIGUSR2);
	CHECK_EQ(info[0].ssi_pid, getpid());
	CHECK_FAILS(read(fd, info, 10), EINVAL);
	close(fd);
	sigprocmask(SIG_UNBLOCK, &set, NULL);
}

static void check_broken_pipe(void)
{
	static char big[70000];
	int fd[2], size = 0;

	signal(SIGPIPE, SIG_IGN);
	REQUIRE(pipe2(fd, O_NONBLOCK) == 0);
	CHECK_EQ(fcntl(fd[0], F_GETPIPE_SZ), 65536);
	CHECK_EQ(write(fd[1], big, sizeof(big)), 65536);
	CHECK_FAILS(write(fd[1], big, 1), EAGAIN);
	CHECK_OK(ioctl(fd[0], FIONREAD, &size));
	CHECK_EQ(size, 65536);
	CHECK_FAILS(fcntl(fd[0], F_SETPIPE_SZ, 4096), EBUSY);
	CHECK_EQ(read(fd[0], big, sizeof(big)), 65536);
	CHECK_EQ(fcntl(fd[0], F_SETPIPE_SZ, 5000), 8192);
	CHECK_EQ(write(fd[1], big, 6000), 6000);
	CHECK_FAILS(write(fd[1], big, 4096), EAGAIN); /* in one piece or not at all */
	CHECK_FAILS(lseek(fd[0], 0, SEEK_SET), ESPIPE);
	CHECK_FAILS(pread(fd[0], big, 1, 0), ESPIPE);
	close(fd[0]);
	CHECK_FAILS(write(fd[1], big, 1), EPIPE);
	close(fd[1]);
	signal(SIGPIPE, SIG_DFL);
}

static void check_ranges(void)
{
	int base = 100;

	for (int i = 0; i < 5; i++)
		CHECK_EQ(fcntl(0, F_DUPFD, base + i), base + i);
	CHECK_OK(syscall(SYS_close_range, base + 1, base + 2, 0));
	CHECK_FAILS(fcntl(base + 1, F_GETFD), EBADF);
	CHECK_OK(syscall(SYS_close_range, base + 3, ~0U, 4));
	CHECK_EQ(fcntl(base + 3, F_GETFD), FD_CLOEXEC);
	CHECK_EQ(fcntl(base, F_GETFD), 0);
	CHECK_FAILS(syscall(SYS_close_range, base, base - 1, 0), EINVAL);
	CHECK_FAILS(fcntl(0, F_DUPFD, 1 << 30), EINVAL);
	CHECK_FAILS(dup3(0, 0, 0), EINVAL);
	CHECK_FAILS(dup3(0, 1 << 30, 0), EBADF);
	CHECK_FAILS(dup3(99, 5, 0), EBADF);
	CHECK_OK(syscall(SYS_close_range, base, ~0U, 0));
}

static void check_proc_files(void)
{
	char text[256], path[64];
	struct statfs fs;
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/task/%d/comm", getpid(), gettid());
	fd = open(path, O_RDWR);
	CHECK_EQ(write(fd, "renamed", 7), 7);
	CHECK_EQ(pread(fd, text, sizeof(text), 0), 8);
	CHECK_EQ(memcmp(text, "renamed\n", 8), 0);
	close(fd);
	/* A thread has no threads: who walks /proc comes to an end. */
	snprintf(path, sizeof(path), "/proc/self/task/%d/task", gettid());
	CHECK_FAILS(access(path, F_OK), ENOENT);
	CHECK_OK(access("/proc/self/task", F_OK));
	CHECK_FAILS(open("/proc/self/none", O_RDONLY), ENOENT);
	CHECK_FAILS(open("/proc/self/none", O_RDWR | O_CREAT, 0644), ENOENT);
	CHECK_FAILS(open("/proc/999999", O_RDONLY), ENOENT);
	CHECK_FAILS(access("/sys/devices/system/cpu/none", F_OK), ENOENT);
	CHECK_OK(statfs("/proc", &fs));
	CHECK_EQ(fs.f_type, 0x9fa0);
	CHECK_OK(statfs("/dev/shm", &fs));
	CHECK_EQ(fs.f_type, 0x01021994);
	fd = open("/proc/self/fd/1", O_WRONLY);
	CHECK(fd >= 0);
	close(fd);
	CHECK_EQ(access("/proc/self/maps", X_OK), -1);
}

static void check_attributes(void)
{
	struct timespec times[2] = { { 1000, 5 }, { 0, UTIME_OMIT } };
	int fd = make_file("attr", "x");
	struct stat st;
	struct statx stx;

	CHECK_OK(fstat(fd, &st));
	CHECK_EQ(st.st_mode, S_IFREG | 0644);
	CHECK_OK(fchmod(fd, 04711));
	CHECK_OK(fchown(fd, 3, (gid_t)-1));
	CHECK_OK(utimensat(AT_FDCWD, "attr", times, 0));
	CHECK_OK(stat("attr", &st));
	CHECK_EQ(st.st_mode & 0777, 0711);
	CHECK_EQ(st.st_uid, 3);
	CHECK_EQ(st.st_gid, 0);
	CHECK_EQ(st.st_atim.tv_sec, 1000);
	CHECK_EQ(st.st_atim.tv_nsec, 5);
	times[0].tv_nsec = 2000000000;
	CHECK_FAILS(utimensat(AT_FDCWD, "attr", times, 0), EINVAL);
	CHECK_OK(statx(AT_FDCWD, "attr", 0, STATX_BASIC_STATS, &stx));
	CHECK_EQ(stx.stx_size, 1);
	CHECK_EQ(stx.stx_ino, st.st_ino);
	CHECK_OK(statx(fd, "", AT_EMPTY_PATH, STATX_SIZE, &stx));
	CHECK_EQ(stx.stx_size, 1);
	CHECK_FAILS(statx(fd, "", AT_EMPTY_PATH, STATX__RESERVED, &stx), EINVAL);
	CHECK_EQ(umask(077), 022);
	close(open("masked", O_CREAT | O_RDWR, 0666));
	CHECK_OK(stat("masked", &st));
	CHECK_EQ(st.st_mode & 0777, 0600);
	CHECK_EQ(umask(022), 077);
	CHECK_OK(chmod("masked", 0666));
	CHECK_FAILS(access("masked", X_OK), EACCES);
	CHECK_OK(access("masked", R_OK | W_OK));
	CHECK_FAILS(access("masked", 8), EINVAL);
	unlink("masked");
	unlink("attr");
	close(fd);
}

int main(void)
{
	mkdir("/tmp", 01777);
	REQUIRE(mkdir("/tmp/names", 0755) == 0 && chdir("/tmp/names") == 0);
	check_links();
	check_long_names();
	check_endings();
	check_rename();
	check_removed_directory();
	check_path_only();
	check_unnamed();
	check_listing();
	check_content();
	check_partial_moves();
	check_seals();
	check_locks();
	check_event_modes();
	check_waiting();
	check_timers();
	check_signalfd();
	check_broken_pipe();
	check_ranges();
	check_proc_files();
	check_attributes();
	return check_done("names");
}
