/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Why the engine answered as it did (M18): each reason names the rule of docs/guest-memory.md it
 * follows and says it in a sentence. Numbers are stable within a build only; user space sees text.
 */
#ifndef ENGINE_REASON_H
#define ENGINE_REASON_H

#include "engine/types.h"

/* X(name, rule number (0: none, NONE only), sentence) */
#define ENGINE_REASONS(X)                                                                          \
	X(NONE, 0, "nothing to explain")                                                           \
	X(RAM_FWB, 2, "write-back RAM; FWB makes data maintenance unnecessary")                    \
	X(RAM_CLEANED, 2, "write-back RAM; cleaned and invalidated to PoC, as there is no FWB")    \
	X(FORCED_WB, 3, "write-back memory without a linear alias, forced write-back by FWB")      \
	X(CANNOT_CLEAN, 4, "write-back memory that EL2 cannot clean by address, and no FWB")       \
	X(NC_RAM, 5, "RAM the host maps non-cacheable; its linear alias was cleaned")              \
	X(NC_OWNER, 5, "the owner allows any uncached type: Normal non-cacheable")                 \
	X(DEVICE, 5, "the owner did not allow Normal non-cacheable: Device-nGnRE")                 \
	X(FETCH_UNCACHED, 5, "instruction fetch from memory that is not write-back")               \
	X(WALK_DEVICE, 5, "stage-1 table in memory mapped Device: external abort injected")        \
	X(TLB_CONFLICT, 6, "a TLB held one address in two sizes: flushed, and retried")            \
	X(NO_VMA, 8, "no host memory behind the slot at this address")                             \
	X(NOT_READABLE, 8, "the host mapping behind the slot cannot be read")                      \
	X(NOT_WRITABLE, 8, "write to a writable slot whose host mapping cannot be written")        \
	X(STRICT_WRITE, 8, "strict slots: writable slot over a mapping that cannot be written")    \
	X(SLOT_UNALIGNED, 8, "a slot whose addresses or size are not whole pages")                 \
	X(SLOT_TOO_LARGE, 8, "a slot number or size beyond what a VM may have")                    \
	X(SLOT_WRAPS, 8, "a slot that runs past the end of an address space")                      \
	X(SLOT_NO_SUCH, 8, "no slot of this number")                                               \
	X(SLOT_IMMUTABLE, 8, "size, host address and read-only flag of a slot cannot change")      \
	X(SLOT_OVERLAP, 8, "a slot over guest addresses of another slot")                          \
	X(SLOT_BEYOND_IPA, 8, "a slot beyond the VM's IPA size")                                   \
	X(GMEM_NOT_ONE, 8, "the descriptor is no guest_memfd of this VM")                          \
	X(GMEM_RANGE, 8, "a slot that does not lie on whole pages within its guest_memfd")         \
	X(GMEM_BOUND, 8, "a part of the guest_memfd that another slot shows")                      \
	X(GMEM_PRIVATE, 8, "a guest_memfd that cannot be mapped: VMs here have no private memory") \
	X(GMEM_CLOSED, 8, "the guest_memfd behind the slot was closed")                            \
	X(SPAN_OUTSIDE, 9, "a range that is not whole pages of the slot")                          \
	X(NOT_PRESENT, 9, "no host page yet, and the host is not asked for one here")              \
	X(SLOT_FLAG_UNKNOWN, 10, "a slot flag this VM does not know, or did not enable")           \
	X(WB_NO_FWB, 10, "write-back guarantee asked for, but this CPU has no FWB")                \
	X(WB_NOT_WB, 10, "write-back guarantee asked for, but the host mapping is not write-back") \
	X(CMO_NO_SLOT, 12, "cache maintenance where no slot is: skipped")                          \
	X(CMO_REFUSED, 12, "cache maintenance where nothing can be mapped: skipped")               \
	X(CMO_IVAC_RO, 12, "DC IVAC on a read-only slot: external abort injected")                 \
	X(CMO_IVAC_UPGRADED, 12, "DC IVAC on a read-only slot: performed as DC CIVAC")             \
	X(RACED, 13, "the host mapping changed meanwhile: retried")                                \
	X(AGED, 13, "mapped before; the host asked about its use: marked as used again")           \
	X(OWNER_REFUSED_WRITE, 14, "write to a read-only leaf; its owner refused when asked")      \
	X(RO_SLOT_WRITE, 15, "write to a read-only slot: emulated by user space")                  \
	X(NO_SLOT, 15, "no slot at this address: emulated by user space")                          \
	X(NO_SYNDROME, 15, "access outside writable memory without syndrome")                      \
	X(WALK_NO_SLOT, 15, "stage-1 walk outside writable memory: external abort injected")       \
	X(FETCH_NO_SLOT, 15, "instruction fetch where no slot is: external abort injected")        \
	X(BEYOND_IPA, 15, "beyond the VM's IPA size: external abort injected")                     \
	X(EXCLUSIVE, 15, "exclusive or atomic access to memory that does not support it")          \
	X(LOG_SPECIAL, 17, "dirty logging asked for over memory that is not write-back")           \
	X(LOG_UNLOGGED, 17, "under dirty logging, but not write-back: mapped and not logged")      \
	X(HOST_NOMEM, 1, "the host has no memory for the page or a table")                         \
	X(HOST_POISON, 1, "the host page is poisoned")                                             \
	X(HOST_SIGNAL, 1, "a signal came while the host fault was served")                         \
	X(UNSUPPORTED_FAULT, 15, "a fault status the engine does not serve")

enum reason {
#define X(name, rule, sentence) WHY_##name,
	ENGINE_REASONS(X)
#undef X
		WHY_COUNT,
};

/* The M-rule behind @why; 0 for WHY_NONE. */
unsigned int reason_rule(enum reason why);
/* The sentence; never NULL. */
const char *reason_text(enum reason why);
/* The name without WHY_, for traces; never NULL. */
const char *reason_name(enum reason why);

#endif
