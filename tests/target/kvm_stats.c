/* SPDX-License-Identifier: Apache-2.0 */
/*
 * KVM_GET_STATS_FD: files that describe themselves, read in any pieces, at any position, as long as
 * one descriptor is open, and whose counters count what guests did. And vCPUs that get no
 * descriptor, which leave nothing behind.
 */
#define _GNU_SOURCE
#include "tests/target/check.h"
#include "tests/target/client.h"

#include <fcntl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

GUEST(writes, "1:	str x0, [x19]\n"
	      "	hvc #0\n"
	      "	wfe\n"
	      "	b 1b\n");

/* A file of statistics as one read gives it. */
struct snapshot {
	char *bytes;
	size_t size;
};

static struct snapshot take(int fd)
{
	struct snapshot s = { .bytes = malloc(65536) };
	ssize_t n = pread(fd, s.bytes, 65536, 0);

	REQUIRE(n > (ssize_t)sizeof(struct kvm_stats_header));
	s.size = (size_t)n;
	return s;
}

static struct kvm_stats_desc *desc_at(const struct snapshot *s, unsigned int i)
{
	struct kvm_stats_header *h = (void *)s->bytes;

	return (void *)(s->bytes + h->desc_offset +
			i * (sizeof(struct kvm_stats_desc) + h->name_size));
}

/* The first value of the counter of that name; ~0: there is none. */
static uint64_t value_of(const struct snapshot *s, const char *name)
{
	struct kvm_stats_header *h = (void *)s->bytes;

	for (unsigned int i = 0; i < h->num_desc; i++) {
		struct kvm_stats_desc *d = desc_at(s, i);
		uint64_t value;

		if (strcmp(d->name, name))
			continue;
		memcpy(&value, s->bytes + h->data_offset + d->offset, sizeof(value));
		return value;
	}
	return ~0UL;
}

static uint64_t counter(int fd, const char *name)
{
	struct snapshot s = take(fd);
	uint64_t value = value_of(&s, name);

	free(s.bytes);
	return value;
}

static char *volatile nowhere = (char *)8;

/* Ends where the header says, for every way of reading it. */
static void check_reading(int fd)
{
	struct snapshot s = take(fd);
	struct kvm_stats_header *h = (void *)s.bytes;
	char *again = malloc(s.size + 1);
	struct stat st;
	size_t at = 0;
	ssize_t n;

	CHECK(h->num_desc > 0);
	CHECK(s.size >= h->data_offset + h->num_desc * 8);
	CHECK(strncmp(s.bytes + h->id_offset, "kvm-", 4) == 0);
	/* In small pieces from the file's own position, which pread leaves alone. */
	while ((n = read(fd, again + at, at + 7 <= s.size ? 7 : 1)) > 0)
		at += (size_t)n;
	CHECK_EQ(n, 0);
	CHECK_EQ(at, s.size);
	CHECK(!memcmp(again, s.bytes, h->data_offset));
	CHECK_EQ(read(fd, again, 16), 0);
	CHECK_EQ(pread(fd, again, 16, (off_t)s.size), 0);
	CHECK_EQ(pread(fd, again, 16, 1L << 40), 0);
	CHECK_EQ(pread(fd, again, 16, (off_t)s.size - 3), 3);
	CHECK_EQ(pread(fd, again, 0, 0), 0);
	CHECK_EQ(pread(fd, again, 40, 4), 40);
	CHECK(!memcmp(again, s.bytes + 4, 40));
	CHECK_FAILS(pread(fd, nowhere, 16, 0), EFAULT);
	CHECK_FAILS(pread(fd, again, 16, -1), EINVAL);
	CHECK_EQ(lseek(fd, 0, SEEK_SET), s.size); /* moves nothing */
	CHECK_FAILS(write(fd, again, 1), EBADF);
	CHECK_FAILS(pwrite(fd, again, 1, 0), ESPIPE);
	CHECK(mmap(NULL, PAGE, PROT_READ, MAP_SHARED, fd, 0) == MAP_FAILED && errno == ENODEV);
	CHECK_FAILS(ioctl(fd, KVM_GET_STATS_FD, 0), ENOTTY);
	CHECK_EQ(fcntl(fd, F_GETFL) & O_ACCMODE, O_RDONLY);
	CHECK_EQ(fcntl(fd, F_GETFD), FD_CLOEXEC);
	CHECK_EQ(fstat(fd, &st), 0);
	free(again);
	free(s.bytes);
}

static void run_to(struct vcpu *vcpu, unsigned int exits)
{
	for (unsigned int i = 0; i < exits; i++)
		(void)RUN_TO_WRITE(vcpu, GUEST_MMIO);
}

static void check_counting(struct vcpu *vcpu, int fd)
{
	uint64_t hvc = counter(fd, "hvc_exit_stat"), wfe = counter(fd, "wfe_exit_stat");
	uint64_t exits = counter(fd, "exits"), mmio = counter(fd, "mmio_exit_user");

	CHECK_EQ(counter(fd, "nobody counts this"), ~0UL);
	run_to(vcpu, 11);
	CHECK_EQ(counter(fd, "mmio_exit_user") - mmio, 11);
	CHECK_EQ(counter(fd, "hvc_exit_stat") - hvc, 10);
	CHECK(counter(fd, "wfe_exit_stat") - wfe <= 10);
	CHECK(counter(fd, "exits") - exits >= 21);
	CHECK_EQ(counter(fd, "wfi_exit_stat"), 0);
	vcpu->run->immediate_exit = 1;
	CHECK_EQ(vcpu_run(vcpu), -EINTR);
	vcpu->run->immediate_exit = 0;
}

/* Files outlive all other descriptors of their VM. */
static void check_life(int vm_stats, int vcpu_stats)
{
	int copy = dup(vm_stats);

	CHECK_EQ(close(vm_stats), 0);
	CHECK(counter(copy, "remote_tlb_flush") != ~0UL);
	CHECK_EQ(close(copy), 0);
	CHECK(counter(vcpu_stats, "mmio_exit_user") >= 11);
	CHECK_EQ(close(vcpu_stats), 0);
	CHECK_FAILS(fcntl(vcpu_stats, F_GETFD), EBADF);
}

/* No descriptor is left: nothing is created, and all can be tried again. */
static void check_no_descriptors(struct vm *vm, struct vcpu *vcpu)
{
	struct rlimit before, none = { .rlim_cur = 0 };
	int fd, vcpu_fd = vcpu->fd;

	REQUIRE(getrlimit(RLIMIT_NOFILE, &before) == 0);
	none.rlim_max = before.rlim_max;
	REQUIRE(setrlimit(RLIMIT_NOFILE, &none) == 0);
	for (int i = 0; i < 100; i++) {
		CHECK_FAILS(ioctl(vm->fd, KVM_CREATE_VCPU, 5), EMFILE);
		CHECK_FAILS(ioctl(vm->fd, KVM_GET_STATS_FD, 0), EMFILE);
		CHECK_FAILS(ioctl(vcpu_fd, KVM_GET_STATS_FD, 0), EMFILE);
		CHECK_FAILS(ioctl(vm->kvm, KVM_CREATE_VM, 0), EMFILE);
	}
	REQUIRE(setrlimit(RLIMIT_NOFILE, &before) == 0);
	fd = ioctl(vm->fd, KVM_CREATE_VCPU, 5);
	CHECK_OK(fd);
	CHECK_FAILS(ioctl(vm->fd, KVM_CREATE_VCPU, 5), EEXIST);
	close(fd);
}

int main(void)
{
	int vm_stats, vcpu_stats;
	struct vcpu vcpu;
	struct vm vm;

	vm_create(&vm, 0);
	REQUIRE(VM_CAP(&vm, KVM_CAP_BINARY_STATS_FD) == 1);
	vcpu_create(&vm, &vcpu, 0, 0);
	LOAD(vm_ram(&vm, 0, GUEST_RAM, 64 * 1024), writes);
	vcpu_start(&vcpu, GUEST_RAM);
	vm_stats = ioctl(vm.fd, KVM_GET_STATS_FD, 0);
	vcpu_stats = ioctl(vcpu.fd, KVM_GET_STATS_FD, 0);
	REQUIRE(vm_stats >= 0 && vcpu_stats >= 0);
	check_reading(vm_stats);
	check_reading(vcpu_stats);
	check_counting(&vcpu, vcpu_stats);
	check_no_descriptors(&vm, &vcpu);
	vcpu_destroy(&vcpu);
	vm_destroy(&vm);
	check_life(vm_stats, vcpu_stats);
	return check_done("kvm_stats");
}
