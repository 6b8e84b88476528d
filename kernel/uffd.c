/* SPDX-License-Identifier: Apache-2.0 */
/* userfaultfd(2) and /dev/userfaultfd; host/uffd.h does the work. */
#include "kernel/uffd.h"

#include "host/uffd.h"
#include "kernel/fs_args.h"
#include "kernel/syscalls.h"

enum {
	USER_MODE_ONLY = 1, /* UFFD_USER_MODE_ONLY */
	IOCTL_NEW = 0xaa00, /* USERFAULTFD_IOC_NEW */
};

static s64 uffd_create(u64 arg)
{
	enum uffd_serves serves = arg & USER_MODE_ONLY ? UFFD_PROGRAM_FAULTS : UFFD_ALL_FAULTS;
	u32 flags = (u32)arg;

	if (flags & ~(u32)(USER_MODE_ONLY | O_CLOEXEC | O_NONBLOCK))
		return -EINVAL;
	return fd_for_file(uffd_new(current_mm(), serves, flags & O_NONBLOCK), flags & O_CLOEXEC);
}

s64 sys_userfaultfd(const u64 a[6])
{
	return uffd_create(a[0]);
}

static s64 device_ioctl(struct file *f, u32 cmd, u64 arg)
{
	(void)f;
	return cmd == IOCTL_NEW ? uffd_create(arg) : -EINVAL;
}

static const struct file_ops device_ops = {
	.name = "/dev/userfaultfd",
	.ioctl = device_ioctl,
};

struct file *uffd_device_open(const struct device *dev, u32 flags)
{
	(void)dev;
	return file_alloc(&device_ops, NULL, flags);
}
