# shellcheck shell=sh disable=SC2154  # set by who runs it
# The packages of the folder $folder as a repository. The folder came with the recipe, by its digest.
if [ -z "$(find "$folder" -name '*.rpm' -print -quit)" ]; then
    echo "rootwright: there is no .rpm in the folder of packages" >&2
    exit 1
fi
# What a repository that the folder was says of itself does not hold any more.
rm -rf "$folder/repodata"
# gz: what createrepo_c takes by default, older releases cannot read.
createrepo_c --quiet --general-compress-type=gz "$folder"
