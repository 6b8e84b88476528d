/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Files of huge pages with names, as VMMs make guests' memory from them: what the filesystem says
 * of itself, files that are made, sized, mapped and removed, and a guest that runs in one.
 */
#define _GNU_SOURCE
#include "tests/target/check.h"
#include "tests/target/client.h"

#include <fcntl.h>
#include <linux/magic.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#define DIR "/dev/hugepages"

enum { HUGE = 2 * MIB, SIZE = 2 * HUGE };

/* Counts the words of a page at x1 up, and says so. */
GUEST(counter, "	ldr x2, [x1]\n"
	       "	add x2, x2, #1\n"
	       "	str x2, [x1]\n"
	       "	str x2, [x19]\n"
	       "	b .\n");

static void check_filesystem(void)
{
	struct statfs fs = { 0 };
	struct stat st;

	REQUIRE(statfs(DIR, &fs) == 0);
	CHECK_EQ(fs.f_type, HUGETLBFS_MAGIC);
	CHECK_EQ(fs.f_bsize, HUGE);
	CHECK_OK(stat(DIR, &st));
	CHECK(S_ISDIR(st.st_mode));
	CHECK_FAILS(rename("/tmp/hugetlbfs", DIR "/x"), EXDEV);
}

/* What VMMs align their memory by. */
static void check_memfd(unsigned int size_flag, long page)
{
	int fd = memfd_create("huge", MFD_CLOEXEC | MFD_HUGETLB | MFD_ALLOW_SEALING | size_flag);
	struct statfs fs = { 0 };
	struct stat st;

	REQUIRE(fd >= 0);
	CHECK_OK(fstatfs(fd, &fs));
	CHECK_EQ(fs.f_type, HUGETLBFS_MAGIC);
	CHECK_EQ(fs.f_bsize, page);
	CHECK_OK(fstat(fd, &st));
	CHECK_EQ(st.st_blksize, page);
	CHECK_OK(fcntl(fd, F_ADD_SEALS, F_SEAL_GROW));
	CHECK_EQ(fcntl(fd, F_GET_SEALS), F_SEAL_GROW);
	close(fd);
}

/* A file without a name by the time it is used. */
static int new_file(void)
{
	char name[] = DIR "/test.XXXXXX";
	int fd = mkstemp(name);

	REQUIRE(fd >= 0);
	CHECK_OK(unlink(name));
	CHECK_FAILS(access(name, F_OK), ENOENT);
	return fd;
}

static void check_file(void)
{
	int fd = new_file();
	struct stat st;
	char c = 1;

	CHECK_OK(fstat(fd, &st));
	CHECK_EQ(st.st_blksize, HUGE);
	CHECK_EQ(st.st_size, 0);
	CHECK_FAILS(ftruncate(fd, HUGE + PAGE), EINVAL);
	CHECK_OK(ftruncate(fd, SIZE));
	CHECK_FAILS(write(fd, &c, 1), EINVAL);
	CHECK_EQ(pread(fd, &c, 1, HUGE), 1);
	CHECK_EQ(c, 0);
	CHECK_EQ(lseek(fd, PAGE, SEEK_DATA), PAGE); /* no holes here */
	CHECK_EQ(lseek(fd, 0, SEEK_HOLE), SIZE);
	CHECK(mmap(NULL, SIZE, PROT_READ, MAP_SHARED, fd, PAGE) == MAP_FAILED && errno == EINVAL);
	close(fd);
}

static void check_mappings(void)
{
	int fd = new_file();
	char *shared, *mine;
	char c = 0;

	CHECK_OK(ftruncate(fd, SIZE));
	shared = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	mine = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
	REQUIRE(shared != MAP_FAILED && mine != MAP_FAILED);
	CHECK_EQ((uintptr_t)shared % HUGE, 0);
	shared[HUGE] = 7;
	CHECK_EQ(mine[HUGE], 7);
	mine[HUGE] = 8;
	CHECK_EQ(shared[HUGE], 7);
	CHECK_EQ(pread(fd, &c, 1, HUGE), 1);
	CHECK_EQ(c, 7);
	CHECK_FAILS(munmap(shared, PAGE), EINVAL);
	CHECK_OK(munmap(shared, SIZE));
	CHECK_OK(munmap(mine, SIZE));
	close(fd);
}

/* Opened by its name again; emptied by O_TRUNC. */
static void check_names(void)
{
	int fd = open(DIR "/named", O_RDWR | O_CREAT | O_EXCL, 0600), again;
	struct stat st;

	REQUIRE(fd >= 0);
	CHECK_OK(ftruncate(fd, HUGE));
	again = open(DIR "/named", O_RDWR);
	CHECK_OK(fstat(again, &st));
	CHECK_EQ(st.st_size, HUGE);
	close(again);
	again = open(DIR "/named", O_RDWR | O_TRUNC);
	CHECK(again >= 0);
	CHECK_OK(fstat(fd, &st));
	CHECK_EQ(st.st_size, 0);
	close(again);
	close(fd);
	CHECK_OK(mkdir(DIR "/dir", 0700));
	CHECK_OK(rename(DIR "/named", DIR "/dir/other"));
	CHECK_OK(unlink(DIR "/dir/other"));
	CHECK_OK(rmdir(DIR "/dir"));
}

/* Guest memory as a private mapping of such a file. */
static void check_guest(void)
{
	int fd = new_file();
	struct vcpu vcpu;
	struct vm vm;
	char *ram;

	CHECK_OK(ftruncate(fd, SIZE));
	ram = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
	REQUIRE(ram != MAP_FAILED);
	vm_create(&vm, 0);
	CHECK_EQ(vm_slot(&vm, 0, 0, GUEST_RAM, SIZE, ram), 0);
	LOAD(ram, counter);
	*(uint64_t *)(void *)(ram + HUGE) = 41;
	vcpu_create(&vm, &vcpu, 0, 0);
	vcpu_start(&vcpu, GUEST_RAM);
	vcpu_set_x(&vcpu, 1, GUEST_RAM + HUGE);
	CHECK_EQ(RUN_TO_WRITE(&vcpu, GUEST_MMIO), 42);
	CHECK_EQ(*(uint64_t *)(void *)(ram + HUGE), 42);
	vcpu_destroy(&vcpu);
	vm_destroy(&vm);
	munmap(ram, SIZE);
	close(fd);
}

int main(void)
{
	int fd;

	mkdir("/tmp", 0777);
	fd = open("/tmp/hugetlbfs", O_CREAT | O_RDWR, 0600);
	close(fd);
	check_filesystem();
	check_memfd(0, HUGE);
	check_memfd(21u << 26, HUGE);
	check_memfd(30u << 26, 1L << 30);
	check_file();
	check_mappings();
	check_names();
	check_guest();
	return check_done("hugetlbfs");
}
