/* SPDX-License-Identifier: Apache-2.0 */
/*
 * /sys: what programs read of CPUs, of huge pages and of the PMU. There is no NUMA, and as on a
 * Linux without it, no /sys/devices/system/node.
 */
#include <stdio.h>
#include <string.h>

#include "host/page.h"
#include "kernel/genfs.h"
#include "kernel/page_files.h"
#include "kernel/vfs.h"
#include "kvm/pmu.h"
#include "kvm/port.h"

static int show_cpus(struct gen_text *t, u64 tag)
{
	unsigned int count = port_cpu_count();

	(void)tag;
	if (count == 1)
		gen_printf(t, "0\n");
	else
		gen_printf(t, "0-%u\n", count - 1);
	return 0;
}

/* The number that KVM_ARM_VCPU_PMU_V3_SET_PMU takes. */
static int show_pmu_type(struct gen_text *t, u64 tag)
{
	(void)tag;
	gen_printf(t, "%u\n", PMU_IDENTIFIER);
	return 0;
}

/* "offline" and "isolated": none. */
static int show_no_cpus(struct gen_text *t, u64 tag)
{
	(void)tag;
	gen_printf(t, "\n");
	return 0;
}

static int show_kernel_max(struct gen_text *t, u64 tag)
{
	(void)tag;
	gen_printf(t, "%u\n", PORT_MAX_CPUS - 1);
	return 0;
}

/* CPUs are taken to be alike, as in what vCPUs get: the answer is that of the CPU that is asked. */
static int show_midr(struct gen_text *t, u64 tag)
{
	(void)tag;
	gen_printf(t, "0x%016lx\n", port_host_midr());
	return 0;
}

static int show_revidr(struct gen_text *t, u64 tag)
{
	(void)tag;
	gen_printf(t, "0x%016lx\n", port_host_revidr());
	return 0;
}

/* Transparent huge pages are given wherever they fit, and never taken back into small ones. */
static int show_thp_enabled(struct gen_text *t, u64 tag)
{
	(void)tag;
	gen_printf(t, "[always] madvise never\n");
	return 0;
}

static int show_thp_defrag(struct gen_text *t, u64 tag)
{
	(void)tag;
	gen_printf(t, "[always] defer defer+madvise madvise never\n");
	return 0;
}

static int show_thp_shmem(struct gen_text *t, u64 tag)
{
	(void)tag;
	gen_printf(t, "always within_size advise [never] deny force\n");
	return 0;
}

/* The one setting there is can be "set". */
static int store_always(const char *text, u64 tag)
{
	(void)tag;
	return strcmp(text, "always") == 0 ? 0 : -EINVAL;
}

static int show_pmd_size(struct gen_text *t, u64 tag)
{
	(void)tag;
	gen_printf(t, "%lu\n", SZ_2M);
	return 0;
}

/*
 * Huge pages come from free memory when they are asked for: the pool is as large as what is free,
 * and asking for a pool of that size or less is granted.
 */
static u64 huge_pages_free(u64 size)
{
	return page_counts().free_pages / (size / PAGE_SIZE);
}

static int show_huge(struct gen_text *t, u64 size)
{
	gen_printf(t, "%lu\n", huge_pages_free(size));
	return 0;
}

static int store_huge(const char *text, u64 size)
{
	u64 count;

	if (!gen_parse_u64(text, &count))
		return -EINVAL;
	return count <= huge_pages_free(size) ? 0 : -ENOMEM;
}

static int show_zero(struct gen_text *t, u64 tag)
{
	(void)tag;
	gen_printf(t, "0\n");
	return 0;
}

static int show_huge_2m(struct gen_text *t, u64 tag)
{
	(void)tag;
	return show_huge(t, SZ_2M);
}

static int show_huge_1g(struct gen_text *t, u64 tag)
{
	(void)tag;
	return show_huge(t, SZ_1G);
}

static int store_huge_2m(const char *text, u64 tag)
{
	(void)tag;
	return store_huge(text, SZ_2M);
}

static int store_huge_1g(const char *text, u64 tag)
{
	(void)tag;
	return store_huge(text, SZ_1G);
}

#define SYS_PMU	 "/sys/bus/event_source/devices/armv8_pmuv3_0/"
#define SYS_CPU	 "/sys/devices/system/cpu/"
#define SYS_THP	 "/sys/kernel/mm/transparent_hugepage/"
#define SYS_HUGE "/sys/kernel/mm/hugepages/"

static const struct gen_file sys_files[] = {
	{ SYS_CPU "online", 0444, show_cpus, NULL },
	{ SYS_CPU "possible", 0444, show_cpus, NULL },
	{ SYS_CPU "present", 0444, show_cpus, NULL },
	{ SYS_CPU "offline", 0444, show_no_cpus, NULL },
	{ SYS_CPU "isolated", 0444, show_no_cpus, NULL },
	{ SYS_CPU "kernel_max", 0444, show_kernel_max, NULL },
	{ SYS_THP "enabled", 0644, show_thp_enabled, store_always },
	{ SYS_THP "defrag", 0644, show_thp_defrag, store_always },
	{ SYS_THP "shmem_enabled", 0644, show_thp_shmem, NULL },
	{ SYS_THP "hpage_pmd_size", 0444, show_pmd_size, NULL },
	{ SYS_HUGE "hugepages-2048kB/nr_hugepages", 0644, show_huge_2m, store_huge_2m },
	{ SYS_HUGE "hugepages-2048kB/free_hugepages", 0444, show_huge_2m, NULL },
	{ SYS_HUGE "hugepages-2048kB/resv_hugepages", 0444, show_zero, NULL },
	{ SYS_HUGE "hugepages-2048kB/surplus_hugepages", 0444, show_zero, NULL },
	{ SYS_HUGE "hugepages-1048576kB/nr_hugepages", 0644, show_huge_1g, store_huge_1g },
	{ SYS_HUGE "hugepages-1048576kB/free_hugepages", 0444, show_huge_1g, NULL },
	{ SYS_HUGE "hugepages-1048576kB/resv_hugepages", 0444, show_zero, NULL },
	{ SYS_HUGE "hugepages-1048576kB/surplus_hugepages", 0444, show_zero, NULL },
};

/* There is no perf: VMMs look here which PMU their guests may have, and on which CPUs. */
static const struct gen_file pmu_files[] = {
	{ SYS_PMU "type", 0444, show_pmu_type, NULL },
	{ SYS_PMU "cpus", 0444, show_cpus, NULL },
};

/* Of each CPU. */
static const struct gen_file cpu_files[] = {
	{ "regs/identification/midr_el1", 0444, show_midr, NULL },
	{ "regs/identification/revidr_el1", 0444, show_revidr, NULL },
};

static void add_cpu(unsigned int cpu)
{
	for (size_t i = 0; i < ARRAY_SIZE(cpu_files); i++) {
		struct inode *inode = gen_inode(FS_SYS, &cpu_files[i], 0);
		char path[80];

		snprintf(path, sizeof(path), SYS_CPU "cpu%u/%s", cpu, cpu_files[i].path);
		if (IS_ERR(inode) || vfs_add(path, inode))
			panic("%s cannot be added", path);
	}
}

void sysfs_init(void)
{
	if (pmu_is_offered())
		gen_add_all(FS_SYS, pmu_files, ARRAY_SIZE(pmu_files));
	gen_add_all(FS_SYS, sys_files, ARRAY_SIZE(sys_files));
	for (unsigned int cpu = 0; cpu < port_cpu_count(); cpu++)
		add_cpu(cpu);
	page_files_init();
}
