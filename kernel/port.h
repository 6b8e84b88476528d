/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The kernel's port: threads, traps and boot. It is apart from host/port.h because kernel/ runs on
 * the target only, host/ and kvm/ on the model too. The first half is implemented by port/arm64,
 * the second half by kernel/ and called from port/arm64's vectors and boot code.
 */
#ifndef KERNEL_PORT_H
#define KERNEL_PORT_H

#include "host/port.h"

/* The registers of a program at EL0; lies at the top of its thread's kernel stack while it is in
 * the kernel. */
struct user_regs {
	u64 x[31];
	u64 sp;
	u64 pc;
	u64 pstate;
	u64 orig_x0; /* x0 at system call entry, for restarts */
	s64 syscall; /* number, or -1 when not in a system call */
};

/* FP/SIMD state of a program; live in the registers while its thread is on a CPU. */
struct user_fpsimd {
	__uint128_t v[32];
	u32 fpsr;
	u32 fpcr;
} __aligned(16);

/* What a thread switch saves. Opaque to kernel/, which embeds it in struct thread. */
struct port_thread {
	u64 callee_saved[12]; /* x19..x29, sp */
	u64 pc;
	u64 tpidr_el0;
	u64 tpidrro_el0;
	struct user_fpsimd fp;
};

#define KSTACK_SIZE 16384UL

/* A stack in its own mapping with an unmapped page below it; its top, or NULL when memory is out.
 */
void *port_kstack_alloc(void);
void port_kstack_free(void *top);
/* Prepares @t so that the first switch to it calls @fn(@arg) on the stack with that @top. */
void port_thread_init(struct port_thread *t, void *top, void (*fn)(void *arg), void *arg);
/* Saves this CPU's thread into @prev (FP and TLS registers included), loads @next; returns when
 * switched back to. */
void port_thread_switch(struct port_thread *prev, struct port_thread *next, struct task *next_task);
/* Makes @t, an idle thread, what runs on this CPU: once per CPU, at boot. */
static inline void port_set_current(struct task *t);
/* Leaves the kernel for EL0 with @regs on the current stack, which is reset to its top. */
void port_enter_user(const struct user_regs *regs) __noreturn;
/* Copies the live FP state of the current thread (for signal frames, fork); and back. */
void port_fp_save(struct user_fpsimd *fp);
void port_fp_load(const struct user_fpsimd *fp);
void port_fp_reset(void);
u64 port_tls_get(void);
void port_tls_set(u64 tpidr_el0);
/* Waits for an interrupt with interrupts masked, then handles it. Called by idle threads only. */
void port_idle(void);
/* Powers off by PSCI SYSTEM_OFF. */
void port_power_off(void) __noreturn;
/* AT_HWCAP and AT_HWCAP2 for programs: only what the kernel switches and does not hide. */
u64 port_hwcap(void);
u64 port_hwcap2(void);

/* ---- device registers */
/* Maps registers as Device memory, for ever; the same address always gives the same result. Boot
 * only. */
void *port_map_device(pa_t pa, u64 size);
static inline u32 port_io_read32(const volatile void *reg);
/* Ordered after all earlier accesses to memory, as a device that reads memory needs. */
static inline void port_io_write32(volatile void *reg, u32 value);

/* ---- what boot found; valid for ever after kernel_main() began */
struct boot_info {
	struct boot_region ram[8]; /* all RAM, sorted */
	unsigned int ram_count;
	struct boot_region reserved[8]; /* kernel image, device tree, initramfs */
	unsigned int reserved_count;
	struct boot_region initramfs;
	char cmdline[1024];
	unsigned int cpu_count;
	const void *fdt;	       /* the device tree, in the linear map */
	struct boot_region virtio[32]; /* virtio-mmio windows */
	u32 virtio_irq[32];	       /* their INTIDs */
	unsigned int virtio_count;
	/* Size 0: the board has none. */
	struct boot_region rtc;	       /* registers of a PL031 */
	struct boot_region gpio;       /* registers of a PL061 */
	struct boot_region pci_config; /* ECAM of the one host bridge, from bus 0 */
	struct boot_region pci_low;  /* memory window below 4 GiB; bus and CPU address are equal */
	struct boot_region pci_high; /* the same for 64-bit BARs */
};
extern struct boot_info boot_info;

/* The value of "key=value" on the kernel's command line, copied NUL-terminated; false if absent or
 * too long. */
bool boot_option(const char *key, char *value, size_t size);

/* ---- implemented by kernel/, called by the port. All run with interrupts masked. */
/* On the boot CPU, on its idle stack, MMU and vectors on, other CPUs not yet started. */
void kernel_main(void) __noreturn;
/* On each other CPU, once it is up. */
void kernel_secondary_main(void) __noreturn;
/* Starts the other CPUs (port side); each ends in kernel_secondary_main(). Returns the count that
 * are up. */
unsigned int port_start_secondaries(void);
/* SVC from EL0; ends as kernel_return_to_user() does. */
void kernel_syscall(struct user_regs *regs);
/* Any other synchronous exception from EL0: aborts, undefined, alignment, debug. */
void kernel_user_exception(struct user_regs *regs, u64 esr, u64 far);
/*
 * A data abort at @far taken inside a user-access routine: fault the page in. 0: retry the access;
 * else the routine returns -EFAULT. May sleep.
 */
int kernel_user_access_fault(hva_t far, u64 esr);
/* This CPU's timer deadline passed. */
void kernel_timer_interrupt(void);
/* A device interrupt. */
void kernel_device_interrupt(u32 intid);
/* Registers @handler for a shared peripheral interrupt and enables it (port side). */
void port_irq_enable(u32 intid);
/*
 * The last thing before each return to EL0, after syscalls, exceptions and interrupts: gives way,
 * delivers signals, ends the thread if it must die. Returns with nothing pending; interrupts stay
 * masked until ERET.
 */
void kernel_return_to_user(struct user_regs *regs);

#endif
