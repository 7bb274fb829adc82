//! The list of lints, for docs/lint.md.

use std::fmt::Write;

use super::Table;

/// A section for each lint.
pub fn markdown(table: &Table) -> String {
    let mut out = String::new();
    for lint in &table.lints {
        let transports = lint.transports.iter();
        let transports: Vec<String> = transports.map(|one| one.name().to_uppercase()).collect();
        let only = match transports.is_empty() {
            true => String::new(),
            false => format!(", over {} only", transports.join(" and ")),
        };
        let _ = writeln!(
            out,
            "### {}\n\n{}{only}. {}\n",
            lint.name, lint.severity, lint.reason
        );
        for check in &lint.checks {
            let message = check
                .message
                .replace("{path}", "PATH")
                .replace("{found}", "…");
            let other = check.severity.filter(|severity| *severity != lint.severity);
            let other = other.map(|severity| format!(" ({severity})"));
            let _ = writeln!(out, "- {message}{}", other.unwrap_or_default());
        }
        let _ = writeln!(out, "\nCure: `diskless::{}(root)`\n", lint.cure);
    }
    out
}
