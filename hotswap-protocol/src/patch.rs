//! Patch files: what a patch says of itself, and what a program is asked to do with one.
//!
//! A file is a [`container`] of the text of a [`Patch`], the images that its manifest names, and a
//! signature of all bytes before it, in minisign's form.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::build_id::BuildId;
use crate::manifest::{Image, Manifest, ManifestError};

pub mod audit;
pub mod container;
pub mod digest;
pub mod order;

pub use container::{Container, ContainerError};
pub use digest::Digest;

/// The number of the form of a patch's text.
pub const FORMAT: u32 = 1;

/// The longest name of a patch, in bytes.
pub const MAX_NAME_BYTES: usize = 100;

/// A patch: what it is for, when it may be applied, where it comes from, and what is to be loaded.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Patch {
    /// [`FORMAT`] of whoever wrote it.
    pub format: u32,
    /// Its name, for people.
    pub name: String,
    /// The program that it is for.
    pub base: Base,
    /// The patches that must be applied already, the oldest first, and no others.
    pub below: Vec<Digest>,
    /// The number that orders patches of one base: once a higher one was applied, this is a replay.
    pub sequence: u64,
    /// The last second, since 1970 in universal time, in which it may be applied.
    pub not_after: Option<u64>,
    /// It has signatures, cells or types of its own, of which another patch of this base could have others
    /// under the same names: the code of both is never in one process, unless one lies on the other and was compared
    /// with it.
    pub beyond_base: bool,
    /// What it does, for people.
    pub plan: Plan,
    /// What it was made from.
    pub provenance: Provenance,
    /// What is loaded. The paths of its images are names in this file.
    pub manifest: Manifest,
}

/// The build that a patch is for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Base {
    /// The name of its executable.
    pub name: String,
    /// The build id of its executable.
    pub build_id: BuildId,
}

/// What a patch does, for people: nothing is decided by it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Plan {
    /// Entries that lead to new code.
    pub entries: Vec<String>,
    /// Statics of which there is something to say.
    pub statics: Vec<String>,
    /// Edited functions that no entry leads to.
    pub still_old: Vec<String>,
    /// Cells whose values get a new layout.
    pub migrated: Vec<String>,
    /// Why the program can't go back by itself; empty if it can.
    pub no_way_back: Vec<String>,
}

/// What a patch was made from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Provenance {
    /// The tool and its version.
    pub tool: String,
    /// The compiler's version, as it tells it at length.
    pub toolchain: String,
    /// Sources that differ from the base, by path in the workspace, with the digest of what they say.
    pub edited: BTreeMap<String, Digest>,
    /// Entries that tell of their calls.
    pub logged: BTreeSet<String>,
    /// A digest of all sources' paths and contents.
    pub sources: Digest,
}

/// A patch whose parts fit together, with the bytes of its images in the order of
/// [`Patch::images`].
#[derive(Debug, Clone)]
pub struct Contents<'a> {
    /// The text.
    pub patch: Patch,
    /// The images.
    pub images: Vec<&'a [u8]>,
    /// What the patch is known by: the digest of all that is signed.
    pub digest: Digest,
}

/// A file is no patch that can be understood.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PatchError {
    /// The file's form.
    #[error(transparent)]
    Container(#[from] ContainerError),
    /// The text is no JSON of a patch.
    #[error("the patch's text can't be read: {0}")]
    Text(String),
    /// The text has another form than [`FORMAT`].
    #[error(
        "the patch's text has form {found}, expected {FORMAT}: use a tool and a runtime of the same version"
    )]
    UnknownFormat {
        /// The form it states.
        found: u32,
    },
    /// The name is empty, too long, or not one line of visible characters.
    #[error("the patch's name is no line of 1 to {MAX_NAME_BYTES} bytes")]
    Name,
    /// The manifest contradicts itself.
    #[error(transparent)]
    Manifest(#[from] ManifestError),
    /// The manifest is for another executable than the patch.
    #[error("the patch is for build {patch}, its manifest for build {manifest}")]
    OtherBase {
        /// That of the patch.
        patch: BuildId,
        /// That of the manifest.
        manifest: BuildId,
    },
    /// There are more or fewer images than the manifest names.
    #[error("the patch names {named} images and holds {held}")]
    Images {
        /// How many the manifest names.
        named: usize,
        /// How many there are.
        held: usize,
    },
    /// An image has another name than it should: one that leads out of the file, say.
    #[error("the image `{}` has no name of an image in a patch", path.display())]
    ImageName {
        /// The name.
        path: PathBuf,
    },
    /// An image has another size than the manifest says.
    #[error("the image `{}` has {held} bytes, the manifest says {named}", path.display())]
    ImageSize {
        /// Its name.
        path: PathBuf,
        /// What the manifest says.
        named: u64,
        /// What there is.
        held: u64,
    },
    /// A patch is to lie on top of itself, or on one patch twice.
    #[error("the patches that must be applied before are named twice")]
    Below,
}

/// The name of an image in a patch file.
#[must_use]
pub fn image_name(index: usize) -> PathBuf {
    PathBuf::from(format!("/patch/{index}.so"))
}

impl Patch {
    /// The images that the file holds, in its order.
    pub fn images(&self) -> impl Iterator<Item = &Image> {
        self.manifest.support.iter().chain(&self.manifest.image)
    }

    /// The patch as the text of a file.
    ///
    /// # Errors
    ///
    /// It can't be written as JSON.
    pub fn text(&self) -> Result<Vec<u8>, serde_json::Error> {
        serde_json::to_vec(self)
    }

    fn check(&self, images: &[&[u8]]) -> Result<(), PatchError> {
        if self.format != FORMAT {
            return Err(PatchError::UnknownFormat { found: self.format });
        }
        let is_line = !self.name.chars().any(char::is_control);
        if self.name.is_empty() || self.name.len() > MAX_NAME_BYTES || !is_line {
            return Err(PatchError::Name);
        }
        self.manifest.validate()?;
        if self.base.build_id != self.manifest.host.build_id {
            return Err(PatchError::OtherBase {
                patch: self.base.build_id.clone(),
                manifest: self.manifest.host.build_id.clone(),
            });
        }
        if self.below.iter().collect::<BTreeSet<_>>().len() != self.below.len() {
            return Err(PatchError::Below);
        }
        let (named, held) = (self.images().count(), images.len());
        if named != held {
            return Err(PatchError::Images { named, held });
        }
        for (index, (image, bytes)) in self.images().zip(images).enumerate() {
            let path = image.path.clone();
            if path != image_name(index) {
                return Err(PatchError::ImageName { path });
            }
            let (named, held) = (image.size, bytes.len() as u64);
            if named != held {
                return Err(PatchError::ImageSize { path, named, held });
            }
        }
        Ok(())
    }
}

/// Reads a patch from the bytes of a file. Nothing is said of its signature.
///
/// # Errors
///
/// The first thing that is not as it should be.
pub fn read<'a>(container: &Container<'a>) -> Result<Contents<'a>, PatchError> {
    // The number first: another form may have other fields.
    let text = |error: serde_json::Error| PatchError::Text(error.to_string());
    let form: Form = serde_json::from_slice(container.text).map_err(text)?;
    if form.format != FORMAT {
        return Err(PatchError::UnknownFormat { found: form.format });
    }
    let patch: Patch = serde_json::from_slice(container.text).map_err(text)?;
    patch.check(&container.images)?;
    Ok(Contents {
        patch,
        images: container.images.clone(),
        digest: Digest::of(container.signed),
    })
}

#[derive(Deserialize)]
struct Form {
    format: u32,
}

#[cfg(test)]
mod tests;
