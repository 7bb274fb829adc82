# Makes a place for the host's resolv.conf in the root. What is there and is no plain file,
# such as a link that leads nowhere, is put aside until the command is done.
dns_begin() {
    dns_bind=()
    dns_place=
    dns_aside=
    dns_made=
    [[ -e /etc/resolv.conf ]] || return 0
    in_root_path /etc
    [[ -d $resolved ]] || return 0
    dns_place=$resolved/resolv.conf
    if [[ -L $dns_place || (-e $dns_place && ! -f $dns_place) ]]; then
        dns_aside=$work/resolv.conf
        mv -T -- "$dns_place" "$dns_aside" || die "cannot put $dns_place aside"
    fi
    if [[ ! -e $dns_place ]]; then
        dns_made=yes
        : >"$dns_place" || die "cannot make $dns_place"
    fi
    dns_bind=(--bind-ro=/etc/resolv.conf:/etc/resolv.conf)
}

dns_end() {
    if [[ -n $dns_made ]]; then
        rm -f -- "$dns_place" || die "cannot remove $dns_place"
    fi
    if [[ -n $dns_aside ]]; then
        mv -T -- "$dns_aside" "$dns_place" || die "cannot put $dns_place back"
    fi
}
