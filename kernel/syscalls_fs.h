/* SPDX-License-Identifier: Apache-2.0 */
/* The part of the system call list that is about files (kernel/syscalls.h). */
#ifndef KERNEL_SYSCALLS_FS_H
#define KERNEL_SYSCALLS_FS_H

/* clang-format off */
#define SYSCALLS_FS(SYSCALL) \
	/* moving bytes: sys_rw.c */ \
	SYSCALL(read, __NR_read) \
	SYSCALL(write, __NR_write) \
	SYSCALL(readv, __NR_readv) \
	SYSCALL(writev, __NR_writev) \
	SYSCALL(pread64, __NR_pread64) \
	SYSCALL(pwrite64, __NR_pwrite64) \
	SYSCALL(preadv, __NR_preadv) \
	SYSCALL(pwritev, __NR_pwritev) \
	SYSCALL(preadv2, __NR_preadv2) \
	SYSCALL(pwritev2, __NR_pwritev2) \
	SYSCALL(lseek, __NR_lseek) \
	SYSCALL(sendfile, __NR_sendfile) \
	SYSCALL(copy_file_range, __NR_copy_file_range) \
	SYSCALL(getdents64, __NR_getdents64) \
	/* descriptors: sys_fd.c */ \
	SYSCALL(flock, __NR_flock) \
	SYSCALL(close, __NR_close) \
	SYSCALL(dup, __NR_dup) \
	SYSCALL(dup3, __NR_dup3) \
	SYSCALL(close_range, __NR_close_range) \
	SYSCALL(fcntl, __NR_fcntl) \
	SYSCALL(ioctl, __NR_ioctl) \
	SYSCALL(ftruncate, __NR_ftruncate) \
	SYSCALL(truncate, __NR_truncate) \
	SYSCALL(fallocate, __NR_fallocate) \
	SYSCALL(fsync, __NR_fsync) \
	SYSCALL(fdatasync, __NR_fdatasync) \
	SYSCALL(sync, __NR_sync) \
	/* how files are used: sys_advice.c */ \
	SYSCALL(fadvise64, __NR_fadvise64) \
	SYSCALL(readahead, __NR_readahead) \
	SYSCALL(syncfs, __NR_syncfs) \
	SYSCALL(sync_file_range, __NR_sync_file_range) \
	/* names: sys_names.c */ \
	SYSCALL(openat, __NR_openat) \
	SYSCALL(mkdirat, __NR_mkdirat) \
	SYSCALL(mknodat, __NR_mknodat) \
	SYSCALL(unlinkat, __NR_unlinkat) \
	SYSCALL(renameat, __NR_renameat) \
	SYSCALL(renameat2, __NR_renameat2) \
	SYSCALL(linkat, __NR_linkat) \
	SYSCALL(symlinkat, __NR_symlinkat) \
	SYSCALL(readlinkat, __NR_readlinkat) \
	SYSCALL(getcwd, __NR_getcwd) \
	SYSCALL(chdir, __NR_chdir) \
	SYSCALL(fchdir, __NR_fchdir) \
	SYSCALL(umask, __NR_umask) \
	/* attributes: sys_stat.c */ \
	SYSCALL(fstat, __NR_fstat) \
	SYSCALL(newfstatat, __NR_newfstatat) \
	SYSCALL(statx, __NR_statx) \
	SYSCALL(faccessat, __NR_faccessat) \
	SYSCALL(faccessat2, __NR_faccessat2) \
	SYSCALL(fchmod, __NR_fchmod) \
	SYSCALL(fchmodat, __NR_fchmodat) \
	SYSCALL(fchown, __NR_fchown) \
	SYSCALL(fchownat, __NR_fchownat) \
	SYSCALL(utimensat, __NR_utimensat) \
	SYSCALL(statfs, __NR_statfs) \
	SYSCALL(fstatfs, __NR_fstatfs) \
	/* pipe.c, memfd.c, eventfds.c, uffd.c */ \
	SYSCALL(pipe2, __NR_pipe2) \
	SYSCALL(memfd_create, __NR_memfd_create) \
	SYSCALL(eventfd2, __NR_eventfd2) \
	SYSCALL(timerfd_create, __NR_timerfd_create) \
	SYSCALL(timerfd_settime, __NR_timerfd_settime) \
	SYSCALL(timerfd_gettime, __NR_timerfd_gettime) \
	SYSCALL(signalfd4, __NR_signalfd4) \
	SYSCALL(userfaultfd, __NR_userfaultfd) \
	/* waiting: poll.c, epoll.c */ \
	SYSCALL(ppoll, __NR_ppoll) \
	SYSCALL(pselect6, __NR_pselect6) \
	SYSCALL(epoll_create1, __NR_epoll_create1) \
	SYSCALL(epoll_ctl, __NR_epoll_ctl) \
	SYSCALL(epoll_pwait, __NR_epoll_pwait) \
	SYSCALL(epoll_pwait2, __NR_epoll_pwait2) \
	/* sockets.c, socket_msg.c, sockopt.c */ \
	SYSCALL(socket, __NR_socket) \
	SYSCALL(socketpair, __NR_socketpair) \
	SYSCALL(bind, __NR_bind) \
	SYSCALL(listen, __NR_listen) \
	SYSCALL(accept, __NR_accept) \
	SYSCALL(accept4, __NR_accept4) \
	SYSCALL(connect, __NR_connect) \
	SYSCALL(getsockname, __NR_getsockname) \
	SYSCALL(getpeername, __NR_getpeername) \
	SYSCALL(sendto, __NR_sendto) \
	SYSCALL(recvfrom, __NR_recvfrom) \
	SYSCALL(sendmsg, __NR_sendmsg) \
	SYSCALL(recvmsg, __NR_recvmsg) \
	SYSCALL(sendmmsg, __NR_sendmmsg) \
	SYSCALL(recvmmsg, __NR_recvmmsg) \
	SYSCALL(setsockopt, __NR_setsockopt) \
	SYSCALL(getsockopt, __NR_getsockopt) \
	SYSCALL(shutdown, __NR_shutdown)
/* clang-format on */

#endif
