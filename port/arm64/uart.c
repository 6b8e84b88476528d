/* SPDX-License-Identifier: Apache-2.0 */
/* The kernel's own messages, on a PL011 that is polled. */
#include <stdarg.h>
#include <stdio.h>

#include "arm64.h"

enum { UART_DR = 0x00, UART_FR = 0x18 };
#define UART_FR_TXFF (1 << 5)

static struct {
	struct spinlock lock;
	volatile u8 *base; /* NULL: messages are lost */
	bool lock_broken;
} uart;

void uart_init(void)
{
	if (platform.uart.v)
		uart.base = port_map_device(platform.uart, PAGE_SIZE);
}

void uart_break_lock(void)
{
	uart.lock_broken = true;
}

static void put(char c)
{
	while (*(volatile u32 *)(uart.base + UART_FR) & UART_FR_TXFF)
		;
	*(volatile u32 *)(uart.base + UART_DR) = (u8)c;
}

void port_console_write(const char *s, size_t n)
{
	bool locked = !uart.lock_broken;

	if (!uart.base)
		return;
	if (locked)
		spin_lock(&uart.lock);
	for (; n; n--, s++) {
		if (*s == '\n')
			put('\r');
		put(*s);
	}
	if (locked)
		spin_unlock(&uart.lock);
}

void console_printf(const char *fmt, ...)
{
	char line[256];
	va_list args;
	int n;

	va_start(args, fmt);
	n = vsnprintf(line, sizeof(line), fmt, args);
	va_end(args);
	port_console_write(line, min((size_t)n, sizeof(line) - 1));
}
