//! Compares two versions from their roots and gives a verdict on each change.

mod changes;
mod diff;
mod layout;
mod traits;
mod verdict;
mod walk;

#[cfg(test)]
mod tests;

use std::collections::BTreeSet;

use crate::finding::{Cause, Finding, Reached, Verdict};
use crate::graph::{OPAQUE, OPEN};
use crate::hash::{Fingerprint, Mixer};
use crate::program::{EntryBody, Place, Program, Root};
use changes::Changes;
use verdict::RootKind;

pub(crate) use diff::field_name;
pub(crate) use layout::of as layout;
pub(crate) use verdict::unknown;
pub(crate) use walk::Walk;

/// Tells pairs of types that are the same from those that are not.
pub(crate) struct Judge<'a> {
    old: &'a Program,
    new: &'a Program,
    changes: Changes,
}

impl<'a> Judge<'a> {
    pub(crate) fn new(old: &'a Program, new: &'a Program) -> Judge<'a> {
        let changes = Changes::between(old, new);
        Judge { old, new, changes }
    }

    pub(crate) fn walk(&self) -> Walk<'_> {
        Walk::new(self.old, self.new, &self.changes)
    }
}

/// What differs in a pair of types by itself.
pub(crate) fn differences(
    old: &Program,
    new: &Program,
    before: Place,
    after: Place,
) -> Vec<String> {
    diff::own(old, new, before, after).texts()
}

/// Compares the running version with a patch. `roots` are the entries, statics and thread-locals that both versions have.
///
/// The result has a finding for each changed type, trait or signature, harmless ones included; nothing means that no fact
/// differs. A patch has to be compared with every version that still has values or code alive.
#[must_use]
pub fn compare(old: &Program, new: &Program, roots: &[Root]) -> Vec<Finding> {
    compare_beside(old, new, roots, &BTreeSet::new())
}

/// The same beside a migration of the values of cells. `migrated` are the full names of the types that change with it.
///
/// An entry with such a type in its signature has another slot from then on, since the layouts are part of the slot's
/// identity: who holds an old value goes on calling the old body, so that no value crosses by it. That is told as kept. All
/// other ways on which a value can cross are judged as ever.
#[must_use]
pub fn compare_beside(
    old: &Program,
    new: &Program,
    roots: &[Root],
    migrated: &BTreeSet<String>,
) -> Vec<Finding> {
    let mut comparison = Comparison {
        old,
        new,
        changes: Changes::between(old, new),
        findings: Vec::new(),
    };
    let mut suspects = Vec::new();
    for root in roots {
        match root {
            Root::Entry { path, old, new } => comparison.entry(path, old, new, &mut suspects),
            Root::Static { path, old, new } => {
                comparison.variable(RootKind::Static, path, (old, new), &mut suspects);
            }
            Root::ThreadLocal { path, old, new } => {
                comparison.variable(RootKind::ThreadLocal, path, (old, new), &mut suspects);
            }
        }
    }
    comparison.identified(&mut suspects);
    let found = Walk::new(old, new, &comparison.changes).all(&suspects, migrated);
    comparison.findings.extend(found);
    comparison.unreached();
    comparison.findings.sort_by(|a, b| {
        b.verdict
            .cmp(&a.verdict)
            .then_with(|| a.subject.cmp(&b.subject))
    });
    comparison.findings
}

impl Program {
    /// The types whose values code can tell by their `TypeId`, as they are laid out in this version. Values of a type that
    /// no earlier version had can stay behind although no signature and no static changed with it.
    #[must_use]
    pub fn identified(&self) -> BTreeSet<Fingerprint> {
        let fingerprint = |place: Place| {
            let mut mixer = Mixer::new(21);
            mixer.wide(self.object(place).keys[place.node as usize]);
            mixer.wide(self.deep(place));
            Fingerprint(mixer.finish())
        };
        changes::identified(self)
            .into_iter()
            .map(fingerprint)
            .collect()
    }
}

/// A pair of nodes from which a walk has to begin.
#[derive(Clone, Debug)]
struct Suspect {
    kind: RootKind,
    path: String,
    old: Place,
    new: Place,
}

struct Comparison<'a> {
    old: &'a Program,
    new: &'a Program,
    changes: Changes,
    findings: Vec<Finding>,
}

impl Comparison<'_> {
    fn entry(&mut self, path: &str, old: &EntryBody, new: &EntryBody, suspects: &mut Vec<Suspect>) {
        if old.signature != new.signature {
            self.findings.push(verdict::kept(path, old, new));
            return;
        }
        let places = (
            self.old.function(&old.symbol),
            self.new.function(&new.symbol),
        );
        self.suspect(
            RootKind::Entry,
            path,
            places,
            (&old.symbol, &new.symbol),
            suspects,
        );
    }

    fn variable(
        &mut self,
        kind: RootKind,
        path: &str,
        symbols: (&str, &str),
        suspects: &mut Vec<Suspect>,
    ) {
        let places = (self.old.variable(symbols.0), self.new.variable(symbols.1));
        self.suspect(kind, path, places, symbols, suspects);
    }

    fn suspect(
        &mut self,
        kind: RootKind,
        path: &str,
        places: (Option<Place>, Option<Place>),
        symbols: (&str, &str),
        suspects: &mut Vec<Suspect>,
    ) {
        let (Some(old), Some(new)) = places else {
            let missing = if places.0.is_none() {
                symbols.0
            } else {
                symbols.1
            };
            let reached = Reached {
                root: kind.named(path),
                path: Vec::new(),
            };
            self.findings.push(verdict::unknown(path, missing, reached));
            return;
        };
        if self.differs(old, new) {
            suspects.push(Suspect {
                kind,
                path: path.to_owned(),
                old,
                new,
            });
        }
    }

    fn differs(&self, old: Place, new: Place) -> bool {
        let flags = self.old.flags(old) | self.new.flags(new);
        self.old.deep(old) != self.new.deep(new)
            || flags & OPAQUE != 0
            || (self.changes.open_matters && flags & OPEN != 0)
    }

    /// Types that code tells apart by `TypeId`, which does not change when a type's layout does.
    fn identified(&self, suspects: &mut Vec<Suspect>) {
        if self.changes.types.is_empty() {
            return;
        }
        for old in changes::identified(self.old) {
            let object = self.old.object(old);
            let key = object.keys[old.node as usize];
            let name = object.full_name(old.node);
            let Some(new) = self.counterpart(old, key) else {
                continue;
            };
            if self.differs(old, new) {
                suspects.push(Suspect {
                    kind: RootKind::TypeId,
                    path: name,
                    old,
                    new,
                });
            }
        }
    }

    /// The new definition of a type. With several of one path, each as it was, it is the equal one; if any of them changed,
    /// nothing tells which one is meant, so it is one that differs.
    fn counterpart(&self, old: Place, key: u128) -> Option<Place> {
        let deep = |program: &Program, places: &[Place]| -> Vec<u128> {
            places.iter().map(|place| program.deep(*place)).collect()
        };
        let (before, after) = (self.old.definitions(key), self.new.definitions(key));
        let unchanged = deep(self.old, &before) == deep(self.new, &after);
        let equal = |new: &&Place| self.new.deep(**new) == self.old.deep(old);
        let wanted = after.iter().find(|new| equal(new) == unchanged);
        wanted.or(after.first()).copied()
    }

    /// The rest: changed types that nothing kept leads to.
    fn unreached(&mut self) {
        for change in &self.changes.types {
            let known = self
                .findings
                .iter()
                .any(|finding| finding.subject == change.name);
            let object = self.old.object(change.old);
            let hot = object
                .crate_of(change.old.node)
                .is_some_and(|name| self.old.is_hot_crate(name) || self.new.is_hot_crate(name));
            if known || !hot {
                continue;
            }
            let own = diff::own(self.old, self.new, change.old, change.new);
            if own.is_cause() {
                let differences = own.texts();
                self.findings.push(Finding {
                    subject: change.name.clone(),
                    verdict: Verdict::Safe,
                    cause: Cause::Unreached,
                    differences,
                    old: Some(layout::of(self.old, change.old)),
                    new: Some(layout::of(self.new, change.new)),
                    reached: Vec::<Reached>::new(),
                    reason: "no kept state and no unchanged signature leads to it: each version uses its own".to_owned(),
                    help: String::new(),
                });
            }
        }
    }
}
