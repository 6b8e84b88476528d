/* SPDX-License-Identifier: Apache-2.0 */
/* Files of statistics: what they describe is what is in them, and any read is a part of the whole.
 */
#include <linux/kvm.h>

#include <stdlib.h>
#include <string.h>

#include "kvm/stats.h"
#include "tests/unit/engine_fixture.h"

/* What a program knows of the format, said again. */
enum { HEADER = 24, NAME = 48, DESC = 16 + NAME };

static const char *const kinds[STATS_KINDS] = { "kvm-7", "kvm-7/vcpu-3" };

static struct stats_image image_of(enum stats_kind kind)
{
	struct stats_image image = { .kind = kind };

	strcpy(image.id, kinds[kind]);
	for (unsigned int i = 0; i < STATS_VALUES_MAX; i++)
		image.values[i] = 1000 + i;
	return image;
}

/* The whole file, by pieces. */
static u8 *file_of(const struct stats_image *image)
{
	u64 size = stats_size(image->kind), at = 0;
	u8 *file = malloc(size);

	while (at < size) {
		size_t n = stats_piece(image, at, file + at, size - at);

		assert_in_range(n, 1, STATS_PIECE_MAX);
		at += n;
	}
	assert_int_equal(at, size);
	assert_int_equal(stats_piece(image, at, file, 1), 0);
	assert_int_equal(stats_piece(image, ~0UL, file, 1), 0);
	return file;
}

static struct kvm_stats_desc *desc_of(u8 *file, unsigned int i)
{
	return (void *)(file + HEADER + NAME + i * DESC);
}

static void the_header_tells_where_things_are(void **state)
{
	(void)state;
	for (unsigned int kind = 0; kind < STATS_KINDS; kind++) {
		struct stats_image image = image_of(kind);
		u8 *file = file_of(&image);
		struct kvm_stats_header *h = (void *)file;

		assert_int_equal(h->flags, 0);
		assert_int_equal(h->name_size, NAME);
		assert_int_equal(h->num_desc, stats_count(kind));
		assert_int_equal(h->id_offset, HEADER);
		assert_int_equal(h->desc_offset, HEADER + NAME);
		assert_int_equal(h->data_offset, HEADER + NAME + h->num_desc * DESC);
		assert_int_equal(stats_size(kind), h->data_offset + h->num_desc * 8);
		assert_string_equal((char *)file + h->id_offset, kinds[kind]);
		free(file);
	}
}

static void descriptors_are_sound(void **state)
{
	(void)state;
	for (unsigned int kind = 0; kind < STATS_KINDS; kind++) {
		struct stats_image image = image_of(kind);
		u8 *file = file_of(&image);

		for (unsigned int i = 0; i < stats_count(kind); i++) {
			struct kvm_stats_desc *d = desc_of(file, i);

			assert_in_range(strnlen(d->name, NAME), 1, NAME - 1);
			assert_int_equal(d->size, 1);
			assert_int_equal(d->offset, i * 8);
			assert_int_equal(d->bucket_size, 0);
			assert_int_equal(d->exponent, 0);
			assert_true((d->flags & KVM_STATS_TYPE_MASK) <= KVM_STATS_TYPE_PEAK);
			assert_true((d->flags & KVM_STATS_UNIT_MASK) <= KVM_STATS_UNIT_BYTES);
			for (unsigned int k = 0; k < i; k++)
				assert_string_not_equal(d->name, desc_of(file, k)->name);
		}
		free(file);
	}
}

static void any_read_is_a_part_of_the_whole(void **state)
{
	(void)state;
	for (unsigned int kind = 0; kind < STATS_KINDS; kind++) {
		struct stats_image image = image_of(kind);
		u8 *file = file_of(&image), part[STATS_PIECE_MAX];

		for (u64 at = 0; at < stats_size(kind); at++) {
			size_t n = stats_piece(&image, at, part, 1 + at % sizeof(part));

			assert_in_range(n, 1, 1 + at % sizeof(part));
			assert_memory_equal(part, file + at, n);
		}
		free(file);
	}
}

static u64 value_named(struct stats_image *image, const char *name, u32 *flags)
{
	u8 *file = file_of(image);
	u64 value = ~0UL;

	for (unsigned int i = 0; i < stats_count(image->kind); i++) {
		if (!strcmp(desc_of(file, i)->name, name)) {
			value = image->values[i];
			*flags = desc_of(file, i)->flags;
		}
	}
	free(file);
	return value;
}

static void each_counter_has_its_own_value(void **state)
{
	struct stats_image vm = image_of(STATS_OF_VM), vcpu = image_of(STATS_OF_VCPU);
	struct exit_counters exits = { .to_user_mmio = 5, .all = 6, .mmio_kernel = 7, .runs = 8 };
	struct stats memory = { .count = { 0 } };
	u32 flags = 0;

	(void)state;
	exits.count[EXIT_hvc] = 1;
	exits.count[EXIT_wfe] = 2;
	exits.count[EXIT_wfi] = 3;
	exits.to_user_signal = 4;
	stats_of_vcpu(&exits, vcpu.values);
	assert_int_equal(value_named(&vcpu, "hvc_exit_stat", &flags), 1);
	assert_int_equal(value_named(&vcpu, "wfe_exit_stat", &flags), 2);
	assert_int_equal(value_named(&vcpu, "wfi_exit_stat", &flags), 3);
	assert_int_equal(value_named(&vcpu, "signal_exits", &flags), 4);
	assert_int_equal(value_named(&vcpu, "mmio_exit_user", &flags), 5);
	assert_int_equal(value_named(&vcpu, "exits", &flags), 6);
	assert_int_equal(value_named(&vcpu, "mmio_exit_kernel", &flags), 7);
	assert_int_equal(value_named(&vcpu, "runs", &flags), 8);
	assert_int_equal(value_named(&vcpu, "exits_hvc", &flags), 1);

	memory.count[STAT_tlbi_vmid] = 9;
	memory.count[STAT_steps_max] = 10;
	memory.count[STAT_dcache_bytes] = 11;
	memory.mapped[LEVEL_2M][S2_NORMAL] = 12;
	stats_of_vm(&memory, vm.values);
	assert_int_equal(value_named(&vm, "remote_tlb_flush", &flags), 9);
	assert_int_equal(flags, KVM_STATS_TYPE_CUMULATIVE);
	assert_int_equal(value_named(&vm, "memory_steps_max", &flags), 10);
	assert_int_equal(flags, KVM_STATS_TYPE_PEAK);
	assert_int_equal(value_named(&vm, "memory_dcache_bytes", &flags), 11);
	assert_int_equal(flags & KVM_STATS_UNIT_MASK, KVM_STATS_UNIT_BYTES);
	assert_int_equal(value_named(&vm, "mapped_2m_normal", &flags), 12);
	assert_int_equal(flags & KVM_STATS_TYPE_MASK, KVM_STATS_TYPE_INSTANT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_header_tells_where_things_are),
		cmocka_unit_test(descriptors_are_sound),
		cmocka_unit_test(any_read_is_a_part_of_the_whole),
		cmocka_unit_test(each_counter_has_its_own_value),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
