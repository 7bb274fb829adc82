# shellcheck shell=bash
# rootwright's shell runtime, version 1: the functions that the script of a plan calls.
#
# A script gets the functions that it uses. A line `#: NAMES` begins a block of functions;
# `#: NAMES | PROGRAM: WHY` names a program that they need. Nothing runs before a call.
# Quoted text means itself, functions have optional arguments, and the script sets variables:
# shellcheck disable=SC1003,SC1111,SC1112,SC2016,SC2034,SC2119,SC2120,SC2153,SC2154

#: begin need need_secret enter
# Checks the arguments, and prepares what `need` fills.
begin() { # [OUT_DIR]
    if (($# > 1)) || [[ ${1-} == -* ]]; then
        printf 'usage: sudo bash %s [OUT_DIR]\n' "$0" >&2
        exit 2
    fi
    export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin LC_ALL=C.UTF-8
    umask 022
    missing=()
}

# Notes a program or a file that the host lacks.
need() { # PROGRAM|PATH WHY
    if [[ $1 == */* ]]; then [[ -e $1 ]]; else command -v -- "$1" >/dev/null; fi ||
        missing+=("$1: $2")
}

# Notes a secret without a value.
need_secret() { # VARIABLE NAME
    [[ (-n ${SECRETS-} && -e $SECRETS/$2) || -n ${!1+set} ]] ||
        missing+=("$1: in the environment, or a file $2 in the folder SECRETS: the secret $2")
}

# Enters namespaces, so that nothing that is mounted or started outlives the script.
enter() { # [OUT_DIR]
    ((EUID == 0)) || missing+=('root privileges: run it with sudo')
    if ((${#missing[@]} > 0)); then
        printf '%s: missing on this host:\n' "${0##*/}" >&2
        printf '    %s\n' "${missing[@]}" >&2
        exit 1
    fi
    if [[ ${ROOTWRIGHT_INSIDE-} != yes ]]; then
        ROOTWRIGHT_INSIDE=yes exec unshare --mount --pid --fork --kill-child --mount-proc -- \
            bash -- "$0" "$@"
    fi
    unset ROOTWRIGHT_INSIDE
    exec </dev/null

    # Commands see the same environment whoever runs the script; proxies are passed on.
    local name
    passed=()
    while IFS= read -r name; do
        case $name in
            PATH) ;;
            http_proxy | https_proxy | ftp_proxy | all_proxy | no_proxy | SOURCE_DATE_EPOCH | \
                HTTP_PROXY | HTTPS_PROXY | FTP_PROXY | ALL_PROXY | NO_PROXY)
                passed+=("--setenv=$name")
                ;;
            *) export -n -- "${name?}" ;;
        esac
    done < <(compgen -e)
    unset SHLVL OLDPWD
    export HOME=/root LANG=C.UTF-8 LC_ALL=C.UTF-8 TMPDIR=/run/systemd/nspawn/tmp

    # systemd-nspawn wants a tmpfs here.
    mkdir -p /run/systemd/nspawn
    mount -t tmpfs -o mode=0755 tmpfs /run/systemd/nspawn
    mkdir -m 1777 "$TMPDIR"
    keyrings=/run/systemd/nspawn/keyrings

    OUT=${1:-out}
    mkdir -p -- "$OUT"
    OUT=$(cd -- "$OUT" && pwd -P)
    work=$(mktemp -d -- "${WORK:-$OUT}/.rootwright.XXXXXX")
    work=$(cd -- "$work" && pwd -P)
    current=
    stage=
    trap on_exit EXIT
    trap 'exit 130' INT
    trap 'exit 143' TERM HUP
}

#: die step on_exit
# Ends the script with a message.
die() { # MESSAGE...
    printf '%s: %s\n' "${0##*/}" "$*" >&2
    exit 1
}

# Says which step begins; what fails after this line fails in that step.
step() { # NUMBER LABEL
    current="step $1, $2"
    printf '\n==> %s. %s\n' "$1" "$2" >&2
}

# Removes what the script has not finished.
on_exit() {
    local status=$?
    trap - EXIT
    if ((status != 0)) && [[ -n $current ]]; then
        printf '%s: failed in %s\n' "${0##*/}" "$current" >&2
    fi
    if [[ -n ${KEEP-} ]]; then
        printf '%s: kept %s\n' "${0##*/}" "$work" >&2
    else
        rm -rf --one-file-system -- "$work"
    fi
    if [[ -n $stage ]]; then
        rm -rf --one-file-system -- "$stage"
    fi
    exit "$status"
}

#: take
# Sets `text` to standard input, up to the last line break.
take() {
    IFS= read -r -d '' text || true
}

#: print_secret print_secret_line
# Prints a secret: the bytes of its file, or its variable.
print_secret() { # VARIABLE NAME
    if [[ -n ${SECRETS-} && -e $SECRETS/$2 ]]; then
        cat -- "$SECRETS/$2"
    else
        printf '%s' "${!1}"
    fi
}

# Prints a secret without the line break at its end.
print_secret_line() { # VARIABLE NAME
    if [[ $(print_secret "$@" | tail --bytes=1 | od -A n -t x1) == ' 0a' ]]; then
        print_secret "$@" | head --bytes=-1
    else
        print_secret "$@"
    fi
}

#: load_secret
# Sets the variable of a secret that is a file.
load_secret() { # VARIABLE NAME
    if [[ -z ${SECRETS-} || ! -e $SECRETS/$2 ]]; then return; fi
    # It ends at a NUL byte, if there is one.
    if IFS= read -r -d '' "$1" <"$SECRETS/$2"; then
        die "the secret $2 has a NUL byte, and no variable can hold one"
    fi
}

#: on_host
# Runs a program of the host, never a function or a builtin of the same name.
on_host() { # [NAME=VALUE...] COMMAND...
    (cd / && exec env -u _ -- "$@")
}

#: in_root
# Runs a command inside the root, without a network.
in_root() { # [FLAG...] -- COMMAND...
    "${nspawn_command[@]}" "--directory=$ROOT" --private-network "$@"
}

#: in_root_online
# Runs a command inside the root, with the host's network and DNS.
in_root_online() { # [FLAG...] -- COMMAND...
    local status=0
    dns_begin
    "${nspawn_command[@]}" "--directory=$ROOT" "${passed[@]}" "$@" || status=$?
    dns_end
    return "$status"
}

#: in_root_path follow in_root_parent make_dirs
# Sets `resolved` to where PATH of the root is on the host. Links are followed as the root
# would follow them: an absolute one starts at its top, and `..` stops there.
in_root_path() { # PATH
    follow "$1" || die "the root has no $1: $reason"
}

# The same, but fails with a `reason` instead of ending the script.
follow() { # PATH
    local rest=$1 at='' part link count=0
    while [[ -n $rest ]]; do
        part=${rest%%/*}
        if [[ $rest == */* ]]; then rest=${rest#*/}; else rest=''; fi
        if [[ $part == .. ]]; then
            if [[ ! -d $ROOT$at ]]; then
                reason="$at is not a directory"
                return 1
            fi
            at=${at%/*}
        elif [[ -L $ROOT$at/$part && -n $part ]]; then
            if ((++count > 40)); then
                reason='too many levels of symbolic links'
                return 1
            fi
            # The dot keeps line breaks at the end of a name.
            link=$(readlink -n -- "$ROOT$at/$part" && printf .)
            link=${link%.}
            if [[ $link == /* ]]; then at=''; fi
            rest=$link/$rest
        elif [[ -n $part && $part != . ]]; then
            at=$at/$part
        fi
    done
    resolved=$ROOT$at
}

# Sets `resolved` to the name itself: a link at the end of PATH is not followed.
in_root_parent() { # PATH
    local path=$1 name
    while [[ $path == */ ]]; do path=${path%/}; done
    name=${path##*/}
    case $name in
        '' | . | ..) die "$1 does not name a file" ;;
    esac
    in_root_path "${path%/*}"
    resolved=$resolved/$name
}

# Makes a directory of the host and its parents: mode 0755, root's, whatever is above.
make_dirs() { # DIRECTORY
    if [[ -d $1 ]]; then return; fi
    make_dirs "${1%/*}"
    mkdir -- "$1"
    chown 0:0 -- "$1"
    chmod 00755 -- "$1"
}

#: glob_in_root
# Sets `found` to the paths of the root that PATTERN names. `*`, `?` and `[…]` match within
# one name, and no dot in front, as in a shell.
glob_in_root() { # PATTERN
    local rest=$1 part base name next
    found=('')
    while [[ -n $rest ]]; do
        part=${rest%%/*}
        if [[ $rest == */* ]]; then rest=${rest#*/}; else rest=''; fi
        if [[ -z $part || $part == . ]]; then continue; fi
        next=()
        for base in "${found[@]}"; do
            if ! follow "$base" || [[ ! -d $resolved ]]; then
                continue
            elif [[ $part == .. ]]; then
                next+=("$base/..")
            elif [[ $part != *[*?[\\]* ]]; then
                if [[ -e $resolved/$part || -L $resolved/$part ]]; then
                    next+=("$base/$part")
                fi
            else
                while IFS= read -r -d '' name; do
                    # shellcheck disable=SC2053 # a pattern is what is wanted
                    if [[ $name == $part && ($name != .* || $part == .*) ]]; then
                        next+=("$base/$name")
                    fi
                done < <(find "$resolved" -mindepth 1 -maxdepth 1 -printf '%f\0' | sort -z)
            fi
        done
        found=("${next[@]}")
    done
}

#: cover uncover
# Covers a folder of the root with a folder of downloads, which is not part of the root. Each root
# has its own: apt doesn't compare digests of what it finds there.
cover() { # POOL PATH
    local folder=$work/downloads/${ROOT##*/}/$1
    in_root_path "$2"
    make_dirs "$resolved"
    mkdir -p -- "$folder"
    mount --bind "$folder" "$resolved" || die "cannot cover $2"
}

# Uncovers it again.
uncover() { # PATH
    in_root_path "$1"
    umount -- "$resolved" || die "cannot uncover $1"
}

#: points no_points
# Notes the mount points that the root lacks: systemd-nspawn makes them, and leaves them.
points() { # PATH...
    local path
    lacking=()
    for path; do
        while in_root_path "$path" && [[ ! -e $resolved ]]; do
            lacking+=("$path")
            path=${path%/*}
        done
    done
}

# Removes them if they are empty.
no_points() {
    local path
    for path in "${lacking[@]}"; do
        in_root_path "$path"
        if [[ -d $resolved ]]; then rmdir --ignore-fail-on-non-empty -- "$resolved"; else rm -f -- "$resolved"; fi
    done
}

#: dns_begin dns_end
# Puts a copy of the host's resolv.conf in the place of the root's own, which is put aside
# until the command is done: a file, a link that may lead nowhere, a directory.
dns_begin() {
    dns_place=
    dns_aside=
    [[ -e /etc/resolv.conf ]] || return 0
    in_root_path /etc
    [[ -d $resolved ]] || return 0
    dns_place=$resolved/resolv.conf
    if [[ -e $dns_place || -L $dns_place ]]; then
        dns_aside=$work/resolv.conf
        mv -T -- "$dns_place" "$dns_aside" || die "cannot put $dns_place aside"
    fi
    # With a second name its inode is not given to another file meanwhile.
    install -m 0644 /etc/resolv.conf "$work/resolv.lent" || die "cannot write to $work"
    ln -- "$work/resolv.lent" "$dns_place" || die "cannot make $dns_place"
}

# Puts the root's own back. Where the command has replaced or removed the file, that stays.
dns_end() {
    local lent
    [[ -n $dns_place ]] || return 0
    lent=$(find "${dns_place%/*}" -maxdepth 1 -samefile "$work/resolv.lent" -print -quit)
    if [[ -n $lent ]]; then
        rm -f -- "$lent" || die "cannot remove $lent"
        if [[ -n $dns_aside ]]; then
            mv -T -- "$dns_aside" "$lent" || die "cannot put $lent back"
        fi
    elif [[ -n $dns_aside ]]; then
        rm -rf -- "$dns_aside" || die "cannot remove $dns_aside"
    fi
    rm -f -- "$work/resolv.lent"
}

#: boot_in_root boot boot_begin boot_file boot_end
# Boots the root's own init in a container, has it run a command once the system is up,
# and shuts it down. CONTROL is a folder that holds what is to run, as a unit; the container
# sees it below /run, so that nothing of this is ever in the root. Ends as the command does,
# with 124 when the time is over, with 125 when the system did not come up or go down.
boot_in_root() { # SECONDS ROOT ROOT'S-ETC CONTROL NSPAWN...
    local seconds=$1 root=$2 etc=$3 control=$4 bound=${4//:/\\:} status=0
    local group groups=() hold id kinds name='' path pid reader said tries had_id='' unified=''
    shift 4
    if [[ ! -x $root/usr/lib/systemd/systemd && ! -x $root/lib/systemd/systemd ]]; then
        echo no-init >"$control/stage"
        return 125
    fi
    boot_files "$seconds" "$control"

    # Control groups of its own: systems that boot at once would take each other's processes
    # for theirs, and end them.
    while IFS=: read -r id kinds path; do
        case $id:$kinds in
            0:) group=/sys/fs/cgroup/unified ;;
            *:name=systemd) group=/sys/fs/cgroup/systemd ;;
            *) continue ;;
        esac
        [[ -e $group/cgroup.procs ]] || group=/sys/fs/cgroup
        [[ -e $group/cgroup.procs ]] || continue
        if [[ -e $group/cgroup.controllers ]]; then unified=1; fi
        group=${group}${path%/}
        # What is left of one that was killed is empty by now.
        find "$group" -mindepth 1 -maxdepth 1 -name 'rootwright-boot.*' -mmin +5 \
            -exec find {} -depth -type d -exec rmdir {} + \; 2>/dev/null || true
        # One name in all hierarchies: systemd-nspawn makes what it finds in one in the other.
        if [[ -z $name ]]; then
            group=$(mktemp -d -- "$group/rootwright-boot.XXXXXX" 2>/dev/null) || continue
            name=${group##*/}
        else
            group=$group/$name
            mkdir -- "$group" 2>/dev/null || continue
        fi
        groups+=("$group")
    done </proc/self/cgroup

    # The file has to be there to be mounted over.
    if [[ -n $etc && -e $etc/machine-id ]]; then had_id=1; fi
    mkfifo -m 0600 "$control/output"
    exec {hold}<>"$control/output"
    cat -- "$control/output" {hold}>&- &
    reader=$!
    # Who owns the folder is root in the container.
    chown --recursive --reference="$control" -- "$control"
    (
        exec {hold}>&-
        for group in "${groups[@]}"; do
            echo "$BASHPID" >"$group/cgroup.procs" || exit 125
        done
        # On a host that has both, systemd 258 takes the newer kind of control groups only.
        # The time is kept inside; this limit is for a system that does not even get there.
        exec env TERM=dumb ${unified:+SYSTEMD_NSPAWN_UNIFIED_HIERARCHY=1} \
            timeout --foreground --kill-after=10 $((seconds + 20)) \
            "$@" --console=read-only --tmpfs=/run/systemd:mode=0755 \
            --bind="$bound:/run/rootwright" \
            --bind-ro="$bound/rootwright.service:/run/systemd/system/rootwright.service" \
            --bind-ro="$bound/up.service:/run/systemd/system/rootwright-up.service" \
            --bind-ro="$bound/journald.conf:/run/systemd/journald.conf.d/zz-rootwright.conf" \
            --bind-ro="$bound/machine-id:/etc/machine-id" \
            --boot -- systemd.wants=rootwright-up.service \
            systemd.show_status=error systemd.log_color=0 \
            systemd.condition-first-boot=0 systemd.condition_needs_update=0 fstab=0 \
            systemd.mask=timers.target systemd.mask=getty.target \
            systemd.mask=systemd-machine-id-commit.service \
            systemd.mask=systemd-update-utmp.service \
            systemd.mask=systemd-update-utmp-runlevel.service
    ) </dev/null >"$control/console" 2>&1 &
    pid=$!
    wait "$pid" || status=$?
    exec {hold}>&-
    wait "$reader" || true

    # A process that has just ended may still be counted.
    for group in "${groups[@]}"; do
        for ((tries = 0; tries < 40; tries++)); do
            find "$group" -depth -type d -exec rmdir {} + 2>/dev/null && break
            sleep 0.05
        done
    done
    if [[ -z $had_id && -f $etc/machine-id && ! -s $etc/machine-id ]]; then
        rm -f -- "$etc/machine-id"
    fi
    # The root's system has ended. It may have put anything here: links to files of the host, pipes
    # that nobody writes to, files without an end.
    for said in told status stage late console; do
        if [[ -L $control/$said || ! -f $control/$said ]]; then rm -rf -- "${control:?}/$said"; fi
    done
    if [[ -e $control/told ]]; then head -c 65536 -- "$control/told"; fi
    said=$(head -c 100 -- "$control/status" 2>/dev/null | tr -d '\0') || true
    if [[ -e $control/late ]]; then said=late; fi
    case $said in
        # The container ends with the status of the command's unit, once it is down.
        "exited $status")
            echo down >"$control/stage"
            return "$status"
            ;;
        killed* | dumped*)
            echo down >"$control/stage"
            return $((128 + $(kill -l "${said#* }" 2>/dev/null || echo 127)))
            ;;
    esac
    if [[ ! -e $control/told && -e $control/console ]]; then
        tail -c 16384 -- "$control/console" | tail -n 20 | tr -d '\r'
    fi
    # These two are timeout's.
    if ((status == 124 || status == 137)); then : >"$control/late"; fi
    if [[ -e $control/late ]]; then return 124; fi
    return 125
}

# What is the same for every boot.
boot_files() { # SECONDS CONTROL
    # A user of the root may have to read the command.
    chmod 0755 "$2"
    if [[ -e $2/stdin ]]; then chmod 0600 "$2/stdin"; fi
    # Any id will do, but none that is empty: with that it would be the first boot, and all
    # units be enabled and disabled as a fresh installation has them.
    echo 726f6f7477726967687420626f6f7473 >"$2/machine-id"
    # The journal is of this boot, and not the root's.
    printf '[Journal]\nStorage=volatile\n' >"$2/journald.conf"
    cat >"$2/up.service" <<EOF
[Unit]
Description=the recipe's script, once the system is up
DefaultDependencies=no
IgnoreOnIsolate=yes
[Service]
ExecStart=/bin/sh /run/rootwright/watch up $1
StandardInput=null
StandardOutput=null
StandardError=null
EOF
    cat >"$2/watch" <<'EOF'
# Runs in the booted root.
cd /run/rootwright || exit 1

failed() {
    systemctl --no-legend --plain --failed list-units | while read -r unit rest; do
        case $unit in rootwright*) ;; *) echo "failed: $unit" ;; esac
    done
}

waiting() {
    systemctl --no-legend --plain list-jobs | while read -r job unit kind state rest; do
        case $unit:$state in *.target:* | rootwright*) ;; *:running) echo "waiting: $unit ($kind)" ;; esac
    done
}

journal() {
    journalctl --boot --quiet --no-pager --no-hostname --output=short-monotonic "$@" | while read -r line; do
        echo "journal: $line"
    done
}

# What hangs, what has failed, the journal's errors, and what those units said last.
tell() {
    { waiting; failed; } >units
    { cat units; journal --lines=20 --priority=err; } >telling
    while read -r kind unit rest; do
        journal --lines=3 --unit="$unit" >>telling
    done <units
    mv telling told
}

end() { # STATUS
    tell
    systemctl --force exit "$1"
    sleep 60
}

up() { # SECONDS
    if [ -e stage ]; then
        echo again >stage
        end 125
    fi
    echo boot >stage
    read -r now rest </proc/uptime
    over=$((${now%.*} + $1))
    while :; do
        case $(cat stage)-$(systemctl is-system-running 2>/dev/null) in
            boot-running | boot-degraded)
                failed >output
                echo script >stage
                systemctl --no-block start rootwright.service
                ;;
            boot-maintenance) end 125 ;;
        esac
        read -r now rest </proc/uptime
        if [ "${now%.*}" -ge "$over" ]; then
            : >late
            end 124
        fi
        sleep 0.1
    done
}

ended() {
    [ "$EXIT_CODE $EXIT_STATUS" = 'exited 0' ] || tell
    echo "$EXIT_CODE $EXIT_STATUS" >status
    echo ended >stage
}

exec 2>/dev/null
"$@"
EOF
}

# Makes a folder for what the next boot runs.
boot_begin() {
    control=$work/boot
    mkdir -- "$control"
}

# Adds a file to it.
boot_file() { # NAME, its content on standard input
    cat >"$control/$1"
}

# Boots the root and runs what the folder holds.
boot() { # online|offline SECONDS [FLAG...]
    local flags=() seconds=$2 status=0 network=$1
    case $network in
        online) flags=("${passed[@]}") ;;
        offline) flags=(--private-network) ;;
    esac
    shift 2
    in_root_path /etc
    local etc=$resolved
    [[ $network = offline ]] || dns_begin
    boot_in_root "$seconds" "$ROOT" "$etc" "$control" \
        "${nspawn_boot[@]}" "--directory=$ROOT" "${flags[@]}" "$@" || status=$?
    [[ $network = offline ]] || dns_end
    return "$status"
}

# Fails unless the system has gone down, whatever its command may do.
boot_end() {
    [[ $(head -c 100 -- "$control/stage" | tr -d '\0') = down ]] || die 'the root did not come up and go down'
    rm -rf -- "$control"
}

#: scanned | perl: reads the output of commands
# Runs a command whose exit status does not tell: a line of its output that a --fail-on
# matches and no --ignore does is a failure.
scanned() { # [--fail-on REGEX]... [--ignore REGEX]... -- COMMAND...
    local patterns=() lines status=0
    while [[ $1 != -- ]]; do
        patterns+=("$1" "$2")
        shift 2
    done
    shift
    "$@" 2>&1 | perl -e '
        use strict;
        my ($to, %patterns) = (shift, "--fail-on" => [], "--ignore" => []);
        while (my ($flag, $pattern) = splice @ARGV, 0, 2) {
            utf8::decode($pattern);
            push @{ $patterns{$flag} }, qr/(?:$pattern)/u;
        }
        $| = 1;
        open my $out, ">", $to or die "$to: $!\n";
        while (my $line = <STDIN>) {
            print $line;
            # A progress bar writes its line again and again: the last state is the line.
            $line =~ s/[\r\n]+\z//;
            $line =~ s/.*\r//s;
            my $text = $line;
            utf8::decode($text);
            next unless grep { $text =~ $_ } @{ $patterns{"--fail-on"} };
            print $out "$line\n" unless grep { $text =~ $_ } @{ $patterns{"--ignore"} };
        }
    ' "$work/matched" "${patterns[@]}" || status=$?
    lines=$(cat -- "$work/matched")
    rm -f -- "$work/matched"
    if ((status != 0)); then return "$status"; fi
    if [[ -n $lines ]]; then
        printf 'the exit status was 0, but the output says:\n%s\n' "$lines" >&2
        return 1
    fi
}

#: allowed
# Says that the command before has failed, and continues.
allowed() { # STATUS WHY
    printf 'exit status %s is allowed: %s\n' "$1" "$2" >&2
}

#: set_attributes id_in_root part_names
# Sets `id` to the number of a NAME in the root's passwd or group; a number is one already,
# and root is 0 also where there are no accounts yet.
id_in_root() { # passwd|group NAME
    local name
    id=$2
    if [[ $id =~ ^[0-9]+$ ]]; then return; fi
    if [[ $id == root ]]; then
        id=0
        return
    fi
    in_root_path "/etc/$1"
    [[ -f $resolved ]] || die "the root has no /etc/$1 to look \`$2\` up in"
    while IFS=: read -r name _ id _ || [[ -n $name ]]; do
        if [[ $name == "$2" ]]; then return; fi
    done <"$resolved"
    die "the root's /etc/$1 has no \`$2\`"
}

# Sets owner, group and mode of a file of the host; `-` leaves what is there.
set_attributes() { # FILE [MODE [OWNER [GROUP]]]
    local ids=''
    if [[ ${3:--} != - ]]; then
        id_in_root passwd "$3"
        ids=+$id
    fi
    if [[ ${4:--} != - ]]; then
        id_in_root group "$4"
        ids+=:+$id
    fi
    # In this order: a change of owner takes the setuid bit away.
    if [[ -n $ids ]]; then chown -- "$ids" "$1"; fi
    # Fewer than five digits would leave the setgid bit of a directory.
    if [[ ${2:--} != - ]]; then chmod -- "0$2" "$1"; fi
}

# Parts files from their other names, as every operation does that changes a file.
part_names() { # FILE [recursive]
    local name copy depth=(-maxdepth 0)
    if [[ -n ${2-} ]]; then depth=(); fi
    while IFS= read -r -d '' name; do
        copy=$(mktemp -- "${name%/*}/.rootwright.XXXXXX")
        cp --archive -T -- "$name" "$copy"
        mv -fT -- "$copy" "$name"
    done < <(find "$1" "${depth[@]}" -type f -links +1 -print0)
}

#: new_file write_file append_file
# Makes `draft`, a file that is to take the place of `file`, which PATH is on the host. It has
# the owner, the mode and the attributes of a file that is there.
new_file() { # PATH
    in_root_path "$1"
    file=$resolved
    if [[ -e $file && ! -f $file ]]; then die "$1 is not a regular file"; fi
    make_dirs "${file%/*}"
    draft=$(mktemp -- "${file%/*}/.rootwright.XXXXXX")
    if [[ -e $file ]]; then
        cp --attributes-only --preserve=mode,ownership,xattr -T -- "$file" "$draft"
    else
        chown 0:0 -- "$draft"
        chmod 0644 -- "$draft"
    fi
}

# Writes standard input to a file. A new one gets mode 0644 and root as its owner, one that
# is there keeps its own, unless they are given.
write_file() { # PATH [MODE|- [OWNER|- [GROUP]]]
    new_file "$1"
    # Nobody reads it before its mode is set.
    set_attributes "$draft" "${@:2}"
    cat >"$draft"
    mv -fT -- "$draft" "$file"
}

# Adds standard input to the end of a file.
append_file() { # PATH
    new_file "$1"
    if [[ -e $file ]]; then cat -- "$file" >"$draft"; fi
    cat >>"$draft"
    mv -fT -- "$draft" "$file"
}

#: edit_file | perl: edits files
# Replaces every match of a regular expression by texts and groups of the match, in turn.
# Matches are found as Rust's regex crate finds them. No match is an error.
edit_file() { # PATH REGEX [TEXT [GROUP TEXT]...]
    in_root_path "$1"
    [[ -f $resolved ]] || die "the root has no file $1 to edit"
    new_file "$1"
    perl -e '
        use strict;
        my ($path, $from, $to, $pattern, @parts) = @ARGV;
        utf8::decode($_) for $pattern, @parts;
        open my $in, "<:raw", $from or die "$path: $!\n";
        my $text = do { local $/; <$in> } // "";
        utf8::decode($text) or die "$path is not UTF-8 text\n";
        my ($at, $last, $done, $count, $new) = (0, -1, 0, 0, "");
        while ($at <= length $text) {
            pos($text) = $at;
            $text =~ /(?:$pattern)/gmu or last;
            my ($start, $end) = ($-[0], $+[0]);
            if ($start == $end && $end == $last) {
                # No empty match right after a match.
                $at++;
                next;
            }
            $new .= substr $text, $done, $start - $done;
            for my $n (0 .. $#parts) {
                my $group = $parts[$n];
                $new .= $n % 2 == 0 ? $group
                    : defined $-[$group] ? substr($text, $-[$group], $+[$group] - $-[$group]) : "";
            }
            $at = $last = $done = $end;
            $count++;
        }
        die "nothing in $path matches $pattern\n" unless $count;
        $new .= substr $text, $done;
        utf8::encode($new);
        open my $out, ">:raw", $to or die "$path: $!\n";
        print $out $new;
        close $out or die "$path: $!\n";
    ' -- "$1" "$file" "$draft" "${@:2}"
    mv -fT -- "$draft" "$file"
}

#: copy_in copy_one
# Copies a file or a tree of the host into the root; links in a tree stay links. A tree is
# merged into what is there; MODE is for PATH itself, OWNER and GROUP are for all of it.
copy_in() { # SOURCE PATH [MODE|- [OWNER|- [GROUP]]]
    local owner=0 group=0 name
    [[ -e $1 ]] || die "$1 is missing"
    if [[ -n $(find -H "$1" ! -type f ! -type d ! -type l -print -quit) ]]; then
        die "$1: only files, directories and symbolic links are copied"
    fi
    if [[ ${4:--} != - ]]; then
        id_in_root passwd "$4"
        owner=$id
    fi
    if [[ ${5:--} != - ]]; then
        id_in_root group "$5"
        group=$id
    fi
    if [[ ! -d $1 ]]; then
        in_root_parent "$2"
        copy_one "$1" -L
    else
        while IFS= read -r -d '' name; do
            if [[ -d $1/$name && ! -L $1/$name ]]; then
                in_root_path "$2/$name"
                if [[ ! -d $resolved ]]; then
                    make_dirs "$resolved"
                    chmod --reference="$1/$name" -- "$resolved"
                    chown -- "+$owner:+$group" "$resolved"
                fi
            else
                in_root_parent "$2/$name"
                copy_one "$1/$name" -P
            fi
        done < <(cd -- "$1" && find . -print0)
        in_root_path "$2"
    fi
    set_attributes "$resolved" "${@:3}"
}

# Copies one file or link to `resolved`, with `owner` and `group`.
copy_one() { # SOURCE -L|-P
    make_dirs "${resolved%/*}"
    # What is there is replaced, never written through: it may be a link.
    cp "$2" --remove-destination --preserve=mode -T -- "$1" "$resolved"
    chown --no-dereference -- "+$owner:+$group" "$resolved"
    # The change of owner took the setuid bit away.
    if [[ ! -L $resolved ]]; then chmod --reference="$1" -- "$resolved"; fi
}

#: make_dir
# Makes a directory and its parents.
make_dir() { # PATH [MODE|- [OWNER|- [GROUP]]]
    in_root_path "$1"
    make_dirs "$resolved"
    set_attributes "$resolved" "${@:2}"
}

#: make_link
# Makes a symbolic link; an existing link or file is replaced.
make_link() { # PATH TARGET
    in_root_parent "$1"
    make_dirs "${resolved%/*}"
    ln -sfT -- "$2" "$resolved"
    chown --no-dereference 0:0 -- "$resolved"
}

#: remove_path
# Removes files and trees. A wildcard may match nothing; a plain path has to be there.
remove_path() { # PATTERN [missing-ok]
    local path plain=${1//\\?/}
    glob_in_root "$1"
    if [[ ${#found[@]} -eq 0 && ${2-} != missing-ok && $plain != *[*?]* && $plain != *'['?*']'* ]]; then
        die "the root has no $1 to remove"
    fi
    for path in "${found[@]}"; do
        in_root_parent "$path"
        rm -rf --one-file-system -- "$resolved"
    done
}

#: move_path
# Renames inside the root; a file at the new path is replaced, a directory is not.
move_path() { # FROM TO [missing-ok]
    local from
    in_root_parent "$1"
    from=$resolved
    if [[ ! -e $from && ! -L $from ]]; then
        if [[ ${3-} == missing-ok ]]; then return; fi
        die "the root has no $1 to move"
    fi
    in_root_parent "$2"
    if [[ -d $resolved && ! -L $resolved ]]; then die "$2 is a directory"; fi
    if [[ $from == "$resolved" ]]; then return; fi
    make_dirs "${resolved%/*}"
    mv -fT -- "$from" "$resolved"
}

#: set_mode
# Sets the mode; links below a directory have none.
set_mode() { # MODE PATH [recursive]
    in_root_path "$2"
    part_names "$resolved" "${3-}"
    chmod ${3:+--recursive} -- "0$1" "$resolved"
}

#: set_owner
# Sets owner and group; links below a directory get them themselves, not their targets.
set_owner() { # OWNER GROUP|- PATH [recursive]
    local ids
    id_in_root passwd "$1"
    ids=+$id
    if [[ $2 != - ]]; then
        id_in_root group "$2"
        ids+=:+$id
    fi
    in_root_path "$3"
    part_names "$resolved" "${4-}"
    chown --no-dereference ${4:+--recursive} -- "$ids" "$resolved"
}

#: require require_all
# Notes what is missing in the root, unless one of the patterns names a file.
require() { # PACKAGE WHY PATTERN...
    local pattern path
    for pattern in "${@:3}"; do
        glob_in_root "$pattern"
        for path in "${found[@]}"; do
            if follow "$path" && [[ -e $resolved ]]; then return; fi
        done
    done
    absent+=("$3 (package $1${2:+: $2})")
}

# Fails with all that was missing.
require_all() { # PURPOSE
    if ((${#absent[@]} > 0)); then
        printf 'missing in the root for %s:\n' "$1" >&2
        printf '    %s\n' "${absent[@]}" >&2
        exit 1
    fi
}

#: keyring keys_gpg keys_lack keyring_files keyring_fetch keyring_done | gpg: reads keys
# Begins a keyring of the keys with these fingerprints, and no others. Without fingerprints it
# has all that its files have.
keyring() { # NAME [FINGERPRINT...]
    mkdir -p -- "$keyrings"
    keys_path=$keyrings/$1
    keys_wanted=("${@:2}")
    keys_home=$(mktemp -d -- "$work/keys.XXXXXX")
}

# Runs gpg with the keyring.
keys_gpg() { # ARGUMENT...
    gpg --batch --no-tty --quiet --no-options --no-autostart --trust-model always \
        --homedir "$keys_home" "$@"
}

# Whether a wanted key is missing.
keys_lack() {
    local key
    keys_found=$(keys_gpg --with-colons --list-keys 2>/dev/null |
        awk -F : '/^pub/ { on = 1 } /^fpr/ && on { print $10; on = 0 }')
    [[ -n $keys_found ]] || return 0
    for key in "${keys_wanted[@]}"; do
        [[ $'\n'$keys_found$'\n' == *$'\n'$key$'\n'* ]] || return 0
    done
    return 1
}

# Imports files while a wanted key is missing.
keyring_files() { # FILE...
    local file
    for file in "$@"; do
        keys_lack || return 0
        if [[ -f $file ]]; then keys_gpg --import -- "$file" >/dev/null 2>&1 || true; fi
    done
}

# Runs a command that leaves files of keys in the folder that it is run in.
keyring_fetch() { # COMMAND...
    local folder file
    keys_lack || return 0
    folder=$(mktemp -d -- "$work/fetched.XXXXXX")
    (cd -- "$folder" && env -u _ -- "$@") || return 0
    while IFS= read -r -d '' file; do
        keyring_files "$file"
    done < <(find "$folder" -type f \( -name '*.gpg' -o -name '*.asc' -o -name '*.pgp' \
        -o -name '*GPG-KEY*' \) -print0 | sort -z)
    rm -rf -- "$folder"
}

# Writes the keyring, or says which keys are missing.
keyring_done() { # ABOUT [--armor]
    if keys_lack; then
        die "not all keys of $1 were found; wanted: ${keys_wanted[*]-}; found: ${keys_found//$'\n'/ }"
    fi
    keys_gpg --export "${@:2}" "${keys_wanted[@]}" >"$keys_path"
    chmod 0644 -- "$keys_path"
    rm -rf -- "$keys_home"
}

#: download | curl: downloads files
# Downloads a file into the scratch directory; one with another digest is refused.
download() { # URL SHA256
    local file=$work/fetched/$2 redirects=http,https
    if [[ -e $file ]]; then return; fi
    mkdir -p -- "$work/fetched"
    if [[ $1 == https:* ]]; then redirects=https; fi
    # At most 16 GiB in two hours, and something every minute.
    prlimit --fsize=17179869184 -- curl --fail --silent --show-error --location --globoff --retry 3 \
        --connect-timeout 30 --speed-limit 1 --speed-time 60 --max-time 7200 \
        --proto "=http,https,file" --proto-redir "=$redirects" --output "$file.part" --url "$1"
    printf '%s  %s\n' "$2" "$file.part" | sha256sum --check --quiet -- - ||
        die "$1 does not have the digest $2"
    mv -T -- "$file.part" "$file"
}

#: newest_kernel
# Sets `kver` to the newest kernel version whose modules the root has; empty without one.
newest_kernel() {
    local path
    kver=$(
        glob_in_root '/usr/lib/modules/*'
        paths=("${found[@]}")
        glob_in_root '/lib/modules/*'
        for path in "${paths[@]}" "${found[@]}"; do
            if follow "$path" &&
                [[ -e $resolved/modules.dep || -e $resolved/kernel || -e $resolved/vmlinuz ]]; then
                printf '%s\n' "${path##*/}"
            fi
        done | sort -V | tail -n 1
    )
}

#: begin_export finish_export
# Begins an export in `stage`, which gets its own name when it is complete.
begin_export() { # NAME
    target=$OUT/$1
    if [[ -e $target || -L $target ]] &&
        { [[ -L $target ]] || ! grep -qs '"made_by": "rootwright' -- "$target/manifest.json"; }; then
        die "$target exists and is not an export; it is not replaced"
    fi
    stage=$(mktemp -d -- "$OUT/.export.XXXXXX")
    chmod 0755 -- "$stage"
}

# Gives the export its name.
finish_export() {
    if [[ -e $target ]]; then
        mv -T -- "$target" "$work/replaced"
    fi
    mv -T -- "$stage" "$target"
    stage=
    rm -rf --one-file-system -- "$work/replaced"
    printf 'made %s\n' "$target" >&2
}

#: closed_tree
# Makes the place for a tree: other users of this host can't run its set-uid programs.
closed_tree() {
    mkdir -m 0700 -- "$stage/tree"
    mkdir -- "$stage/tree/root"
    ln -s -- tree/root "$stage/root"
}

#: begin_version finish_version
# Begins a new version of an export: the next number, or the given name.
begin_version() { # NAME [VERSION]
    local shelf=$OUT/$1 number
    if [[ -e $shelf || -L $shelf ]] && ! grep -qs '"made_by": "rootwright' -- "$shelf/manifest.json"; then
        die "$shelf exists and is not an export; nothing is added to it"
    fi
    mkdir -p -- "$shelf"
    version=${2-}
    if [[ -z $version ]]; then
        number=$(sed -n 's/^ *"last": \([0-9]*\).*/\1/p' "$shelf/manifest.json" 2>/dev/null) || true
        for target in "$shelf"/*/; do
            target=$(basename -- "$target")
            if [[ $target =~ ^[0-9]+$ ]] && ((target > ${number:-0})); then number=$target; fi
        done
        version=$((${number:-0} + 1))
    fi
    target=$shelf/$version
    if [[ -e $target || -L $target ]]; then
        die "the version $target exists; it is not changed"
    fi
    printf '{\n  "made_by": "rootwright",\n  "schema": 1,\n  "name": "%s",\n  "format": {\n    "kind": "nfs"\n  },\n  "last": %s\n}\n' \
        "$1" "${number:-0}" >"$shelf/.manifest-new"
    if [[ -z ${2-} ]]; then sed -i "s/\"last\": .*/\"last\": $version/" "$shelf/.manifest-new"; fi
    mv -T -- "$shelf/.manifest-new" "$shelf/manifest.json"
    stage=$(mktemp -d -- "$shelf/.export.XXXXXX")
    chmod 0755 -- "$stage"
}

# Finishes the version and makes it the current one. The link is replaced by a rename.
finish_version() {
    mv -T -- "$stage" "$target"
    stage=
    ln -s -- "$version" "${target%/*}/.current-new"
    mv -T -- "${target%/*}/.current-new" "${target%/*}/current"
    printf 'made %s\n' "$target" >&2
}

#: served write_cmdline
# Sets what texts beside the export name: `server`, `dir`, `bundle`, `url`, `export_name` and
# `export_version`.
served() { # SERVER [DIR [URL]]
    server=$1
    bundle=${target#"$OUT"/}
    dir=${2:-$OUT/${bundle%%/*}}
    url=${3:-http://$1}/$bundle
    export_name=${bundle%%/*}
    export_version=
    if [[ $bundle == */* ]]; then export_version=${bundle#*/}; fi
}

# Writes `cmdline`, with the address where it is known.
write_cmdline() { # [nfs|http]
    case ${1-} in
        nfs) cmdline=${cmdline//SERVER:PATH/"$server:$dir/${bundle#*/}/tree/root"} ;;
        http) cmdline=${cmdline//live:URL\//"live:$url/"} ;;
    esac
    printf '%s\n' "$cmdline" >"$stage/cmdline"
}

#: export_first
# Copies the first file that a pattern names out of the root, if there is one; of
# several the last in the order of versions.
export_first() { # NAME PATTERN...
    local name=$1 pattern path
    for pattern in "${@:2}"; do
        if [[ $pattern == *'{kver}'* ]]; then
            newest_kernel
            if [[ -z $kver ]]; then continue; fi
            pattern=${pattern//'{kver}'/$kver}
        fi
        glob_in_root "$pattern"
        while IFS= read -r path; do
            if follow "$path" && [[ -f $resolved ]]; then
                install -m 0644 -- "$resolved" "$stage/$name"
                return
            fi
        done < <(printf '%s\n' "${found[@]}" | sort -rV)
    done
    printf 'no %s in the root\n' "$name" >&2
}

#: export_manifest
# Writes manifest.json: standard input, then the files of the export and the packages that
# the command prints as `name<TAB>version<TAB>architecture`.
export_manifest() { # [COMMAND...]
    local lines='' name version architecture comma='' file size digest
    newest_kernel
    {
        cat
        if [[ -n $kver ]]; then kver="\"$kver\""; fi
        printf '  "kernel_version": %s,\n' "${kver:-null}"
        printf '  "files": {'
        for file in "$stage"/*; do
            if [[ ! -f $file ]]; then continue; fi
            size=$(stat --format=%s -- "$file")
            digest=$(sha256sum <"$file")
            printf '%s\n    "%s": { "size": %s, "sha256": "%s" }' \
                "$comma" "${file##*/}" "$size" "${digest%% *}"
            comma=,
        done
        printf '\n  },\n  "packages": ['
        if (($# > 0)); then lines=$(in_root -- "$@"); fi
        comma=
        while IFS=$'\t' read -r name version architecture; do
            if [[ -z $name ]]; then continue; fi
            printf '%s\n    { "name": "%s", "version": "%s", "architecture": "%s" }' \
                "$comma" "$name" "$version" "$architecture"
            comma=,
        done < <(printf '%s\n' "$lines" | sed 's/[\\"]/\\&/g; s/\r$//' | LC_ALL=C sort)
        printf '\n  ]\n}\n'
    } >"$work/manifest.json"
    mv -- "$work/manifest.json" "$stage/manifest.json"
    chmod 0644 -- "$stage/manifest.json"
}
