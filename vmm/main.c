/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A VMM for arm64 guests on KVM's plain ABI (docs/vmm.md): what is asked for is opened and checked
 * first, then the machine is put together, then it runs until the guest powers off.
 */
#define _GNU_SOURCE
#include "vmm/boot.h"
#include "vmm/error.h"
#include "vmm/gic.h"
#include "vmm/loop.h"
#include "vmm/options.h"
#include "vmm/pl011.h"
#include "vmm/terminal.h"
#include "vmm/tree.h"
#include "vmm/vcpu.h"
#include "vmm/virtio_devices.h"
#include "vmm/virtio_mmio.h"
#include "vmm/vm.h"

#include <fcntl.h>
#include <inttypes.h>
#include <libfdt.h>
#include <linux/kvm.h>
#include <signal.h>
#include <sys/random.h>

/* What the command line names, opened. */
struct files {
	struct boot boot;
	struct file flash, device_memories[DEVICE_MEMORIES_MAX];
	struct virtio_block *disks[DISKS_MAX];
	struct virtio_net *net;
};

static void open_files(struct files *files, const struct options *o)
{
	boot_open(&files->boot, o);
	if (o->flash)
		files->flash = file_open_regular("--flash", o->flash, O_RDONLY);
	for (unsigned int i = 0; i < o->device_memory_count; i++)
		files->device_memories[i] = device_memory_open(&o->device_memories[i]);
	for (unsigned int i = 0; i < o->disk_count; i++)
		files->disks[i] = virtio_block_open(&o->disks[i]);
	if (o->net)
		files->net = virtio_net_open(o->net);
}

/* The end of the guest's address space; what lies beyond what the host offers is bad input. */
static uint64_t address_end(const struct vm *vm, const struct options *o, const struct files *files)
{
	uint64_t end = RAM_BASE + o->memory, limit = UINT64_C(1) << vm_ipa_bits(vm);

	if (end > limit)
		bad_input("--memory %" PRIu64 "M: ends beyond the host's IPA space of %u bits: "
			  "at most %" PRIu64 "M",
			  o->memory / MIB, vm_ipa_bits(vm), (limit - RAM_BASE) / MIB);
	for (unsigned int i = 0; i < o->device_memory_count; i++) {
		uint64_t ipa = o->device_memories[i].ipa, size = files->device_memories[i].size;

		if (size > limit || ipa > limit - size)
			bad_input("--device-memory \"%s\": IPA %#" PRIx64 ": %" PRIu64
				  " KiB end beyond the host's IPA space of %u bits",
				  o->device_memories[i].path, ipa, size / KIB, vm_ipa_bits(vm));
		if (ipa + size > end)
			end = ipa + size;
	}
	return end;
}

static void add_memory(struct vm *vm, const struct options *o, struct files *files)
{
	vm_add_ram(vm, o->memory);
	if (o->flash) {
		vm_add_flash(vm, &files->flash);
		file_close(&files->flash);
	}
	for (unsigned int i = 0; i < o->device_memory_count; i++) {
		vm_add_device_memory(vm, &o->device_memories[i], &files->device_memories[i]);
		file_close(&files->device_memories[i]);
	}
}

/* Adds all devices; the one that takes what is typed. */
static struct terminal_sink *add_devices(const struct vm *vm, const struct options *o,
					 struct files *files)
{
	struct terminal_sink *sink = pl011_create(vm);

	for (unsigned int i = 0; i < o->disk_count; i++)
		virtio_block_add(files->disks[i], vm);
	virtio_rng_add(vm);
	if (files->net)
		virtio_net_add(files->net, vm);
	if (o->console == CONSOLE_VIRTIO)
		sink = virtio_console_add(vm);
	return sink;
}

static void draw(void *to, size_t size)
{
	if (getrandom(to, size, 0) != (ssize_t)size)
		fail("getrandom gives no %zu bytes", size);
}

static void write_tree(const struct vm *vm, const struct options *o, const struct files *files,
		       const struct vcpu *vcpus)
{
	struct tree_facts facts = {
		.append = o->append,
		.plan = &files->boot.plan,
		.memory = &vm->memory,
		.cpus = o->cpus,
		.pmu = o->pmu,
		.virtio_count = virtio_count(),
		.flash_size = o->flash ? files->flash.size : 0,
	};
	int error;

	draw(&facts.kaslr_seed, sizeof(facts.kaslr_seed));
	draw(facts.rng_seed, sizeof(facts.rng_seed));
	for (unsigned int i = 0; i < o->cpus; i++)
		facts.affinities[i] = vcpu_affinity(&vcpus[i]);
	error = tree_write(guest_at(&vm->memory, facts.plan->tree, TREE_ROOM), &facts);
	if (error)
		bad_input("--append: the device tree does not fit into 64K (%s)",
			  fdt_strerror(error));
}

static void check_cpus(const struct vm *vm, const struct options *o)
{
	int most = vm_capability(vm, KVM_CAP_MAX_VCPUS);
	unsigned int cpus = o->cpus;

	if (o->pmu && !vm_capability(vm, KVM_CAP_ARM_PMU_V3))
		bad_input("--pmu: this host has none for guests (KVM_CAP_ARM_PMU_V3)");
	if (most && cpus > (unsigned int)most)
		bad_input("--cpus %u: this host has at most %d", cpus, most);
}

int main(int argc, char **argv)
{
	static struct options options;
	static struct files files;
	static struct vm vm;
	static struct vcpu vcpus[CPUS_MAX];
	struct terminal_sink *sink;

	/* Whoever reads the console or the network may go: writing to nobody is no reason to end.
	 */
	signal(SIGPIPE, SIG_IGN);
	parse_options(argc, argv, &options);
	open_files(&files, &options);
	vm_open(&vm);
	check_cpus(&vm, &options);
	vm_create(&vm, address_end(&vm, &options, &files));
	add_memory(&vm, &options, &files);
	for (unsigned int i = 0; i < options.cpus; i++)
		vcpu_create(&vcpus[i], &vm, i, options.pmu ? 1u << KVM_ARM_VCPU_PMU_V3 : 0);
	gic_create(&vm);
	for (unsigned int i = 0; options.pmu && i < options.cpus; i++)
		vcpu_add_pmu(&vcpus[i]);
	sink = add_devices(&vm, &options, &files);
	boot_load(&files.boot, &vm.memory);
	write_tree(&vm, &options, &files, vcpus);
	vcpu_set_entry(&vcpus[0], files.boot.plan.kernel, files.boot.plan.tree);
	terminal_start(sink);
	for (unsigned int i = 0; i < options.cpus; i++)
		vcpu_start(&vcpus[i]);
	loop_run();
}
