/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How VMs and vCPUs end: descriptors closed in every order, with mappings left and with a run under
 * way, by the exit of the process, by a child that inherited them; vCPUs run by changing threads;
 * and nothing is lost in the long run.
 */
#define _GNU_SOURCE
#include "tests/target/check.h"
#include "tests/target/client.h"

#include <fcntl.h>
#include <pthread.h>
#include <sys/sysinfo.h>
#include <sys/wait.h>
#include <unistd.h>

/* VMs in a batch, and what one may cost: Linux 6.1 keeps 7 KiB of each on some CPUs. */
enum { BATCH = 200, LIMIT_KIB = BATCH * 8 };

GUEST(spins, "1:	add x0, x0, #1\n"
	     "	b 1b\n");
GUEST(counts, "1:	add x0, x0, #1\n"
	      "	str x0, [x19]\n"
	      "	b 1b\n");

struct guest {
	struct vm vm;
	struct vcpu vcpu;
	char *ram;
};

static void create(struct guest *g, const char *code, const char *code_end)
{
	vm_create(&g->vm, 0);
	g->ram = vm_ram(&g->vm, 0, GUEST_RAM, 2 * MIB);
	guest_load(g->ram, code, code_end);
	vcpu_create(&g->vm, &g->vcpu, 0, 0);
	vcpu_start(&g->vcpu, GUEST_RAM);
}

static void destroy(struct guest *g)
{
	vcpu_destroy(&g->vcpu);
	vm_destroy(&g->vm);
	munmap(g->ram, 2 * MIB);
}

/* The VM lives as long as any of its descriptors or mappings does. */
static void check_orders(void)
{
	struct guest g;

	create(&g, counts, counts_end);
	vm_destroy(&g.vm);
	CHECK_EQ(RUN_TO_WRITE(&g.vcpu, GUEST_MMIO), 1);
	CHECK_EQ(RUN_TO_WRITE(&g.vcpu, GUEST_MMIO), 2);
	close(g.vcpu.fd);
	g.vcpu.run->immediate_exit = 1; /* the page stays */
	CHECK_EQ(g.vcpu.run->exit_reason, KVM_EXIT_MMIO);
	munmap(g.vcpu.run, g.vcpu.run_size);
	munmap(g.ram, 2 * MIB);

	create(&g, counts, counts_end);
	munmap(g.vcpu.run, g.vcpu.run_size);
	CHECK_EQ(vcpu_run(&g.vcpu), 0);
	close(g.vcpu.fd);
	CHECK_FAILS(ioctl(g.vm.fd, KVM_CREATE_VCPU, 0), EEXIST); /* the number stays taken */
	vm_destroy(&g.vm);
	munmap(g.ram, 2 * MIB);
}

/* Memory that goes away before the VM does. */
static void check_memory_first(void)
{
	struct guest g;

	create(&g, counts, counts_end);
	CHECK_EQ(RUN_TO_WRITE(&g.vcpu, GUEST_MMIO), 1);
	munmap(g.ram, 2 * MIB);
	CHECK_EQ(vcpu_run(&g.vcpu), -EFAULT);
	vcpu_destroy(&g.vcpu);
	vm_destroy(&g.vm);
}

static void no_op(int signal)
{
	(void)signal;
}

static void *run_once(void *arg)
{
	return (void *)(long)vcpu_run(arg);
}

/* The descriptor is closed while another thread runs the vCPU: the run goes on. */
static void check_close_under_run(void)
{
	struct sigaction action = { .sa_handler = no_op };
	struct guest g;
	pthread_t thread;
	void *result;

	sigaction(SIGUSR1, &action, NULL);
	create(&g, spins, spins_end);
	REQUIRE(pthread_create(&thread, NULL, run_once, &g.vcpu) == 0);
	usleep(20 * 1000);
	close(g.vcpu.fd);
	close(g.vm.fd);
	usleep(20 * 1000);
	CHECK_EQ(pthread_tryjoin_np(thread, &result), EBUSY);
	pthread_kill(thread, SIGUSR1);
	pthread_join(thread, &result);
	CHECK_EQ((long)result, -EINTR);
	munmap(g.vcpu.run, g.vcpu.run_size);
	close(g.vm.kvm);
	munmap(g.ram, 2 * MIB);
}

static void *run_to_exit(void *arg)
{
	struct vcpu *vcpu = arg;
	uint64_t told = RUN_TO_WRITE(vcpu, GUEST_MMIO);

	CHECK_EQ(told, vcpu_x(vcpu, 0));
	return NULL;
}

/* A vCPU belongs to no thread. */
static void check_changing_threads(void)
{
	struct guest g;

	create(&g, counts, counts_end);
	for (int i = 0; i < 20; i++) {
		pthread_t thread;

		REQUIRE(pthread_create(&thread, NULL, run_to_exit, &g.vcpu) == 0);
		pthread_join(thread, NULL);
	}
	CHECK_EQ(vcpu_x(&g.vcpu, 0), 20);
	destroy(&g);
}

static int child_status(pid_t pid)
{
	int status = -1;

	CHECK_EQ(waitpid(pid, &status, 0), pid);
	return status;
}

/* A VM is its creator's: a child that inherited the descriptors gets EIO, and the VM does not
 * notice. */
static void check_fork(void)
{
	struct guest g;
	pid_t pid;
	int status;

	create(&g, counts, counts_end);
	CHECK_EQ(RUN_TO_WRITE(&g.vcpu, GUEST_MMIO), 1);
	pid = fork();
	REQUIRE(pid >= 0);
	if (pid == 0) {
		int bad = 0;

		bad |= vcpu_run(&g.vcpu) != -EIO;
		bad |= (ioctl(g.vm.fd, KVM_CREATE_VCPU, 5) != -1 || errno != EIO) << 1;
		bad |= (ioctl(g.vm.kvm, KVM_GET_API_VERSION, 0) != 12) << 2;
		_exit(bad);
	}
	status = child_status(pid);
	CHECK(WIFEXITED(status));
	CHECK_EQ(WEXITSTATUS(status), 0);
	CHECK_EQ(RUN_TO_WRITE(&g.vcpu, GUEST_MMIO), 2);
	destroy(&g);
}

/* A child with VMs of its own that ends in some way while its guests run. */
static void child(int way)
{
	struct guest g[2];
	pthread_t thread[2];

	for (int i = 0; i < 2; i++) {
		create(&g[i], spins, spins_end);
		if (pthread_create(&thread[i], NULL, run_once, &g[i].vcpu))
			_exit(99);
	}
	usleep(5000);
	switch (way) {
	case 0: _exit(3);
	case 1: raise(SIGKILL); break;
	case 2: __builtin_trap(); break;
	case 3: pthread_kill(thread[0], SIGTERM); break;
	}
	pause();
}

static void check_exits(void)
{
	static const int signals[] = { 0, SIGKILL, SIGTRAP, SIGTERM };

	for (int i = 0; i < 12; i++) {
		int way = i % 4, status;
		pid_t pid = fork();

		REQUIRE(pid >= 0);
		if (pid == 0)
			child(way);
		status = child_status(pid);
		if (way == 0)
			CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 3);
		else
			CHECK_EQ(WIFSIGNALED(status) ? WTERMSIG(status) : 0, signals[way]);
	}
}

static unsigned long free_kib(void)
{
	struct sysinfo info;

	REQUIRE(sysinfo(&info) == 0);
	return info.freeram / 1024 * info.mem_unit;
}

static void use_and_destroy(void)
{
	struct guest g;

	create(&g, counts, counts_end);
	CHECK_EQ(vm_slot(&g.vm, 1, KVM_MEM_LOG_DIRTY_PAGES, 0x80000000, 2 * MIB, g.ram), 0);
	CHECK_EQ(RUN_TO_WRITE(&g.vcpu, GUEST_MMIO), 1);
	destroy(&g);
}

/* What a batch of VMs costs in KiB of free memory, for good or for a while. */
static long cost_of_batch(void)
{
	unsigned long before = free_kib();

	for (int i = 0; i < BATCH; i++)
		use_and_destroy();
	usleep(300 * 1000); /* what is freed late has been freed */
	return (long)(before - free_kib());
}

/*
 * Hundreds of VMs one after the other: memory, identifiers and descriptors come back. A host may
 * keep some memory for later, but not more with every batch.
 */
static void check_leaks(void)
{
	int fd = dup(1);
	long cost = 0;

	close(fd);
	for (int i = 0; i < 5; i++) {
		cost = cost_of_batch();
		if (cost < LIMIT_KIB)
			break;
	}
	if (!check_note(cost < LIMIT_KIB))
		printf("%s:%d: each batch of %d VMs costs memory, the last %ld KiB\n", __FILE__,
		       __LINE__, BATCH, cost);
	CHECK_EQ(dup(1), fd);
	close(fd);
}

int main(void)
{
	check_orders();
	check_memory_first();
	check_close_under_run();
	check_changing_threads();
	check_fork();
	check_exits();
	check_leaks();
	return check_done("kvm_lifetime");
}
