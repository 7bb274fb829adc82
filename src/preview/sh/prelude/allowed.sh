# Says that the command before has failed, and goes on.
allowed() { # STATUS WHY
    printf 'exit status %s is allowed: %s\n' "$1" "$2" >&2
}
