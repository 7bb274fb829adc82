# An export is made under another name, and gets its own when it is complete.
begin_export() { # NAME
    target=$OUT/$1
    if [[ -e $target || -L $target ]] &&
        { [[ -L $target ]] || ! grep -qs '"made_by": "rootwright' -- "$target/manifest.json"; }; then
        die "$target is there and is no export; it is not replaced"
    fi
    stage=$(mktemp -d -- "$OUT/.export.XXXXXX")
    chmod 0755 -- "$stage"
}

finish_export() {
    if [[ -e $target ]]; then
        mv -T -- "$target" "$work/replaced"
    fi
    mv -T -- "$stage" "$target"
    stage=
    rm -rf --one-file-system -- "$work/replaced"
    printf 'made %s\n' "$target" >&2
}
