//! Compiles each case of the catalogue in both versions and checks the verdicts.
//!
//! A case is one source in which `«old¦new»` stands for what was edited. `entry! { fn f(…) -> T { … } }` makes a function
//! shaped like an entry; every writable static and thread-local is a root. Lines after `expect:` are the refusals and kept
//! entries, all of them; none means the edit is safe. In one with the tag `migrated=T`, cells hold values of `T`. A case with the tag `repr=T` is told that the `repr` of `T` was edited,
//! one with `repr=!T` that that of any other type may have been.

#[path = "catalogue/migrations.rs"]
mod migrations;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use hotswap_layout::{
    EntryBody, Finding, Passed, Program, ReprChange, Root, Subject, Verdict, compare,
    compare_beside, read_object, report,
};
use object::read::archive::ArchiveFile;
use object::{Object as _, ObjectSection as _, ObjectSymbol as _, SectionKind};

const PRELUDE: &str = r"
#[repr(C)] pub struct Arg<T>(pub T);
macro_rules! entry {
    (fn $name:ident($($arg:ident: $ty:ty),*) $body:block) => { entry! { fn $name($($arg: $ty),*) -> () $body } };
    (fn $name:ident($($arg:ident: $ty:ty),*) -> $out:ty $body:block) => {
        pub fn $name($($arg: $ty),*) -> $out {
            let body: fn($(Arg<$ty>),*) -> Arg<$out> = |$(Arg($arg)),*| Arg($body);
            body($(Arg($arg)),*).0
        }
    };
}
";

struct Case {
    name: String,
    /// Goes from the new version to the old one, where that makes a difference.
    back: bool,
    /// `c`, or `hotswap` for what the runtime's own types are exempt from.
    crate_name: String,
    source: String,
    expected: Vec<String>,
    /// Types that are migrated where cells hold them.
    migrated: BTreeSet<String>,
    /// Compiled with optimisation too.
    optimised: bool,
    /// The type whose `repr` was edited.
    repr: Option<String>,
}

fn cases(text: &str) -> Vec<Case> {
    text.split("\n== ")
        .skip(1)
        .map(|case| {
            let (name, rest) = case.split_once('\n').expect("a case has a source");
            let (source, expected) = rest
                .split_once("\nexpect:")
                .expect("a case has expectations");
            let (name, tags) = name.split_once(" [").unwrap_or((name, ""));
            let repr = tags
                .split([' ', ']'])
                .find_map(|tag| tag.strip_prefix("repr="));
            let crate_name = if tags.contains("hotswap") {
                "hotswap"
            } else {
                "c"
            };
            Case {
                name: name.to_owned(),
                back: tags.contains("back"),
                migrated: tags
                    .split([' ', ']'])
                    .filter_map(|tag| tag.strip_prefix("migrated="))
                    .map(str::to_owned)
                    .collect(),
                crate_name: crate_name.to_owned(),
                source: source.to_owned(),
                expected: expected
                    .lines()
                    .map(str::trim)
                    .filter(|line| !line.is_empty() && !line.starts_with("//"))
                    .map(str::to_owned)
                    .collect(),
                optimised: tags.contains("optimised"),
                repr: repr.map(str::to_owned),
            }
        })
        .collect()
}

/// The source with each `«old¦new»` replaced by one side.
fn version(source: &str, new: bool) -> String {
    let mut text = String::new();
    let mut rest = source;
    while let Some((before, after)) = rest.split_once('«') {
        let (edit, tail) = after.split_once('»').expect("an edit is closed");
        let (left, right) = edit.split_once('¦').expect("an edit has two sides");
        text.push_str(before);
        text.push_str(if new { right } else { left });
        rest = tail;
    }
    text.push_str(rest);
    text
}

/// The objects of one version: several in a debug build, one in an optimised one.
fn compile(
    folder: &Path,
    name: &str,
    crate_name: &str,
    source: &str,
    optimised: bool,
) -> Vec<Vec<u8>> {
    let input = folder.join(format!("{name}.rs"));
    let output = folder.join(format!("lib{name}.rlib"));
    std::fs::write(&input, source).expect("the folder is writable");
    let mut rustc = Command::new(std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into()));
    rustc
        .args([
            "--edition=2024",
            "--crate-type=rlib",
            "--cap-lints=allow",
            "-Crelocation-model=pic",
        ])
        .args(["-Cdebuginfo=2", "-Csymbol-mangling-version=v0"])
        .args(["--crate-name", crate_name, "-o"])
        .arg(&output)
        .arg(&input);
    if optimised {
        rustc.args([
            "-Copt-level=3",
            "-Clink-dead-code",
            "-Clto=off",
            "-Ccodegen-units=1",
            "-Cllvm-args=-opt-disable=mergefunc",
        ]);
    } else {
        // As cargo builds it: codegen units are then named by hashes, without the crate's name.
        let incremental = folder.join(format!("{name}.incremental"));
        rustc.arg(format!("-Cincremental={}", incremental.display()));
    }
    let result = rustc.output().expect("rustc runs");
    assert!(
        result.status.success(),
        "{name}: {}",
        String::from_utf8_lossy(&result.stderr)
    );
    let bytes = std::fs::read(output).expect("rustc wrote a library");
    let archive = ArchiveFile::parse(&*bytes).expect("an archive");
    archive
        .members()
        .map(|member| member.expect("a member"))
        .filter(|member| member.name().ends_with(b".o"))
        .map(|member| member.data(&*bytes).expect("the member's bytes").to_vec())
        .collect()
}

/// The signatures of all entries, as the macro would give them.
fn signatures(source: &str) -> BTreeMap<String, String> {
    source
        .split("entry! {")
        .skip(1)
        .map(|entry| {
            let text = entry.split('{').next().unwrap_or("").trim();
            let name = text
                .trim_start_matches("fn ")
                .split('(')
                .next()
                .unwrap_or("");
            (name.to_owned(), text.to_owned())
        })
        .collect()
}

/// Symbols by canonical path: entries' bodies, statics, thread-locals.
fn symbols(objects: &[Vec<u8>]) -> BTreeMap<String, (String, SectionKind)> {
    let mut found = BTreeMap::new();
    for object in objects {
        let file = object::File::parse(&**object).expect("an object");
        found.extend(file.symbols().filter_map(|symbol| {
            let section = file.section_by_index(symbol.section_index()?).ok()?;
            let name = symbol.name().ok()?;
            let path = format!("{:#}", rustc_demangle::demangle(name));
            let is_unmangled = || {
                let made_up = ["anon.", "alloc_", "DW.ref.", "."];
                matches!(
                    section.kind(),
                    SectionKind::Data | SectionKind::UninitializedData
                ) && !made_up.iter().any(|start| name.starts_with(start))
            };
            let is_item = name.starts_with("_R") || (!name.is_empty() && is_unmangled());
            is_item.then(|| (path, (name.to_owned(), section.kind())))
        }));
    }
    found
}

fn roots(sources: [&str; 2], objects: [&[Vec<u8>]; 2]) -> Vec<Root> {
    let [old_signatures, new_signatures] = sources.map(signatures);
    let [old_symbols, new_symbols] = objects.map(symbols);
    let mut roots = Vec::new();
    for (path, (old, kind)) in &old_symbols {
        let Some((new, new_kind)) = new_symbols.get(path) else {
            continue;
        };
        let (path, old, new) = (path.clone(), old.clone(), new.clone());
        match kind {
            _ if kind != new_kind => {}
            SectionKind::Tls | SectionKind::UninitializedTls => {
                roots.push(Root::ThreadLocal { path, old, new })
            }
            SectionKind::Data | SectionKind::UninitializedData => {
                roots.push(Root::Static { path, old, new })
            }
            SectionKind::Text => {
                let entry = path.strip_suffix("::{closure#0}").unwrap_or("");
                let name = entry.split_once("::").map_or("", |(_, name)| name);
                if let (Some(old_text), Some(new_text)) =
                    (old_signatures.get(name), new_signatures.get(name))
                {
                    let body = |symbol: String, signature: &String| EntryBody {
                        symbol,
                        signature: signature.clone(),
                    };
                    roots.push(Root::Entry {
                        path: entry.to_owned(),
                        old: body(old, old_text),
                        new: body(new, new_text),
                    });
                }
            }
            _ => {}
        }
    }
    roots
}

/// Findings in the catalogue's words: refusals and kept entries, `refused c::T` or `kept c::f`.
fn words(findings: &[Finding]) -> Vec<String> {
    let mut words: Vec<String> = findings
        .iter()
        .filter_map(|finding| match finding.verdict {
            Verdict::Refused => Some(format!("refused {}", finding.subject)),
            Verdict::Kept => Some(format!("kept {}", finding.subject)),
            _ => None,
        })
        .collect();
    words.sort();
    words
}

fn repr_refusals(name: &str, before: &Program, after: &Program) -> Vec<Finding> {
    let mut passed = Passed::of(before);
    passed.add(Passed::beyond(before, after));
    passed.refusals(&[ReprChange {
        of: match name.split_once('!') {
            None => Subject::Named(name.to_owned()),
            Some((_, named)) => Subject::Unnamed {
                named: [named.to_owned()].into(),
            },
        },
        old: "none".to_owned(),
        new: "`repr(C)`".to_owned(),
    }])
}

/// What is wrong with a case, or nothing.
fn check(folder: &Path, case: &Case, optimised: bool) -> Option<String> {
    let sources = [version(&case.source, false), version(&case.source, true)];
    let name: String = case
        .name
        .chars()
        .map(|c| if c.is_ascii_alphanumeric() { c } else { '_' })
        .collect();
    let name = format!("{name}_{optimised}");
    let old = compile(
        folder,
        &format!("{name}_1"),
        &case.crate_name,
        &format!("{PRELUDE}{}", sources[0]),
        optimised,
    );
    let new = compile(
        folder,
        &format!("{name}_2"),
        &case.crate_name,
        &format!("{PRELUDE}{}", sources[1]),
        optimised,
    );
    let facts = |object: &Vec<u8>| Arc::new(read_object(object).expect("facts"));
    let program =
        |objects: &[Vec<u8>]| Program::new(objects.iter().map(facts), [case.crate_name.clone()]);
    let roots = roots([&sources[0], &sources[1]], [&old, &new]);
    let (before, after) = (program(&old), program(&new));
    let mut findings = compare_beside(&before, &after, &roots, &case.migrated);
    if let Some(name) = &case.repr {
        findings.extend(repr_refusals(name, &before, &after));
    }
    let mut expected = case.expected.clone();
    expected.sort();
    let found = words(&findings);
    if found != expected {
        let texts: Vec<String> = findings
            .iter()
            .map(|finding| report::finding(finding, None))
            .collect();
        return Some(format!(
            "{} (optimised: {optimised})\n  expected {expected:?}\n  found    {found:?}\n{}",
            case.name,
            texts.concat()
        ));
    }
    let unchanged = words(&compare(&before, &before, &same(&roots)));
    (!unchanged.is_empty()).then(|| {
        format!(
            "{}: a version differs from itself: {unchanged:?}",
            case.name
        )
    })
}

/// The roots of the old version, compared with themselves.
fn same(roots: &[Root]) -> Vec<Root> {
    roots
        .iter()
        .map(|root| match root.clone() {
            Root::Entry { path, old, .. } => Root::Entry {
                path,
                new: old.clone(),
                old,
            },
            Root::Static { path, old, .. } => Root::Static {
                path,
                new: old.clone(),
                old,
            },
            Root::ThreadLocal { path, old, .. } => Root::ThreadLocal {
                path,
                new: old.clone(),
                old,
            },
            other => other,
        })
        .collect()
}

fn run(text: &str, check: impl Fn(&Path, &Case, bool) -> Option<String> + Sync) {
    let cases = cases(text);
    assert!(!cases.is_empty());
    let folder = tempfile::tempdir().expect("a temporary folder");
    let work: Vec<(&Case, bool)> = cases
        .iter()
        .flat_map(|case| [Some((case, false)), case.optimised.then_some((case, true))])
        .flatten()
        .collect();
    let next = AtomicUsize::new(0);
    let failures = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                while let Some((case, optimised)) = work.get(next.fetch_add(1, Ordering::Relaxed)) {
                    if let Some(failure) = check(folder.path(), case, *optimised) {
                        failures.lock().expect("no poison").push(failure);
                    }
                }
            });
        }
    });
    let failures = failures.into_inner().expect("no poison");
    assert!(
        failures.is_empty(),
        "{} of {} failed\n{}",
        failures.len(),
        work.len(),
        failures.join("\n\n")
    );
}

#[test]
fn data() {
    run(include_str!("catalogue/data.txt"), check);
}

#[test]
fn code() {
    run(include_str!("catalogue/code.txt"), check);
}

#[test]
fn convention() {
    run(include_str!("catalogue/convention.txt"), check);
}

#[test]
fn inlined_functions_are_told_with_their_callers() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let source = "
        #[inline(always)] fn deep(n: u32) -> u32 { std::hint::black_box(n) }
        fn one(n: u32) -> u32 { deep(n) + 1 }
        #[inline(never)] fn two(n: u32) -> u32 { deep(n) + 2 }
        pub struct T(u32);
        impl T { #[inline(never)] pub fn all(&self) -> u32 { one(self.0) + two(self.0) } }
    ";
    let objects = compile(folder.path(), "inlined", "c", source, true);
    let pairs = objects
        .iter()
        .flat_map(|object| hotswap_layout::inlined(object).expect("readable"));
    let path = |name: String| format!("{:#}", rustc_demangle::demangle(&name));
    let pairs = pairs.map(|(caller, callee)| format!("{} {}", path(caller), path(callee)));
    let pairs: Vec<String> = pairs.filter(|pair| !pair.contains("core::")).collect();
    for expected in [
        "<c::T>::all c::deep",
        "<c::T>::all c::one",
        "c::two c::deep",
    ] {
        assert!(pairs.iter().any(|pair| pair == expected), "{pairs:?}");
    }
    assert!(!pairs.iter().any(|pair| pair == "<c::T>::all c::two"));
}
