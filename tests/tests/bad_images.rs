//! Images and messages that a program must refuse without harm, sent past the tool.

use std::{
    collections::BTreeSet,
    fs,
    io::Write,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result, bail, ensure};
use hotswap_protocol::{
    build_id::BuildId,
    checksum::checksum,
    manifest::{Image, Manifest},
    message::{ErrorCode, PROTOCOL, Request, Response},
};
use hotswap_tests::{Package, Session, Wire};

const SOURCE: &str = r#"
use std::io;

fn main() {
    for _ in io::stdin().lines() {
        println!("{}", answer());
    }
}

#[hotswap::entry]
fn answer() -> String {
    "one".to_owned()
}
"#;

/// Asks on a fresh connection and takes the code of the refusal.
fn refusal(pid: u32, request: &Request) -> Result<ErrorCode> {
    let mut wire = Wire::open(pid)?;
    wire.greet(PROTOCOL)?;
    match wire.ask(request)? {
        Response::Error { code, message } => {
            ensure!(!message.is_empty(), "{code:?} says nothing");
            Ok(code)
        }
        other => bail!("not refused: {other:?}"),
    }
}

/// A manifest for an image file that describes it truthfully.
fn manifest(host: &BuildId, image: &Path) -> Result<Manifest> {
    let bytes = fs::read(image).unwrap_or_default();
    let mut manifest = Manifest::new(host.clone());
    manifest.image = Some(Image {
        path: image.to_path_buf(),
        size: (bytes.len() as u64).max(1),
        build_id: BuildId::from_bytes(&[7; 8])?,
        checksum: checksum(&bytes),
        shared: false,
    });
    Ok(manifest)
}

fn image(manifest: &mut Manifest) -> &mut Image {
    manifest.image.as_mut().expect("the manifest has an image")
}

/// A file that only its owner writes, as images are.
fn private_file(package: &Package, name: &str, bytes: &[u8]) -> Result<PathBuf> {
    let path = package.root.join(name);
    fs::write(&path, bytes)?;
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600))?;
    Ok(path)
}

/// What is wrong, what is asked for, and which codes are an answer to it.
type Case = (&'static str, Request, &'static [ErrorCode]);

fn prepare(manifest: Manifest) -> Request {
    let manifest = Box::new(manifest);
    Request::Prepare { manifest }
}

fn cases(package: &Package, host: &BuildId, executable: &Path) -> Result<Vec<Case>> {
    use ErrorCode::{
        BadManifest, ImageInvalid, ImageMismatch, ImageUnreadable, LoadFailed, NothingPrepared,
        WrongHost,
    };
    let host_bytes = fs::read(executable)?;
    let missing = manifest(host, &package.root.join("nothing.so"))?;
    let folder = manifest(host, &package.root)?;
    let text = manifest(host, &private_file(package, "text.so", b"no image at all")?)?;
    let half = &host_bytes[..host_bytes.len() / 2];
    let truncated = manifest(host, &private_file(package, "half.so", half)?)?;
    let foreign = manifest(host, &private_file(package, "foreign.so", &host_bytes)?)?;
    let mut flipped = foreign.clone();
    image(&mut flipped).checksum ^= 1;
    let mut longer = foreign.clone();
    image(&mut longer).size += 1;
    let mut relative = foreign.clone();
    image(&mut relative).path = "foreign.so".into();
    let other_host = manifest(
        &BuildId::from_bytes(&[1; 20])?,
        &image(&mut foreign.clone()).path,
    )?;
    let mut format = foreign.clone();
    format.format += 1;
    Ok(vec![
        ("a missing file", prepare(missing), &[ImageUnreadable]),
        (
            "a folder",
            prepare(folder),
            &[ImageUnreadable, ImageMismatch],
        ),
        ("text", prepare(text), &[ImageInvalid, ImageMismatch]),
        (
            "half an image",
            prepare(truncated),
            &[ImageInvalid, ImageMismatch],
        ),
        (
            "an image of something else",
            prepare(foreign),
            &[ImageInvalid, ImageMismatch, LoadFailed],
        ),
        ("a flipped bit", prepare(flipped), &[ImageMismatch]),
        ("another size", prepare(longer), &[ImageMismatch]),
        ("a relative path", prepare(relative), &[BadManifest]),
        ("another executable", prepare(other_host), &[WrongHost]),
        ("another format", prepare(format), &[BadManifest]),
        (
            "a commit of nothing",
            Request::Commit {},
            &[NothingPrepared],
        ),
    ])
}

/// The files that a process has mapped. What has no file is memory, of which any call may take more.
fn mapped_files(pid: u32) -> Result<BTreeSet<String>> {
    let maps = fs::read_to_string(format!("/proc/{pid}/maps"))?;
    let file = |line: &str| line.find('/').map(|at| line[at..].to_owned());
    Ok(maps.lines().filter_map(file).collect())
}

#[test]
fn bad_images_are_refused_by_name_and_leave_no_trace() -> Result<()> {
    let package = Package::of_source("bad-images", SOURCE)?;
    let mut session = Session::run(&package, &[])?;
    let pid = session.pid()?;
    let mut wire = Wire::open(pid)?;
    let Response::Hello(hello) = wire.greet(PROTOCOL)? else {
        bail!("no hello")
    };
    drop(wire);
    let host = hello.build_id.context("the executable has no build id")?;
    let mapped = mapped_files(pid)?;
    for (name, request, codes) in cases(&package, &host, &hello.executable)? {
        let code = refusal(pid, &request).with_context(|| name)?;
        ensure!(
            codes.contains(&code),
            "{name}: {code:?}, expected one of {codes:?}"
        );
        session
            .ask("x", "one")
            .with_context(|| format!("after {name}"))?;
    }
    assert_eq!(mapped_files(pid)?, mapped);
    package.edit("src/main.rs", "\"one\"", "\"two\"")?;
    session.await_swapped()?;
    session.ask("x", "two")?;
    session.quit()
}

#[test]
fn a_damaged_copy_of_a_real_image_is_refused() -> Result<()> {
    let package = Package::of_source("damaged-image", SOURCE)?;
    let mut session = Session::run(&package, &[])?;
    let pid = session.pid()?;
    package.edit("src/main.rs", "\"one\"", "\"two\"")?;
    session.await_swapped()?;
    session.ask("x", "two")?;
    let mut wire = Wire::open(pid)?;
    let Response::Hello(hello) = wire.greet(PROTOCOL)? else {
        bail!("no hello")
    };
    let Response::Status(status) = wire.ask(&Request::Status {})? else {
        bail!("no status")
    };
    let newest = status.versions.iter().max_by_key(|version| version.number);
    let path = newest
        .and_then(|version| version.image.as_ref())
        .map(|image| image.path.clone());
    let path = path.context("the newest version has no image")?;
    let host = hello.build_id.context("the executable has no build id")?;
    let bytes = fs::read(&path).with_context(|| format!("{}", path.display()))?;
    for place in [
        0,
        5,
        24,
        32,
        60,
        bytes.len() / 3,
        bytes.len() / 2,
        bytes.len() - 1,
    ] {
        let mut damaged = bytes.clone();
        damaged[place] ^= 0x55;
        let file = private_file(&package, &format!("damaged-{place}.so"), &damaged)?;
        // The build id is another one anyway: whatever is looked at first, nothing is loaded.
        let code = refusal(pid, &prepare(manifest(&host, &file)?))?;
        ensure!(code != ErrorCode::Internal, "byte {place}: {code:?}");
        session.ask("x", "two")?;
    }
    package.edit("src/main.rs", "\"two\"", "\"three\"")?;
    session.await_swapped()?;
    session.ask("x", "three")?;
    session.quit()
}

#[test]
fn broken_conversations_end_alone() -> Result<()> {
    let package = Package::of_source("broken-conversations", SOURCE)?;
    let mut session = Session::run(&package, &[])?;
    let pid = session.pid()?;
    let texts: [&[u8]; 6] = [
        b"",
        b"\x05",
        b"\xff\xff\xff\xff",
        b"\x10\0\0\0{\"hello\"",
        b"\x04\0\0\0nope",
        b"\x02\0\0\0{}",
    ];
    for text in texts {
        let mut wire = Wire::open(pid)?;
        wire.0.write_all(text)?;
        drop(wire);
        session
            .ask("x", "one")
            .with_context(|| format!("after {text:?}"))?;
    }
    let answer = Wire::open(pid)?.greet(PROTOCOL + 1)?;
    let refused = matches!(
        answer,
        Response::Error {
            code: ErrorCode::ProtocolMismatch,
            ..
        }
    );
    ensure!(
        refused || matches!(answer, Response::Hello(_)),
        "{answer:?}"
    );
    package.edit("src/main.rs", "\"one\"", "\"two\"")?;
    session.await_swapped()?;
    session.ask("x", "two")?;
    session.quit()
}
