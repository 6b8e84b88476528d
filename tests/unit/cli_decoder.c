/* SPDX-License-Identifier: Apache-2.0 */
/* The launcher's decoder: however the stream is cut, the same records come out; nonsense is
 * refused. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "cli/decoder.h"

/* What the handler saw, as text: pieces of one stream joined. */
struct seen {
	char text[256];
	uint32_t last_stream;
	int refuse; /* what the handler returns */
};

static int see(void *context, uint32_t type, const char *payload, size_t length)
{
	struct seen *seen = context;
	size_t used = strlen(seen->text);
	char *end = seen->text + used;
	size_t room = sizeof(seen->text) - used;

	if (type == CATWALK_REC_STDOUT || type == CATWALK_REC_STDERR) {
		if (seen->last_stream != type)
			snprintf(end, room, "[%u]%.*s", type, (int)length, payload);
		else
			snprintf(end, room, "%.*s", (int)length, payload);
		seen->last_stream = type;
	} else {
		uint32_t value;

		assert_int_equal(length, sizeof(value));
		memcpy(&value, payload, sizeof(value));
		snprintf(end, room, "(%u:%u)", type, value);
		seen->last_stream = 0;
	}
	return seen->refuse;
}

static size_t put(char *stream, size_t at, uint32_t type, const void *payload, uint32_t length)
{
	struct catwalk_record header = { .type = type, .length = length };

	memcpy(stream + at, &header, sizeof(header));
	memcpy(stream + at + sizeof(header), payload, length);
	return at + sizeof(header) + length;
}

static size_t sample_stream(char *stream)
{
	uint32_t value = 7;
	size_t length = 0;

	length = put(stream, length, CATWALK_REC_STDOUT, "hello", 5);
	length = put(stream, length, CATWALK_REC_STDERR, "", 0);
	length = put(stream, length, CATWALK_REC_STDIN_WANT, &value, sizeof(value));
	length = put(stream, length, CATWALK_REC_STDERR, "oops", 4);
	return put(stream, length, CATWALK_REC_EXIT, &value, sizeof(value));
}

static void every_cut_gives_the_same_records(void **state)
{
	char stream[128];
	size_t length = sample_stream(stream);

	(void)state;
	for (size_t first = 0; first <= length; first++) {
		for (size_t second = first; second <= length; second++) {
			struct decoder decoder = { 0 };
			struct seen seen = { 0 };

			assert_int_equal(0, decoder_feed(&decoder, stream, first, see, &seen));
			assert_int_equal(0, decoder_feed(&decoder, stream + first, second - first,
							 see, &seen));
			assert_int_equal(0, decoder_feed(&decoder, stream + second, length - second,
							 see, &seen));
			assert_string_equal("[16]hello(18:7)[17]oops(20:7)", seen.text);
		}
	}
}

static void nonsense_is_refused(void **state)
{
	static const struct catwalk_record bad[] = {
		{ 0, 0 },
		{ CATWALK_REC_STDIN, 1 }, /* the launcher's own */
		{ 23, 0 },
		{ CATWALK_REC_STARTED, 4 },
		{ CATWALK_REC_TRACE, CATWALK_RECORD_MAX + 1 },
		{ CATWALK_REC_STDOUT, CATWALK_RECORD_MAX + 1 },
		{ CATWALK_REC_EXIT, 0 },
		{ CATWALK_REC_EXIT, 5 },
		{ CATWALK_REC_STDIN_WANT, 8 },
		{ 0xffffffff, 0xffffffff },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct decoder decoder = { 0 };
		struct seen seen = { 0 };

		assert_int_equal(-EPROTO, decoder_feed(&decoder, (const char *)&bad[i],
						       sizeof(bad[i]), see, &seen));
		assert_string_equal("", seen.text);
	}
}

static void the_largest_record_passes(void **state)
{
	static char payload[CATWALK_RECORD_MAX];
	struct catwalk_record header = { CATWALK_REC_STDOUT, CATWALK_RECORD_MAX };
	struct decoder decoder = { 0 };
	struct seen seen = { 0 };

	(void)state;
	assert_int_equal(0,
			 decoder_feed(&decoder, (const char *)&header, sizeof(header), see, &seen));
	assert_int_equal(0, decoder_feed(&decoder, payload, sizeof(payload), see, &seen));
	assert_int_equal(0, decoder.header_bytes);
}

static void the_handler_can_stop_it(void **state)
{
	char stream[128];
	size_t length = sample_stream(stream);
	struct decoder decoder = { 0 };
	struct seen seen = { .refuse = -EIO };

	(void)state;
	assert_int_equal(-EIO, decoder_feed(&decoder, stream, length, see, &seen));
	assert_string_equal("[16]hello", seen.text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_cut_gives_the_same_records),
		cmocka_unit_test(nonsense_is_refused),
		cmocka_unit_test(the_largest_record_passes),
		cmocka_unit_test(the_handler_can_stop_it),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
