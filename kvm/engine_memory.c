/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The memory the engine's port hands out, from the host's allocators.
 *
 * What is freed after a grace period may be read until then, so the queue entry for it lies
 * elsewhere, and freeing must not fail: each allocation brings one entry into a common store, and
 * each free takes one out.
 */
#include "kvm/engine_memory.h"

#include "host/page.h"
#include "host/sched.h"

struct retired {
	struct grace_work work;
	SLIST_ENTRY(retired) link; /* in the store */
	void *mem;
	void (*release)(void *mem);
};

static SLIST_HEAD(, retired) store; /* guarded by store_lock */
static struct spinlock store_lock;

static bool store_add(void)
{
	struct retired *r = kmalloc(sizeof(*r));

	if (!r)
		return false;
	spin_lock(&store_lock);
	SLIST_INSERT_HEAD(&store, r, link);
	spin_unlock(&store_lock);
	return true;
}

/* There is one: this memory's own. */
static struct retired *store_take(void)
{
	struct retired *r;

	spin_lock(&store_lock);
	r = SLIST_FIRST(&store);
	SLIST_REMOVE_HEAD(&store, link);
	spin_unlock(&store_lock);
	return r;
}

static void release_table(void *mem)
{
	page_put(virt_to_page(mem));
}

static void release_retired(struct grace_work *work)
{
	struct retired *r = container_of(work, struct retired, work);

	r->release(r->mem);
	kfree(r);
}

static void retire(void *mem, void (*release)(void *mem))
{
	struct retired *r = store_take();

	r->mem = mem;
	r->release = release;
	sched_after_grace(&r->work, release_retired);
}

u64 *engine_memory_table(unsigned int order)
{
	struct page *p = page_alloc(order, PAGE_ZEROED);

	if (!p)
		return NULL;
	if (!store_add()) {
		page_put(p);
		return NULL;
	}
	return page_to_virt(p);
}

void engine_memory_table_free(u64 *table)
{
	kfree(store_take());
	release_table(table);
}

void engine_memory_table_retire(u64 *table)
{
	retire(table, release_table);
}

void *engine_memory_alloc(size_t size)
{
	void *mem = kzalloc(size);

	if (mem && !store_add()) {
		kfree(mem);
		return NULL;
	}
	return mem;
}

void engine_memory_free(void *mem)
{
	if (!mem)
		return;
	kfree(store_take());
	kfree(mem);
}

void engine_memory_retire(void *mem)
{
	if (mem)
		retire(mem, kfree);
}
