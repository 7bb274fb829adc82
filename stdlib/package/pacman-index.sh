# shellcheck shell=sh disable=SC2154  # set by who runs it
# The packages of the folder $folder as a repository $name. A copy of its index, sync.db, is for
# pacman's own folder: no other index is fetched anew. The folder came with the recipe, by its
# digest. The file $own is the configuration $config with this repository, which pacman finds at $place,
# before all others.
cd "$folder" || exit 1
# What a repository that the folder was says of itself does not hold any more.
rm -f ./*.db ./*.db.* ./*.files ./*.files.* ./*.sig
set -- ./*.pkg.tar*
if [ ! -e "$1" ]; then
    echo "rootwright: there is no .pkg.tar.zst in the folder of packages" >&2
    exit 1
fi
repo-add --quiet "$name.db.tar.gz" "$@"
cp "$name.db.tar.gz" sync.db
printf '[%s]\nSigLevel = Never\nServer = file://%s\nInclude = %s\n' "$name" "$place" "$config" >"$own"
