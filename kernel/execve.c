/* SPDX-License-Identifier: Apache-2.0 */
/* The system call execve: a program's strings, taken in, and what a process loses by it. */
#include <linux/fcntl.h>
#include <stdio.h>

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
	/* Before anybody can see that the exec is done. */
	spin_lock(&process_tree_lock);
	p->has_execed = true;
	spin_unlock(&process_tree_lock);
	fdtable_close_on_exec(p->files);
	process_end_vfork(p);
}

/* ---- scripts: a file that begins with "#!" names the program that is run with it */

/* Linux's: what is read of the first line, and interpreters that are scripts themselves. */
enum { SCRIPT_LINE = 256, SCRIPT_DEPTH = 5 };

/* One script's first line, and the arguments it leads to; they live until the program is loaded. */
struct script {
	struct script *outer; /* the one this is an interpreter of */
	char line[SCRIPT_LINE];
	char *interpreter;
	char *argument; /* NULL: none */
	const char **args;
};

static bool is_blank(char c)
{
	return c == ' ' || c == '\t';
}

/* Ends the word at @s; what follows it, blanks skipped. */
static char *end_word(char *s)
{
	while (*s && !is_blank(*s))
		s++;
	if (!*s)
		return s;
	*s++ = '\0';
	while (is_blank(*s))
		s++;
	return s;
}

/*
 * Takes the line behind "#!" apart: a program and at most one argument, blanks and all. -ENOEXEC:
 * nothing is named, or the program's name may go on beyond what was read.
 */
static int take_line(struct script *s, size_t read)
{
	char *start = s->line + 2, *end = memchr(s->line, '\n', read);
	bool whole = end || read < SCRIPT_LINE - 1;

	if (!end)
		end = s->line + read;
	while (end > start && is_blank(end[-1]))
		end--;
	*end = '\0';
	while (is_blank(*start))
		start++;
	if (!*start)
		return -ENOEXEC;
	s->interpreter = start;
	start = end_word(start);
	if (!whole && !*start)
		return -ENOEXEC;
	s->argument = *start ? start : NULL;
	return 0;
}

/* Reads @f's first line: 1, 0: it is no script, or an error. */
static int read_line(struct script *s, struct file *f)
{
	s64 n = vfs_read_kernel(f, s->line, SCRIPT_LINE - 1, 0);
	int err;

	if (n < 0)
		return (int)n;
	if (n < 2 || s->line[0] != '#' || s->line[1] != '!')
		return 0;
	err = take_line(s, (size_t)n);
	return err ? err : 1;
}

/* The interpreter's arguments: its name, the script's argument, the script, and the script's own
 * but the name. */
static int put_args(struct script *s, struct exec_request *req, const char *name)
{
	const struct exec_strings *old = &req->args;
	unsigned int n = 0;

	s->args = kmalloc((old->count + 2) * sizeof(*s->args));
	if (!s->args)
		return -ENOMEM;
	s->args[n++] = s->interpreter;
	if (s->argument)
		s->args[n++] = s->argument;
	s->args[n++] = name;
	for (unsigned int i = 1; i < old->count; i++)
		s->args[n++] = old->v[i];
	req->args = (struct exec_strings){ s->args, n };
	return 0;
}

/* Puts the interpreter in the place of the script that @req names. */
static int enter_script(struct script *s, struct exec_request *req)
{
	const char *name = s->outer ? s->outer->interpreter : req->path;
	struct file *f;
	int err = put_args(s, req, name);

	if (err)
		return err;
	f = vfs_open_exec(AT_FDCWD, s->interpreter, 0);
	if (IS_ERR(f))
		return (int)PTR_ERR(f);
	file_put(req->file);
	req->file = f;
	return 0;
}

/* Goes from script to interpreter until there is a program; *@scripts is to be freed. */
static int enter_scripts(struct exec_request *req, struct script **scripts)
{
	for (int depth = 0;; depth++) {
		struct script *s = kzalloc(sizeof(*s));
		int is_script;

		if (!s)
			return -ENOMEM;
		s->outer = *scripts;
		*scripts = s;
		is_script = read_line(s, req->file);
		if (is_script > 0)
			is_script = depth == SCRIPT_DEPTH ? -ELOOP : enter_script(s, req) ?: 1;
		if (is_script <= 0)
			return is_script;
	}
}

static void free_scripts(struct script *s)
{
	while (s) {
		struct script *outer = s->outer;

		kfree(s->args);
		kfree(s);
		s = outer;
	}
}

static int exec_file(struct exec_request *req, int dirfd, const char *path, int at_flags)
{
	struct thread *t = current_thread();
	struct script *scripts = NULL;
	int err;

	req->file = vfs_open_exec(dirfd, path, at_flags);
	if (IS_ERR(req->file))
		return (int)PTR_ERR(req->file);
	err = enter_scripts(req, &scripts);
	if (!err)
		err = exec_load(req, thread_regs(t));
	free_scripts(scripts);
	file_put(req->file);
	if (!err)
		forget_old_program(t);
	return err;
}

/* By which name the program, or the interpreter of a script, finds the file: as Linux has it. */
static void name_by_fd(char shown[VFS_PATH_MAX], int dirfd, const char *path)
{
	if (dirfd == AT_FDCWD || *path == '/')
		snprintf(shown, VFS_PATH_MAX, "%s", path);
	else
		snprintf(shown, VFS_PATH_MAX, "/dev/fd/%d%s%s", dirfd, *path ? "/" : "", path);
}

static s64 do_exec(int dirfd, hva_t path, hva_t argv, hva_t envp, int at_flags)
{
	struct taken s = {
		.bytes = kmalloc(STRINGS_MAX),
		.pointers = kmalloc((2 * COUNT_MAX + 1) * sizeof(char *)),
	};
	char *name = kmalloc(VFS_PATH_MAX), *shown = kmalloc(VFS_PATH_MAX);
	struct exec_request req = { .path = shown };
	s64 err = -ENOMEM;

	if (s.bytes && s.pointers && name && shown)
		err = strncpy_from_user(name, path, VFS_PATH_MAX);
	if (err >= 0)
		err = take_request(&s, &req, argv, envp);
	if (!err) {
		name_by_fd(shown, dirfd, name);
		err = exec_file(&req, dirfd, name, at_flags);
	}
	kfree(shown);
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
