/* SPDX-License-Identifier: Apache-2.0 */
/* Relays a machine's streams until the program's status has come or the machine is gone. */
#ifndef CLI_RELAY_H
#define CLI_RELAY_H

#include "cli/options.h"
#include "cli/qemu.h"

/*
 * Blocks the signals that end the launcher, and those of the terminal that it leaves to the
 * machine, so that relay_machine() can take them one by one and end the machine first. To be called
 * before start_machine().
 */
void relay_block_signals(const struct run_options *options);

/* Descriptors that take what options ask for, or -1. */
struct relay_files {
	int report; /* --report */
	int trace;  /* --trace */
};

/*
 * Runs until the machine is gone, or ends it on timeout. SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGUSR1
 * and SIGUSR2 are passed on to the program; they end the machine if there is no program yet, if
 * they come a second time, and with --terminal, where keys send signals. Closes the machine's
 * descriptors and reaps its process. Returns the status that `catwalk run` exits with.
 */
int relay_machine(const struct run_options *options, struct machine *machine,
		  const struct relay_files *files);

#endif
