/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Stolen time (Arm DEN0057A): what user space may choose and the guest may ask, that a vCPU's
 * thread which waits for a CPU counts and one that sleeps does not, and that the kernel's writes
 * are in the dirty log, or the ring.
 */
#define _GNU_SOURCE
#include "abi/catwalk.h"
#include "tests/target/check.h"
#include "tests/target/client.h"

#include <pthread.h>
#include <sched.h>
#include <string.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

#define ARCH_FEATURES	 0x80000001
#define PV_TIME_FEATURES 0xc5000020
#define PV_TIME_ST	 0xc5000021
#define NOT_SUPPORTED	 ((uint64_t)-1)

enum { PLACE = 0x50000000, ROM = 0x60000000, LOGGED = 1, READ_ONLY = 2, SIZE = 4 * PAGE };
enum { RING_ENTRIES = 512, STEAL_NS = 20000000 };

struct stolen {
	uint32_t revision, attributes;
	uint64_t ns;
	uint8_t padding[48];
};

struct guest {
	struct vm vm;
	struct vcpu vcpu;
	char *place;
	struct kvm_dirty_gfn *ring; /* NULL: the log is a bitmap */
};

GUEST(caller, "1:	hvc #0\n"
	      "	str x0, [x19]\n"
	      "	b 1b\n");

/* ---- the guest's calls */

static void complete_write(struct vcpu *vcpu)
{
	vcpu->run->immediate_exit = 1;
	CHECK_EQ(vcpu_run(vcpu), -EINTR);
	vcpu->run->immediate_exit = 0;
}

static uint64_t call(struct vcpu *vcpu, uint64_t function, uint64_t x1)
{
	uint64_t result;

	vcpu_start(vcpu, GUEST_RAM);
	vcpu_set_x(vcpu, 0, function);
	vcpu_set_x(vcpu, 1, x1);
	result = RUN_TO_WRITE(vcpu, GUEST_MMIO);
	complete_write(vcpu);
	return result;
}

static void guest_create(struct guest *g, unsigned ring_bytes)
{
	struct kvm_enable_cap ring = { .cap = KVM_CAP_DIRTY_LOG_RING_ACQ_REL,
				       .args = { ring_bytes } };

	vm_create(&g->vm, 0);
	if (ring_bytes)
		REQUIRE(ioctl(g->vm.fd, KVM_ENABLE_CAP, &ring) == 0);
	LOAD(vm_ram(&g->vm, 0, GUEST_RAM, 64 * 1024), caller);
	g->place = host_memory(SIZE, PAGE);
	REQUIRE(vm_slot(&g->vm, LOGGED, KVM_MEM_LOG_DIRTY_PAGES, PLACE, SIZE, g->place) == 0);
	vcpu_create(&g->vm, &g->vcpu, 0, 0);
	g->ring = NULL;
	if (ring_bytes) {
		g->ring = mmap(NULL, ring_bytes, PROT_READ | PROT_WRITE, MAP_SHARED, g->vcpu.fd,
			       KVM_DIRTY_LOG_PAGE_OFFSET * PAGE);
		REQUIRE(g->ring != MAP_FAILED);
	}
}

static void guest_destroy(struct guest *g)
{
	vcpu_destroy(&g->vcpu);
	vm_destroy(&g->vm);
}

/* ---- KVM_ARM_VCPU_PVTIME_CTRL */

static int place_attribute(struct vcpu *vcpu, unsigned long cmd, uint64_t attr, void *value)
{
	struct kvm_device_attr a = {
		.group = KVM_ARM_VCPU_PVTIME_CTRL,
		.attr = attr,
		.addr = (uint64_t)value,
	};

	return ioctl(vcpu->fd, cmd, &a);
}

static int place_set(struct vcpu *vcpu, uint64_t ipa)
{
	return place_attribute(vcpu, KVM_SET_DEVICE_ATTR, KVM_ARM_VCPU_PVTIME_IPA, &ipa);
}

static uint64_t place_get(struct vcpu *vcpu)
{
	uint64_t ipa = 0;

	CHECK_OK(place_attribute(vcpu, KVM_GET_DEVICE_ATTR, KVM_ARM_VCPU_PVTIME_IPA, &ipa));
	return ipa;
}

static void check_choice(struct guest *g)
{
	struct vcpu *vcpu = &g->vcpu;
	uint64_t ipa = PLACE;

	CHECK_EQ(VM_CAP(&g->vm, KVM_CAP_STEAL_TIME), 1);
	CHECK_OK(place_attribute(vcpu, KVM_HAS_DEVICE_ATTR, KVM_ARM_VCPU_PVTIME_IPA, NULL));
	CHECK_FAILS(place_attribute(vcpu, KVM_HAS_DEVICE_ATTR, 1, NULL), ENXIO);
	CHECK_FAILS(place_attribute(vcpu, KVM_SET_DEVICE_ATTR, 1, &ipa), ENXIO);
	CHECK_FAILS(place_attribute(vcpu, KVM_GET_DEVICE_ATTR, 1, &ipa), ENXIO);
	CHECK_FAILS(place_attribute(vcpu, KVM_SET_DEVICE_ATTR, KVM_ARM_VCPU_PVTIME_IPA, NULL),
		    EFAULT);
	CHECK_FAILS(place_attribute(vcpu, KVM_GET_DEVICE_ATTR, KVM_ARM_VCPU_PVTIME_IPA, NULL),
		    EFAULT);
	CHECK_EQ(place_get(vcpu), (uint64_t)-1);
	CHECK_FAILS(place_set(vcpu, PLACE + 32), EINVAL);
	CHECK_FAILS(place_set(vcpu, 0x70000000), EINVAL);
	CHECK_FAILS(place_set(vcpu, -64UL), EINVAL);
	REQUIRE(vm_slot(&g->vm, READ_ONLY, KVM_MEM_READONLY, ROM, PAGE, host_memory(PAGE, PAGE)) ==
		0);
	CHECK_FAILS(place_set(vcpu, ROM), EINVAL);
	CHECK_EQ(place_get(vcpu), (uint64_t)-1);
}

static void check_calls(struct guest *g)
{
	const struct stolen zero = { 0 };
	struct vcpu *vcpu = &g->vcpu;

	CHECK_EQ(call(vcpu, ARCH_FEATURES, PV_TIME_FEATURES), 0);
	CHECK_EQ(call(vcpu, PV_TIME_FEATURES, PV_TIME_FEATURES), NOT_SUPPORTED);
	CHECK_EQ(call(vcpu, PV_TIME_FEATURES, PV_TIME_ST), NOT_SUPPORTED);
	CHECK_EQ(call(vcpu, PV_TIME_ST, 0), NOT_SUPPORTED);
	/* It can be chosen after the first run, and once. */
	CHECK_OK(place_set(vcpu, PLACE + 64));
	CHECK_EQ(place_get(vcpu), PLACE + 64);
	CHECK_FAILS(place_set(vcpu, PLACE + 64), EEXIST);
	CHECK_FAILS(place_set(vcpu, PLACE + 32), EINVAL);
	CHECK_EQ(call(vcpu, PV_TIME_FEATURES, PV_TIME_FEATURES), 0);
	CHECK_EQ(call(vcpu, PV_TIME_FEATURES, PV_TIME_ST), 0);
	CHECK_EQ(call(vcpu, PV_TIME_FEATURES, ARCH_FEATURES), NOT_SUPPORTED);
	memset(g->place, 0xa5, PAGE);
	CHECK_EQ(call(vcpu, PV_TIME_ST, 0), PLACE + 64);
	/* All of the structure, and no byte more; what came after the call was next to nothing. */
	((struct stolen *)(g->place + 64))->ns = 0;
	CHECK(!memcmp(g->place + 64, &zero, sizeof(zero)));
	CHECK_EQ(g->place[63], 0xa5);
	CHECK_EQ(g->place[128], 0xa5);
}

/* KVM_REG_ARM_STD_HYP_BMAP takes the service away. */
static void check_bitmap(void)
{
	struct guest g;

	guest_create(&g, 0);
	CHECK_OK(place_set(&g.vcpu, PLACE));
	reg_set(&g.vcpu, KVM_REG_ARM_STD_HYP_BMAP, 0);
	CHECK_EQ(call(&g.vcpu, ARCH_FEATURES, PV_TIME_FEATURES), NOT_SUPPORTED);
	CHECK_EQ(call(&g.vcpu, PV_TIME_FEATURES, PV_TIME_ST), NOT_SUPPORTED);
	CHECK_EQ(call(&g.vcpu, PV_TIME_ST, 0), NOT_SUPPORTED);
	guest_destroy(&g);
}

/* ---- counting */

static uint64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

/* How long this thread has been waiting for a CPU in its life. */
static uint64_t waited_ns(void)
{
	unsigned long ran, waited;
	FILE *f = fopen("/proc/thread-self/schedstat", "r");

	REQUIRE(f && fscanf(f, "%lu %lu", &ran, &waited) == 2);
	fclose(f);
	return waited;
}

static void on_cpu_0(void)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(0, &set);
	REQUIRE(sched_setaffinity(0, sizeof(set), &set) == 0);
}

static volatile int thief_must_stop;

static void *thief(void *arg)
{
	(void)arg;
	on_cpu_0();
	while (!thief_must_stop)
		;
	return NULL;
}

/* Another thread takes the CPU until this one has waited for STEAL_NS. */
static void be_stolen_from(void)
{
	uint64_t start = waited_ns();
	pthread_t thread;

	thief_must_stop = 0;
	REQUIRE(pthread_create(&thread, NULL, thief, NULL) == 0);
	while (waited_ns() - start < STEAL_NS)
		sched_yield();
	thief_must_stop = 1;
	pthread_join(thread, NULL);
}

static void check_counts(struct guest *g)
{
	struct stolen *s = (struct stolen *)(g->place + 64);
	uint64_t outer, inner, before, slept;

	on_cpu_0();
	outer = waited_ns();
	call(&g->vcpu, ARCH_FEATURES, 0);
	before = s->ns;
	inner = waited_ns();
	be_stolen_from();
	inner = waited_ns() - inner;
	call(&g->vcpu, ARCH_FEATURES, 0);
	outer = waited_ns() - outer;
	CHECK(inner >= STEAL_NS);
	CHECK(s->ns - before >= inner);
	CHECK(s->ns - before <= outer);
	/* Sleeping is no theft. */
	before = s->ns;
	slept = now_ns();
	outer = waited_ns();
	usleep(50000);
	call(&g->vcpu, ARCH_FEATURES, 0);
	outer = waited_ns() - outer;
	slept = now_ns() - slept;
	CHECK(slept >= 50000000);
	CHECK(s->ns - before <= outer);
	CHECK_EQ(s->revision, 0);
	CHECK_EQ(s->attributes, 0);
}

/* What user space puts there is gone on from: so the time moves with a VM. */
static void check_moves(struct guest *g)
{
	struct stolen *s = (struct stolen *)(g->place + 64);
	uint64_t start = waited_ns();

	call(&g->vcpu, ARCH_FEATURES, 0);
	s->ns = 1UL << 50;
	be_stolen_from();
	call(&g->vcpu, ARCH_FEATURES, 0);
	CHECK(s->ns >= (1UL << 50) + STEAL_NS);
	CHECK(s->ns <= (1UL << 50) + (waited_ns() - start));
}

static void *run_elsewhere(void *arg)
{
	on_cpu_0();
	call(arg, ARCH_FEATURES, 0);
	return NULL;
}

/* A thread that takes the vCPU over brings no time of its own along. Linux lets it. */
static void check_takeover(struct guest *g)
{
	struct stolen *s = (struct stolen *)(g->place + 64);
	struct utsname name;
	uint64_t before, start = waited_ns();
	pthread_t thread;

	REQUIRE(uname(&name) == 0);
	if (!strstr(name.release, "catwalk"))
		return;
	call(&g->vcpu, ARCH_FEATURES, 0);
	before = s->ns;
	REQUIRE(pthread_create(&thread, NULL, run_elsewhere, &g->vcpu) == 0);
	pthread_join(thread, NULL);
	be_stolen_from();
	call(&g->vcpu, ARCH_FEATURES, 0);
	CHECK(s->ns >= before);
	CHECK(s->ns - before <= waited_ns() - start);
}

/* ---- the log */

static int place_is_logged(struct guest *g)
{
	uint64_t bits = 0;
	struct kvm_dirty_log log = { .slot = LOGGED, .dirty_bitmap = &bits };

	if (g->ring) /* each page once, until it is taken back */
		return g->ring[0].flags == KVM_DIRTY_GFN_F_DIRTY && g->ring[0].slot == LOGGED &&
		       g->ring[0].offset == 0;
	REQUIRE(ioctl(g->vm.fd, KVM_GET_DIRTY_LOG, &log) == 0);
	return bits == 1;
}

static void check_log(struct guest *g)
{
	if (g->ring)
		CHECK(!place_is_logged(g));
	else
		(void)place_is_logged(g); /* takes what was there */
	CHECK_EQ(call(&g->vcpu, PV_TIME_ST, 0), PLACE + 64);
	CHECK(place_is_logged(g));
	if (g->ring)
		return;
	CHECK(!place_is_logged(g));
	be_stolen_from();
	call(&g->vcpu, ARCH_FEATURES, 0);
	CHECK(place_is_logged(g));
}

static void check_ring(void)
{
	struct guest g;

	guest_create(&g, RING_ENTRIES * sizeof(struct kvm_dirty_gfn));
	CHECK_OK(place_set(&g.vcpu, PLACE + 64));
	check_log(&g);
	guest_destroy(&g);
}

/* The memory goes: the guest is the one to notice. */
static void check_memory_goes(struct guest *g)
{
	CHECK_EQ(vm_slot(&g->vm, LOGGED, 0, PLACE, 0, NULL), 0);
	be_stolen_from();
	CHECK_EQ(call(&g->vcpu, PV_TIME_FEATURES, PV_TIME_ST), 0);
	CHECK_EQ(call(&g->vcpu, PV_TIME_ST, 0), PLACE + 64);
}

int main(void)
{
	struct guest g;

	guest_create(&g, 0);
	check_choice(&g);
	check_calls(&g);
	check_counts(&g);
	check_moves(&g);
	check_takeover(&g);
	check_log(&g);
	check_memory_goes(&g);
	guest_destroy(&g);
	check_bitmap();
	check_ring();
	return check_done("kvm_steal");
}
