//! Programs in containers and of other users: who says their number can patch them from here, if he may.

use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt as _, chown};
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use anyhow::{Result, ensure};
use hotswap_tests::not_tested;

use super::{Server, launch, text, tool};
use crate::examples::http::Connection;

/// In its own namespaces, with a disk of its own where it listens.
const CONTAINER: &str = r#"mount -t tmpfs none "$XDG_RUNTIME_DIR" && exec "$0" "$@""#;

/// The words for namespaces of users, processes and mounts.
const NAMESPACES: [&str; 7] = [
    "--user",
    "--map-root-user",
    "--pid",
    "--fork",
    "--kill-child",
    "--mount",
    "--mount-proc",
];

/// A user who has nothing here.
const OTHER_USER: u32 = 4242;

/// The server is as in the base.
pub(super) fn are_patched_by_number(server: &Server, patch: &Path) -> Result<()> {
    let folder = tempfile::tempdir()?;
    let probe = Command::new("unshare")
        .args(NAMESPACES)
        .args(["mount", "-t", "tmpfs", "none"])
        .arg(folder.path())
        .stderr(Stdio::null())
        .status();
    if probe.is_ok_and(|status| status.success()) {
        in_a_container(server, folder.path(), patch)?;
    } else {
        not_tested("this system does not let its users make namespaces, and mount");
    }
    if may_look_into_others() {
        of_another_user(server, folder.path(), patch)
    } else {
        not_tested("only root, with all rights, may look into programs of other users");
        Ok(())
    }
}

/// In a container root may lack the right, or that to start them.
fn may_look_into_others() -> bool {
    let mut command = Command::new("cat");
    command
        .uid(OTHER_USER)
        .gid(OTHER_USER)
        .stdin(Stdio::piped());
    let other = command.spawn().map(Ended);
    other.is_ok_and(|other| fs::read_link(format!("/proc/{}/root", other.0.id())).is_ok())
}

fn in_a_container(server: &Server, folder: &Path, patch: &Path) -> Result<()> {
    let mut command = Command::new("unshare");
    command.args(NAMESPACES).args(["sh", "-c", CONTAINER]);
    command
        .arg(&server.executable)
        .env("XDG_RUNTIME_DIR", folder);
    let log = server.package.root.join("container.log");
    let (child, address) = launch(command, &log, &server.package.root.join("container.audit"))?;
    let child = Ended(child);
    let pid = child.0.id();
    let children = fs::read_to_string(format!("/proc/{pid}/task/{pid}/children"))?;
    is_patched(server, children.trim().parse()?, &address, patch)
}

fn of_another_user(server: &Server, folder: &Path, patch: &Path) -> Result<()> {
    // Where the server was built, that user may not look.
    fs::set_permissions(folder, Permissions::from_mode(0o755))?;
    let executable = folder.join("web");
    fs::copy(&server.executable, &executable)?;
    let own = folder.join("run");
    fs::create_dir(&own)?;
    chown(&own, Some(OTHER_USER), Some(OTHER_USER))?;
    let mut command = Command::new(executable);
    command
        .uid(OTHER_USER)
        .gid(OTHER_USER)
        .current_dir(&own)
        .env("XDG_RUNTIME_DIR", &own);
    let log = server.package.root.join("other.log");
    let (child, address) = launch(command, &log, &own.join("audit"))?;
    let child = Ended(child);
    is_patched(server, child.0.id(), &address, patch)
}

/// It is found by its number here, and by nothing else.
fn is_patched(server: &Server, pid: u32, address: &str, patch: &Path) -> Result<()> {
    let number = pid.to_string();
    let (all, _) = tool(&server.package, &["patch", "list", "--pid", &number])?;
    ensure!(all["pid"] == pid && all["name"] == "web", "{all}");
    let does = |words: &[&str], answer: &str| {
        let (line, code) = tool(
            &server.package,
            &[&["patch"], words, &["--pid", &number]].concat(),
        )?;
        ensure!(
            code == 0 && line["changed"] == true && line["pid"] == pid,
            "{line}"
        );
        Connection::open(address)?.gives("GET /hello/There", "", answer)
    };
    does(&["apply", text(patch)?], "Hello, There!")?;
    does(&["revert"], "Hello, There!")?;
    Ok(())
}

/// Ends with the test.
struct Ended(Child);

impl Drop for Ended {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
