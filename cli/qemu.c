/* SPDX-License-Identifier: Apache-2.0 */
/* Finds and starts QEMU. Semihosting is never enabled: a guest could use it on the user's machine.
 */
#include "cli/qemu.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "abi/catwalk_run.h"
#include "cli/error.h"

#define QEMU_NAME	 "qemu-system-aarch64"
#define IMAGE_NAME	 "catwalk.Image"
#define VERSION_MAJOR	 7
#define VERSION_MINOR	 2
#define PATH_BYTES	 4096
#define COMMAND_LINE_MAX 2048

/* A Linux arm64 Image has this magic number at this offset. */
#define IMAGE_MAGIC	   "ARM\x64"
#define IMAGE_MAGIC_OFFSET 56

/* Room for the words below, the extra ones and NULL. */
#define MAX_WORDS (64 + 4 * MAX_DEVICES + MAX_QEMU_ARGUMENTS)

struct command {
	const char *words[MAX_WORDS];
	size_t count;
};

static void add_word(struct command *command, const char *word)
{
	if (command->count < MAX_WORDS - 1)
		command->words[command->count++] = word;
}

static void add_option(struct command *command, const char *option, const char *value)
{
	add_word(command, option);
	add_word(command, value);
}

/* --- finding ------------------------------------------------------------------------------- */

/* Reads what a program prints, up to size - 1 bytes; -errno if it cannot be run. */
static int capture_output(const char *program, const char *argument, char *output, size_t size)
{
	int pipe_fds[2];
	size_t length = 0;
	ssize_t got;
	pid_t pid;
	int status;

	if (pipe2(pipe_fds, O_CLOEXEC))
		return -errno;
	pid = fork();
	if (pid == 0) {
		dup2(pipe_fds[1], STDOUT_FILENO);
		execlp(program, program, argument, (char *)NULL);
		_exit(errno == ENOENT ? 127 : 126);
	}
	close(pipe_fds[1]);
	while (pid > 0 && (got = read(pipe_fds[0], output + length, size - 1 - length)) > 0)
		length += (size_t)got;
	output[length] = '\0';
	close(pipe_fds[0]);
	if (pid < 0 || waitpid(pid, &status, 0) < 0)
		return -ECHILD;
	if (!WIFEXITED(status) || WEXITSTATUS(status))
		return WIFEXITED(status) && WEXITSTATUS(status) == 127 ? -ENOENT : -ENOEXEC;
	return 0;
}

static int check_qemu(const char *qemu)
{
	char output[1024];
	int major = 0;
	int minor = 0;
	int err = capture_output(qemu, "--version", output, sizeof(output));

	if (err == -ENOENT)
		return bad_input("%s: not found; QEMU %d.%d or later is needed (Debian: "
				 "qemu-system-arm; --qemu or $CATWALK_QEMU names another)",
				 qemu, VERSION_MAJOR, VERSION_MINOR);
	if (err || sscanf(output, "QEMU emulator version %d.%d", &major, &minor) != 2)
		return bad_input("%s: does not run as QEMU; QEMU %d.%d or later is needed", qemu,
				 VERSION_MAJOR, VERSION_MINOR);
	if (major < VERSION_MAJOR || (major == VERSION_MAJOR && minor < VERSION_MINOR))
		return bad_input("%s: is version %d.%d; QEMU %d.%d or later is needed", qemu, major,
				 minor, VERSION_MAJOR, VERSION_MINOR);
	return 0;
}

/* Where the kernel is, from the folder of this program: as built, and as installed. */
static const char *const image_places[] = { IMAGE_NAME, "../lib/catwalk/" IMAGE_NAME };

/* The image that goes with this program; NULL if this program is nowhere. */
static const char *own_image(void)
{
	static char path[PATH_BYTES];
	ssize_t length = readlink("/proc/self/exe", path, sizeof(path) - 64);
	char *slash;

	if (length < 0)
		return NULL;
	path[length] = '\0';
	slash = strrchr(path, '/');
	if (!slash)
		return NULL;
	for (size_t i = 0; i < sizeof(image_places) / sizeof(image_places[0]); i++) {
		strcpy(slash + 1, image_places[i]);
		if (!access(path, F_OK))
			return path;
	}
	return path;
}

static int check_image(const char *path)
{
	char magic[sizeof(IMAGE_MAGIC) - 1];
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t got;

	if (fd < 0)
		return bad_input("%s: %s; the kernel image is needed (`make` builds it beside "
				 "catwalk; --kernel or $CATWALK_KERNEL names another)",
				 path, strerror(errno));
	got = pread(fd, magic, sizeof(magic), IMAGE_MAGIC_OFFSET);
	close(fd);
	if (got != (ssize_t)sizeof(magic) || memcmp(magic, IMAGE_MAGIC, sizeof(magic)))
		return bad_input("%s: not an arm64 kernel image; accepted is " IMAGE_NAME
				 " as `make` builds it",
				 path);
	return 0;
}

int find_machine_parts(struct run_options *options)
{
	int status;

	if (!options->kernel)
		options->kernel = getenv("CATWALK_KERNEL");
	if (!options->kernel)
		options->kernel = own_image();
	if (!options->kernel)
		options->kernel = IMAGE_NAME;
	if (!options->qemu)
		options->qemu = getenv("CATWALK_QEMU");
	if (!options->qemu)
		options->qemu = QEMU_NAME;
	status = check_image(options->kernel);
	return status ? status : check_qemu(options->qemu);
}

/* --- starting ------------------------------------------------------------------------------ */

/* The texts that QEMU's command line needs besides constants. */
struct command_texts {
	char cpus[16];
	char memory[16];
	char initramfs[32];
	char channel[64];
	char port[96];
	char append[COMMAND_LINE_MAX];
	char gdb[32];
	struct {
		char object[PATH_BYTES]; /* the memory behind it, or "" */
		char device[64];
	} devices[MAX_DEVICES];
};

/* The memory is shared, so that a file holds what the machine writes, at once. */
static int format_ivshmem(const struct device_option *device, size_t index, char *object,
			  char *text, size_t text_size)
{
	int length;

	if (device->file)
		length = snprintf(object, PATH_BYTES,
				  "memory-backend-file,id=devmem%zu,size=%uM,share=on,mem-path=%s",
				  index, device->mib, device->file);
	else
		length = snprintf(object, PATH_BYTES,
				  "memory-backend-ram,id=devmem%zu,size=%uM,share=on", index,
				  device->mib);
	if (length >= PATH_BYTES)
		return bad_input("--device: the file's name has more than %d characters",
				 PATH_BYTES - 100);
	snprintf(text, text_size, "ivshmem-plain,memdev=devmem%zu", index);
	return 0;
}

static int format_devices(const struct run_options *options, struct command_texts *texts)
{
	for (size_t i = 0; i < options->device_count; i++) {
		const struct device_option *device = &options->devices[i];
		char *text = texts->devices[i].device;
		size_t size = sizeof(texts->devices[i].device);
		int status = 0;

		texts->devices[i].object[0] = '\0';
		switch (device->kind) {
		case DEVICE_IVSHMEM:
			status = format_ivshmem(device, i, texts->devices[i].object, text, size);
			break;
		case DEVICE_EDU: snprintf(text, size, "edu"); break;
		case DEVICE_PCI_TESTDEV: snprintf(text, size, "pci-testdev"); break;
		}
		if (status)
			return status;
	}
	return 0;
}

/* The kernel's command line: what options stand for, then the user's words. */
static int format_append(const struct run_options *options, char *text, size_t size)
{
	/* The time of day, but for runs that are to be repeatable; an earlier time= comes first. */
	long long now = options->icount ? 0 : (long long)time(NULL);
	char hidden[128] = "";
	int length;

	for (unsigned int bit = 0; feature_name(bit); bit++) {
		size_t used = strlen(hidden);

		if (options->hidden & 1U << bit)
			snprintf(hidden + used, sizeof(hidden) - used, "cpu.%s=off ",
				 feature_name(bit));
	}
	length = snprintf(text, size, "%s%s%s%stime=%lld", hidden,
			  options->trap_cmo ? "cmo=trap " : "", options->append,
			  options->append[0] ? " " : "", now);
	if (length >= (int)size)
		return bad_input("--append: %d characters; at most %zu are accepted", length,
				 size - 1);
	return 0;
}

static int format_texts(const struct run_options *options, int initramfs, int channel,
			struct command_texts *texts)
{
	int status = format_append(options, texts->append, sizeof(texts->append));

	if (status)
		return status;
	snprintf(texts->gdb, sizeof(texts->gdb), "tcp:127.0.0.1:%u", options->gdb_port);
	snprintf(texts->cpus, sizeof(texts->cpus), "%u", options->cpus);
	snprintf(texts->memory, sizeof(texts->memory), "%uM", options->memory_mib);
	snprintf(texts->initramfs, sizeof(texts->initramfs), "/dev/fd/%d", initramfs);
	snprintf(texts->channel, sizeof(texts->channel), "socket,id=channel,fd=%d", channel);
	snprintf(texts->port, sizeof(texts->port), "virtserialport,chardev=channel,nr=%d,name=%s",
		 CATWALK_PORT_NR, CATWALK_PORT_NAME);
	return format_devices(options, texts);
}

static void build_command(const struct run_options *options, const struct command_texts *texts,
			  struct command *command)
{
	add_word(command, options->qemu);
	add_option(command, "-machine", "virt,virtualization=on,gic-version=3");
	add_option(command, "-accel", options->icount ? "tcg" : "tcg,thread=multi");
	add_option(command, "-cpu", options->cpu->qemu_cpu);
	add_option(command, "-smp", texts->cpus);
	add_option(command, "-m", texts->memory);
	add_word(command, "-no-user-config");
	add_word(command, "-nodefaults");
	add_word(command, "-no-reboot");
	add_option(command, "-nic", "none");
	add_option(command, "-display", "none");
	add_option(command, "-monitor", "none");
	add_option(command, "-chardev", "stdio,id=console,signal=off");
	add_option(command, "-serial", "chardev:console");
	add_option(command, "-global", "virtio-mmio.force-legacy=false");
	add_option(command, "-chardev", texts->channel);
	add_option(command, "-device", "virtio-serial-device");
	add_option(command, "-device", texts->port);
	add_option(command, "-kernel", options->kernel);
	add_option(command, "-initrd", texts->initramfs);
	add_option(command, "-append", texts->append);
	if (options->icount)
		add_option(command, "-icount", "shift=0,sleep=off");
	if (options->gdb_port) {
		add_word(command, "-S");
		add_option(command, "-gdb", texts->gdb);
	}
	for (size_t i = 0; i < options->device_count; i++) {
		if (texts->devices[i].object[0])
			add_option(command, "-object", texts->devices[i].object);
		add_option(command, "-device", texts->devices[i].device);
	}
	for (size_t i = 0; i < options->qemu_argument_count; i++)
		add_word(command, options->qemu_arguments[i]);
	command->words[command->count] = NULL;
}

static void keep_on_exec(int fd)
{
	fcntl(fd, F_SETFD, 0);
}

/* In the child: never returns. Its process group is its own, so a terminal's ^C is not for it. */
static void exec_qemu(const struct command *command, pid_t parent, int console, int channel,
		      int initramfs)
{
	int null = open("/dev/null", O_RDONLY | O_CLOEXEC);
	sigset_t none;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		_exit(STATUS_MACHINE_FAILED);
	setpgid(0, 0);
	dup2(null, STDIN_FILENO);
	dup2(console, STDOUT_FILENO);
	dup2(console, STDERR_FILENO);
	keep_on_exec(channel);
	keep_on_exec(initramfs);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	execvp(command->words[0], (char *const *)command->words);
	dprintf(STDERR_FILENO, "%s: %s\n", command->words[0], strerror(errno));
	_exit(STATUS_MACHINE_FAILED);
}

static int start_failed(const char *what)
{
	complain("starting the machine: %s: %s", what, strerror(errno));
	return STATUS_MACHINE_FAILED;
}

static void set_nonblocking(int fd)
{
	fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
}

int start_machine(const struct run_options *options, const struct initramfs *initramfs,
		  struct machine *machine)
{
	struct command_texts texts;
	struct command command = { 0 };
	pid_t parent = getpid();
	int channel[2];
	int console[2];
	int status;

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, channel))
		return start_failed("socketpair");
	if (pipe2(console, O_CLOEXEC))
		return start_failed("pipe");
	status = format_texts(options, initramfs->fd, channel[1], &texts);
	if (status)
		return status;
	build_command(options, &texts, &command);
	machine->pid = fork();
	if (machine->pid == 0)
		exec_qemu(&command, parent, console[1], channel[1], initramfs->fd);
	if (machine->pid < 0)
		return start_failed("fork");
	close(channel[1]);
	close(console[1]);
	set_nonblocking(channel[0]);
	set_nonblocking(console[0]);
	machine->channel = channel[0];
	machine->console = console[0];
	return 0;
}
