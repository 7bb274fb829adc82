# Puts a copy of the host's resolv.conf in the place of the root's own, which is put aside
# until the command is done: a file, a link that may lead nowhere, a directory.
dns_begin() {
    dns_place=
    dns_aside=
    [[ -e /etc/resolv.conf ]] || return 0
    in_root_path /etc
    [[ -d $resolved ]] || return 0
    dns_place=$resolved/resolv.conf
    if [[ -e $dns_place || -L $dns_place ]]; then
        dns_aside=$work/resolv.conf
        mv -T -- "$dns_place" "$dns_aside" || die "cannot put $dns_place aside"
    fi
    # With a second name its inode is not given to another file meanwhile.
    install -m 0644 /etc/resolv.conf "$work/resolv.lent" || die "cannot write to $work"
    ln -- "$work/resolv.lent" "$dns_place" || die "cannot make $dns_place"
}

# Where the command has replaced or removed the file, that stays.
dns_end() {
    local lent
    [[ -n $dns_place ]] || return 0
    lent=$(find "${dns_place%/*}" -maxdepth 1 -samefile "$work/resolv.lent" -print -quit)
    if [[ -n $lent ]]; then
        rm -f -- "$lent" || die "cannot remove $lent"
        if [[ -n $dns_aside ]]; then
            mv -T -- "$dns_aside" "$lent" || die "cannot put $lent back"
        fi
    elif [[ -n $dns_aside ]]; then
        rm -rf -- "$dns_aside" || die "cannot remove $dns_aside"
    fi
    rm -f -- "$work/resolv.lent"
}
