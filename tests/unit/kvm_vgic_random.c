/* SPDX-License-Identifier: Apache-2.0 */
/* Interrupts from a program's call to the guest that takes them, and random sequences of all of it.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/unit/vgic_ops.h"

enum { SEQUENCES = 1000, BYTES = 1200, OPERATIONS = 300, NO_SETUP = 224 };

static u64 random_state = 1;

/* Half of them small: the numbers of operations, and of what they are about. */
static u8 random_byte(void)
{
	random_state = random_state * 6364136223846793005UL + 1442695040888963407UL;
	return (u8)(random_state >> 56) >> (random_state >> 40 & 1 ? 2 : 0);
}

static void random_sequences_keep_the_vgic_whole(void **state)
{
	static u8 bytes[BYTES];
	struct port *p = NULL;

	(void)state;
	for (int i = 0; i < SEQUENCES; i++) {
		for (int b = 0; b < BYTES; b++)
			bytes[b] = random_byte();
		/* Nearly all of them on a machine that is ready. */
		bytes[0] = (u8)(random_state >> 48);
		if (i % 8)
			bytes[0] %= NO_SETUP;
		p = vops_run(p, bytes, BYTES, OPERATIONS);
	}
	machine_delete(p);
}

/* The longest way of an LPI: a message, a list register, the guest, and away. */
static void a_message_is_taken_once(void **state)
{
	struct port *p = machine_new(&vop_machine);
	struct kvm_msi m = { .devid = 1, .data = 2, .flags = KVM_MSI_VALID_DEVID };
	struct vcpu *v;

	(void)state;
	memset(&vops, 0, sizeof(vops));
	vworld_start(p, 2);
	vops_setup(3, 1, 0);
	vguest_map(0);
	m.address_lo = (u32)(VITS(0) + ITS_TRANSLATER);
	vworld_put(VARGS, &m, sizeof(m));
	assert_int_equal(msi_ioctl(vworld.vm, HVA(VARGS)), 1);
	v = vworld.cpu[2];
	assert_true(vgic_vcpu_is_pending(v));
	assert_int_equal(vworld_enter(v), 0);
	assert_int_equal(model_gic_acknowledge(1), VGIC_LPI_FIRST + 6);
	model_gic_end(1, VGIC_LPI_FIRST + 6);
	vworld_leave(v);
	assert_false(vgic_vcpu_is_pending(v));
	vworld_check();
	vworld_stop();
	machine_delete(p);
}

/* GICD_ISPENDR tells what another vCPU has taken meanwhile, whose CPU is asked for it. */
static void a_running_vcpu_is_recalled(void **state)
{
	struct port *p = machine_new(&vop_machine);

	(void)state;
	memset(&vops, 0, sizeof(vops));
	vworld_start(p, 2);
	vops_setup(2, 0, 0);
	assert_int_equal(vgic_line(vworld.vm->vgic, NULL, 40, true), 0);
	assert_int_equal(vworld_enter(vworld.cpu[0]), 0);
	assert_int_equal(model_gic_acknowledge(1), 40);
	assert_int_equal(vworld_read(vworld.cpu[1], VDIST + 0x304, 4), 1 << 8);
	assert_false(vworld_in_guest(vworld.cpu[0]));
	vworld_check();
	vworld_stop();
	machine_delete(p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_message_is_taken_once),
		cmocka_unit_test(a_running_vcpu_is_recalled),
		cmocka_unit_test(random_sequences_keep_the_vgic_whole),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
