# Makes a directory and its parents.
make_dir() { # PATH [MODE|- [OWNER|- [GROUP]]]
    in_root_path "$1"
    mkdir -p -- "$resolved"
    set_attributes "$resolved" "${@:2}"
}
