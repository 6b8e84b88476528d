/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The guest-memory contract (M16): what a guest's memory has been promised on one host, to be
 * compared with what another host can keep before the first page is sent. Plain numbers, so that it
 * can be written to a file and compared where no machine is: this header needs no port.
 */
#ifndef ENGINE_CONTRACT_H
#define ENGINE_CONTRACT_H

#include "engine/types.h"

enum { CONTRACT_VERSION = 1 };

/* What a slot was promised; bits. */
enum contract_promise {
	PROMISE_WRITE_BACK = 1,	      /* guaranteed write-back (M10) */
	PROMISE_CACHEABLE_PFNMAP = 2, /* write-back memory that EL2 cannot maintain (M3) */
	PROMISE_READ_ONLY = 4,
};

struct contract_slot {
	u64 ipa, size; /* bytes */
	u32 id;
	u32 promises; /* PROMISE_* */
};

/* Of a host and, with slots, of a VM on it. */
struct contract {
	u32 version;
	bool fwb, dic, idc;
	bool hw_af, hw_dbm; /* FEAT_HAFDBS */
	u8 ipa_bits;	    /* the VM's; of a host without a VM: the most a VM may have */
	u64 granule;	    /* bytes */
	u64 blocks;	    /* sizes of stage-2 leaves, one bit each: bit n is 2^n bytes */
	u32 slot_count;
	const struct contract_slot *slots; /* by rising IPA, none overlap */
};

/* X(name, rule, weight, sentence). Weight REFUSE: the destination cannot keep it. NOTE: no guest
 * can tell, but it may be slower. */
#define CONTRACT_REASONS(X)                                                                        \
	X(OTHER_VERSION, 16, REFUSE, "the two contracts are of different versions")                \
	X(GRANULE, 16, REFUSE, "the destination's stage 2 has another granule")                    \
	X(IPA_SIZE, 16, REFUSE, "the VM's IPA size is larger than the destination's")              \
	X(DIC, 16, REFUSE, "the guest was told it need not invalidate instruction caches (DIC)")   \
	X(IDC, 16, REFUSE, "the guest was told it need not clean data caches for fetches (IDC)")   \
	X(FWB, 11, REFUSE, "user space was told memory is forced write-back; here is no FWB")      \
	X(WRITE_BACK_SLOT, 10, REFUSE, "a slot is guaranteed write-back; here is no FWB")          \
	X(PFNMAP_SLOT, 4, REFUSE, "a slot holds cacheable PFNMAP memory; here is no FWB")          \
	X(SLOT_BEYOND_IPA, 16, REFUSE, "a slot lies beyond the destination's IPA size")            \
	X(SLOT_MISSING, 16, REFUSE, "a slot of the source does not exist at the destination")      \
	X(SLOT_PROMISE, 10, REFUSE, "a slot lacks the write-back guarantee it has at the source")  \
	X(SLOT_READ_ONLY, 15, REFUSE, "a slot is read-only at one end only")                       \
	X(BLOCKS, 6, NOTE, "a block size of the source is not available")                          \
	X(HW_DIRTY, 17, NOTE, "no hardware dirty state: dirty logging takes more faults")

enum contract_weight { CONTRACT_REFUSE, CONTRACT_NOTE };

enum contract_reason {
#define X(name, rule, weight, sentence) CONTRACT_##name,
	CONTRACT_REASONS(X)
#undef X
		CONTRACT_REASON_COUNT,
};

/* One thing that differs. */
struct contract_finding {
	enum contract_reason why;
	u64 ipa; /* of the first slot concerned, if the reason is a slot's */
};

struct contract_comparison {
	struct contract_finding finding[CONTRACT_REASON_COUNT]; /* each reason at most once */
	unsigned int count;
	unsigned int refusals; /* of these, with weight CONTRACT_REFUSE */
};

/*
 * May a guest go from @source to @destination? Every reason against it is found, not only the
 * first. A @destination without slots is a host before the VM exists there: then slots are checked
 * against the host alone. Pure.
 */
struct contract_comparison contract_compare(const struct contract *source,
					    const struct contract *destination);

unsigned int contract_reason_rule(enum contract_reason why);
enum contract_weight contract_reason_weight(enum contract_reason why);
const char *contract_reason_text(enum contract_reason why);

struct port_caps;
struct guest_mem;

/* A host's, without a VM. */
struct contract contract_of_host(const struct port_caps *caps);
/*
 * A VM's: fills @slots, @room of them, and returns a contract that points there. ERR_2BIG:
 * more slots than that, @out->slot_count says how many. Slots lock and mm lock held; host leaves
 * that are there are asked, none is faulted in.
 */
int __must_check contract_of_vm(struct guest_mem *m, struct contract_slot *slots, u32 room,
				struct contract *out);

#endif
