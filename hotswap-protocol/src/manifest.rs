//! The manifest of a patch: which executable it is for, which image it loads, which entries it has.

use std::collections::HashSet;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::build_id::BuildId;
use crate::hook::Hook;
use crate::state::{Back, Cell, Function, Migration, MigrationError};

/// The number of this manifest format.
pub const FORMAT: u32 = 4;

/// The alignment of an entry's descriptor in memory, in bytes.
pub const DESCRIPTOR_ALIGN: u64 = 8;

/// Addresses at or above this one lie outside every user's address space.
pub const ADDRESS_LIMIT: u64 = 1 << 47;

/// A patch. All addresses are virtual addresses of the file they belong to: offsets from where it
/// is loaded, so that one manifest serves every process of the same build.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// [`FORMAT`] of whoever wrote it.
    pub format: u32,
    /// The executable the patch is for.
    pub host: Host,
    /// The code to load. None: the version is the host's own code again.
    pub image: Option<Image>,
    /// Images that the patch needs besides, in loading order. They are visible to later images and
    /// never unloaded; one that is loaded already (same build id) is not loaded again.
    #[serde(default)]
    pub support: Vec<Image>,
    /// All entries of the executable.
    pub base_entries: Vec<Entry>,
    /// All entries of the image.
    pub image_entries: Vec<Entry>,
    /// Paths of entries of the executable that newer code no longer has: callers go on with the
    /// last body. Where neither this nor the image has an entry, the executable's code is newest.
    #[serde(default)]
    pub gone: Vec<String>,
    /// All cells of the executable.
    #[serde(default)]
    pub base_cells: Vec<Cell>,
    /// The cells that code of the image may use, and those that it brings.
    #[serde(default)]
    pub image_cells: Vec<Cell>,
    /// The functions of the executable that make whole values.
    #[serde(default)]
    pub base_functions: Vec<Function>,
    /// Those of the image. Where both have one of a symbol, the image's counts.
    #[serde(default)]
    pub image_functions: Vec<Function>,
    /// The functions of the executable that run at swaps, in the order in which they do.
    #[serde(default)]
    pub base_hooks: Vec<Hook>,
    /// Those of the new version, wherever they are.
    #[serde(default)]
    pub hooks: Vec<Hook>,
    /// How the cells' values become what the new version expects.
    #[serde(default)]
    pub migration: Migration,
    /// How the program gets back to the code before, without anybody's help.
    #[serde(default)]
    pub back: Back,
    /// A short name for the version, for reports.
    #[serde(default)]
    pub label: Option<String>,
    /// Remarks for reports.
    #[serde(default)]
    pub notes: Vec<String>,
}

/// What the patch demands of the executable and knows of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Host {
    /// The build id that the executable must have.
    pub build_id: BuildId,
    /// Where the standard library keeps its list of loaded files. Without it, or where the runtime
    /// does not know the layout, backtraces through images loaded later lack names.
    #[serde(default)]
    pub backtrace: Option<BacktraceStatics>,
}

/// The standard library's private statics that backtraces depend on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BacktraceStatics {
    /// The cached list of loaded files.
    pub cache: Static,
    /// The mutex that guards it.
    pub lock: Static,
}

/// A static of the executable.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Static {
    /// Its virtual address.
    pub address: u64,
    /// Its size in bytes.
    pub size: u64,
}

/// An image file and what identifies it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Image {
    /// Its absolute path. The file belongs to the program's user or root and is writable by its
    /// owner only.
    pub path: PathBuf,
    /// Its size in bytes.
    pub size: u64,
    /// Its build id.
    pub build_id: BuildId,
    /// Its [`checksum`](crate::checksum::checksum).
    pub checksum: u64,
    /// Whether later images may bind to what it exports: it brought statics that can't live in a
    /// support image. Such an image is never unloaded.
    #[serde(default)]
    pub shared: bool,
}

/// An entry of the executable or of the image.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Entry {
    /// Its canonical path, for example `<chat::Room as chat::Handler>::handle`.
    pub path: String,
    /// The fingerprint of its signature: source text and deep layouts. Opaque to the runtime.
    pub fingerprint: String,
    /// The virtual address of its descriptor.
    pub descriptor: u64,
    /// The virtual address of its body.
    pub body: u64,
}

/// Where an entry stands in the manifest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// Among the entries of the executable.
    Base,
    /// Among the entries of the image.
    Image,
}

impl std::fmt::Display for Side {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Base => "the executable",
            Self::Image => "the image",
        })
    }
}

/// A manifest contradicts itself.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ManifestError {
    /// The format is not [`FORMAT`].
    #[error(
        "manifest format {found} is unknown, expected {FORMAT}: use the tool and the runtime of the same version"
    )]
    UnknownFormat {
        /// The format it states.
        found: u32,
    },
    /// An image's path is not absolute.
    #[error("image path `{}` is not absolute", path.display())]
    RelativePath {
        /// The path.
        path: PathBuf,
    },
    /// An image of no bytes.
    #[error("image `{}` is empty", path.display())]
    EmptyImage {
        /// The path.
        path: PathBuf,
    },
    /// Image entries without an image.
    #[error("the manifest lists {count} entries of an image but names no image")]
    EntriesWithoutImage {
        /// How many.
        count: usize,
    },
    /// An entry without a path or fingerprint.
    #[error("an entry of {side} at body {body:#x} has no path or no fingerprint")]
    Unnamed {
        /// Where.
        side: Side,
        /// Its body's address.
        body: u64,
    },
    /// Two entries with one path.
    #[error("entry `{path}` occurs twice in {side}")]
    DuplicatePath {
        /// The path.
        path: String,
        /// Where.
        side: Side,
    },
    /// Two entries with one descriptor.
    #[error("entry `{path}` shares its descriptor at {address:#x} with another entry of {side}")]
    DuplicateDescriptor {
        /// The path of the later one.
        path: String,
        /// Where.
        side: Side,
        /// The descriptor's address.
        address: u64,
    },
    /// An address that can't be one.
    #[error("entry `{path}` of {side}: {address:#x} is no possible address of a {role}")]
    ImpossibleAddress {
        /// The entry's path.
        path: String,
        /// Where.
        side: Side,
        /// `descriptor` or `body`.
        role: &'static str,
        /// The address.
        address: u64,
    },
    /// A hook at an address that can't be one, or in an image that there is not.
    #[error("`{path}`, which runs at swaps, has no possible address ({address:#x})")]
    ImpossibleHook {
        /// Its path.
        path: String,
        /// The address.
        address: u64,
    },
    /// Cells or their migration.
    #[error(transparent)]
    Migration(MigrationError),
}

impl Manifest {
    /// A patch for the executable `build_id`, without image, entries or remarks.
    #[must_use]
    pub fn new(build_id: BuildId) -> Self {
        Self {
            format: FORMAT,
            host: Host {
                build_id,
                backtrace: None,
            },
            image: None,
            support: Vec::new(),
            base_entries: Vec::new(),
            image_entries: Vec::new(),
            gone: Vec::new(),
            base_cells: Vec::new(),
            image_cells: Vec::new(),
            base_functions: Vec::new(),
            image_functions: Vec::new(),
            base_hooks: Vec::new(),
            hooks: Vec::new(),
            migration: Migration::default(),
            back: Back::default(),
            label: None,
            notes: Vec::new(),
        }
    }

    /// Checks all that can be checked without looking at a file.
    ///
    /// # Errors
    ///
    /// The first contradiction found.
    pub fn validate(&self) -> Result<(), ManifestError> {
        if self.format != FORMAT {
            return Err(ManifestError::UnknownFormat { found: self.format });
        }
        for image in self.support.iter().chain(&self.image) {
            validate_image(image)?;
        }
        if self.image.is_none() && !self.image_entries.is_empty() {
            let count = self.image_entries.len();
            return Err(ManifestError::EntriesWithoutImage { count });
        }
        validate_entries(&self.base_entries, Side::Base)?;
        validate_entries(&self.image_entries, Side::Image)?;
        validate_hooks(&self.base_hooks, false)?;
        validate_hooks(&self.hooks, self.image.is_some())?;
        let (base, image) = (&self.base_cells, &self.image_cells);
        self.migration.validate(base, image)?;
        match &self.back {
            Back::Way(back) => Ok(back.validate_back(base, image)?),
            Back::AsFrom(_) | Back::None(_) => Ok(()),
        }
    }
}

fn validate_image(image: &Image) -> Result<(), ManifestError> {
    let path = image.path.clone();
    if !path.is_absolute() {
        return Err(ManifestError::RelativePath { path });
    }
    if image.size == 0 {
        return Err(ManifestError::EmptyImage { path });
    }
    Ok(())
}

fn validate_entries(entries: &[Entry], side: Side) -> Result<(), ManifestError> {
    let mut paths = HashSet::with_capacity(entries.len());
    let mut descriptors = HashSet::with_capacity(entries.len());
    for entry in entries {
        if entry.path.is_empty() || entry.fingerprint.is_empty() {
            return Err(ManifestError::Unnamed {
                side,
                body: entry.body,
            });
        }
        let path = || entry.path.clone();
        let impossible = |role, address| ManifestError::ImpossibleAddress {
            path: path(),
            side,
            role,
            address,
        };
        if !possible(entry.descriptor) || !entry.descriptor.is_multiple_of(DESCRIPTOR_ALIGN) {
            return Err(impossible("descriptor", entry.descriptor));
        }
        if !possible(entry.body) {
            return Err(impossible("body", entry.body));
        }
        if !paths.insert(entry.path.as_str()) {
            return Err(ManifestError::DuplicatePath { path: path(), side });
        }
        if !descriptors.insert(entry.descriptor) {
            let address = entry.descriptor;
            return Err(ManifestError::DuplicateDescriptor {
                path: path(),
                side,
                address,
            });
        }
    }
    Ok(())
}

fn validate_hooks(hooks: &[Hook], has_image: bool) -> Result<(), ManifestError> {
    let wrong = |hook: &&Hook| !possible(hook.address) || (hook.in_image && !has_image);
    match hooks.iter().find(wrong) {
        Some(hook) => Err(ManifestError::ImpossibleHook {
            path: hook.path.clone(),
            address: hook.address,
        }),
        None => Ok(()),
    }
}

fn possible(address: u64) -> bool {
    address != 0 && address < ADDRESS_LIMIT
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hook::When;

    fn entry(path: &str, descriptor: u64, body: u64) -> Entry {
        Entry {
            path: path.into(),
            fingerprint: "f".into(),
            descriptor,
            body,
        }
    }

    fn good() -> Manifest {
        let build_id = BuildId::from_bytes(&[1, 2]).unwrap();
        let image = Image {
            path: "/a/b.so".into(),
            size: 4096,
            build_id: build_id.clone(),
            checksum: 9,
            shared: false,
        };
        Manifest {
            image: Some(image.clone()),
            support: vec![Image {
                path: "/a/s.so".into(),
                ..image
            }],
            base_entries: vec![entry("a::b", 64, 3), entry("a::c", 128, 3)],
            image_entries: vec![entry("a::b", 64, 1)],
            ..Manifest::new(build_id)
        }
    }

    fn check(change: impl FnOnce(&mut Manifest), expected: &str) {
        let mut manifest = good();
        change(&mut manifest);
        let outcome = match manifest.validate() {
            Ok(()) => "good".to_owned(),
            Err(error) => error.to_string(),
        };
        assert!(
            outcome.contains(expected),
            "expected `{expected}`, got `{outcome}`"
        );
    }

    #[test]
    fn contradictions() {
        check(|_| (), "good");
        check(|m| m.format = 7, "manifest format 7 is unknown, expected 4");
        check(
            |m| m.image.as_mut().unwrap().path = "b.so".into(),
            "`b.so` is not absolute",
        );
        check(|m| m.support[0].path = "s".into(), "`s` is not absolute");
        check(|m| m.image.as_mut().unwrap().size = 0, "`/a/b.so` is empty");
        check(
            |m| m.image = None,
            "lists 1 entries of an image but names no image",
        );
        check(
            |m| m.base_entries[1].path = "a::b".into(),
            "`a::b` occurs twice in the executable",
        );
        check(
            |m| m.image_entries[0].path.clear(),
            "of the image at body 0x1 has no path",
        );
        check(|m| m.base_entries[0].fingerprint.clear(), "no fingerprint");
        check(
            |m| m.base_entries[1].descriptor = 64,
            "`a::c` shares its descriptor at 0x40",
        );
        check(
            |m| m.base_entries[0].descriptor = 0,
            "0x0 is no possible address of a descriptor",
        );
        check(
            |m| m.base_entries[0].descriptor = 65,
            "0x41 is no possible address of a descriptor",
        );
        check(
            |m| m.image_entries[0].body = 0,
            "0x0 is no possible address of a body",
        );
        check(
            |m| m.image_entries[0].body = u64::MAX,
            "no possible address of a body",
        );
        let hook = |in_image, address| Hook {
            when: When::OnLoad,
            path: "a::h".into(),
            in_image,
            address,
        };
        check(|m| m.hooks = vec![hook(true, 8), hook(false, 8)], "good");
        check(
            |m| m.hooks = vec![hook(true, 0)],
            "`a::h`, which runs at swaps, has no possible address (0x0)",
        );
        check(|m| m.base_hooks = vec![hook(true, 8)], "`a::h`, which runs");
    }

    #[test]
    fn a_version_without_image_is_the_host_again() {
        check(
            |m| {
                m.image = None;
                m.image_entries.clear();
            },
            "good",
        );
    }

    #[test]
    fn unknown_fields_are_refused() {
        let mut json = serde_json::to_value(good()).unwrap();
        assert_eq!(
            serde_json::from_value::<Manifest>(json.clone()).unwrap(),
            good()
        );
        json["ttl"] = 5.into();
        let error = serde_json::from_value::<Manifest>(json)
            .unwrap_err()
            .to_string();
        assert!(error.contains("unknown field `ttl`"), "{error}");
    }
}
