/* SPDX-License-Identifier: Apache-2.0 */
/* The user's terminal, while the machine has it (CATWALK_RUN_TERMINAL). */
#ifndef CLI_TERMINAL_H
#define CLI_TERMINAL_H

#include <stdint.h>

/* Its size as the machine is told: rows << 16 | columns; 0 if it is not known. */
uint32_t terminal_window(void);
/* Every key is passed on as it is typed, and nothing is echoed, until terminal_restore(). Also to
 * be called when the launcher was stopped and goes on. */
void terminal_make_raw(void);
void terminal_restore(void);

#endif
