/* SPDX-License-Identifier: Apache-2.0 */
/* The catwalk program: its subcommands and their order of steps. */
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "cli/check.h"
#include "cli/error.h"
#include "cli/explain.h"
#include "cli/initramfs.h"
#include "cli/migrate.h"
#include "cli/options.h"
#include "cli/program.h"
#include "cli/qemu.h"
#include "cli/relay.h"
#include "cli/shell.h"

static const char usage[] =
	"usage: catwalk COMMAND [OPTIONS]\n"
	"\n"
	"  run PROGRAM [ARGUMENTS...]  run a static Linux/AArch64 program on Catwalk in QEMU\n"
	"  shell [PROGRAM...]          run a shell on it, with those programs by name\n"
	"  check PATH...               run scenarios on the modelled machine\n"
	"  explain                     what a guest's access would get, and by which rule\n"
	"  migrate-check A B           whether a guest can go from host A to host B\n"
	"\n"
	"catwalk COMMAND --help says more.\n";

/* An initramfs lies in RAM twice while it is unpacked, beside the kernel and its page metadata. */
static int check_memory(const struct run_options *options, const struct initramfs *initramfs)
{
	uint64_t needed_mib = 32 + 2 * (initramfs->size >> 20) + 1;

	if (options->memory_mib >= needed_mib)
		return 0;
	return bad_input("--memory: '%uM' is too little for this program and its files; at least "
			 "%lluM is accepted",
			 options->memory_mib, (unsigned long long)needed_mib);
}

/* Where QEMU puts the image, and how far that is from where it was linked. */
#define KERNEL_LOADED_AT     "0x40200000"
#define KERNEL_LOADED_OFFSET "0xc0200000"

static int open_file(const char *option, const char *path, int *fd)
{
	*fd = -1;
	if (!path)
		return 0;
	*fd = strcmp(path, "-") ? open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666)
				: STDERR_FILENO;
	return *fd < 0 ? bad_input("%s: '%s': %s", option, path, strerror(errno)) : 0;
}

/* The machine waits at its reset: how one comes from there to the kernel's first instruction. Until
 * the MMU is on the kernel runs where it was loaded. */
static void say_how_to_debug(const struct run_options *options)
{
	char elf[4096];
	size_t length = strlen(options->kernel);
	const char *suffix = strrchr(options->kernel, '.');

	if (suffix && !strcmp(suffix, ".Image"))
		length = (size_t)(suffix - options->kernel);
	snprintf(elf, sizeof(elf), "%.*s.elf", (int)length, options->kernel);
	complain("waiting for a debugger: gdb-multiarch -ex 'add-symbol-file %s -o %s' "
		 "-ex 'target remote 127.0.0.1:%u' -ex 'thbreak *%s' -ex continue %s",
		 elf, KERNEL_LOADED_OFFSET, options->gdb_port, KERNEL_LOADED_AT, elf);
}

/* What the emulator would say of the port, but in time. What else may be wrong with it, it says. */
static int check_gdb_port(const struct run_options *options)
{
	struct sockaddr_in address = { .sin_family = AF_INET,
				       .sin_port = htons((uint16_t)options->gdb_port),
				       .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), one = 1, status = 0;

	if (fd < 0)
		return 0;
	if (!setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)) &&
	    bind(fd, (const struct sockaddr *)&address, sizeof(address)))
		status = bad_input("--gdb: port %u: %s", options->gdb_port, strerror(errno));
	close(fd);
	return status;
}

static int start_and_relay(const struct run_options *options, struct initramfs *initramfs)
{
	struct relay_files files;
	struct machine machine;
	int status = open_file("--report", options->report, &files.report);

	if (!status)
		status = open_file("--trace", options->trace, &files.trace);
	if (status)
		return status;
	if (options->gdb_port) {
		status = check_gdb_port(options);
		if (status)
			return status;
		say_how_to_debug(options);
	}
	relay_block_signals(options);
	status = start_machine(options, initramfs, &machine);
	return status ? status : relay_machine(options, &machine, &files);
}

static int run_machine(struct run_options *options)
{
	struct initramfs initramfs;
	int status = find_machine_parts(options);

	if (!status)
		status = pack_initramfs(options, &initramfs);
	if (!status)
		status = check_memory(options, &initramfs);
	return status ? status : start_and_relay(options, &initramfs);
}

/* The machine's options; there is one machine. */
static struct run_options options;

static bool is_help(int argc, char **argv)
{
	return argc > 1 && (!strcmp(argv[1], "--help") || !strcmp(argv[1], "-h"));
}

static int command_run(int argc, char **argv)
{
	int status;

	if (is_help(argc, argv)) {
		fputs(run_usage, stdout);
		return 0;
	}
	status = parse_run_options(argc, argv, &options);
	if (!status)
		status = check_program(options.program);
	return status ? status : run_machine(&options);
}

static int command_shell(int argc, char **argv)
{
	int status;

	if (is_help(argc, argv)) {
		fputs(shell_usage, stdout);
		return 0;
	}
	status = parse_shell_options(argc, argv, &options);
	if (!status)
		status = prepare_shell(&options);
	return status ? status : run_machine(&options);
}

/* Descriptors 0 to 2 that the caller closed must not be taken by files of ours. */
static void open_standard_descriptors(void)
{
	int fd;

	do
		fd = open("/dev/null", O_RDWR);
	while (fd >= 0 && fd <= STDERR_FILENO);
	if (fd > STDERR_FILENO)
		close(fd);
}

static const struct {
	const char *name;
	int (*run)(int argc, char **argv); /* argv[0] is the command's name */
} commands[] = {
	{ "run", command_run },
	{ "shell", command_shell },
	{ "check", command_check },
	{ "explain", command_explain },
	{ "migrate-check", command_migrate_check },
};

/* @status, unless what was to be read got lost. */
static int flushed(int status)
{
	if (!fflush(stdout) && !ferror(stdout))
		return status;
	return status ? status : bad_input("standard output: %s", strerror(errno));
}

#define COMMANDS "run, shell, check, explain, migrate-check (see catwalk --help)"

int main(int argc, char **argv)
{
	open_standard_descriptors();
	if (argc < 2)
		return bad_input("a command is missing; accepted are: " COMMANDS);
	if (!strcmp(argv[1], "--help") || !strcmp(argv[1], "-h") || !strcmp(argv[1], "help")) {
		fputs(usage, stdout);
		return 0;
	}
	for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++) {
		if (!strcmp(argv[1], commands[i].name))
			return flushed(commands[i].run(argc - 1, argv + 1));
	}
	return bad_input("'%s' is no command; accepted are: " COMMANDS, argv[1]);
}
