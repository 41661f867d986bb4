//! Tables for files that are good, damaged, foreign, or made to deceive.

use super::*;
use sample::{BUILD_ID, BYTES, CODE, HEADERS, NOTE, STATE, put, sample};

fn read(file: &[u8]) -> Result<ElfFile, ElfError> {
    ElfFile::read(file.len() as u64, &mut |offset, part| {
        let start = offset as usize;
        part.copy_from_slice(&file[start..start + part.len()]);
        Ok(())
    })
}

fn outcome(file: &[u8]) -> String {
    match read(file) {
        Ok(elf) => format!(
            "good, {}",
            elf.build_id.map_or("no id".to_owned(), |id| id.to_string())
        ),
        Err(error) => error.to_string(),
    }
}

#[test]
fn damaged_files() {
    let (load, state, dynamic, note) = (HEADERS, HEADERS + 56, HEADERS + 112, HEADERS + 168);
    let huge = u64::MAX.to_le_bytes();
    let table: &[(usize, &[u8], &str)] = &[
        (0, &[], "good, deadbeef"),
        (0, b"MZ", "it is no ELF file"),
        (4, &[1], "another kind of machine (not 64-bit)"),
        (5, &[2], "another kind of machine (not little-endian)"),
        (18, &[183], "another kind of machine (another processor)"),
        (16, &[2], "no shared object (ELF type 2)"),
        (16, &[1], "no shared object (ELF type 1)"),
        (6, &[9], "the ELF header is malformed"),
        (54, &[57], "the ELF header is malformed"),
        (56, &[255, 255], "the ELF header is malformed"),
        (56, &[0, 0], "the segment table is malformed"),
        (
            32,
            &huge,
            "the segment table lies outside the file of 8192 bytes",
        ),
        (
            32,
            &(BYTES - 1).to_le_bytes(),
            "the segment table lies outside the file",
        ),
        (load + 8, &huge, "a loaded segment lies outside the file"),
        (
            load + 32,
            &(BYTES + 1).to_le_bytes(),
            "a loaded segment lies outside the file",
        ),
        (load + 16, &huge, "a loaded segment is malformed"),
        (load + 40, &huge, "a loaded segment is malformed"),
        (
            load + 40,
            &1u64.to_le_bytes(),
            "a loaded segment is malformed",
        ),
        (
            load + 48,
            &3u64.to_le_bytes(),
            "a loaded segment is malformed",
        ),
        (
            load + 40,
            &0x1001u64.to_le_bytes(),
            "the order of loaded segments is malformed",
        ),
        (
            state + 16,
            &0u64.to_le_bytes(),
            "the order of loaded segments is malformed",
        ),
        (state, &[9], "the segment table is malformed"),
        (dynamic, &[9], "the segment table is malformed"),
        (
            dynamic + 8,
            &huge,
            "the dynamic section lies outside the file",
        ),
        (
            dynamic + 16,
            &0x5000u64.to_le_bytes(),
            "the segment table is malformed",
        ),
        (note + 32, &huge, "a note lies outside the file"),
        (note, &[9], "good, no id"),
        (NOTE, &[5], "good, no id"),
        (NOTE + 4, &[0xff; 4], "good, no id"),
        (NOTE, &[0xff; 4], "good, no id"),
        (NOTE + 4, &[0], "good, no id"),
        (NOTE + 8, &[1], "good, no id"),
        (NOTE + 12, b"BSD", "good, no id"),
    ];
    for (at, bytes, expected) in table {
        let mut file = sample(1, None);
        put(&mut file, *at, bytes);
        let outcome = outcome(&file);
        assert!(
            outcome.contains(expected),
            "{bytes:?} at {at:#x}: {outcome}"
        );
    }
}

#[test]
fn truncated_files() {
    let file = sample(1, None);
    for length in 0..file.len() {
        let outcome = outcome(&file[..length]);
        assert!(!outcome.starts_with("good"), "{length}: {outcome}");
    }
}

#[test]
fn no_single_byte_makes_it_panic() {
    let header_bytes = HEADERS + 4 * 56;
    for at in (0..header_bytes).chain(NOTE..NOTE + 20) {
        for value in [0, 1, 0x7f, 0x80, 0xff] {
            let mut file = sample(1, None);
            file[at] = value;
            if let Ok(elf) = read(&file) {
                elf.layout.allows(CODE, 8, Use::Code);
                elf.layout.span();
            }
        }
    }
}

#[test]
fn uses_of_addresses() {
    let layout = read(&sample(1, None)).unwrap().layout;
    assert_eq!(layout.span(), (0, BYTES));
    let table = [
        (CODE, 1, Use::Code, true),
        (CODE, 1, Use::State, false),
        (0, 0x1000, Use::Code, true),
        (0, 0x1001, Use::Code, false),
        (STATE, 8, Use::State, true),
        (STATE, 8, Use::Code, false),
        (BYTES - 8, 8, Use::State, true),
        (BYTES - 8, 9, Use::State, false),
        (BYTES, 1, Use::State, false),
        (u64::MAX, 1, Use::State, false),
        (STATE, u64::MAX, Use::State, false),
    ];
    for (address, bytes, purpose, expected) in table {
        let allowed = layout.allows(address, bytes, purpose);
        assert_eq!(allowed, expected, "{address:#x} {bytes} {purpose:?}");
    }
}

#[test]
fn what_becomes_read_only_is_no_state() {
    let mut file = sample(1, None);
    put(&mut file, HEADERS + 168, &PT_GNU_RELRO.to_le_bytes());
    put(&mut file, HEADERS + 184, &0x1000u64.to_le_bytes());
    put(&mut file, HEADERS + 208, &0x400u64.to_le_bytes());
    let layout = read(&file).unwrap().layout;
    for (address, expected) in [
        (0x1000, false),
        (0x13f8, false),
        (0x13fc, false),
        (0x1400, true),
    ] {
        assert_eq!(
            layout.allows(address, 8, Use::State),
            expected,
            "{address:#x}"
        );
    }
}

#[test]
fn notes() {
    fn note(name: &[u8], kind: u32, content: &[u8], align: usize) -> Vec<u8> {
        let mut bytes = Vec::new();
        for number in [name.len() as u32, content.len() as u32, kind] {
            bytes.extend(number.to_le_bytes());
        }
        bytes.extend(name);
        bytes.resize(bytes.len().next_multiple_of(align), 0);
        bytes.extend(content);
        bytes.resize(bytes.len().next_multiple_of(align), 0);
        bytes
    }
    let id = || note(b"GNU\0", 3, &BUILD_ID, 4);
    let table: &[(Vec<u8>, u64, bool)] = &[
        (id(), 4, true),
        (id(), 0, true),
        (note(b"GNU\0", 3, &BUILD_ID, 8), 8, true),
        (
            [
                note(b"GNU\0", 5, &[1; 16], 8),
                note(b"GNU\0", 3, &BUILD_ID, 8),
            ]
            .concat(),
            8,
            true,
        ),
        ([note(b"Linux\0", 1, &[1; 5], 4), id()].concat(), 4, true),
        ([note(b"GNU\0", 1, &[1; 16], 4), id()].concat(), 4, true),
        (id()[..19].to_vec(), 4, false),
        (Vec::new(), 4, false),
        (vec![0; 12], 4, false),
        (vec![0xff; 64], 4, false),
    ];
    for (bytes, align, expected) in table {
        let found = find_build_id(bytes, *align);
        assert_eq!(
            found.is_some_and(|id| id.as_str() == "deadbeef"),
            *expected,
            "{bytes:?}"
        );
    }
}
