//! Compiles each case of the catalogue in both versions and checks the verdicts.
//!
//! A case is one source in which `«old¦new»` stands for what was edited. `entry! { fn f(…) -> T { … } }` makes a function
//! shaped like an entry; every writable static and thread-local is a root. Lines after `expect:` are the refusals and kept
//! entries, all of them; none means the edit is safe. In one with the tag `migrated=T`, cells hold values of `T`. A case with
//! the tag `repr=T` is told that the `repr` of `T` was edited, one with `repr=!T` that that of any other type may have been;
//! no other case has a type of this name. What the tag `alone` is for stands in `batches.rs`.

#[path = "catalogue/batches.rs"]
mod batches;
#[expect(dead_code, reason = "what a case needs to be run is for who runs it")]
#[path = "catalogue/cases.rs"]
mod cases;
#[path = "catalogue/migrations.rs"]
mod migrations;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;

use batches::{Batch, Form, compile, run};
use cases::Case;
use hotswap_layout::{
    EntryBody, Finding, Passed, Program, ReprChange, Root, Subject, Verdict, compare,
    compare_beside, read_object, report,
};
use object::{Object as _, ObjectSection as _, ObjectSymbol as _, SectionKind};

const PRELUDE: &str = r"
#[repr(C)] pub struct Arg<T>(pub T);
macro_rules! entry {
    (fn $name:ident($($arg:ident: $ty:ty),*) $body:block) => { entry! { fn $name($($arg: $ty),*) -> () $body } };
    (fn $name:ident($($arg:ident: $ty:ty),*) -> $out:ty $body:block) => {
        #[inline(never)] pub fn $name($($arg: $ty),*) -> $out {
            let body: fn($(Arg<$ty>),*) -> Arg<$out> = |$(Arg($arg)),*| Arg($body);
            std::hint::black_box(body)($(Arg($arg)),*).0
        }
    };
}
";

/// The signatures of all entries by path, as the macro would give them.
fn signatures(batch: &Batch, new: bool) -> BTreeMap<String, String> {
    let mut signatures = BTreeMap::new();
    for case in &batch.cases {
        for entry in case.version(new).split("entry! {").skip(1) {
            let text = entry.split('{').next().unwrap_or("").trim();
            let name = text.trim_start_matches("fn ").split('(').next();
            let path = format!("{}::{}", case.path(), name.unwrap_or(""));
            signatures.insert(path, text.to_owned());
        }
    }
    signatures
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
            let path = body(&path).unwrap_or(path);
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

fn roots(batch: &Batch, objects: [&[Vec<u8>]; 2]) -> Vec<Root> {
    let [old_signatures, new_signatures] = [false, true].map(|new| signatures(batch, new));
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
                if let (Some(old_text), Some(new_text)) =
                    (old_signatures.get(entry), new_signatures.get(entry))
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

/// The path of an entry's body, if this is the body as a plain function, the only form of it in every build.
fn body(path: &str) -> Option<String> {
    let inner = path.strip_prefix('<')?.strip_suffix(">::call_once")?;
    let (body, _) = inner.split_once(" as core::ops::function::FnOnce<")?;
    Some(body.to_owned())
}

/// A finding in the catalogue's words, if it is a refusal or a kept entry: `refused c::T` or `kept c::f`.
fn word(finding: &Finding) -> Option<String> {
    match finding.verdict {
        Verdict::Refused => Some(format!("refused {}", finding.subject)),
        Verdict::Kept => Some(format!("kept {}", finding.subject)),
        _ => None,
    }
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

/// What is wrong with the cases of a batch.
fn check(folder: &Path, batch: &Batch) -> Vec<String> {
    let compile = |new| {
        batch.compile(folder, new, |case| {
            format!("{PRELUDE}{}", case.version(new))
        })
    };
    let (old, new) = (compile(false), compile(true));
    let facts = |object: &Vec<u8>| Arc::new(read_object(object).expect("facts"));
    let program = |objects: &[Vec<u8>]| {
        Program::new(objects.iter().map(facts), [batch.crate_name().to_owned()])
    };
    let roots = roots(batch, [&old, &new]);
    let (before, after) = (program(&old), program(&new));
    let migrated: BTreeSet<String> = batch
        .cases
        .iter()
        .flat_map(|case| case.migrated.iter().map(|name| case.within(name)))
        .collect();
    let mut findings = compare_beside(&before, &after, &roots, &migrated);
    for case in &batch.cases {
        if let Some(name) = &case.repr {
            findings.extend(repr_refusals(name, &before, &after));
        }
    }
    let unchanged = compare(&before, &before, &same(&roots));
    let cases = batch.cases.iter();
    cases
        .filter_map(|case| verdict(case, batch, &findings, &unchanged))
        .chain(
            stray(batch, &findings)
                .chain(stray(batch, &unchanged))
                .map(|word| format!("what no case, or more than one, is told of: {word}")),
        )
        .collect()
}

/// Words about what is not in exactly one of the cases.
fn stray(batch: &Batch, findings: &[Finding]) -> impl Iterator<Item = String> {
    findings.iter().filter_map(word).filter(|word| {
        let named = batch.cases.iter().filter(|case| case.is_named_in(word));
        named.count() != 1
    })
}

/// What is wrong with a case, or nothing.
fn verdict(
    case: &Case,
    batch: &Batch,
    findings: &[Finding],
    unchanged: &[Finding],
) -> Option<String> {
    let words = |findings: &[Finding]| {
        let words = findings.iter().filter_map(word);
        let own = words.filter(|word| case.is_named_in(word));
        let mut own: Vec<String> = own.map(|word| case.alone(&word)).collect();
        own.sort();
        own
    };
    let found = words(findings);
    if found != case.expected {
        let texts = findings.iter().map(|it| report::finding(it, None));
        let texts: String = texts.filter(|text| case.is_named_in(text)).collect();
        return Some(format!(
            "{} ({:?})\n  expected {:?}\n  found    {found:?}\n{}",
            case.name,
            batch.form,
            case.expected,
            case.alone(&texts)
        ));
    }
    let unchanged = words(unchanged);
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
    let objects = compile(folder.path(), "inlined", "c", source, Form::ForRun);
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
