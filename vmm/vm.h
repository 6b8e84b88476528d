/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The VM and its memory slots, on the plain KVM ABI. Catwalk's extensions are used if the host has
 * them: a refused slot then tells its rule.
 */
#ifndef VMM_VM_H
#define VMM_VM_H

#include "vmm/files.h"
#include "vmm/memory.h"
#include "vmm/options.h"

struct vm {
	int kvm, fd;
	unsigned int slot_count;
	struct guest_memory memory; /* what devices may reach: all slots but the flash */
};

/* Opens /dev/kvm. */
void vm_open(struct vm *vm);

/* Capability of the host (or of the VM, once it is there); 0 if it lacks it. */
int vm_capability(const struct vm *vm, int capability);

/* An ioctl of the VM's that must succeed; `what` names it. Its result. */
int vm_ioctl(const struct vm *vm, unsigned long request, void *argument, const char *what);

/* Bits of guest physical addresses that the host offers. */
unsigned int vm_ipa_bits(const struct vm *vm);

/* Creates the VM with as many address bits as [0, end) needs, at least 32. */
void vm_create(struct vm *vm, uint64_t end);

/* RAM of this size at RAM_BASE. */
void vm_add_ram(struct vm *vm, uint64_t size);

/* The file read-only at FLASH_BASE; what the guest writes there is an MMIO exit. */
void vm_add_flash(struct vm *vm, const struct file *file);

/* A shared mapping of the whole file at an IPA. */
void vm_add_device_memory(struct vm *vm, const struct device_memory_option *option,
			  const struct file *file);

/* Opens what --device-memory names, and finds its size: a device of Catwalk's or a regular file. */
struct file device_memory_open(const struct device_memory_option *option);

#endif
