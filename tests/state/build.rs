//! Sets the variable by which the macros expand hot, as the tool does for hot crates.

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rustc-env=HOTSWAP_EXPAND=1");
}
