//! Patch files on disk.

use std::fs;
use std::io::Read as _;
use std::path::Path;

use anyhow::{Context, Result};
use hotswap_protocol::patch::container::{self, Container, MAX_BYTES};
use hotswap_protocol::patch::{self, Contents};

/// The bytes of a patch file, as far as any may be long.
///
/// # Errors
///
/// It can't be read.
pub fn bytes(path: &Path) -> Result<Vec<u8>> {
    let context = || format!("could not read {}", path.display());
    let file = fs::File::open(path).with_context(context)?;
    let mut bytes = Vec::new();
    // One more shows that it is too long.
    let mut limited = file.take(MAX_BYTES + 1);
    limited.read_to_end(&mut bytes).with_context(context)?;
    Ok(bytes)
}

/// Takes a patch file apart.
///
/// # Errors
///
/// It is none, or contradicts itself.
pub fn read<'a>(path: &Path, bytes: &'a [u8]) -> Result<(Container<'a>, Contents<'a>)> {
    let context = || format!("{} can't be used", path.display());
    let container = container::read(bytes).with_context(context)?;
    let contents = patch::read(&container).with_context(context)?;
    Ok((container, contents))
}
