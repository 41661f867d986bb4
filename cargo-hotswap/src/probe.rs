//! Asks the compiler whether it leaves statics as they are written, by compiling some.
//!
//! Optimised crates are compiled without the passes that would change them. The passes are named to LLVM, which
//! passes over a name that it does not know, so what comes out is looked at.

use std::collections::BTreeSet;
use std::process::Command;

use anyhow::{Context, Result, bail};
use hotswap_object::ObjectFacts;

use crate::children;
use crate::plugin::rustc_args::RustcArgs;
use crate::unit::Unit;

/// What is compiled.
const SOURCE: &str = include_str!("probe/statics.rs");

/// The statics in it, with their sizes in bytes.
const STATICS: [(&str, u64); 5] = [
    ("NARROWED", 4),
    ("WRITTEN", 4),
    ("READ", 4),
    ("SPLIT", 16),
    ("CALLED", 8),
];

/// Functions in it that do the same.
const EQUAL: [&str; 2] = ["probe_one", "probe_other"];

/// Options that decide what becomes of code, and not of files.
const OPTIONS: [&str; 8] = [
    "link-dead-code",
    "llvm-args",
    "lto",
    "no-prepopulate-passes",
    "opt-level",
    "passes",
    "target-cpu",
    "target-feature",
];

/// What the compiler of these units changes, although they are compiled so that it does not: names of what was
/// compiled. Nothing where they are not optimised.
///
/// # Errors
///
/// The compiler can't be asked.
pub fn changed(units: &[Unit]) -> Result<BTreeSet<String>> {
    let optimised = units.iter().map(|unit| &unit.capture);
    let optimised = optimised.filter(|capture| capture.rustc_args().is_optimised());
    let asked: BTreeSet<_> = optimised
        .clone()
        .map(|it| options(&it.rustc_args()))
        .collect();
    let mut changed = BTreeSet::new();
    for options in asked {
        let alike = |args: &RustcArgs| self::options(args) == options;
        let capture = optimised.clone().find(|it| alike(&it.rustc_args()));
        let capture = capture.context("the options are those of a crate")?;
        changed.extend(changed_by(capture.compiler()?, &options)?);
    }
    Ok(changed)
}

/// The arguments of a compilation that decide what becomes of statics.
fn options(line: &RustcArgs) -> Vec<String> {
    let codegen = line.codegen_options();
    let codegen = codegen.filter(|(key, _)| OPTIONS.contains(key));
    let codegen = codegen.map(|(key, value)| match value {
        "" => format!("-C{key}"),
        value => format!("-C{key}={value}"),
    });
    let target = line.option("--target");
    let mut options: Vec<String> = target
        .map(|it| format!("--target={it}"))
        .into_iter()
        .collect();
    // `-O`, which is not among them.
    options.extend(line.codegen("opt-level").is_none().then(|| "-O".to_owned()));
    options.extend(codegen);
    options
}

fn changed_by(mut compiler: Command, options: &[String]) -> Result<BTreeSet<String>> {
    let folder = tempfile::tempdir().context("could not make a folder for temporary files")?;
    let (source, object) = (
        folder.path().join("statics.rs"),
        folder.path().join("statics.o"),
    );
    std::fs::write(&source, SOURCE)
        .with_context(|| format!("could not write {}", source.display()))?;
    // One unit, so that all uses are known.
    compiler.args([
        "--edition=2024",
        "--crate-type=lib",
        "--emit=obj",
        "-Ccodegen-units=1",
    ]);
    compiler
        .args(["--cap-lints=allow", "-Csymbol-mangling-version=v0"])
        .args(options);
    compiler.arg("-o").arg(&object).arg(&source);
    let output = children::output(&mut compiler).context("could not run the compiler")?;
    if !output.status.success() {
        bail!(
            "the compiler can't be asked what it does to statics: {}",
            String::from_utf8_lossy(&output.stderr).trim()
        );
    }
    let bytes =
        std::fs::read(&object).with_context(|| format!("could not read {}", object.display()))?;
    Ok(missed(&hotswap_object::inspect(&bytes)?))
}

/// What is not in the object as it is in the source.
fn missed(facts: &ObjectFacts) -> BTreeSet<String> {
    let is_whole = |(name, size): &(&str, u64)| {
        let path = format!("statics::{name}");
        facts
            .statics
            .iter()
            .any(|it| it.path == path && it.size == *size)
    };
    let statics = STATICS.iter().filter(|it| !is_whole(it));
    let mut missed: BTreeSet<String> = statics.map(|(name, _)| (*name).to_owned()).collect();
    let [one, other] = EQUAL.map(|name| facts.symbols.iter().find(|symbol| symbol.name == name));
    let apart = one.zip(other).is_some_and(|(one, other)| {
        // A function that only leads to the other is shorter, a second name of it stands where it stands.
        one.size == other.size && one.section != other.section
    });
    missed.extend((!apart).then(|| EQUAL[1].to_owned()));
    missed
}

#[cfg(test)]
mod tests;
