//! The members of an rlib.

use std::ops::Range;
use std::path::Path;

use anyhow::{Context, Result};
use object::read::archive::ArchiveFile;

/// An archive's members by name, as ranges of its bytes.
#[derive(Debug)]
pub struct Members {
    /// Objects that rustc made.
    pub rust: Vec<Member>,
    /// Objects of native libraries that are bundled in it.
    pub native: Vec<Member>,
}

/// One member of an archive.
#[derive(Debug, Clone)]
pub struct Member {
    /// The member's file name.
    pub name: String,
    /// Where it stands in the archive.
    pub range: Range<usize>,
}

/// Lists the object files in an rlib.
///
/// # Errors
///
/// The file is no archive, or is damaged.
pub fn members(path: &Path, bytes: &[u8]) -> Result<Members> {
    let context = || format!("{} is not a library that rustc made", path.display());
    let archive = ArchiveFile::parse(bytes).with_context(context)?;
    let mut members = Members {
        rust: Vec::new(),
        native: Vec::new(),
    };
    for member in archive.members() {
        let member = member.with_context(context)?;
        let name = String::from_utf8_lossy(member.name()).into_owned();
        let (start, size) = member.file_range();
        let (start, end) = (usize::try_from(start)?, usize::try_from(start + size)?);
        if name.ends_with(".rmeta") || bytes.get(start..start + 4) != Some(b"\x7fELF") {
            continue;
        }
        let list = if name.ends_with(".rcgu.o") {
            &mut members.rust
        } else {
            &mut members.native
        };
        list.push(Member {
            name,
            range: start..end,
        });
    }
    Ok(members)
}

/// An rlib of nothing but metadata: enough to compile against, not to link. rustc takes a member that is
/// no object file for the metadata itself.
pub fn of_metadata(metadata: &[u8]) -> Vec<u8> {
    of_members([("lib.rmeta", metadata)])
}

/// An archive of objects, without an index: one of which all members are linked.
pub fn of_objects<'a>(objects: impl IntoIterator<Item = &'a [u8]>) -> Vec<u8> {
    of_members(objects.into_iter().map(|object| ("o", object)))
}

/// An archive in the form of GNU `ar`. Names have at most 15 characters.
fn of_members<'a>(members: impl IntoIterator<Item = (&'a str, &'a [u8])>) -> Vec<u8> {
    let mut bytes = b"!<arch>\n".to_vec();
    for (name, content) in members {
        let (name, size) = (format!("{name}/"), content.len());
        // Name, time, owner, group, mode, size, and the mark that ends a header of 60 bytes.
        let header = format!("{name:<16}{:<12}{:<6}{:<6}{:<8}{size:<10}`\n", 0, 0, 0, 644);
        bytes.extend(header.as_bytes());
        bytes.extend(content);
        if !size.is_multiple_of(2) {
            bytes.push(b'\n');
        }
    }
    bytes
}

#[cfg(test)]
mod tests {
    use object::read::archive::ArchiveFile;

    use super::{of_metadata, of_objects};

    #[test]
    fn metadata_alone_is_an_archive() {
        for metadata in [&b"even"[..], b"odd"] {
            let bytes = of_metadata(metadata);
            let archive = ArchiveFile::parse(&*bytes).expect("it is an archive");
            let members: Vec<_> = archive
                .members()
                .map(|member| member.expect("whole"))
                .collect();
            let [member] = members.as_slice() else {
                panic!("{} members", members.len())
            };
            assert_eq!(member.name(), b"lib.rmeta");
            assert_eq!(member.data(&*bytes).expect("data"), metadata);
        }
    }

    #[test]
    fn objects_are_members_in_their_order() {
        let objects: [&[u8]; 4] = [b"one", b"", b"two2", b"three"];
        let bytes = of_objects(objects);
        let archive = ArchiveFile::parse(&*bytes).expect("it is an archive");
        let members = archive.members().map(|member| {
            let member = member.expect("whole");
            member.data(&*bytes).expect("data")
        });
        assert_eq!(members.collect::<Vec<_>>(), objects);
    }
}
