/* SPDX-License-Identifier: Apache-2.0 */
/* `catwalk explain`: facts in, the engine's own answer out. */
#include "cli/explain.h"

#include <string.h>

#include "cli/error.h"

/* ---- the engine's answers */

static struct fault_req req_of(const struct explain_input *in)
{
	struct fault_trap trap = {
		.esr = in->access->esr | (in->fsc ? in->fsc : in->access->fsc),
		.far = in->ipa.v,
		.hpfar = in->ipa.v >> PAGE_SHIFT << 4,
	};

	if (in->hides_syndrome)
		trap.esr &= ~BIT(24);
	return fault_decode(&trap);
}

static struct vm_facts vm_of(const struct explain_input *in)
{
	return (struct vm_facts){
		.ipa_bits = in->ipa_bits,
		.ivac = in->ivac,
		.top_level = max(stage2_start_level(in->ipa_bits), (s8)LEVEL_1G),
		.hw_dirty = in->caps.hw_dbm,
	};
}

static struct area_facts area_of(const struct explain_input *in)
{
	bool is_plain = in->type_known == KNOWN && in->leaf.type == MEM_WB &&
			in->reach_known == KNOWN && in->leaf.reach == REACH_ALIAS;

	return (struct area_facts){
		.type_known = in->type_known,
		.type = in->leaf.type,
		.reach_known = in->reach_known,
		.reach = in->leaf.reach,
		.owner = in->leaf.owner,
		.special = in->special ? *in->special : !is_plain,
		.writable = !in->vma_read_only,
	};
}

static struct slot_verdict vet_geometry(const struct explain_input *in)
{
	u32 valid = SLOT_LOG_DIRTY | SLOT_READONLY;

	if (!in->hides_write_back)
		valid |= SLOT_WRITE_BACK;
	return slot_vet_alone(&in->slot, valid, BIT(in->ipa_bits));
}

/* A hole is accepted (M8): whoever has no VMA there may have one later. */
static struct slot_verdict vet_memory(const struct explain_input *in)
{
	struct area_facts area = area_of(in);

	if (in->host_error == ERR_FAULT)
		return (struct slot_verdict){ ERR_OK, WHY_NONE };
	return decide_slot(&area, in->slot.flags, in->strict, &in->caps);
}

/* As fault_resolve() finds it: a leaf that does not allow the access is one the owner was asked
 * about. @leaf is the page's own. */
static struct fault_backing backing_of(const struct explain_input *in, const struct fault_req *req,
				       const struct host_leaf *leaf)
{
	struct fault_backing b = { .leaf = *leaf };

	if (in->host_error)
		fault_host_refused(&b, in->host_error, NULL);
	else if (req->access == MEM_WRITE && !leaf->writable)
		fault_host_refused(&b, ERR_FAULT, leaf);
	return b;
}

static struct explain_case explain_case_of(const struct explain_input *in,
					   const struct slot_view *slot, enum mem_type type,
					   enum mem_reach reach)
{
	struct fault_req req = req_of(in);
	struct host_leaf leaf = in->leaf;
	struct facts f = { .req = req, .slot = slot, .vm = vm_of(in), .caps = &in->caps };

	leaf.type = type;
	leaf.reach = reach;
	if (slot)
		leaf.pa.v += slot_hva_of(slot, req.ipa) & (level_size(leaf.level) - 1);
	f.host = backing_of(in, &req, &leaf);
	return (struct explain_case){ .type = type, .reach = reach, .e = explain(&f) };
}

static void explain_cases(const struct explain_input *in, const struct slot_view *slot,
			  struct explain_report *r)
{
	for (int t = 0; t < MEM_TYPE_COUNT; t++) {
		for (int reach = 0; reach < REACH_COUNT; reach++) {
			if (in->type_known == KNOWN && t != (int)in->leaf.type)
				continue;
			if (in->reach_known == KNOWN && reach != (int)in->leaf.reach)
				continue;
			r->cases[r->count++] =
				explain_case_of(in, slot, (enum mem_type)t, (enum mem_reach)reach);
		}
	}
}

struct explain_report explain_facts(const struct explain_input *in)
{
	struct explain_report r = { .asks_for_slot = in->has_slot, .caps = in->caps };
	struct slot slot = {
		.gfn = in->slot.ipa.v >> PAGE_SHIFT,
		.npages = in->slot.size >> PAGE_SHIFT,
		.hva = in->slot.hva,
		.flags = in->slot.flags,
	};
	struct slot_view view;

	if (!in->has_slot) {
		explain_cases(in, NULL, &r);
		return r;
	}
	r.slot = vet_geometry(in);
	if (r.slot.error)
		return r;
	r.slot = vet_memory(in);
	slot_view_of(&slot, &view);
	explain_cases(in, (in->ipa.v >> PAGE_SHIFT) - slot.gfn < slot.npages ? &view : NULL, &r);
	return r;
}

/* ---- words */

const char *s2_type_text(enum s2_type type)
{
	static const char *const texts[S2_TYPE_COUNT] = {
		[S2_NORMAL] = "Normal write-back",
		[S2_NORMAL_NC] = "Normal non-cacheable",
		[S2_DEVICE] = "Device-nGnRE",
	};

	return texts[type];
}

const char *limit_text(enum limit by)
{
	static const char *const texts[LIMIT_COUNT] = {
		[LIMIT_NONE] = "nothing: the largest block there is",
		[LIMIT_HOST] = "the host's leaf",
		[LIMIT_TABLE] = "the tables of so small an IPA size",
		[LIMIT_SLOT] = "the slot: its bounds, or its two addresses aligned unlike",
		[LIMIT_LOGGING] = "dirty logging, which is by page",
	};

	return texts[by];
}

const char *perms_text(unsigned int perms)
{
	static const char *const texts[] = { "-", "r", "w", "rw", "x", "rx", "wx", "rwx" };

	return texts[perms & (S2_R | S2_W | S2_X)];
}

static const char *inject_text(enum inject_kind inject)
{
	static const char *const texts[] = {
		[INJECT_SEA_DATA] = "a synchronous external data abort",
		[INJECT_SEA_FETCH] = "a synchronous external instruction abort",
		[INJECT_ADDRESS_SIZE] = "an address size fault",
		[INJECT_EXCLUSIVE] = "a data abort, unsupported exclusive or atomic access",
	};

	return texts[inject];
}

const char *outcome_text(const struct fault_outcome *o)
{
	static const char *const texts[OUTCOME_KINDS] = {
		[OUTCOME_RESUME] = "the guest goes on and comes again if it must",
		[OUTCOME_SKIP] = "the instruction is stepped over",
		[OUTCOME_MMIO] = "KVM_EXIT_MMIO",
		[OUTCOME_NO_SYNDROME] = "KVM_EXIT_ARM_NISV if enabled, else KVM_RUN fails: ENOSYS",
		[OUTCOME_MEMORY_FAULT] = "KVM_RUN fails: EFAULT, with KVM_EXIT_MEMORY_FAULT",
		[OUTCOME_SIGBUS] = "SIGBUS (BUS_MCEERR_AR) to the vCPU's thread",
		[OUTCOME_ERROR] = "KVM_RUN fails",
		[OUTCOME_EXTERNAL] = "KVM_EXIT_ARM_SEA, or an SError for the guest",
	};

	return o->kind == OUTCOME_INJECT ? inject_text(o->inject) : texts[o->kind];
}

const char *agent_text(enum coherence_agent agent)
{
	static const char *const texts[COHERENCE_AGENTS] = {
		[AGENT_VMM] = "VMM",
		[AGENT_DMA_SNOOPS] = "snooping DMA",
		[AGENT_DMA_BYPASS] = "other DMA",
	};

	return texts[agent];
}

/* ---- text */

static void print_owed(const char *label, unsigned int owed, FILE *to)
{
	static const char *const texts[] = {
		"clean and invalidate data caches to PoC",
		"invalidate instruction caches by address",
		"invalidate instruction caches as a whole",
	};
	const char *separator = "";

	fprintf(to, "  %-20s", label);
	for (unsigned int i = 0; i < ARRAY_SIZE(texts); i++) {
		if (!(owed & BIT(i)))
			continue;
		fprintf(to, "%s%s", separator, texts[i]);
		separator = "; ";
	}
	fprintf(to, "%s\n", owed ? "" : "no maintenance");
}

_Static_assert(CMO_DCACHE == 1 && CMO_ICACHE == 2 && CMO_ICACHE_ALL == 4, "texts[] are by bit");

static void print_user_owes(enum coherence c, FILE *to)
{
	static const char *const texts[] = {
		[OWED_NOTHING] = "nothing",
		[OWED_BEFORE_READ] = "clean and invalidate before it reads",
		[OWED_AFTER_WRITE] = "clean and invalidate after it wrote",
		[OWED_BEFORE_READ | OWED_AFTER_WRITE] =
			"clean and invalidate before it reads and after it wrote",
		[OWED_BEFORE_READ | OWED_AFTER_WRITE | OWED_BEFORE_WRITE] =
			"clean and invalidate before it reads, before it writes and after it wrote",
	};

	for (int a = 0; a < COHERENCE_AGENTS; a++) {
		enum coherence_agent agent = (enum coherence_agent)a;
		char label[32];

		snprintf(label, sizeof(label), "%s owes", agent_text(agent));
		fprintf(to, "  %-20s%s\n", label, texts[coherence_owed(c, agent)]);
	}
}

static void print_plan(const struct fault_plan *p, const struct port_caps *caps, FILE *to)
{
	enum coherence c = coherence_of(p->type, caps);

	fprintf(to, "  %-20s%s, %s%s, %s at IPA 0x%lx to PA 0x%lx\n", "mapping",
		s2_type_text(p->type), perms_text(p->perms),
		p->perms & S2_DBM ? " (hardware adds w)" : "", level_word(p->level), p->ipa.v,
		p->pa.v);
	fprintf(to, "  %-20s%s\n", "size bound by", limit_text(p->bound_by));
	if (p->logged)
		fprintf(to, "  %-20swrites mark the page dirty\n", "logging");
	print_owed("before map", p->owed, to);
	print_owed("after unmap", p->owed_after, to);
	fprintf(to, "  %-20s%s\n", "coherence", coherence_text(c));
	print_user_owes(c, to);
}

static void print_reason(enum reason why, FILE *to)
{
	if (why != WHY_NONE)
		fprintf(to, " (M%u %s): %s", reason_rule(why), reason_name(why), reason_text(why));
	fputc('\n', to);
}

static void print_slot(const struct explain_report *r, FILE *to)
{
	if (!r->asks_for_slot) {
		fputs("slot creation: none\n", to);
		return;
	}
	fputs("slot creation: ", to);
	if (r->slot.error)
		fprintf(to, "refused, E%s", err_name(r->slot.error));
	else
		fputs("accepted", to);
	print_reason(r->slot.why, to);
}

static void print_case(const struct explain_input *in, const struct explain_case *c,
		       const struct port_caps *caps, FILE *to)
{
	fprintf(to, "%s at 0x%lx", in->access->name, in->ipa.v);
	if (in->type_known == UNKNOWN || in->reach_known == UNKNOWN)
		fprintf(to, ", if %s and %s", mem_type_word(c->type), mem_reach_word(c->reach));
	fprintf(to, ": %s", answer_name(c->e.answer));
	print_reason(c->e.why, to);
	if (c->e.answer == ANSWER_MAP) {
		print_plan(&c->e.plan, caps, to);
		return;
	}
	fprintf(to, "  %-20s%s", "result", outcome_text(&c->e.outcome));
	if (c->e.answer == ANSWER_ERROR)
		fprintf(to, ": E%s", err_name(c->e.outcome.error));
	fputc('\n', to);
}

void print_explanation(const struct explain_input *in, const struct explain_report *r, FILE *to)
{
	print_slot(r, to);
	for (unsigned int i = 0; i < r->count; i++)
		print_case(in, &r->cases[i], &r->caps, to);
}

/* ---- the command */

int command_explain(int argc, char **argv)
{
	struct explain_input in;
	struct explain_report report;
	int status;

	if (argc > 1 && (!strcmp(argv[1], "--help") || !strcmp(argv[1], "-h"))) {
		fputs(explain_usage, stdout);
		return 0;
	}
	status = parse_explain_options(argc, argv, &in);
	if (status)
		return status;
	report = explain_facts(&in);
	if (in.format == EXPLAIN_TEXT)
		print_explanation(&in, &report, stdout);
	else if (print_explanation_json(&in, &report, stdout))
		return bad_input("explain: out of memory");
	return 0;
}
