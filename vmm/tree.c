/* SPDX-License-Identifier: Apache-2.0 */
#define _GNU_SOURCE
#include "vmm/tree.h"

#include <inttypes.h>
#include <libfdt.h>
#include <stdio.h>
#include <string.h>

enum { PHANDLE_GIC = 1, PHANDLE_CLOCK = 2 };

/* Cells of an interrupt (arm,gic-v3.yaml). */
enum { CELL_SPI = 0, CELL_PPI = 1, EDGE_RISING = 1, LEVEL_HIGH = 4 };

enum { CLOCK_HZ = 24000000, CELLS_MAX = 16, NAME_MAX_BYTES = 64 };

/*
 * Functions below keep the first error in *error and do nothing after it, so that whoever writes a
 * node need not look at every line.
 */
struct writer {
	void *fdt;
	int error;
};

static void keep(struct writer *w, int result)
{
	if (!w->error)
		w->error = result;
}

static void begin(struct writer *w, const char *name)
{
	keep(w, fdt_begin_node(w->fdt, name));
}

static void begin_at(struct writer *w, const char *name, uint64_t address)
{
	char text[NAME_MAX_BYTES];

	snprintf(text, sizeof(text), "%s@%" PRIx64, name, address);
	begin(w, text);
}

static void end(struct writer *w)
{
	keep(w, fdt_end_node(w->fdt));
}

static void flag(struct writer *w, const char *name)
{
	keep(w, fdt_property(w->fdt, name, NULL, 0));
}

static void string(struct writer *w, const char *name, const char *value)
{
	keep(w, fdt_property_string(w->fdt, name, value));
}

static void bytes(struct writer *w, const char *name, const void *value, size_t size)
{
	keep(w, fdt_property(w->fdt, name, value, (int)size));
}

static void cells(struct writer *w, const char *name, const uint32_t *values, unsigned int count)
{
	fdt32_t big_endian[CELLS_MAX];

	for (unsigned int i = 0; i < count; i++)
		big_endian[i] = cpu_to_fdt32(values[i]);
	bytes(w, name, big_endian, count * sizeof(big_endian[0]));
}

static void cell(struct writer *w, const char *name, uint32_t value)
{
	cells(w, name, &value, 1);
}

/* Pairs of address and size, of two cells each. */
static void reg(struct writer *w, const uint64_t *values, unsigned int count)
{
	uint32_t split[CELLS_MAX];

	for (unsigned int i = 0; i < count; i++) {
		split[2 * i] = (uint32_t)(values[i] >> 32);
		split[2 * i + 1] = (uint32_t)values[i];
	}
	cells(w, "reg", split, 2 * count);
}

static void interrupt(struct writer *w, unsigned int intid, uint32_t trigger)
{
	const uint32_t values[] = { CELL_SPI, intid - INTID_SPI, trigger };

	cells(w, "interrupts", values, 3);
}

static void chosen(struct writer *w, const struct tree_facts *f)
{
	begin(w, "chosen");
	string(w, "bootargs", f->append);
	string(w, "stdout-path", "/serial@9000000");
	if (f->plan->initramfs_size) {
		uint64_t start = f->plan->initramfs;

		keep(w, fdt_property_u64(w->fdt, "linux,initrd-start", start));
		keep(w,
		     fdt_property_u64(w->fdt, "linux,initrd-end", start + f->plan->initramfs_size));
	}
	keep(w, fdt_property_u64(w->fdt, "kaslr-seed", f->kaslr_seed));
	bytes(w, "rng-seed", f->rng_seed, sizeof(f->rng_seed));
	end(w);
}

static void memories(struct writer *w, const struct guest_memory *memory)
{
	for (unsigned int i = 0; i < memory->count; i++) {
		const uint64_t range[] = { memory->regions[i].ipa, memory->regions[i].size };

		begin_at(w, "memory", range[0]);
		string(w, "device_type", "memory");
		reg(w, range, 2);
		end(w);
	}
}

static void cpus(struct writer *w, const struct tree_facts *f)
{
	begin(w, "cpus");
	cell(w, "#address-cells", 2);
	cell(w, "#size-cells", 0);
	for (unsigned int i = 0; i < f->cpus; i++) {
		begin_at(w, "cpu", f->affinities[i]);
		string(w, "device_type", "cpu");
		string(w, "compatible", "arm,armv8");
		string(w, "enable-method", "psci");
		reg(w, &f->affinities[i], 1);
		end(w);
	}
	end(w);
}

static void psci(struct writer *w)
{
	static const char compatible[] = "arm,psci-1.0\0arm,psci-0.2";

	begin(w, "psci");
	bytes(w, "compatible", compatible, sizeof(compatible));
	string(w, "method", "hvc");
	end(w);
}

/* Secure and non-secure EL1 physical, virtual, and EL2's timer: PPIs as KVM has them. */
static void timer(struct writer *w)
{
	static const uint32_t interrupts[] = {
		CELL_PPI, 13, LEVEL_HIGH, CELL_PPI, 14, LEVEL_HIGH,
		CELL_PPI, 11, LEVEL_HIGH, CELL_PPI, 10, LEVEL_HIGH,
	};

	begin(w, "timer");
	string(w, "compatible", "arm,armv8-timer");
	flag(w, "always-on");
	cells(w, "interrupts", interrupts, 12);
	end(w);
}

static void pmu(struct writer *w)
{
	static const uint32_t interrupts[] = { CELL_PPI, INTID_PMU - INTID_PPI, LEVEL_HIGH };

	begin(w, "pmu");
	string(w, "compatible", "arm,armv8-pmuv3");
	cells(w, "interrupts", interrupts, 3);
	end(w);
}

static void gic(struct writer *w, const struct tree_facts *f)
{
	const uint64_t ranges[] = { GICD_BASE, GICD_SIZE, GICR_BASE, f->cpus * GICR_SIZE };

	begin_at(w, "interrupt-controller", GICD_BASE);
	string(w, "compatible", "arm,gic-v3");
	flag(w, "interrupt-controller");
	cell(w, "#interrupt-cells", 3);
	cell(w, "phandle", PHANDLE_GIC);
	reg(w, ranges, 4);
	end(w);
}

static void serial(struct writer *w)
{
	static const char compatible[] = "arm,pl011\0arm,primecell";
	static const char clock_names[] = "uartclk\0apb_pclk";
	const uint64_t range[] = { SERIAL_BASE, SERIAL_SIZE };
	const uint32_t clocks[] = { PHANDLE_CLOCK, PHANDLE_CLOCK };

	begin(w, "clock");
	string(w, "compatible", "fixed-clock");
	cell(w, "#clock-cells", 0);
	cell(w, "clock-frequency", CLOCK_HZ);
	cell(w, "phandle", PHANDLE_CLOCK);
	end(w);

	begin_at(w, "serial", SERIAL_BASE);
	bytes(w, "compatible", compatible, sizeof(compatible));
	reg(w, range, 2);
	interrupt(w, INTID_SERIAL, LEVEL_HIGH);
	cells(w, "clocks", clocks, 2);
	bytes(w, "clock-names", clock_names, sizeof(clock_names));
	end(w);
}

static void virtio(struct writer *w, unsigned int index)
{
	const uint64_t range[] = { VIRTIO_BASE + index * VIRTIO_SIZE, VIRTIO_SIZE };

	begin_at(w, "virtio", range[0]);
	string(w, "compatible", "virtio,mmio");
	reg(w, range, 2);
	interrupt(w, INTID_VIRTIO + index, EDGE_RISING);
	flag(w, "dma-coherent");
	end(w);
}

static void flash(struct writer *w, uint64_t size)
{
	const uint64_t range[] = { FLASH_BASE, size };

	begin_at(w, "flash", FLASH_BASE);
	string(w, "compatible", "mtd-rom");
	reg(w, range, 2);
	cell(w, "bank-width", 4);
	end(w);
}

static void root(struct writer *w, const struct tree_facts *f)
{
	begin(w, "");
	string(w, "compatible", "linux,dummy-virt");
	string(w, "model", "Catwalk VMM");
	cell(w, "#address-cells", 2);
	cell(w, "#size-cells", 2);
	cell(w, "interrupt-parent", PHANDLE_GIC);
	chosen(w, f);
	memories(w, f->memory);
	cpus(w, f);
	psci(w);
	timer(w);
	if (f->pmu)
		pmu(w);
	gic(w, f);
	serial(w);
	for (unsigned int i = 0; i < f->virtio_count; i++)
		virtio(w, i);
	if (f->flash_size)
		flash(w, f->flash_size);
	end(w);
}

int tree_write(void *buffer, const struct tree_facts *facts)
{
	struct writer w = { buffer, 0 };

	keep(&w, fdt_create(buffer, TREE_ROOM));
	keep(&w, fdt_finish_reservemap(buffer));
	root(&w, facts);
	keep(&w, fdt_finish(buffer));
	return w.error;
}
