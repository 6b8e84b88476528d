/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A small VMM: one vCPU, one slot of RAM, a console and a seed register, and the guest of guest.S.
 * It computes what the guest should have computed, compares, prints one line and exits with 0 only
 * if everything agrees.
 */
#define _GNU_SOURCE
#include "vmm/demo/guest.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/kvm.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <unistd.h>

#define CORE_REG(field)                                                                            \
	(KVM_REG_ARM64 | KVM_REG_SIZE_U64 | KVM_REG_ARM_CORE | KVM_REG_ARM_CORE_REG(field))

enum {
	PAGE = 4096,
	MIB = 1 << 20,
	WORK_OFFSET = GUEST_WORK - GUEST_CODE,
	DEFAULT_MIB = 16,
	LIMIT_MIB = 1024,
	EL1H_MASKED = 0x3c5,
};

struct machine {
	int kvm, vm, vcpu;
	struct kvm_run *run;
	char *ram;
	size_t ram_size;
	uint64_t seed;
	/* What the guest did to its devices. */
	char console[256];
	size_t printed;
	unsigned mmio_exits, seed_reads;
};

struct guest_results {
	uint64_t work_size, psci_version, crc_mmu_off, crc_mmu_on, second_pass;
};

extern const char guest_start[], guest_end[];

static void fail(const char *what)
{
	fprintf(stderr, "vmm: %s: %s\n", what, strerror(errno));
	exit(1);
}

/* An ioctl that must succeed. */
static int must(int fd, unsigned long request, void *arg, const char *what)
{
	int result = ioctl(fd, request, arg);

	if (result < 0)
		fail(what);
	return result;
}

static void create_ram(struct machine *m, size_t work_size)
{
	struct kvm_userspace_memory_region slot = { .guest_phys_addr = GUEST_CODE };
	struct guest_results *mailbox;

	m->ram_size = WORK_OFFSET + work_size;
	m->ram = mmap(NULL, m->ram_size, PROT_READ | PROT_WRITE,
		      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (m->ram == MAP_FAILED)
		fail("guest memory");
	memcpy(m->ram, guest_start, (size_t)(guest_end - guest_start));
	__builtin___clear_cache(m->ram, m->ram + (guest_end - guest_start));
	mailbox = (struct guest_results *)(m->ram + GUEST_MAILBOX - GUEST_CODE);
	mailbox->work_size = work_size;
	slot.memory_size = m->ram_size;
	slot.userspace_addr = (uint64_t)m->ram;
	must(m->vm, KVM_SET_USER_MEMORY_REGION, &slot, "KVM_SET_USER_MEMORY_REGION");
}

static void set_reg(struct machine *m, uint64_t id, uint64_t value)
{
	struct kvm_one_reg reg = { .id = id, .addr = (uint64_t)&value };

	must(m->vcpu, KVM_SET_ONE_REG, &reg, "KVM_SET_ONE_REG");
}

static void create_vcpu(struct machine *m)
{
	int size = must(m->kvm, KVM_GET_VCPU_MMAP_SIZE, NULL, "KVM_GET_VCPU_MMAP_SIZE");
	struct kvm_vcpu_init init;

	m->vcpu = must(m->vm, KVM_CREATE_VCPU, 0, "KVM_CREATE_VCPU");
	m->run = mmap(NULL, (size_t)size, PROT_READ | PROT_WRITE, MAP_SHARED, m->vcpu, 0);
	if (m->run == MAP_FAILED)
		fail("mapping of the vCPU");
	must(m->vm, KVM_ARM_PREFERRED_TARGET, &init, "KVM_ARM_PREFERRED_TARGET");
	init.features[0] |= 1u << KVM_ARM_VCPU_PSCI_0_2;
	must(m->vcpu, KVM_ARM_VCPU_INIT, &init, "KVM_ARM_VCPU_INIT");
	set_reg(m, CORE_REG(regs.pc), GUEST_CODE);
	set_reg(m, CORE_REG(regs.pstate), EL1H_MASKED);
}

static void create(struct machine *m, size_t work_size)
{
	m->kvm = open("/dev/kvm", O_RDWR | O_CLOEXEC);
	if (m->kvm < 0)
		fail("/dev/kvm");
	if (must(m->kvm, KVM_GET_API_VERSION, NULL, "KVM_GET_API_VERSION") != KVM_API_VERSION) {
		fprintf(stderr, "vmm: this KVM has another API version than %d\n", KVM_API_VERSION);
		exit(1);
	}
	m->vm = must(m->kvm, KVM_CREATE_VM, 0, "KVM_CREATE_VM");
	create_ram(m, work_size);
	create_vcpu(m);
}

/* A device access; -1 if there is no such device. */
static int handle_mmio(struct machine *m)
{
	struct kvm_run *run = m->run;

	m->mmio_exits++;
	if (run->mmio.phys_addr == GUEST_CONSOLE && run->mmio.is_write && run->mmio.len == 1) {
		if (m->printed < sizeof(m->console) - 1)
			m->console[m->printed++] = (char)run->mmio.data[0];
		return 0;
	}
	if (run->mmio.phys_addr == GUEST_SEED && !run->mmio.is_write && run->mmio.len == 8) {
		memcpy(run->mmio.data, &m->seed, sizeof(m->seed));
		m->seed_reads++;
		return 0;
	}
	fprintf(stderr, "vmm: %s of %u bytes at %#llx, where no device is\n",
		run->mmio.is_write ? "write" : "read", run->mmio.len,
		(unsigned long long)run->mmio.phys_addr);
	return -1;
}

/* Runs until the guest powers off; 0 if it did. */
static int run(struct machine *m)
{
	for (;;) {
		if (ioctl(m->vcpu, KVM_RUN, 0) < 0) {
			if (errno == EINTR)
				continue;
			fail("KVM_RUN");
		}
		switch (m->run->exit_reason) {
		case KVM_EXIT_MMIO:
			if (handle_mmio(m))
				return -1;
			break;
		case KVM_EXIT_SYSTEM_EVENT:
			return m->run->system_event.type == KVM_SYSTEM_EVENT_SHUTDOWN ? 0 : -1;
		default: fprintf(stderr, "vmm: exit reason %u\n", m->run->exit_reason); return -1;
		}
	}
}

static uint64_t sequence_next(uint64_t x)
{
	return x * SEQUENCE_MULTIPLIER + SEQUENCE_INCREMENT;
}

/* CRC-32 (reflected polynomial 0xedb88320) of one word more, least significant byte first. */
static uint32_t crc32_add(uint32_t crc, uint64_t word)
{
	for (int byte = 0; byte < 8; byte++, word >>= 8) {
		crc ^= word & 0xff;
		for (int bit = 0; bit < 8; bit++)
			crc = crc >> 1 ^ (crc & 1 ? 0xedb88320u : 0);
	}
	return crc;
}

static int complain(const char *what, uint64_t seen, uint64_t expected)
{
	if (seen == expected)
		return 0;
	fprintf(stderr, "vmm: %s: seen %#lx, expected %#lx\n", what, (unsigned long)seen,
		(unsigned long)expected);
	return 1;
}

/* Compares what the guest left with what it should have left; the number of differences. */
static int verify(const struct machine *m)
{
	const struct guest_results *r = (void *)(m->ram + GUEST_MAILBOX - GUEST_CODE);
	const uint64_t *work = (void *)(m->ram + WORK_OFFSET);
	size_t words = r->work_size / sizeof(*work);
	uint64_t x = m->seed, wrong = 0;
	uint32_t crc = ~0u;
	int bad = 0;

	for (size_t i = 0; i < words; i++)
		crc = crc32_add(crc, x = sequence_next(x));
	for (size_t i = 0; i < words; i++)
		wrong += work[i] != (x = sequence_next(x));
	crc = ~crc;
	bad += complain("work size", r->work_size, m->ram_size - WORK_OFFSET);
	bad += complain("PSCI major version (0.2 or later)", r->psci_version >> 16 <= 1, 1);
	bad += complain("CRC with the MMU off", r->crc_mmu_off, crc);
	bad += complain("CRC with the MMU on", r->crc_mmu_on, crc);
	bad += complain("second pass", r->second_pass, r->work_size);
	bad += complain("words of the second pass that differ", wrong, 0);
	bad += complain("reads of the seed", m->seed_reads, 1);
	bad += complain("console output", (uint64_t)strcmp(m->console, GUEST_GREETING), 0);
	if (!bad)
		printf("vmm: ok: seed %#lx, %zu MiB filled twice, crc %#x, PSCI %lu.%lu, %u MMIO exits\n",
		       (unsigned long)m->seed, r->work_size / MIB, crc,
		       (unsigned long)(r->psci_version >> 16),
		       (unsigned long)(r->psci_version & 0xffff), m->mmio_exits);
	return bad;
}

static size_t parse_mib(const char *text)
{
	char *end;
	unsigned long mib = strtoul(text, &end, 10);

	if (*end || mib < 1 || mib > LIMIT_MIB) {
		fprintf(stderr, "vmm: work area \"%s\": give 1 to %d (MiB)\n", text, LIMIT_MIB);
		exit(2);
	}
	return mib;
}

int main(int argc, char **argv)
{
	static struct machine m;

	if (argc > 2) {
		fprintf(stderr, "usage: vmm [MIB]\n");
		return 2;
	}
	if (getrandom(&m.seed, sizeof(m.seed), 0) != sizeof(m.seed))
		fail("getrandom");
	create(&m, (argc > 1 ? parse_mib(argv[1]) : DEFAULT_MIB) * MIB);
	if (run(&m))
		return 1;
	fputs(m.console, stdout);
	return verify(&m) != 0;
}
