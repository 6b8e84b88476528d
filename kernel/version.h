/* SPDX-License-Identifier: Apache-2.0 */
/* What the kernel says it is: uname(2), /proc/version. Programs test the release's number. */
#ifndef KERNEL_VERSION_H
#define KERNEL_VERSION_H

#define CATWALK_SYSNAME	 "Linux"
#define CATWALK_NODENAME "catwalk"
/* The Linux whose ABI is offered, as far as it is. */
#define CATWALK_RELEASE "6.12.0-catwalk"
#define CATWALK_VERSION "#1 SMP Catwalk"
#define CATWALK_MACHINE "aarch64"

#endif
