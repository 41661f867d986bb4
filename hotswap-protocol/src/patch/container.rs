//! The form of a patch file: a magic word, a number, and sections that each say how long they are.
//!
//! All numbers are little-endian. A section is its kind (32 bits), its length in bytes (64 bits) and
//! that many bytes. First comes the text, then the images, last a signature of all bytes before it.
//! Nothing is compressed, so a file takes as much memory as it is long.

use std::ops::Range;

/// What every patch file starts with.
pub const MAGIC: &[u8; 8] = b"HOTPATCH";

/// The number of this form.
pub const VERSION: u32 = 1;

/// The longest file, in bytes.
pub const MAX_BYTES: u64 = 256 << 20;

/// The longest text, in bytes.
pub const MAX_TEXT_BYTES: u64 = 16 << 20;

/// The longest signature, in bytes.
pub const MAX_SIGNATURE_BYTES: u64 = 4 << 10;

/// The largest number of images.
pub const MAX_IMAGES: usize = 64;

const TEXT: u32 = 1;
const IMAGE: u32 = 2;
const SIGNATURE: u32 = 3;

/// The bytes of a section before its content.
const HEADER_BYTES: usize = 12;

/// The parts of a patch file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Container<'a> {
    /// The text of the patch.
    pub text: &'a [u8],
    /// The images.
    pub images: Vec<&'a [u8]>,
    /// The signature, in minisign's form.
    pub signature: Option<&'a [u8]>,
    /// What the signature is of.
    pub signed: &'a [u8],
}

/// Bytes are no patch file, or not a whole one.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ContainerError {
    /// It begins otherwise.
    #[error("this is no patch file")]
    Magic,
    /// It has another form.
    #[error(
        "the patch file has form {found}, expected {VERSION}: use a tool and a runtime of the same version"
    )]
    Version {
        /// The number it states.
        found: u32,
    },
    /// It is larger than any may be.
    #[error("a patch file of {bytes} bytes: more than {MAX_BYTES} are not taken")]
    TooLong {
        /// Its size.
        bytes: u64,
    },
    /// It ends too early.
    #[error(
        "the patch file ends at byte {end}, in a section that should go on for {missing} bytes"
    )]
    Truncated {
        /// Where it ends.
        end: usize,
        /// What is missing at least.
        missing: u64,
    },
    /// A section is longer than its kind may be.
    #[error("the section at byte {at} claims {bytes} bytes: more than {limit} are not taken")]
    Section {
        /// Where it begins.
        at: usize,
        /// What it claims.
        bytes: u64,
        /// What is allowed.
        limit: u64,
    },
    /// A section of a kind that nobody knows, or in the wrong place.
    #[error("the section at byte {at} has kind {kind}, which can't stand there")]
    Kind {
        /// Where it begins.
        at: usize,
        /// Its kind.
        kind: u32,
    },
    /// There are too many images.
    #[error("the patch file has more than {MAX_IMAGES} images")]
    Images,
    /// There is no text.
    #[error("the patch file has no text")]
    NoText,
}

/// A file without a signature.
///
/// # Errors
///
/// A part is longer than a reader would take.
pub fn write(text: &[u8], images: &[&[u8]]) -> Result<Vec<u8>, ContainerError> {
    let mut bytes = MAGIC.to_vec();
    bytes.extend(VERSION.to_le_bytes());
    push(&mut bytes, TEXT, text);
    images
        .iter()
        .for_each(|image| push(&mut bytes, IMAGE, image));
    read(&bytes)?;
    Ok(bytes)
}

/// The same file with a signature in place of the one that it may have.
///
/// # Errors
///
/// It is no patch file, or the signature is too long.
pub fn sign(file: &[u8], signature: &[u8]) -> Result<Vec<u8>, ContainerError> {
    let mut bytes = read(file)?.signed.to_vec();
    push(&mut bytes, SIGNATURE, signature);
    read(&bytes)?;
    Ok(bytes)
}

fn push(bytes: &mut Vec<u8>, kind: u32, content: &[u8]) {
    bytes.extend(kind.to_le_bytes());
    bytes.extend((content.len() as u64).to_le_bytes());
    bytes.extend(content);
}

/// Takes a file apart.
///
/// # Errors
///
/// It is not of this form, not whole, or too large in some part.
pub fn read(bytes: &[u8]) -> Result<Container<'_>, ContainerError> {
    let length = bytes.len() as u64;
    if length > MAX_BYTES {
        return Err(ContainerError::TooLong { bytes: length });
    }
    let rest = bytes.strip_prefix(MAGIC).ok_or(ContainerError::Magic)?;
    let Some((version, _)) = rest.split_first_chunk() else {
        return Err(ContainerError::Truncated {
            end: bytes.len(),
            missing: (size_of::<u32>() - rest.len()) as u64,
        });
    };
    let found = u32::from_le_bytes(*version);
    if found != VERSION {
        return Err(ContainerError::Version { found });
    }
    let mut at = MAGIC.len() + size_of::<u32>();
    let mut text = None;
    let (mut images, mut signature, mut signed) = (Vec::new(), None, bytes);
    while at < bytes.len() {
        let section = Section::read(bytes, at)?;
        let allowed = match section.kind {
            TEXT => text.is_none(),
            IMAGE | SIGNATURE => text.is_some() && signature.is_none(),
            _ => false,
        };
        if !allowed {
            let kind = section.kind;
            return Err(ContainerError::Kind { at, kind });
        }
        let end = section.content.end;
        let content = &bytes[section.content];
        match section.kind {
            TEXT => text = Some(content),
            IMAGE if images.len() == MAX_IMAGES => return Err(ContainerError::Images),
            IMAGE => images.push(content),
            _ => {
                signature = Some(content);
                signed = &bytes[..at];
            }
        }
        at = end;
    }
    Ok(Container {
        text: text.ok_or(ContainerError::NoText)?,
        images,
        signature,
        signed,
    })
}

/// A section that lies within the file.
struct Section {
    kind: u32,
    content: Range<usize>,
}

impl Section {
    fn read(bytes: &[u8], at: usize) -> Result<Self, ContainerError> {
        let rest = &bytes[at..];
        let truncated = |missing| ContainerError::Truncated {
            end: bytes.len(),
            missing,
        };
        let Some((header, content)) = rest.split_first_chunk::<HEADER_BYTES>() else {
            return Err(truncated((HEADER_BYTES - rest.len()) as u64));
        };
        let [a, b, c, d, length @ ..] = *header;
        let kind = u32::from_le_bytes([a, b, c, d]);
        let claimed = u64::from_le_bytes(length);
        let limit = match kind {
            TEXT => MAX_TEXT_BYTES,
            SIGNATURE => MAX_SIGNATURE_BYTES,
            _ => MAX_BYTES,
        };
        if claimed > limit {
            return Err(ContainerError::Section {
                at,
                bytes: claimed,
                limit,
            });
        }
        // It is below a limit that fits.
        let claimed = claimed as usize;
        if claimed > content.len() {
            return Err(truncated((claimed - content.len()) as u64));
        }
        let start = at + HEADER_BYTES;
        Ok(Self {
            kind,
            content: start..start + claimed,
        })
    }
}

#[cfg(test)]
mod tests;
