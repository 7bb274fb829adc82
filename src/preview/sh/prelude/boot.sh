# A folder for what the next boot runs.
boot_begin() {
    control=$work/boot
    mkdir -- "$control"
}

boot_file() { # NAME, its content on standard input
    cat >"$control/$1"
}

# Boots the root and runs what the folder holds.
boot() { # online|offline SECONDS NSPAWN...
    local network=$1 seconds=$2 status=0
    shift 2
    in_root_path /etc
    local etc=$resolved
    if [[ $network = online ]]; then
        set -- "$@" "${passed[@]}"
        dns_begin
    fi
    boot_in_root "$seconds" "$ROOT" "$etc" "$control" "$@" || status=$?
    [[ $network = offline ]] || dns_end
    return "$status"
}

# That a command may fail does not mean that the system need not go down.
boot_end() {
    [[ $(cat -- "$control/stage") = down ]] || die 'the root did not come up and go down'
    rm -rf -- "$control"
}
