# Sets `id` to the number of a NAME in the root's passwd or group; a number is one already,
# and root is 0 also where there are no accounts yet.
id_in_root() { # passwd|group NAME
    local name
    id=$2
    if [[ $id =~ ^[0-9]+$ ]]; then return; fi
    if [[ $id == root ]]; then
        id=0
        return
    fi
    in_root_path "/etc/$1"
    [[ -f $resolved ]] || die "the root has no /etc/$1 to look \`$2\` up in"
    while IFS=: read -r name _ id _ || [[ -n $name ]]; do
        if [[ $name == "$2" ]]; then return; fi
    done <"$resolved"
    die "the root's /etc/$1 has no \`$2\`"
}

# Sets owner, group and mode of a file of the host; `-` leaves what is there.
set_attributes() { # FILE [MODE [OWNER [GROUP]]]
    local ids=''
    if [[ ${3:--} != - ]]; then
        id_in_root passwd "$3"
        ids=+$id
    fi
    if [[ ${4:--} != - ]]; then
        id_in_root group "$4"
        ids+=:+$id
    fi
    # In this order: a change of owner takes the setuid bit away.
    if [[ -n $ids ]]; then chown -- "$ids" "$1"; fi
    if [[ ${2:--} != - ]]; then chmod -- "$2" "$1"; fi
}
