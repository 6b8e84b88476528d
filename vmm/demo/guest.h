/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The machine that the demo VMM gives its guest, seen by both: memory map, devices and mailbox.
 * Included by assembly.
 */
#ifndef VMM_GUEST_H
#define VMM_GUEST_H

/*
 *   0x0900_0000  console: one byte written is one character printed
 *   0x0900_1000  seed: a 64-bit read gives the first value of the sequence the guest computes
 *   0x4000_0000  RAM: code, then the mailbox, then the translation table
 *   0x4020_0000  RAM: the work area, up to the end
 */
#define GUEST_CONSOLE 0x09000000
#define GUEST_SEED    0x09001000
#define GUEST_CODE    0x40000000
#define GUEST_MAILBOX 0x40010000
#define GUEST_TABLE   0x40011000
#define GUEST_WORK    0x40200000

/* Offsets in the mailbox; the VMM writes WORK_SIZE before the start, the guest the others. */
#define MAILBOX_WORK_SIZE    0
#define MAILBOX_PSCI_VERSION 8
#define MAILBOX_CRC_MMU_OFF  16
#define MAILBOX_CRC_MMU_ON   24
#define MAILBOX_SECOND_PASS  32 /* nonzero after the work area was rewritten with the MMU on */

/* The sequence: x = x * MULTIPLIER + INCREMENT (mod 2^64), one word after the other. */
#define SEQUENCE_MULTIPLIER 0x5851f42d4c957f2d
#define SEQUENCE_INCREMENT  0x14057b7ef767814f

#define GUEST_GREETING "guest: hello from EL1\n"

#endif
