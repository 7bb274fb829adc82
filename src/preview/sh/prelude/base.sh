die() {
    printf '%s: %s\n' "${0##*/}" "$*" >&2
    exit 1
}

# Says which step begins; what fails after this line fails in that step.
step() {
    current="step $1, $2"
    printf '\n==> %s. %s\n' "$1" "$2" >&2
}

on_exit() {
    local status=$?
    trap - EXIT
    if ((status != 0)) && [[ -n $current ]]; then
        printf '%s: failed in %s\n' "${0##*/}" "$current" >&2
    fi
    if [[ -n ${KEEP-} ]]; then
        printf '%s: kept %s\n' "${0##*/}" "$work" >&2
    else
        rm -rf --one-file-system -- "$work"
    fi
    if [[ -n $stage ]]; then
        rm -rf --one-file-system -- "$stage"
    fi
    exit "$status"
}
