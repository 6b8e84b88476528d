/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What /proc says of a process's memory, which host/ formats.
 */
#include "kernel/procfs.h"

struct mm *proc_mm(struct process *p)
{
	struct mm *mm;

	spin_lock(&p->lock);
	mm = p->mm ? mm_get(p->mm) : NULL;
	spin_unlock(&p->lock);
	return mm;
}

struct mm *proc_mm_of(s32 tid)
{
	struct thread *thread = thread_find(tid);
	struct mm *mm = ERR_PTR(-ESRCH);

	if (thread && thread->process)
		mm = proc_mm(thread->process);
	if (thread)
		thread_put(thread);
	return mm;
}

struct text_sink {
	struct maps_sink sink;
	struct gen_text *text;
};

static void emit_text(struct maps_sink *sink, const char *line, size_t len)
{
	gen_bytes(container_of(sink, struct text_sink, sink)->text, line, len);
}

static int show(struct gen_text *t, u64 tid, void (*format)(struct mm *mm, struct maps_sink *sink))
{
	struct text_sink s = { .sink.emit = emit_text, .text = t };
	struct mm *mm = proc_mm_of((s32)tid);

	if (!mm || IS_ERR(mm))
		return mm ? (int)PTR_ERR(mm) : 0;
	format(mm, &s.sink);
	mm_put(mm);
	return 0;
}

int proc_show_maps(struct gen_text *t, u64 tag)
{
	return show(t, tag, mm_format_maps);
}

int proc_show_smaps(struct gen_text *t, u64 tag)
{
	return show(t, tag, mm_format_smaps);
}
