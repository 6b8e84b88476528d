/* SPDX-License-Identifier: Apache-2.0 */
/* The part of the system call list that is about files (kernel/syscalls.h). */
#ifndef KERNEL_SYSCALLS_FS_H
#define KERNEL_SYSCALLS_FS_H

/*
 * A call stands here from the moment its handler exists, in these groups:
 *
 * descriptors: openat close read write readv writev pread64 pwrite64 preadv pwritev lseek dup dup3
 *fcntl ioctl sendfile ftruncate truncate fallocate fsync fdatasync sync close_range names:
 *newfstatat fstat statx readlinkat faccessat faccessat2 getcwd chdir fchdir mkdirat unlinkat
 *	renameat renameat2 linkat symlinkat getdents64 umask statfs fstatfs fchmod fchmodat
 *utimensat events: pipe2 eventfd2 epoll_create1 epoll_ctl epoll_pwait ppoll pselect6 timerfd_create
 *	timerfd_settime timerfd_gettime signalfd4 memfd_create userfaultfd
 */
#define SYSCALLS_FS(SYSCALL)

#endif
