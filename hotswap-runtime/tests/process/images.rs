//! Swaps that bring images, made of bytes: an executable would need a linker.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixStream;

use hotswap::__private::v0_1_0::Arg;
use hotswap::Swap;
use hotswap_protocol::build_id::BuildId;
use hotswap_protocol::checksum::checksum;
use hotswap_protocol::hook::{Hook, When};
use hotswap_protocol::lifecycle::State;
use hotswap_protocol::manifest::{Entry, Image, Manifest};
use hotswap_protocol::message::{Request, Response};
use hotswap_protocol::purge::Manner;

use crate::orders::{ENTRY, body, notes, refuses};
use crate::program::{Program, ask, build_id};
use crate::sample;

/// The process under test and a tool's connection to it.
struct Swapped {
    program: Program,
    stream: UnixStream,
    version: u64,
}

impl Swapped {
    fn start(test: &str) -> Self {
        let program = Program::start(test);
        let (stream, _) = program.connect();
        Self {
            program,
            stream,
            version: 0,
        }
    }

    fn prepare(&self, manifest: Box<Manifest>) -> String {
        brief(&ask(&self.stream, &Request::Prepare { manifest }))
    }

    fn commit(&mut self) {
        let (last, version) = (self.version, self.version + 1);
        let answer = brief(&ask(&self.stream, &Request::Commit {}));
        assert_eq!(answer, format!("committed {version}"));
        assert_eq!(self.program.line(), format!("swapped {last} {version}"));
        self.version = version;
    }

    /// Makes the entry return `number`.
    fn swap(&mut self, number: u32) {
        let answer = self.prepare(patch(&self.program, number, "1"));
        let expected = format!("prepared {} [1, 0, 0, 0]", self.version + 1);
        assert_eq!(answer, expected);
        self.commit();
    }

    fn calls(&mut self, number: u32) {
        assert_eq!(self.program.order("call"), format!("called {number}"));
    }

    fn maps(&mut self, images: usize) {
        assert_eq!(self.program.order("maps"), format!("maps {images}"));
    }
}

pub(crate) fn swapped() {
    let mut swapped = Swapped::start("swapped");
    swapped.calls(1);
    let patch = patch(&swapped.program, 11, "1");
    assert_eq!(swapped.prepare(patch), "prepared 1 [1, 0, 0, 0]");
    swapped.calls(1);
    swapped.commit();
    swapped.calls(11);
    swapped.swap(12);
    swapped.calls(12);
    swapped.maps(2);
    swapped.program.end();
}

pub(crate) fn given_up() {
    let mut swapped = Swapped::start("given-up");
    swapped.swap(11);
    let open = swapped.program.order("open");
    let patch = |swapped: &Swapped, number| patch(&swapped.program, number, "1");

    // Aborted.
    assert_eq!(
        swapped.prepare(patch(&swapped, 12)),
        "prepared 2 [1, 0, 0, 0]"
    );
    swapped.maps(2);
    let answer = ask(&swapped.stream, &Request::Abort {});
    assert_eq!(brief(&answer), "aborted");
    swapped.maps(1);

    // Abandoned by a client that vanishes.
    let (other, _) = swapped.program.connect();
    let manifest = patch(&swapped, 13);
    let answer = ask(&other, &Request::Prepare { manifest });
    assert_eq!(brief(&answer), "prepared 2 [1, 0, 0, 0]");
    assert!(swapped.prepare(patch(&swapped, 14)).starts_with("Busy"));
    drop(other);
    let mut answer = swapped.prepare(patch(&swapped, 14));
    while answer.starts_with("Busy") {
        answer = swapped.prepare(patch(&swapped, 14));
    }
    assert_eq!(answer, "prepared 2 [1, 0, 0, 0]");
    swapped.calls(11);
    swapped.commit();
    swapped.calls(14);
    swapped.maps(2);

    // The runtime may still be closing the connection of the client that vanished.
    let mut left = (0..10_000).map(|_| swapped.program.order("open"));
    assert!(left.any(|now| now == open), "a descriptor is left open");
    drop(left);
    swapped.program.end();
}

/// Who calls the old signature goes on with the last code of it.
pub(crate) fn reshaped() {
    let mut swapped = Swapped::start("reshaped");
    swapped.swap(11);
    let patch = patch(&swapped.program, 12, "2");
    assert_eq!(swapped.prepare(patch), "prepared 2 [0, 0, 1, 0]");
    swapped.commit();
    swapped.calls(11);
    swapped.program.end();
}

pub(crate) fn refused() {
    let mut swapped = Swapped::start("refused");
    swapped.swap(11);
    let mut damaged = patch(&swapped.program, 12, "1");
    damaged.image.as_mut().unwrap().checksum += 1;
    assert!(swapped.prepare(damaged).starts_with("ImageMismatch"));
    let mut outside = patch(&swapped.program, 12, "1");
    outside.image_entries[0].body = sample::STATE;
    let answer = swapped.prepare(outside);
    assert!(
        answer.ends_with("`process::entry`: the image has no body at 0x1800"),
        "{answer}"
    );
    let answer = ask(&swapped.stream, &Request::Commit {});
    assert!(brief(&answer).starts_with("NothingPrepared"));
    swapped.calls(11);
    swapped.maps(1);
    swapped.program.end();
}

pub(crate) fn again() {
    let mut swapped = Swapped::start("again");
    swapped.swap(11);
    swapped.swap(12);
    swapped.swap(11);
    swapped.calls(11);
    swapped.maps(2);
    let manifest = back(&swapped.program);
    assert_eq!(swapped.prepare(manifest), "prepared 4 [1, 0, 0, 0]");
    swapped.commit();
    swapped.calls(1);
    let Response::Status(status) = ask(&swapped.stream, &Request::Status {}) else {
        panic!("no status")
    };
    let (current, older) = status.versions.split_last().unwrap();
    let file =
        |image: &hotswap_protocol::status::ImageStatus| image.path.file_name().unwrap().to_owned();
    let files: Vec<_> = older
        .iter()
        .filter_map(|it| it.image.as_ref())
        .map(file)
        .collect();
    assert_eq!(files, ["11.so.sample", "12.so.sample", "11.so.sample"]);
    assert!(older.iter().all(|it| it.state == State::Retained));
    assert!(current.image.is_none() && current.state == State::Current);
    swapped.program.end();
}

/// A function of the executable's that runs at a swap.
fn hook(when: When, function: fn(Swap) -> Result<(), String>) -> Hook {
    Hook {
        when,
        path: "process::hook".into(),
        in_image: false,
        address: virtual_address(function as usize),
    }
}

/// Functions run when they should, those of the version that they should be of.
pub(crate) fn hooked() {
    let mut swapped = Swapped::start("hooked");
    let mut first = patch(&swapped.program, 11, "1");
    first.base_hooks = vec![hook(When::BeforeSwap, notes)];
    first.hooks = [When::OnLoad, When::AfterSwap, When::OnPurge]
        .map(|when| hook(when, notes))
        .into();
    assert_eq!(swapped.prepare(first), "prepared 1 [1, 0, 0, 0]");
    assert_eq!(swapped.program.line(), "hook 0 1");
    let answer = brief(&ask(&swapped.stream, &Request::Commit {}));
    assert_eq!(answer, "committed 1");
    // Before, by the executable; after, by the image's version; then what was registered.
    for line in ["hook 0 1", "hook 0 1", "swapped 0 1"] {
        assert_eq!(swapped.program.line(), line);
    }
    swapped.version = 1;

    let mut second = patch(&swapped.program, 12, "1");
    second.hooks = vec![hook(When::OnLoad, notes), hook(When::OnLoad, refuses)];
    let answer = swapped.prepare(second);
    assert_eq!(swapped.program.line(), "hook 1 2");
    let expected = "OnLoadFailed: `process::hook` (on_load) failed: not today";
    assert_eq!(answer, expected);
    swapped.calls(11);
    // Its code has run, so it goes only when it is proven that nothing refers to it.
    let purge = |manner| Request::Purge { manner };
    while swapped.program.order("maps") != "maps 1" {
        ask(&swapped.stream, &purge(Manner::Soft));
    }

    swapped.swap(13);
    let Response::Purged(report) = ask(&swapped.stream, &purge(Manner::Full)) else {
        panic!("no report")
    };
    assert_eq!(swapped.program.line(), "hook 1 2");
    assert_eq!(report.versions[0].number, 1);
    assert_eq!(report.versions[0].kept.remarks, [""; 0]);
    swapped.program.end();
}

/// The virtual address in the executable of something in this process.
fn virtual_address(address: usize) -> u64 {
    let executable = std::env::current_exe().unwrap();
    let maps = fs::read_to_string("/proc/self/maps").unwrap();
    let first = maps
        .lines()
        .find(|line| line.ends_with(executable.to_str().unwrap()))
        .unwrap();
    let base = usize::from_str_radix(first.split('-').next().unwrap(), 16).unwrap();
    (address - base) as u64
}

fn entry(fingerprint: &str, descriptor: u64, body: u64) -> Entry {
    Entry {
        path: "process::entry".into(),
        fingerprint: fingerprint.into(),
        descriptor,
        body,
    }
}

/// A patch that makes the entry return `number`.
fn patch(program: &Program, number: u32, fingerprint: &str) -> Box<Manifest> {
    let content = sample::sample(number, None);
    let path = program.folder.join(format!("{number}.so.sample"));
    // A file that is mapped is not written to.
    if !path.exists() {
        fs::write(&path, &content).unwrap();
        fs::set_permissions(&path, PermissionsExt::from_mode(0o600)).unwrap();
    }
    let mut manifest = back(program);
    manifest.image = Some(Image {
        path,
        size: content.len() as u64,
        build_id: BuildId::from_bytes(&sample::BUILD_ID).unwrap(),
        checksum: checksum(&content),
        shared: false,
    });
    manifest.image_entries = vec![entry(fingerprint, sample::STATE, sample::CODE)];
    manifest
}

/// A patch that goes back to the executable's own code.
fn back(program: &Program) -> Box<Manifest> {
    let mut manifest = Manifest::new(build_id(program).expect("the linker writes a build id"));
    let descriptor = virtual_address((&raw const ENTRY).addr());
    let body = virtual_address(body as fn() -> Arg<u32> as usize);
    manifest.base_entries = vec![entry("1", descriptor, body)];
    Box::new(manifest)
}

/// What the answer says in short: its kind, and for a prepared patch what it will change.
fn brief(response: &Response) -> String {
    match response {
        Response::Prepared { version, report } => {
            let counts = [
                &report.replaced,
                &report.added,
                &report.reshaped,
                &report.carried,
            ];
            format!("prepared {version} {:?}", counts.map(Vec::len))
        }
        Response::Committed { version, .. } => format!("committed {version}"),
        Response::Aborted {} => "aborted".to_owned(),
        Response::Error { code, message } => format!("{code:?}: {message}"),
        other => format!("{other:?}"),
    }
}
