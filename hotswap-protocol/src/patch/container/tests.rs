//! What files may look like, and what hostile ones do.

use super::*;

fn file() -> Vec<u8> {
    let file = write(b"{}", &[b"image one", b""]).unwrap();
    sign(&file, b"signature").unwrap()
}

/// A file of these sections, whatever they are.
fn sections(all: &[(u32, u64, &[u8])]) -> Vec<u8> {
    let mut bytes = MAGIC.to_vec();
    bytes.extend(VERSION.to_le_bytes());
    for (kind, length, content) in all {
        bytes.extend(kind.to_le_bytes());
        bytes.extend(length.to_le_bytes());
        bytes.extend(*content);
    }
    bytes
}

#[test]
fn what_is_written_can_be_read() {
    let unsigned = write(b"{}", &[b"image one", b""]).unwrap();
    let signed = sign(&unsigned, b"signature").unwrap();
    let found = read(&signed).unwrap();
    assert_eq!(found.text, b"{}");
    assert_eq!(found.images, [&b"image one"[..], b""]);
    assert_eq!(found.signature, Some(&b"signature"[..]));
    assert_eq!(found.signed, unsigned);
    // Another signature takes the place of the first.
    let again = sign(&signed, b"other").unwrap();
    assert_eq!(again, sign(&unsigned, b"other").unwrap());
    assert_eq!(read(&unsigned).unwrap().signature, None);
}

#[test]
fn no_part_of_a_file_is_a_file_with_its_signature() {
    let file = file();
    for length in 0..file.len() {
        let outcome = read(&file[..length]);
        assert!(
            outcome.is_err() || outcome.is_ok_and(|part| part.signature.is_none()),
            "{length} bytes"
        );
    }
}

#[test]
fn every_flipped_bit_is_seen_or_signed() {
    let whole = file();
    let good = read(&whole).unwrap();
    for bit in 0..whole.len() * 8 {
        let mut flipped = whole.clone();
        flipped[bit / 8] ^= 1 << (bit % 8);
        if let Ok(found) = read(&flipped) {
            let same = found.signed == good.signed && found.signature == good.signature;
            assert!(!same, "bit {bit}");
        }
    }
}

#[test]
fn hostile_files() {
    let text = (TEXT, 2, &b"{}"[..]);
    let image = (IMAGE, 1, &b"i"[..]);
    let signature = (SIGNATURE, 1, &b"s"[..]);
    let mut many = vec![text];
    many.extend([image; MAX_IMAGES + 1]);
    let mut version = file();
    version[8] = 2;
    for (bytes, expected) in [
        (Vec::new(), "this is no patch file"),
        (b"HOTPATCX\x01\0\0\0".to_vec(), "this is no patch file"),
        (b"\x7fELF".to_vec(), "this is no patch file"),
        (b"HOTPATCH\x01\0".to_vec(), "ends at byte 10"),
        (version, "form 2, expected 1"),
        (sections(&[]), "has no text"),
        (sections(&[signature]), "byte 12 has kind 3"),
        (sections(&[image, text]), "byte 12 has kind 2"),
        (sections(&[text, text]), "byte 26 has kind 1"),
        (sections(&[text, signature, image]), "byte 39 has kind 2"),
        (
            sections(&[text, signature, signature]),
            "byte 39 has kind 3",
        ),
        (sections(&[text, (9, 0, b"")]), "byte 26 has kind 9"),
        (sections(&[(TEXT, 3, b"{}")]), "should go on for 1 bytes"),
        (
            sections(&[text, (IMAGE, 99, b"i")]),
            "should go on for 98 bytes",
        ),
        (
            sections(&[(TEXT, u64::MAX, b"{}")]),
            "claims 18446744073709551615 bytes",
        ),
        (
            sections(&[text, (IMAGE, u64::MAX - 30, b"i")]),
            "claims 18446744073709551585",
        ),
        (
            sections(&[text, (IMAGE, MAX_BYTES + 1, b"i")]),
            "more than 268435456",
        ),
        (
            sections(&[(TEXT, MAX_TEXT_BYTES + 1, b"{}")]),
            "more than 16777216",
        ),
        (
            sections(&[text, (SIGNATURE, MAX_SIGNATURE_BYTES + 1, b"s")]),
            "more than 4096",
        ),
        (sections(&many), "more than 64 images"),
    ] {
        let outcome = read(&bytes).map(|_| ()).unwrap_err().to_string();
        assert!(
            outcome.contains(expected),
            "expected `{expected}`, got `{outcome}`"
        );
    }
    assert!(write(b"{}", &[&b"i"[..]; MAX_IMAGES + 1]).is_err());
}
