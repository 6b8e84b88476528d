/* SPDX-License-Identifier: Apache-2.0 */
#ifndef KERNEL_UFFD_H
#define KERNEL_UFFD_H

#include "kernel/vfs.h"

/* Opens /dev/userfaultfd, whose one ioctl does what userfaultfd(2) does. */
struct file *uffd_device_open(const struct device *dev, u32 flags);

#endif
