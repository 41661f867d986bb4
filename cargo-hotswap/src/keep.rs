//! Keeping a file that somebody else may remove.

use std::path::Path;

use anyhow::{Context, Result};

/// Gives a file a second name, under which its content stays when the first is removed: a hard link,
/// or a copy where that can't be. A file that has the second name already is replaced.
///
/// # Errors
///
/// The file can be neither linked nor copied.
pub fn keep(file: &Path, to: &Path) -> Result<()> {
    let context = || format!("could not keep {} as {}", file.display(), to.display());
    if to.exists() {
        std::fs::remove_file(to).with_context(context)?;
    }
    if std::fs::hard_link(file, to).is_err() {
        std::fs::copy(file, to).with_context(context)?;
    }
    Ok(())
}
