/* SPDX-License-Identifier: Apache-2.0 */
/* See kvm_rows_place.h. */
#define _GNU_SOURCE
#include "tests/target/kvm_rows_place.h"
#include "tests/target/check.h"
#include "tests/target/guest_mmu.h"

#include "abi/catwalk_devmem.h"

#include <fcntl.h>
#include <unistd.h>

/* What a fetch from the page finds: code that tells that it ran. */
GUEST(page_code, "	mov x3, #0x77\n"
		 "	str x3, [x19]\n"
		 "	b .\n");

static int node_open(const char *name)
{
	char path[64];

	snprintf(path, sizeof(path), "/dev/devmem/%s", name);
	return open(path, O_RDWR | O_CLOEXEC);
}

/* Addresses alone: the memory comes with each place. */
static char *window_reserve(void)
{
	char *p = mmap(NULL, 2UL * PLACE_SIZE_MAX, PROT_NONE,
		       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	REQUIRE(p != MAP_FAILED);
	return p + (-(uintptr_t)p & (PLACE_SIZE_MAX - 1));
}

void places_init(struct places *places, uint64_t table_entry)
{
	int fd = node_open("ivshmem0/now");

	places->window = window_reserve();
	places->gigabyte = -1;
	places->table_entry = table_entry;
	places->coherent = NULL;
	if (fd < 0)
		return;
	places->coherent = mmap(NULL, PLACE_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	REQUIRE(places->coherent != MAP_FAILED);
	close(fd);
}

/* The page's content: its start, code, and two entries of a table. In words, as Device memory
 * wants it. */
static void fill(const struct places *places, void *page, uint64_t content)
{
	volatile uint64_t *word = page;
	const uint64_t *code = (const uint64_t *)page_code;

	for (unsigned i = 0; i < 8; i++) /* what DC ZVA clears */
		word[i] = content;
	for (unsigned i = 0; i < (page_code_end - page_code + 7) / 8; i++)
		word[CODE_AT / 8 + i] = code[i];
	word[TABLE_INDEX] = places->table_entry;
	word[OLD_INDEX] = places->table_entry & ~(uint64_t)S1_AF;
}

static void fill_file(const struct places *places, const struct place *p)
{
	uint64_t page[PAGE / 8] = { 0 };

	fill(places, page, CONTENT);
	REQUIRE(pwrite(p->fd, page, PAGE, p->kind->page * PAGE) == PAGE);
}

static void map(struct place *p, int prot, int flags, int fd)
{
	REQUIRE(mmap(p->at, p->size, prot, flags | MAP_FIXED, fd, 0) == p->at);
}

static char *page_of(const struct place *p)
{
	return p->at + p->kind->page * PAGE;
}

/* ---- each kind */

static int make_anonymous(struct places *places, struct place *p)
{
	int thp = p->kind->maker == MAKE_THP;

	map(p, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1);
	REQUIRE(madvise(p->at, p->size, thp ? MADV_HUGEPAGE : MADV_NOHUGEPAGE) == 0);
	fill(places, page_of(p), CONTENT);
	REQUIRE(mprotect(p->at, p->size, p->kind->protection) == 0);
	return 1;
}

static int make_hugetlb(struct places *places, struct place *p)
{
	int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_HUGETLB | MAP_FIXED | 21 << MAP_HUGE_SHIFT;

	if (mmap(p->at, p->size, PROT_READ | PROT_WRITE, flags, -1, 0) != p->at)
		return 0;
	fill(places, page_of(p), CONTENT);
	return 1;
}

static int make_hugetlb_1g(struct places *places, struct place *p)
{
	if (places->gigabyte < 0)
		places->gigabyte = memfd_create("gigabyte", MFD_HUGETLB | 30U << MAP_HUGE_SHIFT);
	if (places->gigabyte < 0 || ftruncate(places->gigabyte, (off_t)p->size))
		return 0;
	if (mmap(p->at, p->size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, places->gigabyte,
		 0) != p->at)
		return 0;
	fill(places, page_of(p), CONTENT);
	return 1;
}

static int make_file(struct places *places, struct place *p)
{
	char path[32];
	int rom = p->kind->maker == MAKE_ROM, file = memfd_create("row", 0);

	REQUIRE(file >= 0 && ftruncate(file, (off_t)p->size) == 0);
	p->fd = file;
	fill_file(places, p);
	if (rom) {
		snprintf(path, sizeof(path), "/proc/self/fd/%d", file);
		p->fd = open(path, O_RDONLY);
		REQUIRE(p->fd >= 0);
		close(file);
	}
	map(p, p->kind->protection, p->kind->maker == MAKE_PRIVATE ? MAP_PRIVATE : MAP_SHARED,
	    p->fd);
	return 1;
}

/* Filled by another mapping where there is one, so that its own leaves stay as the driver makes
 * them. */
static int make_node(struct places *places, struct place *p)
{
	struct catwalk_devmem_info info = { 0 };

	p->fd = node_open(p->kind->node);
	if (p->fd < 0)
		return 0;
	REQUIRE(ioctl(p->fd, CATWALK_DEVMEM_GET_INFO, &info) == 0);
	if (info.size < p->size && p->kind->gigabyte)
		return 0;
	if (info.size < p->size)
		p->size = info.size;
	map(p, PROT_READ | PROT_WRITE, MAP_SHARED, p->fd);
	if (p->kind == &backing_kinds[BACKING_MIXED_RAM])
		fill(places, page_of(p), CONTENT);
	else if (p->kind == &backing_kinds[BACKING_MIXED_DEVICE])
		fill(places, places->coherent + p->kind->page / 2 * PAGE, CONTENT);
	else if (!p->kind->registers)
		fill(places, places->coherent + p->kind->page * PAGE, CONTENT);
	return 1;
}

static int make_hole(struct places *places, struct place *p)
{
	(void)places;
	REQUIRE(munmap(p->at, p->size) == 0);
	return 1;
}

int place_make(struct places *places, struct place *p, const struct backing_kind *kind)
{
	static int (*const makers[])(struct places * places, struct place * p) = {
		[MAKE_ANONYMOUS] = make_anonymous, [MAKE_THP] = make_anonymous,
		[MAKE_HUGETLB] = make_hugetlb,	   [MAKE_HUGETLB_1G] = make_hugetlb_1g,
		[MAKE_FILE] = make_file,	   [MAKE_ROM] = make_file,
		[MAKE_PRIVATE] = make_file,	   [MAKE_HOLE] = make_hole,
		[MAKE_NO_SLOT] = make_hole,	   [MAKE_NODE] = make_node,
	};

	*p = (struct place){
		.kind = kind,
		.facts = kind->facts,
		.at = places->window,
		.size = kind->gigabyte ? PLACE_SIZE_MAX : PLACE_SIZE,
		.fd = -1,
		.content = CONTENT,
	};
	if (p->facts.late)
		p->facts.special = 0;
	return makers[kind->maker](places, p);
}

void place_end(struct places *places, struct place *p)
{
	REQUIRE(mmap(places->window, p->kind->gigabyte ? PLACE_SIZE_MAX : PLACE_SIZE, PROT_NONE,
		     MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED, -1,
		     0) == places->window);
	if (p->fd >= 0)
		close(p->fd);
}

/* ---- events */

static void unmapped(struct places *places, struct place *p)
{
	(void)places;
	REQUIRE(munmap(p->at, p->size) == 0);
	p->facts = (struct facts){ 0 };
}

static void remapped(struct places *places, struct place *p)
{
	map(p, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1);
	p->content = OTHER_CONTENT;
	fill(places, page_of(p), p->content);
	p->facts = backing_kinds[BACKING_RAM_4K].facts;
}

static void narrowed(struct places *places, struct place *p)
{
	(void)places;
	REQUIRE(mprotect(p->at, p->size, p->facts.writes ? PROT_READ : PROT_NONE) == 0);
	if (!p->facts.writes)
		p->facts.reads = 0;
	p->facts.writes = 0;
}

/* A driver changes its mind: what was uncached is memory now, and the other way round. */
static void node_retyped(struct place *p)
{
	int type = p->facts.type == TYPE_WB || p->kind->registers ? TYPE_NC : TYPE_WB;

	CHECK_OK(ioctl(p->fd, CATWALK_DEVMEM_SET_TYPE, type));
	p->facts.present = p->kind->facts.present && p->facts.no_alias;
	if (p->facts.no_alias) /* RAM pages between stay what they are */
		p->facts.type = (uint8_t)type;
}

static void retyped(struct places *places, struct place *p)
{
	int fd;

	if (p->kind->maker == MAKE_NODE) {
		node_retyped(p);
		return;
	}
	fd = node_open("ivshmem0/nc");
	REQUIRE(fd >= 0);
	map(p, PROT_READ | PROT_WRITE, MAP_SHARED, fd);
	close(fd);
	p->content = OTHER_CONTENT;
	fill(places, places->coherent + p->kind->page * PAGE, p->content);
	p->facts = backing_kinds[BACKING_NC].facts;
}

int place_can(const struct places *places, enum event event)
{
	return event != EVENT_RETYPED || places->coherent;
}

void place_change(struct places *places, struct place *p, enum event event)
{
	static void (*const changes[EVENTS])(struct places * places, struct place * p) = {
		[EVENT_UNMAPPED] = unmapped,
		[EVENT_REMAPPED] = remapped,
		[EVENT_NARROWED] = narrowed,
		[EVENT_RETYPED] = retyped,
	};

	if (changes[event])
		changes[event](places, p);
}

void place_was_faulted(struct place *p)
{
	if (!p->facts.vma || !p->facts.reads)
		return;
	p->facts.present = 1;
	if (p->facts.late)
		p->facts.special = 1;
	p->facts.late = 0;
}

/* ---- what is there */

uint64_t place_word(const struct place *p, unsigned index)
{
	return ((volatile uint64_t *)page_of(p))[index];
}

uint64_t place_write_notifies(const struct place *p)
{
	struct catwalk_devmem_info info = { 0 };

	CHECK_OK(ioctl(p->fd, CATWALK_DEVMEM_GET_INFO, &info));
	return info.write_notifies;
}
