//! Texts that contradict themselves or the file that they stand in.

use super::*;
use crate::manifest::Entry;

fn build_id(byte: u8) -> BuildId {
    BuildId::from_bytes(&[byte, 2]).unwrap()
}

fn patch() -> Patch {
    let mut manifest = Manifest::new(build_id(1));
    let image = |index, size| Image {
        path: image_name(index),
        size,
        build_id: build_id(7),
        checksum: 9,
        shared: false,
    };
    manifest.support = vec![image(0, 3)];
    manifest.image = Some(image(1, 4));
    Patch {
        format: FORMAT,
        name: "fix".into(),
        base: Base {
            name: "web".into(),
            build_id: build_id(1),
        },
        below: Vec::new(),
        sequence: 1,
        not_after: None,
        beyond_base: false,
        plan: Plan::default(),
        provenance: Provenance {
            tool: "t".into(),
            toolchain: "rustc".into(),
            edited: BTreeMap::new(),
            logged: [].into(),
            sources: Digest::of(b""),
        },
        manifest,
    }
}

fn check(change: impl FnOnce(&mut Patch), images: &[&[u8]], expected: &str) {
    let mut patch = patch();
    change(&mut patch);
    let file = container::write(&patch.text().unwrap(), images).unwrap();
    let outcome = match read(&container::read(&file).unwrap()) {
        Ok(contents) => {
            assert_eq!(contents.patch, patch);
            assert_eq!(contents.images, images);
            "good".to_owned()
        }
        Err(error) => error.to_string(),
    };
    assert!(
        outcome.contains(expected),
        "expected `{expected}`, got `{outcome}`"
    );
}

#[test]
fn contradictions() {
    let two: &[&[u8]] = &[b"abc", b"abcd"];
    check(|_| (), two, "good");
    check(|p| p.format = 2, two, "form 2, expected 1");
    check(|p| p.name.clear(), two, "no line of 1 to 100 bytes");
    check(|p| p.name = "a\nb".into(), two, "no line of 1 to 100 bytes");
    check(
        |p| p.name = "\u{1b}[2J".into(),
        two,
        "no line of 1 to 100 bytes",
    );
    check(
        |p| p.name = "n".repeat(101),
        two,
        "no line of 1 to 100 bytes",
    );
    check(
        |p| p.manifest.format = 9,
        two,
        "manifest format 9 is unknown",
    );
    check(
        |p| p.base.build_id = build_id(3),
        two,
        "is for build 0302, its manifest for build 0102",
    );
    check(|p| p.below = vec![Digest::of(b"a"); 2], two, "named twice");
    check(|_| (), &two[..1], "names 2 images and holds 1");
    check(
        |p| p.manifest.image = None,
        two,
        "names 1 images and holds 2",
    );
    check(
        |_| (),
        &[b"abc", b"abcde"],
        "`/patch/1.so` has 5 bytes, the manifest says 4",
    );
    for path in [
        "/etc/passwd",
        "/patch/../x.so",
        "/patch/0.so",
        "/patch/01.so",
    ] {
        check(
            |p| p.manifest.image.as_mut().unwrap().path = path.into(),
            two,
            "has no name of an image",
        );
    }
    let promise = Entry {
        path: "web::x".into(),
        fingerprint: "f".into(),
        descriptor: 4,
        body: 1,
    };
    check(
        |p| p.manifest.image_entries = vec![promise],
        two,
        "no possible address of a descriptor",
    );
}

#[test]
fn texts_that_are_none() {
    let deep = "[".repeat(10_000);
    for (text, expected) in [
        ("", "can't be read"),
        ("[]", "can't be read"),
        ("{\"format\":7,\"other\":1}", "form 7, expected 1"),
        ("{\"format\":1}", "missing field"),
        (&deep, "can't be read"),
    ] {
        let file = container::write(text.as_bytes(), &[]).unwrap();
        let error = read(&container::read(&file).unwrap()).unwrap_err();
        assert!(error.to_string().contains(expected), "{error}");
    }
    let mut unknown = serde_json::to_value(patch()).unwrap();
    unknown["run"] = "/bin/sh".into();
    let file = container::write(unknown.to_string().as_bytes(), &[b"abc", b"abcd"]).unwrap();
    let error = read(&container::read(&file).unwrap())
        .unwrap_err()
        .to_string();
    assert!(error.contains("unknown field `run`"), "{error}");
}

#[test]
fn the_digest_is_of_what_is_signed() {
    let images: &[&[u8]] = &[b"abc", b"abcd"];
    let file = container::write(&patch().text().unwrap(), images).unwrap();
    let digest = |file: &[u8]| read(&container::read(file).unwrap()).unwrap().digest;
    let signed = container::sign(&file, b"one").unwrap();
    assert_eq!(digest(&file), digest(&signed));
    let mut other = patch();
    other.sequence = 2;
    let other = container::write(&other.text().unwrap(), images).unwrap();
    assert_ne!(digest(&file), digest(&other));
}
