/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The two halves of the model as one machine: RAM of the host's port (host_port.h), with real bytes
 * in it, is what the guests of the engine's port (machine.h) are given. The host's zeroing of
 * pages, programs' writes and each leaf of a program's table are told to the machine, so that its
 * ledger and its account of aliases know of them.
 */
#ifndef PORT_MODEL_JOINED_H
#define PORT_MODEL_JOINED_H

#include "host/port.h"
#include "port/model/machine.h"

/* From now on @p is told, until the next model_host_boot(). */
void model_join(struct port *p);
/* A program's table maps [@hva, @hva + @size) to @pa with @attr from now on; or no longer. */
void model_joined_map(struct port *p, u64 hva, pa_t pa, u64 size, enum machine_attr attr);
void model_joined_unmap(struct port *p, u64 hva, u64 size);
/* The byte of RAM at @pa, for a guest's access that went through; NULL: there is no RAM. */
u8 *model_guest_byte(pa_t pa);

#endif
