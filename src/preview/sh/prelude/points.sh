# systemd-nspawn makes what the root lacks of paths to mount on, and leaves it there.
points() { # PATH...
    local path
    lacking=()
    for path; do
        while in_root_path "$path" && [[ ! -e $resolved ]]; do
            lacking+=("$path")
            path=${path%/*}
        done
    done
}

# Takes it away where it is empty.
no_points() {
    local path
    for path in "${lacking[@]}"; do
        in_root_path "$path"
        if [[ -d $resolved ]]; then rmdir --ignore-fail-on-non-empty -- "$resolved"; else rm -f -- "$resolved"; fi
    done
}
