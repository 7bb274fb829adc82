#!/bin/sh
# Looks at the archives that a root's packages come from, before anything is built. Changes
# nothing; what it downloads is kept in $CACHE by digest.
#   environment: SOURCES (a line each: URI, suite, components), ARCH, KEYRING, CACHE
#   standard input: names of packages, a line each
#   standard output, fields between tabs:
#     wrong    MESSAGE  CAUSE  HELP
#     missing  NAME  FILE         FILE has all names that there are
#     unknown  WHY                it could not be checked
set -eu
: "${SOURCES:?}" "${ARCH:?}" "${KEYRING:?}" "${CACHE:?}"
tab=$(printf '\t')
say() {
    first=$1
    shift
    printf '%s' "$first"
    for field in "$@"; do printf '\t%s' "$field"; done
    printf '\n'
}
# GET URL FILE: status 0, 22 when the server has no such file, else why it was not asked.
get() {
    case $1 in
    file:* | copy:*)
        path=${1#*:}
        [ -e "/${path#"${path%%[!/]*}"}" ] || return 22
        cp -- "/${path#"${path%%[!/]*}"}" "$2"
        ;;
    *) curl --silent --fail --location --connect-timeout 5 --max-time 40 --output "$2" -- "$1" ;;
    esac
}
command -v curl >/dev/null || { say unknown "curl is not installed on this host"; exit 0; }
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# Names of a list of packages, provided ones included, kept beside the list's digest.
names_of() { # DIGEST FILE-WITH-SUFFIX
    case $2 in
    *.xz) xz -dc -- "$2" ;;
    *.gz) gzip -dc -- "$2" ;;
    *) cat -- "$2" ;;
    esac | awk '
        /^Package: / { print $2 }
        /^Provides: / { sub(/^Provides: /, ""); gsub(/\([^)]*\)/, ""); n = split($0, p, /[ ,]+/); for (i = 1; i <= n; i++) if (p[i] != "") print p[i] }
    ' | sort -u >"$work/names.$1"
    mv -- "$work/names.$1" "$CACHE/$1.names"
}

one() { # URI SUITE COMPONENTS NUMBER
    uri=${1%/} suite=$2 components=$3
    dists=$uri/dists/$suite
    release=$work/$4.InRelease
    status=0
    get "$dists/InRelease" "$release" || status=$?
    case $status in
    0) ;;
    22)
        say wrong "the mirror $uri has no suite $suite" "$dists/InRelease is not there" "look at the mirror's address and the release's name"
        return
        ;;
    *)
        say unknown "$uri does not answer (curl: exit status $status)"
        return
        ;;
    esac
    if command -v gpgv >/dev/null && [ -r "$KEYRING" ] && ! head -c 5 -- "$KEYRING" | grep -q -e '-----'; then
        if ! gpgv --quiet --keyring "$KEYRING" -- "$release" >/dev/null 2>"$work/$4.gpgv"; then
            key=$(sed -n 's/.*key \(ID \)\{0,1\}\([0-9A-F]\{8,\}\).*/\2/p' "$work/$4.gpgv" | tail -n 1)
            if grep -q 'BAD signature' "$work/$4.gpgv"; then
                say wrong "the signature of $suite at $uri is bad" "the file was changed after it was signed, on the mirror or on the way" "use another mirror"
            elif grep -q 'No public key' "$work/$4.gpgv"; then
                say wrong "$suite at $uri is signed with a key that is not in the keyring" "$KEYRING has no key ${key:-that signed it}" "install the newest package of the distro's keys on this host, or name the right keyring: keyring: \"/path/to/keys.gpg\""
            else
                say wrong "the signature of $suite at $uri cannot be verified" "$(tail -n 1 "$work/$4.gpgv")" "look at the keyring $KEYRING"
            fi
            return
        fi
    else
        say unknown "the signature of $suite: gpgv or a keyring in its format is not there"
    fi
    field() { sed -n "s/^$1: //p" "$release" | head -n 1; }
    until=$(field Valid-Until)
    if [ -n "$until" ] && [ "$(date -d "$until" +%s)" -lt "$(date +%s)" ]; then
        say wrong "the Release file of $suite at $uri has expired" "it was valid until $until" "the mirror is not updated any more, or this host's clock is wrong: use another mirror, or set the clock"
    fi
    if [ "$(field Suite)" != "$suite" ] && [ "$(field Codename)" != "$suite" ]; then
        say wrong "$dists is another release" "it says Suite: $(field Suite), Codename: $(field Codename)" "look at the mirror's address and the release's name"
    fi
    case " $(field Architectures) " in
    *" $ARCH "*) ;;
    *)
        say wrong "$suite at $uri has no architecture $ARCH" "it has $(field Architectures)" "choose one of these with arch, or another mirror"
        return
        ;;
    esac
    for component in $components; do
        case " $(field Components | sed 's,[^ ]*/,,g') " in
        *" $component "*) ;;
        *)
            say wrong "$suite at $uri has no component $component" "it has $(field Components)" "look at components"
            continue
            ;;
        esac
        # The list of each architecture has the packages for all of them, too, unless the
        # archive says otherwise.
        arches=$ARCH
        case " $(field Architectures) $(field No-Support-for-Architecture-all)" in
        *" all "*Packages*) ;;
        *" all "*) arches="$ARCH all" ;;
        esac
        for arch in $arches; do
            for suffix in .xz .gz ''; do
                path=$component/binary-$arch/Packages$suffix
                digest=$(awk -v p="$path" '/^SHA256:/ { on = 1; next } /^[^ ]/ { on = 0 } on && $3 == p { print $1; exit }' "$release")
                [ -n "$digest" ] || continue
                if [ ! -e "$CACHE/$digest.names" ]; then
                    list=$work/$digest$suffix
                    get "$dists/$path" "$list" || continue
                    if [ "$(sha256sum -- "$list" | cut -d ' ' -f 1)" != "$digest" ]; then
                        say unknown "$dists/$path is not what its Release file says: the mirror is being updated"
                        continue 2
                    fi
                    names_of "$digest" "$list"
                fi
                printf '%s\n' "$CACHE/$digest.names" >>"$work/lists"
                break
            done
        done
    done
}

number=0
while IFS=$tab read -r uri suite components; do
    [ -n "$uri" ] || continue
    number=$((number + 1))
    one "$uri" "$suite" "$components" "$number" >"$work/said.$number" &
done <<END
$SOURCES
END
wait
cat "$work"/said.*
# Without every list, a name that is not in one may be in another.
if [ -e "$work/lists" ] && ! grep -q . "$work"/said.*; then
    xargs cat <"$work/lists" | sort -u >"$work/all"
    key=$(sha256sum "$work/all" | cut -d ' ' -f 1)
    mv -- "$work/all" "$CACHE/$key.all"
    while IFS= read -r name; do
        # A version, an architecture or a release may follow; a path, a task or a
        # trailing sign means something else.
        case $name in */*.deb | /* | ./* | *^ | *+ | *-) continue ;; esac
        bare=${name%%[=:/]*}
        grep -qxF -- "$bare" "$CACHE/$key.all" || say missing "$name" "$CACHE/$key.all"
    done
fi
