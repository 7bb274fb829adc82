//! A recipe's repository as it is at a git revision, in a folder of its own. The repository
//! itself, its index and its working tree are not touched.

use std::path::{Path, PathBuf};

use duct::Expression;
use fs_err as fs;
use tempfile::TempDir;

use super::Error;
use crate::plan::Plan;

/// All of a repository at a revision; removed when this is dropped.
#[derive(Debug)]
pub struct Checkout {
    folder: TempDir,
    /// The repository that it was taken from.
    top: PathBuf,
    /// The recipe, below either.
    recipe: PathBuf,
    /// The recipe as it was named.
    named: PathBuf,
}

impl Checkout {
    /// Takes the repository that `recipe` is in, as it is at `revision`.
    ///
    /// # Errors
    /// Where there is no git, no repository, no such revision, or no such recipe in it.
    pub fn new(recipe: &Path, revision: &str) -> Result<Checkout, Error> {
        let failed = |why: String| Error::Git {
            revision: revision.to_owned(),
            why,
        };
        let absolute = std::path::absolute(recipe).map_err(|error| failed(error.to_string()))?;
        // The recipe itself need not be there any more.
        let folder = absolute
            .ancestors()
            .skip(1)
            .find(|folder| folder.is_dir())
            .unwrap_or(Path::new("/"));
        let top =
            git(folder, &["rev-parse", "--show-toplevel"]).map_err(|why| Error::NoRepository {
                recipe: recipe.to_owned(),
                why,
            })?;
        let top = PathBuf::from(top);
        let real = fs::canonicalize(folder).map_err(|error| failed(error.to_string()))?;
        let below = absolute.strip_prefix(folder).unwrap_or(recipe);
        let relative = real.join(below);
        let relative = relative.strip_prefix(&top).unwrap_or(&relative).to_owned();
        let commit = format!("{revision}^{{commit}}");
        let verify = ["rev-parse", "--verify", "--quiet"];
        let words = [&verify[..], &["--end-of-options", &commit]].concat();
        let commit = git(&top, &words).map_err(|_| Error::NoRevision {
            revision: revision.to_owned(),
            known: names(&top),
        })?;
        let folder = tempfile::tempdir().map_err(|error| failed(error.to_string()))?;
        let index = folder.path().join("index");
        let tree = folder.path().join("tree");
        let prefix = format!("--prefix={}/", tree.display());
        for words in [
            vec!["read-tree", &commit],
            vec!["checkout-index", "--all", "--quiet", &prefix],
        ] {
            let done = command(&top, &words).env("GIT_INDEX_FILE", &index);
            run(&done).map_err(failed)?;
        }
        // The recipe can ask which commit it is of.
        let head = tree.join(".git");
        fs::create_dir_all(&head)
            .and_then(|()| fs::write(head.join("HEAD"), format!("{commit}\n")))
            .map_err(|error| failed(error.to_string()))?;
        if !tree.join(&relative).is_file() {
            return Err(Error::NotInRevision {
                recipe: relative,
                revision: revision.to_owned(),
            });
        }
        Ok(Checkout {
            folder,
            top,
            recipe: relative,
            named: recipe.to_owned(),
        })
    }

    /// Where the recipe is in it.
    pub fn recipe(&self) -> PathBuf {
        self.tree().join(&self.recipe)
    }

    fn tree(&self) -> PathBuf {
        self.folder.path().join("tree")
    }

    /// The plan with its files named as in the repository itself, so that a folder which is
    /// soon gone is no difference.
    pub fn at_home(&self, plan: &Plan) -> Plan {
        // The folder's name is random: what holds it is a path.
        let text = serde_json::to_string(plan).unwrap_or_default();
        let text = self.named_at_home(&text);
        let mut plan: Plan = serde_json::from_str(&text).unwrap_or_else(|_| plan.clone());
        // Files beside a recipe of the current folder are `./FILE` in its plan.
        let folder = self.named.parent();
        if folder.is_none_or(|folder| folder.as_os_str().is_empty()) {
            for file in &mut plan.files {
                if !file.path.starts_with('/') {
                    file.path.insert_str(0, "./");
                }
            }
        }
        plan
    }

    /// The same for a text, such as that of an error.
    pub fn named_at_home(&self, text: &str) -> String {
        let here = |path: &Path| format!("{}/", path.display());
        let inside = self.recipe();
        let (from, to) = (inside.parent(), self.named.parent());
        let beside = match to.map(|to| to.display().to_string()) {
            Some(to) if !to.is_empty() => format!("{to}/"),
            _ => String::new(),
        };
        let text = match from {
            Some(from) => text.replace(&here(from), &beside),
            None => text.to_owned(),
        };
        let tree = self.tree().display().to_string();
        text.replace(&tree, &self.top.display().to_string())
    }
}

/// Branches and tags.
fn names(top: &Path) -> Vec<String> {
    let words = ["for-each-ref", "--format=%(refname:short)"];
    let lines = git(top, &words).unwrap_or_default();
    lines.lines().map(str::to_owned).collect()
}

fn command(folder: &Path, words: &[&str]) -> Expression {
    let folder = folder.display().to_string();
    let mut argv = vec!["-C", folder.as_str()];
    argv.extend(words);
    duct::cmd("git", argv)
        // Where git runs us, as in a hook, it names its own repository so.
        .env_remove("GIT_DIR")
        .env_remove("GIT_WORK_TREE")
        .env_remove("GIT_INDEX_FILE")
        .stdin_null()
}

/// What git prints, or what it says is wrong.
fn git(folder: &Path, words: &[&str]) -> Result<String, String> {
    run(&command(folder, words))
}

fn run(command: &Expression) -> Result<String, String> {
    let output = command
        .stdout_capture()
        .stderr_capture()
        .unchecked()
        .run()
        .map_err(|error| error.to_string())?;
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim_end().to_owned();
    match output.status.success() {
        true => Ok(text(&output.stdout)),
        false => Err(text(&output.stderr)),
    }
}
