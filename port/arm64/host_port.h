/* SPDX-License-Identifier: Apache-2.0 */
/* The inline half of host/port.h on the real machine. Contracts are there. */
#ifndef PORT_ARM64_HOST_PORT_H
#define PORT_ARM64_HOST_PORT_H

#include "layout.h"
#include "mair.h"
#include "percpu.h"

/* A ticket lock: served in the order of arrival. */
struct spinlock {
	union {
		u32 both;
		struct {
			u16 owner; /* the ticket that is served */
			u16 next;  /* the ticket to draw */
		};
	};
};

static inline void spin_init(struct spinlock *l)
{
	l->both = 0;
}

/* Returns when @ticket is served (spin.c). */
void arm64_spin_wait(struct spinlock *l, u16 ticket);

static inline void spin_lock(struct spinlock *l)
{
	u32 both = __atomic_fetch_add(&l->both, 1U << 16, __ATOMIC_ACQUIRE);
	u16 ticket = (u16)(both >> 16);

	if ((u16)both != ticket)
		arm64_spin_wait(l, ticket);
}

static inline bool spin_trylock(struct spinlock *l)
{
	u32 both = __atomic_load_n(&l->both, __ATOMIC_RELAXED);

	if ((u16)both != (u16)(both >> 16))
		return false;
	return __atomic_compare_exchange_n(&l->both, &both, both + (1U << 16), false,
					   __ATOMIC_ACQUIRE, __ATOMIC_RELAXED);
}

static inline void spin_unlock(struct spinlock *l)
{
	__atomic_store_n(&l->owner, (u16)(l->owner + 1), __ATOMIC_RELEASE);
}

static inline bool spin_is_locked(const struct spinlock *l)
{
	u32 both = __atomic_load_n(&l->both, __ATOMIC_RELAXED);

	return (u16)both != (u16)(both >> 16);
}

static inline unsigned int port_cpu(void)
{
	return this_percpu()->cpu;
}

extern unsigned int arm64_cpu_count;

static inline unsigned int port_cpu_count(void)
{
	return arm64_cpu_count;
}

static inline struct task *port_current(void)
{
	return this_percpu()->current;
}

/* kernel/port.h. */
static inline void port_set_current(struct task *t)
{
	this_percpu()->current = t;
}

static inline void port_cpu_relax(void)
{
	__asm__ volatile("yield" ::: "memory");
}

static inline void *phys_to_virt(pa_t pa)
{
	return (void *)(pa.v + LINEAR_BASE);
}

/* Set once by boot.c: where the image lies is the loader's choice. */
extern u64 arm64_kimage_offset;

/* Also good for objects of the kernel's image. */
static inline pa_t virt_to_phys(const void *p)
{
	u64 va = (u64)p;

	return PA(va >= KIMAGE_BASE ? va - arm64_kimage_offset : va - LINEAR_BASE);
}

static inline u64 port_pte_read(const u64 *pte)
{
	return __atomic_load_n(pte, __ATOMIC_RELAXED);
}

static inline void port_pte_write(u64 *pte, u64 value)
{
	__atomic_store_n(pte, value, __ATOMIC_RELAXED);
}

static inline void port_pte_publish(void)
{
	__asm__ volatile("dsb ishst\n\tisb" ::: "memory");
}

static inline u32 port_io_read32(const volatile void *reg)
{
	u32 value = *(const volatile u32 *)reg;

	__asm__ volatile("dmb osh" ::: "memory");
	return value;
}

static inline void port_io_write32(volatile void *reg, u32 value)
{
	__asm__ volatile("dmb osh" ::: "memory");
	*(volatile u32 *)reg = value;
}

#endif
