/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What exits cost in a VM with a vGICv3 and two vCPUs, in instructions (bench/measure.h): seen from
 * the guest, its own loop included.
 */
#define _GNU_SOURCE
#include "bench/measure.h"
#include "tests/target/vgic.h"

#include <pthread.h>

enum { CALLS = 512, RAM_SIZE = 2 * MIB, AT_LOOP = 0x2000, AT_PING = 0x3000, AT_PONG = 0x4000 };

/* Runs x22 rounds of one thing, chosen by x23: 0 HVC, 1 a read that the VMM serves, 2 a read of
 * GICD_TYPER; then exits by a write to x19. */
GUEST(loop, "1:	cbz x22, 9f\n"
	    "	sub x22, x22, #1\n"
	    "	cbz x23, 2f\n"
	    "	cmp x23, #1\n"
	    "	b.eq 3f\n"
	    "	ldr w0, [x20, #4]\n" /* GICD_TYPER */
	    "	b 1b\n"
	    "2:	mov w0, #0x84000000\n"
	    "	hvc #0\n"
	    "	b 1b\n"
	    "3:	ldr x0, [x19, #8]\n"
	    "	b 1b\n"
	    "9:	str x0, [x19]\n"
	    "	b 1b\n");

/* x22 rounds of an SGI to CPU 1, each answered by one from there; asleep meanwhile, interrupts
 * masked: an acknowledgement is all there is to taking one. */
GUEST(ping, "	mov x0, #0xff\n"
	    "	msr s3_0_c4_c6_0, x0\n" /* ICC_PMR_EL1 */
	    "	mov x0, #1\n"
	    "	msr s3_0_c12_c12_7, x0\n" /* ICC_IGRPEN1_EL1 */
	    "	isb\n"
	    "1:	cbz x22, 9f\n"
	    "	sub x22, x22, #1\n"
	    "	mov x1, #2\n" /* SGI 0; the target list: Aff0 1 */
	    "	msr s3_0_c12_c11_5, x1\n"
	    "2:	wfi\n"
	    "	mrs x1, s3_0_c12_c12_0\n" /* ICC_IAR1_EL1 */
	    "	cmp x1, #1020\n"
	    "	b.hs 2b\n"
	    "	msr s3_0_c12_c12_1, x1\n" /* ICC_EOIR1_EL1 */
	    "	b 1b\n"
	    "9:	str x0, [x19]\n"
	    "	b 1b\n");

GUEST(pong, "	mov x0, #0xff\n"
	    "	msr s3_0_c4_c6_0, x0\n"
	    "	mov x0, #1\n"
	    "	msr s3_0_c12_c12_7, x0\n"
	    "	isb\n"
	    "2:	wfi\n"
	    "	mrs x1, s3_0_c12_c12_0\n"
	    "	cmp x1, #1020\n"
	    "	b.hs 2b\n"
	    "	msr s3_0_c12_c12_1, x1\n"
	    "	mov x1, #1\n"
	    "	msr s3_0_c12_c11_5, x1\n"
	    "	b 2b\n");

static struct vm vm;
static struct vcpu vcpu[2];

static uint64_t rounds(uint64_t count, uint64_t kind)
{
	uint64_t elapsed = 0;

	finish_mmio(&vcpu[0]);
	vcpu_start(&vcpu[0], GUEST_RAM + AT_LOOP);
	vcpu_set_x(&vcpu[0], 20, GICD_BASE);
	vcpu_set_x(&vcpu[0], 22, count);
	vcpu_set_x(&vcpu[0], 23, kind);
	do
		elapsed += run_to_mmio(&vcpu[0]);
	while (!vcpu[0].run->mmio.is_write);
	return elapsed;
}

static double cost(uint64_t kind)
{
	uint64_t full = rounds(CALLS, kind);

	return instructions(full - rounds(0, kind)) / CALLS;
}

static double hvc(void)
{
	return cost(0);
}

static double mmio_of_the_vmm(void)
{
	return cost(1);
}

static double mmio_of_the_vgic(void)
{
	return cost(2);
}

static void *run_pong(void *arg)
{
	(void)arg;
	vcpu_start(&vcpu[1], GUEST_RAM + AT_PONG);
	must(vcpu_run(&vcpu[1]), "KVM_RUN"); /* for ever; it ends with the process */
	return NULL;
}

static uint64_t ping_rounds(uint64_t count)
{
	finish_mmio(&vcpu[0]);
	vcpu_start(&vcpu[0], GUEST_RAM + AT_PING);
	vcpu_set_x(&vcpu[0], 22, count);
	return run_to_mmio(&vcpu[0]);
}

/* One SGI: sent, the sleeper woken, taken and ended. */
static double sgi(void)
{
	static pthread_t thread;
	uint64_t full;

	if (!thread)
		must(-pthread_create(&thread, NULL, run_pong, NULL), "pthread_create");
	ping_rounds(1);
	full = ping_rounds(CALLS);
	return instructions(full - ping_rounds(0)) / CALLS / 2;
}

static const struct operation operations[] = {
	{ "vgic-hvc", hvc },
	{ "vgic-mmio-of-the-vmm", mmio_of_the_vmm },
	{ "vgic-mmio-of-the-vgic", mmio_of_the_vgic },
	{ "vgic-sgi", sgi },
};

int main(void)
{
	char *ram;
	int gic;

	vm_create(&vm, 0);
	ram = vm_ram(&vm, 0, GUEST_RAM, RAM_SIZE);
	LOAD(ram + AT_LOOP, loop);
	LOAD(ram + AT_PING, ping);
	LOAD(ram + AT_PONG, pong);
	for (unsigned int i = 0; i < 2; i++)
		vcpu_create(&vm, &vcpu[i], i, 0);
	gic = vgic_setup(&vm, 2, 64);
	for (unsigned int i = 0; i < 2; i++) {
		redist_set(gic, i, GICR_SGI_PAGE + GICD_IGROUPR, ~0U);
		redist_set(gic, i, GICR_SGI_PAGE + GICD_ISENABLER, 1);
	}
	measure_all(operations, sizeof(operations) / sizeof(operations[0]));
	return 0;
}
