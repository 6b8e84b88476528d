/* SPDX-License-Identifier: Apache-2.0 */
/* The two halves of the model as one machine. */
#include "port/model/joined.h"

static struct port *joined; /* the model's host is one per process, too */

static void ram_written(pa_t pa, u64 size, enum model_written what)
{
	if (what == MODEL_ZEROED)
		machine_host_takes(joined, pa, size);
	machine_host_writes(joined, pa, size);
}

void model_join(struct port *p)
{
	joined = p;
	model_ram_hook = ram_written;
}

/* Whatever the kernel stored there before it made the leaf may still be in the cache. */
void model_joined_map(struct port *p, u64 hva, pa_t pa, u64 size, enum machine_attr attr)
{
	machine_host_map(p, hva, pa, size, attr);
	if (port_pa_is_ram(pa))
		machine_host_writes(p, pa, size);
}

void model_joined_unmap(struct port *p, u64 hva, u64 size)
{
	machine_host_unmap(p, hva, size);
}

u8 *model_guest_byte(pa_t pa)
{
	return port_pa_is_ram(pa) ? phys_to_virt(pa) : NULL;
}
