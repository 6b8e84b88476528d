/* SPDX-License-Identifier: Apache-2.0 */
/* The verbs of the scenario language: which words each takes, and the call it stands for. */
#include "check/scenario_priv.h"

#include <stdlib.h>
#include <string.h>

/* ---- words */

/* Groups of words; a verb names those it takes. */
enum {
	WORDS_VM = 1 << 0,
	WORDS_VCPU = 1 << 1,
	WORDS_MAP = 1 << 2,
	WORDS_TYPE = 1 << 3,
	WORDS_LEVEL = 1 << 4,
	WORDS_PERMS = 1 << 5,
	WORDS_SLOT = 1 << 6,
	WORDS_SLOT_FLAGS = 1 << 7,
	WORDS_STAGE1 = 1 << 8,
	WORDS_DMA = 1 << 9,
	WORDS_AGE = 1 << 10,
	WORDS_NAME = 1 << 11,
	WORDS_WRITE = 1 << 12,
	WORDS_SABOTAGE = 1 << 13,
	WORDS_DEAF = 1 << 14,
	WORDS_RAW = 1 << 15,
	WORDS_CONTRACT = 1 << 16,
};

#define PLACE(field) ((u8)(offsetof(struct operands, field) / sizeof(u64)))

/* A word by itself: sets (or adds to) a field. */
static const struct {
	const char *word;
	u64 value;
	u32 group;
	u8 place;
} plain_words[] = {
	{ "wb", MEM_WB, WORDS_TYPE, PLACE(type) },
	{ "nc", MEM_NC, WORDS_TYPE, PLACE(type) },
	{ "device", MEM_DEVICE, WORDS_TYPE, PLACE(type) },
	{ "4K", LEVEL_4K, WORDS_LEVEL, PLACE(level) },
	{ "2M", LEVEL_2M, WORDS_LEVEL, PLACE(level) },
	{ "1G", LEVEL_1G, WORDS_LEVEL, PLACE(level) },
	{ "rw", true, WORDS_PERMS, PLACE(writable) },
	{ "ro", false, WORDS_PERMS, PLACE(writable) },
	{ "without-fwb", true, WORDS_CONTRACT, PLACE(without_fwb) },
	{ "without-dic", true, WORDS_CONTRACT, PLACE(without_dic) },
	{ "anyway", true, WORDS_CONTRACT, PLACE(anyway) },
	{ "exec", true, WORDS_RAW, PLACE(executable) },
	{ "leaf-ro", false, WORDS_MAP, PLACE(leaf_writable) },
	{ "no-alias", REACH_NONE, WORDS_MAP, PLACE(reach) },
	{ "any-uncached", OWNER_ANY_UNCACHED, WORDS_MAP, PLACE(owner) },
	{ "special", true, WORDS_MAP, PLACE(special) },
	{ "lazy", true, WORDS_MAP, PLACE(lazy) },
	{ "lazily-special", true, WORDS_MAP, PLACE(special_lazily) },
	{ "refuses-write", true, WORDS_MAP, PLACE(refuses_mkwrite) },
	{ "poisoned", true, WORDS_MAP, PLACE(poisoned) },
	{ "declared-wb", MEM_WB, WORDS_MAP, PLACE(declared) },
	{ "declared-nc", MEM_NC, WORDS_MAP, PLACE(declared) },
	{ "declared-device", MEM_DEVICE, WORDS_MAP, PLACE(declared) },
	{ "readonly", SLOT_READONLY, WORDS_SLOT_FLAGS, PLACE(flags) },
	{ "log", SLOT_LOG_DIRTY, WORDS_SLOT_FLAGS, PLACE(flags) },
	{ "write-back", SLOT_WRITE_BACK, WORDS_SLOT_FLAGS, PLACE(flags) },
	{ "s1-off", S1_OFF, WORDS_STAGE1, PLACE(s1) },
	{ "s1-wb", S1_WB, WORDS_STAGE1, PLACE(s1) },
	{ "s1-nc", S1_NC, WORDS_STAGE1, PLACE(s1) },
	{ "s1-device", S1_DEVICE, WORDS_STAGE1, PLACE(s1) },
	{ "sets-af", true, WORDS_STAGE1, PLACE(updates_af) },
	{ "coherent", DMA_COHERENT, WORDS_DMA, PLACE(dma) },
	{ "bypass", DMA_BYPASS, WORDS_DMA, PLACE(dma) },
	{ "read", false, WORDS_WRITE, PLACE(is_write) },
	{ "write", true, WORDS_WRITE, PLACE(is_write) },
	{ "test", S2_AGE_TEST, WORDS_AGE, PLACE(how) },
	{ "clear", S2_AGE_CLEAR, WORDS_AGE, PLACE(how) },
	{ "no-notifier", SABOTAGE_NO_NOTIFIER, WORDS_SABOTAGE, PLACE(how) },
	{ "late-notifier", SABOTAGE_LATE_NOTIFIER, WORDS_SABOTAGE, PLACE(how) },
	{ "lose-dirty", SABOTAGE_LOSE_DIRTY, WORDS_SABOTAGE, PLACE(how) },
	{ "mark-dirty", SABOTAGE_MARK_DIRTY, WORDS_SABOTAGE, PLACE(how) },
	{ "change-refused", SABOTAGE_CHANGE_REFUSED, WORDS_SABOTAGE, PLACE(how) },
	{ "leak", SABOTAGE_LEAK, WORDS_SABOTAGE, PLACE(how) },
	{ "old-contents", SABOTAGE_OLD_CONTENTS, WORDS_SABOTAGE, PLACE(how) },
	{ "no-clean", SABOTAGE_NO_CLEAN, WORDS_SABOTAGE, PLACE(how) },
	{ "typeless-split", SABOTAGE_TYPELESS_SPLIT, WORDS_SABOTAGE, PLACE(how) },
	{ "typeless-dump", SABOTAGE_TYPELESS_DUMP, WORDS_SABOTAGE, PLACE(how) },
	{ "tlbi", DEAF_TLBI, WORDS_DEAF, PLACE(how) },
	{ "stage1", DEAF_STAGE1, WORDS_DEAF, PLACE(how) },
	{ "dcache", DEAF_DCACHE, WORDS_DEAF, PLACE(how) },
	{ "icache", DEAF_ICACHE, WORDS_DEAF, PLACE(how) },
};

/* A word with a number behind it: NAME=NUMBER. */
static const struct {
	const char *word;
	u32 group;
	u8 place;
} number_words[] = {
	{ "vm", WORDS_VM, PLACE(vm) },
	{ "vcpu", WORDS_VCPU, PLACE(vcpu) },
	{ "ipa", WORDS_SLOT, PLACE(ipa) },
	{ "hva", WORDS_SLOT, PLACE(hva) },
	{ "size", WORDS_SLOT, PLACE(size) },
	{ "table", WORDS_STAGE1, PLACE(table[0]) },
	{ "table2", WORDS_STAGE1, PLACE(table[1]) },
};

static u64 *field(struct operands *o, u8 place)
{
	return (u64 *)o + place;
}

void operands_init(struct operands *o)
{
	*o = (struct operands){
		.level = LEVEL_4K,
		.writable = true,
		.leaf_writable = true,
		.declared = MEM_TYPE_COUNT, /* as the leaves */
	};
}

/* Decimal or 0x..., with K, M or G behind it. */
bool number_parse(const char *text, u64 *out)
{
	static const struct {
		char suffix;
		unsigned int shift;
	} units[] = { { 'K', 10 }, { 'M', 20 }, { 'G', 30 }, { 'T', 40 } };
	char *end;

	if (*text < '0' || *text > '9')
		return false;
	*out = strtoul(text, &end, 0);
	for (size_t i = 0; i < ARRAY_SIZE(units); i++) {
		if (*end == units[i].suffix && !end[1]) {
			*out <<= units[i].shift;
			return true;
		}
	}
	return !*end;
}

static bool take_plain(const struct verb *v, struct operands *o, const char *word)
{
	for (size_t i = 0; i < ARRAY_SIZE(plain_words); i++) {
		u64 *f = field(o, plain_words[i].place);

		if (!(v->words & plain_words[i].group) || strcmp(word, plain_words[i].word))
			continue;
		o->groups |= plain_words[i].group;
		*f = plain_words[i].group == WORDS_SLOT_FLAGS ? *f | plain_words[i].value
							      : plain_words[i].value;
		return true;
	}
	return false;
}

static bool take_number(const struct verb *v, struct operands *o, const char *word)
{
	const char *equals = strchr(word, '=');

	for (size_t i = 0; equals && i < ARRAY_SIZE(number_words); i++) {
		size_t length = strlen(number_words[i].word);

		if ((v->words & number_words[i].group) && length == (size_t)(equals - word) &&
		    !strncmp(word, number_words[i].word, length))
			return number_parse(equals + 1, field(o, number_words[i].place));
	}
	return false;
}

bool word_take(const struct verb *v, struct operands *o, char *word)
{
	u64 n;

	if (take_plain(v, o, word) || take_number(v, o, word))
		return true;
	if (o->given < v->positional && number_parse(word, &n)) {
		*field(o, v->places[o->given++]) = n;
		return true;
	}
	if ((v->words & WORDS_NAME) && !o->name && *word >= 'a' && *word <= 'z' &&
	    !strchr(word, '=')) {
		o->name = word;
		return true;
	}
	return false;
}

/* ---- the host */

static struct world_result run_map(struct world *w, const struct operands *o)
{
	struct host_map m = {
		.hva = HVA(o->hva),
		.size = o->size,
		.type = (enum mem_type)o->type,
		.declared = (enum mem_type)(o->declared == MEM_TYPE_COUNT ? o->type : o->declared),
		.reach = (enum mem_reach)o->reach,
		.owner = (enum mem_owner)o->owner,
		.level = (s8)o->level,
		.vma_writable = o->writable,
		.leaf_writable = o->writable && o->leaf_writable,
		.special = o->special,
		.lazy = o->lazy,
		.special_lazily = o->special_lazily,
		.refuses_mkwrite = o->refuses_mkwrite,
		.poisoned = o->poisoned,
		.name = o->name,
	};

	return world_host_map(w, &m);
}

static struct world_result run_unmap(struct world *w, const struct operands *o)
{
	return world_host_unmap(w, HVA(o->hva), o->size);
}

static struct world_result run_protect(struct world *w, const struct operands *o)
{
	return world_host_protect(w, HVA(o->hva), o->size,
				  o->writable ? HOST_PROTECT_WRITE : HOST_PROTECT_READ);
}

static struct world_result run_retype(struct world *w, const struct operands *o)
{
	return world_host_retype(w, HVA(o->hva), o->size, (enum mem_type)o->type);
}

static struct world_result run_migrate(struct world *w, const struct operands *o)
{
	return world_host_migrate(w, HVA(o->hva), o->size);
}

static struct world_result run_regroup(struct world *w, const struct operands *o)
{
	return world_host_regroup(w, HVA(o->hva), (s8)o->level);
}

static struct world_result run_age(struct world *w, const struct operands *o)
{
	return world_host_age(w, HVA(o->hva), o->size, (enum s2_age)o->how);
}

static struct world_result run_vmm(struct world *w, const struct operands *o)
{
	return o->is_write ? world_host_write(w, HVA(o->hva)) : world_host_read(w, HVA(o->hva));
}

static struct world_result run_told(struct world *w, const struct operands *o)
{
	return world_told(w, HVA(o->hva));
}

static struct world_result run_dma(struct world *w, const struct operands *o)
{
	return world_dma(w, HVA(o->hva), (enum machine_dma)o->dma, o->is_write);
}

static struct world_result run_poison(struct world *w, const struct operands *o)
{
	return world_host_poison(w, HVA(o->hva));
}

/* ---- what goes wrong on purpose */

static struct world_result run_misbehave(struct world *w, const struct operands *o)
{
	world_misbehave(w, (enum world_sabotage)o->how);
	return (struct world_result){ .error = ERR_OK };
}

static enum s2_type raw_type(u64 type)
{
	static const enum s2_type types[MEM_TYPE_COUNT] = {
		[MEM_WB] = S2_NORMAL,
		[MEM_NC] = S2_NORMAL_NC,
		[MEM_DEVICE] = S2_DEVICE,
	};

	return types[type];
}

/* The page behind @hva is mapped at @ipa as told. */
static struct world_result run_raw(struct world *w, const struct operands *o)
{
	struct guest_mem *m = world_vm(w, (unsigned int)o->vm);
	struct host_leaf host;
	struct s2_leaf leaf = {
		.type = raw_type(o->type),
		.perms = (u8)(S2_R | (o->writable ? S2_W : 0) | (o->executable ? S2_X : 0)),
		.level = (s8)o->level,
	};

	if (!m || m->host_ops->leaf(m->host, HVA(o->hva), &host))
		return (struct world_result){ .error = ERR_NOENT };
	leaf.pa = PA(ALIGN_DOWN(host.pa.v, level_size(leaf.level)));
	return world_raw(w, (unsigned int)o->vm, IPA(o->ipa), &leaf);
}

static struct world_result run_forget(struct world *w, const struct operands *o)
{
	machine_deafen(world_port(w), (enum machine_deafness)o->how);
	return (struct world_result){ .error = ERR_OK };
}

/* ---- VMs and slots */

static struct world_result run_vm(struct world *w, const struct operands *o)
{
	return world_vm_create(w, (unsigned int)o->vm);
}

static struct world_result run_vm_end(struct world *w, const struct operands *o)
{
	return world_vm_destroy(w, (unsigned int)o->vm);
}

static struct world_result run_slot(struct world *w, const struct operands *o)
{
	struct slot_request r = {
		.id = (u32)o->slot,
		.flags = (u32)o->flags,
		.ipa = IPA(o->ipa),
		.size = o->size,
		.hva = HVA(o->hva),
	};

	return world_slot(w, (unsigned int)o->vm, &r);
}

static struct world_result run_dirty_get(struct world *w, const struct operands *o)
{
	return world_dirty_get(w, (unsigned int)o->vm, (u32)o->slot);
}

static struct world_result run_dirty_clear(struct world *w, const struct operands *o)
{
	return world_dirty_clear(w, (unsigned int)o->vm, (u32)o->slot, o->first, o->pages);
}

static struct world_result run_prefault(struct world *w, const struct operands *o)
{
	return world_prefault(w, (unsigned int)o->vm, IPA(o->ipa), o->size);
}

static struct world_result run_split(struct world *w, const struct operands *o)
{
	return world_split(w, (unsigned int)o->vm, IPA(o->ipa), o->size);
}

static struct world_result run_policy(struct world *w, const struct operands *o)
{
	return world_policy(w, (unsigned int)o->vm, o->name ? o->name : "", o->value);
}

/* ---- guests */

static struct machine_guest_op guest_op(const struct operands *o, enum machine_op op)
{
	return (struct machine_guest_op){
		.ipa = IPA(o->ipa),
		.op = op,
		.s1 = (enum machine_s1)o->s1,
		.table = { IPA(o->table[0]), IPA(o->table[1]) },
		.updates_af = o->updates_af,
	};
}

static struct world_result guest(struct world *w, const struct operands *o, enum machine_op op)
{
	struct machine_guest_op g = guest_op(o, op);

	return world_guest(w, (unsigned int)o->vm, (unsigned int)o->vcpu, &g);
}

static struct world_result run_pair(struct world *w, const struct operands *o)
{
	struct machine_guest_op g = guest_op(o, o->is_write ? MACHINE_WRITE : MACHINE_READ);

	return world_guest_pair(w, (unsigned int)o->vm, (unsigned int)o->vcpu, &g);
}

static struct world_result run_read(struct world *w, const struct operands *o)
{
	return guest(w, o, MACHINE_READ);
}

static struct world_result run_write(struct world *w, const struct operands *o)
{
	return guest(w, o, MACHINE_WRITE);
}

static struct world_result run_fetch(struct world *w, const struct operands *o)
{
	return guest(w, o, MACHINE_FETCH);
}

static struct world_result cmo(struct world *w, const struct operands *o, enum machine_cmo op)
{
	return world_guest_cmo(w, (unsigned int)o->vm, (unsigned int)o->vcpu, IPA(o->ipa), op);
}

static struct world_result run_cvac(struct world *w, const struct operands *o)
{
	return cmo(w, o, CMO_CLEAN);
}

static struct world_result run_civac(struct world *w, const struct operands *o)
{
	return cmo(w, o, CMO_CLEAN_INVAL);
}

static struct world_result run_ivac(struct world *w, const struct operands *o)
{
	return cmo(w, o, CMO_INVAL);
}

static struct world_result run_cvau(struct world *w, const struct operands *o)
{
	return cmo(w, o, CMO_CLEAN_POU);
}

static struct world_result run_ivau(struct world *w, const struct operands *o)
{
	return cmo(w, o, CMO_IC);
}

/* ---- results */

static void print_count(const struct world_result *r, FILE *out)
{
	if (r->error)
		fprintf(out, "E%s", err_name(r->error));
	else
		fprintf(out, "ok %lu", (unsigned long)r->count);
}

static void print_reason(enum reason why, FILE *out)
{
	if (why == WHY_NONE)
		return;
	if (reason_rule(why))
		fprintf(out, " M%u", reason_rule(why));
	fprintf(out, " %s", reason_name(why));
}

static void print_slot(const struct world_result *r, FILE *out)
{
	if (!r->error) {
		fputs("ok", out);
		return;
	}
	fprintf(out, "E%s", err_name(r->error));
	print_reason(r->outcome.why, out);
}

static void print_guest(const struct world_result *r, FILE *out)
{
	static const char *const names[OUTCOME_KINDS] = {
		[OUTCOME_RESUME] = "ok",
		[OUTCOME_SKIP] = "skip",
		[OUTCOME_INJECT] = "abort",
		[OUTCOME_MMIO] = "mmio",
		[OUTCOME_NO_SYNDROME] = "no-syndrome",
		[OUTCOME_MEMORY_FAULT] = "memory-fault",
		[OUTCOME_SIGBUS] = "sigbus",
		[OUTCOME_ERROR] = "error",
		[OUTCOME_EXTERNAL] = "external",
	};

	fputs(names[r->outcome.kind], out);
	if (r->outcome.kind != OUTCOME_RESUME)
		print_reason(r->outcome.why, out);
}

/* ---- the verbs */

#define IPA_SIZE                                                                                   \
	2,                                                                                         \
	{                                                                                          \
		PLACE(ipa), PLACE(size)                                                            \
	}
#define HVA_SIZE                                                                                   \
	2,                                                                                         \
	{                                                                                          \
		PLACE(hva), PLACE(size)                                                            \
	}
#define JUST(f)                                                                                    \
	1,                                                                                         \
	{                                                                                          \
		PLACE(f)                                                                           \
	}
#define TWO(a, b)                                                                                  \
	2,                                                                                         \
	{                                                                                          \
		PLACE(a), PLACE(b)                                                                 \
	}

#define GUEST_WORDS (WORDS_VM | WORDS_VCPU | WORDS_STAGE1)
#define GUEST_TEXT                                                                                 \
	"IPA [vm=N] [vcpu=N] [s1-off|s1-wb|s1-nc|s1-device] [table=IPA] [table2=IPA] [sets-af]"
#define CMO_TEXT "IPA [vm=N] [vcpu=N]"

static const struct verb verbs[] = {
	{ "map",
	  "NAME HVA SIZE [wb|nc|device] [4K|2M|1G] [rw|ro] [leaf-ro] [no-alias] [any-uncached] [special] "
	  "[lazy] [lazily-special] [declared-wb|-nc|-device] [refuses-write] [poisoned]",
	  run_map, NULL, HVA_SIZE,
	  WORDS_NAME | WORDS_MAP | WORDS_TYPE | WORDS_LEVEL | WORDS_PERMS },
	{ "unmap", "HVA SIZE", run_unmap, NULL, HVA_SIZE, 0 },
	{ "protect", "HVA SIZE rw|ro", run_protect, NULL, HVA_SIZE, NEEDS(WORDS_PERMS) },
	{ "retype", "HVA SIZE wb|nc|device", run_retype, NULL, HVA_SIZE, NEEDS(WORDS_TYPE) },
	{ "migrate", "HVA SIZE", run_migrate, NULL, HVA_SIZE, 0 },
	{ "regroup", "HVA 4K|2M|1G", run_regroup, NULL, JUST(hva), NEEDS(WORDS_LEVEL) },
	{ "age", "HVA SIZE test|clear", run_age, print_count, HVA_SIZE, NEEDS(WORDS_AGE) },
	{ "vmm", "read|write HVA", run_vmm, NULL, JUST(hva), NEEDS(WORDS_WRITE) },
	{ "dma", "read|write HVA coherent|bypass", run_dma, NULL, JUST(hva),
	  NEEDS(WORDS_WRITE | WORDS_DMA) },
	{ "told", "HVA", run_told, NULL, JUST(hva), 0 },
	{ "poison", "HVA", run_poison, NULL, JUST(hva), 0 },
	{ "misbehave",
	  "no-notifier|late-notifier|lose-dirty|mark-dirty|change-refused|leak|old-contents|"
	  "no-clean|typeless-split|typeless-dump",
	  run_misbehave,
	  NULL,
	  0,
	  { 0 },
	  NEEDS(WORDS_SABOTAGE) },
	{ "raw", "IPA HVA wb|nc|device [rw|ro] [exec] [4K|2M|1G] [vm=N]", run_raw, NULL,
	  TWO(ipa, hva), WORDS_VM | NEEDS(WORDS_TYPE) | WORDS_PERMS | WORDS_LEVEL | WORDS_RAW },
	{ "forget", "tlbi|stage1|dcache|icache", run_forget, NULL, 0, { 0 }, NEEDS(WORDS_DEAF) },
	{ "pair", "read|write " GUEST_TEXT, run_pair, print_guest, JUST(ipa),
	  GUEST_WORDS | NEEDS(WORDS_WRITE) },
	{ "vm", "N", run_vm, NULL, JUST(vm), 0 },
	{ "vm-end", "N", run_vm_end, NULL, JUST(vm), 0 },
	{ "slot",
	  "N ipa=IPA size=SIZE hva=HVA [vm=N] [readonly] [log] [write-back]; size=0: delete",
	  run_slot, print_slot, JUST(slot), WORDS_VM | WORDS_SLOT | WORDS_SLOT_FLAGS },
	{ "dirty-get", "SLOT [vm=N]", run_dirty_get, print_count, JUST(slot), WORDS_VM },
	{ "dirty-clear",
	  "SLOT FIRST PAGES [vm=N]",
	  run_dirty_clear,
	  print_count,
	  3,
	  { PLACE(slot), PLACE(first), PLACE(pages) },
	  WORDS_VM },
	{ "prefault", "IPA SIZE [vm=N]", run_prefault, print_count, IPA_SIZE, WORDS_VM },
	{ "split", "IPA SIZE [vm=N]", run_split, print_count, IPA_SIZE, WORDS_VM },
	{ "coherence", "IPA SIZE [vm=N]", run_coherence, print_coherence, IPA_SIZE, WORDS_VM },
	{ "migrate-to",
	  "[without-fwb] [without-dic] [anyway] [vm=N]",
	  run_migrate_to,
	  print_migrate_to,
	  0,
	  { 0 },
	  WORDS_VM | WORDS_CONTRACT },
	{ "trace", "[vm=N]", run_trace, print_trace, 0, { 0 }, WORDS_VM },
	{ "policy", "NAME VALUE [vm=N]", run_policy, NULL, JUST(value), WORDS_NAME | WORDS_VM },
	{ "read", GUEST_TEXT, run_read, print_guest, JUST(ipa), GUEST_WORDS },
	{ "write", GUEST_TEXT, run_write, print_guest, JUST(ipa), GUEST_WORDS },
	{ "fetch", GUEST_TEXT, run_fetch, print_guest, JUST(ipa), GUEST_WORDS },
	{ "cvac", CMO_TEXT, run_cvac, print_guest, JUST(ipa), WORDS_VM | WORDS_VCPU },
	{ "civac", CMO_TEXT, run_civac, print_guest, JUST(ipa), WORDS_VM | WORDS_VCPU },
	{ "ivac", CMO_TEXT, run_ivac, print_guest, JUST(ipa), WORDS_VM | WORDS_VCPU },
	{ "cvau", CMO_TEXT, run_cvau, print_guest, JUST(ipa), WORDS_VM | WORDS_VCPU },
	{ "ivau", CMO_TEXT, run_ivau, print_guest, JUST(ipa), WORDS_VM | WORDS_VCPU },
};

const struct verb *verb_find(const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(verbs); i++) {
		if (!strcmp(verbs[i].name, name))
			return &verbs[i];
	}
	return NULL;
}

void verb_list(FILE *out)
{
	for (size_t i = 0; i < ARRAY_SIZE(verbs); i++)
		fprintf(out, "%s%s", i ? ", " : "", verbs[i].name);
}

void result_print(const struct command *c, const struct world_result *r, FILE *out)
{
	if (c->verb->print)
		c->verb->print(r, out);
	else if (r->error)
		fprintf(out, "E%s", err_name(r->error));
	else
		fputs("ok", out);
}
