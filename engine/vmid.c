/* SPDX-License-Identifier: Apache-2.0 */
/* VMID allocation with generations and rollover. */
#include "engine/vmid.h"

#include "engine/err.h"

/* active[]: this CPU runs no VM. Zero means: the rollover took note of what ran, in reserved[]. */
#define VMID_IDLE (~0UL)

static u64 number_of(const struct vmid_pool *pool, u64 vmid)
{
	return vmid & (BIT(pool->bits) - 1);
}

static size_t map_size(const struct vmid_pool *pool)
{
	size_t size = BIT(pool->bits) / 8;

	return max(size, sizeof(u64));
}

static bool is_taken(const struct vmid_pool *pool, u64 number)
{
	return (pool->map[number / 64] & BIT(number % 64)) != 0;
}

static void take(struct vmid_pool *pool, u64 number)
{
	pool->map[number / 64] |= BIT(number % 64);
}

static void forget_all(struct vmid_pool *pool)
{
	for (size_t i = 0; i < map_size(pool) / sizeof(u64); i++)
		pool->map[i] = 0;
	take(pool, 0); /* 0 means: never had one */
}

int vmid_pool_init(struct vmid_pool *pool, struct port *p, unsigned int bits)
{
	const struct port_caps *caps = port_caps(p);

	if (!bits)
		bits = caps->vmid_bits;
	/* A rollover keeps one number for each CPU; one more must be left to hand out, and 0 is
	 * none. */
	if (bits < 2 || bits > caps->vmid_bits || caps->cpus > VMID_MAX_CPUS ||
	    BIT(bits) - 1 <= caps->cpus)
		return ERR_INVAL;

	*pool = (struct vmid_pool){ .port = p, .bits = bits, .generation = BIT(bits), .next = 1 };
	port_rwlock_init(p, &pool->lock);
	for (int i = 0; i < VMID_MAX_CPUS; i++)
		pool->active[i] = VMID_IDLE;
	pool->map = port_alloc(p, map_size(pool));
	if (!pool->map)
		return ERR_NOMEM;
	forget_all(pool);
	return ERR_OK;
}

void vmid_pool_destroy(struct vmid_pool *pool)
{
	port_free(pool->port, pool->map, map_size(pool));
	pool->map = NULL;
}

/* A new generation: numbers that run keep running, everything else is forgotten and flushed. */
static void roll_over(struct vmid_pool *pool)
{
	forget_all(pool);
	pool->generation += BIT(pool->bits);
	pool->rollovers++;
	for (int i = 0; i < VMID_MAX_CPUS; i++) {
		u64 vmid = __atomic_exchange_n(&pool->active[i], 0, __ATOMIC_RELAXED);

		if (vmid == VMID_IDLE) {
			pool->active[i] = VMID_IDLE;
			vmid = 0;
		} else if (vmid == 0) {
			vmid = pool->reserved[i]; /* still running since the rollover before */
		}
		pool->reserved[i] = vmid;
		if (vmid)
			take(pool, number_of(pool, vmid));
	}
	port_tlbi_all_vmids(pool->port);
}

/* Was @vmid carried over? Then it is good for the new generation, on every CPU that keeps it. */
static bool renew_reserved(struct vmid_pool *pool, u64 vmid, u64 renewed)
{
	bool hit = false;

	for (int i = 0; i < VMID_MAX_CPUS; i++) {
		if (pool->reserved[i] == vmid) {
			pool->reserved[i] = renewed;
			hit = true;
		}
	}
	return hit;
}

/* A free number, or 0. */
static u64 find_free(struct vmid_pool *pool)
{
	u64 count = BIT(pool->bits);

	for (u64 i = 0; i < count; i++) {
		u64 number = (pool->next + i) & (count - 1);

		if (!is_taken(pool, number)) {
			pool->next = (u32)((number + 1) & (count - 1));
			return number;
		}
	}
	return 0;
}

static u64 renew(struct vmid_pool *pool, u64 vmid)
{
	u64 number = number_of(pool, vmid);

	if (vmid) {
		if (renew_reserved(pool, vmid, pool->generation | number))
			return pool->generation | number;
		if (!is_taken(pool, number)) {
			take(pool, number);
			return pool->generation | number;
		}
	}
	number = find_free(pool);
	if (!number) {
		roll_over(pool);
		if (vmid && renew_reserved(pool, vmid, pool->generation | number_of(pool, vmid)))
			return pool->generation | number_of(pool, vmid);
		number = find_free(pool);
	}
	take(pool, number);
	return pool->generation | number;
}

u16 vmid_enter(struct vmid_pool *pool, u64 *vmid)
{
	unsigned int cpu = port_this_cpu(pool->port);
	u64 now;

	port_write_lock(pool->port, &pool->lock);
	now = __atomic_load_n(vmid, __ATOMIC_RELAXED);
	if (!now || (now ^ pool->generation) >> pool->bits) {
		now = renew(pool, now);
		__atomic_store_n(vmid, now, __ATOMIC_RELEASE);
	}
	pool->reserved[cpu] = 0;
	__atomic_store_n(&pool->active[cpu], now, __ATOMIC_RELAXED);
	port_write_unlock(pool->port, &pool->lock);
	return (u16)number_of(pool, now);
}

void vmid_leave(struct vmid_pool *pool)
{
	unsigned int cpu = port_this_cpu(pool->port);

	port_write_lock(pool->port, &pool->lock);
	pool->active[cpu] = VMID_IDLE;
	port_write_unlock(pool->port, &pool->lock);
}
