//! A verdict for people.

use std::fmt::{Display, Formatter, Result};

use super::{Milestone, Verdict};

impl Display for Verdict {
    fn fmt(&self, out: &mut Formatter<'_>) -> Result {
        let from = match self.firmware {
            true => ", from the firmware on",
            false => "",
        };
        let (export, transport) = (&self.export, self.transport);
        let (kernel, accelerator) = (&self.kernel, &self.accelerator);
        writeln!(
            out,
            "{export} over {transport}{from}, Linux {kernel}, {accelerator}\n"
        )?;
        let width = self.checks.iter().map(|check| check.what.chars().count());
        let width = width.max().unwrap_or(0);
        for check in &self.checks {
            let mark = if check.holds { "ok  " } else { "FAIL" };
            let line = format!("  {mark}  {:<width$}  {}", check.what, check.found);
            writeln!(out, "{}", line.trim_end())?;
            for line in &check.lines {
                writeln!(out, "          {line}")?;
            }
        }
        writeln!(out, "\n  node's clock  {}", times(&self.node_times))?;
        writeln!(out, "  this host's   {}", times(&self.host_times))?;
        let (used, total) = self.memory;
        writeln!(out, "  memory        {used} of {total} MiB in use")?;
        let (received, sent) = (size(self.wire.0), size(self.wire.1));
        write!(out, "  wire          {received} received, {sent} sent")?;
        if let Some(http) = self.http {
            write!(out, "; {} of files over HTTP", size(http))?;
        }
        writeln!(out, "\n  console       {}", self.console.display())
    }
}

fn times(times: &[Milestone]) -> String {
    let times = times.iter();
    let shown = times.map(|time| format!("{} {:.1} s", time.name, time.seconds));
    shown.collect::<Vec<_>>().join(", ")
}

fn size(bytes: u64) -> String {
    match bytes {
        0..0x10_0000 => format!("{} KiB", bytes >> 10),
        _ => format!("{:.1} MiB", bytes as f64 / f64::from(1 << 20)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::boot::Check;

    #[test]
    fn a_verdict_is_drawn() {
        let check = |what: &str, holds, found: &str, lines: &[&str]| {
            Check::new(what, holds, found).lines(lines.iter().map(ToString::to_string).collect())
        };
        let time = |name: &str, seconds| Milestone {
            name: name.to_owned(),
            seconds,
        };
        let verdict = Verdict {
            export: "nodes version 3".to_owned(),
            transport: "http",
            firmware: true,
            accelerator: "emulated".to_owned(),
            kernel: "6.1.0-42".to_owned(),
            checks: vec![
                check("reached multi-user.target", true, "degraded", &[]),
                check(
                    "no unit has failed",
                    false,
                    "a.service",
                    &["a.service: no such file"],
                ),
                check("a write to / succeeds", true, "", &[]),
            ],
            node_times: vec![time("initramfs", 3.04), time("multi-user.target", 20.0)],
            host_times: vec![time("kernel runs", 1.25)],
            memory: (210, 974),
            wire: (5 << 20, 300 << 10),
            http: Some(1 << 30),
            command: "qemu".to_owned(),
            console: "/logs/console.log".into(),
        };
        assert_eq!(
            verdict.to_string(),
            "nodes version 3 over http, from the firmware on, Linux 6.1.0-42, emulated

  ok    reached multi-user.target  degraded
  FAIL  no unit has failed         a.service
          a.service: no such file
  ok    a write to / succeeds

  node's clock  initramfs 3.0 s, multi-user.target 20.0 s
  this host's   kernel runs 1.2 s
  memory        210 of 974 MiB in use
  wire          5.0 MiB received, 300 KiB sent; 1024.0 MiB of files over HTTP
  console       /logs/console.log
"
        );
        assert!(!verdict.holds());
    }
}
