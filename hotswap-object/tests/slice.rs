//! Parts of an object are together what it was, and digests tell which of them changed.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use hotswap_object::{Binding, Bindings, Pieces, inspect, pieces, rewrite, slice, thin};
use object::read::elf::ElfFile64;
use object::{Object as _, ObjectSection as _, ObjectSymbol as _, RelocationTarget, SymbolKind};

/// Functions that call one another, constants, a vtable, a static, a thread-local, and values that
/// unwinding has to drop.
const LIBRARY: &str = r#"
use std::cell::Cell;
use std::sync::atomic::{AtomicU32, Ordering};

static CALLS: AtomicU32 = AtomicU32::new(0);

thread_local! {
    static DROPPED: Cell<u32> = const { Cell::new(0) };
}

pub struct Counted(u32);

impl Drop for Counted {
    fn drop(&mut self) {
        DROPPED.with(|dropped| dropped.set(dropped.get() + self.0));
    }
}

pub trait Named {
    fn name(&self) -> String;
}

impl Named for Counted {
    fn name(&self) -> String {
        format!("counted {}", self.0)
    }
}

#[inline(never)]
fn checked(number: u32) -> u32 {
    let _counted = Counted(number);
    if number == 77 {
        panic!("seventy-seven");
    }
    number + 1
}

#[inline(never)]
fn named(number: u32) -> Box<dyn Named> {
    Box::new(Counted(number))
}

#[unsafe(no_mangle)]
pub fn entry(number: u32) -> String {
    CALLS.fetch_add(1, Ordering::Relaxed);
    let name = named(number).name();
    format!("{name} {}", checked(number))
}

#[unsafe(no_mangle)]
pub fn told() -> (u32, u32) {
    (CALLS.load(Ordering::Relaxed), DROPPED.with(Cell::get))
}
"#;

const MAIN: &str = r#"
unsafe extern "Rust" {
    fn entry(number: u32) -> String;
    fn told() -> (u32, u32);
}

fn main() {
    std::panic::set_hook(Box::new(|_| {}));
    let call = |number| std::panic::catch_unwind(|| unsafe { entry(number) });
    println!("{:?} {} {:?}", call(5), call(77).is_err(), unsafe { told() });
}
"#;

const CASES: [(&str, &[&str]); 3] = [
    ("plain", &["-Copt-level=0", "-Cdebuginfo=2"]),
    ("optimised", &["-Copt-level=2", "-Cdebuginfo=2"]),
    ("bare", &["-Copt-level=1", "-Cdebuginfo=0"]),
];

#[test]
fn parts_are_together_what_the_object_was() {
    for (name, flags) in CASES {
        let folder = folder(name);
        let object = compile(&folder, "whole", LIBRARY, flags);
        let bytes = fs::read(&object).unwrap();
        let expected = run(&folder, std::slice::from_ref(&object));
        assert_eq!(expected, "Ok(\"counted 5 6\") true (2, 164)\n", "{name}");
        let groups = groups(&bytes);
        assert!(groups.len() > 1, "{name}: {} groups", groups.len());
        let parts = (0..3).map(|part| {
            let kept = groups.iter().skip(part).step_by(3).flatten().copied();
            let path = folder.join(format!("{part}.o"));
            let sliced = slice(&bytes, &kept.collect(), &BTreeSet::new()).unwrap();
            let sliced = sliced.expect("it can be sliced");
            // What comes next reads it as any other object.
            inspect(&sliced).unwrap();
            let thinned = thin(&sliced).unwrap();
            fs::write(&path, thinned.unwrap_or(sliced)).unwrap();
            path
        });
        let parts: Vec<PathBuf> = parts.collect();
        assert_eq!(run(&folder, &parts), expected, "{name}");
    }
}

#[test]
fn what_refers_to_a_private_thing_does_not_stay_without_it() {
    let object = compile(&folder("private"), "whole", LIBRARY, CASES[0].1);
    let bytes = fs::read(object).unwrap();
    let functions = functions(&bytes);
    let (_, checked) = functions
        .iter()
        .find(|(name, _)| name.contains("7checked"))
        .unwrap();
    let kept = BTreeSet::from([*checked]);
    let error = slice(&bytes, &kept, &BTreeSet::new());
    let error = error.unwrap_err().to_string();
    assert!(
        error.contains("refers to") && error.contains("which goes"),
        "{error}"
    );
}

#[test]
fn what_is_the_hosts_needs_nothing() {
    let text = "static TABLE: [fn() -> u8; 2] = [one, two]; fn one() -> u8 { 1 } fn two() -> u8 { 2 }\n\
                #[unsafe(no_mangle)] pub fn call(at: usize) -> u8 { TABLE[at]() }";
    let object = compile(&folder("hollow"), "whole", text, CASES[0].1);
    let bytes = fs::read(object).unwrap();
    let pieces = pieces(&bytes).unwrap();
    let [(table, name)] = pieces.constants.as_slice() else {
        panic!("{:?}", pieces.constants)
    };
    assert!(name.contains("5TABLE"), "{name}");
    let functions = functions(&bytes);
    let (_, call) = functions.iter().find(|(name, _)| name == "call").unwrap();
    // The compiler's own constants are needed where the place of a failed check is told.
    let nameless = pieces.nameless.iter().copied();
    let kept = nameless.chain([*call, *table]).collect();
    let error = slice(&bytes, &kept, &BTreeSet::new());
    assert!(error.unwrap_err().to_string().contains("which goes"));
    let sliced = slice(&bytes, &kept, &BTreeSet::from([*table]));
    let sliced = sliced.unwrap().expect("it can be sliced");
    let host = Binding::Host {
        symbol: name.clone(),
    };
    let bindings = Bindings {
        symbols: [(name.clone(), host)].into(),
        ..Bindings::default()
    };
    let rewritten = rewrite(&sliced, &bindings).unwrap();
    let facts = inspect(&rewritten.bytes.expect("it is changed")).unwrap();
    assert!(facts.undefined.contains(name), "{:?}", facts.undefined);
}

#[test]
fn digests_tell_what_changed() {
    let folder = folder("digests");
    let changes = [
        ("nothing", "seventy-seven", "seventy-seven", &[][..]),
        ("text", "seventy-seven", "seventy-eight", &["checked"]),
        ("number", "number + 1", "number + 2", &["checked"]),
        ("format", "counted {}", "numbers {}", &["name"]),
    ];
    let object = compile(&folder, "before", LIBRARY, CASES[0].1);
    let before = named(&fs::read(object).unwrap());
    for (name, from, to, expected) in changes {
        let object = compile(&folder, name, &LIBRARY.replace(from, to), CASES[0].1);
        let after = named(&fs::read(object).unwrap());
        assert_eq!(before.len(), after.len(), "{name}");
        let changed = after
            .iter()
            .filter(|(name, digest)| before.get(*name) != Some(*digest));
        let changed: Vec<&String> = changed.map(|(name, _)| name).collect();
        assert_eq!(changed.len(), expected.len(), "{name}: {changed:?}");
        let all = changed.iter().zip(expected);
        assert!(
            all.clone().all(|(name, part)| name.contains(part)),
            "{name}: {changed:?}"
        );
    }
}

/// The digests of the sections of functions and statics, by name.
fn named(bytes: &[u8]) -> BTreeMap<String, u64> {
    let Pieces { named, .. } = pieces(bytes).unwrap();
    let symbols = functions(bytes).into_iter();
    symbols
        .filter_map(|(name, section)| Some((name, *named.get(&section)?)))
        .collect()
}

/// The functions and statics of an object, with their sections.
fn functions(bytes: &[u8]) -> Vec<(String, usize)> {
    let elf = ElfFile64::<object::Endianness>::parse(bytes).unwrap();
    let kinds = [SymbolKind::Text, SymbolKind::Data, SymbolKind::Tls];
    let symbols = elf
        .symbols()
        .filter(|symbol| kinds.contains(&symbol.kind()));
    symbols
        .filter_map(|symbol| Some((symbol.name().ok()?.to_owned(), symbol.section_index()?.0)))
        .collect()
}

/// The loaded sections, put together where one refers to something private in another.
fn groups(bytes: &[u8]) -> Vec<Vec<usize>> {
    let elf = ElfFile64::<object::Endianness>::parse(bytes).unwrap();
    let pieces = pieces(bytes).unwrap();
    let count = elf
        .sections()
        .map(|section| section.index().0)
        .max()
        .unwrap()
        + 1;
    let mut group: Vec<usize> = (0..count).collect();
    let mut join = |one: usize, other: usize| {
        let (from, to) = (group[one], group[other]);
        group
            .iter_mut()
            .filter(|it| **it == from)
            .for_each(|it| *it = to);
    };
    let loaded: Vec<usize> = pieces
        .named
        .keys()
        .chain(&pieces.nameless)
        .copied()
        .collect();
    for section in elf.sections().filter(|one| loaded.contains(&one.index().0)) {
        for (_, relocation) in section.relocations() {
            let RelocationTarget::Symbol(symbol) = relocation.target() else {
                continue;
            };
            let symbol = elf.symbol_by_index(symbol).unwrap();
            if let (true, Some(target)) = (symbol.is_local(), symbol.section_index()) {
                join(section.index().0, target.0);
            }
        }
    }
    for (function, table) in &pieces.unwound_by {
        join(*function, *table);
    }
    let mut groups: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
    for index in loaded
        .iter()
        .filter(|index| !pieces.for_unwinding.contains(index))
    {
        let members = groups.entry(group[*index]).or_default();
        members.push(*index);
    }
    let mut groups: Vec<_> = groups.into_values().collect();
    groups
        .iter_mut()
        .for_each(|group| group.extend(&pieces.for_unwinding));
    groups
}

fn folder(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR"))
        .join("slice")
        .join(name);
    fs::create_dir_all(&folder).unwrap();
    folder
}

fn rustc(arguments: &[&str], source: &Path, output: &Path) {
    let done = Command::new(std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into()))
        .args([
            "--edition=2024",
            "-Csymbol-mangling-version=v0",
            "-Awarnings",
        ])
        .args(arguments)
        .arg(source)
        .arg("-o")
        .arg(output)
        .output()
        .unwrap();
    let messages = String::from_utf8_lossy(&done.stderr);
    assert!(done.status.success(), "{messages}");
}

fn compile(folder: &Path, name: &str, text: &str, flags: &[&str]) -> PathBuf {
    // The same name for all, since it is in the debug information.
    let source = folder.join("library.rs");
    fs::write(&source, text).unwrap();
    let output = folder.join(format!("{name}.o"));
    let mut arguments = vec!["--crate-type=lib", "--emit=obj", "-Ccodegen-units=1"];
    arguments.extend(flags);
    rustc(&arguments, &source, &output);
    output
}

/// What a program says that these objects are linked into.
fn run(folder: &Path, objects: &[PathBuf]) -> String {
    let source = folder.join("main.rs");
    fs::write(&source, MAIN).unwrap();
    let arguments = objects
        .iter()
        .map(|object| format!("-Clink-arg={}", object.display()));
    let arguments: Vec<String> = arguments.collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let program = folder.join("main");
    rustc(&arguments, &source, &program);
    let output = Command::new(program).output().unwrap();
    String::from_utf8_lossy(&output.stdout).into_owned()
}
