//! The command: see [`rootwright::cli`].

/// Reading scripts is mostly allocation, which this does in two thirds of glibc's time; musl's
/// allocator is slower still.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> std::process::ExitCode {
    rootwright::cli::main()
}
