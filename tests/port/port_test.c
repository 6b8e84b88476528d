/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The port to arm64 by itself: an image of port/arm64 and this file, with a kernel_main() that
 * checks what port/arm64 promises (host/port.h, kernel/port.h) and prints a line for each failure.
 * With test=NAME on the command line it does what must end in a panic instead. tests/port/run
 * drives it.
 */
#include <stdio.h>
#include <string.h>

#include "host/err.h"
#include "host/page.h"
#include "host/task.h"
#include "kernel/port.h"
#include "mair.h"

#define TICK_NS	    2000000UL
#define PATIENCE_NS 10000000000UL
/* Where the program at EL0 (port_test_user.S) finds itself. */
#define USER_DATA_RO 0x400000UL
#define USER_CODE    0x401000UL
#define USER_DATA    0x402000UL
#define USER_HOLE    0x403000UL
#define USER_ASID    5
/* What it tries to read. */
#define KERNEL_ADDRESS 0xffff000000000000UL
/* What the program asks for. */
enum { CALL_TIME = 2, CALL_ACCESS = 3, CALL_END = 4 };

extern const u8 port_test_user[], port_test_user_end[];

static unsigned int checks, failures;

static void say(const char *fmt, ...) __printf(1, 2);

static void say(const char *fmt, ...)
{
	char line[160];
	va_list args;
	int n;

	va_start(args, fmt);
	n = vsnprintf(line, sizeof(line), fmt, args);
	va_end(args);
	port_console_write(line, min((size_t)n, sizeof(line) - 1));
}

#define CHECK(cond)                                                                                \
	do {                                                                                       \
		checks++;                                                                          \
		if (!(cond)) {                                                                     \
			failures++;                                                                \
			say("%s:%d: not so: %s\n", __FILE__, __LINE__, #cond);                     \
		}                                                                                  \
	} while (0)

/* ---- pages, from the upper half of RAM and never freed */
struct page {
	pa_t pa;
};

static struct page pages[512];
static unsigned int page_count;
static u32 pages_put;

struct page *page_alloc(unsigned int order, enum page_fill fill)
{
	static u64 next;
	struct page *page = &pages[page_count++];

	if (page_count > ARRAY_SIZE(pages) || order != ORDER_4K)
		return NULL;
	if (!next)
		next = boot_info.ram[0].start.v + boot_info.ram[0].size / 2;
	page->pa = PA(next);
	next += PAGE_SIZE;
	if (fill == PAGE_ZEROED)
		port_zero(phys_to_virt(page->pa), PAGE_SIZE);
	return page;
}

void page_put(struct page *p)
{
	(void)p;
	pages_put++;
}

void *page_to_virt(const struct page *p)
{
	return phys_to_virt(p->pa);
}

pa_t page_to_phys(const struct page *p)
{
	return p->pa;
}

struct page *phys_to_page(pa_t pa)
{
	for (unsigned int i = 0; i < page_count; i++) {
		if (pages[i].pa.v == pa.v)
			return &pages[i];
	}
	return NULL;
}

/* ---- the tables of the program at EL0 */
static u64 *user_table(u64 *parent, unsigned int index)
{
	u64 *table = page_to_virt(page_alloc(ORDER_4K, PAGE_ZEROED));

	if (parent)
		parent[index] = virt_to_phys(table).v | 3;
	return table;
}

enum user_page { USER_RO, USER_RW, USER_TEXT };

/* A page for EL0: AF, inner shareable, write-back, not global. */
static u8 *user_page(u64 *table, u64 va, enum user_page kind)
{
	static const u64 attributes[] = {
		[USER_RO] = BIT(7) | BIT(53) | BIT(54),
		[USER_RW] = BIT(53) | BIT(54),
		[USER_TEXT] = BIT(7) | BIT(53),
	};
	u8 *page = page_to_virt(page_alloc(ORDER_4K, PAGE_ZEROED));

	table[(va >> PAGE_SHIFT) % 512] = virt_to_phys(page).v | 3 | BIT(6) | (3 << 8) | BIT(10) |
					  BIT(11) | PTE_ATTR_INDEX(MAIR_IDX_WB) | attributes[kind];
	return page;
}

static void make_user_space(void)
{
	u64 *root = user_table(NULL, 0);
	u64 *l3 = user_table(user_table(user_table(root, 0), 0), USER_CODE >> 21);
	u8 *text;

	strlcpy((char *)user_page(l3, USER_DATA_RO, USER_RO), "constant", PAGE_SIZE);
	user_page(l3, USER_DATA, USER_RW);
	text = user_page(l3, USER_CODE, USER_TEXT);
	memcpy(text, port_test_user, (size_t)(port_test_user_end - port_test_user));
	port_icache_sync(text, PAGE_SIZE);
	port_pte_publish();
	port_mm_switch(virt_to_phys(root), USER_ASID);
}

/* ---- what the port calls */
static unsigned int ticks[PORT_MAX_CPUS], ipis[PORT_MAX_CPUS];
static unsigned int access_faults, exceptions, calls;
static struct task *boot_task, program_task;
static struct port_thread boot_thread, program_thread;

void kernel_timer_interrupt(void)
{
	__atomic_fetch_add(&ticks[port_cpu()], 1, __ATOMIC_RELAXED);
	port_timer_set(port_time_ns() + TICK_NS);
}

void kernel_device_interrupt(u32 intid)
{
	say("unexpected interrupt %u\n", intid);
	failures++;
}

int kernel_user_access_fault(hva_t far, u64 esr)
{
	(void)esr;
	CHECK(ALIGN_DOWN(far.v, PAGE_SIZE) == USER_HOLE || far.v < USER_DATA);
	access_faults++;
	return -EFAULT;
}

void kernel_user_exception(struct user_regs *regs, u64 esr, u64 far)
{
	CHECK(regs->syscall == -1);
	/* FAR counts for data aborts only. */
	CHECK(esr >> 26 != 0x24 || far == 0 || far == KERNEL_ADDRESS);
	exceptions++;
	regs->pc += 4;
}

void kernel_return_to_user(struct user_regs *regs)
{
	(void)regs;
}

static void check_copies(void)
{
	static u8 out[300], in[300];

	for (size_t i = 0; i < sizeof(out); i++)
		out[i] = (u8)(i * 7);
	for (size_t n = 0; n < sizeof(out); n = n < 130 ? n + 1 : n + 23) {
		for (size_t shift = 0; shift < 9; shift += 3) {
			memset(in, 0xee, sizeof(in));
			CHECK(copy_to_user(HVA(USER_DATA + shift), out, n) == 0);
			CHECK(copy_from_user(in, HVA(USER_DATA + shift), n) == 0);
			CHECK(memcmp(in, out, n) == 0 && (n == sizeof(in) || in[n] == 0xee));
		}
	}
	CHECK(clear_user(HVA(USER_DATA + 3), 77) == 0);
	CHECK(copy_from_user(in, HVA(USER_DATA), 81) == 0);
	for (size_t i = 3; i < 80; i++)
		CHECK(in[i] == 0);
}

static void check_access_faults(void)
{
	char text[16];
	u8 byte;

	access_faults = 0;
	CHECK(copy_from_user(text, HVA(USER_HOLE - 4), 8) == -EFAULT);
	CHECK(copy_to_user(HVA(USER_HOLE), text, 8) == -EFAULT);
	CHECK(copy_to_user(HVA(USER_DATA_RO), text, 8) == -EFAULT);
	CHECK(clear_user(HVA(USER_HOLE), 1) == -EFAULT);
	CHECK(access_faults == 4);
	CHECK(copy_from_user_nofault(&byte, HVA(USER_HOLE), 1) == -EFAULT);
	CHECK(access_faults == 4);
	/* Addresses of the kernel, and tagged ones, never get as far as an access. */
	CHECK(copy_from_user(&byte, HVA((u64)&byte), 1) == -EFAULT);
	CHECK(copy_from_user(&byte, HVA(BIT(56) | USER_DATA), 1) == -EFAULT);
	CHECK(copy_from_user(text, HVA(USER_END - 4), 8) == -EFAULT);
	CHECK(access_faults == 4);
	CHECK(strncpy_from_user(text, HVA(USER_DATA_RO), sizeof(text)) == 8);
	CHECK(strcmp(text, "constant") == 0);
	CHECK(strncpy_from_user(text, HVA(USER_DATA_RO), 4) == -ENAMETOOLONG);
	CHECK(strncpy_from_user(text, HVA(USER_HOLE), 4) == -EFAULT);
}

static bool pan_is_set(void)
{
	u64 pan;

	__asm__ volatile("mrs %0, S3_0_C4_C2_3" : "=r"(pan));
	return pan != 0;
}

static void check_cmpxchg(void)
{
	u32 value = 5, old = 5;

	CHECK(copy_to_user(HVA(USER_DATA), &value, 4) == 0);
	CHECK(user_cmpxchg_u32(HVA(USER_DATA), &old, 6) == 0 && old == 5);
	CHECK(user_cmpxchg_u32(HVA(USER_DATA), &old, 7) == 0 && old == 6);
	CHECK(copy_from_user(&value, HVA(USER_DATA), 4) == 0 && value == 6);
	CHECK(user_cmpxchg_u32(HVA(USER_DATA_RO), &old, 7) == -EFAULT);
	CHECK(pan_is_set());
	CHECK(user_cmpxchg_u32(HVA(USER_HOLE), &old, 7) == -EFAULT);
	CHECK(user_cmpxchg_u32(HVA(USER_DATA + 2), &old, 7) == -EFAULT);
	CHECK(pan_is_set());
}

void kernel_syscall(struct user_regs *regs)
{
	struct user_fpsimd fp;

	CHECK((u64)(regs + 1) % (2 * KSTACK_SIZE) == 0);
	CHECK(regs->orig_x0 == regs->x[0]);
	calls++;
	switch (regs->syscall) {
	case CALL_TIME: regs->x[0] = port_time_ns(); return;
	case CALL_ACCESS:
		check_copies();
		check_access_faults();
		check_cmpxchg();
		return;
	case CALL_END:
		port_fp_save(&fp);
		CHECK((u64)fp.v[0] == 0x7777777777777777 && (u64)fp.v[31] == 0x3131313131313131);
		port_thread_switch(&program_thread, &boot_thread, boot_task);
		return;
	default: CHECK(!"a system call that the program makes");
	}
}

/* ---- the checks */
static void check_formats(void)
{
	char text[120];

	snprintf(text, sizeof(text), "%5d|%-5d|%05d|%+d|%x|%#X|%s|%.3s|%c|%lld|%hhu|%p|%%", -42, 42,
		 -42, 7, 255, 255, "abc", "defghi", 'c', -5LL, 200, (void *)0x1234);
	CHECK(strcmp(text, "  -42|42   |-0042|+7|ff|0xFF|abc|def|c|-5|200|0x1234|%") == 0);
	CHECK(snprintf(text, 4, "%s", "abcdef") == 6 && strcmp(text, "abc") == 0);
}

static void check_strings(void)
{
	static u8 a[200], b[200];

	for (size_t n = 0; n < 140; n++) {
		for (size_t i = 0; i < sizeof(a); i++)
			a[i] = (u8)i;
		memmove(a + 5, a + 2, n);
		for (size_t i = 0; i < n; i++)
			CHECK(a[5 + i] == 2 + i);
		memcpy(b + 1, a, n);
		CHECK(memcmp(b + 1, a, n) == 0);
		memset(b, (int)n, n);
		CHECK(n == 0 || (b[0] == n && b[n - 1] == n));
	}
}

static void check_zero(void)
{
	u8 *p = page_to_virt(page_alloc(ORDER_4K, PAGE_UNFILLED));

	for (size_t n = 0; n <= 3840; n += 64) {
		memset(p, 0xff, PAGE_SIZE);
		port_zero(p + 64, n);
		for (size_t i = 0; i < PAGE_SIZE; i++)
			CHECK(p[i] == (i >= 64 && i < 64 + n ? 0 : 0xff));
	}
}

/* Every CPU had timer interrupts and, but this one, its IPI. */
static bool cpus_answered(void)
{
	for (unsigned int cpu = 0; cpu < port_cpu_count(); cpu++) {
		if (__atomic_load_n(&ticks[cpu], __ATOMIC_RELAXED) < 3)
			return false;
		if (cpu && __atomic_load_n(&ipis[cpu], __ATOMIC_RELAXED) != 1)
			return false;
	}
	return true;
}

static void check_cpus(void)
{
	boot_task = port_current();
	CHECK(port_start_secondaries() == boot_info.cpu_count);
	CHECK(port_cpu_count() == boot_info.cpu_count);
	port_timer_set(port_time_ns() + TICK_NS);
	for (unsigned int cpu = 0; cpu < port_cpu_count(); cpu++)
		port_ipi_resched(cpu);
	/* As long as a busy machine may take. */
	for (u64 end = port_time_ns() + PATIENCE_NS; !cpus_answered() && port_time_ns() < end;)
		port_idle();
	CHECK(cpus_answered());
	CHECK(task_need_resched(boot_task));
}

static void check_lock(void)
{
	struct spinlock lock;

	spin_init(&lock);
	CHECK(!spin_is_locked(&lock) && spin_trylock(&lock));
	CHECK(spin_is_locked(&lock) && !spin_trylock(&lock));
	spin_unlock(&lock);
	spin_lock(&lock);
	CHECK(spin_is_locked(&lock));
	spin_unlock(&lock);
	CHECK(!spin_is_locked(&lock));
}

static void check_stacks(void)
{
	void *top[40];

	for (size_t i = 0; i < ARRAY_SIZE(top); i++) {
		top[i] = port_kstack_alloc();
		memset((u8 *)top[i] - KSTACK_SIZE, (int)i, KSTACK_SIZE);
	}
	for (size_t i = 0; i < ARRAY_SIZE(top); i++) {
		CHECK(*((u8 *)top[i] - 1) == i && *((u8 *)top[i] - KSTACK_SIZE) == i);
		port_kstack_free(top[i]);
	}
	/* 32 are kept for reuse, the rest given back. */
	CHECK(pages_put == 8 * KSTACK_SIZE / PAGE_SIZE);
	CHECK(port_kstack_alloc() == top[31]);
}

static void program(void *arg)
{
	struct user_regs regs = { .pc = USER_CODE, .sp = USER_HOLE };

	CHECK(arg == &program_task);
	/* The mode bits of a forged PSTATE do not count: it starts at EL0 all the same. */
	regs.pstate = 0x3c9;
	port_tls_set(0x1234);
	port_fp_reset();
	port_enter_user(&regs);
}

static void check_program(void)
{
	void *top = port_kstack_alloc();

	make_user_space();
	port_tls_set(0x5678);
	port_thread_init(&program_thread, top, program, &program_task);
	port_thread_switch(&boot_thread, &program_thread, &program_task);
	CHECK(port_current() == boot_task);
	CHECK(port_tls_get() == 0x5678);
	CHECK(calls == 102);
	/* SVE, LDR from 0, UDF, MSR DAIF, and an access to the kernel. */
	CHECK(exceptions == 5);
}

static void check_memory(void)
{
	static u32 in_image;
	u64 entropy[2] = { 0 };

	CHECK(phys_to_virt(virt_to_phys(&in_image)) != &in_image);
	in_image = 1;
	CHECK(*(volatile u32 *)phys_to_virt(virt_to_phys(&in_image)) == 1);
	CHECK(port_pa_is_ram(virt_to_phys(&in_image)) && !port_pa_is_ram(PA(0x09000000)));
	port_random(entropy, sizeof(entropy));
	CHECK(entropy[0] && entropy[1] && entropy[0] != entropy[1]);
}

/* ---- what must end in a panic */
/* Deeper than a stack is large. */
static void __attribute__((noinline)) overflow(volatile u8 *above, int depth)
{
	volatile u8 local[512];

	local[0] = *above;
	if (depth < 100)
		overflow(local, depth + 1);
	*above = local[0];
}

/* Jumps to where @p says, whatever is there. */
static void run_at(void *p)
{
	__asm__ volatile("blr %0" ::"r"(p) : "x30", "memory");
}

static void die(const char *how)
{
	void *text = (void *)kernel_main;
	u8 byte = 0;

	if (strcmp(how, "panic") == 0)
		panic("as asked, %d", 42);
	if (strcmp(how, "null") == 0)
		*(volatile u32 *)(u64)byte = 1;
	if (strcmp(how, "write-text") == 0)
		*(volatile u32 *)text = 1;
	if (strcmp(how, "write-text-alias") == 0)
		*(volatile u32 *)phys_to_virt(virt_to_phys(text)) = 1;
	if (strcmp(how, "run-data") == 0)
		run_at(pages);
	if (strcmp(how, "run-linear") == 0)
		run_at(phys_to_virt(virt_to_phys(text)));
	if (strcmp(how, "overflow") == 0)
		overflow(&byte, 0);
	if (strcmp(how, "read-user") == 0 || strcmp(how, "run-user") == 0)
		make_user_space();
	if (strcmp(how, "read-user") == 0)
		byte = *(volatile u8 *)USER_DATA;
	if (strcmp(how, "run-user") == 0)
		run_at((void *)USER_CODE);
	say("survived %s\n", how);
}

void kernel_main(void)
{
	char how[32];

	if (boot_option("test", how, sizeof(how))) {
		die(how);
		port_power_off();
	}
	check_formats();
	check_strings();
	check_zero();
	check_memory();
	check_lock();
	check_cpus();
	check_stacks();
	check_program();
	say("port: %u checks, %u failed\n", checks, failures);
	port_power_off();
}

void kernel_secondary_main(void)
{
	port_timer_set(port_time_ns() + TICK_NS);
	for (;;) {
		port_idle();
		if (task_need_resched(port_current())) {
			__atomic_fetch_add(&ipis[port_cpu()], 1, __ATOMIC_RELAXED);
			port_current()->need_resched = 0;
		}
	}
}
