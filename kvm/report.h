/* SPDX-License-Identifier: Apache-2.0 */
/* The report of guest memory that a run ends with; see report.c. */
#ifndef KVM_REPORT_H
#define KVM_REPORT_H

struct vm;

void report_init(void);
/* The VM is counted from now on. */
void report_vm_add(struct vm *vm);
/* Compares the VM's counters with its tables; exact when none of its vCPUs runs. */
void report_vm_check(struct vm *vm);
/* It ends: what it counted is kept. Before its tables go. */
void report_vm_remove(struct vm *vm);
/* Calls @fn for each VM that lives; none begins or ends meanwhile. */
void report_each_vm(void (*fn)(struct vm *vm));

#endif
