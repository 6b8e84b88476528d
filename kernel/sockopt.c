/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Options of sockets: getsockopt and setsockopt at SOL_SOCKET, socket(7).
 */
#include <asm/socket.h>

#include "kernel/socket_args.h"
#include "kernel/syscalls.h"
#include "kernel/time.h"

/* Options that are a bit each and change nothing on this family: kept, and told again. */
static bool is_flag(u32 option)
{
	switch (option) {
	case SO_DEBUG:
	case SO_REUSEADDR:
	case SO_DONTROUTE:
	case SO_BROADCAST:
	case SO_KEEPALIVE:
	case SO_OOBINLINE: return true;
	default: return false;
	}
}

/* ---- telling */
static s64 value_to_user(const void *value, u32 size, u64 p, u64 size_p, u32 room)
{
	size = min(size, room);
	if (copy_to_user(HVA(p), value, size) || copy_to_user(HVA(size_p), &size, sizeof(size)))
		return -EFAULT;
	return 0;
}

static int told_error(struct unix_sock *s)
{
	int err;

	spin_lock(&unix_lock);
	err = -unix_take_error(s);
	spin_unlock(&unix_lock);
	return err;
}

/* Options whose value is an int; -ENOPROTOOPT for others. */
static s64 int_option(struct unix_sock *s, u32 option, int *value)
{
	if (is_flag(option)) {
		*value = s->flags >> option & 1;
		return 0;
	}
	switch (option) {
	case SO_TYPE: *value = (int)s->type; return 0;
	case SO_DOMAIN: *value = AF_UNIX; return 0;
	case SO_PROTOCOL: *value = 0; return 0;
	case SO_ERROR: *value = told_error(s); return 0;
	case SO_ACCEPTCONN: *value = s->state == UNIX_LISTENING; return 0;
	case SO_SNDBUF: *value = (int)s->sndbuf; return 0;
	case SO_RCVBUF: *value = (int)s->rcvbuf; return 0;
	case SO_RCVLOWAT: *value = s->rcvlowat; return 0;
	case SO_SNDLOWAT: *value = 1; return 0;
	case SO_PASSCRED: *value = s->pass_cred; return 0;
	case SO_PRIORITY: *value = s->priority; return 0;
	default: return -ENOPROTOOPT;
	}
}

static s64 timeout_to_user(u64 ns, u64 p, u64 size_p, u32 room)
{
	struct __kernel_sock_timeval tv = {
		.tv_sec = (s64)(ns / NS_PER_SEC),
		.tv_usec = (s64)(ns % NS_PER_SEC / NS_PER_USEC),
	};

	return value_to_user(&tv, sizeof(tv), p, size_p, room);
}

static s64 get_option(struct unix_sock *s, u32 option, u64 p, u64 size_p)
{
	struct unix_cred cred;
	int value;
	s32 room;
	s64 ret;

	if (copy_from_user(&room, HVA(size_p), sizeof(room)))
		return -EFAULT;
	if (room < 0)
		return -EINVAL;
	switch (option) {
	case SO_PEERCRED:
		spin_lock(&unix_lock);
		cred = s->peer_cred;
		spin_unlock(&unix_lock);
		return value_to_user(&cred, sizeof(cred), p, size_p, (u32)room);
	case SO_LINGER: return value_to_user(s->linger, sizeof(s->linger), p, size_p, (u32)room);
	case SO_RCVTIMEO_OLD:
	case SO_RCVTIMEO_NEW: return timeout_to_user(s->rcv_timeout_ns, p, size_p, (u32)room);
	case SO_SNDTIMEO_OLD:
	case SO_SNDTIMEO_NEW: return timeout_to_user(s->snd_timeout_ns, p, size_p, (u32)room);
	default: break;
	}
	ret = int_option(s, option, &value);
	return ret ? ret : value_to_user(&value, sizeof(value), p, size_p, (u32)room);
}

s64 sys_getsockopt(const u64 a[6])
{
	struct socket_arg arg;
	s64 ret = socket_arg_get(&arg, a[0]);

	if (ret)
		return ret;
	ret = (s32)a[1] == SOL_SOCKET ? get_option(arg.sock, (u32)a[2], a[3], a[4]) : -EOPNOTSUPP;
	socket_arg_end(&arg);
	return ret;
}

/* ---- setting */
/* The size asked for is doubled, for what messages cost beside their bytes. */
static u32 buffer_size(int value, u32 least)
{
	return max(min((u32)value, (u32)UNIX_BUFFER_DEFAULT) * 2, least);
}

/* The superuser may go beyond the most. */
static u32 forced_buffer_size(int value, u32 least)
{
	return max((u32)min(value < 0 ? 0 : value, INT32_MAX / 2) * 2, least);
}

static s64 set_timeout(u64 *timeout_ns, u64 p, u32 size)
{
	struct __kernel_sock_timeval tv;

	if (size < sizeof(tv))
		return -EINVAL;
	if (copy_from_user(&tv, HVA(p), sizeof(tv)))
		return -EFAULT;
	if (tv.tv_usec < 0 || tv.tv_usec >= (s64)(NS_PER_SEC / NS_PER_USEC))
		return -EDOM;
	/* A time that has passed already: one nanosecond, as 0 stands for no limit. */
	if (tv.tv_sec < 0)
		*timeout_ns = 1;
	else if ((u64)tv.tv_sec > UINT64_MAX / NS_PER_SEC - 1)
		*timeout_ns = 0;
	else
		*timeout_ns = (u64)tv.tv_sec * NS_PER_SEC + (u64)tv.tv_usec * NS_PER_USEC;
	return 0;
}

static s64 set_linger(struct unix_sock *s, u64 p, u32 size)
{
	s32 linger[2];

	if (size < sizeof(linger))
		return -EINVAL;
	if (copy_from_user(linger, HVA(p), sizeof(linger)))
		return -EFAULT;
	s->linger[0] = linger[0] != 0;
	s->linger[1] = linger[1];
	return 0;
}

static s64 set_int_option(struct unix_sock *s, u32 option, int value)
{
	if (is_flag(option)) {
		u32 bit = 1U << option;

		if (value)
			__atomic_fetch_or(&s->flags, bit, __ATOMIC_RELAXED);
		else
			__atomic_fetch_and(&s->flags, ~bit, __ATOMIC_RELAXED);
		return 0;
	}
	switch (option) {
	case SO_TYPE:
	case SO_DOMAIN:
	case SO_PROTOCOL:
	case SO_ERROR: return -ENOPROTOOPT;
	case SO_SNDBUF: s->sndbuf = buffer_size(value, UNIX_SNDBUF_MIN); return 0;
	case SO_RCVBUF: s->rcvbuf = buffer_size(value, UNIX_RCVBUF_MIN); return 0;
	case SO_SNDBUFFORCE: s->sndbuf = forced_buffer_size(value, UNIX_SNDBUF_MIN); return 0;
	case SO_RCVBUFFORCE: s->rcvbuf = forced_buffer_size(value, UNIX_RCVBUF_MIN); return 0;
	case SO_RCVLOWAT: s->rcvlowat = value < 0 ? INT32_MAX : value ? value : 1; return 0;
	case SO_PASSCRED: s->pass_cred = value != 0; return 0;
	case SO_PRIORITY: s->priority = value; return 0;
	default: return -ENOPROTOOPT;
	}
}

static s64 set_option(struct unix_sock *s, u32 option, u64 p, u32 size)
{
	int value;

	switch (option) {
	case SO_RCVTIMEO_OLD:
	case SO_RCVTIMEO_NEW: return set_timeout(&s->rcv_timeout_ns, p, size);
	case SO_SNDTIMEO_OLD:
	case SO_SNDTIMEO_NEW: return set_timeout(&s->snd_timeout_ns, p, size);
	default: break;
	}
	if (size < sizeof(value))
		return -EINVAL;
	if (copy_from_user(&value, HVA(p), sizeof(value)))
		return -EFAULT;
	if (option == SO_LINGER)
		return set_linger(s, p, size);
	return set_int_option(s, option, value);
}

static s64 set_option_checked(struct unix_sock *s, const u64 a[6])
{
	if ((s32)a[4] < 0)
		return -EINVAL;
	/* This family has no options of its own. */
	if ((s32)a[1] != SOL_SOCKET)
		return -EOPNOTSUPP;
	return set_option(s, (u32)a[2], a[3], (u32)a[4]);
}

s64 sys_setsockopt(const u64 a[6])
{
	struct socket_arg arg;
	s64 ret = socket_arg_get(&arg, a[0]);

	if (ret)
		return ret;
	ret = set_option_checked(arg.sock, a);
	socket_arg_end(&arg);
	return ret;
}
