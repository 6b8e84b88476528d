/* SPDX-License-Identifier: Apache-2.0 */
/* Access to programs' memory: the checks of addresses; the accesses themselves are in uaccess.S. */
#include "arm64.h"
#include "host/err.h"

/* A tagged address, too, is none of the user half: Linux's default ABI refuses it. */
static bool in_user_half(hva_t p, size_t n)
{
	return p.v < USER_END && n <= USER_END - p.v;
}

int copy_from_user(void *dst, hva_t src, size_t n)
{
	if (!in_user_half(src, n))
		return -EFAULT;
	return n ? arm64_copy_from_user(dst, src.v, n) : 0;
}

int copy_to_user(hva_t dst, const void *src, size_t n)
{
	if (!in_user_half(dst, n))
		return -EFAULT;
	return n ? arm64_copy_to_user(dst.v, src, n) : 0;
}

int clear_user(hva_t dst, size_t n)
{
	if (!in_user_half(dst, n))
		return -EFAULT;
	return n ? arm64_clear_user(dst.v, n) : 0;
}

s64 strncpy_from_user(char *dst, hva_t src, size_t n)
{
	size_t limit;
	s64 length;

	if (src.v >= USER_END)
		return -EFAULT;
	limit = min(n, (size_t)(USER_END - src.v));
	length = arm64_strncpy_from_user(dst, src.v, limit);
	if (length < 0 || (size_t)length < limit)
		return length;
	return limit < n ? -EFAULT : -ENAMETOOLONG;
}

int copy_from_user_nofault(void *dst, hva_t src, size_t n)
{
	if (!in_user_half(src, n))
		return -EFAULT;
	return n ? arm64_copy_from_user_nofault(dst, src.v, n) : 0;
}

int user_cmpxchg_u32(hva_t p, u32 *old, u32 new_value)
{
	if (!in_user_half(p, sizeof(u32)) || !IS_ALIGNED(p.v, sizeof(u32)))
		return -EFAULT;
	return arm64_user_cmpxchg_u32(p.v, old, new_value);
}
