/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The host's port on the modelled machine: RAM, the stage-1 walk and its TLB, access to programs'
 * memory, and a scheduler for one thread, which must never have to wait.
 *
 * The TLB is as bad as the architecture allows: it caches each leaf and each table pointer that a
 * walk meets, for ever, until an invalidation names it.
 */
#define _DEFAULT_SOURCE /* mmap's MAP_ANONYMOUS, clock_gettime */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

#include "host/err.h"
#include "host/page.h"
#include "host/sched.h"
#include "host/task.h"

#define DESC_VALID  BIT(0)
#define DESC_TABLE  BIT(1)
#define DESC_RDONLY BIT(7)
#define DESC_AF	    BIT(10)
#define DESC_NG	    BIT(11)
#define DESC_ADDR   GENMASK(47, 12)
/* Reserved for software, or ignored as PBHA is while TCR_EL2.HWU* are 0. */
#define DESC_SOFTWARE GENMASK(62, 55)
/* What may change while the descriptor stays valid (Arm ARM R_WHZWS): permissions and AF. */
#define DESC_PERM_BITS (GENMASK(7, 6) | BIT(10) | BIT(51) | GENMASK(54, 53))

#define TLB_ENTRIES 65536
#define VA_END	    (1UL << 48)

/* One cached descriptor of a walk: a leaf, or a table pointer. */
struct tlb_entry {
	u16 asid;
	int level;
	u64 va; /* first address translated through it */
	u64 desc;
	u64 *from; /* where it was read */
};

static struct {
	struct tlb_entry entries[TLB_ENTRIES];
	u32 count;
	pa_t root;
	u16 asid;
	STAILQ_HEAD(, grace_work) grace;
	struct task boot_task;
	jmp_buf *catcher;
	char refusal[256];
	u64 random;
	char device[PAGE_SIZE]; /* what a program reads and writes wherever there is no RAM */
} machine;

char *model_ram;
u64 model_ram_bytes;
u32 model_spinlocks_held;
struct task *model_current;
void (*model_pte_hook)(u64 *entry, u64 old, u64 value);
void (*model_ram_hook)(pa_t pa, u64 size, enum model_written what);
bool (*model_user_fault)(u64 va, enum model_access access);
struct model_tlbi_counts model_tlbis;
unsigned int model_asid_bits = 8;
int (*model_on_sleep)(u64 deadline_ns);
void (*model_on_cancel_sleep)(void);
struct task *model_woken;
void (*model_on_ipi)(unsigned int cpu);
void (*model_on_relax)(void);
u64 model_sched_points;

/* ---- refusals */

void panic(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(machine.refusal, sizeof(machine.refusal), fmt, ap);
	va_end(ap);
	if (machine.catcher)
		longjmp(*machine.catcher, 1);
	(void)fprintf(stderr, "refused: %s\n", machine.refusal);
	abort();
}

bool model_refuses(void (*fn)(void *arg), void *arg)
{
	jmp_buf here;
	bool refused = true;

	machine.catcher = &here;
	if (!setjmp(here)) {
		fn(arg);
		refused = false;
	}
	machine.catcher = NULL;
	return refused;
}

const char *model_refusal(void)
{
	return machine.refusal;
}

/* ---- power */

void model_host_boot(u64 ram_bytes)
{
	char *arena = mmap(NULL, ram_bytes, PROT_READ | PROT_WRITE,
			   MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	struct boot_region ram = { PA(MODEL_RAM_BASE), ram_bytes };

	if (arena == MAP_FAILED)
		abort();
	model_ram = arena;
	model_ram_bytes = ram_bytes;
	model_spinlocks_held = 0;
	memset(&model_tlbis, 0, sizeof(model_tlbis));
	machine.count = 0;
	machine.root = PA(0);
	machine.asid = 0;
	machine.random = 1;
	STAILQ_INIT(&machine.grace);
	memset(&machine.boot_task, 0, sizeof(machine.boot_task));
	model_current = &machine.boot_task;
	model_pte_hook = NULL;
	model_ram_hook = NULL;
	model_user_fault = NULL;
	model_on_ipi = NULL;
	model_on_relax = NULL;
	page_init(&ram, 1, NULL, 0);
}

void model_host_off(void)
{
	(void)munmap(model_ram, model_ram_bytes);
	model_ram = NULL;
	model_ram_bytes = 0;
}

/* ---- descriptors: break-before-make */

static const struct tlb_entry *tlb_cached_from(const u64 *entry)
{
	for (u32 i = 0; i < machine.count; i++) {
		if (machine.entries[i].from == entry)
			return &machine.entries[i];
	}
	return NULL;
}

static bool same_but_permissions(u64 a, u64 b)
{
	return ((a ^ b) & ~(DESC_PERM_BITS | DESC_SOFTWARE)) == 0;
}

void model_pte_write(u64 *pte, u64 value)
{
	u64 old = *pte;
	const struct tlb_entry *cached = tlb_cached_from(pte);

	if (model_pte_hook)
		model_pte_hook(pte, old, value);
	if ((old & DESC_VALID) && (value & DESC_VALID) && !same_but_permissions(old, value))
		panic("descriptor %lx became %lx without a break", (unsigned long)old,
		      (unsigned long)value);
	if (!(old & DESC_VALID) && (value & DESC_VALID) && cached &&
	    !same_but_permissions(cached->desc, value))
		panic("descriptor %lx was made %lx before its invalidation",
		      (unsigned long)cached->desc, (unsigned long)value);
	*pte = value;
}

/* ---- the TLB */

static void tlb_drop(u32 i)
{
	machine.entries[i] = machine.entries[--machine.count];
}

static void tlb_add(int level, u64 va, u64 *from)
{
	struct tlb_entry e = { .asid = machine.asid,
			       .level = level,
			       .va = ALIGN_DOWN(va, level_size(level)),
			       .desc = *from,
			       .from = from };

	if (machine.count == TLB_ENTRIES)
		tlb_drop(0);
	machine.entries[machine.count++] = e;
}

static const struct tlb_entry *tlb_find(int level, u64 va)
{
	for (u32 i = 0; i < machine.count; i++) {
		const struct tlb_entry *e = &machine.entries[i];

		if (e->asid == machine.asid && e->level == level &&
		    e->va == ALIGN_DOWN(va, level_size(level)))
			return e;
	}
	return NULL;
}

static bool desc_is_leaf(u64 desc, int level)
{
	return level == LEVEL_4K || !(desc & DESC_TABLE);
}

void port_tlbi_host_range(u16 asid, hva_t start, hva_t end, int level)
{
	model_tlbis.range++;
	for (u32 i = 0; i < machine.count;) {
		const struct tlb_entry *e = &machine.entries[i];
		bool leaf = desc_is_leaf(e->desc, e->level);
		bool named =
			e->asid == asid && e->va < end.v && e->va + level_size(e->level) > start.v;

		/* A hint of a level reaches leaves of that level only, and no table pointer. */
		if (named && (level == 0 || (leaf && e->level == level)))
			tlb_drop(i);
		else
			i++;
	}
}

void port_tlbi_host_asid(u16 asid)
{
	model_tlbis.asid++;
	for (u32 i = 0; i < machine.count;) {
		if (machine.entries[i].asid == asid)
			tlb_drop(i);
		else
			i++;
	}
}

void port_tlbi_host_all(void)
{
	model_tlbis.all++;
	machine.count = 0;
}

unsigned int port_asid_bits(void)
{
	return model_asid_bits;
}

void port_mm_switch(pa_t root, u16 asid)
{
	machine.root = root;
	machine.asid = asid;
}

/* A leaf without the Access flag: it faults and is not cached (Arm ARM D8.5, The Access flag). */
static bool desc_is_old(u64 desc, int level)
{
	return desc_is_leaf(desc, level) && !(desc & DESC_AF);
}

/*
 * The descriptor that the CPU uses at @level for @va: what it cached, if it did. A cached one that
 * memory no longer holds was used after it should have gone.
 */
static u64 walk_read(u64 *table, int level, u64 va)
{
	u64 *from = &table[(va >> level_shift(level)) & 511];
	const struct tlb_entry *e = tlb_find(level, va);

	if (!e) {
		if ((*from & DESC_VALID) && !desc_is_old(*from, level))
			tlb_add(level, va, from);
		return *from;
	}
	if (e->desc != *from && ((e->desc ^ *from) & ~DESC_SOFTWARE))
		panic("stale translation of %lx: level %d, cached %lx, memory has %lx",
		      (unsigned long)va, level, (unsigned long)e->desc, (unsigned long)*from);
	return e->desc;
}

static char *memory_at(u64 pa)
{
	return port_pa_is_ram(PA(pa)) ? phys_to_virt(PA(pa)) : &machine.device[pa & ~PAGE_MASK];
}

/* The program's byte at @va for an access, or NULL for a fault. */
static char *walk(u64 va, enum model_access access)
{
	u64 *table;

	if (!machine.root.v)
		return NULL;
	table = phys_to_virt(machine.root);
	for (int level = LEVEL_512G; level <= LEVEL_4K; level++) {
		u64 desc = walk_read(table, level, va);
		pa_t pa = PA(desc & DESC_ADDR);

		if (!(desc & DESC_VALID))
			return NULL;
		if (!desc_is_leaf(desc, level)) {
			table = phys_to_virt(pa);
			continue;
		}
		if (desc_is_old(desc, level))
			return NULL;
		if (!(desc & DESC_NG))
			panic("a program's leaf %lx is global", (unsigned long)desc);
		if (access == MODEL_WRITE && (desc & DESC_RDONLY))
			return NULL;
		return memory_at(pa.v + (va & (level_size(level) - 1)));
	}
	return NULL;
}

/* ---- access to programs' memory */

enum on_fault { FAULT_IN, FAULT_FAILS };

static char *user_byte(u64 va, enum model_access access, enum on_fault on_fault)
{
	char *p = walk(va, access);

	for (int tries = 0; !p && on_fault == FAULT_IN; tries++) {
		if (model_spinlocks_held)
			panic("a program's memory is touched under a spin lock");
		if (!model_user_fault || !model_user_fault(va, access))
			return NULL;
		if (tries == 100)
			panic("fault at %lx is never resolved", (unsigned long)va);
		p = walk(va, access);
	}
	return p;
}

enum user_op { USER_READ, USER_WRITE, USER_CLEAR };

static void user_part(char *p, char *b, size_t n, enum user_op op)
{
	switch (op) {
	case USER_READ: memcpy(b, p, n); return;
	case USER_WRITE: memcpy(p, b, n); break;
	case USER_CLEAR: memset(p, 0, n); break;
	}
	if (model_ram_hook && p >= model_ram && p < model_ram + model_ram_bytes)
		model_ram_hook(virt_to_phys(p), n, MODEL_USER_WROTE);
}

static int user_access(u64 va, void *buf, size_t n, enum user_op op, enum on_fault on_fault)
{
	char *b = buf;

	if (va >= VA_END || n > VA_END - va)
		return -EFAULT;
	while (n > 0) {
		size_t part = min(n, PAGE_SIZE - (va & ~PAGE_MASK));
		char *p = user_byte(va, op == USER_READ ? MODEL_READ : MODEL_WRITE, on_fault);

		if (!p)
			return -EFAULT;
		user_part(p, b, part, op);
		va += part;
		b = op == USER_CLEAR ? b : b + part;
		n -= part;
	}
	return 0;
}

int copy_from_user(void *dst, hva_t src, size_t n)
{
	return user_access(src.v, dst, n, USER_READ, FAULT_IN);
}

int copy_to_user(hva_t dst, const void *src, size_t n)
{
	return user_access(dst.v, (void *)src, n, USER_WRITE, FAULT_IN);
}

int clear_user(hva_t dst, size_t n)
{
	return user_access(dst.v, NULL, n, USER_CLEAR, FAULT_IN);
}

int copy_from_user_nofault(void *dst, hva_t src, size_t n)
{
	return user_access(src.v, dst, n, USER_READ, FAULT_FAILS);
}

s64 strncpy_from_user(char *dst, hva_t src, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (copy_from_user(&dst[i], HVA(src.v + i), 1))
			return -EFAULT;
		if (!dst[i])
			return (s64)i;
	}
	return -ENAMETOOLONG;
}

int user_cmpxchg_u32(hva_t p, u32 *old, u32 new_value)
{
	u32 *word;
	u32 seen;

	if (p.v >= VA_END || !IS_ALIGNED(p.v, sizeof(u32)))
		return -EFAULT;
	word = (u32 *)user_byte(p.v, MODEL_WRITE, FAULT_FAILS);
	if (!word)
		return -EFAULT;
	seen = *word;
	if (seen == *old)
		*word = new_value;
	*old = seen;
	return 0;
}

/* ---- memory, time, chance, messages */

void port_zero(void *p, size_t n)
{
	if (model_ram_hook)
		model_ram_hook(virt_to_phys(p), n, MODEL_ZEROED);
	memset(p, 0, n);
}

bool port_pa_is_ram(pa_t pa)
{
	return (pa.v & MODEL_IMAGE_BIT) ||
	       (pa.v >= MODEL_RAM_BASE && pa.v < MODEL_RAM_BASE + model_ram_bytes);
}

void port_icache_sync(void *p, size_t n)
{
	(void)p;
	(void)n;
}

u64 port_time_ns(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_MONOTONIC, &t);
	return (u64)t.tv_sec * 1000000000UL + (u64)t.tv_nsec;
}

void port_timer_set(u64 deadline_ns)
{
	(void)deadline_ns;
}

/* Repeatable on purpose: a failure replays. */
void port_random(void *p, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		machine.random = machine.random * 6364136223846793005UL + 1442695040888963407UL;
		((u8 *)p)[i] = (u8)(machine.random >> 56);
	}
}

void port_console_write(const char *s, size_t n)
{
	(void)fwrite(s, 1, n, stderr);
}

void port_ipi_resched(unsigned int cpu)
{
	if (model_on_ipi)
		model_on_ipi(cpu);
}

void port_irq_point(void)
{
}

/* ---- the scheduler of one thread */

void sched_prepare_sleep(enum sleep_kind kind)
{
	(void)kind;
}

void sched_cancel_sleep(void)
{
	if (model_on_cancel_sleep)
		model_on_cancel_sleep();
}

int sched_sleep(u64 deadline_ns)
{
	if (model_on_sleep)
		return model_on_sleep(deadline_ns);
	if (deadline_ns == SCHED_FOREVER)
		panic("the only thread would sleep for ever");
	return -ETIMEDOUT;
}

void sched_wake(struct task *t)
{
	model_woken = t;
}

void sched_point(void)
{
	model_sched_points++;
	if (model_spinlocks_held)
		panic("gave way with %u spin locks held", model_spinlocks_held);
}

void sched_grace_period(void)
{
	sched_point();
}

void sched_after_grace(struct grace_work *work, void (*fn)(struct grace_work *work))
{
	work->fn = fn;
	STAILQ_INSERT_TAIL(&machine.grace, work, link);
}

void model_host_grace(void)
{
	struct grace_work *work;

	while ((work = STAILQ_FIRST(&machine.grace))) {
		STAILQ_REMOVE_HEAD(&machine.grace, link);
		work->fn(work);
	}
}
