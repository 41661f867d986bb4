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

/// Whether only the three standard streams are open.
fn files() -> String {
    let open: Vec<_> = fs::read_dir("/proc/self/fd")
        .unwrap()
        .map(|entry| entry.unwrap())
        .filter(|entry| entry.file_name().to_string_lossy().parse::<u32>().unwrap() > 2)
        .map(|entry| fs::read_link(entry.path()).unwrap_or_default())
        .filter(|path| !path.starts_with("/proc"))
        .collect();
    if open.is_empty() { "same files".to_owned() } else { format!("{open:?}") }
}
