# Sets `resolved` to where PATH of the root is on the host. Links are followed as the root
# would follow them: an absolute one starts at its top, and `..` stops there.
in_root_path() {
    local rest=$1 at='' part link count=0
    while [[ -n $rest ]]; do
        part=${rest%%/*}
        if [[ $rest == */* ]]; then rest=${rest#*/}; else rest=''; fi
        if [[ $part == .. ]]; then
            at=${at%/*}
        elif [[ -L $ROOT$at/$part && -n $part ]]; then
            ((++count <= 40)) || die "too many levels of symbolic links in $1"
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
