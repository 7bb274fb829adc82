//! The page in a real browser: no error, and a search that finds. Where no Chromium is
//! installed there is nothing to try it in; tests/run installs one.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::support::{rootwright, run, stderr};

fn chromium() -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    let found = std::env::split_paths(&path).map(|folder| folder.join("chromium"));
    found.into_iter().find(|program| program.is_file())
}

/// The page as it is after its script has run, and what the console says.
fn load(chromium: &Path, folder: &Path, address: &str) -> (String, String) {
    let profile = tempfile::tempdir().unwrap();
    let output = Command::new("timeout")
        .arg("120")
        .arg(chromium)
        .args([
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-quic",
            "--no-first-run",
            "--disable-background-networking",
            "--disable-component-update",
            "--disable-sync",
            "--disable-dev-shm-usage",
            "--enable-logging=stderr",
            "--virtual-time-budget=2000",
            "--dump-dom",
        ])
        .arg(format!("--user-data-dir={}", profile.path().display()))
        .arg(format!("file://{}/{address}", folder.display()))
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", stderr(&output));
    let console: Vec<String> = stderr(&output)
        .lines()
        .filter(|line| line.contains(":CONSOLE"))
        .map(str::to_owned)
        .collect();
    let page = String::from_utf8(output.stdout).unwrap();
    (page, console.join("\n"))
}

/// The names that the search shows, the first one first.
fn hits(page: &str) -> Vec<String> {
    let list = page.split_once(r#"id="hits""#).unwrap().1;
    let list = list.split_once("</div>").unwrap().0;
    list.split("href=\"#")
        .skip(1)
        .map(|link| link.split_once('"').unwrap().0.to_owned())
        .collect()
}

#[test]
#[ignore = "run with tests/run tiny"]
fn the_page_needs_nothing_and_finds_what_is_asked() {
    let folder = tempfile::tempdir().unwrap();
    let mut docs = rootwright();
    docs.args(["docs", "--format", "html", "--out"])
        .arg(folder.path());
    run(&mut docs);
    let file = folder.path().join("index.html");
    let text = std::fs::read_to_string(&file).unwrap();
    // What the page itself refers to, as opposed to the addresses in its examples.
    for word in ["src=", "@import", "url(", r#"<link rel="stylesheet""#] {
        assert!(!text.contains(word), "{word}");
    }
    let links = text.split("href=\"").skip(1);
    for link in links.map(|link| link.split_once('"').unwrap().0) {
        assert!(link.starts_with('#') || link == "data:,", "{link}");
        let id = format!("id=\"{}\"", &link[1..]);
        assert!(
            link == "data:," || text.contains(&id),
            "{link} leads nowhere"
        );
    }
    let Some(chromium) = chromium() else {
        return;
    };
    let (page, console) = load(&chromium, folder.path(), "index.html?q=write_file");
    assert_eq!(console, "");
    assert_eq!(hits(&page).first().map(String::as_str), Some("write_file"));
    assert!(page.contains(r#"aria-expanded="true""#));
    let (page, console) = load(&chromium, folder.path(), "index.html?q=journal%20memory");
    assert_eq!(console, "");
    let found = hits(&page);
    assert!(found.contains(&"diskless.journald".to_owned()), "{found:?}");
    assert!(!found.contains(&"write_file".to_owned()), "{found:?}");
    // What is wrong shows here, so that nothing wrong means something.
    let broken = text.replace(
        "<script>\n",
        "<script>\nconsole.error('seen');\nnothing();\n",
    );
    std::fs::write(&file, broken).unwrap();
    let (page, console) = load(&chromium, folder.path(), "index.html?q=write_file");
    assert!(
        console.contains("seen") && console.contains("nothing is not defined"),
        "{console}"
    );
    assert_eq!(hits(&page), Vec::<String>::new());
}
