/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who has the debug registers: the guest for itself, or user space to debug the guest
 * (KVM_SET_GUEST_DEBUG). Arm ARM D2. All under the vCPU's mutex.
 */
#ifndef KVM_DEBUG_H
#define KVM_DEBUG_H

#include "engine/types.h"

struct vcpu;

/* KVM_SET_GUEST_DEBUG. 0, -EINVAL: a flag that is not known, -EFAULT. */
int debug_set_guest_debug(struct vcpu *v, hva_t arg);
/* KVM_RUN begins, the vCPU not loaded yet: what user space asked for is in force. */
void debug_run_begin(struct vcpu *v);
/* KVM_RUN ends, the vCPU is put: the guest's PSTATE is its own again. */
void debug_run_end(struct vcpu *v);
/* User space has completed an instruction that exited, outside of the guest. */
void debug_stepped(struct vcpu *v);
/* The vCPU was put: registers that the guest left switched off need no switching any more. */
void debug_after_put(struct vcpu *v);
/* A debug exception that user space asked for. As exit_handle(). */
int debug_exit(struct vcpu *v);

/*
 * The guest's access to a debug register trapped; the vCPU is loaded. True: from now on the guest
 * has the registers itself, and makes the access again. False: they stay in memory, where the
 * access is to be served, and debug_changed() called after a write.
 */
bool debug_first_use(struct vcpu *v);
void debug_changed(struct vcpu *v);
/* The guest takes or gives up the OS lock, which silences its debug exceptions (D2.8); loaded. */
void debug_os_lock(struct vcpu *v, bool lock);

#define OSLSR_OSLM 8 /* the OS lock is implemented */
#define OSLSR_OSLK BIT(1)

#endif
