/* SPDX-License-Identifier: Apache-2.0 */
/*
 * /proc/PID and /proc/PID/task/TID: what a process looks like to others, and to itself.
 */
#include <stdio.h>
#include <string.h>

#include "host/mm.h"
#include "host/page.h"
#include "kernel/page_files.h"
#include "kernel/procfs.h"
#include "kernel/sched.h"
#include "kernel/time.h"
#include "kernel/tty.h"

/* Nanoseconds of one clock tick of user space (USER_HZ is 100). */
enum { NS_PER_TICK = 10000000 };

/* ---- finding the thread behind a tag */
static struct thread *tagged_thread(u64 tag)
{
	struct thread *thread = thread_find((s32)tag);

	if (thread && !thread->process) {
		thread_put(thread);
		return NULL;
	}
	return thread;
}

/* The file context of a process, counted, or NULL if it has none any more. */
static struct fs_context *proc_fs(struct process *p)
{
	struct fs_context *fs;

	spin_lock(&p->lock);
	fs = p->fs ? fs_context_get(p->fs) : NULL;
	spin_unlock(&p->lock);
	return fs;
}

/* Its descriptors, likewise. */
static struct fdtable *proc_files(struct process *p)
{
	struct fdtable *files;

	spin_lock(&p->lock);
	files = p->files ? fdtable_get(p->files) : NULL;
	spin_unlock(&p->lock);
	return files;
}

/* One letter as ps shows it. */
static char state_letter(const struct thread *thread)
{
	if (thread->process->zombie)
		return 'Z';
	if (thread->process->signals.stopped_threads)
		return 'T';
	switch (thread->se.state) {
	case THREAD_RUNNABLE: return 'R';
	case THREAD_SLEEPING: return thread->se.sleep_kind == SLEEP_INTERRUPTIBLE ? 'S' : 'D';
	default: return 'X';
	}
}

static const char *state_word(char letter)
{
	switch (letter) {
	case 'R': return "running";
	case 'S': return "sleeping";
	case 'D': return "disk sleep";
	case 'T': return "stopped";
	case 'Z': return "zombie";
	default: return "dead";
	}
}

/* ---- files. Each takes the thread, which it does not own. */
static void show_comm(struct gen_text *t, struct thread *thread)
{
	gen_printf(t, "%s\n", thread->task.comm);
}

/* Bytes of its memory, as far as they are in memory: where nobody else is at it, they are. */
static void show_user_range(struct gen_text *t, struct thread *thread, hva_t start, hva_t end)
{
	struct mm *mm = proc_mm(thread->process);
	char chunk[256];

	while (mm && start.v < end.v) {
		size_t n = mm_read_mapped(mm, start, chunk, min(end.v - start.v, sizeof(chunk)));

		if (!n)
			break;
		gen_bytes(t, chunk, n);
		start.v += n;
	}
	if (mm)
		mm_put(mm);
}

static void show_cmdline(struct gen_text *t, struct thread *thread)
{
	show_user_range(t, thread, thread->process->arg_start, thread->process->arg_end);
}

static void show_environ(struct gen_text *t, struct thread *thread)
{
	show_user_range(t, thread, thread->process->env_start, thread->process->env_end);
}

static struct mm_counts thread_mem(struct thread *thread)
{
	struct mm *mm = proc_mm(thread->process);
	struct mm_counts counts = { 0 };

	if (mm) {
		counts = mm_get_counts(mm);
		mm_put(mm);
	}
	return counts;
}

static s32 parent_pid(struct process *p)
{
	s32 pid;

	spin_lock(&process_tree_lock);
	pid = p->parent ? p->parent->pid : 0;
	spin_unlock(&process_tree_lock);
	return pid;
}

/* proc(5) numbers the fields; those that mean nothing here are 0. */
static void show_stat(struct gen_text *t, struct thread *thread)
{
	struct process *p = thread->process;
	struct mm_counts mem = thread_mem(thread);
	struct tty_of_process tty = tty_of(p);
	u64 ticks = process_runtime_ns(p) / NS_PER_TICK;

	gen_printf(t, "%d (%s) %c %d %d %d %u %d 4194304 %lu 0 0 0 ", thread->task.tid,
		   thread->task.comm, state_letter(thread), parent_pid(p), p->pgid, p->sid,
		   tty.device, tty.foreground, thread->faults_minor);
	gen_printf(t, "%lu 0 %lu 0 20 0 %u 0 %lu %lu %lu 18446744073709551615 ", ticks,
		   p->children_runtime_ns / NS_PER_TICK, p->thread_count, p->start_ns / NS_PER_TICK,
		   mem.total_pages * PAGE_SIZE, mem.resident_pages);
	gen_printf(t, "0 0 0 0 0 0 0 0 0 0 0 0 %d %u 0 0 0 0 0 0 0 0 %lu %lu %lu %lu 0\n",
		   p->exit_signal, thread->se.last_cpu, p->arg_start.v, p->arg_end.v,
		   p->env_start.v, p->env_end.v);
}

static void show_statm(struct gen_text *t, struct thread *thread)
{
	struct mm_counts mem = thread_mem(thread);

	gen_printf(t, "%lu %lu 0 0 0 %lu 0\n", mem.total_pages, mem.resident_pages, mem.brk_pages);
}

static void show_status_memory(struct gen_text *t, struct thread *thread)
{
	struct mm_counts mem = thread_mem(thread);
	u64 kb = PAGE_SIZE / SZ_1K;

	gen_printf(t, "VmSize:\t%8lu kB\nVmRSS:\t%8lu kB\nVmData:\t%8lu kB\n", mem.total_pages * kb,
		   mem.resident_pages * kb, mem.brk_pages * kb);
}

static void show_status(struct gen_text *t, struct thread *thread)
{
	struct process *p = thread->process;
	struct fs_context *fs = proc_fs(p);
	u32 umask = fs ? fs->umask : 0;
	char state = state_letter(thread);
	u64 cpus = sched_get_affinity(thread);

	gen_printf(t, "Name:\t%s\nUmask:\t0%u%u%u\nState:\t%c (%s)\n", thread->task.comm,
		   umask >> 6 & 7, umask >> 3 & 7, umask & 7, state, state_word(state));
	if (fs)
		fs_context_put(fs);
	gen_printf(t, "Tgid:\t%d\nNgid:\t0\nPid:\t%d\nPPid:\t%d\nTracerPid:\t0\n", p->pid,
		   thread->task.tid, parent_pid(p));
	gen_printf(t, "Uid:\t0\t0\t0\t0\nGid:\t0\t0\t0\t0\nFDSize:\t64\nGroups:\t\n");
	show_status_memory(t, thread);
	gen_printf(t, "Threads:\t%u\n", p->thread_count);
	gen_printf(t, "SigPnd:\t%016lx\nSigBlk:\t%016lx\n", thread->signals.pending.set,
		   thread->signals.blocked);
	gen_printf(t, "Cpus_allowed:\t%lx\n", cpus);
	gen_printf(t, "voluntary_ctxt_switches:\t%lu\nnonvoluntary_ctxt_switches:\t0\n",
		   thread->se.switches);
}

static void show_schedstat(struct gen_text *t, struct thread *thread)
{
	gen_printf(t, "%lu %lu %lu\n", sched_runtime_ns(thread), thread->se.wait_ns,
		   thread->se.switches);
}

static const struct {
	const char *name, *unit;
} limit_names[RLIM_NLIMITS] = {
	[RLIMIT_CPU] = { "Max cpu time", "seconds" },
	[RLIMIT_FSIZE] = { "Max file size", "bytes" },
	[RLIMIT_DATA] = { "Max data size", "bytes" },
	[RLIMIT_STACK] = { "Max stack size", "bytes" },
	[RLIMIT_CORE] = { "Max core file size", "bytes" },
	[RLIMIT_RSS] = { "Max resident set", "bytes" },
	[RLIMIT_NPROC] = { "Max processes", "processes" },
	[RLIMIT_NOFILE] = { "Max open files", "files" },
	[RLIMIT_MEMLOCK] = { "Max locked memory", "bytes" },
	[RLIMIT_AS] = { "Max address space", "bytes" },
	[RLIMIT_LOCKS] = { "Max file locks", "locks" },
	[RLIMIT_SIGPENDING] = { "Max pending signals", "signals" },
	[RLIMIT_MSGQUEUE] = { "Max msgqueue size", "bytes" },
	[RLIMIT_NICE] = { "Max nice priority", "" },
	[RLIMIT_RTPRIO] = { "Max realtime priority", "" },
	[RLIMIT_RTTIME] = { "Max realtime timeout", "us" },
};

static void show_limit(struct gen_text *t, u64 value)
{
	if (value == (u64)RLIM_INFINITY)
		gen_printf(t, "%-20s ", "unlimited");
	else
		gen_printf(t, "%-20lu ", value);
}

static void show_limits(struct gen_text *t, struct thread *thread)
{
	const struct rlimit *limits = thread->process->limits;

	gen_printf(t, "%-25s %-20s %-20s %-10s\n", "Limit", "Soft Limit", "Hard Limit", "Units");
	for (size_t i = 0; i < RLIM_NLIMITS; i++) {
		gen_printf(t, "%-25s ", limit_names[i].name);
		show_limit(t, limits[i].rlim_cur);
		show_limit(t, limits[i].rlim_max);
		gen_printf(t, "%-10s\n", limit_names[i].unit);
	}
}

static void show_mounts(struct gen_text *t, struct thread *thread)
{
	(void)thread;
	gen_printf(t, "rootfs / rootfs rw 0 0\ndevtmpfs /dev devtmpfs rw 0 0\n");
	gen_printf(t, "tmpfs /dev/shm tmpfs rw 0 0\nproc /proc proc rw 0 0\n");
	gen_printf(t, "sysfs /sys sysfs rw 0 0\n");
	gen_printf(t, "hugetlbfs /dev/hugepages hugetlbfs rw,pagesize=2M 0 0\n");
	gen_printf(t, "hugetlbfs /dev/hugepages-1G hugetlbfs rw,pagesize=1024M 0 0\n");
}

/* Wraps a show function that wants the thread into one that gen_file can hold. */
#define SHOW_THREAD(name)                                                                          \
	static int gen_##name(struct gen_text *t, u64 tag)                                         \
	{                                                                                          \
		struct thread *thread = tagged_thread(tag);                                        \
                                                                                                   \
		if (!thread)                                                                       \
			return -ESRCH;                                                             \
		name(t, thread);                                                                   \
		thread_put(thread);                                                                \
		return 0;                                                                          \
	}
SHOW_THREAD(show_comm)
SHOW_THREAD(show_cmdline)
SHOW_THREAD(show_environ)
SHOW_THREAD(show_stat)
SHOW_THREAD(show_statm)
SHOW_THREAD(show_status)
SHOW_THREAD(show_schedstat)
SHOW_THREAD(show_limits)
SHOW_THREAD(show_mounts)

static int store_comm(const char *text, u64 tag)
{
	struct thread *thread = tagged_thread(tag);

	if (!thread)
		return -ESRCH;
	thread_set_name(thread, text);
	thread_put(thread);
	return 0;
}

/* As Linux's with CONFIG_FAULT_INJECTION: the n-th allocation of the thread from now on fails. */
static int show_fail_nth(struct gen_text *t, u64 tag)
{
	struct thread *thread = tagged_thread(tag);

	if (!thread)
		return -ESRCH;
	gen_printf(t, "%u\n", __atomic_load_n(&thread->task.fail_nth, __ATOMIC_RELAXED));
	thread_put(thread);
	return 0;
}

static int store_fail_nth(const char *text, u64 tag)
{
	struct thread *thread;
	u64 n;

	if (!gen_parse_u64(text, &n) || n > INT32_MAX)
		return -EINVAL;
	thread = tagged_thread(tag);
	if (!thread)
		return -ESRCH;
	__atomic_store_n(&thread->task.fail_nth, (u32)n, __ATOMIC_RELAXED);
	thread_put(thread);
	return 0;
}

static const struct gen_file pid_files[] = {
	{ "cmdline", 0444, gen_show_cmdline, NULL },
	{ "comm", 0644, gen_show_comm, store_comm },
	{ "environ", 0400, gen_show_environ, NULL },
	{ "fail-nth", 0644, show_fail_nth, store_fail_nth },
	{ "limits", 0444, gen_show_limits, NULL },
	{ "maps", 0444, proc_show_maps, NULL },
	{ "mounts", 0444, gen_show_mounts, NULL },
	{ "schedstat", 0444, gen_show_schedstat, NULL },
	{ "smaps", 0444, proc_show_smaps, NULL },
	{ "stat", 0444, gen_show_stat, NULL },
	{ "statm", 0444, gen_show_statm, NULL },
	{ "status", 0444, gen_show_status, NULL },
};

/* ---- links */
static s64 copy_target(char *target, size_t size, const char *text)
{
	size_t n = min(strlen(text), size);

	memcpy(target, text, n);
	return (s64)n;
}

static s64 exe_readlink(struct inode *link, char *target, size_t size)
{
	struct thread *thread = tagged_thread(link->tag);
	s64 n = -ENOENT;

	if (!thread)
		return n;
	/* An exec frees the old one. */
	spin_lock(&thread->process->lock);
	if (thread->process->exe_path)
		n = copy_target(target, size, thread->process->exe_path);
	spin_unlock(&thread->process->lock);
	thread_put(thread);
	return n;
}

/* Under tree_lock, as all of a walk. */
static s64 cwd_readlink(struct inode *link, char *target, size_t size)
{
	struct thread *thread = tagged_thread(link->tag);
	struct fs_context *fs = thread ? proc_fs(thread->process) : NULL;
	char *path = fs ? path_of(fs->cwd, NULL) : ERR_PTR(-ENOENT);
	s64 n;

	if (fs)
		fs_context_put(fs);
	n = IS_ERR(path) ? PTR_ERR(path) : copy_target(target, size, path);
	if (!IS_ERR(path))
		kfree(path);
	if (thread)
		thread_put(thread);
	return n;
}

static s64 root_readlink(struct inode *link, char *target, size_t size)
{
	(void)link;
	return copy_target(target, size, "/");
}

/* The file that descriptor @link->priv of the thread names, counted, or NULL. */
static struct file *fd_link_file(struct inode *link)
{
	struct thread *thread = tagged_thread(link->tag);
	struct fdtable *files = thread ? proc_files(thread->process) : NULL;
	struct file *f = files ? fd_get_raw(files, (int)(intptr_t)link->priv) : NULL;

	if (files)
		fdtable_put(files);
	if (thread)
		thread_put(thread);
	return f;
}

static s64 fd_readlink(struct inode *link, char *target, size_t size)
{
	struct file *f = fd_link_file(link);
	char name[64];
	s64 n;

	if (!f)
		return -ENOENT;
	if (f->path) {
		n = copy_target(target, size, f->path);
	} else {
		struct stat st = { 0 };
		bool numbered =
			strcmp(f->ops->name, "pipe") == 0 || strcmp(f->ops->name, "socket") == 0;

		if (numbered && f->ops->stat(f, &st) == 0)
			snprintf(name, sizeof(name), "%s:[%lu]", f->ops->name, st.st_ino);
		else
			snprintf(name, sizeof(name), "%s", f->ops->name);
		n = copy_target(target, size, name);
	}
	file_put(f);
	return n;
}

static struct inode *fd_follow(struct inode *link)
{
	struct file *f = fd_link_file(link);
	struct inode *inode;

	if (!f)
		return ERR_PTR(-ENOENT);
	inode = file_inode(f);
	if (inode)
		inode_get(inode);
	else
		inode = inode_of_open_file(f);
	file_put(f);
	return inode;
}

static const struct inode_ops exe_ops = { .readlink = exe_readlink };
static const struct inode_ops cwd_ops = { .readlink = cwd_readlink };
static const struct inode_ops root_ops = { .readlink = root_readlink };
static const struct inode_ops fd_link_ops = { .readlink = fd_readlink, .follow = fd_follow };

static const struct {
	const char *name;
	const struct inode_ops *ops;
} pid_links[] = {
	{ "cwd", &cwd_ops },
	{ "exe", &exe_ops },
	{ "root", &root_ops },
};

/* ---- directories */
static struct inode *child_dir(struct inode *parent, u64 tag, u32 mode, const struct inode_ops *ops)
{
	struct inode *dir = inode_new_dir(FS_PROC, mode, ops);

	if (IS_ERR(dir))
		return dir;
	dir->parent = inode_get(parent);
	dir->tag = tag;
	return dir;
}

static struct inode *dir_named(struct inode *dir, const char *name)
{
	size_t size = strlen(name) + 1;

	if (IS_ERR(dir))
		return dir;
	dir->name = kmalloc(size);
	if (!dir->name) {
		inode_put(dir);
		return ERR_PTR(-ENOMEM);
	}
	memcpy(dir->name, name, size);
	return dir;
}

static bool parse_number(const char *name, s32 *n)
{
	u64 value;

	if (!gen_parse_u64(name, &value) || value > INT32_MAX || (*name == '0' && name[1]))
		return false;
	*n = (s32)value;
	return true;
}

/* Emits the number @n as a name; the entry's position is @n + 2, so that going on finds the next.
 */
static bool emit_number(struct dir_sink *sink, s32 n, u8 type, u64 *pos)
{
	char name[12];

	snprintf(name, sizeof(name), "%d", n);
	if (!sink->emit(sink, name, (u64)n + 1000, type, (u64)n + 3))
		return false;
	*pos = (u64)n + 3;
	return true;
}

/* /proc/PID/fd */
static struct inode *fd_dir_lookup(struct inode *dir, const char *name)
{
	struct inode *link;
	struct file *f;
	s32 fd;

	if (!parse_number(name, &fd))
		return ERR_PTR(-ENOENT);
	link = inode_alloc(FS_PROC, S_IFLNK | 0700, &fd_link_ops);
	if (IS_ERR(link))
		return link;
	link->tag = dir->tag;
	link->priv = (void *)(intptr_t)fd;
	f = fd_link_file(link);
	if (!f) {
		inode_put(link);
		return ERR_PTR(-ENOENT);
	}
	link->nlink = 1;
	file_put(f);
	return link;
}

static int fd_dir_iterate(struct inode *dir, struct dir_sink *sink, u64 *pos)
{
	struct thread *thread = tagged_thread(dir->tag);
	struct fdtable *files = thread ? proc_files(thread->process) : NULL;

	if (!thread)
		return -ENOENT;
	while (files) {
		int fd = fd_next(files, (int)(*pos - 2));

		if (fd < 0 || !emit_number(sink, fd, S_IFLNK >> 12, pos))
			break;
	}
	if (files)
		fdtable_put(files);
	thread_put(thread);
	return 0;
}

static const struct inode_ops fd_dir_ops = {
	.lookup = fd_dir_lookup,
	.iterate = fd_dir_iterate,
};

static struct inode *thread_dir(struct inode *parent, s32 tid, const struct inode_ops *ops);
static const struct inode_ops tid_dir_ops;

/* /proc/PID/task */
static struct inode *task_dir_lookup(struct inode *dir, const char *name)
{
	struct thread *thread, *self = tagged_thread(dir->tag);
	bool same;
	s32 tid;

	if (!self)
		return ERR_PTR(-ENOENT);
	thread = parse_number(name, &tid) ? tagged_thread((u64)tid) : NULL;
	same = thread && thread->process == self->process;
	if (thread)
		thread_put(thread);
	thread_put(self);
	return same ? thread_dir(dir, tid, &tid_dir_ops) : ERR_PTR(-ENOENT);
}

/* The lowest thread id >= @from of @p, or -1. */
static s32 next_tid(struct process *p, s32 from)
{
	struct thread *thread;
	s32 found = -1;

	spin_lock(&p->lock);
	LIST_FOREACH (thread, &p->threads, process_link)
		if (thread->task.tid >= from && (found < 0 || thread->task.tid < found))
			found = thread->task.tid;
	spin_unlock(&p->lock);
	return found;
}

static int task_dir_iterate(struct inode *dir, struct dir_sink *sink, u64 *pos)
{
	struct thread *self = tagged_thread(dir->tag);

	if (!self)
		return -ENOENT;
	for (;;) {
		s32 tid = next_tid(self->process, (s32)(*pos - 2));

		if (tid < 0 || !emit_number(sink, tid, S_IFDIR >> 12, pos))
			break;
	}
	thread_put(self);
	return 0;
}

static const struct inode_ops task_dir_ops = {
	.lookup = task_dir_lookup,
	.iterate = task_dir_iterate,
};

/* /proc/PID */
static struct inode *pid_dir_link(u64 tag, const struct inode_ops *ops)
{
	struct inode *link = inode_alloc(FS_PROC, S_IFLNK | 0777, ops);

	if (!IS_ERR(link)) {
		link->tag = tag;
		link->nlink = 1;
	}
	return link;
}

/* What a thread has as well as its process. */
static struct inode *tid_dir_lookup(struct inode *dir, const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(pid_files); i++)
		if (strcmp(pid_files[i].path, name) == 0)
			return gen_inode(FS_PROC, &pid_files[i], dir->tag);
	for (size_t i = 0; i < ARRAY_SIZE(pid_links); i++)
		if (strcmp(pid_links[i].name, name) == 0)
			return pid_dir_link(dir->tag, pid_links[i].ops);
	if (strcmp(name, pagemap_name) == 0)
		return pagemap_inode(dir->tag);
	if (strcmp(name, "fd") == 0)
		return dir_named(child_dir(dir, dir->tag, 0500, &fd_dir_ops), name);
	return ERR_PTR(-ENOENT);
}

static struct inode *pid_dir_lookup(struct inode *dir, const char *name)
{
	if (strcmp(name, "task") == 0)
		return dir_named(child_dir(dir, dir->tag, 0555, &task_dir_ops), name);
	return tid_dir_lookup(dir, name);
}

/* The names in order: files, links, directories; the last is a process's alone. */
static const char *const pid_dirs[] = { "fd", "task" };
enum { PID_ENTRIES = ARRAY_SIZE(pid_files) + 1 + ARRAY_SIZE(pid_links) + ARRAY_SIZE(pid_dirs) };

static const char *pid_entry(size_t i, u8 *type)
{
	*type = S_IFREG >> 12;
	if (i < ARRAY_SIZE(pid_files))
		return pid_files[i].path;
	i -= ARRAY_SIZE(pid_files);
	if (i == 0)
		return pagemap_name;
	i--;
	*type = S_IFLNK >> 12;
	if (i < ARRAY_SIZE(pid_links))
		return pid_links[i].name;
	i -= ARRAY_SIZE(pid_links);
	*type = S_IFDIR >> 12;
	return pid_dirs[i];
}

static int entries_iterate(struct inode *dir, struct dir_sink *sink, u64 *pos, size_t count)
{
	for (;;) {
		u8 type;
		const char *name = *pos - 2 < count ? pid_entry(*pos - 2, &type) : NULL;

		if (!name || !sink->emit(sink, name, dir->ino + *pos, type, *pos + 1))
			return 0;
		++*pos;
	}
}

static int pid_dir_iterate(struct inode *dir, struct dir_sink *sink, u64 *pos)
{
	return entries_iterate(dir, sink, pos, PID_ENTRIES);
}

static int tid_dir_iterate(struct inode *dir, struct dir_sink *sink, u64 *pos)
{
	return entries_iterate(dir, sink, pos, PID_ENTRIES - 1);
}

static const struct inode_ops pid_dir_ops = {
	.lookup = pid_dir_lookup,
	.iterate = pid_dir_iterate,
};

/* /proc/PID/task/TID: no tasks of its own, or who walks /proc would never end. */
static const struct inode_ops tid_dir_ops = {
	.lookup = tid_dir_lookup,
	.iterate = tid_dir_iterate,
};

static struct inode *thread_dir(struct inode *parent, s32 tid, const struct inode_ops *ops)
{
	struct thread *thread = tagged_thread((u64)tid);
	char name[12];

	if (!thread)
		return ERR_PTR(-ENOENT);
	thread_put(thread);
	snprintf(name, sizeof(name), "%d", tid);
	return dir_named(child_dir(parent, (u64)tid, 0555, ops), name);
}

struct inode *proc_pid_lookup(struct inode *parent, s32 tid)
{
	return thread_dir(parent, tid, &pid_dir_ops);
}
