# Completions of rootwright for bash. In ~/.bashrc:
#   source <(rootwright completions bash)
# or once, for everybody:
#   rootwright completions bash >/usr/share/bash-completion/completions/rootwright

_rootwright() {
    # bash takes `release=trixie` and `diskless::prepare` for several words: they are put
    # together again, and what is before the last break is not part of an answer.
    local -a words=()
    local at word value before
    for ((at = 0; at <= COMP_CWORD; at++)); do
        word=${COMP_WORDS[at]}
        if ((at > 1)) && { [[ $word == [=:]* ]] || [[ ${words[-1]} == *[=:] ]]; }; then
            words[-1]+=$word
        else
            words+=("$word")
        fi
    done
    word=${words[-1]}
    before=
    if [[ $COMP_WORDBREAKS == *=* && $word == *[=:]* ]]; then
        before=${word%"${word##*[=:]}"}
    fi
    COMPREPLY=()
    while IFS=$'\t' read -r value _; do
        printf -v value %q "${value#"$before"}"
        COMPREPLY+=("$value")
    done < <("${words[0]/#\~/$HOME}" complete -- "${words[@]}" 2>/dev/null)
    if ((${#COMPREPLY[@]} == 1)) && [[ ${COMPREPLY[0]} == *[=/] ]]; then
        compopt -o nospace 2>/dev/null
    fi
}

complete -F _rootwright rootwright
