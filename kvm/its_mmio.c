/* SPDX-License-Identifier: Apache-2.0 */
/* The control frame of an ITS (Arm IHI 0069, 12.19). */
#include "host/err.h"
#include "kvm/its.h"

#define CTLR_ENABLED   BIT(0)
#define CTLR_QUIESCENT BIT(31)

#define IIDR_PRODUCT	    (0x4b000000 | 0x43b)
#define IIDR_REVISION_SHIFT 12

#define TYPER_PHYSICAL BIT(0)
#define TYPER_ITT_SIZE ((u64)(ITS_ENTRY_SIZE - 1) << 4)
#define TYPER_ID_BITS  ((u64)(ITS_EVENT_BITS - 1) << 8)
#define TYPER_DEV_BITS ((u64)(ITS_DEVICE_BITS - 1) << 13)
#define PIDR2_GICV3    0x3b

/* Tables and queue are coherent with write-back memory, inner shareable; other types become that.
 */
#define INNER_CACHE_SHIFT 59
#define INNER_RAWAWB	  (7UL << INNER_CACHE_SHIFT)
#define INNER_SHAREABLE	  (1UL << 10)
#define CBASER_BITS	  (BIT(63) | GENMASK(51, 12) | 0xffUL)

#define BASER_TYPE_SHIFT 56
#define BASER_SIZE_SHIFT 48
#define BASER_64K	 (2UL << 8)
#define BASER_BITS	 (BASER_VALID | BASER_INDIRECT | BASER_ADDRESS | 0xffUL)
#define TYPE_DEVICES	 1UL
#define TYPE_COLLECTIONS 4UL
#define CWRITER_BITS	 0xfffe0UL

static u64 ctlr_read(const struct its *t, u32 n)
{
	(void)n;
	return (t->enabled ? CTLR_ENABLED : 0) | (t->creadr == t->cwriter ? CTLR_QUIESCENT : 0);
}

/* Enabled only with a queue and both tables: what an ITS does without is unpredictable. */
static void ctlr_write(struct its *t, u32 n, u64 value)
{
	bool complete = t->cbaser >> 63 && t->baser[0] & BASER_VALID && t->baser[1] & BASER_VALID;

	(void)n;
	t->enabled = (value & CTLR_ENABLED) && (t->enabled || complete);
}

static u64 iidr_read(const struct its *t, u32 n)
{
	(void)n;
	return IIDR_PRODUCT | (u64)t->revision << IIDR_REVISION_SHIFT;
}

static u64 typer_read(const struct its *t, u32 n)
{
	(void)t;
	(void)n;
	return TYPER_PHYSICAL | TYPER_ITT_SIZE | TYPER_ID_BITS | TYPER_DEV_BITS;
}

static u64 cbaser_read(const struct its *t, u32 n)
{
	(void)n;
	return t->cbaser;
}

static void cbaser_write(struct its *t, u32 n, u64 value)
{
	(void)n;
	if (t->enabled)
		return;
	t->cbaser = (value & CBASER_BITS) | INNER_RAWAWB | INNER_SHAREABLE;
	t->creadr = t->cwriter = 0;
}

static u64 cwriter_read(const struct its *t, u32 n)
{
	(void)n;
	return t->cwriter;
}

static void cwriter_write(struct its *t, u32 n, u64 value)
{
	(void)n;
	if ((value & CWRITER_BITS) >= ((t->cbaser & 0xff) + 1) * PAGE_SIZE)
		return;
	t->cwriter = value & CWRITER_BITS;
}

static u64 creadr_read(const struct its *t, u32 n)
{
	(void)n;
	return t->creadr;
}

/* What cannot be written: type, size of entries, size of pages. */
static u64 baser_fixed(u32 n)
{
	return (n ? TYPE_COLLECTIONS : TYPE_DEVICES) << BASER_TYPE_SHIFT |
	       (u64)(ITS_ENTRY_SIZE - 1) << BASER_SIZE_SHIFT | BASER_64K | INNER_RAWAWB |
	       INNER_SHAREABLE;
}

static u64 baser_read(const struct its *t, u32 n)
{
	return n < ARRAY_SIZE(t->baser) ? t->baser[n] | baser_fixed(n) : 0;
}

/* Collections are few: their table has one level. With a table goes what it described. */
static void baser_write(struct its *t, u32 n, u64 value)
{
	u64 old;

	if (t->enabled || n >= ARRAY_SIZE(t->baser))
		return;
	old = t->baser[n];
	t->baser[n] = value & BASER_BITS & ~(n ? BASER_INDIRECT : 0);
	if (!(t->baser[n] & BASER_VALID) || t->baser[n] != old)
		its_forget(t, n ? ITS_COLLECTIONS : ITS_DEVICES);
}

static u64 pidr2_read(const struct its *t, u32 n)
{
	(void)t;
	(void)n;
	return PIDR2_GICV3;
}

static void ignore(struct its *t, u32 n, u64 value)
{
	(void)t;
	(void)n;
	(void)value;
}

struct its_register {
	u32 offset;
	u8 size;  /* 4, or 8, which a guest may access by halves */
	u8 count; /* of them, side by side */
	u64 (*read)(const struct its *t, u32 n);
	void (*write)(struct its *t, u32 n, u64 value);
};

enum { CTLR = 0x0000, IIDR = 0x0004, CREADR = 0x0090 };

static const struct its_register registers[] = {
	{ CTLR, 4, 1, ctlr_read, ctlr_write },	       { IIDR, 4, 1, iidr_read, ignore },
	{ 0x0008, 8, 1, typer_read, ignore },	       { 0x0080, 8, 1, cbaser_read, cbaser_write },
	{ 0x0088, 8, 1, cwriter_read, cwriter_write }, { CREADR, 8, 1, creadr_read, ignore },
	{ 0x0100, 8, 8, baser_read, baser_write },     { 0xffe8, 4, 1, pidr2_read, ignore },
};

static const struct its_register *register_find(u32 offset)
{
	for (u32 i = 0; i < ARRAY_SIZE(registers); i++) {
		const struct its_register *r = &registers[i];

		if (offset >= r->offset && offset - r->offset < r->size * (u32)r->count)
			return r;
	}
	return NULL;
}

static bool is_allowed(const struct its_register *r, u32 offset, u32 len)
{
	return r && IS_ALIGNED(offset, len) && (len == 4 || (len == 8 && r->size == 8));
}

static u64 mask_of(u32 len)
{
	return len == 8 ? ~0UL : BIT(len * 8) - 1;
}

u64 its_read(struct its *t, u32 offset, u32 len)
{
	const struct its_register *r = register_find(offset);

	if (!is_allowed(r, offset, len))
		return 0;
	return r->read(t, (offset - r->offset) / r->size) >> offset % r->size * 8 & mask_of(len);
}

void its_write(struct its *t, u32 offset, u32 len, u64 value)
{
	const struct its_register *r = register_find(offset);
	u32 shift, n;
	u64 mask;

	if (!is_allowed(r, offset, len))
		return;
	n = (offset - r->offset) / r->size;
	shift = offset % r->size * 8;
	mask = mask_of(len) << shift;
	r->write(t, n, (r->read(t, n) & ~mask) | (value << shift & mask));
}

/* ---- for user space: whole registers, those of 4 bytes too */

static const struct its_register *whole(u32 offset)
{
	const struct its_register *r = register_find(offset);

	return r && (offset - r->offset) % r->size == 0 ? r : NULL;
}

int its_reg_has(u32 offset)
{
	const struct its_register *r = register_find(offset);

	if (!r)
		return -ENXIO;
	return whole(offset) ? 0 : -EINVAL;
}

int its_reg_get(struct its *t, u32 offset, u64 *value)
{
	const struct its_register *r = whole(offset);

	if (!r)
		return its_reg_has(offset);
	*value = r->read(t, (offset - r->offset) / r->size);
	return 0;
}

static int revision_set(struct its *t, u64 value)
{
	/* The only layout of tables there is. */
	if (value >> IIDR_REVISION_SHIFT & 0xf)
		return -EINVAL;
	t->revision = 0;
	return 0;
}

int its_reg_set(struct its *t, u32 offset, u64 value)
{
	const struct its_register *r = whole(offset);

	if (!r)
		return its_reg_has(offset);
	if (offset == IIDR)
		return revision_set(t, value);
	if (offset == CREADR) {
		if ((value & CWRITER_BITS) >= ((t->cbaser & 0xff) + 1) * PAGE_SIZE)
			return -EINVAL;
		t->creadr = value & CWRITER_BITS;
		return 0;
	}
	r->write(t, (offset - r->offset) / r->size, value);
	return 0;
}
