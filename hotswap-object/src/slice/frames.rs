//! The unwind information of what stays.

use std::collections::HashMap;

use crate::elf::{Elf, Rela, moved, offset_of, symbol_of};
use crate::error::ObjectError;

/// `.eh_frame` with the records of what stays, and its relocations, whose symbols still have the numbers
/// that they have in the object.
pub struct Frames {
    pub section: usize,
    pub bytes: Vec<u8>,
    pub relocations: Vec<Rela>,
}

impl Frames {
    /// Reads the section with this index; `None` if its records have a form that is not understood.
    pub fn read(elf: &Elf<'_>, section: usize, stay: &[bool]) -> Result<Option<Self>, ObjectError> {
        let mut relocations = elf.relocations_of(section)?.to_vec();
        relocations.sort_by_key(offset_of);
        let mut frames = Self {
            section,
            bytes: Vec::new(),
            relocations: Vec::new(),
        };
        let bytes = elf.bytes(section)?;
        // Where the common parts stood, and where they stand now.
        let mut commons: HashMap<usize, usize> = HashMap::new();
        let mut at = 0;
        while let Some(length) = word(bytes, at) {
            if length == 0 {
                frames.bytes.extend_from_slice(&[0; 4]);
                break;
            }
            let end = at + 4 + length;
            let (Some(record), Some(id)) = (bytes.get(at..end), word(bytes, at + 4)) else {
                return Ok(None);
            };
            let first = relocations.partition_point(|one| offset_of(one) < at as u64);
            let last = relocations.partition_point(|one| offset_of(one) < end as u64);
            let own = &relocations[first..last];
            let new = frames.bytes.len();
            if id == 0 {
                commons.insert(at, new);
                frames.bytes.extend_from_slice(record);
            } else {
                if !is_of_what_stays(elf, own, at, stay)? {
                    at = end;
                    continue;
                }
                let common = (at + 4).checked_sub(id).and_then(|old| commons.get(&old));
                let Some(distance) = common.and_then(|common| u32::try_from(new + 4 - common).ok())
                else {
                    return Ok(None);
                };
                frames.bytes.extend_from_slice(&record[..4]);
                frames.bytes.extend_from_slice(&distance.to_le_bytes());
                frames.bytes.extend_from_slice(&record[8..]);
            }
            let places = own.iter().map(|one| {
                let place = offset_of(one) - at as u64 + new as u64;
                moved(one, place, None)
            });
            frames.relocations.extend(places);
            at = end;
        }
        Ok(Some(frames))
    }
}

/// Whether a record describes a function that stays: its first reference is to that.
fn is_of_what_stays(
    elf: &Elf<'_>,
    relocations: &[Rela],
    at: usize,
    stay: &[bool],
) -> Result<bool, ObjectError> {
    let of = relocations
        .iter()
        .find(|one| offset_of(one) == at as u64 + 8);
    let Some(of) = of else { return Ok(false) };
    let section = elf.symbol(symbol_of(of))?.section;
    Ok(section.is_some_and(|section| stay[section]))
}

fn word(bytes: &[u8], at: usize) -> Option<usize> {
    let word = bytes.get(at..at + 4)?;
    let word = u32::from_le_bytes([word[0], word[1], word[2], word[3]]);
    usize::try_from(word).ok()
}
