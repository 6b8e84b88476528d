/* SPDX-License-Identifier: Apache-2.0 */
/* The command line of `catwalk check`. */
#include "cli/check.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "check/check.h"
#include "cli/error.h"

enum { BOUND_MAX = 8 };

static const char usage[] =
	"usage: catwalk check [OPTIONS] PATH...\n"
	"       catwalk check [OPTIONS] --simulate\n"
	"\n"
	"Runs scenarios (files, or folders of *.scn) on the modelled Arm machine: good_* must come to\n"
	"their end in every run, bad_* must be stopped as they say. Exits with 0 if all do, else 1.\n"
	"Without options each is run in all ways with few deviations from the ordinary one.\n"
	"\n"
	"  --exhaustive          all runs with at most so many deviations:\n"
	"  --preemptions N         actors interrupted by others, 0 to 8 (3)\n"
	"  --all-points            interrupted even before what no other actor can tell\n"
	"  --surprises N           what hardware may do and seldom does, 0 to 8 (2)\n"
	"  --runs N, --seed N    N runs by chance, from this seed (1)\n"
	"  --replay ANSWERS      one run, as a failure prints it\n"
	"  --cpu FACTS           fwb=off,dic=on,...: fwb dic idc ttl range af dbm, bbm=0..2,\n"
	"                        vmid=2..16, cpus=1..8; what a scenario fixes itself stays\n"
	"  --simulate            a random life of hosts, VMMs and guests instead of scenarios:\n"
	"                        --runs seeds from --seed, each with\n"
	"  --operations N          so many operations (10000)\n"
	"  --subjects            fails unless there are good and bad ones about each rule,\n"
	"                        seed and gap (M1 to M18, S0 to S4, G1 to G13)\n"
	"  --update              writes results and state changes into the files; read them!\n"
	"  -v, --verbose         a line for each scenario, and what exploration missed\n"
	"\n"
	"docs/scenarios.md teaches the language.\n";

/* What the command line says. */
struct check_options {
	struct check_request request;
	struct simulate_request simulate;
	bool simulates;
};

static int set_number(const char *option, const char *text, uint64_t max, uint64_t *out)
{
	char *end;

	errno = 0;
	*out = strtoull(text, &end, 0);
	if (text[0] < '0' || text[0] > '9' || *end || errno || *out > max)
		return bad_input("%s: '%s' is not a number from 0 to %llu", option, text,
				 (unsigned long long)max);
	return 0;
}

static int set_bound(const char *option, const char *text, unsigned int *out)
{
	uint64_t value;
	int status = set_number(option, text, BOUND_MAX, &value);

	if (!status)
		*out = (unsigned int)value;
	return status;
}

static int set_exhaustive(struct check_options *o, const char *text)
{
	(void)text;
	o->request.how = CHECK_EXHAUSTIVE;
	return 0;
}

static int set_all_points(struct check_options *o, const char *text)
{
	(void)text;
	o->request.points = CHECK_ALL_POINTS;
	return 0;
}

static int set_preemptions(struct check_options *o, const char *text)
{
	return set_bound("--preemptions", text, &o->request.preemptions);
}

static int set_surprises(struct check_options *o, const char *text)
{
	return set_bound("--surprises", text, &o->request.surprises);
}

static int set_runs(struct check_options *o, const char *text)
{
	o->request.how = CHECK_RANDOM;
	return set_number("--runs", text, UINT64_MAX, &o->request.runs);
}

static int set_seed(struct check_options *o, const char *text)
{
	o->request.how = CHECK_RANDOM;
	return set_number("--seed", text, UINT64_MAX, &o->request.seed);
}

static int set_operations(struct check_options *o, const char *text)
{
	return set_number("--operations", text, UINT64_MAX, &o->simulate.operations);
}

static int set_replay(struct check_options *o, const char *text)
{
	o->request.how = CHECK_REPLAY;
	o->request.answers = text;
	return 0;
}

static int set_cpu(struct check_options *o, const char *text)
{
	o->request.cpu = text;
	return 0;
}

static int set_simulate(struct check_options *o, const char *text)
{
	(void)text;
	o->simulates = true;
	return 0;
}

static int set_subjects(struct check_options *o, const char *text)
{
	(void)text;
	o->request.subjects = CHECK_SUBJECTS_COMPLETE;
	return 0;
}

static int set_update(struct check_options *o, const char *text)
{
	(void)text;
	o->request.how = CHECK_UPDATE;
	return 0;
}

static int set_verbose(struct check_options *o, const char *text)
{
	(void)text;
	o->request.verbosity = CHECK_VERBOSE;
	return 0;
}

static const struct {
	const char *name;
	int has_argument;
	int (*apply)(struct check_options *o, const char *text);
} check_option_table[] = {
	{ "all-points", no_argument, set_all_points },
	{ "cpu", required_argument, set_cpu },
	{ "exhaustive", no_argument, set_exhaustive },
	{ "operations", required_argument, set_operations },
	{ "preemptions", required_argument, set_preemptions },
	{ "replay", required_argument, set_replay },
	{ "runs", required_argument, set_runs },
	{ "seed", required_argument, set_seed },
	{ "simulate", no_argument, set_simulate },
	{ "subjects", no_argument, set_subjects },
	{ "surprises", required_argument, set_surprises },
	{ "update", no_argument, set_update },
	{ "verbose", no_argument, set_verbose },
};

#define FIRST_OPTION 256
#define OPTION_COUNT (sizeof(check_option_table) / sizeof(check_option_table[0]))

static int apply_option(struct check_options *o, int code, char **argv)
{
	const char *word = argv[optind - 1];

	if (code == 'v')
		return set_verbose(o, NULL);
	if (code >= FIRST_OPTION)
		return check_option_table[code - FIRST_OPTION].apply(o, optarg);
	if (code == ':')
		return bad_input("%s: a value is missing; see catwalk check --help", word);
	return bad_input("%s: no such option; see catwalk check --help", word);
}

static int parse_check_options(int argc, char **argv, struct check_options *o)
{
	struct option long_options[OPTION_COUNT + 1];
	int code;

	memset(long_options, 0, sizeof(long_options));
	for (size_t i = 0; i < OPTION_COUNT; i++) {
		long_options[i].name = check_option_table[i].name;
		long_options[i].has_arg = check_option_table[i].has_argument;
		long_options[i].val = FIRST_OPTION + (int)i;
	}
	optind = 1;
	opterr = 0;
	while ((code = getopt_long(argc, argv, ":v", long_options, NULL)) != -1) {
		int status = apply_option(o, code, argv);

		if (status)
			return status;
	}
	if (optind == argc && !o->simulates)
		return bad_input("check: PATH or --simulate is missing; see catwalk check --help");
	if (optind < argc && o->simulates)
		return bad_input("check: '%s': --simulate takes no PATH", argv[optind]);
	return 0;
}

int command_check(int argc, char **argv)
{
	struct check_options o = {
		.request = { .how = CHECK_QUICK,
			     .seed = 1,
			     .runs = 100,
			     .preemptions = EXHAUSTIVE_PREEMPTIONS,
			     .surprises = 2 },
		.simulate = { .operations = 10000 },
	};
	int status;

	if (argc > 1 && (!strcmp(argv[1], "--help") || !strcmp(argv[1], "-h"))) {
		fputs(usage, stdout);
		return 0;
	}
	status = parse_check_options(argc, argv, &o);
	if (status)
		return status;
	if (!o.simulates)
		return check_scenarios(&o.request, &argv[optind], (size_t)(argc - optind));
	o.simulate.seed = o.request.seed;
	o.simulate.seeds = o.request.how == CHECK_RANDOM ? o.request.runs : 1;
	o.simulate.cpu = o.request.cpu;
	return check_simulate(&o.simulate);
}
