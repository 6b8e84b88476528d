/* SPDX-License-Identifier: Apache-2.0 */
/* The command line of `catwalk explain`: one function an option, each checking its value whole. */
#include "cli/explain_options.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/error.h"

#define ADDRESS_MAX  (BIT(52) - 1)
#define IPA_BITS_MIN 32
#define IPA_BITS_MAX 48

const char explain_usage[] =
	"usage: catwalk explain [OPTIONS]\n"
	"\n"
	"Says, without a machine, what a guest's access gets with the facts given, and by which rule\n"
	"of docs/guest-memory.md; also what the creation of the slot says of them. Facts that are\n"
	"not given are those of plain RAM on a CPU with forced write-back. Exits with 0, or 2 for\n"
	"bad input.\n"
	"\n"
	"The access\n"
	"  --access KIND         read, write, exec, walk, walk-update, fetch-walk (stage-1 walks:\n"
	"                        of data, one that updates its descriptor, of a fetch), cmo (cache\n"
	"                        maintenance by address), ivac (DC IVAC that lacks permission) (read)\n"
	"  --fault KIND          translation, permission, access-flag, exclusive, external,\n"
	"                        tlb-conflict, unsupported (translation; ivac and walk-update:\n"
	"                        permission)\n"
	"  --no-syndrome         a load or store of which the CPU does not say what it was\n"
	"  --ipa ADDRESS         where (the slot's start)\n"
	"The slot\n"
	"  --no-slot             there is none\n"
	"  --slot-flags FLAGS    of ro, log, wb, joined by commas (none); wb: KVM_MEM_WRITE_BACK\n"
	"  --gpa, --hva ADDRESS  guest and host address (0x40000000, 0x7f0000000000)\n"
	"  --size SIZE           (1G)\n"
	"  --no-wb-cap           the VM did not enable KVM_CAP_CATWALK_WRITE_BACK\n"
	"  --strict-slots        the VM enabled KVM_CAP_CATWALK_STRICT_SLOTS\n"
	"The host's mapping\n"
	"  --type TYPE           of the leaf: wb, nc, device, unknown (wb)\n"
	"  --reach REACH         ram: in the linear map; pfnmap: not; unknown (ram)\n"
	"  --leaf SIZE           4K, 2M, 1G (4K)\n"
	"  --pa ADDRESS          of the leaf (0x80000000)\n"
	"  --host-ro             neither leaf nor VMA can be written\n"
	"  --leaf-ro             the leaf cannot be written, and its owner refuses when asked\n"
	"  --any-uncached        the owner allows any uncached type (VM_ALLOW_ANY_UNCACHED)\n"
	"  --vma KIND            plain, special (special unless --type wb --reach ram)\n"
	"  --host ANSWER         when asked for the page: present, no-vma, no-memory, signal,\n"
	"                        poisoned, changing (present)\n"
	"VM and CPU\n"
	"  --ipa-bits N          32 to 48 (40)\n"
	"  --ivac POLICY         for DC IVAC on a read-only slot: inject, upgrade (inject)\n"
	"  --fwb, --no-fwb       forced write-back (FEAT_S2FWB) (--fwb)\n"
	"  --dic, --no-dic       CTR_EL0.DIC (--no-dic)\n"
	"  --idc, --no-idc       CTR_EL0.IDC (as FWB, which implies it)\n"
	"  --hw-dirty            hardware marks pages as written (FEAT_HAFDBS)\n"
	"\n"
	"  --json                one JSON object, for programs\n"
	"\n"
	"Sizes and addresses are decimal or 0x..., with K, M, G or T behind. An unknown fact never\n"
	"refuses a slot; the access is then explained for each value it may have.\n";

/* ---- words */

/* As the CPU reports them: ESR_ELx.EC and the ISS of aborts (Arm ARM, ESR_ELx). */
#define ESR_FETCH    (0x20UL << 26)
#define ESR_DATA     (0x24UL << 26)
#define ISS_ISV	     BIT(24)
#define ISS_32_BIT   BIT(23)
#define ISS_CM	     BIT(8)
#define ISS_S1PTW    BIT(7)
#define ISS_WNR	     BIT(6)
#define ISS_SYNDROME (ISS_ISV | ISS_32_BIT)

enum { FSC_TRANSLATION = 0x07, FSC_PERMISSION = 0x0f };

/* X(word, syndrome without the fault status code, fault status code) */
#define ACCESSES(X)                                                                                \
	X("read", ESR_DATA | ISS_SYNDROME, FSC_TRANSLATION)                                        \
	X("write", ESR_DATA | ISS_SYNDROME | ISS_WNR, FSC_TRANSLATION)                             \
	X("exec", ESR_FETCH, FSC_TRANSLATION)                                                      \
	X("walk", ESR_DATA | ISS_S1PTW, FSC_TRANSLATION)                                           \
	X("walk-update", ESR_DATA | ISS_S1PTW, FSC_PERMISSION)                                     \
	X("fetch-walk", ESR_FETCH | ISS_S1PTW, FSC_TRANSLATION)                                    \
	X("cmo", ESR_DATA | ISS_CM | ISS_WNR, FSC_TRANSLATION)                                     \
	X("ivac", ESR_DATA | ISS_CM | ISS_WNR, FSC_PERMISSION)

/* X(word, fault status code) */
#define FAULTS(X)                                                                                  \
	X("translation", FSC_TRANSLATION)                                                          \
	X("permission", FSC_PERMISSION)                                                            \
	X("access-flag", 0x0b)                                                                     \
	X("exclusive", 0x35)                                                                       \
	X("external", 0x10)                                                                        \
	X("tlb-conflict", 0x30)                                                                    \
	X("unsupported", 0x34)

/* X(word, error) */
#define HOSTS(X)                                                                                   \
	X("present", ERR_OK)                                                                       \
	X("no-vma", ERR_FAULT)                                                                     \
	X("no-memory", ERR_NOMEM)                                                                  \
	X("signal", ERR_INTR)                                                                      \
	X("poisoned", ERR_HWPOISON)                                                                \
	X("changing", ERR_AGAIN)

/* X(word, flag) */
#define FLAGS(X)                                                                                   \
	X("ro", SLOT_READONLY)                                                                     \
	X("log", SLOT_LOG_DIRTY)                                                                   \
	X("wb", SLOT_WRITE_BACK)                                                                   \
	X("none", 0)

#define WORD(word, ...)	   word,
#define VALUE(word, value) value,
#define ROW(...)	   { __VA_ARGS__ },

static const struct access_kind accesses[] = { ACCESSES(ROW) };
static const char *const access_words[] = { ACCESSES(WORD) };
static const u8 faults[] = { FAULTS(VALUE) };
static const char *const fault_words[] = { FAULTS(WORD) };
static const int host_errors[] = { HOSTS(VALUE) };
static const char *const host_words[] = { HOSTS(WORD) };
static const u32 flags[] = { FLAGS(VALUE) };
static const char *const flag_words[] = { FLAGS(WORD) };

static const char *const types[] = { "wb", "nc", "device", "unknown" };
static const char *const reaches[] = { "ram", "pfnmap", "unknown" };
static const char *const levels[] = { "1G", "2M", "4K" };
static const char *const vmas[] = { "plain", "special" };
static const char *const policies[] = { "inject", "upgrade" };

_Static_assert(ARRAY_SIZE(types) == MEM_TYPE_COUNT + 1 && MEM_WB == 0 && MEM_NC == 1 &&
		       ARRAY_SIZE(reaches) == REACH_COUNT + 1 && REACH_ALIAS == 0 &&
		       LEVEL_4K - LEVEL_1G == 2 && IVAC_INJECT == 0,
	       "words stand in the order of the engine's numbers");

const char *mem_type_word(enum mem_type type)
{
	return types[type];
}

const char *mem_reach_word(enum mem_reach reach)
{
	return reaches[reach];
}

const char *level_word(int level)
{
	return levels[level - LEVEL_1G];
}

/* The index of @text among @count words; -1: complained of, with all that are accepted. */
static int find_word(const char *option, const char *text, const char *const *words, size_t count)
{
	char accepted[256] = "";
	size_t used = 0;

	for (size_t i = 0; i < count; i++) {
		if (!strcmp(words[i], text))
			return (int)i;
		used += (size_t)snprintf(accepted + used, sizeof(accepted) - used, "%s%s",
					 i ? ", " : "", words[i]);
	}
	bad_input("%s: '%s' is not one of %s", option, text, accepted);
	return -1;
}

#define FIND_WORD(option, text, words) find_word(option, text, words, ARRAY_SIZE(words))

static int status_of(int index)
{
	return index < 0 ? STATUS_BAD_INPUT : 0;
}

/* ---- numbers */

/* How far the unit behind a number shifts it, and -1 if it is none. */
static int unit_shift(const char *unit)
{
	static const char units[] = "KMGT";
	const char *at = unit[0] ? strchr(units, unit[0]) : NULL;

	if (!unit[0])
		return 0;
	return at && !unit[1] ? 10 * (int)(at - units + 1) : -1;
}

static int set_bytes(const char *option, const char *text, u64 *out)
{
	char *unit;
	u64 value;
	int shift;

	errno = 0;
	value = strtoull(text, &unit, 0);
	shift = unit_shift(unit);
	if (text[0] < '0' || text[0] > '9' || errno || shift < 0 || value > ADDRESS_MAX >> shift)
		return bad_input("%s: '%s' is not a number of bytes from 0 to 0x%lx (0x... or "
				 "decimal; K, M, G or T behind it)",
				 option, text, ADDRESS_MAX);
	*out = value << shift;
	return 0;
}

/* ---- options */

static int set_access(struct explain_input *in, const char *text)
{
	int i = FIND_WORD("--access", text, access_words);

	if (i >= 0)
		in->access = &accesses[i];
	return status_of(i);
}

static int set_fault(struct explain_input *in, const char *text)
{
	int i = FIND_WORD("--fault", text, fault_words);

	if (i >= 0)
		in->fsc = faults[i];
	return status_of(i);
}

static int set_no_syndrome(struct explain_input *in, const char *text)
{
	(void)text;
	in->hides_syndrome = true;
	return 0;
}

static int set_ipa(struct explain_input *in, const char *text)
{
	in->has_ipa = true;
	return set_bytes("--ipa", text, &in->ipa.v);
}

static int set_no_slot(struct explain_input *in, const char *text)
{
	(void)text;
	in->has_slot = false;
	return 0;
}

static int set_slot_flags(struct explain_input *in, const char *text)
{
	char words[64];
	char *rest = words;
	u32 all = 0;

	if (strlen(text) >= sizeof(words))
		return bad_input("--slot-flags: '%s' is too long; accepted are ro, log, wb joined "
				 "by commas, or none",
				 text);
	strcpy(words, text);
	for (char *word = strsep(&rest, ","); word; word = strsep(&rest, ",")) {
		int i = FIND_WORD("--slot-flags", word, flag_words);

		if (i < 0)
			return STATUS_BAD_INPUT;
		all |= flags[i];
	}
	in->slot.flags = all;
	return 0;
}

static int set_gpa(struct explain_input *in, const char *text)
{
	return set_bytes("--gpa", text, &in->slot.ipa.v);
}

static int set_hva(struct explain_input *in, const char *text)
{
	return set_bytes("--hva", text, &in->slot.hva.v);
}

static int set_size(struct explain_input *in, const char *text)
{
	int status = set_bytes("--size", text, &in->slot.size);

	if (!status && !in->slot.size)
		return bad_input("--size: '%s' is no size of a slot; at least 4K is accepted "
				 "(--no-slot: none)",
				 text);
	return status;
}

static int set_no_wb_cap(struct explain_input *in, const char *text)
{
	(void)text;
	in->hides_write_back = true;
	return 0;
}

static int set_strict(struct explain_input *in, const char *text)
{
	(void)text;
	in->strict = SLOTS_STRICT;
	return 0;
}

static int set_type(struct explain_input *in, const char *text)
{
	int i = FIND_WORD("--type", text, types);

	in->type_known = i == MEM_TYPE_COUNT ? UNKNOWN : KNOWN;
	if (i >= 0 && i < MEM_TYPE_COUNT)
		in->leaf.type = (enum mem_type)i;
	return status_of(i);
}

static int set_reach(struct explain_input *in, const char *text)
{
	int i = FIND_WORD("--reach", text, reaches);

	in->reach_known = i == REACH_COUNT ? UNKNOWN : KNOWN;
	if (i >= 0 && i < REACH_COUNT)
		in->leaf.reach = (enum mem_reach)i;
	return status_of(i);
}

static int set_leaf(struct explain_input *in, const char *text)
{
	int i = FIND_WORD("--leaf", text, levels);

	if (i >= 0)
		in->leaf.level = (s8)(LEVEL_1G + i);
	return status_of(i);
}

static int set_pa(struct explain_input *in, const char *text)
{
	return set_bytes("--pa", text, &in->leaf.pa.v);
}

static int set_leaf_ro(struct explain_input *in, const char *text)
{
	(void)text;
	in->leaf.writable = false;
	return 0;
}

static int set_host_ro(struct explain_input *in, const char *text)
{
	in->vma_read_only = true;
	return set_leaf_ro(in, text);
}

static int set_any_uncached(struct explain_input *in, const char *text)
{
	(void)text;
	in->leaf.owner = OWNER_ANY_UNCACHED;
	return 0;
}

static int set_vma(struct explain_input *in, const char *text)
{
	static const bool is_special[] = { false, true };
	int i = FIND_WORD("--vma", text, vmas);

	if (i >= 0)
		in->special = &is_special[i];
	return status_of(i);
}

static int set_host(struct explain_input *in, const char *text)
{
	int i = FIND_WORD("--host", text, host_words);

	if (i >= 0)
		in->host_error = host_errors[i];
	return status_of(i);
}

static int set_ipa_bits(struct explain_input *in, const char *text)
{
	char *end;
	unsigned long bits = strtoul(text, &end, 10);

	if (text[0] < '0' || text[0] > '9' || *end || bits < IPA_BITS_MIN || bits > IPA_BITS_MAX)
		return bad_input("--ipa-bits: '%s' is not a number from %d to %d", text,
				 IPA_BITS_MIN, IPA_BITS_MAX);
	in->ipa_bits = (unsigned int)bits;
	return 0;
}

static int set_ivac(struct explain_input *in, const char *text)
{
	int i = FIND_WORD("--ivac", text, policies);

	if (i >= 0)
		in->ivac = (enum ivac_policy)i;
	return status_of(i);
}

static int set_fwb(struct explain_input *in, const char *text)
{
	(void)text;
	in->caps.fwb = true;
	return 0;
}

static int set_no_fwb(struct explain_input *in, const char *text)
{
	(void)text;
	in->caps.fwb = false;
	return 0;
}

static int set_dic(struct explain_input *in, const char *text)
{
	(void)text;
	in->caps.dic = true;
	return 0;
}

static int set_no_dic(struct explain_input *in, const char *text)
{
	(void)text;
	in->caps.dic = false;
	return 0;
}

static int set_idc(struct explain_input *in, const char *text)
{
	(void)text;
	in->has_idc = true;
	in->caps.idc = true;
	return 0;
}

static int set_no_idc(struct explain_input *in, const char *text)
{
	(void)text;
	in->has_idc = true;
	in->caps.idc = false;
	return 0;
}

static int set_hw_dirty(struct explain_input *in, const char *text)
{
	(void)text;
	in->caps.hw_af = true;
	in->caps.hw_dbm = true;
	return 0;
}

static int set_json(struct explain_input *in, const char *text)
{
	(void)text;
	in->format = EXPLAIN_JSON;
	return 0;
}

static const struct {
	const char *name;
	int has_argument;
	int (*apply)(struct explain_input *in, const char *text);
} explain_option_table[] = {
	{ "access", required_argument, set_access },
	{ "any-uncached", no_argument, set_any_uncached },
	{ "dic", no_argument, set_dic },
	{ "fault", required_argument, set_fault },
	{ "fwb", no_argument, set_fwb },
	{ "gpa", required_argument, set_gpa },
	{ "host", required_argument, set_host },
	{ "host-ro", no_argument, set_host_ro },
	{ "hva", required_argument, set_hva },
	{ "hw-dirty", no_argument, set_hw_dirty },
	{ "idc", no_argument, set_idc },
	{ "ipa", required_argument, set_ipa },
	{ "ipa-bits", required_argument, set_ipa_bits },
	{ "ivac", required_argument, set_ivac },
	{ "json", no_argument, set_json },
	{ "leaf", required_argument, set_leaf },
	{ "leaf-ro", no_argument, set_leaf_ro },
	{ "no-dic", no_argument, set_no_dic },
	{ "no-fwb", no_argument, set_no_fwb },
	{ "no-idc", no_argument, set_no_idc },
	{ "no-slot", no_argument, set_no_slot },
	{ "no-syndrome", no_argument, set_no_syndrome },
	{ "no-wb-cap", no_argument, set_no_wb_cap },
	{ "pa", required_argument, set_pa },
	{ "reach", required_argument, set_reach },
	{ "size", required_argument, set_size },
	{ "slot-flags", required_argument, set_slot_flags },
	{ "strict-slots", no_argument, set_strict },
	{ "type", required_argument, set_type },
	{ "vma", required_argument, set_vma },
};

#define FIRST_OPTION 256
#define OPTION_COUNT ARRAY_SIZE(explain_option_table)

static int apply_option(struct explain_input *in, int code, char **argv)
{
	const char *word = argv[optind - 1];

	if (code >= FIRST_OPTION)
		return explain_option_table[code - FIRST_OPTION].apply(in, optarg);
	if (code == ':')
		return bad_input("%s: a value is missing; see catwalk explain --help", word);
	return bad_input("%s: no such option; see catwalk explain --help", word);
}

/* What no single option can know. */
static int check_together(struct explain_input *in)
{
	u64 span = level_size(in->leaf.level);

	if (in->leaf.pa.v & (span - 1))
		return bad_input("--pa: '0x%lx' is not aligned to the leaf; multiples of %s are "
				 "accepted",
				 in->leaf.pa.v, level_word(in->leaf.level));
	if (in->caps.fwb && in->has_idc && !in->caps.idc)
		return bad_input("--no-idc: a CPU with FWB has IDC; accepted with --no-fwb");
	if (!in->has_idc)
		in->caps.idc = in->caps.fwb;
	if (!in->has_ipa)
		in->ipa = in->slot.ipa;
	return 0;
}

static void set_defaults(struct explain_input *in)
{
	*in = (struct explain_input){
		.access = &accesses[0],
		.has_slot = true,
		.slot = { .ipa = IPA(SZ_1G), .size = SZ_1G, .hva = HVA(0x7f0000000000) },
		.leaf = { .pa = PA(0x80000000), .writable = true, .level = LEVEL_4K },
		.ipa_bits = 40,
		.caps = { .fwb = true, .pa_bits = 48, .ipa_bits = IPA_BITS_MAX, .cpus = 1 },
	};
}

int parse_explain_options(int argc, char **argv, struct explain_input *in)
{
	struct option long_options[OPTION_COUNT + 1];
	int code;

	set_defaults(in);
	memset(long_options, 0, sizeof(long_options));
	for (size_t i = 0; i < OPTION_COUNT; i++) {
		long_options[i].name = explain_option_table[i].name;
		long_options[i].has_arg = explain_option_table[i].has_argument;
		long_options[i].val = FIRST_OPTION + (int)i;
	}
	optind = 1;
	opterr = 0;
	while ((code = getopt_long(argc, argv, "+:", long_options, NULL)) != -1) {
		int status = apply_option(in, code, argv);

		if (status)
			return status;
	}
	if (optind < argc)
		return bad_input("explain: '%s' is no option; see catwalk explain --help",
				 argv[optind]);
	return check_together(in);
}
