/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What clients of newer Linux (6.13 to 7) ask for beyond 6.12: PSCI 1.3 with SYSTEM_OFF2, the
 * second bitmap of the vendor's hypercalls, implementation ID registers that can be written, more
 * ID fields that can be lowered, FEAT_IDST, a vGIC that describes itself before it is started, and
 * eventfds that interrupt one VM alone. A host that is older has nothing to check.
 */
#define _GNU_SOURCE
#include "tests/target/check.h"
#include "tests/target/client.h"
#include "tests/target/vgic.h"

#include "abi/catwalk.h"

#include <pthread.h>
#include <stdbool.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define COUNT(array) (sizeof(array) / sizeof(array[0]))

#define NOT_SUPPORTED	   ((uint64_t)-1)
#define INVALID_PARAMETERS ((uint64_t)-2)
#define INTERNAL_FAILURE   ((uint64_t)-6)
#define SYSTEM_OFF2	   0x84000015
#define SYSTEM_OFF2_64	   0xc4000015
#define HIBERNATE_OFF	   1
#define VENDOR_FEATURES	   0x86000000
#define DISCOVER_IMPL_VER  0x86000040
#define ID_REG(crm, op2)   ARM64_SYS_REG(3, 0, 0, crm, op2)
#define MIDR		   ID_REG(0, 0)
#define REVIDR		   ID_REG(0, 6)
#define AIDR		   ARM64_SYS_REG(3, 1, 0, 0, 7)
#define MMFR2_IDS(mmfr2)   ((mmfr2) >> 36 & 0xf)
#define GICD_IIDR	   0x0008
#define GICD_TYPER2	   0x000c
#define GICD_TYPER2_ASSGI  (1 << 8) /* nASSGIcap */
#define IIDR_REVISION	   0xf000

/* KVM_SET_ONE_REG of 64 bits. 0 or -errno. */
static int try_set(struct vcpu *vcpu, uint64_t id, uint64_t value)
{
	struct kvm_one_reg reg = { .id = id, .addr = (uint64_t)&value };

	return ioctl(vcpu->fd, KVM_SET_ONE_REG, &reg) ? -errno : 0;
}

static int enable_cap(struct vm *vm, uint32_t cap)
{
	struct kvm_enable_cap arg = { .cap = cap };

	return ioctl(vm->fd, KVM_ENABLE_CAP, &arg) ? -errno : 0;
}

/* ---- PSCI and SMCCC */

GUEST(caller, "	hvc #0\n"
	      "	str x0, [x19]\n"
	      "	b .\n");

static void prepare_call(struct vcpu *vcpu, uint64_t function, uint64_t x1, uint64_t x2)
{
	vcpu_start(vcpu, GUEST_RAM);
	vcpu_set_x(vcpu, 0, function);
	vcpu_set_x(vcpu, 1, x1);
	vcpu_set_x(vcpu, 2, x2);
}

/* Finishes the store by which a guest told a value, so that its registers can be set anew. */
static uint64_t told(struct vcpu *vcpu)
{
	uint64_t value = RUN_TO_WRITE(vcpu, GUEST_MMIO);

	vcpu->run->immediate_exit = 1;
	CHECK_EQ(vcpu_run(vcpu), -EINTR);
	vcpu->run->immediate_exit = 0;
	return value;
}

static uint64_t call(struct vcpu *vcpu, uint64_t function, uint64_t x1, uint64_t x2)
{
	prepare_call(vcpu, function, x1, x2);
	return told(vcpu);
}

/* Turns the machine off, and on again where it was: the call has failed. */
static void check_turned_off(struct vcpu *vcpu, uint64_t function, uint64_t type)
{
	struct kvm_mp_state runnable = { .mp_state = KVM_MP_STATE_RUNNABLE };

	prepare_call(vcpu, function, type, 0);
	CHECK_EQ(vcpu_run(vcpu), 0);
	CHECK_EQ(vcpu->run->exit_reason, KVM_EXIT_SYSTEM_EVENT);
	CHECK_EQ(vcpu->run->system_event.type, KVM_SYSTEM_EVENT_SHUTDOWN);
	CHECK_EQ(vcpu->run->system_event.ndata, 1);
	CHECK_EQ(vcpu->run->system_event.data[0], KVM_SYSTEM_EVENT_SHUTDOWN_FLAG_PSCI_OFF2);
	CHECK_OK(ioctl(vcpu->fd, KVM_SET_MP_STATE, &runnable));
	CHECK_EQ(told(vcpu), INTERNAL_FAILURE);
}

static void check_system_off2(struct vcpu *vcpu)
{
	CHECK(reg_get(vcpu, KVM_REG_ARM_PSCI_VERSION) >= 0x10003);
	CHECK_EQ(call(vcpu, PSCI_1_0_FN_PSCI_FEATURES, SYSTEM_OFF2, 0), HIBERNATE_OFF);
	CHECK_EQ(call(vcpu, PSCI_1_0_FN_PSCI_FEATURES, SYSTEM_OFF2_64, 0), HIBERNATE_OFF);
	CHECK_EQ(call(vcpu, SYSTEM_OFF2_64, HIBERNATE_OFF, 1), INVALID_PARAMETERS);
	CHECK_EQ(call(vcpu, SYSTEM_OFF2_64, 0, 1), INVALID_PARAMETERS);
	CHECK_EQ(call(vcpu, SYSTEM_OFF2_64, 2, 0), INVALID_PARAMETERS);
	check_turned_off(vcpu, SYSTEM_OFF2_64, HIBERNATE_OFF);
	check_turned_off(vcpu, SYSTEM_OFF2_64, 0);
	/* Of the 32-bit call the upper halves are not looked at. */
	check_turned_off(vcpu, SYSTEM_OFF2, 1ul << 32 | HIBERNATE_OFF);
	reg_set(vcpu, KVM_REG_ARM_PSCI_VERSION, 0x10002);
	CHECK_EQ(call(vcpu, PSCI_1_0_FN_PSCI_FEATURES, SYSTEM_OFF2, 0), NOT_SUPPORTED);
	CHECK_EQ(call(vcpu, SYSTEM_OFF2_64, HIBERNATE_OFF, 0), NOT_SUPPORTED);
	reg_set(vcpu, KVM_REG_ARM_PSCI_VERSION, 0x10003);
	CHECK_EQ(try_set(vcpu, KVM_REG_ARM_PSCI_VERSION, 0x10004), -EINVAL);
}

/* Before the first run. */
static void check_vendor_bitmap(struct vcpu *vcpu)
{
	CHECK_EQ(reg_get(vcpu, KVM_REG_ARM_VENDOR_HYP_BMAP_2), 0);
	CHECK_EQ(try_set(vcpu, KVM_REG_ARM_VENDOR_HYP_BMAP_2, 4), -EINVAL);
	CHECK_EQ(try_set(vcpu, KVM_REG_ARM_VENDOR_HYP_BMAP_2, 3), 0);
	CHECK_EQ(reg_get(vcpu, KVM_REG_ARM_VENDOR_HYP_BMAP_2), 3);
}

static void check_vendor_calls(struct vcpu *vcpu)
{
	CHECK_EQ(call(vcpu, VENDOR_FEATURES, 0, 0) & 1, 1);
	CHECK_EQ(vcpu_x(vcpu, 2), 3);
	/* User space's, but it has not asked for it. */
	CHECK_EQ(call(vcpu, DISCOVER_IMPL_VER, 0, 0), NOT_SUPPORTED);
	CHECK_EQ(try_set(vcpu, KVM_REG_ARM_VENDOR_HYP_BMAP_2, 1), -EBUSY);
	CHECK_EQ(try_set(vcpu, KVM_REG_ARM_VENDOR_HYP_BMAP_2, 3), 0);
}

/* ---- implementation ID registers */

static const struct {
	uint64_t id, value;
} imp_ids[] = {
	{ MIDR, 0x410fd4f1 },
	{ REVIDR, 0x123456789abcdef0 },
	{ AIDR, 0xfedcba9876543210 },
};

GUEST(tells_ids, "	mrs x0, midr_el1\n"
		 "	str x0, [x19]\n"
		 "	mrs x0, revidr_el1\n"
		 "	str x0, [x19]\n"
		 "	mrs x0, aidr_el1\n"
		 "	str x0, [x19]\n"
		 "	b .\n");

enum { TELLS_IDS = GUEST_RAM + 0x1000 };

/* Before the first run: written by one vCPU's file, for all of the VM. */
static void check_imp_ids(struct vcpu *first, struct vcpu *second)
{
	CHECK_EQ(try_set(first, MIDR, 1ul << 32 | imp_ids[0].value), -EINVAL);
	for (unsigned i = 0; i < COUNT(imp_ids); i++) {
		CHECK_EQ(try_set(first, imp_ids[i].id, imp_ids[i].value), 0);
		CHECK_EQ(reg_get(second, imp_ids[i].id), imp_ids[i].value);
	}
}

static void check_imp_ids_seen(struct vm *vm, struct vcpu *vcpu)
{
	vcpu_start(vcpu, TELLS_IDS);
	for (unsigned i = 0; i < COUNT(imp_ids); i++) {
		CHECK_EQ(RUN_TO_WRITE(vcpu, GUEST_MMIO), imp_ids[i].value);
		CHECK_EQ(try_set(vcpu, imp_ids[i].id, imp_ids[i].value + 1), -EBUSY);
		CHECK_EQ(try_set(vcpu, imp_ids[i].id, imp_ids[i].value), 0);
	}
	CHECK_EQ(vcpu_init(vm, vcpu, 1u << KVM_ARM_VCPU_PSCI_0_2), 0);
	for (unsigned i = 0; i < COUNT(imp_ids); i++)
		CHECK_EQ(reg_get(vcpu, imp_ids[i].id), imp_ids[i].value);
}

/* Without the capability, which is to be enabled before the first vCPU. */
static void check_imp_ids_fixed(void)
{
	struct vcpu vcpu;
	struct vm vm;

	vm_create(&vm, 0);
	vcpu_create(&vm, &vcpu, 0, 0);
	CHECK_EQ(enable_cap(&vm, KVM_CAP_ARM_WRITABLE_IMP_ID_REGS), -EINVAL);
	for (unsigned i = 0; i < COUNT(imp_ids); i++) {
		uint64_t host = reg_get(&vcpu, imp_ids[i].id);

		CHECK_EQ(try_set(&vcpu, imp_ids[i].id, host), 0);
		CHECK_EQ(try_set(&vcpu, imp_ids[i].id, host + 1), -EINVAL);
	}
	vcpu_destroy(&vcpu);
	vm_destroy(&vm);
}

/* ---- ID fields */

static const struct {
	uint8_t crm, op2, shift;
} lowerable[] = {
	{ 4, 1, 56 },		    /* PFR1.DF2 */
	{ 6, 3, 4 },  { 6, 3, 16 }, /* ISAR3.FAMINMAX, LSFE */
	{ 6, 3, 24 }, { 6, 3, 28 }, /* LSUI, FPRCVT */
	{ 7, 1, 32 }, { 7, 1, 40 }, /* MMFR1.TWED, HCX */
	{ 7, 3, 0 },  { 7, 3, 4 },  /* MMFR3.TCRX, SCTLRX */
	{ 7, 3, 8 },  { 7, 3, 16 }, /* S1PIE, S1POE */
};

/* MMFR0.TGran16_2, TGran64_2, TGran4_2: what they are, or 1, which says that there is none. */
static const uint8_t exact[] = { 32, 36, 40 };

static uint64_t writable_mask(struct vm *vm, unsigned crm, unsigned op2)
{
	static uint64_t masks[KVM_ARM_FEATURE_ID_RANGE_SIZE];
	struct reg_mask_range range = { .addr = (uint64_t)masks };

	CHECK_OK(ioctl(vm->fd, KVM_ARM_GET_REG_WRITABLE_MASKS, &range));
	return masks[crm * 8 + op2];
}

static void check_lowerable(struct vm *vm, struct vcpu *vcpu)
{
	for (unsigned i = 0; i < COUNT(lowerable); i++) {
		unsigned crm = lowerable[i].crm, op2 = lowerable[i].op2, shift = lowerable[i].shift;
		uint64_t id = ID_REG(crm, op2), value = reg_get(vcpu, id);

		if (!CHECK_EQ(writable_mask(vm, crm, op2) >> shift & 0xf, 0xf))
			printf("register %u, %u, field at %u\n", crm, op2, shift);
		CHECK_EQ(try_set(vcpu, id, value + (1ul << shift)), -EINVAL);
		value &= ~(0xful << shift);
		CHECK_EQ(try_set(vcpu, id, value), 0);
		CHECK_EQ(reg_get(vcpu, id), value);
	}
	for (unsigned i = 0; i < COUNT(exact); i++) {
		uint64_t value = reg_get(vcpu, ID_REG(7, 0)), field = value >> exact[i] & 0xf;
		uint64_t others = value & ~(0xful << exact[i]);
		uint64_t wrong = field < 2 ? 2 : field + 1;

		CHECK_EQ(writable_mask(vm, 7, 0) >> exact[i] & 0xf, 0xf);
		CHECK_EQ(try_set(vcpu, ID_REG(7, 0), others | wrong << exact[i]), -EINVAL);
		CHECK_EQ(try_set(vcpu, ID_REG(7, 0), others | 1ul << exact[i]), 0);
		CHECK_EQ(reg_get(vcpu, ID_REG(7, 0)), others | 1ul << exact[i]);
	}
}

/* ---- reads of ID registers that are not there (FEAT_IDST) */

/* Each leaves its syndrome in x1, and is passed over. */
GUEST(passing_vectors, "	.space 0x200\n"
		       "	mrs x1, esr_el1\n"
		       "	mrs x2, elr_el1\n"
		       "	add x2, x2, #4\n"
		       "	msr elr_el1, x2\n"
		       "	eret\n");

GUEST(reads_absent, "	mov x1, #-1\n"
		    "	mrs x0, s3_1_c0_c0_2\n" /* CCSIDR2_EL1 */
		    "	str x1, [x19]\n"
		    "	mov x1, #-1\n"
		    "	mrs x0, s3_1_c0_c0_4\n" /* GMID_EL1 */
		    "	str x1, [x19]\n"
		    "	mov x1, #-1\n"
		    "	mrs x0, s3_1_c0_c0_6\n" /* SMIDR_EL1 */
		    "	str x1, [x19]\n"
		    "	mov x1, #-1\n"
		    "	msr s3_1_c0_c0_4, x0\n"
		    "	str x1, [x19]\n"
		    "	b .\n");

enum { READS_ABSENT = GUEST_RAM + 0x2000, PASSING_VECTORS = GUEST_RAM + 0x3000 };

#define EC_UNKNOWN (0ul << 26 | 1 << 25)
/* Of MRS x0, S3_1_C0_C0_<op2> (Arm ARM D17.2.37). */
#define EC_READ(op2) (0x18ul << 26 | 1 << 25 | 3 << 20 | (op2) << 17 | 1 << 14 | 1)

static void check_absent_ids(struct vcpu *vcpu)
{
	bool told_so = MMFR2_IDS(reg_get(vcpu, ID_REG(7, 2)));

	reg_set(vcpu, ARM64_SYS_REG(3, 0, 12, 0, 0), PASSING_VECTORS);
	vcpu_start(vcpu, READS_ABSENT);
	for (unsigned op2 = 2; op2 <= 6; op2 += 2)
		CHECK_EQ(RUN_TO_WRITE(vcpu, GUEST_MMIO), told_so ? EC_READ(op2) : EC_UNKNOWN);
	CHECK_EQ(RUN_TO_WRITE(vcpu, GUEST_MMIO), EC_UNKNOWN);
}

static void check_vm(void)
{
	struct vcpu first, second;
	struct vm vm;
	char *ram;

	vm_create(&vm, 0);
	CHECK_EQ(enable_cap(&vm, KVM_CAP_ARM_WRITABLE_IMP_ID_REGS), 0);
	ram = vm_ram(&vm, 0, GUEST_RAM, 64 * 1024);
	LOAD(ram, caller);
	LOAD(ram + (TELLS_IDS - GUEST_RAM), tells_ids);
	LOAD(ram + (READS_ABSENT - GUEST_RAM), reads_absent);
	LOAD(ram + (PASSING_VECTORS - GUEST_RAM), passing_vectors);
	vcpu_create(&vm, &first, 0, 0);
	vcpu_create(&vm, &second, 1, 0);
	check_vendor_bitmap(&first);
	check_imp_ids(&first, &second);
	check_lowerable(&vm, &first);
	check_imp_ids_seen(&vm, &second);
	check_system_off2(&first);
	check_vendor_calls(&first);
	check_absent_ids(&first);
	vcpu_destroy(&first);
	vcpu_destroy(&second);
	vm_destroy(&vm);
}

/* ---- interrupts */

static int dist_reg(int gic, uint32_t offset, uint32_t *value)
{
	return attr_get(gic, KVM_DEV_ARM_VGIC_GRP_DIST_REGS, offset, value);
}

static int dist_reg_set(int gic, uint32_t offset, uint32_t value)
{
	return attr_set(gic, KVM_DEV_ARM_VGIC_GRP_DIST_REGS, offset, &value);
}

static void check_description(void)
{
	uint32_t iidr = 0, typer2 = ~0u, again = 0;
	struct vcpu vcpu;
	struct vm vm;
	int gic;

	vm_create(&vm, 0);
	vcpu_create(&vm, &vcpu, 0, 0);
	gic = device_create(&vm, KVM_DEV_TYPE_ARM_VGIC_V3, 0);
	REQUIRE(gic >= 0);
	CHECK_EQ(dist_reg(gic, GICD_IIDR, &iidr), 0);
	CHECK_EQ(iidr & 0xfff, 0x43b);
	CHECK_EQ(dist_reg_set(gic, GICD_IIDR, (iidr & ~IIDR_REVISION) | 2 << 12), 0);
	CHECK_EQ(dist_reg_set(gic, GICD_IIDR, iidr ^ 1), -EINVAL);
	CHECK_EQ(dist_reg(gic, GICD_TYPER2, &typer2), 0);
	CHECK_EQ(typer2, 0);
	CHECK_EQ(dist_reg_set(gic, GICD_TYPER2, 0), 0);
	CHECK_EQ(dist_reg_set(gic, GICD_TYPER2, GICD_TYPER2_ASSGI), -EINVAL);
	CHECK_EQ(dist_reg(gic, GICD_CTLR, &again), -EBUSY);
	CHECK_EQ(attr_set(gic, KVM_DEV_ARM_VGIC_GRP_CTRL, KVM_DEV_ARM_VGIC_CTRL_INIT, NULL), 0);
	CHECK_EQ(dist_reg(gic, GICD_IIDR, &again), 0);
	CHECK_EQ(again, (iidr & ~IIDR_REVISION) | 2 << 12);
	CHECK_EQ(dist_reg_set(gic, GICD_TYPER2, 0), 0);
	CHECK_EQ(dist_reg_set(gic, GICD_TYPER2, GICD_TYPER2_ASSGI), -EBUSY);
	close(gic);
	vcpu_destroy(&vcpu);
	vm_destroy(&vm);
}

struct machine {
	struct vm vm;
	struct vcpu vcpu;
	int gic;
};

static void machine_create(struct machine *m)
{
	vm_create(&m->vm, 0);
	vcpu_create(&m->vm, &m->vcpu, 0, 0);
	m->gic = vgic_setup(&m->vm, 1, 64);
	spi_enable(m->gic, 42, 0x80, 1);
}

static void machine_destroy(struct machine *m)
{
	close(m->gic);
	vcpu_destroy(&m->vcpu);
	vm_destroy(&m->vm);
}

static int irqfd(struct machine *m, int event, uint32_t gsi, uint32_t flags)
{
	struct kvm_irqfd arg = { .fd = (uint32_t)event, .gsi = gsi, .flags = flags };

	return ioctl(m->vm.fd, KVM_IRQFD, &arg) ? -errno : 0;
}

/* An eventfd is one VM's, for one GSI, until it is given back or the VM is gone. */
static void check_one_owner(void)
{
	struct machine a, b;
	int event = eventfd(0, 0);

	machine_create(&a);
	machine_create(&b);
	CHECK_EQ(irqfd(&a, event, 10, 0), 0);
	CHECK_EQ(irqfd(&a, event, 11, 0), -EBUSY);
	CHECK_EQ(irqfd(&b, event, 10, 0), -EBUSY);
	CHECK_EQ(irqfd(&b, event, 10, KVM_IRQFD_FLAG_DEASSIGN), 0); /* of which there is none */
	CHECK_EQ(irqfd(&b, event, 10, 0), -EBUSY);
	CHECK_EQ(irqfd(&a, event, 10, KVM_IRQFD_FLAG_DEASSIGN), 0);
	CHECK_EQ(irqfd(&b, event, 10, 0), 0);
	CHECK_EQ(eventfd_write(event, 1), 0);
	CHECK_EQ(dist_get(a.gic, GICD_ISPENDR + 4), 0);
	CHECK_EQ(dist_get(b.gic, GICD_ISPENDR + 4), 1 << 10);
	CHECK_EQ(irqfd(&a, event, 10, 0), -EBUSY);
	machine_destroy(&b);
	CHECK_EQ(irqfd(&a, event, 10, 0), 0);
	CHECK_EQ(eventfd_write(event, 1), 0);
	CHECK_EQ(dist_get(a.gic, GICD_ISPENDR + 4), 1 << 10);
	close(event);
	machine_destroy(&a);
}

/* Two threads tie and untie one eventfd, which is closed and made anew all the time. */
struct fight {
	struct machine m[2];
	int event;
	int is_over;
};

static void *tie_and_untie(void *arg)
{
	struct fight *f = arg;

	while (!__atomic_load_n(&f->is_over, __ATOMIC_RELAXED)) {
		for (unsigned i = 0; i < 4; i++) {
			int event = __atomic_load_n(&f->event, __ATOMIC_RELAXED);
			int result = irqfd(&f->m[i & 1], event, 20, 0);

			CHECK(!result || result == -EBUSY || result == -EBADF);
			result = irqfd(&f->m[i & 1], event, 20 + i / 2, KVM_IRQFD_FLAG_DEASSIGN);
			CHECK(!result || result == -EBADF);
		}
	}
	return NULL;
}

static void check_fought_over(void)
{
	struct fight f = { .event = eventfd(0, 0) };
	pthread_t other;

	machine_create(&f.m[0]);
	machine_create(&f.m[1]);
	REQUIRE(pthread_create(&other, NULL, tie_and_untie, &f) == 0);
	for (unsigned i = 0; i < 2000; i++) {
		struct machine *m = &f.m[i & 1];
		int first, second, event = f.event;

		first = irqfd(m, event, 10, 0);
		second = irqfd(m, event, 11, 0);
		CHECK(!first || first == -EBUSY);
		CHECK(second == -EBUSY || (first && !second));
		CHECK_EQ(irqfd(m, event, 10, KVM_IRQFD_FLAG_DEASSIGN), 0);
		CHECK_EQ(irqfd(m, event, 11, KVM_IRQFD_FLAG_DEASSIGN), 0);
		close(event);
		__atomic_store_n(&f.event, eventfd(0, 0), __ATOMIC_RELAXED);
	}
	__atomic_store_n(&f.is_over, 1, __ATOMIC_RELAXED);
	pthread_join(other, NULL);
	close(f.event);
	machine_destroy(&f.m[0]);
	machine_destroy(&f.m[1]);
}

int main(void)
{
	struct vm vm;
	int newer;

	vm_create(&vm, 0);
	newer = VM_CAP(&vm, KVM_CAP_ARM_WRITABLE_IMP_ID_REGS);
	vm_destroy(&vm);
	if (!newer) {
		puts("kvm_newer: this kernel is older: nothing to check");
		return 0;
	}
	check_vm();
	check_imp_ids_fixed();
	check_description();
	check_one_owner();
	check_fought_over();
	return check_done("kvm_newer");
}
