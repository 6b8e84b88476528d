/* SPDX-License-Identifier: Apache-2.0 */
/* The fuzzer's ioctls: of KVM, userfaultfd, /dev/devmem, terminals and all files. */
#define _GNU_SOURCE
#include "tests/target/client.h"
#include "tests/target/fuzz.h"
#include "tests/target/vgic.h"

#include "abi/catwalk.h"
#include "abi/catwalk_devmem.h"

#include <asm/ioctls.h>
#include <linux/userfaultfd.h>
#include <string.h>
#include <sys/syscall.h>

/* Of newer headers (uffd_peer.h). */
#define UFFDIO_POISON_FUZZ _IOWR(0xaa, 8, struct uffdio_zeropage)

#define CHOOSE(f, ...)                                                                             \
	({                                                                                         \
		static const uint64_t values_[] = { __VA_ARGS__ };                                 \
		values_[fuzz_below(f, sizeof(values_) / sizeof(values_[0]))];                      \
	})

/* ---- descriptors: nearly always of the right kind */
static uint64_t fd_of(struct fuzz *f, enum fuzz_fd kind)
{
	return FUZZ_ONE_IN(f, 32) ? fuzz_fd_any(f) : (uint64_t)FUZZ_FD(kind);
}

static uint64_t kvm(struct fuzz *f)
{
	return fd_of(f, FD_KVM);
}

static uint64_t vm(struct fuzz *f)
{
	switch (fuzz_below(f, 4)) {
	case 0: return fd_of(f, FD_VM_FRESH);
	case 1: return fd_of(f, FD_VM_BARE);
	default: return fd_of(f, FD_VM);
	}
}

static uint64_t vcpu(struct fuzz *f)
{
	return fd_of(f, FD_VCPU0 + fuzz_below(f, FUZZ_VCPUS));
}

static uint64_t gic(struct fuzz *f)
{
	return fd_of(f, FD_GIC);
}

static uint64_t its(struct fuzz *f)
{
	return fd_of(f, FD_ITS);
}

static uint64_t vm_or_vcpu(struct fuzz *f)
{
	return FUZZ_ONE_IN(f, 2) ? vm(f) : vcpu(f);
}

static uint64_t uffd(struct fuzz *f)
{
	return fd_of(f, FD_UFFD);
}

static uint64_t devmem(struct fuzz *f)
{
	return fd_of(f, FD_DEVMEM);
}

static uint64_t tty(struct fuzz *f)
{
	return fd_of(f, FUZZ_ONE_IN(f, 2) ? FD_TTY : FD_PIPE_OUT);
}

/* ---- numbers */
static uint64_t zero(struct fuzz *f)
{
	return FUZZ_ONE_IN(f, 32) ? fuzz_odd(f) : 0;
}

static uint64_t small(struct fuzz *f)
{
	return fuzz_below(f, 16);
}

static uint64_t capability(struct fuzz *f)
{
	return FUZZ_ONE_IN(f, 8) ? KVM_CAP_CATWALK_WRITE_BACK + fuzz_below(f, 10)
				 : fuzz_below(f, 250);
}

static uint64_t vm_type(struct fuzz *f)
{
	return FUZZ_ONE_IN(f, 2) ? 0 : fuzz_below(f, 64);
}

static uint64_t guest_address(struct fuzz *f)
{
	switch (fuzz_below(f, 8)) {
	case 0: return GICD_BASE + fuzz_below(f, 0x10000);
	case 1: return GICR_BASE + fuzz_below(f, 2 * (uint64_t)GICR_SIZE);
	case 2: return 0x08080000 + fuzz_below(f, 0x20000); /* the ITS */
	case 3: return GUEST_MMIO + fuzz_below(f, 64);
	case 4: return fuzz_odd(f);
	default: return GUEST_RAM + fuzz_below(f, 1024) * FUZZ_PAGE;
	}
}

static uint64_t guest_page(struct fuzz *f)
{
	return guest_address(f) & -(uint64_t)FUZZ_PAGE;
}

static uint64_t guest_size(struct fuzz *f)
{
	return FUZZ_ONE_IN(f, 12) ? fuzz_odd(f) : fuzz_below(f, 600) * FUZZ_PAGE;
}

/* ---- structures; what is left over is odd now and then */
static uint64_t put(struct fuzz *f, void *s, size_t size)
{
	if (size >= 4 && FUZZ_ONE_IN(f, 10)) {
		uint32_t odd = (uint32_t)fuzz_odd(f);

		f->odd_places = 1;
		memcpy((char *)s + fuzz_below(f, size / 4) * 4, &odd, 4);
	}
	return fuzz_put(f, s, size);
}
#define PUT(f, s) put(f, &(s), sizeof(s))

static uint64_t region(struct fuzz *f)
{
	struct kvm_userspace_memory_region s = {
		.slot = (uint32_t)fuzz_below(f, 6),
		.flags =
			(uint32_t)(fuzz_below(f, 4) | (FUZZ_ONE_IN(f, 8) ? KVM_MEM_WRITE_BACK : 0)),
		.guest_phys_addr = guest_page(f),
		.memory_size = guest_size(f),
		.userspace_addr = fuzz_arena_at(f),
	};

	return PUT(f, s);
}

static uint64_t region2(struct fuzz *f)
{
	struct kvm_userspace_memory_region2 s = {
		.slot = (uint32_t)fuzz_below(f, 6),
		.flags = (uint32_t)(fuzz_below(f, 4) |
				    (FUZZ_ONE_IN(f, 3) ? 0 : KVM_MEM_GUEST_MEMFD)),
		.guest_phys_addr = guest_page(f),
		.memory_size = fuzz_below(f, 300) * FUZZ_PAGE,
		.userspace_addr = fuzz_arena_at(f),
		.guest_memfd_offset = fuzz_below(f, 8) * FUZZ_PAGE,
		.guest_memfd = (uint32_t)fd_of(f, FD_GMEM),
	};

	return PUT(f, s);
}

static uint64_t dirty_log(struct fuzz *f)
{
	struct kvm_dirty_log s = { .slot = (uint32_t)fuzz_below(f, 6),
				   .dirty_bitmap = (void *)fuzz_out(f) };

	return PUT(f, s);
}

static uint64_t clear_log(struct fuzz *f)
{
	struct kvm_clear_dirty_log s = { .slot = (uint32_t)fuzz_below(f, 6),
					 .num_pages = (uint32_t)fuzz_below(f, 600),
					 .first_page = 64 * fuzz_below(f, 8),
					 .dirty_bitmap = (void *)fuzz_in(f) };

	return PUT(f, s);
}

static uint64_t gmem(struct fuzz *f)
{
	struct kvm_create_guest_memfd s = { .size = fuzz_below(f, 512) * FUZZ_PAGE,
					    .flags = fuzz_below(f, 5) };

	return PUT(f, s);
}

static uint64_t enable_cap(struct fuzz *f)
{
	struct kvm_enable_cap s = {
		.cap = (uint32_t)(FUZZ_ONE_IN(f, 2) ? CHOOSE(f, KVM_CAP_ARM_NISV_TO_USER,
							     KVM_CAP_ARM_SYSTEM_SUSPEND,
							     KVM_CAP_MANUAL_DIRTY_LOG_PROTECT2,
							     KVM_CAP_DIRTY_LOG_RING_ACQ_REL,
							     KVM_CAP_DIRTY_LOG_RING_WITH_BITMAP,
							     KVM_CAP_ARM_EAGER_SPLIT_CHUNK_SIZE)
						    : capability(f)),
		.args = { FUZZ_ONE_IN(f, 2) ? fuzz_below(f, 4)
					    : CHOOSE(f, 4096, 2 << 20, 65536, 1 << 20) },
	};

	return PUT(f, s);
}

static uint64_t irq_level(struct fuzz *f)
{
	struct kvm_irq_level s = {
		.irq = (uint32_t)(fuzz_below(f, 4) << KVM_ARM_IRQ_TYPE_SHIFT |
				  fuzz_below(f, 3) << KVM_ARM_IRQ_VCPU_SHIFT | fuzz_below(f, 140)),
		.level = (uint32_t)fuzz_below(f, 2),
	};

	return PUT(f, s);
}

static uint64_t zone(struct fuzz *f)
{
	struct kvm_coalesced_mmio_zone s = { .addr = guest_address(f),
					     .size = (uint32_t)fuzz_below(f, 64) };

	return PUT(f, s);
}

static uint64_t create_device(struct fuzz *f)
{
	struct kvm_create_device s = {
		.type = (uint32_t)CHOOSE(f, KVM_DEV_TYPE_ARM_VGIC_V3, KVM_DEV_TYPE_ARM_VGIC_ITS,
					 KVM_DEV_TYPE_ARM_VGIC_V2, 0, 12),
		.flags = (uint32_t)CHOOSE(f, 0, 0, 0, KVM_CREATE_DEVICE_TEST, 2),
	};

	return PUT(f, s);
}

static uint64_t device_addr(struct fuzz *f)
{
	struct kvm_arm_device_addr s = { .id = fuzz_below(f, 8), .addr = guest_page(f) };

	return PUT(f, s);
}

static uint64_t irqfd(struct fuzz *f)
{
	struct kvm_irqfd s = {
		.fd = (uint32_t)fd_of(f, FD_EVENT),
		.gsi = (uint32_t)fuzz_below(f, 100),
		.flags = (uint32_t)fuzz_below(f, 4),
		.resamplefd = (uint32_t)fd_of(f, FD_EVENT),
	};

	return PUT(f, s);
}

static uint64_t ioeventfd(struct fuzz *f)
{
	struct kvm_ioeventfd s = {
		.datamatch = fuzz_below(f, 4),
		.addr = guest_address(f),
		.len = (uint32_t)CHOOSE(f, 0, 1, 2, 4, 8, 3),
		.fd = (int)fd_of(f, FD_EVENT),
		.flags = (uint32_t)fuzz_below(f, 8),
	};

	return PUT(f, s);
}

static uint64_t routing(struct fuzz *f)
{
	struct {
		struct kvm_irq_routing table;
		struct kvm_irq_routing_entry entries[8];
	} s = { .table.nr = (uint32_t)fuzz_below(f, 9) };

	for (int i = 0; i < 8; i++) {
		struct kvm_irq_routing_entry *e = &s.entries[i];

		e->gsi = (uint32_t)fuzz_below(f, 100);
		e->type = FUZZ_ONE_IN(f, 2) ? KVM_IRQ_ROUTING_IRQCHIP : KVM_IRQ_ROUTING_MSI;
		e->flags = FUZZ_ONE_IN(f, 2) ? 0 : KVM_MSI_VALID_DEVID;
		if (e->type == KVM_IRQ_ROUTING_IRQCHIP) {
			e->u.irqchip.pin = (uint32_t)fuzz_below(f, 100);
		} else {
			e->u.msi.address_lo = 0x08080040;
			e->u.msi.data = (uint32_t)fuzz_below(f, 8);
			e->u.msi.devid = (uint32_t)fuzz_below(f, 4);
		}
	}
	return PUT(f, s);
}

static uint64_t msi(struct fuzz *f)
{
	struct kvm_msi s = { .address_lo = 0x08080040,
			     .data = (uint32_t)fuzz_below(f, 8),
			     .flags = FUZZ_ONE_IN(f, 4) ? 0 : KVM_MSI_VALID_DEVID,
			     .devid = (uint32_t)fuzz_below(f, 4) };

	return PUT(f, s);
}

static uint64_t gic_attr_of(struct fuzz *f, uint32_t group)
{
	uint64_t mpidr = fuzz_below(f, 4) << 32;

	switch (group) {
	case KVM_DEV_ARM_VGIC_GRP_DIST_REGS:
	case KVM_DEV_ARM_VGIC_GRP_REDIST_REGS:
		return mpidr | fuzz_below(f, FUZZ_ONE_IN(f, 2) ? 0x1000 : 0x11000) << 2;
	case KVM_DEV_ARM_VGIC_GRP_CPU_SYSREGS:
		/* op0 3, op1 0, CRn 12 or 4, any CRm and op2 */
		return mpidr | 3 << 14 | CHOOSE(f, 4, 12) << 7 | fuzz_below(f, 16) << 3 |
		       fuzz_below(f, 8);
	case KVM_DEV_ARM_VGIC_GRP_LEVEL_INFO: return mpidr | 32 * fuzz_below(f, 5);
	default: return fuzz_below(f, 6);
	}
}

static uint64_t gic_value(struct fuzz *f, uint32_t group)
{
	uint64_t v[4] = { FUZZ_ONE_IN(f, 2) ? fuzz_below(f, 256) : fuzz_odd(f), fuzz_odd(f) };

	if (group == KVM_DEV_ARM_VGIC_GRP_ADDR)
		v[0] = CHOOSE(f, GICD_BASE, GICR_BASE, 0x08080000, 0x09000000, 0x1000);
	return fuzz_put(f, v, sizeof(v));
}

static uint64_t gic_attr(struct fuzz *f)
{
	uint32_t group = (uint32_t)fuzz_below(f, 9);
	struct kvm_device_attr s = { .group = group,
				     .attr = gic_attr_of(f, group),
				     .addr = gic_value(f, group) };

	return PUT(f, s);
}

/* Tables of the ITS in the guest's memory, its command queue, and the offsets of all registers. */
static uint64_t its_attr(struct fuzz *f)
{
	uint32_t group = (uint32_t)CHOOSE(f, 0, 4, 8, 8, 8);
	uint64_t offset = CHOOSE(f, 0, 4, 8, 0x80, 0x88, 0x90, 0x100, 0x108, 0x110, 0xffe8, 0x40);
	uint64_t v = FUZZ_ONE_IN(f, 4)
			     ? fuzz_odd(f)
			     : 1ul << 63 | (GUEST_RAM + 0x100000 + fuzz_below(f, 8) * 65536) |
				       fuzz_below(f, 4);
	struct kvm_device_attr s = { .group = group,
				     .attr = group == 8 ? offset : fuzz_below(f, 6),
				     .addr = fuzz_put(f, &v, sizeof(v)) };

	return PUT(f, s);
}

static uint64_t smccc_or_timer_attr(struct fuzz *f)
{
	struct kvm_smccc_filter filter = {
		.base = (uint32_t)CHOOSE(f, 0x84000000, 0xc4000000, 0x86000000, 0x02000000),
		.nr_functions = (uint32_t)fuzz_below(f, 64),
		.action = (uint8_t)fuzz_below(f, 4),
	};
	struct kvm_device_attr s = { .group = (uint32_t)fuzz_below(f, 3),
				     .attr = fuzz_below(f, 3),
				     .addr = fuzz_put(f, &filter, sizeof(filter)) };

	return PUT(f, s);
}

/* The number of an interrupt or of counters, or a filter, whose first half could be one as well. */
static uint64_t pmu_attr(struct fuzz *f)
{
	struct kvm_pmu_event_filter filter = {
		.base_event = (uint16_t)CHOOSE(f, 0, 8, 0x11, 23, 40, 0x3ff, 0xffff),
		.nevents = FUZZ_ONE_IN(f, 2) ? 0 : (uint16_t)CHOOSE(f, 1, 16, 0x400, 0xffff),
		.action = (uint8_t)fuzz_below(f, 3),
	};
	struct kvm_device_attr s = { .group = KVM_ARM_VCPU_PMU_V3_CTRL,
				     .attr = fuzz_below(f, 6),
				     .addr = fuzz_put(f, &filter, sizeof(filter)) };

	return PUT(f, s);
}

/* So much that the counter does not look like an address of the kernel: those begin 2^38 below 0.
 */
#define COUNTER_MAX (1ul << 37)

static uint64_t counter_offset(struct fuzz *f)
{
	struct kvm_arm_counter_offset s = { .counter_offset = fuzz_below(f, COUNTER_MAX) };

	return PUT(f, s);
}

static uint64_t reg_masks(struct fuzz *f)
{
	struct reg_mask_range s = { .addr = fuzz_out(f) };

	return PUT(f, s);
}

static uint64_t coherence(struct fuzz *f)
{
	struct catwalk_coherence s = { .gpa = guest_page(f), .size = guest_size(f) };

	return PUT(f, s);
}

static uint64_t contract(struct fuzz *f)
{
	struct catwalk_contract s = { .slots = fuzz_out(f),
				      .slot_count = (uint32_t)fuzz_below(f, 20) };

	return PUT(f, s);
}

static uint64_t trace(struct fuzz *f)
{
	struct catwalk_trace s = { .after = FUZZ_ONE_IN(f, 2) ? 0 : fuzz_odd(f),
				   .events = fuzz_out(f),
				   .count = (uint32_t)fuzz_below(f, 12) };

	return PUT(f, s);
}

static uint64_t explain(struct fuzz *f)
{
	struct catwalk_explain s = { .gpa = guest_address(f),
				     .access = (uint32_t)fuzz_below(f, 4) };

	return PUT(f, s);
}

static uint64_t prefault_slot(struct fuzz *f)
{
	struct catwalk_prefault s = { .slot = (uint32_t)fuzz_below(f, 6),
				      .flags = (uint32_t)fuzz_below(f, 2),
				      .offset = fuzz_below(f, 200) * FUZZ_PAGE,
				      .size = (1 + fuzz_below(f, 200)) * FUZZ_PAGE };

	return PUT(f, s);
}

static uint64_t prefault(struct fuzz *f)
{
	struct kvm_pre_fault_memory s = { .gpa = guest_page(f), .size = guest_size(f) };

	return PUT(f, s);
}

static uint64_t vcpu_init_arg(struct fuzz *f)
{
	struct kvm_vcpu_init s = { .target = KVM_ARM_TARGET_GENERIC_V8 };

	s.features[0] = FUZZ_ONE_IN(f, 4)
				? (uint32_t)fuzz_below(f, 256)
				: 1u << KVM_ARM_VCPU_PSCI_0_2 | (uint32_t)fuzz_below(f, 2) |
					  (uint32_t)fuzz_below(f, 2) << KVM_ARM_VCPU_PMU_V3;
	return PUT(f, s);
}

static uint64_t feature(struct fuzz *f)
{
	int s = (int)fuzz_below(f, 8);

	return PUT(f, s);
}

/* Goes on from whatever number it was set to, an address made up among them: not looked at. */
static int is_counter(uint64_t id)
{
	return id == KVM_REG_ARM_TIMER_CNT || id == KVM_REG_ARM_PTIMER_CNT;
}

static uint64_t one_reg(struct fuzz *f)
{
	static _Thread_local uint64_t counter;
	uint64_t value[32];
	struct kvm_one_reg s = {
		.id = fuzz_machine.reg_ids[fuzz_below(f, fuzz_machine.reg_count)],
	};

	for (int i = 0; i < 32; i++)
		value[i] = FUZZ_ONE_IN(f, 4) ? fuzz_odd(f) : fuzz_below(f, 256);
	if (FUZZ_ONE_IN(f, 4))
		s.id = CHOOSE(f, CORE_REG(regs.pc), CORE_REG(regs.regs[1]), CORE_REG(regs.pstate));
	value[0] = FUZZ_ONE_IN(f, 3) ? guest_address(f) : value[0];
	if (s.id == CORE_REG(regs.pstate) && !FUZZ_ONE_IN(f, 4))
		value[0] = 0x3c5;
	else if (s.id == CORE_REG(regs.pc) && !FUZZ_ONE_IN(f, 4))
		value[0] = GUEST_RAM;
	counter = fuzz_below(f, COUNTER_MAX);
	s.addr = is_counter(s.id) ? (uint64_t)&counter : fuzz_put(f, value, sizeof(value));
	return PUT(f, s);
}

static uint64_t reg_list(struct fuzz *f)
{
	uint64_t s[16] = { CHOOSE(f, 0, 15, FUZZ_ROOM / 8, 1000, -1ul) };

	return PUT(f, s);
}

static uint64_t mp_state(struct fuzz *f)
{
	struct kvm_mp_state s = { .mp_state = (uint32_t)CHOOSE(f, KVM_MP_STATE_RUNNABLE,
							       KVM_MP_STATE_STOPPED,
							       KVM_MP_STATE_SUSPENDED, 1, 99) };

	return PUT(f, s);
}

static uint64_t events(struct fuzz *f)
{
	struct kvm_vcpu_events s = { .exception = { .serror_pending = (uint8_t)fuzz_below(f, 2),
						    .serror_has_esr = FUZZ_ONE_IN(f, 8),
						    .ext_dabt_pending = FUZZ_ONE_IN(f, 4) } };

	return PUT(f, s);
}

static uint64_t guest_debug(struct fuzz *f)
{
	struct kvm_guest_debug s = { .control = (uint32_t)(fuzz_below(f, 4) | fuzz_below(f, 4)
										      << 16) };

	for (int i = 0; i < 16; i++) {
		s.arch.dbg_bvr[i] = GUEST_RAM + fuzz_below(f, 8) * 4;
		s.arch.dbg_bcr[i] = FUZZ_ONE_IN(f, 2) ? 0x1e7 : fuzz_odd(f);
		s.arch.dbg_wvr[i] = guest_address(f);
		s.arch.dbg_wcr[i] = fuzz_odd(f);
	}
	return PUT(f, s);
}

/* SIGUSR1 and SIGUSR2 end what takes too long. */
static uint64_t signal_mask(struct fuzz *f)
{
	struct {
		struct kvm_signal_mask head;
		uint64_t set;
	} s = { .head.len = 8, .set = fuzz_next(f) & ~(3ul << 9) };

	return PUT(f, s);
}

static uint64_t uffd_api(struct fuzz *f)
{
	struct uffdio_api s = { .api = UFFD_API,
				.features = FUZZ_ONE_IN(f, 2) ? 0 : 1u << fuzz_below(f, 16) };

	return PUT(f, s);
}

/* A part of the arena, so that one call finds what another one did: few pages of it. */
static struct uffdio_range few_pages(struct fuzz *f)
{
	struct uffdio_range s = { .start = (uint64_t)fuzz_arena + FUZZ_ARENA_SIZE / 2 +
					   fuzz_below(f, 64) * FUZZ_PAGE,
				  .len = (1 + fuzz_below(f, 4)) * FUZZ_PAGE };

	if (FUZZ_ONE_IN(f, 8))
		s = (struct uffdio_range){ fuzz_arena_at(f), fuzz_arena_size(f) };
	return s;
}

static uint64_t uffd_range(struct fuzz *f)
{
	struct uffdio_range s = few_pages(f);

	return PUT(f, s);
}

static uint64_t uffd_register_arg(struct fuzz *f)
{
	struct uffdio_register s = { .range = few_pages(f), .mode = fuzz_below(f, 8) };

	if (FUZZ_ONE_IN(f, 2))
		s.range = (struct uffdio_range){ (uint64_t)fuzz_arena + FUZZ_ARENA_SIZE / 2,
						 80 * FUZZ_PAGE };

	return PUT(f, s);
}

static uint64_t uffd_copy_arg(struct fuzz *f)
{
	struct uffdio_copy s = { .dst = fuzz_arena_at(f),
				 .src = FUZZ_ONE_IN(f, 2) ? fuzz_arena_at(f) : (uint64_t)f->buffer,
				 .len = fuzz_arena_size(f),
				 .mode = fuzz_below(f, 4) };

	return PUT(f, s);
}

/* UFFDIO_ZEROPAGE, CONTINUE, POISON; a member less for WRITEPROTECT. */
static uint64_t uffd_fill(struct fuzz *f)
{
	struct uffdio_zeropage s = { .range = few_pages(f), .mode = fuzz_below(f, 3) };

	return PUT(f, s);
}

static uint64_t devmem_range(struct fuzz *f)
{
	struct catwalk_devmem_range s = { fuzz_arena_at(f) & -(uint64_t)FUZZ_PAGE,
					  fuzz_arena_size(f) };

	return PUT(f, s);
}

static uint64_t any_kvm(struct fuzz *f)
{
	return (uint64_t)FUZZ_FD(FUZZ_ONE_IN(f, 3) ? FD_KVM + fuzz_below(f, FD_EVENT)
						   : fuzz_below(f, FD_KINDS));
}

static uint64_t any_command(struct fuzz *f)
{
	return _IOC(fuzz_below(f, 4), CHOOSE(f, KVMIO, KVMIO, 0xaa, 'T', 0xcd), fuzz_below(f, 256),
		    FUZZ_ONE_IN(f, 2) ? fuzz_below(f, 64) * 8 : fuzz_below(f, 512));
}

#define IOCTL(name, fd, arg_of)                                                                    \
	{                                                                                          \
#name, SYS_ioctl, FUZZ_PLAIN, name,                                                \
		{                                                                                  \
			fd, NULL, arg_of                                                           \
		}                                                                                  \
	}

const struct fuzz_call fuzz_ioctls[] = {
	IOCTL(KVM_GET_API_VERSION, kvm, zero),
	IOCTL(KVM_GET_VCPU_MMAP_SIZE, kvm, zero),
	IOCTL(KVM_CREATE_VM, kvm, vm_type),
	IOCTL(KVM_CHECK_EXTENSION, vm, capability),
	IOCTL(KVM_CREATE_VCPU, vm, small),
	IOCTL(KVM_SET_USER_MEMORY_REGION, vm, region),
	IOCTL(KVM_SET_USER_MEMORY_REGION2, vm, region2),
	IOCTL(KVM_CREATE_GUEST_MEMFD, vm, gmem),
	IOCTL(KVM_GET_STATS_FD, vm_or_vcpu, zero),
	IOCTL(KVM_GET_DIRTY_LOG, vm, dirty_log),
	IOCTL(KVM_CLEAR_DIRTY_LOG, vm, clear_log),
	IOCTL(KVM_RESET_DIRTY_RINGS, vm, zero),
	IOCTL(KVM_ENABLE_CAP, vm_or_vcpu, enable_cap),
	IOCTL(KVM_ARM_PREFERRED_TARGET, vm, fuzz_out),
	IOCTL(KVM_IRQ_LINE, vm, irq_level),
	IOCTL(KVM_REGISTER_COALESCED_MMIO, vm, zone),
	IOCTL(KVM_UNREGISTER_COALESCED_MMIO, vm, zone),
	IOCTL(KVM_CREATE_DEVICE, vm, create_device),
	IOCTL(KVM_CREATE_IRQCHIP, vm, zero),
	IOCTL(KVM_ARM_SET_DEVICE_ADDR, vm, device_addr),
	IOCTL(KVM_IRQFD, vm, irqfd),
	IOCTL(KVM_IOEVENTFD, vm, ioeventfd),
	IOCTL(KVM_SET_GSI_ROUTING, vm, routing),
	IOCTL(KVM_SIGNAL_MSI, vm, msi),
	IOCTL(KVM_SET_DEVICE_ATTR, vm_or_vcpu, smccc_or_timer_attr),
	IOCTL(KVM_HAS_DEVICE_ATTR, vm_or_vcpu, smccc_or_timer_attr),
	IOCTL(KVM_SET_DEVICE_ATTR, gic, gic_attr),
	IOCTL(KVM_GET_DEVICE_ATTR, gic, gic_attr),
	IOCTL(KVM_HAS_DEVICE_ATTR, gic, gic_attr),
	IOCTL(KVM_SET_DEVICE_ATTR, its, its_attr),
	IOCTL(KVM_GET_DEVICE_ATTR, its, its_attr),
	IOCTL(KVM_HAS_DEVICE_ATTR, its, its_attr),
	IOCTL(KVM_ARM_SET_COUNTER_OFFSET, vm, counter_offset),
	IOCTL(KVM_ARM_GET_REG_WRITABLE_MASKS, vm, reg_masks),
	IOCTL(KVM_CATWALK_GET_REFUSAL, vm, fuzz_out),
	IOCTL(KVM_CATWALK_GET_COHERENCE, vm, coherence),
	IOCTL(KVM_CATWALK_GET_CONTRACT, vm, contract),
	IOCTL(KVM_CATWALK_READ_TRACE, vm, trace),
	IOCTL(KVM_CATWALK_EXPLAIN, vm, explain),
	IOCTL(KVM_CATWALK_PREFAULT_SLOT, vm, prefault_slot),
	IOCTL(KVM_ARM_VCPU_INIT, vcpu, vcpu_init_arg),
	IOCTL(KVM_ARM_VCPU_FINALIZE, vcpu, feature),
	IOCTL(KVM_RUN, vcpu, zero),
	IOCTL(KVM_RUN, vcpu, zero),
	IOCTL(KVM_RUN, vcpu, zero),
	IOCTL(KVM_SET_SIGNAL_MASK, vcpu, signal_mask),
	IOCTL(KVM_GET_ONE_REG, vcpu, one_reg),
	IOCTL(KVM_SET_ONE_REG, vcpu, one_reg),
	IOCTL(KVM_GET_REG_LIST, vcpu, reg_list),
	IOCTL(KVM_GET_MP_STATE, vcpu, fuzz_out),
	IOCTL(KVM_SET_MP_STATE, vcpu, mp_state),
	IOCTL(KVM_GET_VCPU_EVENTS, vcpu, fuzz_out),
	IOCTL(KVM_SET_VCPU_EVENTS, vcpu, events),
	IOCTL(KVM_SET_GUEST_DEBUG, vcpu, guest_debug),
	IOCTL(KVM_GET_DEVICE_ATTR, vcpu, smccc_or_timer_attr),
	IOCTL(KVM_SET_DEVICE_ATTR, vcpu, pmu_attr),
	IOCTL(KVM_GET_DEVICE_ATTR, vcpu, pmu_attr),
	IOCTL(KVM_HAS_DEVICE_ATTR, vcpu, pmu_attr),
	IOCTL(KVM_PRE_FAULT_MEMORY, vcpu, prefault),
	IOCTL(UFFDIO_API, uffd, uffd_api),
	IOCTL(UFFDIO_REGISTER, uffd, uffd_register_arg),
	IOCTL(UFFDIO_UNREGISTER, uffd, uffd_range),
	IOCTL(UFFDIO_WAKE, uffd, uffd_range),
	IOCTL(UFFDIO_COPY, uffd, uffd_copy_arg),
	IOCTL(UFFDIO_ZEROPAGE, uffd, uffd_fill),
	IOCTL(UFFDIO_WRITEPROTECT, uffd, uffd_fill),
	IOCTL(UFFDIO_CONTINUE, uffd, uffd_fill),
	IOCTL(UFFDIO_POISON_FUZZ, uffd, uffd_fill),
	IOCTL(CATWALK_DEVMEM_GET_INFO, devmem, fuzz_out),
	IOCTL(CATWALK_DEVMEM_SET_TYPE, devmem, small),
	IOCTL(CATWALK_DEVMEM_REVOKE, devmem, devmem_range),
	IOCTL(TCGETS, tty, fuzz_out),
	IOCTL(TIOCGWINSZ, tty, fuzz_out),
	IOCTL(TIOCGPGRP, tty, fuzz_out),
	IOCTL(TIOCGSID, tty, fuzz_out),
	IOCTL(FIONREAD, fuzz_fd_any, fuzz_out),
	IOCTL(FIONBIO, fuzz_fd_spare, fuzz_in),
	IOCTL(FIOCLEX, fuzz_fd_any, zero),
	IOCTL(FIONCLEX, fuzz_fd_any, zero),
	{ "ioctl", SYS_ioctl, FUZZ_PLAIN, 0, { any_kvm, any_command, fuzz_in } },
	{ "ioctl", SYS_ioctl, FUZZ_PLAIN, 0, { any_kvm, any_command, fuzz_out } },
};
const size_t fuzz_ioctl_count = sizeof(fuzz_ioctls) / sizeof(fuzz_ioctls[0]);
