/* SPDX-License-Identifier: Apache-2.0 */
/*
 * userfaultfd: who waits and who is told. The other threads' part is played by what runs while the
 * only one sleeps, or by waits that are queued by hand.
 */
#include "uffd_world.h"

#include <asm/poll.h>

#define AT   0x400000UL
#define HUGE 0x40000000UL
#define ANON (MAP_PRIVATE | MAP_ANONYMOUS)

/* ---- reading */

static struct uffd_wait waits[4];

/* Another thread's fault at @addr, as it waits. */
static struct uffd_wait *queue_fault(struct uffd_wait *w, u64 addr, int error)
{
	struct uffd_fault f = { .addr = addr, .error = error, .access = HOST_READ };

	assert_true(uffd_wait_begin(vma_find(world_mm, HVA(addr)), w, &f));
	return w;
}

static s64 read_to(void *to, size_t n)
{
	struct iobuf io = { .kernel = to, .left = n };
	u64 pos = 0;

	return file->ops->read(file, &io, &pos);
}

static u32 poll_now(void)
{
	struct waitq *wq = NULL;
	u32 events = file->ops->poll(file, &wq);

	assert_ptr_equal(wq, &u->readers);
	return events;
}

static void messages_are_read_in_order_each_once(void **state)
{
	struct uffd_msg m[3] = { 0 };

	(void)state;
	watch(map_anon(AT, 4 * P), 4 * P, VM_UFFD_MISSING);
	assert_int_equal(poll_now(), POLLERR); /* it would block */
	file->flags |= O_NONBLOCK;
	assert_int_equal(poll_now(), 0);
	assert_int_equal(read_to(m, sizeof(m)), -EAGAIN);
	for (int i = 0; i < 4; i++)
		queue_fault(&waits[i], AT + (u64)i * P + 9, -EUFFD_MISSING);
	assert_int_equal(poll_now(), POLLIN);
	assert_int_equal(read_to(m, sizeof(m[0]) - 1), -EINVAL);
	assert_int_equal(read_to(m, 3 * sizeof(m[0]) - 1), 2 * sizeof(m[0]));
	assert_int_equal(m[0].event, UFFD_EVENT_PAGEFAULT);
	assert_int_equal(m[0].arg.pagefault.address, AT);
	assert_int_equal(m[1].arg.pagefault.address, AT + P);
	/* What was told may end without more ado, and what was not is not told then. */
	uffd_wait_end(u, &waits[0]);
	uffd_wait_end(u, &waits[2]);
	assert_int_equal(read_to(m, sizeof(m)), sizeof(m[0]));
	assert_int_equal(m[0].arg.pagefault.address, AT + 3 * P);
	assert_int_equal(poll_now(), 0);
	uffd_wait_end(u, &waits[1]);
	uffd_wait_end(u, &waits[3]);
	u->ready = false;
	assert_int_equal(read_to(m, sizeof(m)), -EINVAL);
	assert_int_equal(poll_now(), POLLERR);
}

static void a_buffer_that_cannot_be_written_ends_the_read(void **state)
{
	struct iobuf io = { .user = HVA(0x7000000000UL), .left = 64 };
	u64 pos = 0, at = map_anon(0, P);
	struct mm *mm = world_mm;

	(void)state;
	watch(map_anon(AT, 4 * P), 4 * P, VM_UFFD_MISSING);
	queue_fault(&waits[0], AT, -EUFFD_MISSING);
	assert_int_equal(file->ops->read(file, &io, &pos), -EFAULT);
	uffd_wait_end(u, &waits[0]);
	queue_fault(&waits[0], AT, -EUFFD_MISSING);
	queue_fault(&waits[1], AT, -EUFFD_MISSING);
	io = (struct iobuf){ .user = HVA(at + P - sizeof(struct uffd_msg)), .left = 64 };
	assert_int_equal(mm_munmap(mm, at + P, P), 0);
	assert_int_equal(file->ops->read(file, &io, &pos), sizeof(struct uffd_msg));
	uffd_wait_end(u, &waits[0]);
	uffd_wait_end(u, &waits[1]);
}

static int fault_on_sleep(u64 deadline_ns)
{
	(void)deadline_ns;
	queue_fault(&waits[0], AT + P, -EUFFD_MISSING);
	return 0;
}

static int signal_on_sleep(u64 deadline_ns)
{
	(void)deadline_ns;
	return -EINTR;
}

static void a_reader_waits_for_the_first_fault(void **state)
{
	struct uffd_msg m[2];

	(void)state;
	watch(map_anon(AT, 4 * P), 4 * P, VM_UFFD_MISSING);
	model_on_sleep = signal_on_sleep;
	assert_int_equal(read_to(m, sizeof(m)), -ERESTARTSYS);
	model_on_sleep = fault_on_sleep;
	assert_int_equal(read_to(m, sizeof(m)), sizeof(m[0]));
	assert_int_equal(m[0].arg.pagefault.address, AT + P);
	uffd_wait_end(u, &waits[0]);
}

/* ---- what a message says */

static struct uffd_msg message_of(u64 addr, int error, enum host_access access)
{
	struct uffd_fault f = { .addr = addr, .error = error, .access = access };
	struct uffd_wait w;

	assert_true(uffd_wait_begin(vma_find(world_mm, HVA(addr)), &w, &f));
	uffd_wait_end(u, &w);
	return w.msg;
}

static void a_message_tells_the_fault(void **state)
{
	struct uffd_msg m;

	(void)state;
	watch(map_anon(AT, 4 * P), 4 * P, VM_UFFD_MISSING);
	m = message_of(AT + 9, -EUFFD_MISSING, HOST_READ);
	assert_int_equal(m.arg.pagefault.flags, 0);
	assert_int_equal(m.arg.pagefault.address, AT);
	assert_int_equal(m.arg.pagefault.feat.ptid, 0);
	m = message_of(AT, -EUFFD_MISSING, HOST_WRITE);
	assert_int_equal(m.arg.pagefault.flags, UFFD_PAGEFAULT_FLAG_WRITE);
	m = message_of(AT, -EUFFD_MINOR, HOST_READ);
	assert_int_equal(m.arg.pagefault.flags, UFFD_PAGEFAULT_FLAG_MINOR);
	m = message_of(AT, -EUFFD_WP, HOST_WRITE);
	assert_int_equal(m.arg.pagefault.flags, UFFD_PAGEFAULT_FLAG_WP | UFFD_PAGEFAULT_FLAG_WRITE);
	u->features = UFFD_FEATURE_EXACT_ADDRESS | UFFD_FEATURE_THREAD_ID;
	port_current()->tid = 77;
	m = message_of(AT + 9, -EUFFD_MISSING, HOST_READ);
	assert_int_equal(m.arg.pagefault.address, AT + 9);
	assert_int_equal(m.arg.pagefault.feat.ptid, 77);
	u->features = 0;
	assert_int_equal(map_at(HUGE, SZ_2M, RW, ANON | MAP_HUGETLB), HUGE);
	watch(HUGE, SZ_2M, VM_UFFD_MISSING);
	m = message_of(HUGE + 5 * P, -EUFFD_MISSING, HOST_READ);
	assert_int_equal(m.arg.pagefault.address, HUGE);
}

/* ---- who is woken */

static void only_who_waits_in_the_range_is_woken(void **state)
{
	struct uffdio_range r = { AT + P, 2 * P };
	u64 args = map_anon(0, P);
	struct uffd_msg m;

	(void)state;
	watch(map_anon(AT, 4 * P), 4 * P, VM_UFFD_MISSING);
	for (int i = 0; i < 4; i++)
		queue_fault(&waits[i], AT + (u64)i * P, -EUFFD_MISSING);
	for (int i = 0; i < 2; i++) /* whether told or not */
		assert_int_equal(read_to(&m, sizeof(m)), sizeof(m));
	assert_int_equal(copy_to_user(HVA(args), &r, sizeof(r)), 0);
	assert_int_equal(uffd_ioctl(file, UFFDIO_WAKE, args), 0);
	assert_false(waits[0].woken);
	assert_true(waits[1].woken && waits[2].woken);
	assert_false(waits[3].woken);
	assert_int_equal(uffd_wait_sleep(u, &waits[1], FAULT_BY_GUEST), 0); /* at once */
	for (int i = 0; i < 4; i++)
		uffd_wait_end(u, &waits[i]);
}

/* What wakes and what does not: the content that is given, and protection that is taken back. */
static void calls_wake_unless_they_are_told_not_to(void **state)
{
	struct uffdio_copy c = { .dst = AT, .src = src, .len = P };
	struct uffdio_writeprotect w = { .range = { AT, P } };
	u64 args = map_anon(0, P);

	(void)state;
	watch(map_anon(AT, P), P, VM_UFFD_MISSING | VM_UFFD_WP);
	for (u64 mode = 0; mode < 2; mode++) {
		c.mode = mode; /* UFFDIO_COPY_MODE_DONTWAKE */
		assert_int_equal(mm_madvise(world_mm, AT, P, MADV_DONTNEED), 0);
		queue_fault(&waits[0], AT, -EUFFD_MISSING);
		assert_int_equal(copy_to_user(HVA(args), &c, sizeof(c)), 0);
		assert_int_equal(uffd_ioctl(file, UFFDIO_COPY, args), 0);
		assert_int_equal(waits[0].woken, !mode);
		uffd_wait_end(u, &waits[0]);
	}
	for (u64 mode = 0; mode < 3; mode++) { /* to protect wakes nobody either */
		w.mode = mode;
		queue_fault(&waits[0], AT, -EUFFD_WP);
		assert_int_equal(copy_to_user(HVA(args), &w, sizeof(w)), 0);
		assert_int_equal(uffd_ioctl(file, UFFDIO_WRITEPROTECT, args), 0);
		assert_int_equal(waits[0].woken, !mode);
		uffd_wait_end(u, &waits[0]);
	}
}

/* ---- faults that wait */

static unsigned int sleeps;

static int munmap_on_sleep(u64 deadline_ns)
{
	(void)deadline_ns;
	sleeps++;
	assert_int_equal(mm_munmap(world_mm, AT, 4 * P), 0);
	assert_true(TAILQ_EMPTY(&u->pending));
	return 0;
}

static int move_on_sleep(u64 deadline_ns)
{
	(void)deadline_ns;
	sleeps++;
	assert_int_equal(mm_mremap(world_mm, AT, 4 * P, 4 * P, MREMAP_MAYMOVE | MREMAP_FIXED, HUGE),
			 HUGE);
	assert_true(TAILQ_EMPTY(&u->pending));
	return 0;
}

static int continue_on_sleep(u64 deadline_ns)
{
	struct uffd_wait *w = TAILQ_FIRST(&u->pending);

	(void)deadline_ns;
	sleeps++;
	assert_true(w->msg.arg.pagefault.flags & UFFD_PAGEFAULT_FLAG_MINOR);
	assert_int_equal(fill(FILL_CONTINUE, w->msg.arg.pagefault.address, P, UFFD_UNPROTECT), P);
	uffd_wake(u, AT, AT + 4 * P);
	return 0;
}

static int poison_on_sleep(u64 deadline_ns)
{
	struct uffd_wait *w = TAILQ_FIRST(&u->pending);

	(void)deadline_ns;
	assert_int_equal(fill(FILL_POISON, w->msg.arg.pagefault.address, P, UFFD_UNPROTECT), P);
	uffd_wake(u, AT, AT + 4 * P);
	return 0;
}

static void what_is_unmapped_or_moved_is_waited_for_no_more(void **state)
{
	(void)state;
	sleeps = 0;
	watch(map_anon(AT, 4 * P), 4 * P, VM_UFFD_MISSING);
	model_on_sleep = munmap_on_sleep;
	assert_int_equal(mm_fault(world_mm, HVA(AT + P), HOST_READ), FAULT_SEGV_MAPERR);
	watch(map_anon(AT, 4 * P), 4 * P, VM_UFFD_MISSING);
	model_on_sleep = move_on_sleep;
	assert_int_equal(mm_fault(world_mm, HVA(AT + P), HOST_READ), FAULT_SEGV_MAPERR);
	assert_int_equal(sleeps, 2);
	assert_null(vma_find(world_mm, HVA(HUGE))->uffd);
	assert_int_equal(peek_byte(HUGE + P), 0); /* nobody is asked there */
}

static void a_minor_fault_waits_for_what_the_object_has(void **state)
{
	struct memobj *o = map_object(memobj_new(), AT, 4 * P, MAP_SHARED);
	struct iobuf io = { .kernel = "object", .left = 6 };

	(void)state;
	assert_int_equal(memobj_write(o, &io, P), 6);
	watch(AT, 4 * P, VM_UFFD_MINOR);
	assert_int_equal(peek_byte(AT), 0); /* where it has none, none is waited for */
	sleeps = 0;
	model_on_sleep = continue_on_sleep;
	assert_int_equal(peek_byte(AT + P), 'o');
	assert_int_equal(sleeps, 1);
	assert_int_equal(poke_byte(AT + P, 'O'), 0);
	assert_int_equal(sleeps, 1);
	model_on_sleep = poison_on_sleep;
	assert_int_equal(uffd_unregister(u, AT, AT + 4 * P), 0);
	watch(AT, 4 * P, VM_UFFD_MISSING);
	assert_int_equal(mm_fault(world_mm, HVA(AT + 3 * P), HOST_READ), FAULT_POISON);
}

static void some_faults_are_not_waited_for(void **state)
{
	(void)state;
	watch(map_anon(AT, 4 * P), 4 * P, VM_UFFD_MISSING);
	model_on_sleep = NULL; /* to sleep would be the end */
	u->features = UFFD_FEATURE_SIGBUS;
	assert_int_equal(mm_fault_by(world_mm, HVA(AT), HOST_READ, FAULT_BY_PROGRAM), FAULT_BUS);
	u->features = 0;
	u->serves = UFFD_PROGRAM_FAULTS;
	assert_int_equal(mm_fault_by(world_mm, HVA(AT), HOST_READ, FAULT_BY_GUEST), FAULT_BUS);
	assert_int_equal(mm_fault_by(world_mm, HVA(AT), HOST_READ, FAULT_BY_KERNEL), FAULT_BUS);
	model_on_sleep = signal_on_sleep;
	assert_int_equal(mm_fault_by(world_mm, HVA(AT), HOST_READ, FAULT_BY_PROGRAM), FAULT_INTR);
	assert_int_equal(pte_at(AT), 0);
}

static void nobody_waits_for_a_file_that_is_closing(void **state)
{
	struct uffd_fault f = { .addr = AT, .error = -EUFFD_MISSING };

	(void)state;
	watch(map_anon(AT, 4 * P), 4 * P, VM_UFFD_MISSING);
	u->closed = true;
	assert_false(uffd_wait_begin(vma_find(world_mm, HVA(AT)), &waits[0], &f));
	assert_int_equal(u->refs, 1);
	u->closed = false;
}

static void who_still_waits_keeps_a_closed_file(void **state)
{
	(void)state;
	watch(map_anon(AT, 4 * P), 4 * P, VM_UFFD_MISSING);
	queue_fault(&waits[0], AT, -EUFFD_MISSING);
	queue_fault(&waits[1], AT + P, -EUFFD_MISSING);
	file_put(file);
	file = NULL;
	assert_true(waits[0].woken && waits[1].woken);
	assert_int_equal(u->refs, 2);
	uffd_wait_end(u, &waits[0]);
	uffd_wait_end(u, &waits[1]);
	assert_null(vma_find(world_mm, HVA(AT))->uffd);
}

/* ---- protection of a range that changes meanwhile, at the moment that the notifiers are told */

static u64 touched_at;

static void touch_meanwhile(struct mm_notifier *n, hva_t start, hva_t end)
{
	u64 at = touched_at;

	shadow_begin(n, start, end);
	touched_at = 0;
	if (at)
		assert_int_equal(poke_byte(at, 5), 0);
	if (at)
		shadow_take(at);
}

static const struct mm_notifier_ops touching_ops = {
	.begin = touch_meanwhile,
	.end = shadow_end,
	.release = shadow_release,
};

static void a_block_that_came_meanwhile_is_protected_in_part(void **state)
{
	(void)state;
	(void)map_anon(HUGE, SZ_2M);
	watch(HUGE, SZ_2M, VM_UFFD_WP);
	shadow.notifier.ops = &touching_ops;
	touched_at = HUGE;
	assert_int_equal(uffd_write_protect(u, HUGE + P, HUGE + 2 * P, UFFD_PROTECT), 0);
	assert_int_equal(touched_at, 0);
	assert_int_equal(leaf_at(HUGE).level, LEVEL_4K);
	assert_true(leaf_at(HUGE).writable);
	assert_false(leaf_at(HUGE + P).writable);
	assert_true(leaf_at(HUGE + 2 * P).writable);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		uffd_test(messages_are_read_in_order_each_once),
		uffd_test(a_buffer_that_cannot_be_written_ends_the_read),
		uffd_test(a_reader_waits_for_the_first_fault),
		uffd_test(a_message_tells_the_fault),
		uffd_test(only_who_waits_in_the_range_is_woken),
		uffd_test(calls_wake_unless_they_are_told_not_to),
		uffd_test(what_is_unmapped_or_moved_is_waited_for_no_more),
		uffd_test(a_minor_fault_waits_for_what_the_object_has),
		uffd_test(some_faults_are_not_waited_for),
		uffd_test(nobody_waits_for_a_file_that_is_closing),
		uffd_test(who_still_waits_keeps_a_closed_file),
		uffd_test(a_block_that_came_meanwhile_is_protected_in_part),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
