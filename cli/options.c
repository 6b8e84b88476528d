/* SPDX-License-Identifier: Apache-2.0 */
/* The command line of `catwalk run`: one function an option, each checking its value whole. */
#include "cli/options.h"

#include <errno.h>
#include <getopt.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/error.h"

#define CPUS_MAX	 8
#define MEMORY_MIB_MIN	 64
#define MEMORY_MIB_MAX	 (16 * 1024)
#define TIMEOUT_S_MAX	 86400
#define PORT_MAX	 65535
#define DEFAULT_MIB	 1024
#define IVSHMEM_MIB_MIN	 16
#define IVSHMEM_MIB_MAX	 4096
#define PROGRAM_NAME_MAX 100
#define HIDDEN_DIR	 "/.catwalk"
#define CPU_MODEL_NAMES	 "max, cortex-a76, neoverse-n1"
/* As abi/catwalk_run.h has them. */
#define FEATURE_NAMES "fwb, dic, idc, bbm, rangetlbi, hafdbs, pmu"

/*
 * max computes pointer-authentication codes with QARMA unless told otherwise, and then spends most
 * of its time there.
 */
static const struct cpu_model cpu_models[] = {
	{ "max", "max,pauth-impdef=on" },
	{ "cortex-a76", "cortex-a76" },
	{ "neoverse-n1", "neoverse-n1" },
};

/* The options of every command that starts a machine. */
#define MACHINE_USAGE                                                                               \
	"  --cpus N              processors, 1 to 8 (1)\n"                                          \
	"  --memory SIZE         RAM, 64M to 16G (1G)\n"                                            \
	"  --cpu MODEL           " CPU_MODEL_NAMES " (max)\n"                                       \
	"  --hide FEATURE        do without a feature of the CPU: " FEATURE_NAMES "; may\n"         \
	"                        be given for each\n"                                               \
	"  --no-fwb              the same as --hide fwb: no forced write-back (FEAT_S2FWB)\n"       \
	"  --trap-cmo            trap guests' cache maintenance, so that it faults as on "          \
	"hardware\n"                                                                                \
	"  --device DEVICE       add a device for /dev/devmem; may be given up to 8 times:\n"       \
	"      coherent=SIZE[,file=PATH]  coherent memory (ivshmem), 16M to 4G, a power of two;\n"  \
	"                        its bytes are those of the file PATH, which is made if it is\n"    \
	"                        missing\n"                                                         \
	"      edu, pci-testdev  QEMU's test devices, for their registers\n"                        \
	"  --timeout S           give up after S seconds, 1 to 86400 (none)\n"                      \
	"  --file HOST[:TARGET]  put the file HOST at TARGET in the machine (/NAME)\n"              \
	"  --root DIR            put all that is in the directory DIR into the machine\n"           \
	"  --env NAME[=VALUE]    set an environment variable, or pass one on\n"                     \
	"  --report FILE         write the report of guest memory to FILE (-: standard error)\n"    \
	"  --trace FILE          write what was refused to VMs and guests, and by which rule, to\n" \
	"                        FILE at the end (-: standard error)\n"                             \
	"  --gdb PORT            wait at reset until a debugger at 127.0.0.1:PORT goes on; says "   \
	"how\n"                                                                                     \
	"                        to start one\n"                                                    \
	"  --icount              count instructions: one is one nanosecond of the machine's "       \
	"time\n"                                                                                    \
	"  --append WORDS        add to the kernel's command line\n"                                \
	"  --kernel IMAGE        the kernel (catwalk.Image beside this program; "                   \
	"$CATWALK_KERNEL)\n"                                                                        \
	"  --qemu PROGRAM        the emulator (qemu-system-aarch64; $CATWALK_QEMU)\n"               \
	"  --qemu-arg ARGUMENT   one more argument for QEMU\n"                                      \
	"  -v, --verbose         show the kernel's messages on standard error\n"

const char run_usage[] =
	"usage: catwalk run [OPTIONS] PROGRAM [ARGUMENTS...]\n"
	"\n"
	"Runs PROGRAM, a static Linux program for AArch64, on Catwalk in QEMU, and exits with its\n"
	"status: 128+N if signal N killed it, 124 on timeout, 125 if the machine failed, 2 for bad\n"
	"input.\n"
	"\n" MACHINE_USAGE
	"  --terminal            leave our terminal to the program: it gets every key as it is\n"
	"                        typed, ^C too, and can change the terminal's settings\n";

const char shell_usage[] =
	"usage: catwalk shell [OPTIONS] [PROGRAM...]\n"
	"\n"
	"Starts a shell, Debian's busybox for arm64, on Catwalk in QEMU, and exits with its status.\n"
	"Its commands are busybox's and the PROGRAMs, each by its name: static Linux programs for\n"
	"AArch64, or scripts. On a terminal the shell is interactive, with job control: ^C and ^Z are\n"
	"for what runs in its foreground, and `exit` ends the machine with all that runs on it. Else\n"
	"it runs what standard input says.\n"
	"\n"
	"    $ catwalk shell --cpus 2 build/target/vmm/vmm build/target/tests/target/kvm_hello\n"
	"    ~ # kvm_hello & vmm & wait\n"
	"\n"
	"  -c COMMAND            run COMMAND instead of an interactive shell\n"
	"  --busybox FILE        the shell's program (`make busybox` fetches it; $CATWALK_BUSYBOX)\n" MACHINE_USAGE;

/* Reads a decimal number with nothing after it but what *end is left pointing at. */
static int parse_number(const char *text, unsigned long *value, const char **end)
{
	char *stop;

	if (text[0] < '0' || text[0] > '9')
		return -EINVAL;
	errno = 0;
	*value = strtoul(text, &stop, 10);
	*end = stop;
	return errno ? -ERANGE : 0;
}

static int set_count(const char *option, const char *text, unsigned long max, unsigned int *out)
{
	unsigned long value;
	const char *end;

	if (parse_number(text, &value, &end) || *end || value < 1 || value > max)
		return bad_input("%s: '%s' is not a number from 1 to %lu", option, text, max);
	*out = (unsigned int)value;
	return 0;
}

static int set_cpus(struct run_options *options, const char *text)
{
	return set_count("--cpus", text, CPUS_MAX, &options->cpus);
}

static int set_timeout(struct run_options *options, const char *text)
{
	return set_count("--timeout", text, TIMEOUT_S_MAX, &options->timeout_s);
}

/* Reads a size in MiB with nothing after it but what *end is left pointing at: M, G, or MiB if
 * none. What is more than @max becomes max + 1. */
static int parse_mib(const char *text, unsigned long max, unsigned long *mib, const char **end)
{
	int err = parse_number(text, mib, end);

	if (err)
		return err;
	if (*mib > max)
		*mib = max + 1;
	if (**end == 'G' || **end == 'g') {
		*mib = *mib > max / 1024 ? max + 1 : *mib * 1024;
		(*end)++;
	} else if (**end == 'M' || **end == 'm') {
		(*end)++;
	}
	return 0;
}

static int set_memory(struct run_options *options, const char *text)
{
	unsigned long value = 0;
	const char *end = text;
	int err = parse_mib(text, MEMORY_MIB_MAX, &value, &end);

	if (err || *end || value < MEMORY_MIB_MIN || value > MEMORY_MIB_MAX)
		return bad_input("--memory: '%s' is not a size from 64M to 16G (M or G, M if none)",
				 text);
	options->memory_mib = (unsigned int)value;
	return 0;
}

/* The directory that @path would be made in lets us. */
static bool can_be_made(const char *path)
{
	const char *slash = strrchr(path, '/');
	char directory[PATH_MAX];

	if (!slash)
		return !access(".", W_OK | X_OK);
	if ((size_t)(slash - path) >= sizeof(directory) - 1) {
		errno = ENAMETOOLONG;
		return false;
	}
	snprintf(directory, sizeof(directory), "%.*s", (int)(slash - path) + 1, path);
	return !access(directory, W_OK | X_OK);
}

/* QEMU makes a file, or grows an empty one; it refuses one that is too small. */
static int check_memory_file(const char *path, unsigned long mib)
{
	struct stat st;

	if (stat(path, &st)) {
		if (errno == ENOENT && can_be_made(path))
			return 0;
		return bad_input("--device: %s: %s", path, strerror(errno));
	}
	if (!S_ISREG(st.st_mode) || access(path, R_OK | W_OK))
		return bad_input("--device: %s: not a regular file that can be read and written",
				 path);
	if (st.st_size && (unsigned long)st.st_size < mib << 20)
		return bad_input("--device: %s: has %lld bytes; accepted are 0 and %lu or more",
				 path, (long long)st.st_size, mib << 20);
	return 0;
}

/* @text behind @key, or NULL. */
static const char *after_key(const char *text, const char *key)
{
	size_t length = strlen(key);

	return strncmp(text, key, length) ? NULL : text + length;
}

/* Coherent memory goes by QEMU's name for it as well. */
/* @text is NAME=@value, @value SIZE[,file=PATH]. A comma in PATH would be QEMU's. */
static int set_memory_device(struct device_option *device, const char *text, const char *value)
{
	static const char file_key[] = ",file=";
	unsigned long mib = 0;
	const char *end = value;
	int err = parse_mib(value, IVSHMEM_MIB_MAX, &mib, &end);
	bool has_file = !strncmp(end, file_key, strlen(file_key));

	if (err || mib < IVSHMEM_MIB_MIN || mib > IVSHMEM_MIB_MAX || (mib & (mib - 1)) ||
	    (*end && !has_file))
		return bad_input("--device: '%s' is not coherent=SIZE[,file=PATH] with a power of "
				 "two from 16M to 4G as SIZE",
				 text);
	device->mib = (unsigned int)mib;
	if (!has_file)
		return 0;
	device->file = end + strlen(file_key);
	if (!device->file[0] || strchr(device->file, ','))
		return bad_input("--device: '%s': PATH is a file's name without a comma", text);
	return check_memory_file(device->file, mib);
}

static int add_device(struct run_options *options, const char *text)
{
	const char *memory = after_key(text, "coherent=");
	struct device_option *device = &options->devices[options->device_count];

	if (options->device_count == MAX_DEVICES)
		return bad_input("--device: '%s' is one too many; at most %d are accepted", text,
				 MAX_DEVICES);
	options->device_count++;
	if (!memory)
		memory = after_key(text, "ivshmem=");
	if (memory) {
		device->kind = DEVICE_IVSHMEM;
		return set_memory_device(device, text, memory);
	}
	device->kind = DEVICE_EDU;
	if (!strcmp(text, "edu"))
		return 0;
	device->kind = DEVICE_PCI_TESTDEV;
	if (!strcmp(text, "pci-testdev"))
		return 0;
	return bad_input("--device: '%s' is not one of coherent=SIZE[,file=PATH], edu, pci-testdev",
			 text);
}

static int set_cpu(struct run_options *options, const char *text)
{
	for (size_t i = 0; i < sizeof(cpu_models) / sizeof(cpu_models[0]); i++) {
		if (strcmp(cpu_models[i].name, text))
			continue;
		options->cpu = &cpu_models[i];
		return 0;
	}
	return bad_input("--cpu: '%s' is not one of " CPU_MODEL_NAMES, text);
}

static const char *const features[] = { "fwb", "dic", "idc", "bbm", "rangetlbi", "hafdbs", "pmu" };

const char *feature_name(unsigned int bit)
{
	return bit < sizeof(features) / sizeof(features[0]) ? features[bit] : NULL;
}

static int hide_feature(struct run_options *options, const char *text)
{
	for (unsigned int bit = 0; feature_name(bit); bit++) {
		if (strcmp(feature_name(bit), text))
			continue;
		options->hidden |= 1U << bit;
		return 0;
	}
	return bad_input("--hide: '%s' is not one of " FEATURE_NAMES, text);
}

static int set_no_fwb(struct run_options *options, const char *text)
{
	(void)text;
	return hide_feature(options, "fwb");
}

static int set_gdb(struct run_options *options, const char *text)
{
	return set_count("--gdb", text, PORT_MAX, &options->gdb_port);
}

static int set_trace(struct run_options *options, const char *text)
{
	options->trace = text;
	return 0;
}

static int set_trap_cmo(struct run_options *options, const char *text)
{
	(void)text;
	options->trap_cmo = true;
	return 0;
}

static int set_icount(struct run_options *options, const char *text)
{
	(void)text;
	options->icount = true;
	return 0;
}

static int set_verbose(struct run_options *options, const char *text)
{
	(void)text;
	options->verbose = true;
	return 0;
}

static int set_terminal(struct run_options *options, const char *text)
{
	(void)text;
	if (!isatty(STDIN_FILENO) || !isatty(STDOUT_FILENO))
		return bad_input("--terminal: standard input and output are not a terminal");
	options->terminal = true;
	return 0;
}

static int set_root(struct run_options *options, const char *text)
{
	struct stat st;

	if (stat(text, &st))
		return bad_input("--root: '%s': %s", text, strerror(errno));
	if (!S_ISDIR(st.st_mode))
		return bad_input("--root: '%s' is not a directory", text);
	options->root = text;
	return 0;
}

static int set_busybox(struct run_options *options, const char *text)
{
	options->busybox = text;
	return 0;
}

static int set_command(struct run_options *options, const char *text)
{
	options->command = text;
	return 0;
}

static int set_append(struct run_options *options, const char *text)
{
	options->append = text;
	return 0;
}

static int set_kernel(struct run_options *options, const char *text)
{
	options->kernel = text;
	return 0;
}

static int set_qemu(struct run_options *options, const char *text)
{
	options->qemu = text;
	return 0;
}

static int set_report(struct run_options *options, const char *text)
{
	options->report = text;
	return 0;
}

static int add_qemu_argument(struct run_options *options, const char *text)
{
	if (options->qemu_argument_count == MAX_QEMU_ARGUMENTS)
		return bad_input("--qemu-arg: '%s' is one too many; at most %d are accepted", text,
				 MAX_QEMU_ARGUMENTS);
	options->qemu_arguments[options->qemu_argument_count++] = text;
	return 0;
}

/* A path that names one place: absolute, no "." or ".." or empty parts, not the launcher's own. */
static bool is_target_path(const char *path)
{
	size_t hidden = strlen(HIDDEN_DIR);

	if (path[0] != '/' || strlen(path) > 255)
		return false;
	if (!strncmp(path, HIDDEN_DIR, hidden) && (path[hidden] == '/' || !path[hidden]))
		return false;
	for (const char *part = path; part; part = strchr(part, '/')) {
		size_t length = strcspn(++part, "/");

		if (length == 0 || (length <= 2 && !strncmp(part, "..", length)))
			return false;
	}
	return true;
}

/* Splits HOST[:TARGET] at the last ":/"; a host name may hold colons of its own. */
static const char *split_target(char *text)
{
	char *colon = strrchr(text, ':');

	if (!colon || colon == text)
		return NULL;
	*colon = '\0';
	return colon + 1;
}

static int add_file(struct run_options *options, const char *text)
{
	char *host = strdup(text);
	const char *target = host ? split_target(host) : NULL;
	struct extra_file *file = &options->files[options->file_count];

	if (!host || options->file_count == MAX_FILES) {
		free(host);
		return bad_input("--file: '%s' is one too many; at most %d are accepted", text,
				 MAX_FILES);
	}
	if (!target) {
		const char *slash = strrchr(host, '/');
		char *name = malloc(strlen(host) + 2);

		if (name) {
			name[0] = '/';
			strcpy(name + 1, slash ? slash + 1 : host);
		}
		target = name;
	}
	if (!target || !is_target_path(target)) {
		int status =
			bad_input("--file: target '%s' of '%s' is not an absolute path without "
				  "'.' and '..' outside " HIDDEN_DIR,
				  target ? target : "", text);

		free(host);
		return status;
	}
	file->host = host;
	file->target = target;
	options->file_count++;
	return 0;
}

/* A program that the shell finds by its name. */
static int add_shell_program(struct run_options *options, const char *path)
{
	const char *slash = strrchr(path, '/');
	const char *name = slash ? slash + 1 : path;
	struct extra_file *file = &options->files[options->file_count];
	char *target;

	if (options->file_count == MAX_FILES)
		return bad_input("shell: '%s' is one too many; at most %d files are accepted", path,
				 MAX_FILES);
	if (!*name || strlen(name) > PROGRAM_NAME_MAX)
		return bad_input("shell: '%s': its name has not 1 to %d characters", path,
				 PROGRAM_NAME_MAX);
	target = malloc(strlen("/bin/") + strlen(name) + 1);
	if (!target)
		return bad_input("shell: out of memory");
	strcpy(target, "/bin/");
	strcat(target, name);
	*file = (struct extra_file){ .host = path, .target = target, .is_program = true };
	options->file_count++;
	return 0;
}

static int add_environment(struct run_options *options, const char *text)
{
	const char *value;
	char *pair = NULL;

	if (!text[0] || text[0] == '=')
		return bad_input("--env: '%s' is not NAME or NAME=VALUE", text);
	if (options->environment_count == MAX_ENVIRONMENT)
		return bad_input("--env: '%s' is one too many; at most %d are accepted", text,
				 MAX_ENVIRONMENT);
	if (strchr(text, '=')) {
		options->environment[options->environment_count++] = text;
		return 0;
	}
	value = getenv(text);
	if (!value)
		return 0;
	pair = malloc(strlen(text) + strlen(value) + 2);
	if (!pair)
		return bad_input("--env: out of memory");
	strcpy(pair, text);
	strcat(pair, "=");
	strcat(pair, value);
	options->environment[options->environment_count++] = pair;
	return 0;
}

enum { FOR_RUN = 1, FOR_SHELL = 2, FOR_BOTH = FOR_RUN | FOR_SHELL };

/* What each option takes and does, and of which commands it is. The index is the value that
 * getopt_long() returns, from FIRST_OPTION. */
static const struct {
	const char *name;
	unsigned int commands;
	int has_argument;
	int (*apply)(struct run_options *options, const char *text);
} option_table[] = {
	{ "append", FOR_BOTH, required_argument, set_append },
	{ "busybox", FOR_SHELL, required_argument, set_busybox },
	{ "cpu", FOR_BOTH, required_argument, set_cpu },
	{ "cpus", FOR_BOTH, required_argument, set_cpus },
	{ "device", FOR_BOTH, required_argument, add_device },
	{ "env", FOR_BOTH, required_argument, add_environment },
	{ "file", FOR_BOTH, required_argument, add_file },
	{ "gdb", FOR_BOTH, required_argument, set_gdb },
	{ "hide", FOR_BOTH, required_argument, hide_feature },
	{ "icount", FOR_BOTH, no_argument, set_icount },
	{ "kernel", FOR_BOTH, required_argument, set_kernel },
	{ "memory", FOR_BOTH, required_argument, set_memory },
	{ "no-fwb", FOR_BOTH, no_argument, set_no_fwb },
	{ "qemu", FOR_BOTH, required_argument, set_qemu },
	{ "qemu-arg", FOR_BOTH, required_argument, add_qemu_argument },
	{ "report", FOR_BOTH, required_argument, set_report },
	{ "root", FOR_BOTH, required_argument, set_root },
	{ "terminal", FOR_RUN, no_argument, set_terminal },
	{ "timeout", FOR_BOTH, required_argument, set_timeout },
	{ "trace", FOR_BOTH, required_argument, set_trace },
	{ "trap-cmo", FOR_BOTH, no_argument, set_trap_cmo },
	{ "verbose", FOR_BOTH, no_argument, set_verbose },
};

#define FIRST_OPTION 256
#define OPTION_COUNT (sizeof(option_table) / sizeof(option_table[0]))

/* A command: its name, its options of one letter as getopt takes them. */
struct machine_command {
	const char *name;
	unsigned int bit;
	const char *letters;
};

static const struct machine_command command_run = { "run", FOR_RUN, "+:v" };
static const struct machine_command command_shell = { "shell", FOR_SHELL, ":vc:" };

static int apply_option(struct run_options *options, const struct machine_command *command,
			int code, char **argv)
{
	const char *word = argv[optind - 1];

	if (code == 'v')
		return set_verbose(options, NULL);
	if (code == 'c')
		return set_command(options, optarg);
	if (code >= FIRST_OPTION)
		return option_table[code - FIRST_OPTION].apply(options, optarg);
	if (code == ':')
		return bad_input("%s: a value is missing; see catwalk %s --help", word,
				 command->name);
	return bad_input("%s: no such option; see catwalk %s --help", word, command->name);
}

static void set_defaults(struct run_options *options)
{
	memset(options, 0, sizeof(*options));
	options->cpus = 1;
	options->memory_mib = DEFAULT_MIB;
	options->cpu = &cpu_models[0];
	options->append = "";
}

/* The options of @command; optind is the first word behind them. */
static int parse_options(int argc, char **argv, const struct machine_command *command,
			 struct run_options *options)
{
	struct option long_options[OPTION_COUNT + 1];
	size_t count = 0;
	int code;

	set_defaults(options);
	memset(long_options, 0, sizeof(long_options));
	for (size_t i = 0; i < OPTION_COUNT; i++) {
		if (!(option_table[i].commands & command->bit))
			continue;
		long_options[count].name = option_table[i].name;
		long_options[count].has_arg = option_table[i].has_argument;
		long_options[count++].val = FIRST_OPTION + (int)i;
	}
	optind = 1;
	opterr = 0;
	while ((code = getopt_long(argc, argv, command->letters, long_options, NULL)) != -1) {
		int status = apply_option(options, command, code, argv);

		if (status)
			return status;
	}
	return 0;
}

int parse_run_options(int argc, char **argv, struct run_options *options)
{
	int status = parse_options(argc, argv, &command_run, options);

	if (status)
		return status;
	if (optind == argc)
		return bad_input("run: PROGRAM is missing; see catwalk run --help");
	options->program = argv[optind];
	options->arguments = (const char **)&argv[optind + 1];
	options->argument_count = (size_t)(argc - optind - 1);
	return 0;
}

int parse_shell_options(int argc, char **argv, struct run_options *options)
{
	int status = parse_options(argc, argv, &command_shell, options);

	for (int i = optind; !status && i < argc; i++)
		status = add_shell_program(options, argv[i]);
	return status;
}
