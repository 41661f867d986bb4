# Prints what bash would offer for the words given, the last of which is being typed.
# Usage: bash capture.bash CARGOS_OWN SCRIPT WORD...
if [[ -r $1 ]]; then
    source "$1"
fi
source "$2"
shift 2
COMP_WORDS=("$@")
COMP_CWORD=$(($# - 1))
COMP_LINE="$*"
COMP_POINT=${#COMP_LINE}
[[ $(complete -p "$1") =~ \ -F\ ([^ ]+) ]]
"${BASH_REMATCH[1]}" "$1" "${COMP_WORDS[COMP_CWORD]}" "${COMP_WORDS[COMP_CWORD - 1]}"
printf '%s\n' "${COMPREPLY[@]}"
