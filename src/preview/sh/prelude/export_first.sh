# Copies the first file that a pattern names out of the root, if there is one; of
# several the last in the order of versions.
export_first() { # NAME PATTERN...
    local name=$1 pattern path
    for pattern in "${@:2}"; do
        if [[ $pattern == *'{kver}'* ]]; then
            newest_kernel
            if [[ -z $kver ]]; then continue; fi
            pattern=${pattern//'{kver}'/$kver}
        fi
        glob_in_root "$pattern"
        while IFS= read -r path; do
            if follow "$path" && [[ -f $resolved ]]; then
                install -m 0644 -- "$resolved" "$stage/$name"
                return
            fi
        done < <(printf '%s\n' "${found[@]}" | sort -rV)
    done
    printf 'no %s in the root\n' "$name" >&2
}
