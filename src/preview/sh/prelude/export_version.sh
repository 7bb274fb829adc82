# An export with versions: the next number, or the given name; no version is replaced.
begin_version() { # NAME [VERSION]
    local shelf=$OUT/$1 number
    if [[ -e $shelf || -L $shelf ]] && ! grep -qs '"made_by": "rootwright' -- "$shelf/manifest.json"; then
        die "$shelf is there and is no export; nothing is added to it"
    fi
    mkdir -p -- "$shelf"
    version=${2-}
    if [[ -z $version ]]; then
        number=$(sed -n 's/^ *"last": \([0-9]*\).*/\1/p' "$shelf/manifest.json" 2>/dev/null) || true
        for target in "$shelf"/*/; do
            target=$(basename -- "$target")
            if [[ $target =~ ^[0-9]+$ ]] && ((target > ${number:-0})); then number=$target; fi
        done
        version=$((${number:-0} + 1))
    fi
    target=$shelf/$version
    if [[ -e $target || -L $target ]]; then
        die "the version $target is there; it is not changed"
    fi
    printf '{\n  "made_by": "rootwright",\n  "schema": 1,\n  "name": "%s",\n  "format": {\n    "kind": "nfs"\n  },\n  "last": %s\n}\n' \
        "$1" "${number:-0}" >"$shelf/.manifest-new"
    if [[ -z ${2-} ]]; then sed -i "s/\"last\": .*/\"last\": $version/" "$shelf/.manifest-new"; fi
    mv -T -- "$shelf/.manifest-new" "$shelf/manifest.json"
    stage=$(mktemp -d -- "$shelf/.export.XXXXXX")
    chmod 0755 -- "$stage"
}

# A link is replaced by rename: whoever follows it finds the old version or the new one.
finish_version() {
    mv -T -- "$stage" "$target"
    stage=
    ln -s -- "$version" "${target%/*}/.current-new"
    mv -T -- "${target%/*}/.current-new" "${target%/*}/current"
    printf 'made %s\n' "$target" >&2
}
