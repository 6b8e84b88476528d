/* SPDX-License-Identifier: Apache-2.0 */
/* The memory behind the guests of kvm_mixed: 1 GiB of slots, over what areas there are. */
#define _GNU_SOURCE
#include "tests/target/kvm_mixed.h"

#include <fcntl.h>
#include <unistd.h>

#include "abi/catwalk.h"
#include "abi/catwalk_devmem.h"
#include "tests/target/check.h"

#define HOLE_AT ((char *)0x1000000000UL) /* where nobody maps anything */

enum { REGION_SIZE = 64 * MIB };

/* ---- the areas */

enum source { ANONYMOUS, HUGE_PAGES, MEMFD, DEVICE, MEMFD_AND_DEVICE, NOTHING };

#define A(name)	   (1U << ACTION_##name)
#define SLOTS	   (A(LOG) | A(READ_ONLY) | A(MOVE) | A(RECREATE) | A(PREFAULT) | A(GUARANTEE))
#define DEVICES	   (A(RETYPE) | A(REVOKE) | SLOTS)
#define RUNS	   (AREA_WRITES | AREA_EXECUTES)
#define GIB_SO_FAR (752UL * MIB) /* of all but the first */

struct area_kind {
	const char *name;
	enum source source;
	const char *node; /* of ivshmem0 */
	unsigned long type;
	uint64_t size;
	uint32_t flags, actions, slot_flags;
};

static const struct area_kind kinds[] = {
	{ "pages", ANONYMOUS, NULL, 0, 1024 * MIB - GIB_SO_FAR, RUNS, A(PROTECT) | SLOTS, 0 },
	{ "huge pages", HUGE_PAGES, NULL, 0, 64 * MIB, AREA_WRITES | AREA_DISCARDED,
	  A(PROTECT) | A(HUGE) | A(DISCARD) | A(REPLACE) | SLOTS, 0 },
	{ "discarded", ANONYMOUS, NULL, 0, 256 * MIB, AREA_WRITES | AREA_DISCARDED,
	  A(PROTECT) | A(DISCARD) | A(REPLACE) | SLOTS, 0 },
	{ "file", MEMFD, NULL, 0, 128 * MIB, RUNS, A(PROTECT) | A(ZAP) | A(REMAP) | SLOTS, 0 },
	{ "two files", MEMFD, NULL, 0, 128 * MIB, AREA_WRITES | AREA_BANKED,
	  A(ZAP) | A(REMAP) | A(EXCHANGE) | SLOTS, 0 },
	{ "moved pages", ANONYMOUS, NULL, 0, 64 * MIB, AREA_WRITES | AREA_BANKED,
	  A(EXCHANGE) | SLOTS, 0 },
	{ "ROM", MEMFD, NULL, 0, 64 * MIB, AREA_EXECUTES,
	  A(PROTECT) | A(ZAP) | A(REMAP) | A(MOVE) | A(RECREATE) | A(PREFAULT), KVM_MEM_READONLY },
	{ "device, pages", DEVICE, "now", CATWALK_DEVMEM_WRITE_BACK, 4 * MIB, RUNS, DEVICES, 0 },
	{ "device, 2 MiB", DEVICE, "now-2m", CATWALK_DEVMEM_WRITE_BACK, 4 * MIB, RUNS, DEVICES, 0 },
	{ "device, lazy", DEVICE, "lazy", CATWALK_DEVMEM_WRITE_BACK, 4 * MIB, RUNS,
	  DEVICES | A(REMAP), 0 },
	{ "device, read first", DEVICE, "read-first", CATWALK_DEVMEM_WRITE_BACK, 4 * MIB, RUNS,
	  DEVICES | A(PROTECT), 0 },
	{ "device, late", DEVICE, "late-pfnmap", CATWALK_DEVMEM_WRITE_BACK, 4 * MIB, RUNS, DEVICES,
	  0 },
	{ "non-cacheable", DEVICE, "nc", CATWALK_DEVMEM_NORMAL_NC, 4 * MIB, AREA_WRITES,
	  DEVICES | A(PROTECT), 0 },
	{ "registers", DEVICE, "device", CATWALK_DEVMEM_DEVICE, 4 * MIB, AREA_WRITES,
	  DEVICES | A(REMAP), 0 },
	{ "file and device", MEMFD_AND_DEVICE, "nc-any-uncached", CATWALK_DEVMEM_NORMAL_NC, 4 * MIB,
	  AREA_WRITES | AREA_BANKED, DEVICES | A(EXCHANGE), 0 },
	{ "hole", NOTHING, NULL, 0, 16 * MIB - 4 * STRIPE, AREA_HOLE,
	  A(LOG) | A(MOVE) | A(RECREATE) | A(PREFAULT), 0 },
	{ "mixed", DEVICE, "mixed", CATWALK_DEVMEM_WRITE_BACK, 4 * STRIPE, AREA_WRITES, DEVICES,
	  0 },
};

const char *area_name(const struct area *a)
{
	return a->kind->name;
}

struct area *area_at(struct mixed *m, uint64_t gpa)
{
	for (uint32_t i = 0; i < m->areas; i++) {
		if (gpa - m->area[i].gpa < m->area[i].size)
			return &m->area[i];
	}
	return NULL;
}

int area_slot(struct mixed *m, const struct area *a, uint32_t flags, uint64_t gpa)
{
	return vm_slot(&m->vm, a->slot, flags, gpa, a->size, a->window);
}

void area_map(const struct area *a, uint64_t offset, uint64_t size, uint32_t bank)
{
	int flags = a->fd[bank] < 0 ? MAP_PRIVATE | MAP_ANONYMOUS : MAP_SHARED;

	REQUIRE(mmap(a->window + offset, size, PROT_READ | PROT_WRITE, flags | MAP_FIXED,
		     a->fd[bank],
		     a->fd[bank] < 0 ? 0 : a->at[bank] + (off_t)offset) == a->window + offset);
}

static int file_of(uint64_t size)
{
	int fd = memfd_create("mixed", 0);

	REQUIRE(fd >= 0 && ftruncate(fd, (off_t)size) == 0);
	return fd;
}

/* Each area has bytes of its own of the region. */
static int node_of(const struct mixed *m, struct area *a, off_t *next)
{
	char path[64];
	int fd;

	snprintf(path, sizeof(path), "/dev/devmem/ivshmem0/%s", a->kind->node);
	fd = open(path, O_RDWR | O_CLOEXEC);
	REQUIRE(fd >= 0);
	a->type = a->kind->type;
	if (!m->fwb && a->type == CATWALK_DEVMEM_WRITE_BACK) {
		a->type = CATWALK_DEVMEM_NORMAL_NC;
		a->guest.flags &= ~(uint32_t)AREA_EXECUTES;
	}
	REQUIRE(ioctl(fd, CATWALK_DEVMEM_SET_TYPE, a->type) == 0);
	a->all_device = a->kind->source == DEVICE && a->size >= 2 * MIB;
	if (a->size >= 2 * MIB) { /* else "mixed", which begins with the region */
		a->at[a->kind->source == MEMFD_AND_DEVICE] = *next;
		*next += (off_t)a->size;
	}
	return fd;
}

static void area_back(struct mixed *m, struct area *a, off_t *next)
{
	switch (a->kind->source) {
	case ANONYMOUS:
	case HUGE_PAGES: break;
	case MEMFD:
		a->fd[0] = file_of(a->size * BANKS);
		a->fd[1] = dup(a->fd[0]);
		a->at[1] = (off_t)a->size;
		break;
	case MEMFD_AND_DEVICE:
		a->fd[0] = file_of(a->size);
		a->node = a->fd[1] = node_of(m, a, next);
		break;
	case DEVICE: a->node = a->fd[0] = node_of(m, a, next); break;
	case NOTHING: a->window = HOLE_AT; return;
	}
	area_map(a, 0, a->size, 0);
	if (a->kind->source == ANONYMOUS || a->kind->source == HUGE_PAGES)
		REQUIRE(madvise(a->window, a->size,
				a->kind->source == ANONYMOUS ? MADV_NOHUGEPAGE : MADV_HUGEPAGE) ==
			0);
	if (a->kind->source == ANONYMOUS && a->guest.flags & AREA_BANKED)
		a->hidden = host_memory(a->size + STRIPE, PAGE);
}

/* The words of memory that no guest writes are of generation index + 1. */
static void fill(struct mixed *m, const struct area *a)
{
	for (uint32_t i = a->guest.first * USED; i < (a->guest.first + a->guest.stripes) * USED;
	     i++) {
		char *page = m->data + page_offset(i / USED, i % USED);

		for (uint32_t word = 0; word < WORDS; word++)
			*(uint64_t *)(page + word_offset(word)) = word_of(i, word, i + 1);
		__builtin___clear_cache(page + CODE_AT, page + CODE_AT + 16);
		m->shared->state[0][i].gen = i + 1;
	}
}

static void area_make(struct mixed *m, struct area *a, uint32_t first, off_t *next)
{
	a->size = a->kind->size;
	a->guest = (struct guest_area){ first, (uint32_t)(a->size / STRIPE), a->kind->flags, 0 };
	a->gpa = DATA_GPA + (uint64_t)first * STRIPE;
	a->window = m->data + (uint64_t)first * STRIPE;
	a->node = a->fd[0] = a->fd[1] = -1;
	a->actions = a->kind->actions;
	/* Only what is write-back stays guaranteed. */
	if (!m->fwb || (a->kind->node && a->kind->type != CATWALK_DEVMEM_WRITE_BACK))
		a->actions &= ~A(GUARANTEE);
	a->slot_flags = a->kind->slot_flags;
	REQUIRE(pthread_rwlock_init(&a->lock, NULL) == 0);
	area_back(m, a, next);
	if (!(a->guest.flags & (AREA_WRITES | AREA_HOLE)))
		fill(m, a);
	REQUIRE(area_slot(m, a, a->slot_flags, a->gpa) == 0);
	m->shared->area[m->areas - 1] = a->guest;
}

/* Addresses alone, aligned to their size; the memory comes with each area. */
static char *reserve(size_t size)
{
	char *p =
		mmap(NULL, 2 * size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	char *aligned;

	REQUIRE(p != MAP_FAILED);
	aligned = p + (-(uintptr_t)p & (size - 1));
	REQUIRE(aligned == p || munmap(p, (size_t)(aligned - p)) == 0);
	REQUIRE(munmap(aligned + size, (size_t)(p + size - aligned)) == 0);
	return aligned;
}

/* What a run before this one has left in the device. */
static void clear_device(void)
{
	int fd = open("/dev/devmem/ivshmem0/nc", O_RDWR | O_CLOEXEC);
	char *at = mmap(NULL, REGION_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

	REQUIRE(at != MAP_FAILED);
	memset(at, 0, REGION_SIZE);
	CHECK_OK(munmap(at, REGION_SIZE));
	close(fd);
}

void areas_make(struct mixed *m)
{
	uint32_t first = 0;
	off_t next = 2 * MIB; /* before that: of "mixed" */

	clear_device();
	m->data = reserve(1024UL * MIB);
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		struct area *a = &m->area[m->areas++];

		a->kind = &kinds[i];
		a->slot = m->areas;
		area_make(m, a, first, &next);
		first += a->guest.stripes;
	}
	CHECK(next <= REGION_SIZE);
	CHECK_EQ(first, STRIPES);
	m->shared->areas = m->areas;
}

void areas_end(struct mixed *m)
{
	for (uint32_t i = 0; i < m->areas; i++) {
		struct area *a = &m->area[i];

		for (uint32_t bank = 0; bank < BANKS; bank++) {
			if (a->fd[bank] >= 0)
				close(a->fd[bank]);
		}
		if (a->hidden)
			CHECK_OK(munmap(a->hidden, a->size + STRIPE));
		pthread_rwlock_destroy(&a->lock);
	}
	CHECK_OK(munmap(m->data, 1024UL * MIB));
}
