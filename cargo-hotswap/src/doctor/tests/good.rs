//! The set-up that others are made from.

use std::path::PathBuf;

use crate::doctor::facts::{
    Behind, Facts, Folder, Inotify, Linker, Package, PatchLinker, Profile, Role, System, Toolchain,
};

pub const GNU: &str = "x86_64-unknown-linux-gnu";

/// A set-up that nothing is wrong with.
pub fn good() -> Facts {
    let folder = |role, path: &str| Folder {
        role,
        path: PathBuf::from(path),
        free: Some(100 << 30),
        ..Folder::default()
    };
    Facts {
        tool: "0.1.0".to_owned(),
        toolchain: Toolchain {
            error: None,
            version: "1.95.0".to_owned(),
            host: GNU.to_owned(),
            target: GNU.to_owned(),
            has_std: true,
        },
        linker: Linker {
            program: "cc".to_owned(),
            found: true,
            behind: Behind::RustLld,
            behind_found: true,
        },
        patch_linker: PatchLinker {
            rust_lld: true,
            instead: None,
        },
        rustflags: Vec::new(),
        profile: Profile {
            name: "release".to_owned(),
            ..Profile::default()
        },
        package: Ok(Package {
            name: "app".to_owned(),
            runtime: Some("0.1.0".to_owned()),
            entries: 2,
            ..Package::default()
        }),
        wrappers: Vec::new(),
        inotify: Inotify {
            max_watches: Some(1000),
            max_instances: Some(128),
            watches: 10,
            instances: 3,
            needed: 20,
        },
        folders: vec![
            folder(Role::Sources, "/w"),
            folder(Role::Target, "/w/target"),
            folder(Role::Temporary, "/tmp"),
        ],
        sockets: Ok(PathBuf::from("/run/user/1/hotswap")),
        system: System {
            proc: true,
            membarrier: true,
            memfd: true,
            seccomp: false,
            ptrace_scope: Some(1),
            container: None,
        },
        settings: Ok(Vec::new()),
    }
}
