/* SPDX-License-Identifier: Apache-2.0 */
/* What the parts of port/arm64 offer each other, beyond what the contract headers name. */
#ifndef PORT_ARM64_ARM64_H
#define PORT_ARM64_ARM64_H

#include "engine/types.h"
#include "kernel/port.h"

/* An exception taken from the kernel itself. Layout known to vectors.S. */
struct trap_frame {
	u64 x[31];
	u64 sp;
	u64 pc;
	u64 pstate;
	u64 record[2]; /* a frame record: the interrupted x29 and pc */
};

/* ---- what the device tree says beyond struct boot_info (fdt.c); set before kernel_main() */
struct platform {
	pa_t uart;
	pa_t gicd;
	pa_t gicr[4]; /* redistributor regions */
	u64 gicr_size[4];
	unsigned int gicr_count;
	u64 gicr_stride; /* 0: by GICR_TYPER */
	u32 pmu_ppi;	 /* the performance monitors' interrupt; 0: none */
	u64 cpu_mpidr[PORT_MAX_CPUS];
	u8 rng_seed[64];
	unsigned int rng_seed_size;
};
extern struct platform platform;

/* Reads the whole tree at @fdt, which lies at @fdt_pa; fills boot_info and platform. */
void fdt_read(const void *fdt, pa_t fdt_pa);

/* ---- mmu.c */
/* Maps what boot needs before the memory map is known: the device tree. NULL if it is none. */
const void *mmu_map_fdt(pa_t fdt_pa);
/* Maps all RAM of boot_info into the linear map. */
void mmu_map_ram(void);
/* Takes the boot-time identity map off this CPU. */
void mmu_drop_identity(void);

/* ---- options.c: names the words of the command line that nobody reads. */
void report_unknown_options(void);

/* ---- cpu.c */
void cpu_read_features(void);
/* One line on the console. */
void cpu_report(void);
/* Registers of this CPU that C can set as well; checks that it has the boot CPU's features. */
void cpu_init(void);

/* ---- gic.c */
void gic_init(void);
void gic_init_cpu(void);
enum ppi_state { PPI_DISABLED, PPI_ENABLED };
/* A private peripheral interrupt of this CPU. */
void gic_ppi_set(u32 intid, enum ppi_state state);

/* ---- clock.c */
void clock_init(void);
void clock_init_cpu(void);
/* The EL2 physical timer fired. */
void clock_interrupt(void);

/* Guests' list registers (guest_gic.c), the EL2 physical timer, guests' timers (guest_timer.c). */
#define PPI_GIC_MAINTENANCE	25
#define PPI_HOST_TIMER		26
#define PPI_GUEST_VIRTUAL_TIMER 27
#define PPI_GUEST_TIMER		30

/* ---- guest_pmu.c */
/* After gic_init(). */
void pmu_init(void);
void pmu_init_cpu(void);
/* Counters overflowed: the loaded vCPU's. */
void pmu_interrupt(void);

/* ---- psci.c */
#define PSCI_SYSTEM_OFF 0x84000008UL
#define PSCI_CPU_ON	0xc4000003UL
s64 arm64_psci_call(u64 function, u64 arg0, u64 arg1, u64 arg2);

/* ---- uart.c */
/* Moves the console to the device tree's UART. */
void uart_init(void);
/* Ignores the lock from here on: the machine is going down. */
void uart_break_lock(void);
/* At most 255 characters. */
void console_printf(const char *fmt, ...) __printf(1, 2);

/* ---- symbols.c: the function that holds @pc and its start, or NULL. */
const char *symbol_lookup(u64 pc, u64 *start);

/* ---- panic.c */
void panic_with_frame(const struct trap_frame *frame, u64 esr, u64 far,
		      const char *what) __noreturn;

/* ---- random.c */
void random_init(void);

/* ---- from assembly */
void boot_main(u64 fdt_pa, u64 image_pa) __noreturn;
void secondary_main(void) __noreturn;
void arm64_user_exception(struct user_regs *regs, u64 esr, u64 far);
void arm64_kernel_sync(struct trap_frame *frame, u64 esr, u64 far);
void arm64_kernel_unexpected(struct trap_frame *frame, u64 esr, u64 far) __noreturn;
void arm64_kernel_overflow(struct trap_frame *frame, u64 esr, u64 far) __noreturn;

/* ---- to assembly */
void arm64_thread_start(void);
void secondary_entry(void);
void arm64_zero_zva(void *start, void *end, size_t zva);
int arm64_copy_from_user(void *dst, u64 src, size_t n);
int arm64_copy_from_user_nofault(void *dst, u64 src, size_t n);
int arm64_copy_to_user(u64 dst, const void *src, size_t n);
int arm64_clear_user(u64 dst, size_t n);
s64 arm64_strncpy_from_user(char *dst, u64 src, size_t n);
int arm64_user_cmpxchg_u32(u64 p, u32 *old, u32 new_value);

#endif
