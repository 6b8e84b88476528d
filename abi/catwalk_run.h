/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The contract between `catwalk run` (native, cli/) and the kernel: how a program, its arguments
 * and its streams get into the machine, and how its output and status get out.  Plain data and
 * fixed widths only; everything is little-endian.
 *
 * 1. The initramfs (newc cpio, uncompressed) holds the program at its target path, the files named
 *    with --file, and CATWALK_RUN_PATH, which says what to start (struct catwalk_run_header).
 *
 * 2. The machine has one virtio-serial device on the virtio-mmio transport in its modern form
 *    (version 2).  It has one port: number CATWALK_PORT_NR, name CATWALK_PORT_NAME; it is a
 *    virtserialport, not a virtconsole, since QEMU drops a virtconsole's output when the reader
 *    is slow.  So the driver negotiates VIRTIO_CONSOLE_F_MULTIPORT; its queues are receiveq 4 and
 *    transmitq 5 (2 and 3 are the control queues); it sends DEVICE_READY(value 1), then
 *    PORT_READY(id 1, value 1), then PORT_OPEN(id 1, value 1).
 *
 * 3. The port carries one byte stream each way, cut into records: struct catwalk_record and its
 *    payload.  A record may be spread over several virtqueue buffers, and a buffer may hold
 *    several records.  Back pressure is the virtqueue: while the launcher does not read, transmit
 *    buffers stay in use and the writer in the machine sleeps.
 *
 * 4. CATWALK_REC_EXIT is the last record; the kernel waits until the device has used its buffer,
 *    then powers off by PSCI SYSTEM_OFF.  A machine that stops without it has failed: the
 *    launcher shows the end of the kernel's own messages (PL011) and exits with 125.
 */
#ifndef CATWALK_ABI_RUN_H
#define CATWALK_ABI_RUN_H

#include <stdint.h>

#define CATWALK_PORT_NAME "org.catwalk.channel"
#define CATWALK_PORT_NR	  1

/* What to start: a file of the initramfs. */
#define CATWALK_RUN_PATH    "/.catwalk/run"
#define CATWALK_RUN_MAGIC   0x4e555257u /* "WRUN" */
#define CATWALK_RUN_VERSION 1u

/*
 * The header is followed by NUL-terminated strings: the program's path in the initramfs, its
 * working directory, then argc arguments (argv[0] among them), then envc "NAME=VALUE" strings;
 * string_bytes is the length of all of them with their NULs, and the file ends there.
 */
struct catwalk_run_header {
	uint32_t magic;
	uint32_t version;
	uint32_t argc; /* 1..CATWALK_RUN_STRINGS_MAX */
	uint32_t envc; /* 0..CATWALK_RUN_STRINGS_MAX */
	uint32_t string_bytes;
	uint32_t terminals; /* bit N: the launcher's descriptor N is a terminal (N = 0, 1, 2) */
	uint32_t flags;	    /* CATWALK_RUN_*; unknown bits are refused */
	uint32_t window;    /* CATWALK_RUN_TERMINAL: rows << 16 | columns, 0 if not known; else 0 */
};

#define CATWALK_RUN_STRINGS_MAX	     4096u
#define CATWALK_RUN_STRING_BYTES_MAX (128u * 1024u)

/* Send a CATWALK_REC_REPORT before CATWALK_REC_EXIT. */
#define CATWALK_RUN_REPORT 0x1u
/*
 * Descriptors 0 and 1 are one terminal that the launcher has put into raw mode: it passes every
 * byte on as it is typed, and shows what comes as it is.  Editing, echo, signals and job control
 * are the kernel's.
 */
#define CATWALK_RUN_TERMINAL 0x2u
/* Send CATWALK_REC_TRACE before CATWALK_REC_EXIT. */
#define CATWALK_RUN_TRACE 0x4u

struct catwalk_record {
	uint32_t type;
	uint32_t length; /* payload bytes that follow, 0..CATWALK_RECORD_MAX */
};

#define CATWALK_RECORD_MAX 65536u

/*
 * Launcher to machine.  The launcher reads its standard input only on demand, so that a program
 * which reads none takes none from the shell: each STDIN_WANT is answered by exactly one STDIN of 1
 * to `bytes` bytes, or by one STDIN_EOF, whenever there is something to answer.  The kernel has at
 * most one STDIN_WANT unanswered.
 */
#define CATWALK_REC_STDIN     1u /* payload: bytes for descriptor 0 */
#define CATWALK_REC_STDIN_EOF 2u /* no payload; may be asked for again */
#define CATWALK_REC_WINDOW    3u /* uint32_t rows << 16 | columns: the terminal's size has changed */
#define CATWALK_REC_SIGNAL    4u /* uint32_t number, 1..31: for the first program */

/* Machine to launcher. */
#define CATWALK_REC_STDOUT     16u /* payload: bytes written to the console's standard output */
#define CATWALK_REC_STDERR     17u /* payload: bytes written to the console's standard error */
#define CATWALK_REC_STDIN_WANT 18u /* uint32_t bytes, 1..CATWALK_RECORD_MAX */
#define CATWALK_REC_REPORT     19u /* text: the report of guest memory, lines "name value\n" */
#define CATWALK_REC_EXIT       20u /* uint32_t status as wait() gives it */
#define CATWALK_REC_TRACE      21u /* text: what was refused, lines */
#define CATWALK_REC_STARTED    22u /* no payload: from here on signals reach the first program */

/*
 * CATWALK_REC_REPORT: text, one counter a line, "name value\n" with a decimal value. Counters of
 * several runs may be added up, except those whose name ends in _max, of which the largest counts.
 * Two are always there: table_checks, how often a dump of stage-2 tables was compared with the
 * counters (once for each VM, before its tables go), and table_mismatches, how often they
 * disagreed.
 */

/*
 * The kernel's command line.  Words the kernel does not know are reported on the PL011 and
 * otherwise ignored.  cpu.X=off hides a feature that the CPU has; it never adds one.
 *
 *   cpu.fwb=off cpu.dic=off cpu.idc=off cpu.bbm=off cpu.rangetlbi=off cpu.hafdbs=off
 *   cpu.pmu=off
 *   vmid.bits=N      use at most N VMID bits (tests of VMID reuse)
 *   cmo=trap         guests' cache maintenance by address traps, and faults as hardware's would
 *                    (an emulator without caches raises no stage-2 fault for it)
 *   kvm.costs=on     the report tells where vCPUs' time went
 *   time=N           seconds since 1970 at boot; the launcher says so (0 with --icount)
 */

#endif
