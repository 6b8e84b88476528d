# Run by busybox's shell on Catwalk (tests/cli/shell) and on Linux (tools/linux-host): both print tests/shell/commands.out.
PATH=/bin
LC_ALL=C
export PATH
mkdir -p /tmp /tmp/work
cd /tmp/work || exit 1
exec 2>&1
t() { echo "== $*"; }

t pipelines
echo a b c | tr a-z A-Z | sed 's/B/x/' | cat
seq 1000 | grep 9 | wc -l
yes | head -n 3
(exit 3) | true; echo $?
seq 100000 | tail -n 1

t redirects
echo one >f; echo two >>f; cat <f
{ echo out; echo err >&2; } >both 2>&1; cat both
ls nosuch 2>/dev/null; echo "status $?"
exec 5<f; read x <&5; read y <&5; exec 5<&-; echo "$x-$y"
set -C; echo no >f 2>/dev/null || echo 'not overwritten'; set +C
: >empty; cat <empty; cat nosuch 2>&1

t here-documents
v=value
cat <<E
$v $((6 * 7)) $(echo inner)
E
cat <<'E'
$v $((6 * 7))
E
cat <<-E
	tab
E

t globs
touch a1 a2 b1 .hidden
echo a* ?1 [ab]1 * .h*
echo no*match

t substitution
x=$(echo one; echo two); echo "$x"
echo `echo old`
echo ${v#va} ${v%ue} ${#v} ${none:-default} ${v:1:3}
set -- one two three; echo $# $2 "$*"; shift; echo $1
IFS=:; w=a:b:c; for i in $w; do echo "[$i]"; done; unset IFS
case abc in a*) echo case ;; esac
i=0; while [ $i -lt 3 ]; do i=$((i + 1)); [ $i = 2 ] && continue; echo $i; done
f() { local z=1; echo "f $1 $z"; return 4; }; f x; echo $?

t jobs
(sleep 0.05; echo late) & echo early; wait; echo "waited $?"
(exit 7) & wait $!; echo $?
sleep 100 & kill $!; wait $! 2>/dev/null; echo $?
sleep 100 & p=$!; kill -STOP $p; until grep -q stopped /proc/$p/status; do :; done; grep State /proc/$p/status; kill -CONT $p; kill -9 $p; wait $p 2>/dev/null; echo $?
trap 'echo trapped' USR1; kill -USR1 $$; trap - USR1
(trap 'echo bye' EXIT; exit 0)
(kill -TERM $(sh -c 'echo $PPID'); sleep 1; echo unreached); echo $?
for n in 1 2 3 4 5 6 7 8; do (echo $n >job.$n) & done; wait; cat job.*

t files
mkdir -p d/e/f; echo text >d/e/x; cp d/e/x d/y; mv d/y d/z; ln -s z d/l; ln d/z d/h
ls d | cat; cat d/l; readlink d/l; stat -c '%h %s %F' d/z; stat -c %F d/l
find d | sort; find d -type f -name '[xz]' | sort
cp -r d dd; diff -r d dd && echo same; rm -r d/e; rmdir d 2>&1
ls -l d | cut -c 1-10; rm -rf d dd; ls d 2>&1
chmod 640 f; stat -c %a f; chmod u+x f; ls -l f | cut -c 1-10
touch -d '2001-02-03 04:05:06' f; date -u -r f '+%F %T'; ls -l f | cut -c 57-
[ f -nt a1 ] || echo older; [ -x f ] && [ -s f ] && [ ! -L f ] && echo tests
ln -s loop loop; cat loop 2>&1
dd if=/dev/zero bs=1k count=5 2>/dev/null | wc -c; dd if=f bs=1 skip=4 count=3 2>/dev/null
truncate -s 100000 big; ls -s big >/dev/null; du -k empty | cut -f 1; cmp big big && echo equal
tee copy <f; mktemp -u x.XXXXXX | wc -c

t text
printf 'b 2\na 10\nc 1\n' >tab; sort tab; sort -k 2 -n tab; sort -r tab
awk '{ s += $2 } END { print s, NR }' tab; awk -F: '{ print $1 }' /etc/passwd
cut -d ' ' -f 2 tab; paste tab tab; uniq tab | wc -l; head -n 1 tab; tail -n 1 tab; tac tab
grep -c . tab; grep -n b tab; grep -v a tab; grep -E '^(a|c)' tab; grep q tab; echo $?
sed -n 2p tab; sed 's/\([a-z]\) \([0-9]*\)/\2 \1/' tab; sed '/b/d;$a end' tab
tr -d '\n' <tab; echo; rev tab; fold -w 2 tab | head -n 2; nl tab; expr 3 \* 4; wc tab
printf '%05d|%-5s|%x|%c\n' 42 ab 255 z; echo -e 'a\tb\x41'; seq -s , 1 5
od -c tab | head -n 2; od -An -tx1 tab | head -n 1; hexdump -C tab | head -n 1; strings tab
md5sum tab; sha1sum tab; sha256sum tab | cut -c 1-16; base64 tab
diff tab f; expand -t 4 tab | head -n 1; xxd tab | head -n 1
echo 'a b c' | xargs -n 1 echo arg; find . -name 'a?' -print0 | sort -z | xargs -0 echo
echo '2 3 + p' | dc; echo '7 * 6' | bc

t archives
mkdir pack; cp tab f pack; tar cf p.tar pack; tar tf p.tar | sort; tar czf p.tgz pack; rm -r pack
tar xzf p.tgz; cat pack/tab; tar xOf p.tar pack/f
gzip -c tab >tab.gz; zcat tab.gz; gunzip -t tab.gz; echo $?; bzip2 -c tab | bunzip2
find pack | cpio -o -H newc 2>/dev/null | cpio -t 2>/dev/null | sort
cp tab t1; printf 'b 2\na 11\nc 1\n' >t2; diff -u t1 t2 | tail -n +3 >p.diff; (echo '--- t1'; echo '+++ t1'; cat p.diff) | patch -p0; cat t1

t scripts
printf '#!/bin/sh\necho script $0 $*\n' >s; chmod +x s; ./s 1 2
printf '#!/usr/bin/env sh\necho by env\n' >s; ./s
printf '#!/bin/awk -f\nBEGIN { print "awk script" }\n' >s; ./s
printf '#!/bin/nosuch\n' >s; ./s 2>/dev/null; echo $?
chmod -x s; ./s 2>/dev/null; echo $?; nosuchcommand 2>/dev/null; echo $?
sh -c 'echo $0 $1' name arg; sh -e -c 'false; echo no'; echo $?; echo 'echo from stdin' | sh
env -i A=b /bin/sh -c 'echo $A'; (cd /; pwd); pwd; . ./t1 2>/dev/null; echo sourced

t pipes by name
mkfifo p; ls -l p | cut -c 1; (echo through >p) & cat p; wait
(for i in 1 2 3; do echo $i; done >p) & while read x; do echo "got $x"; done <p; wait
exec 3<>p; echo both ways >&3; read x <&3; echo $x; exec 3>&-

t the system
uname -s; uname -m; whoami; id -u; [ $(nproc) -ge 1 ] && echo cpus; [ $(date +%Y) -ge 1970 ] && echo date
ps -o pid,args | awk -v p=$$ '$1 == p { print "ps", $2 }'
sleep 100 & sleep 0.2; ps -o args | grep -c '^sleep 100'; kill $!; wait 2>/dev/null
top -b -n 1 | grep -c '^Mem:'; free | awk '/^Mem:/ { print ($2 > 30000) }'; uptime | grep -c 'load average'
df /dev 2>/dev/null | grep -c /dev; mount | grep -c 'type proc'; grep -c MemTotal /proc/meminfo
tr '\0' ' ' </proc/self/cmdline; echo; cat /proc/$$/comm | wc -l; ls /proc/self/fd | wc -l
[ $$ = "$(sh -c 'echo $PPID')" ] && echo parent
time -p true 2>&1 | cut -d ' ' -f 1; timeout 0.1 sleep 10; echo $?
kill -l 9; umask 077; touch priv; stat -c %a priv; umask 022; ulimit -n >/dev/null && echo limits
tty; test -t 0; echo $?; ls /dev/null /dev/zero | cat; head -c 4 /dev/zero | od -An -tx1
setsid sh -c 'echo session'; which ls; basename /a/b.c .c; dirname /a/b
sync; echo done

exit 5
