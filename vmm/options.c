/* SPDX-License-Identifier: Apache-2.0 */
#define _GNU_SOURCE
#include "vmm/options.h"

#include "vmm/error.h"

#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char usage_text[] =
	"usage: vmm --kernel IMAGE [OPTIONS]\n"
	"\n"
	"Boots an arm64 Linux kernel as a guest of /dev/kvm. Standard input and output are the\n"
	"guest's console; on a terminal, Ctrl-A x ends the VMM.\n"
	"\n"
	"  --kernel IMAGE        the kernel: an uncompressed arm64 Image\n"
	"  --initramfs FILE      its initramfs\n"
	"  --append WORDS        its command line\n"
	"  --memory SIZE         RAM, 64M to 512G, a multiple of 4K (256M)\n"
	"  --cpus N              vCPUs, 1 to 64 (1)\n"
	"  --pmu                 the guest's CPUs have performance monitors (PMUv3)\n"
	"  --console DEVICE      where standard input goes: serial (PL011, ttyAMA0), virtio (hvc0)\n"
	"                        (serial)\n"
	"  --disk FILE[,ro]      a virtio block device, up to 4 times; locked while in use\n"
	"  --net FILE|fd:IN,OUT  a virtio network device: frames over a stream, or two descriptors that\n"
	"                        are open already, each frame behind its length (32 bits, most\n"
	"                        significant byte first)\n"
	"  --flash FILE          read-only memory at 0, up to 64M\n"
	"  --device-memory FILE@IPA[,wb]\n"
	"                        more memory of the guest's: a mapping of FILE, at the guest physical\n"
	"                        address IPA, up to 4 times; wb: guaranteed write-back, or refused\n"
	"  --help                this text\n"
	"\n"
	"Status: 0 the guest powered off, 1 the host or the guest failed, 2 bad input, 3 the guest\n"
	"asked for a reset (or panicked).\n";

enum {
	OPTION_KERNEL = 1,
	OPTION_INITRAMFS,
	OPTION_APPEND,
	OPTION_MEMORY,
	OPTION_CPUS,
	OPTION_PMU,
	OPTION_CONSOLE,
	OPTION_DISK,
	OPTION_NET,
	OPTION_FLASH,
	OPTION_DEVICE_MEMORY,
	OPTION_HELP,
};

static const struct option long_options[] = {
	{ "kernel", required_argument, NULL, OPTION_KERNEL },
	{ "initramfs", required_argument, NULL, OPTION_INITRAMFS },
	{ "append", required_argument, NULL, OPTION_APPEND },
	{ "memory", required_argument, NULL, OPTION_MEMORY },
	{ "cpus", required_argument, NULL, OPTION_CPUS },
	{ "pmu", no_argument, NULL, OPTION_PMU },
	{ "console", required_argument, NULL, OPTION_CONSOLE },
	{ "disk", required_argument, NULL, OPTION_DISK },
	{ "net", required_argument, NULL, OPTION_NET },
	{ "flash", required_argument, NULL, OPTION_FLASH },
	{ "device-memory", required_argument, NULL, OPTION_DEVICE_MEMORY },
	{ "help", no_argument, NULL, OPTION_HELP },
	{ NULL, 0, NULL, 0 },
};

/* A number of bytes: digits, then K, M, G or nothing. False: it is none, or over 64 bits. */
static bool parse_size(const char *text, uint64_t *size)
{
	static const char units[] = "KMG";
	unsigned int shift = 0;
	const char *unit;
	char *end;

	if (*text < '0' || *text > '9')
		return false;
	errno = 0;
	*size = strtoull(text, &end, 10);
	if (errno)
		return false;
	if (*end) {
		unit = strchr(units, *end);
		if (!unit || end[1])
			return false;
		shift = 10 * (unsigned int)(unit - units + 1);
	}
	if (*size > UINT64_MAX >> shift)
		return false;
	*size <<= shift;
	return true;
}

static uint64_t parse_memory(const char *text)
{
	uint64_t size;

	if (!parse_size(text, &size) || size < MEMORY_MIN || size > MEMORY_MAX || size % GUEST_PAGE)
		bad_input("--memory \"%s\": give 64M to 512G, a multiple of 4K", text);
	return size;
}

static unsigned int parse_cpus(const char *text)
{
	char *end;
	unsigned long n = strtoul(text, &end, 10);

	if (*text < '0' || *text > '9' || *end || n < 1 || n > CPUS_MAX)
		bad_input("--cpus \"%s\": give 1 to %d", text, CPUS_MAX);
	return (unsigned int)n;
}

static enum console parse_console(const char *text)
{
	if (strcmp(text, "serial") == 0)
		return CONSOLE_SERIAL;
	if (strcmp(text, "virtio") == 0)
		return CONSOLE_VIRTIO;
	bad_input("--console \"%s\": give serial or virtio", text);
}

/* Cuts a trailing ",WORD" off; true if it was there. */
static bool cut_suffix(char *text, const char *suffix)
{
	size_t length = strlen(text), tail = strlen(suffix);

	if (length < tail || strcmp(text + length - tail, suffix))
		return false;
	text[length - tail] = '\0';
	return true;
}

static void add_disk(struct options *o, char *text)
{
	struct disk_option *disk = &o->disks[o->disk_count];

	if (o->disk_count == DISKS_MAX)
		bad_input("--disk \"%s\": at most %d disks", text, DISKS_MAX);
	disk->read_only = cut_suffix(text, ",ro");
	disk->path = text;
	o->disk_count++;
}

static void add_device_memory(struct options *o, char *text)
{
	struct device_memory_option *d = &o->device_memories[o->device_memory_count];
	char *at, *end;

	if (o->device_memory_count == DEVICE_MEMORIES_MAX)
		bad_input("--device-memory \"%s\": at most %d", text, DEVICE_MEMORIES_MAX);
	d->write_back = cut_suffix(text, ",wb");
	at = strrchr(text, '@');
	if (!at || at == text || at[1] < '0' || at[1] > '9')
		bad_input("--device-memory \"%s\": give FILE@IPA or FILE@IPA,wb", text);
	errno = 0;
	d->ipa = strtoull(at + 1, &end, 0);
	if (*end || errno || d->ipa % GUEST_PAGE)
		bad_input("--device-memory \"%s\": IPA \"%s\": give a multiple of 4096 (0x...)",
			  text, at + 1);
	*at = '\0';
	d->path = text;
	o->device_memory_count++;
}

static _Noreturn void help(void)
{
	fputs(usage_text, stdout);
	fflush(stdout);
	vmm_exit(STATUS_OK);
}

static void take(struct options *o, int option, char *value)
{
	switch (option) {
	case OPTION_KERNEL: o->kernel = value; break;
	case OPTION_INITRAMFS: o->initramfs = value; break;
	case OPTION_APPEND: o->append = value; break;
	case OPTION_MEMORY: o->memory = parse_memory(value); break;
	case OPTION_CPUS: o->cpus = parse_cpus(value); break;
	case OPTION_PMU: o->pmu = true; break;
	case OPTION_CONSOLE: o->console = parse_console(value); break;
	case OPTION_DISK: add_disk(o, value); break;
	case OPTION_NET: o->net = value; break;
	case OPTION_FLASH: o->flash = value; break;
	case OPTION_DEVICE_MEMORY: add_device_memory(o, value); break;
	default: help();
	}
}

void parse_options(int argc, char **argv, struct options *o)
{
	int option;

	*o = (struct options){
		.append = "",
		.memory = MEMORY_DEFAULT,
		.cpus = 1,
	};
	opterr = 0;
	while ((option = getopt_long(argc, argv, "+:", long_options, NULL)) != -1) {
		if (option == ':')
			bad_input("option \"%s\" needs a value; vmm --help lists the options",
				  argv[optind - 1]);
		if (option == '?')
			bad_input("option \"%s\" is unknown; vmm --help lists the options",
				  argv[optind - 1]);
		take(o, option, optarg);
	}
	if (optind < argc)
		bad_input("argument \"%s\": options only; vmm --help lists them", argv[optind]);
	if (!o->kernel)
		bad_input("no kernel: give --kernel IMAGE; vmm --help lists the options");
}
