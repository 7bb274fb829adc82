#compdef rootwright
# Completions of rootwright for zsh. In ~/.zshrc, after compinit:
#   source <(rootwright completions zsh)
# or as the file _rootwright in a folder of $fpath.

_rootwright() {
    local -a whole open
    local line value help entry program=${words[1]/#\~/$HOME}
    for line in "${(@f)$($program complete -- "${(@)words[1,CURRENT-1]}" "$PREFIX" 2>/dev/null)}"; do
        value=${line%%$'\t'*}
        help=${line#*$'\t'}
        [[ -n $value ]] || continue
        entry=${value//:/\\:}
        [[ -z $help ]] || entry+=:$help
        # More follows after these.
        if [[ $value == *[=/] ]]; then
            open+=("$entry")
        else
            whole+=("$entry")
        fi
    done
    (( ! $#whole )) || _describe -t words rootwright whole
    (( ! $#open )) || _describe -t words rootwright open -S ''
}

if [[ $funcstack[1] == _rootwright ]]; then
    _rootwright "$@"
else
    compdef _rootwright rootwright
fi
