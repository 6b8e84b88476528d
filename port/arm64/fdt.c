/* SPDX-License-Identifier: Apache-2.0 */
/* What the device tree says: memory, CPUs, devices, command line (Devicetree Specification 0.4). */
#include <libfdt.h>
#include <string.h>

#include "arm64.h"
#include "sysreg.h"

struct boot_info boot_info;
struct platform platform;

extern const char _start[], _end[];

/* The offset of the root node; memory and devices are its children. */
#define ROOT 0

/* A number of @cells 32-bit cells. */
static u64 read_cells(const fdt32_t *p, int cells)
{
	u64 value = 0;

	for (; cells > 0; cells--)
		value = value << 32 | fdt32_to_cpu(*p++);
	return value;
}

/* The @index-th address and size of the reg property of @node, a child of @parent. libfdt would
 * find the parent by walking the tree from its start, which took most of the time of boot. */
static bool read_reg(const void *fdt, int parent, int node, int index, pa_t *pa, u64 *size)
{
	int address_cells = fdt_address_cells(fdt, parent);
	int size_cells = fdt_size_cells(fdt, parent);
	int len, entry = address_cells + size_cells;
	const fdt32_t *reg = fdt_getprop(fdt, node, "reg", &len);

	if (!reg || address_cells < 1 || size_cells < 0 || len < 4 * entry * (index + 1))
		return false;
	*pa = PA(read_cells(reg + entry * index, address_cells));
	*size = read_cells(reg + entry * index + address_cells, size_cells);
	return true;
}

/* A property that is one number of one or two cells. */
static bool read_number(const void *fdt, int node, const char *name, u64 *value)
{
	int len;
	const fdt32_t *p = fdt_getprop(fdt, node, name, &len);

	if (!p || (len != 4 && len != 8))
		return false;
	*value = read_cells(p, len / 4);
	return true;
}

static bool has_device_type(const void *fdt, int node, const char *type)
{
	const char *value = fdt_getprop(fdt, node, "device_type", NULL);

	return value && strcmp(value, type) == 0;
}

/* Keeps @regions sorted by address. */
static void insert_region(struct boot_region *regions, unsigned int *count, unsigned int max,
			  struct boot_region new_region)
{
	unsigned int i = *count;

	if (new_region.size == 0)
		return;
	if (*count == max)
		panic("more than %u regions of memory", max);
	for (; i > 0 && regions[i - 1].start.v > new_region.start.v; i--)
		regions[i] = regions[i - 1];
	regions[i] = new_region;
	(*count)++;
}

/* Only whole pages of RAM are used. */
static void read_memory(const void *fdt, int node)
{
	struct boot_region r;

	for (int i = 0; read_reg(fdt, ROOT, node, i, &r.start, &r.size); i++) {
		u64 start = ALIGN_UP(r.start.v, PAGE_SIZE);
		u64 end = ALIGN_DOWN(r.start.v + r.size, PAGE_SIZE);

		if (start < end)
			insert_region(boot_info.ram, &boot_info.ram_count,
				      ARRAY_SIZE(boot_info.ram),
				      (struct boot_region){ PA(start), end - start });
	}
}

/* Every page that is touched is reserved; what overlaps or adjoins becomes one. */
static void reserve(u64 start, u64 end)
{
	struct boot_region *r = boot_info.reserved;
	unsigned int kept = 0;

	start = ALIGN_DOWN(start, PAGE_SIZE);
	end = ALIGN_UP(end, PAGE_SIZE);
	for (unsigned int i = 0; i < boot_info.reserved_count; i++) {
		u64 r_end = r[i].start.v + r[i].size;

		if (r[i].start.v <= end && start <= r_end) {
			start = min(start, r[i].start.v);
			end = max(end, r_end);
		} else {
			r[kept++] = r[i];
		}
	}
	boot_info.reserved_count = kept;
	insert_region(r, &boot_info.reserved_count, ARRAY_SIZE(boot_info.reserved),
		      (struct boot_region){ PA(start), end - start });
}

static void read_chosen(const void *fdt)
{
	int node = fdt_path_offset(fdt, "/chosen");
	const char *bootargs = fdt_getprop(fdt, node, "bootargs", NULL);
	const void *seed;
	u64 start, end;
	int len;

	if (bootargs && strlcpy(boot_info.cmdline, bootargs, sizeof(boot_info.cmdline)) >=
				sizeof(boot_info.cmdline))
		panic("the command line is longer than %zu characters",
		      sizeof(boot_info.cmdline) - 1);
	if (read_number(fdt, node, "linux,initrd-start", &start) &&
	    read_number(fdt, node, "linux,initrd-end", &end) && start < end) {
		boot_info.initramfs = (struct boot_region){ PA(start), end - start };
		reserve(start, end);
	}
	seed = fdt_getprop(fdt, node, "rng-seed", &len);
	if (seed && len > 0) {
		platform.rng_seed_size =
			min((unsigned int)len, (unsigned int)sizeof(platform.rng_seed));
		memcpy(platform.rng_seed, seed, platform.rng_seed_size);
	}
}

/* CPUs beyond the limit stay off. The boot CPU becomes number 0. */
static void read_cpu(const void *fdt, int cpus, int node)
{
	u64 self = read_sysreg(mpidr_el1) & MPIDR_AFFINITY;
	unsigned int n = boot_info.cpu_count;
	pa_t mpidr;
	u64 none;

	if (n == PORT_MAX_CPUS || !read_reg(fdt, cpus, node, 0, &mpidr, &none))
		return;
	platform.cpu_mpidr[n] = mpidr.v & MPIDR_AFFINITY;
	if (platform.cpu_mpidr[n] == self) {
		platform.cpu_mpidr[n] = platform.cpu_mpidr[0];
		platform.cpu_mpidr[0] = self;
	}
	boot_info.cpu_count = n + 1;
}

static void read_gic(const void *fdt, int node)
{
	u64 size, regions = 1;

	read_reg(fdt, ROOT, node, 0, &platform.gicd, &size);
	read_number(fdt, node, "#redistributor-regions", &regions);
	read_number(fdt, node, "redistributor-stride", &platform.gicr_stride);
	regions = min(regions, ARRAY_SIZE(platform.gicr));
	for (unsigned int i = 0; i < regions; i++) {
		if (!read_reg(fdt, ROOT, node, (int)i + 1, &platform.gicr[i],
			      &platform.gicr_size[i]))
			break;
		platform.gicr_count = i + 1;
	}
}

static void read_uart(const void *fdt, int node)
{
	u64 size;

	if (platform.uart.v == 0)
		read_reg(fdt, ROOT, node, 0, &platform.uart, &size);
}

static void read_virtio(const void *fdt, int node)
{
	unsigned int n = boot_info.virtio_count;
	int len;
	const fdt32_t *interrupt = fdt_getprop(fdt, node, "interrupts", &len);
	struct boot_region *window = &boot_info.virtio[n];

	/* Three cells: 0 for a shared interrupt, its number, its trigger. */
	if (n == ARRAY_SIZE(boot_info.virtio) || !interrupt || len != 12 ||
	    fdt32_to_cpu(interrupt[0]) != 0 ||
	    !read_reg(fdt, ROOT, node, 0, &window->start, &window->size))
		return;
	boot_info.virtio_irq[n] = fdt32_to_cpu(interrupt[1]) + 32;
	boot_info.virtio_count = n + 1;
}

static void read_rtc(const void *fdt, int node)
{
	read_reg(fdt, ROOT, node, 0, &boot_info.rtc.start, &boot_info.rtc.size);
}

static void read_gpio(const void *fdt, int node)
{
	read_reg(fdt, ROOT, node, 0, &boot_info.gpio.start, &boot_info.gpio.size);
}

/* Three cells: 1 for a private interrupt, its number from 16 on, its trigger and CPUs. */
static void read_pmu(const void *fdt, int node)
{
	int len;
	const fdt32_t *interrupt = fdt_getprop(fdt, node, "interrupts", &len);

	if (interrupt && len == 12 && fdt32_to_cpu(interrupt[0]) == 1 &&
	    fdt32_to_cpu(interrupt[1]) < 16)
		platform.pmu_ppi = fdt32_to_cpu(interrupt[1]) + 16;
}

/* An entry of a PCI bridge's ranges: three cells of PCI address, whose first holds the space, two
 * of CPU address, two of size (IEEE 1275 PCI binding). */
#define PCI_RANGE_CELLS	 7
#define PCI_SPACE(cell)	 ((cell) >> 24 & 3)
#define PCI_SPACE_MEM_32 2
#define PCI_SPACE_MEM_64 3

static void read_pci(const void *fdt, int node)
{
	int len;
	const fdt32_t *ranges = fdt_getprop(fdt, node, "ranges", &len);

	read_reg(fdt, ROOT, node, 0, &boot_info.pci_config.start, &boot_info.pci_config.size);
	for (; ranges && len >= 4 * PCI_RANGE_CELLS; len -= 4 * PCI_RANGE_CELLS) {
		struct boot_region window = { PA(read_cells(ranges + 3, 2)),
					      read_cells(ranges + 5, 2) };
		u32 space = PCI_SPACE(fdt32_to_cpu(ranges[0]));

		/* BARs hold bus addresses: a window that is moved could not be used as it is. */
		if (read_cells(ranges + 1, 2) != window.start.v)
			space = 0;
		if (space == PCI_SPACE_MEM_32)
			boot_info.pci_low = window;
		if (space == PCI_SPACE_MEM_64)
			boot_info.pci_high = window;
		ranges += PCI_RANGE_CELLS;
	}
}

static const struct {
	const char *compatible;
	void (*read)(const void *fdt, int node);
} devices[] = {
	{ "virtio,mmio", read_virtio },	 { "arm,gic-v3", read_gic },
	{ "arm,pl011", read_uart },	 { "arm,pl031", read_rtc },
	{ "arm,pl061", read_gpio },	 { "pci-host-ecam-generic", read_pci },
	{ "arm,armv8-pmuv3", read_pmu },
};

static void read_device(const void *fdt, int node)
{
	const char *list;
	int len;

	list = fdt_getprop(fdt, node, "compatible", &len);
	for (size_t i = 0; list && i < ARRAY_SIZE(devices); i++) {
		if (fdt_stringlist_contains(list, len, devices[i].compatible))
			devices[i].read(fdt, node);
	}
}

static void read_reservations(const void *fdt)
{
	for (int i = 0; i < fdt_num_mem_rsv(fdt); i++) {
		u64 start, size;

		if (fdt_get_mem_rsv(fdt, i, &start, &size) == 0)
			reserve(start, start + size);
	}
}

void fdt_read(const void *fdt, pa_t fdt_pa)
{
	int cpus = fdt_path_offset(fdt, "/cpus");
	int node;

	reserve(virt_to_phys(_start).v, virt_to_phys(_end).v);
	reserve(fdt_pa.v, fdt_pa.v + fdt_totalsize(fdt));
	read_reservations(fdt);
	read_chosen(fdt);
	fdt_for_each_subnode(node, fdt, ROOT)
	{
		if (has_device_type(fdt, node, "memory"))
			read_memory(fdt, node);
		else
			read_device(fdt, node);
	}
	fdt_for_each_subnode(node, fdt, cpus)
	{
		if (has_device_type(fdt, node, "cpu"))
			read_cpu(fdt, cpus, node);
	}
	boot_info.fdt = phys_to_virt(fdt_pa);
}
