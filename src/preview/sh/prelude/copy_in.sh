# Copies a file or a tree of the host into the root; links in a tree stay links. A tree is
# merged into what is there; MODE is for PATH itself, OWNER and GROUP are for all of it.
copy_in() { # SOURCE PATH [MODE|- [OWNER|- [GROUP]]]
    local owner=0 group=0 name
    [[ -e $1 ]] || die "$1 is not there"
    if [[ ${4:--} != - ]]; then
        id_in_root passwd "$4"
        owner=$id
    fi
    if [[ ${5:--} != - ]]; then
        id_in_root group "$5"
        group=$id
    fi
    if [[ ! -d $1 ]]; then
        in_root_parent "$2"
        copy_one "$1" -L
    else
        while IFS= read -r -d '' name; do
            if [[ -d $1/$name && ! -L $1/$name ]]; then
                in_root_path "$2/$name"
                if [[ ! -d $resolved ]]; then
                    mkdir -p -- "$resolved"
                    chmod --reference="$1/$name" -- "$resolved"
                    chown -- "+$owner:+$group" "$resolved"
                fi
            else
                in_root_parent "$2/$name"
                copy_one "$1/$name" -P
            fi
        done < <(cd -- "$1" && find . -print0)
        in_root_path "$2"
    fi
    set_attributes "$resolved" "${@:3}"
}

copy_one() {
    mkdir -p -- "${resolved%/*}"
    # What is there is replaced, never written through: it may be a link.
    cp "$2" --remove-destination --preserve=mode -T -- "$1" "$resolved"
    chown --no-dereference -- "+$owner:+$group" "$resolved"
    # The change of owner took the setuid bit away.
    if [[ ! -L $resolved ]]; then chmod --reference="$1" -- "$resolved"; fi
}
