# Sets `found` to the paths of the root that PATTERN names. `*`, `?` and `[…]` match within
# one name, and no dot in front, as in a shell.
glob_in_root() {
    local rest=$1 part base name next
    found=('')
    while [[ -n $rest ]]; do
        part=${rest%%/*}
        if [[ $rest == */* ]]; then rest=${rest#*/}; else rest=''; fi
        if [[ -z $part || $part == . ]]; then continue; fi
        next=()
        for base in "${found[@]}"; do
            if ! follow "$base" || [[ ! -d $resolved ]]; then
                continue
            elif [[ $part == .. ]]; then
                next+=("$base/..")
            elif [[ $part != *[*?[\\]* ]]; then
                if [[ -e $resolved/$part || -L $resolved/$part ]]; then
                    next+=("$base/$part")
                fi
            else
                while IFS= read -r -d '' name; do
                    # shellcheck disable=SC2053 # a pattern is what is wanted
                    if [[ $name == $part && ($name != .* || $part == .*) ]]; then
                        next+=("$base/$name")
                    fi
                done < <(find "$resolved" -mindepth 1 -maxdepth 1 -printf '%f\0' | sort -z)
            fi
        done
        found=("${next[@]}")
    done
}
