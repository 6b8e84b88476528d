/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Switching between stacks, with what the address sanitizer must be told about it: it keeps the
 * bounds of the stack in use, and a store of frames for each (sanitizer/common_interface_defs.h).
 */
#ifndef PORT_MODEL_FIBER_H
#define PORT_MODEL_FIBER_H

#include <stddef.h>
#include <ucontext.h>

#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define FIBERS_ARE_WATCHED
#endif
#elif defined(__SANITIZE_ADDRESS__)
#define FIBERS_ARE_WATCHED
#endif

struct fiber {
	ucontext_t context;
	const void *stack; /* lowest address; NULL: not known yet */
	size_t size;
};

#ifdef FIBERS_ARE_WATCHED
#include <sanitizer/common_interface_defs.h>

static inline void fiber_leaves(void **store, const struct fiber *to)
{
	__sanitizer_start_switch_fiber(store, to->stack, to->size);
}

static inline void fiber_arrives(void *store, const void **from_stack, size_t *from_size)
{
	__sanitizer_finish_switch_fiber(store, from_stack, from_size);
}
#else
static inline void fiber_leaves(void **store, const struct fiber *to)
{
	(void)store;
	(void)to;
}

static inline void fiber_arrives(void *store, const void **from_stack, size_t *from_size)
{
	(void)store;
	(void)from_stack;
	(void)from_size;
}
#endif

/* Goes to @to; returns when somebody comes back to @from. */
static inline void fiber_switch(struct fiber *from, struct fiber *to)
{
	void *store = NULL;

	fiber_leaves(&store, to);
	(void)swapcontext(&from->context, &to->context);
	fiber_arrives(store, NULL, NULL);
}

/* The first thing a new fiber does. @from: whence it was entered, whose bounds are learnt. */
static inline void fiber_begin(struct fiber *from)
{
	const void *stack = NULL;
	size_t size = 0;

	fiber_arrives(NULL, &stack, &size);
	if (!from->stack) {
		from->stack = stack;
		from->size = size;
	}
}

/* Goes to @to for ever. */
static inline void fiber_end(struct fiber *to)
{
	fiber_leaves(NULL, to);
	(void)setcontext(&to->context);
}

#endif
