//! What a held program may ask of the kernel.

use std::collections::BTreeMap;

use rustix::thread::CapabilitySet;
use seccompiler::{
    BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter,
    SeccompRule, TargetArch,
};

/// What a program is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Limits {
    /// A tool of the host, which mounts in a root and works on it from outside.
    HostTool,
    /// A program of a root.
    Root,
}

/// Capabilities of the user namespace that are left, all over what belongs to that alone.
const KEPT: &[CapabilitySet] = &[
    // Packages have files of several owners, with the modes and capabilities that they say.
    CapabilitySet::CHOWN,
    CapabilitySet::DAC_OVERRIDE,
    CapabilitySet::FOWNER,
    CapabilitySet::FSETID,
    CapabilitySet::SETFCAP,
    // Their scripts work as other users of the root, and end what they have started.
    CapabilitySet::SETUID,
    CapabilitySet::SETGID,
    CapabilitySet::KILL,
    // Tools with a `--root` option change theirs.
    CapabilitySet::SYS_CHROOT,
];

/// The same, of tools of the host alone: scripts run in the root, with /proc, /sys and /dev
/// mounted there.
const KEPT_BY_HOST_TOOLS: &[CapabilitySet] = &[CapabilitySet::SYS_ADMIN];

/// System calls that builds do not need and that reach beyond the namespaces: keyrings, which no
/// namespace divides; what only root of the host may do, refused once more; and parts of the
/// kernel that are large, new, or were ways out before.
const REFUSED: &[libc::c_long] = &[
    libc::SYS_add_key,
    libc::SYS_request_key,
    libc::SYS_keyctl,
    libc::SYS_init_module,
    libc::SYS_finit_module,
    libc::SYS_delete_module,
    libc::SYS_kexec_load,
    libc::SYS_reboot,
    libc::SYS_swapon,
    libc::SYS_swapoff,
    libc::SYS_settimeofday,
    libc::SYS_clock_settime,
    libc::SYS_clock_adjtime,
    libc::SYS_adjtimex,
    libc::SYS_syslog,
    libc::SYS_acct,
    libc::SYS_quotactl,
    libc::SYS_open_by_handle_at,
    libc::SYS_name_to_handle_at,
    libc::SYS_bpf,
    libc::SYS_perf_event_open,
    libc::SYS_userfaultfd,
    libc::SYS_io_uring_setup,
    libc::SYS_ptrace,
    libc::SYS_process_vm_readv,
    libc::SYS_process_vm_writev,
];

/// System calls that write a file to disk: they say that they have done it. A step that fails is
/// thrown away whole, and what it makes is written out when it is committed.
const SYNCS: &[libc::c_long] = &[
    libc::SYS_sync,
    libc::SYS_syncfs,
    libc::SYS_fsync,
    libc::SYS_fdatasync,
    libc::SYS_msync,
    libc::SYS_sync_file_range,
];

/// Takes all other capabilities and the system calls of [`REFUSED`] from this process and from
/// all that it starts.
///
/// # Errors
/// When the kernel has no filters of system calls.
pub fn apply(limits: Limits) -> std::io::Result<()> {
    let is_tool = limits == Limits::HostTool;
    for capability in CapabilitySet::all().iter() {
        let kept =
            KEPT.contains(&capability) || (is_tool && KEPT_BY_HOST_TOOLS.contains(&capability));
        if !kept {
            match rustix::thread::remove_capability_from_bounding_set(capability) {
                // The kernel does not know it.
                Err(rustix::io::Errno::INVAL) | Ok(()) => {}
                Err(error) => return Err(error.into()),
            }
        }
    }
    let Ok(arch) = TargetArch::try_from(std::env::consts::ARCH) else {
        return Ok(());
    };
    // Before Linux 6.2 a program may type into the terminal that it shares with others.
    let typing = [libc::TIOCSTI, libc::TIOCLINUX].into_iter().map(|request| {
        let condition =
            SeccompCondition::new(1, SeccompCmpArgLen::Dword, SeccompCmpOp::Eq, request);
        SeccompRule::new(vec![condition?])
    });
    let typing = typing.collect::<Result<Vec<_>, _>>();
    let mut rules: BTreeMap<i64, Vec<_>> = REFUSED.iter().map(|call| (*call, Vec::new())).collect();
    rules.insert(libc::SYS_ioctl, typing.map_err(std::io::Error::other)?);
    let refused = rustix::io::Errno::PERM.raw_os_error().unsigned_abs();
    filter(rules, refused, arch)?;
    if limits == Limits::Root {
        let rules = SYNCS.iter().map(|call| (*call, Vec::new()));
        filter(rules.collect(), 0, arch)?;
    }
    Ok(())
}

/// Lets the calls of `rules` end with an errno(3) from now on.
fn filter(
    rules: BTreeMap<i64, Vec<SeccompRule>>,
    errno: u32,
    arch: TargetArch,
) -> std::io::Result<()> {
    let filter = SeccompFilter::new(
        rules,
        SeccompAction::Allow,
        SeccompAction::Errno(errno),
        arch,
    );
    let filter = filter
        .and_then(BpfProgram::try_from)
        .map_err(std::io::Error::other)?;
    seccompiler::apply_filter(&filter).map_err(std::io::Error::other)
}
