/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Classic BPF as seccomp(2) takes it: programs over the 64 bytes of struct seccomp_data, without
 * loops. Nothing here touches anything but its arguments.
 */
#ifndef KERNEL_BPF_H
#define KERNEL_BPF_H

#include <linux/filter.h>
#include <linux/seccomp.h>

#include "engine/types.h"

/* May @count instructions at @insns run? All of them are known, jump forward and inside, load words
 * inside the data, and the last one returns. */
bool bpf_check(const struct sock_filter *insns, u32 count);
/* What the checked program returns for @data. */
u32 bpf_run(const struct sock_filter *insns, const struct seccomp_data *data);

#endif
