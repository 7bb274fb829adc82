//! The stdlib is embedded in the binary: a change in it is a change of the program.

fn main() {
    println!("cargo::rerun-if-changed=stdlib");
}
