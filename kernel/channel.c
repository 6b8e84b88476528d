/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The channel to the launcher over virtio-serial's port 1 (Virtio 1.1, section 5.3; the framing is
 * abi/catwalk_run.h's). Output is copied into a fixed set of buffers; a sender that finds none free
 * waits for the device, which is how a launcher that does not read holds a program back.
 */
#include <asm-generic/poll.h>
#include <linux/virtio_console.h>
#include <linux/virtio_ids.h>
#include <string.h>

#include "host/err.h"
#include "host/page.h"
#include "kernel/channel.h"
#include "kernel/irq.h"
#include "kernel/port.h"
#include "kernel/virtio.h"

enum {
	QUEUE_CONTROL_RX = 2,
	QUEUE_CONTROL_TX = 3,
	QUEUE_RX = 2 + 2 * CATWALK_PORT_NR,
	QUEUE_TX = QUEUE_RX + 1,
};

#define BUFFER_SIZE   PAGE_SIZE
#define TX_BUFFERS    16
#define RX_BUFFERS    4
#define CONTROL_SIZE  128U
#define CONTROL_COUNT (PAGE_SIZE / CONTROL_SIZE)
#define STDIN_SIZE    4096U

/* Standard input: asked for only while none is held. */
enum want {
	WANT_NOTHING,
	WANT_PENDING, /* to be asked for as soon as a record can be sent */
	WANT_ASKED,
};

static struct {
	bool present;
	struct virtio_device dev;
	struct virtqueue control_rx, control_tx, rx, tx;
	struct page *control;

	struct spinlock lock; /* guards all below, and the queues */
	struct waitq tx_wait; /* for a free buffer, or for the sender's place */
	bool sending;	      /* a record is being sent: its pieces stay together */
	u32 tx_free;	      /* bit: buffer is ours */
	u8 *tx_buffer[TX_BUFFERS];

	u8 *rx_buffer[RX_BUFFERS];
	struct catwalk_record rx_header;
	u32 rx_header_bytes; /* of the header that arrived */
	u32 rx_left;	     /* of its payload that did not */
	u32 rx_number;	     /* the payload of records that are one number, as far as it is there */

	struct waitq stdin_wait;
	enum want want;
	bool stdin_eof;	 /* to be told once, then input may be asked for again */
	bool has_window; /* the terminal's size is to be looked at */
	u32 window;	 /* as it came: rows << 16 | columns */
	u32 signals;	 /* for the first program, a bit each; atomic, set under the lock */
	struct waitq signal_wait;
	u32 stdin_start, stdin_end;
	u8 stdin[STDIN_SIZE];
} channel;

/* ---- sending; under the lock */

static void take_back_sent(void)
{
	u32 none;
	int id;

	while ((id = virtqueue_take(&channel.tx, &none)) >= 0)
		channel.tx_free |= 1U << id;
}

/* The free buffer to fill next, or -1. */
static int free_buffer(void)
{
	if (!channel.tx_free)
		take_back_sent();
	return channel.tx_free ? __builtin_ctz(channel.tx_free) : -1;
}

static void submit(int id, u32 len)
{
	channel.tx_free &= ~(1U << id);
	virtqueue_add(&channel.tx, (u16)id, channel.tx_buffer[id], len, VIRTQUEUE_TO_DEVICE);
}

/* Asks for input if that is due and no record would be cut in two by it. */
static void send_want(void)
{
	struct {
		struct catwalk_record header;
		u32 bytes;
	} record = { { CATWALK_REC_STDIN_WANT, sizeof(u32) }, STDIN_SIZE };
	int id;

	if (channel.want != WANT_PENDING || channel.sending)
		return;
	id = free_buffer();
	if (id < 0) {
		virtqueue_set_irq(&channel.tx, VIRTQUEUE_IRQ_ON);
		id = free_buffer();
		if (id < 0)
			return;
	}
	memcpy(channel.tx_buffer[id], &record, sizeof(record));
	submit(id, sizeof(record));
	virtqueue_notify(&channel.tx);
	channel.want = WANT_ASKED;
}

/* ---- sending, by threads */

/* Becomes the one sender if there is none. */
static bool try_begin_record(void)
{
	bool begun;

	spin_lock(&channel.lock);
	begun = !channel.sending;
	channel.sending = true;
	spin_unlock(&channel.lock);
	return begun;
}

static void end_record(void)
{
	spin_lock(&channel.lock);
	channel.sending = false;
	send_want();
	spin_unlock(&channel.lock);
	waitq_wake(&channel.tx_wait, WAKE_ALL, 0);
}

static int try_take_buffer(void)
{
	int id;

	spin_lock(&channel.lock);
	id = free_buffer();
	if (id < 0) {
		virtqueue_set_irq(&channel.tx, VIRTQUEUE_IRQ_ON);
		id = free_buffer();
	}
	spin_unlock(&channel.lock);
	return id;
}

/* Sleeps until the device has given a buffer back; not interruptible, for a record must end. */
static int take_buffer(void)
{
	int id = -1;

	while (id < 0)
		wait_event(&channel.tx_wait, (id = try_take_buffer()) >= 0);
	return id;
}

static void submit_and_notify(int id, u32 len)
{
	spin_lock(&channel.lock);
	submit(id, len);
	virtqueue_notify(&channel.tx);
	spin_unlock(&channel.lock);
}

/* Header and payload in as many buffers as it takes; only the sender comes here. */
static void send_record(u32 type, const u8 *data, size_t len)
{
	struct catwalk_record header = { type, (u32)len };
	size_t used = sizeof(header);
	int id = take_buffer();

	memcpy(channel.tx_buffer[id], &header, sizeof(header));
	for (;;) {
		size_t part = min(len, BUFFER_SIZE - used);

		memcpy(channel.tx_buffer[id] + used, data, part);
		submit_and_notify(id, (u32)(used + part));
		data += part;
		len -= part;
		if (!len)
			return;
		used = 0;
		id = take_buffer();
	}
}

int channel_send(u32 type, const void *data, size_t len)
{
	if (!channel.present) {
		if (type == CATWALK_REC_STDOUT || type == CATWALK_REC_STDERR)
			port_console_write(data, len);
		return 0;
	}
	if (wait_event_interruptible(&channel.tx_wait, try_begin_record()))
		return -EINTR;
	send_record(type, data, len);
	end_record();
	return 0;
}

void channel_exit(u32 status)
{
	if (!channel.present)
		port_power_off();
	wait_event(&channel.tx_wait, try_begin_record());
	send_record(CATWALK_REC_EXIT, (const u8 *)&status, sizeof(status));
	spin_lock(&channel.lock);
	while (channel.tx_free != (1U << TX_BUFFERS) - 1)
		take_back_sent();
	port_power_off();
}

/* ---- receiving; under the lock */

static void record_complete(void)
{
	switch (channel.rx_header.type) {
	case CATWALK_REC_STDIN_EOF:
		channel.stdin_eof = true;
		channel.want = WANT_NOTHING;
		break;
	case CATWALK_REC_STDIN: channel.want = WANT_NOTHING; break;
	case CATWALK_REC_WINDOW:
		channel.window = channel.rx_number;
		channel.has_window = true;
		break;
	case CATWALK_REC_SIGNAL:
		if (channel.rx_number < 32)
			__atomic_fetch_or(&channel.signals, 1U << channel.rx_number,
					  __ATOMIC_RELAXED);
		break;
	default: break;
	}
	channel.rx_header_bytes = 0;
}

/* Four bytes, the lowest first, however they are parted. */
static void number_arrived(const u8 *p, u32 n)
{
	for (u32 i = 0; i < n; i++)
		channel.rx_number = channel.rx_number >> 8 | (u32)p[i] << 24;
}

/* Input is asked for in portions that fit; what does not, nobody asked for. */
static void payload_arrived(const u8 *p, u32 n)
{
	if (channel.rx_header.type != CATWALK_REC_STDIN) {
		number_arrived(p, n);
		return;
	}
	n = min(n, STDIN_SIZE - channel.stdin_end);
	memcpy(channel.stdin + channel.stdin_end, p, n);
	channel.stdin_end += n;
}

static void bytes_arrived(const u8 *p, u32 n)
{
	while (n) {
		u32 part;

		if (channel.rx_header_bytes < sizeof(channel.rx_header)) {
			part = min(n, (u32)sizeof(channel.rx_header) - channel.rx_header_bytes);
			memcpy((u8 *)&channel.rx_header + channel.rx_header_bytes, p, part);
			channel.rx_header_bytes += part;
			channel.rx_left = channel.rx_header.length;
		} else {
			part = min(n, channel.rx_left);
			payload_arrived(p, part);
			channel.rx_left -= part;
		}
		p += part;
		n -= part;
		if (channel.rx_header_bytes == sizeof(channel.rx_header) && !channel.rx_left)
			record_complete();
	}
}

static void receive(void)
{
	u32 len;
	int id;

	while ((id = virtqueue_take(&channel.rx, &len)) >= 0) {
		bytes_arrived(channel.rx_buffer[id], min(len, (u32)BUFFER_SIZE));
		virtqueue_add(&channel.rx, (u16)id, channel.rx_buffer[id], BUFFER_SIZE,
			      VIRTQUEUE_FROM_DEVICE);
		virtqueue_notify(&channel.rx);
	}
}

/* What the device announces is known from the contract: the buffers go straight back. */
static void recycle_control(void)
{
	u8 *base = page_to_virt(channel.control);
	u32 len;
	int id;

	while ((id = virtqueue_take(&channel.control_rx, &len)) >= 0) {
		virtqueue_add(&channel.control_rx, (u16)id, base + id * CONTROL_SIZE, CONTROL_SIZE,
			      VIRTQUEUE_FROM_DEVICE);
		virtqueue_notify(&channel.control_rx);
	}
}

static void channel_interrupt(void *arg)
{
	bool input;

	(void)arg;
	spin_lock(&channel.lock);
	virtio_ack_irq(&channel.dev);
	recycle_control();
	receive();
	take_back_sent();
	virtqueue_set_irq(&channel.tx, VIRTQUEUE_IRQ_OFF);
	send_want();
	input = channel.want == WANT_NOTHING || channel.has_window;
	spin_unlock(&channel.lock);
	waitq_wake(&channel.tx_wait, WAKE_ALL, 0);
	if (input)
		waitq_wake(&channel.stdin_wait, WAKE_ALL, POLLIN);
	if (__atomic_load_n(&channel.signals, __ATOMIC_RELAXED))
		waitq_wake(&channel.signal_wait, WAKE_ALL, 0);
}

/* ---- standard input */

/* Something to return? If not, it is asked for. Under the lock. */
static bool stdin_ready_locked(void)
{
	if (channel.stdin_start < channel.stdin_end || channel.stdin_eof)
		return true;
	if (channel.want == WANT_NOTHING) {
		channel.stdin_start = channel.stdin_end = 0;
		channel.want = WANT_PENDING;
		send_want();
	}
	return false;
}

static s64 take_stdin(void *dst, size_t n)
{
	if (!stdin_ready_locked())
		return -EAGAIN;
	if (channel.stdin_start == channel.stdin_end) {
		channel.stdin_eof = false;
		return 0;
	}
	n = min(n, (size_t)(channel.stdin_end - channel.stdin_start));
	memcpy(dst, channel.stdin + channel.stdin_start, n);
	channel.stdin_start += (u32)n;
	return (s64)n;
}

s64 channel_stdin_read(void *dst, size_t n)
{
	s64 got;

	if (!channel.present)
		return 0;
	spin_lock(&channel.lock);
	got = take_stdin(dst, n);
	spin_unlock(&channel.lock);
	return got;
}

bool channel_stdin_ready(void)
{
	bool ready;

	if (!channel.present)
		return true;
	spin_lock(&channel.lock);
	ready = stdin_ready_locked();
	spin_unlock(&channel.lock);
	return ready;
}

struct waitq *channel_stdin_waitq(void)
{
	return &channel.stdin_wait;
}

u32 channel_wait_signals(void)
{
	u32 signals = 0;

	wait_event(&channel.signal_wait,
		   (signals = __atomic_exchange_n(&channel.signals, 0, __ATOMIC_RELAXED)) != 0);
	return signals;
}

bool channel_has_window(void)
{
	return __atomic_load_n(&channel.has_window, __ATOMIC_RELAXED);
}

bool channel_take_window(u32 *window)
{
	bool has;

	spin_lock(&channel.lock);
	has = channel.has_window;
	channel.has_window = false;
	*window = channel.window;
	spin_unlock(&channel.lock);
	return has;
}

/* ---- start */

static int init_queues(void)
{
	static const u32 index[] = { QUEUE_CONTROL_RX, QUEUE_CONTROL_TX, QUEUE_RX, QUEUE_TX };
	struct virtqueue *const queue[] = { &channel.control_rx, &channel.control_tx, &channel.rx,
					    &channel.tx };

	for (size_t i = 0; i < ARRAY_SIZE(index); i++) {
		int error = virtqueue_init(queue[i], &channel.dev, index[i]);

		if (error)
			return error;
	}
	virtqueue_set_irq(&channel.control_tx, VIRTQUEUE_IRQ_OFF);
	virtqueue_set_irq(&channel.tx, VIRTQUEUE_IRQ_OFF);
	return 0;
}

static int alloc_buffers(u8 **buffer, unsigned int count)
{
	for (unsigned int i = 0; i < count; i++) {
		struct page *page = page_alloc(ORDER_4K, PAGE_UNFILLED);

		if (!page)
			return -ENOMEM;
		buffer[i] = page_to_virt(page);
	}
	return 0;
}

static int init_buffers(void)
{
	int error = alloc_buffers(channel.tx_buffer, TX_BUFFERS);

	if (!error)
		error = alloc_buffers(channel.rx_buffer, RX_BUFFERS);
	channel.control = page_alloc(ORDER_4K, PAGE_ZEROED);
	if (error || !channel.control)
		return -ENOMEM;
	channel.tx_free = (1U << TX_BUFFERS) - 1;
	for (u16 i = 0; i < RX_BUFFERS; i++)
		virtqueue_add(&channel.rx, i, channel.rx_buffer[i], BUFFER_SIZE,
			      VIRTQUEUE_FROM_DEVICE);
	return 0;
}

/* One message to the device about port @id; waits for it to be taken. */
static void control(u32 id, u16 event)
{
	/* The page's last slot is kept from the receive queue for this. */
	struct virtio_console_control *message =
		page_to_virt(channel.control) + (CONTROL_COUNT - 1) * CONTROL_SIZE;
	u32 none;

	*message = (struct virtio_console_control){ .id = id, .event = event, .value = 1 };
	virtqueue_add(&channel.control_tx, 0, message, sizeof(*message), VIRTQUEUE_TO_DEVICE);
	virtqueue_notify(&channel.control_tx);
	while (virtqueue_take(&channel.control_tx, &none) < 0)
		port_cpu_relax();
}

static void open_port(void)
{
	u8 *base = page_to_virt(channel.control);

	for (u32 i = 0; i < CONTROL_COUNT - 1; i++)
		virtqueue_add(&channel.control_rx, (u16)i, base + i * CONTROL_SIZE, CONTROL_SIZE,
			      VIRTQUEUE_FROM_DEVICE);
	virtqueue_notify(&channel.control_rx);
	virtqueue_notify(&channel.rx);
	control(0, VIRTIO_CONSOLE_DEVICE_READY);
	control(CATWALK_PORT_NR, VIRTIO_CONSOLE_PORT_READY);
	control(CATWALK_PORT_NR, VIRTIO_CONSOLE_PORT_OPEN);
}

int channel_init(void)
{
	int error;

	spin_init(&channel.lock);
	waitq_init(&channel.tx_wait);
	waitq_init(&channel.stdin_wait);
	waitq_init(&channel.signal_wait);
	error = virtio_find(&channel.dev, VIRTIO_ID_CONSOLE);
	if (error == -ENODEV)
		return 0;
	if (!error)
		error = virtio_negotiate(&channel.dev, 1U << VIRTIO_CONSOLE_F_MULTIPORT);
	if (!error)
		error = init_queues();
	if (!error)
		error = init_buffers();
	if (error)
		return error;
	virtio_start(&channel.dev);
	irq_register(channel.dev.irq, channel_interrupt, NULL);
	open_port();
	channel.present = true;
	return 0;
}
