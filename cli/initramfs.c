/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The initramfs: a newc cpio archive in anonymous memory. The program gets /bin/NAME, so that a
 * program which opens itself by argv[0] finds itself.
 */
#include "cli/initramfs.h"

#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <fcntl.h>
#include <fts.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "abi/catwalk_run.h"
#include "cli/error.h"
#include "cli/terminal.h"

#define COPY_BYTES	 65536
#define LINK_BYTES	 1020 /* what the kernel unpacks */
#define TREE_PATH_MAX	 256
#define HIDDEN_DIRECTORY "/.catwalk"

/* Every entry's path so far, so that directories come once and no two files share a target. */
struct path_list {
	char **paths;
	size_t count;
};

struct packer {
	struct archive *archive;
	struct path_list directories;
	struct path_list files;
};

/* A growing run of NUL-terminated strings. */
struct strings {
	char bytes[CATWALK_RUN_STRING_BYTES_MAX];
	size_t length;
	bool overflow;
};

static int out_of_memory(void)
{
	complain("packing the initramfs: out of memory");
	return STATUS_MACHINE_FAILED;
}

static bool path_is_listed(const struct path_list *list, const char *path)
{
	for (size_t i = 0; i < list->count; i++)
		if (!strcmp(list->paths[i], path))
			return true;
	return false;
}

static int list_path(struct path_list *list, const char *path)
{
	char **paths = reallocarray(list->paths, list->count + 1, sizeof(*paths));

	if (!paths)
		return out_of_memory();
	list->paths = paths;
	paths[list->count] = strdup(path);
	if (!paths[list->count])
		return out_of_memory();
	list->count++;
	return 0;
}

static void free_paths(struct path_list *list)
{
	for (size_t i = 0; i < list->count; i++)
		free(list->paths[i]);
	free(list->paths);
}

static int archive_failed(const struct packer *packer)
{
	complain("packing the initramfs: %s", archive_error_string(packer->archive));
	return STATUS_MACHINE_FAILED;
}

/* Starts an entry; the archive names paths without the leading slash. */
static int add_entry(struct packer *packer, const char *path, mode_t type, mode_t mode,
		     uint64_t size)
{
	struct archive_entry *entry = archive_entry_new();
	int status = 0;

	if (!entry)
		return out_of_memory();
	archive_entry_set_pathname(entry, path + 1);
	archive_entry_set_filetype(entry, type);
	archive_entry_set_perm(entry, mode);
	archive_entry_set_size(entry, (la_int64_t)size);
	archive_entry_set_mtime(entry, 0, 0);
	archive_entry_set_nlink(entry, 1);
	if (archive_write_header(packer->archive, entry) != ARCHIVE_OK)
		status = archive_failed(packer);
	archive_entry_free(entry);
	return status;
}

static int add_data(struct packer *packer, const void *data, size_t length)
{
	if (archive_write_data(packer->archive, data, length) != (la_ssize_t)length)
		return archive_failed(packer);
	return 0;
}

/* Adds the directories above a path that are not there yet. */
static int add_directories(struct packer *packer, const char *path)
{
	char prefix[256];

	for (const char *slash = strchr(path + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
		int status;

		snprintf(prefix, sizeof(prefix), "%.*s", (int)(slash - path), path);
		if (path_is_listed(&packer->directories, prefix))
			continue;
		if (path_is_listed(&packer->files, prefix))
			return bad_input("%s: cannot be placed under %s, which is a file", path,
					 prefix);
		status = list_path(&packer->directories, prefix);
		if (!status)
			status = add_entry(packer, prefix, AE_IFDIR, 0755, 0);
		if (status)
			return status;
	}
	return 0;
}

static int copy_file(struct packer *packer, const char *host, int fd, uint64_t size)
{
	char buffer[COPY_BYTES];

	while (size) {
		size_t want = size < sizeof(buffer) ? (size_t)size : sizeof(buffer);
		ssize_t got = read(fd, buffer, want);
		int status;

		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0)
			return bad_input("%s: %s while it was read", host,
					 got ? strerror(errno) : "became shorter");
		status = add_data(packer, buffer, (size_t)got);
		if (status)
			return status;
		size -= (uint64_t)got;
	}
	return 0;
}

static int add_open_file(struct packer *packer, const char *host, int fd, const char *target,
			 mode_t grant)
{
	struct stat stat;
	int status;

	if (fstat(fd, &stat) || !S_ISREG(stat.st_mode))
		return bad_input("%s: not a regular file", host);
	if (path_is_listed(&packer->files, target) || path_is_listed(&packer->directories, target))
		return bad_input("%s: target %s is taken by another file", host, target);
	status = add_directories(packer, target);
	if (!status)
		status = list_path(&packer->files, target);
	if (!status)
		status = add_entry(packer, target, AE_IFREG, (stat.st_mode & 0777) | grant,
				   (uint64_t)stat.st_size);
	if (!status)
		status = copy_file(packer, host, fd, (uint64_t)stat.st_size);
	return status;
}

/* grant: permission bits the entry has whatever the file has. */
static int add_file(struct packer *packer, const char *host, const char *target, mode_t grant)
{
	int fd = open(host, O_RDONLY | O_CLOEXEC);
	int status;

	if (fd < 0)
		return bad_input("%s: %s", host, strerror(errno));
	status = add_open_file(packer, host, fd, target, grant);
	close(fd);
	return status;
}

static void add_string(struct strings *strings, const char *text)
{
	size_t length = strlen(text) + 1;

	if (length > sizeof(strings->bytes) - strings->length) {
		strings->overflow = true;
		return;
	}
	memcpy(strings->bytes + strings->length, text, length);
	strings->length += length;
}

static uint32_t terminal_bits(void)
{
	uint32_t bits = 0;

	for (int fd = 0; fd <= 2; fd++)
		if (isatty(fd))
			bits |= 1u << fd;
	return bits;
}

/* Fills in what to start: path, directory, argv with the path first, environment. */
static void collect_strings(const struct run_options *options, const char *path,
			    struct strings *strings)
{
	add_string(strings, path);
	add_string(strings, "/");
	add_string(strings, options->name ? options->name : path);
	for (size_t i = 0; i < options->argument_count; i++)
		add_string(strings, options->arguments[i]);
	add_string(strings, "PATH=/bin");
	add_string(strings, "HOME=/");
	for (size_t i = 0; i < options->environment_count; i++)
		add_string(strings, options->environment[i]);
}

static int add_run_file(struct packer *packer, const struct run_options *options, const char *path)
{
	struct strings *strings = calloc(1, sizeof(*strings));
	struct catwalk_run_header header = {
		.magic = CATWALK_RUN_MAGIC,
		.version = CATWALK_RUN_VERSION,
		.argc = (uint32_t)options->argument_count + 1,
		.envc = (uint32_t)options->environment_count + 2,
		.terminals = terminal_bits(),
		.flags = (options->report ? CATWALK_RUN_REPORT : 0) |
			 (options->trace ? CATWALK_RUN_TRACE : 0) |
			 (options->terminal ? CATWALK_RUN_TERMINAL : 0),
		.window = options->terminal ? terminal_window() : 0,
	};
	int status;

	if (!strings)
		return out_of_memory();
	collect_strings(options, path, strings);
	if (strings->overflow || header.argc > CATWALK_RUN_STRINGS_MAX) {
		free(strings);
		return bad_input(
			"run: arguments and environment are too long; at most %u strings of "
			"%u bytes together are accepted",
			CATWALK_RUN_STRINGS_MAX, CATWALK_RUN_STRING_BYTES_MAX);
	}
	header.string_bytes = (uint32_t)strings->length;
	status = add_directories(packer, CATWALK_RUN_PATH);
	if (!status)
		status = add_entry(packer, CATWALK_RUN_PATH, AE_IFREG, 0400,
				   sizeof(header) + strings->length);
	if (!status)
		status = add_data(packer, &header, sizeof(header));
	if (!status)
		status = add_data(packer, strings->bytes, strings->length);
	free(strings);
	return status;
}

/* /bin/NAME for the program at host path .../NAME. */
static int program_target(const char *program, char *target, size_t size)
{
	const char *slash = strrchr(program, '/');
	const char *name = slash ? slash + 1 : program;

	if (snprintf(target, size, "/bin/%s", name) >= (int)size)
		return bad_input("%s: its name is longer than %zu characters", program, size - 6);
	return 0;
}

/* ---- a tree of the build machine (--root) */

static int add_link(struct packer *packer, const char *target, const char *path)
{
	struct archive_entry *entry = archive_entry_new();
	int status = list_path(&packer->files, path);

	if (status || !entry) {
		archive_entry_free(entry);
		return status ? status : out_of_memory();
	}
	archive_entry_set_pathname(entry, path + 1);
	archive_entry_set_filetype(entry, AE_IFLNK);
	archive_entry_set_perm(entry, 0777);
	archive_entry_set_size(entry, 0);
	archive_entry_set_symlink(entry, target);
	archive_entry_set_mtime(entry, 0, 0);
	archive_entry_set_nlink(entry, 1);
	if (archive_write_header(packer->archive, entry) != ARCHIVE_OK)
		status = archive_failed(packer);
	archive_entry_free(entry);
	return status;
}

static int add_host_link(struct packer *packer, const char *host, const char *path)
{
	char target[LINK_BYTES];
	ssize_t length = readlink(host, target, sizeof(target));

	if (length < 0 || length == (ssize_t)sizeof(target))
		return bad_input("%s: %s", host, length < 0 ? strerror(errno) : "too long a link");
	target[length] = '\0';
	return add_link(packer, target, path);
}

static int add_host_directory(struct packer *packer, const char *path, mode_t mode)
{
	int status = list_path(&packer->directories, path);

	return status ? status : add_entry(packer, path, AE_IFDIR, mode & 07777, 0);
}

/* @path: where the entry is under the tree's root, with a slash before it. */
static int add_tree_entry(struct packer *packer, const FTSENT *entry, const char *path)
{
	if (!strcmp(path, HIDDEN_DIRECTORY))
		return bad_input("%s: is where the launcher's own file goes", entry->fts_path);
	if (strlen(path) >= TREE_PATH_MAX)
		return bad_input("%s: its path has more than %d characters", entry->fts_path,
				 TREE_PATH_MAX - 1);
	switch (entry->fts_info) {
	case FTS_D: return add_host_directory(packer, path, entry->fts_statp->st_mode);
	case FTS_DP: return 0;
	case FTS_F: return add_file(packer, entry->fts_accpath, path, 0);
	case FTS_SL:
	case FTS_SLNONE: return add_host_link(packer, entry->fts_accpath, path);
	case FTS_DNR:
	case FTS_ERR:
	case FTS_NS: return bad_input("%s: %s", entry->fts_path, strerror(entry->fts_errno));
	default: return bad_input("%s: neither a file nor a directory nor a link", entry->fts_path);
	}
}

/* Characters of an entry's path that are not the machine's. */
static size_t tree_prefix(const char *root)
{
	size_t length = strlen(root);

	while (length && root[length - 1] == '/')
		length--;
	return length;
}

static int by_name(const FTSENT **a, const FTSENT **b)
{
	return strcmp((*a)->fts_name, (*b)->fts_name);
}

static int add_tree(struct packer *packer, const char *root)
{
	char *const roots[] = { (char *)root, NULL };
	FTS *tree = fts_open(roots, FTS_PHYSICAL | FTS_COMFOLLOW | FTS_NOCHDIR, by_name);
	FTSENT *entry;
	int status = 0;

	if (!tree)
		return bad_input("--root: '%s': %s", root, strerror(errno));
	while (!status && (entry = fts_read(tree))) {
		if (entry->fts_level > 0)
			status = add_tree_entry(packer, entry, entry->fts_path + tree_prefix(root));
	}
	fts_close(tree);
	return status;
}

static bool is_taken(const struct packer *packer, const char *path)
{
	return path_is_listed(&packer->files, path) || path_is_listed(&packer->directories, path);
}

/* ---- what a shell expects to be there, unless the tree has it */

static const struct {
	const char *path, *text;
} usual_files[] = {
	{ "/etc/passwd", "root:x:0:0:root:/:/bin/sh\n" },
	{ "/etc/group", "root:x:0:\n" },
};

/* Scripts name their interpreter by places like these. */
static const struct {
	const char *path, *target;
} usual_links[] = {
	{ "/sbin", "bin" },
	{ "/usr/bin", "../bin" },
	{ "/usr/sbin", "../bin" },
};

static int add_text(struct packer *packer, const char *path, const char *text)
{
	int status = add_directories(packer, path);

	if (!status)
		status = list_path(&packer->files, path);
	if (!status)
		status = add_entry(packer, path, AE_IFREG, 0644, strlen(text));
	return status ? status : add_data(packer, text, strlen(text));
}

static int add_usual(struct packer *packer)
{
	int status = 0;

	for (size_t i = 0; !status && i < sizeof(usual_files) / sizeof(usual_files[0]); i++)
		if (!is_taken(packer, usual_files[i].path))
			status = add_text(packer, usual_files[i].path, usual_files[i].text);
	for (size_t i = 0; !status && i < sizeof(usual_links) / sizeof(usual_links[0]); i++) {
		if (is_taken(packer, usual_links[i].path))
			continue;
		status = add_directories(packer, usual_links[i].path);
		if (!status)
			status = add_link(packer, usual_links[i].target, usual_links[i].path);
	}
	return status;
}

static int pack_all(struct packer *packer, const struct run_options *options)
{
	char path[128];
	int status = options->root ? add_tree(packer, options->root) : 0;

	if (!status && options->target)
		snprintf(path, sizeof(path), "%s", options->target);
	else if (!status)
		status = program_target(options->program, path, sizeof(path));
	if (!status)
		status = add_file(packer, options->program, path, 0555);
	for (size_t i = 0; !status && i < options->file_count; i++)
		status = add_file(packer, options->files[i].host, options->files[i].target,
				  options->files[i].is_program ? 0555 : 0444);
	if (!status && options->usual_files)
		status = add_usual(packer);
	if (!status)
		status = add_run_file(packer, options, path);
	return status;
}

static int open_archive(struct packer *packer, int fd)
{
	packer->archive = archive_write_new();
	if (!packer->archive)
		return out_of_memory();
	if (archive_write_set_format_cpio_newc(packer->archive) != ARCHIVE_OK ||
	    archive_write_set_bytes_in_last_block(packer->archive, 1) != ARCHIVE_OK ||
	    archive_write_open_fd(packer->archive, fd) != ARCHIVE_OK)
		return archive_failed(packer);
	return 0;
}

int pack_initramfs(const struct run_options *options, struct initramfs *initramfs)
{
	struct packer packer = { 0 };
	int fd = memfd_create("catwalk-initramfs", MFD_CLOEXEC);
	int status;

	if (fd < 0) {
		complain("packing the initramfs: %s", strerror(errno));
		return STATUS_MACHINE_FAILED;
	}
	status = open_archive(&packer, fd);
	if (!status)
		status = pack_all(&packer, options);
	if (!status && archive_write_close(packer.archive) != ARCHIVE_OK)
		status = archive_failed(&packer);
	archive_write_free(packer.archive);
	free_paths(&packer.directories);
	free_paths(&packer.files);
	if (status) {
		close(fd);
		return status;
	}
	initramfs->fd = fd;
	initramfs->size = (uint64_t)lseek(fd, 0, SEEK_END);
	return 0;
}
