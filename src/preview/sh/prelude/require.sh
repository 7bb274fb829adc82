# Notes what is missing in the root, unless one of the patterns names a file.
require() { # PACKAGE WHY PATTERN...
    local pattern path
    for pattern in "${@:3}"; do
        glob_in_root "$pattern"
        for path in "${found[@]}"; do
            if follow "$path" && [[ -e $resolved ]]; then return; fi
        done
    done
    absent+=("$3 (package $1${2:+: $2})")
}

# Fails with all that was missing.
require_all() { # PURPOSE
    if ((${#absent[@]} > 0)); then
        printf 'missing in the root for %s:\n' "$1" >&2
        printf '    %s\n' "${absent[@]}" >&2
        exit 1
    fi
}
