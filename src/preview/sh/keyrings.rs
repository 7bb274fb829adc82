//! Keyrings, made before the first step.

use super::super::shell_words::word;
use super::script::Script;
use super::text_pieces;
use crate::plan::KeyFile;

pub fn write(script: &mut Script<'_>) {
    let plan = script.plan;
    if plan.keyrings.is_empty() {
        return;
    }
    script.line("");
    script.comment("Keys that packages are checked with: these, and no others.");
    script.line("current='looking for keys'");
    for keyring in &plan.keyrings {
        script.line("");
        script.comment(&format!("For {}.", keyring.about));
        let mut words = vec![word(&keyring.name)];
        words.extend(keyring.fingerprints.iter().map(|key| word(key)));
        script.call("keyring", words);
        let files = keyring.files.iter().map(|file| match file {
            KeyFile::Host(path) => word(path),
            KeyFile::File(digest) => word(text_pieces::file(plan, digest)),
        });
        let files: Vec<String> = files.collect();
        if !files.is_empty() {
            script.call("keyring_files", files);
        }
        for command in &keyring.fetch {
            let words = script.arguments(command);
            script.call("keyring_fetch", words);
        }
        let mut words = vec![word(&keyring.about)];
        words.extend(keyring.armor.then(|| "--armor".to_owned()));
        script.call("keyring_done", words);
    }
}
