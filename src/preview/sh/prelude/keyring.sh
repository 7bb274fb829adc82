# A keyring of the keys with these fingerprints, and no others. Without fingerprints it has
# all that its files have.
keyring() { # PATH [FINGERPRINT...]
    keys_path=$1
    keys_wanted=("${@:2}")
    keys_home=$(mktemp -d -- "$work/keys.XXXXXX")
}

keys_gpg() {
    gpg --batch --no-tty --quiet --no-options --no-autostart --trust-model always \
        --homedir "$keys_home" "$@"
}

# Whether a wanted key is still missing.
keys_lack() {
    local key
    keys_found=$(keys_gpg --with-colons --list-keys 2>/dev/null |
        awk -F : '/^pub/ { on = 1 } /^fpr/ && on { print $10; on = 0 }')
    [[ -n $keys_found ]] || return 0
    for key in "${keys_wanted[@]}"; do
        [[ $'\n'$keys_found$'\n' == *$'\n'$key$'\n'* ]] || return 0
    done
    return 1
}

keyring_files() { # FILE...
    local file
    for file in "$@"; do
        keys_lack || return 0
        if [[ -f $file ]]; then keys_gpg --import -- "$file" >/dev/null 2>&1 || true; fi
    done
}

# Runs a command that leaves files of keys in the folder that it is run in.
keyring_fetch() { # COMMAND...
    local folder file
    keys_lack || return 0
    folder=$(mktemp -d -- "$work/fetched.XXXXXX")
    (cd -- "$folder" && env -- "$@") || return 0
    while IFS= read -r -d '' file; do
        keyring_files "$file"
    done < <(find "$folder" -type f \( -name '*.gpg' -o -name '*.asc' -o -name '*.pgp' \
        -o -name '*GPG-KEY*' \) -print0 | sort -z)
    rm -rf -- "$folder"
}

keyring_done() { # ABOUT [--armor]
    if keys_lack; then
        die "not all keys of $1 were found; wanted: ${keys_wanted[*]-}; found: ${keys_found//$'\n'/ }"
    fi
    keys_gpg --export "${@:2}" "${keys_wanted[@]}" >"$keys_path"
    chmod 0644 -- "$keys_path"
    rm -rf -- "$keys_home"
}
