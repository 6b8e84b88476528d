/* SPDX-License-Identifier: Apache-2.0 */
/* The order in which the kernel comes up, from the port's boot code to the first program. */
#include "host/page.h"
#include "kernel/channel.h"
#include "kernel/dev_kvm.h"
#include "kernel/devmem.h"
#include "kernel/futex.h"
#include "kernel/port.h"
#include "kernel/sched.h"
#include "kernel/thread.h"
#include "kernel/time.h"
#include "kernel/vfs.h"

/* What needs threads: runs in one, so that it may sleep. */
static void start(void *arg)
{
	int error;

	(void)arg;
	error = channel_init();
	if (error)
		panic("the launcher's virtio-serial device fails: error %d", error);
	vfs_init();
	error = dev_kvm_init();
	if (error)
		panic("KVM cannot be offered: error %d", error);
	devmem_init();
	process_start_first();
}

void kernel_main(void)
{
	page_init(boot_info.ram, boot_info.ram_count, boot_info.reserved, boot_info.reserved_count);
	sched_init();
	sched_init_cpu();
	time_init();
	futex_init();
	grace_init();
	port_start_secondaries();
	kthread_start("start", start, NULL);
	sched_idle_loop();
}

void kernel_secondary_main(void)
{
	sched_init_cpu();
	sched_idle_loop();
}
