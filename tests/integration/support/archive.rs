//! A signed archive of apt, made on the spot.

use std::path::PathBuf;
use std::process::Command;

use super::{Outcome, Project, Run, run, stdout};

/// A signed archive of one package, as files.
pub struct Archive {
    pub project: Project,
    gnupg: tempfile::TempDir,
}

impl Drop for Archive {
    fn drop(&mut self) {
        // The agent that gpg has started.
        let mut end = Command::new("gpgconf");
        end.env("GNUPGHOME", self.gnupg.path());
        let _ = end.args(["--kill", "all"]).status();
    }
}

impl Archive {
    pub fn new() -> Self {
        let archive = Archive {
            project: Project::new(),
            gnupg: tempfile::tempdir().unwrap(),
        };
        archive.key("archive");
        archive.release("Date: Mon, 02 Nov 2026 10:00:00 UTC\n");
        archive
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.project.path().join(name)
    }

    /// The archive's address.
    pub fn uri(&self) -> String {
        format!("file://{}", self.path("archive").display())
    }

    /// The fingerprint of a key that [`Archive::key`] has made.
    pub fn fingerprint(&self, name: &str) -> String {
        let listed = run(self.gpg().args(["--with-colons", "--list-keys", name]));
        let listed = stdout(&listed);
        let line = listed
            .lines()
            .find(|line| line.starts_with("fpr:"))
            .unwrap();
        line.split(':').nth(9).unwrap().to_owned()
    }

    pub fn gpg(&self) -> Command {
        let mut command = Command::new("gpg");
        command.env("GNUPGHOME", self.gnupg.path()).args([
            "--batch",
            "--quiet",
            "--yes",
            "--pinentry-mode",
            "loopback",
            "--passphrase",
            "",
        ]);
        command
    }

    /// A key of this name, and its keyring `NAME.gpg`.
    pub fn key(&self, name: &str) {
        run(self
            .gpg()
            .args(["--quick-generate-key", name, "ed25519", "sign", "never"]));
        run(self
            .gpg()
            .arg("--output")
            .arg(self.path(&format!("{name}.gpg")))
            .args(["--export", name]));
    }

    /// Writes and signs the Release file of bookworm, with these fields more.
    pub fn release(&self, fields: &str) {
        let packages = "Package: hello\nVersion: 1\nArchitecture: amd64\nProvides: greeting (= 1), salute\n\nPackage: openssh-server\nVersion: 1\nArchitecture: amd64\n";
        self.publish(packages, &["Packages"], fields);
        self.sign("archive");
    }

    /// Builds these packages, each a folder below `packages/`, and publishes them unsigned.
    pub fn packages(&self, names: &[&str]) {
        for name in names {
            let control = format!(
                "Package: {name}\nVersion: 1\nArchitecture: amd64\nMaintainer: made <made@example.org>\nDescription: made by a test\n"
            );
            self.project
                .write(&format!("packages/{name}/DEBIAN/control"), &control);
            std::fs::create_dir_all(self.path("archive/pool")).unwrap();
            run(Command::new("dpkg-deb")
                .args(["--root-owner-group", "--build", "-Znone"])
                .arg(self.path(&format!("packages/{name}")))
                .arg(self.path(&format!("archive/pool/{name}_1_amd64.deb"))));
        }
        let listed = run(Command::new("apt-ftparchive")
            .args(["packages", "pool"])
            .current_dir(self.path("archive")));
        self.publish(
            &stdout(&listed),
            &["Packages", "Packages.xz"],
            "Date: Mon, 02 Nov 2026 10:00:00 UTC\n",
        );
    }

    fn publish(&self, packages: &str, names: &[&str], fields: &str) {
        let main = "archive/dists/bookworm/main/binary-amd64";
        let list = self.project.write(&format!("{main}/Packages"), packages);
        if names.contains(&"Packages.xz") {
            run(Command::new("xz").args(["--keep", "--force"]).arg(&list));
        }
        let mut sums = String::new();
        for name in names {
            let path = list.with_file_name(name);
            let sum = stdout(&run(Command::new("sha256sum").arg(&path)));
            let digest = sum.split_whitespace().next().unwrap();
            let bytes = std::fs::metadata(&path).unwrap().len();
            sums.push_str(&format!(" {digest} {bytes} main/binary-amd64/{name}\n"));
        }
        let release = format!(
            "Origin: Made\nSuite: stable\nCodename: bookworm\nArchitectures: amd64 all\nComponents: main\nNo-Support-for-Architecture-all: Packages\n{fields}SHA256:\n{sums}",
        );
        self.project
            .write("archive/dists/bookworm/Release", &release);
    }

    /// Signs the Release file with a key.
    pub fn sign(&self, key: &str) {
        self.sign_in(key, "archive/dists/bookworm");
    }

    /// Signs the Release file of a folder with a key.
    pub fn sign_in(&self, key: &str, folder: &str) {
        run(self
            .gpg()
            .args(["--local-user", key, "--clear-sign", "--output"])
            .arg(self.path(folder).join("InRelease"))
            .arg(self.path(folder).join("Release")));
    }

    pub fn doctor(&self, spec: &str, packages: &str) -> Outcome {
        let uri = self.uri();
        let main = match spec.contains("components:") {
            true => "",
            false => r#", components: ["main"]"#,
        };
        let keyring = self.path("archive.gpg");
        let keyring = keyring.display();
        self.project.recipe(text!(
            r#"let root = bootstrap(#{ distro: "debian", release: "bookworm", arch: "amd64", mirror: "{uri}", keyring: "{keyring}", updates: false, security: false{main}{spec} });
root.install([{packages}]);
"#,
            uri, keyring, main, spec, packages
        ));
        self.command(&["doctor", "recipe.rhai"]).output()
    }

    pub fn command(&self, arguments: &[&str]) -> Run {
        self.project.command(arguments)
    }
}
