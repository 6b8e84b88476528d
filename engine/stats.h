/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Counters of one VM's guest memory. Each CPU counts for itself and EL2 code is not preempted, so
 * counting is a plain increment; stats_read() sums up.
 */
#ifndef ENGINE_STATS_H
#define ENGINE_STATS_H

#include "engine/types.h"

/* X(name, sentence). Mapped bytes are kept as mapped and unmapped, both growing. */
#define ENGINE_STATS(X)                                                                            \
	X(fault_read, "stage-2 faults that read")                                                  \
	X(fault_write, "stage-2 faults that write")                                                \
	X(fault_exec, "stage-2 faults that fetch")                                                 \
	X(fault_permission, "of these, permission faults")                                         \
	X(fault_access_flag, "of these, access flag faults")                                       \
	X(fault_walk, "of these, by a stage-1 walk")                                               \
	X(fault_cmo, "of these, by cache maintenance")                                             \
	X(fault_spurious, "faults that found nothing to do")                                       \
	X(fault_retry, "faults that raced and were retried")                                       \
	X(host_fault, "host faults served for the guest")                                          \
	X(install, "leaves installed")                                                             \
	X(relax, "leaves given more permissions")                                                  \
	X(replace, "leaves replaced by break-before-make")                                         \
	X(split, "blocks split into tables")                                                       \
	X(collapse, "tables taken down by a fault that finds a block")                             \
	X(recover, "tables recovered as blocks, in place")                                         \
	X(hint, "groups of 16 pages given the contiguous hint")                                    \
	X(resize, "changes of size without break (BBM level 2)")                                   \
	X(wp_leaf, "leaves write-protected")                                                       \
	X(unmap_leaf, "leaves unmapped")                                                           \
	X(age_leaf, "leaves whose Access flag was cleared")                                        \
	X(desc_write, "descriptor writes to live tables")                                          \
	X(table_alloc, "table pages linked")                                                       \
	X(table_free, "table pages unlinked")                                                      \
	X(tlbi_ipa, "TLB invalidations by IPA")                                                    \
	X(tlbi_range, "TLB invalidations by IPA range")                                            \
	X(tlbi_local, "TLB invalidations of one leaf on one CPU")                                  \
	X(tlbi_stage1, "TLB invalidations of combined entries")                                    \
	X(tlbi_vmid, "TLB invalidations of a whole VMID")                                          \
	X(dcache_bytes, "bytes of data cache cleaned and invalidated")                             \
	X(icache_bytes, "bytes of instruction cache invalidated by address")                       \
	X(icache_all, "invalidations of all instruction caches")                                   \
	X(cache_flush, "times all that is mapped was cleaned from the data caches")                \
	X(lock_holds, "times the table lock was held for writing")                                 \
	X(steps_max, "most descriptors visited in one hold (maximum, not sum)")                    \
	X(invalidations, "host ranges invalidated")                                                \
	X(dirty_marked, "pages marked dirty")                                                      \
	X(limit_none, "mappings as large as a level 1 block")                                      \
	X(limit_host, "mappings bounded by the host leaf")                                         \
	X(limit_table, "mappings bounded by where the tables start")                               \
	X(limit_slot, "mappings bounded by slot geometry")                                         \
	X(limit_logging, "mappings bounded by dirty logging")                                      \
	X(exit_mmio, "outcomes: MMIO")                                                             \
	X(exit_nisv, "outcomes: access without syndrome")                                          \
	X(exit_memory_fault, "outcomes: memory fault")                                             \
	X(exit_inject, "outcomes: abort injected")                                                 \
	X(exit_skip, "outcomes: instruction skipped")                                              \
	X(exit_sigbus, "outcomes: poisoned page")                                                  \
	X(exit_other, "outcomes: signal, no memory")

enum stat_id {
#define X(name, sentence) STAT_##name,
	ENGINE_STATS(X)
#undef X
		STAT_COUNT,
};

/* Memory types of stage 2, in the order of the policy: Normal write-back, Normal-NC, Device-nGnRE.
 */
enum s2_type { S2_NORMAL, S2_NORMAL_NC, S2_DEVICE, S2_TYPE_COUNT };

/* Leaves are at levels 1..3. */
enum { STAT_LEVELS = 4 };

struct stats_cpu {
	u64 count[STAT_COUNT];
	u64 mapped[STAT_LEVELS][S2_TYPE_COUNT];	  /* bytes, by level and type */
	u64 unmapped[STAT_LEVELS][S2_TYPE_COUNT]; /* same */
};

/* A sum over all CPUs. */
struct stats {
	u64 count[STAT_COUNT];
	u64 mapped[STAT_LEVELS][S2_TYPE_COUNT];	     /* bytes mapped now */
	u64 mapped_ever[STAT_LEVELS][S2_TYPE_COUNT]; /* bytes, each time a leaf was made */
};

const char *stat_name(enum stat_id s);
const char *stat_text(enum stat_id s);

#endif
