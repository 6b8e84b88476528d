/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The fuzzer of system calls and ioctls (fuzz_calls.c): what its parts share. A call is a row of a
 * table; each of its arguments is a function that makes one up, mostly nearly right.
 */
#ifndef TESTS_TARGET_FUZZ_H
#define TESTS_TARGET_FUZZ_H

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

enum {
	FUZZ_PAGE = 4096,
	FUZZ_THREADS_MAX = 8,
	FUZZ_ROWS_MAX = 512,
	FUZZ_ERRNO_MAX = 136,
	FUZZ_ARENA_SIZE = 4 << 20, /* memory that calls may map, unmap and give to guests */
	FUZZ_BUFFER_SIZE = 64 << 10,
	FUZZ_ROOM = 2048, /* behind a pointer for results */
	FUZZ_VMS = 2,
	FUZZ_VCPUS = 4, /* half of them in each VM */
	FUZZ_REGS_MAX = 1024,
	FUZZ_REPORTS_MAX = 20,
};

/* Where children make files; fuzz_calls removes it, and whatever is named fz*. */
#define FUZZ_DIR "/tmp/fuzz"

/* One of each is open in every child, at FUZZ_FD(kind). */
enum fuzz_fd {
	FD_KVM,
	FD_VM, /* with a vGIC and an ITS */
	FD_VM_BARE,
	FD_VM_FRESH, /* never run, without vCPUs */
	FD_VCPU0,    /* and 1 of FD_VM, then two of FD_VM_BARE */
	FD_VCPU1,
	FD_VCPU2,
	FD_VCPU3,
	FD_GIC,
	FD_ITS,
	FD_GMEM,
	FD_VM_STATS,
	FD_VCPU_STATS,
	FD_EVENT,
	FD_EPOLL,
	FD_TIMER,
	FD_SIGNAL,
	FD_PIPE_OUT,
	FD_PIPE_IN,
	FD_MEMFD,
	FD_HUGE_MEMFD,
	FD_UFFD,
	FD_DEVMEM,
	FD_SOCKET, /* two that are connected, a listener, and a pair for datagrams */
	FD_SOCKET_PEER,
	FD_LISTENER,
	FD_DATAGRAM,
	FD_DATAGRAM_PEER,
	FD_TTY,
	FD_NULL,
	FD_ZERO,
	FD_RANDOM,
	FD_FILE,
	FD_DIR,
	FD_PROC_TEXT,
	FD_PROC_DIR,
	FD_PAGEMAP,
	FD_KINDS,
};
enum { FUZZ_FD_FIRST = 32, FUZZ_FD_END = 160 };
#define FUZZ_FD(kind) (FUZZ_FD_FIRST + (int)(kind))

struct fuzz_call;

/* What all processes share; the counters of a run. */
struct fuzz_shared {
	struct {
		atomic_ulong calls;
		atomic_ulong successes;
	} rows[FUZZ_ROWS_MAX];
	atomic_ulong calls; /* begun, of all rows */
	atomic_ulong errnos[FUZZ_ERRNO_MAX];
	atomic_ulong odd_errnos;  /* no errno of Linux's */
	atomic_ulong kernel_seen; /* kernel addresses in results */
	atomic_ulong stale_seen;  /* bytes of another program */
	atomic_uint report_count;
	char reports[FUZZ_REPORTS_MAX][160]; /* the first of them; children have no streams */
	atomic_uint children_set_up;
	unsigned long calls_wanted;		/* children end when calls comes to this */
	atomic_ulong current[FUZZ_THREADS_MAX]; /* row that each thread is at */
};

/* A thread that makes calls. */
struct fuzz {
	uint64_t random;
	unsigned index;
	char *buffer;	 /* FUZZ_BUFFER_SIZE bytes, then nothing */
	char *read_only; /* the same memory */
	char *data;	 /* as large: fuzz_data() */
	size_t used;	 /* of the buffer, by this call's arguments */
	int odd_places;	 /* some lie across words: pieces of numbers look like addresses */
	const struct fuzz_call *call;
	/* What the main thread looks at */
	atomic_ulong made;
	atomic_int tid;
	atomic_int done;
};

typedef uint64_t fuzz_arg(struct fuzz *f);

enum fuzz_how {
	FUZZ_PLAIN,
	FUZZ_STRICT,   /* no argument is replaced: what is odd could take all memory or never end */
	FUZZ_NEW_TASK, /* clone: the new thread or process ends at once */
	FUZZ_IN_CHILD, /* ends or replaces who calls: a process of its own does */
	FUZZ_RANDOM,   /* plain, but results are random bytes: not looked at */
};

struct fuzz_call {
	const char *name;
	long number;
	enum fuzz_how how;
	uint64_t command; /* of an ioctl; its arg[1] is NULL then */
	fuzz_arg *arg[6];
};

/* ---- fuzz_random.c */
uint64_t fuzz_next(struct fuzz *f);
/* 0 to @limit - 1. */
uint64_t fuzz_below(struct fuzz *f, uint64_t limit);
#define FUZZ_ONE_IN(f, n) (fuzz_below(f, n) == 0)
/* A number at some edge. */
uint64_t fuzz_odd(struct fuzz *f);
/* A pointer to nothing good: 0, unmapped, the kernel's. */
uint64_t fuzz_bad_pointer(struct fuzz *f);
/* An address of the kernel's; results that look like one were not told by the kernel. */
uint64_t fuzz_kernel_address(struct fuzz *f);

#define FUZZ_PICK_ONE(name, ...)                                                                   \
	static uint64_t name(struct fuzz *f)                                                       \
	{                                                                                          \
		static const uint64_t values[] = { __VA_ARGS__ };                                  \
                                                                                                   \
		return values[fuzz_below(f, sizeof(values) / sizeof(values[0]))];                  \
	}
/* Each of the values with one chance in four, added by OR. */
#define FUZZ_PICK_BITS(name, ...)                                                                  \
	static uint64_t name(struct fuzz *f)                                                       \
	{                                                                                          \
		static const uint64_t values[] = { __VA_ARGS__ };                                  \
		uint64_t sum = 0;                                                                  \
                                                                                                   \
		for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++)                    \
			sum |= FUZZ_ONE_IN(f, 4) ? values[i] : 0;                                  \
		return sum;                                                                        \
	}

/* ---- fuzz_memory.c: arguments that point to memory, and what comes back in it */
extern char *fuzz_arena;
/* Maps the buffers of @f. 0, or -1. */
int fuzz_memory_init(struct fuzz *f);
/* Forgets the last call's arguments. */
void fuzz_memory_begin(struct fuzz *f);
/* What is wrong in the memory of this call's arguments is counted and printed. */
void fuzz_memory_check(struct fuzz *f);
/* Looks for the same in @p. */
void fuzz_scan(struct fuzz *f, const void *p, size_t size);
/* A copy of @size bytes for the kernel to read or write; nearly always whole, else across the end
   of memory, read-only, not aligned, or no memory at all. */
uint64_t fuzz_put(struct fuzz *f, const void *from, size_t size);
/* The same, always whole. */
void *fuzz_put_whole(struct fuzz *f, const void *from, size_t size);
/* Room for results. */
uint64_t fuzz_out(struct fuzz *f);
/* Random words, and few large ones. */
uint64_t fuzz_in(struct fuzz *f);
/* The same for what may be read again: no bytes beside it that look like an address elsewhere. */
uint64_t fuzz_data(struct fuzz *f);
/* An address in the arena, at a page; in one of four not. */
uint64_t fuzz_arena_at(struct fuzz *f);
uint64_t fuzz_arena_size(struct fuzz *f);
/* Leaves free memory full of bytes that nobody must see. */
void fuzz_plant(void);
/* Not 0: memory that a program gets anew is not clean. */
unsigned long fuzz_dirty_pages(void);

/* ---- fuzz_fds.c */
struct fuzz_machine {
	uint64_t reg_ids[FUZZ_REGS_MAX];
	size_t reg_count;
	void *runs[FUZZ_VCPUS]; /* struct kvm_run, and what else a vCPU's file maps */
	size_t run_size;
};
extern struct fuzz_machine fuzz_machine;
extern struct fuzz_shared *fuzz_shared;
/* Opens one of each kind; what cannot be had is /dev/null. Ends the process if KVM cannot. */
void fuzz_open_all(struct fuzz *f);
/* Arguments. */
fuzz_arg fuzz_fd_any, fuzz_fd_spare;

/* ---- fuzz_child.c */
struct fuzz_options {
	unsigned long seed, calls, threads;
	unsigned long first; /* child */
	unsigned long each;  /* not 0: says what each child leaves */
};
extern struct fuzz_options fuzz_options;
enum { FUZZ_GAVE_UP = 77 }; /* the status of a child in which a call does not end */
/* Makes the calls of child number @child; does not return. */
void fuzz_run_child(unsigned long child);
/* A row of both tables together, system calls first. */
const struct fuzz_call *fuzz_row(size_t row);

/* ---- fuzz_ioctls.c, fuzz_syscalls.c */
extern const struct fuzz_call fuzz_syscalls[];
extern const size_t fuzz_syscall_count;
extern const struct fuzz_call fuzz_ioctls[];
extern const size_t fuzz_ioctl_count;

#endif
