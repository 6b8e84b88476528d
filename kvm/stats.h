/* SPDX-License-Identifier: Apache-2.0 */
/*
 * KVM_GET_STATS_FD: the counters of a VM or a vCPU as a file that describes itself. The file is a
 * header (struct kvm_stats_header), the object's name, a descriptor for each counter and the
 * counters, 64 bits each; only the last change.
 */
#ifndef KVM_STATS_H
#define KVM_STATS_H

#include "engine/stats.h"
#include "kvm/counters.h"

struct file;
struct iobuf;
struct vm;
struct vcpu;

enum { STATS_NAME_SIZE = 48, STATS_VALUES_MAX = 128 };

enum stats_kind { STATS_OF_VM, STATS_OF_VCPU, STATS_KINDS };

/* ---- kvm/stats_layout.c: pure */

/* How many counters an object of that kind has; at most STATS_VALUES_MAX. */
unsigned int stats_count(enum stats_kind kind);
/* Its counters, in the order of the descriptors. */
void stats_of_vm(const struct stats *memory, u64 values[STATS_VALUES_MAX]);
void stats_of_vcpu(const struct exit_counters *exits, u64 values[STATS_VALUES_MAX]);

/* What a file shows: the object, its name and its counters as they are now. */
struct stats_image {
	enum stats_kind kind;
	char id[STATS_NAME_SIZE];
	u64 values[STATS_VALUES_MAX];
};
/* Bytes of the whole file. */
u64 stats_size(enum stats_kind kind);
/*
 * Copies bytes of the file from @pos on, to the end of the piece (header, name, descriptor,
 * counter) that @pos lies in, but not more than @size; how many: 0 at the end.
 */
size_t stats_piece(const struct stats_image *image, u64 pos, void *to, size_t size);
enum { STATS_PIECE_MAX = 128 }; /* no piece is longer */

/* ---- kvm/stats.c */
/* A new file, which holds the VM; ERR_PTR(-ENOMEM). */
struct file *stats_file_of_vm(struct vm *vm);
struct file *stats_file_of_vcpu(struct vcpu *v);

#endif
