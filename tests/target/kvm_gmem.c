/* SPDX-License-Identifier: Apache-2.0 */
/*
 * guest_memfd: what files of guest memory can be asked for, how user space sees them, slots that
 * show them, holes, and files that end before their slots. Linux has it on arm64 since 6.18; an
 * older host leaves all out.
 */
#define _GNU_SOURCE
#include "abi/catwalk.h"
#include "tests/target/check.h"
#include "tests/target/client.h"

#include <fcntl.h>
#include <linux/falloc.h>
#include <pthread.h>
#include <setjmp.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum { SHARED = GUEST_MEMFD_FLAG_MMAP | GUEST_MEMFD_FLAG_INIT_SHARED, SLOT = 3, PAGES = 8 };

#define GPA  0x80000000UL
#define SIZE ((unsigned long)PAGES * PAGE)
#define HOLE (FALLOC_FL_KEEP_SIZE | FALLOC_FL_PUNCH_HOLE)

/* Reads x0's byte address, tells what was there, writes x1 there. */
GUEST(swaps, "1:	ldr x2, [x0]\n"
	     "	str x2, [x19]\n"
	     "	str x1, [x0]\n"
	     "	str x1, [x19, #8]\n"
	     "	b 1b\n");

/* Reads each page of PAGES for ever, until one is not as x1 says; tells which. */
GUEST(watches, "1:	mov x2, x0\n"
	       "	mov x3, #8\n"
	       "2:	ldr x4, [x2]\n"
	       "	cmp x4, x1\n"
	       "	b.ne 3f\n"
	       "	add x2, x2, #4096\n"
	       "	subs x3, x3, #1\n"
	       "	b.ne 2b\n"
	       "	b 1b\n"
	       "3:	str x2, [x19]\n"
	       "	b 1b\n");

static struct vm vm;
static struct vcpu vcpu;

static int gmem_new(const struct vm *of, unsigned long size, unsigned long flags)
{
	struct kvm_create_guest_memfd r = { .size = size, .flags = flags };

	return ioctl(of->fd, KVM_CREATE_GUEST_MEMFD, &r);
}

static int region(const struct vm *of, unsigned slot, unsigned flags, unsigned long gpa,
		  unsigned long size, int fd, unsigned long offset)
{
	struct kvm_userspace_memory_region2 r = {
		.slot = slot,
		.flags = flags,
		.guest_phys_addr = gpa,
		.memory_size = size,
		.guest_memfd = (unsigned)fd,
		.guest_memfd_offset = offset,
	};

	return ioctl(of->fd, KVM_SET_USER_MEMORY_REGION2, &r);
}

static int show(int fd, unsigned long offset, unsigned long size)
{
	return region(&vm, SLOT, KVM_MEM_GUEST_MEMFD, GPA, size, fd, offset);
}

static int unshow(void)
{
	return region(&vm, SLOT, 0, GPA, 0, -1, 0);
}

static uint64_t *map(int fd, unsigned long size)
{
	uint64_t *p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

	REQUIRE(p != MAP_FAILED);
	return p;
}

static uint64_t *page_of(uint64_t *p, unsigned n)
{
	return p + n * (PAGE / sizeof(*p));
}

/* ---- the file */

static void check_creation(void)
{
	unsigned long known = (unsigned long)VM_CAP(&vm, KVM_CAP_GUEST_MEMFD_FLAGS);
	int fd;

	CHECK_EQ(known & SHARED, SHARED);
	CHECK_EQ(VM_CAP(&vm, KVM_CAP_MEMORY_ATTRIBUTES), 0);
	for (unsigned long flag = 1; flag; flag <<= 1) {
		if (flag & known)
			close(CHECK_OK(fd = gmem_new(&vm, PAGE, flag)) ? fd : -1);
		else
			CHECK_FAILS(gmem_new(&vm, PAGE, flag), EINVAL);
	}
	for (unsigned long size = 0; size < PAGE; size += 511)
		CHECK_FAILS(gmem_new(&vm, size, 0), EINVAL);
	CHECK_FAILS(gmem_new(&vm, PAGE + 1, 0), EINVAL);
	CHECK_FAILS(gmem_new(&vm, 1UL << 63, 0), EINVAL);
	CHECK_FAILS(gmem_new(&vm, -(unsigned long)PAGE, 0), EINVAL);
	CHECK_FAILS(ioctl(vm.fd, KVM_CREATE_GUEST_MEMFD, 8), EFAULT);
	fd = gmem_new(&vm, (1UL << 63) - PAGE, SHARED);
	CHECK_OK(fd);
	CHECK_EQ(fallocate(fd, HOLE, 0, (1L << 62)), 0);
	close(fd);
}

static void check_file(int fd, unsigned long size)
{
	int other = gmem_new(&vm, PAGE, 0);
	struct stat st, st2;
	char buf[16];

	REQUIRE(fstat(fd, &st) == 0 && fstat(other, &st2) == 0);
	CHECK_EQ(st.st_size, size);
	CHECK_EQ(st.st_blksize, PAGE);
	CHECK(S_ISREG(st.st_mode));
	CHECK(st.st_ino != st2.st_ino);
	CHECK_FAILS(read(fd, buf, sizeof(buf)), EINVAL);
	CHECK_FAILS(write(fd, buf, sizeof(buf)), EINVAL);
	CHECK_FAILS(pread(fd, buf, sizeof(buf), 0), ESPIPE);
	CHECK_FAILS(pwrite(fd, buf, sizeof(buf), 0), ESPIPE);
	CHECK_FAILS(lseek(fd, 0, SEEK_END), ESPIPE);
	CHECK_FAILS(ftruncate(fd, PAGE), EINVAL);
	CHECK_FAILS(ioctl(fd, KVM_GET_API_VERSION, 0), ENOTTY);
	CHECK_EQ(fcntl(fd, F_GETFD), 0);
	CHECK_EQ(fcntl(fd, F_GETFL) & O_ACCMODE, O_RDWR);
	close(other);
}

static void check_fallocate(int fd, unsigned long size)
{
	static const struct {
		int mode;
		long offset, length;
		int error;
	} rows[] = {
		{ FALLOC_FL_KEEP_SIZE, 0, SIZE, 0 },
		{ FALLOC_FL_KEEP_SIZE, 0, SIZE + PAGE, EINVAL },
		{ FALLOC_FL_KEEP_SIZE, SIZE, PAGE, EINVAL },
		{ FALLOC_FL_KEEP_SIZE, SIZE + PAGE, PAGE, EINVAL },
		{ FALLOC_FL_KEEP_SIZE, 1, PAGE, EINVAL },
		{ FALLOC_FL_KEEP_SIZE, PAGE, PAGE + 1, EINVAL },
		{ FALLOC_FL_KEEP_SIZE, -PAGE, PAGE, EINVAL },
		{ FALLOC_FL_KEEP_SIZE, 0, 0, EINVAL },
		{ 0, 0, PAGE, EOPNOTSUPP },
		{ FALLOC_FL_PUNCH_HOLE, 0, PAGE, EOPNOTSUPP },
		{ FALLOC_FL_KEEP_SIZE | FALLOC_FL_ZERO_RANGE, 0, PAGE, EOPNOTSUPP },
		{ HOLE, 1, PAGE, EINVAL },
		{ HOLE, PAGE, PAGE - 1, EINVAL },
		{ HOLE, PAGE, PAGE, 0 },
		{ HOLE, SIZE, PAGE, 0 },
		{ HOLE, SIZE + PAGE, PAGE, 0 },
		{ HOLE, 0, 1L << 62, 0 },
		{ FALLOC_FL_KEEP_SIZE, PAGE, PAGE, 0 },
	};

	CHECK_EQ(size, SIZE);
	for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		int seen = fallocate(fd, rows[i].mode, rows[i].offset, rows[i].length) ? errno : 0;

		if (!check_note(seen == rows[i].error))
			printf("fallocate row %u: seen %d, expected %d\n", i, seen, rows[i].error);
	}
}

static sigjmp_buf at_fault;

static void on_sigbus(int sig)
{
	siglongjmp(at_fault, sig);
}

/* Does reading (or writing) there end in SIGBUS? */
static int faults(volatile uint64_t *p, int write)
{
	if (sigsetjmp(at_fault, 1))
		return 1;
	if (write)
		*p = 1;
	else
		(void)*p;
	return 0;
}

static void check_mappings(void)
{
	int none = gmem_new(&vm, SIZE, 0), mine = gmem_new(&vm, SIZE, GUEST_MEMFD_FLAG_MMAP);
	int shared = gmem_new(&vm, SIZE, SHARED);
	uint64_t *p;

	REQUIRE(none >= 0 && mine >= 0 && shared >= 0);
	CHECK(mmap(NULL, PAGE, PROT_READ, MAP_SHARED, none, 0) == MAP_FAILED && errno == ENODEV);
	CHECK(mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE, shared, 0) == MAP_FAILED && errno == EINVAL);
	CHECK(mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE, mine, 0) == MAP_FAILED && errno == EINVAL);

	p = map(mine, SIZE);
	CHECK_EQ(faults(p, 0), 1);
	CHECK_EQ(faults(p, 1), 1);
	munmap(p, SIZE);

	p = map(shared, 2 * SIZE);
	for (unsigned i = 0; i < PAGES; i++)
		*page_of(p, i) = 100 + i;
	CHECK_EQ(faults(page_of(p, PAGES), 0), 1);
	CHECK_EQ(faults(page_of(p, PAGES), 1), 1);
	CHECK_EQ(fallocate(shared, HOLE, PAGE, 2L * PAGE), 0);
	for (unsigned i = 0; i < PAGES; i++)
		CHECK_EQ(*page_of(p, i), i == 1 || i == 2 ? 0 : 100 + i);
	CHECK_FAILS(madvise(p, SIZE, 25), EINVAL); /* MADV_COLLAPSE */
	CHECK_EQ(madvise(p, SIZE, MADV_HUGEPAGE), 0);
	CHECK_EQ(madvise(p, SIZE, MADV_DONTNEED), 0);
	CHECK_EQ(*page_of(p, 5), 105);
	CHECK_EQ(madvise(p, PAGE, MADV_REMOVE), 0);
	CHECK_EQ(*p, 0);
	munmap(p, 2 * SIZE);
	close(none);
	close(mine);
	close(shared);
}

/* ---- slots */

static void check_slots(void)
{
	int fd = gmem_new(&vm, SIZE, SHARED), none = gmem_new(&vm, SIZE, 0), plain, foreign;
	void *ram = host_memory(SIZE, PAGE);
	struct vm other;

	vm_create(&other, 0);
	foreign = gmem_new(&other, SIZE, SHARED);
	plain = memfd_create("plain", 0);
	REQUIRE(fd >= 0 && none >= 0 && foreign >= 0 && plain >= 0);

	CHECK_FAILS(show(-1, 0, SIZE), EBADF);
	CHECK_FAILS(show(900, 0, SIZE), EBADF);
	CHECK_FAILS(show(plain, 0, SIZE), EINVAL);
	CHECK_FAILS(show(vm.fd, 0, SIZE), EINVAL);
	CHECK_FAILS(show(vm.kvm, 0, SIZE), EINVAL);
	CHECK_FAILS(show(foreign, 0, SIZE), EINVAL);
	CHECK_FAILS(show(none, 0, SIZE), EINVAL);
	CHECK_FAILS(show(fd, 1, PAGE), EINVAL);
	CHECK_FAILS(show(fd, PAGE, SIZE), EINVAL);
	CHECK_FAILS(show(fd, SIZE, PAGE), EINVAL);
	CHECK_FAILS(show(fd, -(unsigned long)PAGE, 2UL * PAGE), EINVAL);
	CHECK_FAILS(show(fd, 0, PAGE + 1), EINVAL);
	CHECK_FAILS(region(&vm, SLOT, KVM_MEM_GUEST_MEMFD | KVM_MEM_READONLY, GPA, SIZE, fd, 0),
		    EINVAL);
	CHECK_FAILS(region(&vm, SLOT, KVM_MEM_GUEST_MEMFD | KVM_MEM_LOG_DIRTY_PAGES, GPA, SIZE, fd,
			   0),
		    EINVAL);
	CHECK_FAILS(region(&vm, SLOT, KVM_MEM_GUEST_MEMFD | 1u << 3, GPA, SIZE, fd, 0), EINVAL);
	CHECK_FAILS(region(&vm, SLOT, KVM_MEM_GUEST_MEMFD, 1UL << 60, SIZE, fd, 0), EFAULT);
	CHECK_FAILS(region(&vm, SLOT, KVM_MEM_GUEST_MEMFD, GUEST_RAM, SIZE, fd, 0), EEXIST);
	CHECK_FAILS(region(&vm, SLOT, KVM_MEM_GUEST_MEMFD, GUEST_RAM, SIZE, 900, 0), EEXIST);
	CHECK_EQ(vm_slot(&vm, SLOT, KVM_MEM_GUEST_MEMFD, GPA, SIZE, ram), -EINVAL);
	CHECK_FAILS(unshow(), EINVAL); /* none of them was made */

	CHECK_EQ(show(fd, 0, 4UL * PAGE), 0);
	CHECK_FAILS(show(fd, 0, 4UL * PAGE), EINVAL);
	CHECK_FAILS(region(&vm, SLOT, KVM_MEM_GUEST_MEMFD, 2 * GPA, 4UL * PAGE, fd, 0), EINVAL);
	CHECK_EQ(vm_slot(&vm, SLOT, 0, GPA, 4UL * PAGE, ram), -EINVAL);
	CHECK_EQ(vm_slot(&vm, SLOT, KVM_MEM_LOG_DIRTY_PAGES, GPA, 4UL * PAGE, ram), -EINVAL);
	/* No page of a file is in two slots. */
	CHECK_FAILS(region(&vm, SLOT + 1, KVM_MEM_GUEST_MEMFD, 2 * GPA, 2UL * PAGE, fd, 3UL * PAGE),
		    EEXIST);
	CHECK_EQ(region(&vm, SLOT + 1, KVM_MEM_GUEST_MEMFD, 2 * GPA, 4UL * PAGE, fd, 4UL * PAGE),
		 0);
	CHECK_EQ(unshow(), 0);
	CHECK_FAILS(show(fd, 2UL * PAGE, 4UL * PAGE), EEXIST);
	CHECK_EQ(show(fd, PAGE, 3UL * PAGE), 0);
	CHECK_EQ(region(&vm, SLOT, KVM_MEM_GUEST_MEMFD, GPA, 0, -1, 0), 0);
	CHECK_EQ(region(&vm, SLOT + 1, 0, 0, 0, -1, 0), 0);
	/* The number of a slot that showed a file serves any other. */
	CHECK_EQ(vm_slot(&vm, SLOT, 0, GPA, SIZE, ram), 0);
	CHECK_FAILS(show(fd, 0, SIZE), EINVAL);
	CHECK_EQ(vm_slot(&vm, SLOT, 0, GPA, 0, ram), 0);
	munmap(ram, SIZE);
	close(fd);
	close(none);
	close(plain);
	close(foreign);
	vm_destroy(&other);
}

/* The guest begins at @pc, with nothing of its last exit left to do. */
static void start(unsigned long pc)
{
	vcpu.run->immediate_exit = 1;
	CHECK_EQ(vcpu_run(&vcpu), -EINTR);
	vcpu.run->immediate_exit = 0;
	vcpu_start(&vcpu, pc);
}

/* What the guest finds at @gpa; it leaves @value there. */
static uint64_t swap(unsigned long gpa, uint64_t value)
{
	uint64_t seen;

	start(GUEST_RAM);
	vcpu_set_x(&vcpu, 0, gpa);
	vcpu_set_x(&vcpu, 1, value);
	seen = RUN_TO_WRITE(&vcpu, GUEST_MMIO);
	CHECK_EQ(RUN_TO_WRITE(&vcpu, GUEST_MMIO + 8), value);
	return seen;
}

static void check_guest(void)
{
	int fd = gmem_new(&vm, SIZE, SHARED), mine = gmem_new(&vm, SIZE, GUEST_MEMFD_FLAG_MMAP);
	uint64_t *p = map(fd, SIZE);

	*page_of(p, 2) = 22;
	CHECK_EQ(show(fd, PAGE, SIZE - PAGE), 0);
	CHECK_EQ(swap(GPA + PAGE, 23), 22); /* page 2 of the file is page 1 of the slot */
	CHECK_EQ(*page_of(p, 2), 23);
	CHECK_EQ(swap(GPA, 11), 0);
	CHECK_EQ(*page_of(p, 1), 11);
	/* A hole is one for both. */
	CHECK_EQ(fallocate(fd, HOLE, PAGE, PAGE), 0);
	CHECK_EQ(swap(GPA, 12), 0);
	CHECK_EQ(swap(GPA + PAGE, 24), 23);
	CHECK_EQ(*page_of(p, 1), 12);
	CHECK_EQ(fallocate(fd, HOLE, 0, SIZE), 0);
	CHECK_EQ(*page_of(p, 1), 0);
	CHECK_EQ(swap(GPA, 13), 0);
	CHECK_EQ(swap(GPA + PAGE, 25), 0);
	CHECK_EQ(unshow(), 0);
	/* The content stays with the file. */
	CHECK_EQ(*page_of(p, 2), 25);
	CHECK_EQ(show(fd, 0, SIZE), 0);
	CHECK_EQ(swap(GPA + 2UL * PAGE, 26), 25);
	CHECK_EQ(unshow(), 0);
	munmap(p, SIZE);
	close(fd);
	/* Memory that user space cannot see serves a guest all the same. */
	CHECK_EQ(show(mine, 0, SIZE), 0);
	CHECK_EQ(swap(GPA, 5), 0);
	CHECK_EQ(swap(GPA, 6), 5);
	CHECK_EQ(fallocate(mine, HOLE, 0, PAGE), 0);
	CHECK_EQ(swap(GPA, 7), 0);
	CHECK_EQ(unshow(), 0);
	close(mine);
}

static void check_prefault(void)
{
	int fd = gmem_new(&vm, SIZE, SHARED);
	struct kvm_pre_fault_memory r = { .gpa = GPA, .size = SIZE };
	struct stat st;

	CHECK_EQ(show(fd, 0, SIZE), 0);
	CHECK_EQ(ioctl(vcpu.fd, KVM_PRE_FAULT_MEMORY, &r), 0);
	CHECK_EQ(r.size, 0);
	CHECK_EQ(fstat(fd, &st), 0);
	CHECK_EQ(st.st_blocks, SIZE / 512);
	CHECK_EQ(fallocate(fd, HOLE, 0, SIZE), 0);
	CHECK_EQ(fstat(fd, &st), 0);
	CHECK_EQ(st.st_blocks, 0);
	CHECK_EQ(unshow(), 0);
	close(fd);
}

static void refused_for(const char *word)
{
	struct catwalk_memory_fault *f = (void *)vcpu.run->padding;

	CHECK_EQ(vcpu_run(&vcpu), -EFAULT);
	CHECK_EQ(vcpu.run->exit_reason, KVM_EXIT_MEMORY_FAULT);
	CHECK_EQ(f->gpa, GPA);
	if (VM_CAP(&vm, KVM_CAP_CATWALK_REFUSAL) == 1)
		CHECK(strstr(f->reason, word) != NULL);
}

static void check_end_of_file(void)
{
	int fd = gmem_new(&vm, SIZE, SHARED), again;
	uint64_t *p = map(fd, SIZE);

	CHECK_EQ(show(fd, 0, SIZE), 0);
	*p = 1;
	CHECK_EQ(swap(GPA, 2), 1);
	close(fd); /* the mapping holds it still */
	CHECK_EQ(swap(GPA, 3), 2);
	munmap(p, SIZE);
	start(GUEST_RAM);
	refused_for("closed");
	/* The slot cannot be given another. */
	again = gmem_new(&vm, SIZE, SHARED);
	CHECK_FAILS(show(again, 0, SIZE), EINVAL);
	CHECK_EQ(unshow(), 0);
	CHECK_EQ(show(again, 0, SIZE), 0);
	CHECK_EQ(swap(GPA, 4), 0);
	CHECK_EQ(unshow(), 0);
	close(again);
}

/* A child that inherits the file punches a hole under a guest that runs. */
static void check_race(void)
{
	int fd = gmem_new(&vm, SIZE, SHARED);
	uint64_t *p = map(fd, SIZE);
	char *code = host_memory(PAGE, PAGE);
	pid_t child;

	LOAD(code, watches);
	CHECK_EQ(vm_slot(&vm, 5, 0, 0x60000000, PAGE, code), 0);
	CHECK_EQ(show(fd, 0, SIZE), 0);
	for (unsigned round = 0; round < 50; round++) {
		unsigned which = round % PAGES;

		for (unsigned i = 0; i < PAGES; i++)
			*page_of(p, i) = 77;
		child = fork();
		if (child == 0) {
			usleep(round * 50);
			_exit(fallocate(fd, HOLE, which * PAGE, PAGE) != 0);
		}
		start(0x60000000);
		vcpu_set_x(&vcpu, 0, GPA);
		vcpu_set_x(&vcpu, 1, 77);
		CHECK_EQ(RUN_TO_WRITE(&vcpu, GUEST_MMIO), GPA + which * PAGE);
		CHECK_EQ(waitpid(child, NULL, 0), child);
	}
	CHECK_EQ(unshow(), 0);
	CHECK_EQ(vm_slot(&vm, 5, 0, 0x60000000, 0, code), 0);
	munmap(p, SIZE);
	close(fd);
}

static void *closes(void *arg)
{
	close(*(int *)arg);
	return NULL;
}

/* The last reference may be the one that a slot call holds. */
static void check_close_race(void)
{
	for (unsigned round = 0; round < 300; round++) {
		int fd = gmem_new(&vm, SIZE, SHARED), error;
		pthread_t other;

		REQUIRE(pthread_create(&other, NULL, closes, &fd) == 0);
		error = show(fd, 0, SIZE) ? errno : 0;
		CHECK(error == 0 || error == EBADF);
		pthread_join(other, NULL);
		if (!error)
			CHECK_EQ(unshow(), 0);
	}
}

/* The VM ends with its last file, which works until then. */
static void check_file_outlives_vm(void)
{
	struct vm gone;
	uint64_t *p;
	int fd;

	vm_create(&gone, 0);
	fd = gmem_new(&gone, SIZE, SHARED);
	p = map(fd, SIZE);
	CHECK_EQ(region(&gone, SLOT, KVM_MEM_GUEST_MEMFD, GPA, SIZE, fd, 0), 0);
	vm_destroy(&gone);
	*p = 9;
	CHECK_EQ(fallocate(fd, HOLE, 0, PAGE), 0);
	CHECK_EQ(*p, 0);
	close(fd);
	*p = 10;
	munmap(p, SIZE);
}

int main(void)
{
	struct sigaction bus = { .sa_handler = on_sigbus };
	int fd;

	sigaction(SIGBUS, &bus, NULL);
	vm_create(&vm, 0);
	if (VM_CAP(&vm, KVM_CAP_GUEST_MEMFD) != 1) {
		printf("kvm_gmem: left out, no KVM_CAP_GUEST_MEMFD\n");
		return 0;
	}
	vcpu_create(&vm, &vcpu, 0, 0);
	LOAD(vm_ram(&vm, 0, GUEST_RAM, 64 * 1024), swaps);
	check_creation();
	for (unsigned long flags = 0; flags <= SHARED; flags++) {
		fd = gmem_new(&vm, SIZE, flags);
		check_file(fd, SIZE);
		check_fallocate(fd, SIZE);
		close(fd);
	}
	check_mappings();
	check_slots();
	check_guest();
	check_prefault();
	check_end_of_file();
	check_race();
	check_close_race();
	check_file_outlives_vm();
	vcpu_destroy(&vcpu);
	vm_destroy(&vm);
	return check_done("kvm_gmem");
}
