/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Pointer authentication for guests: signing and authenticating, keys of each vCPU's own, from one
 * VM to another, and undefined without the feature. On CPUs without it: refused.
 */
#define _GNU_SOURCE
#include "abi/catwalk.h"
#include "tests/target/check.h"
#include "tests/target/client.h"

#define PAUTH (1u << KVM_ARM_VCPU_PTRAUTH_ADDRESS | 1u << KVM_ARM_VCPU_PTRAUTH_GENERIC)

#define SYS(crn, crm, op2) ARM64_SYS_REG(3, 0, crn, crm, op2)
#define SCTLR		   SYS(1, 0, 0)
#define VBAR		   SYS(12, 0, 0)
#define ISAR1		   SYS(0, 6, 1)
#define ISAR2		   SYS(0, 6, 2)
#define PAUTH_ISAR1	   0xff000ff0UL /* APA, API, GPA, GPI */
#define PAUTH_ISAR2	   0xff00UL	/* GPA3, APA3 */
/* EnIA, EnIB, EnDA, EnDB over the reset's value */
#define SCTLR_KEYS (0x00c50078 | 1ul << 31 | 1ul << 30 | 1ul << 27 | 1ul << 13)

enum { KEYS = 10, POINTER = 0x12345678, MODIFIER = 0x55 };

/* The assembler knows these from Armv8.3 on: Xd = x0, Xn = x1; PACGA of x0 and x1. */
#define PACIA ".inst 0xdac10020\n"
#define PACIB ".inst 0xdac10420\n"
#define PACDA ".inst 0xdac10820\n"
#define PACDB ".inst 0xdac10c20\n"
#define AUTIA ".inst 0xdac11020\n"
#define PACGA ".inst 0x9ac13002\n" /* pacga x2, x0, x1 */

/* Signs x0 with each key, tells; then authenticates what the first gave, which x3 may change; then
 * changes a key. */
GUEST(signer, "	mov x4, x0\n" PACIA "	mov x5, x0\n"
	      "	str x0, [x19]\n"
	      "	mov x0, x4\n" PACIB "	str x0, [x19]\n"
	      "	mov x0, x4\n" PACDA "	str x0, [x19]\n"
	      "	mov x0, x4\n" PACDB "	str x0, [x19]\n"
	      "	mov x0, x4\n" PACGA "	str x2, [x19]\n"
	      "	eor x0, x5, x3\n" AUTIA "	str x0, [x19]\n"
	      "	mrs x6, s3_0_c2_c1_0\n" /* APIAKEYLO_EL1 */
	      "	add x6, x6, #1\n"
	      "	msr s3_0_c2_c1_0, x6\n"
	      "	str x6, [x19]\n"
	      "	b .\n");

/* Each of these is undefined without the feature. */
GUEST(user_of_each, PACIA "	nop\n" PACGA "	nop\n"
			  "	mrs x0, s3_0_c2_c1_0\n"
			  "	msr s3_0_c2_c3_1, x0\n"
			  "	hint #25\n" /* paciasp, since EnIA is set */
			  "	str x4, [x19]\n"
			  "	b .\n");

/* Exceptions of EL1 itself: counted in x4, and skipped. */
GUEST(vectors, "	b .\n"
	       "	.skip 0x1fc\n"
	       "	mrs x10, esr_el1\n"
	       "	lsr x10, x10, #26\n"
	       "	cbnz x10, .\n" /* unknown reason */
	       "	mrs x10, elr_el1\n"
	       "	add x10, x10, #4\n"
	       "	msr elr_el1, x10\n"
	       "	add x4, x4, #1\n"
	       "	eret\n");

/* Debian's kernel 6.1, where vCPUs of a VM may differ. */
static int on_linux(struct vm *vm)
{
	return VM_CAP(vm, KVM_CAP_CATWALK_CONTRACT) <= 0;
}

static uint64_t key(unsigned n)
{
	return SYS(2, 1 + n / 4, n % 4);
}

static void keys_set(struct vcpu *vcpu, uint64_t seed)
{
	for (unsigned n = 0; n < KEYS; n++)
		reg_set(vcpu, key(n), seed * (n + 1) * 0x9e3779b97f4a7c15);
}

static void start(struct vcpu *vcpu, uint64_t damage)
{
	vcpu->run->immediate_exit = 1; /* the last store is complete */
	CHECK_EQ(vcpu_run(vcpu), -EINTR);
	vcpu->run->immediate_exit = 0;
	vcpu_start(vcpu, GUEST_RAM);
	reg_set(vcpu, SCTLR, SCTLR_KEYS);
	reg_set(vcpu, VBAR, GUEST_RAM + 0x1000);
	vcpu_set_x(vcpu, 0, POINTER);
	vcpu_set_x(vcpu, 1, MODIFIER);
	vcpu_set_x(vcpu, 3, damage);
	vcpu_set_x(vcpu, 4, 0);
}

static uint64_t told(struct vcpu *vcpu)
{
	return RUN_TO_WRITE(vcpu, GUEST_MMIO);
}

/* Two vCPUs take turns; equal keys give equal signatures, others do not. */
static void check_keys_are_the_vcpus(struct vcpu *a, struct vcpu *b)
{
	uint64_t signature[2][5];

	for (unsigned same = 0; same < 2; same++) {
		keys_set(a, 1);
		keys_set(b, same ? 1 : 2);
		start(a, 0);
		start(b, 1ul << 50);
		for (unsigned i = 0; i < 5; i++) {
			signature[0][i] = told(a);
			signature[1][i] = told(b);
			CHECK((signature[0][i] == signature[1][i]) == same);
			CHECK(signature[0][i] != POINTER);
			/* The generic one is in the upper half; others leave the address. */
			CHECK_EQ((uint32_t)signature[0][i], i == 4 ? 0 : POINTER);
			for (unsigned k = 0; k < i; k++)
				CHECK(signature[0][i] != signature[0][k]);
		}
		CHECK_EQ(told(a), POINTER);
		CHECK(told(b) != POINTER);
	}
	CHECK_EQ(told(a), 0x9e3779b97f4a7c15 + 1);
	for (unsigned n = 0; n < KEYS; n++)
		CHECK_EQ(reg_get(a, key(n)), (n + 1) * 0x9e3779b97f4a7c15 + (n == 0));
}

static void check_registers(struct vcpu *vcpu, struct vcpu *without)
{
	uint64_t value = 0;
	struct kvm_one_reg reg = { .addr = (uint64_t)&value };

	CHECK((reg_get(vcpu, ISAR1) & PAUTH_ISAR1) || (reg_get(vcpu, ISAR2) & PAUTH_ISAR2));
	CHECK_EQ(reg_get(without, ISAR1) & PAUTH_ISAR1, 0);
	CHECK_EQ(reg_get(without, ISAR2) & PAUTH_ISAR2, 0);
	for (unsigned n = 0; n < KEYS; n++) {
		reg.id = key(n);
		CHECK_FAILS(ioctl(without->fd, KVM_GET_ONE_REG, &reg), ENOENT);
		CHECK_FAILS(ioctl(without->fd, KVM_SET_ONE_REG, &reg), ENOENT);
	}
	/* Its fields are no choice of user space's. */
	reg.id = ISAR1;
	value = reg_get(vcpu, ISAR1) & ~PAUTH_ISAR1;
	if (value != reg_get(vcpu, ISAR1))
		CHECK_FAILS(ioctl(vcpu->fd, KVM_SET_ONE_REG, &reg), EINVAL);
	value = reg_get(vcpu, ISAR1);
	CHECK_OK(ioctl(vcpu->fd, KVM_SET_ONE_REG, &reg));
}

static uint64_t generic_signature(void)
{
	register uint64_t x0 __asm__("x0") = POINTER;
	register uint64_t x1 __asm__("x1") = MODIFIER;
	register uint64_t x2 __asm__("x2");

	__asm__ volatile(PACGA : "=r"(x2) : "r"(x0), "r"(x1));
	return x2;
}

/* What this program itself would sign does not change with the guests it runs. */
static void check_own_key(struct vcpu *vcpu)
{
	uint64_t before = generic_signature();

	keys_set(vcpu, 3);
	start(vcpu, 0);
	(void)told(vcpu);
	CHECK_EQ(generic_signature(), before);
}

static void check_undefined(struct vcpu *vcpu, char *ram)
{
	LOAD(ram, user_of_each);
	start(vcpu, 0);
	CHECK_EQ(told(vcpu), 5);
}

static void check_refused(struct vm *vm)
{
	struct vcpu vcpu;

	vcpu_create_raw(vm, &vcpu, 0);
	CHECK_EQ(vcpu_init(vm, &vcpu, PAUTH), -EINVAL);
	CHECK_EQ(vcpu_init(vm, &vcpu, 0), 0);
	vcpu_destroy(&vcpu);
}

static void check_all(struct vm *vm)
{
	struct vcpu a, b, raw, without;
	struct vm other;
	char *ram = vm_ram(vm, 0, GUEST_RAM, 64 * 1024), *other_ram;

	LOAD(ram, signer);
	vcpu_create_raw(vm, &raw, 2);
	CHECK_EQ(vcpu_init(vm, &raw, 1u << KVM_ARM_VCPU_PTRAUTH_ADDRESS), -EINVAL);
	CHECK_EQ(vcpu_init(vm, &raw, 1u << KVM_ARM_VCPU_PTRAUTH_GENERIC), -EINVAL);
	vcpu_create(vm, &a, 0, PAUTH);
	vcpu_create(vm, &b, 1, PAUTH);
	if (!on_linux(vm))
		CHECK_EQ(vcpu_init(vm, &raw, 0), -EINVAL); /* the VM's have it */
	vm_create(&other, 0);
	other_ram = vm_ram(&other, 0, GUEST_RAM, 64 * 1024);
	LOAD(other_ram + 0x1000, vectors);
	vcpu_create(&other, &without, 0, 0);
	check_registers(&a, &without);
	check_keys_are_the_vcpus(&a, &b);
	if (!on_linux(vm)) /* which gives programs keys of their own */
		check_own_key(&a);
	check_undefined(&without, other_ram);
	vcpu_destroy(&without);
	vm_destroy(&other);
	vcpu_destroy(&raw);
	vcpu_destroy(&b);
	vcpu_destroy(&a);
}

int main(void)
{
	struct vm vm;
	int cap;

	vm_create(&vm, 0);
	cap = VM_CAP(&vm, KVM_CAP_ARM_PTRAUTH_ADDRESS);
	CHECK_EQ(VM_CAP(&vm, KVM_CAP_ARM_PTRAUTH_GENERIC), cap);
	if (cap)
		check_all(&vm);
	else
		check_refused(&vm);
	vm_destroy(&vm);
	return check_done(cap ? "kvm_pauth" : "kvm_pauth: none here");
}
