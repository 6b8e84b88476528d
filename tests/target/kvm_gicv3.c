/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A guest's view of its GICv3 where several vCPUs or more interrupts than list registers are about:
 * one vCPU deactivates what another has acknowledged, a group that is off holds up nobody, the
 * active state is taken back by a write to the frame, broadcast SGIs, and timers that a guest polls
 * with their interrupts off.
 */
#define _GNU_SOURCE
#include "tests/target/check.h"
#include "tests/target/client.h"
#include "tests/target/vgic.h"

#include <pthread.h>
#include <unistd.h>

enum {
	VCPUS = 3,
	SPI = 40,
	SGIS = 16,
	CODE_SIZE = 0x400,
	SHARED = GUEST_RAM + 0x8000, /* what guests tell each other; MMUs are off */
	LOG = GUEST_RAM + 0x9000,
};

#define SPURIOUS 1023
#define SGI_PAGE (GICR_BASE + GICR_SGI_PAGE)

struct machine {
	struct vm vm;
	struct vcpu vcpu[VCPUS];
	char *ram;
	int gic;
};

/* The CPU interface on: x25 << 1 is ICC_CTLR_EL1, group 0 off, group 1 on. */
#define TURN_ON                                                                                    \
	"	mov x0, #0xff\n"                                                                         \
	"	msr s3_0_c4_c6_0, x0\n"                                                                  \
	"	lsl x0, x25, #1\n"                                                                       \
	"	msr s3_0_c12_c12_4, x0\n"                                                                \
	"	msr s3_0_c12_c12_6, xzr\n"                                                               \
	"	mov x0, #1\n"                                                                            \
	"	msr s3_0_c12_c12_7, x0\n"                                                                \
	"	isb\n"

/* x1: the next of group 1, by polling. */
#define ACKNOWLEDGE                                                                                \
	"1:	mrs x1, s3_0_c12_c12_0\n"                                                              \
	"	cmp x1, #1023\n"                                                                         \
	"	b.eq 1b\n"

/* Acknowledges, drops the priority, tells the other at x20, waits for its answer: is it active? */
GUEST(acknowledges, TURN_ON ACKNOWLEDGE "	msr s3_0_c12_c12_1, x1\n"
					"	isb\n"
					"	ldr w4, [x21]\n"
					"	str x1, [x20]\n"
					"	dsb sy\n"
					"2:	ldr x2, [x20]\n"
					"	cmp x2, x1\n"
					"	b.eq 2b\n"
					"	dsb sy\n"
					"	ldr w3, [x21]\n"
					"	str x1, [x19]\n"
					"	str x4, [x19, #8]\n"
					"	str x3, [x19, #16]\n"
					"	b .\n");

GUEST(deactivates, TURN_ON "1:	ldr x2, [x20]\n"
			   "	cbz x2, 1b\n"
			   "	msr s3_0_c12_c11_1, x2\n" /* ICC_DIR_EL1 */
			   "	isb\n"
			   "	str xzr, [x20]\n"
			   "	dsb sy\n"
			   "	str x2, [x19]\n"
			   "	b .\n");

/* Makes all SGIs pending at the frame x21, takes x22 of group 1 into the log x20; then what is
 * left, and what group 0 gives once it is on. */
GUEST(all_sgis, TURN_ON "	mov w2, #0xffff\n"
			"	str w2, [x21, #0x200]\n" ACKNOWLEDGE "	str x1, [x20], #8\n"
			"	msr s3_0_c12_c12_1, x1\n"
			"	isb\n"
			"	subs x22, x22, #1\n"
			"	b.ne 1b\n"
			"	ldr w2, [x21, #0x200]\n"
			"	ldr w3, [x21, #0x300]\n"
			"	mrs x4, s3_0_c12_c12_0\n" /* ICC_IAR1_EL1 */
			"	mrs x5, s3_0_c12_c8_0\n"  /* ICC_IAR0_EL1 */
			"	stp x2, x3, [x20], #16\n"
			"	stp x4, x5, [x20], #16\n"
			"	mov x0, #1\n"
			"	msr s3_0_c12_c12_6, x0\n"
			"	isb\n"
			"2:	mrs x1, s3_0_c12_c8_0\n"
			"	cmp x1, #1023\n"
			"	b.eq 2b\n"
			"	msr s3_0_c12_c8_1, x1\n"
			"	isb\n"
			"	str x1, [x19]\n"
			"	b .\n");

/* The active state of SGI 1 at the frame x21: acknowledged, taken back, ended. */
GUEST(takes_back, TURN_ON "	mov w2, #2\n"
			  "	str w2, [x21, #0x200]\n" ACKNOWLEDGE "	ldr w3, [x21, #0x300]\n"
			  "	str w2, [x21, #0x380]\n"
			  "	ldr w4, [x21, #0x300]\n"
			  "	msr s3_0_c12_c12_1, x1\n"
			  "	isb\n"
			  "	ldr w5, [x21, #0x300]\n"
			  "	str x1, [x19]\n"
			  "	str x3, [x19, #8]\n"
			  "	str x4, [x19, #16]\n"
			  "	str x5, [x19, #24]\n"
			  "	b .\n");

GUEST(takes_one, TURN_ON "	str x25, [x19, #8]\n" ACKNOWLEDGE "	msr s3_0_c12_c12_1, x1\n"
			 "	str x1, [x19]\n"
			 "	b .\n");

/* SGI x1 to all others, then to oneself as well. */
GUEST(broadcasts, TURN_ON "	lsl x2, x1, #24\n"
			  "	orr x3, x2, #1 << 40\n"
			  "	msr s3_0_c12_c11_5, x3\n"
			  "	isb\n"
			  "	mrs x4, s3_0_c12_c12_0\n"
			  "	orr x2, x2, #1\n"
			  "	msr s3_0_c12_c11_5, x2\n"
			  "	isb\n" ACKNOWLEDGE "	msr s3_0_c12_c12_1, x1\n"
			  "	str x4, [x19]\n"
			  "	str x1, [x19, #8]\n"
			  "	b .\n");

/* Pending states of a timer at the frame x21: far off, due, masked, off. */
#define POLLS(counter, cval, ctl)                                                                  \
	TURN_ON "	mrs x2, " counter "\n"                                                     \
		"	mov x3, #1 << 36\n"                                                              \
		"	add x3, x2, x3\n"                                                                \
		"	msr " cval ", x3\n"                                                        \
		"	msr " ctl ", x0\n"                                                         \
		"	isb\n"                                                                           \
		"	ldr w4, [x21, #0x200]\n"                                                         \
		"	str x4, [x19]\n"                                                                 \
		"	sub x3, x2, #1\n"                                                                \
		"	msr " cval ", x3\n"                                                        \
		"	isb\n"                                                                           \
		"	ldr w4, [x21, #0x200]\n"                                                         \
		"	str x4, [x19]\n"                                                                 \
		"	mrs x4, " ctl "\n"                                                         \
		"	str x4, [x19]\n"                                                                 \
		"	mov x4, #3\n"                                                                    \
		"	msr " ctl ", x4\n"                                                         \
		"	isb\n"                                                                           \
		"	ldr w4, [x21, #0x200]\n"                                                         \
		"	str x4, [x19]\n"                                                                 \
		"	mrs x4, " ctl "\n"                                                         \
		"	str x4, [x19]\n"                                                                 \
		"	msr " ctl ", xzr\n"                                                        \
		"	isb\n"                                                                           \
		"	ldr w4, [x21, #0x200]\n"                                                         \
		"	str x4, [x19]\n"                                                                 \
		"	b .\n"

GUEST(polls_virtual, POLLS("cntvct_el0", "cntv_cval_el0", "cntv_ctl_el0"));
GUEST(polls_physical, POLLS("cntpct_el0", "cntp_cval_el0", "cntp_ctl_el0"));

static void machine_create(struct machine *m)
{
	vm_create(&m->vm, 0);
	m->ram = vm_ram(&m->vm, 0, GUEST_RAM, 64 * 1024);
	for (unsigned i = 0; i < VCPUS; i++)
		vcpu_create(&m->vm, &m->vcpu[i], i, 0);
	m->gic = vgic_setup(&m->vm, VCPUS, 64);
	dist_set(m->gic, GICD_CTLR, 3);
	spi_enable(m->gic, SPI, 0x80, 1);
}

static void machine_destroy(struct machine *m)
{
	close(m->gic);
	for (unsigned i = 0; i < VCPUS; i++)
		vcpu_destroy(&m->vcpu[i]);
	vm_destroy(&m->vm);
}

/* Its code lies at a place of its own. x20, x21 and x22 are as given, x25 is 0. */
static struct vcpu *start(struct machine *m, unsigned cpu, const char *code, const char *code_end,
			  const uint64_t x20_to_22[3])
{
	struct vcpu *vcpu = &m->vcpu[cpu];

	REQUIRE(code_end - code <= CODE_SIZE);
	guest_load(m->ram + cpu * CODE_SIZE, code, code_end);
	vcpu_start(vcpu, GUEST_RAM + cpu * CODE_SIZE);
	for (unsigned i = 0; i < 3; i++)
		vcpu_set_x(vcpu, 20 + i, x20_to_22[i]);
	vcpu_set_x(vcpu, 25, 0);
	return vcpu;
}
#define START(m, cpu, code, x20, x21, x22)                                                         \
	start(m, cpu, code, code##_end, (const uint64_t[]){ x20, x21, x22 })

/* So that the store by which the guest told the last value does not come with the next start. */
static void complete(struct vcpu *vcpu)
{
	vcpu->run->immediate_exit = 1;
	CHECK_EQ(vcpu_run(vcpu), -EINTR);
	vcpu->run->immediate_exit = 0;
}

/* ---- deactivation by another */

static void *run_deactivator(void *arg)
{
	struct vcpu *vcpu = arg;

	CHECK_EQ(RUN_TO_WRITE(vcpu, GUEST_MMIO), SPI);
	complete(vcpu);
	return NULL;
}

static void check_asymmetric(struct machine *m)
{
	uint64_t active = GICD_BASE + GICD_ISACTIVER + SPI / 32 * 4, bit = 1u << SPI % 32;
	struct vcpu *first = START(m, 0, acknowledges, SHARED, active, 0);
	struct vcpu *second = START(m, 1, deactivates, SHARED, 0, 0);
	pthread_t thread;

	vcpu_set_x(first, 25, 1);
	vcpu_set_x(second, 25, 1);
	memset(m->ram + (SHARED - GUEST_RAM), 0, 8);
	CHECK_EQ(spi_line(&m->vm, SPI, 1), 0);
	REQUIRE(pthread_create(&thread, NULL, run_deactivator, second) == 0);
	CHECK_EQ(RUN_TO_WRITE(first, GUEST_MMIO), SPI);
	CHECK_EQ(RUN_TO_WRITE(first, GUEST_MMIO + 8), bit);
	CHECK_EQ(RUN_TO_WRITE(first, GUEST_MMIO + 16), 0);
	complete(first);
	pthread_join(thread, NULL);
	CHECK_EQ(spi_line(&m->vm, SPI, 0), 0);
}

/* ---- groups and the frames */

/* Of the most urgent one the group is off; there are fewer list registers than the others. */
static void check_group_off(struct machine *m)
{
	const uint64_t *log = (const void *)(m->ram + (LOG - GUEST_RAM));
	struct vcpu *vcpu = START(m, 0, all_sgis, LOG, SGI_PAGE, SGIS - 1);

	redist_set(m->gic, 0, GICR_SGI_PAGE + GICD_IGROUPR, ~1u);
	for (unsigned i = 0; i < SGIS / 4; i++)
		redist_set(m->gic, 0, GICR_SGI_PAGE + GICD_IPRIORITYR + 4 * i,
			   0x20181008 + 0x20202020 * i);
	redist_set(m->gic, 0, GICR_SGI_PAGE + GICD_ISENABLER, 0xffff);
	CHECK_EQ(RUN_TO_WRITE(vcpu, GUEST_MMIO), 0);
	for (unsigned i = 1; i < SGIS; i++)
		CHECK_EQ(log[i - 1], i);
	CHECK_EQ(log[SGIS - 1] & 0xffff, 1); /* pending */
	CHECK_EQ(log[SGIS] & 0xffff, 0);     /* active */
	CHECK_EQ(log[SGIS + 1], SPURIOUS);
	CHECK_EQ(log[SGIS + 2], SPURIOUS);
	complete(vcpu);
	redist_set(m->gic, 0, GICR_SGI_PAGE + GICD_IGROUPR, ~0u);
}

static void check_taken_back(struct machine *m)
{
	struct vcpu *vcpu = START(m, 0, takes_back, 0, SGI_PAGE, 0);

	CHECK_EQ(RUN_TO_WRITE(vcpu, GUEST_MMIO), 1);
	CHECK_EQ(RUN_TO_WRITE(vcpu, GUEST_MMIO + 8), 2);
	CHECK_EQ(RUN_TO_WRITE(vcpu, GUEST_MMIO + 16), 0);
	CHECK_EQ(RUN_TO_WRITE(vcpu, GUEST_MMIO + 24), 0);
	complete(vcpu);
}

/* ---- broadcast */

enum { BROADCAST = 6 };

static void *run_receiver(void *arg)
{
	struct vcpu *vcpu = arg;

	CHECK_EQ(RUN_TO_WRITE(vcpu, GUEST_MMIO), BROADCAST);
	complete(vcpu);
	return NULL;
}

static void check_broadcast(struct machine *m)
{
	pthread_t threads[VCPUS];
	struct vcpu *first = START(m, 0, broadcasts, 0, 0, 0);

	for (unsigned i = 0; i < VCPUS; i++)
		redist_set(m->gic, i, GICR_SGI_PAGE + GICD_ISENABLER, 1 << BROADCAST);
	for (unsigned i = 1; i < VCPUS; i++) {
		CHECK_EQ(RUN_TO_WRITE(START(m, i, takes_one, 0, 0, 0), GUEST_MMIO + 8), 0);
		REQUIRE(pthread_create(&threads[i], NULL, run_receiver, &m->vcpu[i]) == 0);
	}
	vcpu_set_x(first, 1, BROADCAST);
	CHECK_EQ(RUN_TO_WRITE(first, GUEST_MMIO), SPURIOUS);
	CHECK_EQ(RUN_TO_WRITE(first, GUEST_MMIO + 8), BROADCAST);
	complete(first);
	for (unsigned i = 1; i < VCPUS; i++)
		pthread_join(threads[i], NULL);
}

/* ---- timers */

static void check_polled(struct machine *m, struct vcpu *vcpu, uint32_t intid)
{
	/* Pending: no, yes, masked, off; after the second and the third, ENABLE, IMASK and ISTATUS.
	 */
	static const struct {
		uint8_t is_control, expected;
	} told[] = { { 0, 0 }, { 0, 1 }, { 1, 5 }, { 0, 0 }, { 1, 7 }, { 0, 0 } };

	redist_set(m->gic, 0, GICR_SGI_PAGE + GICD_ICENABLER, 1u << intid);
	for (unsigned i = 0; i < sizeof(told) / sizeof(told[0]); i++) {
		uint64_t value = RUN_TO_WRITE(vcpu, GUEST_MMIO);

		CHECK_EQ(told[i].is_control ? value : value >> intid & 1, told[i].expected);
	}
	complete(vcpu);
}

int main(void)
{
	struct machine m;

	machine_create(&m);
	for (unsigned i = 0; i < 10; i++) {
		check_asymmetric(&m);
		check_group_off(&m);
		check_taken_back(&m);
		check_broadcast(&m);
	}
	check_polled(&m, START(&m, 0, polls_virtual, 0, SGI_PAGE, 0), 27);
	check_polled(&m, START(&m, 0, polls_physical, 0, SGI_PAGE, 0), 30);
	machine_destroy(&m);
	return check_done("kvm_gicv3");
}
