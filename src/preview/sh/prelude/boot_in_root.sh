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
    (
        exec {hold}>&-
        for group in "${groups[@]}"; do
            echo "$BASHPID" >"$group/cgroup.procs" || exit 125
        done
        # On a host that has both, systemd 258 takes the newer kind of control groups only.
        # The time is kept inside; this limit is for a system that does not even get there.
        exec env TERM=dumb ${unified:+SYSTEMD_NSPAWN_UNIFIED_HIERARCHY=1} \
            timeout --foreground --kill-after=10 $((seconds + 20)) \
            "$@" --console=read-only --bind="$bound:/run/rootwright" \
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
    if [[ -e $control/told ]]; then cat -- "$control/told"; fi
    said=$(cat -- "$control/status" 2>/dev/null) || true
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
    if [[ ! -e $control/told ]]; then tail -n 20 -- "$control/console" | tr -d '\r'; fi
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
