/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reading a contract: every field is there, none is unknown, and each value is one that a host can
 * have. A field that was ignored might be a promise.
 */
#include "cli/contract_file.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/error.h"
#include "engine/slot.h"

enum { IPA_BITS_MIN = 32, IPA_BITS_MAX = 52, VERSION_MAX = 65535 };

/* Where a value stands, for complaints. */
struct place {
	const char *file;
	const char *within; /* "" or "slots[3]." */
};

/* Says what is wrong with the value of @field; NULL: it is missing. */
static int refuse(const struct place *at, const char *field, const json_t *value,
		  const char *accepted)
{
	char *text = value ? json_dumps(value, JSON_COMPACT | JSON_ENCODE_ANY) : NULL;
	int status;

	if (value)
		status = bad_input("%s: %s%s: '%.64s' is not accepted; it is %s", at->file,
				   at->within, field, text ? text : "?", accepted);
	else
		status = bad_input("%s: %s%s is missing; it is %s", at->file, at->within, field,
				   accepted);
	free(text);
	return status;
}

/* A number @low to @high. */
static int read_number(const struct place *at, const json_t *object, const char *field, u64 low,
		       u64 high, u64 *out)
{
	const json_t *value = json_object_get(object, field);
	char accepted[96];

	if (json_is_integer(value) && json_integer_value(value) >= 0 &&
	    (u64)json_integer_value(value) >= low && (u64)json_integer_value(value) <= high) {
		*out = (u64)json_integer_value(value);
		return 0;
	}
	snprintf(accepted, sizeof(accepted), "a whole number from %lu to %lu", low, high);
	return refuse(at, field, value, accepted);
}

static int read_bool(const struct place *at, const json_t *object, const char *field, bool *out)
{
	const json_t *value = json_object_get(object, field);

	if (!json_is_boolean(value))
		return refuse(at, field, value, "true or false");
	*out = json_is_true(value);
	return 0;
}

/* @names ends with NULL. */
static int refuse_unknown(const struct place *at, json_t *object, const char *const *names)
{
	const char *key;
	json_t *value;

	json_object_foreach(object, key, value)
	{
		const char *const *name = names;

		while (*name && strcmp(*name, key))
			name++;
		if (!*name)
			return bad_input(
				"%s: %s%s: no field of this version (%d); docs/contract.md "
				"has those that are",
				at->file, at->within, key, CONTRACT_VERSION);
	}
	return 0;
}

/* ---- the host */

static int read_granule(const struct place *at, const json_t *root, struct contract *c)
{
	u64 value = 0;
	int status = read_number(at, root, "granule", 4096, 65536, &value);

	if (status)
		return status;
	if (value != 4096 && value != 16384 && value != 65536)
		return refuse(at, "granule", json_object_get(root, "granule"),
			      "4096, 16384 or 65536");
	c->granule = value;
	return 0;
}

static bool is_block(const json_t *size, const struct contract *c)
{
	u64 value = json_is_integer(size) ? (u64)json_integer_value(size) : 0;

	return value >= c->granule && value < BIT(52) && !(value & (value - 1)) &&
	       !(c->blocks & value);
}

static int read_blocks(const struct place *at, const json_t *root, struct contract *c)
{
	const json_t *list = json_object_get(root, "blocks");
	const char *accepted =
		"a list of sizes of stage-2 leaves in bytes: powers of two, each once, "
		"the granule among them";
	const json_t *size;
	size_t i;

	if (!json_is_array(list))
		return refuse(at, "blocks", list, accepted);
	json_array_foreach(list, i, size)
	{
		if (!is_block(size, c))
			return refuse(at, "blocks", size, accepted);
		c->blocks |= (u64)json_integer_value(size);
	}
	return c->blocks & c->granule ? 0 : refuse(at, "blocks", list, accepted);
}

static int read_host(const struct place *at, const json_t *root, struct contract *c)
{
	const struct {
		const char *field;
		bool *value;
	} flags[] = {
		{ "fwb", &c->fwb },	{ "dic", &c->dic },	  { "idc", &c->idc },
		{ "hw_af", &c->hw_af }, { "hw_dbm", &c->hw_dbm },
	};
	int status = 0;
	u64 bits = 0;

	for (size_t i = 0; i < ARRAY_SIZE(flags) && !status; i++)
		status = read_bool(at, root, flags[i].field, flags[i].value);
	if (!status)
		status = read_number(at, root, "ipa_bits", IPA_BITS_MIN, IPA_BITS_MAX, &bits);
	if (status)
		return status;
	c->ipa_bits = (u8)bits;
	status = read_granule(at, root, c);
	return status ? status : read_blocks(at, root, c);
}

/* ---- slots */

static const struct {
	const char *field;
	u32 promise;
} promises[] = {
	{ "write_back", PROMISE_WRITE_BACK },
	{ "cacheable_pfnmap", PROMISE_CACHEABLE_PFNMAP },
	{ "read_only", PROMISE_READ_ONLY },
};

/* What the slot's memory was when the contract was made. It says how user space kept it coherent;
 * no promise, and not compared. */
static int check_classes(const struct place *at, const json_t *object)
{
	static const char *const words[] = { "unknown", "forced", "guest", "nc", "device" };
	const json_t *list = json_object_get(object, "classes"), *class;
	const char *accepted = "a list of unknown, forced, guest, nc, device";
	size_t i;

	if (!json_is_array(list))
		return refuse(at, "classes", list, accepted);
	json_array_foreach(list, i, class)
	{
		size_t w = 0;

		while (w < ARRAY_SIZE(words) &&
		       !(json_is_string(class) && !strcmp(words[w], json_string_value(class))))
			w++;
		if (w == ARRAY_SIZE(words))
			return refuse(at, "classes", class, accepted);
	}
	return 0;
}

static int read_promises(const struct place *at, const json_t *object, struct contract_slot *s)
{
	for (size_t i = 0; i < ARRAY_SIZE(promises); i++) {
		bool is_promised = false;
		int status = read_bool(at, object, promises[i].field, &is_promised);

		if (status)
			return status;
		if (is_promised)
			s->promises |= promises[i].promise;
	}
	return 0;
}

/* In the guest's address space, behind the slots before it. */
static int check_place(const struct place *at, const json_t *object, const struct contract *c,
		       const struct contract_slot *s, u64 free_from)
{
	if (s->ipa & (c->granule - 1) || s->ipa < free_from)
		return refuse(at, "ipa", json_object_get(object, "ipa"),
			      "a multiple of the granule, behind the slots before this one");
	if (s->size & (c->granule - 1) || s->size > BIT(c->ipa_bits) - s->ipa)
		return refuse(at, "size", json_object_get(object, "size"),
			      "a multiple of the granule, and the slot ends within ipa_bits");
	return 0;
}

static int read_slot(const struct place *at, json_t *object, const struct contract *c,
		     u64 free_from, struct contract_slot *s)
{
	static const char *const names[] = {
		"id", "ipa", "size", "write_back", "cacheable_pfnmap", "read_only", "classes", NULL
	};
	u64 limit = BIT(c->ipa_bits), id = 0;
	int status;

	status = refuse_unknown(at, object, names);
	if (!status)
		status = read_number(at, object, "id", 0, SLOT_ID_MAX - 1, &id);
	if (!status)
		status = read_number(at, object, "ipa", 0, limit - c->granule, &s->ipa);
	if (!status)
		status = read_number(at, object, "size", c->granule, limit, &s->size);
	if (status)
		return status;
	s->id = (u32)id;
	status = check_place(at, object, c, s, free_from);
	if (!status)
		status = read_promises(at, object, s);
	return status ? status : check_classes(at, object);
}

static int read_slots(const struct place *at, const json_t *root, struct contract *c)
{
	json_t *list = json_object_get(root, "slots");
	size_t count = json_array_size(list);
	struct contract_slot *slots;
	u64 free_from = 0;

	if (!json_is_array(list) || count > SLOT_ID_MAX)
		return refuse(at, "slots", list, "a list of slots, [] for a host without a VM");
	slots = calloc(count + 1, sizeof(*slots));
	if (!slots)
		return bad_input("%s: out of memory", at->file);
	c->slots = slots;
	for (size_t i = 0; i < count; i++) {
		json_t *object = json_array_get(list, i);
		char name[32], within[33];
		struct place in_slot = { at->file, within };
		int status;

		snprintf(name, sizeof(name), "slots[%zu]", i);
		snprintf(within, sizeof(within), "%s.", name);
		if (!json_is_object(object))
			return refuse(at, name, object, "an object");
		status = read_slot(&in_slot, object, c, free_from, &slots[i]);
		if (status)
			return status;
		free_from = slots[i].ipa + slots[i].size;
	}
	c->slot_count = (u32)count;
	return 0;
}

/* ---- the whole */

static int read_fields(const struct place *at, json_t *root, struct contract *c)
{
	static const char *const names[] = { "version", "fwb",	  "dic",      "idc",
					     "hw_af",	"hw_dbm", "ipa_bits", "granule",
					     "blocks",	"slots",  NULL };
	u64 version = 0;
	int status;

	if (!json_is_object(root))
		return bad_input("%s: not a JSON object; accepted is a contract of "
				 "docs/contract.md",
				 at->file);
	status = read_number(at, root, "version", 1, VERSION_MAX, &version);
	if (status)
		return status;
	c->version = (u32)version;
	if (c->version != CONTRACT_VERSION)
		return 0;
	status = refuse_unknown(at, root, names);
	if (!status)
		status = read_host(at, root, c);
	return status ? status : read_slots(at, root, c);
}

int read_contract(const char *path, struct contract *out)
{
	struct place at = { path, "" };
	json_error_t error;
	json_t *root = json_load_file(path, JSON_REJECT_DUPLICATES, &error);
	int status;

	*out = (struct contract){ .version = 0 };
	if (!root && error.line < 1)
		return bad_input("%s; accepted is a contract of docs/contract.md", error.text);
	if (!root)
		return bad_input("%s:%d:%d: %s; accepted is a contract of docs/contract.md", path,
				 error.line, error.column, error.text);
	status = read_fields(&at, root, out);
	json_decref(root);
	if (status)
		free_contract(out);
	return status;
}

void free_contract(struct contract *c)
{
	free((void *)c->slots);
	c->slots = NULL;
	c->slot_count = 0;
}
