/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Bytes as a sequence of what programs and guests do to interrupts, on the world of vgic_world.h,
 * with arguments that are mostly plausible and sometimes hostile. For random tests and for the
 * fuzzer: whatever the bytes are, the world's checks hold after each operation, and nothing leaks.
 */
#ifndef TESTS_UNIT_VGIC_OPS_H
#define TESTS_UNIT_VGIC_OPS_H

#include "tests/unit/vgic_world.h"

enum { TAKEN_MAX = 16 };

static struct {
	const u8 *at, *end;
	u32 writer[VWORLD_ITSES]; /* CWRITER, as the guest has it */
	struct {
		u32 intid, group;
	} taken[VWORLD_CPUS][TAKEN_MAX]; /* what each guest has acknowledged, and not ended */
	u32 taken_count[VWORLD_CPUS];
	bool lacks_memory; /* an allocation may fail in the present operation */
	bool has_holes;	   /* parts of guest memory are gone, or new */
} vops;

/* ---- arguments */

static inline u8 vop_u8(void)
{
	return vops.at < vops.end ? *vops.at++ : 0;
}

static inline u32 vop_u16(void)
{
	u32 low = vop_u8();

	return low | (u32)vop_u8() << 8;
}

static inline u64 vop_hostile(void)
{
	static const u64 numbers[] = {
		0,
		1,
		7,
		31,
		32,
		64,
		96,
		511,
		512,
		1019,
		1020,
		1023,
		1024,
		8191,
		8192,
		65535,
		65536,
		0x7fffffff,
		1UL << 31,
		1UL << 32,
		VGUEST,
		VGUEST + VGUEST_SIZE - 8,
		VGUEST + VGUEST_SIZE,
		VDIST,
		VDIST + 0x10000,
		VREDIST,
		(1UL << VWORLD_IPA_BITS) - 0x10000,
		1UL << VWORLD_IPA_BITS,
		1UL << 48,
		1UL << 52,
		1UL << 63,
		-1UL,
		-8UL,
		VARGS + VARGS_SIZE - 4,
		USER_END,
		0xffff800000001000,
	};
	u64 i = vop_u8();

	return i < ARRAY_SIZE(numbers) ? numbers[i] : i * 0x0101010101010101UL;
}

/* True in an eighth of all cases, and never where the bytes are zeroes. */
static inline bool vop_is_hostile(void)
{
	return vop_u8() >= 224;
}

static inline u64 vop_value(void)
{
	static const u64 usual[] = { 0, 1, 2, 3, 0xffffffff, 0x80, 0xa0a0a0a0, 0x55555555 };
	u8 byte = vop_u8();

	return byte < ARRAY_SIZE(usual) ? usual[byte]
	       : byte < 64		? 1UL << byte
	       : byte < 128		? vop_u16() | (u64)vop_u16() << 16
					: vop_hostile();
}

/* NULL: there is none yet. */
static inline struct vcpu *vop_cpu(void)
{
	u8 byte = vop_u8();

	return vworld.cpus ? vworld.cpu[byte % vworld.cpus] : NULL;
}

/* Few SGIs, PPIs and SPIs, so that operations meet; sometimes any number. */
static inline u32 vop_intid(void)
{
	static const u32 usual[] = { 0, 1, 15, 16, 27, 30, 31, 32, 33, 34, 35, 63, 64, 95 };

	return vop_is_hostile() ? (u32)vop_hostile() : usual[vop_u8() % ARRAY_SIZE(usual)];
}

static inline u32 vop_lpi(void)
{
	return vop_is_hostile() ? (u32)vop_hostile()
				: VGIC_LPI_FIRST + vop_u8() % 8U + vop_u8() % 3U * 61;
}

static inline u32 vop_its(void)
{
	return vop_u8() % VWORLD_ITSES;
}

static inline int vop_device_fd(void)
{
	u8 byte = vop_u8();

	return byte & 1 && vworld.its_fds ? vworld.its_fd[byte / 2 % vworld.its_fds]
					  : vworld.vgic_fd;
}

/* ---- making the machine */

static inline void vop_vcpu(void)
{
	(void)vworld_vcpu(vop_is_hostile() ? vop_hostile() : vop_u8() % 20);
}

static inline void vop_device(void)
{
	u8 byte = vop_u8();

	if (byte & 1 && vworld.vm->its_count < VWORLD_ITSES)
		(void)vworld_device(KVM_DEV_TYPE_ARM_VGIC_ITS);
	else if (byte & 2)
		(void)vworld_device(KVM_DEV_TYPE_ARM_VGIC_V3);
	else
		(void)vworld_device((u32)vop_hostile() | 0x100);
}

/* Registers as a driver sets them up. */
static inline void vguest_setup(u64 indirect)
{
	struct vcpu *v = vworld.cpu[0];
	u8 config[0x200];

	for (u32 i = 0; i < sizeof(config); i++)
		config[i] = (u8)(1 | i * 8 % 256);
	vworld_guest_put(VCONFIG, config, sizeof(config));
	vworld_write(v, VDIST, 4, 3 | BIT(4));
	for (u32 i = 0; i < vworld.cpus; i++) {
		u64 redist = VREDIST + i * VGIC_REDIST_SIZE;

		vworld_write(v, redist + 0x70, 8, (VGUEST + VCONFIG) | 15);
		vworld_write(v, redist + 0x78, 8, VGUEST + VPENDING(i));
		vworld_write(v, redist, 4, 1);
		vworld_write(v, redist + 0x10100, 4, 0xffffffff);
	}
	vworld_write(v, VDIST + 0x104, 4, 0xffffffff);
	/* The later ones are the more urgent: they preempt. */
	for (u32 i = 0; i < 32; i++)
		vworld_write(v, VDIST + 0x400 + VGIC_PRIVATE + i, 1, 0xf8 - i * 8);
	for (u32 i = 0; i < vworld.vm->its_count; i++) {
		const u64 l1 = 1UL << 63 | (VGUEST + VLEVEL2(i));

		if (indirect)
			vworld_guest_put(VDEVICES(i), &l1, sizeof(l1));
		vworld_write(v, VITS(i) + 0x80, 8, BASER_VALID | (VGUEST + VQUEUE(i)) | 15);
		vworld_write(v, VITS(i) + 0x100, 8,
			     BASER_VALID | indirect | (VGUEST + VDEVICES(i)));
		vworld_write(v, VITS(i) + 0x108, 8, BASER_VALID | (VGUEST + VCOLLECT(i)));
		vworld_write(v, VITS(i), 4, 1);
	}
}

/* All groups and priorities are let through. */
#define VMCR_OPEN (VMCR_ENG0 | VMCR_ENG1 | 0xffUL << VMCR_PMR_SHIFT)

/* A VM that is ready: @cpus vCPUs, @itses ITSes. */
static inline void vops_setup(u32 cpus, u32 itses, u64 indirect)
{
	for (u32 i = 0; i < cpus; i++)
		vworld_require(!vworld_vcpu(i), "no vCPU");
	vworld_require(!vworld_device(KVM_DEV_TYPE_ARM_VGIC_V3), "no vGIC");
	vworld_require(!vworld_attr_set(vworld.vgic_fd, KVM_DEV_ARM_VGIC_GRP_ADDR,
					KVM_VGIC_V3_ADDR_TYPE_DIST, VDIST),
		       "no distributor");
	for (u32 i = 0; i < itses; i++) {
		vworld_require(!vworld_device(KVM_DEV_TYPE_ARM_VGIC_ITS), "no ITS");
		vworld_require(!vworld_attr_set(vworld.its_fd[i], KVM_DEV_ARM_VGIC_GRP_ADDR,
						KVM_VGIC_ITS_ADDR_TYPE, VITS(i)),
			       "no place for an ITS");
	}
	vworld_require(!vworld_attr_set(vworld.vgic_fd, KVM_DEV_ARM_VGIC_GRP_ADDR,
					KVM_VGIC_V3_ADDR_TYPE_REDIST, VREDIST),
		       "no redistributors");
	vworld_require(!vworld_attr_at(vworld.vgic_fd, KVM_SET_DEVICE_ATTR,
				       KVM_DEV_ARM_VGIC_GRP_CTRL, KVM_DEV_ARM_VGIC_CTRL_INIT, 0),
		       "no start");
	for (u32 i = 0; i < cpus; i++) {
		vworld.cpu[i]->cpu.gic.vmcr = VMCR_OPEN;
		vworld_require(!vworld_run_begin(vworld.cpu[i]), "no first run");
		vworld_run_end(vworld.cpu[i]);
	}
	vguest_setup(indirect);
}

/* ---- the ITS's commands */

enum {
	VCMD_MOVI = 0x01,
	VCMD_INT = 0x03,
	VCMD_CLEAR = 0x04,
	VCMD_MAPD = 0x08,
	VCMD_MAPC = 0x09,
	VCMD_MAPTI = 0x0a,
	VCMD_MAPI = 0x0b,
	VCMD_INV = 0x0c,
	VCMD_INVALL = 0x0d,
	VCMD_MOVALL = 0x0e,
	VCMD_DISCARD = 0x0f,
};

static inline void vguest_queue(u32 its, const u64 *dw)
{
	vworld_guest_put(VQUEUE(its) + vops.writer[its], dw, 32);
	vops.writer[its] = (vops.writer[its] + 32) % 0x10000;
}

static inline void vguest_kick(struct vcpu *v, u32 its)
{
	vworld_write(v, VITS(its) + 0x88, 8, vops.writer[its]);
}

/* Devices 0 and 1 with four events each, of collections that the vCPUs have in turn. */
static inline void vguest_map(u32 its)
{
	for (u64 i = 0; i < 4; i++) {
		const u64 mapc[4] = { VCMD_MAPC, 0, 1UL << 63 | (i % vworld.cpus) << 16 | i };

		vguest_queue(its, mapc);
	}
	for (u64 d = 0; d < 2; d++) {
		const u64 mapd[4] = { VCMD_MAPD | d << 32, 4, 1UL << 63 | (VGUEST + VITT(d)) };

		vguest_queue(its, mapd);
		for (u64 e = 0; e < 4; e++) {
			const u64 mapti[4] = { VCMD_MAPTI | d << 32,
					       e | (VGIC_LPI_FIRST + its * 8 + d * 4 + e) << 32,
					       e };

			vguest_queue(its, mapti);
		}
	}
	vguest_kick(vworld.cpu[0], its);
}

/* ---- attributes */

static inline u64 vop_address(u64 attr)
{
	if (vop_is_hostile())
		return vop_hostile();
	switch (attr) {
	case KVM_VGIC_V3_ADDR_TYPE_DIST: return VDIST;
	case KVM_VGIC_V3_ADDR_TYPE_REDIST: return VREDIST;
	case KVM_VGIC_ITS_ADDR_TYPE: return VITS(vop_its());
	}
	return VREDISTS(vop_u8() % 3) | vop_u8() % 3 | (u64)(vop_u8() % 5) << 52;
}

static inline u64 vop_affinity(void)
{
	const struct vcpu *v = vop_cpu();
	u64 mpidr = v ? v->cpu.reg[GR_MPIDR_EL1] : 0;

	return (mpidr & 0xffffff) << 32;
}

static const u32 dist_offsets[] = {
	0x0000, 0x0004, 0x0008, 0x000c, 0x0010, 0x0080, 0x0084, 0x0100, 0x0104, 0x0180, 0x0184,
	0x0200, 0x0204, 0x0280, 0x0284, 0x0300, 0x0304, 0x0380, 0x0384, 0x0400, 0x0420, 0x0424,
	0x0c00, 0x0c08, 0x6100, 0x6104, 0x6108, 0xffe8, 0x0108, 0x0208, 0x0308, 0x7fd8
};
static const u32 redist_offsets[] = {
	0x00000, 0x00004, 0x00008, 0x0000c, 0x00010, 0x00014, 0x00070, 0x00074,
	0x00078, 0x0007c, 0x0ffe8, 0x10080, 0x10100, 0x10180, 0x10200, 0x10280,
	0x10300, 0x10380, 0x10400, 0x10404, 0x1041c, 0x10c00, 0x10c04,
};
static const u32 its_offsets[] = { 0x0000, 0x0004, 0x0008, 0x0080, 0x0084, 0x0088, 0x0090,
				   0x0100, 0x0104, 0x0108, 0x0110, 0x0138, 0xffe8 };

static inline u32 vop_offset(const u32 *table, u32 count)
{
	return vop_is_hostile() ? (u32)vop_hostile() : table[vop_u8() % count];
}

#define VOP_OFFSET(table) vop_offset(table, ARRAY_SIZE(table))

static inline u64 vop_icc(void)
{
	static const u16 regs[] = { 0xc230, 0xc643, 0xc644, 0xc645, 0xc648, 0xc649,
				    0xc663, 0xc664, 0xc665, 0xc666, 0xc667 };

	return vop_affinity() | regs[vop_u8() % ARRAY_SIZE(regs)];
}

static inline u64 vop_attr_of(u32 group)
{
	if (vop_is_hostile())
		return vop_hostile();
	switch (group) {
	case KVM_DEV_ARM_VGIC_GRP_ADDR: return 2 + vop_u8() % 4;
	case KVM_DEV_ARM_VGIC_GRP_CTRL: return vop_u8() % 6;
	case KVM_DEV_ARM_VGIC_GRP_DIST_REGS: return VOP_OFFSET(dist_offsets);
	case KVM_DEV_ARM_VGIC_GRP_REDIST_REGS: return vop_affinity() | VOP_OFFSET(redist_offsets);
	case KVM_DEV_ARM_VGIC_GRP_CPU_SYSREGS: return vop_icc();
	case KVM_DEV_ARM_VGIC_GRP_LEVEL_INFO: return vop_affinity() | (vop_u8() % 4) * 32;
	case KVM_DEV_ARM_VGIC_GRP_ITS_REGS: return VOP_OFFSET(its_offsets);
	}
	return vop_u8();
}

static inline u64 vop_attr_value(u32 group, u64 attr)
{
	if (group == KVM_DEV_ARM_VGIC_GRP_ADDR)
		return vop_address(attr);
	if (group == KVM_DEV_ARM_VGIC_GRP_NR_IRQS)
		return vop_is_hostile() ? vop_hostile() : 64 + 32 * (u64)(vop_u8() % 4);
	return vop_value();
}

/* What an attribute's ioctl may answer. */
static inline void vop_require_known(s64 ret)
{
	static const int known[] = { 0,	      -EINVAL, -EFAULT, -ENXIO, -EBUSY,	 -EEXIST,
				     -ENOENT, -E2BIG,  -ENODEV, -EINTR, -ENOMEM, -EBADF };

	for (u32 i = 0; i < ARRAY_SIZE(known); i++) {
		if (ret == known[i]) {
			vworld_require(ret != -ENOMEM || vops.lacks_memory || vworld.vm->its_count,
				       "out of memory");
			return;
		}
	}
	vworld_require(0, "an attribute's ioctl returns %ld", (long)ret);
}

static inline void vop_attr(void)
{
	static const u32 cmds[] = { KVM_SET_DEVICE_ATTR, KVM_SET_DEVICE_ATTR, KVM_GET_DEVICE_ATTR,
				    KVM_HAS_DEVICE_ATTR };
	int fd = vop_device_fd();
	u32 cmd = cmds[vop_u8() % ARRAY_SIZE(cmds)];
	u32 group = vop_is_hostile() ? (u32)vop_hostile() : vop_u8() % 9;
	u64 attr = vop_attr_of(group), value = vop_attr_value(group, attr);

	vworld_put(VVALUE, &value, sizeof(value));
	vop_require_known(
		vworld_attr_at(fd, cmd, group, attr, vop_is_hostile() ? vop_hostile() : VVALUE));
}

/* What user space has set reads back, if it is told to be there at all. */
static inline void vop_attr_again(void)
{
	static const u32 offsets[] = { 0x0084, 0x0204, 0x0424, 0x0c08, 0x6108 };
	u32 attr = offsets[vop_u8() % ARRAY_SIZE(offsets)];
	u64 value = vop_value() & 0xf8, seen = 0;

	if (attr == 0x0c08)
		value &= 0xa8;
	if (vworld_attr_set(vworld.vgic_fd, KVM_DEV_ARM_VGIC_GRP_DIST_REGS, attr, value))
		return;
	vworld_require(!vworld_attr_get(vworld.vgic_fd, KVM_DEV_ARM_VGIC_GRP_DIST_REGS, attr,
					&seen),
		       "cannot be read again");
	vworld_require(seen == value, "GICD %#x was set to %#lx and is %#lx", attr,
		       (unsigned long)value, (unsigned long)seen);
}

/* ---- the guest's accesses */

static inline u8 vop_len(void)
{
	static const u8 lens[] = { 4, 4, 4, 8, 1, 2 };

	return lens[vop_u8() % ARRAY_SIZE(lens)];
}

static inline void vop_access(u64 frame, u32 offset)
{
	struct vcpu *v = vop_cpu();
	u8 len = vop_len();
	u64 value = vop_value();
	bool is_write = vop_u8() & 1;

	if (v)
		(void)vworld_mmio(v, frame + offset, len, is_write, &value);
}

static inline void vop_dist(void)
{
	vop_access(VDIST, VOP_OFFSET(dist_offsets) & 0xffff);
}

static inline void vop_redist(void)
{
	u64 of = vop_u8() % VWORLD_CPUS;

	vop_access(VREDIST + of * VGIC_REDIST_SIZE, VOP_OFFSET(redist_offsets) & 0x1ffff);
}

static inline void vop_its_frame(void)
{
	vop_access(VITS(vop_its()), VOP_OFFSET(its_offsets) & 0x1ffff);
}

/* One interrupt's bit or byte, as drivers write them. */
static inline void vop_irq_field(void)
{
	static const u32 bits[] = { 0x080, 0x100, 0x180, 0x200, 0x280, 0x300, 0x380 };
	struct vcpu *v = vop_cpu();
	u32 intid = vop_intid() % VGIC_IRQS_MAX, which = vop_u8();
	u64 frame = intid < VGIC_PRIVATE ? VREDIST + 0x10000 + v->on_cpu * VGIC_REDIST_SIZE : VDIST;
	u8 value = vop_u8();

	if (which & 1)
		vworld_write(v, frame + bits[which / 2 % ARRAY_SIZE(bits)] + intid / 32 * 4, 4,
			     1U << intid % 32);
	else if (which & 2)
		vworld_write(v, frame + 0x400 + intid, 1, value);
	else if (which & 4 && intid >= VGIC_PRIVATE)
		vworld_write(v, VDIST + 0x6000 + intid * 8, 8, value % 5);
	else
		vworld_write(v, frame + 0xc00 + intid / 16 * 4, 4,
			     (u64)(value & 3) << intid % 16 * 2);
}

/* LPIs go off at a vCPU, or on. */
static inline void vop_lpis(void)
{
	struct vcpu *v = vop_cpu();

	if (v)
		vworld_write(v, VREDIST + v->on_cpu * VGIC_REDIST_SIZE, 4, vop_u8() & 1);
}

static inline void vop_guest_memory(void)
{
	static const u64 places[] = { VCONFIG,	   VCONFIG,	VPENDING(0), VPENDING(1),
				      VDEVICES(0), VCOLLECT(0), VLEVEL2(0),  VITT(1) };
	u64 at = places[vop_u8() % ARRAY_SIZE(places)], word = vop_value();
	u32 byte = vop_u8();

	if (at >= VPENDING(0) && at < VITT(0))
		at += VGIC_LPI_FIRST / 8;
	if (at == VLEVEL2(0)) /* a table of two levels */
		word = BASER_VALID | (VGUEST + VLEVEL2(0));
	vworld_guest_put(at + byte, &word, vop_u8() & 1 ? 1 : 8);
}

/* ---- inside the guest */

/* The most urgent of what @v's list registers offer, and the guest has enabled; 256: nothing. */
static inline u32 vop_offered(const struct vcpu *v, u64 vmcr)
{
	u32 best = 256;

	for (u32 i = 0; i < v->lrs.used; i++) {
		u64 lr = v->lrs.lr[i];

		if (lr & BIT(62) && vmcr & BIT(lr >> 60 & 1))
			best = min(best, (u32)(lr >> 48) & 0xff);
	}
	return best;
}

/* The most urgent is offered, and what is left out will be told by a maintenance interrupt. */
static inline void vop_check_offer(const struct vcpu *v, u32 urgent, u64 vmcr)
{
	const struct vgic_irq *left = vworld_first(v, vmcr);

	vworld_require(vop_offered(v, vmcr) <= urgent, "priority %#x waits, and the guest gets %#x",
		       urgent, vop_offered(v, vmcr));
	if (left)
		vworld_require(v->lrs.hcr & BIT(3),
			       "interrupt %u waits outside, and nobody will know", left->intid);
}

static inline void vop_enter(void)
{
	struct vcpu *v = vop_cpu();
	const struct vgic_irq *first;
	u32 urgent;
	u64 vmcr;
	u8 byte;

	if (!v || vworld_in_guest(v) || vworld_run_begin(v))
		return;
	byte = vop_u8();
	model_timer_lines = byte & 3;
	v->cpu.pstate = byte & 4 ? 0x80 : 0; /* PSTATE.I */
	timers_settle(v);
	vmcr = port_guest_gic_vmcr();
	first = vworld_first(v, vmcr);
	vworld_run_end(v);
	/* What of an ITS's commands is left may change everything. */
	urgent = first && !(v->requests & VCPU_REQ_ITS) ? first->priority : 256;
	if (!vworld_enter(v))
		vop_check_offer(v, urgent, vmcr);
}

static inline void vop_leave(void)
{
	struct vcpu *v = vop_cpu();

	if (v && vworld_in_guest(v))
		vworld_leave(v);
}

/* CPUs that were asked to leave their guests do so. */
static inline void vop_ipis(void)
{
	if (vworld.ipis)
		vworld_on_relax();
	vworld.ipis = 0;
}

static inline struct vcpu *vop_guest(void)
{
	struct vcpu *v = vop_cpu();

	if (!v || !vworld_in_guest(v))
		return NULL;
	model_gic_cpu(v->on_cpu);
	return v;
}

/* By ICC_IAR, after what @v has to do if that traps. */
static inline void vguest_acknowledge(struct vcpu *v, unsigned int group)
{
	u32 intid = model_gic_acknowledge(group), *count = &vops.taken_count[v->on_cpu];

	if (intid == MODEL_GIC_TRAPS) {
		vworld_exit(v);
		(void)vgic_vcpu_acknowledges(v);
		vworld_enter_again(v);
		intid = model_gic_acknowledge(group);
		vworld_require(intid != MODEL_GIC_TRAPS, "an acknowledgement traps for ever");
	}
	if (intid == MODEL_GIC_NONE || *count == TAKEN_MAX)
		return;
	vops.taken[v->on_cpu][*count].intid = intid;
	vops.taken[v->on_cpu][(*count)++].group = group;
}

static inline void vop_acknowledge(void)
{
	struct vcpu *v = vop_guest();
	unsigned int group = !(vop_u8() & 1);

	if (v)
		vguest_acknowledge(v, group);
}

/* An interrupt comes and is taken, whatever else the guest has taken before. */
static inline void vop_nest(void)
{
	struct vcpu *v = vop_cpu();
	u32 intid = VGIC_PRIVATE + vop_u8() % 32;
	u8 how = vop_u8();

	if (!v || !v->ran || !vgic_is_initialised(v->vm->vgic))
		return;
	if (how & 1)
		(void)vgic_line(v->vm->vgic, NULL, intid, true);
	else
		(void)vgic_line(v->vm->vgic, &v->vgic, intid % VGIC_SGIS + VGIC_SGIS, how & 2);
	if (vworld_in_guest(v))
		vworld_leave(v);
	if (vworld_enter(v))
		return;
	model_gic_cpu(v->on_cpu);
	vguest_acknowledge(v, 1);
}

/* The last that was taken, or any; by ICC_EOIR. */
static inline void vop_end(void)
{
	struct vcpu *v = vop_guest();
	bool hostile = vop_is_hostile();
	u32 n;

	if (!v)
		return;
	if (hostile) {
		model_gic_end(vop_u8() & 1, vop_intid());
	} else if (vops.taken_count[v->on_cpu]) {
		n = --vops.taken_count[v->on_cpu];
		model_gic_end(vops.taken[v->on_cpu][n].group, vops.taken[v->on_cpu][n].intid);
	}
}

static inline void vop_deactivate(void)
{
	struct vcpu *v = vop_guest();
	u32 intid = vop_is_hostile() ? vop_intid() : 0;

	if (!v)
		return;
	if (!intid)
		intid = vops.taken[v->on_cpu][vop_u8() % TAKEN_MAX].intid;
	if (!model_gic_deactivate(intid))
		return;
	vworld_exit(v);
	vgic_vcpu_deactivate(v, intid);
	vworld_run_end(v);
}

static inline void vop_vmcr(void)
{
	static const u64 values[] = { VMCR_OPEN,
				      VMCR_OPEN | VMCR_EOIM,
				      VMCR_ENG1 | 0xf0UL << VMCR_PMR_SHIFT,
				      VMCR_ENG0 | 0xffUL << VMCR_PMR_SHIFT,
				      0xffUL << VMCR_PMR_SHIFT,
				      VMCR_ENG0 | VMCR_ENG1 | 0x80UL << VMCR_PMR_SHIFT,
				      VMCR_ENG1 | VMCR_CBPR };

	if (vop_guest())
		model_gic_set_vmcr(values[vop_u8() % ARRAY_SIZE(values)]);
}

static inline void vop_sgi(void)
{
	struct vcpu *v = vop_cpu();
	u64 value = vop_u16() | (u64)(vop_u8() & 0xf) << 24 | (u64)(vop_u8() & 1) << 40;
	unsigned int group = vop_u8() & 1;

	if (vop_is_hostile())
		value |= vop_hostile();
	if (!v)
		return;
	if (vworld_in_guest(v))
		vworld_leave(v);
	if (vworld_run_begin(v))
		return;
	vgic_vcpu_sgi(v, value, group);
	vworld_run_end(v);
}

/* All of a vCPU's pending interrupts against what would end its WFI. */
static inline void vop_wait(void)
{
	struct vcpu *v = vop_cpu();
	const struct vgic_irq *first;
	u64 vmcr;
	bool pending;

	if (!v || vworld_in_guest(v) || !v->cpu.gic.present)
		return;
	vmcr = v->cpu.gic.vmcr;
	first = vworld_first(v, vmcr);
	pending = first && first->priority < (vmcr >> VMCR_PMR_SHIFT & 0xff);
	vworld_require(vgic_vcpu_is_pending(v) == pending, "vCPU %u would sleep on: %u", v->id,
		       pending);
}

struct vop_states {
	const struct vcpu *v;
	u64 hash;
};

static struct vop_states vop_states;

static inline void vop_mix(const struct vgic_irq *irq)
{
	u64 word = irq->intid | (u64)vgic_irq_is_pending(irq) << 32 | (u64)irq->active << 33 |
		   (u64)(irq->latch || irq->lr_latch) << 34;

	if (irq->on == &vop_states.v->vgic)
		vop_states.hash += word * 0x9e3779b97f4a7c15UL ^ word >> 7;
}

static inline u64 vop_state_of(const struct vcpu *v)
{
	struct vgic *g = v->vm->vgic;

	vop_states = (struct vop_states){ .v = v };
	for (u32 i = 0; i < VGIC_PRIVATE; i++)
		vop_mix(&v->vgic.private[i]);
	for (u32 i = 0; i < g->spi_count; i++)
		vop_mix(&g->spis[i]);
	vworld_each_lpi(vop_mix);
	return vop_states.hash;
}

/* A guest that does nothing with its interrupts leaves them as they were. */
static inline void vop_idle_turn(void)
{
	struct vcpu *v = vop_cpu();
	u64 before;

	if (!v || vworld_in_guest(v) || vworld_run_begin(v))
		return;
	timers_settle(v);
	vworld_run_end(v);
	if (v->requests & VCPU_REQ_ITS)
		return;
	before = vop_state_of(v);
	if (vworld_enter(v))
		return;
	vworld_leave(v);
	vworld_require(vop_state_of(v) == before,
		       "entry and exit have changed vCPU %u's interrupts", v->id);
}

/* ---- lines, messages, routes, events */

static inline void vop_line(void)
{
	u32 intid = vop_intid(), cpu = vop_u8() % 20, level = vop_u8() & 1;
	u32 type = intid >= VGIC_PRIVATE ? KVM_ARM_IRQ_TYPE_SPI : KVM_ARM_IRQ_TYPE_PPI;
	struct kvm_irq_level a = {
		.irq = type << KVM_ARM_IRQ_TYPE_SHIFT | cpu << KVM_ARM_IRQ_VCPU_SHIFT |
		       (intid & KVM_ARM_IRQ_NUM_MASK),
		.level = level,
	};

	if (vop_is_hostile())
		a.irq = (u32)vop_hostile();
	vworld_put(VARGS, &a, sizeof(a));
	(void)irqchip_line(vworld.vm, HVA(vop_is_hostile() ? vop_hostile() : VARGS));
}

static inline struct kvm_msi vop_message(void)
{
	u64 address = VITS(vop_its()) + ITS_TRANSLATER;
	struct kvm_msi m = { .data = vop_u8() % 8, .devid = vop_u8() % 6 };

	if (vop_is_hostile())
		address = vop_hostile();
	m.flags = vop_is_hostile() ? (u32)vop_hostile() : KVM_MSI_VALID_DEVID;
	m.address_lo = (u32)address;
	m.address_hi = (u32)(address >> 32);
	return m;
}

static inline void vop_msi(void)
{
	struct kvm_msi m = vop_message();

	vworld_put(VARGS, &m, sizeof(m));
	(void)msi_ioctl(vworld.vm, HVA(VARGS));
}

static inline struct kvm_irq_routing_entry vop_route(u32 gsi)
{
	struct kvm_irq_routing_entry e = { .gsi = gsi, .type = KVM_IRQ_ROUTING_IRQCHIP };

	if (vop_u8() & 1) {
		struct kvm_msi m = vop_message();

		e.type = KVM_IRQ_ROUTING_MSI;
		e.flags = m.flags;
		e.u.msi.address_lo = m.address_lo;
		e.u.msi.address_hi = m.address_hi;
		e.u.msi.data = m.data;
		e.u.msi.devid = m.devid;
	} else {
		e.u.irqchip.pin = vop_is_hostile() ? (u32)vop_hostile() : vop_u8() % 8;
	}
	if (vop_is_hostile())
		e.gsi = (u32)vop_hostile();
	if (vop_is_hostile())
		e.type = (u32)vop_hostile();
	return e;
}

static inline void vop_routes(void)
{
	struct kvm_irq_routing head = { .nr = vop_u8() % 9 };

	for (u32 i = 0; i < head.nr; i++) {
		struct kvm_irq_routing_entry e = vop_route(i);

		vworld_put(VARGS + sizeof(head) + i * sizeof(e), &e, sizeof(e));
	}
	if (vop_is_hostile())
		head.nr = (u32)vop_hostile();
	if (vop_is_hostile())
		head.flags = (u32)vop_hostile();
	vworld_put(VARGS, &head, sizeof(head));
	(void)irq_routes_set(vworld.vm, HVA(VARGS));
}

static inline void vop_eventfd(void)
{
	u8 byte = vop_u8();
	int *fd = &vworld.event_fd[byte % VWORLD_EVENTFDS];
	struct file *f;

	if (*fd >= 0 && byte & 128) {
		vworld_close(fd);
		return;
	}
	if (*fd >= 0)
		return;
	f = eventfd_new(byte >> 4 & 1, byte & 64 ? EVENTFD_SEMAPHORE : EVENTFD_COUNTER, O_NONBLOCK);
	if (!f)
		return;
	*fd = fd_install(port_current()->files, f, 3, 0);
	if (*fd < 0)
		file_put(f);
}

static inline void vop_event(void)
{
	int fd = vworld.event_fd[vop_u8() % VWORLD_EVENTFDS];
	struct file *f = fd_get(port_current()->files, fd);
	u64 count = vop_is_hostile() ? vop_hostile() : 1, pos = 0;
	struct iobuf io = { .kernel = &count, .left = sizeof(count) };

	if (!f)
		return;
	(void)(vop_u8() & 1 ? f->ops->read(f, &io, &pos) : f->ops->write(f, &io, &pos));
	file_put(f);
}

static inline s32 vop_event_fd(void)
{
	return vop_is_hostile() ? (s32)vop_hostile() : vworld.event_fd[vop_u8() % VWORLD_EVENTFDS];
}

static inline void vop_irqfd(void)
{
	struct kvm_irqfd a = {
		.fd = (u32)vop_event_fd(),
		.gsi = vop_is_hostile() ? (u32)vop_hostile() : vop_u8() % 8,
		.flags = vop_u8() & 3,
		.resamplefd = (u32)vop_event_fd(),
	};

	if (vop_is_hostile())
		a.flags = (u32)vop_hostile();
	vworld_put(VARGS, &a, sizeof(a));
	(void)irqfd_ioctl(vworld.vm, HVA(VARGS));
}

static inline void vop_ioeventfd(void)
{
	static const u32 lens[] = { 0, 1, 2, 4, 8 };
	struct kvm_ioeventfd a = {
		.fd = vop_event_fd(),
		.addr = 0x1000 + (vop_u8() & 3) * 4,
		.len = lens[vop_u8() % ARRAY_SIZE(lens)],
		.datamatch = vop_u8() & 3,
		.flags = vop_u8() & 7,
	};

	if (vop_is_hostile())
		a.addr = vop_hostile();
	if (vop_is_hostile())
		a.len = (u32)vop_hostile();
	vworld_put(VARGS, &a, sizeof(a));
	(void)ioeventfd_ioctl(vworld.vm, HVA(VARGS));
}

/* A guest's write where such an event may be. */
static inline void vop_io(void)
{
	vop_access(0x1000, (vop_u8() & 3) * 4);
}

/* ---- any commands */

static inline void vop_make_command(u64 *dw)
{
	static const u8 kinds[] = { VCMD_MAPD, VCMD_MAPC,   VCMD_MAPTI,	  VCMD_MAPTI, VCMD_MAPTI,
				    VCMD_MAPI, VCMD_INT,    VCMD_INT,	  VCMD_CLEAR, VCMD_INV,
				    VCMD_MOVI, VCMD_MOVALL, VCMD_DISCARD, VCMD_INVALL };
	u64 kind = vop_is_hostile() ? vop_u8() : kinds[vop_u8() % ARRAY_SIZE(kinds)];
	u64 device = vop_u8() % 6, event = vop_u8() % 8, valid = vop_u8() < 192;
	u64 collection = vop_u8() % 4, cpu = vop_u8() % (VWORLD_CPUS + 1);
	u64 itt = VGUEST + VITT(device);

	dw[0] = kind | device << 32;
	dw[1] = event | (u64)vop_lpi() << 32;
	dw[2] = valid << 63 | cpu << 16 | collection;
	dw[3] = (u64)(vop_u8() % VWORLD_CPUS) << 16;
	if (kind == VCMD_MAPD) {
		dw[1] = vop_is_hostile() ? vop_u8() : 4;
		if (vop_is_hostile())
			itt = vop_hostile();
		dw[2] = valid << 63 | (itt & GENMASK(51, 8));
	}
	if (vop_is_hostile())
		dw[vop_u8() & 3] ^= vop_hostile();
}

static const struct vgic_cpu *vop_moved_to;

static inline void vop_note_moved(const struct vgic_irq *irq)
{
	if (irq->target == vop_moved_to)
		vworld_is_vague(irq);
}

/* After MOVALL: collections do not tell any more whom these interrupt. */
static inline void vop_note_command(const u64 *dw)
{
	const struct vcpu *to = vm_vcpu(vworld.vm, (u32)(dw[3] >> 16));

	if ((dw[0] & 0xff) != VCMD_MOVALL || !vworld.vm->vgic || !to)
		return;
	vop_moved_to = &to->vgic;
	vworld_each_lpi(vop_note_moved);
}

static inline void vop_command(void)
{
	struct vcpu *v = vop_cpu();
	u32 its = vop_its(), count = 1 + vop_u8() % 4;

	while (v && count--) {
		u64 dw[4];

		vop_make_command(dw);
		vguest_queue(its, dw);
		vguest_kick(v, its);
		vop_note_command(dw);
		vworld_check();
	}
}

/* ---- saving and restoring */

static inline s64 vop_control(u32 its, u64 attr)
{
	return vworld_attr_at(vworld.its_fd[its], KVM_SET_DEVICE_ATTR, KVM_DEV_ARM_VGIC_GRP_CTRL,
			      attr, 0);
}

/* A device's entry, by KVM's description of the tables (Documentation/virt/kvm/devices/
 * arm-vgic-its.rst): valid 63, next 62:49, the table's address 48:5, bits less one 4:0. */
static inline u64 vop_device_entry(const struct its_device *d, const struct its_device *next)
{
	u64 step = next ? min(next->id - d->id, 0x3fffU) : 0;

	return 1UL << 63 | step << 49 | d->itt >> 8 << 5 | (d->event_bits - 1U);
}

/* An event's: next 63:48, INTID 47:16, collection 15:0. */
static inline u64 vop_event_entry(const struct its_event *e, const struct its_event *next)
{
	u64 step = next ? next->id - e->id : 0;

	return e->collection ? step << 48 | (u64)e->intid << 16 | e->collection->id : 0;
}

static inline void vop_check_device(struct its_device *d, u64 entry, bool with_events)
{
	struct its_device *next = RB_NEXT(its_devices, NULL, d);
	struct its_event *e;

	vworld_require(entry == vop_device_entry(d, next), "device %u is saved as %#lx", d->id,
		       (unsigned long)entry);
	if (!with_events)
		return;
	RB_FOREACH (e, its_events, &d->events) {
		u64 saved = vworld_guest_word(d->itt + (u64)e->id * 8);

		vworld_require(saved == vop_event_entry(e, RB_NEXT(its_events, NULL, e)),
			       "event %u of device %u is saved as %#lx", e->id, d->id,
			       (unsigned long)saved);
	}
}

/* A collection's: valid 63, the vCPU 51:16 (all ones: none), number 15:0. In a row, and the row
 * ends. */
static inline void vop_check_collections(struct its *t)
{
	u64 at = t->baser[1] & BASER_ADDRESS;
	struct its_collection *c;

	RB_FOREACH (c, its_collections, &t->collections) {
		u64 cpu = c->cpu ? c->cpu->id : 0xffffffff, entry = vworld_guest_word(at);

		vworld_require(entry == (1UL << 63 | cpu << 16 | c->id),
			       "collection %u is saved as %#lx", c->id, (unsigned long)entry);
		at += 8;
	}
	vworld_require(!(vworld_guest_word(at) >> 63), "the table of collections does not end");
}

/* What guest memory says of the ITS's tables, where they lie apart. */
static inline void vop_check_saved(struct its *t)
{
	struct its_device *d;
	u64 at;

	RB_FOREACH (d, its_devices, &t->devices) {
		vworld_require(!its_entry_at(t, t->baser[0], d->id, &at), "device %u has no place",
			       d->id);
		vop_check_device(d, vworld_guest_word(at), true);
	}
	if (t->baser[1] & BASER_VALID)
		vop_check_collections(t);
}

static inline u64 vop_digest(struct its *t)
{
	struct its_collection *c;
	struct its_device *d;
	struct its_event *e;
	u64 hash = 1;

	RB_FOREACH (c, its_collections, &t->collections)
		hash = hash * 0x100000001b3UL ^ (c->id | (c->cpu ? c->cpu->id + 1UL : 0) << 32);
	RB_FOREACH (d, its_devices, &t->devices) {
		hash = hash * 0x100000001b3UL ^ (d->id | d->itt << 8 | (u64)d->event_bits << 60);
		RB_FOREACH (e, its_events, &d->events) {
			if (e->collection) /* one without is forgotten */
				hash = hash * 0x100000001b3UL ^
				       (e->id | (u64)e->intid << 16 | (u64)e->collection->id << 40);
		}
	}
	return hash;
}

/* Tables and devices where the guest's driver has them, apart from each other and all there. */
static inline bool vop_is_tidy(struct its *t, u32 its)
{
	struct its_device *d;

	RB_FOREACH (d, its_devices, &t->devices) {
		if (d->id >= 8 || d->event_bits > 9 || d->itt != VGUEST + VITT(d->id))
			return false;
	}
	return !vops.has_holes && !vops.lacks_memory && t->baser[0] & BASER_VALID &&
	       t->baser[1] & BASER_VALID && !(t->baser[0] & BASER_INDIRECT) &&
	       (t->baser[0] & BASER_ADDRESS) == VGUEST + VDEVICES(its) &&
	       (t->baser[1] & BASER_ADDRESS) == VGUEST + VCOLLECT(its);
}

static inline void vop_wipe(u64 offset, u64 size)
{
	static const u8 zeroes[PAGE_SIZE];

	for (u64 at = 0; at < size; at += PAGE_SIZE)
		vworld_guest_put(offset + at, zeroes, PAGE_SIZE);
}

/* As a VMM that moves a VM: saved, forgotten, restored; the same is mapped. */
static inline void vop_migrate(u32 its)
{
	struct its *t = vworld_its(its);
	u64 before, baser[2] = { t->baser[0], t->baser[1] };

	vop_wipe(VDEVICES(its), PAGE_SIZE);
	vop_wipe(VCOLLECT(its), PAGE_SIZE);
	vop_wipe(VITT(0), 8 * PAGE_SIZE);
	before = vop_digest(t);
	if (vop_control(its, KVM_DEV_ARM_ITS_SAVE_TABLES))
		return;
	vop_check_saved(t);
	vworld_require(!vop_control(its, KVM_DEV_ARM_ITS_CTRL_RESET), "no reset");
	vworld_require(!t->device_count && !t->event_count && !t->collection_count,
		       "a reset leaves something mapped");
	for (u32 n = 0; n < 2; n++)
		(void)vworld_attr_set(vworld.its_fd[its], KVM_DEV_ARM_VGIC_GRP_ITS_REGS,
				      0x100 + n * 8, baser[n]);
	vworld_require(!vop_control(its, KVM_DEV_ARM_ITS_RESTORE_TABLES), "no way back");
	vworld_require(vop_digest(t) == before, "what was saved is not what is restored");
	vops.writer[its] = 0;
	for (u32 i = 0; i < vworld.cpus && !vworld.cpu[i]->ran; i++)
		return;
	vworld_write(vworld.cpu[0], VITS(its) + 0x80, 8, BASER_VALID | (VGUEST + VQUEUE(its)) | 15);
	vworld_write(vworld.cpu[0], VITS(its), 4, 1);
}

static inline void vop_save(void)
{
	u32 its = vop_its();
	u8 how = vop_u8() % 4;
	struct its *t;
	s64 ret;

	if (its >= vworld.its_fds)
		return;
	t = vworld_its(its);
	if (how == 0 && vop_is_tidy(t, its)) {
		vop_migrate(its);
		return;
	}
	ret = vop_control(its, how == 1	  ? KVM_DEV_ARM_ITS_RESTORE_TABLES
			       : how == 2 ? KVM_DEV_ARM_ITS_CTRL_RESET
					  : KVM_DEV_ARM_ITS_SAVE_TABLES);
	vop_require_known(ret);
	if (how == 3 && !ret && vop_is_tidy(t, its))
		vop_check_saved(t);
}

/* LPIs that are pending are so in guest memory afterwards, and no others of theirs. */
static inline void vop_check_pending(const struct vgic_irq *irq)
{
	u64 word;
	bool pending = vgic_irq_is_pending(irq);

	if (!irq->target || (irq->target->pendbaser & GENMASK(51, 16)) < VGUEST + VPENDING(0) ||
	    (irq->target->pendbaser & GENMASK(51, 16)) > VGUEST + VPENDING(VWORLD_CPUS))
		return;
	word = vworld_guest_word((irq->target->pendbaser & GENMASK(51, 16)) + irq->intid / 64 * 8);
	vworld_require((word >> irq->intid % 64 & 1) == pending, "LPI %u is saved as %u",
		       irq->intid, !pending);
}

/* Do two vCPUs have one table? */
static inline bool vop_pending_meet(void)
{
	for (u32 i = 0; i < vworld.cpus; i++) {
		for (u32 n = 0; n < i; n++) {
			if (vworld.cpu[i]->vgic.pendbaser == vworld.cpu[n]->vgic.pendbaser)
				return true;
		}
	}
	return false;
}

static inline void vop_save_pending(void)
{
	s64 ret = vworld_attr_at(vworld.vgic_fd, KVM_SET_DEVICE_ATTR, KVM_DEV_ARM_VGIC_GRP_CTRL,
				 KVM_DEV_ARM_VGIC_SAVE_PENDING_TABLES, 0);

	vop_require_known(ret);
	if (!ret && !vop_pending_meet())
		vworld_each_lpi(vop_check_pending);
}

/* ---- the surroundings */

static inline void vop_lack_memory(void)
{
	vops.lacks_memory = true;
	page_fail_nth(1 + vop_u8() % 8);
}

static inline void vop_signal(void)
{
	u8 byte = vop_u8();

	port_current()->signal_pending = byte & 1;
	port_current()->kill_pending = byte > 250;
}

/* The end of guest memory goes, or comes back. */
static inline void vop_guest_hole(void)
{
	u64 at = VAREA + (u64)(vop_u8() % 64) * 0x10000;

	if (vop_u8() & 1)
		(void)mm_munmap(vworld.mm, at, 0x10000);
	else
		(void)vworld_map(at, 0x10000);
	vops.has_holes = true;
}

static inline void vop_devices_close(void)
{
	u8 byte = vop_u8();

	if (byte == 255)
		vworld_close(&vworld.vgic_fd);
	else if (byte == 254 && vworld.its_fds)
		vworld_close(&vworld.its_fd[0]);
	model_host_grace();
}

/* ---- the sequence */

typedef void vop_fn(void);
static vop_fn *const vop_table[] = {
	vop_attr,	  vop_attr,	   vop_attr_again, vop_dist,	     vop_redist,
	vop_its_frame,	  vop_irq_field,   vop_irq_field,  vop_guest_memory, vop_enter,
	vop_enter,	  vop_leave,	   vop_ipis,	   vop_acknowledge,  vop_acknowledge,
	vop_end,	  vop_deactivate,  vop_vmcr,	   vop_sgi,	     vop_wait,
	vop_idle_turn,	  vop_line,	   vop_line,	   vop_msi,	     vop_msi,
	vop_routes,	  vop_eventfd,	   vop_event,	   vop_irqfd,	     vop_ioeventfd,
	vop_io,		  vop_command,	   vop_command,	   vop_command,	     vop_save,
	vop_save_pending, vop_lack_memory, vop_signal,	   vop_guest_hole,   vop_devices_close,
	vop_vcpu,	  vop_device,
};

/* What needs a vCPU and frames. */
static inline bool vop_can(vop_fn *op)
{
	return op != vop_irq_field || vworld.cpus;
}

static const struct port_caps vop_machine = {
	.fwb = true,
	.dic = true,
	.idc = true,
	.pa_bits = 48,
	.ipa_bits = 40,
	.vmid_bits = 8,
	.cpus = 1,
};

static inline void vops_step(void)
{
	vop_fn *op = vop_table[vop_u8() % ARRAY_SIZE(vop_table)];

	if (vop_can(op))
		op();
	vworld_check();
	if (op == vop_lack_memory || op == vop_signal)
		return;
	page_fail_nth(0);
	vops.lacks_memory = false;
	port_current()->signal_pending = 0;
	port_current()->kill_pending = 0;
}

static inline int vops_event(u32 n)
{
	struct file *f = eventfd_new(0, EVENTFD_COUNTER, O_NONBLOCK);

	vworld_require(f, "no memory");
	vworld.event_fd[n] = fd_install(port_current()->files, f, 3, 0);
	return vworld.event_fd[n];
}

/* Two events interrupt the guest, one of them as a line; two more are told by its writes. */
static inline void vops_events(void)
{
	struct kvm_irqfd irq = { .fd = (u32)vops_event(0), .gsi = 1 };
	struct kvm_ioeventfd io = { .addr = 0x1000, .len = 4, .fd = vops_event(1) };

	vworld_put(VARGS, &irq, sizeof(irq));
	vworld_require(!irqfd_ioctl(vworld.vm, HVA(VARGS)), "no irqfd");
	irq = (struct kvm_irqfd){ .fd = (u32)vops_event(2),
				  .gsi = 2,
				  .flags = KVM_IRQFD_FLAG_RESAMPLE,
				  .resamplefd = (u32)vworld.event_fd[1] };
	vworld_put(VARGS, &irq, sizeof(irq));
	vworld_require(!irqfd_ioctl(vworld.vm, HVA(VARGS)), "no irqfd");
	vworld_put(VARGS, &io, sizeof(io));
	vworld_require(!ioeventfd_ioctl(vworld.vm, HVA(VARGS)), "no ioeventfd");
}

/* Runs what the bytes say, at most @max operations; the first byte chooses the machine. @p: NULL,
 * or a machine to use again. Returns the machine. */
static inline struct port *vops_run(struct port *p, const u8 *bytes, size_t n, unsigned int max_ops)
{
	u8 kind = n ? bytes[0] : 0;

	if (p)
		machine_reset(p, &vop_machine);
	else
		p = machine_new(&vop_machine);
	memset(&vops, 0, sizeof(vops));
	memset(vworld_lpi_vague, 0, sizeof(vworld_lpi_vague));
	vops.at = bytes + (n > 0);
	vops.end = bytes + n;
	vworld_start(p, 1 + kind % 4);
	if (kind < 224)
		vops_setup(1 + kind / 4 % VWORLD_CPUS, kind / 16 % 3,
			   kind & 128 ? BASER_INDIRECT : 0);
	if (kind < 224)
		vops_events();
	for (u32 its = 0; kind < 224 && kind & 64 && its < vworld.vm->its_count; its++)
		vguest_map(its);
	vworld_check();
	for (unsigned int i = 0; i < max_ops && vops.at < vops.end; i++)
		vops_step();
	port_current()->signal_pending = 0;
	port_current()->kill_pending = 0;
	vworld_check();
	vworld_stop();
	return p;
}

#endif
