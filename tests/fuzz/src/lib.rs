//! What reads bytes of others, as functions of bytes that must not panic, hang or take much memory.
//!
//! `tests/corpus.rs` runs them over the kept corpus and what a seeded mutator makes of it; `fuzz/`, which needs the
//! nightly toolchain, has the same functions guided by coverage.

use std::collections::BTreeSet;
use std::sync::Arc;

use hotswap_layout::Program;
use hotswap_protocol::event::Event;
use hotswap_protocol::frame;
use hotswap_protocol::manifest::Manifest;
use hotswap_protocol::message::{Request, Response};
use hotswap_protocol::patch::audit::Past;
use hotswap_protocol::patch::{self, container};
use hotswap_protocol::state::{Cell, Migration};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

/// What does something with bytes.
pub type Target = fn(&[u8]);

/// All of them, by the name of their corpus.
pub const TARGETS: [(&str, Target); 6] = [
    ("frame", frame),
    ("container", container),
    ("manifest", manifest),
    ("plan", plan),
    ("elf", elf),
    ("dwarf", dwarf),
];

/// Frames as the program and the tool read them from a socket.
pub fn frame(bytes: &[u8]) {
    read_frames::<Request>(bytes);
    read_frames::<Response>(bytes);
    read_frames::<Event>(bytes);
}

/// What can be read can be written, and is the same when it is read again.
fn read_frames<T: Serialize + DeserializeOwned>(bytes: &[u8]) {
    let mut stream = bytes;
    while let Ok(value) = frame::read::<T>(&mut stream) {
        let Ok(written) = frame::encode(&value) else {
            continue;
        };
        let again: T = frame::read(&mut &*written).expect("what was written can be read");
        assert_eq!(frame::encode(&again).ok().as_ref(), Some(&written));
    }
}

/// Patch files, and a program's log of patches.
pub fn container(bytes: &[u8]) {
    let mut past = Past::default();
    for line in bytes.split(|byte| *byte == b'\n') {
        past.read(line, "01");
    }
    let Ok(read) = container::read(bytes) else {
        return;
    };
    // The signature is of all that stands before it.
    let written = container::write(read.text, &read.images).expect("what was read can be written");
    assert!(written == read.signed);
    if let Ok(contents) = patch::read(&read) {
        let text = contents.patch.text().expect("what was read can be written");
        assert!(contents.patch.images().count() == read.images.len());
        let again = container::write(&text, &read.images).expect("it is no larger");
        let again = container::read(&again).expect("what was written can be read");
        let again = patch::read(&again).expect("what was written can be read");
        assert!(again.patch == contents.patch);
    }
}

/// What is to be loaded.
pub fn manifest(bytes: &[u8]) {
    let Ok(manifest) = serde_json::from_slice::<Manifest>(bytes) else {
        return;
    };
    let valid = manifest.validate();
    let text = serde_json::to_vec(&manifest).expect("what was read can be written");
    let again: Manifest = serde_json::from_slice(&text).expect("what was written can be read");
    assert!(again == manifest && again.validate() == valid);
}

/// How values of old layouts become values of new ones.
pub fn plan(bytes: &[u8]) {
    #[derive(Deserialize)]
    struct Planned {
        base: Vec<Cell>,
        image: Vec<Cell>,
        migration: Migration,
    }
    let Ok(planned) = serde_json::from_slice::<Planned>(bytes) else {
        return;
    };
    let Planned {
        base,
        image,
        migration,
    } = planned;
    // Either may find fault; neither may fail on it.
    let _ = migration.validate(&base, &image);
    let _ = migration.validate_back(&base, &image);
}

/// Object files and executables: their facts, and what is made of them.
pub fn elf(bytes: &[u8]) {
    let _ = hotswap_object::inspect(bytes);
    let _ = hotswap_object::read_host(bytes);
    let _ = hotswap_object::pieces(bytes);
    let _ = hotswap_object::expose(bytes);
    let _ = hotswap_object::thin(bytes);
    let _ = hotswap_object::rewrite(bytes, &hotswap_object::Bindings::default());
    let (few, none) = ((0..8).collect(), BTreeSet::new());
    let _ = hotswap_object::slice(bytes, &few, &none);
}

/// Types in debug information.
pub fn dwarf(bytes: &[u8]) {
    let _ = hotswap_layout::inlined(bytes);
    let Ok(types) = hotswap_layout::read_object(bytes) else {
        return;
    };
    let types = Arc::new(types);
    let program = || Program::new([Arc::clone(&types)], ["seed".to_owned()]);
    let _ = hotswap_layout::compare(&program(), &program(), &[]);
}
