/* SPDX-License-Identifier: Apache-2.0 */
/* Gives a fuzzer's harness the files that are named, or all of a directory's, without libFuzzer:
 * for coverage by gcov. */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>

enum { INPUT_MAX = 1 << 16, PATH_MAX_HERE = 4096 };

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

static void replay_file(const char *path)
{
	static uint8_t bytes[INPUT_MAX];
	FILE *f = fopen(path, "rb");

	if (!f)
		return;
	(void)LLVMFuzzerTestOneInput(bytes, fread(bytes, 1, sizeof(bytes), f));
	(void)fclose(f);
}

static void replay(const char *path)
{
	char name[PATH_MAX_HERE];
	DIR *dir = opendir(path);
	const struct dirent *e;

	if (!dir) {
		replay_file(path);
		return;
	}
	while ((e = readdir(dir))) {
		if (e->d_name[0] == '.')
			continue;
		(void)snprintf(name, sizeof(name), "%s/%s", path, e->d_name);
		replay_file(name);
	}
	(void)closedir(dir);
}

int main(int argc, char **argv)
{
	for (int i = 1; i < argc; i++)
		replay(argv[i]);
	return 0;
}
