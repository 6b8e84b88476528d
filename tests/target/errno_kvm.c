/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Bad pointers, sizes, flags and states given to KVM's ioctls (system, VM and vCPU descriptors)
 * yield Linux's errno: a table with a row for each. Left out because Linux's own answer depends on
 * the host or has changed between versions: creating a vGIC, dirty rings, IPA sizes between the
 * host's limit and 52 bits other than limit + 1.
 */
#define _GNU_SOURCE
#include "tests/target/check.h"
#include "tests/target/client.h"
#include "tests/target/rows.h"

#include <fcntl.h>
#include <sys/ioctl.h>

enum { NEVER_OPENED = 900, RAM_SIZE = 64 * 1024, LOG_GPA = 0x50000000 };

enum token {
	T_NONE,
	T_KVM,
	T_VM, /* slot 0: RAM at GUEST_RAM, slot 1: logged at LOG_GPA, one vCPU of each kind below */
	T_VCPU, /* initialised */
	T_RAW,	/* not initialised */
	T_PAGE,
	T_UNMAPPED, /* the page after T_PAGE, not there */
	T_EDGE,	    /* the last 4 bytes of T_PAGE */
	T_CONST,
	T_BEYOND_IPA, /* one bit more than the host's IPA size */
	T_PIPE,
	TOKENS,
};

#define KVM_FD	   TOKEN(T_KVM)
#define VM_FD	   TOKEN(T_VM)
#define VCPU_FD	   TOKEN(T_VCPU)
#define RAW_FD	   TOKEN(T_RAW)
#define PAGE_PTR   TOKEN(T_PAGE)
#define UNMAPPED   TOKEN(T_UNMAPPED)
#define EDGE	   TOKEN(T_EDGE)
#define CONST_PTR  TOKEN(T_CONST)
#define BEYOND_IPA TOKEN(T_BEYOND_IPA)
#define PIPE_FD	   TOKEN(T_PIPE)
#define NULL_PTR   0
#define LOW_PTR	   8
#define KERNEL_PTR 0xffff800000001000

/* An address at which slots may lie: nothing needs to be mapped there. */
#define HVA 0x7f0000000000

#define REGION(...) ADDRESS((&(const struct kvm_userspace_memory_region){ __VA_ARGS__ }))
/* slot, flags, guest address, size, host address */
#define SLOT_ROW(text, error, ...)                                                                 \
	{                                                                                          \
		"slot: " text, error, SYS_ioctl,                                                   \
		{                                                                                  \
			VM_FD, KVM_SET_USER_MEMORY_REGION, REGION(__VA_ARGS__)                     \
		}                                                                                  \
	}

#define LOG  KVM_MEM_LOG_DIRTY_PAGES
#define RO   KVM_MEM_READONLY
#define FREE 0x80000000

/* clang-format off */
static const struct row slot_rows[] = {
	{ "slot: null pointer", EFAULT, SYS_ioctl, { VM_FD, KVM_SET_USER_MEMORY_REGION, NULL_PTR } },
	{ "slot: bad pointer", EFAULT, SYS_ioctl, { VM_FD, KVM_SET_USER_MEMORY_REGION, LOW_PTR } },
	{ "slot: structure at the edge", EFAULT, SYS_ioctl, { VM_FD, KVM_SET_USER_MEMORY_REGION, EDGE } },
	{ "slot: kernel address", EFAULT, SYS_ioctl, { VM_FD, KVM_SET_USER_MEMORY_REGION, KERNEL_PTR } },
	SLOT_ROW("unknown flag, bit 4", EINVAL, 5, 1 << 4, FREE, PAGE, HVA),
	SLOT_ROW("unknown flag, bit 15", EINVAL, 5, 1 << 15, FREE, PAGE, HVA),
	SLOT_ROW("unknown flag, bit 31", EINVAL, 5, 1u << 31, FREE, PAGE, HVA),
	SLOT_ROW("guest_memfd flag with the first ioctl", EINVAL, 5, 1 << 2, FREE, PAGE, HVA),
	SLOT_ROW("number beyond the last", EINVAL, 32767, 0, FREE, PAGE, HVA),
	SLOT_ROW("number of another address space", EINVAL, 1 << 16, 0, FREE, PAGE, HVA),
	SLOT_ROW("number -1", EINVAL, -1, 0, FREE, PAGE, HVA),
	SLOT_ROW("size not page aligned", EINVAL, 5, 0, FREE, PAGE + 1, HVA),
	SLOT_ROW("size 1", EINVAL, 5, 0, FREE, 1, HVA),
	SLOT_ROW("guest address not page aligned", EINVAL, 5, 0, FREE + 0x800, PAGE, HVA),
	SLOT_ROW("host address not page aligned", EINVAL, 5, 0, FREE, PAGE, HVA + 0x800),
	SLOT_ROW("host address tagged", EINVAL, 5, 0, FREE, PAGE, HVA | 1L << 60),
	SLOT_ROW("host address beyond user space", EINVAL, 5, 0, FREE, PAGE, 1L << 52),
	SLOT_ROW("host address in the kernel", EINVAL, 5, 0, FREE, PAGE, KERNEL_PTR),
	SLOT_ROW("host range ends beyond user space", EINVAL, 5, 0, FREE, 2 * PAGE, (1L << 52) - PAGE),
	SLOT_ROW("guest range wraps", EINVAL, 5, 0, -PAGE, 2 * PAGE, HVA),
	SLOT_ROW("2^31 pages", EINVAL, 5, 0, FREE, 1L << 43, HVA),
	SLOT_ROW("delete what is not there", EINVAL, 5, 0, 0, 0, 0),
	SLOT_ROW("delete what is not there, with an address", EINVAL, 5, 0, FREE, 0, HVA),
	SLOT_ROW("same as another", EEXIST, 5, 0, GUEST_RAM, RAM_SIZE, HVA),
	SLOT_ROW("overlaps another's end", EEXIST, 5, 0, GUEST_RAM + RAM_SIZE - PAGE, 2 * PAGE, HVA),
	SLOT_ROW("overlaps another's start", EEXIST, 5, 0, GUEST_RAM - PAGE, 2 * PAGE, HVA),
	SLOT_ROW("around another", EEXIST, 5, 0, GUEST_RAM - PAGE, RAM_SIZE + 2 * PAGE, HVA),
	SLOT_ROW("within another", EEXIST, 5, 0, GUEST_RAM + PAGE, PAGE, HVA),
	SLOT_ROW("overlaps a logged one", EEXIST, 5, 0, LOG_GPA, PAGE, HVA),
	SLOT_ROW("ends at the VM's IPA size", 0, 5, 0, (1L << 40) - PAGE, PAGE, HVA),
	SLOT_ROW("delete it", 0, 5, 0, 0, 0, 0),
	SLOT_ROW("ends one page beyond the VM's IPA size", EFAULT, 5, 0, (1L << 40) - PAGE, 2 * PAGE, HVA),
	SLOT_ROW("starts at the VM's IPA size", EFAULT, 5, 0, 1L << 40, PAGE, HVA),
	SLOT_ROW("far beyond the VM's IPA size", EFAULT, 5, 0, 1L << 50, PAGE, HVA),
	SLOT_ROW("refused above: still not there", EINVAL, 5, 0, 0, 0, 0),
	SLOT_ROW("nothing mapped behind it", 0, 6, 0, FREE, 4 * PAGE, HVA),
	SLOT_ROW("the same once more", 0, 6, 0, FREE, 4 * PAGE, HVA),
	SLOT_ROW("change of the size", EINVAL, 6, 0, FREE, 5 * PAGE, HVA),
	SLOT_ROW("change of the host address", EINVAL, 6, 0, FREE, 4 * PAGE, HVA + PAGE),
	SLOT_ROW("change to read-only", EINVAL, 6, RO, FREE, 4 * PAGE, HVA),
	SLOT_ROW("change to logged", 0, 6, LOG, FREE, 4 * PAGE, HVA),
	SLOT_ROW("change back", 0, 6, 0, FREE, 4 * PAGE, HVA),
	SLOT_ROW("move", 0, 6, 0, FREE + PAGE, 4 * PAGE, HVA),
	SLOT_ROW("move over another", EEXIST, 6, 0, GUEST_RAM + PAGE, 4 * PAGE, HVA),
	SLOT_ROW("move beyond the IPA size", EFAULT, 6, 0, 1L << 40, 4 * PAGE, HVA),
	SLOT_ROW("after a refused move it is where it was", EEXIST, 7, 0, FREE + PAGE, PAGE, HVA),
	SLOT_ROW("where it no longer is", 0, 7, 0, FREE, PAGE, HVA),
	SLOT_ROW("delete the first", 0, 6, 0, 0, 0, 0),
	SLOT_ROW("delete the second", 0, 7, 0, 0, 0, 0),
	SLOT_ROW("delete it again", EINVAL, 7, 0, 0, 0, 0),
	SLOT_ROW("read-only and logged", 0, 6, RO | LOG, FREE, 4 * PAGE, HVA),
	SLOT_ROW("read-only to writable", EINVAL, 6, LOG, FREE, 4 * PAGE, HVA),
	SLOT_ROW("delete the read-only one", 0, 6, 0, 0, 0, 0),
	SLOT_ROW("the last number", 0, 32000, 0, FREE, PAGE, HVA),
	SLOT_ROW("delete the last number", 0, 32000, 0, 0, 0, 0),
};

#define IOCTL_ROW(text, error, ...) { text, error, SYS_ioctl, { __VA_ARGS__ } }
#define CAP(...)       ADDRESS((&(const struct kvm_enable_cap){ __VA_ARGS__ }))
#define DIRTY_LOG(...) ADDRESS((&(const struct kvm_dirty_log){ __VA_ARGS__ }))
#define DEVICE(...)    ADDRESS((&(const struct kvm_create_device){ __VA_ARGS__ }))

static const struct row system_rows[] = {
	IOCTL_ROW("GET_API_VERSION: argument", EINVAL, KVM_FD, KVM_GET_API_VERSION, 1),
	IOCTL_ROW("GET_API_VERSION", 0, KVM_FD, KVM_GET_API_VERSION, 0),
	IOCTL_ROW("GET_VCPU_MMAP_SIZE: argument", EINVAL, KVM_FD, KVM_GET_VCPU_MMAP_SIZE, 1),
	IOCTL_ROW("CREATE_VM: 31 bits", EINVAL, KVM_FD, KVM_CREATE_VM, 31),
	IOCTL_ROW("CREATE_VM: 1 bit", EINVAL, KVM_FD, KVM_CREATE_VM, 1),
	IOCTL_ROW("CREATE_VM: beyond the host's limit", EINVAL, KVM_FD, KVM_CREATE_VM, BEYOND_IPA),
	IOCTL_ROW("CREATE_VM: 255 bits", EINVAL, KVM_FD, KVM_CREATE_VM, 255),
	IOCTL_ROW("CREATE_VM: unknown type bit 8", EINVAL, KVM_FD, KVM_CREATE_VM, 1 << 8),
	IOCTL_ROW("CREATE_VM: unknown type bit 30", EINVAL, KVM_FD, KVM_CREATE_VM, 1 << 30),
	IOCTL_ROW("CREATE_VM: unknown type bit 40", EINVAL, KVM_FD, KVM_CREATE_VM, 1L << 40),
	IOCTL_ROW("CREATE_VM: protected VM on a host without", EINVAL, KVM_FD, KVM_CREATE_VM, 1L << 31),
	IOCTL_ROW("CHECK_EXTENSION: unknown", 0, KVM_FD, KVM_CHECK_EXTENSION, 99999),
	IOCTL_ROW("CHECK_EXTENSION: negative", 0, KVM_FD, KVM_CHECK_EXTENSION, -1),
	IOCTL_ROW("system: unknown KVM ioctl", EINVAL, KVM_FD, _IO(KVMIO, 0xef), 0),
	IOCTL_ROW("system: TCGETS", EINVAL, KVM_FD, TCGETS, PAGE_PTR),
	IOCTL_ROW("system: a VM's ioctl", EINVAL, KVM_FD, KVM_CREATE_VCPU, 0),
	IOCTL_ROW("system: a vCPU's ioctl", EINVAL, KVM_FD, KVM_RUN, 0),
	IOCTL_ROW("KVM ioctl to a pipe", ENOTTY, PIPE_FD, KVM_RUN, 0),
	IOCTL_ROW("KVM ioctl to nothing", EBADF, NEVER_OPENED, KVM_RUN, 0),
	{ "read of /dev/kvm", EINVAL, SYS_read, { KVM_FD, PAGE_PTR, 8 } },
	{ "write to /dev/kvm", EINVAL, SYS_write, { KVM_FD, PAGE_PTR, 8 } },
	{ "read of a VM", EINVAL, SYS_read, { VM_FD, PAGE_PTR, 8 } },
	{ "read of a vCPU", EINVAL, SYS_read, { VCPU_FD, PAGE_PTR, 8 } },
	{ "write to a vCPU", EINVAL, SYS_write, { VCPU_FD, PAGE_PTR, 8 } },
	{ "mmap of /dev/kvm", ENODEV, SYS_mmap, { 0, PAGE, PROT_READ, MAP_SHARED, KVM_FD, 0 } },
	{ "mmap of a VM", ENODEV, SYS_mmap, { 0, PAGE, PROT_READ, MAP_SHARED, VM_FD, 0 } },
	{ "ftruncate of a vCPU", EINVAL, SYS_ftruncate, { VCPU_FD, 0 } },
	{ "fallocate of a vCPU", ENODEV, SYS_fallocate, { VCPU_FD, 0, 0, 1 } },
};

static const struct row vm_rows[] = {
	IOCTL_ROW("CREATE_VCPU: there already", EEXIST, VM_FD, KVM_CREATE_VCPU, 0),
	IOCTL_ROW("CREATE_VCPU: far too large", EINVAL, VM_FD, KVM_CREATE_VCPU, 1 << 20),
	IOCTL_ROW("CREATE_VCPU: -1", EINVAL, VM_FD, KVM_CREATE_VCPU, 0xffffffff),
	IOCTL_ROW("PREFERRED_TARGET: bad pointer", EFAULT, VM_FD, KVM_ARM_PREFERRED_TARGET, LOW_PTR),
	IOCTL_ROW("PREFERRED_TARGET: read-only memory", EFAULT, VM_FD, KVM_ARM_PREFERRED_TARGET, CONST_PTR),
	IOCTL_ROW("CREATE_DEVICE: bad pointer", EFAULT, VM_FD, KVM_CREATE_DEVICE, LOW_PTR),
	IOCTL_ROW("CREATE_DEVICE: unknown type", ENODEV, VM_FD, KVM_CREATE_DEVICE, DEVICE(9999, 0, 0)),
	IOCTL_ROW("CREATE_DEVICE: another architecture's", ENODEV, VM_FD, KVM_CREATE_DEVICE, DEVICE(KVM_DEV_TYPE_XICS, 0, 0)),
	IOCTL_ROW("CREATE_DEVICE: unknown type, test only", ENODEV, VM_FD, KVM_CREATE_DEVICE, DEVICE(9999, 0, KVM_CREATE_DEVICE_TEST)),
	IOCTL_ROW("ENABLE_CAP: bad pointer", EFAULT, VM_FD, KVM_ENABLE_CAP, LOW_PTR),
	IOCTL_ROW("ENABLE_CAP: unknown", EINVAL, VM_FD, KVM_ENABLE_CAP, CAP(.cap = 99999)),
	IOCTL_ROW("ENABLE_CAP: nothing to enable", EINVAL, VM_FD, KVM_ENABLE_CAP, CAP(.cap = KVM_CAP_USER_MEMORY)),
	IOCTL_ROW("ENABLE_CAP: flags", EINVAL, VM_FD, KVM_ENABLE_CAP, CAP(.cap = KVM_CAP_ARM_NISV_TO_USER, .flags = 1)),
	IOCTL_ROW("ENABLE_CAP: another architecture's", EINVAL, VM_FD, KVM_ENABLE_CAP, CAP(.cap = KVM_CAP_X2APIC_API)),
	IOCTL_ROW("GET_DIRTY_LOG: bad pointer", EFAULT, VM_FD, KVM_GET_DIRTY_LOG, LOW_PTR),
	IOCTL_ROW("GET_DIRTY_LOG: not logged", ENOENT, VM_FD, KVM_GET_DIRTY_LOG, DIRTY_LOG(.slot = 0)),
	IOCTL_ROW("GET_DIRTY_LOG: no such slot", ENOENT, VM_FD, KVM_GET_DIRTY_LOG, DIRTY_LOG(.slot = 9)),
	IOCTL_ROW("GET_DIRTY_LOG: number beyond the last", EINVAL, VM_FD, KVM_GET_DIRTY_LOG, DIRTY_LOG(.slot = 32767)),
	IOCTL_ROW("GET_DIRTY_LOG: another address space", EINVAL, VM_FD, KVM_GET_DIRTY_LOG, DIRTY_LOG(.slot = 1 << 16 | 1)),
	IOCTL_ROW("GET_DIRTY_LOG: null bitmap", EFAULT, VM_FD, KVM_GET_DIRTY_LOG, DIRTY_LOG(.slot = 1)),
	IOCTL_ROW("GET_DIRTY_LOG: bad bitmap", EFAULT, VM_FD, KVM_GET_DIRTY_LOG, DIRTY_LOG(.slot = 1, .dirty_bitmap = (void *)LOW_PTR)),
	IOCTL_ROW("VM: unknown KVM ioctl", EINVAL, VM_FD, _IO(KVMIO, 0xef), 0),
	IOCTL_ROW("VM: TCGETS", EINVAL, VM_FD, TCGETS, PAGE_PTR),
	IOCTL_ROW("VM: a vCPU's ioctl", EINVAL, VM_FD, KVM_RUN, 0),
	IOCTL_ROW("VM: the system's ioctl", EINVAL, VM_FD, KVM_CREATE_VM, 0),
	IOCTL_ROW("VM: CHECK_EXTENSION unknown", 0, VM_FD, KVM_CHECK_EXTENSION, 99999),
};

#define ONE_REG(...) ADDRESS((&(const struct kvm_one_reg){ __VA_ARGS__ }))
#define A64          KVM_REG_ARM64
#define U64          KVM_REG_SIZE_U64
#define PC_REG       CORE_REG(regs.pc)
#define SCTLR_EL1    ARM64_SYS_REG(3, 0, 1, 0, 0)

static const uint64_t value_zero;
static const uint64_t pstate_el2h = 0x3c9;
static const uint64_t pstate_mode_unknown = 0x3c2;
static const uint64_t psci_unknown = 0x7fff0000;
static const struct kvm_reg_list list_of_none;
static const struct kvm_vcpu_init init_unknown_target = { .target = 9999 };
static const struct kvm_vcpu_init init_unknown_feature = { .target = KVM_ARM_TARGET_GENERIC_V8, .features = { 1u << 31 } };
static const struct kvm_vcpu_init init_feature_far_beyond = { .target = KVM_ARM_TARGET_GENERIC_V8, .features = { 0, 0, 0, 1 } };
static const struct kvm_vcpu_init init_other_features = { .target = KVM_ARM_TARGET_GENERIC_V8, .features = { 0 } };
static const struct kvm_mp_state mp_state_unknown = { .mp_state = 999 };
static const struct kvm_mp_state mp_state_halted = { .mp_state = KVM_MP_STATE_HALTED };
static const struct kvm_device_attr attr_unknown_group = { .group = 9999 };
static const struct {
	struct kvm_signal_mask mask;
	uint8_t bits[8];
} mask_of_4_bytes = { .mask.len = 4 };

#define GET(text, error, fd, ...) IOCTL_ROW("GET_ONE_REG: " text, error, fd, KVM_GET_ONE_REG, ONE_REG(__VA_ARGS__))
#define SET(text, error, fd, ...) IOCTL_ROW("SET_ONE_REG: " text, error, fd, KVM_SET_ONE_REG, ONE_REG(__VA_ARGS__))
#define VALUE(object) (uint64_t)&(object)

static const struct row register_rows[] = {
	GET("before init", ENOEXEC, RAW_FD, PC_REG, LOW_PTR),
	SET("before init", ENOEXEC, RAW_FD, PC_REG, VALUE(value_zero)),
	IOCTL_ROW("GET_ONE_REG: bad pointer", EFAULT, VCPU_FD, KVM_GET_ONE_REG, LOW_PTR),
	IOCTL_ROW("SET_ONE_REG: bad pointer", EFAULT, VCPU_FD, KVM_SET_ONE_REG, LOW_PTR),
	GET("bad value pointer", EFAULT, VCPU_FD, PC_REG, LOW_PTR),
	GET("value into the kernel", EFAULT, VCPU_FD, PC_REG, KERNEL_PTR),
	GET("value into constants", EFAULT, VCPU_FD, SCTLR_EL1, (uint64_t)"constant, as long as any register"),
	SET("bad value pointer", EFAULT, VCPU_FD, PC_REG, LOW_PTR),
	SET("system register, bad value pointer", EFAULT, VCPU_FD, SCTLR_EL1, LOW_PTR),
	GET("another architecture", EINVAL, VCPU_FD, KVM_REG_X86 | U64, VALUE(value_zero)),
	GET("identifier 0", EINVAL, VCPU_FD, 0, VALUE(value_zero)),
	GET("unknown class", ENOENT, VCPU_FD, A64 | U64 | 0x7fL << 16, VALUE(value_zero)),
	GET("core, beyond the last", ENOENT, VCPU_FD, A64 | U64 | KVM_REG_ARM_CORE | 0xfff0, VALUE(value_zero)),
	GET("core, within a register", EINVAL, VCPU_FD, PC_REG + 1, VALUE(value_zero)),
	GET("core, of a wrong size", EINVAL, VCPU_FD, A64 | KVM_REG_SIZE_U32 | KVM_REG_ARM_CORE | KVM_REG_ARM_CORE_REG(regs.pc), VALUE(value_zero)),
	GET("system register that is none", ENOENT, VCPU_FD, ARM64_SYS_REG(3, 7, 15, 15, 7), VALUE(value_zero)),
	GET("system register of a wrong size", ENOENT, VCPU_FD, (SCTLR_EL1 & ~KVM_REG_SIZE_MASK) | KVM_REG_SIZE_U32, VALUE(value_zero)),
	SET("system register that is none", ENOENT, VCPU_FD, ARM64_SYS_REG(3, 7, 15, 15, 7), VALUE(value_zero)),
	GET("cache size beyond the last", ENOENT, VCPU_FD, A64 | KVM_REG_SIZE_U32 | KVM_REG_ARM_DEMUX | 0xff, VALUE(value_zero)),
	GET("firmware, unknown", ENOENT, VCPU_FD, KVM_REG_ARM_FW_REG(0xfff), VALUE(value_zero)),
	SET("firmware, unknown", ENOENT, VCPU_FD, KVM_REG_ARM_FW_REG(0xfff), VALUE(value_zero)),
	SET("PSCI of an unknown version", EINVAL, VCPU_FD, KVM_REG_ARM_PSCI_VERSION, VALUE(psci_unknown)),
	SET("PSTATE of EL2", EINVAL, VCPU_FD, CORE_REG(regs.pstate), VALUE(pstate_el2h)),
	SET("PSTATE of no mode", EINVAL, VCPU_FD, CORE_REG(regs.pstate), VALUE(pstate_mode_unknown)),
	SET("MIDR_EL1, another value", EINVAL, VCPU_FD, ARM64_SYS_REG(3, 0, 0, 0, 0), VALUE(value_zero)),
	SET("MPIDR_EL1 of nothing", EFAULT, VCPU_FD, ARM64_SYS_REG(3, 0, 0, 0, 5), LOW_PTR),
	IOCTL_ROW("GET_REG_LIST: before init", ENOEXEC, RAW_FD, KVM_GET_REG_LIST, PAGE_PTR),
	IOCTL_ROW("GET_REG_LIST: bad pointer", EFAULT, VCPU_FD, KVM_GET_REG_LIST, LOW_PTR),
	IOCTL_ROW("GET_REG_LIST: constant", EFAULT, VCPU_FD, KVM_GET_REG_LIST, ADDRESS(&list_of_none)),
	IOCTL_ROW("GET_REG_LIST: too small", E2BIG, VCPU_FD, KVM_GET_REG_LIST, PAGE_PTR),
};

static const struct row vcpu_rows[] = {
	IOCTL_ROW("RUN: before init", ENOEXEC, RAW_FD, KVM_RUN, 0),
	IOCTL_ROW("RUN: argument", EINVAL, VCPU_FD, KVM_RUN, 1),
	IOCTL_ROW("VCPU_INIT: bad pointer", EFAULT, RAW_FD, KVM_ARM_VCPU_INIT, LOW_PTR),
	IOCTL_ROW("VCPU_INIT: structure at the edge", EFAULT, RAW_FD, KVM_ARM_VCPU_INIT, EDGE),
	IOCTL_ROW("VCPU_INIT: unknown target", EINVAL, RAW_FD, KVM_ARM_VCPU_INIT, ADDRESS(&init_unknown_target)),
	IOCTL_ROW("VCPU_INIT: unknown feature", ENOENT, RAW_FD, KVM_ARM_VCPU_INIT, ADDRESS(&init_unknown_feature)),
	IOCTL_ROW("VCPU_INIT: feature far beyond", ENOENT, RAW_FD, KVM_ARM_VCPU_INIT, ADDRESS(&init_feature_far_beyond)),
	IOCTL_ROW("VCPU_INIT: other features than before", EINVAL, VCPU_FD, KVM_ARM_VCPU_INIT, ADDRESS(&init_other_features)),
	IOCTL_ROW("RUN: after a refused init", ENOEXEC, RAW_FD, KVM_RUN, 0),
	IOCTL_ROW("GET_MP_STATE: bad pointer", EFAULT, VCPU_FD, KVM_GET_MP_STATE, LOW_PTR),
	IOCTL_ROW("SET_MP_STATE: bad pointer", EFAULT, VCPU_FD, KVM_SET_MP_STATE, LOW_PTR),
	IOCTL_ROW("SET_MP_STATE: unknown", EINVAL, VCPU_FD, KVM_SET_MP_STATE, ADDRESS(&mp_state_unknown)),
	IOCTL_ROW("SET_MP_STATE: another architecture's", EINVAL, VCPU_FD, KVM_SET_MP_STATE, ADDRESS(&mp_state_halted)),
	IOCTL_ROW("SET_SIGNAL_MASK: bad pointer", EFAULT, VCPU_FD, KVM_SET_SIGNAL_MASK, LOW_PTR),
	IOCTL_ROW("SET_SIGNAL_MASK: length", EINVAL, VCPU_FD, KVM_SET_SIGNAL_MASK, ADDRESS(&mask_of_4_bytes)),
	IOCTL_ROW("vCPU HAS_DEVICE_ATTR: bad pointer", EFAULT, VCPU_FD, KVM_HAS_DEVICE_ATTR, LOW_PTR),
	IOCTL_ROW("vCPU HAS_DEVICE_ATTR: unknown group", ENXIO, VCPU_FD, KVM_HAS_DEVICE_ATTR, ADDRESS(&attr_unknown_group)),
	IOCTL_ROW("vCPU SET_DEVICE_ATTR: unknown group", ENXIO, VCPU_FD, KVM_SET_DEVICE_ATTR, ADDRESS(&attr_unknown_group)),
	IOCTL_ROW("vCPU GET_DEVICE_ATTR: unknown group", ENXIO, VCPU_FD, KVM_GET_DEVICE_ATTR, ADDRESS(&attr_unknown_group)),
	IOCTL_ROW("GET_REGS: not on this architecture", EINVAL, VCPU_FD, KVM_GET_REGS, PAGE_PTR),
	IOCTL_ROW("GET_SREGS: not on this architecture", EINVAL, VCPU_FD, KVM_GET_SREGS, PAGE_PTR),
	IOCTL_ROW("GET_FPU: not on this architecture", EINVAL, VCPU_FD, KVM_GET_FPU, PAGE_PTR),
	IOCTL_ROW("TRANSLATE: not on this architecture", EINVAL, VCPU_FD, KVM_TRANSLATE, PAGE_PTR),
	IOCTL_ROW("vCPU: unknown KVM ioctl", EINVAL, VCPU_FD, _IO(KVMIO, 0xef), 0),
	IOCTL_ROW("vCPU: TCGETS", EINVAL, VCPU_FD, TCGETS, PAGE_PTR),
	IOCTL_ROW("vCPU: a VM's ioctl", EINVAL, VCPU_FD, KVM_CREATE_VCPU, 1),
	IOCTL_ROW("vCPU: the system's ioctl", EINVAL, VCPU_FD, KVM_GET_API_VERSION, 0),
};

/* KVM_CAP_MANUAL_DIRTY_LOG_PROTECT2 */
static const struct row clear_log_rows[] = {
	IOCTL_ROW("ENABLE_CAP: manual protection, unknown bits", EINVAL, VM_FD, KVM_ENABLE_CAP, CAP(.cap = KVM_CAP_MANUAL_DIRTY_LOG_PROTECT2, .args = { 8 })),
	IOCTL_ROW("CLEAR_DIRTY_LOG: bad pointer", EFAULT, VM_FD, KVM_CLEAR_DIRTY_LOG, LOW_PTR),
	IOCTL_ROW("CLEAR_DIRTY_LOG: not logged", ENOENT, VM_FD, KVM_CLEAR_DIRTY_LOG, ADDRESS((&(const struct kvm_clear_dirty_log){ .slot = 0, .num_pages = 1 }))),
	IOCTL_ROW("CLEAR_DIRTY_LOG: first page", EINVAL, VM_FD, KVM_CLEAR_DIRTY_LOG, ADDRESS((&(const struct kvm_clear_dirty_log){ .slot = 1, .first_page = 1, .num_pages = 1 }))),
	IOCTL_ROW("CLEAR_DIRTY_LOG: too many pages", EINVAL, VM_FD, KVM_CLEAR_DIRTY_LOG, ADDRESS((&(const struct kvm_clear_dirty_log){ .slot = 1, .num_pages = 1 << 20 }))),
	IOCTL_ROW("CLEAR_DIRTY_LOG: bad bitmap", EFAULT, VM_FD, KVM_CLEAR_DIRTY_LOG, ADDRESS((&(const struct kvm_clear_dirty_log){ .slot = 1, .num_pages = RAM_SIZE / PAGE, .dirty_bitmap = (void *)LOW_PTR }))),
};

/* KVM_CAP_USER_MEMORY2, newer than 6.1. */
struct region2 {
	uint32_t slot, flags;
	uint64_t gpa, size, hva, memfd_offset;
	uint32_t memfd, pad1;
	uint64_t pad2[14];
};
#define SET_REGION2     _IOW(KVMIO, 0x49, struct region2)
#define REGION2(...)    ADDRESS((&(const struct region2){ __VA_ARGS__, 0, 0, 0, { 0 } }))
static const struct row slot2_rows[] = {
	IOCTL_ROW("slot2: bad pointer", EFAULT, VM_FD, SET_REGION2, LOW_PTR),
	IOCTL_ROW("slot2: structure at the edge", EFAULT, VM_FD, SET_REGION2, EDGE),
	IOCTL_ROW("slot2: unknown flag", EINVAL, VM_FD, SET_REGION2, REGION2(5, 1 << 4, FREE, PAGE, HVA)),
	IOCTL_ROW("slot2: size not page aligned", EINVAL, VM_FD, SET_REGION2, REGION2(5, 0, FREE, PAGE + 1, HVA)),
	IOCTL_ROW("slot2: overlaps another", EEXIST, VM_FD, SET_REGION2, REGION2(5, 0, GUEST_RAM, PAGE, HVA)),
	IOCTL_ROW("slot2: beyond the VM's IPA size", EFAULT, VM_FD, SET_REGION2, REGION2(5, 0, 1L << 40, PAGE, HVA)),
	IOCTL_ROW("slot2: delete what is not there", EINVAL, VM_FD, SET_REGION2, REGION2(5, 0, 0, 0, 0)),
	IOCTL_ROW("slot2: creates", 0, VM_FD, SET_REGION2, REGION2(5, 0, FREE, PAGE, HVA)),
	IOCTL_ROW("slot2: deletes", 0, VM_FD, SET_REGION2, REGION2(5, 0, 0, 0, 0)),
};
/* clang-format on */

static void lay_out_memory(long *tokens)
{
	char *p = mmap(NULL, 4 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	REQUIRE(p != MAP_FAILED);
	REQUIRE(munmap(p + PAGE, PAGE) == 0);
	REQUIRE(mprotect(p + 2 * PAGE, PAGE, PROT_READ) == 0);
	tokens[T_PAGE] = (long)p;
	tokens[T_EDGE] = (long)(p + PAGE - 4);
	tokens[T_UNMAPPED] = (long)(p + PAGE);
	tokens[T_CONST] = (long)(p + 2 * PAGE);
}

static void create(struct vm *vm, long *tokens)
{
	struct vcpu vcpu, raw;
	int fd[2];

	vm_create(vm, 0);
	vm_ram(vm, 0, GUEST_RAM, RAM_SIZE);
	REQUIRE(vm_slot(vm, 1, LOG, LOG_GPA, RAM_SIZE, host_memory(RAM_SIZE, PAGE)) == 0);
	vcpu_create(vm, &vcpu, 0, 0);
	vcpu_create_raw(vm, &raw, 1);
	REQUIRE(pipe(fd) == 0);
	tokens[T_KVM] = vm->kvm;
	tokens[T_VM] = vm->fd;
	tokens[T_VCPU] = vcpu.fd;
	tokens[T_RAW] = raw.fd;
	tokens[T_PIPE] = fd[0];
	tokens[T_BEYOND_IPA] = ioctl(vm->kvm, KVM_CHECK_EXTENSION, KVM_CAP_ARM_VM_IPA_SIZE) + 1;
}

int main(void)
{
	enum { CAP_USER_MEMORY2 = 231 };
	static const struct {
		const struct row *row;
		size_t n;
		int cap; /* the rows hold on hosts that have it; 0: on all */
	} tables[] = {
#define TABLE(rows, cap) { rows, sizeof(rows) / sizeof((rows)[0]), cap }
		TABLE(system_rows, 0),
		TABLE(vm_rows, 0),
		TABLE(slot_rows, 0),
		TABLE(register_rows, 0),
		TABLE(vcpu_rows, 0),
		TABLE(clear_log_rows, KVM_CAP_MANUAL_DIRTY_LOG_PROTECT2),
		TABLE(slot2_rows, CAP_USER_MEMORY2),
	};
	struct rows_result result = { 0 };
	long tokens[TOKENS] = { 0 };
	struct vm vm;

	lay_out_memory(tokens);
	create(&vm, tokens);
	for (size_t i = 0; i < sizeof(tables) / sizeof(tables[0]); i++) {
		if (tables[i].cap && VM_CAP(&vm, tables[i].cap) <= 0)
			result.left_out += tables[i].n;
		else
			rows_run(tables[i].row, tables[i].n, tokens, &result);
	}
	return rows_done("errno_kvm", &result);
}
