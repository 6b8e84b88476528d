/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Sets of epoll within sets: how deep they may lie, however the chain is built, and what a wake-up
 * at the bottom does at the top.
 */
#define _GNU_SOURCE
#include "tests/target/check.h"

#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

enum { DEEPEST = 5, CHAIN = 200, LEVELS = 5, WIDTH = 50 };

static int add(int set, int fd)
{
	struct epoll_event event = { .events = EPOLLIN };

	return epoll_ctl(set, EPOLL_CTL_ADD, fd, &event);
}

static void make_sets(int *sets, int count)
{
	for (int i = 0; i < count; i++) {
		sets[i] = epoll_create1(EPOLL_CLOEXEC);
		REQUIRE(sets[i] >= 0);
	}
}

static void close_all(const int *fds, int count)
{
	for (int i = 0; i < count; i++)
		close(fds[i]);
}

/* An event in @bottom is seen at @top. */
static void check_wakes(int top, int bottom)
{
	struct epoll_event got;
	int event = eventfd(0, 0);

	CHECK_OK(add(bottom, event));
	CHECK_EQ(epoll_wait(top, &got, 1, 0), 0);
	CHECK_EQ(eventfd_write(event, 1), 0);
	CHECK_EQ(epoll_wait(top, &got, 1, 1000), 1);
	close(event);
}

/* The first set gets the second, then the second the third, and so on. */
static void check_from_top(void)
{
	int sets[CHAIN];

	make_sets(sets, CHAIN);
	for (int i = 0; i + 1 < CHAIN; i++) {
		if ((i + 1) % DEEPEST)
			CHECK_OK(add(sets[i], sets[i + 1]));
		else
			CHECK_FAILS(add(sets[i], sets[i + 1]), ELOOP);
	}
	for (int i = 0; i < CHAIN; i += DEEPEST)
		check_wakes(sets[i], sets[i + DEEPEST - 1]);
	close_all(sets, CHAIN);
}

static void check_from_bottom(void)
{
	int sets[DEEPEST + 1];

	make_sets(sets, DEEPEST + 1);
	for (int i = DEEPEST - 1; i > 0; i--)
		CHECK_OK(add(sets[i], sets[i + 1]));
	CHECK_FAILS(add(sets[0], sets[1]), ELOOP);
	check_wakes(sets[1], sets[DEEPEST]);
	close_all(sets, DEEPEST + 1);
}

/* Two chains of three are one of six. */
static void check_joined(void)
{
	int sets[6];

	make_sets(sets, 6);
	for (int i = 0; i < 5; i++)
		if (i != 2)
			CHECK_OK(add(sets[i], sets[i + 1]));
	CHECK_FAILS(add(sets[2], sets[3]), ELOOP);
	CHECK_OK(add(sets[1], sets[3]));
	close_all(sets, 6);
}

static void check_loops(void)
{
	int sets[3];

	make_sets(sets, 3);
	CHECK_FAILS(add(sets[0], sets[0]), EINVAL);
	CHECK_OK(add(sets[0], sets[1]));
	CHECK_OK(add(sets[1], sets[2]));
	CHECK_FAILS(add(sets[1], sets[0]), ELOOP);
	CHECK_FAILS(add(sets[2], sets[0]), ELOOP);
	close_all(sets, 3);
}

/* All of each level in all of the one above: far more ways down than there are sets. */
static void check_wide(void)
{
	static int sets[LEVELS][WIDTH];
	int event = eventfd(1, 0);

	for (int i = 0; i < LEVELS; i++)
		make_sets(sets[i], WIDTH);
	for (int i = LEVELS - 2; i >= 0; i--)
		for (int up = 0; up < WIDTH; up++)
			for (int down = 0; down < WIDTH; down++)
				check_note(add(sets[i][up], sets[i + 1][down]) == 0);
	CHECK_FAILS(add(sets[LEVELS - 1][0], sets[0][0]), ELOOP);
	/* An event would go all the ways up at once. */
	CHECK_FAILS(add(sets[LEVELS - 1][0], event), EINVAL);
	CHECK_OK(add(sets[0][0], event));
	close(event);
	for (int i = 0; i < LEVELS; i++)
		close_all(sets[i], WIDTH);
}

/* One set in many is fine; those in many others, too, are more than one event may wake. */
static void check_ways(void)
{
	int bottom = epoll_create1(0), event = eventfd(0, 0), middle[WIDTH], top[WIDTH];
	int refused = 0;

	make_sets(middle, WIDTH);
	make_sets(top, WIDTH);
	CHECK_OK(add(bottom, event));
	for (int i = 0; i < WIDTH; i++)
		CHECK_OK(add(middle[i], bottom));
	for (int i = 0; i < WIDTH && !refused; i++)
		for (int j = 0; j < WIDTH && !refused; j++)
			refused = add(top[i], middle[j]) ? errno : 0;
	CHECK_EQ(refused, EINVAL);
	check_wakes(top[0], bottom);
	close(event);
	close(bottom);
	close_all(middle, WIDTH);
	close_all(top, WIDTH);
}

int main(void)
{
	check_from_top();
	check_from_bottom();
	check_joined();
	check_loops();
	check_wide();
	check_ways();
	return check_done("epolls");
}
