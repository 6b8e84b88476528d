/* SPDX-License-Identifier: Apache-2.0 */
/* The system call execve: a program's strings, taken in, and what a process loses by it. */
#include <linux/fcntl.h>

#include "host/page.h"
#include "host/string.h"
#include "kernel/posix_timer.h"
#include "kernel/process.h"
#include "kernel/syscalls.h"
#include "kernel/vfs.h"

/* The strings of both vectors together, as for the first program. */
#define STRINGS_MAX (128UL * 1024)
#define COUNT_MAX   4096U

struct taken {
	char *bytes;
	size_t used;
	const char **pointers; /* args, then env */
	unsigned int count;
};

/* Takes in one string. 0, -E2BIG, -EFAULT. */
static int take_string(struct taken *s, hva_t from)
{
	s64 n;

	if (s->count == 2 * COUNT_MAX || s->used == STRINGS_MAX)
		return -E2BIG;
	n = strncpy_from_user(s->bytes + s->used, from, STRINGS_MAX - s->used);
	if (n < 0)
		return n == -ENAMETOOLONG ? -E2BIG : (int)n;
	s->pointers[s->count++] = s->bytes + s->used;
	s->used += (size_t)n + 1;
	return 0;
}

/* Takes in a vector up to its NULL; no vector is an empty one. Its length, or an error. */
static int take_vector(struct taken *s, hva_t vector)
{
	int count = 0, err;
	u64 from;

	if (!vector.v)
		return 0;
	for (;; count++) {
		if (copy_from_user(&from, HVA(vector.v + (u64)count * sizeof(from)), sizeof(from)))
			return -EFAULT;
		if (!from)
			return count;
		err = take_string(s, HVA(from));
		if (err)
			return err;
	}
}

static int take_request(struct taken *s, struct exec_request *req, hva_t argv, hva_t envp)
{
	int argc = take_vector(s, argv), envc;

	if (argc < 0)
		return argc;
	if (argc == 0) {
		/* As Linux: nobody is started without a name. */
		s->pointers[s->count++] = "";
		argc = 1;
	}
	envc = take_vector(s, envp);
	if (envc < 0)
		return envc;
	req->args = (struct exec_strings){ s->pointers, (unsigned int)argc };
	req->env = (struct exec_strings){ s->pointers + argc, (unsigned int)envc };
	return 0;
}

/* What belongs to the program that was. */
static void forget_old_program(struct thread *t)
{
	struct process *p = t->process;

	signals_reset_handlers(p);
	posix_timers_delete(p);
	t->signals.altstack = (stack_t){ .ss_flags = SS_DISABLE };
	t->set_child_tid = HVA(0);
	t->clear_child_tid = HVA(0);
	t->robust_list = HVA(0);
	t->rseq = HVA(0);
	t->restart.fn = NULL;
	fdtable_close_on_exec(p->files);
	process_end_vfork(p);
}

static int exec_file(struct exec_request *req, int dirfd, int at_flags)
{
	struct thread *t = current_thread();
	int err;

	req->file = vfs_open_exec(dirfd, req->path, at_flags);
	if (IS_ERR(req->file))
		return (int)PTR_ERR(req->file);
	err = exec_load(req, thread_regs(t));
	file_put(req->file);
	if (!err)
		forget_old_program(t);
	return err;
}

static s64 do_exec(int dirfd, hva_t path, hva_t argv, hva_t envp, int at_flags)
{
	struct taken s = {
		.bytes = kmalloc(STRINGS_MAX),
		.pointers = kmalloc((2 * COUNT_MAX + 1) * sizeof(char *)),
	};
	char *name = kmalloc(VFS_PATH_MAX);
	struct exec_request req = { .path = name };
	s64 err = -ENOMEM;

	if (s.bytes && s.pointers && name)
		err = strncpy_from_user(name, path, VFS_PATH_MAX);
	if (err >= 0)
		err = take_request(&s, &req, argv, envp);
	if (!err)
		err = exec_file(&req, dirfd, at_flags);
	kfree(name);
	kfree(s.pointers);
	kfree(s.bytes);
	return err;
}

s64 sys_execve(const u64 a[6])
{
	return do_exec(AT_FDCWD, HVA(a[0]), HVA(a[1]), HVA(a[2]), 0);
}

s64 sys_execveat(const u64 a[6])
{
	return do_exec((int)a[0], HVA(a[1]), HVA(a[2]), HVA(a[3]), (int)a[4]);
}
