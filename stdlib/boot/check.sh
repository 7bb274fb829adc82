# Runs in a node that was booted to be looked at, beside its services, from /run: no file of
# its root is changed for it. Says what it sees on the serial port $1, a line each, as
# `rootwright NAME VALUE`. Words between `@` are put in by rootwright.
exec 3>"$1"
say() { printf 'rootwright %s\n' "$*" >&3; }
property() { systemctl show --value --property="$1" ${2:+"$2"} 2>/dev/null; }
now() {
    read -r up _ </proc/uptime
    echo "${up%%.*}"
}
end=$(( $(now) + @SECONDS@ ))
late() { [ "$(now)" -ge "$end" ]; }

# By what the root's init is: `goal` is where it is when it is up, `reached` looks whether it
# is, `under_way` whether it may still get there.
if [ -d /run/systemd/system ]; then
    goal=multi-user.target
    reached() { [ "$(systemctl is-active multi-user.target)" = active ]; }
    under_way() { [ -n "$(jobs)" ]; }
    state() { systemctl is-system-running; }
elif [ -x /sbin/openrc ] || [ -x /usr/sbin/openrc ]; then
    goal='runlevel default'
    # A file is there while a runlevel's services are started.
    reached() { [ "$(cat /run/openrc/softlevel 2>/dev/null)" = default ] && [ ! -e /run/openrc/rc.starting ]; }
    under_way() { true; }
    state() { cat /run/openrc/softlevel; }
else
    level=$(sed -n 's/^[^#:]*:\([0-9]\):initdefault:.*/\1/p' /etc/inittab)
    goal="runlevel $level"
    # The runlevel is what init is about to enter; the script that starts its services is gone
    # when they are. Between the two there is a moment in which that has not started yet.
    reached() { settled && sleep 1 && settled; }
    settled() {
        case $(state) in *" $level") ;; *) return 1 ;; esac
        for process in /proc/[0-9]*; do
            if read -r name 2>/dev/null <"$process/comm"; then
                case $name in rc | rcS | startpar) return 1 ;; esac
            fi
        done
    }
    under_way() { true; }
    state() { runlevel 2>/dev/null; }
fi
jobs() { systemctl list-jobs --no-legend --plain 2>/dev/null; }

say stage started
say goal "$goal"
# The check runs while the system comes up.
while ! reached; do
    # Where nothing is left to be done, nothing more will come.
    if late || ! under_way; then break; fi
    sleep 1
done
if reached; then say stage "$goal"; fi
if [ "$goal" = multi-user.target ]; then
    while case $(state) in initializing | starting) true ;; *) false ;; esac; do
        if late; then break; fi
        sleep 1
    done
    jobs | while read -r _ unit kind state; do say job "$unit $kind $state"; done
    # Microseconds since the kernel started; 0 where there was no such stage.
    say initramfs "$(property InitRDTimestampMonotonic)"
    say system "$(property UserspaceTimestampMonotonic)"
    say up "$(property ActiveEnterTimestampMonotonic multi-user.target)"
elif reached; then
    read -r up _ </proc/uptime
    say up "${up%%.*}${up##*.}0000"
else
    # What starts services, and has not ended.
    for process in /proc/[0-9]*; do
        words=$(tr '\0' ' ' <"$process/cmdline" 2>/dev/null)
        case $words in */etc/init.d/*) say job "${words% }" ;; esac
    done
fi

root_type='' root_options='' lower=''
while read -r _ place type options _; do
    if [ "$place" = / ]; then root_type=$type root_options=$options; fi
done </proc/mounts
say root "$root_type"
if [ "$root_type" = overlay ]; then
    lower=${root_options#*lowerdir=}
    lower=${lower%%,*}
    # The lowest of several.
    lower=${lower##*:}
    while read -r source place type _; do
        if [ "$place" = "$lower" ]; then
            say lower "$type"
            say source "$source"
        fi
    done </proc/mounts
    if touch "$lower/etc/rootwright-check" 2>/dev/null; then say lower-write ok; else say lower-write refused; fi
fi
if touch /etc/rootwright-check 2>/dev/null && rm /etc/rootwright-check; then say write ok; else say write failed; fi
say state "$(state)"
for service in /run/openrc/failed/*; do
    if [ -e "$service" ]; then say failed "${service##*/}"; fi
done
systemctl --failed --no-legend --plain 2>/dev/null | while read -r unit _; do
    say failed "$unit"
    journalctl --boot --no-pager --output=cat --lines=5 --unit="$unit" 2>/dev/null | while IFS= read -r line; do say journal "$unit: $line"; done
done
say kernel "$(uname -r)"
# KiB
while read -r name value _; do
    case $name in MemTotal:) say memory-total "$value" ;; MemAvailable:) say memory-available "$value" ;; esac
done </proc/meminfo
received=0 sent=0
for link in /sys/class/net/*; do
    case $link in */lo) continue ;; esac
    if read -r bytes <"$link/statistics/rx_bytes"; then received=$((received + bytes)); fi
    if read -r bytes <"$link/statistics/tx_bytes"; then sent=$((sent + bytes)); fi
done
say received $received
say sent $sent

# run NUMBER COMMAND
run() {
    left=$(( end - $(now) ))
    timeout --kill-after=2 $((left > 1 ? left : 1)) sh -c "$2" >/run/rootwright-output 2>&1 </dev/null
    say status "$1 $?"
    tail -n 40 /run/rootwright-output | while IFS= read -r line || [ -n "$line" ]; do say output "$1 $line"; done
}
@COMMANDS@
say end
