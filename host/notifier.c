/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Those who derive translations from a program's mappings, told before and after each change
 * (design.md M13). The list changes under the write lock only, and is walked with the lock held.
 */
#include "host/mm_impl.h"

void mm_notifier_register(struct mm *mm, struct mm_notifier *n)
{
	mm_write_lock(mm);
	LIST_INSERT_HEAD(&mm->notifiers, n, link);
	mm_write_unlock(mm);
}

void mm_notifier_unregister(struct mm *mm, struct mm_notifier *n)
{
	mm_write_lock(mm);
	LIST_REMOVE(n, link);
	mm_write_unlock(mm);
}

void notify_begin(struct mm *mm, u64 start, u64 end)
{
	struct mm_notifier *n;

	LIST_FOREACH (n, &mm->notifiers, link)
		n->ops->begin(n, HVA(start), HVA(end));
}

void notify_end(struct mm *mm, u64 start, u64 end)
{
	struct mm_notifier *n;

	LIST_FOREACH (n, &mm->notifiers, link)
		n->ops->end(n, HVA(start), HVA(end));
}

bool notify_age(struct mm *mm, u64 start, u64 end)
{
	struct mm_notifier *n;
	bool used = false;

	LIST_FOREACH (n, &mm->notifiers, link) {
		if (n->ops->age && n->ops->age(n, HVA(start), HVA(end)))
			used = true;
	}
	return used;
}

void notify_release(struct mm *mm)
{
	struct mm_notifier *n;

	LIST_FOREACH (n, &mm->notifiers, link) {
		if (n->ops->release)
			n->ops->release(n);
	}
}
