/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Random bytes: ChaCha20 (RFC 8439, section 2.3) whose key is replaced by its own output after each
 * request, so that what was handed out cannot be computed from a later state.
 */
#include <string.h>

#include "arm64.h"
#include "cpu.h"
#include "sysreg.h"

enum { KEY_WORDS = 8, BLOCK_WORDS = 16, BLOCK_BYTES = 64 };

static struct {
	struct spinlock lock;
	u32 key[KEY_WORDS];
} generator;

static u32 rotate(u32 v, unsigned int n)
{
	return v << n | v >> (32 - n);
}

static void quarter_round(u32 *x, int a, int b, int c, int d)
{
	x[a] += x[b];
	x[d] = rotate(x[d] ^ x[a], 16);
	x[c] += x[d];
	x[b] = rotate(x[b] ^ x[c], 12);
	x[a] += x[b];
	x[d] = rotate(x[d] ^ x[a], 8);
	x[c] += x[d];
	x[b] = rotate(x[b] ^ x[c], 7);
}

static void block(const u32 *key, u32 counter, u32 *out)
{
	u32 start[BLOCK_WORDS] = { 0x61707865, 0x3320646e, 0x79622d32, 0x6b206574 };

	memcpy(start + 4, key, KEY_WORDS * sizeof(u32));
	start[12] = counter;
	memcpy(out, start, sizeof(start));
	for (int i = 0; i < 10; i++) {
		quarter_round(out, 0, 4, 8, 12);
		quarter_round(out, 1, 5, 9, 13);
		quarter_round(out, 2, 6, 10, 14);
		quarter_round(out, 3, 7, 11, 15);
		quarter_round(out, 0, 5, 10, 15);
		quarter_round(out, 1, 6, 11, 12);
		quarter_round(out, 2, 7, 8, 13);
		quarter_round(out, 3, 4, 9, 14);
	}
	for (int i = 0; i < BLOCK_WORDS; i++)
		out[i] += start[i];
}

/* Block 0 becomes the next key. */
static void replace_key(void)
{
	u32 out[BLOCK_WORDS];

	block(generator.key, 0, out);
	memcpy(generator.key, out, sizeof(generator.key));
}

static void mix(const void *seed, size_t n)
{
	const u8 *p = seed;

	for (size_t i = 0; i < n; i++)
		((u8 *)generator.key)[i % sizeof(generator.key)] ^= p[i];
	replace_key();
}

/* RNDR may fail and says so in the flags. */
static bool read_rndr(u64 *value)
{
	u64 ok;

	__asm__ volatile("mrs %0, " sysreg_string(SYS_RNDR) "\n\tcset %1, ne"
			 : "=r"(*value), "=r"(ok)
			 :
			 : "cc");
	return ok != 0;
}

void random_init(void)
{
	u64 now = read_sysreg(cntpct_el0);

	mix(platform.rng_seed, platform.rng_seed_size);
	mix(&now, sizeof(now));
	for (int i = 0; cpu_features.rndr && i < 4; i++) {
		u64 value;

		if (read_rndr(&value))
			mix(&value, sizeof(value));
	}
	memset(platform.rng_seed, 0, sizeof(platform.rng_seed));
}

void port_random(void *p, size_t n)
{
	u32 out[BLOCK_WORDS];
	u32 key[KEY_WORDS];
	u8 *to = p;

	spin_lock(&generator.lock);
	memcpy(key, generator.key, sizeof(key));
	replace_key();
	spin_unlock(&generator.lock);
	for (u32 counter = 1; n; counter++) {
		size_t part = min(n, (size_t)BLOCK_BYTES);

		block(key, counter, out);
		memcpy(to, out, part);
		to += part;
		n -= part;
	}
}
