/* SPDX-License-Identifier: Apache-2.0 */
/* Sleeping locks, wait queues and eventfds, with another thread that does its part while this one
 * sleeps. */
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include <asm/fcntl.h>
#include <asm/poll.h>

#include "host/err.h"
#include "host/eventfd.h"
#include "host/sched.h"
#include "host/task.h"

static struct task other;
static struct task *self;
static int sleeps;
static int answer; /* of each sleep */
static void (*while_asleep)(void);

static int asleep(u64 deadline)
{
	(void)deadline;
	sleeps++;
	if (while_asleep)
		while_asleep();
	return answer;
}

static int setup(void **state)
{
	(void)state;
	model_host_boot(16 << 20);
	self = model_current;
	model_on_sleep = asleep;
	sleeps = answer = 0;
	while_asleep = NULL;
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	model_on_sleep = NULL;
	model_host_off();
	return 0;
}

/* Runs @fn as the other thread. */
static void as_other(void (*fn)(void))
{
	model_current = &other;
	fn();
	model_current = self;
}

/* ---- mutexes */
static struct mutex mutex;

static void lock_mutex(void)
{
	mutex_lock(&mutex);
}

static void unlock_mutex(void)
{
	mutex_unlock(&mutex);
}

static void other_unlocks_mutex(void)
{
	as_other(unlock_mutex);
}

static void a_taken_mutex_is_waited_for(void **state)
{
	(void)state;
	mutex_init(&mutex);
	as_other(lock_mutex);
	assert_false(mutex_trylock(&mutex));
	while_asleep = other_unlocks_mutex;
	mutex_lock(&mutex);
	assert_int_equal(sleeps, 1);
	assert_ptr_equal(mutex.owner, self);
	mutex_unlock(&mutex);
	assert_null(mutex.owner);
}

static void a_signal_ends_the_wait_for_a_mutex(void **state)
{
	(void)state;
	mutex_init(&mutex);
	as_other(lock_mutex);
	answer = -ERESTARTSYS;
	assert_int_equal(mutex_lock_interruptible(&mutex), -ERESTARTSYS);
	assert_ptr_equal(mutex.owner, &other);
	other_unlocks_mutex();
	assert_int_equal(mutex_lock_interruptible(&mutex), 0);
	mutex_unlock(&mutex);
}

static struct task third;

static void third_waits_too(void)
{
	static struct waiter waits;

	waits = (struct waiter){ .task = &third };
	waitq_add(&mutex.q, &waits);
}

/* Between its last look at the mutex and its leaving the queue: the wake-up goes to it. */
static void other_unlocks_for_one_that_leaves(void)
{
	model_on_cancel_sleep = NULL;
	other_unlocks_mutex();
	assert_ptr_equal(model_woken, self);
}

static void who_leaves_without_the_mutex_passes_it_on(void **state)
{
	(void)state;
	mutex_init(&mutex);
	as_other(lock_mutex);
	answer = -ERESTARTSYS;
	while_asleep = third_waits_too;
	model_on_cancel_sleep = other_unlocks_for_one_that_leaves;
	assert_int_equal(mutex_lock_interruptible(&mutex), -ERESTARTSYS);
	assert_ptr_equal(model_woken, &third);
}

static void take_twice(void *arg)
{
	(void)arg;
	mutex_lock(&mutex);
	mutex_lock(&mutex);
}

static void give_what_is_anothers(void *arg)
{
	(void)arg;
	mutex_unlock(&mutex);
}

static void mutexes_notice_misuse(void **state)
{
	(void)state;
	mutex_init(&mutex);
	assert_true(model_refuses(take_twice, NULL));
	mutex_init(&mutex);
	as_other(lock_mutex);
	assert_true(model_refuses(give_what_is_anothers, NULL));
}

/* ---- read/write semaphores */
static struct rwsem sem;

static void write_lock(void)
{
	rwsem_write_lock(&sem);
}

static void write_unlock(void)
{
	rwsem_write_unlock(&sem);
}

static void read_lock(void)
{
	rwsem_read_lock(&sem);
}

static void read_unlock(void)
{
	rwsem_read_unlock(&sem);
}

static void other_writes_no_more(void)
{
	as_other(write_unlock);
}

static void other_reads_no_more(void)
{
	as_other(read_unlock);
}

static void a_reader_waits_for_a_writer(void **state)
{
	(void)state;
	rwsem_init(&sem);
	as_other(write_lock);
	while_asleep = other_writes_no_more;
	rwsem_read_lock(&sem);
	assert_int_equal(sleeps, 1);
	as_other(read_lock);
	assert_int_equal(sem.state, 2);
	as_other(read_unlock);
	rwsem_read_unlock(&sem);
	assert_int_equal(sem.state, 0);
}

static void a_writer_waits_for_readers(void **state)
{
	(void)state;
	rwsem_init(&sem);
	as_other(read_lock);
	while_asleep = other_reads_no_more;
	rwsem_write_lock(&sem);
	assert_int_equal(sleeps, 1);
	assert_ptr_equal(sem.writer, self);
	assert_true(sem.state == BIT(63)); /* the writer, and nobody that waits */
	rwsem_write_unlock(&sem);
}

static void write_twice(void *arg)
{
	(void)arg;
	rwsem_write_lock(&sem);
	rwsem_write_lock(&sem);
}

static void read_less(void *arg)
{
	(void)arg;
	rwsem_read_unlock(&sem);
}

static void write_less(void *arg)
{
	(void)arg;
	rwsem_write_unlock(&sem);
}

static void semaphores_notice_misuse(void **state)
{
	(void)state;
	rwsem_init(&sem);
	assert_true(model_refuses(write_twice, NULL));
	rwsem_init(&sem);
	assert_true(model_refuses(read_less, NULL));
	rwsem_init(&sem);
	as_other(write_lock);
	assert_true(model_refuses(write_less, NULL));
}

/* ---- wait queues */
static u32 told;

static void note_key(struct waiter *w, u32 key)
{
	(void)w;
	told += key;
}

static void waiters_with_a_function_are_told_each_time(void **state)
{
	struct waitq q;
	struct waiter w = { .fn = note_key }, sleeper = { .task = &other };

	(void)state;
	told = 0;
	waitq_init(&q);
	waitq_add(&q, &sleeper);
	waitq_add(&q, &w);
	waitq_wake(&q, 1, 3);
	waitq_wake(&q, WAKE_ALL, 4);
	assert_int_equal(told, 7);
	waitq_remove(&w);
	waitq_remove(&w);
	waitq_remove(&sleeper);
	waitq_wake(&q, WAKE_ALL, 5);
	assert_int_equal(told, 7);
}

/* ---- eventfds */
static u64 value;
static struct file *event;

static s64 event_read(void)
{
	struct iobuf io = { .kernel = &value, .left = sizeof(value) };

	value = 0;
	return event->ops->read(event, &io, NULL);
}

static s64 event_write(u64 n)
{
	struct iobuf io = { .kernel = &n, .left = sizeof(n) };

	return event->ops->write(event, &io, NULL);
}

static struct eventfd *counter; /* of event */

static void event_begin(u32 count, enum eventfd_kind kind, u32 flags)
{
	event = eventfd_new(count, kind, flags);
	assert_non_null(event);
	counter = eventfd_get(event);
	assert_non_null(counter);
}

static void event_end(void)
{
	file_put(event);
	eventfd_put(counter);
}

static u32 event_poll(void)
{
	struct waitq *q;

	return event->ops->poll(event, &q);
}

static void a_counter_gives_all_it_has(void **state)
{
	(void)state;
	event_begin(0, EVENTFD_COUNTER, O_NONBLOCK);
	assert_int_equal(event_read(), -EAGAIN);
	assert_int_equal(event_poll(), POLLOUT | POLLWRNORM);
	assert_int_equal(event_write(3), 8);
	assert_int_equal(event_write(4), 8);
	assert_int_equal(event_poll(), POLLIN | POLLRDNORM | POLLOUT | POLLWRNORM);
	assert_int_equal(event_read(), 8);
	assert_int_equal(value, 7);
	event_end();
}

static void a_semaphore_gives_one_at_a_time(void **state)
{
	(void)state;
	event_begin(2, EVENTFD_SEMAPHORE, O_NONBLOCK);
	assert_int_equal(event_read(), 8);
	assert_int_equal(value, 1);
	assert_int_equal(event_read(), 8);
	assert_int_equal(event_read(), -EAGAIN);
	assert_false(eventfd_take(counter, &value));
	eventfd_signal(counter, 5);
	assert_true(eventfd_take(counter, &value));
	event_end();
}

static void a_full_counter_takes_no_more(void **state)
{
	(void)state;
	event_begin(0, EVENTFD_COUNTER, O_NONBLOCK);
	assert_int_equal(event_write(UINT64_MAX), -EINVAL);
	assert_int_equal(event_write(UINT64_MAX - 1), 8);
	assert_int_equal(event_write(1), -EAGAIN);
	assert_int_equal(event_poll(), POLLIN | POLLRDNORM);
	/* A signal from within is never lost: the count stays at its most, which is an error. */
	eventfd_signal(counter, 1);
	assert_int_equal(event_poll(), POLLIN | POLLRDNORM | POLLERR);
	event_end();
}

static void short_buffers_are_refused(void **state)
{
	struct iobuf io = { .kernel = &value, .left = 7 };

	(void)state;
	event_begin(1, EVENTFD_COUNTER, 0);
	assert_int_equal(event->ops->read(event, &io, NULL), -EINVAL);
	assert_int_equal(event->ops->write(event, &io, NULL), -EINVAL);
	io = (struct iobuf){ .user = HVA(8), .left = 8 };
	assert_int_equal(event->ops->write(event, &io, NULL), -EFAULT);
	assert_int_equal(event->ops->read(event, &io, NULL), -EFAULT);
	event_end();
}

static void other_signals(void)
{
	eventfd_signal(counter, 9);
}

static void other_takes(void)
{
	u64 n;

	(void)eventfd_take(counter, &n);
}

static void who_blocks_is_woken(void **state)
{
	(void)state;
	event_begin(0, EVENTFD_COUNTER, 0);
	while_asleep = other_signals;
	assert_int_equal(event_read(), 8);
	assert_int_equal(value, 9);
	assert_int_equal(event_write(UINT64_MAX - 1), 8);
	while_asleep = other_takes;
	assert_int_equal(event_write(1), 8);
	assert_int_equal(sleeps, 2);
	while_asleep = NULL;
	answer = -ERESTARTSYS;
	assert_int_equal(event_write(UINT64_MAX - 1), -ERESTARTSYS);
	assert_int_equal(event_read(), 8);
	assert_int_equal(event_read(), -ERESTARTSYS);
	event_end();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_taken_mutex_is_waited_for, setup, teardown),
		cmocka_unit_test_setup_teardown(a_signal_ends_the_wait_for_a_mutex, setup,
						teardown),
		cmocka_unit_test_setup_teardown(who_leaves_without_the_mutex_passes_it_on, setup,
						teardown),
		cmocka_unit_test_setup_teardown(mutexes_notice_misuse, setup, teardown),
		cmocka_unit_test_setup_teardown(a_reader_waits_for_a_writer, setup, teardown),
		cmocka_unit_test_setup_teardown(a_writer_waits_for_readers, setup, teardown),
		cmocka_unit_test_setup_teardown(semaphores_notice_misuse, setup, teardown),
		cmocka_unit_test_setup_teardown(waiters_with_a_function_are_told_each_time, setup,
						teardown),
		cmocka_unit_test_setup_teardown(a_counter_gives_all_it_has, setup, teardown),
		cmocka_unit_test_setup_teardown(a_semaphore_gives_one_at_a_time, setup, teardown),
		cmocka_unit_test_setup_teardown(a_full_counter_takes_no_more, setup, teardown),
		cmocka_unit_test_setup_teardown(short_buffers_are_refused, setup, teardown),
		cmocka_unit_test_setup_teardown(who_blocks_is_woken, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
