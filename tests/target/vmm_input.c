/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the VMM (/vmm) says to bad input: one line that names the thing, status 2, and nothing on
 * standard output. And that a disk is one VMM's at a time, whose end frees it.
 */
#define _GNU_SOURCE
#include "tests/target/check.h"

#include <fcntl.h>
#include <linux/kvm.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <unistd.h>

enum { ARGS_MAX = 12, OUTPUT_MAX = 4096, IMAGE_BYTES = 4096, MIB = 1 << 20 };
enum { STATUS_MACHINE = 1, STATUS_BAD_INPUT = 2 };

static const char vmm[] = "/vmm";

/* ---- files */

static void write_file(const char *path, const void *bytes, size_t size)
{
	int fd = open(path, O_RDWR | O_CREAT | O_TRUNC, 0644);

	REQUIRE(fd >= 0 && write(fd, bytes, size) == (ssize_t)size);
	close(fd);
}

static void make_file(const char *path, off_t size)
{
	write_file(path, "", 0);
	REQUIRE(truncate(path, size) == 0);
}

static void put32(unsigned char *at, uint32_t value)
{
	memcpy(at, &value, sizeof(value));
}

/*
 * An Image whose only section, by its EFI header, ends at `data_end`; what it does is `code`. Its
 * first word, "MZ" and two more bytes, is an instruction that does nothing; the next one branches.
 */
static void make_image(const char *path, uint32_t data_end, const uint32_t *code, size_t words)
{
	enum { PE = 0x80, OPTIONAL = 0x20, CODE = 0x400 };
	static unsigned char image[IMAGE_BYTES];

	memset(image, 0, sizeof(image));
	put32(image, 0xfa405a4d);     /* ccmp x18, #0, #13, pl: "MZ@" */
	put32(image + 4, 0x140000ff); /* b . + 0x3fc */
	put32(image + 16, IMAGE_BYTES);
	put32(image + 56, 0x644d5241); /* "ARM\x64" */
	put32(image + 60, PE);
	put32(image + PE, 0x00004550);	   /* "PE\0\0" */
	put32(image + PE + 4, 0x0001aa64); /* arm64, one section */
	put32(image + PE + 20, OPTIONAL);
	put32(image + PE + 24 + OPTIONAL + 16, data_end);
	memcpy(image + CODE, code, words * sizeof(*code));
	write_file(path, image, sizeof(image));
}

static void make_files(void)
{
	/* Says 'w' at the serial port (w0 = 0x09000000), then wfi; b . - 4. */
	static const uint32_t waits[] = { 0x52a12000, 0x52800ee1, 0xb9000001, 0xd503207f,
					  0x17ffffff };
	static const uint32_t powers_off[] = { 0x52800100, 0x72b08000,
					       0xd4000002 }; /* SYSTEM_OFF */
	char noise[1000];

	memset(noise, 'x', sizeof(noise));
	write_file("/noise", noise, sizeof(noise));
	write_file("/gzip", "\x1f\x8b\x08", 3);
	make_file("/empty", 0);
	make_file("/zeroes", 1 * MIB);
	make_file("/big", 300 * MIB);
	make_file("/disk", 64 * 1024);
	make_image("/image", IMAGE_BYTES, waits, sizeof(waits) / sizeof(*waits));
	make_image("/cut", IMAGE_BYTES + 1, waits, sizeof(waits) / sizeof(*waits));
	make_image("/off", IMAGE_BYTES, powers_off, 3);
	noise[0] = 0x1f;
	noise[1] = (char)0x8b;
	write_file("/gzip-image", noise, sizeof(noise));
}

/* ---- running it */

struct outcome {
	int status;
	char out[OUTPUT_MAX], err[OUTPUT_MAX];
};

static void read_all(int fd, char *text)
{
	size_t size = 0;
	ssize_t n;

	while (size < OUTPUT_MAX - 1 && (n = read(fd, text + size, OUTPUT_MAX - 1 - size)) > 0)
		size += (size_t)n;
	text[size] = '\0';
	close(fd);
}

static pid_t start(const char *const *args, int out, int err)
{
	char *argv[ARGS_MAX + 2] = { (char *)vmm };
	pid_t pid = fork();

	if (pid)
		return pid;
	for (int i = 0; i < ARGS_MAX && args[i]; i++)
		argv[i + 1] = (char *)args[i];
	dup2(open("/dev/null", O_RDONLY), 0);
	if (out >= 0)
		dup2(out, 1);
	if (err >= 0)
		dup2(err, 2);
	execv(vmm, argv);
	_exit(127);
}

static struct outcome run(const char *const *args)
{
	static struct outcome o;
	int out[2], err[2], status;
	pid_t pid;

	REQUIRE(pipe2(out, O_CLOEXEC) == 0 && pipe2(err, O_CLOEXEC) == 0);
	pid = start(args, out[1], err[1]);
	close(out[1]);
	close(err[1]);
	read_all(err[0], o.err);
	read_all(out[0], o.out);
	REQUIRE(waitpid(pid, &status, 0) == pid);
	o.status = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
	return o;
}

/* ---- bad input */

static const struct bad_case {
	const char *args[ARGS_MAX];
	const char *words[3]; /* that its line has */
} bad_cases[] = {
	{ { NULL }, { "--kernel" } },
	{ { "--kernel" }, { "\"--kernel\"", "needs a value" } },
	{ { "--kernle", "x" }, { "\"--kernle\"", "unknown" } },
	{ { "--kernel", "/image", "more" }, { "\"more\"" } },
	{ { "--kernel", "/absent" }, { "--kernel \"/absent\"", "No such file" } },
	{ { "--kernel", "/dev" }, { "--kernel \"/dev\"", "no regular file" } },
	{ { "--kernel", "/empty" }, { "--kernel \"/empty\"", "empty" } },
	{ { "--kernel", "/gzip" }, { "--kernel \"/gzip\"", "no arm64 Image", "64 bytes" } },
	{ { "--kernel", "/gzip-image" }, { "no arm64 Image", "gzip" } },
	{ { "--kernel", "/noise" }, { "--kernel \"/noise\"", "no arm64 Image" } },
	{ { "--kernel", "/zeroes" }, { "--kernel \"/zeroes\"", "no arm64 Image" } },
	{ { "--kernel", "/cut" }, { "--kernel \"/cut\"", "truncated" } },
	{ { "--kernel", "/vmm" }, { "--kernel \"/vmm\"", "ELF" } },
	{ { "--kernel", "/image", "--initramfs", "/absent" }, { "--initramfs \"/absent\"" } },
	{ { "--kernel", "/image", "--initramfs", "/big" },
	  { "--initramfs \"/big\"", "307200 KiB", "do not fit" } },
	{ { "--kernel", "/image", "--memory", "63M" }, { "--memory \"63M\"", "64M to 512G" } },
	{ { "--kernel", "/image", "--memory", "513G" }, { "--memory \"513G\"", "64M to 512G" } },
	{ { "--kernel", "/image", "--memory", "100000001" }, { "multiple of 4K" } },
	{ { "--kernel", "/image", "--memory", "16E" }, { "--memory \"16E\"" } },
	{ { "--kernel", "/image", "--memory", "99999999999999999999" }, { "--memory" } },
	{ { "--kernel", "/image", "--memory", "18446744073709551615K" }, { "--memory" } },
	{ { "--kernel", "/image", "--cpus", "0" }, { "--cpus \"0\"", "1 to 64" } },
	{ { "--kernel", "/image", "--cpus", "65" }, { "--cpus \"65\"", "1 to 64" } },
	{ { "--kernel", "/image", "--cpus", "two" }, { "--cpus \"two\"", "1 to 64" } },
	{ { "--kernel", "/image", "--console", "vga" },
	  { "--console \"vga\"", "serial or virtio" } },
	{ { "--kernel", "/image", "--disk", "/absent" }, { "--disk \"/absent\"", "No such file" } },
	{ { "--kernel", "/image", "--disk", "/noise" }, { "--disk \"/noise\"", "1000", "512" } },
	{ { "--kernel", "/image", "--disk", "/disk", "--disk", "/disk" }, { "/disk", "in use" } },
	{ { "--kernel", "/image", "--disk", "/disk", "--disk", "/disk,ro" }, { "in use" } },
	{ { "--kernel", "/image", "--flash", "/absent" }, { "--flash \"/absent\"" } },
	{ { "--kernel", "/image", "--flash", "/big" }, { "--flash \"/big\"", "at most 64M" } },
	{ { "--kernel", "/image", "--net", "/absent" }, { "--net \"/absent\"" } },
	{ { "--kernel", "/image", "--device-memory", "/zeroes" }, { "FILE@IPA" } },
	{ { "--kernel", "/image", "--device-memory", "/zeroes@" }, { "FILE@IPA" } },
	{ { "--kernel", "/image", "--device-memory", "/zeroes@0x80000001" }, { "4096" } },
	{ { "--kernel", "/image", "--device-memory", "/zeroes@0x8000000g" }, { "4096" } },
	{ { "--kernel", "/image", "--device-memory", "/absent@0x80000000" }, { "\"/absent\"" } },
	{ { "--kernel", "/image", "--device-memory", "/noise@0x80000000" }, { "whole pages" } },
	{ { "--kernel", "/image", "--device-memory", "/zeroes@0x4000000" },
	  { "0x40000000 or more" } },
	{ { "--kernel", "/image", "--device-memory", "/zeroes@0x4ffff000" }, { "is taken" } },
	{ { "--kernel", "/image", "--device-memory", "/zeroes@0x80000000", "--device-memory",
	    "/zeroes@0x800ff000" },
	  { "is taken" } },
	{ { "--kernel", "/image", "--device-memory", "/zeroes@0xfffffffffff00000" },
	  { "--device-memory \"/zeroes\"", "IPA space" } },
};

static void check_bad_input(void)
{
	for (size_t i = 0; i < sizeof(bad_cases) / sizeof(bad_cases[0]); i++) {
		const struct bad_case *c = &bad_cases[i];
		struct outcome o = run(c->args);
		char *newline = strchr(o.err, '\n');
		bool good = o.status == STATUS_BAD_INPUT && !o.out[0] &&
			    strncmp(o.err, "vmm: ", 5) == 0 && newline && !newline[1];

		for (int w = 0; w < 3 && c->words[w]; w++)
			good = good && strstr(o.err, c->words[w]);
		if (!check_note(good))
			printf("case %zu: status %d, output \"%s\", error \"%s\"\n", i, o.status,
			       o.out, o.err);
	}
}

/* The largest VM of the host and a page more. */
static void check_beyond_ipa_space(void)
{
	int kvm = open("/dev/kvm", O_RDWR | O_CLOEXEC);
	int bits = ioctl(kvm, KVM_CHECK_EXTENSION, KVM_CAP_ARM_VM_IPA_SIZE);
	char argument[64];
	const char *args[ARGS_MAX] = { "--kernel", "/image", "--device-memory", argument };
	struct outcome o;

	REQUIRE(kvm >= 0 && bits >= 32);
	close(kvm);
	snprintf(argument, sizeof(argument), "/zeroes@%#lx", (1ul << bits) - MIB + 4096);
	o = run(args);
	CHECK_EQ(o.status, STATUS_BAD_INPUT);
	CHECK(strstr(o.err, "IPA space"));
}

static void check_help(void)
{
	static const char *const args[ARGS_MAX] = { "--help" };
	struct outcome o = run(args);

	CHECK_EQ(o.status, 0);
	CHECK(strncmp(o.out, "usage: vmm --kernel IMAGE", 25) == 0);
	CHECK(!o.err[0]);
}

/* ---- one disk, two VMMs */

static void check_second_vmm(void)
{
	static const char *const waiting[ARGS_MAX] = { "--kernel", "/image", "--disk", "/disk" };
	static const char *const second[ARGS_MAX] = { "--kernel", "/off", "--disk", "/disk" };
	struct outcome o;
	int out[2], status;
	pid_t first;
	char said;

	/* Its guest runs, so it has the disk. To ask for the lock could take it from the VMM. */
	REQUIRE(pipe2(out, O_CLOEXEC) == 0);
	first = start(waiting, out[1], -1);
	close(out[1]);
	REQUIRE(read(out[0], &said, 1) == 1);
	CHECK_EQ(said, 'w');
	close(out[0]);
	o = run(second);
	CHECK_EQ(o.status, STATUS_BAD_INPUT);
	CHECK(strstr(o.err, "--disk \"/disk\": in use by another VMM"));
	kill(first, SIGKILL);
	CHECK_EQ(waitpid(first, &status, 0), first);
	CHECK(WIFSIGNALED(status));
	o = run(second);
	CHECK_EQ(o.status, 0);
	if (o.status)
		printf("%s", o.err);
}

int main(void)
{
	make_files();
	check_help();
	check_bad_input();
	check_beyond_ipa_space();
	check_second_vmm();
	return check_done("vmm_input");
}
