//! Writing an object with other contents in some of its sections, and no room left between them.

use std::collections::BTreeMap;

use object::elf;

use super::Elf;
use crate::error::ObjectError;

const FILE_HEADER_SIZE: usize = 64;
const HEADER_SIZE: usize = 64;
/// Where the file header holds the place of the section headers.
const HEADERS_AT: usize = 40;
/// Where a section header holds the place and the size of the section.
const PLACE_AT: usize = 24;
/// Strictest alignment that a section in a file can want.
const MAX_ALIGN: u64 = 4096;

/// The object with these contents in place of its own; numbers of sections stay.
///
/// # Errors
///
/// If a section exceeds the file.
pub fn rebuild(
    file: &Elf<'_>,
    contents: &BTreeMap<usize, Vec<u8>>,
) -> Result<Vec<u8>, ObjectError> {
    let short = || ObjectError::malformed("section headers exceed the file");
    let header = file.data.get(..FILE_HEADER_SIZE).ok_or_else(short)?;
    let from = usize::try_from(file.header_offset).map_err(|_| short())?;
    let headers = file.data.get(from..).ok_or_else(short)?;
    let headers = headers
        .get(..file.sections.len() * HEADER_SIZE)
        .ok_or_else(short)?;
    let mut out = Vec::with_capacity(file.data.len());
    out.extend_from_slice(header);
    let mut headers = headers.to_vec();
    // The first one is no section.
    for (index, section) in file.sections.iter().enumerate().skip(1) {
        if section.kind == elf::SHT_NOBITS {
            continue;
        }
        let bytes = match contents.get(&index) {
            Some(bytes) => bytes,
            None => file.bytes(index)?,
        };
        pad(&mut out, section.align.clamp(1, MAX_ALIGN));
        let place = [out.len() as u64, bytes.len() as u64];
        out.extend_from_slice(bytes);
        let field = index * HEADER_SIZE + PLACE_AT;
        for (value, at) in place.into_iter().zip([field, field + 8]) {
            headers[at..at + 8].copy_from_slice(&value.to_le_bytes());
        }
    }
    pad(&mut out, 8);
    let place = out.len() as u64;
    out.extend_from_slice(&headers);
    out[HEADERS_AT..HEADERS_AT + 8].copy_from_slice(&place.to_le_bytes());
    Ok(out)
}

fn pad(out: &mut Vec<u8>, align: u64) {
    out.resize(out.len().next_multiple_of(align as usize), 0);
}
