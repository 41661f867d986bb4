//! Rewrites a patch's object so that it reaches the host's state.

mod counts;
mod data;
mod initialisers;
mod plan;
mod text;
mod threads;

pub use counts::{Form, SiteCounts};

use crate::bindings::Bindings;
use crate::elf::patch::Patch;
use crate::elf::{Elf, Rela, offset_of, symbol_of, type_of};
use crate::error::{ObjectError, RewriteError, Site};
use crate::state::{Role, roles};
use crate::x86_64::unwind::Unwind;
use plan::{Plans, Resolved};

/// An object after rewriting.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Rewritten {
    /// The object's new bytes; `None` if it can be linked as it is.
    pub bytes: Option<Vec<u8>>,
    /// What was rewritten, by form.
    pub counts: SiteCounts,
}

/// Rewrites an object of a patch so that what `bindings` binds to the host is reached there.
///
/// # Errors
///
/// If the object is malformed, a static has no binding, or a reference can't be redirected without
/// the risk of changing what the code does.
pub fn rewrite(object: &[u8], bindings: &Bindings) -> Result<Rewritten, RewriteError> {
    let elf = Elf::object(object)?;
    let outcome = rewrite_all(&elf, bindings)?;
    match outcome.refused.into_iter().next() {
        Some(refusal) => Err(refusal),
        None => Ok(Rewritten {
            bytes: outcome.bytes,
            counts: outcome.counts,
        }),
    }
}

/// What became of all references of an object.
pub(crate) struct Outcome {
    pub bytes: Option<Vec<u8>>,
    pub counts: SiteCounts,
    pub refused: Vec<RewriteError>,
}

/// Rewrites what can be, and collects what can't.
pub(crate) fn rewrite_all(elf: &Elf<'_>, bindings: &Bindings) -> Result<Outcome, RewriteError> {
    let roles = roles(elf);
    let mut patch = Patch::new(elf);
    let plans = Plans::new(elf, &roles, bindings, &mut patch)?;
    let mut rewriter = Rewriter {
        elf,
        roles,
        plans,
        patch,
        counts: SiteCounts::default(),
        refused: Vec::new(),
        unwind: None,
    };
    rewriter.text()?;
    rewriter.data()?;
    rewriter.initialisers(bindings)?;
    rewriter.vacate();
    Ok(Outcome {
        bytes: rewriter.patch.finish()?,
        counts: rewriter.counts,
        refused: rewriter.refused,
    })
}

const NAMELESS: &str = "the memory is writable but has no name to find it by in the host";

/// An object that is being rewritten.
struct Rewriter<'elf, 'data> {
    elf: &'elf Elf<'data>,
    roles: Vec<Role>,
    plans: Plans,
    patch: Patch<'elf, 'data>,
    counts: SiteCounts,
    refused: Vec<RewriteError>,
    /// Parsed when the first thunk needs it; the inner `None` is an object without any.
    unwind: Option<Option<Unwind<'data>>>,
}

impl Rewriter<'_, '_> {
    /// Where a reference leads; refused if that can't be told.
    fn resolve(&mut self, section: usize, relocation: &Rela, offset: i64) -> Option<Resolved> {
        match self.plans.resolve(symbol_of(relocation), offset) {
            Ok(resolved) => Some(resolved),
            Err(reason) => {
                self.refuse_kind(section, relocation, reason);
                None
            }
        }
    }

    /// Refuses a relocation that belongs to no instruction that could be shown.
    fn refuse_kind(&mut self, section: usize, relocation: &Rela, reason: &'static str) {
        let kind = type_of(relocation);
        self.refuse(section, relocation, format!("relocation {kind}"), reason);
    }

    fn refuse(
        &mut self,
        section: usize,
        relocation: &Rela,
        instruction: String,
        reason: &'static str,
    ) {
        let site = Site {
            section: self.elf.sections[section].name.to_owned(),
            offset: offset_of(relocation),
            symbol: self.elf.symbol_name(symbol_of(relocation)).to_owned(),
            instruction,
        };
        self.refused.push(RewriteError::Site {
            site: Box::new(site),
            reason,
        });
    }

    fn table_of(&self, section: usize) -> Result<usize, ObjectError> {
        self.elf.relocations[section]
            .ok_or_else(|| ObjectError::malformed("a section lost its relocations"))
    }

    /// Leaves out the sections all of whose statics live elsewhere.
    fn vacate(&mut self) {
        for &section in &self.plans.vacated {
            self.patch.exclude(section);
        }
    }
}
