/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Guests of the modelled machine: VMs that CPUs load, translation by both stages, and what the
 * guest then reads, writes, fetches and maintains.
 */
#include "port/model/machine_priv.h"

/* ---- VMs */

static int vm_find(const struct machine *m, u64 root_pa)
{
	for (int i = 0; i < MAX_VMS; i++) {
		if (m->vm[i].used && m->vm[i].root_pa == root_pa)
			return i;
	}
	return -1;
}

static int vm_new(struct port *p, u64 root_pa, u64 vtcr)
{
	struct machine *m = p->machine;

	for (int i = 0; i < MAX_VMS; i++) {
		if (m->vm[i].used)
			continue;
		m->vm[i] = (struct vm_known){
			.root_pa = root_pa,
			.vtcr = vtcr,
			.start_level = 2 - (int)((vtcr >> 6) & 3), /* SL0 */
			.used = true,
		};
		return i;
	}
	machine_refuse(p, REFUSED_MISUSE, NO_PLACE, "more VMs than the model knows");
}

/* TLBI reaches the VM under one number only. */
static void check_one_vmid(struct port *p, int vm, u16 vmid)
{
	const struct machine *m = p->machine;

	for (unsigned int cpu = 0; cpu < MACHINE_CPUS; cpu++) {
		if (cpu != p->cpu && m->loaded[cpu] == vm)
			machine_refuse(p, REFUSED_VMID, NO_PLACE,
				       "a VM is entered with VMID %u while CPU %u has it with %u",
				       vmid, cpu, m->vm[vm].vmid);
	}
}

void machine_guest_enter(struct port *p, u64 vttbr, u64 vtcr)
{
	struct machine *m = p->machine;
	u64 root_pa = vttbr & M_ADDR;
	u16 vmid = (u16)(vttbr >> 48);
	int vm;

	machine_point(p, "guest enter");
	vm = vm_find(m, root_pa);
	if (!vmid)
		machine_refuse(p, REFUSED_VMID, NO_PLACE, "guest entry with VMID 0");
	if (vm < 0)
		vm = vm_new(p, root_pa, vtcr);
	if (m->vm[vm].vmid != vmid) {
		check_one_vmid(p, vm, vmid);
		table_unlink_root(p, vm);
		tlb_renumber(p, vm, vmid);
		m->vm[vm].vmid = vmid;
		table_link_root(p, vm);
	}
	m->loaded[p->cpu] = vm;
}

void machine_guest_leave(struct port *p)
{
	p->machine->loaded[p->cpu] = -1;
}

static int loaded_vm(struct port *p)
{
	int vm = p->machine->loaded[p->cpu];

	if (vm < 0)
		machine_refuse(p, REFUSED_MISUSE, NO_PLACE,
			       "a guest access on CPU %u, which runs none", p->cpu);
	return vm;
}

/* ---- what a stage-2 descriptor allows and says of memory */

/* MemAttr[2:0] with FWB (D8.6.6): 0b0xx Device, 0b101 Non-cacheable, 0b110 write-back whatever
 * stage 1 says, 0b111 as stage 1 says. */
static enum machine_type type_with_fwb(u64 attr)
{
	if ((attr & 7) == 5)
		return MACHINE_NC;
	return attr & 4 ? MACHINE_WB : MACHINE_DEVICE;
}

/* MemAttr[3:0] (D8.6.5): outer, inner cacheability; 0b00xx is Device. */
enum machine_type guest_type(const struct port_caps *caps, u64 desc)
{
	u64 attr = (desc & M_MEMATTR) >> 2;

	if (caps->fwb)
		return type_with_fwb(attr);
	if ((attr & 0xc) == 0)
		return MACHINE_DEVICE;
	return attr == 0xf ? MACHINE_WB : MACHINE_NC;
}

static bool is_forced(const struct port_caps *caps, u64 desc)
{
	return caps->fwb && ((desc & M_MEMATTR) >> 2 & 7) == 6;
}

/* The weaker of both stages' types wins, unless stage 2 forces its own (D8.6.5, D8.6.6). */
static enum machine_type combined(const struct port *p, u64 desc, enum machine_s1 s1,
				  enum machine_op op)
{
	static const enum machine_type of_stage1[] = {
		[S1_OFF] = MACHINE_DEVICE,
		[S1_WB] = MACHINE_WB,
		[S1_NC] = MACHINE_NC,
		[S1_DEVICE] = MACHINE_DEVICE,
	};
	enum machine_type stage1 = s1 == S1_OFF && op == MACHINE_FETCH ? MACHINE_WB : of_stage1[s1];
	enum machine_type stage2 = guest_type(&p->caps, desc);

	if (is_forced(&p->caps, desc))
		return MACHINE_WB;
	return stage1 > stage2 ? stage1 : stage2;
}

/* Hardware manages the dirty state: a write is allowed and sets the write permission (D8.5.2). */
static bool marks_dirty(const struct vm_known *vm, u64 desc)
{
	u64 both = M_VTCR_HA | M_VTCR_HD;

	return (vm->vtcr & both) == both && (desc & (M_DBM | M_WRITE)) == M_DBM;
}

/* An access that only asks for a translation: cache maintenance. */
enum { NO_PERMISSION = MACHINE_FETCH + 1 };

/* Fetches from Device memory are refused (D8.4.7 lets an implementation choose). */
static bool allows(const struct port *p, const struct vm_known *vm, u64 desc, int op)
{
	switch (op) {
	case MACHINE_READ: return (desc & M_READ) != 0;
	case MACHINE_WRITE: return (desc & M_WRITE) || marks_dirty(vm, desc);
	case MACHINE_FETCH: return !(desc & M_XN) && guest_type(&p->caps, desc) != MACHINE_DEVICE;
	default: return true;
	}
}

/* ---- translation */

struct translation {
	struct machine_access access;
	u64 desc;
	int level;
	bool stale;
};

static struct translation faults(enum machine_fault fault, int level)
{
	return (struct translation){ .access = { .fault = fault, .level = level } };
}

static struct translation finish(const struct port *p, const struct vm_known *vm, u64 desc,
				 int level, u64 ipa, int op)
{
	if (!allows(p, vm, desc, op))
		return faults(MF_PERMISSION, level);
	return (struct translation){
		.access = { .pa = PA(m_leaf_pa(desc, level) + (ipa & (m_size(level) - 1))),
			    .type = guest_type(&p->caps, desc) },
		.desc = desc,
		.level = level,
	};
}

/* A leaf found by a walk. Hardware sets the Access flag, and marks it dirty, if VTCR_EL2 says so.
 */
static struct translation finish_walk(struct port *p, const struct vm_known *vm, u64 *entry,
				      int level, u64 ipa, int op)
{
	u64 d = *entry, updated = d;

	if (!(d & M_AF) && !(vm->vtcr & M_VTCR_HA))
		return faults(MF_ACCESS_FLAG, level);
	updated |= M_AF;
	if (op == MACHINE_WRITE && marks_dirty(vm, d))
		updated |= M_WRITE;
	if (updated != d)
		table_hardware_write(p, entry, d, updated);
	return finish(p, vm, updated, level, ipa, op);
}

static struct translation walk(struct port *p, const struct vm_known *vm, u64 ipa, int op)
{
	u64 *entry = machine_table_at(p, PA(vm->root_pa)) + ipa / m_size(vm->start_level);

	for (int level = vm->start_level;; level++) {
		u64 d = *entry;

		if (!(d & M_VALID))
			return faults(MF_TRANSLATION, level);
		if (!m_is_table(d, level))
			return finish_walk(p, vm, entry, level, ipa, op);
		entry = machine_table_at(p, PA(d & M_ADDR)) +
			ipa / m_size(level + 1) % (TABLE_SIZE / 8);
	}
}

/* An access depends on the descriptors of its way, though it may use older copies of them. */
static void touch_way(struct port *p, const struct vm_known *vm, u64 ipa)
{
	const u64 *entry = machine_table_at(p, PA(vm->root_pa)) + ipa / m_size(vm->start_level);

	for (int level = vm->start_level;; level++) {
		table_touch(p, entry, TOUCH_READ);
		if (!(*entry & M_VALID) || !m_is_table(*entry, level))
			return;
		entry = machine_table_at(p, PA(*entry & M_ADDR)) +
			ipa / m_size(level + 1) % (TABLE_SIZE / 8);
	}
}

enum { STALE_MAX = 8 };

/* Picks the stale entry that is used; false: none. One that a write would have to mark dirty is
 * not: hardware looks at the descriptor again for that (D8.5.2). */
static bool pick_stale(struct port *p, int vm, u64 ipa, int op, struct mapping *out)
{
	struct mapping stale[STALE_MAX];
	unsigned int n = tlb_stale(p, vm, ipa, stale, STALE_MAX), pick = 1;

	if (!n)
		return false;
	if (p->machine->on_choice)
		pick = machine_choose(p, MAY_USE_STALE, n + 1);
	if (!pick)
		return false;
	*out = stale[pick - 1];
	return !(op == MACHINE_WRITE && marks_dirty(&p->machine->vm[vm], out->desc));
}

static struct translation translate(struct port *p, u64 ipa, int op)
{
	int vm = loaded_vm(p);
	const struct vm_known *v = &p->machine->vm[vm];
	struct translation t;
	struct mapping stale;

	if (ipa >> (64 - (v->vtcr & 63)))
		return faults(MF_TRANSLATION, 0);
	if (p->machine->on_touch)
		touch_way(p, v, ipa);
	if (!pick_stale(p, vm, ipa, op, &stale))
		return walk(p, v, ipa, op);
	t = finish(p, v, stale.desc, stale.level, ipa, op);
	t.stale = true;
	return t;
}

struct machine_access machine_access(struct port *p, ipa_t ipa, enum machine_op op)
{
	return translate(p, ipa.v, (int)op).access;
}

/* ---- accesses with contents */

static void note(struct port *p, u64 ipa, const struct translation *t, enum machine_op op)
{
	struct event *e = history_add(p, EVENT_GUEST);

	e->ipa = ipa;
	e->pa = t->access.fault == MF_NONE ? t->access.pa.v : NO_PLACE;
	e->size = 1;
	e->a = op;
	e->b = t->access.fault;
	e->level = (s8)t->access.level;
	e->text = t->stale ? "by a stale translation" : NULL;
}

static void tell(struct port *p, u64 ipa, const struct translation *t, enum machine_op op)
{
	struct machine *m = p->machine;
	const struct vm_known *vm = &m->vm[loaded_vm(p)];
	const struct machine_used used = {
		.ipa = IPA(ipa),
		.pa = t->access.pa,
		.op = op,
		.type = t->access.type,
		.vttbr = vm->root_pa | (u64)vm->vmid << 48,
		.stale = t->stale,
	};

	if (m->on_guest)
		m->on_guest(m->on_guest_arg, &used);
}

static u64 access_line(struct port *p, pa_t pa, enum machine_op op, enum machine_type type)
{
	static const enum machine_attr attr[] = {
		[MACHINE_WB] = ATTR_WB, [MACHINE_NC] = ATTR_NC, [MACHINE_DEVICE] = ATTR_DEVICE
	};

	if (op == MACHINE_WRITE)
		return machine_line_write(p, pa, attr[type]);
	return op == MACHINE_FETCH ? line_fetch(p, pa, attr[type])
				   : machine_line_read(p, pa, attr[type]);
}

static struct machine_guest_result touch(struct port *p, u64 ipa, const struct translation *t,
					 enum machine_op op)
{
	struct machine_guest_result r = { .access = t->access };

	note(p, ipa, t, op);
	if (t->access.fault != MF_NONE) {
		r.fault_ipa = IPA(ipa);
		return r;
	}
	tell(p, ipa, t, op);
	r.version = access_line(p, t->access.pa, op, t->access.type);
	return r;
}

/* The stage-1 walk reads a descriptor through stage 2, write-back as far as that lets it. A table
 * in Device memory is not walked (HCR_EL2.PTW = 1). */
static struct machine_guest_result touch_table(struct port *p, u64 ipa, enum machine_op op)
{
	struct translation t = translate(p, ipa, (int)op);
	struct machine_guest_result r;

	if (t.access.fault == MF_NONE && t.access.type == MACHINE_DEVICE)
		t = faults(MF_PERMISSION, t.level);
	if (t.access.fault == MF_NONE)
		t.access.type = combined(p, t.desc, S1_WB, op);
	r = touch(p, ipa, &t, op);
	r.on_walk = true;
	return r;
}

static struct machine_guest_result walk_stage1(struct port *p, const struct machine_guest_op *op)
{
	struct machine_guest_result r = { .access = { .fault = MF_NONE } };
	u64 last = 0;

	for (int i = 0; i < 2; i++) {
		if (!op->table[i].v)
			continue;
		last = op->table[i].v;
		r = touch_table(p, last, MACHINE_READ);
		if (r.access.fault != MF_NONE)
			return r;
	}
	if (!op->updates_af || !last)
		return r;
	r = touch_table(p, last, MACHINE_WRITE);
	r.walk_writes = true;
	return r;
}

struct machine_guest_result machine_guest(struct port *p, const struct machine_guest_op *op)
{
	struct machine_guest_result r;
	struct translation t;

	machine_point(p, "guest access");
	if (op->s1 != S1_OFF) {
		r = walk_stage1(p, op);
		if (r.access.fault != MF_NONE)
			return r;
	}
	t = translate(p, op->ipa.v, (int)op->op);
	if (t.access.fault == MF_NONE)
		t.access.type = combined(p, t.desc, op->s1, op->op);
	return touch(p, op->ipa.v, &t, op->op);
}

struct machine_guest_result machine_guest_cmo(struct port *p, ipa_t ipa, enum machine_cmo op)
{
	struct machine_guest_result r = { .on_walk = false };

	machine_point(p, "guest maintenance");
	r.access = translate(p, ipa.v, op == CMO_INVAL ? (int)MACHINE_WRITE : NO_PERMISSION).access;
	if (r.access.fault == MF_NONE)
		machine_line_cmo(p, r.access.pa, op == CMO_INVAL ? CMO_CLEAN_INVAL : op);
	else
		r.fault_ipa = ipa;
	return r;
}
