/* SPDX-License-Identifier: Apache-2.0 */
/* Descriptor tables, open files, scattered buffers and event counters. */
#define _DEFAULT_SOURCE /* rand_r */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <asm-generic/fcntl.h>
#include <asm/poll.h>

#include "host/err.h"
#include "host/eventfd.h"
#include "host/file.h"
#include "host/page.h"

static int released;

static void count_release(struct file *f)
{
	(void)f;
	released++;
}

static const struct file_ops counted_ops = { .name = "counted", .release = count_release };

static struct file *counted_file(void)
{
	struct file *f = file_alloc(&counted_ops, NULL, O_RDONLY);

	assert_non_null(f);
	return f;
}

static int power_on(void **state)
{
	(void)state;
	model_host_boot(64UL << 20);
	kfree(kmalloc(64));
	released = 0;
	return 0;
}

static int power_off(void **state)
{
	(void)state;
	model_host_off();
	return 0;
}

static int install(struct fdtable *t, int min_fd)
{
	return fd_install(t, counted_file(), min_fd, 0);
}

static void lowest_free_descriptor_first(void **state)
{
	struct fdtable *t = fdtable_new();

	(void)state;
	for (int fd = 0; fd < 10; fd++)
		assert_int_equal(install(t, 0), fd);
	assert_int_equal(fd_close(t, 7), 0);
	assert_int_equal(fd_close(t, 3), 0);
	assert_int_equal(released, 2);
	assert_int_equal(install(t, 5), 7);
	assert_int_equal(install(t, 0), 3);
	assert_int_equal(install(t, 0), 10);
	assert_int_equal(install(t, 100), 100);
	assert_int_equal(install(t, 0), 11);
	assert_int_equal(fd_next(t, 12), 100);
	assert_int_equal(fd_next(t, 101), -1);
	fdtable_put(t);
	assert_int_equal(released, 15);
}

static void what_is_not_open_is_ebadf(void **state)
{
	struct fdtable *t = fdtable_new();

	(void)state;
	for (int i = 0; i < 3; i++) {
		static const int bad[] = { -1, 5, 1 << 30 };

		assert_null(fd_get(t, bad[i]));
		assert_int_equal(fd_close(t, bad[i]), -EBADF);
		assert_int_equal(fd_flags_get(t, bad[i]), -EBADF);
		assert_int_equal(fd_flags_set(t, bad[i], FD_CLOEXEC), -EBADF);
	}
	fdtable_put(t);
}

static void the_limit_holds(void **state)
{
	struct fdtable *t = fdtable_new();
	struct file *f = counted_file();

	(void)state;
	assert_int_equal(fd_limit_get(t), 1024);
	assert_int_equal(install(t, 1023), 1023);
	assert_int_equal(fd_install(t, f, 1023, 0), -EMFILE);
	assert_int_equal(fd_replace(t, 1024, f, 0), -EBADF);
	assert_int_equal(released, 0);
	fd_limit_set(t, 5000);
	assert_int_equal(fd_install(t, f, 4096, 0), 4096);
	/* Lowering it closes nothing. */
	fd_limit_set(t, 8);
	f = fd_get(t, 4096);
	assert_non_null(f);
	file_put(f);
	assert_int_equal(fd_close(t, 4096), 0);
	fdtable_put(t);
	assert_int_equal(released, 2);
}

static void dup_shares_and_replace_closes(void **state)
{
	struct fdtable *t = fdtable_new();
	struct file *f;

	(void)state;
	install(t, 0);
	install(t, 0);
	f = fd_get(t, 0);
	assert_int_equal(fd_replace(t, 1, f, FD_CLOEXEC), 1);
	assert_int_equal(released, 1);
	assert_int_equal(fd_flags_get(t, 1), FD_CLOEXEC);
	assert_int_equal(fd_flags_get(t, 0), 0);
	fd_close(t, 0);
	assert_int_equal(released, 1);
	fd_close(t, 1);
	assert_int_equal(released, 2);
	fdtable_put(t);
}

/* Nobody sees what is still to come, and nobody else gets its number. */
static void a_reserved_descriptor_names_nothing(void **state)
{
	struct fdtable *t = fdtable_new(), *copy;
	struct file *f = counted_file();

	(void)state;
	assert_int_equal(fd_reserve(t, 0), 0);
	assert_null(fd_get(t, 0));
	assert_int_equal(fd_close(t, 0), -EBADF);
	assert_int_equal(fd_flags_get(t, 0), -EBADF);
	assert_int_equal(fd_replace(t, 0, f, 0), -EBUSY);
	assert_int_equal(install(t, 0), 1);
	fdtable_close_on_exec(t);
	/* A copy has no such promise: the number is the lowest that is free there. */
	copy = fdtable_copy(t);
	assert_int_equal(install(copy, 0), 0);
	fdtable_put(copy);
	assert_int_equal(released, 1);
	fd_fill(t, 0, f, FD_CLOEXEC);
	assert_int_equal(fd_flags_get(t, 0), FD_CLOEXEC);
	assert_int_equal(fd_close(t, 0), 0);
	assert_int_equal(fd_reserve(t, 0), 0);
	fd_unreserve(t, 0);
	assert_int_equal(install(t, 0), 0);
	assert_int_equal(fd_reserve(t, 100), 100); /* as the table grows, it stays */
	assert_int_equal(install(t, 300), 300);
	assert_int_equal(install(t, 100), 101);
	fd_unreserve(t, 100);
	fdtable_put(t);
	assert_int_equal(released, 6);
}

static void copies_are_apart(void **state)
{
	struct fdtable *t = fdtable_new(), *copy;

	(void)state;
	for (int i = 0; i < 200; i++)
		install(t, 0);
	fd_flags_set(t, 150, FD_CLOEXEC);
	copy = fdtable_copy(t);
	fdtable_close_on_exec(copy);
	assert_int_equal(fd_flags_get(copy, 150), -EBADF);
	assert_int_equal(fd_flags_get(t, 150), FD_CLOEXEC);
	assert_int_equal(install(copy, 0), 150);
	fdtable_put(t);
	assert_int_equal(released, 1);
	fdtable_put(copy);
	assert_int_equal(released, 201);
}

/* A large table is copied and counted in steps, between which others get the lock. */
static u64 two_pages(struct file *f)
{
	(void)f;
	return 2;
}

static const struct file_ops paged_ops = { .name = "paged", .pages = two_pages };

static void large_tables_go_in_steps(void **state)
{
	enum { LARGE = 20000, IN_ONE_HOLD = 4096 };
	struct fdtable *t = fdtable_new(), *copy;
	struct file *f = file_alloc(&paged_ops, NULL, O_RDONLY);
	unsigned int next = 0, steps = 1;
	u64 pages = 0;

	(void)state;
	fd_limit_set(t, LARGE);
	for (int fd = 0; fd < LARGE; fd++)
		assert_int_equal(fd_install(t, file_get(f), 0, 0), fd);
	model_sched_points = 0;
	copy = fdtable_copy(t);
	assert_non_null(copy);
	assert_true(model_sched_points >= LARGE / IN_ONE_HOLD);
	assert_int_equal(f->refs, 1 + 2 * LARGE);
	while (fdtable_count_pages(copy, &next, &pages)) {
		steps++;
		assert_true(pages <= (u64)steps * IN_ONE_HOLD * 3);
	}
	assert_true(steps > LARGE / IN_ONE_HOLD);
	assert_int_equal(pages, LARGE * 3);
	assert_int_equal(fd_limit_get(copy), LARGE);
	fdtable_put(copy);
	fdtable_put(t);
	assert_int_equal(f->refs, 1);
	file_put(f);
}

/* Who ends while it opens a file leaves a number without one. */
static void tables_end_with_reserved_descriptors(void **state)
{
	struct fdtable *t = fdtable_new();

	(void)state;
	assert_int_equal(install(t, 0), 0);
	assert_int_equal(fd_reserve(t, 0), 1);
	assert_int_equal(install(t, 0), 2);
	fdtable_put(t);
	assert_int_equal(released, 2);
}

static void path_only_files_are_not_for_io(void **state)
{
	struct fdtable *t = fdtable_new();
	struct file *f = counted_file();

	(void)state;
	f->traits = FILE_PATH_ONLY;
	assert_int_equal(fd_install(t, f, 0, 0), 0);
	assert_null(fd_get(t, 0));
	assert_ptr_equal(fd_get_raw(t, 0), f);
	file_put(f);
	fdtable_put(t);
	assert_int_equal(released, 1);
}

/* Random operations beside a plain array. */
static void behaves_like_an_array(void **state)
{
	enum { SLOTS = 300, STEPS = 20000 };
	static struct file *model[SLOTS];
	struct fdtable *t = fdtable_new();
	unsigned int seed = 1;

	(void)state;
	memset(model, 0, sizeof(model));
	for (int step = 0; step < STEPS; step++) {
		int at = rand_r(&seed) % SLOTS, fd = at;

		switch (rand_r(&seed) % 3) {
		case 0:
			while (fd < SLOTS && model[fd])
				fd++;
			if (fd == SLOTS)
				break;
			model[fd] = counted_file();
			assert_int_equal(fd_install(t, model[fd], at, 0), fd);
			break;
		case 1:
			assert_int_equal(fd_close(t, at), model[at] ? 0 : -EBADF);
			model[at] = NULL;
			break;
		default:
			model[at] = counted_file();
			assert_int_equal(fd_replace(t, at, model[at], 0), at);
		}
		for (int i = 0; step % 500 == 0 && i < SLOTS; i++) {
			struct file *f = fd_get(t, i);

			assert_ptr_equal(f, model[i]);
			if (f)
				file_put(f);
		}
	}
	fdtable_put(t);
}

static void without_memory_nothing_changes(void **state)
{
	struct fdtable *t = fdtable_new();
	struct file *f = counted_file();

	(void)state;
	page_fail_nth(1);
	assert_int_equal(fd_install(t, f, 100, 0), -ENOMEM);
	page_fail_nth(1);
	assert_int_equal(fd_replace(t, 100, f, 0), -ENOMEM);
	page_fail_nth(1);
	assert_null(fdtable_copy(t));
	page_fail_nth(0);
	assert_int_equal(fd_next(t, 0), -1);
	assert_int_equal(fd_install(t, f, 100, 0), 100);
	fdtable_put(t);
	assert_int_equal(released, 1);
}

static int watches_gone_calls;

static void note_gone(struct file *f)
{
	assert_int_equal(f->refs, 0);
	assert_int_equal(released, 0);
	watches_gone_calls++;
}

static void watchers_hear_before_release(void **state)
{
	struct file *f = counted_file();

	(void)state;
	watches_gone_calls = 0;
	f->watches_gone = note_gone;
	file_put(file_get(f));
	assert_int_equal(watches_gone_calls, 0);
	file_put(f);
	assert_int_equal(watches_gone_calls, 1);
	assert_int_equal(released, 1);
}

static void kernel_buffers_move(void **state)
{
	char buf[8] = "abcdefg", out[8] = "";
	struct iobuf io = { .kernel = buf, .left = sizeof(buf) };

	(void)state;
	assert_int_equal(iobuf_get(&io, out, 3), 3);
	assert_memory_equal(out, "abc", 3);
	assert_int_equal(iobuf_put(&io, "XY", 2), 2);
	assert_int_equal(iobuf_zero(&io, 100), 3);
	assert_int_equal(io.left, 0);
	assert_memory_equal(buf, "abcXY\0\0\0", 8);
	assert_int_equal(iobuf_get(&io, out, 1), 0);
}

/* A large move gives way to others now and then. */
static void large_moves_give_way(void **state)
{
	enum { LARGE = 8 << 20, BETWEEN_MAX = 2 << 20 };
	char *from = malloc(LARGE), *to = malloc(LARGE);
	struct iobuf io = { .kernel = to, .left = LARGE };

	(void)state;
	assert_true(from && to);
	memset(from, 'x', LARGE);
	model_sched_points = 0;
	assert_int_equal(iobuf_put(&io, from, LARGE), LARGE);
	assert_true(model_sched_points >= LARGE / BETWEEN_MAX - 1);
	assert_memory_equal(from, to, LARGE);
	io = (struct iobuf){ .kernel = to, .left = LARGE };
	model_sched_points = 0;
	assert_int_equal(iobuf_zero(&io, LARGE), LARGE);
	assert_true(model_sched_points >= LARGE / BETWEEN_MAX - 1);
	assert_int_equal(to[LARGE - 1], 0);
	free(from);
	free(to);
}

/* No program is there, so every user address is bad: the first byte already fails. */
static void bad_user_buffers_fail(void **state)
{
	struct iobuf_segment segments[] = { { HVA(0), 0 }, { HVA(0x1000), 16 }, { HVA(0), 0 } };
	struct iobuf io = { .left = 16, .next = segments };
	char out[16];

	(void)state;
	assert_int_equal(iobuf_get(&io, out, sizeof(out)), -EFAULT);
	assert_int_equal(io.left, 16);
	io = (struct iobuf){ .left = 0, .next = segments };
	assert_int_equal(iobuf_put(&io, out, sizeof(out)), 0);
}

static void event_counters_count(void **state)
{
	struct file *f = eventfd_new(2, EVENTFD_COUNTER, O_NONBLOCK);
	struct eventfd *e = eventfd_get(f);
	struct iobuf io = { .kernel = &(u64){ 5 }, .left = 8 };
	struct waitq *wq;
	u64 count, pos = 0;

	(void)state;
	assert_non_null(e);
	assert_int_equal(f->ops->write(f, &io, &pos), 8);
	eventfd_signal(e, 1);
	assert_int_equal(f->ops->poll(f, &wq), POLLIN | POLLRDNORM | POLLOUT | POLLWRNORM);
	assert_ptr_equal(wq, eventfd_waitq(e));
	assert_true(eventfd_take(e, &count));
	assert_int_equal(count, 8);
	assert_false(eventfd_take(e, &count));
	io = (struct iobuf){ .kernel = &count, .left = 8 };
	assert_int_equal(f->ops->read(f, &io, &pos), -EAGAIN);
	io.left = 7;
	assert_int_equal(f->ops->read(f, &io, &pos), -EINVAL);
	/* Full: a write would wait, a signal sticks at the top. */
	count = UINT64_MAX - 1;
	io = (struct iobuf){ .kernel = &count, .left = 8 };
	assert_int_equal(f->ops->write(f, &io, &pos), 8);
	io = (struct iobuf){ .kernel = &(u64){ 1 }, .left = 8 };
	assert_int_equal(f->ops->write(f, &io, &pos), -EAGAIN);
	eventfd_signal(e, 7);
	assert_int_equal(f->ops->poll(f, &wq), POLLIN | POLLRDNORM | POLLERR);
	eventfd_put(e);
	file_put(f);
}

static void semaphores_give_one(void **state)
{
	struct file *f = eventfd_new(2, EVENTFD_SEMAPHORE, O_NONBLOCK);
	struct eventfd *e = eventfd_get(f);
	u64 count;

	(void)state;
	assert_true(eventfd_take(e, &count));
	assert_int_equal(count, 1);
	assert_true(eventfd_take(e, &count));
	assert_false(eventfd_take(e, &count));
	eventfd_put(e);
	file_put(f);
}

static u32 heard;

static void hear(struct waiter *w, u32 key)
{
	(void)w;
	heard = key;
}

/* The file's end is told; the counter stays for who is tied to it. */
static void who_is_tied_hears_of_the_last_close(void **state)
{
	struct file *f = eventfd_new(0, EVENTFD_COUNTER, 0), *other = counted_file();
	struct eventfd *e = eventfd_get(f);
	struct waiter w = { .fn = hear };
	u64 count;

	(void)state;
	assert_null(eventfd_get(other));
	file_put(other);
	waitq_add(eventfd_waitq(e), &w);
	file_put(file_get(f));
	assert_int_equal(heard, 0);
	file_put(f);
	assert_int_equal(heard, POLLHUP);
	waitq_remove(&w);
	eventfd_signal(e, 3);
	assert_true(eventfd_take(e, &count));
	assert_int_equal(count, 3);
	eventfd_put(e);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, power_on, power_off)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(lowest_free_descriptor_first),
		TEST(what_is_not_open_is_ebadf),
		TEST(the_limit_holds),
		TEST(a_reserved_descriptor_names_nothing),
		TEST(dup_shares_and_replace_closes),
		TEST(copies_are_apart),
		TEST(large_tables_go_in_steps),
		TEST(tables_end_with_reserved_descriptors),
		TEST(path_only_files_are_not_for_io),
		TEST(behaves_like_an_array),
		TEST(without_memory_nothing_changes),
		TEST(watchers_hear_before_release),
		TEST(kernel_buffers_move),
		TEST(large_moves_give_way),
		TEST(bad_user_buffers_fail),
		TEST(event_counters_count),
		TEST(semaphores_give_one),
		TEST(who_is_tied_hears_of_the_last_close),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
