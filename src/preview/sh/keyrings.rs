//! Keyrings, made before the first step.

use super::super::shell_words::word;
use super::input::Input;
use super::ops::Emitter;
use crate::plan::{KEYRINGS, Keyring, Plan};

pub fn write(script: &mut Emitter, plan: &Plan) {
    if plan.keyrings.is_empty() {
        return;
    }
    script.line("");
    script.comment("Keys that packages are checked with: these, and no others.");
    script.line("current='looking for keys'");
    script.line(&format!("mkdir -p -- {KEYRINGS}"));
    for keyring in &plan.keyrings {
        one(script, keyring);
    }
}

fn one(script: &mut Emitter, keyring: &Keyring) {
    script.line("");
    script.comment(&format!("For {}.", keyring.about));
    let mut words = vec![word(&keyring.path)];
    words.extend(keyring.fingerprints.iter().map(|key| word(key)));
    script.helper("keyring", words, Input::default());
    if !keyring.files.is_empty() {
        let mut words = vec!["keyring_files".to_owned()];
        words.extend(keyring.files.iter().map(|file| word(file)));
        script.command("", words, Input::default(), "");
    }
    for argv in &keyring.fetch {
        let mut words = vec!["keyring_fetch".to_owned()];
        words.extend(script.arguments(argv, word));
        script.command("", words, Input::default(), "");
    }
    let mut words = vec!["keyring_done".to_owned(), word(&keyring.about)];
    words.extend(keyring.armor.then(|| "--armor".to_owned()));
    script.command("", words, Input::default(), "");
}
