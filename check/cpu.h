/* SPDX-License-Identifier: Apache-2.0 */
/* Facts of a modelled CPU by name: "fwb=off,dic=on,bbm=2,...". */
#ifndef CHECK_CPU_H
#define CHECK_CPU_H

#include <stdio.h>

#include "engine/port.h"

#define CPU_FACT_NAMES                                                                             \
	"fwb, dic, idc, ttl, range, af, dbm (on or off), bbm 0..2, vmid 2..16, cpus 1..8"

/* Sets the fact that @word ("fwb=off") names, unless its bit is in @keep. False: it names none, or
 * its value is not accepted. @mask gets its bit. */
bool cpu_fact_set(struct port_caps *caps, const char *word, u32 keep, u32 *mask);
/* Several, with commas between; facts that depend on others follow. False after a line on @errors.
 */
bool cpu_facts_set(struct port_caps *caps, const char *facts, u32 keep, FILE *errors);
/* Makes facts agree that do not exclude each other: FWB implies IDC, hardware dirty state the
 * hardware Access flag. */
void cpu_facts_settle(struct port_caps *caps);
/* A rollover keeps a VMID for each CPU, and hands out one more (engine/vmid.h). */
bool cpu_facts_agree(const struct port_caps *caps);
#define CPU_FACTS_DISAGREE "cpus: there are not more VMIDs than CPUs"
/* As cpu_facts_set() takes them. */
void cpu_facts_print(const struct port_caps *caps, FILE *out);

#endif
