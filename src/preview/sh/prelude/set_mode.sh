set_mode() { # MODE PATH [recursive]
    in_root_path "$2"
    chmod ${3:+--recursive} -- "$1" "$resolved"
}
