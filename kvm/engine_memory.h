/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The memory functions of engine/port.h over the host's allocators, for a port that has no
 * allocator of its own. Contracts: the functions of those names in engine/port.h.
 */
#ifndef KVM_ENGINE_MEMORY_H
#define KVM_ENGINE_MEMORY_H

#include "engine/types.h"

/* port_table_alloc(), port_table_free(), port_table_retire(). */
u64 *engine_memory_table(unsigned int order);
void engine_memory_table_free(u64 *table);
void engine_memory_table_retire(u64 *table);
/* port_alloc(), port_free(), port_free_after_grace(). */
void *engine_memory_alloc(size_t size);
void engine_memory_free(void *mem);
void engine_memory_retire(void *mem);

#endif
