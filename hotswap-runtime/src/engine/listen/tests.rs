//! The socket's directory.

use std::os::unix::fs::symlink;

use super::*;

/// Prepares a path, has it checked as a socket directory, and compares the outcome.
fn check(name: &str, prepare: impl FnOnce(&Path), expected: &str) {
    let root = std::env::temp_dir().join(format!("hotswap-listen-{name}-{}", std::process::id()));
    fs::create_dir_all(&root).unwrap();
    let directory = root.join("sockets");
    prepare(&directory);
    // SAFETY: `geteuid` has no preconditions.
    let user = unsafe { libc::geteuid() };
    let outcome = match private_directory(&directory, user) {
        Ok(()) => "good".to_owned(),
        Err(error) => error.to_string(),
    };
    let _ = fs::remove_dir_all(&root);
    assert!(outcome.contains(expected), "{name}: {outcome}");
}

fn make(path: &Path, mode: u32) {
    fs::create_dir(path).unwrap();
    fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
}

#[test]
fn directories() {
    check("missing", |_| (), "good");
    check("private", |path| make(path, 0o700), "good");
    check(
        "open",
        |path| make(path, 0o750),
        "open to others: its mode must be 700",
    );
    check(
        "file",
        |path| fs::write(path, "").unwrap(),
        "is no directory",
    );
    let link = |path: &Path| {
        let target = path.with_file_name("target");
        make(&target, 0o700);
        symlink(&target, path).unwrap();
    };
    check("link", link, "is no directory");
    let dangling = |path: &Path| symlink("nowhere", path).unwrap();
    check("dangling", dangling, "is no directory");
    let parentless = |path: &Path| fs::remove_dir(path.parent().unwrap()).unwrap();
    check("parentless", parentless, "No such file or directory");
}
