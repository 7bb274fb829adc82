# Runs a command whose exit status does not tell: a line of its output that a --fail-on
# matches and no --ignore does is a failure.
scanned() { # [--fail-on REGEX]... [--ignore REGEX]... -- COMMAND...
    local fail_on=() ignore=(-e '^.{0}$.') log status=0 lines
    while [[ $1 != -- ]]; do
        case $1 in
            --fail-on) fail_on+=(-e "$2") ;;
            --ignore) ignore+=(-e "$2") ;;
        esac
        shift 2
    done
    shift
    log=$work/output.log
    "$@" 2>&1 | tee -- "$log" || status=$?
    lines=$(grep -aE "${fail_on[@]}" -- "$log" | grep -avE "${ignore[@]}") || true
    rm -f -- "$log"
    if ((status != 0)); then return "$status"; fi
    if [[ -n $lines ]]; then
        printf 'the exit status was 0, but the output says:\n%s\n' "$lines" >&2
        return 1
    fi
}
