# Runs in a node that was booted to be looked at, as a transient unit, from /run: no file of
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
reached() { [ "$(systemctl is-active multi-user.target)" = active ]; }
jobs() { systemctl list-jobs --no-legend --plain 2>/dev/null; }

say stage started
# The check runs while the system comes up.
while ! reached; do
    # Where nothing is left to be done, nothing more will come.
    if late || [ -z "$(jobs)" ]; then break; fi
    sleep 1
done
if reached; then say stage multi-user; fi
while case $(systemctl is-system-running) in initializing | starting) true ;; *) false ;; esac; do
    if late; then break; fi
    sleep 1
done
jobs | while read -r _ unit kind state; do say job "$unit $kind $state"; done

# Microseconds since the kernel started; 0 where there was no such stage.
say initramfs "$(property InitRDTimestampMonotonic)"
say system "$(property UserspaceTimestampMonotonic)"
say multi-user "$(property ActiveEnterTimestampMonotonic multi-user.target)"

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
say state "$(systemctl is-system-running)"
systemctl --failed --no-legend --plain | while read -r unit _; do
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
