//! Compiles, links and runs the fixtures.

use std::collections::{HashMap, HashSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use hotswap_object::statics::{Verdict, match_statics};
use hotswap_object::{
    Binding, Bindings, SiteCounts, StaticFacts, expose, inspect, read_host, rewrite,
};
use object::{Object as _, ObjectSection as _};

/// Objects of one compilation.
pub struct Build {
    pub objects: Vec<PathBuf>,
    /// The command that links them, if they are a program's.
    link: String,
}

impl Build {
    /// Compiles the fixture and keeps its objects. Nothing is linked.
    pub fn objects(directory: &Path, flags: &[&str]) -> Self {
        let _ = fs::remove_dir_all(directory);
        fs::create_dir_all(directory).unwrap();
        let library = is_library(flags);
        let output = if library { "libstate.rlib" } else { "host" };
        let link = compile(directory, &source("program.rs"), output, flags);
        let mut objects: Vec<PathBuf> = fs::read_dir(directory)
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .filter(|path| path.to_string_lossy().ends_with(".rcgu.o"))
            .filter(|path| library || link.contains(path.file_name().unwrap().to_str().unwrap()))
            .collect();
        objects.sort();
        assert!(!objects.is_empty());
        Self { objects, link }
    }

    /// The same objects in another directory.
    fn copied(&self, directory: &Path) -> Self {
        let _ = fs::remove_dir_all(directory);
        fs::create_dir_all(directory).unwrap();
        let copy = |path: &PathBuf| {
            let copied = directory.join(path.file_name().unwrap());
            fs::copy(path, &copied).unwrap();
            copied
        };
        Self {
            objects: self.objects.iter().map(copy).collect(),
            link: self.link.clone(),
        }
    }

    /// The command that links a program of a library's objects themselves, so that they can be changed.
    fn link_of_library(&self, directory: &Path) -> String {
        let main = directory.join("main.rs");
        fs::write(&main, "extern crate state; fn main() { state::main() }").unwrap();
        let link = compile(directory, &main, "host", &["--crate-name=main", "-L."]);
        let names = self
            .objects
            .iter()
            .map(|path| format!("\"{}\"", path.display()));
        let archive = link
            .split(' ')
            .find(|word| word.ends_with("libstate.rlib\""))
            .unwrap();
        link.replace(archive, &names.collect::<Vec<_>>().join(" "))
    }

    /// Facts about all statics of the crate.
    fn statics(&self) -> Vec<StaticFacts> {
        self.objects
            .iter()
            .flat_map(|path| inspect(&fs::read(path).unwrap()).unwrap().statics)
            .collect()
    }
}

fn source(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/share_state")
        .join(name)
}

fn is_library(flags: &[&str]) -> bool {
    flags.contains(&"--crate-type=rlib")
}

/// Compiles a crate, keeps its objects, and returns the command that would link it: only a host is linked, once its objects
/// are changed.
fn compile(directory: &Path, source: &Path, output: &str, flags: &[&str]) -> String {
    let mut command = Command::new("rustc");
    command
        .current_dir(directory)
        .arg(source)
        .args([
            "--edition=2024",
            "-Csymbol-mangling-version=v0",
            "-Cdebuginfo=2",
        ])
        .args([
            "-Csave-temps",
            "-Ccodegen-units=2",
            "--print=link-args",
            "-o",
            output,
        ])
        .args(["-Clink-arg=-Wl,--export-dynamic", "-Clinker=true"])
        .args(flags);
    let link = String::from_utf8(succeed(&mut command).stdout).unwrap();
    link.replacen(" \"true\" ", " \"cc\" ", 1)
}

/// A linked program.
pub struct Host {
    pub directory: PathBuf,
    pub executable: PathBuf,
    pub build: Build,
    /// The objects as they were before the host's state was exposed: a patch without an edit.
    pub first: Build,
}

impl Host {
    /// Compiles the fixture, exposes its state and links it.
    pub fn build(name: &str, flags: &[&str]) -> Self {
        let directory = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
        let build = Build::objects(&directory.join("host"), flags);
        let first = build.copied(&directory.join("first"));
        let link = match is_library(flags) {
            true => build.link_of_library(&directory.join("host")),
            false => build.link.clone(),
        };
        for path in &build.objects {
            if let Some(bytes) = expose(&fs::read(path).unwrap()).unwrap() {
                fs::write(path, bytes).unwrap();
            }
        }
        succeed(
            Command::new("sh")
                .arg("-c")
                .arg(link.trim())
                .current_dir(directory.join("host")),
        );
        Self {
            executable: directory.join("host/host"),
            directory,
            build,
            first,
        }
    }

    /// Binds a patch's statics to this host's.
    pub fn bind(&self, patch: &Build) -> Bindings {
        let facts = read_host(&fs::read(&self.executable).unwrap()).unwrap();
        let mut symbols = HashMap::new();
        for matched in match_statics(&self.build.statics(), &patch.statics()) {
            let binding = match matched.verdict {
                Verdict::Same { host } | Verdict::Kept { host } => {
                    match facts.thread_locals.get(&host) {
                        Some(&offset) => Binding::HostThreadLocal { offset },
                        None => {
                            assert!(facts.symbols[&host].exported, "{host} isn't exported");
                            Binding::Host { symbol: host }
                        }
                    }
                }
                Verdict::New(_) => Binding::Image,
                verdict => panic!("{}: {verdict:?}", matched.path),
            };
            symbols.insert(matched.patch, binding);
        }
        Bindings {
            symbols,
            host_thread_locals: facts.thread_locals,
            dropped_initialisers: HashSet::new(),
        }
    }
}

/// Rewrites a patch's objects and links them as an image, in a directory of its own.
pub fn image(
    directory: &Path,
    build: &Build,
    bindings: &Bindings,
    counts: &mut SiteCounts,
) -> PathBuf {
    let _ = fs::remove_dir_all(directory);
    fs::create_dir_all(directory).unwrap();
    let script = directory.join("script");
    fs::write(
        &script,
        "{ global: fixture_step; fixture_version; local: *; };",
    )
    .unwrap();
    let image = directory.join("image.so");
    let mut command = Command::new(linker());
    command
        .args([
            "-flavor",
            "gnu",
            "-shared",
            "-Bsymbolic",
            "--eh-frame-hdr",
            "-o",
        ])
        .arg(&image);
    command.arg(format!("--version-script={}", script.display()));
    for (index, path) in build.objects.iter().enumerate() {
        let object = fs::read(path).unwrap();
        let rewritten = rewrite(&object, bindings).unwrap_or_else(|error| panic!("{error}"));
        counts.add(&rewritten.counts);
        // The allocator shim is the host's.
        if defines_state_or_code(&object) {
            let path = directory.join(format!("patch-{index}.o"));
            fs::write(&path, rewritten.bytes.as_deref().unwrap_or(&object)).unwrap();
            command.arg(path);
        }
    }
    succeed(&mut command);
    image
}

fn defines_state_or_code(object: &[u8]) -> bool {
    let facts = inspect(object).unwrap();
    !facts
        .symbols
        .iter()
        .any(|symbol| symbol.name.contains("___rust_alloc"))
}

/// Start and end of an image's own code, linker's stubs left out.
pub fn code_range(image: &Path) -> (u64, u64) {
    let bytes = fs::read(image).unwrap();
    let file = object::File::parse(&*bytes).unwrap();
    let text = file.section_by_name(".text").unwrap();
    (text.address(), text.address() + text.size())
}

/// What a run printed.
pub struct Run {
    pub lines: Vec<String>,
    pub versions: Vec<String>,
}

/// Runs a program with the images to call.
pub fn run(executable: &Path, arguments: &[&str]) -> Run {
    let output = succeed(Command::new(executable).args(arguments));
    let lines = |bytes: &[u8]| {
        String::from_utf8_lossy(bytes)
            .lines()
            .map(String::from)
            .collect()
    };
    Run {
        lines: lines(&output.stdout),
        versions: lines(&output.stderr),
    }
}

fn linker() -> PathBuf {
    let output = succeed(Command::new("rustc").args(["--print", "sysroot"]));
    let sysroot = PathBuf::from(String::from_utf8(output.stdout).unwrap().trim());
    sysroot.join("lib/rustlib/x86_64-unknown-linux-gnu/bin/rust-lld")
}

fn succeed(command: &mut Command) -> Output {
    let output = command.output().unwrap();
    assert!(
        output.status.success(),
        "{command:?}: {}\n{}{}",
        output.status,
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    output
}
