#!/bin/bash
# Looks whether repositories of rpm packages are what a build will want of them. A check;
# package/check.sh stands before it.
#
# Standard input: names of packages, one a line.
# Environment:
#   SOURCES   lines of `ID KIND URI...`: a `repository`, wherever it is first, or a `metalink` or
#             `mirrorlist` of such addresses
#   ARCH      the architecture, as the repositories name it
#   CACHE     a folder for names of packages, by the digest of their index
#   PATIENCE  seconds that the check has
# shellcheck disable=SC2153,SC2154

# mirrors KIND URI: puts the addresses of the first mirrors of a list into $uris.
mirrors() {
    get "$2" list || return
    if [ "$1" = metalink ]; then
        uris=$(grep -o 'https\{0,1\}://[^<]*/repodata/repomd.xml' list | sed 's,/repodata/repomd.xml$,,' | head -n 3)
    else
        uris=$(grep '^http' list | head -n 3)
    fi
    uris=${uris//\$basearch/$ARCH}
    if [ -z "$uris" ]; then
        why="$2 names no mirror"
        return 2
    fi
}

# repository ID URI...: looks at one where the first mirror has it, and adds its packages to names.
repository() {
    local uri status digest href kept
    for uri in "${@:2}"; do
        uri=${uri%/}
        get "$uri/repodata/repomd.xml" repomd.xml
        status=$?
        [ $status -ne 0 ] || break
    done
    case $status in
        0) ;;
        1)
            complete=
            say message "the mirror has no repository \`$1\`" \
                cause "$uri/repodata/repomd.xml is not there" \
                help "look at the mirror for the releases and architectures that it has, or take another mirror" field release
            return
            ;;
        *)
            complete=
            say unknown "$1: $why"
            return
            ;;
    esac
    [ -s wanted ] || return 0
    # `<data type="primary">` has the digest and the place of the list of packages.
    read -r digest href < <(tr -d '\n' <repomd.xml | sed 's/<data /\n&/g' | sed -n 's/^<data type="primary".*<checksum type="sha256">\([0-9a-f]*\)<.*<location [^>]*href="\([^"]*\)".*/\1 \2/p')
    if [ ${#digest} -ne 64 ]; then
        complete=
        say unknown "the packages of $1: repomd.xml names no list of them with a SHA-256 digest"
        return
    fi
    kept=$cache/$digest.names
    if ! [ -e "$kept" ]; then
        if ! get "$uri/$href" primary; then
            complete=
            say unknown "the packages of $1: ${why:-$href is not there}"
            return
        fi
        if ! sha256sum --check --status <<<"$digest  primary"; then
            complete=
            say unknown "the packages of $1: $href is not what repomd.xml says, as while a mirror is updated"
            return
        fi
        # Names of packages, and what they provide; `name(x)` and files are asked for otherwise.
        case $href in
            *.gz) gzip --decompress --stdout primary ;;
            *.zst) zstd --decompress --stdout --quiet <primary ;;
            *.xz) xz --decompress --stdout primary ;;
            *.bz2) bzip2 --decompress --stdout primary ;;
            *) cat primary ;;
        esac 2>unpack.err | awk -v arch="$ARCH" '
            /<package / { name = "" }
            /<name>/ { name = $0; sub(/.*<name>/, "", name); sub(/<\/name>.*/, "", name) }
            /<arch>/ { of = $0; sub(/.*<arch>/, "", of); sub(/<\/arch>.*/, "", of); fits = (of == arch || of == "noarch"); if (fits) print name }
            /<rpm:provides>/ { on = 1 }
            /<\/rpm:provides>/ { on = 0 }
            on && fits && /<rpm:entry / { entry = $0; sub(/.*name="/, "", entry); sub(/".*/, "", entry); if (entry !~ /[()\/]/) print entry }
        ' | sort -u >names.new
        # A repository without packages is one: updates on a release's first day.
        if [ -s unpack.err ]; then
            complete=
            say unknown "the packages of $1: $(head -n 1 unpack.err)"
            return
        fi
        # Two checks may do this at once: the file is whole whenever it is there.
        cp names.new "$cache/.$digest.$$" && mv "$cache/.$digest.$$" "$kept"
    fi
    touch "$kept"
    cat "$kept" >>names
}

complete=yes
cache=${CACHE:-.}
: >names
cat >wanted
if ! command -v curl >/dev/null; then
    say unknown "the repositories: this host has no curl"
    exit 0
fi
ids=
while read -r id kind uris; do
    why=
    ids+="${ids:+, }$id"
    if [ "$kind" != repository ] && ! mirrors "$kind" "$uris"; then
        complete=
        say unknown "$id: ${why:-there is no such list of mirrors}"
        continue
    fi
    # shellcheck disable=SC2086 # addresses, a word each
    repository "$id" $uris
done <<<"$SOURCES"
[ -s wanted ] || exit 0
# What an index that was not seen holds, nobody knows.
[ -n "$complete" ] || { say unknown "whether the repositories have the packages: not all of their indexes were seen"; exit 0; }
plain_names
missing "no package and no provided name is called that in $ids, for $ARCH" "look for its name in this release; it may be in another repository"
exit 0
