/* SPDX-License-Identifier: Apache-2.0 */
/* A guest-memory contract in a file: JSON, as docs/contract.md defines it. */
#ifndef CLI_CONTRACT_FILE_H
#define CLI_CONTRACT_FILE_H

#include "engine/contract.h"

/*
 * Reads @path. Of a version that is not CONTRACT_VERSION only the version is read: its other fields
 * may mean anything. Returns 0, @out->slots to be freed with free_contract(); or STATUS_BAD_INPUT
 * after one line that names the file, the field, its value and what is accepted.
 */
int read_contract(const char *path, struct contract *out);
void free_contract(struct contract *c);

#endif
