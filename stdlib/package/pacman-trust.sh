# shellcheck shell=sh disable=SC2154  # set by who runs it
# Makes pacman's keyring, at $made, of the keys of the file $keys, and trust in those
# among them whose fingerprints are $trusted, or in all where that is empty. The keys that the
# files $others have are as good as the trusted ones say.
mkdir "$made"
# gpg-agent's socket is in gpg's folder where there is no /run/user/UID, and the path of a socket has
# 107 bytes at most: the keyring is made in a short path, and copied.
gpg=$(mktemp -d /tmp/gnupg.XXXXXX)
trap 'rm -rf "$gpg"' EXIT
chmod 0755 "$gpg"
pacman-key --gpgdir "$gpg" --init
import() { gpg --homedir "$gpg" --no-permission-warning --batch --quiet --no-auto-check-trustdb --import -- "$1"; }
import "$keys"
for file in $others; do
    # gpg ends with 2 where it has left one of many keys out.
    if [ -r "$file" ]; then import "$file" || [ $? -eq 2 ]; fi
done
if [ -z "$trusted" ]; then
    trusted=$(gpg --homedir "$gpg" --no-permission-warning --batch --quiet --show-keys --with-colons "$keys" |
        awk -F: '$1 == "pub" { first = 1 } $1 == "fpr" && first { print $10; first = 0 }')
fi
# shellcheck disable=SC2086 # fingerprints, a word each
pacman-key --gpgdir "$gpg" --lsign-key $trusted
# 4: as far as Arch Linux trusts its own: three of them make a packager's key good.
for fingerprint in $trusted; do echo "$fingerprint:4:"; done |
    gpg --homedir "$gpg" --no-permission-warning --batch --quiet --import-ownertrust
pacman-key --gpgdir "$gpg" --updatedb
gpgconf --homedir "$gpg" --kill all
# The secret key that has certified them is of no more use: in an image, everybody would have it.
rm -rf "$gpg/private-keys-v1.d" "$gpg/openpgp-revocs.d" "$gpg"/S.* "$gpg"/*~ "$gpg"/.#* "$gpg/.gpg-v21-migrated" "$gpg/secring.gpg"
cp -a "$gpg/." "$made"
