//! `cargo hotswap audit`: what a rewrite would do about every reference to state in a build.
//!
//! Each object is rewritten as if all of its statics and thread-locals lived in a host, which is
//! the most that any patch can ask for, and the result is thrown away. Operands on symbols of other
//! files count as well: whether they are state can't be seen from the object.

use anyhow::Result;
use hotswap_object::{Form, SiteCounts};

use crate::output;
use crate::plugin::capture::LinkCapture;
use crate::project::Project;
use crate::records::{self, Build, crate_name};
use crate::selection::Selection;
use crate::unit::{self, ObjectFile, Unit};

/// What was counted in one crate.
#[derive(Debug, Clone, Default)]
pub struct CrateAudit {
    /// The crate's name.
    pub name: String,
    /// Number of objects.
    pub objects: usize,
    /// Statics and thread-locals that they define.
    pub statics: usize,
    /// References to state that can be rewritten or are right already, by form.
    pub counts: SiteCounts,
    /// Those that can't be rewritten: object and reason.
    pub refused: Vec<String>,
}

/// What is done about a form of reference.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Treatment {
    /// A RIP-relative operand whose instruction is changed where it stands.
    InPlace,
    /// A RIP-relative operand whose instruction moves into a thunk.
    Thunk,
    /// An access to a thread-local.
    ThreadLocal,
    /// A pointer in data.
    Pointer,
    /// Right as it is: by the global offset table, to another file's function, or to the image's
    /// own thread-local.
    AsItIs,
    /// In debug information.
    Debug,
}

impl Treatment {
    const ALL: [Self; 6] = [
        Self::InPlace,
        Self::Thunk,
        Self::ThreadLocal,
        Self::Pointer,
        Self::AsItIs,
        Self::Debug,
    ];

    fn of(form: Form) -> Self {
        match form {
            Form::LeaInPlace => Self::InPlace,
            Form::DestinationThunk
            | Form::SpillThunk
            | Form::CallThunk
            | Form::JumpThunk
            | Form::PushThunk => Self::Thunk,
            Form::GeneralDynamic
            | Form::LocalDynamic
            | Form::ModuleOffset
            | Form::InitialExec
            | Form::LocalExec
            | Form::ThreadOffset => Self::ThreadLocal,
            Form::Pointer => Self::Pointer,
            Form::Got | Form::Branch | Form::OwnThreadLocal => Self::AsItIs,
            _ => Self::Debug,
        }
    }

    fn heading(self) -> &'static str {
        match self {
            Self::InPlace => "in place",
            Self::Thunk => "by thunk",
            Self::ThreadLocal => "tls",
            Self::Pointer => "pointers",
            Self::AsItIs => "as it is",
            Self::Debug => "debug",
        }
    }
}

impl CrateAudit {
    /// Audits the objects of one crate. An object that can't be read is a refusal too.
    pub fn of(name: &str, objects: &[ObjectFile]) -> Self {
        let mut audit = Self {
            name: name.to_owned(),
            objects: objects.len(),
            ..Self::default()
        };
        for object in objects {
            match hotswap_object::audit::audit(&object.bytes) {
                Ok(found) => {
                    audit.statics += found.statics;
                    audit.counts.add(&found.counts);
                    let refused = found.refused.iter();
                    audit
                        .refused
                        .extend(refused.map(|reason| format!("{}: {reason}", object.name)));
                }
                Err(error) => audit.refused.push(format!("{}: {error}", object.name)),
            }
        }
        audit
    }

    /// Whether there is nothing to tell about the crate.
    fn is_empty(&self) -> bool {
        self.statics == 0 && self.counts.total() == 0 && self.refused.is_empty()
    }

    /// The number of references that are treated in this way.
    fn treated(&self, treatment: Treatment) -> u32 {
        let forms = self.counts.iter();
        forms
            .filter(|(form, _)| Treatment::of(*form) == treatment)
            .map(|(_, count)| count)
            .sum()
    }

    fn row(&self) -> Vec<String> {
        let mut row = vec![
            self.name.clone(),
            self.objects.to_string(),
            self.statics.to_string(),
        ];
        row.extend(Treatment::ALL.map(|treatment| self.treated(treatment).to_string()));
        row.push(self.counts.total().to_string());
        let rewritten = self.counts.total() - self.treated(Treatment::AsItIs);
        row.push(rewritten.to_string());
        row.push(self.refused.len().to_string());
        row
    }

    /// Adds what was counted in another crate.
    fn add(&mut self, other: &Self) {
        self.objects += other.objects;
        self.statics += other.statics;
        self.counts.add(&other.counts);
        self.refused.extend_from_slice(&other.refused);
    }
}

/// Builds what the selection names as `run` would, audits its hot crates, and with `all` every
/// Rust library in the link. The result is the exit code: 1 if anything is refused, 101 if the
/// build failed.
///
/// # Errors
///
/// Cargo can't be run, or what it built can't be read.
pub fn run(selection: &Selection, all: bool) -> Result<i32> {
    let project = Project::find(selection)?;
    let built = match records::build(&project, selection)? {
        Build::Done(built) => built,
        Build::Failed { errors, .. } => {
            anstream::eprint!("{}", errors.concat());
            return Ok(101);
        }
    };
    let audits = audits(&built.units, all.then_some(&built.link))?;
    let refused = audits.iter().any(|audit| !audit.refused.is_empty());
    output::print(&report(&audits))?;
    Ok(i32::from(refused))
}

/// Audits hot crates, and those of a link's other libraries, crate by crate.
fn audits(units: &[Unit], link: Option<&LinkCapture>) -> Result<Vec<CrateAudit>> {
    let hot = units
        .iter()
        .map(|unit| CrateAudit::of(&unit.name, &unit.objects));
    let mut audits: Vec<CrateAudit> = hot.collect();
    for library in link.into_iter().flat_map(|link| &link.cold_libraries) {
        let objects = unit::library_objects(library)?;
        audits.push(CrateAudit::of(crate_name(library), &objects));
    }
    Ok(audits)
}

/// The tables by crate and by form, and all refusals.
fn report(audits: &[CrateAudit]) -> String {
    let mut sum = CrateAudit {
        name: "total".to_owned(),
        ..CrateAudit::default()
    };
    let mut rows = vec![headings()];
    let mut empty = 0;
    for audit in audits {
        sum.add(audit);
        if audit.is_empty() {
            empty += 1;
        } else {
            rows.push(audit.row());
        }
    }
    rows.push(sum.row());
    let forms = sum.counts.iter();
    let forms = forms.map(|(form, count)| vec![format!("{form:?}"), count.to_string()]);
    let mut text = table(&rows);
    if empty > 0 {
        text += &format!("{empty} more without statics and references\n");
    }
    text.push('\n');
    text += &table(&forms.collect::<Vec<_>>());
    for audit in audits {
        for refused in &audit.refused {
            text += &format!("\nrefused in {}: {refused}", audit.name);
        }
    }
    if !sum.refused.is_empty() {
        text.push('\n');
    }
    text
}

fn headings() -> Vec<String> {
    let before = ["crate", "objects", "statics"];
    let after = ["references", "rewritten", "refused"];
    let treatments = Treatment::ALL.iter().map(|treatment| treatment.heading());
    before
        .into_iter()
        .chain(treatments)
        .chain(after)
        .map(str::to_owned)
        .collect()
}

/// Lines of cells, the first of each aligned to the left and the others to the right.
fn table(rows: &[Vec<String>]) -> String {
    let columns = rows.first().map_or(0, Vec::len);
    let width = |column: usize| rows.iter().map(|row| row[column].len()).max();
    let widths: Vec<usize> = (0..columns).filter_map(width).collect();
    let mut text = String::new();
    for row in rows {
        text += &format!("{:<width$}", row[0], width = widths[0]);
        for (cell, width) in row.iter().zip(&widths).skip(1) {
            text += &format!("  {cell:>width$}");
        }
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::sync::Arc;

    use super::{CrateAudit, ObjectFile, crate_name, report, table};

    #[test]
    fn names_crates_by_their_files() {
        for (file, name) in [
            ("/t/deps/libserde_json-0a1b.rlib", "serde_json"),
            ("/lib/libstd-9f.rlib", "std"),
            ("/t/libplain.rlib", "plain"),
        ] {
            assert_eq!(crate_name(Path::new(file)), name);
        }
    }

    #[test]
    fn aligns_cells() {
        let rows = [["a", "10"], ["bcd", "2"]].map(|row| row.map(str::to_owned).to_vec());
        assert_eq!(table(&rows), "a    10\nbcd   2\n");
        assert_eq!(table(&[]), "");
    }

    #[test]
    fn an_object_that_cannot_be_read_is_refused() {
        let object = ObjectFile {
            name: "a.o".to_owned(),
            bytes: Arc::from(&b"BC\xc0\xde"[..]),
            digest: 0,
        };
        let audit = CrateAudit::of("a", &[object]);
        assert_eq!(audit.refused.len(), 1);
        assert!(report(&[audit]).contains("refused in a: a.o: "));
    }
}
