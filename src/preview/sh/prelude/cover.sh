# Covers a folder of the root with a folder of downloads, which all roots of this script
# share and which is no part of them.
cover() { # POOL PATH
    in_root_path "$2"
    mkdir -p -- "$resolved" "$work/downloads/$1"
    mount --bind "$work/downloads/$1" "$resolved" || die "cannot cover $2"
}

uncover() { # PATH
    in_root_path "$1"
    umount -- "$resolved" || die "cannot uncover $1"
}
