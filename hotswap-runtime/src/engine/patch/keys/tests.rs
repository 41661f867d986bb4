//! Signatures of every kind, and files of keys that others could have written.

use std::fs::{self, Permissions};
use std::io::Cursor;
use std::os::unix::fs::{PermissionsExt as _, symlink};

use hotswap_protocol::patch::container;
use minisign::KeyPair;

use super::*;

fn sign(pair: &KeyPair, bytes: &[u8]) -> String {
    let signed = minisign::sign(None, &pair.sk, Cursor::new(bytes), Some("t"), Some("u"));
    signed.unwrap().to_string()
}

fn outcome(file: &[u8], keys: &[PublicKey]) -> String {
    match verify_with(&container::read(file).unwrap(), keys) {
        Ok(()) => "good".to_owned(),
        Err(failure) => format!("{:?}: {}", failure.code, failure.message),
    }
}

#[test]
fn only_the_whole_file_under_a_trusted_key_is_good() {
    let (own, other) = (
        KeyPair::generate_unencrypted_keypair(),
        KeyPair::generate_unencrypted_keypair(),
    );
    let (own, other) = (own.unwrap(), other.unwrap());
    let keys = [&other, &own].map(|pair| parse(&pair.pk.to_base64()).unwrap());
    let file = container::write(b"{}", &[b"image"]).unwrap();
    let with = |signature: &str| container::sign(&file, signature.as_bytes()).unwrap();
    let good = with(&sign(&own, &file));
    assert_eq!(outcome(&good, &keys), "good");
    let untrusted = "BadSignature: the patch is signed with a key";
    for (file, expected) in [
        (file.clone(), "NotSigned: the patch is not signed"),
        (with(""), "BadSignature: the signature can't be read"),
        (
            with("\u{0}\u{1}"),
            "BadSignature: the signature can't be read",
        ),
        (
            container::sign(&file, b"\xff").unwrap(),
            "BadSignature: the signature is no text",
        ),
        (with(&sign(&own, b"other bytes")), untrusted),
        (with(&sign(&own, &good)), untrusted),
    ] {
        let found = outcome(&file, &keys);
        assert!(
            found.contains(expected),
            "expected `{expected}`, got `{found}`"
        );
    }
    assert!(outcome(&good, &keys[..1]).contains(untrusted));
    assert!(outcome(&good, &[]).contains(untrusted));
}

#[test]
fn every_bit_counts() {
    let pair = KeyPair::generate_unencrypted_keypair().unwrap();
    let keys = [parse(&pair.pk.to_base64()).unwrap()];
    let file = container::write(b"{}", &[b"i"]).unwrap();
    let good = container::sign(&file, sign(&pair, &file).as_bytes()).unwrap();
    for bit in 0..file.len() * 8 {
        let mut flipped = good.clone();
        flipped[bit / 8] ^= 1 << (bit % 8);
        if let Ok(container) = container::read(&flipped) {
            assert!(verify_with(&container, &keys).is_err(), "bit {bit}");
        }
    }
}

#[test]
fn keys_have_two_forms() {
    let pair = KeyPair::generate_unencrypted_keypair().unwrap();
    assert!(parse(&pair.pk.to_base64()).is_ok());
    assert!(parse(&pair.pk.to_box().unwrap().to_string()).is_ok());
    for text in ["", "RW", "untrusted comment: only"] {
        assert!(parse(text).unwrap_err().contains("no public key"), "{text}");
    }
}

#[test]
fn a_file_of_keys_is_its_owners_alone() {
    let name = format!("hotswap-keys-{}", std::process::id());
    let folder = std::env::temp_dir().join(name);
    fs::create_dir_all(&folder).unwrap();
    fs::set_permissions(&folder, Permissions::from_mode(0o755)).unwrap();
    let path = folder.join("keys.pub");
    let user = crate::engine::listen::user();
    assert_eq!(of_file(&path, user), Ok(Vec::new()));
    let text = "untrusted comment: a\nRW1\n\n# the second\nRW2\n";
    fs::write(&path, text).unwrap();
    fs::set_permissions(&path, Permissions::from_mode(0o644)).unwrap();
    assert_eq!(of_file(&path, user).unwrap(), ["RW1", "RW2"]);
    let others = |outcome: Result<_, String>| outcome.unwrap_err().contains("written by others");
    assert!(others(of_file(&path, user + 1)));
    fs::set_permissions(&path, Permissions::from_mode(0o664)).unwrap();
    assert!(others(of_file(&path, user)));
    fs::set_permissions(&path, Permissions::from_mode(0o644)).unwrap();
    fs::set_permissions(&folder, Permissions::from_mode(0o777)).unwrap();
    assert!(others(of_file(&path, user)));
    fs::set_permissions(&folder, Permissions::from_mode(0o755)).unwrap();
    let link = folder.join("link.pub");
    symlink(&path, &link).unwrap();
    assert!(of_file(&link, user).unwrap_err().contains("can't be read"));
    fs::remove_dir_all(&folder).unwrap();
}
