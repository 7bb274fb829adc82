# Gets a file from the network; one with another digest is refused.
fetch() { # URL SHA256 PATH [MODE|- [OWNER|- [GROUP]]]
    local file=$work/download
    curl --fail --silent --show-error --location --retry 3 --output "$file" -- "$1"
    printf '%s  %s\n' "$2" "$file" | sha256sum --check --quiet -- - ||
        die "$1 does not have the digest $2"
    write_file "${@:3}" <"$file"
    rm -f -- "$file"
}
