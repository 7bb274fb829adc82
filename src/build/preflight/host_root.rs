//! What needs root of the host itself.

use crate::diagnose::Report;
use crate::store::owners::in_namespace;

/// An error unless this process is root of this host, and not of a user namespace: `what` needs
/// that.
pub fn own_host(what: &str) -> Option<Report> {
    if rustix::process::geteuid().is_root() && !in_namespace() {
        return None;
    }
    let message = format!("{what} needs root of this host");
    let cause = "this process is an ordinary user's, or root of a container";
    let report = Report::new("host::root", message).cause(cause);
    Some(report.next(with_sudo()))
}

/// This command line, as root.
pub fn with_sudo() -> String {
    let own: Vec<String> = std::env::args().collect();
    format!("sudo {}", crate::plan::command::quote_all(&own))
}
