/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What user space injects (KVM_SET_VCPU_EVENTS): an external abort as the answer to an access, with
 * and without syndrome, and SErrors, masked and not, which KVM_GET_VCPU_EVENTS tells of until the
 * guest takes them.
 */
#define _GNU_SOURCE
#include "abi/catwalk.h"
#include "tests/target/check.h"
#include "tests/target/client.h"

enum { EC_DABT_CURRENT = 0x25, EC_SERROR = 0x2f, FSC_EXTERNAL = 0x10 };

#define CODE	(GUEST_RAM + 0x1000UL)
#define NOWHERE 0x8000000UL
#define VBAR	ARM64_SYS_REG(3, 0, 12, 0, 0)

/* Aborts tell ESR, ELR and FAR at +16 and end; SErrors tell ESR at +40 and end. */
GUEST(vectors, ".fill 128, 4, 0xd503201f\n" /* 0x000 */
	       "	mrs x9, esr_el1\n"  /* 0x200 */
	       "	str x9, [x19, #16]\n"
	       "	mrs x9, elr_el1\n"
	       "	str x9, [x19, #24]\n"
	       "	mrs x9, far_el1\n"
	       "	str x9, [x19, #32]\n"
	       "	b .\n"
	       "	.balign 128\n"
	       ".fill 64, 4, 0xd503201f\n" /* 0x280, 0x300 */
	       "	mrs x9, esr_el1\n" /* 0x380 */
	       "	str x9, [x19, #40]\n"
	       "	mrs x9, isr_el1\n"
	       "	str x9, [x19, #48]\n"
	       "	b .\n");

GUEST(loads, "	ldr x0, [x1]\n"
	     "	str x0, [x19]\n"
	     "	b .\n");
GUEST(loads_post, "	ldr x0, [x1], #8\n"
		  "	str x0, [x19]\n"
		  "	b .\n");
/* Tells of a pending SError, then lets it come. */
GUEST(waits, "	mrs x0, isr_el1\n"
	     "	str x0, [x19]\n"
	     "	msr daifclr, #4\n"
	     "	isb\n"
	     "	str x0, [x19, #8]\n"
	     "	b .\n");
GUEST(unmasked, "	msr daifclr, #4\n"
		"	str x0, [x19]\n"
		"	str x0, [x19, #8]\n"
		"	b .\n");

static struct vm vm;
static struct vcpu vcpu;
static char *ram;

static void start(const char *code, const char *end)
{
	vcpu.run->immediate_exit = 1;
	CHECK_EQ(vcpu_run(&vcpu), -EINTR);
	vcpu.run->immediate_exit = 0;
	guest_load(ram + 0x1000, code, end);
	vcpu_start(&vcpu, CODE);
	vcpu_set_x(&vcpu, 1, NOWHERE);
	reg_set(&vcpu, VBAR, GUEST_RAM);
}
#define START(name) start(name, name##_end)

static int inject(uint8_t abort, uint8_t serror)
{
	struct kvm_vcpu_events e = { .exception.ext_dabt_pending = abort,
				     .exception.serror_pending = serror };

	return ioctl(vcpu.fd, KVM_SET_VCPU_EVENTS, &e);
}

static struct kvm_vcpu_events events(void)
{
	struct kvm_vcpu_events e;

	memset(&e, 0xff, sizeof(e));
	CHECK_EQ(ioctl(vcpu.fd, KVM_GET_VCPU_EVENTS, &e), 0);
	return e;
}

static void expect_abort(void)
{
	uint64_t esr = RUN_TO_WRITE(&vcpu, GUEST_MMIO + 16);

	CHECK_EQ(esr >> 26, EC_DABT_CURRENT);
	CHECK_EQ(esr & 0x3f, FSC_EXTERNAL);
	CHECK_EQ(RUN_TO_WRITE(&vcpu, GUEST_MMIO + 24), CODE);
	CHECK_EQ(RUN_TO_WRITE(&vcpu, GUEST_MMIO + 32), NOWHERE);
}

static void check_abort_of_mmio(void)
{
	START(loads);
	vcpu_set_x(&vcpu, 0, 0x1234);
	CHECK_EQ(vcpu_run(&vcpu), 0);
	CHECK_EQ(vcpu.run->exit_reason, KVM_EXIT_MMIO);
	CHECK_EQ(vcpu.run->mmio.is_write, 0);
	memset(vcpu.run->mmio.data, 0x55, 8);
	CHECK_EQ(inject(1, 0), 0);
	expect_abort();
	CHECK_EQ(vcpu_x(&vcpu, 0), 0x1234); /* the load did not happen */
	CHECK_EQ(events().exception.ext_dabt_pending, 0);
}

static void check_abort_without_syndrome(void)
{
	struct kvm_enable_cap cap = { .cap = KVM_CAP_ARM_NISV_TO_USER, .args = { 1 } };

	START(loads_post);
	CHECK_EQ(vcpu_run(&vcpu), -ENOSYS);
	CHECK_EQ(ioctl(vm.fd, KVM_ENABLE_CAP, &cap), 0);
	START(loads_post);
	CHECK_EQ(vcpu_run(&vcpu), 0);
	CHECK_EQ(vcpu.run->exit_reason, KVM_EXIT_ARM_NISV);
	CHECK_EQ(vcpu.run->arm_nisv.fault_ipa, NOWHERE);
	CHECK_EQ(inject(1, 0), 0);
	expect_abort();
	CHECK_EQ(vcpu_x(&vcpu, 1), NOWHERE);
}

static void expect_serror(void)
{
	CHECK_EQ(RUN_TO_WRITE(&vcpu, GUEST_MMIO + 40) >> 26, EC_SERROR);
	CHECK_EQ(RUN_TO_WRITE(&vcpu, GUEST_MMIO + 48) >> 8 & 1, 0);
	CHECK_EQ(events().exception.serror_pending, 0);
}

static void check_serror(void)
{
	START(waits);
	CHECK_EQ(events().exception.serror_pending, 0);
	CHECK_EQ(inject(0, 1), 0);
	CHECK_EQ(events().exception.serror_pending, 1);
	/* Masked: it waits, and the guest can see it. */
	CHECK_EQ(RUN_TO_WRITE(&vcpu, GUEST_MMIO) >> 8 & 1, 1);
	CHECK_EQ(events().exception.serror_pending, 1);
	CHECK_EQ(inject(0, 0), 0); /* takes nothing back */
	CHECK_EQ(events().exception.serror_pending, 1);
	expect_serror();
	/* Not masked: it comes with the next entry. */
	START(unmasked);
	(void)RUN_TO_WRITE(&vcpu, GUEST_MMIO);
	CHECK_EQ(inject(0, 1), 0);
	expect_serror();
	/* None: the guest goes on. */
	START(waits);
	CHECK_EQ(RUN_TO_WRITE(&vcpu, GUEST_MMIO) >> 8 & 1, 0);
	(void)RUN_TO_WRITE(&vcpu, GUEST_MMIO + 8);
}

static void check_reset(void)
{
	CHECK_EQ(inject(0, 1), 0);
	CHECK_EQ(vcpu_init(&vm, &vcpu, 1u << KVM_ARM_VCPU_PSCI_0_2), 0);
	/* Linux keeps it. */
	if (VM_CAP(&vm, KVM_CAP_CATWALK_REFUSAL))
		CHECK_EQ(events().exception.serror_pending, 0);
}

static void check_errors(void)
{
	struct kvm_vcpu_events e = { .exception.serror_pending = 1, .exception.serror_has_esr = 1 };
	struct vcpu raw;

	if (VM_CAP(&vm, KVM_CAP_ARM_INJECT_SERROR_ESR) == 0)
		CHECK_FAILS(ioctl(vcpu.fd, KVM_SET_VCPU_EVENTS, &e), EINVAL);
	e.exception.serror_esr = 1UL << 26; /* the class is not user space's */
	CHECK_FAILS(ioctl(vcpu.fd, KVM_SET_VCPU_EVENTS, &e), EINVAL);
	e = (struct kvm_vcpu_events){ .reserved = { [11] = 1 } };
	CHECK_FAILS(ioctl(vcpu.fd, KVM_SET_VCPU_EVENTS, &e), EINVAL);
	e = (struct kvm_vcpu_events){ .exception.pad = { [4] = 1 } };
	CHECK_FAILS(ioctl(vcpu.fd, KVM_SET_VCPU_EVENTS, &e), EINVAL);
	CHECK_FAILS(ioctl(vcpu.fd, KVM_SET_VCPU_EVENTS, 8), EFAULT);
	CHECK_FAILS(ioctl(vcpu.fd, KVM_GET_VCPU_EVENTS, 8), EFAULT);
	vcpu_create_raw(&vm, &raw, 1);
	CHECK_FAILS(ioctl(raw.fd, KVM_GET_VCPU_EVENTS, &e), ENOEXEC);
	CHECK_FAILS(ioctl(raw.fd, KVM_SET_VCPU_EVENTS, &e), ENOEXEC);
	vcpu_destroy(&raw);
}

int main(void)
{
	vm_create(&vm, 0);
	CHECK_EQ(VM_CAP(&vm, KVM_CAP_VCPU_EVENTS), 1);
	CHECK_EQ(VM_CAP(&vm, KVM_CAP_ARM_INJECT_EXT_DABT), 1);
	vcpu_create(&vm, &vcpu, 0, 0);
	ram = vm_ram(&vm, 0, GUEST_RAM, 64 * 1024);
	LOAD(ram, vectors);
	check_errors();
	check_abort_of_mmio();
	check_abort_without_syndrome();
	check_serror();
	check_reset();
	vcpu_destroy(&vcpu);
	vm_destroy(&vm);
	return check_done("kvm_events");
}
