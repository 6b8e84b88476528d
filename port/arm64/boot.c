/* SPDX-License-Identifier: Apache-2.0 */
/* Boot in C, from boot.S to kernel_main(); the other CPUs. */
#include <string.h>

#include "arm64.h"
#include "cpu.h"
#include "host/task.h"
#include "sysreg.h"

#define SECONDARY_TIMEOUT_NS 1000000000UL

struct percpu percpus[PORT_MAX_CPUS];
unsigned int arm64_cpu_count = 1;

/* What runs on a CPU before the scheduler names its idle thread. */
static struct task boot_tasks[PORT_MAX_CPUS];
static u8 overflow_stacks[PORT_MAX_CPUS][PAGE_SIZE] __aligned(16);

extern char __boot_stack_top[];

static void percpu_init(unsigned int cpu, u64 mpidr, void *stack_top)
{
	struct percpu *p = &percpus[cpu];

	strlcpy(boot_tasks[cpu].comm, "boot", sizeof(boot_tasks[cpu].comm));
	p->current = &boot_tasks[cpu];
	p->overflow_top = overflow_stacks[cpu] + PAGE_SIZE;
	p->stack_top = stack_top;
	p->mpidr = mpidr;
	p->cpu = cpu;
}

void boot_main(u64 fdt_pa, u64 image_pa)
{
	const void *fdt;

	arm64_kimage_offset = KIMAGE_BASE - image_pa;
	percpu_init(0, read_sysreg(mpidr_el1) & MPIDR_AFFINITY, __boot_stack_top);
	fdt = mmu_map_fdt(PA(fdt_pa));
	if (!fdt)
		panic("no device tree at 0x%lx, where the loader said", fdt_pa);
	fdt_read(fdt, PA(fdt_pa));
	uart_init();
	mmu_map_ram();
	mmu_drop_identity();
	cpu_read_features();
	cpu_init();
	gic_init();
	clock_init();
	pmu_init();
	random_init();
	report_unknown_options();
	cpu_report();
	kernel_main();
}

static void start_secondary(unsigned int cpu)
{
	void *stack_top = port_kstack_alloc();
	s64 error;

	if (!stack_top)
		panic("no memory for the stack of CPU %u", cpu);
	percpu_init(cpu, platform.cpu_mpidr[cpu], stack_top);
	error = arm64_psci_call(PSCI_CPU_ON, platform.cpu_mpidr[cpu],
				virt_to_phys((void *)secondary_entry).v, cpu);
	if (error)
		panic("CPU %u: PSCI CPU_ON returned %ld", cpu, error);
}

static void wait_for_secondary(unsigned int cpu)
{
	u64 deadline = port_time_ns() + SECONDARY_TIMEOUT_NS;

	while (!__atomic_load_n(&percpus[cpu].up, __ATOMIC_ACQUIRE)) {
		if (port_time_ns() > deadline)
			panic("CPU %u did not start within a second", cpu);
		port_cpu_relax();
	}
}

unsigned int port_start_secondaries(void)
{
	for (unsigned int cpu = 1; cpu < boot_info.cpu_count; cpu++)
		start_secondary(cpu);
	for (unsigned int cpu = 1; cpu < boot_info.cpu_count; cpu++)
		wait_for_secondary(cpu);
	/* Lets them all go: the count no longer changes. */
	__atomic_store_n(&arm64_cpu_count, boot_info.cpu_count, __ATOMIC_RELEASE);
	return boot_info.cpu_count;
}

void secondary_main(void)
{
	mmu_drop_identity();
	cpu_init();
	gic_init_cpu();
	clock_init_cpu();
	pmu_init_cpu();
	__atomic_store_n(&this_percpu()->up, 1, __ATOMIC_RELEASE);
	while (__atomic_load_n(&arm64_cpu_count, __ATOMIC_ACQUIRE) == 1)
		port_cpu_relax();
	kernel_secondary_main();
}
