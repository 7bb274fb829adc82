# Writes standard input to a file. A new one gets mode 0644 and root as its owner, one that
# is there keeps its own, unless they are given.
write_file() { # PATH [MODE|- [OWNER|- [GROUP]]]
    local file
    in_root_path "$1"
    file=$resolved
    mkdir -p -- "${file%/*}"
    if [[ ! -e $file ]]; then
        # Nobody reads it before its mode is set.
        install -m 0600 -- /dev/null "$file"
        if [[ ${2:--} == - ]]; then chmod -- 0644 "$file"; fi
    fi
    set_attributes "$file" "${@:2}"
    cat >"$file"
}
