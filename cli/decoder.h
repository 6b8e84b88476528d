/* SPDX-License-Identifier: Apache-2.0 */
/* Cuts the byte stream from the machine into the records of abi/catwalk_run.h. */
#ifndef CLI_DECODER_H
#define CLI_DECODER_H

#include <stddef.h>
#include <stdint.h>

#include "abi/catwalk_run.h"

/*
 * Called with each piece of a stream record as it comes, and with every other record when it is
 * whole. Returns 0, or a negative errno that stops the decoder.
 */
typedef int (*record_handler)(void *context, uint32_t type, const char *payload, size_t length);

struct decoder {
	struct catwalk_record header;
	size_t header_bytes;  /* of the header that have come */
	size_t payload_bytes; /* of the payload that have come */
	char payload[CATWALK_RECORD_MAX];
};

/*
 * Feeds bytes. Returns 0, what the handler returned, or -EPROTO for a record of unknown type or
 * impossible length, which decoder->header then shows.
 */
int decoder_feed(struct decoder *decoder, const char *bytes, size_t length, record_handler handle,
		 void *context);

#endif
