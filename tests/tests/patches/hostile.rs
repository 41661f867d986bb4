//! Patch files as somebody else would make them, or a bad disk: a program that serves refuses each by name, and is
//! as it was.

use std::fs;
use std::io::Write as _;
use std::path::Path;

use anyhow::{Context, Result, ensure};
use cargo_hotswap::patch::signing;
use hotswap_protocol::checksum::checksum;
use hotswap_protocol::frame;
use hotswap_protocol::message::{PROTOCOL, Request, Response};
use hotswap_protocol::patch::container::{self, Container, MAX_BYTES};
use hotswap_protocol::patch::order::PatchOrder;
use hotswap_tests::{Wire, hotswap_verb, workspace};
use serde_json::{Value, json};

use super::Server;

/// How many bytes of the file are changed, one at a time.
const FLIPS: usize = 24;

/// A patch taken apart, so that it can be put together otherwise and signed again.
struct Parts {
    text: Value,
    images: Vec<Vec<u8>>,
}

impl Parts {
    fn of(container: &Container<'_>) -> Result<Self> {
        Ok(Self {
            text: serde_json::from_slice(container.text)?,
            images: container.images.iter().map(|it| it.to_vec()).collect(),
        })
    }

    /// What the manifest says of the code.
    fn image(&mut self) -> &mut Value {
        &mut self.text["manifest"]["image"]
    }

    fn entry(&mut self) -> &mut Value {
        &mut self.text["manifest"]["image_entries"][0]
    }

    /// The code itself, of which the manifest then says what is right.
    fn change_code(&mut self, change: impl FnOnce(&mut Vec<u8>)) {
        let code = self.images.last_mut().expect("a patch has code");
        change(code);
        let (size, sum) = (code.len(), checksum(code));
        (self.image()["size"], self.image()["checksum"]) = (json!(size), json!(sum));
    }

    /// Puts another text of the same length in the place of one that the code has.
    fn change_text(&mut self, from: &str, to: &str) {
        assert_eq!(from.len(), to.len());
        self.change_code(|code| {
            let at = code
                .windows(from.len())
                .position(|it| it == from.as_bytes());
            let at = at.unwrap_or_else(|| panic!("the code has no {from}"));
            code[at..at + to.len()].copy_from_slice(to.as_bytes());
        });
    }

    fn file(&self) -> Result<Vec<u8>> {
        let images: Vec<&[u8]> = self.images.iter().map(Vec::as_slice).collect();
        Ok(container::write(&serde_json::to_vec(&self.text)?, &images)?)
    }
}

/// A patch with another text, signed.
pub(super) fn changed(good: &[u8], change: fn(&mut Value)) -> Result<Vec<u8>> {
    let mut parts = Parts::of(&container::read(good)?)?;
    change(&mut parts.text);
    signing::sign(&parts.file()?, &workspace().join("tests/keys/test.key"), "")
}

type Change = fn(&mut Parts);

/// Patches that somebody signed who has the key, and what they are refused as.
const SIGNED: &[(&str, &str, Change)] = &[
    ("another form", "patch-damaged", |it| {
        it.text["format"] = json!(9)
    }),
    ("an unknown field", "patch-damaged", |it| {
        it.text["x"] = json!(1)
    }),
    ("no text of a patch", "patch-damaged", |it| {
        it.text = json!([])
    }),
    ("a name of two lines", "patch-damaged", |it| {
        it.text["name"] = json!("a\nb")
    }),
    ("a name without end", "patch-damaged", |it| {
        it.text["name"] = json!("a".repeat(1 << 20))
    }),
    ("the base of another program", "wrong-base", |it| {
        let id = json!("00112233");
        it.text["base"]["build_id"] = id.clone();
        it.text["manifest"]["host"]["build_id"] = id;
    }),
    ("two bases", "patch-damaged", |it| {
        it.text["base"]["build_id"] = json!("00112233")
    }),
    ("a patch below that is not there", "wrong-stack", |it| {
        it.text["below"] = json!(["11".repeat(32)]);
    }),
    ("one patch twice below", "patch-damaged", |it| {
        it.text["below"] = json!(["11".repeat(32), "11".repeat(32)]);
    }),
    ("a time that is over", "patch-expired", |it| {
        it.text["not_after"] = json!(1)
    }),
    ("another form of manifest", "patch-damaged", |it| {
        it.text["manifest"]["format"] = json!(1)
    }),
    ("a way out of the file", "patch-damaged", |it| {
        it.image()["path"] = json!("../../x.so")
    }),
    ("a file of the machine's", "patch-damaged", |it| {
        it.image()["path"] = json!("/bin/true")
    }),
    ("a size that is not true", "patch-damaged", |it| {
        it.image()["size"] = json!(1)
    }),
    ("a checksum that is not true", "image-mismatch", |it| {
        it.image()["checksum"] = json!(1)
    }),
    ("a build id that is not true", "image-mismatch", |it| {
        it.image()["build_id"] = json!("00")
    }),
    ("an image too many", "patch-damaged", |it| {
        it.images.push(Vec::new())
    }),
    ("an image too few", "patch-damaged", |it| {
        drop(it.images.pop())
    }),
    ("no code at all", "patch-damaged", |it| {
        it.change_code(Vec::clear)
    }),
    ("half the code", "image-invalid", |it| {
        it.change_code(|code| code.truncate(code.len() / 2))
    }),
    ("code that is no ELF", "image-invalid", |it| {
        it.change_code(|code| code[0] = 0)
    }),
    ("code for another processor", "image-invalid", |it| {
        it.change_code(|code| code[18] = 0xb7)
    }),
    ("segments beyond the code", "image-invalid", |it| {
        it.change_code(|code| code[32..40].fill(0x7f))
    }),
    ("a library that is not there", "load-failed", |it| {
        it.change_text("libc.so.6", "libx.so.6")
    }),
    ("another C library", "load-failed", |it| {
        it.change_text("GLIBC_2.", "GLIBC_9.")
    }),
    ("a body outside the code", "bad-manifest", |it| {
        it.entry()["body"] = json!(0x7fff_f000)
    }),
    ("a body beyond all memory", "patch-damaged", |it| {
        it.entry()["body"] = json!(u64::MAX)
    }),
    ("a descriptor between two", "patch-damaged", |it| {
        it.entry()["descriptor"] = json!(3)
    }),
    ("a descriptor outside the code", "bad-manifest", |it| {
        it.entry()["descriptor"] = json!(0x7fff_f000);
    }),
    ("one entry twice", "patch-damaged", |it| {
        let entry = it.entry().clone();
        let entries = it.text["manifest"]["image_entries"].as_array_mut();
        entries.expect("a list").push(entry);
    }),
    ("entries that the program has not", "bad-manifest", |it| {
        it.text["manifest"]["base_entries"][0]["descriptor"] = json!(8);
    }),
];

/// What a file is, the names that its refusal may have, and its bytes.
type Hostile = (String, &'static [&'static str], Vec<u8>);

/// Files of all these kinds.
fn files(good: &[u8], other: &[u8], key: &Path) -> Result<Vec<Hostile>> {
    const DAMAGED: &[&str] = &["patch-damaged"];
    const SIGNATURE: &[&str] = &["bad-signature"];
    let container = container::read(good)?;
    let mut files = Vec::new();
    for flip in 0..FLIPS {
        let at = (good.len() - 1) * flip / (FLIPS - 1);
        let mut file = good.to_vec();
        file[at] ^= 0x10;
        let named: &[_] = &["bad-signature", "patch-damaged"];
        files.push((format!("another byte {at}"), named, file));
    }
    for bytes in [0, 7, 8, 11, 20, container.signed.len() / 2, good.len() - 1] {
        files.push((
            format!("{bytes} bytes of it"),
            DAMAGED,
            good[..bytes].to_vec(),
        ));
    }
    let signature = container::read(other)?.signature.context("no signature")?;
    let signature = container::sign(container.signed, signature)?;
    files.push((
        "the signature of another patch".into(),
        SIGNATURE,
        signature,
    ));
    let no_text = container::sign(container.signed, &[0xff; 80])?;
    files.push(("a signature that is no text".into(), SIGNATURE, no_text));
    files.push((
        "no signature".into(),
        &["not-signed"],
        container.signed.to_vec(),
    ));
    let mut long = container.signed.to_vec();
    long.extend([2, 0, 0, 0]);
    long.extend(u64::MAX.to_le_bytes());
    files.push(("a section without end".into(), DAMAGED, long));
    let deep = container::write("[".repeat(1 << 20).as_bytes(), &[])?;
    files.push((
        "a text without bottom".into(),
        DAMAGED,
        signing::sign(&deep, key, "")?,
    ));
    let many = [container.signed, good].concat();
    files.push(("two patches in one".into(), DAMAGED, many));
    for (what, named, change) in SIGNED {
        let mut parts = Parts::of(&container)?;
        change(&mut parts);
        let file = signing::sign(&parts.file()?, key, "")?;
        files.push(((*what).to_owned(), std::slice::from_ref(named), file));
    }
    Ok(files)
}

/// Sends a file and takes the name of the refusal.
fn send(server: &Server, announced: u64, file: &[u8]) -> Result<String> {
    let mut wire = Wire::open(server.child.id())?;
    wire.greet(PROTOCOL)?;
    let order = PatchOrder::Apply {
        bytes: announced,
        ttl_ms: None,
        dry_run: false,
    };
    frame::write(&mut wire.0, &Request::Patch { order })?;
    // One that refuses early does not read on.
    let _ = wire.0.write_all(file);
    match frame::read(&mut wire.0)? {
        Response::Error { code, .. } => Ok(code.name()),
        other => anyhow::bail!("it was taken: {other:?}"),
    }
}

/// Where the program has what from, but for memory that has no file.
fn mapped(server: &Server) -> Result<Vec<String>> {
    let maps = fs::read_to_string(format!("/proc/{}/maps", server.child.id()))?;
    let files = maps
        .lines()
        .filter_map(|line| line.split_ascii_whitespace().nth(5));
    Ok(files
        .filter(|name| !name.starts_with('['))
        .map(str::to_owned)
        .collect())
}

/// All of them are refused, one after the other, and ten at once; the program has nothing of them. `other` is another
/// patch that is signed.
pub(super) fn all_are_refused(server: &Server, good: &Path, other: &Path) -> Result<()> {
    let key = workspace().join("tests/keys/test.key");
    let (good, other) = (fs::read(good)?, fs::read(other)?);
    let files = files(&good, &other, &key)?;
    ensure!(files.len() >= 40, "{} files", files.len());
    let before = mapped(server)?;
    let mut wrong = Vec::new();
    for (what, expected, file) in &files {
        let named = send(server, file.len() as u64, file).with_context(|| what.clone())?;
        if !expected.contains(&named.as_str()) {
            wrong.push(format!("{what}: {named}, expected {expected:?}"));
        }
    }
    ensure!(wrong.is_empty(), "{}", wrong.join("\n"));
    let announced = send(server, MAX_BYTES + 1, &[])?;
    ensure!(announced == "patch-damaged", "too long: {announced}");

    // One that sends half of it and waits holds nobody up.
    let mut waits = Wire::open(server.child.id())?;
    waits.greet(PROTOCOL)?;
    let order = PatchOrder::Apply {
        bytes: good.len() as u64,
        ttl_ms: None,
        dry_run: false,
    };
    frame::write(&mut waits.0, &Request::Patch { order })?;
    waits.0.write_all(&good[..good.len() / 2])?;
    std::thread::scope(|scope| -> Result<()> {
        let at_once = files.iter().take(10).map(|(what, _, file)| {
            scope.spawn(move || send(server, file.len() as u64, file).with_context(|| what.clone()))
        });
        let at_once: Vec<_> = at_once.collect();
        at_once
            .into_iter()
            .try_for_each(|one| one.join().expect("no panic").map(drop))
    })?;
    drop(waits);

    let list = server.expect(&["list"], (0, false, None))?;
    ensure!(list["version"] == 0, "{list}");
    no_terminal_is_steered(server, &good)?;
    server.greets("Unharmed", false)?;
    let after = mapped(server)?;
    let new: Vec<_> = after.iter().filter(|name| !before.contains(name)).collect();
    ensure!(new.is_empty(), "something of them is mapped: {new:?}");
    Ok(())
}

/// What a file says of itself is shown before anybody has checked it.
fn no_terminal_is_steered(server: &Server, good: &[u8]) -> Result<()> {
    const TEXTS: &str = "\u{1b}]0;title\u{7}\u{1b}[2J\u{9b}H\u{202e}dengis\n      signed yes\r";
    let write = |name: &str, change: fn(&mut Value)| {
        fs::write(server.package.root.join(name), changed(good, change)?)?;
        anyhow::Ok(())
    };
    write("same.hotpatch", |_| ())?;
    write("texts.hotpatch", |text| {
        text["base"]["name"] = json!(TEXTS);
        text["plan"]["entries"] = json!([TEXTS]);
        text["provenance"]["tool"] = json!(TEXTS);
    })?;
    write("field.hotpatch", |text| text[TEXTS] = json!(1))?;
    for (words, code) in [
        (&["show", "texts.hotpatch"][..], 0),
        (&["show", "field.hotpatch"], 10),
        (&["apply", "field.hotpatch"], 10),
        (&["diff", "same.hotpatch", "texts.hotpatch"], 1),
    ] {
        let output = hotswap_verb(&server.package, &[&["patch"], words].concat())?.output()?;
        let said = [output.stdout, output.stderr].map(String::from_utf8);
        let said = said.into_iter().collect::<Result<String, _>>()?;
        let told = format!("{words:?}: {:?} {said:?}", output.status);
        ensure!(output.status.code() == Some(code), "{told}");
        let escaped = r"\u001b]0;title\u0007\u001b[2J\u009bH\u202edengis\n      signed yes\r";
        ensure!(said.contains(escaped), "{told}");
        ensure!(
            !said.contains(|it: char| it != '\n' && it.is_control()),
            "{told}"
        );
        ensure!(!said.contains(['\u{202e}', '\u{2066}']), "{told}");
    }
    Ok(())
}
