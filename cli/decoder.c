/* SPDX-License-Identifier: Apache-2.0 */
/* An incremental decoder: any cut of the stream into pieces gives the same records. */
#include "cli/decoder.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

static bool is_stream(uint32_t type)
{
	return type == CATWALK_REC_STDOUT || type == CATWALK_REC_STDERR ||
	       type == CATWALK_REC_REPORT || type == CATWALK_REC_TRACE;
}

static bool header_is_valid(const struct catwalk_record *header)
{
	switch (header->type) {
	case CATWALK_REC_STDOUT:
	case CATWALK_REC_STDERR:
	case CATWALK_REC_TRACE:
	case CATWALK_REC_REPORT: return header->length <= CATWALK_RECORD_MAX;
	case CATWALK_REC_STDIN_WANT:
	case CATWALK_REC_EXIT: return header->length == sizeof(uint32_t);
	case CATWALK_REC_STARTED: return header->length == 0;
	default: return false;
	}
}

static size_t smaller(size_t a, size_t b)
{
	return a < b ? a : b;
}

static size_t take_header(struct decoder *decoder, const char *bytes, size_t length)
{
	size_t want = sizeof(decoder->header) - decoder->header_bytes;
	size_t taken = smaller(want, length);

	memcpy((char *)&decoder->header + decoder->header_bytes, bytes, taken);
	decoder->header_bytes += taken;
	return taken;
}

static int take_payload(struct decoder *decoder, const char *bytes, size_t length,
			record_handler handle, void *context)
{
	uint32_t type = decoder->header.type;
	bool complete = decoder->payload_bytes + length == decoder->header.length;

	if (is_stream(type)) {
		decoder->payload_bytes += length;
		return length ? handle(context, type, bytes, length) : 0;
	}
	memcpy(decoder->payload + decoder->payload_bytes, bytes, length);
	decoder->payload_bytes += length;
	return complete ? handle(context, type, decoder->payload, decoder->payload_bytes) : 0;
}

int decoder_feed(struct decoder *decoder, const char *bytes, size_t length, record_handler handle,
		 void *context)
{
	while (length) {
		size_t taken;
		int err;

		if (decoder->header_bytes < sizeof(decoder->header)) {
			taken = take_header(decoder, bytes, length);
			bytes += taken;
			length -= taken;
			if (decoder->header_bytes < sizeof(decoder->header))
				return 0;
			if (!header_is_valid(&decoder->header))
				return -EPROTO;
		}
		taken = smaller(length, decoder->header.length - decoder->payload_bytes);
		err = take_payload(decoder, bytes, taken, handle, context);
		if (err)
			return err;
		bytes += taken;
		length -= taken;
		if (decoder->payload_bytes == decoder->header.length) {
			decoder->header_bytes = 0;
			decoder->payload_bytes = 0;
		}
	}
	return 0;
}
