# Links below a directory are given away themselves, never what they lead to.
set_owner() { # OWNER GROUP|- PATH [recursive]
    local ids
    id_in_root passwd "$1"
    ids=+$id
    if [[ $2 != - ]]; then
        id_in_root group "$2"
        ids+=:+$id
    fi
    in_root_path "$3"
    chown --no-dereference ${4:+--recursive} -- "$ids" "$resolved"
}
