# What the scripts share that make repositories: $top is the folder in which they work.

# Two throw-away keys, each in a file of its own.
throw_away_keys() {
    export GNUPGHOME=$top/gnupg
    mkdir -m 0700 "$GNUPGHOME"
    local name
    for name in right other; do
        gpg --batch --quiet --passphrase '' --quick-generate-key "$name <$name@example.org>" rsa2048 sign never 2>/dev/null
        gpg --armor --export "$name" >"$name.asc"
    done
}

# Programs and folders of this host, for a root: with the libraries that they are linked with.
closure() { # FOLDER FILE|FOLDER...
    local dest=$1 file
    shift
    { find "$@" -type f \( -name '*.so*' -o -perm -u+x \) -exec ldd {} + 2>/dev/null || true; } |
        awk '$2 == "=>" && $3 ~ /^\// { print $3 } $1 ~ /^\// && NF == 2 { print $1 }' | sort -u >libraries
    while IFS= read -r file; do
        # /lib and /lib64 are links.
        case $file in /lib*) install -D "$file" "$dest/usr$file" ;; *) install -D "$file" "$dest$file" ;; esac
    done < <(cat libraries; find "$@" -follow -type f -not -path '*/config-3*' -not -path '*/test/*' -not -name '*.a')
}
