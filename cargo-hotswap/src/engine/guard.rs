//! The layout guard's place in a swap: what is compared with what.

use std::collections::{BTreeSet, HashSet};
use std::sync::Arc;

use hotswap_layout::{EntryBody, Finding, Passed, Program, ReprChange, Root, compare_beside};

use crate::entries::EntryFacts;
use crate::host::Host;
use crate::image::state::Shared;
use crate::places::as_written;

/// A version whose code or values are alive, to check later ones against.
#[derive(Debug)]
pub struct Alive {
    /// Its types.
    pub types: Arc<Program>,
    /// Its entries.
    pub entries: Vec<EntryFacts>,
    /// The symbols of shared statics in this version, by path.
    pub statics: Vec<Shared>,
    /// The symbols of cells in this version, whose values are migrated.
    pub cells: HashSet<String>,
}

/// The versions besides the host that later ones are checked against.
#[derive(Debug, Default)]
pub struct Guard {
    alive: Vec<Alive>,
    /// A version had what the host has not.
    beyond_host: bool,
    /// What versions since the host pass by value where `repr` matters, those not kept included.
    passed: Passed,
}

impl Guard {
    /// Whether a version had signatures, cells, or types that code can tell by their `TypeId`, which the host
    /// does not have. Values of those could be taken for others of the same name, in a version of which this
    /// guard knows nothing.
    pub fn is_beyond_host(&self) -> bool {
        self.beyond_host
    }

    /// What the layout guard refuses, against every version that still has values or code alive.
    /// `reprs` are the types that had another `repr` in any of them, `migrated` those whose values
    /// in cells become values of the next version.
    pub fn refusals(
        &self,
        host: &Host,
        next: &Alive,
        reprs: &[ReprChange],
        migrated: &BTreeSet<String>,
    ) -> Vec<Finding> {
        let base = Older {
            entries: &host.entries,
            statics: None,
            cells: host.cells.iter().map(|cell| cell.symbol.as_str()).collect(),
        };
        let base = roots(&base, next);
        let mut findings = compare_beside(&host.types, &next.types, &base, migrated);
        for alive in &self.alive {
            let older = Older {
                entries: &alive.entries,
                statics: Some(&alive.statics),
                cells: alive.cells.iter().map(String::as_str).collect(),
            };
            let roots = roots(&older, next);
            findings.extend(compare_beside(&alive.types, &next.types, &roots, migrated));
        }
        findings.retain(|finding| finding.verdict == hotswap_layout::Verdict::Refused);
        if !reprs.is_empty() {
            let mut passed = self.passed.clone();
            passed.add(Passed::of(&host.types));
            passed.add(Passed::of(&next.types));
            findings.extend(passed.refusals(reprs));
        }
        merged(findings)
    }

    /// Keeps a version to check later ones against, unless it tells nothing new: its signatures are
    /// those of a version that is kept already, and it brought no static and no type that code can
    /// tell by its `TypeId`.
    pub fn remember(&mut self, host: &Host, next: Alive) {
        self.passed.add(Passed::beyond(&host.types, &next.types));
        let fingerprints = |entries: &[EntryFacts]| -> BTreeSet<(String, String)> {
            entries
                .iter()
                .map(|entry| (entry.path.clone(), entry.fingerprint.clone()))
                .collect()
        };
        let new = fingerprints(&next.entries);
        let known = self.alive.iter().map(|alive| fingerprints(&alive.entries));
        let base = fingerprints(&host.entries);
        let brought = next
            .statics
            .iter()
            .filter(|shared| shared.after_host)
            .any(|shared| {
                let mut kept = self.alive.iter().flat_map(|alive| &alive.statics);
                !kept.any(|other| other.host == shared.host)
            });
        let older = self
            .alive
            .iter()
            .map(|alive| &*alive.types)
            .chain([&*host.types]);
        let told: BTreeSet<_> = older.flat_map(Program::identified).collect();
        let tells = !next.types.identified().is_subset(&told);
        let in_host = |cell: &String| host.cells.iter().any(|it| it.symbol == *cell);
        self.beyond_host |= tells || !new.is_subset(&base) || !next.cells.iter().all(in_host);
        if brought || tells || !known.chain([base]).any(|known| new.is_subset(&known)) {
            self.alive.push(next);
        }
    }
}

/// A version that the next one is compared with.
struct Older<'a> {
    entries: &'a [EntryFacts],
    /// What the next version's statics are called in this one; in the host they have host names.
    statics: Option<&'a [Shared]>,
    cells: BTreeSet<&'a str>,
}

/// Where values can cross from an older version to the next: entries that both have, and statics
/// that both share. The values of what is a cell in both are migrated instead.
fn roots(older: &Older<'_>, next: &Alive) -> Vec<Root> {
    let mut roots = Vec::new();
    for new in &next.entries {
        let Some(old) = older.entries.iter().find(|old| old.path == new.path) else {
            continue;
        };
        let body = |facts: &EntryFacts| EntryBody {
            symbol: facts.body_symbol.clone(),
            signature: facts.signature.clone(),
        };
        roots.push(Root::Entry {
            path: new.path.clone(),
            old: body(old),
            new: body(new),
        });
    }
    for shared in &next.statics {
        let old = match older.statics {
            None => (!shared.after_host).then_some(&shared.host),
            Some(statics) => statics
                .iter()
                .find(|old| old.host == shared.host)
                .map(|old| &old.patch),
        };
        let Some(old) = old.cloned() else { continue };
        if older.cells.contains(old.as_str()) && next.cells.contains(&shared.patch) {
            continue;
        }
        let path = as_written(&shared.path).to_owned();
        let new = shared.patch.clone();
        roots.push(if shared.thread_local {
            Root::ThreadLocal { path, old, new }
        } else {
            Root::Static { path, old, new }
        });
    }
    roots
}

/// What several versions that are alive have to say alike of one type is said once, with all that
/// leads to it.
fn merged(findings: Vec<Finding>) -> Vec<Finding> {
    let mut merged: Vec<Finding> = Vec::new();
    for finding in findings {
        let alike = |known: &&mut Finding| {
            known.subject == finding.subject
                && known.cause == finding.cause
                && known.differences == finding.differences
                && (&known.old, &known.new) == (&finding.old, &finding.new)
        };
        match merged.iter_mut().find(alike) {
            Some(known) => {
                for reached in finding.reached {
                    if !known.reached.contains(&reached) {
                        known.reached.push(reached);
                    }
                }
            }
            None => merged.push(finding),
        }
    }
    merged
}

#[cfg(test)]
mod tests {
    use hotswap_layout::{Cause, Finding, Reached, Verdict};

    use super::merged;

    fn finding(subject: &str, difference: &str, roots: &[&str]) -> Finding {
        let reached = |root: &&str| Reached {
            root: (*root).to_owned(),
            path: Vec::new(),
        };
        Finding {
            subject: subject.to_owned(),
            verdict: Verdict::Refused,
            cause: Cause::Layout,
            differences: vec![difference.to_owned()],
            old: None,
            new: None,
            reached: roots.iter().map(reached).collect(),
            reason: String::new(),
            help: String::new(),
        }
    }

    #[test]
    fn what_versions_say_alike_is_said_once() {
        let findings = vec![
            finding("app::World", "field added", &["entry step"]),
            finding("app::Ball", "field added", &["entry step"]),
            finding("app::World", "field added", &["entry step", "static W"]),
            finding("app::Ball", "field removed", &["entry step"]),
        ];
        let expected = vec![
            finding("app::World", "field added", &["entry step", "static W"]),
            finding("app::Ball", "field added", &["entry step"]),
            finding("app::Ball", "field removed", &["entry step"]),
        ];
        assert_eq!(merged(findings), expected);
    }
}
