/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Every system call there is; any other number is -ENOSYS. SYSCALL(name, number) stands for a
 * handler sys_<name> that gets the six argument registers and returns a value or a negative errno.
 * docs/abi.md says for each what is supported.
 */
#ifndef KERNEL_SYSCALLS_H
#define KERNEL_SYSCALLS_H

#include <asm/unistd.h>

#include "host/err.h"
#include "kernel/syscalls_fs.h"

#define SYSCALLS_CORE(SYSCALL)                                                                     \
	/* processes and threads: thread.c, fork.c, execve.c, process.c */                         \
	SYSCALL(clone, __NR_clone)                                                                 \
	SYSCALL(clone3, __NR_clone3)                                                               \
	SYSCALL(execve, __NR_execve)                                                               \
	SYSCALL(execveat, __NR_execveat)                                                           \
	SYSCALL(exit, __NR_exit)                                                                   \
	SYSCALL(exit_group, __NR_exit_group)                                                       \
	SYSCALL(wait4, __NR_wait4)                                                                 \
	SYSCALL(waitid, __NR_waitid)                                                               \
	SYSCALL(set_tid_address, __NR_set_tid_address)                                             \
	SYSCALL(getpid, __NR_getpid)                                                               \
	SYSCALL(getppid, __NR_getppid)                                                             \
	SYSCALL(gettid, __NR_gettid)                                                               \
	SYSCALL(getpgid, __NR_getpgid)                                                             \
	SYSCALL(setpgid, __NR_setpgid)                                                             \
	SYSCALL(getsid, __NR_getsid)                                                               \
	SYSCALL(setsid, __NR_setsid)                                                               \
	SYSCALL(seccomp, __NR_seccomp)                                                             \
	SYSCALL(prctl, __NR_prctl)                                                                 \
	SYSCALL(personality, __NR_personality)                                                     \
	SYSCALL(prlimit64, __NR_prlimit64)                                                         \
	SYSCALL(getrlimit, __NR_getrlimit)                                                         \
	SYSCALL(setrlimit, __NR_setrlimit)                                                         \
	SYSCALL(getrusage, __NR_getrusage)                                                         \
	SYSCALL(rseq, __NR_rseq)                                                                   \
	/* credentials: everything is root: misc.c */                                              \
	SYSCALL(getuid, __NR_getuid)                                                               \
	SYSCALL(geteuid, __NR_geteuid)                                                             \
	SYSCALL(getgid, __NR_getgid)                                                               \
	SYSCALL(getegid, __NR_getegid)                                                             \
	SYSCALL(getresuid, __NR_getresuid)                                                         \
	SYSCALL(getresgid, __NR_getresgid)                                                         \
	SYSCALL(getgroups, __NR_getgroups)                                                         \
	/* machine: misc.c */                                                                      \
	SYSCALL(uname, __NR_uname)                                                                 \
	SYSCALL(sysinfo, __NR_sysinfo)                                                             \
	SYSCALL(getrandom, __NR_getrandom)                                                         \
	SYSCALL(getcpu, __NR_getcpu)                                                               \
	/* scheduling: sched_syscalls.c */                                                         \
	SYSCALL(sched_yield, __NR_sched_yield)                                                     \
	SYSCALL(sched_setaffinity, __NR_sched_setaffinity)                                         \
	SYSCALL(sched_getaffinity, __NR_sched_getaffinity)                                         \
	SYSCALL(sched_setscheduler, __NR_sched_setscheduler)                                       \
	SYSCALL(sched_getscheduler, __NR_sched_getscheduler)                                       \
	SYSCALL(sched_setparam, __NR_sched_setparam)                                               \
	SYSCALL(sched_getparam, __NR_sched_getparam)                                               \
	SYSCALL(sched_get_priority_max, __NR_sched_get_priority_max)                               \
	SYSCALL(sched_get_priority_min, __NR_sched_get_priority_min)                               \
	SYSCALL(sched_rr_get_interval, __NR_sched_rr_get_interval)                                 \
	SYSCALL(getpriority, __NR_getpriority)                                                     \
	SYSCALL(setpriority, __NR_setpriority)                                                     \
	/* futexes: futex.c */                                                                     \
	SYSCALL(futex, __NR_futex)                                                                 \
	SYSCALL(set_robust_list, __NR_set_robust_list)                                             \
	SYSCALL(get_robust_list, __NR_get_robust_list)                                             \
	/* signals: signal.c, signal_syscalls.c */                                                 \
	SYSCALL(rt_sigaction, __NR_rt_sigaction)                                                   \
	SYSCALL(rt_sigprocmask, __NR_rt_sigprocmask)                                               \
	SYSCALL(rt_sigreturn, __NR_rt_sigreturn)                                                   \
	SYSCALL(rt_sigpending, __NR_rt_sigpending)                                                 \
	SYSCALL(rt_sigsuspend, __NR_rt_sigsuspend)                                                 \
	SYSCALL(rt_sigtimedwait, __NR_rt_sigtimedwait)                                             \
	SYSCALL(rt_sigqueueinfo, __NR_rt_sigqueueinfo)                                             \
	SYSCALL(rt_tgsigqueueinfo, __NR_rt_tgsigqueueinfo)                                         \
	SYSCALL(sigaltstack, __NR_sigaltstack)                                                     \
	SYSCALL(kill, __NR_kill)                                                                   \
	SYSCALL(tkill, __NR_tkill)                                                                 \
	SYSCALL(tgkill, __NR_tgkill)                                                               \
	SYSCALL(restart_syscall, __NR_restart_syscall)                                             \
	/* time: time.c, itimer.c, posix_timer.c */                                                \
	SYSCALL(clock_gettime, __NR_clock_gettime)                                                 \
	SYSCALL(clock_getres, __NR_clock_getres)                                                   \
	SYSCALL(clock_nanosleep, __NR_clock_nanosleep)                                             \
	SYSCALL(nanosleep, __NR_nanosleep)                                                         \
	SYSCALL(gettimeofday, __NR_gettimeofday)                                                   \
	SYSCALL(times, __NR_times)                                                                 \
	SYSCALL(getitimer, __NR_getitimer)                                                         \
	SYSCALL(setitimer, __NR_setitimer)                                                         \
	SYSCALL(timer_create, __NR_timer_create)                                                   \
	SYSCALL(timer_settime, __NR_timer_settime)                                                 \
	SYSCALL(timer_gettime, __NR_timer_gettime)                                                 \
	SYSCALL(timer_getoverrun, __NR_timer_getoverrun)                                           \
	SYSCALL(timer_delete, __NR_timer_delete)                                                   \
	/* memory: mem_syscalls.c, over host/mm.h */                                               \
	SYSCALL(mmap, __NR_mmap)                                                                   \
	SYSCALL(munmap, __NR_munmap)                                                               \
	SYSCALL(mprotect, __NR_mprotect)                                                           \
	SYSCALL(madvise, __NR_madvise)                                                             \
	SYSCALL(brk, __NR_brk)                                                                     \
	SYSCALL(mremap, __NR_mremap)                                                               \
	SYSCALL(msync, __NR_msync)                                                                 \
	SYSCALL(mincore, __NR_mincore)                                                             \
	SYSCALL(mlock, __NR_mlock)                                                                 \
	SYSCALL(mlock2, __NR_mlock2)                                                               \
	SYSCALL(munlock, __NR_munlock)                                                             \
	SYSCALL(mlockall, __NR_mlockall)                                                           \
	SYSCALL(munlockall, __NR_munlockall)

#define SYSCALL_DECLARE(name, number) s64 sys_##name(const u64 a[6]);
SYSCALLS_CORE(SYSCALL_DECLARE)
SYSCALLS_FS(SYSCALL_DECLARE)
#undef SYSCALL_DECLARE

#endif
