# The packages of a folder as a source of apt. In the root; FOLDER and LIST are in the
# environment. The folder came with the recipe, by its digest.
cd "$FOLDER"
# What a repository that the folder was says of itself does not hold any more.
rm -f Packages* Release* InRelease
count=0
: >Packages
for file in *.deb; do
    [ -e "$file" ] || continue
    dpkg-deb --field "$file" >>Packages
    printf 'Filename: ./%s\nSize: %s\nSHA256: %s\n\n' "$file" "$(stat -c %s "$file")" "$(sha256sum "$file" | cut -d' ' -f1)" >>Packages
    count=$((count + 1))
done
if [ "$count" = 0 ]; then
    echo "rootwright: there is no .deb in the folder of packages" >&2
    exit 1
fi
echo "deb [trusted=yes] file:$FOLDER ./" >"$LIST"
