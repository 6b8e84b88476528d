/* SPDX-License-Identifier: Apache-2.0 */
/* The facts that `catwalk explain` is told on its command line, parsed and checked. */
#ifndef CLI_EXPLAIN_OPTIONS_H
#define CLI_EXPLAIN_OPTIONS_H

#include "engine/explain.h"

enum explain_format { EXPLAIN_TEXT, EXPLAIN_JSON };

/* One kind of access, as a CPU reports it. */
struct access_kind {
	const char *name; /* as --access takes it */
	u64 esr;	  /* without the fault status code */
	u8 fsc;		  /* of the fault it takes, unless --fault says otherwise */
};

struct explain_input {
	enum explain_format format;
	/* the access */
	const struct access_kind *access;
	u8 fsc; /* 0: the access's own */
	bool hides_syndrome;
	ipa_t ipa;
	bool has_ipa; /* else the slot's start */
	/* the slot */
	bool has_slot;
	struct slot_request slot;
	bool hides_write_back; /* KVM_CAP_CATWALK_WRITE_BACK was not enabled */
	enum slot_strictness strict;
	/* the host's mapping; the leaf's pa is that of its start */
	int host_error; /* when it is asked for the page; ERR_OK: the leaf is there */
	struct host_leaf leaf;
	enum known type_known, reach_known;
	bool vma_read_only;
	const bool *special; /* NULL: as type and reach suggest */
	/* VM and CPU */
	unsigned int ipa_bits;
	enum ivac_policy ivac;
	bool has_idc; /* --idc or --no-idc was said */
	struct port_caps caps;
};

/*
 * Parses the words after `catwalk explain`; argv[0] is skipped. Returns 0, or STATUS_BAD_INPUT
 * after one line that names the option, the value and what is accepted.
 */
int parse_explain_options(int argc, char **argv, struct explain_input *in);

/* The words of --type, --reach and --leaf. */
const char *mem_type_word(enum mem_type type);
const char *mem_reach_word(enum mem_reach reach);
const char *level_word(int level);

/* What `catwalk explain --help` prints. */
extern const char explain_usage[];

#endif
