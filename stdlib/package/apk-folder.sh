# shellcheck shell=sh disable=SC2154  # set by who runs it
# Has the host's apk work on the root at $root with the arguments, the packages of the folder
# $folder being one more repository of the architecture $arch. The folder came with the recipe, by
# its digest. apk knows no trust by repository: the index, which has the digests that packages are
# held to, is signed with a key that is made for this run and thrown away.
mkdir "$work/$arch"
for file in "$folder"/*.apk; do
    if [ -e "$file" ]; then mv "$file" "$work/$arch/"; fi
done
set -- "$@" --repository "$work"
if ! ls "$work/$arch"/*.apk >/dev/null 2>&1; then
    echo "rootwright: there is no .apk in the folder of packages" >&2
    exit 1
fi
# In the key's name, so that no key of the root is in its way.
key=rootwright-packages.rsa
trap 'rm -f "$work/$key" "$root/etc/apk/keys/$key.pub"' EXIT
(umask 077 && openssl genrsa -out "$work/$key" 2048)
openssl rsa -in "$work/$key" -pubout -out "$root/etc/apk/keys/$key.pub"
# The packages themselves are of the recipe, whoever signed them.
apk mkndx --quiet --allow-untrusted --sign-key "$work/$key" --output "$work/$arch/APKINDEX.tar.gz" "$work/$arch"/*.apk >/dev/null
apk --root "$root" "$@"
