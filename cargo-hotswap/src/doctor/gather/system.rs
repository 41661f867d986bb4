//! Folders, limits and the kernel.

use std::collections::BTreeSet;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use cargo_metadata::Metadata;
use hotswap_protocol::address;

use crate::doctor::facts::{Folder, Inotify, Role, System};
use crate::watch::Remote;

/// Limits and use of file events.
pub fn inotify(metadata: Option<&Metadata>) -> Inotify {
    let limit = |name: &str| {
        let text = std::fs::read_to_string(format!("/proc/sys/fs/inotify/{name}"));
        text.ok()?.trim().parse().ok()
    };
    let (instances, watches) = inotify_use();
    let mut folders = BTreeSet::new();
    for member in metadata.into_iter().flat_map(Metadata::workspace_packages) {
        folders.extend(member.manifest_path.parent().map(PathBuf::from));
        for target in &member.targets {
            let root = target.src_path.as_std_path().parent();
            folders_below(root.unwrap_or(Path::new(".")), &mut folders);
        }
    }
    Inotify {
        max_watches: limit("max_user_watches"),
        max_instances: limit("max_user_instances"),
        watches,
        instances,
        needed: folders.len() as u64,
    }
}

fn folders_below(folder: &Path, found: &mut BTreeSet<PathBuf>) {
    let Ok(entries) = std::fs::read_dir(folder) else {
        return;
    };
    let build_output = folder.join("CACHEDIR.TAG").exists();
    if build_output || (!found.insert(folder.to_owned()) && !folder.join("Cargo.toml").exists()) {
        return;
    }
    for entry in entries.flatten() {
        let hidden = entry.file_name().as_encoded_bytes().starts_with(b".");
        if !hidden && entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            folders_below(&entry.path(), found);
        }
    }
}

/// Event queues of this user's processes, and what they watch.
fn inotify_use() -> (u64, u64) {
    let (mut instances, mut watches) = (0, 0);
    let user = rustix::process::getuid().as_raw();
    for process in std::fs::read_dir("/proc").into_iter().flatten().flatten() {
        let is_own = process
            .metadata()
            .is_ok_and(|metadata| metadata.uid() == user);
        if !is_own {
            continue;
        }
        let descriptors = std::fs::read_dir(process.path().join("fd"))
            .into_iter()
            .flatten()
            .flatten();
        for descriptor in descriptors {
            let target = std::fs::read_link(descriptor.path()).unwrap_or_default();
            if target != Path::new("anon_inode:inotify") {
                continue;
            }
            let info = process.path().join("fdinfo").join(descriptor.file_name());
            let info = std::fs::read_to_string(info).unwrap_or_default();
            instances += 1;
            watches += info
                .lines()
                .filter(|line| line.starts_with("inotify "))
                .count() as u64;
        }
    }
    (instances, watches)
}

/// A folder and the file system below it.
pub fn folder(role: Role, path: &Path) -> Folder {
    // What is not there yet will be made in what is.
    let standing = path
        .ancestors()
        .find(|above| above.exists())
        .unwrap_or(Path::new("/"));
    let mount = rustix::fs::statvfs(standing).ok();
    let has = |flag| {
        mount
            .as_ref()
            .is_some_and(|mount| mount.f_flag.contains(flag))
    };
    Folder {
        role,
        path: path.to_owned(),
        remote: Remote::of(standing),
        noexec: has(rustix::fs::StatVfsMountFlags::NOEXEC),
        read_only: has(rustix::fs::StatVfsMountFlags::RDONLY),
        free: mount.map(|mount| mount.f_bavail.saturating_mul(mount.f_frsize)),
    }
}

/// The folder in which a program would listen.
pub fn sockets() -> Result<PathBuf, String> {
    let runtime = std::env::var_os(address::RUNTIME_DIR_VARIABLE);
    let user = rustix::process::getuid().as_raw();
    let mut reasons = Vec::new();
    for folder in address::socket_directories(runtime.as_deref(), user) {
        match usable(&folder, user) {
            Ok(()) => return Ok(folder),
            Err(reason) => reasons.push(format!("{}: {reason}", folder.display())),
        }
    }
    Err(reasons.join("; "))
}

fn usable(folder: &Path, user: u32) -> Result<(), &'static str> {
    let Ok(metadata) = std::fs::symlink_metadata(folder) else {
        let parent = folder.parent().unwrap_or(Path::new("/"));
        let access = rustix::fs::access(parent, rustix::fs::Access::WRITE_OK);
        return access.map_err(|_| "its parent can't be written");
    };
    if !metadata.is_dir() {
        Err("it is no folder")
    } else if metadata.uid() != user {
        Err("it is another user's")
    } else if metadata.permissions().mode() & 0o077 != 0 {
        Err("others may use it; its mode must be 0700")
    } else {
        Ok(())
    }
}

/// The kernel and what surrounds this process.
pub fn system() -> System {
    let status = std::fs::read_to_string("/proc/self/status");
    let query = rustix::thread::membarrier_query();
    let marks = [("/.dockerenv", "docker"), ("/run/.containerenv", "podman")];
    let mark = marks.iter().find(|(file, _)| Path::new(file).exists());
    let container = std::env::var("container").ok();
    System {
        proc: status.is_ok(),
        membarrier: query.contains_command(rustix::thread::MembarrierCommand::PrivateExpedited),
        memfd: rustix::fs::memfd_create("hotswap-doctor", rustix::fs::MemfdFlags::CLOEXEC).is_ok(),
        seccomp: status.unwrap_or_default().lines().any(|line| {
            line.strip_prefix("Seccomp:")
                .is_some_and(|mode| mode.trim() == "2")
        }),
        ptrace_scope: std::fs::read_to_string("/proc/sys/kernel/yama/ptrace_scope")
            .ok()
            .and_then(|text| text.trim().parse().ok()),
        container: mark.map(|(_, name)| (*name).to_owned()).or(container),
    }
}
