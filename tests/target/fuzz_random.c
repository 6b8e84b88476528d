/* SPDX-License-Identifier: Apache-2.0 */
/* The fuzzer's random numbers. */
#include "tests/target/fuzz.h"

/* Low bits of every kernel address that we make up, so that they are known again. */
enum { TAG_MASK = 0xffff, TAG = 0x5aa8 };

uint64_t fuzz_next(struct fuzz *f)
{
	f->random ^= f->random << 13;
	f->random ^= f->random >> 7;
	f->random ^= f->random << 17;
	return f->random * 0x2545f4914f6cdd1d;
}

uint64_t fuzz_below(struct fuzz *f, uint64_t limit)
{
	return (fuzz_next(f) >> 20) % limit;
}

uint64_t fuzz_odd(struct fuzz *f)
{
	static const uint64_t numbers[] = {
		0,
		1,
		2,
		3,
		7,
		8,
		63,
		64,
		65,
		255,
		511,
		512,
		1000,
		4095,
		4096,
		4097,
		65535,
		65536,
		1ul << 20,
		1ul << 21,
		1ul << 30,
		0x7fffffff,
		0x80000000,
		0xffffffff,
		1ul << 32,
		1ul << 39,
		1ul << 40,
		1ul << 47,
		1ul << 48,
		-4096ul,
		1ul << 63,
		-1ul,
		-2ul,
		1ul << 62,
		1000000000,
		0x7fffffffffffffff,
		-(1ul << 31),
	};

	return numbers[fuzz_below(f, sizeof(numbers) / sizeof(numbers[0]))];
}

uint64_t fuzz_kernel_address(struct fuzz *f)
{
	/* RAM and image as Catwalk maps them, its stacks, and Linux's image. */
	static const uint64_t bases[] = { 0xffff000040000000, 0xffffffff80000000,
					  0xffffffc000000000, 0xffff800008000000 };
	uint64_t at = bases[fuzz_below(f, 4)] + fuzz_below(f, 1u << 21);

	return (at & ~(uint64_t)TAG_MASK) | TAG;
}

uint64_t fuzz_bad_pointer(struct fuzz *f)
{
	switch (fuzz_below(f, 6)) {
	case 0: return 0;
	case 1: return FUZZ_PAGE - 8;
	case 2: return fuzz_kernel_address(f);
	case 3: return (1ul << 48) - fuzz_below(f, 64);
	case 4: return 0xfff0000000000000 - fuzz_below(f, 64);
	default: return fuzz_odd(f);
	}
}
