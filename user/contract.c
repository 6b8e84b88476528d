/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Prints the guest-memory contract of a VM on this host (M16) as JSON (docs/contract.md), for
 * `catwalk migrate-check`.
 *
 *	contract [--ipa-bits N] [KIND[:FILE]...]
 *
 * makes a VM with one slot of 2 MiB for each KIND: ram, write-back (guaranteed so, M10) or
 * read-only; over anonymous memory, or over the first 2 MiB of FILE. Without any, the contract is
 * the host's. Exits with 0, 1 if the host refuses (one line says why), 2 for bad input.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "abi/catwalk.h"

#define SLOT_SIZE     0x200000UL
#define FIRST_GPA     0x40000000UL
#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))

enum { SLOTS_MAX = 16, IPA_BITS_MIN = 32, IPA_BITS_MAX = 48 };
enum { STATUS_REFUSED = 1, STATUS_BAD_INPUT = 2 };

static const struct slot_kind {
	const char *name;
	uint32_t flags;
} kinds[] = {
	{ "ram", 0 },
	{ "write-back", KVM_MEM_WRITE_BACK },
	{ "read-only", KVM_MEM_READONLY },
};

struct slot_wish {
	const struct slot_kind *kind;
	const char *path; /* NULL: anonymous memory */
};

struct wishes {
	unsigned int ipa_bits; /* 0: as the host has it */
	struct slot_wish slots[SLOTS_MAX];
	unsigned int slot_count;
};

static void __attribute__((noreturn, format(printf, 2, 3)))
stop(int status, const char *format, ...)
{
	va_list args;

	fputs("contract: ", stderr);
	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fputc('\n', stderr);
	exit(status);
}

/* ---- the command line */

static unsigned int parse_ipa_bits(const char *text)
{
	char *end;
	unsigned long bits;

	if (!text)
		stop(STATUS_BAD_INPUT, "--ipa-bits: a value is missing");
	bits = strtoul(text, &end, 10);
	if (*end || bits < IPA_BITS_MIN || bits > IPA_BITS_MAX)
		stop(STATUS_BAD_INPUT, "--ipa-bits: '%s' is not a number from %d to %d", text,
		     IPA_BITS_MIN, IPA_BITS_MAX);
	return (unsigned int)bits;
}

static struct slot_wish parse_slot(const char *text)
{
	size_t length = strcspn(text, ":");

	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
		if (strlen(kinds[i].name) != length || strncmp(kinds[i].name, text, length) != 0)
			continue;
		return (struct slot_wish){ &kinds[i], text[length] ? text + length + 1 : NULL };
	}
	stop(STATUS_BAD_INPUT, "'%s' is not ram, write-back or read-only, with :FILE behind or not",
	     text);
}

static struct wishes parse(char **argv)
{
	struct wishes w = { .ipa_bits = 0 };

	while (*++argv) {
		if (!strcmp(*argv, "--ipa-bits")) {
			w.ipa_bits = parse_ipa_bits(argv[1]);
			argv++;
			continue;
		}
		if (w.slot_count == SLOTS_MAX)
			stop(STATUS_BAD_INPUT,
			     "'%s' is one too many; at most %d slots are accepted", *argv,
			     SLOTS_MAX);
		w.slots[w.slot_count++] = parse_slot(*argv);
	}
	return w;
}

/* ---- the VM */

/* A host's contract is that of the largest VM it may have; a VM has 40 bits unless told otherwise.
 */
static unsigned int ipa_bits_of(const struct wishes *w, int kvm)
{
	int most = ioctl(kvm, KVM_CHECK_EXTENSION, KVM_CAP_ARM_VM_IPA_SIZE);

	return w->ipa_bits || w->slot_count || most < 0 ? w->ipa_bits : (unsigned int)most;
}

static int create_vm(const struct wishes *w)
{
	int kvm = open("/dev/kvm", O_RDWR | O_CLOEXEC), vm;

	if (kvm < 0)
		stop(STATUS_REFUSED, "/dev/kvm: %s", strerror(errno));
	vm = ioctl(kvm, KVM_CREATE_VM,
		   (unsigned long)KVM_VM_TYPE_ARM_IPA_SIZE(ipa_bits_of(w, kvm)));
	if (vm < 0)
		stop(STATUS_REFUSED, "no VM with this IPA size: %s", strerror(errno));
	if (ioctl(vm, KVM_CHECK_EXTENSION, KVM_CAP_CATWALK_CONTRACT) <= 0)
		stop(STATUS_REFUSED, "this kernel tells no contract");
	return vm;
}

static void enable_write_back(int vm)
{
	struct kvm_enable_cap cap = { .cap = KVM_CAP_CATWALK_WRITE_BACK };

	if (ioctl(vm, KVM_ENABLE_CAP, &cap))
		stop(STATUS_REFUSED,
		     "write-back: the host cannot guarantee it, it has no FWB (M10)");
}

/* Every page is there, so that the contract is of what it is and not of what it may become. */
static void *map_memory(const struct slot_wish *wish)
{
	int prot = PROT_READ | PROT_WRITE;
	volatile char *memory;
	int fd = -1;

	if (wish->path) {
		fd = open(wish->path, O_RDWR | O_CLOEXEC);
		if (fd < 0)
			stop(STATUS_BAD_INPUT, "%s: %s", wish->path, strerror(errno));
	}
	memory = mmap(NULL, SLOT_SIZE, prot, fd < 0 ? MAP_PRIVATE | MAP_ANONYMOUS : MAP_SHARED, fd,
		      0);
	if (memory == MAP_FAILED)
		stop(STATUS_REFUSED, "%s: 2 MiB cannot be mapped: %s",
		     wish->path ? wish->path : "memory", strerror(errno));
	for (size_t at = 0; at < SLOT_SIZE; at += 4096) {
		if (fd < 0)
			memory[at] = 0;
		else
			(void)memory[at];
	}
	return (void *)memory;
}

static void add_slot(int vm, unsigned int id, const struct slot_wish *wish)
{
	struct kvm_userspace_memory_region region = {
		.slot = id,
		.flags = wish->kind->flags,
		.guest_phys_addr = FIRST_GPA + id * SLOT_SIZE,
		.memory_size = SLOT_SIZE,
	};
	struct catwalk_refusal why = { .error = 0 };
	int error;

	if (wish->kind->flags & KVM_MEM_WRITE_BACK)
		enable_write_back(vm);
	region.userspace_addr = (uintptr_t)map_memory(wish);
	if (!ioctl(vm, KVM_SET_USER_MEMORY_REGION, &region))
		return;
	error = errno;
	if (ioctl(vm, KVM_CATWALK_GET_REFUSAL, &why) || !why.error)
		stop(STATUS_REFUSED, "%s: the slot is refused: %s", wish->kind->name,
		     strerror(error));
	stop(STATUS_REFUSED, "%s: the slot is refused: %s (M%u): %s", wish->kind->name,
	     strerror(error), why.rule, why.reason);
}

/* ---- the contract */

static const char *yes_or_no(bool yes)
{
	return yes ? "true" : "false";
}

static void print_host(const struct catwalk_contract *c)
{
	const char *separator = "";

	printf("  \"version\": %u,\n", c->version);
	printf("  \"fwb\": %s,\n", yes_or_no(c->host & CATWALK_HOST_FWB));
	printf("  \"dic\": %s,\n", yes_or_no(c->host & CATWALK_HOST_DIC));
	printf("  \"idc\": %s,\n", yes_or_no(c->host & CATWALK_HOST_IDC));
	printf("  \"hw_af\": %s,\n", yes_or_no(c->host & CATWALK_HOST_HW_AF));
	printf("  \"hw_dbm\": %s,\n", yes_or_no(c->host & CATWALK_HOST_HW_DBM));
	printf("  \"ipa_bits\": %u,\n", c->ipa_bits);
	printf("  \"granule\": %llu,\n", c->granule);
	printf("  \"blocks\": [");
	for (unsigned int bit = 0; bit < 64; bit++) {
		if (!(c->blocks >> bit & 1))
			continue;
		printf("%s%llu", separator, 1ULL << bit);
		separator = ", ";
	}
	printf("],\n");
}

static void print_slot(const struct catwalk_contract_slot *s)
{
	static const char *const classes[] = {
		[CATWALK_CLASS_UNKNOWN] = "unknown", [CATWALK_CLASS_FORCED] = "forced",
		[CATWALK_CLASS_GUEST] = "guest",     [CATWALK_CLASS_NC] = "nc",
		[CATWALK_CLASS_DEVICE] = "device",
	};
	const char *separator = "";

	printf("    { \"id\": %u, \"ipa\": %llu, \"size\": %llu, ", s->slot, s->gpa, s->size);
	printf("\"write_back\": %s, ", yes_or_no(s->promises & CATWALK_PROMISE_WRITE_BACK));
	printf("\"cacheable_pfnmap\": %s, ",
	       yes_or_no(s->promises & CATWALK_PROMISE_CACHEABLE_PFNMAP));
	printf("\"read_only\": %s, ", yes_or_no(s->promises & CATWALK_PROMISE_READ_ONLY));
	printf("\"classes\": [");
	for (unsigned int i = 0; i < ARRAY_SIZE(classes); i++) {
		if (!(s->classes >> i & 1))
			continue;
		printf("%s\"%s\"", separator, classes[i]);
		separator = ", ";
	}
	printf("] }");
}

static void print_contract(int vm)
{
	struct catwalk_contract_slot slots[SLOTS_MAX];
	struct catwalk_contract c = { .slot_count = SLOTS_MAX, .slots = (uintptr_t)slots };

	memset(slots, 0, sizeof(slots));
	if (ioctl(vm, KVM_CATWALK_GET_CONTRACT, &c))
		stop(STATUS_REFUSED, "KVM_CATWALK_GET_CONTRACT: %s", strerror(errno));
	printf("{\n");
	print_host(&c);
	printf("  \"slots\": [");
	for (unsigned int i = 0; i < c.slot_count; i++) {
		fputs(i ? ",\n" : "\n", stdout);
		print_slot(&slots[i]);
	}
	printf("%s]\n}\n", c.slot_count ? "\n  " : "");
}

int main(int argc, char **argv)
{
	struct wishes w = parse(argv);
	int vm = create_vm(&w);

	(void)argc;
	for (unsigned int i = 0; i < w.slot_count; i++)
		add_slot(vm, i, &w.slots[i]);
	print_contract(vm);
	return fflush(stdout) ? STATUS_REFUSED : 0;
}
