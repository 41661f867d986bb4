//! The form of a release as one file: a magic word, a number, the text, its signature, and the parts.
//!
//! All numbers are little-endian. The signature is of the text, and the text has the sizes and digests of the parts:
//! there are no names in the file, and nothing is compressed. Unpacked, the same stands in a folder, where
//! `minisign` itself can check the text.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result, bail};
use minisign::PublicKey;

use super::about::{About, Described, Part};
use crate::patch::signing;

/// What every release begins with.
const MAGIC: &[u8; 8] = b"HOTRELEA";

/// The number of this form.
const VERSION: u32 = 1;

/// The longest file.
const MAX_BYTES: u64 = 4 << 30;

/// The longest text, and the longest signature.
const MAX_TEXT_BYTES: u64 = 1 << 20;

/// The text in a folder.
pub const TEXT_FILE: &str = "release.json";

/// Its signature in a folder.
pub const SIGNATURE_FILE: &str = "release.json.minisig";

/// A file that is not taken apart further.
#[derive(Debug, Clone, Copy)]
pub struct Sealed<'a> {
    /// The text.
    pub text: &'a [u8],
    /// The signature of the text, in minisign's form.
    pub signature: Option<&'a [u8]>,
    parts: &'a [u8],
}

/// A release whose parts are as its text says.
#[derive(Debug, Clone)]
pub struct Contents<'a> {
    /// The text.
    pub about: About,
    /// Its parts.
    pub parts: Vec<(Part, &'a [u8])>,
}

/// The bytes of a release.
pub fn write(text: &[u8], signature: Option<&[u8]>, parts: &[(Part, &[u8])]) -> Vec<u8> {
    let mut bytes = MAGIC.to_vec();
    bytes.extend(VERSION.to_le_bytes());
    for section in [text, signature.unwrap_or_default()] {
        bytes.extend((section.len() as u64).to_le_bytes());
        bytes.extend(section);
    }
    for (_, part) in parts {
        bytes.extend(*part);
    }
    bytes
}

/// The bytes of the release in this file or folder.
///
/// # Errors
///
/// There is none.
pub fn bytes(path: &Path) -> Result<Vec<u8>> {
    if path.is_dir() {
        return of_folder(path);
    }
    let context = || format!("could not read {}", path.display());
    let metadata = fs::metadata(path).with_context(context)?;
    if !metadata.is_file() {
        bail!("{} is neither a file nor a folder", path.display());
    }
    let size = metadata.len();
    if size > MAX_BYTES {
        bail!("{} has {size} bytes: more than any release", path.display());
    }
    fs::read(path).with_context(context)
}

/// The bytes of the release that was unpacked into a folder.
fn of_folder(folder: &Path) -> Result<Vec<u8>> {
    let read = |name: &str| {
        let path = folder.join(name);
        fs::read(&path).with_context(|| format!("could not read {}", path.display()))
    };
    let text = read(TEXT_FILE)?;
    let about =
        About::read(&text).with_context(|| format!("{} is no release", folder.display()))?;
    let signature = read(SIGNATURE_FILE).ok();
    let parts = about
        .parts
        .iter()
        .map(|it| read(&it.part.file(&about.name)));
    let parts = parts.collect::<Result<Vec<_>>>()?;
    let parts: Vec<_> = about
        .parts
        .iter()
        .map(|it| it.part)
        .zip(parts.iter().map(Vec::as_slice))
        .collect();
    Ok(write(&text, signature.as_deref(), &parts))
}

/// Takes a file apart, without a look at what is in it.
///
/// # Errors
///
/// It is no release.
pub fn open(bytes: &[u8]) -> Result<Sealed<'_>> {
    let rest = bytes.strip_prefix(MAGIC).context("it is no release")?;
    let (version, rest) = rest.split_first_chunk().context("it ends too early")?;
    let version = u32::from_le_bytes(*version);
    if version != VERSION {
        bail!(
            "it has form {version}, expected {VERSION}: use the version of cargo-hotswap that made it"
        );
    }
    let (text, rest) = section(rest)?;
    let (signature, parts) = section(rest)?;
    Ok(Sealed {
        text,
        signature: Some(signature).filter(|signature| !signature.is_empty()),
        parts,
    })
}

fn section(bytes: &[u8]) -> Result<(&[u8], &[u8])> {
    let (length, rest) = bytes.split_first_chunk().context("it ends too early")?;
    let length = u64::from_le_bytes(*length);
    if length > MAX_TEXT_BYTES {
        bail!("a text of {length} bytes is longer than any may be");
    }
    // It is below a limit that fits.
    rest.split_at_checked(length as usize)
        .context("it ends too early")
}

impl<'a> Sealed<'a> {
    /// Checks the signature of the text; the result is what it says besides.
    ///
    /// # Errors
    ///
    /// There is none, or it is of another key or another text.
    pub fn verify(&self, key: &PublicKey) -> Result<String> {
        let signature = self
            .signature
            .context("the release is not signed\n  = help: make it with `--key`")?;
        signing::verify_text(self.text, signature, key)
            .context("the release is signed with another key, or was changed after it was signed")
    }

    /// Looks at the text and the parts.
    ///
    /// # Errors
    ///
    /// They contradict each other.
    pub fn contents(&self) -> Result<Contents<'a>> {
        let about = About::read(self.text)?;
        let (mut parts, mut rest) = (Vec::new(), self.parts);
        for described in &about.parts {
            let bytes = usize::try_from(described.bytes).ok();
            let split = bytes.and_then(|bytes| rest.split_at_checked(bytes));
            let (part, after) = split.context("it ends too early")?;
            check(described, part)?;
            parts.push((described.part, part));
            rest = after;
        }
        if !rest.is_empty() {
            bail!("it goes on for {} bytes after its last part", rest.len());
        }
        Ok(Contents { about, parts })
    }
}

fn check(described: &Described, bytes: &[u8]) -> Result<()> {
    if described.is_of(bytes) {
        return Ok(());
    }
    bail!("its {:?} was changed after it was signed", described.part)
}

impl<'a> Contents<'a> {
    /// The bytes of a part, if it has one.
    pub fn part(&self, part: Part) -> Option<&'a [u8]> {
        let found = self.parts.iter().find(|(one, _)| *one == part);
        found.map(|(_, bytes)| *bytes)
    }
}

#[cfg(test)]
mod tests {
    use minisign::KeyPair;

    use super::*;
    use crate::release::about::tests::{about, way};
    use crate::release::show::Summary;

    /// A release of four parts, signed.
    fn file(key: &Path) -> Vec<u8> {
        let mut about = about("1.1.0", vec![way(&["1.0.0"])]);
        let parts: Vec<(Part, &[u8])> = vec![
            (Part::Executable, b"program"),
            (Part::Base, b"{}"),
            (Part::Patch(0), b"patch"),
            (Part::Plan(0), b"plan"),
        ];
        about.parts = parts
            .iter()
            .map(|(part, bytes)| Described::of(*part, bytes))
            .collect();
        let text = about.text().unwrap();
        let signature = signing::signature(&text, key, "web 1.1.0", "a release").unwrap();
        write(&text, Some(signature.as_bytes()), &parts)
    }

    #[test]
    fn what_has_no_end_is_not_read() {
        let error = bytes(Path::new("/dev/zero")).unwrap_err().to_string();
        assert_eq!(error, "/dev/zero is neither a file nor a folder");
    }

    fn read(bytes: &[u8], key: &PublicKey) -> Result<String> {
        let sealed = open(bytes)?;
        let told = sealed.verify(key)?;
        sealed.contents().map(|_| told)
    }

    #[test]
    fn each_byte_counts() {
        let folder = tempfile::tempdir().unwrap();
        let pair = KeyPair::generate_unencrypted_keypair().unwrap();
        let secret = folder.path().join("key");
        fs::write(&secret, pair.sk.to_box(None).unwrap().to_string()).unwrap();
        let file = file(&secret);
        assert_eq!(read(&file, &pair.pk).unwrap(), "web 1.1.0");
        let sealed = open(&file).unwrap();
        let contents = sealed.contents().unwrap();
        assert_eq!(contents.part(Part::Patch(0)), Some(&b"patch"[..]));
        // Of a signature only two lines count, and their own words are looked at by whoever made the crate.
        let signature = sealed.signature.unwrap();
        let begin = signature.as_ptr() as usize - file.as_ptr() as usize;
        let signature = begin..begin + signature.len();
        for at in (0..file.len()).filter(|at| !signature.contains(at)) {
            let mut changed = file.clone();
            changed[at] ^= 1;
            assert!(read(&changed, &pair.pk).is_err(), "byte {at}");
            // Whoever only looks at it does not ask for a signature.
            let _ = Summary::of(&changed);
        }
        for end in 0..file.len() {
            assert!(read(&file[..end], &pair.pk).is_err(), "up to byte {end}");
            assert!(Summary::of(&file[..end]).is_err(), "up to byte {end}");
        }
        let longer = [&file[..], b"1"].concat();
        assert!(
            read(&longer, &pair.pk)
                .unwrap_err()
                .to_string()
                .contains("goes on for 1 bytes")
        );
        let other = KeyPair::generate_unencrypted_keypair().unwrap().pk;
        assert!(
            read(&file, &other)
                .unwrap_err()
                .to_string()
                .contains("another key")
        );
        let unsigned = write(sealed.text, None, &contents.parts);
        assert!(
            read(&unsigned, &pair.pk)
                .unwrap_err()
                .to_string()
                .contains("not signed")
        );
        // The same in a folder.
        fs::write(folder.path().join(TEXT_FILE), sealed.text).unwrap();
        fs::write(
            folder.path().join(SIGNATURE_FILE),
            sealed.signature.unwrap(),
        )
        .unwrap();
        for (part, bytes) in &contents.parts {
            fs::write(folder.path().join(part.file("web")), bytes).unwrap();
        }
        assert_eq!(bytes(folder.path()).unwrap(), file);
    }
}
