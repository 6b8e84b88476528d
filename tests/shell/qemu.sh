# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=dash disable=SC2086,SC2154 # names without blanks; $how is from tests/cli/qemu
# Run by busybox's shell on Catwalk (tests/cli/qemu): QEMU's VMs, whose guests watch themselves (vmm/guest/stress.c), are
# moved while they run. $how: live, ring, postcopy: to a second QEMU, which goes on; snapshot: into a file while the guest
# runs on, from which a second QEMU starts. Prints what QEMU counted and what the guests found.
PATH=/bin
export PATH
seconds=25
trap '' PIPE # a monitor that is gone: its VM's status says so

die() {
	echo "qemu.sh: $*"
	tail -n 5 /source.monitor /target.monitor /source.serial /target.serial
	kill $source $target 2>/dev/null
	exit 1
}

# start NAME [OPTIONS...]: its monitor reads /NAME.commands.
start() {
	local name=$1 accel=kvm disk=
	shift
	[ $how != ring ] || accel=kvm,dirty-ring-size=4096
	[ $how = snapshot ] ||
		disk="-drive file=/disk,format=raw,if=none,id=disk,file.locking=off -device virtio-blk-device,drive=disk"
	mkfifo /$name.commands
	qemu-system-aarch64 -M virt,gic-version=3 -accel $accel -cpu host -smp 2 -m 128 -nodefaults -display none \
		-no-reboot -kernel /Image -initrd /initramfs $disk \
		-append "console=ttyAMA0 quiet panic=-1 catwalk.stress=$seconds" \
		-serial file:/$name.serial -monitor stdio "$@" </$name.commands >/$name.monitor 2>&1 &
}

# await WHAT CONDITION...: 600 looks, a minute or two.
await() {
	local what=$1 tries=0
	shift
	until "$@"; do
		tries=$((tries + 1))
		[ $tries -lt 600 ] || die "$what did not come"
		usleep 100000
	done
}

# said FILE PATTERN [COMMAND FOR THE SOURCE'S MONITOR, IF NOT]
said() {
	grep -q "$2" /$1 2>/dev/null && return
	[ -z "$3" ] || echo "$3" >&3
	return 1
}

until_said() {
	await "a line with $2 in $1" said "$@"
}

qemu_refuses() {
	grep -h "not available" /source.monitor && exit 0
}

dd if=/dev/zero of=/disk bs=1M count=4 2>/dev/null
start source
source=$!
exec 3>/source.commands
until_said source.serial "catwalk-stress: $seconds s"
[ $how != ring ] || qemu_refuses
case $how in
snapshot)
	echo "migrate_set_capability background-snapshot on" >&3
	echo 'migrate -d "exec:/bin/cat >/snapshot"' >&3
	;;
*)
	start target -incoming defer
	target=$!
	exec 4>/target.commands
	if [ $how = postcopy ]; then
		echo "migrate_set_capability postcopy-ram on" >&3
		echo "migrate_set_capability postcopy-ram on" >&4
		echo "migrate_set_parameter max-bandwidth 10M" >&3
	else
		echo "migrate_set_parameter max-bandwidth 1G" >&3
	fi
	echo "migrate_incoming unix:/move" >&4
	await "the target's socket" [ -S /move ]
	echo "migrate -d unix:/move" >&3
	if [ $how = postcopy ]; then
		until_said source.monitor "Migration status: active" "info migrate"
		echo "migrate_start_postcopy" >&3
	fi
	;;
esac
until_said source.monitor "Migration status: [cf]" "info migrate"
grep -q "Migration status: completed" /source.monitor || die "it did not move"
if [ $how = snapshot ]; then
	# The guest runs on, to its end.
	until_said source.serial " wrong, "
	start target -incoming "exec:/bin/cat /snapshot"
	target=$!
	exec 4>/target.commands
else
	echo quit >&3
fi
wait $source
echo "source: status $?"
until_said target.serial " wrong, "
wait $target
echo "target: status $?"
grep -E "Migration status|dirty sync|postcopy request|downtime:" /source.monitor | tail -n 4
grep -H "catwalk-stress" /source.serial /target.serial
