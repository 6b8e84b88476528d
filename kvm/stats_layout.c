/* SPDX-License-Identifier: Apache-2.0 */
/* Which counters there are, how they are described and where they lie in a statistics file. */
#include "abi/catwalk.h"
#include "host/string.h"
#include "kvm/stats.h"

#define COUNTER (KVM_STATS_TYPE_CUMULATIVE | KVM_STATS_UNIT_NONE | KVM_STATS_BASE_POW10)
#define PEAK	(KVM_STATS_TYPE_PEAK | KVM_STATS_UNIT_NONE | KVM_STATS_BASE_POW10)
#define BYTES	(KVM_STATS_TYPE_CUMULATIVE | KVM_STATS_UNIT_BYTES | KVM_STATS_BASE_POW2)
#define MAPPED	(KVM_STATS_TYPE_INSTANT | KVM_STATS_UNIT_BYTES | KVM_STATS_BASE_POW2)

/* A counter: its value is copied from the 64 bits at @at of what the object counts in. */
struct stats_row {
	const char *name;
	u32 flags;
	u32 at;
};

/* Most of what the engine counts are events. */
#define FLAGS(id)                                                                                  \
	(STAT_##id == STAT_steps_max					    ? PEAK                 \
	 : STAT_##id == STAT_dcache_bytes || STAT_##id == STAT_icache_bytes ? BYTES                \
									    : COUNTER)
#define MEMORY(name, id)                                                                           \
	{                                                                                          \
		name, FLAGS(id), offsetof(struct stats, count[STAT_##id])                          \
	}
#define EXIT(name, member)                                                                         \
	{                                                                                          \
		name, COUNTER, offsetof(struct exit_counters, member)                              \
	}
#define MAPS(name, level, type)                                                                    \
	{                                                                                          \
		name, MAPPED, offsetof(struct stats, mapped[level][type])                          \
	}

/* Linux's names come first: invalidations of all that a VM maps, asked for and done. */
static const struct stats_row vm_rows[] = {
	MEMORY("remote_tlb_flush", tlbi_vmid),
	MEMORY("remote_tlb_flush_requests", tlbi_vmid),
#define X(id, sentence) MEMORY("memory_" #id, id),
	ENGINE_STATS(X)
#undef X
		MAPS("mapped_1g_normal", LEVEL_1G, S2_NORMAL),
	MAPS("mapped_1g_normal_nc", LEVEL_1G, S2_NORMAL_NC),
	MAPS("mapped_1g_device", LEVEL_1G, S2_DEVICE),
	MAPS("mapped_2m_normal", LEVEL_2M, S2_NORMAL),
	MAPS("mapped_2m_normal_nc", LEVEL_2M, S2_NORMAL_NC),
	MAPS("mapped_2m_device", LEVEL_2M, S2_DEVICE),
	MAPS("mapped_4k_normal", LEVEL_4K, S2_NORMAL),
	MAPS("mapped_4k_normal_nc", LEVEL_4K, S2_NORMAL_NC),
	MAPS("mapped_4k_device", LEVEL_4K, S2_DEVICE),
};

static const struct stats_row vcpu_rows[] = { EXIT("hvc_exit_stat", count[EXIT_hvc]),
					      EXIT("wfe_exit_stat", count[EXIT_wfe]),
					      EXIT("wfi_exit_stat", count[EXIT_wfi]),
					      EXIT("mmio_exit_user", to_user_mmio),
					      EXIT("mmio_exit_kernel", mmio_kernel),
					      EXIT("signal_exits", to_user_signal),
					      EXIT("exits", all),
					      EXIT("runs", runs),
					      EXIT("other_exits", to_user_other),
#define X(id) EXIT("exits_" #id, count[EXIT_##id]),
					      EXIT_REASONS(X)
#undef X
};

static const struct {
	const struct stats_row *rows;
	unsigned int count;
} tables[STATS_KINDS] = {
	[STATS_OF_VM] = { vm_rows, ARRAY_SIZE(vm_rows) },
	[STATS_OF_VCPU] = { vcpu_rows, ARRAY_SIZE(vcpu_rows) },
};

_Static_assert(ARRAY_SIZE(vm_rows) <= STATS_VALUES_MAX, "a read takes all counters at once");
_Static_assert(ARRAY_SIZE(vcpu_rows) <= STATS_VALUES_MAX, "a read takes all counters at once");

unsigned int stats_count(enum stats_kind kind)
{
	return tables[kind].count;
}

static void collect(enum stats_kind kind, const void *from, u64 values[STATS_VALUES_MAX])
{
	for (unsigned int i = 0; i < tables[kind].count; i++)
		memcpy(&values[i], (const char *)from + tables[kind].rows[i].at, sizeof(u64));
}

void stats_of_vm(const struct stats *memory, u64 values[STATS_VALUES_MAX])
{
	collect(STATS_OF_VM, memory, values);
}

void stats_of_vcpu(const struct exit_counters *exits, u64 values[STATS_VALUES_MAX])
{
	collect(STATS_OF_VCPU, exits, values);
}

/* ---- the file */

#define HEADER_SIZE sizeof(struct kvm_stats_header)
#define DESC_SIZE   (sizeof(struct kvm_stats_desc) + STATS_NAME_SIZE)
#define ID_AT	    HEADER_SIZE
#define DESCS_AT    (ID_AT + STATS_NAME_SIZE)

_Static_assert(DESC_SIZE <= STATS_PIECE_MAX, "a descriptor is a piece");

static u64 data_at(enum stats_kind kind)
{
	return DESCS_AT + stats_count(kind) * DESC_SIZE;
}

u64 stats_size(enum stats_kind kind)
{
	return data_at(kind) + stats_count(kind) * sizeof(u64);
}

/* A piece of the file as it would be copied whole. */
struct piece {
	u64 at;
	size_t size;
	union {
		u8 bytes[STATS_PIECE_MAX];
		struct kvm_stats_header header;
		struct kvm_stats_desc desc;
	};
};

static void header_piece(enum stats_kind kind, struct piece *p)
{
	p->at = 0;
	p->size = HEADER_SIZE;
	p->header = (struct kvm_stats_header){
		.name_size = STATS_NAME_SIZE,
		.num_desc = stats_count(kind),
		.id_offset = ID_AT,
		.desc_offset = DESCS_AT,
		.data_offset = (u32)data_at(kind),
	};
}

static void desc_piece(enum stats_kind kind, u64 i, struct piece *p)
{
	const struct stats_row *row = &tables[kind].rows[i];

	p->at = DESCS_AT + i * DESC_SIZE;
	p->size = DESC_SIZE;
	memset(p->bytes, 0, DESC_SIZE);
	p->desc.flags = row->flags;
	p->desc.size = 1;
	p->desc.offset = (u32)(i * sizeof(u64));
	snprintf((char *)p->bytes + sizeof(p->desc), STATS_NAME_SIZE, "%s", row->name);
}

static void value_piece(const struct stats_image *image, u64 i, struct piece *p)
{
	p->at = data_at(image->kind) + i * sizeof(u64);
	p->size = sizeof(u64);
	memcpy(p->bytes, &image->values[i], sizeof(u64));
}

/* The piece that the byte at @pos, which lies in the file, belongs to. */
static void piece_at(const struct stats_image *image, u64 pos, struct piece *p)
{
	if (pos < ID_AT) {
		header_piece(image->kind, p);
	} else if (pos < DESCS_AT) {
		p->at = ID_AT;
		p->size = STATS_NAME_SIZE;
		memcpy(p->bytes, image->id, STATS_NAME_SIZE);
	} else if (pos < data_at(image->kind)) {
		desc_piece(image->kind, (pos - DESCS_AT) / DESC_SIZE, p);
	} else {
		value_piece(image, (pos - data_at(image->kind)) / sizeof(u64), p);
	}
}

size_t stats_piece(const struct stats_image *image, u64 pos, void *to, size_t size)
{
	struct piece p;
	size_t n;

	if (pos >= stats_size(image->kind))
		return 0;
	piece_at(image, pos, &p);
	n = min(size, (size_t)(p.at + p.size - pos));
	memcpy(to, p.bytes + (pos - p.at), n);
	return n;
}
