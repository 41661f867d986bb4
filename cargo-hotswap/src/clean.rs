//! `cargo hotswap clean`: removes what runs left behind.

use std::fs::{File, TryLockError};
use std::io::ErrorKind;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use cargo_metadata::MetadataCommand;
use hotswap_protocol::address;

use crate::base::compare;
use crate::control::place;
use crate::output;
use crate::patch::below;
use crate::selection::Selection;
use crate::session::folder;

/// What was asked for.
#[derive(Debug, Default, clap::Args)]
pub struct Options {
    /// Also remove the records of builds, what patches are built on and what programs were compared with; the next run
    /// builds its crates once more
    #[arg(long)]
    pub all: bool,
    /// Show what would be removed, and remove nothing
    #[arg(short = 'n', long)]
    pub dry_run: bool,
    /// Directory for all generated artifacts
    #[arg(long, value_name = "DIRECTORY", value_hint = clap::ValueHint::DirPath)]
    pub target_dir: Option<PathBuf>,
    /// Path to Cargo.toml
    #[arg(
        long,
        value_name = "PATH",
        value_hint = clap::ValueHint::FilePath,
        help_heading = "Manifest Options"
    )]
    pub manifest_path: Option<PathBuf>,
}

/// Removes folders of runs that ended without removing theirs, sockets of programs that were
/// killed, and, if asked, the plugin's records. What belongs to a living run stays.
///
/// # Errors
///
/// The project can't be read, or something can't be removed.
pub fn run(options: &Options) -> Result<i32> {
    let target = target_folder(options)?;
    let runs = folder::runs(&target.join(folder::PARENT));
    let living = runs.iter().filter(|run| run.lives).count();
    let mut leftovers: Vec<PathBuf> = runs
        .into_iter()
        .filter(|run| !run.lives)
        .map(|run| run.folder)
        .collect();
    leftovers.extend(dead_sockets());
    if options.all && living > 0 {
        output::warning(&format!(
            "the records of builds are kept, since {} here",
            match living {
                1 => "a program runs".to_owned(),
                many => format!("{many} programs run"),
            }
        ));
    } else if options.all {
        let (records, building) = records(&target);
        leftovers.extend(records);
        let kept = below::folder(&target);
        leftovers.extend(kept.exists().then_some(kept));
        let compared = compare::folder(&target);
        if compare::is_in_use(&compared) {
            let folder = compared.display();
            output::warning(&format!("programs are compared in {folder}: it is kept"));
        } else {
            leftovers.extend(compared.exists().then_some(compared));
        }
        for folder in building {
            let folder = folder.display();
            output::warning(&format!("cargo builds in {folder}: its records are kept"));
        }
    }
    let (mut files, mut bytes) = (0, 0);
    for path in &leftovers {
        let size = size(path);
        files += size.files;
        bytes += size.bytes;
        if options.dry_run {
            output::print(&format!("{}\n", path.display()))?;
        } else {
            remove(path)?;
        }
    }
    let (verb, none) = match options.dry_run {
        true => ("Summary", "would remove"),
        false => ("Removed", ""),
    };
    let text = format!("{none} {files} files, {} in total", amount(bytes));
    output::status(verb, text.trim_start());
    Ok(0)
}

fn target_folder(options: &Options) -> Result<PathBuf> {
    if let Some(folder) = &options.target_dir {
        return Ok(folder.clone());
    }
    let selection = Selection {
        manifest_path: options.manifest_path.clone(),
        ..Selection::default()
    };
    let mut command = MetadataCommand::new();
    command.no_deps().other_options(selection.manifest_flags());
    let metadata = command.exec().context("cargo can't read this project")?;
    Ok(metadata.target_directory.into())
}

/// Sockets that nobody listens on any more.
fn dead_sockets() -> Vec<PathBuf> {
    let entries = place::private_directories()
        .into_iter()
        .filter_map(|folder| std::fs::read_dir(folder).ok());
    let sockets = entries.flatten().flatten().filter(|entry| {
        let refused = |path: &Path| {
            let connected = UnixStream::connect(path);
            connected.is_err_and(|error| error.kind() == ErrorKind::ConnectionRefused)
        };
        let name = entry.file_name();
        let pid = address::socket_pid(&name).or(address::tool_socket_pid(&name));
        pid.is_some() && refused(&entry.path())
    });
    sockets.map(|entry| entry.path()).collect()
}

/// The plugin's records beside artefacts, and folders in which cargo builds just now: theirs are
/// left out.
fn records(target: &Path) -> (Vec<PathBuf>, Vec<PathBuf>) {
    let (mut found, mut building) = (Vec::new(), Vec::new());
    // Profiles lie in the target folder, or in one for the target triple.
    for profile in subfolders(target).into_iter().flat_map(|folder| {
        let mut all = subfolders(&folder);
        all.push(folder);
        all
    }) {
        let lock = File::open(profile.join(".cargo-lock"));
        let locked = lock.as_ref().map(File::try_lock);
        if matches!(locked, Ok(Err(TryLockError::WouldBlock))) {
            building.push(profile);
            continue;
        }
        for folder in ["deps", "examples"] {
            found.extend(
                entries(&profile.join(folder))
                    .into_iter()
                    .filter(|path| is_record(path)),
            );
        }
    }
    (found, building)
}

fn is_record(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let ends = [".hotswap.json", ".hotlink.json", ".hotobjects"];
    ends.iter().any(|end| name.ends_with(end)) || name.starts_with(".hotlink-")
}

fn entries(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let mut paths: Vec<_> = entries.map(|entry| entry.path()).collect();
    paths.sort();
    paths
}

fn subfolders(folder: &Path) -> Vec<PathBuf> {
    let is_folder = |path: &PathBuf| path.is_dir() && !path.is_symlink();
    entries(folder).into_iter().filter(is_folder).collect()
}

/// How much there is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Size {
    files: u64,
    bytes: u64,
}

fn size(path: &Path) -> Size {
    let Ok(metadata) = std::fs::symlink_metadata(path) else {
        return Size::default();
    };
    if !metadata.is_dir() {
        return Size {
            files: 1,
            bytes: metadata.len(),
        };
    }
    entries(path).iter().fold(Size::default(), |sum, path| {
        let one = size(path);
        Size {
            files: sum.files + one.files,
            bytes: sum.bytes + one.bytes,
        }
    })
}

/// Bytes as cargo writes them.
fn amount(bytes: u64) -> String {
    const UNITS: [&str; 5] = ["B", "KiB", "MiB", "GiB", "TiB"];
    let mut value = bytes as f64;
    let mut unit = 0;
    while value >= 1024.0 && unit + 1 < UNITS.len() {
        value /= 1024.0;
        unit += 1;
    }
    match unit {
        0 => format!("{bytes}B"),
        _ => format!("{value:.1}{}", UNITS[unit]),
    }
}

fn remove(path: &Path) -> Result<()> {
    let removed = match path.is_dir() && !path.is_symlink() {
        true => std::fs::remove_dir_all(path),
        false => std::fs::remove_file(path),
    };
    match removed {
        // Another tool was quicker.
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        other => other.with_context(|| format!("could not remove {}", path.display())),
    }
}

#[cfg(test)]
mod tests {
    use super::{Size, amount, records, size};

    #[test]
    fn amounts_are_readable() {
        for (bytes, expected) in [
            (0, "0B"),
            (1023, "1023B"),
            (1536, "1.5KiB"),
            (20 * 1024 * 1024, "20.0MiB"),
            (u64::MAX, "16777216.0TiB"),
        ] {
            assert_eq!(amount(bytes), expected);
        }
    }

    #[test]
    fn records_are_found_in_every_profile() {
        let target = tempfile::tempdir().unwrap();
        let write = |path: &str| {
            let path = target.path().join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, "12345").unwrap();
        };
        let ours = [
            "debug/deps/app-1.hotlink.json",
            "debug/deps/app-1.hotobjects/a.o",
            "debug/deps/app-1.hotswap.json",
            "debug/examples/e-1.hotswap.json",
            "x86_64-unknown-linux-gnu/release/deps/.hotlink-x/a.o",
        ];
        let others = [
            "debug/app",
            "debug/deps/app-1",
            "debug/deps/app-1.d",
            "building/deps/app-1.hotswap.json",
            "building/.cargo-lock",
        ];
        ours.iter().chain(&others).for_each(|path| write(path));
        let lock = std::fs::File::open(target.path().join("building/.cargo-lock")).unwrap();
        lock.lock().unwrap();
        let (mut found, building) = records(target.path());
        assert_eq!(building, [target.path().join("building")]);
        found.sort();
        let below = |path: &std::path::Path| {
            let below = path.strip_prefix(target.path()).unwrap();
            below.to_str().unwrap().to_owned()
        };
        let expected = ours.map(|path| path.trim_end_matches("/a.o"));
        assert_eq!(
            found.iter().map(|path| below(path)).collect::<Vec<_>>(),
            expected
        );
        let sum = size(target.path());
        assert_eq!(
            sum,
            Size {
                files: 10,
                bytes: 50
            }
        );
    }
}
