/* SPDX-License-Identifier: Apache-2.0 */
#define _GNU_SOURCE
#include "vmm/vm.h"

#include "abi/catwalk.h"
#include "abi/catwalk_devmem.h"
#include "vmm/error.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

enum { IPA_BITS_DEFAULT = 40, IPA_BITS_MIN = 32 };

#define HUGE_PAGE (2 * MIB)

int vm_capability(const struct vm *vm, int capability)
{
	int value = ioctl(vm->fd >= 0 ? vm->fd : vm->kvm, KVM_CHECK_EXTENSION, capability);

	return value > 0 ? value : 0;
}

int vm_ioctl(const struct vm *vm, unsigned long request, void *argument, const char *what)
{
	int result = ioctl(vm->fd, request, argument);

	if (result < 0)
		fail("%s: %s", what, strerror(errno));
	return result;
}

void vm_open(struct vm *vm)
{
	*vm = (struct vm){ .fd = -1 };
	vm->kvm = open("/dev/kvm", O_RDWR | O_CLOEXEC);
	if (vm->kvm < 0)
		fail("/dev/kvm: %s", strerror(errno));
	if (ioctl(vm->kvm, KVM_GET_API_VERSION, 0) != KVM_API_VERSION)
		fail("/dev/kvm: another API version than %d", KVM_API_VERSION);
}

unsigned int vm_ipa_bits(const struct vm *vm)
{
	int bits = vm_capability(vm, KVM_CAP_ARM_VM_IPA_SIZE);

	return bits ? (unsigned int)bits : IPA_BITS_DEFAULT;
}

/* Bits that number the bytes of [0, end). */
static unsigned int bits_of(uint64_t end)
{
	return end > 1 ? 64 - (unsigned int)__builtin_clzll(end - 1) : 0;
}

void vm_create(struct vm *vm, uint64_t end)
{
	unsigned int bits = bits_of(end);
	unsigned long type = 0;

	if (bits < IPA_BITS_MIN)
		bits = IPA_BITS_MIN;
	if (vm_capability(vm, KVM_CAP_ARM_VM_IPA_SIZE))
		type = KVM_VM_TYPE_ARM_IPA_SIZE(bits);
	vm->fd = ioctl(vm->kvm, KVM_CREATE_VM, type);
	if (vm->fd < 0)
		fail("KVM_CREATE_VM: %s", strerror(errno));
}

/* The reason that Catwalk keeps of a refused slot; false: another host, or none. */
static bool refusal(const struct vm *vm, struct catwalk_refusal *r)
{
	return vm_capability(vm, KVM_CAP_CATWALK_REFUSAL) &&
	       ioctl(vm->fd, KVM_CATWALK_GET_REFUSAL, r) == 0 && r->error;
}

static _Noreturn void slot_refused(const struct vm *vm, const char *what,
				   const struct kvm_userspace_memory_region *slot)
{
	int error = errno;
	struct catwalk_refusal r = { 0 };

	if (refusal(vm, &r))
		bad_input("%s: slot %u, %" PRIu64 " KiB at %#" PRIx64 ": refused, %s (M%u): %s",
			  what, slot->slot, (uint64_t)slot->memory_size / KIB,
			  (uint64_t)slot->guest_phys_addr, strerror(error), r.rule, r.reason);
	bad_input("%s: slot %u, %" PRIu64 " KiB at %#" PRIx64 ": refused, %s", what, slot->slot,
		  (uint64_t)slot->memory_size / KIB, (uint64_t)slot->guest_phys_addr,
		  strerror(error));
}

static void add_slot(struct vm *vm, const char *what, const struct guest_region *region,
		     uint32_t flags)
{
	struct kvm_userspace_memory_region slot = {
		.slot = vm->slot_count,
		.flags = flags,
		.guest_phys_addr = region->ipa,
		.memory_size = region->size,
		.userspace_addr = (uint64_t)(uintptr_t)region->host,
	};

	if (ioctl(vm->fd, KVM_SET_USER_MEMORY_REGION, &slot) < 0)
		slot_refused(vm, what, &slot);
	vm->slot_count++;
}

void vm_add_ram(struct vm *vm, uint64_t size)
{
	/* Room to align it by: huge pages here are huge pages there. */
	char *host = mmap(NULL, size + HUGE_PAGE, PROT_READ | PROT_WRITE,
			  MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	struct guest_region ram = { .ipa = RAM_BASE, .size = size };

	if (host == MAP_FAILED)
		fail("%" PRIu64 " MiB of RAM: %s", size / MIB, strerror(errno));
	ram.host = host + (-(uintptr_t)host & (HUGE_PAGE - 1));
	/* Only a hint: a host without huge pages runs the guest on small ones. */
	(void)madvise(ram.host, size, MADV_HUGEPAGE);
	add_slot(vm, "RAM", &ram, 0);
	guest_memory_add(&vm->memory, ram.ipa, ram.size, ram.host);
}

void vm_add_flash(struct vm *vm, const struct file *file)
{
	struct guest_region flash = { .ipa = FLASH_BASE };

	if (file->size > FLASH_SIZE_MAX)
		bad_input("--flash \"%s\": %" PRIu64 " bytes: at most 64M", file->path, file->size);
	if (!vm_capability(vm, KVM_CAP_READONLY_MEM))
		bad_input("--flash \"%s\": this host has no read-only slots", file->path);
	flash.size = (file->size + GUEST_PAGE - 1) / GUEST_PAGE * GUEST_PAGE;
	flash.host = mmap(NULL, flash.size, PROT_READ, MAP_PRIVATE, file->fd, 0);
	if (flash.host == MAP_FAILED)
		bad_input("--flash \"%s\": %s", file->path, strerror(errno));
	add_slot(vm, "flash", &flash, KVM_MEM_READONLY);
}

struct file device_memory_open(const struct device_memory_option *option)
{
	struct file file = file_open("--device-memory", option->path, O_RDWR);
	struct catwalk_devmem_info info;

	if (ioctl(file.fd, CATWALK_DEVMEM_GET_INFO, &info) == 0)
		file.size = info.size;
	if (file.size == 0 || file.size % GUEST_PAGE)
		bad_input("--device-memory \"%s\": %" PRIu64 " bytes: give a file of whole pages "
			  "(4096)",
			  option->path, file.size);
	return file;
}

/* KVM_MEM_WRITE_BACK is Catwalk's: unknown elsewhere, and to be enabled there (M10). */
static void want_write_back(const struct vm *vm, const struct device_memory_option *option)
{
	struct kvm_enable_cap enable = { .cap = KVM_CAP_CATWALK_WRITE_BACK };

	if (ioctl(vm->fd, KVM_ENABLE_CAP, &enable) == 0)
		return;
	if (vm_capability(vm, KVM_CAP_CATWALK_REFUSAL))
		bad_input("%s: slot %u at %#" PRIx64 ": refused (M10): guaranteed write-back, and "
			  "no FWB",
			  option->path, vm->slot_count, option->ipa);
	bad_input("%s: slot %u at %#" PRIx64 ": wb: this host guarantees no write-back memory",
		  option->path, vm->slot_count, option->ipa);
}

void vm_add_device_memory(struct vm *vm, const struct device_memory_option *option,
			  const struct file *file)
{
	struct guest_region region = { .ipa = option->ipa, .size = file->size };
	const struct guest_region *other =
		guest_memory_overlap(&vm->memory, region.ipa, region.size);

	if (region.ipa < RAM_BASE)
		bad_input("--device-memory \"%s\": IPA %#" PRIx64 ": below RAM, give %#" PRIx64
			  " or more",
			  option->path, region.ipa, RAM_BASE);
	if (other)
		bad_input("--device-memory \"%s\": IPA %#" PRIx64 ": %#" PRIx64 " to %#" PRIx64
			  " is taken",
			  option->path, region.ipa, other->ipa, other->ipa + other->size - 1);
	region.host = mmap(NULL, region.size, PROT_READ | PROT_WRITE, MAP_SHARED, file->fd, 0);
	if (region.host == MAP_FAILED)
		bad_input("--device-memory \"%s\": %s", option->path, strerror(errno));
	if (option->write_back)
		want_write_back(vm, option);
	add_slot(vm, option->path, &region, option->write_back ? KVM_MEM_WRITE_BACK : 0);
	guest_memory_add(&vm->memory, region.ipa, region.size, region.host);
}
