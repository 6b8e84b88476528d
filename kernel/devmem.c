/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The driver of /dev/devmem: one directory for each region of device memory, one file in it for
 * each way in which drivers populate their mappings. All maps the same bytes; what differs is when
 * leaves appear, of which size and type, and what the VMA says of them.
 */
#include "kernel/devmem.h"

#include <asm-generic/fcntl.h>
#include <linux/major.h>
#include <stdio.h>
#include <string.h>

#include "abi/catwalk_devmem.h"
#include "host/driver.h"
#include "host/task.h"
#include "kernel/pci.h"
#include "kernel/thread.h"
#include "kernel/vfs.h"

/* A number that Linux keeps for local use. */
#define DEVMEM_MAJOR 240

/* RAM pages of a mixed file. */
#define MIXED_PAGES 32U

enum region_kind { REGION_REGISTERS = 1, REGION_COHERENT = 2 };

struct region {
	char name[16];
	pa_t start;
	u64 size; /* whole pages */
	enum region_kind kind;
};

/* When leaves appear. */
enum timing { AT_MMAP, AT_FAULT };

/* What a mapping says beside what the region is. */
enum type_choice { TYPE_OF_REGION, TYPE_WB, TYPE_NC, TYPE_DEVICE };

struct population {
	const char *name;
	unsigned int kinds; /* regions that have it */
	enum timing timing;
	int max_level;
	enum type_choice leaf;	   /* of leaves */
	enum type_choice declared; /* of the VMA */
	u32 vm_flags;
	const struct vma_ops *ops;
	/* Of leaves: HOST_READ leaves writes to the write notification. */
	enum host_access access;
};

struct node {
	struct device device; /* first, so that its address is the node's */
	char path[48];
	const struct region *region;
	const struct population *population;
};

struct devmem_file {
	const struct node *node;
	struct mutex lock;	/* guards mm */
	struct mm *mm;		/* not counted, only compared: the program that mapped it first */
	enum host_memtype type; /* of leaves; changes under the write lock of mm */
	u64 faults;		/* atomic */
	u64 write_notifies;	/* atomic */
	struct page *ram[MIXED_PAGES]; /* of a mixed file */
};

static const struct vma_ops lazy_ops, late_ops, mixed_ops, read_only_ops;

#define PFN_FLAGS (VM_PFNMAP | VM_IO | VM_DONTEXPAND | VM_DONTDUMP)
#define BOTH	  (REGION_REGISTERS | REGION_COHERENT)
#define OWN	  TYPE_OF_REGION

static const struct population populations[] = {
	/* name, kinds, timing, max_level, leaf, declared, vm_flags, ops, access */
	{ "now", BOTH, AT_MMAP, LEVEL_4K, OWN, OWN, PFN_FLAGS, &lazy_ops, HOST_WRITE },
	{ "now-2m", REGION_COHERENT, AT_MMAP, LEVEL_2M, OWN, OWN, PFN_FLAGS, &lazy_ops,
	  HOST_WRITE },
	{ "now-1g", REGION_COHERENT, AT_MMAP, LEVEL_1G, OWN, OWN, PFN_FLAGS, &lazy_ops,
	  HOST_WRITE },
	{ "lazy", BOTH, AT_FAULT, LEVEL_4K, OWN, OWN, PFN_FLAGS, &lazy_ops, HOST_WRITE },
	{ "lazy-2m", REGION_COHERENT, AT_FAULT, LEVEL_2M, OWN, OWN, PFN_FLAGS, &lazy_ops,
	  HOST_WRITE },
	{ "lazy-1g", REGION_COHERENT, AT_FAULT, LEVEL_1G, OWN, OWN, PFN_FLAGS, &lazy_ops,
	  HOST_WRITE },
	/* No flag until the first fault, and none but VM_PFNMAP after it. */
	{ "late-pfnmap", BOTH, AT_FAULT, LEVEL_4K, OWN, OWN, 0, &late_ops, HOST_WRITE },
	{ "read-first", BOTH, AT_FAULT, LEVEL_4K, OWN, OWN, PFN_FLAGS, &lazy_ops, HOST_READ },
	{ "read-only", BOTH, AT_FAULT, LEVEL_4K, OWN, OWN, PFN_FLAGS, &read_only_ops, HOST_READ },
	{ "any-uncached", BOTH, AT_MMAP, LEVEL_2M, TYPE_DEVICE, TYPE_DEVICE,
	  PFN_FLAGS | VM_ALLOW_ANY_UNCACHED, &lazy_ops, HOST_WRITE },
	{ "nc", BOTH, AT_MMAP, LEVEL_2M, TYPE_NC, TYPE_NC, PFN_FLAGS, &lazy_ops, HOST_WRITE },
	{ "nc-any-uncached", BOTH, AT_MMAP, LEVEL_2M, TYPE_NC, TYPE_NC,
	  PFN_FLAGS | VM_ALLOW_ANY_UNCACHED, &lazy_ops, HOST_WRITE },
	/* The leaf is right, the VMA's protection is not: graphics drivers do that. */
	{ "declared-wb", REGION_REGISTERS, AT_FAULT, LEVEL_4K, OWN, TYPE_WB, PFN_FLAGS, &lazy_ops,
	  HOST_WRITE },
	{ "declared-device", REGION_COHERENT, AT_FAULT, LEVEL_4K, OWN, TYPE_DEVICE, PFN_FLAGS,
	  &lazy_ops, HOST_WRITE },
	{ "device", REGION_COHERENT, AT_MMAP, LEVEL_2M, TYPE_DEVICE, TYPE_DEVICE, PFN_FLAGS,
	  &lazy_ops, HOST_WRITE },
	/* Pages 0, 2, ... are the device's, pages 1, 3, ... RAM, whose type prot_type is. */
	{ "mixed", BOTH, AT_FAULT, LEVEL_4K, OWN, TYPE_WB,
	  VM_MIXEDMAP | VM_IO | VM_DONTEXPAND | VM_DONTDUMP, &mixed_ops, HOST_WRITE },
};

#undef OWN
#undef BOTH

static enum host_memtype type_of(const struct region *region, enum type_choice choice)
{
	switch (choice) {
	case TYPE_WB: return HOST_WB;
	case TYPE_NC: return HOST_NC;
	case TYPE_DEVICE: return HOST_DEVICE;
	case TYPE_OF_REGION: break;
	}
	return region->kind == REGION_COHERENT ? HOST_WB : HOST_DEVICE;
}

static bool is_mixed(const struct population *p)
{
	return p->ops == &mixed_ops;
}

static u64 mapped_size(const struct node *node)
{
	u64 size = node->region->size;

	return is_mixed(node->population) ? min(2 * size, 2 * MIXED_PAGES * PAGE_SIZE) : size;
}

/* ---- faults, under the mm lock held for reading */

static struct devmem_file *file_of(const struct vma *vma)
{
	return vma->file->priv;
}

static u64 offset_at(const struct vma *vma, hva_t addr)
{
	return vma->offset + (addr.v - vma->start.v);
}

/* A VMA without VM_DONTEXPAND may have been grown beyond the region's end. */
static int insert_at(struct vma *vma, hva_t addr, u64 offset)
{
	const struct devmem_file *f = file_of(vma);
	const struct population *p = f->node->population;

	if (offset >= f->node->region->size)
		return -EIO;
	return vma_insert_block(vma, addr, PA(f->node->region->start.v + offset), f->type,
				p->access, p->max_level);
}

static void count(u64 *counter)
{
	__atomic_fetch_add(counter, 1, __ATOMIC_RELAXED);
}

static int lazy_fault(struct vma *vma, hva_t addr, enum host_access access)
{
	(void)access;
	count(&file_of(vma)->faults);
	return insert_at(vma, addr, offset_at(vma, addr));
}

static int late_fault(struct vma *vma, hva_t addr, enum host_access access)
{
	vma_mark_pfnmap(vma);
	return lazy_fault(vma, addr, access);
}

static int mixed_fault(struct vma *vma, hva_t addr, enum host_access access)
{
	u64 index = offset_at(vma, addr) / PAGE_SIZE;
	struct devmem_file *f = file_of(vma);

	(void)access;
	count(&f->faults);
	if (index >= mapped_size(f->node) / PAGE_SIZE)
		return -EIO;
	if (index % 2 == 0)
		return insert_at(vma, addr, index / 2 * PAGE_SIZE);
	return vma_insert_page(vma, addr, page_get(f->ram[index / 2]), HOST_WRITE);
}

/* Nothing has to be prepared here for a page to become writable. */
static int write_notify(struct vma *vma, hva_t addr)
{
	(void)addr;
	count(&file_of(vma)->write_notifies);
	return 0;
}

/* As lazily, but the device is not to be written, whatever its mapping says. */
static int refuse_write(struct vma *vma, hva_t addr)
{
	(void)write_notify(vma, addr);
	return -EIO;
}

static const struct vma_ops lazy_ops = { .fault = lazy_fault, .pfn_mkwrite = write_notify };
static const struct vma_ops late_ops = { .fault = late_fault, .pfn_mkwrite = write_notify };
static const struct vma_ops mixed_ops = { .fault = mixed_fault, .pfn_mkwrite = write_notify };
static const struct vma_ops read_only_ops = { .fault = lazy_fault, .pfn_mkwrite = refuse_write };

/* ---- mmap */

/* Files are of one program: what SET_TYPE changes is all in one mm. */
static int claim(struct devmem_file *f, struct mm *mm)
{
	int error = 0;

	mutex_lock(&f->lock);
	if (!f->mm)
		f->mm = mm;
	else if (f->mm != mm)
		error = -EIO;
	mutex_unlock(&f->lock);
	return error;
}

static int map_now(struct devmem_file *f, struct vma *vma)
{
	const struct population *p = f->node->population;

	return vma_insert_pfn(vma, vma->start, PA(f->node->region->start.v + vma->offset),
			      vma->end.v - vma->start.v, f->type, p->access, p->max_level);
}

static int devmem_mmap(struct file *file, struct vma *vma)
{
	struct devmem_file *f = file->priv;
	const struct population *p = f->node->population;
	u64 size = mapped_size(f->node);
	int error;

	/* A private copy would be RAM. */
	if (!(vma->flags & VM_SHARED) || vma->offset >= size ||
	    vma->end.v - vma->start.v > size - vma->offset)
		return -EINVAL;
	error = claim(f, vma->mm);
	if (error)
		return error;
	vma->flags |= p->vm_flags | VM_DONTCOPY;
	vma->prot_type = type_of(f->node->region, p->declared);
	vma->ops = p->ops;
	return p->timing == AT_MMAP ? map_now(f, vma) : 0;
}

/* ---- ioctls */

static s64 get_info(const struct devmem_file *f, u64 arg)
{
	struct catwalk_devmem_info info = {
		.phys = f->node->region->start.v,
		.size = mapped_size(f->node),
		.type = (u32)f->type,
		.faults = __atomic_load_n(&f->faults, __ATOMIC_RELAXED),
		.write_notifies = __atomic_load_n(&f->write_notifies, __ATOMIC_RELAXED),
	};

	return copy_to_user(HVA(arg), &info, sizeof(info)) ? -EFAULT : 0;
}

/* What was mapped at mmap() is mapped again, what comes by faults is taken away. */
static int retype_vma(struct devmem_file *f, struct vma *vma)
{
	const struct population *p = f->node->population;
	struct pfn_range range = {
		.addr = vma->start,
		.size = vma->end.v - vma->start.v,
		.pa = PA(f->node->region->start.v + vma->offset),
		.access = p->access,
		.max_level = p->max_level,
	};

	if (p->timing == AT_MMAP)
		return vma_retype(vma, &range, f->type);
	vma_zap(vma, vma->start, vma->end);
	return 0;
}

static s64 set_type(struct devmem_file *f, struct mm *mm, u64 arg)
{
	struct vma *vma;
	int error = 0;

	if (arg > CATWALK_DEVMEM_DEVICE)
		return -EINVAL;
	error = claim(f, mm);
	if (error)
		return error;
	mm_write_lock(mm);
	f->type = (enum host_memtype)arg;
	for (vma = vma_first_after(mm, HVA(0)); vma; vma = vma_next(vma)) {
		if (vma->file && vma->file->priv == f && !error)
			error = retype_vma(f, vma);
	}
	mm_write_unlock(mm);
	return error;
}

static s64 revoke(const struct devmem_file *f, struct mm *mm, u64 arg)
{
	struct catwalk_devmem_range range;
	struct vma *vma;
	s64 result = -ENOENT;

	if (copy_from_user(&range, HVA(arg), sizeof(range)))
		return -EFAULT;
	if (!IS_ALIGNED(range.addr | range.size, PAGE_SIZE) || range.addr + range.size < range.addr)
		return -EINVAL;
	mm_write_lock(mm);
	for (vma = vma_first_after(mm, HVA(range.addr));
	     vma && vma->start.v < range.addr + range.size; vma = vma_next(vma)) {
		if (!vma->file || vma->file->priv != f)
			continue;
		vma_zap(vma, HVA(range.addr), HVA(range.addr + range.size));
		result = 0;
	}
	mm_write_unlock(mm);
	return result;
}

static s64 devmem_ioctl(struct file *file, u32 cmd, u64 arg)
{
	struct devmem_file *f = file->priv;
	struct mm *mm = port_current()->mm;

	switch (cmd) {
	case CATWALK_DEVMEM_GET_INFO: return get_info(f, arg);
	case CATWALK_DEVMEM_SET_TYPE: return set_type(f, mm, arg);
	case CATWALK_DEVMEM_REVOKE: return revoke(f, mm, arg);
	default: return -ENOTTY;
	}
}

/* ---- files */

static void free_state(struct devmem_file *f)
{
	for (unsigned int i = 0; i < MIXED_PAGES; i++) {
		if (f->ram[i])
			page_put(f->ram[i]);
	}
	kfree(f);
}

static void devmem_release(struct file *file)
{
	free_state(file->priv);
}

static const struct file_ops devmem_file_ops = {
	.name = "/dev/devmem",
	.ioctl = devmem_ioctl,
	.mmap = devmem_mmap,
	.release = devmem_release,
};

static bool fill_ram(struct devmem_file *f)
{
	for (u64 i = 0; i < mapped_size(f->node) / PAGE_SIZE / 2; i++) {
		f->ram[i] = page_alloc(ORDER_4K, PAGE_ZEROED);
		if (!f->ram[i])
			return false;
	}
	return true;
}

static struct file *devmem_open(const struct device *device, u32 flags)
{
	const struct node *node = container_of(device, const struct node, device);
	struct devmem_file *f = kzalloc(sizeof(*f));
	struct file *file = NULL;

	if (!f)
		return NULL;
	mutex_init(&f->lock);
	f->node = node;
	f->type = type_of(node->region, node->population->leaf);
	if (!is_mixed(node->population) || fill_ram(f))
		file = file_alloc(&devmem_file_ops, f, flags);
	if (!file)
		free_state(f);
	return file;
}

/* ---- nodes */

static u32 next_minor;

static void add_node(const struct region *region, const struct population *population)
{
	struct node *node = kzalloc(sizeof(*node));

	if (!node)
		return;
	snprintf(node->path, sizeof(node->path), "devmem/%s/%s", region->name, population->name);
	node->region = region;
	node->population = population;
	node->device = (struct device){ node->path, DEVMEM_MAJOR, next_minor++, 0666, devmem_open };
	if (dev_register(&node->device))
		kfree(node);
}

/* @name is numbered if @index is not negative. */
static void add_region(const char *name, int index, struct boot_region where, enum region_kind kind)
{
	struct region *region = where.size ? kzalloc(sizeof(*region)) : NULL;

	if (!region)
		return;
	snprintf(region->name, sizeof(region->name), index < 0 ? "%s" : "%s%d", name, index);
	region->start = where.start;
	region->size = ALIGN_UP(where.size, PAGE_SIZE);
	region->kind = kind;
	for (size_t i = 0; i < ARRAY_SIZE(populations); i++) {
		if (populations[i].kinds & kind)
			add_node(region, &populations[i]);
	}
}

/* PCI functions whose memory programs may map, by QEMU's numbers (docs/specs/pci-ids). */
static const struct {
	u16 vendor, device;
	const char *name;
	int bar;
	enum region_kind kind;
} pci_regions[] = {
	{ 0x1af4, 0x1110, "ivshmem", 2, REGION_COHERENT },
	{ 0x1234, 0x11e8, "edu", 0, REGION_REGISTERS },
	{ 0x1b36, 0x0005, "pci-testdev", 0, REGION_REGISTERS },
};

static void add_pci(const struct pci_function *f)
{
	static int found[ARRAY_SIZE(pci_regions)];

	for (size_t i = 0; i < ARRAY_SIZE(pci_regions); i++) {
		if (f->vendor == pci_regions[i].vendor && f->device == pci_regions[i].device)
			add_region(pci_regions[i].name, found[i]++, f->bars[pci_regions[i].bar],
				   pci_regions[i].kind);
	}
}

void devmem_init(void)
{
	add_region("rtc", -1, boot_info.rtc, REGION_REGISTERS);
	add_region("gpio", -1, boot_info.gpio, REGION_REGISTERS);
	pci_scan(add_pci);
}
