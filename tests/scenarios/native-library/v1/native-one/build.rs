//! Compiles C with the system's compiler.

use std::{env, path::PathBuf, process::Command};

fn main() {
    let out = PathBuf::from(env::var_os("OUT_DIR").unwrap());
    let mut objects = Vec::new();
    for name in ["used", "seldom", "clash"] {
        println!("cargo::rerun-if-changed={name}.c");
        let object = out.join(name).with_extension("o");
        let compile = ["-c", "-fPIC", &format!("{name}.c"), "-o"];
        let status = Command::new("cc").args(compile).arg(&object).status().unwrap();
        assert!(status.success());
        objects.push(object);
    }
    let archive = out.join("libnative_one.a");
    let status = Command::new("ar").arg("rcs").arg(archive).args(objects).status().unwrap();
    assert!(status.success());
    println!("cargo::rustc-link-search=native={}", out.display());
    println!("cargo::rustc-link-lib=static=native_one");
}
