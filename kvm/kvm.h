/* SPDX-License-Identifier: Apache-2.0 */
/* What the kernel needs of kvm/: bringing it up, opening /dev/kvm, the report at the end. */
#ifndef KVM_KVM_H
#define KVM_KVM_H

#include "host/file.h"

/* Once, in a thread or at boot, when all CPUs are up. 0 or an error: there is no /dev/kvm then. */
int kvm_init(void);
/* From now on the report tells where vCPUs' time went (kvm/costs.h). Before any runs. */
void kvm_measure_costs(void);
/* A new open file of /dev/kvm, or ERR_PTR. @flags are O_*. */
struct file *kvm_dev_open(u32 flags);
/* The report will be asked for: VMs are checked when they end, which takes a walk of their tables.
 */
void kvm_want_report(void);
/*
 * Writes the report of guest memory over all VMs there were, lines "name value\n", at most @size
 * bytes; its length. May sleep; takes only its own locks.
 */
size_t kvm_report(char *buf, size_t size);
/*
 * The trace of what VMs refused, a line an event, oldest first, in portions: at most @size (1024 or
 * more) bytes; its length, 0: that was all. @at is 0 for the first portion. May sleep; takes only
 * its own locks.
 */
size_t kvm_trace(char *buf, size_t size, u64 *at);

#endif
