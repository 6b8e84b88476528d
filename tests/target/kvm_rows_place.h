/* SPDX-License-Identifier: Apache-2.0 */
/* The memory behind the slot of a row: how each kind is made, and how events change it. */
#ifndef TESTS_TARGET_KVM_ROWS_PLACE_H
#define TESTS_TARGET_KVM_ROWS_PLACE_H

#include "tests/target/client.h"
#include "tests/target/kvm_rows.h"

enum {
	PLACE_SIZE = 2 * MIB,
	PLACE_SIZE_MAX = 1024 * MIB,
	/* In the page that is used: data, */
	CODE_AT = 0x400,
	TABLE_INDEX = 256, /* entries of a stage-1 table, of a page with its Access flag */
	OLD_INDEX = 257,   /* and of one without */
};

#define CONTENT	      0x0123456789abcdefUL
#define OTHER_CONTENT 0x5555aaaa33337777UL /* of what comes in its place */

struct place {
	const struct backing_kind *kind;
	struct facts facts;
	char *at; /* the window that all places share, for the time of a row */
	size_t size;
	int fd;		  /* of a file or node, or -1 */
	uint64_t content; /* what the page's first word is */
};

/* What all places share: the window, the device memory by another mapping, what a page holds. */
struct places {
	char *window;
	char *coherent; /* NULL: this machine has none */
	uint64_t table_entry;
	int gigabyte; /* a file, or -1 */
};

/* @table_entry: a descriptor of stage 1 with its Access flag. */
void places_init(struct places *places, uint64_t table_entry);
/* 1: made; 0: this host has no such memory. */
int place_make(struct places *places, struct place *p, const struct backing_kind *kind);
void place_end(struct places *places, struct place *p);
/* Can @event happen here (on this host)? */
int place_can(const struct places *places, enum event event);
/* Not EVENT_LOGGED, which is the slot's. */
void place_change(struct places *places, struct place *p, enum event event);
/* Somebody's fault got as far as the host mapping. */
void place_was_faulted(struct place *p);
/* The word @index of the page that is used, as the program sees it; it must be readable. */
uint64_t place_word(const struct place *p, unsigned index);
/* Calls of the write notification. */
uint64_t place_write_notifies(const struct place *p);

#endif
