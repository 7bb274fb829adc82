//! The command: see [`rootwright::cli`].

fn main() -> std::process::ExitCode {
    rootwright::cli::main()
}
