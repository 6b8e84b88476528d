/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Registers through KVM_GET_ONE_REG and KVM_SET_ONE_REG: every one that KVM_GET_REG_LIST names can
 * be read, and takes back what was read; the list holds what clients rely on; values set arrive in
 * the guest and values of the guest come out.
 */
#define _GNU_SOURCE
#include "tests/target/check.h"
#include "tests/target/client.h"

#include <sys/utsname.h>

GUEST(adds, "	add x0, x0, x1\n"
	    "	mrs x2, tpidr_el1\n"
	    "	add x2, x2, #1\n"
	    "	msr tpidr_el1, x2\n"
	    "	mrs x3, mpidr_el1\n"
	    "	mrs x4, midr_el1\n"
	    "	mrs x5, ctr_el0\n"
	    "	mrs x6, id_aa64mmfr0_el1\n"
	    "	mrs x7, id_aa64pfr0_el1\n"
	    "	mov x8, #3 << 20\n"
	    "	msr cpacr_el1, x8\n"
	    "	isb\n"
	    "	fmov d1, x0\n"
	    "	mov v2.d[1], x0\n"
	    "	str x0, [x19]\n"
	    "	b .\n");

static struct kvm_reg_list *get_list(struct vcpu *vcpu)
{
	struct kvm_reg_list probe = { .n = 0 }, *list;

	CHECK_FAILS(ioctl(vcpu->fd, KVM_GET_REG_LIST, &probe), E2BIG);
	REQUIRE(probe.n > 0 && probe.n < 100000);
	list = calloc(1, sizeof(*list) + probe.n * sizeof(list->reg[0]));
	list->n = probe.n;
	REQUIRE(ioctl(vcpu->fd, KVM_GET_REG_LIST, list) == 0);
	CHECK_EQ(list->n, probe.n);
	return list;
}

static int in_list(const struct kvm_reg_list *list, uint64_t id)
{
	for (uint64_t i = 0; i < list->n; i++)
		if (list->reg[i] == id)
			return 1;
	return 0;
}

static void check_round_trip(struct vcpu *vcpu, const struct kvm_reg_list *list)
{
	for (uint64_t i = 0; i < list->n; i++) {
		uint64_t before[32] = { 0 }, after[32] = { 0 }, id = list->reg[i];
		struct kvm_one_reg reg = { .id = id, .addr = (uint64_t)before };
		int get = ioctl(vcpu->fd, KVM_GET_ONE_REG, &reg);
		int set = get ? get : ioctl(vcpu->fd, KVM_SET_ONE_REG, &reg);

		reg.addr = (uint64_t)after;
		if (!check_note(!get && !set && !ioctl(vcpu->fd, KVM_GET_ONE_REG, &reg)))
			printf("%s:%d: register %#lx: get %d, set %d, %s\n", __FILE__, __LINE__, id,
			       get, set, strerrorname_np(errno));
		/* The counter goes on between the two reads. */
		if (id != KVM_REG_ARM_TIMER_CNT && id != KVM_REG_ARM_PTIMER_CNT &&
		    !check_note(!memcmp(before, after, sizeof(before))))
			printf("%s:%d: register %#lx: seen %#lx, expected %#lx\n", __FILE__,
			       __LINE__, id, after[0], before[0]);
	}
}

static void check_list(const struct kvm_reg_list *list)
{
	static const uint64_t expected[] = {
		CORE_REG(regs.regs[0]),
		CORE_REG(regs.regs[30]),
		CORE_REG(regs.sp),
		CORE_REG(regs.pc),
		CORE_REG(regs.pstate),
		CORE_REG(sp_el1),
		CORE_REG(elr_el1),
		CORE_REG(spsr[0]),
		KVM_REG_ARM_PSCI_VERSION,
		KVM_REG_ARM_TIMER_CTL,
		KVM_REG_ARM_TIMER_CVAL,
		KVM_REG_ARM_TIMER_CNT,
		ARM64_SYS_REG(3, 0, 0, 0, 0),  /* MIDR_EL1 */
		ARM64_SYS_REG(3, 0, 0, 0, 5),  /* MPIDR_EL1 */
		ARM64_SYS_REG(3, 0, 0, 4, 0),  /* ID_AA64PFR0_EL1 */
		ARM64_SYS_REG(3, 0, 0, 5, 0),  /* ID_AA64DFR0_EL1 */
		ARM64_SYS_REG(3, 0, 0, 6, 0),  /* ID_AA64ISAR0_EL1 */
		ARM64_SYS_REG(3, 0, 0, 7, 0),  /* ID_AA64MMFR0_EL1 */
		ARM64_SYS_REG(3, 0, 1, 0, 0),  /* SCTLR_EL1 */
		ARM64_SYS_REG(3, 0, 1, 0, 2),  /* CPACR_EL1 */
		ARM64_SYS_REG(3, 0, 2, 0, 0),  /* TTBR0_EL1 */
		ARM64_SYS_REG(3, 0, 2, 0, 1),  /* TTBR1_EL1 */
		ARM64_SYS_REG(3, 0, 2, 0, 2),  /* TCR_EL1 */
		ARM64_SYS_REG(3, 0, 5, 2, 0),  /* ESR_EL1 */
		ARM64_SYS_REG(3, 0, 6, 0, 0),  /* FAR_EL1 */
		ARM64_SYS_REG(3, 0, 7, 4, 0),  /* PAR_EL1 */
		ARM64_SYS_REG(3, 0, 10, 2, 0), /* MAIR_EL1 */
		ARM64_SYS_REG(3, 0, 12, 0, 0), /* VBAR_EL1 */
		ARM64_SYS_REG(3, 0, 13, 0, 1), /* CONTEXTIDR_EL1 */
		ARM64_SYS_REG(3, 0, 13, 0, 4), /* TPIDR_EL1 */
		ARM64_SYS_REG(3, 3, 13, 0, 2), /* TPIDR_EL0 */
		ARM64_SYS_REG(3, 3, 13, 0, 3), /* TPIDRRO_EL0 */
	};

	for (size_t i = 0; i < sizeof(expected) / sizeof(expected[0]); i++)
		if (!check_note(in_list(list, expected[i])))
			printf("%s:%d: register %#lx is not in the list\n", __FILE__, __LINE__,
			       expected[i]);
	for (uint64_t i = 0; i < list->n; i++)
		for (uint64_t j = 0; j < i; j++)
			if (list->reg[i] == list->reg[j])
				CHECK_EQ(list->reg[i], 0);
}

static void check_reset_values(struct vcpu *vcpu)
{
	CHECK_EQ(reg_get(vcpu, CORE_REG(regs.pstate)), 0x3c5);
	CHECK_EQ(reg_get(vcpu, CORE_REG(regs.pc)), 0);
	CHECK_EQ(reg_get(vcpu, ARM64_SYS_REG(3, 0, 1, 0, 0)) & 1, 0); /* MMU off */
	CHECK_EQ(vcpu_x(vcpu, 7), 0);
}

/* Linux does since 6.12. */
static int hides_gic(void)
{
	unsigned int major, minor;
	struct utsname name;

	REQUIRE(uname(&name) == 0 && sscanf(name.release, "%u.%u", &major, &minor) == 2);
	return major > 6 || (major == 6 && minor >= 12);
}

static void check_guest(struct vm *vm, struct vcpu *vcpu)
{
	__uint128_t v1 = 0;
	struct kvm_one_reg reg = {
		.id = KVM_REG_ARM64 | KVM_REG_SIZE_U128 | KVM_REG_ARM_CORE |
		      KVM_REG_ARM_CORE_REG(fp_regs.vregs[1]),
		.addr = (uint64_t)&v1,
	};
	char *ram = vm_ram(vm, 0, GUEST_RAM, 64 * 1024);

	LOAD(ram, adds);
	vcpu_start(vcpu, GUEST_RAM);
	vcpu_set_x(vcpu, 0, 1000);
	vcpu_set_x(vcpu, 1, 234);
	reg_set(vcpu, ARM64_SYS_REG(3, 0, 13, 0, 4), 0x7000);
	/* A GICv3 is on offer until the VM runs without one. */
	CHECK_EQ(reg_get(vcpu, ARM64_SYS_REG(3, 0, 0, 4, 0)) >> 24 & 0xf, 1);
	CHECK_EQ(RUN_TO_WRITE(vcpu, GUEST_MMIO), 1234);
	CHECK_EQ(vcpu_x(vcpu, 7), reg_get(vcpu, ARM64_SYS_REG(3, 0, 0, 4, 0)));
	if (hides_gic())
		CHECK_EQ(vcpu_x(vcpu, 7) >> 24 & 0xf, 0);
	CHECK_EQ(vcpu_x(vcpu, 0), 1234);
	CHECK_EQ(vcpu_x(vcpu, 1), 234);
	CHECK_EQ(reg_get(vcpu, ARM64_SYS_REG(3, 0, 13, 0, 4)), 0x7001);
	/* What the guest reads of its identity is what the client reads. */
	CHECK_EQ(vcpu_x(vcpu, 3), reg_get(vcpu, ARM64_SYS_REG(3, 0, 0, 0, 5)));
	CHECK_EQ(vcpu_x(vcpu, 3) & 0xff00ffffff, 0);
	CHECK_EQ(vcpu_x(vcpu, 4), reg_get(vcpu, ARM64_SYS_REG(3, 0, 0, 0, 0)));
	CHECK_EQ(vcpu_x(vcpu, 6), reg_get(vcpu, ARM64_SYS_REG(3, 0, 0, 7, 0)));
	CHECK_EQ(vcpu_x(vcpu, 7), reg_get(vcpu, ARM64_SYS_REG(3, 0, 0, 4, 0)));
	/* Neither SVE nor MTE unless asked for. */
	CHECK_EQ(vcpu_x(vcpu, 7) >> 32 & 0xf, 0);
	if (ioctl(vcpu->fd, KVM_GET_ONE_REG, &reg) == 0) {
		CHECK_EQ((uint64_t)v1, 1234);
		v1 = (__uint128_t)0x1122 << 64 | 0x3344;
		CHECK_OK(ioctl(vcpu->fd, KVM_SET_ONE_REG, &reg));
		v1 = 0;
		CHECK_OK(ioctl(vcpu->fd, KVM_GET_ONE_REG, &reg));
		CHECK((uint64_t)(v1 >> 64) == 0x1122 && (uint64_t)v1 == 0x3344);
	} else {
		CHECK(!"fp_regs.vregs[1] can be read");
	}
}

/* vCPUs have affinities of their own and registers of their own. */
static void check_second(struct vm *vm, struct vcpu *first)
{
	struct vcpu second;

	vcpu_create(vm, &second, 1, 0);
	CHECK_EQ(reg_get(&second, ARM64_SYS_REG(3, 0, 0, 0, 5)) & 0xff, 1);
	vcpu_set_x(&second, 5, 0x55);
	vcpu_set_x(first, 5, 0x66);
	CHECK_EQ(vcpu_x(&second, 5), 0x55);
	/* A second init resets the registers. */
	CHECK_EQ(vcpu_init(vm, &second, 1u << KVM_ARM_VCPU_PSCI_0_2), 0);
	CHECK_EQ(vcpu_x(&second, 5), 0);
	vcpu_destroy(&second);
}

int main(void)
{
	struct kvm_reg_list *list;
	struct vcpu vcpu;
	struct vm vm;

	vm_create(&vm, 0);
	vcpu_create(&vm, &vcpu, 0, 0);
	check_reset_values(&vcpu);
	list = get_list(&vcpu);
	check_list(list);
	check_round_trip(&vcpu, list);
	check_guest(&vm, &vcpu);
	check_round_trip(&vcpu, list);
	check_second(&vm, &vcpu);
	printf("kvm_regs: %llu registers\n", (unsigned long long)list->n);
	free(list);
	vcpu_destroy(&vcpu);
	vm_destroy(&vm);
	return check_done("kvm_regs");
}
