/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Base types of the whole tree. Addresses of different spaces are different types, so that an IPA
 * handed to a function that wants a PA does not compile.
 */
#ifndef ENGINE_TYPES_H
#define ENGINE_TYPES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef uint8_t u8;
typedef uint16_t u16;
typedef uint32_t u32;
typedef uint64_t u64;
typedef int8_t s8;
typedef int16_t s16;
typedef int32_t s32;
typedef int64_t s64;

/* A physical address of the host, in bytes. */
typedef struct {
	u64 v;
} pa_t;

/* An intermediate physical address: what a guest calls physical, in bytes. */
typedef struct {
	u64 v;
} ipa_t;

/* A virtual address of a host (EL0) program, in bytes. Never dereferenced by the kernel. */
typedef struct {
	u64 v;
} hva_t;

#define PA(x)  ((pa_t){ (x) })
#define IPA(x) ((ipa_t){ (x) })
#define HVA(x) ((hva_t){ (x) })

/* 4 KiB is the only granule (docs/caveats.md). Levels are numbered as in the Arm ARM, D8.2. */
#define PAGE_SHIFT 12
#define PAGE_SIZE  (1UL << PAGE_SHIFT)
#define PAGE_MASK  (~(PAGE_SIZE - 1))

enum { LEVEL_512G = 0, LEVEL_1G = 1, LEVEL_2M = 2, LEVEL_4K = 3 };

static inline unsigned int level_shift(int level)
{
	return PAGE_SHIFT + 9 * (unsigned int)(LEVEL_4K - level);
}

static inline u64 level_size(int level)
{
	return 1UL << level_shift(level);
}

/* Bytes from @address to the end of the block at @level that holds it. */
static inline u64 level_left(int level, u64 address)
{
	return level_size(level) - (address & (level_size(level) - 1));
}

#define SZ_1K 0x400UL
#define SZ_2M 0x200000UL
#define SZ_1G 0x40000000UL

#define BIT(n)		      (1UL << (n))
#define GENMASK(hi, lo)	      (((~0UL) >> (63 - (hi))) & ((~0UL) << (lo)))
#define ARRAY_SIZE(a)	      (sizeof(a) / sizeof((a)[0]))
#define ALIGN_DOWN(x, a)      ((x) & ~((__typeof__(x))(a)-1))
#define ALIGN_UP(x, a)	      ALIGN_DOWN((x) + (a)-1, a)
#define IS_ALIGNED(x, a)      (((x) & ((__typeof__(x))(a)-1)) == 0)
#define min(a, b)	      ((a) < (b) ? (a) : (b))
#define max(a, b)	      ((a) > (b) ? (a) : (b))
#define container_of(p, t, m) ((t *)((char *)(p)-offsetof(t, m)))
#define __maybe_unused	      __attribute__((unused))
#define __must_check	      __attribute__((warn_unused_result))
#define __noreturn	      __attribute__((noreturn))
#define __printf(f, a)	      __attribute__((format(printf, f, a)))
#ifndef __packed /* libbsd's cdefs.h has these two, with the same meaning */
#define __packed __attribute__((packed))
#endif
#ifndef __aligned
#define __aligned(n) __attribute__((aligned(n)))
#endif

#endif
