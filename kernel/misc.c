/* SPDX-License-Identifier: Apache-2.0 */
/* System calls that only tell or note something: identity, limits, usage, the machine. */
#include <linux/personality.h>
#include <linux/prctl.h>
#include <linux/random.h>
#include <linux/sysinfo.h>
#include <linux/utsname.h>

#include "host/page.h"
#include "host/string.h"
#include "kernel/sched.h"
#include "kernel/seccomp.h"
#include "kernel/syscalls.h"
#include "kernel/thread.h"
#include "kernel/time.h"

/* ---- credentials: everything runs as root */

s64 sys_getuid(const u64 a[6])
{
	(void)a;
	return 0;
}

s64 sys_geteuid(const u64 a[6])
{
	return sys_getuid(a);
}

s64 sys_getgid(const u64 a[6])
{
	return sys_getuid(a);
}

s64 sys_getegid(const u64 a[6])
{
	return sys_getuid(a);
}

s64 sys_getresuid(const u64 a[6])
{
	u32 root = 0;

	for (int i = 0; i < 3; i++)
		if (copy_to_user(HVA(a[i]), &root, sizeof(root)) != 0)
			return -EFAULT;
	return 0;
}

s64 sys_getresgid(const u64 a[6])
{
	return sys_getresuid(a);
}

s64 sys_getgroups(const u64 a[6])
{
	return (s32)a[0] < 0 ? -EINVAL : 0;
}

/* ---- the machine */

s64 sys_uname(const u64 a[6])
{
	/* The release that our KVM selftests are from: programs derive from it what to expect. */
	static const struct new_utsname name = {
		.sysname = "Linux",
		.nodename = "catwalk",
		.release = "6.12.0-catwalk",
		.version = "#1 SMP Catwalk",
		.machine = "aarch64",
		.domainname = "(none)",
	};

	return copy_to_user(HVA(a[0]), &name, sizeof(name));
}

s64 sys_sysinfo(const u64 a[6])
{
	struct mem_counts pages = page_counts();
	struct sysinfo info = {
		.uptime = (s64)(port_time_ns() / NS_PER_SEC),
		.totalram = pages.total_pages * PAGE_SIZE,
		.freeram = pages.free_pages * PAGE_SIZE,
		.mem_unit = 1,
	};
	struct process *p;

	spin_lock(&process_tree_lock);
	LIST_FOREACH (p, &all_processes, all_link)
		info.procs += (u16)p->thread_count;
	spin_unlock(&process_tree_lock);
	return copy_to_user(HVA(a[0]), &info, sizeof(info));
}

s64 sys_getrandom(const u64 a[6])
{
	u64 n = min(a[1], (u64)INT32_MAX), done = 0;
	u32 flags = (u32)a[2];
	u8 chunk[256];

	if ((flags & ~(u32)(GRND_NONBLOCK | GRND_RANDOM | GRND_INSECURE)) ||
	    (flags & (GRND_RANDOM | GRND_INSECURE)) == (GRND_RANDOM | GRND_INSECURE))
		return -EINVAL;
	while (done < n) {
		size_t part = min(n - done, sizeof(chunk));

		port_random(chunk, part);
		if (copy_to_user(HVA(a[0] + done), chunk, part) != 0)
			return done ? (s64)done : -EFAULT;
		done += part;
		if (task_signal_pending(port_current()))
			break;
		sched_point();
	}
	return (s64)done;
}

s64 sys_getcpu(const u64 a[6])
{
	u32 cpu = port_cpu(), node = 0;

	if (a[0] && copy_to_user(HVA(a[0]), &cpu, sizeof(cpu)) != 0)
		return -EFAULT;
	if (a[1] && copy_to_user(HVA(a[1]), &node, sizeof(node)) != 0)
		return -EFAULT;
	return 0;
}

/* ---- limits and usage */

/* Linux's fs.nr_open. */
#define NOFILE_MAX (1UL << 20)

static int check_limit(u32 resource, const struct rlimit *new)
{
	if (new->rlim_cur > new->rlim_max)
		return -EINVAL;
	if (resource == RLIMIT_NOFILE && new->rlim_max > NOFILE_MAX)
		return -EPERM;
	return 0;
}

static void set_limit(struct process *p, u32 resource, const struct rlimit *new)
{
	if (resource == RLIMIT_NOFILE)
		fd_limit_set(p->files, (unsigned int)new->rlim_cur);
	spin_lock(&p->lock);
	p->limits[resource] = *new;
	spin_unlock(&p->lock);
}

static struct rlimit get_limit(struct process *p, u32 resource)
{
	struct rlimit limit;

	spin_lock(&p->lock);
	limit = p->limits[resource];
	spin_unlock(&p->lock);
	return limit;
}

/* Those of other processes can be read but not set: their descriptor tables are their own. */
s64 sys_prlimit64(const u64 a[6])
{
	s32 pid = (s32)a[0];
	u32 resource = (u32)a[1];
	struct process *p;
	struct rlimit new, old;
	int err = 0;

	if (resource >= RLIM_NLIMITS)
		return -EINVAL;
	if (a[2] && copy_from_user(&new, HVA(a[2]), sizeof(new)) != 0)
		return -EFAULT;
	if (a[2])
		err = check_limit(resource, &new);
	if (err)
		return err;
	p = pid ? process_find(pid) : process_get(current_process());
	if (!p)
		return -ESRCH;
	old = get_limit(p, resource);
	if (a[2] && p == current_process())
		set_limit(p, resource, &new);
	else if (a[2])
		err = -EPERM;
	process_put(p);
	if (!err && a[3])
		err = copy_to_user(HVA(a[3]), &old, sizeof(old));
	return err;
}

s64 sys_getrlimit(const u64 a[6])
{
	const u64 args[6] = { 0, a[0], 0, a[1] };

	return a[1] ? sys_prlimit64(args) : -EFAULT;
}

s64 sys_setrlimit(const u64 a[6])
{
	const u64 args[6] = { 0, a[0], a[1], 0 };

	return a[1] ? sys_prlimit64(args) : -EFAULT;
}

static struct rusage usage_of(u64 runtime_ns)
{
	return (struct rusage){
		.ru_utime.tv_sec = (s64)(runtime_ns / NS_PER_SEC),
		.ru_utime.tv_usec = (s64)(runtime_ns % NS_PER_SEC / NS_PER_USEC),
	};
}

static struct rusage usage_of_process(struct process *p)
{
	struct rusage ru = usage_of(process_runtime_ns(p));
	struct thread *t;

	spin_lock(&p->lock);
	LIST_FOREACH (t, &p->threads, process_link) {
		ru.ru_minflt += (s64)t->faults_minor;
		ru.ru_nvcsw += (s64)t->se.switches;
	}
	spin_unlock(&p->lock);
	return ru;
}

s64 sys_getrusage(const u64 a[6])
{
	struct thread *t = current_thread();
	struct rusage ru;

	switch ((s32)a[0]) {
	case RUSAGE_SELF: ru = usage_of_process(t->process); break;
	case RUSAGE_CHILDREN: ru = usage_of(t->process->children_runtime_ns); break;
	case RUSAGE_THREAD:
		ru = usage_of(sched_runtime_ns(t));
		ru.ru_minflt = (s64)t->faults_minor;
		ru.ru_nvcsw = (s64)t->se.switches;
		break;
	default: return -EINVAL;
	}
	return copy_to_user(HVA(a[1]), &ru, sizeof(ru));
}

/* ---- prctl and personality */

static s64 set_name(hva_t from)
{
	struct thread *t = current_thread();
	char name[sizeof(t->task.comm)] = { 0 };
	s64 n = strncpy_from_user(name, from, sizeof(name) - 1);

	if (n < 0 && n != -ENAMETOOLONG)
		return n;
	name[sizeof(name) - 1] = '\0';
	thread_set_name(t, name);
	return 0;
}

static s64 set_death_signal(u64 sig)
{
	if (sig > SIGNAL_COUNT)
		return -EINVAL;
	current_process()->parent_death_signal = (s32)sig;
	return 0;
}

static s64 get_death_signal(hva_t to)
{
	s32 sig = current_process()->parent_death_signal;

	return copy_to_user(to, &sig, sizeof(sig));
}

s64 sys_prctl(const u64 a[6])
{
	bool no_more_args = !a[2] && !a[3] && !a[4];

	switch ((s32)a[0]) {
	case PR_SET_NAME: return set_name(HVA(a[1]));
	case PR_GET_NAME:
		return copy_to_user(HVA(a[1]), port_current()->comm, sizeof(port_current()->comm));
	case PR_SET_PDEATHSIG: return set_death_signal(a[1]);
	case PR_GET_PDEATHSIG: return get_death_signal(HVA(a[1]));
	/* Nothing is ever dumped, and nothing gains privileges: there are none to gain. */
	case PR_GET_DUMPABLE: return 0;
	case PR_SET_DUMPABLE: return a[1] == 0 ? 0 : -EINVAL;
	case PR_GET_SECCOMP: return current_thread()->seccomp_mode;
	case PR_SET_SECCOMP: return seccomp_set_mode(a[1], a[2]);
	case PR_GET_NO_NEW_PRIVS: return !a[1] && no_more_args ? 1 : -EINVAL;
	case PR_SET_NO_NEW_PRIVS: return a[1] == 1 && no_more_args ? 0 : -EINVAL;
	default: return -EINVAL;
	}
}

s64 sys_personality(const u64 a[6])
{
	u32 wanted = (u32)a[0];

	if (wanted == 0xffffffff || wanted == PER_LINUX)
		return PER_LINUX;
	/* Addresses are not randomised anyway. */
	return wanted == ADDR_NO_RANDOMIZE ? PER_LINUX : -EINVAL;
}
