/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the engine's table operations cost, on a port that does nothing: run under callgrind it
 * gives instructions (one dump an operation), by itself, built with BENCH_EVENTS, what the
 * operations ask of the machine. The VM is the one of the peers' figures: 40 bits of IPA (level 1,
 * two concatenated roots), FWB, range TLBI, 1 GiB at IPA 1 GiB; the loop that calls is included.
 *
 *	main [MIB]		another size, for a quick look
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <valgrind/callgrind.h>

#include "engine/stage2.h"

#define BASE	 0x40000000UL
#define HOST	 0x8000000000UL
#define POOL_MAX 2048UL

struct bench {
	struct port port;
	struct vmid_pool vmids;
	struct stage2 s2;
	struct table_cache no_tables; /* of operations that need none */
	u64 pages, blocks, size;
	u32 *order; /* a permutation of the pages */
};

void *bench_zalloc(size_t size)
{
	void *mem = calloc(1, size);

	if (!mem)
		abort();
	return mem;
}

void bench_free(void *mem)
{
	free(mem);
}

void port_bug(struct port *p, const char *what)
{
	(void)p;
	fprintf(stderr, "broken invariant: %s\n", what);
	abort();
}

static void must(int good, const char *what)
{
	if (good)
		return;
	fprintf(stderr, "bench/engine: %s\n", what);
	exit(1);
}

/* ---- states to begin with */

static struct s2_leaf leaf_of(u8 perms, s8 level)
{
	return (struct s2_leaf){ .pa = PA(HOST + BASE), .perms = perms, .level = level };
}

static void map_all(struct bench *b, u8 perms, s8 level)
{
	struct s2_map map = { .ipa = IPA(BASE), .size = b->size, .leaf = leaf_of(perms, level) };

	must(stage2_map_range(&b->s2, &map).done == b->size, "not all is mapped");
}

static void empty(struct bench *b)
{
	(void)b;
}

static void pages_rw(struct bench *b)
{
	map_all(b, S2_R | S2_W | S2_X, LEVEL_4K);
}

static void pages_ro(struct bench *b)
{
	map_all(b, S2_R | S2_X, LEVEL_4K);
}

static void blocks_rw(struct bench *b)
{
	map_all(b, S2_R | S2_W | S2_X, LEVEL_2M);
}

/* ---- operations; each returns how many leaves it was about */

/* As a fault commits: tables at hand, the lock held for reading. */
static void commit(struct bench *b, struct table_cache *cache, u64 at, struct s2_leaf *leaf)
{
	enum s2_result result;

	leaf->pa = PA(HOST + at);
	if (cache->count < 2)
		must(table_cache_fill(cache, &b->port, 2) == ERR_OK, "no table");
	port_read_lock(&b->port, &b->s2.lock);
	result = stage2_commit(&b->s2, cache, IPA(at), leaf, 0);
	port_read_unlock(&b->port, &b->s2.lock);
	must(result == S2_DONE_INSTALL, "not installed");
}

static u64 commit_in_order(struct bench *b, u64 count, s8 level)
{
	struct s2_leaf leaf = leaf_of(S2_R | S2_W | S2_X, level);
	struct table_cache cache = { .count = 0 };

	for (u64 i = 0; i < count; i++)
		commit(b, &cache, BASE + i * level_size(level), &leaf);
	return count;
}

static u64 commit_pages(struct bench *b)
{
	return commit_in_order(b, b->pages, LEVEL_4K);
}

static u64 commit_blocks(struct bench *b)
{
	return commit_in_order(b, b->blocks, LEVEL_2M);
}

static u64 commit_random(struct bench *b)
{
	struct s2_leaf leaf = leaf_of(S2_R | S2_W | S2_X, LEVEL_4K);
	struct table_cache cache = { .count = 0 };

	for (u64 i = 0; i < b->pages; i++)
		commit(b, &cache, BASE + (u64)b->order[i] * PAGE_SIZE, &leaf);
	return b->pages;
}

static void relax(struct bench *b, u64 at, struct s2_leaf *leaf)
{
	enum s2_result result;

	leaf->pa = PA(HOST + at);
	port_read_lock(&b->port, &b->s2.lock);
	result = stage2_commit(&b->s2, &b->no_tables, IPA(at), leaf, 0);
	port_read_unlock(&b->port, &b->s2.lock);
	must(result == S2_DONE_RELAX, "not relaxed");
}

static u64 relax_pages(struct bench *b)
{
	struct s2_leaf leaf = leaf_of(S2_R | S2_W | S2_X, LEVEL_4K);

	for (u64 i = 0; i < b->pages; i++)
		relax(b, BASE + i * PAGE_SIZE, &leaf);
	return b->pages;
}

static u64 relax_random(struct bench *b)
{
	struct s2_leaf leaf = leaf_of(S2_R | S2_W | S2_X, LEVEL_4K);

	for (u64 i = 0; i < b->pages; i++)
		relax(b, BASE + (u64)b->order[i] * PAGE_SIZE, &leaf);
	return b->pages;
}

static u64 map_pages(struct bench *b)
{
	pages_rw(b);
	return b->pages;
}

static u64 map_blocks(struct bench *b)
{
	blocks_rw(b);
	return b->blocks;
}

static u64 write_protect(struct bench *b)
{
	must(stage2_write_protect(&b->s2, IPA(BASE), b->size) == b->pages, "not all protected");
	return b->pages;
}

static u64 age(struct bench *b)
{
	must(stage2_age(&b->s2, IPA(BASE), b->size, S2_AGE_CLEAR) == b->pages, "not all aged");
	return b->pages;
}

static u64 unmap_range(struct bench *b)
{
	stage2_unmap(&b->s2, IPA(BASE), b->size);
	return b->pages;
}

static u64 unmap_pages(struct bench *b)
{
	for (u64 i = 0; i < b->pages; i++)
		stage2_unmap(&b->s2, IPA(BASE + i * PAGE_SIZE), PAGE_SIZE);
	return b->pages;
}

static u64 split(struct bench *b)
{
	must(stage2_split(&b->s2, IPA(BASE), b->size) == ERR_OK, "not split");
	return b->pages;
}

static u64 lookup(struct bench *b)
{
	u64 found = 0;

	for (u64 i = 0; i < b->pages; i++) {
		struct s2_leaf leaf;

		found += stage2_lookup(&b->s2, IPA(BASE + i * PAGE_SIZE), &leaf);
	}
	must(found == b->pages, "not all found");
	return b->pages;
}

enum cpu { CPU_RANGE, CPU_NO_RANGE };

static const struct op {
	const char *name;
	enum cpu cpu;
	void (*prepare)(struct bench *b);
	u64 (*run)(struct bench *b);
} ops[] = {
	{ "map-page", CPU_RANGE, empty, commit_pages },
	{ "map-page-random", CPU_RANGE, empty, commit_random },
	{ "map-block", CPU_RANGE, empty, commit_blocks },
	{ "map-range", CPU_RANGE, empty, map_pages },
	{ "map-range-blocks", CPU_RANGE, empty, map_blocks },
	{ "write-protect-range", CPU_RANGE, pages_rw, write_protect },
	{ "relax-page", CPU_RANGE, pages_ro, relax_pages },
	{ "relax-page-random", CPU_RANGE, pages_ro, relax_random },
	{ "age-range", CPU_RANGE, pages_rw, age },
	{ "unmap-range", CPU_RANGE, pages_rw, unmap_range },
	{ "unmap-range-no-range-tlbi", CPU_NO_RANGE, pages_rw, unmap_range },
	{ "unmap-page", CPU_RANGE, pages_rw, unmap_pages },
	{ "split", CPU_RANGE, blocks_rw, split },
	{ "lookup", CPU_RANGE, pages_rw, lookup },
};

/* ---- measuring */

static void vm_begin(struct bench *b, enum cpu cpu)
{
	b->port.caps = (struct port_caps){
		.fwb = true,
		.dic = true,
		.idc = true,
		.ttl = true,
		.tlb_range = cpu == CPU_RANGE,
		.hw_af = true,
		.pa_bits = 48,
		.ipa_bits = 48,
		.vmid_bits = 16,
		.cpus = 1,
	};
	must(vmid_pool_init(&b->vmids, &b->port, 0) == ERR_OK, "no VMIDs");
	must(stage2_init(&b->s2, &b->port, &b->vmids, 40) == ERR_OK, "no tables");
	stage2_enter(&b->s2); /* TLBs may hold its translations from now on */
	vmid_leave(&b->vmids);
}

static void vm_end(struct bench *b)
{
	stage2_destroy(&b->s2);
	vmid_pool_destroy(&b->vmids);
	memset(b->port.pool, 0, b->port.next * PAGE_SIZE);
	b->port.next = 0;
}

static void print_events(const struct bench *b, const char *name, u64 leaves)
{
	const struct bench_events *e = &b->port.ev;

	printf("%s %lu %lu %lu %lu %lu %lu %lu %lu %lu %lu\n", name, leaves, e->writes, e->tlbi_ipa,
	       e->tlbi_range, e->tlbi_local, e->tlbi_stage1, e->tlbi_vmid, e->dsb, e->retired_early,
	       stage2_count_tables((struct stage2 *)&b->s2) + (1UL << b->s2.root_order));
}

static void measure(struct bench *b, const struct op *op)
{
	u64 leaves;

	CALLGRIND_STOP_INSTRUMENTATION;
	vm_begin(b, op->cpu);
	op->prepare(b);
	b->port.ev = (struct bench_events){ 0 };
	CALLGRIND_START_INSTRUMENTATION;
	CALLGRIND_ZERO_STATS;
	CALLGRIND_TOGGLE_COLLECT;
	leaves = op->run(b);
	CALLGRIND_TOGGLE_COLLECT;
	CALLGRIND_DUMP_STATS_AT(op->name);
	CALLGRIND_STOP_INSTRUMENTATION;
	print_events(b, op->name, leaves);
	vm_end(b);
}

static void shuffle(u32 *order, u64 count)
{
	u64 seed = 1;

	for (u64 i = 0; i < count; i++)
		order[i] = (u32)i;
	for (u64 i = count - 1; i > 0; i--) {
		u64 j;
		u32 t = order[i];

		seed = seed * 6364136223846793005UL + 1442695040888963407UL;
		j = (seed >> 33) % (i + 1);
		order[i] = order[j];
		order[j] = t;
	}
}

int main(int argc, char **argv)
{
	static struct bench b;
	u64 mib = argc > 1 ? strtoul(argv[1], NULL, 10) : 1024;

	must(mib >= 2 && mib <= 1024 && mib % 2 == 0, "MIB is even, 2 to 1024");
	b.size = mib << 20;
	b.pages = b.size / PAGE_SIZE;
	b.blocks = b.size / SZ_2M;
	b.order = bench_zalloc(b.pages * sizeof(*b.order));
	b.port.pool = aligned_alloc(4 * PAGE_SIZE, POOL_MAX * PAGE_SIZE);
	must(b.port.pool != NULL, "no memory");
	memset(b.port.pool, 0, POOL_MAX * PAGE_SIZE);
	shuffle(b.order, b.pages);
	for (size_t i = 0; i < ARRAY_SIZE(ops); i++)
		measure(&b, &ops[i]);
	free(b.port.pool);
	bench_free(b.order);
	return 0;
}
