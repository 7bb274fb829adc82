# Runs a program of the host, never a function or a builtin of the same name.
on_host() {
    env -- "$@"
}
