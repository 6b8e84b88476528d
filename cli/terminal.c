/* SPDX-License-Identifier: Apache-2.0 */
/* The settings and the size of the terminal on standard input. */
#include "cli/terminal.h"

#include <stdbool.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

static struct termios saved;
static bool is_saved;

uint32_t terminal_window(void)
{
	struct winsize size;

	if (ioctl(STDIN_FILENO, TIOCGWINSZ, &size))
		return 0;
	return (uint32_t)size.ws_row << 16 | size.ws_col;
}

void terminal_make_raw(void)
{
	struct termios raw;

	if (!is_saved && tcgetattr(STDIN_FILENO, &saved))
		return;
	is_saved = true;
	raw = saved;
	cfmakeraw(&raw);
	tcsetattr(STDIN_FILENO, TCSADRAIN, &raw);
}

void terminal_restore(void)
{
	if (is_saved)
		tcsetattr(STDIN_FILENO, TCSADRAIN, &saved);
}
