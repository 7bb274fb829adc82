# Renames inside of the root; a file at the new path is replaced, a directory is not.
move_path() { # FROM TO
    local from
    in_root_parent "$1"
    from=$resolved
    [[ -e $from || -L $from ]] || die "the root has no $1 to move"
    in_root_parent "$2"
    if [[ -d $resolved && ! -L $resolved ]]; then die "$2 is a directory"; fi
    if [[ $from == "$resolved" ]]; then return; fi
    mkdir -p -- "${resolved%/*}"
    mv -fT -- "$from" "$resolved"
}
