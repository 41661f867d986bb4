//! The linker shim: links a host that can be patched, or collects a patch's objects.

use std::borrow::Cow;
use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};
use serde::{Deserialize, Serialize};

use super::archive;
use super::capture::{self, HotLibrary, LinkCapture};
use crate::keep::keep;
use line::{Item, Line};

mod line;

/// What the wrapper asks of the linker, as JSON in [`super::LINK_VAR`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LinkRequest {
    /// The linker that rustc would have called.
    pub linker: String,
    /// What to do.
    pub mode: LinkMode,
}

/// What the linker shim does with a link.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum LinkMode {
    /// Link the executable so that it can be patched, and record the link.
    Host,
    /// Link nothing: copy the crate's objects into this folder.
    Collect(PathBuf),
}

impl LinkRequest {
    /// The request as the value of [`super::LINK_VAR`].
    pub fn to_env(&self) -> String {
        serde_json::to_string(self).expect("a struct of strings is always valid JSON")
    }
}

/// Does what the request says with rustc's link line; the result is the exit code.
///
/// # Errors
///
/// The link line is not understood, a file can't be read or written, the linker can't be run.
pub fn run(request: &OsStr, args: &[OsString]) -> Result<i32> {
    let request: LinkRequest = serde_json::from_slice(request.as_encoded_bytes())
        .with_context(|| format!("{} is not what the wrapper sets", super::LINK_VAR))?;
    let mut line = Line::parse(args)?;
    // rustc names the folder by a descriptor, which means nothing to who reads the records.
    let folder = line.output.parent().unwrap_or(Path::new("."));
    let folder = std::fs::canonicalize(folder)
        .with_context(|| format!("could not find {}", folder.display()))?;
    line.output = folder.join(line.output.file_name().unwrap_or_default());
    match &request.mode {
        LinkMode::Host => link_host(&request.linker, &line),
        LinkMode::Collect(folder) => collect(&line, folder),
    }
}

/// Copies the crate's own objects and leaves an empty file where rustc expects the executable.
fn collect(line: &Line, folder: &Path) -> Result<i32> {
    keep_objects(line, folder)?;
    std::fs::write(&line.output, b"")
        .with_context(|| format!("could not write {}", line.output.display()))?;
    Ok(0)
}

/// Hard-links (or copies) the objects of the executable's crate: rustc removes them afterwards.
fn keep_objects(line: &Line, folder: &Path) -> Result<Vec<PathBuf>> {
    let context = || format!("could not keep objects in {}", folder.display());
    if folder.exists() {
        std::fs::remove_dir_all(folder).with_context(context)?;
    }
    std::fs::create_dir_all(folder).with_context(context)?;
    let mut kept = Vec::new();
    for object in line.objects() {
        let name = object.file_name().unwrap_or_default();
        let target = folder.join(name);
        if name == "symbols.o" {
            continue;
        }
        keep(object, &target)?;
        kept.push(target);
    }
    Ok(kept)
}

fn link_host(linker: &str, line: &Line) -> Result<i32> {
    let mut folder = line.output.clone().into_os_string();
    folder.push(".hotobjects");
    let objects = keep_objects(line, Path::new(&folder))?;
    let parent = line.output.parent().unwrap_or(Path::new("."));
    let scratch = tempfile::Builder::new()
        .prefix(".hotlink-")
        .tempdir_in(parent)
        .with_context(|| format!("could not make a folder in {}", parent.display()))?;
    let mut capture = LinkCapture {
        format: capture::FORMAT,
        output: line.output.clone(),
        objects,
        hot_libraries: Vec::new(),
        cold_libraries: Vec::new(),
        dynamic_libraries: line.dynamic_libraries(),
        lazy_libraries: Vec::new(),
    };
    for library in line.libraries() {
        match capture::unit_path_of_library(library).filter(|path| path.exists()) {
            Some(unit) => capture.hot_libraries.push(HotLibrary {
                capture: unit,
                archive: library.to_owned(),
            }),
            None => capture.cold_libraries.push(library.to_owned()),
        }
    }
    let exposed = expose(line, &capture, scratch.path())?;
    let code = link_whole(linker, line, &exposed, &mut capture, scratch.path())?;
    if code == 0 {
        capture::store(&capture::link_path(&line.output), &capture)?;
    }
    Ok(code)
}

/// The objects of hot crates with their state made visible, by the input they stand in for.
struct Exposed {
    objects: Vec<(PathBuf, PathBuf)>,
    /// Each as one archive of the members that Rust code is in.
    libraries: Vec<(PathBuf, PathBuf)>,
}

impl Exposed {
    fn object<'a>(&'a self, path: &'a Path) -> &'a Path {
        let found = self.objects.iter().find(|(original, _)| original == path);
        found.map_or(path, |(_, exposed)| exposed)
    }

    fn library(&self, path: &Path) -> Option<&Path> {
        let found = self.libraries.iter().find(|(original, _)| original == path);
        found.map(|(_, archive)| archive.as_path())
    }
}

/// Makes state in the objects of hot crates visible to patches.
fn expose(line: &Line, capture: &LinkCapture, scratch: &Path) -> Result<Exposed> {
    let mut exposed = Exposed {
        objects: Vec::new(),
        libraries: Vec::new(),
    };
    for (number, object) in line.objects().enumerate() {
        let bytes = std::fs::read(object)
            .with_context(|| format!("could not read {}", object.display()))?;
        let target = scratch.join(format!("{number}.o"));
        if let Some(changed) = expose_one(&bytes, object)? {
            write(&target, &changed)?;
            exposed.objects.push((object.to_owned(), target));
        }
    }
    for (number, library) in capture.hot_libraries.iter().enumerate() {
        let path = &library.archive;
        let bytes =
            std::fs::read(path).with_context(|| format!("could not read {}", path.display()))?;
        let mut members = Vec::new();
        for member in archive::members(path, &bytes)?.rust {
            let object = &bytes[member.range];
            members.push(expose_one(object, path)?.map_or(Cow::Borrowed(object), Cow::Owned));
        }
        let target = scratch.join(format!("{number}.a"));
        write(
            &target,
            &archive::of_objects(members.iter().map(AsRef::as_ref)),
        )?;
        exposed.libraries.push((path.clone(), target));
    }
    Ok(exposed)
}

fn expose_one(object: &[u8], path: &Path) -> Result<Option<Vec<u8>>> {
    hotswap_object::expose(object)
        .with_context(|| format!("{} can't be made patchable", path.display()))
}

fn write(path: &Path, bytes: &[u8]) -> Result<()> {
    std::fs::write(path, bytes).with_context(|| format!("could not write {}", path.display()))
}

/// Links with every library in full, so that code the host never called is there for a patch.
/// A library that doesn't link in full (a native one it needs is missing, say) is linked as cargo
/// would have, and recorded.
fn link_whole(
    linker: &str,
    line: &Line,
    exposed: &Exposed,
    capture: &mut LinkCapture,
    scratch: &Path,
) -> Result<i32> {
    let mut last = None;
    for _ in 0..4 {
        let args = host_args(line, exposed, &capture.lazy_libraries, scratch)?;
        let output = run_linker(linker, &args, scratch)?;
        if output.status.success() {
            return Ok(0);
        }
        let text = String::from_utf8_lossy(&output.stderr).into_owned();
        let guilty: Vec<PathBuf> = capture
            .cold_libraries
            .iter()
            .filter(|library| !capture.lazy_libraries.contains(library))
            .filter(|library| names(&text, library))
            .cloned()
            .collect();
        let code = output.status.code().unwrap_or(1);
        if guilty.is_empty() {
            eprint!("{text}");
            return Ok(code);
        }
        capture.lazy_libraries.extend(guilty);
        last = Some((text, code));
    }
    let (text, code) = last.unwrap_or_default();
    eprint!("{text}");
    Ok(code)
}

/// Whether the linker's message is about this library.
fn names(message: &str, library: &Path) -> bool {
    let name = library
        .file_name()
        .and_then(OsStr::to_str)
        .unwrap_or_default();
    !name.is_empty() && message.contains(name)
}

fn host_args(
    line: &Line,
    exposed: &Exposed,
    lazy: &[PathBuf],
    scratch: &Path,
) -> Result<Vec<OsString>> {
    let mut args: Vec<OsString> = Vec::new();
    for (number, item) in line.items.iter().enumerate() {
        match item {
            Item::Dropped(_) => {}
            Item::Object(path) => args.push(exposed.object(path).into()),
            Item::Library(path) if lazy.contains(path) => args.push(path.into()),
            Item::Library(path) => match exposed.library(path) {
                Some(members) => {
                    args.extend(whole(members));
                    args.push(path.into());
                }
                None => whole_library(&mut args, path, &scratch.join(format!("whole{number}.a")))?,
            },
            Item::Other(arg) => args.push(arg.clone()),
        }
    }
    for flag in ["--export-dynamic", "--no-gc-sections", "--build-id=sha1"] {
        args.push(line.linker_flag(flag));
    }
    Ok(args)
}

/// Adds a library in full; bundled native objects in it stay lazy, since they may clash with
/// another library's or need what the plain link never asked for.
fn whole_library(args: &mut Vec<OsString>, path: &Path, scratch: &Path) -> Result<()> {
    let file =
        std::fs::File::open(path).with_context(|| format!("could not read {}", path.display()))?;
    // SAFETY: the map is only read here, while cargo holds its build lock and nothing else writes
    // artefacts; a concurrent truncation by a stranger would be a SIGBUS, as for any linker.
    let bytes = unsafe { memmap2::Mmap::map(&file) }
        .with_context(|| format!("could not read {}", path.display()))?;
    let members = archive::members(path, &bytes)?;
    if members.native.is_empty() {
        args.extend(whole(path));
        return Ok(());
    }
    // One file, and not one for each of the hundreds of members that the standard library has.
    let rust = members.rust.into_iter();
    let objects = archive::of_objects(rust.map(|member| &bytes[member.range]));
    write(scratch, &objects)?;
    args.extend(whole(scratch));
    args.push(path.into());
    Ok(())
}

/// An archive of which all members are linked.
fn whole(archive: &Path) -> [OsString; 3] {
    [
        "-Wl,--whole-archive".into(),
        archive.into(),
        "-Wl,--no-whole-archive".into(),
    ]
}

/// Runs the linker with a response file, as the line is longer than a system's limit.
fn run_linker(linker: &str, args: &[OsString], scratch: &Path) -> Result<std::process::Output> {
    let file = scratch.join("arguments");
    let mut text = String::new();
    for arg in args {
        let Some(arg) = arg.to_str() else {
            bail!("a path in the link is not UTF-8: {arg:?}")
        };
        text.push('"');
        text.push_str(&arg.replace('\\', "\\\\").replace('"', "\\\""));
        text.push_str("\"\n");
    }
    write(&file, text.as_bytes())?;
    let mut response = OsString::from("@");
    response.push(&file);
    Command::new(linker)
        .arg(response)
        .env_remove(super::LINK_VAR)
        .output()
        .with_context(|| format!("could not run the linker {linker}"))
}
