/* SPDX-License-Identifier: Apache-2.0 */
/* What `catwalk shell` runs: busybox's shell, once it has made a link for each of its commands. */
#include "cli/shell.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/error.h"
#include "cli/program.h"

#define BUSYBOX_TARGET "/bin/busybox"
/* Where `make busybox` puts it, seen from the directory of this program. */
#define BUSYBOX_HERE "arm64/busybox-static/bin/busybox"
#define PATH_BYTES   4096

/* Names that the user has taken for a program stay the program's. */
static const char make_links[] =
	BUSYBOX_TARGET " --install -s /bin 2>/dev/null; exec " BUSYBOX_TARGET " sh \"$@\"";

/* The file beside this program, or NULL. */
static const char *busybox_beside_program(void)
{
	static char path[PATH_BYTES];
	ssize_t length = readlink("/proc/self/exe", path, sizeof(path) - sizeof(BUSYBOX_HERE));
	char *slash;

	if (length < 0)
		return NULL;
	path[length] = '\0';
	slash = strrchr(path, '/');
	if (!slash)
		return NULL;
	strcpy(slash + 1, BUSYBOX_HERE);
	return path;
}

static int find_busybox(struct run_options *options)
{
	if (!options->busybox)
		options->busybox = getenv("CATWALK_BUSYBOX");
	if (!options->busybox)
		options->busybox = busybox_beside_program();
	if (!options->busybox || access(options->busybox, R_OK))
		return bad_input("%s: %s; the shell's program is needed (`make busybox` fetches "
				 "it; --busybox or $CATWALK_BUSYBOX names another)",
				 options->busybox ? options->busybox : BUSYBOX_HERE,
				 strerror(errno));
	return check_program(options->busybox);
}

static bool is_script(const char *path)
{
	char magic[2] = "";
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t got = fd < 0 ? -1 : read(fd, magic, sizeof(magic));

	if (fd >= 0)
		close(fd);
	return got == (ssize_t)sizeof(magic) && !memcmp(magic, "#!", sizeof(magic));
}

static int check_programs(const struct run_options *options)
{
	int status = 0;

	for (size_t i = 0; !status && i < options->file_count; i++)
		if (options->files[i].is_program && !is_script(options->files[i].host))
			status = check_program(options->files[i].host);
	return status;
}

/* Before the user's own, which may say otherwise. */
static int add_environment(struct run_options *options)
{
	static char term[64];
	const char *value = getenv("TERM");
	const char *ours[2] = { "PS1=\\w \\$ ", term };

	if (options->environment_count + 2 > MAX_ENVIRONMENT)
		return bad_input("--env: too many; at most %d are accepted", MAX_ENVIRONMENT - 2);
	snprintf(term, sizeof(term), "TERM=%s", value && strlen(value) < 50 ? value : "dumb");
	memmove(options->environment + 2, options->environment,
		options->environment_count * sizeof(options->environment[0]));
	memcpy(options->environment, ours, sizeof(ours));
	options->environment_count += 2;
	return 0;
}

int prepare_shell(struct run_options *options)
{
	static const char *arguments[] = { "-c", make_links, "sh", "-c", NULL };
	int status = check_programs(options);

	if (!status)
		status = find_busybox(options);
	if (!status)
		status = add_environment(options);
	if (status)
		return status;
	options->program = options->busybox;
	options->target = BUSYBOX_TARGET;
	options->name = "sh";
	options->usual_files = true;
	options->terminal = isatty(STDIN_FILENO) && isatty(STDOUT_FILENO);
	arguments[4] = options->command;
	options->arguments = arguments;
	options->argument_count = options->command ? 5 : 3;
	return 0;
}
