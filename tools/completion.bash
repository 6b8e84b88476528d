# SPDX-License-Identifier: Apache-2.0
# Completion of `catwalk` for bash. Commands and options are those that its --help tells of.

# The words at the start of a line of help that begin with $2, two spaces in.
_catwalk_words() {
	"${COMP_WORDS[0]}" $1 --help 2>/dev/null | sed -n "s/^  \(-[a-z], \)\{0,1\}\($2[a-z-]*\).*/\2/p"
}

_catwalk() {
	local word=${COMP_WORDS[COMP_CWORD]}

	COMPREPLY=()
	if [ "$COMP_CWORD" -eq 1 ]; then
		mapfile -t COMPREPLY < <(compgen -W "$(_catwalk_words '' '[a-z]') --help --version" -- "$word")
	elif [[ $word == -* ]]; then
		mapfile -t COMPREPLY < <(compgen -W "$(_catwalk_words "${COMP_WORDS[1]}" --) --help" -- "$word")
	elif [ "${COMP_WORDS[COMP_CWORD - 1]}" = --cpu ] && [ "${COMP_WORDS[1]}" = run ]; then
		mapfile -t COMPREPLY < <(compgen -W 'max cortex-a76 neoverse-n1' -- "$word")
	fi
}

complete -o default -F _catwalk catwalk
