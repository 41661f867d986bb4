//! Goes over to the executable of the release that is permanent, before `main` and before any thread is started.
//!
//! So a program that is started from somewhere else, an image of a container for instance, comes back as the release
//! that was made permanent. It is the same process: its id, its descriptors, arguments and environment stay.

use std::ffi::OsString;
use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use hotswap_protocol::env;

use crate::engine::listen;

/// The executable of this process, also if its name leads elsewhere by now.
const OWN: &str = "/proc/self/exe";

/// Where the release is that is permanent, below the folder of the program's releases.
const PERMANENT: &str = "permanent";

/// Goes over to the permanent release below this folder, and returns only if this process is of it, there is none,
/// or it can't be started; an error says why.
///
/// `variables` were taken out of the environment, and are the new executable's again.
pub(crate) fn go_over(root: &Path, variables: &[(OsString, OsString)]) -> Result<(), String> {
    if !root.is_absolute() {
        return Err(format!(
            "no release is started: {} is `{}`, which is no absolute path",
            env::RELEASES,
            root.display()
        ));
    }
    let own = fs::read_link(OWN).map_err(|error| error.to_string())?;
    let Some(executable) = permanent(root, &own).map_err(|(path, problem)| {
        format!(
            "the permanent release is not started: `{}` {problem}",
            path.display()
        )
    })?
    else {
        return Ok(());
    };
    let mut arguments = std::env::args_os();
    let mut command = Command::new(&executable);
    if let Some(name) = arguments.next() {
        command.arg0(name);
    }
    // Without the folder's variable, the new executable does not go over again.
    let kept = variables.iter().filter(|(name, _)| name != env::RELEASES);
    command
        .args(arguments)
        .envs(kept.map(|(name, value)| (name, value)));
    let error = command.exec();
    Err(format!(
        "the permanent release `{}` can't be started: {error}",
        executable.display()
    ))
}

/// The executable of the permanent release of the program with this executable; none if there is no such release, or
/// this is its executable.
fn permanent(root: &Path, own: &Path) -> Result<Option<PathBuf>, (PathBuf, String)> {
    let Some(name) = own.file_name() else {
        return Ok(None);
    };
    let folder = root.join(name);
    let link = folder.join(PERMANENT);
    let problem = |path: &Path, error: io::Error| (path.to_owned(), error.to_string());
    let release = match fs::canonicalize(&link) {
        // A link that leads nowhere is no reason to start something else without a word.
        Err(error) if error.kind() == io::ErrorKind::NotFound && !link.is_symlink() => {
            return Ok(None);
        }
        release => release.map_err(|error| problem(&link, error))?,
    };
    let executable = release.join(name);
    // Who can write one of these could have this user run anything.
    let around = release.parent().unwrap_or(&release).to_owned();
    for path in [&folder, &around, &release, &executable] {
        let metadata = fs::symlink_metadata(path).map_err(|error| problem(path, error))?;
        let is_own = [0, listen::user()].contains(&metadata.uid());
        if !is_own || metadata.mode() & 0o022 != 0 || metadata.is_symlink() {
            let text = "is not this user's or root's, or others can write it".to_owned();
            return Err((path.clone(), text));
        }
    }
    let same = |path: &Path| fs::metadata(path).map(|it| (it.dev(), it.ino()));
    match (same(Path::new(OWN)), same(&executable)) {
        (Ok(own), Ok(other)) if own == other => Ok(None),
        (_, Ok(_)) => Ok(Some(executable)),
        (_, Err(error)) => Err(problem(&executable, error)),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{PermissionsExt as _, symlink};

    use super::*;

    fn mode(path: &Path, mode: u32) {
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    }

    #[test]
    fn only_what_others_can_not_write_is_started() {
        let root = std::env::temp_dir().join(format!("hotswap-releases-{}", std::process::id()));
        let release = root.join("web/releases/1");
        fs::create_dir_all(&release).unwrap();
        let (own, executable) = (Path::new("/usr/bin/web"), release.join("web"));
        let folder = root.join("web");
        mode(&folder, 0o755);
        mode(&release, 0o755);
        let around = root.join("web/releases");
        mode(&around, 0o755);
        // Nothing is permanent yet.
        assert_eq!(permanent(&root, own), Ok(None));
        symlink("releases/1", root.join("web/permanent")).unwrap();
        assert!(permanent(&root, own).is_err(), "there is no executable");
        fs::write(&executable, b"").unwrap();
        mode(&executable, 0o755);
        let executable = fs::canonicalize(&executable).unwrap();
        assert_eq!(permanent(&root, own), Ok(Some(executable.clone())));
        // Another program has no releases there.
        assert_eq!(permanent(&root, Path::new("/usr/bin/api")), Ok(None));
        let all = [&folder, &around, &release, &executable];
        for (path, good) in all.map(|path| (path, 0o755)) {
            mode(path, 0o777);
            let (_, problem) = permanent(&root, own).unwrap_err();
            assert!(problem.contains("others can write it"), "{problem}");
            mode(path, good);
        }
        fs::remove_file(&executable).unwrap();
        symlink("/proc/self/exe", &executable).unwrap();
        assert!(permanent(&root, own).is_err(), "a link");
        fs::remove_dir_all(&release).unwrap();
        let (path, _) = permanent(&root, own).unwrap_err();
        assert_eq!(path, root.join("web/permanent"), "it leads nowhere");
        let relative = go_over(Path::new("releases"), &[]).unwrap_err();
        assert!(relative.contains("no absolute path"), "{relative}");
        fs::remove_dir_all(&root).unwrap();
    }
}
