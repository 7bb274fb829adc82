# shellcheck shell=sh disable=SC2154  # set by who runs it
# For a command of the host that installs packages into the root at $root: what their scripts
# look for is there as in a container, and gone after. Of the host's devices, only those that
# hold nothing, and of the kernel's files not what is mounted below them: without selinuxfs, rpm
# does not label files by the host's policy. After devices.sh.
for folder in proc sys dev run tmp; do
    if [ -L "$root/$folder" ]; then
        echo "rootwright: /$folder is a link in the root" >&2
        exit 1
    fi
done
leave() {
    for folder in proc sys dev run tmp; do
        # Where a mount failed there is nothing to take away.
        umount --recursive --lazy "$root/$folder" 2>/dev/null || :
    done
}
trap leave EXIT
mount -t proc -o nosuid,nodev,noexec proc "$root/proc"
mount --bind /sys "$root/sys"
mount -o remount,bind,ro,nosuid,nodev,noexec "$root/sys"
mount -t tmpfs -o nosuid,nodev,mode=0755 tmpfs "$root/run"
mount -t tmpfs -o nosuid,nodev,mode=1777 tmpfs "$root/tmp"
mount_devices null zero full random urandom tty
