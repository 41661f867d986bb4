//! Start, socket, children and end.

use std::fs;
use std::io::Write as _;
use std::os::fd::AsRawFd as _;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::{UnixListener, UnixStream};
use std::process::{Command, Stdio};

use hotswap_protocol::address::{socket_name, socket_pid};

use crate::ROLE;
use crate::program::{NAMELESS, Program, command};

pub(crate) fn asleep() {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .env(ROLE, "1")
        .env("HOTSWAP_NAME", "kept")
        // Of whoever runs the tests.
        .env_remove("HOTSWAP_TESTS_TOOL")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    child
        .stdin
        .take()
        .unwrap()
        .write_all(b"status\nvariables\nthreads\n")
        .unwrap();
    let output = child.wait_with_output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert_eq!(text, "0 false\nvariables [\"HOTSWAP_NAME\"]\nthreads 1\n");
}

/// Who asks for patches and is not understood learns it.
pub(crate) fn misspelt() {
    for (value, told) in [
        ("", ""),
        ("0", ""),
        (
            "yes",
            "hotswap: this program cannot take patches: HOTSWAP_LISTEN is `yes`, expected `1`\n",
        ),
    ] {
        let output = Command::new(std::env::current_exe().unwrap())
            .env(ROLE, "1")
            .env("HOTSWAP_LISTEN", value)
            .env_remove("HOTSWAP_TESTS_TOOL")
            .stdin(Stdio::null())
            .output()
            .unwrap();
        assert!(output.status.success(), "{output:?}");
        assert_eq!(String::from_utf8_lossy(&output.stderr), told);
    }
}

/// A process with rights that its user does not have takes no word from that one's environment.
pub(crate) fn other_rights() {
    let folder = std::env::temp_dir().join(format!("hotswap-rights-{}", std::process::id()));
    fs::create_dir_all(&folder).unwrap();
    let own = folder.join("process");
    fs::copy(std::env::current_exe().unwrap(), &own).unwrap();
    if std::os::unix::fs::chown(&own, None, Some(4242)).is_err() {
        println!("NOT TESTED: only root can give a file to another group");
        return fs::remove_dir_all(&folder).unwrap();
    }
    fs::set_permissions(&own, fs::Permissions::from_mode(0o2755)).unwrap();
    let mut child = Command::new(&own)
        .env(ROLE, "1")
        .env("HOTSWAP_LISTEN", "tool")
        .env("HOTSWAP_RELEASES", "/nowhere")
        .env_remove("HOTSWAP_TESTS_TOOL")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut input = child.stdin.take().unwrap();
    input.write_all(b"status\nthreads\n").unwrap();
    drop(input);
    let output = child.wait_with_output().unwrap();
    fs::remove_dir_all(&folder).unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert_eq!(text, "0 false\nthreads 1\n");
}

pub(crate) fn greets() {
    let mut program = Program::start("greets");
    assert_eq!(program.ready, "1");
    let (_stream, hello) = program.connect();
    assert_eq!(
        (hello.pid, hello.name.as_str()),
        (program.child.id(), "tested")
    );
    assert_eq!(hello.executable, std::env::current_exe().unwrap());
    assert_eq!(program.order("status"), "0 true");
    assert_eq!(program.order("variables"), "variables []");
    assert_eq!(program.order("descriptors"), "descriptors []");
    // Later, with threads, the first swap would wait for it.
    assert_eq!(program.order("fences"), "fences true");
    program.end();
    assert!(!program.socket().exists());
}

pub(crate) fn closed() {
    let mut program = Program::start("closed");
    assert_eq!(program.order("close"), "listens as 3");
    // If the runtime was waiting for a connection, it waits for one more, and then finds out.
    let _ = UnixStream::connect(program.socket());
    while program.order("status") != "0 false" {}
    let _client = UnixStream::connect(program.folder.join("own.sock")).unwrap();
    assert_eq!(program.order("own"), "own client");
    assert!(!program.socket().exists());
    program.end();
}

pub(crate) fn abandoned() {
    let folder = std::env::temp_dir().join(format!("hotswap-process-gone-{}", std::process::id()));
    fs::create_dir_all(&folder).unwrap();
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let mut child = command(&folder, writer.as_raw_fd(), |_, _| ())
        .spawn()
        .unwrap();
    let mut program = Program::new(child.stdin.take(), child, folder, String::new());
    assert_eq!(program.order("status"), "0 true");
    program.connect();
    program.end();
}

pub(crate) fn children() {
    let mut program = Program::start("children");
    let (_stream, _) = program.connect();
    assert_eq!(program.order("fork"), "fork child ended with 0");
    assert!(program.socket().exists());
    assert_eq!(program.order("status"), "0 true");
    program.connect();
    program.end();
}

pub(crate) fn leftover() {
    let folder =
        std::env::temp_dir().join(format!("hotswap-process-leftover-{}", std::process::id()));
    let mut program = Program::start_in(folder, |folder, pid| {
        let directory = folder.join("hotswap");
        let _ = fs::create_dir_all(&directory);
        let _ = fs::set_permissions(&directory, PermissionsExt::from_mode(0o700));
        // A socket that nobody listens on any more.
        drop(UnixListener::bind(directory.join(socket_name(pid))));
    });
    assert_eq!(program.ready, "1");
    program.connect();
    let names: Vec<_> = fs::read_dir(program.folder.join("hotswap"))
        .unwrap()
        .collect();
    let pids: Vec<_> = names
        .into_iter()
        .map(|name| socket_pid(&name.unwrap().file_name()))
        .collect();
    assert_eq!(pids, [Some(program.child.id())]);
    program.end();
}

pub(crate) fn other_directory() {
    let folder = std::env::temp_dir().join(format!("hotswap-process-other-{}", std::process::id()));
    fs::create_dir_all(&folder).unwrap();
    let mut program = Program::start_in(folder, |folder, pid| {
        let directory = folder.join("hotswap");
        let _ = fs::create_dir_all(&directory);
        let _ = fs::set_permissions(&directory, PermissionsExt::from_mode(0o700));
        // Something that no socket can replace.
        let _ = fs::create_dir_all(directory.join(socket_name(pid)).join("in the way"));
        let _ = fs::create_dir_all(directory.join(format!("{pid}.new")));
    });
    assert_eq!(program.ready, "1");
    assert_eq!(program.order("status"), "0 true");
    program.end();
}

/// Its user has no number, and who else has none can't be told from it.
pub(crate) fn unknown_user() {
    let probe = Command::new("unshare").args(["--user", "true"]).status();
    if !probe.is_ok_and(|status| status.success()) {
        return println!("NOT TESTED: this system does not let its users make namespaces");
    }
    let folder =
        std::env::temp_dir().join(format!("hotswap-process-unknown-{}", std::process::id()));
    fs::create_dir_all(&folder).unwrap();
    fs::write(folder.join(NAMELESS), "").unwrap();
    let mut program = Program::start_in(folder, |_, _| ());
    let told = "it can't tell who may talk to it";
    assert!(program.ready.contains(told), "{}", program.ready);
    assert_eq!(program.order("status"), "0 false");
    assert!(!program.folder.join("hotswap").exists());
    program.end();
}
