//! Starts its own executable.

use std::{
    env, fs, io,
    process::{Command, Stdio},
};

fn main() {
    if env::args().nth(1).as_deref() == Some("child") {
        let listening = if hotswap::status().listening { "listening" } else { "not listening" };
        print!("{listening}, {}, {}", variables(), files());
        return;
    }
    for _ in io::stdin().lines() {
        println!("{}", answer());
    }
}

#[hotswap::entry]
fn answer() -> String {
    let executable = env::current_exe().unwrap();
    let mut child = Command::new(executable);
    let output = child.arg("child").stdin(Stdio::null()).output().unwrap();
    let child = String::from_utf8(output.stdout).unwrap();
    format!("{}: {}; child: {child}", "one", variables())
}

fn variables() -> &'static str {
    let ours = |name: &std::ffi::OsString| name.to_string_lossy().starts_with("HOTSWAP_");
    if env::vars_os().any(|(name, _)| ours(&name)) { "variables" } else { "no variables" }
}

/// Whether nothing of the runtime's was inherited: no socket, no image.
fn files() -> String {
    let ours = |target: &String| {
        ["socket:", "hotswap", "memfd", "anon_inode"].iter().any(|kind| target.contains(kind))
    };
    let open: Vec<_> = fs::read_dir("/proc/self/fd")
        .unwrap()
        .filter_map(|entry| fs::read_link(entry.unwrap().path()).ok())
        .map(|target| target.to_string_lossy().into_owned())
        .filter(ours)
        .collect();
    if open.is_empty() { "same files".to_owned() } else { format!("{open:?}") }
}
