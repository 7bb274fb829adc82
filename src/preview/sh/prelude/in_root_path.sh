# Sets `resolved` to where PATH of the root is on the host. Links are followed as the root
# would follow them: an absolute one starts at its top, and `..` stops there.
in_root_path() {
    follow "$1" || die "the root has no $1: $reason"
}

# The same, but a path that cannot be is no end of the script.
follow() {
    local rest=$1 at='' part link count=0
    while [[ -n $rest ]]; do
        part=${rest%%/*}
        if [[ $rest == */* ]]; then rest=${rest#*/}; else rest=''; fi
        if [[ $part == .. ]]; then
            if [[ ! -d $ROOT$at ]]; then
                reason="$at is not a directory"
                return 1
            fi
            at=${at%/*}
        elif [[ -L $ROOT$at/$part && -n $part ]]; then
            if ((++count > 40)); then
                reason='too many levels of symbolic links'
                return 1
            fi
            # The dot keeps line breaks at the end of a name.
            link=$(readlink -n -- "$ROOT$at/$part" && printf .)
            link=${link%.}
            if [[ $link == /* ]]; then at=''; fi
            rest=$link/$rest
        elif [[ -n $part && $part != . ]]; then
            at=$at/$part
        fi
    done
    resolved=$ROOT$at
}
