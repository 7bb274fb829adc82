# Sets `kver` to the newest kernel version whose modules the root has; empty without one.
newest_kernel() {
    local path
    kver=$(
        glob_in_root '/usr/lib/modules/*'
        paths=("${found[@]}")
        glob_in_root '/lib/modules/*'
        for path in "${paths[@]}" "${found[@]}"; do
            if follow "$path" &&
                [[ -e $resolved/modules.dep || -e $resolved/kernel || -e $resolved/vmlinuz ]]; then
                printf '%s\n' "${path##*/}"
            fi
        done | sort -V | tail -n 1
    )
}
