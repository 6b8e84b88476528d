# SPDX-License-Identifier: Apache-2.0
# Turns "nm -n" of the kernel into its table of function names (port/arm64/symbols.c reads it):
# for each function its offset from the start of the text, then its name.
$2 ~ /^[tTwW]$/ && $3 !~ /^[$.]/ && $1 != last {
	last = address[++count] = $1
	name[count] = $3
}

END {
	print ".section .symbols, \"a\""
	for (i = 1; i <= count; i++)
		printf ".long 0x%s - 0x%s, 8f - 7f\n7: .asciz \"%s\"\n8:\n.balign 4\n", \
			address[i], address[1], name[i]
}
