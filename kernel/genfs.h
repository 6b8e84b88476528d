/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Generated files: text that is made when a program reads it, for /proc and /sys. A file is a row
 * of a table: where it is and the function that writes it.
 */
#ifndef KERNEL_GENFS_H
#define KERNEL_GENFS_H

#include "kernel/inode.h"

/* Text that grows as it is written. */
struct gen_text {
	char *buf;
	size_t len, size;
	bool failed; /* memory is out: the text is not whole */
};
void gen_printf(struct gen_text *t, const char *fmt, ...) __printf(2, 3);
void gen_bytes(struct gen_text *t, const void *bytes, size_t n);

struct gen_file {
	const char *path; /* absolute, or the name in a generated directory */
	u32 mode;	  /* permissions */
	/* Writes the content; @tag is the inode's (a thread id, ...). 0 or an error. May sleep. */
	int (*show)(struct gen_text *t, u64 tag);
	/* Takes what a program wrote, NUL-terminated, without its last newline; NULL: -EIO. */
	int (*store)(const char *text, u64 tag);
};

/* A new inode for @file, whose functions get @tag; ERR_PTR. */
struct inode *gen_inode(enum vfs_fs fs, const struct gen_file *file, u64 tag);
/* Adds all of a table, with the directories above; panics when memory is out. Boot only. */
void gen_add_all(enum vfs_fs fs, const struct gen_file *files, size_t count);
/* An unsigned number in decimal that fills all of @text; false if it is none. */
bool gen_parse_u64(const char *text, u64 *value);

#endif
