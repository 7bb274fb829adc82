# Removes files and trees. A wildcard may match nothing; a plain path has to be there.
remove_path() { # PATTERN [if-there]
    local path plain=${1//\\?/}
    glob_in_root "$1"
    if [[ ${#found[@]} -eq 0 && ${2-} != if-there && $plain != *[*?]* && $plain != *'['?*']'* ]]; then
        die "the root has no $1 to remove"
    fi
    for path in "${found[@]}"; do
        in_root_parent "$path"
        rm -rf --one-file-system -- "$resolved"
    done
}
