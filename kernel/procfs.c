/* SPDX-License-Identifier: Apache-2.0 */
/*
 * /proc: the machine and the kernel as text, and a directory for each process (proc_pid.c).
 */
#include "kernel/procfs.h"

#include <stdio.h>
#include <string.h>

#include "host/page.h"
#include "kernel/port.h"
#include "kernel/sched.h"
#include "kernel/time.h"
#include "kernel/version.h"
#include "kernel/unix_sock.h"

/* ---- the machine */
/* What port_hwcap() says, in Linux's words and order: bit N of AT_HWCAP. */
static const char *const hwcap_names[] = {
	"fp",	   "asimd", "evtstrm", "aes",	"pmull",    "sha1",   "sha2", "crc32",
	"atomics", "fphp",  "asimdhp", "cpuid", "asimdrdm", "jscvt",  "fcma", "lrcpc",
	"dcpop",   "sha3",  "sm3",     "sm4",	"asimddp",  "sha512", "sve",  "asimdfhm",
	"dit",	   "uscat", "ilrcpc",  "flagm", "ssbs",	    "sb",     "paca", "pacg",
};

static int show_cpuinfo(struct gen_text *t, u64 tag)
{
	u64 hwcap = port_hwcap();

	(void)tag;
	for (unsigned int cpu = 0; cpu < port_cpu_count(); cpu++) {
		gen_printf(t, "processor\t: %u\nFeatures\t:", cpu);
		for (size_t i = 0; i < ARRAY_SIZE(hwcap_names); i++)
			if (hwcap & BIT(i))
				gen_printf(t, " %s", hwcap_names[i]);
		gen_printf(t, "\nCPU architecture: 8\n\n");
	}
	return 0;
}

static int show_meminfo(struct gen_text *t, u64 tag)
{
	struct mem_counts c = page_counts();
	u64 kb = PAGE_SIZE / SZ_1K, huge = SZ_2M / PAGE_SIZE;

	(void)tag;
	gen_printf(t, "MemTotal:       %8lu kB\n", c.total_pages * kb);
	gen_printf(t, "MemFree:        %8lu kB\n", c.free_pages * kb);
	gen_printf(t, "MemAvailable:   %8lu kB\n", c.free_pages * kb);
	gen_printf(t, "Buffers:        %8lu kB\nCached:         %8lu kB\n", 0UL, 0UL);
	gen_printf(t, "SwapTotal:      %8lu kB\nSwapFree:       %8lu kB\n", 0UL, 0UL);
	gen_printf(t, "Slab:           %8lu kB\nKernelObjects:  %8lu\n", c.slab_pages * kb,
		   c.kmalloc_objects);
	/* The pool of huge pages is whatever is free: sysfs.c. */
	gen_printf(t, "HugePages_Total:%8lu\nHugePages_Free: %8lu\n", c.free_pages / huge,
		   c.free_pages / huge);
	gen_printf(t, "HugePages_Rsvd: %8lu\nHugePages_Surp: %8lu\n", 0UL, 0UL);
	gen_printf(t, "Hugepagesize:   %8lu kB\n", SZ_2M / SZ_1K);
	return 0;
}

/* Clock ticks of user space. */
#define NS_PER_TICK (NS_PER_SEC / 100)

static u64 idle_ticks_of_all(void)
{
	u64 ticks = 0;

	for (unsigned int cpu = 0; cpu < port_cpu_count(); cpu++)
		ticks += sched_idle_ns(cpu) / NS_PER_TICK;
	return ticks;
}

static int show_uptime(struct gen_text *t, u64 tag)
{
	u64 up = port_time_ns() / NS_PER_TICK, idle = idle_ticks_of_all();

	(void)tag;
	gen_printf(t, "%lu.%02lu %lu.%02lu\n", up / 100, up % 100, idle / 100, idle % 100);
	return 0;
}

static int show_loadavg(struct gen_text *t, u64 tag)
{
	(void)tag;
	gen_printf(t, "0.00 0.00 0.00 %u/%u %d\n", sched_runnable_count(), sched_runnable_count(),
		   port_current()->tgid);
	return 0;
}

/* All time that is not idle is told as a program's. */
static void show_cpu_ticks(struct gen_text *t, const char *name, u64 up, u64 idle)
{
	gen_printf(t, "%s %lu 0 0 %lu 0 0 0 0 0 0\n", name, up > idle ? up - idle : 0, idle);
}

static int show_stat(struct gen_text *t, u64 tag)
{
	(void)tag;
	show_cpu_ticks(t, "cpu ", port_cpu_count() * (port_time_ns() / NS_PER_TICK),
		       idle_ticks_of_all());
	for (unsigned int cpu = 0; cpu < port_cpu_count(); cpu++) {
		char name[8];

		snprintf(name, sizeof(name), "cpu%u", cpu);
		show_cpu_ticks(t, name, port_time_ns() / NS_PER_TICK,
			       sched_idle_ns(cpu) / NS_PER_TICK);
	}
	gen_printf(t, "ctxt %lu\nbtime %lu\nprocs_running %u\n", sched_switch_count(),
		   time_realtime_offset_ns() / NS_PER_SEC, sched_runnable_count());
	return 0;
}

static int show_version(struct gen_text *t, u64 tag)
{
	(void)tag;
	gen_printf(t, "%s version %s %s\n", CATWALK_SYSNAME, CATWALK_RELEASE, CATWALK_VERSION);
	return 0;
}

static int show_cmdline(struct gen_text *t, u64 tag)
{
	(void)tag;
	gen_printf(t, "%s\n", boot_info.cmdline);
	return 0;
}

static int show_filesystems(struct gen_text *t, u64 tag)
{
	(void)tag;
	gen_printf(t,
		   "nodev\tsysfs\nnodev\ttmpfs\nnodev\tproc\nnodev\tdevtmpfs\nnodev\thugetlbfs\n");
	return 0;
}

/* ---- /proc/sys: facts, read-only */
#define SHOW_STRING(name, string)                                                                  \
	static int name(struct gen_text *t, u64 tag)                                               \
	{                                                                                          \
		(void)tag;                                                                         \
		gen_printf(t, "%s\n", string);                                                     \
		return 0;                                                                          \
	}
SHOW_STRING(show_ostype, CATWALK_SYSNAME)
SHOW_STRING(show_osrelease, CATWALK_RELEASE)
SHOW_STRING(show_sysversion, CATWALK_VERSION)
SHOW_STRING(show_hostname, CATWALK_NODENAME)
SHOW_STRING(show_0, "0")
SHOW_STRING(show_pid_max, "4194304")
SHOW_STRING(show_threads_max, "4194304")
SHOW_STRING(show_nr_open, "1048576")
SHOW_STRING(show_file_max, "9223372036854775807")
SHOW_STRING(show_pipe_max, "1048576")
SHOW_STRING(show_map_count, "65530")
/* Limits of sockets: kernel/unix_sock.h. */
SHOW_STRING(show_somaxconn, "4096")
SHOW_STRING(show_socket_buffer, "212992")
SHOW_STRING(show_optmem, "131072")
SHOW_STRING(show_datagrams, "10")
_Static_assert(UNIX_BACKLOG_MAX == 4096 && UNIX_BUFFER_DEFAULT == 212992 &&
		       UNIX_DATAGRAMS_MAX == 10,
	       "as /proc/sys/net says");
SHOW_STRING(show_mmap_min, "32768")

static int show_uuid(struct gen_text *t, u64 tag)
{
	u8 b[16];

	(void)tag;
	port_random(b, sizeof(b));
	b[6] = (b[6] & 0x0f) | 0x40;
	b[8] = (b[8] & 0x3f) | 0x80;
	for (size_t i = 0; i < sizeof(b); i++)
		gen_printf(t, "%s%02x", i == 4 || i == 6 || i == 8 || i == 10 ? "-" : "", b[i]);
	gen_printf(t, "\n");
	return 0;
}

#define PROC_KERNEL "/proc/sys/kernel/"

static const struct gen_file proc_files[] = {
	{ "/proc/cmdline", 0444, show_cmdline, NULL },
	{ "/proc/cpuinfo", 0444, show_cpuinfo, NULL },
	{ "/proc/filesystems", 0444, show_filesystems, NULL },
	{ "/proc/loadavg", 0444, show_loadavg, NULL },
	{ "/proc/meminfo", 0444, show_meminfo, NULL },
	{ "/proc/stat", 0444, show_stat, NULL },
	{ "/proc/uptime", 0444, show_uptime, NULL },
	{ "/proc/version", 0444, show_version, NULL },
	{ PROC_KERNEL "hostname", 0444, show_hostname, NULL },
	{ PROC_KERNEL "osrelease", 0444, show_osrelease, NULL },
	{ PROC_KERNEL "ostype", 0444, show_ostype, NULL },
	{ PROC_KERNEL "pid_max", 0444, show_pid_max, NULL },
	{ PROC_KERNEL "random/uuid", 0444, show_uuid, NULL },
	{ PROC_KERNEL "randomize_va_space", 0444, show_0, NULL },
	{ PROC_KERNEL "threads-max", 0444, show_threads_max, NULL },
	{ PROC_KERNEL "version", 0444, show_sysversion, NULL },
	{ "/proc/sys/fs/file-max", 0444, show_file_max, NULL },
	{ "/proc/sys/fs/nr_open", 0444, show_nr_open, NULL },
	{ "/proc/sys/fs/pipe-max-size", 0444, show_pipe_max, NULL },
	{ "/proc/sys/net/core/optmem_max", 0444, show_optmem, NULL },
	{ "/proc/sys/net/core/rmem_default", 0444, show_socket_buffer, NULL },
	{ "/proc/sys/net/core/rmem_max", 0444, show_socket_buffer, NULL },
	{ "/proc/sys/net/core/somaxconn", 0444, show_somaxconn, NULL },
	{ "/proc/sys/net/core/wmem_default", 0444, show_socket_buffer, NULL },
	{ "/proc/sys/net/core/wmem_max", 0444, show_socket_buffer, NULL },
	{ "/proc/sys/net/unix/max_dgram_qlen", 0444, show_datagrams, NULL },
	{ "/proc/sys/vm/max_map_count", 0444, show_map_count, NULL },
	{ "/proc/sys/vm/mmap_min_addr", 0444, show_mmap_min, NULL },
	{ "/proc/sys/vm/overcommit_memory", 0444, show_0, NULL },
};

/* ---- the root directory */
static struct inode *root_lookup(struct inode *dir, const char *name)
{
	u64 tid;

	if (!gen_parse_u64(name, &tid) || tid > INT32_MAX)
		return ERR_PTR(-ENOENT);
	return proc_pid_lookup(dir, (s32)tid);
}

/* Processes come behind the names that are always there. */
#define PROC_POS_PIDS (1UL << 32)

/* The lowest process id >= @from, or -1. */
static s32 next_pid(s32 from)
{
	struct process *p;
	s32 found = -1;

	spin_lock(&process_tree_lock);
	LIST_FOREACH (p, &all_processes, all_link)
		if (p->pid >= from && (found < 0 || p->pid < found))
			found = p->pid;
	spin_unlock(&process_tree_lock);
	return found;
}

static int root_iterate(struct inode *dir, struct dir_sink *sink, u64 *pos)
{
	if (*pos < PROC_POS_PIDS) {
		if (!names_iterate(dir, sink, pos))
			return 0;
		*pos = PROC_POS_PIDS;
	}
	for (;;) {
		s32 pid = next_pid((s32)(*pos - PROC_POS_PIDS));
		u64 next = PROC_POS_PIDS + (u64)pid + 1;
		char name[12];

		if (pid < 0)
			return 0;
		snprintf(name, sizeof(name), "%d", pid);
		if (!sink->emit(sink, name, (u64)pid + 1000, S_IFDIR >> 12, next))
			return 0;
		*pos = next;
	}
}

static const struct inode_ops root_ops = {
	.lookup = root_lookup,
	.iterate = root_iterate,
};

/* ---- /proc/self and /proc/thread-self: whoever asks */
static s64 self_readlink(struct inode *link, char *target, size_t size)
{
	(void)link;
	return snprintf(target, size, "%d", port_current()->tgid);
}

static s64 thread_self_readlink(struct inode *link, char *target, size_t size)
{
	(void)link;
	return snprintf(target, size, "%d/task/%d", port_current()->tgid, port_current()->tid);
}

static const struct inode_ops self_ops = { .readlink = self_readlink };
static const struct inode_ops thread_self_ops = { .readlink = thread_self_readlink };

static void add_link(const char *path, struct inode *link)
{
	int ret = IS_ERR(link) ? (int)PTR_ERR(link) : vfs_add(path, link);

	if (ret)
		panic("%s cannot be added: error %d", path, ret);
}

void procfs_init(void)
{
	struct inode *root = inode_new_dir(FS_PROC, 0555, &root_ops);

	if (IS_ERR(root) || vfs_add("/proc", root))
		panic("/proc cannot be added");
	gen_add_all(FS_PROC, proc_files, ARRAY_SIZE(proc_files));
	add_link("/proc/self", inode_alloc(FS_PROC, S_IFLNK | 0777, &self_ops));
	add_link("/proc/thread-self", inode_alloc(FS_PROC, S_IFLNK | 0777, &thread_self_ops));
	add_link("/proc/mounts", inode_new_link(FS_PROC, "self/mounts"));
}
