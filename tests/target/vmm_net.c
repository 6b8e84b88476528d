/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Two guests of the VMM (/vmm, /Image, /initramfs) on one network: two pipes between their virtio
 * devices. One pings the other and powers off; the other answers until it is gone (vmm/guest/init).
 */
#define _GNU_SOURCE
#include "tests/target/check.h"

#include <fcntl.h>
#include <stdbool.h>
#include <sys/wait.h>
#include <unistd.h>

enum { OUTPUT_MAX = 64 * 1024, ARGS_MAX = 16, TEXT_MAX = 160 };

struct guest {
	const char *role;
	int in, out, output; /* of the network; what it prints */
	pid_t pid;
};

static void start(struct guest *g)
{
	char net[TEXT_MAX], append[TEXT_MAX];
	const char *argv[ARGS_MAX] = { "/vmm",	     "--kernel", "/Image", "--initramfs",
				       "/initramfs", "--memory", "128M",   "--net",
				       net,	     "--append", append };
	int ends[2];

	REQUIRE(pipe2(ends, O_CLOEXEC) == 0);
	g->output = ends[0];
	snprintf(net, sizeof(net), "fd:%d,%d", g->in, g->out);
	snprintf(append, sizeof(append), "console=ttyAMA0 quiet panic=-1 catwalk.net=%s", g->role);
	g->pid = fork();
	REQUIRE(g->pid >= 0);
	if (g->pid == 0) {
		dup2(open("/dev/null", O_RDONLY), 0);
		dup2(ends[1], 1);
		fcntl(g->in, F_SETFD, 0);
		fcntl(g->out, F_SETFD, 0);
		execv(argv[0], (char **)argv);
		_exit(127);
	}
	close(ends[1]);
	close(g->in);
	close(g->out);
}

/* Waits for its end; whether it said so. */
static bool said(struct guest *g, const char *words)
{
	static char text[OUTPUT_MAX];
	size_t size = 0;
	ssize_t n;
	int status;

	while (size < sizeof(text) - 1 &&
	       (n = read(g->output, text + size, sizeof(text) - 1 - size)) > 0)
		size += (size_t)n;
	text[size] = '\0';
	REQUIRE(waitpid(g->pid, &status, 0) == g->pid);
	CHECK_EQ(WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status), 0);
	printf("--- %s\n%s", g->role, text);
	return strstr(text, words);
}

int main(void)
{
	struct guest ping = { .role = "ping" }, pong = { .role = "pong" };
	int there[2], back[2];

	REQUIRE(pipe2(there, O_CLOEXEC) == 0 && pipe2(back, O_CLOEXEC) == 0);
	ping.in = back[0];
	ping.out = there[1];
	pong.in = there[0];
	pong.out = back[1];
	start(&ping);
	start(&pong);
	CHECK(said(&ping, "5 packets transmitted, 5 packets received"));
	CHECK(said(&pong, "catwalk-net: the other is gone"));
	return check_done("vmm_net");
}
