//! Passes a file on as a variable, and generates code.

use std::{env, fs, path::Path};

fn main() {
    println!("cargo::rerun-if-changed=built.txt");
    let built = fs::read_to_string("built.txt").unwrap();
    println!("cargo::rustc-env=BUILT={}", built.trim());
    let out = env::var_os("OUT_DIR").unwrap();
    let code = "fn generated() -> &'static str { \"script one\" }";
    fs::write(Path::new(&out).join("generated.rs"), code).unwrap();
}
