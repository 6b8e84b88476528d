/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The end after an error of our own: message, registers, backtrace by frame pointers, power off. No
 * exit record is sent, so the launcher knows that the machine failed.
 */
#include <stdarg.h>
#include <stdio.h>

#include "arm64.h"
#include "host/task.h"
#include "sysreg.h"

extern const char __boot_stack[], __boot_stack_top[];

/* CPUs that panicked so far; the first one reports, the others wait for the power to go. */
static u32 panic_count;

static void say_address(u64 pc)
{
	u64 start;
	const char *name = symbol_lookup(pc, &start);

	if (name)
		console_printf("  %016lx %s+0x%lx\n", pc, name, pc - start);
	else
		console_printf("  %016lx\n", pc);
}

/* May a frame record lie at @fp? On a kernel stack, and further up than the one before. */
static bool is_frame(u64 fp, u64 previous)
{
	if (!IS_ALIGNED(fp, 8UL) || fp <= previous)
		return false;
	if (fp >= (u64)__boot_stack && fp < (u64)__boot_stack_top - 16)
		return true;
	return fp >= KSTACK_BASE && fp < KIMAGE_BASE && (fp & (KSTACK_SLOT / 2)) &&
	       (previous == 0 || (fp ^ previous) < KSTACK_SLOT);
}

static void say_backtrace(u64 pc, u64 fp)
{
	u64 previous = 0;

	say_address(pc);
	for (int depth = 0; depth < 32 && is_frame(fp, previous); depth++) {
		const u64 *record = (const u64 *)fp;

		if (!record[1])
			break;
		say_address(record[1] - 4);
		previous = fp;
		fp = record[0];
	}
}

static void say_frame(const struct trap_frame *frame, u64 esr, u64 far)
{
	console_printf("esr %08lx far %016lx pstate %08lx\n", esr, far, frame->pstate);
	for (int i = 0; i < 30; i += 2)
		console_printf("x%-2d %016lx  x%-2d %016lx\n", i, frame->x[i], i + 1,
			       frame->x[i + 1]);
	console_printf("x30 %016lx  sp  %016lx\n", frame->x[30], frame->sp);
}

/* Lets one CPU through; the rest, and a panic within a panic, end here. */
static void panic_begin(void)
{
	const struct task *t = port_current();

	if (__atomic_fetch_add(&panic_count, 1, __ATOMIC_ACQ_REL) != 0) {
		if (__atomic_load_n(&panic_count, __ATOMIC_ACQUIRE) > 2 * PORT_MAX_CPUS)
			port_power_off();
		for (;;)
			__asm__ volatile("wfe");
	}
	uart_break_lock();
	console_printf("\ncatwalk: panic on CPU %u", port_cpu());
	if (t)
		console_printf(" in thread %d (%.16s)", t->tid, t->comm);
	console_printf(": ");
}

void panic(const char *fmt, ...)
{
	char line[256];
	va_list args;

	panic_begin();
	va_start(args, fmt);
	vsnprintf(line, sizeof(line), fmt, args);
	va_end(args);
	console_printf("%s\nbacktrace:\n", line);
	say_backtrace((u64)__builtin_return_address(0) - 4,
		      *(const u64 *)__builtin_frame_address(0));
	port_power_off();
}

void panic_with_frame(const struct trap_frame *frame, u64 esr, u64 far, const char *what)
{
	panic_begin();
	console_printf("%s\n", what);
	say_frame(frame, esr, far);
	console_printf("backtrace:\n");
	say_address(frame->pc);
	/* A jump to nowhere, and a function that calls none, made no frame of their own. */
	console_printf("called perhaps from\n");
	say_backtrace(frame->x[30] - 4, frame->x[29]);
	port_power_off();
}
