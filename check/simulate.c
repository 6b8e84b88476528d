/* SPDX-License-Identifier: Apache-2.0 */
/* Not yet: see check/check.h. */
#include <stdio.h>

#include "check/check.h"

int check_simulate(const struct simulate_request *r)
{
	(void)r;
	fputs("catwalk: --simulate is not built\n", stderr);
	return 2;
}
