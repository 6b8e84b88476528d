/* SPDX-License-Identifier: Apache-2.0 */
/* The files of KVM_GET_STATS_FD. They hold the VM: what it counted can be read when all else that
 * names it is closed. */
#include "kvm/stats.h"

#include <asm-generic/fcntl.h>

#include "host/file.h"
#include "host/string.h"
#include "kvm/vcpu.h"

/* Copies what the piece-wise layout gives. Bytes, or -EFAULT if not one could be copied. */
static s64 image_read(const struct stats_image *image, struct iobuf *to, u64 *pos)
{
	u8 piece[STATS_PIECE_MAX];
	s64 done = 0, moved;
	size_t n;

	while (to->left && (n = stats_piece(image, *pos, piece, min(sizeof(piece), to->left)))) {
		moved = iobuf_put(to, piece, n);
		if (moved < 0)
			return done ? done : moved;
		done += moved;
		*pos += (u64)moved;
		if ((size_t)moved < n)
			break;
	}
	return done;
}

static s64 vm_stats_read(struct file *f, struct iobuf *to, u64 *pos)
{
	struct vm *vm = f->priv;
	struct stats_image *image = kzalloc(sizeof(*image));
	struct stats memory;
	s64 done;

	if (!image)
		return -ENOMEM;
	image->kind = STATS_OF_VM;
	snprintf(image->id, sizeof(image->id), "kvm-%d", vm->creator);
	stage2_stats(&vm->memory.guest.s2, &memory);
	stats_of_vm(&memory, image->values);
	done = image_read(image, to, pos);
	kfree(image);
	return done;
}

static s64 vcpu_stats_read(struct file *f, struct iobuf *to, u64 *pos)
{
	struct vcpu *v = f->priv;
	struct stats_image *image = kzalloc(sizeof(*image));
	s64 done;

	if (!image)
		return -ENOMEM;
	image->kind = STATS_OF_VCPU;
	snprintf(image->id, sizeof(image->id), "kvm-%d/vcpu-%u", v->vm->creator, v->id);
	stats_of_vcpu(&v->exits, image->values);
	done = image_read(image, to, pos);
	kfree(image);
	return done;
}

/* As on Linux: works, and moves nothing. */
static s64 stats_lseek(struct file *f, s64 offset, int whence)
{
	(void)offset;
	(void)whence;
	return (s64)f->pos;
}

static void vm_stats_release(struct file *f)
{
	vm_put(f->priv);
}

static void vcpu_stats_release(struct file *f)
{
	struct vcpu *v = f->priv;

	vm_put(v->vm);
}

static const struct file_ops vm_stats_ops = {
	.name = "anon_inode:kvm-vm-stats",
	.read = vm_stats_read,
	.lseek = stats_lseek,
	.release = vm_stats_release,
};

static const struct file_ops vcpu_stats_ops = {
	.name = "anon_inode:kvm-vcpu-stats",
	.read = vcpu_stats_read,
	.lseek = stats_lseek,
	.release = vcpu_stats_release,
};

static struct file *stats_file(const struct file_ops *ops, void *object, struct vm *vm)
{
	struct file *f = file_alloc(ops, object, O_RDONLY);

	if (!f)
		return ERR_PTR(-ENOMEM);
	f->traits |= FILE_AT_POSITION;
	vm_get(vm);
	return f;
}

struct file *stats_file_of_vm(struct vm *vm)
{
	return stats_file(&vm_stats_ops, vm, vm);
}

struct file *stats_file_of_vcpu(struct vcpu *v)
{
	return stats_file(&vcpu_stats_ops, v, v->vm);
}
