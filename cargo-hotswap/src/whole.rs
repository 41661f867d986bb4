//! Files that are there as a whole or not at all, also after the machine lost its power.

use std::fs::File;
use std::io::Write as _;
use std::path::Path;

use anyhow::{Context, Result};
use tempfile::NamedTempFile;

/// Writes a file, so that a reader sees what was there before or all of this. When it returns, that is on the disk.
///
/// # Errors
///
/// The folder can't be written, or the disk is full; what was there before is there.
pub fn write(path: &Path, bytes: &[u8]) -> Result<()> {
    let context = || format!("could not write {}", path.display());
    let parent = path.parent();
    let parent = parent.filter(|parent| !parent.as_os_str().is_empty());
    let folder = parent.unwrap_or(Path::new("."));
    let mut file = NamedTempFile::new_in(folder).with_context(context)?;
    file.write_all(bytes).with_context(context)?;
    // A name must not get to the disk before the content.
    file.as_file().sync_all().with_context(context)?;
    // The error would hold the file until it is told.
    file.persist(path)
        .map_err(|error| error.error)
        .with_context(context)?;
    let folder = File::open(folder).with_context(context)?;
    folder.sync_all().with_context(context)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::write;

    #[test]
    fn all_or_nothing_is_there() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        for text in ["one", "another"] {
            write(&path, text.as_bytes()).unwrap();
            assert_eq!(fs::read_to_string(&path).unwrap(), text);
        }
        // What can't take its place leaves nothing behind.
        fs::create_dir(folder.path().join("taken")).unwrap();
        let error = write(&folder.path().join("taken"), b"text").unwrap_err();
        assert!(
            error.to_string().starts_with("could not write /"),
            "{error}"
        );
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 2);
    }
}
