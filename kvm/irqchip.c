/* SPDX-License-Identifier: Apache-2.0 */
/* Interrupt lines that user space drives: KVM_IRQ_LINE. */
#include "kvm/irqchip.h"

#include "host/err.h"
#include "kvm/vcpu.h"

/* A number of KVM_IRQ_LINE, taken apart. */
struct line {
	u32 type, vcpu, number;
	bool level;
};

static struct line line_of(const struct kvm_irq_level *r)
{
	return (struct line){
		.type = r->irq >> KVM_ARM_IRQ_TYPE_SHIFT & KVM_ARM_IRQ_TYPE_MASK,
		.vcpu = (r->irq >> KVM_ARM_IRQ_VCPU_SHIFT & KVM_ARM_IRQ_VCPU_MASK) +
			(r->irq >> KVM_ARM_IRQ_VCPU2_SHIFT & KVM_ARM_IRQ_VCPU2_MASK) *
				(KVM_ARM_IRQ_VCPU_MASK + 1),
		.number = r->irq >> KVM_ARM_IRQ_NUM_SHIFT & KVM_ARM_IRQ_NUM_MASK,
		.level = r->level,
	};
}

/* The inputs of a vCPU, for an interrupt controller in user space. */
static int cpu_line(struct vm *vm, const struct line *l)
{
	struct vcpu *v = vm_vcpu(vm, l->vcpu);
	u32 bit = l->number == KVM_ARM_IRQ_CPU_IRQ ? GUEST_HCR_VI : GUEST_HCR_VF;

	if (vm->vgic)
		return -ENXIO;
	if (!v || l->number > KVM_ARM_IRQ_CPU_FIQ)
		return -EINVAL;
	if (l->level)
		__atomic_fetch_or(&v->irq_lines, bit, __ATOMIC_SEQ_CST);
	else
		__atomic_fetch_and(&v->irq_lines, ~bit, __ATOMIC_SEQ_CST);
	vcpu_request(v, VCPU_REQ_KICK);
	return 0;
}

static int vgic_input(struct vm *vm, struct vgic_cpu *c, u32 intid, bool level)
{
	if (!vgic_is_initialised(vm->vgic))
		return -EBUSY;
	return vgic_line(vm->vgic, c, intid, level);
}

static int ppi_line(struct vm *vm, const struct line *l)
{
	struct vcpu *v = vm_vcpu(vm, l->vcpu);

	if (!vm->vgic)
		return -ENXIO;
	if (!v || l->number < VGIC_SGIS || l->number >= VGIC_PRIVATE)
		return -EINVAL;
	return vgic_input(vm, &v->vgic, l->number, l->level);
}

static int spi_line(struct vm *vm, const struct line *l)
{
	if (!vm->vgic)
		return -ENXIO;
	if (l->number < VGIC_PRIVATE)
		return -EINVAL;
	return vgic_input(vm, NULL, l->number, l->level);
}

int irqchip_line(struct vm *vm, hva_t arg)
{
	struct kvm_irq_level r;
	struct line l;

	if (copy_from_user(&r, arg, sizeof(r)))
		return -EFAULT;
	l = line_of(&r);
	switch (l.type) {
	case KVM_ARM_IRQ_TYPE_CPU: return cpu_line(vm, &l);
	case KVM_ARM_IRQ_TYPE_PPI: return ppi_line(vm, &l);
	case KVM_ARM_IRQ_TYPE_SPI: return spi_line(vm, &l);
	}
	return -EINVAL;
}

void irqchip_ended(struct vm *vm, u32 intid)
{
	irqfd_ended(vm, intid);
}
