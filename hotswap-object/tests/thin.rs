//! A thinned object says the same in backtraces, for every address of its code.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use addr2line::Loader;
use hotswap_object::{inspect, thin};
use object::{Object as _, ObjectSection as _};

/// Calls that are inlined even without optimisation, into each other and from other crates, and
/// functions in which none is.
const PROGRAM: &str = r#"
use std::collections::BTreeMap;

#[inline(always)]
fn twice(number: u32) -> u32 {
    once(number) + once(number ^ 1)
}

#[inline(always)]
fn once(number: u32) -> u32 {
    if number == 77 {
        panic!("seventy-seven");
    }
    number.wrapping_mul(3)
}

pub struct Shape<T> {
    pub sides: Vec<T>,
}

impl<T: Copy + Into<u64>> Shape<T> {
    pub fn sum(&self) -> u64 {
        self.sides.iter().map(|side| (*side).into()).sum()
    }
}

pub trait Named {
    fn name(&self) -> String;
}

impl Named for Shape<u8> {
    fn name(&self) -> String {
        format!("{} sides, {}", self.sides.len(), self.sum())
    }
}

#[unsafe(no_mangle)]
pub fn entry(number: u32, names: &mut BTreeMap<u32, Box<dyn Named>>) -> u32 {
    let add = |more: u32| twice(more) + number;
    names.insert(number, Box::new(Shape { sides: vec![1, 2, number as u8] }));
    let name = names.get(&number).map_or(0, |named| named.name().len() as u32);
    add(name) + twice(number)
}

pub fn plain(number: i64) -> i64 {
    match number {
        0 => 1,
        more => more - 1,
    }
}
"#;

struct Case {
    name: &'static str,
    flags: &'static [&'static str],
    /// At most so much of the debug information is left, in percent.
    left: u64,
}

const CASES: [Case; 4] = [
    Case {
        name: "plain",
        flags: &["-Copt-level=0", "-Cdebuginfo=2"],
        left: 40,
    },
    Case {
        name: "optimised",
        flags: &["-Copt-level=2", "-Cdebuginfo=2"],
        left: 35,
    },
    Case {
        name: "sections",
        flags: &[
            "-Copt-level=s",
            "-Cdebuginfo=2",
            "-Ccodegen-units=1",
            "-Clink-dead-code",
        ],
        left: 35,
    },
    Case {
        name: "limited",
        flags: &["-Copt-level=1", "-Cdebuginfo=1"],
        left: 90,
    },
];

#[test]
fn backtraces_stay_as_they_are() {
    for case in CASES {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR"))
            .join("thin")
            .join(case.name);
        let object = compile(&folder, case.flags);
        let original = fs::read(&object).unwrap();
        let thinned = thin(&original)
            .unwrap()
            .unwrap_or_else(|| panic!("{}", case.name));
        let left = debug_bytes(&thinned) * 100 / debug_bytes(&original);
        assert!(left <= case.left, "{}: {left} %", case.name);
        assert_eq!(
            format!("{:?}", inspect(&original).unwrap()),
            format!("{:?}", inspect(&thinned).unwrap()),
            "{}",
            case.name
        );
        let again = thin(&thinned).unwrap().expect("is in the same form");
        assert_eq!(debug_bytes(&again), debug_bytes(&thinned), "{}", case.name);
        let other = folder.join("thinned.o");
        fs::write(&other, thinned).unwrap();
        let images = [object, other].map(|object| link(&object));
        let (inlined, checked) = compare(&images, case.name);
        assert!(checked > 500, "{}: {checked} addresses", case.name);
        assert!(
            inlined > 10,
            "{}: {inlined} of {checked} in inlined calls",
            case.name
        );
    }
}

#[test]
fn what_is_not_understood_is_left_alone() {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("thin/left");
    for flags in [
        &["-Cdebuginfo=0"][..],
        &["-Cdebuginfo=2", "-Cdwarf-version=5"],
    ] {
        let object = fs::read(compile(&folder, flags)).unwrap();
        assert!(thin(&object).unwrap().is_none(), "{flags:?}");
    }
    assert!(thin(b"no object").is_err());
}

fn compile(folder: &Path, flags: &[&str]) -> PathBuf {
    fs::create_dir_all(folder).unwrap();
    let source = folder.join("program.rs");
    fs::write(&source, PROGRAM).unwrap();
    let object = folder.join("program.o");
    let mut command = Command::new("rustc");
    // As the tool compiles: else one address has the names of several functions.
    command.arg("-Cllvm-args=-opt-disable=mergefunc");
    command
        .args([
            "--edition=2024",
            "--crate-type=lib",
            "--emit=obj",
            "-Csymbol-mangling-version=v0",
        ])
        .args(flags)
        .arg("-o")
        .args([&object, &source]);
    succeed(&mut command);
    object
}

fn link(object: &Path) -> PathBuf {
    let image = object.with_extension("so");
    let mut command = Command::new("cc");
    command
        .args(["-shared", "-nostdlib", "-o"])
        .args([&image, object]);
    succeed(&mut command);
    image
}

fn succeed(command: &mut Command) {
    let output = command.output().unwrap();
    let text = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}: {text}");
}

/// Bytes in sections of debug information and of its relocations.
fn debug_bytes(object: &[u8]) -> u64 {
    let file = object::File::parse(object).unwrap();
    let sections = file.sections().filter(|section| {
        let name = section.name().unwrap();
        name.starts_with(".debug_") || name.starts_with(".rela.debug_")
    });
    sections.map(|section| section.size()).sum()
}

/// Compares what backtraces would say of every address of the code; the result is how many have
/// inlined calls, and how many there are.
fn compare(images: &[PathBuf; 2], case: &str) -> (usize, usize) {
    let bytes = fs::read(&images[0]).unwrap();
    let file = object::File::parse(&*bytes).unwrap();
    let text = file.section_by_name(".text").unwrap();
    let loaders = images.each_ref().map(|image| Loader::new(image).unwrap());
    let (mut inlined, mut checked) = (0, 0);
    for address in text.address()..text.address() + text.size() {
        let [one, other] = loaders.each_ref().map(|loader| frames(loader, address));
        assert_eq!(one, other, "{case}: {address:#x}");
        checked += usize::from(!one.is_empty());
        inlined += usize::from(one.len() > 1);
    }
    (inlined, checked)
}

/// What the standard library's backtrace says of an address: the function's name from the symbol
/// table where debug information has none.
fn frames(loader: &Loader, address: u64) -> Vec<String> {
    let mut frames = Vec::new();
    let mut found = loader.find_frames(address).unwrap();
    while let Some(frame) = found.next().unwrap() {
        let name = frame
            .function
            .map(|function| function.raw_name().unwrap().into_owned());
        let name = name.or_else(|| loader.find_symbol(address).map(str::to_owned));
        let place = frame
            .location
            .map(|place| format!("{:?}:{:?}:{:?}", place.file, place.line, place.column));
        frames.push(format!("{name:?} {place:?}"));
    }
    frames
}
