/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Device memory in programs and in guests: what the driver of /dev/devmem populates, in each of its
 * ways, as a program can see it (smaps, mremap, faults counted, bytes) and as a guest uses it
 * (design.md M1, M3 to M6, M14). Regions that the machine does not have are left out; a board has
 * a clock and a GPIO controller always.
 *
 *   devmem          all checks
 *   devmem mail     a guest copies the page at MAIL_IN of ivshmem0 to MAIL_OUT, for the other side
 *                   of the memory's file to read
 *   devmem gigabyte a guest uses 1 GiB of ivshmem0 by one leaf; the run's report counts
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <pthread.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "abi/catwalk.h"
#include "abi/catwalk_devmem.h"
#include "tests/target/check.h"
#include "tests/target/client.h"

enum { HUGE = 2 * MIB, MAIL_IN = 8 * MIB, MAIL_OUT = MAIL_IN + PAGE, MAIL_SIZE = PAGE };

#define GIB	 (1ul << 30)
#define DATA_GPA (64ul << 30)

/* An open file of /dev/devmem and its one mapping. */
struct mapping {
	int fd;
	char *at;
	size_t size;
};

static int node_open(const char *name)
{
	char path[80];

	snprintf(path, sizeof(path), "/dev/devmem/%s", name);
	return open(path, O_RDWR | O_CLOEXEC);
}

static struct catwalk_devmem_info info_of(int fd)
{
	struct catwalk_devmem_info info = { 0 };

	CHECK_OK(ioctl(fd, CATWALK_DEVMEM_GET_INFO, &info));
	return info;
}

/* False, and nothing to undo: the machine has no such region. */
static int map_node(struct mapping *m, const char *name)
{
	m->fd = node_open(name);
	if (m->fd < 0) {
		CHECK_EQ(errno, ENOENT);
		return 0;
	}
	m->size = info_of(m->fd).size;
	m->at = mmap(NULL, m->size, PROT_READ | PROT_WRITE, MAP_SHARED, m->fd, 0);
	REQUIRE(m->at != MAP_FAILED);
	return 1;
}

static void unmap_node(struct mapping *m)
{
	CHECK_OK(munmap(m->at, m->size));
	close(m->fd);
}

static uint32_t reg(const struct mapping *m, size_t offset)
{
	return *(volatile uint32_t *)(m->at + offset);
}

static volatile uint64_t *word(const struct mapping *m, size_t offset)
{
	return (volatile uint64_t *)(m->at + offset);
}

/* ---- what /proc says */

/* Copies the VmFlags of the mapping that begins at @at into @flags, as "rd wr ... ". */
static void vm_flags_at(const void *at, char *flags, size_t size)
{
	FILE *f = fopen("/proc/self/smaps", "r");
	char line[512];
	unsigned long start, end;
	int here = 0;

	REQUIRE(f);
	flags[0] = '\0';
	while (fgets(line, sizeof(line), f)) {
		if (sscanf(line, "%lx-%lx ", &start, &end) == 2 && strchr(line, '-'))
			here = start == (unsigned long)at;
		if (here && !strncmp(line, "VmFlags: ", 9))
			snprintf(flags, size, "%.*s", (int)strcspn(line + 9, "\n"), line + 9);
	}
	fclose(f);
}

static int has_flag(const void *at, const char *flag)
{
	char flags[128];

	vm_flags_at(at, flags, sizeof(flags));
	return strstr(flags, flag) != NULL;
}

/* Does a mapping begin at @at? */
static int is_listed(const void *at)
{
	char flags[128];

	vm_flags_at(at, flags, sizeof(flags));
	return flags[0] != '\0';
}

static const char *const regions[] = { "rtc", "gpio", "ivshmem0", "edu0", "pci-testdev0" };

static const struct {
	const char *name;
	const char *flags; /* two letters each: what smaps must show, and no other of the five */
	const char *after; /* the same once a byte was read */
} populations[] = {
	{ "now", "pf io de dd", "pf io de dd" },
	{ "now-2m", "pf io de dd", "pf io de dd" },
	{ "now-1g", "pf io de dd", "pf io de dd" },
	{ "lazy", "pf io de dd", "pf io de dd" },
	{ "lazy-2m", "pf io de dd", "pf io de dd" },
	{ "lazy-1g", "pf io de dd", "pf io de dd" },
	{ "late-pfnmap", "", "pf" },
	{ "read-first", "pf io de dd", "pf io de dd" },
	{ "read-only", "pf io de dd", "pf io de dd" },
	{ "any-uncached", "pf io de dd", "pf io de dd" },
	{ "nc", "pf io de dd", "pf io de dd" },
	{ "nc-any-uncached", "pf io de dd", "pf io de dd" },
	{ "declared-wb", "pf io de dd", "pf io de dd" },
	{ "declared-device", "pf io de dd", "pf io de dd" },
	{ "device", "pf io de dd", "pf io de dd" },
	{ "mixed", "io de dd mm", "io de dd mm" },
};

#define POPULATION_COUNT (sizeof(populations) / sizeof(populations[0]))

static void check_flags(const struct mapping *m, const char *expected)
{
	static const char *const all[] = { "pf", "io", "de", "dd", "mm" };

	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
		if (!CHECK_EQ(has_flag(m->at, all[i]), strstr(expected, all[i]) != NULL))
			printf("    of flag %s, expected are \"%s\"\n", all[i], expected);
	}
}

/* Memory that may not grow does not, and it does not move under another's size either. */
static void check_no_growth(const struct mapping *m)
{
	CHECK_FAILS(mremap(m->at, m->size, m->size + PAGE, MREMAP_MAYMOVE), EFAULT);
	CHECK_FAILS(mremap(m->at, m->size, m->size + PAGE, 0), EFAULT);
}

static void check_population(const char *region, size_t i)
{
	struct mapping m;
	char name[64];

	snprintf(name, sizeof(name), "%s/%s", region, populations[i].name);
	if (!map_node(&m, name))
		return;
	check_flags(&m, populations[i].flags);
	(void)reg(&m, 0);
	check_flags(&m, populations[i].after);
	if (strstr(populations[i].after, "de"))
		check_no_growth(&m);
	CHECK_FAILS(mmap(NULL, m.size, PROT_READ, MAP_PRIVATE, m.fd, 0), EINVAL);
	CHECK_FAILS(mmap(NULL, m.size + PAGE, PROT_READ, MAP_SHARED, m.fd, 0), EINVAL);
	CHECK_FAILS(mmap(NULL, PAGE, PROT_READ, MAP_SHARED, m.fd, m.size), EINVAL);
	unmap_node(&m);
}

static void check_populations(void)
{
	for (size_t r = 0; r < sizeof(regions) / sizeof(regions[0]); r++) {
		for (size_t i = 0; i < POPULATION_COUNT; i++)
			check_population(regions[r], i);
	}
}

/* Two neighbours that would be one if they were memory. */
static void check_no_merge(void)
{
	char *at = mmap(NULL, 2 * HUGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	int fd = node_open("edu0/lazy");

	if (fd < 0)
		return;
	for (size_t i = 0; i < 2; i++)
		REQUIRE(mmap(at + i * PAGE, PAGE, PROT_READ, MAP_SHARED | MAP_FIXED, fd,
			     (off_t)(i * PAGE)) != MAP_FAILED);
	CHECK(is_listed(at));
	CHECK(is_listed(at + PAGE));
	CHECK_OK(munmap(at, 2 * HUGE));
	close(fd);
}

/* ---- registers */

static void check_clock(void)
{
	struct mapping m;
	uint32_t first;

	REQUIRE(map_node(&m, "rtc/now"));
	CHECK_EQ(reg(&m, 0xfe0), 0x31); /* PeriphID0 of a PL031 */
	first = reg(&m, 0);
	CHECK(labs((long)first - (long)time(NULL)) <= 10);
	sleep(2);
	CHECK(reg(&m, 0) - first >= 1 && reg(&m, 0) - first <= 30);
	unmap_node(&m);
	REQUIRE(map_node(&m, "gpio/lazy"));
	CHECK_EQ(reg(&m, 0xfe0), 0x61); /* of a PL061 */
	unmap_node(&m);
}

static void check_edu(void)
{
	static const char *const names[] = { "edu0/now", "edu0/any-uncached", "edu0/lazy" };
	struct mapping m;

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		if (!map_node(&m, names[i]))
			return;
		CHECK_EQ(reg(&m, 0), 0x010000ed);
		*(volatile uint32_t *)(m.at + 4) = 0x1234abcd + (uint32_t)i;
		CHECK_EQ(reg(&m, 4), ~(0x1234abcd + (uint32_t)i));
		unmap_node(&m);
	}
}

/* ---- coherent memory */

/* Faults that one byte in each page of the first 4 MiB takes. */
static void check_fault_counts(void)
{
	static const struct {
		const char *name;
		size_t block; /* of leaves that faults make; 0: none */
	} rows[] = {
		{ "ivshmem0/now", 0 },	     { "ivshmem0/now-1g", 0 },
		{ "ivshmem0/lazy", PAGE },   { "ivshmem0/lazy-2m", HUGE },
		{ "ivshmem0/lazy-1g", GIB }, { "ivshmem0/late-pfnmap", PAGE },
	};
	struct mapping m;

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		size_t block = rows[i].block;

		if (!map_node(&m, rows[i].name))
			return;
		if (block > m.size)
			block = HUGE;
		for (size_t at = 0; at < 4 * MIB; at += PAGE)
			(void)*word(&m, at);
		CHECK_EQ(info_of(m.fd).faults, block ? (4 * MIB + block - 1) / block : 0);
		unmap_node(&m);
	}
}

/* Whoever locks all of memory has not asked for a driver's. */
static void check_lock_all(void)
{
	struct mapping before, after;

	REQUIRE(map_node(&before, "gpio/lazy"));
	CHECK_OK(mlockall(MCL_CURRENT | MCL_FUTURE));
	REQUIRE(map_node(&after, "rtc/lazy"));
	CHECK_EQ(info_of(before.fd).faults, 0);
	CHECK_EQ(info_of(after.fd).faults, 0);
	CHECK_OK(munlockall());
	unmap_node(&after);
	unmap_node(&before);
}

/* All files of a region are the same bytes, also for system calls. */
static void check_same_bytes(void)
{
	struct mapping now, lazy;
	char text[16] = "";
	int pipes[2];

	if (!map_node(&now, "ivshmem0/now"))
		return;
	REQUIRE(map_node(&lazy, "ivshmem0/late-pfnmap"));
	for (size_t at = 0; at < now.size; at += now.size / 16)
		*word(&now, at + 24) = 7 * at + 1;
	for (size_t at = 0; at < now.size; at += now.size / 16)
		CHECK_EQ(*word(&lazy, at + 24), 7 * at + 1);
	REQUIRE(pipe(pipes) == 0);
	memcpy(now.at + PAGE, "device memory", 14);
	CHECK_EQ(write(pipes[1], lazy.at + PAGE, 14), 14);
	CHECK_EQ(read(pipes[0], lazy.at + 5 * PAGE, 14), 14);
	memcpy(text, now.at + 5 * PAGE, 14);
	CHECK(!strcmp(text, "device memory"));
	close(pipes[0]);
	close(pipes[1]);
	unmap_node(&lazy);
	unmap_node(&now);
}

static void check_write_notify(void)
{
	struct mapping m;

	if (!map_node(&m, "ivshmem0/read-first"))
		return;
	(void)*word(&m, 0);
	CHECK_EQ(info_of(m.fd).faults, 1);
	CHECK_EQ(info_of(m.fd).write_notifies, 0);
	*word(&m, 8) = 0x55;
	*word(&m, 16) = 0x66;
	CHECK_EQ(*word(&m, 8), 0x55);
	CHECK_EQ(info_of(m.fd).write_notifies, 1);
	*word(&m, PAGE) = 1; /* a write comes first: both steps */
	CHECK_EQ(info_of(m.fd).faults, 2);
	CHECK_EQ(info_of(m.fd).write_notifies, 2);
	unmap_node(&m);
}

static void check_mixed(void)
{
	struct mapping mixed, now;

	if (!map_node(&now, "ivshmem0/now"))
		return;
	REQUIRE(map_node(&mixed, "ivshmem0/mixed"));
	for (size_t i = 0; i < mixed.size / PAGE; i++)
		*word(&mixed, i * PAGE) = 100 + i;
	for (size_t i = 0; i < mixed.size / PAGE; i += 2) {
		CHECK_EQ(*word(&now, i / 2 * PAGE), 100 + i);
		CHECK_EQ(*word(&mixed, (i + 1) * PAGE), 101 + i);
	}
	unmap_node(&mixed);
	unmap_node(&now);
}

static void check_retype(const char *name, int faults_again)
{
	struct catwalk_devmem_range range;
	struct mapping m;
	uint64_t faults;

	if (!map_node(&m, name))
		return;
	*word(&m, 0) = 0xabc;
	for (unsigned long type = 0; type < 3; type++) {
		faults = info_of(m.fd).faults;
		CHECK_OK(ioctl(m.fd, CATWALK_DEVMEM_SET_TYPE, type));
		CHECK_EQ(info_of(m.fd).type, type);
		CHECK_EQ(*word(&m, 0), 0xabc);
		CHECK_EQ(info_of(m.fd).faults - faults, faults_again);
	}
	CHECK_FAILS(ioctl(m.fd, CATWALK_DEVMEM_SET_TYPE, 3), EINVAL);
	range = (struct catwalk_devmem_range){ (uint64_t)m.at + PAGE, PAGE };
	faults = info_of(m.fd).faults;
	CHECK_OK(ioctl(m.fd, CATWALK_DEVMEM_REVOKE, &range));
	(void)*word(&m, PAGE);
	CHECK_EQ(info_of(m.fd).faults - faults, 1);
	range.addr++;
	CHECK_FAILS(ioctl(m.fd, CATWALK_DEVMEM_REVOKE, &range), EINVAL);
	range = (struct catwalk_devmem_range){ (uint64_t)&range & -(uint64_t)PAGE, PAGE };
	CHECK_FAILS(ioctl(m.fd, CATWALK_DEVMEM_REVOKE, &range), ENOENT);
	CHECK_FAILS(ioctl(m.fd, CATWALK_DEVMEM_REVOKE, NULL), EFAULT);
	CHECK_FAILS(ioctl(m.fd, 0, 0), ENOTTY);
	unmap_node(&m);
}

/* A child has neither the mapping nor a way to make one of the same open file. */
static void check_fork(void)
{
	struct mapping m;
	int status = -1;
	pid_t pid;

	REQUIRE(map_node(&m, "rtc/now"));
	pid = fork();
	if (pid == 0) {
		int listed = is_listed(m.at);
		void *at = mmap(NULL, m.size, PROT_READ, MAP_SHARED, m.fd, 0);

		_exit(!listed && at == MAP_FAILED && errno == EIO ? 0 : 1);
	}
	CHECK_EQ(waitpid(pid, &status, 0), pid);
	CHECK_EQ(status, 0);
	unmap_node(&m);
}

/* ---- guests */

/* Stores x1, x1 + 1, ... (x2 of them) at x0, x3 apart; adds up what is there; copies x2 words from
 * x0 to x1; loads one register of 32 bits. */
GUEST(writer, "1:	str x1, [x0]\n"
	      "	add x1, x1, #1\n"
	      "	add x0, x0, x3\n"
	      "	subs x2, x2, #1\n"
	      "	b.ne 1b\n"
	      "	str x1, [x19]\n"
	      "	b .\n");
GUEST(adder, "	mov x6, #0\n"
	     "1:	ldr x5, [x0]\n"
	     "	add x6, x6, x5\n"
	     "	add x0, x0, x3\n"
	     "	subs x2, x2, #1\n"
	     "	b.ne 1b\n"
	     "	str x6, [x19]\n"
	     "	b .\n");
GUEST(copier, "1:	ldr x5, [x0], #8\n"
	      "	str x5, [x1], #8\n"
	      "	subs x2, x2, #1\n"
	      "	b.ne 1b\n"
	      "	str x2, [x19]\n"
	      "	b .\n");
GUEST(loader, "	ldr w5, [x0]\n"
	      "	str x5, [x19]\n"
	      "	b .\n");

enum {
	WRITER = GUEST_RAM,
	ADDER = GUEST_RAM + 0x100,
	COPIER = GUEST_RAM + 0x200,
	LOADER = GUEST_RAM + 0x300,
};

struct guest {
	struct vm vm;
	struct vcpu vcpu;
	int forces_write_back; /* the host can */
};

static void guest_set(struct guest *g, uint64_t pc, uint64_t x0, uint64_t x1, uint64_t x2,
		      uint64_t x3)
{
	vcpu_start(&g->vcpu, pc);
	vcpu_set_x(&g->vcpu, 0, x0);
	vcpu_set_x(&g->vcpu, 1, x1);
	vcpu_set_x(&g->vcpu, 2, x2);
	vcpu_set_x(&g->vcpu, 3, x3);
}

static uint64_t guest_do(struct guest *g)
{
	uint64_t result = RUN_TO_WRITE(&g->vcpu, GUEST_MMIO);

	g->vcpu.run->immediate_exit = 1;
	CHECK_EQ(vcpu_run(&g->vcpu), -EINTR);
	g->vcpu.run->immediate_exit = 0;
	return result;
}

static uint64_t guest_load_register(struct guest *g, uint64_t gpa)
{
	guest_set(g, LOADER, gpa, 0, 0, 0);
	return guest_do(g);
}

static void guest_new(struct guest *g)
{
	char *code;

	vm_create(&g->vm, 0);
	code = vm_ram(&g->vm, 0, GUEST_RAM, 64 * 1024);
	LOAD(code, writer);
	LOAD(code + (ADDER - GUEST_RAM), adder);
	LOAD(code + (COPIER - GUEST_RAM), copier);
	LOAD(code + (LOADER - GUEST_RAM), loader);
	vcpu_create(&g->vm, &g->vcpu, 0, 0);
	g->forces_write_back = VM_CAP(&g->vm, KVM_CAP_ARM_CACHEABLE_PFNMAP_SUPPORTED) > 0;
}

static void guest_free(struct guest *g)
{
	vcpu_destroy(&g->vcpu);
	vm_destroy(&g->vm);
}

static int slot_over(struct guest *g, const struct mapping *m)
{
	return vm_slot(&g->vm, 1, 0, DATA_GPA, m->size, m->at);
}

static void slot_away(struct guest *g)
{
	CHECK_EQ(vm_slot(&g->vm, 1, 0, 0, 0, NULL), 0);
}

/* What the guest writes the program reads, and the other way round. */
static void use_as_memory(struct guest *g, const struct mapping *m)
{
	uint64_t sum = 0;

	guest_set(g, WRITER, DATA_GPA + 8, 500, 16, m->size / 16);
	CHECK_EQ(guest_do(g), 516);
	for (uint64_t i = 0; i < 16; i++) {
		CHECK_EQ(*word(m, i * (m->size / 16) + 8), 500 + i);
		*word(m, i * (m->size / 16) + 16) = 3 * i;
		sum += 3 * i;
	}
	guest_set(g, ADDER, DATA_GPA + 16, 0, 16, m->size / 16);
	CHECK_EQ(guest_do(g), sum);
}

/* The run ends with the reason that M4 gives. */
static void check_refused_at_fault(struct guest *g)
{
	const struct catwalk_memory_fault *fault =
		(const void *)((const char *)g->vcpu.run + offsetof(struct kvm_run, padding));

	guest_set(g, LOADER, DATA_GPA, 0, 0, 0);
	CHECK_EQ(vcpu_run(&g->vcpu), -EFAULT);
	CHECK_EQ(g->vcpu.run->exit_reason, KVM_EXIT_MEMORY_FAULT);
	CHECK_EQ(fault->gpa, DATA_GPA);
	CHECK_EQ(fault->rule, 4);
}

/* When a host that cannot force write-back finds out. */
enum refused { NOT, AT_CREATION, AT_A_FAULT };

static const struct {
	const char *name;
	enum refused refused;
} guest_rows[] = {
	{ "ivshmem0/now", AT_CREATION },
	{ "ivshmem0/now-2m", AT_CREATION },
	{ "ivshmem0/now-1g", AT_CREATION },
	/* No leaf, so nobody knows yet that it cannot be reached (M7). */
	{ "ivshmem0/lazy", AT_A_FAULT },
	{ "ivshmem0/lazy-2m", AT_A_FAULT },
	{ "ivshmem0/lazy-1g", AT_A_FAULT },
	{ "ivshmem0/read-first", AT_A_FAULT },
	{ "ivshmem0/late-pfnmap", AT_A_FAULT },
	{ "ivshmem0/declared-device", AT_A_FAULT },
	{ "ivshmem0/nc", NOT },
	{ "ivshmem0/nc-any-uncached", NOT },
	{ "ivshmem0/any-uncached", NOT },
	{ "ivshmem0/device", NOT },
};

static void check_guest_memory(struct guest *g)
{
	struct mapping m;

	for (size_t i = 0; i < sizeof(guest_rows) / sizeof(guest_rows[0]); i++) {
		enum refused refused = g->forces_write_back ? NOT : guest_rows[i].refused;

		if (!map_node(&m, guest_rows[i].name))
			return;
		if (!CHECK_EQ(slot_over(g, &m), refused == AT_CREATION ? -EINVAL : 0))
			printf("    for %s\n", guest_rows[i].name);
		if (refused == NOT)
			use_as_memory(g, &m);
		if (refused == AT_A_FAULT)
			check_refused_at_fault(g);
		if (refused != AT_CREATION)
			slot_away(g);
		unmap_node(&m);
	}
}

/* The type of a range changes under a guest that uses it: it goes on, or has M4's reason. */
static void check_guest_retype(struct guest *g)
{
	struct mapping m;

	if (!map_node(&m, "ivshmem0/nc"))
		return;
	REQUIRE(slot_over(g, &m) == 0);
	use_as_memory(g, &m);
	CHECK_OK(ioctl(m.fd, CATWALK_DEVMEM_SET_TYPE, CATWALK_DEVMEM_DEVICE));
	use_as_memory(g, &m);
	CHECK_OK(ioctl(m.fd, CATWALK_DEVMEM_SET_TYPE, CATWALK_DEVMEM_WRITE_BACK));
	if (g->forces_write_back)
		use_as_memory(g, &m);
	else
		check_refused_at_fault(g);
	CHECK_OK(ioctl(m.fd, CATWALK_DEVMEM_SET_TYPE, CATWALK_DEVMEM_NORMAL_NC));
	use_as_memory(g, &m);
	slot_away(g);
	unmap_node(&m);
}

struct retyper {
	int fd;
	unsigned long first_type; /* of those that the host can give a guest */
	char *page;
	atomic_int done;
};

static void *retype_for_a_while(void *arg)
{
	struct retyper *r = arg;
	struct catwalk_devmem_range range = { (uint64_t)r->page, PAGE };

	for (unsigned long i = 0; i < 150; i++) {
		CHECK_OK(ioctl(r->fd, CATWALK_DEVMEM_SET_TYPE,
			       r->first_type + i % (3 - r->first_type)));
		CHECK_OK(ioctl(r->fd, CATWALK_DEVMEM_REVOKE, &range));
	}
	atomic_store(&r->done, 1);
	return NULL;
}

/* The guest writes and reads all the while its memory is revoked and changes type: no byte is lost.
 */
static void check_guest_beside_retyping(struct guest *g)
{
	struct retyper r = { .first_type = g->forces_write_back ? CATWALK_DEVMEM_WRITE_BACK
								: CATWALK_DEVMEM_NORMAL_NC };
	struct mapping m;
	pthread_t thread;
	uint64_t rounds = 0, wrong = 0;

	if (!map_node(&m, "ivshmem0/nc"))
		return;
	r.fd = m.fd;
	r.page = m.at + PAGE;
	REQUIRE(slot_over(g, &m) == 0);
	REQUIRE(pthread_create(&thread, NULL, retype_for_a_while, &r) == 0);
	do {
		uint64_t first = ++rounds * 1000000;

		guest_set(g, WRITER, DATA_GPA, first, 512, PAGE);
		CHECK_EQ(guest_do(g), first + 512);
		for (uint64_t i = 0; i < 512; i++)
			wrong += *word(&m, i * PAGE) != first + i;
		guest_set(g, ADDER, DATA_GPA, 0, 512, PAGE);
		CHECK_EQ(guest_do(g), 512 * first + 512 * 511 / 2);
	} while (!atomic_load(&r.done));
	CHECK_EQ(wrong, 0);
	CHECK_EQ(pthread_join(thread, NULL), 0);
	slot_away(g);
	unmap_node(&m);
}

static void check_guest_mixed(struct guest *g)
{
	struct mapping m;

	if (!g->forces_write_back || !map_node(&m, "ivshmem0/mixed"))
		return;
	REQUIRE(slot_over(g, &m) == 0);
	guest_set(g, WRITER, DATA_GPA, 70, m.size / PAGE, PAGE);
	CHECK_EQ(guest_do(g), 70 + m.size / PAGE);
	for (size_t i = 0; i < m.size / PAGE; i++)
		CHECK_EQ(*word(&m, i * PAGE), 70 + i);
	slot_away(g);
	unmap_node(&m);
}

/* A guest's write to a leaf that is read-only first asks the owner (M14). */
static void check_guest_write_notify(struct guest *g)
{
	struct mapping m;

	if (!g->forces_write_back || !map_node(&m, "ivshmem0/read-first"))
		return;
	REQUIRE(slot_over(g, &m) == 0);
	(void)guest_load_register(g, DATA_GPA);
	CHECK_EQ(info_of(m.fd).write_notifies, 0);
	guest_set(g, WRITER, DATA_GPA, 9, 1, 8);
	CHECK_EQ(guest_do(g), 10);
	CHECK_EQ(info_of(m.fd).write_notifies, 1);
	CHECK_EQ(info_of(m.fd).faults, 1);
	CHECK_EQ(*word(&m, 0), 9);
	slot_away(g);
	unmap_node(&m);
}

static void check_guest_registers(struct guest *g)
{
	static const char *const ways[] = { "now", "lazy",  "late-pfnmap", "any-uncached",
					    "nc",  "mixed", "declared-wb", "read-first" };
	struct mapping m;
	char name[32];

	for (size_t i = 0; i < sizeof(ways) / sizeof(ways[0]); i++) {
		snprintf(name, sizeof(name), "rtc/%s", ways[i]);
		REQUIRE(map_node(&m, name));
		REQUIRE(slot_over(g, &m) == 0);
		CHECK(labs((long)guest_load_register(g, DATA_GPA) - (long)time(NULL)) <= 10);
		CHECK_EQ(guest_load_register(g, DATA_GPA + 0xfe0), 0x31);
		slot_away(g);
		unmap_node(&m);
	}
}

/* ---- the other side of the memory's file */

static void copy_mail(struct guest *g)
{
	struct mapping m;

	REQUIRE(map_node(&m, g->forces_write_back ? "ivshmem0/now-2m" : "ivshmem0/nc"));
	REQUIRE(slot_over(g, &m) == 0);
	guest_set(g, COPIER, DATA_GPA + MAIL_IN, DATA_GPA + MAIL_OUT, MAIL_SIZE / 8, 0);
	CHECK_EQ(guest_do(g), 0);
	slot_away(g);
	unmap_node(&m);
}

/* 1 GiB is one fault of the guest and one descriptor: the run's report says how many. */
static void touch_gigabyte(struct guest *g)
{
	struct mapping m;

	REQUIRE(map_node(&m, "ivshmem0/lazy-1g"));
	REQUIRE(slot_over(g, &m) == 0);
	guest_set(g, WRITER, DATA_GPA, 1, 512, m.size / 512);
	CHECK_EQ(guest_do(g), 513);
	CHECK_EQ(info_of(m.fd).faults, 1);
	slot_away(g);
	unmap_node(&m);
}

static void check_all(struct guest *g)
{
	check_populations();
	check_no_merge();
	check_clock();
	check_edu();
	check_fault_counts();
	check_lock_all();
	check_same_bytes();
	check_write_notify();
	check_mixed();
	check_retype("ivshmem0/now", 0);
	check_retype("ivshmem0/now-2m", 0);
	check_retype("ivshmem0/lazy", 1);
	check_fork();
	check_guest_memory(g);
	check_guest_retype(g);
	check_guest_beside_retyping(g);
	check_guest_mixed(g);
	check_guest_write_notify(g);
	check_guest_registers(g);
}

int main(int argc, char **argv)
{
	struct guest g;

	guest_new(&g);
	if (VM_CAP(&g.vm, KVM_CAP_CATWALK_REFUSAL) <= 0)
		printf("devmem: this host has no /dev/devmem, nothing is checked\n");
	else if (argc > 1 && !strcmp(argv[1], "mail"))
		copy_mail(&g);
	else if (argc > 1 && !strcmp(argv[1], "gigabyte"))
		touch_gigabyte(&g);
	else
		check_all(&g);
	guest_free(&g);
	return check_done("devmem");
}
