# Prints what zsh would offer for a line: types it into a zsh of its own, in which what adds a
# match prints it.
# Usage: zsh -f capture.zsh FOLDER_WITH_FUNCTIONS LINE
zmodload zsh/zpty
zpty inner zsh -f -i
() {
    # The inner shell says this when it is done with a step.
    zpty -w inner "PROMPT= RPROMPT= PS2=; stty -echo; unsetopt beep zle_bracketed_paste"
    zpty -w inner "fpath=(${(q)1} ${(q)1}/cargo \$fpath); autoload -Uz compinit; compinit -u -D"
    zpty -w inner 'compadd() {
        if [[ ${@[1,(i)(-|--)]} == *-(O|A|D)\ * ]]; then
            builtin compadd "$@"
            return $?
        fi
        local -a hits
        builtin compadd -A hits "$@"
        local hit
        for hit in $hits; do print -r -- "hit:$hit"; done
    }'
    zpty -w inner 'list_and_leave() { zle complete-word; print -r -- "end:"; exit; }'
    zpty -w inner "zle -N list_and_leave; zle -C complete-word complete-word _generic; bindkey '^X' list_and_leave"
    zpty -w inner 'print begin":"'
    local line
    until [[ $line == *begin:* ]]; do zpty -r inner line || exit 1; done
    zpty -w -n inner "$2"$'\C-x'
    while zpty -r inner line; do
        line=${line//($'\r'|$'\n')/}
        [[ $line == *hit:* ]] && print -r -- ${line##*hit:}
        [[ $line == *end:* ]] && break
    done
} "$@"
zpty -d inner
