/* SPDX-License-Identifier: Apache-2.0 */
/* /dev/kvm. */
#ifndef KERNEL_DEV_KVM_H
#define KERNEL_DEV_KVM_H

/* Once, after vfs_init(), when all CPUs are up. 0, or an error: there is no /dev/kvm then. */
int dev_kvm_init(void);

#endif
