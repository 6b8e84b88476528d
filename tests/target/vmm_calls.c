/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A VMM in small with the habits of those that others wrote: a directory of its own with a socket
 * in it that commands come by, threads with names for vCPUs, notifications and the terminal, a pool
 * of workers, real-time signals that stop vCPUs, the vGIC and its ITS made before the vCPUs and
 * started after them, a routing table, ioeventfds by address, length and data. It runs a guest that
 * ends by itself, and one that is paused, resumed and stopped by another process.
 */
#define _GNU_SOURCE
#include "tests/target/check.h"
#include "tests/target/sock.h"
#include "tests/target/vgic.h"

#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdbool.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/sysinfo.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

enum {
	VCPUS = 2,
	RAM_SIZE = 32 * MIB,
	ALIGNMENT = 2 * MIB,
	DIST = 0x3fff0000,
	REDIST_SIZE = 0x20000,
	REDISTS = DIST - VCPUS * REDIST_SIZE,
	ITS = REDISTS - 0x20000,
	UART = GUEST_MMIO,
	DOORBELL = 0x0a000050,
	LINES = 32, /* SPIs */
	DEVICE_SPI = 36,
	AT_BOOT = 0x2000,
	AT_SECOND = 0x3000,
};

#define SIG_STOP  (SIGRTMIN + 0)
#define SIG_PAUSE (SIGRTMIN + 1)

/*
 * The first vCPU: a line to the UART, the second vCPU on, the doorbell of a device. Then power off
 * if x22 is 0, else on to the code of vgic.h, which takes x22 interrupts and says so for ever.
 */
GUEST(boot, "	mov w0, #'o'\n"
	    "	strb w0, [x19]\n"
	    "	mov w0, #'k'\n"
	    "	strb w0, [x19]\n"
	    "	mov w0, #3\n"
	    "	movk w0, #0xc400, lsl #16\n" /* CPU_ON */
	    "	mov x1, #1\n"
	    "	mov x2, #0x40000000\n"
	    "	movk x2, #0x3000\n"
	    "	mov x3, #0\n"
	    "	hvc #0\n"
	    "	cbnz x0, .\n"
	    "	strh wzr, [x20]\n"
	    "	cbz x22, 1f\n"
	    "	mov x0, #0x40000000\n"
	    "	movk x0, #0x1000\n"
	    "	br x0\n"
	    "1:	mov w0, #8\n"
	    "	movk w0, #0x8400, lsl #16\n" /* SYSTEM_OFF */
	    "	hvc #0\n"
	    "	b .\n");
/* The second never leaves the guest by itself. */
GUEST(second, "	b .\n");

struct cpu {
	struct vcpu vcpu;
	pthread_t thread;
	atomic_int running, paused;
	struct kvm_coalesced_mmio_ring *ring;
};

static struct vm vm;
static struct cpu cpus[VCPUS];
static char *ram_map, *ram;
static int gic = -1, its = -1;
static int doorbell, stop_doorbell, doorbell_epoll;
static char directory[PATH_MAX], socket_path[PATH_MAX + 32];
static int command_listener, command_stop, command_epoll;
static int pause_event;
static pthread_barrier_t all_there; /* no vCPU is kicked before it can be */
static pthread_mutex_t pause_lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t resumed = PTHREAD_COND_INITIALIZER;
static unsigned pauses_over; /* guarded by pause_lock */
static atomic_int doorbells, finished_lines, stop_terminal;
static char uart_text[8];
static atomic_int uart_length;
static _Thread_local struct cpu *this_cpu;

/* ---- the host */
static void check_host(void)
{
	struct sysinfo info;

	CHECK(sysconf(_SC_NPROCESSORS_ONLN) >= 1);
	CHECK(sysconf(_SC_PHYS_PAGES) > 0);
	CHECK_OK(sysinfo(&info));
	CHECK(info.totalram > RAM_SIZE);
}

static void name_thread(const char *name)
{
	char seen[16] = "";

	CHECK_OK(prctl(PR_SET_NAME, name));
	CHECK_OK(prctl(PR_GET_NAME, seen));
	CHECK(strcmp(seen, name) == 0);
}

/* ---- VM and memory */
static void create_vm(void)
{
	static const int needed[] = { KVM_CAP_IRQCHIP,	   KVM_CAP_ONE_REG,	KVM_CAP_ARM_PSCI,
				      KVM_CAP_IOEVENTFD,   KVM_CAP_IRQ_ROUTING, KVM_CAP_SIGNAL_MSI,
				      KVM_CAP_ARM_PSCI_0_2 };
	int bits;

	vm.kvm = open("/dev/kvm", O_RDWR);
	REQUIRE(vm.kvm >= 0);
	CHECK_EQ(ioctl(vm.kvm, KVM_GET_API_VERSION, 0), 12);
	bits = ioctl(vm.kvm, KVM_CHECK_EXTENSION, KVM_CAP_ARM_VM_IPA_SIZE);
	CHECK(bits >= 32);
	/* As few bits as memory needs. */
	vm.fd = ioctl(vm.kvm, KVM_CREATE_VM, KVM_VM_TYPE_ARM_IPA_SIZE(32UL));
	REQUIRE(vm.fd >= 0);
	for (unsigned i = 0; i < sizeof(needed) / sizeof(*needed); i++)
		CHECK(ioctl(vm.kvm, KVM_CHECK_EXTENSION, needed[i]) > 0);
	CHECK(ioctl(vm.kvm, KVM_CHECK_EXTENSION, KVM_CAP_NR_VCPUS) > 0);
	CHECK(ioctl(vm.kvm, KVM_CHECK_EXTENSION, KVM_CAP_MAX_VCPUS) >= VCPUS);
}

static void create_memory(void)
{
	size_t size = RAM_SIZE + ALIGNMENT;

	ram_map = mmap(NULL, size, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	REQUIRE(ram_map != MAP_FAILED);
	ram = (char *)(((uintptr_t)ram_map + ALIGNMENT - 1) & ~(uintptr_t)(ALIGNMENT - 1));
	/* Advice that a kernel may not know. */
	CHECK(madvise(ram_map, size, MADV_MERGEABLE) == 0 || errno == EINVAL);
	CHECK_OK(madvise(ram_map, size, MADV_HUGEPAGE));
	CHECK_EQ(vm_slot(&vm, 0, 0, GUEST_RAM, RAM_SIZE, ram), 0);
	vgic_guest_load(ram);
	LOAD(ram + AT_BOOT, boot);
	LOAD(ram + AT_SECOND, second);
}

/* ---- interrupts: devices before vCPUs, their start after them */
static void create_gic(void)
{
	uint64_t dist = DIST, redists = REDISTS, its_at = ITS;

	gic = device_create(&vm, KVM_DEV_TYPE_ARM_VGIC_V3, 0);
	REQUIRE(gic >= 0);
	CHECK_EQ(attr_set(gic, KVM_DEV_ARM_VGIC_GRP_ADDR, KVM_VGIC_V3_ADDR_TYPE_REDIST, &redists),
		 0);
	CHECK_EQ(attr_set(gic, KVM_DEV_ARM_VGIC_GRP_ADDR, KVM_VGIC_V3_ADDR_TYPE_DIST, &dist), 0);
	its = device_create(&vm, KVM_DEV_TYPE_ARM_VGIC_ITS, 0);
	REQUIRE(its >= 0);
	CHECK_EQ(attr_has(its, KVM_DEV_ARM_VGIC_GRP_ADDR, KVM_VGIC_ITS_ADDR_TYPE), 0);
	CHECK_EQ(attr_set(its, KVM_DEV_ARM_VGIC_GRP_ADDR, KVM_VGIC_ITS_ADDR_TYPE, &its_at), 0);
	CHECK_EQ(attr_set(its, KVM_DEV_ARM_VGIC_GRP_CTRL, KVM_DEV_ARM_VGIC_CTRL_INIT, NULL), 0);
	CHECK_EQ(ioctl(vm.fd, KVM_CHECK_EXTENSION, KVM_CAP_MSI_DEVID), 1);
}

/* All lines to pins of the same number, and one message behind them. */
static void set_routing(void)
{
	struct {
		struct kvm_irq_routing head;
		struct kvm_irq_routing_entry entries[LINES + 1];
	} r = { .head.nr = LINES };

	for (unsigned i = 0; i < LINES; i++)
		r.entries[i] = (struct kvm_irq_routing_entry){ .gsi = i,
							       .type = KVM_IRQ_ROUTING_IRQCHIP,
							       .u.irqchip.pin = i };
	r.entries[LINES] = (struct kvm_irq_routing_entry){
		.gsi = LINES,
		.type = KVM_IRQ_ROUTING_MSI,
		.flags = KVM_MSI_VALID_DEVID,
		.u.msi = { .address_lo = ITS + 0x10040, .data = 1, .devid = 8 },
	};
	CHECK_OK(ioctl(vm.fd, KVM_SET_GSI_ROUTING, &r));
	r.head.nr = LINES + 1;
	CHECK_OK(ioctl(vm.fd, KVM_SET_GSI_ROUTING, &r));
}

static void start_gic(void)
{
	uint32_t irqs = LINES + 32;

	CHECK_EQ(attr_has(gic, KVM_DEV_ARM_VGIC_GRP_NR_IRQS, 0), 0);
	CHECK_EQ(attr_set(gic, KVM_DEV_ARM_VGIC_GRP_NR_IRQS, 0, &irqs), 0);
	set_routing();
	CHECK_EQ(attr_has(gic, KVM_DEV_ARM_VGIC_GRP_CTRL, KVM_DEV_ARM_VGIC_CTRL_INIT), 0);
	CHECK_EQ(attr_set(gic, KVM_DEV_ARM_VGIC_GRP_CTRL, KVM_DEV_ARM_VGIC_CTRL_INIT, NULL), 0);
	dist_set(gic, GICD_CTLR, 2);
	spi_enable(gic, DEVICE_SPI, 0x80, 1);
}

/* ---- vCPUs */
static void create_vcpu(unsigned id)
{
	struct cpu *cpu = &cpus[id];
	int page = ioctl(vm.kvm, KVM_CHECK_EXTENSION, KVM_CAP_COALESCED_MMIO);

	vcpu_create(&vm, &cpu->vcpu, id, id ? 1u << KVM_ARM_VCPU_POWER_OFF : 0);
	CHECK(page > 0 && (size_t)(page + 1) * PAGE <= cpu->vcpu.run_size);
	cpu->ring = (void *)((char *)cpu->vcpu.run + (size_t)page * PAGE);
	atomic_store(&cpu->running, 1);
}

static void on_signal(int sig)
{
	if (!this_cpu)
		return;
	/* Also if it is just about to run. */
	this_cpu->vcpu.run->immediate_exit = 1;
	if (sig == SIG_STOP)
		atomic_store(&this_cpu->running, 0);
	else
		atomic_store(&this_cpu->paused, 1);
}

static void kick(int sig)
{
	for (int i = 0; i < VCPUS; i++)
		if (cpus[i].thread)
			pthread_kill(cpus[i].thread, sig);
}

/* Tells who pauses the machine, and waits until it goes on. */
static void stand_still(struct cpu *cpu)
{
	uint64_t one = 1;
	unsigned before;

	pthread_mutex_lock(&pause_lock);
	before = pauses_over;
	/* First, for the next pause may come as soon as this one ends. */
	atomic_store(&cpu->paused, 0);
	cpu->vcpu.run->immediate_exit = 0;
	CHECK_EQ(write(pause_event, &one, sizeof(one)), sizeof(one));
	while (pauses_over == before)
		pthread_cond_wait(&resumed, &pause_lock);
	pthread_mutex_unlock(&pause_lock);
}

static void mmio(const struct kvm_run *run)
{
	int n;

	if (run->mmio.phys_addr == UART && run->mmio.is_write && run->mmio.len == 1) {
		n = atomic_fetch_add(&uart_length, 1);
		if (n < (int)sizeof(uart_text) - 1)
			uart_text[n] = (char)run->mmio.data[0];
	} else if (run->mmio.phys_addr == UART) {
		atomic_fetch_add(&finished_lines, 1);
	} else {
		CHECK_EQ(run->mmio.phys_addr, UART + 0x20); /* the number of an interrupt */
		CHECK_EQ(run->mmio.data[0], DEVICE_SPI);
	}
}

static void run_once(struct cpu *cpu)
{
	struct kvm_run *run = cpu->vcpu.run;
	int error = vcpu_run(&cpu->vcpu);

	CHECK(error == 0 || error == -EINTR || error == -EAGAIN);
	if (error)
		return;
	if (run->exit_reason == KVM_EXIT_MMIO) {
		mmio(run);
	} else if (run->exit_reason == KVM_EXIT_SYSTEM_EVENT) {
		CHECK_EQ(run->system_event.type, KVM_SYSTEM_EVENT_SHUTDOWN);
		atomic_store(&cpu->running, 0);
		kick(SIG_STOP);
	} else {
		CHECK_EQ(run->exit_reason, KVM_EXIT_INTR);
	}
	CHECK_EQ(cpu->ring->first, cpu->ring->last);
}

static void *run_vcpu(void *arg)
{
	sigset_t blocked;
	char name[16];

	this_cpu = arg;
	snprintf(name, sizeof(name), "vcpu-%d", (int)(this_cpu - cpus));
	name_thread(name);
	sigemptyset(&blocked);
	sigaddset(&blocked, SIGALRM);
	pthread_sigmask(SIG_BLOCK, &blocked, NULL);
	pthread_barrier_wait(&all_there);
	while (atomic_load(&this_cpu->running)) {
		if (atomic_load(&this_cpu->paused))
			stand_still(this_cpu);
		else
			run_once(this_cpu);
	}
	return NULL;
}

/* ---- a device: its doorbell is an eventfd, its answer an interrupt */
static void *serve_doorbell(void *unused)
{
	struct epoll_event events[4];
	uint64_t count;

	name_thread("ioeventfd");
	for (;;) {
		int n = epoll_wait(doorbell_epoll, events, 4, -1);

		for (int i = 0; i < n; i++) {
			if (events[i].data.fd == stop_doorbell)
				return unused;
			CHECK_EQ(read(doorbell, &count, sizeof(count)), sizeof(count));
			atomic_fetch_add(&doorbells, 1);
			CHECK_EQ(spi_line(&vm, DEVICE_SPI, 1), 0);
			CHECK_EQ(spi_line(&vm, DEVICE_SPI, 0), 0);
		}
	}
}

static void watch(int epoll, int fd, uint32_t events)
{
	struct epoll_event ev = { .events = events, .data.fd = fd };

	CHECK_OK(epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &ev));
}

static void set_doorbell(uint64_t addr, uint32_t flags, int event)
{
	struct kvm_ioeventfd io = {
		.addr = addr, .len = 2, .fd = event, .flags = KVM_IOEVENTFD_FLAG_DATAMATCH | flags
	};

	CHECK_OK(ioctl(vm.fd, KVM_IOEVENTFD, &io));
}

static void create_device(void)
{
	int port = eventfd(0, 0);

	doorbell_epoll = epoll_create(20);
	doorbell = eventfd(0, 0);
	stop_doorbell = eventfd(0, 0);
	REQUIRE(doorbell_epoll >= 0 && doorbell >= 0 && stop_doorbell >= 0);
	set_doorbell(DOORBELL, 0, doorbell);
	/* One in a space that the architecture has not, as code for several would have it. */
	set_doorbell(0x6010, KVM_IOEVENTFD_FLAG_PIO, port);
	set_doorbell(0x6010, KVM_IOEVENTFD_FLAG_PIO | KVM_IOEVENTFD_FLAG_DEASSIGN, port);
	close(port);
	watch(doorbell_epoll, doorbell, EPOLLIN);
	watch(doorbell_epoll, stop_doorbell, EPOLLIN);
}

/* ---- commands by a socket */
enum command { ASK_PID = 1, PAUSE, RESUME, STOP };

struct header {
	uint32_t type, size;
};

static socklen_t command_name(struct sockaddr_un *a)
{
	*a = (struct sockaddr_un){ .sun_family = AF_UNIX };
	snprintf(a->sun_path, sizeof(a->sun_path), "%.100s", socket_path);
	return (socklen_t)(sizeof(sa_family_t) + strlen(a->sun_path));
}

static void create_socket(void)
{
	const char *home = getenv("HOME");
	char wanted[64];
	struct sockaddr_un a;
	socklen_t size;

	snprintf(wanted, sizeof(wanted), "%.40s/.vmm_calls", home ? home : "/");
	mkdir(wanted, 0777);
	REQUIRE(realpath(wanted, directory) != NULL);
	snprintf(socket_path, sizeof(socket_path), "%s/guest-%d.sock", directory, getpid());
	CHECK_FAILS(access(socket_path, F_OK), ENOENT);
	command_listener = socket(AF_UNIX, SOCK_STREAM, 0);
	size = command_name(&a);
	CHECK_OK(bind(command_listener, (struct sockaddr *)&a, size));
	CHECK_OK(listen(command_listener, 5));
	command_epoll = epoll_create(16);
	command_stop = eventfd(0, 0);
	watch(command_epoll, command_listener, EPOLLIN | EPOLLET);
	watch(command_epoll, command_stop, EPOLLIN | EPOLLET);
}

static void pause_all(void)
{
	uint64_t count;
	int still = 0;

	pause_event = eventfd(0, 0);
	kick(SIG_PAUSE);
	while (still < VCPUS && read(pause_event, &count, sizeof(count)) == sizeof(count))
		still += (int)count;
	CHECK_EQ(still, VCPUS);
	close(pause_event);
}

static void resume_all(void)
{
	pthread_mutex_lock(&pause_lock);
	pauses_over++;
	pthread_cond_broadcast(&resumed);
	pthread_mutex_unlock(&pause_lock);
}

/* False: the connection ends. */
static bool obey(int fd)
{
	struct header h;
	pid_t pid = getpid();

	if (read(fd, &h, sizeof(h)) != sizeof(h))
		return false;
	switch (h.type) {
	case PAUSE: pause_all(); break;
	case RESUME: resume_all(); break;
	case STOP: kick(SIG_STOP); break;
	default: break;
	}
	return write(fd, &pid, sizeof(pid)) == sizeof(pid);
}

static void *serve_commands(void *unused)
{
	struct epoll_event event;

	name_thread("ipc");
	for (;;) {
		int fd, n = epoll_wait(command_epoll, &event, 1, -1);

		if (n <= 0)
			continue;
		fd = event.data.fd;
		if (fd == command_stop) {
			return unused;
		} else if (fd == command_listener) {
			int client = accept(command_listener, NULL, NULL);

			REQUIRE(client >= 0);
			watch(command_epoll, client, EPOLLIN | EPOLLRDHUP);
		} else if (event.events & (EPOLLERR | EPOLLRDHUP | EPOLLHUP) || !obey(fd)) {
			CHECK_OK(epoll_ctl(command_epoll, EPOLL_CTL_DEL, fd, NULL));
			close(fd);
		}
	}
}

/* The other process: finds the socket in the directory and gives commands. */
static int command(int fd, enum command type)
{
	struct header h = { type, 0 };
	pid_t answer = 0;

	return write(fd, &h, sizeof(h)) == sizeof(h) &&
	       read(fd, &answer, sizeof(answer)) == sizeof(answer) && answer == getppid();
}

static int find_socket(void)
{
	DIR *dir = opendir(directory);
	struct dirent *d;
	int found = 0;

	while (dir && (d = readdir(dir)))
		found += d->d_type == DT_SOCK && strstr(d->d_name, ".sock");
	if (dir)
		closedir(dir);
	return found;
}

/* Its end is that of the one who waits in read(). */
static void give_commands(int start)
{
	struct sockaddr_un a;
	socklen_t size = command_name(&a);
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);
	char c;

	if (read(start, &c, 1) != 1 || find_socket() < 1)
		_exit(1);
	if (connect(fd, (struct sockaddr *)&a, size) != 0)
		_exit(2);
	if (!command(fd, ASK_PID) || !command(fd, PAUSE) || !command(fd, RESUME) ||
	    !command(fd, PAUSE) || !command(fd, RESUME) || !command(fd, STOP))
		_exit(3);
	_exit(0);
}

/* ---- the terminal */
static void *watch_terminal(void *unused)
{
	struct pollfd p = { .fd = STDIN_FILENO, .events = POLLIN };

	name_thread("term-poll");
	while (!atomic_load(&stop_terminal))
		CHECK(poll(&p, 1, 20) >= 0);
	return unused;
}

static void check_terminal(void)
{
	struct termios usual, raw;

	if (!isatty(STDIN_FILENO)) {
		CHECK_FAILS(tcgetattr(STDIN_FILENO, &usual), ENOTTY);
		return;
	}
	CHECK_OK(tcgetattr(STDIN_FILENO, &usual));
	raw = usual;
	raw.c_lflag &= ~(tcflag_t)(ICANON | ECHO | ISIG);
	CHECK_OK(tcsetattr(STDIN_FILENO, TCSANOW, &raw));
	CHECK_OK(tcsetattr(STDIN_FILENO, TCSANOW, &usual));
}

/* ---- from start to end */
static void start_vcpus(uint64_t interrupts)
{
	struct vcpu *first = &cpus[0].vcpu;

	vgic_guest_start(first, interrupts, 0);
	reg_set(first, CORE_REG(regs.pc), GUEST_RAM + AT_BOOT);
	vcpu_set_x(first, 20, DOORBELL);
	pthread_barrier_init(&all_there, NULL, VCPUS + 1);
	for (int i = 0; i < VCPUS; i++)
		REQUIRE(pthread_create(&cpus[i].thread, NULL, run_vcpu, &cpus[i]) == 0);
	pthread_barrier_wait(&all_there);
}

static void tell(int event)
{
	uint64_t one = 1;

	CHECK_EQ(write(event, &one, sizeof(one)), sizeof(one));
}

static void end(pthread_t device, pthread_t commands, pthread_t terminal)
{
	tell(stop_doorbell);
	tell(command_stop);
	atomic_store(&stop_terminal, 1);
	pthread_join(device, NULL);
	pthread_join(commands, NULL);
	pthread_join(terminal, NULL);
	close(command_listener);
	close(command_epoll);
	CHECK_OK(unlink(socket_path));
	for (int i = 0; i < VCPUS; i++) {
		vcpu_destroy(&cpus[i].vcpu);
		cpus[i] = (struct cpu){ 0 };
	}
	close(gic);
	close(its);
	vm_destroy(&vm);
	munmap(ram_map, RAM_SIZE + ALIGNMENT);
	close(doorbell);
	close(stop_doorbell);
	close(doorbell_epoll);
	close(command_stop);
}

/* The guest takes @interrupts; 0: it powers off. @start: where the other process waits, or -1. */
static void run_machine(uint64_t interrupts, int start)
{
	pthread_t device, commands, terminal;

	atomic_store(&stop_terminal, 0);
	atomic_store(&uart_length, 0);
	atomic_store(&doorbells, 0);
	create_vm();
	create_gic();
	create_memory();
	create_device();
	for (unsigned i = 0; i < VCPUS; i++)
		create_vcpu(i);
	start_gic();
	REQUIRE(pthread_create(&device, NULL, serve_doorbell, NULL) == 0);
	REQUIRE(pthread_create(&commands, NULL, serve_commands, NULL) == 0);
	REQUIRE(pthread_create(&terminal, NULL, watch_terminal, NULL) == 0);
	start_vcpus(interrupts);
	if (start >= 0) {
		while (!atomic_load(&finished_lines))
			usleep(1000);
		CHECK_EQ(write(start, "s", 1), 1);
	}
	for (int i = 0; i < VCPUS; i++)
		pthread_join(cpus[i].thread, NULL);
	CHECK(strcmp(uart_text, "ok") == 0);
	/* A machine that is off does not wait for the device any more. */
	for (int i = 0; i < 1000 && !atomic_load(&doorbells); i++)
		usleep(1000);
	CHECK_EQ(atomic_load(&doorbells), 1);
	end(device, commands, terminal);
}

int main(void)
{
	struct sigaction act = { .sa_handler = on_signal, .sa_flags = SA_RESTART };
	int go[2], status;
	pid_t child;

	mkdir("/tmp", 0777);
	check_host();
	check_terminal();
	sigaction(SIG_STOP, &act, NULL);
	sigaction(SIG_PAUSE, &act, NULL);
	create_socket();
	run_machine(0, -1);
	create_socket();
	REQUIRE(pipe(go) == 0);
	child = fork();
	if (child == 0)
		give_commands(go[0]);
	run_machine(1, go[1]);
	CHECK_EQ(waitpid(child, &status, 0), child);
	CHECK_EQ(status, 0);
	CHECK(atomic_load(&finished_lines) > 0);
	CHECK_EQ(find_socket(), 0);
	CHECK_OK(rmdir(directory));
	return check_done("vmm_calls");
}
