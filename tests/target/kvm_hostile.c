/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Two VMs, one hostile: while a well-behaved guest computes the same checksum over and over,
 * another tries what might harm the host: semihosting, secure monitor calls, the hypervisor's
 * registers and maintenance, addresses where nothing is, loops that never end, tables that point
 * nowhere, and thousands of random instructions. Every attempt ends as it does on Linux, the
 * checksum never changes, and the process ends with its own status.
 */
#define _GNU_SOURCE
#include "tests/target/check.h"
#include "tests/target/client.h"

#include <pthread.h>
#include <unistd.h>

enum {
	VECTORS = GUEST_RAM + 0x1000, /* every exception of the hostile guest tells its syndrome */
	TRIAL = GUEST_RAM + 0x2000,
	STRING = GUEST_RAM + 0x3000,
	NOTHING = 0x70000000,
	TELL_EXCEPTION = GUEST_MMIO + 0x200,
	TELL_DONE = GUEST_MMIO + 0x300,
	RAM_SIZE = 64 * 1024,
	TRIAL_MS = 20,
	PATIENCE = 100, /* interruptions before a guest counts as asleep where it should not be */
	RANDOM_TRIALS = 300,
	RANDOM_WORDS = 64,
};

GUEST(vectors, "	.rept 16\n"
	       "	.balign 0x80\n"
	       "	mrs x0, esr_el1\n"
	       "	mov x1, #0x10000000\n"
	       "	str x0, [x1, #0x200]\n"
	       "	b .\n"
	       "	.endr\n");
/* For random code: the n-th exception goes on with the n-th instruction (n is in TPIDR_EL0), so
 * that it comes to an end. */
GUEST(skipping_vectors, "	.rept 16\n"
			"	.balign 0x80\n"
			"	mrs x0, tpidr_el0\n"
			"	add x0, x0, #1\n"
			"	msr tpidr_el0, x0\n"
			"	mov x1, #0x40000000\n"
			"	add x1, x1, #2, lsl #12\n"
			"	add x0, x1, x0, lsl #2\n"
			"	msr elr_el1, x0\n"
			"	mov x0, #0x3c5\n"
			"	msr spsr_el1, x0\n"
			"	eret\n"
			"	.endr\n");
GUEST(done, "	mov x1, #0x10000000\n"
	    "	str x0, [x1, #0x300]\n"
	    "	b .\n");

/* The good guest: a checksum over x1 bytes at x0, told, again and again. */
GUEST(good, "1:	mov x2, x0\n"
	    "	add x3, x0, x1\n"
	    "	mov x4, #0\n"
	    "2:	ldr x5, [x2], #8\n"
	    "	ror x4, x4, #7\n"
	    "	add x4, x4, x5\n"
	    "	cmp x2, x3\n"
	    "	b.lo 2b\n"
	    "	str x4, [x19]\n"
	    "	b 1b\n");

/* How an attempt may end; several where Linux's own answer depends on its version or on the CPU. */
enum {
	DONE = 1 << 0,	/* the instruction had no effect that the guest sees, or a harmless one */
	UNDEF = 1 << 1, /* exception in the guest, unknown reason or trapped register */
	ABORT = 1 << 2, /* exception in the guest, data or instruction abort */
	OTHER = 1 << 3, /* another exception in the guest */
	MMIO = 1 << 4,
	NOSYS = 1 << 5,	 /* KVM_RUN fails: an access without syndrome */
	SLEEPS = 1 << 6, /* nothing happens until the signal */
	EVENT = 1 << 7,
	FAILS = 1 << 8, /* KVM_RUN fails with EFAULT */
	WRONG = 1 << 9, /* anything else */
};

static const char *const outcome_names[] = { "done",   "undefined", "abort",  "other exception",
					     "MMIO",   "ENOSYS",    "sleeps", "event",
					     "EFAULT", "wrong" };

#define TRIALS(X)                                                                                  \
	X(udf, "udf #0", UNDEF, 0, 0)                                                              \
	X(semihosting_exit, "hlt #0xf000", UNDEF, 0x18, STRING)                                    \
	X(semihosting_system, "hlt #0xf000", UNDEF, 0x12, STRING)                                  \
	X(hlt, "hlt #1", UNDEF, 0, 0)                                                              \
	X(dcps2, ".inst 0xd4a00002", UNDEF, 0, 0)                                                  \
	X(smc_off, "smc #0", DONE | EVENT, 0x84000008, 0)                                          \
	X(smc_reset, "smc #0", DONE | EVENT, 0x84000009, 0)                                        \
	X(smc_cpu_off, "smc #0", DONE | SLEEPS, 0x84000002, 0)                                     \
	X(smc_cpu_on, "smc #0", DONE, 0xc4000003, 1)                                               \
	X(smc_other, "smc #0xffff", DONE | UNDEF, 0x84000008, 0)                                   \
	X(hvc_other, "hvc #0x1234", DONE, 0x12345678, 0)                                           \
	X(hvc_off, "hvc #0", EVENT, 0x84000008, 0)                                                 \
	X(hvc_reset, "hvc #0", EVENT, 0x84000009, 0)                                               \
	X(hvc_suspend, "hvc #0", SLEEPS, 0x84000001, 0)                                            \
	X(read_nothing, "ldr x2, [x0]", MMIO, NOTHING, 0)                                          \
	X(write_nothing, "str x1, [x0]", MMIO, NOTHING, 0)                                         \
	X(read_zero, "ldr x2, [x0]", MMIO, 0, 0)                                                   \
	X(write_board, "str w1, [x0]", MMIO, 0x09000000, 0x41)                                     \
	X(pair_nothing, "ldp x2, x3, [x0]", NOSYS, NOTHING, 0)                                     \
	X(exclusive_nothing, "ldxr x2, [x0]", NOSYS, NOTHING, 0)                                   \
	X(writeback_nothing, "ldr x2, [x0], #8", NOSYS, NOTHING, 0)                                \
	X(vector_nothing, "ldr q0, [x0]", NOSYS | OTHER, NOTHING, 0)                               \
	X(atomic_nothing, ".arch armv8.1-a\n ldadd x1, x2, [x0]", NOSYS, NOTHING, 0)               \
	X(zero_nothing, "dc zva, x0", ABORT | NOSYS, NOTHING, 0)                                   \
	X(jump_nothing, "br x0", ABORT, NOTHING, 0)                                                \
	X(jump_odd, "br x0", OTHER, TRIAL + 2, 0)                                                  \
	X(beyond_ipa, "ldr x2, [x0]", ABORT, 1ul << 41, 0)                                         \
	X(beyond_pa, "ldr x2, [x0]", ABORT, 1ul << 50, 0)                                          \
	X(jump_beyond, "br x0", ABORT, 1ul << 50, 0)                                               \
	X(reads_none, "mrs x2, s3_7_c15_c15_7", UNDEF, 0, 0)                                       \
	X(writes_none, "msr s3_7_c15_c15_7, x0", UNDEF, -1ul, 0)                                   \
	X(reads_implementation, "mrs x2, s3_1_c15_c2_0", UNDEF | DONE, 0, 0)                       \
	X(writes_actlr, "msr actlr_el1, x0", DONE | UNDEF, -1ul, 0)                                \
	X(reads_hcr, "mrs x2, hcr_el2", UNDEF, 0, 0)                                               \
	X(writes_hcr, "msr hcr_el2, x0", UNDEF, 0, 0)                                              \
	X(writes_vttbr, "msr vttbr_el2, x0", UNDEF, 0, 0)                                          \
	X(writes_vbar_el2, "msr vbar_el2, x0", UNDEF, 0, 0)                                        \
	X(writes_el3, "msr elr_el3, x0", UNDEF, 0, 0)                                              \
	X(writes_el12, "msr s3_5_c1_c0_0, x0", UNDEF, 0, 0)                                        \
	X(writes_cntvoff, "msr cntvoff_el2, x0", UNDEF, 0, 0)                                      \
	X(tlbi_all, "tlbi vmalle1is", DONE, 0, 0)                                                  \
	X(tlbi_alle1, "tlbi alle1is", UNDEF, 0, 0)                                                 \
	X(tlbi_alle2, "tlbi alle2is", UNDEF, 0, 0)                                                 \
	X(tlbi_stage12, "tlbi vmalls12e1is", UNDEF, 0, 0)                                          \
	X(tlbi_ipa, "tlbi ipas2e1is, x0", UNDEF, 0, 0)                                             \
	X(at_el1, "at s1e1r, x0", DONE, NOTHING, 0)                                                \
	X(at_el2, "at s1e2r, x0", UNDEF, NOTHING, 0)                                               \
	X(at_stage12, "at s12e1w, x0", UNDEF, NOTHING, 0)                                          \
	X(clean_set_way, "dc cisw, x0", DONE, 0, 0)                                                \
	X(clean_set_way_beyond, "dc cisw, x0", DONE, -1ul, 0)                                      \
	X(invalidate_set_way, "dc isw, x0", DONE, 0, 0)                                            \
	X(invalidate_nothing, "dc ivac, x0", DONE, NOTHING, 0)                                     \
	X(clean_nothing, "dc civac, x0", DONE, NOTHING, 0)                                         \
	X(icache_nothing, "ic ivau, x0", DONE, NOTHING, 0)                                         \
	X(icache_all, "ic ialluis", DONE, 0, 0)                                                    \
	X(clean_ram, "dc civac, x0", DONE, TRIAL, 0)                                               \
	X(sends_sgi, "msr s3_0_c12_c11_5, x0", DONE | UNDEF, 1ul << 40 | 1, 0)                     \
	X(sends_sgi_group0, "msr s3_0_c12_c11_7, x0", DONE | UNDEF, 1ul << 40 | 1, 0)              \
	X(acknowledges, "mrs x2, s3_0_c12_c12_0", DONE | UNDEF, 0, 0)                              \
	X(ends_interrupt, "msr s3_0_c12_c12_1, x0", DONE | UNDEF, 27, 0)                           \
	X(masks_interrupts, "msr s3_0_c4_c6_0, x0", DONE | UNDEF, 0, 0)                            \
	X(disables_group1, "msr s3_0_c12_c12_7, x0", DONE | UNDEF, 0, 0)                           \
	X(disables_gic, "msr s3_0_c12_c12_5, x0", DONE | UNDEF, 0, 0)                              \
	X(writes_ich, "msr s3_4_c12_c11_0, x0", UNDEF, 1, 0)                                       \
	X(reads_pmu, "mrs x2, pmcr_el0", UNDEF, 0, 0)                                              \
	X(writes_pmu, "msr pmcr_el0, x0", UNDEF, -1ul, 0)                                          \
	X(virtual_timer, "msr cntv_tval_el0, x1\n msr cntv_ctl_el0, x0\n isb", DONE, 1, 1)         \
	X(physical_timer, "msr cntp_tval_el0, x1\n msr cntp_ctl_el0, x0\n isb", DONE, 1, 1)        \
	X(reads_counter, "mrs x2, cntpct_el0", DONE, 0, 0)                                         \
	X(debug_on, "msr mdscr_el1, x0\n isb", DONE, 0xa000, 0)                                    \
	X(breakpoints, "msr dbgbvr0_el1, x1\n msr dbgbcr0_el1, x0\n isb", DONE, 0x1e7, TRIAL)      \
	X(os_lock, "msr oslar_el1, x0\n isb", DONE, 1, 0)                                          \
	X(sve, ".inst 0x0420e3e0", UNDEF | OTHER, 0, 0)                                            \
	X(sme, ".inst 0xd503477f", UNDEF | OTHER, 0, 0)                                            \
	X(tags, "mrs x2, s3_0_c1_c0_6", UNDEF, 0, 0)                                               \
	X(pointer_keys, "msr s3_0_c2_c1_0, x0", DONE | UNDEF, 1, 0)                                \
	X(single_copy_64, ".inst 0xf83fd002", UNDEF, NOTHING, 0)                                   \
	X(sleeps, "wfi", SLEEPS, 0, 0)                                                             \
	X(sleeps_for_event, "wfe\n wfe", DONE, 0, 0)                                               \
	X(spins, "b .", SLEEPS, 0, 0)                                                              \
	X(faults_forever, "msr vbar_el1, x0\n isb\n udf #0", SLEEPS, NOTHING, 0)                   \
	X(undefined_forever, "msr vbar_el1, x0\n isb\n udf #0", SLEEPS, TRIAL & ~0x7ff, 0)         \
	X(tables_nowhere,                                                                          \
	  "msr ttbr0_el1, x0\n msr tcr_el1, x1\n isb\n mov x2, #1\n"                               \
	  "msr sctlr_el1, x2\n isb",                                                               \
	  SLEEPS, NOTHING, 25)                                                                     \
	X(tables_beyond,                                                                           \
	  "msr ttbr0_el1, x0\n msr tcr_el1, x1\n isb\n mov x2, #1\n"                               \
	  "msr sctlr_el1, x2\n isb",                                                               \
	  SLEEPS, 0xff0000000000, 25)                                                              \
	X(tables_of_themselves,                                                                    \
	  "msr ttbr0_el1, x0\n msr tcr_el1, x1\n add x3, x0, #3\n"                                 \
	  "str x3, [x0]\n isb\n mov x2, #1\n msr sctlr_el1, x2\n isb",                             \
	  SLEEPS, GUEST_RAM + 0x8000, 25)                                                          \
	X(big_endian,                                                                              \
	  "mrs x2, sctlr_el1\n orr x2, x2, #1 << 25\n msr sctlr_el1, x2\n isb\n"                   \
	  "str w1, [x0]",                                                                          \
	  MMIO, NOTHING, 0)                                                                        \
	X(returns_to_el2, "msr elr_el1, x0\n msr spsr_el1, x1\n eret", OTHER, TRIAL, 0x3c9)        \
	X(returns_to_el3, "msr elr_el1, x0\n msr spsr_el1, x1\n eret", OTHER, TRIAL, 0x3cd)        \
	X(returns_to_nothing, "msr elr_el1, x0\n msr spsr_el1, x1\n eret", ABORT, NOTHING, 0x3c5)  \
	X(returns_to_aarch32, "msr elr_el1, x0\n msr spsr_el1, x1\n eret",                         \
	  OTHER | UNDEF | ABORT | SLEEPS | MMIO | NOSYS, STRING, 0x1d0)

#define DEFINE(name, code, outcomes, x0, x1) GUEST(trial_##name, code "\n");
TRIALS(DEFINE)
#undef DEFINE

static const struct trial {
	const char *name, *start, *end;
	unsigned outcomes;
	uint64_t x0, x1;
} trials[] = {
#define ROW(name, code, outcomes, x0, x1)                                                          \
	{ #name, trial_##name, trial_##name##_end, outcomes, x0, x1 },
	TRIALS(ROW)
#undef ROW
};

struct hostile {
	struct vm vm;
	struct vcpu vcpu;
	char *ram;
};

static unsigned classify_exception(uint64_t esr)
{
	switch (esr >> 26 & 0x3f) {
	case 0x00: /* unknown reason */
	case 0x18: /* trapped system register */ return UNDEF;
	case 0x20:
	case 0x21:
	case 0x24:
	case 0x25: return ABORT;
	default: return OTHER;
	}
}

static unsigned classify(struct vcpu *vcpu, int error)
{
	const struct kvm_run *run = vcpu->run;
	uint64_t data;

	if (error)
		return error == -EINTR	  ? SLEEPS
		       : error == -ENOSYS ? NOSYS
		       : error == -EFAULT ? FAILS
					  : WRONG;
	if (run->exit_reason == KVM_EXIT_SYSTEM_EVENT)
		return EVENT;
	if (run->exit_reason != KVM_EXIT_MMIO)
		return WRONG;
	memcpy(&data, run->mmio.data, sizeof(data));
	if (run->mmio.is_write && run->mmio.phys_addr == TELL_DONE)
		return DONE;
	if (run->mmio.is_write && run->mmio.phys_addr == TELL_EXCEPTION)
		return classify_exception(data);
	return MMIO;
}

/* Everything as after a reset, with vectors; the guest's code is at TRIAL. */
static void reset(struct hostile *h, uint64_t x0, uint64_t x1)
{
	/* An MMIO exit not yet completed is, so that it cannot disturb the new start. */
	h->vcpu.run->immediate_exit = 1;
	vcpu_run(&h->vcpu);
	h->vcpu.run->immediate_exit = 0;
	REQUIRE(vcpu_init(&h->vm, &h->vcpu, 1u << KVM_ARM_VCPU_PSCI_0_2) == 0);
	reg_set(&h->vcpu, ARM64_SYS_REG(3, 0, 12, 0, 0), VECTORS);
	vcpu_start(&h->vcpu, TRIAL);
	vcpu_set_x(&h->vcpu, 0, x0);
	vcpu_set_x(&h->vcpu, 1, x1);
	vcpu_set_x(&h->vcpu, 30, TRIAL + 4);
}

static void lay_out(struct hostile *h, const char *handlers, const char *handlers_end)
{
	guest_load(h->ram + (VECTORS - GUEST_RAM), handlers, handlers_end);
	memset(h->ram + (TRIAL - GUEST_RAM), 0, PAGE);
	/* For semihosting: the parameter block of an exit with status 99, then a command. */
	memcpy(h->ram + (STRING - GUEST_RAM), (uint64_t[]){ 0x20026, 99 }, 16);
}

static void print_outcomes(const char *text, unsigned outcomes)
{
	printf("%s", text);
	for (size_t i = 0; i < sizeof(outcome_names) / sizeof(outcome_names[0]); i++)
		if (outcomes >> i & 1)
			printf(" \"%s\"", outcome_names[i]);
}

/* Runs with a signal every TRIAL_MS, up to @patience of them. */
static unsigned run_for_a_while(struct hostile *h, unsigned patience)
{
	unsigned outcome;

	alarm_every_us(TRIAL_MS * 1000);
	do
		outcome = classify(&h->vcpu, vcpu_run(&h->vcpu));
	while (outcome == SLEEPS && --patience);
	alarm_every_us(0);
	return outcome;
}

static void run_trial(struct hostile *h, const struct trial *t)
{
	size_t size = (size_t)(t->end - t->start);
	unsigned outcome;

	lay_out(h, vectors, vectors_end);
	memcpy(h->ram + (TRIAL - GUEST_RAM), t->start, size);
	guest_load(h->ram + (TRIAL - GUEST_RAM) + size, done, done_end);
	__builtin___clear_cache(h->ram + PAGE, h->ram + 4 * PAGE);
	reset(h, t->x0, t->x1);
	outcome = run_for_a_while(h, t->outcomes & SLEEPS ? 1 : PATIENCE);
	if (check_note(outcome & t->outcomes))
		return;
	printf("%s:%d: %s:", __FILE__, __LINE__, t->name);
	print_outcomes(" seen", outcome);
	print_outcomes(", expected", t->outcomes);
	printf(" (exit %s, pc %#lx, x0 %#lx)\n", exit_name(h->vcpu.run->exit_reason),
	       reg_get(&h->vcpu, CORE_REG(regs.pc)), vcpu_x(&h->vcpu, 0));
}

static uint64_t random_state = 0x9e3779b97f4a7c15;

static uint32_t random_word(void)
{
	random_state ^= random_state << 13;
	random_state ^= random_state >> 7;
	random_state ^= random_state << 17;
	return (uint32_t)(random_state >> 16);
}

/* Random instructions, a third of them from the system instruction space, where privilege lies. */
static void lay_out_random(struct hostile *h)
{
	uint32_t *code = (uint32_t *)(h->ram + (TRIAL - GUEST_RAM));

	lay_out(h, skipping_vectors, skipping_vectors_end);
	for (int i = 0; i < RANDOM_WORDS; i++)
		code[i] = i % 3 ? random_word() : 0xd5000000 | (random_word() & 0x3fffff);
	guest_load((char *)(code + RANDOM_WORDS), done, done_end);
	__builtin___clear_cache(h->ram + PAGE, h->ram + 4 * PAGE);
}

/* Runs on behind MMIO exits and accesses without syndrome, as a VMM would that wants to know
 * nothing. */
static unsigned run_on(struct hostile *h)
{
	unsigned outcome = run_for_a_while(h, 1);

	for (int i = 0; i < RANDOM_WORDS && (outcome & (MMIO | NOSYS)); i++) {
		if (outcome == NOSYS)
			reg_set(&h->vcpu, CORE_REG(regs.pc),
				reg_get(&h->vcpu, CORE_REG(regs.pc)) + 4);
		outcome = run_for_a_while(h, 1);
	}
	return outcome;
}

static void run_random(struct hostile *h, unsigned *tally)
{
	static const uint64_t places[] = { NOTHING, TRIAL, GUEST_RAM + 0x8000, 0x09000000,
					   1ul << 50 };
	uint64_t seed = random_state;
	unsigned outcome;

	lay_out_random(h);
	reset(h, 0, 0);
	for (unsigned i = 0; i < 30; i++)
		vcpu_set_x(&h->vcpu, i, places[random_word() % 5] + random_word() % PAGE);
	reg_set(&h->vcpu, ARM64_SYS_REG(3, 3, 13, 0, 2), 0); /* TPIDR_EL0 */
	outcome = run_on(h);
	tally[__builtin_ctz(outcome)]++;
	if (!check_note(!(outcome & (WRONG | FAILS))))
		printf("%s:%d: random code of seed %#lx: exit %s, errno %s\n", __FILE__, __LINE__,
		       seed, exit_name(h->vcpu.run->exit_reason), strerrorname_np(errno));
}

static atomic_int hostile_done;
static atomic_uint good_passes;

static uint64_t checksum(const uint64_t *p, size_t words)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < words; i++)
		sum = (sum >> 7 | sum << 57) + p[i];
	return sum;
}

static void *run_good(void *arg)
{
	enum { DATA = GUEST_RAM + PAGE, DATA_SIZE = 256 * 1024 };
	uint64_t expected, *data;
	struct vcpu vcpu;
	struct vm vm;
	char *ram;

	(void)arg;
	vm_create(&vm, 0);
	ram = vm_ram(&vm, 0, GUEST_RAM, MIB);
	LOAD(ram, good);
	data = (uint64_t *)(ram + PAGE);
	for (size_t i = 0; i < DATA_SIZE / 8; i++)
		data[i] = i * 0x123456789abcdef;
	expected = checksum(data, DATA_SIZE / 8);
	vcpu_create(&vm, &vcpu, 0, 0);
	vcpu_start(&vcpu, GUEST_RAM);
	vcpu_set_x(&vcpu, 0, DATA);
	vcpu_set_x(&vcpu, 1, DATA_SIZE);
	while (!atomic_load(&hostile_done)) {
		CHECK_EQ(RUN_TO_WRITE(&vcpu, GUEST_MMIO), expected);
		atomic_fetch_add(&good_passes, 1);
	}
	CHECK_EQ(checksum(data, DATA_SIZE / 8), expected);
	vcpu_destroy(&vcpu);
	vm_destroy(&vm);
	return NULL;
}

/* The signals that end trials are for this thread; the good VM's thread is started with them
 * blocked. */
static pthread_t start_good(void)
{
	sigset_t alarm, old;
	pthread_t thread;

	sigemptyset(&alarm);
	sigaddset(&alarm, SIGALRM);
	pthread_sigmask(SIG_BLOCK, &alarm, &old);
	REQUIRE(pthread_create(&thread, NULL, run_good, NULL) == 0);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	return thread;
}

int main(void)
{
	unsigned tally[sizeof(outcome_names) / sizeof(outcome_names[0])] = { 0 };
	pthread_t thread = start_good();
	struct hostile h;

	vm_create(&h.vm, 0);
	h.ram = vm_ram(&h.vm, 0, GUEST_RAM, RAM_SIZE);
	vcpu_create(&h.vm, &h.vcpu, 0, 0);
	for (size_t i = 0; i < sizeof(trials) / sizeof(trials[0]); i++)
		run_trial(&h, &trials[i]);
	for (unsigned i = 0; i < RANDOM_TRIALS; i++)
		run_random(&h, tally);
	alarm_every_us(0);
	atomic_store(&hostile_done, 1);
	pthread_join(thread, NULL);
	CHECK(atomic_load(&good_passes) > 0);
	vcpu_destroy(&h.vcpu);
	vm_destroy(&h.vm);
	printf("kvm_hostile: %zu attempts, %d runs of random code:",
	       sizeof(trials) / sizeof(trials[0]), RANDOM_TRIALS);
	for (size_t i = 0; i < sizeof(tally) / sizeof(tally[0]); i++)
		if (tally[i])
			printf(" %u %s", tally[i], outcome_names[i]);
	printf("; the good VM's checksum was right %s\n",
	       atomic_load(&good_passes) > 0 ? "every time" : "never");
	return check_done("kvm_hostile");
}
