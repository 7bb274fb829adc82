# Writes manifest.json: the lines of standard input, then the packages that the command
# prints as `name<TAB>version<TAB>architecture`.
export_manifest() { # [COMMAND...]
    local lines name version architecture comma=''
    cat >"$stage/manifest.json"
    lines=
    if (($# > 0)); then lines=$(in_root -- "$@"); fi
    {
        printf '  "packages": ['
        while IFS=$'\t' read -r name version architecture; do
            if [[ -z $name ]]; then continue; fi
            printf '%s\n    { "name": "%s", "version": "%s", "architecture": "%s" }' \
                "$comma" "$name" "$version" "$architecture"
            comma=,
        done < <(printf '%s\n' "$lines" | sed 's/[\\"]/\\&/g; s/\r$//' | LC_ALL=C sort)
        printf '\n  ]\n}\n'
    } >>"$stage/manifest.json"
}
