# Gives pacman's keyring in the root the keys of the file $keys, and trust in those among them
# whose fingerprints are $trusted, or in all where that is empty. What $others have is as good as
# the trusted keys say. The keyring's folder is $gpg.
folder=$HOME/trust
mkdir -p "$folder"
cp "$keys" "$folder/rootwright.gpg"
for file in $others; do
    if [ -r "$file" ]; then cat "$file" >>"$folder/rootwright.gpg"; fi
done
if [ -z "$trusted" ]; then
    trusted=$(gpg --homedir "$folder" --batch --quiet --no-autostart --show-keys --with-colons "$keys" |
        awk -F: '$1 == "pub" { first = 1 } $1 == "fpr" && first { print $10; first = 0 }')
fi
# 4: as far as Arch Linux trusts its own: three of them make a packager's key good.
for fingerprint in $trusted; do echo "$fingerprint:4:"; done >"$folder/rootwright-trusted"
mkdir -p "$gpg"
chmod 0755 "$gpg"
pacman-key --gpgdir "$gpg" --init
pacman-key --gpgdir "$gpg" --populate-from "$folder" --populate rootwright
gpgconf --homedir "$gpg" --kill all
# The secret key that has certified them is of no more use.
rm -rf "$gpg/private-keys-v1.d" "$gpg/openpgp-revocs.d" "$gpg"/S.* "$gpg"/*~ "$gpg/.gpg-v21-migrated" "$gpg/secring.gpg" "$folder"
