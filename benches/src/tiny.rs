//! The tiny package: one file, one entry, no dependency but the runtime.

use std::fs;

use anyhow::Result;

use crate::work::Work;

/// Answers each line of its input with a number that edits change.
const MAIN: &str = r#"use std::io::BufRead;

#[hotswap::entry]
fn answer() -> u32 {
    std::hint::black_box(1000_u32)
}

fn main() {
    for _ in std::io::stdin().lock().lines() {
        println!("{}", answer());
    }
}
"#;

/// Writes the package.
///
/// # Errors
///
/// Its folder can't be written.
pub fn tiny() -> Result<Work> {
    let (root, target) = Work::folder("tiny")?;
    let runtime = hotswap_tests::workspace().join("hotswap-runtime");
    let manifest = format!(
        "[package]\nname = \"tiny\"\nedition = \"2024\"\n\n[dependencies]\n\
         hotswap-runtime = {{ path = {runtime:?} }}\n\n[workspace]\n"
    );
    fs::write(root.join("Cargo.toml"), manifest)?;
    fs::write(root.join("src/main.rs"), MAIN)?;
    fs::copy(
        hotswap_tests::workspace().join("Cargo.lock"),
        root.join("Cargo.lock"),
    )?;
    Work::new(root, target, "src/main.rs")
}
