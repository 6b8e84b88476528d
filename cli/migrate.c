/* SPDX-License-Identifier: Apache-2.0 */
/* The command line of `catwalk migrate-check`. */
#include "cli/migrate.h"

#include <stdio.h>
#include <string.h>

#include "cli/contract_file.h"
#include "cli/error.h"

enum { STATUS_CANNOT_BE_KEPT = 1 };

static const char usage[] =
	"usage: catwalk migrate-check SOURCE.json DESTINATION.json\n"
	"\n"
	"Compares two guest-memory contracts, as the program `contract` prints them on a host or a VM\n"
	"writes them, before the first page is sent: may a guest go from SOURCE to DESTINATION, and\n"
	"be kept what it was promised? Prints each reason against it, with its rule of\n"
	"docs/guest-memory.md, then each difference that only costs speed. A destination without\n"
	"slots is a host on which the VM does not exist yet.\n"
	"\n"
	"Exits with 0 if all can be kept, 1 if not, 2 for bad input. docs/contract.md has the fields.\n";

static bool is_of_a_slot(enum contract_reason why)
{
	switch (why) {
	case CONTRACT_WRITE_BACK_SLOT:
	case CONTRACT_PFNMAP_SLOT:
	case CONTRACT_SLOT_BEYOND_IPA:
	case CONTRACT_SLOT_MISSING:
	case CONTRACT_SLOT_PROMISE:
	case CONTRACT_SLOT_READ_ONLY: return true;
	default: return false;
	}
}

static void print_findings(const struct contract_comparison *c, enum contract_weight weight)
{
	for (unsigned int i = 0; i < c->count; i++) {
		const struct contract_finding *f = &c->finding[i];

		if (contract_reason_weight(f->why) != weight)
			continue;
		printf("%s (M%u): %s", weight == CONTRACT_REFUSE ? "refused" : "note",
		       contract_reason_rule(f->why), contract_reason_text(f->why));
		if (is_of_a_slot(f->why))
			printf(" (slot at 0x%lx)", f->ipa);
		putchar('\n');
	}
}

static int compare(const char *const *paths, const struct contract *from, const struct contract *to)
{
	struct contract_comparison c;

	if (from->version == to->version && from->version != CONTRACT_VERSION)
		return bad_input("%s: version: '%u' is not accepted; it is %d", paths[0],
				 from->version, CONTRACT_VERSION);
	c = contract_compare(from, to);
	print_findings(&c, CONTRACT_REFUSE);
	print_findings(&c, CONTRACT_NOTE);
	if (!c.refusals) {
		printf("%s to %s: can be kept\n", paths[0], paths[1]);
		return 0;
	}
	printf("%s to %s: cannot be kept, %u reason%s (M16)\n", paths[0], paths[1], c.refusals,
	       c.refusals == 1 ? "" : "s");
	return STATUS_CANNOT_BE_KEPT;
}

static int check_words(int argc, char **argv)
{
	for (int i = 1; i < argc; i++) {
		if (argv[i][0] == '-' && argv[i][1])
			return bad_input("%s: no such option; see catwalk migrate-check --help",
					 argv[i]);
	}
	if (argc < 3)
		return bad_input("migrate-check: %s is missing; see catwalk migrate-check --help",
				 argc < 2 ? "SOURCE" : "DESTINATION");
	if (argc > 3)
		return bad_input("migrate-check: '%s' is one too many; two files are accepted",
				 argv[3]);
	return 0;
}

int command_migrate_check(int argc, char **argv)
{
	struct contract from, to;
	int status;

	if (argc > 1 && (!strcmp(argv[1], "--help") || !strcmp(argv[1], "-h"))) {
		fputs(usage, stdout);
		return 0;
	}
	status = check_words(argc, argv);
	if (!status)
		status = read_contract(argv[1], &from);
	if (status)
		return status;
	status = read_contract(argv[2], &to);
	if (!status)
		status = compare((const char *const *)&argv[1], &from, &to);
	free_contract(&from);
	free_contract(&to);
	return status;
}
