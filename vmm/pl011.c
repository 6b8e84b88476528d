/* SPDX-License-Identifier: Apache-2.0 */
#define _GNU_SOURCE
#include "vmm/pl011.h"

#include "vmm/bus.h"
#include "vmm/gic.h"
#include "vmm/terminal.h"

#include <stddef.h>

/* Offsets of the registers (DDI 0183, table 3-1). */
enum {
	DR = 0x000,
	FR = 0x018,
	IBRD = 0x024,
	FBRD = 0x028,
	LCR_H = 0x02c,
	CR = 0x030,
	IFLS = 0x034,
	IMSC = 0x038,
	RIS = 0x03c,
	MIS = 0x040,
	ICR = 0x044,
	PERIPH_ID = 0xfe0, /* eight registers of a byte each, a word apart */
};

enum { CR_UARTEN = 1 << 0 };
enum { FR_RXFE = 1 << 4, FR_RXFF = 1 << 6, FR_TXFE = 1 << 7 };
enum { INT_RX = 1 << 4, INT_TX = 1 << 5, INT_RX_TIMEOUT = 1 << 6, INT_ALL = 0x7ff };

/* Revision 3 has FIFOs of 32 bytes. */
static const unsigned char ids[8] = { 0x11, 0x10, 0x34, 0x00, 0x0d, 0xf0, 0x05, 0xb1 };

enum { FIFO_SIZE = 32 };

/* Reads of FR without anything else in between: a driver that waits for input without interrupts.
 */
enum { POLLS_OF_LISTENER = 8 };

struct pl011 {
	struct device device;
	struct terminal_sink sink;
	struct irq_line irq;
	uint32_t ibrd, fbrd, lcr_h, cr, ifls, imsc;
	uint32_t tx_raised; /* INT_TX, or 0 */
	/*
	 * The driver wants input. It empties the FIFO when it starts, and writes to the console
	 * before that: what is typed until it has unmasked the interrupt of a port that is enabled
	 * waits outside.
	 */
	bool listening;
	unsigned int polls;
	unsigned char fifo[FIFO_SIZE];
	unsigned int first, count;
};

static struct pl011 *of_device(struct device *device)
{
	return (struct pl011 *)((char *)device - offsetof(struct pl011, device));
}

static struct pl011 *of_sink(struct terminal_sink *sink)
{
	return (struct pl011 *)((char *)sink - offsetof(struct pl011, sink));
}

/* Received bytes wait: however often the guest clears that, the timeout comes again. */
static uint32_t raw_interrupts(const struct pl011 *p)
{
	return p->tx_raised | (p->count ? INT_RX | INT_RX_TIMEOUT : 0);
}

static void update_irq(struct pl011 *p)
{
	irq_line_set(&p->irq, raw_interrupts(p) & p->imsc);
}

static uint32_t receive(struct pl011 *p)
{
	unsigned char byte;

	if (!p->count)
		return 0;
	byte = p->fifo[p->first];
	p->first = (p->first + 1) % FIFO_SIZE;
	p->count--;
	if (!p->count) {
		update_irq(p);
		terminal_room();
	}
	return byte;
}

static void set_listening(struct pl011 *p, bool listening)
{
	if (p->listening == listening)
		return;
	p->listening = listening;
	if (listening)
		terminal_room();
}

static uint32_t flags(struct pl011 *p)
{
	if (++p->polls >= POLLS_OF_LISTENER && p->cr & CR_UARTEN)
		set_listening(p, true);
	return FR_TXFE | (p->count ? 0 : FR_RXFE) | (p->count == FIFO_SIZE ? FR_RXFF : 0);
}

static void set_control(struct pl011 *p, uint32_t cr)
{
	p->cr = cr;
	if (!(cr & CR_UARTEN))
		set_listening(p, false);
}

static void set_mask(struct pl011 *p, uint32_t imsc)
{
	p->imsc = imsc;
	update_irq(p);
	if (p->cr & CR_UARTEN)
		set_listening(p, imsc & INT_RX);
}

static void transmit(struct pl011 *p, unsigned char byte)
{
	terminal_write(&byte, 1);
	p->tx_raised = INT_TX;
	update_irq(p);
}

static uint64_t pl011_read(struct device *device, uint64_t offset, unsigned int bytes)
{
	struct pl011 *p = of_device(device);

	(void)bytes;
	if (offset >= PERIPH_ID)
		return ids[(offset - PERIPH_ID) / 4];
	switch (offset) {
	case DR: return receive(p);
	case FR: return flags(p);
	case IBRD: return p->ibrd;
	case FBRD: return p->fbrd;
	case LCR_H: return p->lcr_h;
	case CR: return p->cr;
	case IFLS: return p->ifls;
	case IMSC: return p->imsc;
	case RIS: return raw_interrupts(p);
	case MIS: return raw_interrupts(p) & p->imsc;
	default: return 0;
	}
}

static void pl011_write(struct device *device, uint64_t offset, unsigned int bytes, uint64_t value)
{
	struct pl011 *p = of_device(device);

	(void)bytes;
	p->polls = 0;
	switch (offset) {
	case DR: transmit(p, (unsigned char)value); break;
	case IBRD: p->ibrd = value & 0xffff; break;
	case FBRD: p->fbrd = value & 0x3f; break;
	case LCR_H: p->lcr_h = value & 0xff; break;
	case CR: set_control(p, value & 0xffff); break;
	case IFLS: p->ifls = value & 0x3f; break;
	case IMSC: set_mask(p, value & INT_ALL); break;
	case ICR:
		p->tx_raised &= ~(uint32_t)value;
		update_irq(p);
		break;
	default: break;
	}
}

static size_t room(struct terminal_sink *sink)
{
	struct pl011 *p = of_sink(sink);
	size_t bytes;

	pthread_mutex_lock(&p->device.lock);
	bytes = p->listening ? FIFO_SIZE - p->count : 0;
	pthread_mutex_unlock(&p->device.lock);
	return bytes;
}

static void put(struct terminal_sink *sink, const unsigned char *bytes, size_t count)
{
	struct pl011 *p = of_sink(sink);

	pthread_mutex_lock(&p->device.lock);
	for (size_t i = 0; i < count && p->count < FIFO_SIZE; i++)
		p->fifo[(p->first + p->count++) % FIFO_SIZE] = bytes[i];
	update_irq(p);
	pthread_mutex_unlock(&p->device.lock);
}

struct terminal_sink *pl011_create(const struct vm *vm)
{
	static struct pl011 pl011 = {
		.device = { .name = "pl011",
			    .base = SERIAL_BASE,
			    .size = SERIAL_SIZE,
			    .read = pl011_read,
			    .write = pl011_write },
		.sink = { room, put },
		.cr = 0x300, /* both directions enabled (DDI 0183, 3.3.8) */
		.ifls = 0x12,
	};

	pl011.irq = (struct irq_line){ .vm = vm, .intid = INTID_SERIAL };
	bus_add(&pl011.device);
	return &pl011.sink;
}
