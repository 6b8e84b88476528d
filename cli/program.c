/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reads an ELF file's headers and says in one line why it cannot run, if it cannot. The headers are
 * a stranger's bytes: every offset is checked against the size of the file before use.
 */
#include "cli/program.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/error.h"

#define ACCEPTED "accepted is a static 64-bit ELF program for AArch64"

struct elf_file {
	const char *path;
	int fd;
	uint64_t size;
	Elf64_Ehdr header;
};

static const char *machine_name(uint16_t machine)
{
	switch (machine) {
	case EM_386: return "x86";
	case EM_X86_64: return "x86-64";
	case EM_ARM: return "32-bit Arm";
	case EM_RISCV: return "RISC-V";
	case EM_PPC64: return "PowerPC";
	case EM_S390: return "S/390";
	case EM_MIPS: return "MIPS";
	default: return "another machine";
	}
}

static bool read_at(const struct elf_file *file, void *buffer, size_t length, uint64_t offset)
{
	return offset <= file->size && length <= file->size - offset &&
	       pread(file->fd, buffer, length, (off_t)offset) == (ssize_t)length;
}

static bool holds(const struct elf_file *file, uint64_t offset, uint64_t length)
{
	return offset <= file->size && length <= file->size - offset;
}

static int truncated(const struct elf_file *file, const char *part)
{
	return bad_input("%s: truncated: its %s reaches beyond its %llu bytes; " ACCEPTED,
			 file->path, part, (unsigned long long)file->size);
}

static int check_identity(struct elf_file *file)
{
	const Elf64_Ehdr *header = &file->header;
	unsigned char identity[EI_NIDENT];

	if (!file->size)
		return bad_input("%s: an empty file; " ACCEPTED, file->path);
	if (read_at(file, identity, 2, 0) && !memcmp(identity, "#!", 2))
		return bad_input("%s: a script; " ACCEPTED, file->path);
	if (!read_at(file, identity, sizeof(identity), 0) || memcmp(identity, ELFMAG, SELFMAG))
		return bad_input("%s: not an ELF file; " ACCEPTED, file->path);
	if (identity[EI_DATA] != ELFDATA2LSB)
		return bad_input("%s: a big-endian ELF file; " ACCEPTED, file->path);
	if (!read_at(file, &file->header, sizeof(file->header), 0))
		return truncated(file, "ELF header");
	if (header->e_machine != EM_AARCH64)
		return bad_input("%s: a program for %s (machine %u); " ACCEPTED, file->path,
				 machine_name(header->e_machine), header->e_machine);
	if (identity[EI_CLASS] != ELFCLASS64)
		return bad_input("%s: a 32-bit ELF file; " ACCEPTED, file->path);
	if (header->e_type != ET_EXEC && header->e_type != ET_DYN)
		return bad_input("%s: an ELF file of type %u, no program; " ACCEPTED, file->path,
				 header->e_type);
	if (header->e_phentsize != sizeof(Elf64_Phdr) || header->e_phnum == 0)
		return bad_input("%s: an ELF file without program headers; " ACCEPTED, file->path);
	return 0;
}

static int check_extent(const struct elf_file *file)
{
	const Elf64_Ehdr *header = &file->header;

	if (!holds(file, header->e_phoff, (uint64_t)header->e_phnum * header->e_phentsize))
		return truncated(file, "table of program headers");
	if (header->e_shoff &&
	    !holds(file, header->e_shoff, (uint64_t)header->e_shnum * header->e_shentsize))
		return truncated(file, "table of sections");
	return 0;
}

static int check_segments(const struct elf_file *file)
{
	bool loads = false;

	for (unsigned int i = 0; i < file->header.e_phnum; i++) {
		Elf64_Phdr segment;

		if (!read_at(file, &segment, sizeof(segment),
			     file->header.e_phoff + (uint64_t)i * sizeof(segment)))
			return truncated(file, "table of program headers");
		if (segment.p_type == PT_INTERP)
			return bad_input("%s: dynamically linked (link it with -static); " ACCEPTED,
					 file->path);
		if (segment.p_type != PT_LOAD)
			continue;
		loads = true;
		if (!holds(file, segment.p_offset, segment.p_filesz))
			return truncated(file, "segment");
	}
	if (!loads || !file->header.e_entry)
		return bad_input(
			"%s: nothing to load or no entry point, as in a shared library; " ACCEPTED,
			file->path);
	return 0;
}

static int open_file(const char *path, struct elf_file *file)
{
	struct stat stat;

	file->path = path;
	/* A named pipe is opened at once, whoever writes to it. */
	file->fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (file->fd < 0)
		return bad_input("%s: %s; " ACCEPTED, path, strerror(errno));
	if (fstat(file->fd, &stat) || !S_ISREG(stat.st_mode)) {
		close(file->fd);
		return bad_input("%s: not a regular file; " ACCEPTED, path);
	}
	file->size = (uint64_t)stat.st_size;
	return 0;
}

int check_program(const char *path)
{
	struct elf_file file = { 0 };
	int status = open_file(path, &file);

	if (status)
		return status;
	status = check_identity(&file);
	if (!status)
		status = check_extent(&file);
	if (!status)
		status = check_segments(&file);
	close(file.fd);
	return status;
}
