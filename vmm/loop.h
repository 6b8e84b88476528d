/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The main thread's loop: waits for what comes from outside (input, network, a timer) and hands it
 * to devices, while the vCPUs' threads run the guest.
 */
#ifndef VMM_LOOP_H
#define VMM_LOOP_H

#include <stdbool.h>

struct watch {
	int fd;
	/* Whether input is wanted now; asked before each wait. */
	bool (*wanted)(struct watch *watch);
	/* There is some, or the other end is gone. */
	void (*ready)(struct watch *watch);
};

/* Before loop_run(); a descriptor is watched for input from then on. */
void loop_add(struct watch *watch);

/* From any thread: `wanted` may answer otherwise now. */
void loop_wake(void);

_Noreturn void loop_run(void);

#endif
