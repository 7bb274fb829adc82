#!/bin/bash
# Looks whether an apt archive is what a build will want of it. A check; package/check.sh
# stands before it.
#
# Standard input: names of packages, one a line; a finding names the line that it is about.
# Environment:
#   SOURCES           lines of `URI SUITE COMPONENT,COMPONENT`
#   ARCH              the architecture, as the archive names it
#   KEYRING           the file of keys that the build will use
#   KEYRING_NAME      what people call it
#   KEYRING_PACKAGES  the packages that bring it, as JSON, by family of the host
#   UNSIGNED          not empty: no signature is looked for
#   NAMES             `no`: the names on standard input are for other archives
#   DATED             not empty: a snapshot, whose lists have expired long ago
#   CACHE             a folder for names of packages, by the digest of their index
#   PATIENCE          seconds that the check has
# shellcheck disable=SC2153,SC2154

# blame WHAT FIELD TEXT…: a finding on $suite of $uri, which `%s` in WHAT stands for.
# Findings that differ in the suite only are one.
declare -A blamed
order=()
blame() {
    local key
    key=$uri$'\x1f'$(printf '%s\x1f' "$@")
    [ -n "${blamed[$key]:-}" ] || order+=("$key")
    blamed[$key]+="${blamed[$key]:+, }$suite"
}
blames() {
    local key fields
    for key in "${order[@]}"; do
        mapfile -d $'\x1f' -t fields < <(printf '%s' "$key")
        fields[2]=${fields[2]//%s/${blamed[$key]} of ${fields[0]}}
        say "${fields[@]:1}"
    done
}

# Seconds since 1970 of a date; nothing where it is none.
seconds() { date --utc --date="$1" +%s 2>/dev/null; }

# The value of a field in the head of a Release file.
value() { awk -v field="$1:" '$1 == field { sub(/^[^:]*: */, ""); print; exit } /^ / { next } /^(MD5Sum|SHA1|SHA256|SHA512):/ { exit }' "$2"; }

# The words of $1 (with blanks around) hold the word $2.
has() { case " $1 " in *" $2 "*) return 0 ;; esac; return 1; }

# A keyring that gpgv can read: apt takes armoured ones, gpgv does not.
keys() {
    if head -c 64 "$KEYRING" | grep -q -e '-----BEGIN PGP'; then
        # Without the armour's head, its checksum and its foot.
        awk '/^-----BEGIN/ { on = 1; next } /^-----END/ { on = 0 } on && /^$/ { body = 1; next } on && body && !/^=/' "$KEYRING" | base64 --decode >keyring.gpg
    else
        cat "$KEYRING" >keyring.gpg
    fi
}

# signed FILE…: whether the files that gpgv gets are signed with one of the keys.
signed() {
    local status good bad
    [ -z "${UNSIGNED:-}" ] || return
    if ! command -v gpgv >/dev/null; then
        blame unknown "the signature of %s: this host has no gpgv"
        return
    fi
    if ! [ -r "$KEYRING" ]; then
        blame unknown "the signature of %s: the keyring $KEYRING_NAME is not there"
        return
    fi
    keys
    status=$(gpgv --status-fd 1 --keyring ./keyring.gpg --output release.signed "$@" 2>/dev/null)
    good=$(awk '$2 == "GOODSIG"' <<<"$status")
    bad=$(awk '$2 == "BADSIG"' <<<"$status")
    if [ -n "$good" ] && [ -z "$bad" ]; then
        # What stands around a signed text is not signed.
        [ $# -gt 1 ] || mv release.signed "$1"
        return
    fi
    local key
    if [ -n "$bad" ]; then
        blame message "the signature of %s is wrong" \
            cause "the file is not what was signed: it was changed on the way, or the mirror has half of an update" \
            help "try again later, or take another mirror" field mirror
    elif key=$(awk '$2 == "EXPKEYSIG" || $2 == "REVKEYSIG" { print $3; exit }' <<<"$status") && [ -n "$key" ]; then
        blame message "a key that is no longer valid has signed %s" \
            cause "the key $key in \`$KEYRING_NAME\` has expired or was revoked" \
            help "bring the keyring up to date, or name another: \`keyring: \"FILE\"\`" field keyring \
            packages: "${KEYRING_PACKAGES:-{\}}"
    elif key=$(awk '$2 == "NO_PUBKEY" { print $3 }' <<<"$status" | sort -u | paste -sd ' ') && [ -n "$key" ]; then
        blame message "a key that the keyring lacks has signed %s" \
            cause "\`$KEYRING_NAME\` has no key $key" \
            help "bring the keyring up to date, or name the archive's own: \`keyring: \"FILE\"\`" field keyring \
            packages: "${KEYRING_PACKAGES:-{\}}"
    else
        blame message "no signature that can be checked is on %s" \
            cause "gpgv found no valid signature of a key in \`$KEYRING_NAME\`" \
            help "take another mirror: one that answers with something else may be a login page or a proxy" field mirror
    fi
}

# archive URI SUITE COMPONENTS NUMBER: looks at one suite, and adds its packages to names.
archive() {
    local uri=${1%/} suite=$2 components=${3//,/ } release status
    release=release.$4
    read -r status why <"$release.status"
    if [ "$status" = 0 ]; then
        signed "$release"
    elif [ "$status" = 1 ]; then
        get "$uri/dists/$suite/Release" "$release"
        status=$?
        if [ $status -eq 1 ]; then
            complete=
            say message "the mirror has no release \`$suite\`" \
                cause "$uri/dists/$suite/InRelease is not there" \
                help "look at $uri/dists/ for the releases that it has, or take another mirror" field release
            return
        fi
        if [ $status -eq 0 ]; then
            get "$uri/dists/$suite/Release.gpg" signature
            case $? in
                0) signed signature "$release" ;;
                1) [ -n "${UNSIGNED:-}" ] || blame message "no signature is on %s" cause "neither InRelease nor Release.gpg is there" \
                    help "take a mirror that is signed" field mirror ;;
                *) blame unknown "the signature of %s: $why" ;;
            esac
        fi
    fi
    if [ "$status" = 2 ]; then
        complete=
        blame unknown "%s: $why"
        return
    fi

    local date
    if [ -z "${DATED:-}" ] && date=$(seconds "$(value Valid-Until "$release")") && [ -n "$(value Valid-Until "$release")" ] && [ "$date" -lt "$now" ]; then
        blame message "%s has expired" \
            cause "it was valid until $(value Valid-Until "$release"), and this host's clock says $(date --utc --date="@$now" '+%a, %d %b %Y %H:%M:%S UTC')" \
            help "if the clock is right, the mirror is no longer updated: take another, or say why this one will do with \`allow_expired: \"why\"\`" field mirror
    fi
    if date=$(seconds "$(value Date "$release")") && [ -n "$(value Date "$release")" ] && [ "$date" -gt $((now + 10)) ]; then
        blame message "%s is not valid yet" \
            cause "it was made $(value Date "$release"), and this host's clock says $(date --utc --date="@$now" '+%a, %d %b %Y %H:%M:%S UTC')" \
            help "set this host's clock"
    fi
    local codename suite_name
    codename=$(value Codename "$release")
    suite_name=$(value Suite "$release")
    if [ "${suite%/}" != "$codename" ] && [ "${suite%/}" != "$suite_name" ]; then
        say severity warning message "the mirror's \`$suite\` calls itself \`${codename:-$suite_name}\`" \
            cause "Codename and Suite in $uri/dists/$suite/InRelease" \
            help "say the codename that is meant" field release
    fi
    local arches listed
    arches=$(value Architectures "$release")
    if [ -n "$arches" ] && ! has "$arches" "$ARCH"; then
        complete=
        blame message "there are no packages for the architecture \`$ARCH\` in %s" \
            cause "it has $arches" help "choose one of these with \`arch\`, or a mirror that has \`$ARCH\`" field arch
        return
    fi
    # Security archives write `updates/main`.
    listed=
    for component in $(value Components "$release"); do listed+="${component##*/} "; done
    for component in $components; do
        if [ -n "$listed" ] && ! has "$listed" "${component##*/}"; then
            complete=
            blame message "there is no component \`$component\` in %s" cause "it has ${listed% }" \
                help "leave it out of \`components\`, or take a mirror that has it" field components word "$component"
            continue
        fi
        for of in "$ARCH" all; do
            if [ "$of" = all ]; then
                has "$arches" all || continue
                case $(value No-Support-for-Architecture-all "$release") in *Packages*) continue ;; esac
            fi
            [ ! -s wanted ] || index "$uri" "$suite" "$component/binary-$of/Packages" "$release"
        done
    done
}

# index URI SUITE PATH RELEASE: the names in one index, from the cache where it was
# seen before.
index() {
    local digest="" size="" path suffix tool lacks=""
    for suffix in .xz .gz ""; do
        path=$3$suffix
        read -r digest size < <(awk -v path="$path" '/^[^ ]/ { on = ($1 == "SHA256:") } on && $3 == path { print $1, $2; exit }' "$4")
        [ -n "$digest" ] || continue
        case $suffix in
            .xz) tool=xz ;;
            .gz) tool=gzip ;;
            *) break ;;
        esac
        ! command -v "$tool" >/dev/null || break
        # The next form may be listed, and even be there.
        lacks=$tool digest=
    done
    if [ -z "$digest" ] && [ -n "$lacks" ]; then
        complete=
        blame unknown "the packages of %s: this host has no $lacks to read their list with"
        return
    fi
    # An architecture or a component that has no index has no packages.
    [ -n "$digest" ] && [ "$size" != 0 ] || return 0
    case $digest in *[!0-9a-f]*) return 0 ;; esac
    local kept=$cache/$digest.names
    if ! [ -e "$kept" ]; then
        why=
        if ! get "$1/dists/$2/$path" packages; then
            complete=
            [ -z "$lacks" ] || why="this host has no $lacks to read their list with"
            blame unknown "the packages of %s: ${why:-$path is not there}"
            return
        fi
        if ! sha256sum --check --status <<<"$digest  packages"; then
            complete=
            blame unknown "the packages of %s: $path is not what InRelease says, as while a mirror is updated"
            return
        fi
        if ! case $suffix in
            .xz) xz --decompress --stdout packages ;;
            .gz) gzip --decompress --stdout packages ;;
            *) cat packages ;;
        esac >index; then
            complete=
            blame unknown "the packages of %s: nothing can be read in $path"
            return
        fi
        # An index that is there may be of no packages.
        awk '
            $1 == "Package:" { print $2 }
            $1 == "Provides:" { sub(/^Provides: */, ""); gsub(/\([^)]*\)/, ""); n = split($0, p, / *, */); for (i = 1; i <= n; i++) { sub(/ .*/, "", p[i]); sub(/:.*/, "", p[i]); print p[i] } }
        ' index >names.new
        # Two checks may do this at once: the file is whole whenever it is there.
        cp names.new "$cache/.$digest.$$" && mv "$cache/.$digest.$$" "$kept"
    fi
    touch "$kept"
    cat "$kept" >>names
}

now=$(date +%s)
KEYRING_NAME=${KEYRING_NAME:-$KEYRING}
complete=yes
if [ "${NAMES:-}" = no ]; then exec </dev/null; fi
cache=${CACHE:-.}
: >names
cat >wanted
if ! command -v curl >/dev/null; then
    say unknown "the archives: this host has no curl"
    exit 0
fi
count=0
while read -r uri suite components; do
    {
        why=
        get "${uri%/}/dists/$suite/InRelease" "release.$count"
        echo "$? $why" >"release.$count.status"
    } &
    count=$((count + 1))
done <<<"$SOURCES"
wait
count=0
while read -r uri suite components; do
    archive "$uri" "$suite" "$components" "$count"
    count=$((count + 1))
done <<<"$SOURCES"
blames
[ -s wanted ] || exit 0
# What an index that was not seen holds, nobody knows.
[ -n "$complete" ] || { say unknown "whether the archives have the packages: not all of their indexes were seen"; exit 0; }

# Words that the package manager reads as something else than one name are left to it; of
# `NAME=VERSION`, `NAME/RELEASE`, `NAME:ARCH`, and `NAME-` where that is none, the name counts.
awk -v arch="$ARCH" '
    FILENAME == "names" { there[$1]; next }
    {
        word = $1; name = word
        if (name == "" || name ~ /[*?^$~\[\]|()]/ || name ~ /^[.\/]/) next
        sub(/[=\/].*/, "", name)
        if (name ~ /:/) { split(name, parts, ":"); if (parts[2] != arch && parts[2] != "all" && parts[2] != "any") next; name = parts[1] }
        plain = name; sub(/[-+]$/, "", plain)
        if (plain in there) next
        printf "%d\t%s\t%s\n", FNR, word, name
    }
' names wanted >asked
suites=$(awk 'NF { printf "%s%s", separator, $2; separator = ", " }' <<<"$SOURCES")
missing "no package and no provided name is called that in $suites, for $ARCH" "look for its name in this release; it may be in another component"
exit 0
