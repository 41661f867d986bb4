//! Cases of the catalogue, compiled many at a time.
//!
//! A run of rustc costs more than all that a case has. So cases share a crate, each in a module of its own, and what is found
//! is told by the module. A case with the tag `alone` has the crate for itself: one that needs its items at the root, and one
//! in which no type changes its layout, since the comparison looks less closely at versions where none does.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use object::read::archive::ArchiveFile;

use super::cases::{Case, cases};

/// How the tool has crates compiled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// Not optimised.
    Plain,
    /// Optimised, for a run.
    ForRun,
    /// Optimised, for a base.
    ForBase,
}

/// Cases that are compiled together.
pub struct Batch<'a> {
    pub cases: Vec<&'a Case>,
    pub form: Form,
    name: String,
}

impl Batch<'_> {
    pub fn crate_name(&self) -> &str {
        self.cases[0].crate_name
    }

    /// The objects of one version. `text` gives a case's source.
    pub fn compile(
        &self,
        folder: &Path,
        new: bool,
        text: impl Fn(&Case) -> String,
    ) -> Vec<Vec<u8>> {
        let name = format!("{}_{}", self.name, if new { "new" } else { "old" });
        let folder = folder.join(&name);
        fs::create_dir_all(&folder).expect("the folder is writable");
        let mut root = String::new();
        for case in &self.cases {
            let Some(module) = &case.module else {
                root += &text(case);
                continue;
            };
            // Files of their own, so that what rustc has to say names the case.
            root += &format!("#[path = \"{module}.rs\"] pub mod {module};\n");
            let file = folder.join(format!("{module}.rs"));
            fs::write(file, text(case)).expect("the folder is writable");
        }
        compile(&folder, &name, self.crate_name(), &root, self.form)
    }
}

/// All batches of the cases.
fn batches(cases: &[Case]) -> Vec<Batch<'_>> {
    let mut batches: Vec<Batch> = Vec::new();
    for (index, case) in cases.iter().enumerate() {
        for form in [Form::Plain, Form::ForRun, Form::ForBase] {
            if form != Form::Plain && !case.optimised {
                continue;
            }
            let name = match &case.module {
                Some(_) => format!("shared_{form:?}"),
                None => format!("alone_{index}_{form:?}"),
            };
            match batches.iter_mut().find(|batch| batch.name == name) {
                Some(batch) => batch.cases.push(case),
                None => batches.push(Batch {
                    cases: vec![case],
                    form,
                    name,
                }),
            }
        }
    }
    batches
}

/// The objects of one version: several in a debug build, one in an optimised one.
pub fn compile(
    folder: &Path,
    name: &str,
    crate_name: &str,
    source: &str,
    form: Form,
) -> Vec<Vec<u8>> {
    let input = folder.join(format!("{name}.rs"));
    let output = folder.join(format!("lib{name}.rlib"));
    fs::write(&input, source).expect("the folder is writable");
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
    if form == Form::Plain {
        // As cargo builds it: codegen units are then named by hashes, without the crate's name.
        let incremental = folder.join(format!("{name}.incremental"));
        rustc.arg(format!("-Cincremental={}", incremental.display()));
    } else {
        rustc.args(["-Copt-level=3", "-Clto=off", "-Ccodegen-units=1"]);
        rustc.arg("-Cllvm-args=-opt-disable=mergefunc");
    }
    match form {
        Form::Plain => {}
        Form::ForRun => {
            rustc.arg("-Clink-dead-code");
        }
        Form::ForBase => {
            rustc.arg("-Cllvm-args=-opt-disable=called-value-propagation,globalopt,ipsccp");
            rustc.arg("-Cllvm-args=-enable-global-analyses=false");
        }
    }
    let result = rustc.output().expect("rustc runs");
    assert!(
        result.status.success(),
        "{name}: {}",
        String::from_utf8_lossy(&result.stderr)
    );
    let bytes = fs::read(output).expect("rustc wrote a library");
    let archive = ArchiveFile::parse(&*bytes).expect("an archive");
    archive
        .members()
        .map(|member| member.expect("a member"))
        .filter(|member| member.name().ends_with(b".o"))
        .map(|member| member.data(&*bytes).expect("the member's bytes").to_vec())
        .collect()
}

/// Checks all cases of a text, given a function that says what is wrong with those of a batch.
pub fn run(text: &str, check: impl Fn(&Path, &Batch) -> Vec<String> + Sync) {
    let cases = cases(text);
    assert!(!cases.is_empty());
    let folder = tempfile::tempdir().expect("a temporary folder");
    let work = batches(&cases);
    let next = AtomicUsize::new(0);
    let failures = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                while let Some(batch) = work.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let failed = check(folder.path(), batch);
                    failures.lock().expect("no poison").extend(failed);
                }
            });
        }
    });
    let failures = failures.into_inner().expect("no poison");
    assert!(
        failures.is_empty(),
        "{} of {} failed\n{}",
        failures.len(),
        work.iter().map(|batch| batch.cases.len()).sum::<usize>(),
        failures.join("\n\n")
    );
}
