/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The engine under native threads and the thread sanitizer: vCPUs fault at random, while the host
 * unmaps, slots change their flags, go and come back, and the dirty log is read. Nothing may stay
 * mapped that the host has unmapped, and the counters must equal the tables.
 */
#include <stdio.h>

#include "engine/dirty.h"
#include "engine/dirty_ring.h"
#include "engine/fault.h"

#define HVA_BASE 0x100000000UL
#define IPA_BASE 0x40000000UL
#define PA_BASE	 0x80000000UL
enum { PAGES = 4096, VCPUS = 3, ROUNDS = 400 };
#define SIZE ((u64)PAGES << PAGE_SHIFT)

__thread unsigned int thread_cpu;

static struct port port = {
	.caps = { .idc = true,
		  .ttl = true,
		  .tlb_range = true,
		  .pa_bits = 48,
		  .ipa_bits = 48,
		  .vmid_bits = 16,
		  .cpus = VCPUS + 1 },
};
static struct guest_mem mem;
static struct vmid_pool vmids;
static bool stop; /* atomic */

void port_bug(struct port *p, const char *what)
{
	(void)p;
	fprintf(stderr, "broken invariant: %s\n", what);
	abort();
}

static void fail(const char *what, u64 page)
{
	fprintf(stderr, "page %lu: %s\n", (unsigned long)page, what);
	exit(1);
}

/* ---- the host: a page has another address each time it comes back */
static pthread_mutex_t host_lock = PTHREAD_MUTEX_INITIALIZER;
static bool present[PAGES];   /* guarded by host_lock */
static u64 generation[PAGES]; /* same */

static u64 page_of(hva_t hva)
{
	return (hva.v - HVA_BASE) >> PAGE_SHIFT;
}

static int host_leaf(void *host, hva_t hva, struct host_leaf *out)
{
	u64 page = page_of(hva);
	int error = ERR_NOENT;

	(void)host;
	pthread_mutex_lock(&host_lock);
	if (present[page]) {
		*out = (struct host_leaf){
			.pa = PA(PA_BASE + (generation[page] & 7) * SIZE + hva.v - HVA_BASE),
			.writable = true,
			.level = LEVEL_4K,
		};
		error = ERR_OK;
	}
	pthread_mutex_unlock(&host_lock);
	return error;
}

static int host_fault(void *host, hva_t hva, enum mem_access access)
{
	(void)host;
	(void)access;
	pthread_mutex_lock(&host_lock);
	present[page_of(hva)] = true;
	pthread_mutex_unlock(&host_lock);
	return ERR_OK;
}

static int host_area(void *host, hva_t hva, hva_t end, struct host_area *out)
{
	(void)host;
	*out = (struct host_area){ .start = hva, .end = end, .writable = true };
	return ERR_OK;
}

static const struct host_ops host_ops = { host_leaf, host_fault, host_area };

static void host_unmaps(u64 page, u64 count)
{
	hva_t start = HVA(HVA_BASE + (page << PAGE_SHIFT));
	hva_t end = HVA(start.v + (count << PAGE_SHIFT));

	guest_mem_invalidate_begin(&mem, start, end);
	for (u64 i = page; i < page + count; i++) {
		struct s2_leaf leaf;

		if (stage2_lookup(&mem.s2, IPA(IPA_BASE + (i << PAGE_SHIFT)), &leaf))
			fail("mapped after its invalidation began", i);
	}
	pthread_mutex_lock(&host_lock);
	for (u64 i = page; i < page + count; i++) {
		present[i] = false;
		generation[i]++;
	}
	pthread_mutex_unlock(&host_lock);
	guest_mem_invalidate_end(&mem, start, end);
}

/* ---- rings: in the second half each vCPU has one */
enum { RING = 512, COLLECTIONS = 300 };
static struct dirty_entry entries[VCPUS][RING];
static struct dirty_ring rings[VCPUS];
static bool ringing; /* constant while vCPUs run */

/* As user space does; the fields are the vCPU's until the flags were seen. */
static u64 collect(unsigned int vcpu, u32 *next)
{
	u64 n = 0;

	for (;; n++, (*next)++) {
		struct dirty_entry *e = &entries[vcpu][*next % RING];

		if (__atomic_load_n(&e->flags, __ATOMIC_ACQUIRE) != DIRTY_ENTRY_DIRTY)
			return n;
		if (e->slot != 0 || e->offset >= PAGES)
			fail("an entry nobody pushed", e->offset);
		__atomic_store_n(&e->flags, DIRTY_ENTRY_DIRTY | DIRTY_ENTRY_RESET,
				 __ATOMIC_RELEASE);
	}
}

static void take_back(struct dirty_reset *reset)
{
	for (int i = 0; i < VCPUS; i++) {
		while (dirty_ring_reset_step(&mem, &rings[i], reset))
			;
	}
	dirty_reset_end(&mem, reset);
}

/* ---- the actors */
static void *run_vcpu(void *arg)
{
	unsigned int vcpu = (unsigned int)(u64)arg, seed = vcpu;

	thread_cpu = vcpu;
	guest_mem_enter(&mem, vcpu);
	while (!__atomic_load_n(&stop, __ATOMIC_RELAXED)) {
		u64 ipa = IPA_BASE + ((u64)rand_r(&seed) % PAGES << PAGE_SHIFT);
		u64 write = rand_r(&seed) & 1, fsc = rand_r(&seed) & 1 ? 0x07 : 0x0f;
		struct fault_trap trap = {
			.esr = 0x24UL << 26 | 1UL << 24 | write << 6 | fsc,
			.hpfar = ipa >> 8,
			.ring = ringing ? &rings[vcpu] : NULL,
		};
		struct fault_outcome o;

		if (ringing && dirty_ring_is_full(&rings[vcpu])) {
			sched_yield();
			continue;
		}
		o = fault_handle(&mem, &trap);
		if (o.kind != OUTCOME_RESUME && o.kind != OUTCOME_MMIO)
			fail(reason_text(o.why), (ipa - IPA_BASE) >> PAGE_SHIFT);
	}
	return NULL;
}

static void change_slot(u32 flags, u64 size)
{
	struct slot_request r = { 0, flags, IPA(IPA_BASE), size, HVA(HVA_BASE) };
	struct slot_update u;

	if (guest_mem_slot_prepare(&mem, &r, &u))
		fail("a slot change was refused", 0);
	guest_mem_slot_commit(&mem, &u);
}

static void disturb(unsigned int *seed, u32 *flags)
{
	u64 page = (u64)rand_r(seed) % PAGES, count = 1 + (u64)rand_r(seed) % 200;
	struct dirty_log log;

	switch (rand_r(seed) % 16) {
	case 0:
	case 1:
	case 2:
		*flags ^= SLOT_LOG_DIRTY;
		change_slot(*flags, SIZE);
		break;
	case 3:
	case 4:
	case 5:
		if (*flags && dirty_log_get(&mem, 0, &log))
			fail("the dirty log was refused", 0);
		break;
	case 6:
		change_slot(0, 0);
		change_slot(*flags, SIZE);
		break;
	case 7: guest_mem_age(&mem, HVA(HVA_BASE), HVA(HVA_BASE + SIZE), S2_AGE_CLEAR); break;
	default: host_unmaps(page, min(count, PAGES - page)); break;
	}
}

/* ---- the verdict, when all is quiet */
static void check(void)
{
	struct stats st;
	u64 mapped = 0;

	for (u64 i = 0; i < PAGES; i++) {
		struct host_leaf host;
		struct s2_leaf leaf;

		if (!stage2_lookup(&mem.s2, IPA(IPA_BASE + (i << PAGE_SHIFT)), &leaf))
			continue;
		mapped += PAGE_SIZE;
		if (host_leaf(NULL, HVA(HVA_BASE + (i << PAGE_SHIFT)), &host) ||
		    host.pa.v != leaf.pa.v)
			fail("not what the host has", i);
	}
	stage2_stats(&mem.s2, &st);
	if (st.mapped[LEVEL_4K][S2_NORMAL] != mapped)
		fail("counters and tables differ", 0);
	printf("%lu faults, %lu retries, %lu invalidations\n",
	       (unsigned long)(st.count[STAT_fault_read] + st.count[STAT_fault_write]),
	       (unsigned long)st.count[STAT_fault_retry],
	       (unsigned long)st.count[STAT_invalidations]);
}

static void start(pthread_t *thread)
{
	__atomic_store_n(&stop, false, __ATOMIC_RELAXED);
	for (u64 i = 0; i < VCPUS; i++)
		pthread_create(&thread[i], NULL, run_vcpu, (void *)i);
}

static void finish(pthread_t *thread)
{
	__atomic_store_n(&stop, true, __ATOMIC_RELAXED);
	for (int i = 0; i < VCPUS; i++)
		pthread_join(thread[i], NULL);
	check();
}

static void log_by_rings(void)
{
	u32 next[VCPUS] = { 0 };
	u64 collected = 0, taken = 0;
	pthread_t thread[VCPUS];
	unsigned int seed = 7;

	change_slot(0, 0);
	guest_mem_log_to(&mem, TO_RING);
	change_slot(SLOT_LOG_DIRTY, SIZE);
	for (int i = 0; i < VCPUS; i++)
		dirty_ring_init(&rings[i], entries[i], RING);
	ringing = true;
	start(thread);
	for (int i = 0; i < COLLECTIONS; i++) {
		struct dirty_reset reset = { .count = 0 };

		for (unsigned int k = 0; k < VCPUS; k++)
			collected += collect(k, &next[k]);
		take_back(&reset);
		taken += reset.count;
		if (i % 8 == 0)
			host_unmaps((u64)rand_r(&seed) % (PAGES - 64), 64);
	}
	finish(thread);
	if (collected != taken || !taken)
		fail("entries read and not taken back", collected - taken);
	printf("%lu entries of rings\n", (unsigned long)taken);
}

int main(void)
{
	struct guest_mem_config config = { 40, &host_ops, NULL };
	pthread_t thread[VCPUS];
	unsigned int seed = 1;
	u32 flags = 0;

	if (vmid_pool_init(&vmids, &port, 0) || guest_mem_init(&mem, &port, &vmids, &config))
		return 1;
	mem.s2.step = 64;
	thread_cpu = VCPUS;
	change_slot(flags, SIZE);
	start(thread);
	for (int i = 0; i < ROUNDS; i++)
		disturb(&seed, &flags);
	finish(thread);
	log_by_rings();
	return 0;
}
