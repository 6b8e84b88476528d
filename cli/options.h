/* SPDX-License-Identifier: Apache-2.0 */
/* The command line of `catwalk run`, parsed and checked. */
#ifndef CLI_OPTIONS_H
#define CLI_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define MAX_FILES	   256
#define MAX_ENVIRONMENT	   256
#define MAX_QEMU_ARGUMENTS 64
#define MAX_DEVICES	   8

/* A processor that Catwalk runs on: it has EL2 with VHE. */
struct cpu_model {
	const char *name;     /* as --cpu takes it */
	const char *qemu_cpu; /* as QEMU takes it */
};

/* A file of the build machine and where the program finds it. */
struct extra_file {
	const char *host;
	const char *target; /* absolute */
	bool is_program;    /* it gets the permission to be executed */
};

enum device_kind { DEVICE_IVSHMEM, DEVICE_EDU, DEVICE_PCI_TESTDEV };

/* A PCI device of the machine whose memory programs map (/dev/devmem). */
struct device_option {
	enum device_kind kind;
	unsigned int mib; /* ivshmem: size of its memory, a power of two */
	const char *file; /* ivshmem: the file that holds its memory, or NULL */
};

struct run_options {
	unsigned int cpus;
	unsigned int memory_mib;
	unsigned int timeout_s; /* 0: none */
	const struct cpu_model *cpu;
	unsigned int hidden;   /* features of the CPU that the kernel is not to use: bits */
	unsigned int gdb_port; /* QEMU waits there for a debugger; 0: it does not */
	bool trap_cmo;
	bool icount;
	bool verbose;
	bool terminal;	    /* the machine edits, echoes and controls jobs on our terminal */
	const char *append; /* more words for the kernel's command line, or "" */
	const char *kernel; /* image, or NULL: find it */
	const char *qemu;   /* emulator, or NULL: find it */
	const char *report; /* file for the report of guest memory, "-" standard error, or NULL */
	const char *trace;  /* the same for the trace of refusals */
	struct extra_file files[MAX_FILES];
	size_t file_count;
	const char *environment[MAX_ENVIRONMENT];
	size_t environment_count;
	const char *qemu_arguments[MAX_QEMU_ARGUMENTS];
	size_t qemu_argument_count;
	struct device_option devices[MAX_DEVICES];
	size_t device_count;
	const char *root; /* directory whose tree is the machine's, or NULL */
	const char *program;
	const char *target;	/* where the program finds itself, or NULL: /bin and its name */
	const char *name;	/* its first argument, or NULL: where it finds itself */
	const char **arguments; /* of the program, without its name */
	size_t argument_count;
	/* catwalk shell only */
	bool usual_files;    /* the machine gets /etc/passwd, /usr/bin and the like */
	const char *busybox; /* file of Debian's busybox, or NULL: find it */
	const char *command; /* what the shell runs, or NULL */
};

/*
 * Parses the words after `catwalk run`. argv[0] is skipped. Strings in *options point into argv.
 * Returns 0, or STATUS_BAD_INPUT after one line that names the option, the value and what is
 * accepted.
 */
int parse_run_options(int argc, char **argv, struct run_options *options);

/*
 * The same for the words after `catwalk shell`: the programs are among the files, in /bin; the
 * shell's own program and arguments are for cli/shell.c to fill in.
 */
int parse_shell_options(int argc, char **argv, struct run_options *options);

/* The name of feature @bit of run_options.hidden, as cpu.NAME=off takes it; NULL: no more. */
const char *feature_name(unsigned int bit);

/* What `catwalk run --help` and `catwalk shell --help` print. */
extern const char run_usage[];
extern const char shell_usage[];

#endif
