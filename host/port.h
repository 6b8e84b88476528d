/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The host's port: what host/ and kvm/ ask of the machine. port/arm64 and port/model each implement
 * it in their own host_port.h, found by include path, inline where it is hot. kernel/sched.c
 * implements sleeping on the target (host/sched.h).
 *
 * Every function here may be called with interrupts masked, which in the kernel they always are,
 * and none sleeps unless it says so.
 */
#ifndef HOST_PORT_H
#define HOST_PORT_H

#include "engine/types.h"

struct task;
struct spinlock;

/* ---- spin locks: FIFO, not recursive; the model's assert that. The lock order is in
 * docs/invariants.md. */
static inline void spin_init(struct spinlock *l);
static inline void spin_lock(struct spinlock *l);
static inline bool spin_trylock(struct spinlock *l);
static inline void spin_unlock(struct spinlock *l);
static inline bool spin_is_locked(const struct spinlock *l);

/* ---- CPUs and the current thread */
#define PORT_MAX_CPUS 8
/* The index of this CPU, 0 .. port_cpu_count() - 1. */
static inline unsigned int port_cpu(void);
/* CPUs that are up. Fixed before the first program starts. */
static inline unsigned int port_cpu_count(void);
/* The thread that runs on this CPU (the CPU's idle thread if none does); never NULL. */
static inline struct task *port_current(void);
static inline void port_cpu_relax(void);
/* Make @cpu pass through its scheduler soon, also out of a guest (GICv3 SGI). @cpu may be this one.
 */
void port_ipi_resched(unsigned int cpu);
/* Interrupts that are pending are taken and handled, then masked again: a named point between
 * bounded steps. */
void port_irq_point(void);

/* ---- time: nanoseconds since boot, from CNTVCT; equal on all CPUs. */
u64 port_time_ns(void);
/* Interrupt this CPU at @deadline_ns (absolute) or never (UINT64_MAX); replaces the earlier
 * deadline. */
void port_timer_set(u64 deadline_ns);

/* ---- memory: the linear map of RAM. Both directions are valid for RAM only. */
static inline void *phys_to_virt(pa_t pa);
static inline pa_t virt_to_phys(const void *p);
/* A range of physical memory, as boot found it. */
struct boot_region {
	pa_t start;
	u64 size;
};
/* Zero @n bytes, both multiples of 64 (DC ZVA on arm64). */
void port_zero(void *p, size_t n);
/* True if @pa is RAM with a linear-map alias, by the boot memory map alone (design.md, "reach"). */
bool port_pa_is_ram(pa_t pa);
/* Make what was written to RAM by data accesses visible to instruction fetches on all CPUs. */
void port_icache_sync(void *p, size_t n);

/* ---- entropy: fills @n bytes; a CSPRNG seeded from RNDR or the device tree's rng-seed. */
void port_random(void *p, size_t n);

/* One past the last address a program can have. */
#define USER_END (1UL << 48)

/*
 * ---- the memory of programs (EL0). The address is checked to lie in the user half; a page that is
 * absent is faulted in, which may sleep: call with no spin lock held, and not under the mm lock. 0
 * or -EFAULT.
 */
int __must_check copy_from_user(void *dst, hva_t src, size_t n);
int __must_check copy_to_user(hva_t dst, const void *src, size_t n);
int __must_check clear_user(hva_t dst, size_t n);
/* Copies up to @n bytes or to the terminating NUL. The length without it, -EFAULT, or -ENAMETOOLONG
 * without NUL. */
s64 __must_check strncpy_from_user(char *dst, hva_t src, size_t n);
/* As copy_from_user, but never faults in nor sleeps: -EFAULT if the page is absent. Allowed under
 * spin locks. */
int __must_check copy_from_user_nofault(void *dst, hva_t src, size_t n);
/* Aligned 32-bit compare-and-exchange; *@old becomes the value seen. 0, -EFAULT; never sleeps
 * (futex, robust lists). */
int __must_check user_cmpxchg_u32(hva_t p, u32 *old, u32 new_value);

/*
 * ---- host translation tables (stage 1 of EL2&0, TTBR0). Entries are Arm VMSAv8-64 descriptors on
 * both machines; the port defines MAIR_IDX_WB, MAIR_IDX_NC and MAIR_IDX_NGNRE, the values of
 * AttrIndx for the memory types. The writer holds the mm's page-table lock.
 */
static inline u64 port_pte_read(const u64 *pte);
static inline void port_pte_write(u64 *pte, u64 value);
/* Orders earlier entry writes before later walks; for entries that were invalid, no TLBI is due. */
static inline void port_pte_publish(void);
/*
 * Drop and complete (DSB) this ASID's translations: of [start, end), or of all. @level 1 to 3: only
 * leaves of that level changed; 0: tables above leaves changed as well, or leaves of several
 * levels.
 */
void port_tlbi_host_range(u16 asid, hva_t start, hva_t end, int level);
void port_tlbi_host_asid(u16 asid);
void port_tlbi_host_all(void);
/* Bits of ASID the CPU has: 8 or 16. */
unsigned int port_asid_bits(void);
/* Switch this CPU's TTBR0 to @root under @asid; @root 0, no program's: an empty table. */
void port_mm_switch(pa_t root, u16 asid);

/* ---- messages and the end */
void port_console_write(const char *s, size_t n);
/* Prints, dumps registers and a backtrace, powers the machine off without an exit record: the
 * launcher says 125. */
void panic(const char *fmt, ...) __noreturn __printf(1, 2);

#include "host_port.h"

#endif
