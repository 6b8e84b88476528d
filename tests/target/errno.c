/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Bad pointers, sizes, flags and descriptors to system calls give Linux's errno: a table with a row
 * for each. KVM's ioctls have their own table in errno_kvm.c.
 */
#define _GNU_SOURCE
#include "tests/target/check.h"
#include "tests/target/rows.h"

#include <fcntl.h>
#include <linux/futex.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <sys/ioctl.h>
#include <time.h>

enum { PAGE = 4096, NEVER_OPENED = 900 };

enum token {
	T_NONE,
	T_FILE,	     /* regular file, read-write */
	T_READ_ONLY, /* regular file, read-only */
	T_WRITE_ONLY,
	T_DIR,
	T_ZERO, /* /dev/zero */
	T_PIPE_R,
	T_PIPE_W,
	T_EVENT,
	T_EPOLL,
	T_EPOLL_EVENT, /* an epoll that watches T_EVENT */
	T_MEMFD,
	T_PAGE,	    /* one readable and writable page */
	T_CONST,    /* one readable page */
	T_UNMAPPED, /* a page that is not there; T_PAGE lies before it */
	T_EDGE,	    /* the last 4 bytes of T_PAGE */
	T_PID,
	T_LONG_NAME, /* a path component of 300 bytes */
	TOKENS,
};

#define FILE_FD	    TOKEN(T_FILE)
#define READ_ONLY   TOKEN(T_READ_ONLY)
#define WRITE_ONLY  TOKEN(T_WRITE_ONLY)
#define DIR_FD	    TOKEN(T_DIR)
#define ZERO_FD	    TOKEN(T_ZERO)
#define PIPE_R	    TOKEN(T_PIPE_R)
#define PIPE_W	    TOKEN(T_PIPE_W)
#define EVENT_FD    TOKEN(T_EVENT)
#define EPOLL_FD    TOKEN(T_EPOLL)
#define EPOLL_EVENT TOKEN(T_EPOLL_EVENT)
#define MEMFD	    TOKEN(T_MEMFD)
#define PAGE_PTR    TOKEN(T_PAGE)
#define CONST_PTR   TOKEN(T_CONST)
#define UNMAPPED    TOKEN(T_UNMAPPED)
#define EDGE	    TOKEN(T_EDGE)
#define PID	    TOKEN(T_PID)
#define LONG_NAME   TOKEN(T_LONG_NAME)
#define NULL_PTR    0
#define LOW_PTR	    8		       /* in the page at 0, where nothing ever is */
#define KERNEL_PTR  0xffff800000001000 /* not a user address */

static const struct timespec bad_ns = { .tv_nsec = 1000000000 };
static const struct timespec negative_ns = { .tv_nsec = -1 };
static const struct timespec zero_time;
static const struct itimerval bad_us = { .it_value = { .tv_usec = 1000000 } };
static const struct epoll_event event_in = { .events = EPOLLIN };
static const struct iovec bad_vector[2] = { { (void *)LOW_PTR, 16 }, { (void *)LOW_PTR, 16 } };
static const struct iovec negative_vector[1] = { { (void *)LOW_PTR, (size_t)-1 } };
static const unsigned long no_cpus[16];
static const unsigned futex_word[2] = { 5, 5 };
static const stack_t stack_bad_flags = { .ss_flags = 0x40, .ss_size = 65536 };
static const stack_t stack_too_small = { .ss_size = 64 };
static const struct sigaction default_action = { .sa_handler = SIG_DFL };
static const unsigned long no_signals[1];
static const struct rlimit soft_above_hard = { .rlim_cur = 100, .rlim_max = 50 };

#define TMP_FILE   ADDRESS("/tmp/errno.file")
#define TMP_DIR	   ADDRESS("/tmp/errno.dir")
#define NO_FILE	   ADDRESS("/tmp/errno.none")
#define UNDER_FILE ADDRESS("/tmp/errno.file/x")
#define UNDER_NONE ADDRESS("/tmp/errno.none/x")

/* One row, one line. */
/* clang-format off */
static const struct row descriptor_rows[] = {
	{ "close: never opened", EBADF, SYS_close, { NEVER_OPENED } },
	{ "close: -1", EBADF, SYS_close, { -1 } },
	{ "dup: never opened", EBADF, SYS_dup, { NEVER_OPENED } },
	{ "dup3: never opened", EBADF, SYS_dup3, { NEVER_OPENED, 901 } },
	{ "dup3: onto itself", EINVAL, SYS_dup3, { FILE_FD, FILE_FD } },
	{ "dup3: unknown flag", EINVAL, SYS_dup3, { FILE_FD, 901, 1 } },
	{ "dup3: beyond the limit", EBADF, SYS_dup3, { FILE_FD, 0x7ffffff0 } },
	{ "fcntl: never opened", EBADF, SYS_fcntl, { NEVER_OPENED, F_GETFD } },
	{ "fcntl: unknown command", EINVAL, SYS_fcntl, { FILE_FD, 9999 } },
	{ "fcntl F_DUPFD: beyond the limit", EINVAL, SYS_fcntl, { FILE_FD, F_DUPFD, 0x7ffffff0 } },
	{ "fcntl F_DUPFD: negative", EINVAL, SYS_fcntl, { FILE_FD, F_DUPFD, -1 } },
	{ "pipe2: unknown flag", EINVAL, SYS_pipe2, { PAGE_PTR, 0x1000000 } },
	{ "pipe2: bad pointer", EFAULT, SYS_pipe2, { LOW_PTR, 0 } },
	{ "pipe2: half of the array unmapped", EFAULT, SYS_pipe2, { EDGE, 0 } },
	{ "eventfd2: unknown flag", EINVAL, SYS_eventfd2, { 0, 2 } },
	{ "epoll_create1: unknown flag", EINVAL, SYS_epoll_create1, { 1 } },
	{ "memfd_create: bad pointer", EFAULT, SYS_memfd_create, { LOW_PTR, 0 } },
	{ "memfd_create: unknown flag", EINVAL, SYS_memfd_create, { ADDRESS("x"), 0x1000 } },
	{ "memfd_create: name too long", EINVAL, SYS_memfd_create, { LONG_NAME, 0 } },
};

static const struct row transfer_rows[] = {
	{ "read: never opened", EBADF, SYS_read, { NEVER_OPENED, PAGE_PTR, 1 } },
	{ "read: write-only", EBADF, SYS_read, { WRITE_ONLY, PAGE_PTR, 1 } },
	{ "read: write end of a pipe", EBADF, SYS_read, { PIPE_W, PAGE_PTR, 1 } },
	{ "read: directory", EISDIR, SYS_read, { DIR_FD, PAGE_PTR, 1 } },
	{ "read: null pointer", EFAULT, SYS_read, { ZERO_FD, NULL_PTR, 1 } },
	{ "read: file into a bad pointer", EFAULT, SYS_read, { FILE_FD, LOW_PTR, 1 } },
	{ "read: kernel address", EFAULT, SYS_read, { FILE_FD, KERNEL_PTR, 1 } },
	{ "read: into read-only memory", EFAULT, SYS_read, { FILE_FD, CONST_PTR, 1 } },
	{ "read: nothing into a bad pointer", 0, SYS_read, { ZERO_FD, LOW_PTR, 0 } },
	{ "read: eventfd, too small", EINVAL, SYS_read, { EVENT_FD, PAGE_PTR, 4 } },
	{ "read: epoll", EINVAL, SYS_read, { EPOLL_FD, PAGE_PTR, 8 } },
	{ "write: never opened", EBADF, SYS_write, { NEVER_OPENED, PAGE_PTR, 1 } },
	{ "write: read-only", EBADF, SYS_write, { READ_ONLY, PAGE_PTR, 1 } },
	{ "write: directory", EBADF, SYS_write, { DIR_FD, PAGE_PTR, 1 } },
	{ "write: read end of a pipe", EBADF, SYS_write, { PIPE_R, PAGE_PTR, 1 } },
	{ "write: pipe from a bad pointer", EFAULT, SYS_write, { PIPE_W, LOW_PTR, 1 } },
	{ "write: file from a bad pointer", EFAULT, SYS_write, { FILE_FD, LOW_PTR, 1 } },
	{ "write: kernel address", EFAULT, SYS_write, { FILE_FD, KERNEL_PTR, 1 } },
	{ "write: eventfd, too small", EINVAL, SYS_write, { EVENT_FD, PAGE_PTR, 4 } },
	{ "write: eventfd, bad pointer", EFAULT, SYS_write, { EVENT_FD, LOW_PTR, 8 } },
	{ "pread64: pipe", ESPIPE, SYS_pread64, { PIPE_R, PAGE_PTR, 1, 0 } },
	{ "pread64: negative offset", EINVAL, SYS_pread64, { FILE_FD, PAGE_PTR, 1, -1 } },
	{ "pread64: never opened", EBADF, SYS_pread64, { NEVER_OPENED, PAGE_PTR, 1, 0 } },
	{ "pread64: bad pointer", EFAULT, SYS_pread64, { FILE_FD, LOW_PTR, 1, 0 } },
	{ "pwrite64: pipe", ESPIPE, SYS_pwrite64, { PIPE_W, PAGE_PTR, 1, 0 } },
	{ "pwrite64: negative offset", EINVAL, SYS_pwrite64, { FILE_FD, PAGE_PTR, 1, -1 } },
	{ "pwrite64: read-only", EBADF, SYS_pwrite64, { READ_ONLY, PAGE_PTR, 1, 0 } },
	{ "readv: bad vector", EFAULT, SYS_readv, { FILE_FD, LOW_PTR, 1 } },
	{ "readv: bad base", EFAULT, SYS_readv, { FILE_FD, ADDRESS(bad_vector), 2 } },
	{ "readv: negative count", EINVAL, SYS_readv, { FILE_FD, PAGE_PTR, -1 } },
	{ "writev: count above 1024", EINVAL, SYS_writev, { FILE_FD, PAGE_PTR, 1025 } },
	{ "writev: never opened", EBADF, SYS_writev, { NEVER_OPENED, PAGE_PTR, 1 } },
	{ "writev: bad base", EFAULT, SYS_writev, { FILE_FD, ADDRESS(bad_vector), 2 } },
	{ "writev: negative length", EINVAL, SYS_writev, { FILE_FD, ADDRESS(negative_vector), 1 } },
	{ "lseek: never opened", EBADF, SYS_lseek, { NEVER_OPENED, 0, SEEK_SET } },
	{ "lseek: pipe", ESPIPE, SYS_lseek, { PIPE_R, 0, SEEK_SET } },
	{ "lseek: negative", EINVAL, SYS_lseek, { FILE_FD, -1, SEEK_SET } },
	{ "lseek: unknown whence", EINVAL, SYS_lseek, { FILE_FD, 0, 99 } },
	{ "ioctl: never opened", EBADF, SYS_ioctl, { NEVER_OPENED, TCGETS, PAGE_PTR } },
	{ "ioctl TCGETS: file", ENOTTY, SYS_ioctl, { FILE_FD, TCGETS, PAGE_PTR } },
	{ "ioctl TCGETS: pipe", ENOTTY, SYS_ioctl, { PIPE_R, TCGETS, PAGE_PTR } },
	{ "ioctl TCGETS: eventfd", ENOTTY, SYS_ioctl, { EVENT_FD, TCGETS, PAGE_PTR } },
	{ "ftruncate: never opened", EBADF, SYS_ftruncate, { NEVER_OPENED, 0 } },
	{ "ftruncate: negative", EINVAL, SYS_ftruncate, { FILE_FD, -1 } },
	{ "ftruncate: read-only", EINVAL, SYS_ftruncate, { READ_ONLY, 0 } },
	{ "ftruncate: pipe", EINVAL, SYS_ftruncate, { PIPE_W, 0 } },
	{ "fadvise64: never opened", EBADF, SYS_fadvise64, { NEVER_OPENED, 0, 0, 0 } },
	{ "fadvise64: pipe", ESPIPE, SYS_fadvise64, { PIPE_R, 0, 0, 0 } },
	{ "fadvise64: unknown advice", EINVAL, SYS_fadvise64, { FILE_FD, 0, 0, 99 } },
	{ "fadvise64: negative length", EINVAL, SYS_fadvise64, { FILE_FD, 0, -1, 0 } },
	{ "fadvise64: all is fine", 0, SYS_fadvise64, { FILE_FD, 0, 0, 4 } },
	{ "readahead: write-only", EBADF, SYS_readahead, { WRITE_ONLY, 0, 1 } },
	{ "readahead: pipe", EINVAL, SYS_readahead, { PIPE_R, 0, 1 } },
	{ "readahead: all is fine", 0, SYS_readahead, { FILE_FD, 0, 1 } },
	{ "syncfs: never opened", EBADF, SYS_syncfs, { NEVER_OPENED } },
	{ "syncfs: all is fine", 0, SYS_syncfs, { FILE_FD } },
	{ "sync_file_range: pipe", ESPIPE, SYS_sync_file_range, { PIPE_W, 0, 1, 0 } },
	{ "sync_file_range: unknown flag", EINVAL, SYS_sync_file_range, { FILE_FD, 0, 1, 8 } },
	{ "sync_file_range: negative", EINVAL, SYS_sync_file_range, { FILE_FD, -1, 1, 0 } },
	{ "sync_file_range: all is fine", 0, SYS_sync_file_range, { FILE_FD, 0, 1, 7 } },
	{ "copy_file_range: never opened", EBADF, SYS_copy_file_range, { NEVER_OPENED, 0, FILE_FD, 0, 1, 0 } },
	{ "copy_file_range: directory", EISDIR, SYS_copy_file_range, { DIR_FD, 0, FILE_FD, 0, 1, 0 } },
	{ "copy_file_range: pipe", EINVAL, SYS_copy_file_range, { PIPE_R, 0, FILE_FD, 0, 1, 0 } },
	{ "copy_file_range: from write-only", EBADF, SYS_copy_file_range, { WRITE_ONLY, 0, MEMFD, 0, 1, 0 } },
	{ "copy_file_range: to read-only", EBADF, SYS_copy_file_range, { FILE_FD, 0, READ_ONLY, 0, 1, 0 } },
	{ "copy_file_range: onto itself", EINVAL, SYS_copy_file_range, { FILE_FD, 0, FILE_FD, 0, 8, 0 } },
	{ "copy_file_range: unknown flag", EINVAL, SYS_copy_file_range, { FILE_FD, 0, MEMFD, 0, 1, 1 } },
	{ "copy_file_range: bad position", EFAULT, SYS_copy_file_range, { FILE_FD, LOW_PTR, MEMFD, 0, 1, 0 } },
	{ "fallocate: never opened", EBADF, SYS_fallocate, { NEVER_OPENED, 0, 0, 1 } },
	{ "fallocate: read-only", EBADF, SYS_fallocate, { READ_ONLY, 0, 0, 1 } },
	{ "fallocate: pipe", ESPIPE, SYS_fallocate, { PIPE_W, 0, 0, 1 } },
	{ "fallocate: length 0", EINVAL, SYS_fallocate, { MEMFD, 0, 0, 0 } },
	{ "fallocate: negative offset", EINVAL, SYS_fallocate, { MEMFD, 0, -1, 1 } },
	{ "fallocate: unknown mode", EOPNOTSUPP, SYS_fallocate, { MEMFD, 0x4000, 0, 1 } },
	{ "fallocate: hole, size not kept", EOPNOTSUPP, SYS_fallocate, { MEMFD, 2, 0, PAGE } },
};

static const struct row name_rows[] = {
	{ "openat: the running program, to write", ETXTBSY, SYS_openat, { AT_FDCWD, ADDRESS("/proc/self/exe"), O_WRONLY } },
	{ "openat: the running program, to truncate", ETXTBSY, SYS_openat, { AT_FDCWD, ADDRESS("/proc/self/exe"), O_RDONLY | O_TRUNC } },
	{ "truncate: the running program", ETXTBSY, SYS_truncate, { ADDRESS("/proc/self/exe"), 0 } },
	{ "openat: bad pointer", EFAULT, SYS_openat, { AT_FDCWD, LOW_PTR, O_RDONLY } },
	{ "openat: empty name", ENOENT, SYS_openat, { AT_FDCWD, ADDRESS(""), O_RDONLY } },
	{ "openat: no such file", ENOENT, SYS_openat, { AT_FDCWD, NO_FILE, O_RDONLY } },
	{ "openat: under a file", ENOTDIR, SYS_openat, { AT_FDCWD, UNDER_FILE, O_RDONLY } },
	{ "openat: under nothing", ENOENT, SYS_openat, { AT_FDCWD, UNDER_NONE, O_CREAT | O_RDWR, 0600 } },
	{ "openat: exists", EEXIST, SYS_openat, { AT_FDCWD, TMP_FILE, O_CREAT | O_EXCL | O_RDWR, 0600 } },
	{ "openat: directory for writing", EISDIR, SYS_openat, { AT_FDCWD, TMP_DIR, O_WRONLY } },
	{ "openat: file as directory", ENOTDIR, SYS_openat, { AT_FDCWD, TMP_FILE, O_DIRECTORY } },
	{ "openat: relative to nothing", EBADF, SYS_openat, { NEVER_OPENED, ADDRESS("x"), O_RDONLY } },
	{ "openat: relative to a file", ENOTDIR, SYS_openat, { FILE_FD, ADDRESS("x"), O_RDONLY } },
	{ "openat: component too long", ENAMETOOLONG, SYS_openat, { AT_FDCWD, LONG_NAME, O_RDONLY } },
	{ "newfstatat: bad name", EFAULT, SYS_newfstatat, { AT_FDCWD, LOW_PTR, PAGE_PTR } },
	{ "newfstatat: bad buffer", EFAULT, SYS_newfstatat, { AT_FDCWD, TMP_FILE, LOW_PTR } },
	{ "newfstatat: empty name", ENOENT, SYS_newfstatat, { AT_FDCWD, ADDRESS(""), PAGE_PTR } },
	{ "newfstatat: unknown flag", EINVAL, SYS_newfstatat, { AT_FDCWD, TMP_FILE, PAGE_PTR, 0x10000 } },
	{ "newfstatat: no such file", ENOENT, SYS_newfstatat, { AT_FDCWD, NO_FILE, PAGE_PTR } },
	{ "fstat: never opened", EBADF, SYS_fstat, { NEVER_OPENED, PAGE_PTR } },
	{ "fstat: bad buffer", EFAULT, SYS_fstat, { FILE_FD, LOW_PTR } },
	{ "fstat: buffer at the edge", EFAULT, SYS_fstat, { FILE_FD, EDGE } },
	{ "readlinkat: no link", EINVAL, SYS_readlinkat, { AT_FDCWD, TMP_FILE, PAGE_PTR, 64 } },
	{ "readlinkat: no such file", ENOENT, SYS_readlinkat, { AT_FDCWD, NO_FILE, PAGE_PTR, 64 } },
	{ "readlinkat: size 0", EINVAL, SYS_readlinkat, { AT_FDCWD, ADDRESS("/proc/self/exe"), PAGE_PTR, 0 } },
	{ "readlinkat: bad buffer", EFAULT, SYS_readlinkat, { AT_FDCWD, ADDRESS("/proc/self/exe"), LOW_PTR, 64 } },
	{ "faccessat: no such file", ENOENT, SYS_faccessat, { AT_FDCWD, NO_FILE, F_OK } },
	{ "faccessat: unknown mode", EINVAL, SYS_faccessat, { AT_FDCWD, TMP_FILE, 64 } },
	{ "mkdirat: exists", EEXIST, SYS_mkdirat, { AT_FDCWD, TMP_DIR, 0755 } },
	{ "mkdirat: under nothing", ENOENT, SYS_mkdirat, { AT_FDCWD, UNDER_NONE, 0755 } },
	{ "mkdirat: bad pointer", EFAULT, SYS_mkdirat, { AT_FDCWD, LOW_PTR, 0755 } },
	{ "unlinkat: no such file", ENOENT, SYS_unlinkat, { AT_FDCWD, NO_FILE, 0 } },
	{ "unlinkat: directory", EISDIR, SYS_unlinkat, { AT_FDCWD, TMP_DIR, 0 } },
	{ "unlinkat: file as directory", ENOTDIR, SYS_unlinkat, { AT_FDCWD, TMP_FILE, AT_REMOVEDIR } },
	{ "unlinkat: unknown flag", EINVAL, SYS_unlinkat, { AT_FDCWD, TMP_FILE, 1 } },
	{ "getdents64: never opened", EBADF, SYS_getdents64, { NEVER_OPENED, PAGE_PTR, PAGE } },
	{ "getdents64: file", ENOTDIR, SYS_getdents64, { FILE_FD, PAGE_PTR, PAGE } },
	{ "getdents64: too small for one", EINVAL, SYS_getdents64, { DIR_FD, PAGE_PTR, 8 } },
	{ "getdents64: bad pointer", EFAULT, SYS_getdents64, { DIR_FD, LOW_PTR, PAGE } },
};

static const struct row epoll_rows[] = {
	{ "epoll_ctl: never opened", EBADF, SYS_epoll_ctl, { NEVER_OPENED, EPOLL_CTL_ADD, EVENT_FD, ADDRESS(&event_in) } },
	{ "epoll_ctl: target never opened", EBADF, SYS_epoll_ctl, { EPOLL_FD, EPOLL_CTL_ADD, NEVER_OPENED, ADDRESS(&event_in) } },
	{ "epoll_ctl: no epoll", EINVAL, SYS_epoll_ctl, { EVENT_FD, EPOLL_CTL_ADD, PIPE_R, ADDRESS(&event_in) } },
	{ "epoll_ctl: itself", EINVAL, SYS_epoll_ctl, { EPOLL_FD, EPOLL_CTL_ADD, EPOLL_FD, ADDRESS(&event_in) } },
	{ "epoll_ctl: unknown operation", EINVAL, SYS_epoll_ctl, { EPOLL_FD, 99, EVENT_FD, ADDRESS(&event_in) } },
	{ "epoll_ctl: regular file", EPERM, SYS_epoll_ctl, { EPOLL_FD, EPOLL_CTL_ADD, FILE_FD, ADDRESS(&event_in) } },
	{ "epoll_ctl: bad pointer", EFAULT, SYS_epoll_ctl, { EPOLL_FD, EPOLL_CTL_ADD, EVENT_FD, LOW_PTR } },
	{ "epoll_ctl: there already", EEXIST, SYS_epoll_ctl, { EPOLL_EVENT, EPOLL_CTL_ADD, EVENT_FD, ADDRESS(&event_in) } },
	{ "epoll_ctl: change what is not there", ENOENT, SYS_epoll_ctl, { EPOLL_FD, EPOLL_CTL_MOD, EVENT_FD, ADDRESS(&event_in) } },
	{ "epoll_ctl: delete what is not there", ENOENT, SYS_epoll_ctl, { EPOLL_FD, EPOLL_CTL_DEL, EVENT_FD, 0 } },
	{ "epoll_pwait: never opened", EBADF, SYS_epoll_pwait, { NEVER_OPENED, PAGE_PTR, 1, 0, 0, 8 } },
	{ "epoll_pwait: no epoll", EINVAL, SYS_epoll_pwait, { EVENT_FD, PAGE_PTR, 1, 0, 0, 8 } },
	{ "epoll_pwait: no events asked for", EINVAL, SYS_epoll_pwait, { EPOLL_FD, PAGE_PTR, 0, 0, 0, 8 } },
	{ "epoll_pwait: mask of a wrong size", EINVAL, SYS_epoll_pwait, { EPOLL_FD, PAGE_PTR, 1, 0, PAGE_PTR, 4 } },
	{ "epoll_pwait: event into a bad pointer", EFAULT, SYS_epoll_pwait, { EPOLL_EVENT, LOW_PTR, 1, 0, 0, 8 } },
	{ "ppoll: bad pointer", EFAULT, SYS_ppoll, { LOW_PTR, 1, ADDRESS(&zero_time), 0, 8 } },
	{ "ppoll: bad time", EINVAL, SYS_ppoll, { NULL_PTR, 0, ADDRESS(&bad_ns), 0, 8 } },
	{ "ppoll: bad time pointer", EFAULT, SYS_ppoll, { NULL_PTR, 0, LOW_PTR, 0, 8 } },
};

#define ANON (MAP_PRIVATE | MAP_ANONYMOUS)

static const struct row memory_rows[] = {
	{ "mmap: length 0", EINVAL, SYS_mmap, { 0, 0, PROT_READ, ANON, -1, 0 } },
	{ "mmap: neither shared nor private", EINVAL, SYS_mmap, { 0, PAGE, PROT_READ, MAP_ANONYMOUS, -1, 0 } },
	{ "mmap: offset not aligned", EINVAL, SYS_mmap, { 0, PAGE, PROT_READ, MAP_PRIVATE, FILE_FD, 1 } },
	{ "mmap: fixed, not aligned", EINVAL, SYS_mmap, { 0x10000001, PAGE, PROT_READ, ANON | MAP_FIXED, -1, 0 } },
	{ "mmap: fixed, beyond user space", ENOMEM, SYS_mmap, { 1L << 52, PAGE, PROT_READ, ANON | MAP_FIXED, -1, 0 } },
	{ "mmap: fixed, something is there", EEXIST, SYS_mmap, { PAGE_PTR, PAGE, PROT_READ, ANON | MAP_FIXED_NOREPLACE, -1, 0 } },
	{ "mmap: longer than user space", ENOMEM, SYS_mmap, { 0, 1L << 52, PROT_READ, ANON, -1, 0 } },
	{ "mmap: length wraps", ENOMEM, SYS_mmap, { 0, -1, PROT_READ, ANON, -1, 0 } },
	{ "mmap: never opened", EBADF, SYS_mmap, { 0, PAGE, PROT_READ, MAP_PRIVATE, NEVER_OPENED, 0 } },
	{ "mmap: write-only file", EACCES, SYS_mmap, { 0, PAGE, PROT_READ, MAP_PRIVATE, WRITE_ONLY, 0 } },
	{ "mmap: shared, writable, read-only file", EACCES, SYS_mmap, { 0, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, READ_ONLY, 0 } },
	{ "mmap: pipe", ENODEV, SYS_mmap, { 0, PAGE, PROT_READ, MAP_PRIVATE, PIPE_R, 0 } },
	{ "mmap: directory", ENODEV, SYS_mmap, { 0, PAGE, PROT_READ, MAP_PRIVATE, DIR_FD, 0 } },
	{ "mmap: eventfd", ENODEV, SYS_mmap, { 0, PAGE, PROT_READ, MAP_SHARED, EVENT_FD, 0 } },
	{ "munmap: not aligned", EINVAL, SYS_munmap, { 0x10000001, PAGE } },
	{ "munmap: length 0", EINVAL, SYS_munmap, { 0x10000000, 0 } },
	{ "munmap: beyond user space", EINVAL, SYS_munmap, { 1L << 52, PAGE } },
	{ "munmap: length wraps", EINVAL, SYS_munmap, { 0x10000000, -PAGE } },
	{ "mprotect: not aligned", EINVAL, SYS_mprotect, { 0x10000001, PAGE, PROT_READ } },
	{ "mprotect: nothing there", ENOMEM, SYS_mprotect, { UNMAPPED, PAGE, PROT_READ } },
	{ "mprotect: end not there", ENOMEM, SYS_mprotect, { PAGE_PTR, 2 * PAGE, PROT_READ | PROT_WRITE } },
	{ "mprotect: unknown protection", EINVAL, SYS_mprotect, { PAGE_PTR, PAGE, 0x800 } },
	{ "mprotect: length wraps", ENOMEM, SYS_mprotect, { PAGE_PTR, -PAGE, PROT_READ } },
	{ "mprotect: length 0", 0, SYS_mprotect, { PAGE_PTR, 0, PROT_READ } },
	{ "madvise: not aligned", EINVAL, SYS_madvise, { 0x10000001, PAGE, MADV_DONTNEED } },
	{ "madvise: nothing there", ENOMEM, SYS_madvise, { UNMAPPED, PAGE, MADV_DONTNEED } },
	{ "madvise: unknown advice", EINVAL, SYS_madvise, { PAGE_PTR, PAGE, 9999 } },
	{ "madvise: length wraps", EINVAL, SYS_madvise, { PAGE_PTR, -1, MADV_DONTNEED } },
	{ "madvise: length 0", 0, SYS_madvise, { PAGE_PTR, 0, MADV_DONTNEED } },
};

static const struct row signal_rows[] = {
	{ "rt_sigaction: signal 0", EINVAL, SYS_rt_sigaction, { 0, ADDRESS(&default_action), 0, 8 } },
	{ "rt_sigaction: signal 65", EINVAL, SYS_rt_sigaction, { 65, ADDRESS(&default_action), 0, 8 } },
	{ "rt_sigaction: SIGKILL", EINVAL, SYS_rt_sigaction, { SIGKILL, ADDRESS(&default_action), 0, 8 } },
	{ "rt_sigaction: SIGSTOP", EINVAL, SYS_rt_sigaction, { SIGSTOP, ADDRESS(&default_action), 0, 8 } },
	{ "rt_sigaction: size of the mask", EINVAL, SYS_rt_sigaction, { SIGUSR1, 0, 0, 4 } },
	{ "rt_sigaction: bad new action", EFAULT, SYS_rt_sigaction, { SIGUSR1, LOW_PTR, 0, 8 } },
	{ "rt_sigaction: bad old action", EFAULT, SYS_rt_sigaction, { SIGUSR1, 0, LOW_PTR, 8 } },
	{ "rt_sigprocmask: unknown operation", EINVAL, SYS_rt_sigprocmask, { 99, ADDRESS(no_signals), 0, 8 } },
	{ "rt_sigprocmask: size of the mask", EINVAL, SYS_rt_sigprocmask, { SIG_BLOCK, 0, 0, 4 } },
	{ "rt_sigprocmask: bad new mask", EFAULT, SYS_rt_sigprocmask, { SIG_BLOCK, LOW_PTR, 0, 8 } },
	{ "rt_sigprocmask: bad old mask", EFAULT, SYS_rt_sigprocmask, { SIG_BLOCK, 0, LOW_PTR, 8 } },
	{ "rt_sigpending: size of the mask", EINVAL, SYS_rt_sigpending, { PAGE_PTR, 16 } },
	{ "rt_sigsuspend: size of the mask", EINVAL, SYS_rt_sigsuspend, { PAGE_PTR, 4 } },
	{ "sigaltstack: bad pointer", EFAULT, SYS_sigaltstack, { LOW_PTR, 0 } },
	{ "sigaltstack: unknown flag", EINVAL, SYS_sigaltstack, { ADDRESS(&stack_bad_flags), 0 } },
	{ "sigaltstack: too small", ENOMEM, SYS_sigaltstack, { ADDRESS(&stack_too_small), 0 } },
	{ "tgkill: signal 65", EINVAL, SYS_tgkill, { PID, PID, 65 } },
	{ "tgkill: no such thread", ESRCH, SYS_tgkill, { PID, 0x3fffff, 0 } },
	{ "tgkill: thread 0", EINVAL, SYS_tgkill, { PID, 0, 0 } },
	{ "tgkill: negative process", EINVAL, SYS_tgkill, { -1, PID, 0 } },
	{ "kill: signal 65", EINVAL, SYS_kill, { PID, 65 } },
	{ "kill: no such process", ESRCH, SYS_kill, { 0x3fffff, 0 } },
};

static const struct row thread_rows[] = {
	{ "futex: null pointer", EFAULT, SYS_futex, { NULL_PTR, FUTEX_WAIT_PRIVATE, 0, 0 } },
	{ "futex: unmapped", EFAULT, SYS_futex, { UNMAPPED, FUTEX_WAIT_PRIVATE, 0, 0 } },
	{ "futex: kernel address", EFAULT, SYS_futex, { KERNEL_PTR, FUTEX_WAIT_PRIVATE, 0, 0 } },
	{ "futex wait: not aligned", EINVAL, SYS_futex, { 0x10000001, FUTEX_WAIT_PRIVATE, 0, 0 } },
	{ "futex wake: not aligned", EINVAL, SYS_futex, { 0x10000001, FUTEX_WAKE_PRIVATE, 1 } },
	{ "futex: unknown operation", ENOSYS, SYS_futex, { ADDRESS(futex_word), 0x7f, 5 } },
	{ "futex: other value", EAGAIN, SYS_futex, { ADDRESS(futex_word), FUTEX_WAIT_PRIVATE, 4, 0 } },
	{ "futex: other value, bit set", EAGAIN, SYS_futex, { ADDRESS(futex_word), FUTEX_WAIT_BITSET_PRIVATE, 4, 0, 0, -1 } },
	{ "futex: empty bit set", EINVAL, SYS_futex, { ADDRESS(futex_word), FUTEX_WAIT_BITSET_PRIVATE, 5, 0, 0, 0 } },
	{ "futex: bad time", EINVAL, SYS_futex, { ADDRESS(futex_word), FUTEX_WAIT_PRIVATE, 5, ADDRESS(&bad_ns) } },
	{ "futex: bad time pointer", EFAULT, SYS_futex, { ADDRESS(futex_word), FUTEX_WAIT_PRIVATE, 5, LOW_PTR } },
	{ "futex: at once", ETIMEDOUT, SYS_futex, { ADDRESS(futex_word), FUTEX_WAIT_PRIVATE, 5, ADDRESS(&zero_time) } },
	{ "futex: realtime and wake", ENOSYS, SYS_futex, { ADDRESS(futex_word), FUTEX_WAKE | FUTEX_CLOCK_REALTIME, 1 } },
	{ "set_robust_list: size", EINVAL, SYS_set_robust_list, { PAGE_PTR, 8 } },
	{ "clone: thread without shared handlers", EINVAL, SYS_clone, { CLONE_THREAD | CLONE_VM, 0, 0, 0, 0 } },
	{ "clone: shared handlers without shared memory", EINVAL, SYS_clone, { CLONE_SIGHAND, 0, 0, 0, 0 } },
	{ "sched_getaffinity: size 0", EINVAL, SYS_sched_getaffinity, { 0, 0, PAGE_PTR } },
	{ "sched_getaffinity: size no multiple of 8", EINVAL, SYS_sched_getaffinity, { 0, 9, PAGE_PTR } },
	{ "sched_getaffinity: bad pointer", EFAULT, SYS_sched_getaffinity, { 0, 128, LOW_PTR } },
	{ "sched_getaffinity: no such thread", ESRCH, SYS_sched_getaffinity, { 0x3fffff, 128, PAGE_PTR } },
	{ "sched_setaffinity: no CPU", EINVAL, SYS_sched_setaffinity, { 0, 128, ADDRESS(no_cpus) } },
	{ "sched_setaffinity: bad pointer", EFAULT, SYS_sched_setaffinity, { 0, 128, LOW_PTR } },
	{ "sched_setaffinity: no such thread", ESRCH, SYS_sched_setaffinity, { 0x3fffff, 128, ADDRESS(no_cpus) } },
	{ "wait4: no children", ECHILD, SYS_wait4, { -1, 0, 0, 0 } },
	{ "wait4: unknown option", EINVAL, SYS_wait4, { -1, 0, 0x100, 0 } },
};

static const struct row other_rows[] = {
	{ "clock_gettime: unknown clock", EINVAL, SYS_clock_gettime, { 9999, PAGE_PTR } },
	{ "clock_gettime: bad pointer", EFAULT, SYS_clock_gettime, { CLOCK_MONOTONIC, LOW_PTR } },
	{ "clock_getres: unknown clock", EINVAL, SYS_clock_getres, { 9999, PAGE_PTR } },
	{ "clock_nanosleep: unknown clock", EINVAL, SYS_clock_nanosleep, { 9999, 0, ADDRESS(&zero_time), 0 } },
	{ "clock_nanosleep: nanoseconds", EINVAL, SYS_clock_nanosleep, { CLOCK_MONOTONIC, 0, ADDRESS(&bad_ns), 0 } },
	{ "clock_nanosleep: negative", EINVAL, SYS_clock_nanosleep, { CLOCK_MONOTONIC, 0, ADDRESS(&negative_ns), 0 } },
	{ "clock_nanosleep: bad pointer", EFAULT, SYS_clock_nanosleep, { CLOCK_MONOTONIC, 0, LOW_PTR, 0 } },
	{ "nanosleep: nanoseconds", EINVAL, SYS_nanosleep, { ADDRESS(&bad_ns), 0 } },
	{ "nanosleep: bad pointer", EFAULT, SYS_nanosleep, { LOW_PTR, 0 } },
	{ "setitimer: unknown timer", EINVAL, SYS_setitimer, { 99, ADDRESS(&bad_us), 0 } },
	{ "setitimer: microseconds", EINVAL, SYS_setitimer, { ITIMER_REAL, ADDRESS(&bad_us), 0 } },
	{ "setitimer: bad pointer", EFAULT, SYS_setitimer, { ITIMER_REAL, LOW_PTR, 0 } },
	{ "prlimit64: unknown resource", EINVAL, SYS_prlimit64, { 0, 99, 0, PAGE_PTR } },
	{ "prlimit64: no such process", ESRCH, SYS_prlimit64, { 0x3fffff, RLIMIT_NOFILE, 0, PAGE_PTR } },
	{ "prlimit64: bad old limit", EFAULT, SYS_prlimit64, { 0, RLIMIT_NOFILE, 0, LOW_PTR } },
	{ "prlimit64: bad new limit", EFAULT, SYS_prlimit64, { 0, RLIMIT_NOFILE, LOW_PTR, 0 } },
	{ "prlimit64: soft above hard", EINVAL, SYS_prlimit64, { 0, RLIMIT_NOFILE, ADDRESS(&soft_above_hard), 0 } },
	{ "getrandom: unknown flag", EINVAL, SYS_getrandom, { PAGE_PTR, 1, 0x80 } },
	{ "getrandom: bad pointer", EFAULT, SYS_getrandom, { LOW_PTR, 16, 0 } },
	{ "uname: bad pointer", EFAULT, SYS_uname, { LOW_PTR } },
	{ "uname: read-only memory", EFAULT, SYS_uname, { CONST_PTR } },
	{ "uname: buffer at the edge", EFAULT, SYS_uname, { EDGE } },
	{ "sysinfo: bad pointer", EFAULT, SYS_sysinfo, { LOW_PTR } },
	{ "prctl: unknown option", EINVAL, SYS_prctl, { 9999, 0, 0, 0, 0 } },
	{ "prctl PR_SET_NAME: bad pointer", EFAULT, SYS_prctl, { PR_SET_NAME, LOW_PTR } },
	{ "prctl PR_GET_NAME: bad pointer", EFAULT, SYS_prctl, { PR_GET_NAME, LOW_PTR } },
	{ "an unknown system call", ENOSYS, 1000, { 0 } },
	{ "a negative system call", ENOSYS, -5, { 0 } },
};

/* clang-format on */

static int must_open(const char *name, int flags)
{
	int fd = open(name, flags, 0600);

	REQUIRE(fd >= 0);
	return fd;
}

static void open_descriptors(long *tokens)
{
	struct epoll_event watch = { .events = EPOLLIN };
	int fd[2];

	mkdir("/tmp", 0777);
	mkdir("/tmp/errno.dir", 0755);
	tokens[T_FILE] = must_open("/tmp/errno.file", O_RDWR | O_CREAT | O_TRUNC);
	REQUIRE(ftruncate((int)tokens[T_FILE], 64 * 1024) == 0);
	tokens[T_READ_ONLY] = must_open("/tmp/errno.file", O_RDONLY);
	tokens[T_WRITE_ONLY] = must_open("/tmp/errno.file", O_WRONLY);
	tokens[T_DIR] = must_open("/tmp", O_RDONLY | O_DIRECTORY);
	tokens[T_ZERO] = must_open("/dev/zero", O_RDWR);
	REQUIRE(pipe2(fd, O_NONBLOCK) == 0);
	tokens[T_PIPE_R] = fd[0];
	tokens[T_PIPE_W] = fd[1];
	tokens[T_EVENT] = eventfd(1, EFD_NONBLOCK);
	tokens[T_EPOLL] = epoll_create1(0);
	tokens[T_EPOLL_EVENT] = epoll_create1(0);
	REQUIRE(epoll_ctl((int)tokens[T_EPOLL_EVENT], EPOLL_CTL_ADD, (int)tokens[T_EVENT],
			  &watch) == 0);
	tokens[T_MEMFD] = memfd_create("errno", 0);
	REQUIRE(tokens[T_MEMFD] >= 0);
}

static void lay_out_memory(long *tokens)
{
	static char long_name[301];
	char *p = mmap(NULL, 4 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	REQUIRE(p != MAP_FAILED);
	REQUIRE(munmap(p + PAGE, PAGE) == 0);
	REQUIRE(mprotect(p + 2 * PAGE, PAGE, PROT_READ) == 0);
	memset(long_name, 'n', sizeof(long_name) - 1);
	tokens[T_PAGE] = (long)p;
	tokens[T_EDGE] = (long)(p + PAGE - 4);
	tokens[T_UNMAPPED] = (long)(p + PAGE);
	tokens[T_CONST] = (long)(p + 2 * PAGE);
	tokens[T_LONG_NAME] = (long)long_name;
	tokens[T_PID] = getpid();
}

int main(void)
{
	static const struct {
		const struct row *row;
		size_t n;
	} tables[] = {
#define TABLE(rows) { rows, sizeof(rows) / sizeof((rows)[0]) }
		TABLE(descriptor_rows), TABLE(transfer_rows), TABLE(name_rows),	  TABLE(epoll_rows),
		TABLE(memory_rows),	TABLE(signal_rows),   TABLE(thread_rows), TABLE(other_rows),
	};
	struct rows_result result = { 0 };
	long tokens[TOKENS] = { 0 };

	open_descriptors(tokens);
	lay_out_memory(tokens);
	for (size_t i = 0; i < sizeof(tables) / sizeof(tables[0]); i++)
		rows_run(tables[i].row, tables[i].n, tokens, &result);
	return rows_done("errno", &result);
}
