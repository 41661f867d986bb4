//! Checks of the package and of the place where it is built and run.

use super::{Finding, ok, problem, warning};
use crate::doctor::facts::{Facts, Folder, Role};
use crate::watch;

/// Below this much room a build may fail; an image is a few megabytes.
const LITTLE: u64 = 1 << 30;

/// Below this much a build will fail.
const TOO_LITTLE: u64 = 100 << 20;

/// Whether the package has what can be patched.
pub fn package(facts: &Facts) -> Vec<Finding> {
    let package = match &facts.package {
        Ok(package) => package,
        Err(error) => {
            return vec![problem(
                "package",
                error.clone(),
                "go to a package with an executable, or name one with `--package` or `--manifest-path`",
            )];
        }
    };
    let mut found = Vec::new();
    if let Some(error) = &package.unclear {
        found.push(problem(
            "executable",
            error.clone(),
            "name it, here and for `run`: `--bin NAME` or `--example NAME`",
        ));
    }
    found.push(runtime(facts, package.runtime.as_deref()));
    found.push(match package.entries {
        0 => problem(
            "entries",
            format!("no function of `{}` is marked, so no edit can go live", package.name),
            "run `cargo hotswap init` to see which would pay off, and mark one with `#[hotswap::entry]`",
        ),
        1 => ok("entries", "1 function is marked"),
        many => ok("entries", format!("{many} functions are marked")),
    });
    for name in &package.shared_crates {
        found.push(problem(
            "crate-type",
            format!(
                "`{name}` is also built as a shared or static library, and the program uses it"
            ),
            "build it as a plain library: `crate-type = [\"lib\"]`",
        ));
    }
    for name in &package.dynamic {
        found.push(problem(
            "crate-type",
            format!("`{name}` is linked as a shared Rust library, whose code and state can't be replaced"),
            "leave it out while you use hotswap (bevy's feature `dynamic_linking`, for one)",
        ));
    }
    found
}

fn runtime(facts: &Facts, version: Option<&str>) -> Finding {
    let check = "runtime";
    match version {
        None => problem(
            check,
            "the package does not depend on hotswap-runtime",
            "run `cargo hotswap init`",
        ),
        Some(version) if version != facts.tool => problem(
            check,
            format!("hotswap-runtime is {version}, this tool is {}", facts.tool),
            "give both the same version: `cargo install cargo-hotswap`, `cargo add hotswap-runtime`",
        ),
        Some(version) => ok(check, format!("hotswap-runtime {version}")),
    }
}

/// Whether hotswap's own settings are understood.
pub fn settings(facts: &Facts) -> Finding {
    match &facts.settings {
        Err(error) => problem("settings", error.clone(), "correct the setting"),
        Ok(warnings) if warnings.is_empty() => ok("settings", "`cargo hotswap config` shows them"),
        Ok(warnings) => warning(
            "settings",
            warnings.join("; "),
            "`cargo hotswap config` shows what is in force",
        ),
    }
}

/// Whether folders can be written, executed from, and watched.
pub fn folders(facts: &Facts) -> Vec<Finding> {
    let mut found: Vec<Finding> = facts.folders.iter().flat_map(folder).collect();
    found.push(match &facts.sockets {
        Ok(folder) => ok("sockets", folder.display().to_string()),
        Err(error) => problem(
            "sockets",
            format!("the program could not listen for patches: {error}"),
            "give it a private folder: set XDG_RUNTIME_DIR to one that is yours with mode 0700",
        ),
    });
    found
}

fn folder(folder: &Folder) -> Vec<Finding> {
    let path = folder.path.display();
    let (check, what) = match folder.role {
        Role::Sources => ("sources", "the workspace"),
        Role::Target => ("target folder", "the target folder"),
        Role::Temporary => ("temporary files", "the folder for temporary files"),
    };
    let elsewhere = match folder.role {
        Role::Target => "put it elsewhere with CARGO_TARGET_DIR or `build.target-dir`",
        Role::Temporary => "set TMPDIR to another folder",
        Role::Sources => "mount it otherwise, or move it",
    };
    let mut found = Vec::new();
    if folder.role == Role::Sources {
        if let Some(remote) = folder.remote {
            found.push(warning(
                check,
                format!("{path} is on {}, where changes can come without an event; it is also looked at again and again", remote.name()),
                "set `watch.poll` to a number of milliseconds, or to `false` if all edits are made on this machine",
            ));
        }
    } else if folder.read_only {
        found.push(problem(
            check,
            format!("{what} {path} can't be written"),
            elsewhere,
        ));
    } else if folder.noexec && folder.role == Role::Target {
        found.push(problem(
            check,
            format!(
                "{what} {path} is mounted `noexec`: neither the program nor a patch can run from it"
            ),
            elsewhere,
        ));
    } else if let Some(remote) = folder.remote.filter(|_| folder.role == Role::Target) {
        found.push(warning(
            check,
            format!(
                "{what} {path} is on {}, so that every edit is slower than it could be",
                remote.name()
            ),
            elsewhere,
        ));
    }
    if let Some(free) = folder
        .free
        .filter(|free| *free < LITTLE && folder.role != Role::Sources)
    {
        let text = format!("{what} {path} has {} MiB left", free >> 20);
        let help = "make room: `cargo hotswap clean`, `cargo clean`";
        found.push(match free < TOO_LITTLE {
            true => problem(check, text, help),
            false => warning(check, text, help),
        });
    }
    if found.is_empty() {
        found.push(ok(check, path.to_string()));
    }
    found
}

/// Whether the limits of file events are far enough away.
pub fn watching(facts: &Facts) -> Vec<Finding> {
    let inotify = &facts.inotify;
    let mut found = Vec::new();
    let raise = |limit: &str, value: u64| {
        let text = watch::raise(limit, u32::try_from(value).unwrap_or(u32::MAX));
        text.trim_start_matches("\n  = help: ").to_owned()
    };
    if let Some(most) = inotify.max_watches
        && inotify.watches + inotify.needed > most
    {
        found.push(warning(
            "watching",
            format!(
                "{} folders are to be watched, {} are watched already, and {most} may be; the rest is looked at again and again",
                inotify.needed, inotify.watches
            ),
            raise("max_user_watches", (2 * (inotify.watches + inotify.needed)).max(524_288)),
        ));
    }
    if let Some(most) = inotify.max_instances
        && inotify.instances + 1 > most
    {
        found.push(warning(
            "watching",
            format!("{} programs watch files already, and {most} may; files are looked at again and again", inotify.instances),
            raise("max_user_instances", (2 * inotify.instances).max(1024)),
        ));
    }
    if found.is_empty() {
        found.push(ok(
            "watching",
            format!("{} folders, by events", inotify.needed),
        ));
    }
    found
}

/// What the kernel and a container leave this process.
pub fn system(facts: &Facts) -> Vec<Finding> {
    let system = &facts.system;
    let mut found = Vec::new();
    if !system.proc {
        found.push(problem(
            "system",
            "/proc is not mounted: compiler and program are reached through it",
            "mount it: `mount -t proc proc /proc`, or let the container have it",
        ));
    }
    if !system.membarrier {
        found.push(warning(
            "system",
            "`membarrier` is not allowed here, so that every call of an entry takes a few nanoseconds more",
            "let the container's seccomp profile allow it",
        ));
    }
    if found.is_empty() {
        let place = match (&system.container, system.seccomp) {
            (Some(container), true) => {
                format!("in a container ({container}), with a seccomp filter")
            }
            (Some(container), false) => format!("in a container ({container})"),
            (None, true) => "with a seccomp filter".to_owned(),
            (None, false) => "no container, no seccomp filter".to_owned(),
        };
        found.push(ok("system", place));
    }
    found
}
