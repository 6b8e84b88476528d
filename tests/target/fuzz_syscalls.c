/* SPDX-License-Identifier: Apache-2.0 */
/* The fuzzer's system calls: all that there are (kernel/syscalls.h) but restart_syscall. */
#define _GNU_SOURCE
#include "tests/target/fuzz.h"

#include <fcntl.h>
#include <linux/futex.h>
#include <linux/memfd.h>
#include <linux/mman.h>
#include <linux/sched.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/timerfd.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* ---- numbers */
static uint64_t none(struct fuzz *f)
{
	(void)f;
	return 0;
}

static uint64_t small(struct fuzz *f)
{
	return fuzz_below(f, 16);
}

static uint64_t number(struct fuzz *f)
{
	return FUZZ_ONE_IN(f, 2) ? fuzz_below(f, 70) : fuzz_odd(f);
}

static uint64_t length(struct fuzz *f)
{
	switch (fuzz_below(f, 6)) {
	case 0: return fuzz_odd(f);
	case 1: return 8;
	case 2: return fuzz_below(f, 64);
	case 3: return 128;
	default: return fuzz_below(f, FUZZ_ROOM);
	}
}

static uint64_t offset(struct fuzz *f)
{
	return FUZZ_ONE_IN(f, 6) ? fuzz_odd(f) : fuzz_below(f, 64) * 1024;
}

/* Of calls that give memory to a file. */
static uint64_t offset_bounded(struct fuzz *f)
{
	return FUZZ_ONE_IN(f, 8) ? -fuzz_below(f, 3) : fuzz_below(f, 512) * 4096;
}

static uint64_t count_bounded(struct fuzz *f)
{
	return fuzz_below(f, FUZZ_ONE_IN(f, 8) ? 1 << 20 : 20000);
}

static uint64_t milliseconds(struct fuzz *f)
{
	return FUZZ_ONE_IN(f, 8) ? fuzz_odd(f) : fuzz_below(f, 3);
}

FUZZ_PICK_ONE(at_fd, FUZZ_FD(FD_DIR), AT_FDCWD, AT_FDCWD, FUZZ_FD(FD_PROC_DIR), FUZZ_FD(FD_FILE))
FUZZ_PICK_ONE(own_dir, FUZZ_FD(FD_DIR), AT_FDCWD, FUZZ_FD(FD_FILE))
FUZZ_PICK_ONE(clock_number, 0, 1, 1, 4, 5, 6, 7, 2, 3, -2ul, -6ul, 11, 99)
FUZZ_PICK_ONE(whence, 0, 1, 2, 3, 4, 5)
FUZZ_PICK_ONE(any_signal, SIGUSR1, SIGUSR2, SIGALRM, SIGCHLD, SIGURG, 34, 35, 64, 65, 0, SIGPIPE)
FUZZ_PICK_BITS(open_flags, O_RDWR, O_WRONLY, O_CREAT, O_CREAT, O_EXCL, O_APPEND, O_DIRECTORY,
	       O_NOFOLLOW, O_CLOEXEC, O_NONBLOCK, O_PATH, __O_TMPFILE)
FUZZ_PICK_BITS(at_flags, AT_SYMLINK_NOFOLLOW, AT_EMPTY_PATH, AT_REMOVEDIR, AT_NO_AUTOMOUNT)
FUZZ_PICK_BITS(mode, 0700, 0070, 0007, S_ISUID)
FUZZ_PICK_ONE(node_mode, S_IFREG | 0600, S_IFIFO | 0600, S_IFCHR | 0600, S_IFBLK | 0600, 0600,
	      S_IFSOCK)
FUZZ_PICK_BITS(protection, PROT_READ, PROT_READ, PROT_WRITE, PROT_WRITE, PROT_EXEC, 0x01000000)
FUZZ_PICK_ONE(map_flags, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED,
	      MAP_SHARED | MAP_ANONYMOUS | MAP_FIXED, MAP_PRIVATE | MAP_FIXED,
	      MAP_SHARED | MAP_FIXED, MAP_SHARED,
	      MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE | MAP_FIXED,
	      MAP_SHARED_VALIDATE | MAP_FIXED, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE,
	      MAP_SHARED | MAP_FIXED | MAP_POPULATE,
	      MAP_PRIVATE | MAP_ANONYMOUS | MAP_HUGETLB | MAP_FIXED,
	      MAP_PRIVATE | MAP_ANONYMOUS | MAP_GROWSDOWN | MAP_FIXED, 0)
FUZZ_PICK_BITS(map_flags_odd, MAP_PRIVATE, MAP_SHARED, MAP_ANONYMOUS, MAP_ANONYMOUS, MAP_NORESERVE,
	       MAP_FIXED_NOREPLACE, MAP_HUGETLB, MAP_HUGE_1GB, MAP_STACK)
FUZZ_PICK_ONE(map_fd, FUZZ_FD(FD_MEMFD), FUZZ_FD(FD_HUGE_MEMFD), FUZZ_FD(FD_FILE),
	      FUZZ_FD(FD_DEVMEM), FUZZ_FD(FD_GMEM), FUZZ_FD(FD_VCPU0), FUZZ_FD(FD_ZERO),
	      FUZZ_FD(FD_VCPU2), -1ul, FUZZ_FD(FD_EVENT))
FUZZ_PICK_ONE(page_offset, 0, 0, 0, 4096, 8192, 64 * 4096, 1 << 20, 1, -4096ul)
FUZZ_PICK_ONE(advice, 0, 1, 2, 3, 4, 8, 9, 10, 11, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25,
	      26, 4, 99)
FUZZ_PICK_ONE(remap_flags, 0, MREMAP_MAYMOVE, MREMAP_MAYMOVE | MREMAP_FIXED,
	      MREMAP_MAYMOVE | MREMAP_DONTUNMAP, 7, 9)
FUZZ_PICK_BITS(sync_flags, MS_ASYNC, MS_SYNC, MS_INVALIDATE)
FUZZ_PICK_ONE(fallocate_mode, 0, 1, 3, 3, 2, 16)
FUZZ_PICK_BITS(memfd_flags, MFD_CLOEXEC, MFD_ALLOW_SEALING, MFD_HUGETLB, 8, 16)
FUZZ_PICK_BITS(nonblock_cloexec, O_NONBLOCK, O_CLOEXEC, 1)
FUZZ_PICK_ONE(fcntl_command, F_DUPFD, F_DUPFD_CLOEXEC, F_GETFD, F_SETFD, F_GETFL, F_SETFL, F_GETLK,
	      F_SETLK, 1032 /* GETPIPE_SZ */, 1031, 1033 /* ADD_SEALS */, 1034, 99)
FUZZ_PICK_ONE(flock_op, LOCK_SH, LOCK_EX, LOCK_UN, LOCK_SH | LOCK_NB, LOCK_EX | LOCK_NB, 99)
FUZZ_PICK_ONE(epoll_op, EPOLL_CTL_ADD, EPOLL_CTL_ADD, EPOLL_CTL_MOD, EPOLL_CTL_DEL, 9)
FUZZ_PICK_ONE(prctl_option, PR_SET_NAME, PR_GET_NAME, PR_GET_PDEATHSIG, PR_GET_DUMPABLE,
	      PR_SET_DUMPABLE, PR_GET_NO_NEW_PRIVS, PR_SET_NO_NEW_PRIVS, 0x53564d41, 99)
FUZZ_PICK_ONE(personality_value, 0, 0xffffffff, 0x0040000, 8)
FUZZ_PICK_ONE(rename_flags, 0, 0, 1, 2, 3, 4)
FUZZ_PICK_ONE(resource, 0, 1, 2, 3, 4, 5, 6, 8, 9, 10, 11, 12, 13, 14, 15, 16)
FUZZ_PICK_ONE(usage_of, 0, -1ul, 1, 2)
FUZZ_PICK_ONE(futex_op, FUTEX_WAIT, FUTEX_WAKE, FUTEX_WAIT | 128, FUTEX_WAKE | 128, FUTEX_REQUEUE,
	      FUTEX_CMP_REQUEUE, FUTEX_WAKE_OP, FUTEX_WAIT_BITSET, FUTEX_WAKE_BITSET | 128,
	      FUTEX_LOCK_PI, 99)
FUZZ_PICK_BITS(wait_options, WNOHANG, WUNTRACED, WCONTINUED, WEXITED, WNOWAIT)
FUZZ_PICK_ONE(wait_kind, P_ALL, P_PID, P_PGID, P_PIDFD, 9)
FUZZ_PICK_ONE(policy, 0, 1, 2, 3, 5, 6, 99)
FUZZ_PICK_ONE(family, AF_UNIX, AF_UNIX, AF_INET, 16, 99)
FUZZ_PICK_ONE(socket_level, SOL_SOCKET, SOL_SOCKET, SOL_SOCKET, 0, 6)
FUZZ_PICK_ONE(socket_option, 2, 3, 4, 5, 6, 7, 8, 9, 13, 16, 17, 18, 20, 21, 30, 38, 39, 59, 99)
FUZZ_PICK_ONE(socket_type, SOCK_STREAM, SOCK_DGRAM, SOCK_SEQPACKET, SOCK_STREAM | SOCK_NONBLOCK, 9)
FUZZ_PICK_BITS(message_flags, MSG_DONTWAIT, MSG_DONTWAIT, MSG_PEEK, MSG_NOSIGNAL, MSG_WAITALL)
FUZZ_PICK_BITS(clone_flags, CLONE_VM, CLONE_VM, CLONE_FS, CLONE_FILES, CLONE_SIGHAND, CLONE_THREAD,
	       CLONE_VFORK, CLONE_SYSVSEM, CLONE_SETTLS, CLONE_PARENT_SETTID, CLONE_CHILD_SETTID,
	       CLONE_CHILD_CLEARTID, CLONE_DETACHED, CLONE_NEWPID, CLONE_PIDFD)
FUZZ_PICK_BITS(uffd_flags, O_NONBLOCK, O_CLOEXEC, 1)

/* A thread, a process, or what often goes with them wrong. */
static uint64_t clone_arg(struct fuzz *f)
{
	switch (fuzz_below(f, 4)) {
	case 0: return CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD;
	case 1: return SIGCHLD;
	case 2: return CLONE_VM | CLONE_VFORK | SIGCHLD;
	default: return clone_flags(f) | SIGCHLD;
	}
}

/* Processes and threads of the fuzzer's own, and none. */
static uint64_t process(struct fuzz *f)
{
	return FUZZ_ONE_IN(f, 2) ? (uint64_t)getpid() : FUZZ_ONE_IN(f, 2) ? 0 : 4000000;
}

static uint64_t thread(struct fuzz *f)
{
	return (uint64_t)getpid() + fuzz_below(f, 6);
}

static uint64_t this_or_none(struct fuzz *f)
{
	return FUZZ_ONE_IN(f, 2) ? (uint64_t)getpid() : 4000000;
}

static uint64_t fd_small(struct fuzz *f)
{
	return FUZZ_ONE_IN(f, 32) ? fuzz_fd_any(f) : fuzz_fd_spare(f);
}

/* Behind those that all threads need. */
static uint64_t fd_high(struct fuzz *f)
{
	return (uint64_t)FUZZ_FD(FD_KINDS) + fuzz_below(f, 4 * FUZZ_FD_END);
}

FUZZ_PICK_ONE(socket_fd, FUZZ_FD(FD_SOCKET), FUZZ_FD(FD_SOCKET_PEER), FUZZ_FD(FD_LISTENER),
	      FUZZ_FD(FD_DATAGRAM), FUZZ_FD(FD_DATAGRAM_PEER), FUZZ_FD(FD_EVENT), 5, 7)
FUZZ_PICK_ONE(epoll_fd, FUZZ_FD(FD_EPOLL), FUZZ_FD(FD_EPOLL), FUZZ_FD(FD_EVENT), 6)
FUZZ_PICK_ONE(timer_fd, FUZZ_FD(FD_TIMER), FUZZ_FD(FD_TIMER), FUZZ_FD(FD_EVENT), 6)
FUZZ_PICK_ONE(file_fd, FUZZ_FD(FD_FILE), FUZZ_FD(FD_MEMFD), FUZZ_FD(FD_GMEM),
	      FUZZ_FD(FD_HUGE_MEMFD), FUZZ_FD(FD_DIR), FUZZ_FD(FD_PIPE_IN))
FUZZ_PICK_ONE(sink_fd, FUZZ_FD(FD_FILE), FUZZ_FD(FD_PIPE_IN), FUZZ_FD(FD_NULL), FUZZ_FD(FD_EVENT))
FUZZ_PICK_ONE(dir_fd, FUZZ_FD(FD_DIR), FUZZ_FD(FD_PROC_DIR), FUZZ_FD(FD_PROC_DIR), FUZZ_FD(FD_FILE))

/* ---- strings */
static uint64_t text(struct fuzz *f, const char *s)
{
	return fuzz_put(f, s, strlen(s) + 1);
}

static const char *const own_names[] = {
	FUZZ_DIR "/a",
	FUZZ_DIR "/b",
	FUZZ_DIR "/d",
	FUZZ_DIR "/d/c",
	FUZZ_DIR "/file",
	FUZZ_DIR "/a/b/c",
	FUZZ_DIR "/f/",
	FUZZ_DIR "/d/./fz",
	"fz1",
	"fz2/",
	"fz3",
	FUZZ_DIR "/fz4",
	FUZZ_DIR "//d//e",
	"",
	"./fz5",
};
static const char *const any_names[] = {
	"/",
	"/dev/null",
	"/dev/kvm",
	"/proc",
	"/proc/self/maps",
	"/proc/self/fd/0",
	"/proc/self/fd",
	"/proc/self/status",
	"/fz/nowhere",
	"..",
	".",
	"/proc/1/stat",
	"/dev/zero",
	"/proc/thread-self",
	"/sys/kernel/mm/hugepages",
	"/proc/self/cwd",
	"/proc/self/exe/x",
	"/proc/self/smaps",
	"/dev/userfaultfd",
	"/dev/urandom",
	"/proc/meminfo",
};
#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

/* For calls that make, change and remove. */
static uint64_t own_path(struct fuzz *f)
{
	static char longest[FUZZ_PAGE + 16];

	if (FUZZ_ONE_IN(f, 32)) {
		memset(longest, 'a', sizeof(longest) - 1);
		return fuzz_put(f, longest, FUZZ_ONE_IN(f, 2) ? 257 : sizeof(longest));
	}
	return text(f, own_names[fuzz_below(f, COUNT(own_names))]);
}

static uint64_t any_path(struct fuzz *f)
{
	return FUZZ_ONE_IN(f, 2) ? own_path(f)
				 : text(f, any_names[fuzz_below(f, COUNT(any_names))]);
}

static uint64_t link_path(struct fuzz *f)
{
	return text(f, FUZZ_ONE_IN(f, 2) ? "/proc/self/exe" : "/proc/self/fd/40");
}

static uint64_t dir_path(struct fuzz *f)
{
	return text(f, FUZZ_ONE_IN(f, 2) ? FUZZ_DIR "/d" : FUZZ_DIR);
}

static uint64_t name(struct fuzz *f)
{
	return text(f, FUZZ_ONE_IN(f, 2) ? "fuzz" : "a name that is longer than sixteen bytes");
}

/* ---- structures */
#define PUT(f, s) fuzz_put(f, &(s), sizeof(s))

static uint64_t optional(struct fuzz *f, fuzz_arg *arg)
{
	return FUZZ_ONE_IN(f, 2) ? 0 : arg(f);
}

static uint64_t out_or_none(struct fuzz *f)
{
	return optional(f, fuzz_out);
}

static struct timespec soon(struct fuzz *f)
{
	struct timespec s = { .tv_nsec = (long)fuzz_below(f, 1000000) };

	if (FUZZ_ONE_IN(f, 8))
		s = (struct timespec){ (time_t)fuzz_odd(f), (long)fuzz_odd(f) };
	return s;
}

static uint64_t timeout(struct fuzz *f)
{
	struct timespec s = soon(f);

	return PUT(f, s);
}

static uint64_t timer_setting(struct fuzz *f)
{
	struct itimerspec s = { soon(f), soon(f) };

	/* What fires all the time leaves no time for calls. */
	if (s.it_interval.tv_sec == 0 && (unsigned long)s.it_interval.tv_nsec < 200000)
		s.it_interval.tv_nsec = 200000;
	return fuzz_put(f, &s, sizeof(s));
}

static uint64_t itimer_setting(struct fuzz *f)
{
	struct itimerval s = { .it_interval = { 0, (long)fuzz_below(f, 2) * 5000 },
			       .it_value = { 0, (long)fuzz_below(f, 5000) } };

	return PUT(f, s);
}

/* Two signals stay unblocked: they end what takes too long. */
static uint64_t set_value(struct fuzz *f)
{
	return fuzz_next(f) & ~(1ul << (SIGUSR1 - 1) | 1ul << (SIGUSR2 - 1));
}

static uint64_t signal_set(struct fuzz *f)
{
	uint64_t s = set_value(f);

	return PUT(f, s);
}

static uint64_t signal_set_or_none(struct fuzz *f)
{
	return optional(f, signal_set);
}

FUZZ_PICK_ONE(set_size, 8, 8, 8, 8, 4, 16)

/* pselect6's last argument. */
static uint64_t set_and_size(struct fuzz *f)
{
	uint64_t s[2] = { signal_set_or_none(f), set_size(f) };

	return PUT(f, s);
}

static uint64_t signal_info(struct fuzz *f)
{
	siginfo_t s;

	memset(&s, 0, sizeof(s));
	s.si_code = FUZZ_ONE_IN(f, 4) ? (int)fuzz_odd(f) : SI_QUEUE;
	s.si_value.sival_ptr = (void *)fuzz_odd(f);
	return PUT(f, s);
}

/* Actions that do nothing: SIG_DFL ends the process for most. */
static uint64_t signal_action(struct fuzz *f)
{
	uint64_t s[4] = { 1 /* SIG_IGN */, fuzz_below(f, 8), 0, set_value(f) };

	return PUT(f, s);
}

FUZZ_PICK_ONE(harmless_signal, SIGURG, SIGCHLD, SIGWINCH, 40, 41, 65, 0, SIGKILL)

static uint64_t alt_stack(struct fuzz *f)
{
	stack_t s = { .ss_sp = (void *)fuzz_arena_at(f),
		      .ss_flags = (int)fuzz_below(f, 4),
		      .ss_size = fuzz_arena_size(f) };

	return PUT(f, s);
}

static uint64_t signal_event(struct fuzz *f)
{
	struct sigevent s;

	memset(&s, 0, sizeof(s));
	s.sigev_notify = (int)fuzz_below(f, 5);
	s.sigev_signo = (int)any_signal(f);
	s.sigev_value.sival_ptr = (void *)fuzz_odd(f);
	return PUT(f, s);
}

static uint64_t vectors(struct fuzz *f, fuzz_arg *base)
{
	struct iovec s[4];

	for (int i = 0; i < 4; i++)
		s[i] = (struct iovec){ (void *)base(f), FUZZ_ONE_IN(f, 16)
								? fuzz_odd(f)
								: fuzz_below(f, FUZZ_ROOM) };
	return PUT(f, s);
}

static uint64_t vectors_out(struct fuzz *f)
{
	return vectors(f, fuzz_out);
}

static uint64_t vectors_in(struct fuzz *f)
{
	return vectors(f, fuzz_data);
}

FUZZ_PICK_ONE(vector_count, 1, 2, 3, 4, 4, 0, 5, 1025, -1ul)

/* Files on their way. */
static uint64_t rights(struct fuzz *f)
{
	struct {
		struct cmsghdr head;
		int fds[2];
	} s = { { sizeof(s), SOL_SOCKET, FUZZ_ONE_IN(f, 4) ? SCM_CREDENTIALS : SCM_RIGHTS },
		{ (int)fuzz_fd_any(f), (int)fuzz_fd_any(f) } };

	s.head.cmsg_len -= fuzz_below(f, 6);
	return PUT(f, s);
}

static uint64_t message_to_send(struct fuzz *f)
{
	struct msghdr s = { .msg_iov = (void *)vectors_in(f),
			    .msg_iovlen = vector_count(f),
			    .msg_control = (void *)optional(f, rights),
			    .msg_controllen = 24 };

	return PUT(f, s);
}

static uint64_t message(struct fuzz *f)
{
	struct msghdr s = { .msg_name = (void *)out_or_none(f),
			    .msg_namelen = 16,
			    .msg_iov = (void *)vectors_out(f),
			    .msg_iovlen = vector_count(f),
			    .msg_control = (void *)out_or_none(f),
			    .msg_controllen = 64 };

	return PUT(f, s);
}

static uint64_t address(struct fuzz *f)
{
	struct sockaddr_un s = { .sun_family = AF_UNIX, .sun_path = FUZZ_DIR "/socket" };

	return PUT(f, s);
}

FUZZ_PICK_ONE(address_length, sizeof(struct sockaddr_un), sizeof(struct sockaddr_un), 2, 10, 200,
	      -1ul)

static uint64_t address_size(struct fuzz *f)
{
	uint32_t s = (uint32_t)fuzz_below(f, 130);

	return PUT(f, s);
}

static uint64_t epoll_event_arg(struct fuzz *f)
{
	struct epoll_event s = { .events = EPOLLIN | EPOLLOUT, .data.u64 = fuzz_below(f, 100) };

	if (FUZZ_ONE_IN(f, 2))
		s.events |= FUZZ_ONE_IN(f, 2) ? EPOLLET : EPOLLONESHOT;
	return PUT(f, s);
}

static uint64_t poll_fds(struct fuzz *f)
{
	struct pollfd s[8];

	for (int i = 0; i < 8; i++)
		s[i] = (struct pollfd){ .fd = (int)fuzz_fd_any(f), .events = POLLIN | POLLOUT };
	return PUT(f, s);
}

static uint64_t fd_bits(struct fuzz *f)
{
	uint64_t s[16] = { fuzz_next(f), fuzz_next(f) };

	return FUZZ_ONE_IN(f, 2) ? PUT(f, s) : 0;
}

static uint64_t cpu_mask(struct fuzz *f)
{
	uint64_t s[2] = { FUZZ_ONE_IN(f, 4) ? fuzz_odd(f) : 1 + fuzz_below(f, 3) };

	return PUT(f, s);
}

static uint64_t limits(struct fuzz *f)
{
	uint64_t s[2] = { 150 + fuzz_below(f, 100), FUZZ_ONE_IN(f, 4) ? fuzz_odd(f) : 1ul << 20 };

	return PUT(f, s);
}

static uint64_t limits_or_none(struct fuzz *f)
{
	return optional(f, limits);
}

static uint64_t clone3_args(struct fuzz *f)
{
	struct {
		uint64_t flags, pidfd, child_tid, parent_tid, exit_signal, stack, stack_size, tls,
			rest[3];
	} s = { .flags = clone_arg(f) & ~0xfful,
		.child_tid = fuzz_out(f),
		.parent_tid = fuzz_out(f) };

	s.exit_signal = s.flags & CLONE_THREAD ? 0 : SIGCHLD;
	return PUT(f, s);
}

FUZZ_PICK_ONE(clone3_size, 88, 88, 88, 64, 80, 8, 4096, 104)

/* A list that the kernel walks when the thread ends: itself, the buffer, or nothing. */
static uint64_t robust_list(struct fuzz *f)
{
	uint64_t s[3] = { (uint64_t)f->buffer + 8 * fuzz_below(f, 8), fuzz_below(f, 64), 0 };

	return PUT(f, s);
}

/* A frame of registers as rt_sigreturn expects it at the stack pointer, of which all may be wrong;
   raw_sigreturn() in fuzz_calls.c puts it there. */
static uint64_t signal_frame(struct fuzz *f)
{
	uint64_t s[600] = { 0 };

	for (int i = 0; i < 600; i++)
		s[i] = FUZZ_ONE_IN(f, 8) ? fuzz_odd(f) : 0;
	return (uint64_t)fuzz_put_whole(f, s, sizeof(s));
}

static uint64_t strings(struct fuzz *f)
{
	uint64_t s[4] = { text(f, "fuzz"), text(f, FUZZ_ONE_IN(f, 2) ? "x" : FUZZ_DIR), 0 };

	s[2] = FUZZ_ONE_IN(f, 8) ? fuzz_bad_pointer(f) : 0;
	return PUT(f, s);
}

static uint64_t program(struct fuzz *f)
{
	static const char own_file[] = FUZZ_DIR "/file";
	static const char *const programs[] = { "/proc/self/exe", "/dev/null", "/proc/self/maps",
						own_file, "/proc" };

	return text(f, programs[fuzz_below(f, COUNT(programs))]);
}

#define CALL(call, ...)                                                                            \
	{                                                                                          \
#call, SYS_##call, FUZZ_PLAIN, 0,                                                  \
		{                                                                                  \
			__VA_ARGS__                                                                \
		}                                                                                  \
	}
#define CALL_AS(how, call, ...)                                                                    \
	{                                                                                          \
#call, SYS_##call, how, 0,                                                         \
		{                                                                                  \
			__VA_ARGS__                                                                \
		}                                                                                  \
	}

const struct fuzz_call fuzz_syscalls[] = {
	/* processes and threads */
	CALL_AS(FUZZ_NEW_TASK, clone, clone_arg, none, fuzz_out, none, fuzz_out),
	CALL_AS(FUZZ_NEW_TASK, clone3, clone3_args, clone3_size),
	CALL_AS(FUZZ_IN_CHILD, execve, program, strings, strings),
	CALL_AS(FUZZ_IN_CHILD, execveat, at_fd, program, strings, strings, at_flags),
	CALL_AS(FUZZ_IN_CHILD, exit, number),
	CALL_AS(FUZZ_IN_CHILD, exit_group, number),
	CALL_AS(FUZZ_IN_CHILD, rt_sigreturn, signal_frame),
	CALL(wait4, process, out_or_none, wait_options, out_or_none),
	CALL(waitid, wait_kind, process, fuzz_out, wait_options, out_or_none),
	CALL(set_tid_address, fuzz_out),
	CALL(getpid),
	CALL(getppid),
	CALL(gettid),
	CALL(getpgid, process),
	CALL(setpgid, this_or_none, this_or_none),
	CALL(getsid, process),
	CALL_AS(FUZZ_IN_CHILD, setsid, none),
	CALL(prctl, prctl_option, fuzz_out, none, none, none),
	CALL(prctl, prctl_option, name, none, none, none),
	CALL(personality, personality_value),
	CALL(prlimit64, process, resource, limits_or_none, out_or_none),
	CALL(getrlimit, resource, fuzz_out),
	CALL(setrlimit, resource, limits),
	CALL(getrusage, usage_of, fuzz_out),
	CALL(rseq, fuzz_out, number, small, number),
	/* credentials, machine */
	CALL(getuid),
	CALL(geteuid),
	CALL(getgid),
	CALL(getegid),
	CALL(getresuid, fuzz_out, fuzz_out, fuzz_out),
	CALL(getresgid, fuzz_out, fuzz_out, fuzz_out),
	CALL(getgroups, small, fuzz_out),
	CALL(uname, fuzz_out),
	CALL(sysinfo, fuzz_out),
	CALL_AS(FUZZ_RANDOM, getrandom, fuzz_out, length, small),
	CALL(getcpu, out_or_none, out_or_none),
	/* scheduling */
	CALL(sched_yield),
	CALL(sched_setaffinity, thread, set_size, cpu_mask),
	CALL(sched_getaffinity, thread, length, fuzz_out),
	CALL(sched_setscheduler, thread, policy, fuzz_in),
	CALL(sched_getscheduler, thread),
	CALL(sched_setparam, thread, fuzz_in),
	CALL(sched_getparam, thread, fuzz_out),
	CALL(sched_get_priority_max, policy),
	CALL(sched_get_priority_min, policy),
	CALL(sched_rr_get_interval, thread, fuzz_out),
	CALL(getpriority, small, process),
	CALL(setpriority, small, process, small),
	/* futexes */
	CALL(futex, fuzz_in, futex_op, small, timeout, fuzz_in, number),
	CALL(futex, fuzz_arena_at, futex_op, none, timeout, fuzz_arena_at, small),
	CALL(set_robust_list, robust_list, number),
	CALL(set_robust_list, robust_list, none),
	CALL(get_robust_list, thread, fuzz_out, fuzz_out),
	/* signals */
	CALL(rt_sigaction, harmless_signal, signal_action, out_or_none, set_size),
	CALL(rt_sigprocmask, small, signal_set_or_none, out_or_none, set_size),
	CALL(rt_sigpending, fuzz_out, set_size),
	CALL(rt_sigsuspend, signal_set, set_size),
	CALL(rt_sigtimedwait, signal_set, out_or_none, timeout, set_size),
	CALL_AS(FUZZ_STRICT, rt_sigqueueinfo, this_or_none, any_signal, signal_info),
	CALL_AS(FUZZ_STRICT, rt_tgsigqueueinfo, this_or_none, thread, any_signal, signal_info),
	CALL(sigaltstack, alt_stack, out_or_none),
	CALL_AS(FUZZ_STRICT, kill, this_or_none, any_signal),
	CALL_AS(FUZZ_STRICT, tkill, thread, any_signal),
	CALL_AS(FUZZ_STRICT, tgkill, this_or_none, thread, any_signal),
	/* time */
	CALL(clock_gettime, clock_number, fuzz_out),
	CALL(clock_getres, clock_number, out_or_none),
	CALL(clock_nanosleep, clock_number, small, timeout, out_or_none),
	CALL(nanosleep, timeout, out_or_none),
	CALL(gettimeofday, out_or_none, out_or_none),
	CALL(times, out_or_none),
	CALL(getitimer, small, fuzz_out),
	CALL(setitimer, small, itimer_setting, out_or_none),
	CALL(timer_create, clock_number, signal_event, fuzz_out),
	CALL(timer_settime, small, small, timer_setting, out_or_none),
	CALL(timer_gettime, small, fuzz_out),
	CALL(timer_getoverrun, small),
	CALL(timer_delete, small),
	/* memory */
	CALL_AS(FUZZ_STRICT, mmap, fuzz_arena_at, fuzz_arena_size, protection, map_flags, map_fd,
		page_offset),
	CALL_AS(FUZZ_STRICT, mmap, number, number, protection, map_flags_odd, map_fd, page_offset),
	CALL(munmap, fuzz_arena_at, fuzz_arena_size),
	CALL(mprotect, fuzz_arena_at, fuzz_arena_size, protection),
	CALL_AS(FUZZ_STRICT, madvise, fuzz_arena_at, fuzz_arena_size, advice),
	CALL(brk, none),
	CALL_AS(FUZZ_STRICT, mremap, fuzz_arena_at, fuzz_arena_size, fuzz_arena_size, remap_flags,
		fuzz_arena_at),
	CALL(msync, fuzz_arena_at, fuzz_arena_size, sync_flags),
	CALL(mincore, fuzz_arena_at, fuzz_arena_size, fuzz_out),
	CALL_AS(FUZZ_STRICT, mlock, fuzz_arena_at, fuzz_arena_size),
	CALL_AS(FUZZ_STRICT, mlock2, fuzz_arena_at, fuzz_arena_size, small),
	CALL(munlock, fuzz_arena_at, fuzz_arena_size),
	CALL(mlockall, small),
	CALL(munlockall, none),
	/* moving bytes */
	CALL(read, fuzz_fd_any, fuzz_out, length),
	CALL(write, fuzz_fd_any, fuzz_data, length),
	CALL(readv, fuzz_fd_any, vectors_out, vector_count),
	CALL(writev, fuzz_fd_any, vectors_in, vector_count),
	CALL(pread64, fuzz_fd_any, fuzz_out, length, offset),
	CALL(pwrite64, fuzz_fd_any, fuzz_data, length, offset),
	CALL(preadv, fuzz_fd_any, vectors_out, vector_count, offset, none),
	CALL(pwritev, fuzz_fd_any, vectors_in, vector_count, offset, none),
	CALL(preadv2, fuzz_fd_any, vectors_out, vector_count, offset, none, small),
	CALL(pwritev2, fuzz_fd_any, vectors_in, vector_count, offset, none, small),
	CALL(lseek, fuzz_fd_any, offset, whence),
	CALL_AS(FUZZ_STRICT, sendfile, sink_fd, file_fd, out_or_none, count_bounded),
	CALL(getdents64, dir_fd, fuzz_out, length),
	/* descriptors */
	CALL(flock, file_fd, flock_op),
	CALL_AS(FUZZ_STRICT, close, fuzz_fd_spare),
	CALL_AS(FUZZ_STRICT, close, fuzz_fd_spare),
	CALL_AS(FUZZ_STRICT, close, fd_small),
	CALL(dup, fuzz_fd_any),
	CALL(dup3, fuzz_fd_any, fuzz_fd_spare, nonblock_cloexec),
	CALL_AS(FUZZ_STRICT, close_range, fd_high, fd_high, small),
	CALL(fcntl, fuzz_fd_any, fcntl_command, small),
	CALL(fcntl, fuzz_fd_any, fcntl_command, fuzz_out),
	CALL(ftruncate, file_fd, offset),
	CALL_AS(FUZZ_STRICT, truncate, own_path, offset),
	CALL_AS(FUZZ_STRICT, fallocate, file_fd, fallocate_mode, offset_bounded, offset_bounded),
	CALL(fsync, fuzz_fd_any),
	CALL(fdatasync, fuzz_fd_any),
	CALL(sync),
	/* names */
	CALL_AS(FUZZ_STRICT, openat, at_fd, any_path, open_flags, mode),
	CALL_AS(FUZZ_STRICT, openat, own_dir, own_path, open_flags, mode),
	CALL_AS(FUZZ_STRICT, mkdirat, own_dir, own_path, mode),
	CALL_AS(FUZZ_STRICT, mknodat, own_dir, own_path, node_mode, small),
	CALL_AS(FUZZ_STRICT, unlinkat, own_dir, own_path, at_flags),
	CALL_AS(FUZZ_STRICT, renameat, own_dir, own_path, own_dir, own_path),
	CALL_AS(FUZZ_STRICT, renameat2, own_dir, own_path, own_dir, own_path, rename_flags),
	CALL_AS(FUZZ_STRICT, linkat, at_fd, any_path, own_dir, own_path, at_flags),
	CALL_AS(FUZZ_STRICT, symlinkat, any_path, own_dir, own_path),
	CALL(readlinkat, at_fd, link_path, fuzz_out, length),
	CALL(readlinkat, at_fd, own_path, fuzz_out, length),
	CALL(getcwd, fuzz_out, length),
	CALL_AS(FUZZ_STRICT, chdir, dir_path),
	CALL_AS(FUZZ_STRICT, fchdir, own_dir),
	CALL(umask, mode),
	/* attributes */
	CALL(fstat, fuzz_fd_any, fuzz_out),
	CALL(newfstatat, at_fd, any_path, fuzz_out, at_flags),
	CALL(statx, at_fd, any_path, at_flags, number, fuzz_out),
	CALL(faccessat, at_fd, any_path, small),
	CALL(faccessat2, at_fd, any_path, small, at_flags),
	CALL(fchmod, file_fd, mode),
	CALL_AS(FUZZ_STRICT, fchmodat, own_dir, own_path, mode),
	CALL(fchown, file_fd, number, number),
	CALL_AS(FUZZ_STRICT, fchownat, own_dir, own_path, number, number, at_flags),
	CALL_AS(FUZZ_STRICT, utimensat, own_dir, own_path, timer_setting, at_flags),
	CALL(statfs, any_path, fuzz_out),
	CALL(fstatfs, fuzz_fd_any, fuzz_out),
	/* pipes, events */
	CALL(pipe2, fuzz_out, nonblock_cloexec),
	CALL(memfd_create, name, memfd_flags),
	CALL(eventfd2, number, nonblock_cloexec),
	CALL(timerfd_create, clock_number, nonblock_cloexec),
	CALL(timerfd_settime, timer_fd, small, timer_setting, out_or_none),
	CALL(timerfd_gettime, timer_fd, fuzz_out),
	CALL(signalfd4, fd_small, signal_set, set_size, nonblock_cloexec),
	CALL(userfaultfd, uffd_flags),
	/* waiting */
	CALL(ppoll, poll_fds, small, timeout, signal_set_or_none, set_size),
	CALL(pselect6, number, fd_bits, fd_bits, fd_bits, timeout, set_and_size),
	CALL(epoll_create1, nonblock_cloexec),
	CALL(epoll_ctl, epoll_fd, epoll_op, fuzz_fd_any, epoll_event_arg),
	CALL(epoll_pwait, epoll_fd, fuzz_out, small, milliseconds, signal_set_or_none, set_size),
	CALL(epoll_pwait2, epoll_fd, fuzz_out, small, timeout, signal_set_or_none, set_size),
	/* sockets */
	CALL(socket, family, socket_type, none),
	CALL(socketpair, family, socket_type, none, fuzz_out),
	CALL(bind, socket_fd, address, address_length),
	CALL(listen, socket_fd, small),
	CALL(accept, socket_fd, out_or_none, address_size),
	CALL(accept4, socket_fd, out_or_none, address_size, nonblock_cloexec),
	CALL(connect, socket_fd, address, address_length),
	CALL(getsockname, socket_fd, fuzz_out, address_size),
	CALL(getpeername, socket_fd, fuzz_out, address_size),
	CALL(sendto, socket_fd, fuzz_data, length, message_flags, none, none),
	CALL(recvfrom, socket_fd, fuzz_out, length, message_flags, out_or_none, address_size),
	CALL(sendmsg, socket_fd, message_to_send, message_flags),
	CALL(recvmsg, socket_fd, message, message_flags),
	CALL(setsockopt, socket_fd, socket_level, socket_option, fuzz_in, small),
	CALL(getsockopt, socket_fd, socket_level, socket_option, fuzz_out, address_size),
	CALL(shutdown, socket_fd, small),
};
const size_t fuzz_syscall_count = COUNT(fuzz_syscalls);
