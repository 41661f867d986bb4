//! Patch files on disk.

use std::error::Error;
use std::fs;
use std::io::Read as _;
use std::path::Path;

use anyhow::{Context, Result, anyhow};
use hotswap_protocol::patch::container::{self, Container, MAX_BYTES};
use hotswap_protocol::patch::{self, Contents};

use crate::output::plain;

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
    // The reasons name what is in the file.
    let unusable = |reason: &dyn Error| {
        let path = plain(&path.display().to_string());
        anyhow!(plain(&reason.to_string())).context(format!("{path} can't be used"))
    };
    let container = container::read(bytes).map_err(|error| unusable(&error))?;
    let contents = patch::read(&container).map_err(|error| unusable(&error))?;
    Ok((container, contents))
}
