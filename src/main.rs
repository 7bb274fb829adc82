//! The command: see [`rootwright::cli`].

/// Reading scripts is mostly allocation: with this allocator a plan takes less time than with
/// glibc's, and musl's is slower still.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> std::process::ExitCode {
    rootwright::cli::main()
}
