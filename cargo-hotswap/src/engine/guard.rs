//! The layout guard's place in a swap: what is compared with what.

use std::collections::BTreeSet;
use std::sync::Arc;

use hotswap_layout::{EntryBody, Finding, Passed, Program, ReprChange, Root, compare};

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
}

/// The versions besides the host that later ones are checked against.
#[derive(Debug, Default)]
pub struct Guard {
    alive: Vec<Alive>,
    /// What versions since the host pass by value where `repr` matters, those not kept included.
    passed: Passed,
}

impl Guard {
    /// What the layout guard refuses, against every version that still has values or code alive.
    /// `reprs` are the types that had another `repr` in any of them.
    pub fn refusals(&self, host: &Host, next: &Alive, reprs: &[ReprChange]) -> Vec<Finding> {
        let base = host.entries.as_slice();
        let mut findings = compare(&host.types, &next.types, &roots(base, None, next));
        for alive in &self.alive {
            let roots = roots(&alive.entries, Some(&alive.statics), next);
            findings.extend(compare(&alive.types, &next.types, &roots));
        }
        findings.retain(|finding| finding.verdict == hotswap_layout::Verdict::Refused);
        if !reprs.is_empty() {
            let mut passed = self.passed.clone();
            passed.add(Passed::of(&host.types));
            passed.add(Passed::of(&next.types));
            findings.extend(passed.refusals(reprs));
        }
        without_repeats(findings)
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
            .chain([&host.types]);
        let told: BTreeSet<_> = older.flat_map(Program::identified).collect();
        let tells = !next.types.identified().is_subset(&told);
        if brought || tells || !known.chain([base]).any(|known| new.is_subset(&known)) {
            self.alive.push(next);
        }
    }
}

/// The findings without those of the same change against another version.
fn without_repeats(findings: Vec<Finding>) -> Vec<Finding> {
    let mut all: Vec<Finding> = Vec::new();
    for finding in findings {
        let same = |told: &Finding| {
            told.subject == finding.subject
                && told.cause == finding.cause
                && told.differences == finding.differences
                && (&told.old, &told.new) == (&finding.old, &finding.new)
        };
        if !all.iter().any(same) {
            all.push(finding);
        }
    }
    all
}

/// Where values can cross from an older version to the next: entries that both have, and statics
/// that both share. `statics` names them in the older version; in the host they have host names.
fn roots(old: &[EntryFacts], statics: Option<&[Shared]>, next: &Alive) -> Vec<Root> {
    let mut roots = Vec::new();
    for new in &next.entries {
        let Some(old) = old.iter().find(|old| old.path == new.path) else {
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
        let old = match statics {
            None => (!shared.after_host).then_some(&shared.host),
            Some(statics) => statics
                .iter()
                .find(|old| old.host == shared.host)
                .map(|old| &old.patch),
        };
        let Some(old) = old.cloned() else { continue };
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

#[cfg(test)]
mod tests {
    use hotswap_layout::{Cause, Finding, Verdict};

    use super::without_repeats;

    #[test]
    fn a_change_against_several_versions_is_told_once() {
        let finding = |subject: &str, difference: &str, reason: &str| Finding {
            subject: subject.to_owned(),
            verdict: Verdict::Refused,
            cause: Cause::Layout,
            differences: vec![difference.to_owned()],
            old: None,
            new: None,
            reached: Vec::new(),
            reason: reason.to_owned(),
            help: String::new(),
        };
        let all = vec![
            finding("Tile", "size", "one entry"),
            finding("Room", "size", ""),
            finding("Tile", "size", "another entry"),
            finding("Tile", "offset", ""),
        ];
        let kept = [&all[0], &all[1], &all[3]].map(Clone::clone);
        assert_eq!(without_repeats(all), kept);
    }
}
