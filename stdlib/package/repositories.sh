#!/bin/bash
# Looks whether repositories of rpm, pacman or apk are what a build will want of them. A check;
# package/check.sh stands before it.
#
# Standard input: names of packages, one a line.
# Environment:
#   SOURCES   lines of `ID KIND URI...`: a `repository` of rpm, wherever it is first, or a
#             `metalink` or `mirrorlist` of such addresses; an index of `pacman` or `apk`
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

# KIND_names FILE: the names in an index: of packages, of what they provide, of groups.
rpm_names() { # FILE NAME: it is compressed as its name says
    # Names of packages, and what they provide; `name(x)` and files are asked for otherwise.
    case $2 in
        *.gz) gzip --decompress --stdout "$1" ;;
        *.zst) zstd --decompress --stdout --quiet <"$1" ;;
        *.xz) xz --decompress --stdout "$1" ;;
        *.bz2) bzip2 --decompress --stdout "$1" ;;
        *) cat "$1" ;;
    esac | awk -v arch="$ARCH" '
        /<package / { name = "" }
        /<name>/ { name = $0; sub(/.*<name>/, "", name); sub(/<\/name>.*/, "", name) }
        /<arch>/ { of = $0; sub(/.*<arch>/, "", of); sub(/<\/arch>.*/, "", of); fits = (of == arch || of == "noarch"); if (fits) print name }
        /<rpm:provides>/ { on = 1 }
        /<\/rpm:provides>/ { on = 0 }
        on && fits && /<rpm:entry / { entry = $0; sub(/.*name="/, "", entry); sub(/".*/, "", entry); if (entry !~ /[()\/]/) print entry }
    '
}
pacman_names() {
    # tar knows the compression from the file.
    tar --extract --to-stdout --file "$1" --wildcards '*/desc' | awk '
        /^%/ { field = $0; next }
        NF && (field == "%NAME%" || field == "%PROVIDES%" || field == "%GROUPS%") { sub(/[<>=].*/, ""); print }
    '
}
apk_names() {
    if [ "$(head -c 3 "$1")" = ADB ]; then
        # Version 3, which its own tool reads.
        apk adbdump "$1" | awk '
            /^  - name: / { print $3 }
            /^    [^ ]/ { on = ($1 == "provides:") }
            on && /^      - / { print $2 }
        '
    else
        # A signature and the index, one after the other.
        gzip --decompress --stdout "$1" | tar --extract --to-stdout --ignore-zeros APKINDEX | awk '
            /^P:/ { print substr($0, 3) }
            /^p:/ { n = split(substr($0, 3), p, " "); for (i = 1; i <= n; i++) print p[i] }
        '
    fi | sed 's/[<>=~].*//'
}

# repository ID KIND URI...: looks at one where the first mirror has it, and adds its packages to
# names.
repository() {
    local kind=$2 file uri status digest href kept
    case $kind in pacman | apk) file= ;; *) kind=rpm file=/repodata/repomd.xml ;; esac
    for uri in "${@:3}"; do
        uri=${uri%/}
        get "$uri$file" index
        status=$?
        [ $status -ne 0 ] || break
    done
    case $status in
        0) ;;
        1)
            complete=
            say message "the mirror has no repository \`$1\`" \
                cause "$uri$file is not there" \
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
    if [ "$kind" = rpm ]; then
        # `<data type="primary">` has the digest and the place of the list of packages.
        read -r digest href < <(tr -d '\n' <index | sed 's/<data /\n&/g' | sed -n 's/^<data type="primary".*<checksum type="sha256">\([0-9a-f]*\)<.*<location [^>]*href="\([^"]*\)".*/\1 \2/p')
        if [ ${#digest} -ne 64 ]; then
            complete=
            say unknown "the packages of $1: repomd.xml names no list of them with a SHA-256 digest"
            return
        fi
    else
        read -r digest _ < <(sha256sum index)
    fi
    kept=$cache/$digest.names
    if ! [ -e "$kept" ]; then
        if [ "$kind" = rpm ]; then
            if ! get "$uri/$href" index; then
                complete=
                say unknown "the packages of $1: ${why:-$href is not there}"
                return
            fi
            if ! sha256sum --check --status <<<"$digest  index"; then
                complete=
                say unknown "the packages of $1: $href is not what repomd.xml says, as while a mirror is updated"
                return
            fi
        fi
        case $kind in
            rpm) rpm_names index "$href" ;;
            pacman) pacman_names index ;;
            apk) apk_names index ;;
        esac 2>unpack.err | sort -u >names.new
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
    case $kind in metalink | mirrorlist) list=yes ;; *) list= ;; esac
    if [ -n "$list" ] && ! mirrors "$kind" "$uris"; then
        complete=
        say unknown "$id: ${why:-there is no such list of mirrors}"
        continue
    fi
    # shellcheck disable=SC2086 # addresses, a word each
    repository "$id" "$kind" $uris
done <<<"$SOURCES"
[ -s wanted ] || exit 0
# What an index that was not seen holds, nobody knows.
[ -n "$complete" ] || { say unknown "whether the repositories have the packages: not all of their indexes were seen"; exit 0; }
plain_names
missing "no package and no provided name is called that in $ids, for $ARCH" "look for its name in this release; it may be in another repository"
exit 0
