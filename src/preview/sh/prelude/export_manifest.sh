# Writes manifest.json: standard input, then the files of the export and the packages that
# the command prints as `name<TAB>version<TAB>architecture`.
export_manifest() { # [COMMAND...]
    local lines='' name version architecture comma='' file size digest
    newest_kernel
    {
        cat
        if [[ -n $kver ]]; then
            printf '  "kernel_version": "%s",\n' "$kver"
        fi
        printf '  "files": {'
        for file in "$stage"/*; do
            if [[ ! -f $file ]]; then continue; fi
            size=$(stat --format=%s -- "$file")
            digest=$(sha256sum <"$file")
            printf '%s\n    "%s": { "size": %s, "sha256": "%s" }' \
                "$comma" "${file##*/}" "$size" "${digest%% *}"
            comma=,
        done
        printf '\n  },\n  "packages": ['
        if (($# > 0)); then lines=$(in_root -- "$@"); fi
        comma=
        while IFS=$'\t' read -r name version architecture; do
            if [[ -z $name ]]; then continue; fi
            printf '%s\n    { "name": "%s", "version": "%s", "architecture": "%s" }' \
                "$comma" "$name" "$version" "$architecture"
            comma=,
        done < <(printf '%s\n' "$lines" | sed 's/[\\"]/\\&/g; s/\r$//' | LC_ALL=C sort)
        printf '\n  ]\n}\n'
    } >"$work/manifest.json"
    mv -- "$work/manifest.json" "$stage/manifest.json"
    chmod 0644 -- "$stage/manifest.json"
}
