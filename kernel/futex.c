/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Futexes (futex(2)): threads that wait on a word of memory, in a hash of buckets by the word's
 * identity. A bucket's lock makes "still that value, then sleep" one step for wakers.
 */
#include "kernel/futex.h"

#include <linux/futex.h>

#include "host/mm.h"
#include "kernel/fault.h"
#include "kernel/sched.h"
#include "kernel/syscalls.h"
#include "kernel/thread.h"
#include "kernel/time.h"

#define BUCKET_COUNT 256

/* Which word: private to an mm by address, or in shared memory by physical address. */
struct futex_key {
	struct mm *mm; /* NULL: shared */
	u64 address;
};

struct bucket {
	struct spinlock lock;
	TAILQ_HEAD(, futex_waiter) waiters; /* guarded by lock */
} __aligned(64);

struct futex_waiter {
	TAILQ_ENTRY(futex_waiter) link;
	struct futex_key key;  /* this and the next change under both buckets' locks (requeue) */
	struct bucket *bucket; /* NULL once woken */
	struct thread *thread;
	u32 bitset;
};

static struct bucket buckets[BUCKET_COUNT];

void futex_init(void)
{
	for (unsigned int i = 0; i < BUCKET_COUNT; i++) {
		spin_init(&buckets[i].lock);
		TAILQ_INIT(&buckets[i].waiters);
	}
}

/* ---- keys */

static struct bucket *bucket_of(const struct futex_key *key)
{
	u64 h = (key->address >> 2) * 0x9e3779b97f4a7c15UL + (u64)key->mm / 64;

	return &buckets[(h >> 32) % BUCKET_COUNT];
}

static bool same_key(const struct futex_key *a, const struct futex_key *b)
{
	return a->mm == b->mm && a->address == b->address;
}

static bool is_shared_mapping(struct mm *mm, hva_t addr)
{
	struct vma *vma;
	bool shared;

	mm_read_lock(mm);
	vma = vma_find(mm, addr);
	shared = vma && (vma->flags & VM_SHARED);
	mm_read_unlock(mm);
	return shared;
}

/* The page stays where it is while it is mapped: nothing is swapped or migrated. */
static int shared_key(struct mm *mm, hva_t addr, struct futex_key *key)
{
	struct host_pte pte;

	while (!mm_peek(mm, addr, &pte))
		if (fault_in(mm, addr, HOST_WRITE) != FAULT_OK)
			return -EFAULT;
	*key = (struct futex_key){ NULL, pte.pa.v };
	return 0;
}

static int make_key(hva_t addr, u32 op, struct futex_key *key)
{
	struct mm *mm = current_mm();

	if (addr.v % sizeof(u32))
		return -EINVAL;
	if (!(op & FUTEX_PRIVATE_FLAG) && is_shared_mapping(mm, addr))
		return shared_key(mm, addr, key);
	*key = (struct futex_key){ mm, addr.v };
	return 0;
}

/* ---- waking; buckets are locked */

static void wake_waiter(struct bucket *b, struct futex_waiter *w)
{
	struct thread *t = w->thread;

	TAILQ_REMOVE(&b->waiters, w, link);
	/* The waiter's memory is its stack: not ours any more after this. */
	__atomic_store_n(&w->bucket, NULL, __ATOMIC_RELEASE);
	sched_wake(&t->task);
}

static u32 wake_matching(struct bucket *b, const struct futex_key *key, u32 n, u32 bitset)
{
	struct futex_waiter *w, *next;
	u32 woken = 0;

	for (w = TAILQ_FIRST(&b->waiters); w && woken < n; w = next) {
		next = TAILQ_NEXT(w, link);
		if (same_key(&w->key, key) && (w->bitset & bitset)) {
			wake_waiter(b, w);
			woken++;
		}
	}
	return woken;
}

/* Two buckets in the order of their addresses; they may be the same. */
static void lock_both(struct bucket *a, struct bucket *b)
{
	spin_lock(a < b ? &a->lock : &b->lock);
	if (a != b)
		spin_lock(a < b ? &b->lock : &a->lock);
}

static void unlock_both(struct bucket *a, struct bucket *b)
{
	spin_unlock(&a->lock);
	if (a != b)
		spin_unlock(&b->lock);
}

static s64 wake(hva_t addr, u32 op, u32 n, u32 bitset)
{
	struct futex_key key;
	struct bucket *b;
	int err = make_key(addr, op, &key);
	u32 woken;

	if (err)
		return err;
	if (!bitset)
		return -EINVAL;
	b = bucket_of(&key);
	spin_lock(&b->lock);
	woken = wake_matching(b, &key, n, bitset);
	spin_unlock(&b->lock);
	return woken;
}

s64 futex_wake(hva_t addr, u32 n)
{
	return wake(addr, 0, n, FUTEX_BITSET_MATCH_ANY);
}

/* ---- waiting */

/* Off its bucket, which a requeue may change under us. False: it was woken already. */
static bool unqueue(struct futex_waiter *w)
{
	for (;;) {
		struct bucket *b = __atomic_load_n(&w->bucket, __ATOMIC_ACQUIRE);

		if (!b)
			return false;
		spin_lock(&b->lock);
		if (w->bucket == b) {
			TAILQ_REMOVE(&b->waiters, w, link);
			spin_unlock(&b->lock);
			return true;
		}
		spin_unlock(&b->lock);
	}
}

/* Queues @w if *@addr is still @expected: 0, -EAGAIN if it is not, -EFAULT. */
static int queue_if_equal(struct futex_waiter *w, hva_t addr, u32 expected)
{
	struct bucket *b = bucket_of(&w->key);
	u32 value;
	int err;

	for (;;) {
		spin_lock(&b->lock);
		err = copy_from_user_nofault(&value, addr, sizeof(value));
		if (!err)
			break;
		spin_unlock(&b->lock);
		err = copy_from_user(&value, addr, sizeof(value));
		if (err)
			return err;
	}
	if (value == expected) {
		w->bucket = b;
		TAILQ_INSERT_TAIL(&b->waiters, w, link);
	} else {
		err = -EAGAIN;
	}
	spin_unlock(&b->lock);
	return err;
}

static int sleep_queued(struct futex_waiter *w, u64 deadline_ns)
{
	int err = 0;

	for (;;) {
		sched_prepare_sleep(SLEEP_INTERRUPTIBLE);
		if (!__atomic_load_n(&w->bucket, __ATOMIC_ACQUIRE) || err)
			break;
		err = sched_sleep(deadline_ns);
	}
	sched_cancel_sleep();
	return unqueue(w) ? err : 0;
}

/* 0 when woken, -EAGAIN, -ETIMEDOUT, -EINTR, or an error of the address. */
static int wait_until(hva_t addr, u32 op, u32 expected, u32 bitset, u64 deadline_ns)
{
	struct futex_waiter w = { .thread = current_thread(), .bitset = bitset };
	int err = make_key(addr, op, &w.key);

	if (!err && !bitset)
		err = -EINVAL;
	if (!err)
		err = queue_if_equal(&w, addr, expected);
	return err ? err : sleep_queued(&w, deadline_ns);
}

static s64 wait_restart(const u64 args[6]);

static s64 wait_or_restart(const u64 args[6])
{
	struct restart *r = &current_thread()->restart;
	int err = wait_until(HVA(args[0]), (u32)args[1], (u32)args[2], (u32)args[3], args[4]);

	if (err != -EINTR)
		return err;
	if (args[4] == SCHED_FOREVER)
		return -ERESTARTSYS;
	*r = (struct restart){ wait_restart, { args[0], args[1], args[2], args[3], args[4] } };
	return -ERESTART_RESTARTBLOCK;
}

static s64 wait_restart(const u64 args[6])
{
	return wait_or_restart(args);
}

/* FUTEX_WAIT's timeout is how long, FUTEX_WAIT_BITSET's is until when. */
static int wait_deadline(u32 op, hva_t timeout, u64 *deadline_ns)
{
	u64 ns;
	int err;

	*deadline_ns = SCHED_FOREVER;
	if (!timeout.v)
		return 0;
	err = timespec_from_user(timeout, &ns);
	if (err)
		return err;
	if ((op & FUTEX_CMD_MASK) == FUTEX_WAIT)
		*deadline_ns = time_after(ns);
	else
		err = time_deadline(op & FUTEX_CLOCK_REALTIME ? CLOCK_REALTIME : CLOCK_MONOTONIC,
				    ns, deadline_ns);
	return err;
}

static s64 op_wait(hva_t addr, u32 op, u32 expected, u32 bitset, hva_t timeout)
{
	u64 deadline_ns;
	int err = wait_deadline(op, timeout, &deadline_ns);
	u64 args[6] = { addr.v, op, expected, bitset };

	if (err)
		return err;
	args[4] = deadline_ns;
	return wait_or_restart(args);
}

/* ---- moving waiters to another word */

struct requeue {
	hva_t from;
	hva_t to;
	u32 wake;
	u32 move;
	bool compare;
	u32 expected; /* value of *from, if @compare */
};

static u32 move_matching(struct bucket *from, const struct futex_key *key, struct bucket *to,
			 const struct futex_key *to_key, u32 n)
{
	struct futex_waiter *w, *next;
	u32 moved = 0;

	for (w = TAILQ_FIRST(&from->waiters); w && moved < n; w = next) {
		next = TAILQ_NEXT(w, link);
		if (!same_key(&w->key, key))
			continue;
		moved++;
		TAILQ_REMOVE(&from->waiters, w, link);
		w->key = *to_key;
		__atomic_store_n(&w->bucket, to, __ATOMIC_RELEASE);
		TAILQ_INSERT_TAIL(&to->waiters, w, link);
	}
	return moved;
}

/* Locks both and checks the value. 0, -EAGAIN if it differs, -EFAULT; unlocked on error. */
static int lock_and_compare(const struct requeue *r, struct bucket *from, struct bucket *to)
{
	u32 value;
	int err;

	for (;;) {
		lock_both(from, to);
		if (!r->compare)
			return 0;
		err = copy_from_user_nofault(&value, r->from, sizeof(value));
		if (!err)
			break;
		unlock_both(from, to);
		err = copy_from_user(&value, r->from, sizeof(value));
		if (err)
			return err;
	}
	if (value == r->expected)
		return 0;
	unlock_both(from, to);
	return -EAGAIN;
}

static s64 op_requeue(const struct requeue *r, u32 op)
{
	struct futex_key key, to_key;
	struct bucket *from, *to;
	int err = make_key(r->from, op, &key);
	u32 woken, moved;

	if (!err)
		err = make_key(r->to, op, &to_key);
	if (err)
		return err;
	if ((s32)r->wake < 0 || (s32)r->move < 0)
		return -EINVAL;
	from = bucket_of(&key);
	to = bucket_of(&to_key);
	err = lock_and_compare(r, from, to);
	if (err)
		return err;
	woken = wake_matching(from, &key, r->wake, FUTEX_BITSET_MATCH_ANY);
	moved = same_key(&key, &to_key) ? 0 : move_matching(from, &key, to, &to_key, r->move);
	unlock_both(from, to);
	return woken + moved;
}

/* ---- FUTEX_WAKE_OP */

static int wake_op_value(u32 encoded, u32 old, u32 *new)
{
	u32 op = encoded >> 28 & 7;
	s32 arg = (s32)(encoded << 8) >> 20;

	if (encoded >> 28 & FUTEX_OP_OPARG_SHIFT)
		arg = (s32)(1U << (arg & 31));
	switch (op) {
	case FUTEX_OP_SET: *new = (u32)arg; return 0;
	case FUTEX_OP_ADD: *new = old + (u32)arg; return 0;
	case FUTEX_OP_OR: *new = old | (u32)arg; return 0;
	case FUTEX_OP_ANDN: *new = old & ~(u32)arg; return 0;
	case FUTEX_OP_XOR: *new = old ^ (u32)arg; return 0;
	default: return -ENOSYS;
	}
}

static int wake_op_compare(u32 encoded, u32 old)
{
	s32 arg = (s32)(encoded << 20) >> 20;

	switch (encoded >> 24 & 15) {
	case FUTEX_OP_CMP_EQ: return (s32)old == arg;
	case FUTEX_OP_CMP_NE: return (s32)old != arg;
	case FUTEX_OP_CMP_LT: return (s32)old < arg;
	case FUTEX_OP_CMP_LE: return (s32)old <= arg;
	case FUTEX_OP_CMP_GT: return (s32)old > arg;
	case FUTEX_OP_CMP_GE: return (s32)old >= arg;
	default: return -ENOSYS;
	}
}

/* Changes *@addr in one step; *@old is what it was. Sleeps for absent pages only. */
static int change_word(hva_t addr, u32 encoded, u32 *old)
{
	u32 new, seen;
	int err = copy_from_user(old, addr, sizeof(*old));

	while (!err) {
		err = wake_op_value(encoded, *old, &new);
		if (err)
			break;
		seen = *old;
		err = user_cmpxchg_u32(addr, &seen, new);
		if (err == -EFAULT) {
			/* Absent or still shared with the zero page: a store settles that. */
			err = fault_in(current_mm(), addr, HOST_WRITE) == FAULT_OK ? 0 : -EFAULT;
			continue;
		}
		if (seen == *old)
			break;
		*old = seen;
	}
	return err;
}

static s64 op_wake_op(const u64 a[6], u32 op)
{
	u32 encoded = (u32)a[5], old;
	int err = wake_op_compare(encoded, 0), hit;
	s64 woken, more;

	if (err < 0)
		return err;
	if (a[4] % sizeof(u32))
		return -EINVAL;
	err = change_word(HVA(a[4]), encoded, &old);
	if (err)
		return err;
	hit = wake_op_compare(encoded, old);
	woken = wake(HVA(a[0]), op, (u32)a[2], FUTEX_BITSET_MATCH_ANY);
	if (woken < 0 || !hit)
		return woken;
	more = wake(HVA(a[4]), op, (u32)a[3], FUTEX_BITSET_MATCH_ANY);
	return more < 0 ? more : woken + more;
}

/* ---- the system call */

static bool may_use_realtime(u32 command)
{
	return command == FUTEX_WAIT_BITSET;
}

s64 sys_futex(const u64 a[6])
{
	hva_t addr = HVA(a[0]);
	u32 op = (u32)a[1], command = op & FUTEX_CMD_MASK;
	struct requeue r = {
		.from = addr,
		.to = HVA(a[4]),
		.wake = (u32)a[2],
		.move = (u32)a[3],
		.compare = command == FUTEX_CMP_REQUEUE,
		.expected = (u32)a[5],
	};

	if ((op & FUTEX_CLOCK_REALTIME) && !may_use_realtime(command))
		return -ENOSYS;
	switch (command) {
	case FUTEX_WAIT: return op_wait(addr, op, (u32)a[2], FUTEX_BITSET_MATCH_ANY, HVA(a[3]));
	case FUTEX_WAIT_BITSET: return op_wait(addr, op, (u32)a[2], (u32)a[5], HVA(a[3]));
	case FUTEX_WAKE: return wake(addr, op, (u32)a[2], FUTEX_BITSET_MATCH_ANY);
	case FUTEX_WAKE_BITSET: return wake(addr, op, (u32)a[2], (u32)a[5]);
	case FUTEX_REQUEUE:
	case FUTEX_CMP_REQUEUE: return op_requeue(&r, op);
	case FUTEX_WAKE_OP: return op_wake_op(a, op);
	default: return -ENOSYS;
	}
}

/* ---- robust lists: futexes whose owner ended */

/* As Linux: a list longer than this is a loop. */
#define ROBUST_LIST_MAX 2048

s64 sys_set_robust_list(const u64 a[6])
{
	if (a[1] != sizeof(struct robust_list_head))
		return -EINVAL;
	current_thread()->robust_list = HVA(a[0]);
	return 0;
}

s64 sys_get_robust_list(const u64 a[6])
{
	u64 size = sizeof(struct robust_list_head), head;
	struct thread *t = a[0] ? thread_find((s32)a[0]) : thread_get(current_thread());

	if (!t)
		return -ESRCH;
	head = t->robust_list.v;
	thread_put(t);
	if (copy_to_user(HVA(a[2]), &size, sizeof(size)) != 0)
		return -EFAULT;
	return copy_to_user(HVA(a[1]), &head, sizeof(head));
}

/* Marks the futex at @addr as left behind if @t owned it, and wakes one who waits for it. */
static void owner_died(struct thread *t, hva_t addr)
{
	u32 value, seen;

	if (addr.v % sizeof(u32) || copy_from_user(&value, addr, sizeof(value)) != 0)
		return;
	while ((value & FUTEX_TID_MASK) == (u32)t->task.tid) {
		seen = value;
		if (user_cmpxchg_u32(addr, &seen, (value & FUTEX_WAITERS) | FUTEX_OWNER_DIED) != 0)
			return;
		if (seen == value) {
			if (value & FUTEX_WAITERS)
				(void)wake(addr, 0, 1, FUTEX_BITSET_MATCH_ANY);
			return;
		}
		value = seen;
	}
}

void robust_list_exit(struct thread *t)
{
	struct robust_list_head head;
	u64 entry;

	if (!t->robust_list.v || copy_from_user(&head, t->robust_list, sizeof(head)) != 0)
		return;
	entry = (u64)head.list.next;
	for (unsigned int i = 0; i < ROBUST_LIST_MAX && entry != t->robust_list.v; i++) {
		/* Bit 0 marks a PI futex, which no call here makes. */
		u64 at = entry & ~1UL, next;
		bool readable = copy_from_user(&next, HVA(at), sizeof(next)) == 0;

		if (entry != (u64)head.list_op_pending)
			owner_died(t, HVA(at + (u64)head.futex_offset));
		if (!readable)
			break;
		entry = next;
	}
	if (head.list_op_pending)
		owner_died(t, HVA(((u64)head.list_op_pending & ~1UL) + (u64)head.futex_offset));
}
