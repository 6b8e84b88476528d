/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Strings and formatting with the C standard's meaning: the C library's natively, port/arm64's on
 * the target.
 */
#ifndef HOST_STRING_H
#define HOST_STRING_H

#include <stdio.h>
#include <string.h>

#endif
