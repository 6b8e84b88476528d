/* SPDX-License-Identifier: Apache-2.0 */
/* Pages that system calls need of programs. */
#ifndef KERNEL_FAULT_H
#define KERNEL_FAULT_H

#include "host/mm.h"

/* As mm_fault(); but if memory is out, the largest process ends first (task_memory_is_out()). */
enum fault_verdict fault_in(struct mm *mm, hva_t addr, enum host_access access);

#endif
