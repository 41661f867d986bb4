//! The folder of one run: replayed artefacts, images, and the executable under a second name.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use tempfile::TempDir;

/// A folder below the target folder that is removed when the run ends. Each run has its own, so
/// that two programs in one target folder don't disturb each other.
#[derive(Debug)]
pub struct RunFolder(TempDir);

impl RunFolder {
    /// Makes a fresh folder.
    ///
    /// # Errors
    ///
    /// The target folder can't be written.
    pub fn new(target_directory: &Path) -> Result<Self> {
        let parent = target_directory.join("hotswap");
        let context = || format!("could not make a folder in {}", parent.display());
        std::fs::create_dir_all(&parent).with_context(context)?;
        remove_left_behind(&parent);
        let prefix = format!("run-{}-", std::process::id());
        let folder = tempfile::Builder::new()
            .prefix(&prefix)
            .tempdir_in(std::fs::canonicalize(&parent).with_context(context)?)
            .with_context(context)?;
        Ok(Self(folder))
    }

    /// Where it is.
    pub fn path(&self) -> PathBuf {
        self.0.path().to_owned()
    }

    /// Gives a file a name in the folder under which its content stays, whatever cargo does.
    ///
    /// # Errors
    ///
    /// The file can be neither linked nor copied.
    pub fn keep(&self, file: &Path) -> Result<PathBuf> {
        let kept = self.0.path().join("host");
        if std::fs::hard_link(file, &kept).is_err() {
            std::fs::copy(file, &kept)
                .with_context(|| format!("could not copy {}", file.display()))?;
        }
        Ok(kept)
    }
}

/// Removes the folders of runs that were killed.
fn remove_left_behind(parent: &Path) {
    for entry in std::fs::read_dir(parent).into_iter().flatten().flatten() {
        let name = entry.file_name();
        let pid = name
            .to_str()
            .and_then(|name| name.strip_prefix("run-")?.split('-').next());
        let Some(pid) = pid.filter(|pid| pid.bytes().all(|byte| byte.is_ascii_digit())) else {
            continue;
        };
        if !Path::new("/proc").join(pid).exists() {
            // Another tool may be removing it, too.
            let _ = std::fs::remove_dir_all(entry.path());
        }
    }
}
