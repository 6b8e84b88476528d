/* SPDX-License-Identifier: Apache-2.0 */
/* What VMs of a run refused, kept beyond their end: `catwalk run --trace`. */
#ifndef KVM_TRACE_LOG_H
#define KVM_TRACE_LOG_H

struct vm;

void trace_log_init(void);
/* Takes over what the trace of @vm holds; may sleep. The VM ends, or the run does. */
void trace_log_vm(struct vm *vm);

#endif
