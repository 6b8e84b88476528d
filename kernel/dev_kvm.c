/* SPDX-License-Identifier: Apache-2.0 */
/* /dev/kvm, and the report of guest memory at the end of the run. */
#include "kernel/dev_kvm.h"

#include <linux/major.h>
#include <string.h>

#include "kernel/port.h"
#include "kernel/thread.h"
#include "kernel/vfs.h"
#include "kvm/kvm.h"

/* Linux's number of /dev/kvm. */
enum { KVM_MINOR = 232 };

static struct file *open_kvm(const struct device *dev, u32 flags)
{
	(void)dev;
	return kvm_dev_open(flags);
}

int dev_kvm_init(void)
{
	static const struct device dev = { "kvm", MISC_MAJOR, KVM_MINOR, 0666, open_kvm };
	static const struct last_words words = { kvm_want_report, kvm_report, kvm_trace };
	int error = kvm_init();
	char value[4];

	if (error)
		return error;
	if (boot_option("kvm.costs", value, sizeof(value)) && !strcmp(value, "on"))
		kvm_measure_costs();
	process_set_last_words(&words);
	return dev_register(&dev);
}
