# shellcheck shell=sh disable=SC2154  # set by who runs it
# The packages of the folder $folder as a repository $work of the architecture $arch. The folder
# came with the recipe, by its digest. apk knows no trust by repository: the index, which has the
# digests that packages are held to, is signed with a key that is made for this and thrown away.
# Its public half is rootwright-packages.rsa.pub: no key of the root has that name.
mkdir "$work/$arch"
: >"$work/names"
# The names of the fetched packages, which the recipe has verified by their digests. An index of
# them, in the text form, has the names.
if [ -d "$folder/fetched" ]; then
    apk mkndx --quiet --allow-untrusted --output "$work/fetched.adb" "$folder/fetched"/*.apk >/dev/null
    apk adbdump "$work/fetched.adb" | sed -n 's/^  - name: //p' >"$work/names"
    mv "$folder/fetched"/*.apk "$folder/"
fi
for file in "$folder"/*.apk; do
    if [ -e "$file" ]; then mv "$file" "$work/$arch/"; fi
done
if ! ls "$work/$arch"/*.apk >/dev/null 2>&1; then
    echo "rootwright: there is no .apk in the folder of packages" >&2
    exit 1
fi
key=$work/rootwright-packages.rsa
(umask 077 && openssl genrsa -out "$key" 2048)
openssl rsa -in "$key" -pubout -out "$key.pub"
# The packages themselves are of the recipe, whoever signed them.
apk mkndx --quiet --allow-untrusted --sign-key "$key" --output "$work/$arch/APKINDEX.tar.gz" "$work/$arch"/*.apk >/dev/null
rm "$key"
