//! The executable of `cargo hotswap`.

fn main() -> std::process::ExitCode {
    cargo_hotswap::main()
}
