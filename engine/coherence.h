/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How a range of guest memory stays coherent with the host, and which cache maintenance user space
 * owes for it (M11). The answer is of the range as it is mapped now; where nothing is mapped yet,
 * of what a read fault would map from the host leaves that are there.
 */
#ifndef ENGINE_COHERENCE_H
#define ENGINE_COHERENCE_H

#include "engine/guest_mem.h"

enum coherence {
	COHERENCE_UNKNOWN, /* no slot, no host leaf yet, or nothing that can be mapped */
	COHERENCE_FORCED,  /* write-back whatever the guest says (FWB) */
	COHERENCE_GUEST,   /* write-back, unless the guest chooses less: without FWB */
	COHERENCE_NC,	   /* Normal non-cacheable at most */
	COHERENCE_DEVICE,
	COHERENCE_CLASSES,
	COHERENCE_MIXED = COHERENCE_CLASSES, /* of a range: more than one of those above */
};

/* Who wants to read or write the memory beside the guest. */
enum coherence_agent {
	AGENT_VMM,	  /* user space through its own mapping: migration, emulated devices */
	AGENT_DMA_SNOOPS, /* a device whose accesses look into the caches */
	AGENT_DMA_BYPASS, /* a device that does not */
	COHERENCE_AGENTS,
};

/* Maintenance by user space, to the point of coherency; bits. */
enum coherence_owed {
	OWED_NOTHING = 0,
	OWED_BEFORE_READ = 1,  /* clean and invalidate before the agent reads */
	OWED_AFTER_WRITE = 2,  /* the same after the agent wrote, before the guest reads */
	OWED_BEFORE_WRITE = 4, /* and before it writes: a dirty line would go over its bytes */
};

/* The class of a mapping of @type. Pure. */
enum coherence coherence_of(enum s2_type type, const struct port_caps *caps);
/* OWED_* bits. COHERENCE_UNKNOWN owes what the worst class owes. Pure. */
unsigned int coherence_owed(enum coherence c, enum coherence_agent agent);
/* Words for each; never NULL. */
const char *coherence_text(enum coherence c);

struct coherence_report {
	u64 done;		      /* bytes from the start that were looked at */
	u64 bytes[COHERENCE_CLASSES]; /* of these, in each class */
	u64 mapped;		      /* of these, mapped now; the others are what would be */
	enum coherence all;	      /* of the bytes that are known, or COHERENCE_UNKNOWN */
	unsigned int owed[COHERENCE_AGENTS]; /* OWED_* bits, of all bytes together */
};

/* Leaves, and runs of equal leaves, that one call looks at. */
enum { COHERENCE_STEPS = 1024 };

/*
 * Adds [@ipa + @r->done, @ipa + @size) to @r, which starts as all zero; ends early after
 * COHERENCE_STEPS steps with @r->done < @size: call again to go on. @ipa and @size are multiples of
 * PAGE_SIZE. Takes no lock of the engine, changes nothing and faults nothing in; the answer is
 * consistent only if nothing changes. ERR_INVAL: not aligned, or beyond the VM's IPA size.
 */
int __must_check coherence_query(struct guest_mem *m, ipa_t ipa, u64 size,
				 struct coherence_report *r);

#endif
