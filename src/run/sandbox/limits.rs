//! What a held program may ask of the kernel.

use std::collections::BTreeMap;

use rustix::thread::CapabilitySet;
use seccompiler::{BpfProgram, SeccompAction, SeccompFilter, TargetArch};

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
    // Their scripts run in the root, with /proc, /sys and /dev mounted there.
    CapabilitySet::SYS_CHROOT,
    CapabilitySet::SYS_ADMIN,
];

/// Takes all other capabilities and the system calls of [`refused`] from this process and from
/// all that it starts.
///
/// # Errors
/// When the kernel has no filters of system calls.
pub fn apply() -> std::io::Result<()> {
    for capability in CapabilitySet::all().iter() {
        if !KEPT.contains(&capability) {
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
    let rules: BTreeMap<i64, Vec<_>> = refused().map(|call| (call, Vec::new())).collect();
    let refuse = SeccompAction::Errno(rustix::io::Errno::PERM.raw_os_error().unsigned_abs());
    let filter = SeccompFilter::new(rules, SeccompAction::Allow, refuse, arch);
    let filter = filter
        .and_then(BpfProgram::try_from)
        .map_err(std::io::Error::other)?;
    seccompiler::apply_filter(&filter).map_err(std::io::Error::other)
}

/// System calls that builds do not need and that reach beyond the namespaces: keyrings, which no
/// namespace divides; what only root of the host may do, refused once more; and parts of the
/// kernel that are large, new, or were ways out before.
fn refused() -> impl Iterator<Item = i64> {
    const CALLS: &[libc::c_long] = &[
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
    CALLS.iter().copied()
}
