/* SPDX-License-Identifier: Apache-2.0 */
/* The engine in a program of its own: a VM with one slot, a fault, a look, an invalidation. */
#include <stdio.h>
#include <stdlib.h>

#include "engine/fault.h"

enum { GUEST_RAM = 0x40000000, PAGES = 16 };
#define HOST_RAM 0x7f0000000000UL

void port_bug(struct port *p, const char *what)
{
	(void)p;
	fprintf(stderr, "broken invariant: %s\n", what);
	abort();
}

/* ---- the host behind the VM: 16 pages of RAM, there at once */
static int host_leaf(void *host, hva_t hva, struct host_leaf *out)
{
	const char *present = host;
	u64 page = (hva.v - HOST_RAM) / PAGE_SIZE;

	if (page >= PAGES)
		return ERR_FAULT;
	if (!present[page])
		return ERR_NOENT;
	*out = (struct host_leaf){ PA(0x80000000 + page * PAGE_SIZE),
				   MEM_WB,
				   REACH_ALIAS,
				   OWNER_TYPE_FIXED,
				   true,
				   LEVEL_4K };
	return ERR_OK;
}

static int host_fault(void *host, hva_t hva, enum mem_access access)
{
	char *present = host;

	(void)access;
	present[(hva.v - HOST_RAM) / PAGE_SIZE] = 1;
	return ERR_OK;
}

static int host_area(void *host, hva_t hva, hva_t end, struct host_area *out)
{
	(void)host;
	*out = (struct host_area){ .start = HVA(HOST_RAM),
				   .writable = true,
				   .end = HVA(HOST_RAM + PAGES * PAGE_SIZE) };
	return hva.v < out->end.v && end.v > out->start.v ? ERR_OK : ERR_NOENT;
}

static const struct host_ops host_ops = { host_leaf, host_fault, host_area };

/* A guest on a CPU would trap like this: a data abort, translation fault, store of 8 bytes. */
static const char *guest_writes(struct guest_mem *vm, u64 ipa)
{
	struct fault_trap trap = { .esr = 0x24UL << 26 | 1UL << 24 | 3UL << 22 | 1UL << 6 | 0x07,
				   .hpfar = ipa >> 8 };
	struct fault_outcome o = fault_handle(vm, &trap);

	return o.kind == OUTCOME_RESUME ? "mapped" : reason_text(o.why);
}

static const char *where_is(struct guest_mem *vm, u64 ipa)
{
	static char text[80];
	struct s2_leaf leaf;

	if (!stage2_lookup(&vm->s2, IPA(ipa), &leaf))
		return "nothing there";
	snprintf(text, sizeof(text), "PA %#lx, level %d, %s%s", (unsigned long)leaf.pa.v,
		 leaf.level, leaf.perms & S2_R ? "r" : "", leaf.perms & S2_W ? "w" : "");
	return text;
}

int main(void)
{
	static char present[PAGES];
	static struct port port = {
		.caps = { .idc = true, .pa_bits = 40, .ipa_bits = 40, .vmid_bits = 8, .cpus = 1 }
	};
	static struct vmid_pool vmids;
	static struct guest_mem vm;
	const struct guest_mem_config config = { 40, &host_ops, present };
	const struct slot_request slot = { .ipa = IPA(GUEST_RAM),
					   .size = PAGES * PAGE_SIZE,
					   .hva = HVA(HOST_RAM) };
	struct slot_update update;

	if (vmid_pool_init(&vmids, &port, 0) || guest_mem_init(&vm, &port, &vmids, &config) ||
	    guest_mem_slot_prepare(&vm, &slot, &update))
		return 1;
	guest_mem_slot_commit(&vm, &update);
	(void)guest_mem_enter(&vm, 0);

	printf("before the fault:       %s\n", where_is(&vm, GUEST_RAM));
	printf("the guest writes:       %s\n", guest_writes(&vm, GUEST_RAM));
	printf("after the fault:        %s\n", where_is(&vm, GUEST_RAM));
	printf("it writes past its RAM: %s\n", guest_writes(&vm, GUEST_RAM + PAGES * PAGE_SIZE));
	printf("cleaned for it:         %lu bytes\n", (unsigned long)port.cleaned);

	guest_mem_invalidate_begin(&vm, HVA(HOST_RAM), HVA(HOST_RAM + PAGE_SIZE));
	present[0] = 0;
	guest_mem_invalidate_end(&vm, HVA(HOST_RAM), HVA(HOST_RAM + PAGE_SIZE));
	printf("the host unmaps:        %s, %lu TLBIs\n", where_is(&vm, GUEST_RAM),
	       (unsigned long)port.tlbis);

	guest_mem_leave(&vm);
	guest_mem_destroy(&vm);
	vmid_pool_destroy(&vmids);
	return 0;
}
