//! Matches the statics of a patch to those of the host.
//!
//! A static with a path of its own is matched by it. Several that only their position tells apart
//! are matched by content, in order, and refused where that leaves a doubt.

use std::collections::{HashMap, HashSet};
use std::fmt;

use crate::facts::{Pointee, StaticFacts, Wish};
use crate::names::{identity, positions};

/// What becomes of one static of a patch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Match {
    /// The static's symbol in the patch.
    pub patch: String,
    /// Its canonical path.
    pub path: String,
    /// What becomes of it.
    pub verdict: Verdict,
}

/// What becomes of a static.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Verdict {
    /// It is the host's static.
    Same {
        /// The static's symbol in the host.
        host: String,
    },
    /// It is the host's static and keeps its value, although its initialiser changed.
    Kept {
        /// The static's symbol in the host.
        host: String,
    },
    /// It is a new static.
    New(Novelty),
    /// Its state can't be told or can't be kept.
    Refused(Refusal),
}

/// Why a static is new.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Novelty {
    /// The host has none of that path.
    Added,
    /// It points at other read-only data than the host's.
    OtherContent {
        /// The symbol of the host's static whose place it takes, where that is certain.
        instead: Option<String>,
    },
    /// Its source wishes it, for what it is made of has changed.
    Wished {
        /// The symbol of the host's static whose place it takes.
        instead: String,
    },
}

/// Why a static is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Refusal {
    /// Its size changed.
    Size {
        /// Bytes in the host.
        host: u64,
        /// Bytes in the patch.
        patch: u64,
    },
    /// It needs a larger alignment than the host gave it.
    Align {
        /// Alignment in the host.
        host: u64,
        /// Alignment in the patch.
        patch: u64,
    },
    /// It became a thread-local, or stopped being one.
    ThreadLocal,
    /// Several statics of one path can't be told apart.
    Ambiguous,
    /// The compiler split, narrowed or renamed it.
    Derived,
}

impl fmt::Display for Refusal {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Size { host, patch } => {
                write!(formatter, "its size changed from {host} to {patch} bytes")
            }
            Self::Align { host, patch } => {
                write!(
                    formatter,
                    "it needs an alignment of {patch} bytes but has {host}"
                )
            }
            Self::ThreadLocal => {
                formatter.write_str("it became a thread-local or stopped being one")
            }
            Self::Ambiguous => {
                formatter.write_str("several statics have its path and can't be told apart")
            }
            Self::Derived => formatter.write_str("the compiler split, narrowed or renamed it"),
        }
    }
}

/// Matches the statics of a crate's new version to those of its first; both lists hold the
/// statics of all its objects. Every static of the patch gets a verdict, in the given order.
pub fn match_statics(host: &[StaticFacts], patch: &[StaticFacts]) -> Vec<Match> {
    let hosts = group(host);
    let patches = group(patch);
    let mut verdicts: Vec<Option<Verdict>> = vec![None; patch.len()];
    for (identity, members) in &patches {
        let news: Vec<&StaticFacts> = members.iter().map(|&index| &patch[index]).collect();
        let olds: Vec<&StaticFacts> = match hosts.get(identity) {
            Some(olds) => olds.iter().map(|&index| &host[index]).collect(),
            None => Vec::new(),
        };
        for (&index, verdict) in members.iter().zip(match_group(&olds, &news)) {
            verdicts[index] = Some(verdict);
        }
    }
    let matched = patch.iter().zip(verdicts).map(|(facts, verdict)| Match {
        patch: facts.symbol.clone(),
        path: facts.path.clone(),
        verdict: verdict.unwrap_or(Verdict::Refused(Refusal::Ambiguous)),
    });
    matched.collect()
}

/// Indices of statics by identity, each list in the order of the source.
fn group(statics: &[StaticFacts]) -> HashMap<String, Vec<usize>> {
    let mut groups: HashMap<String, Vec<usize>> = HashMap::new();
    for (index, facts) in statics.iter().enumerate() {
        groups.entry(identity(&facts.path)).or_default().push(index);
    }
    for members in groups.values_mut().filter(|members| members.len() > 1) {
        members.sort_by_cached_key(|&index| (positions(&statics[index].symbol), index));
    }
    groups
}

fn match_group(hosts: &[&StaticFacts], patches: &[&StaticFacts]) -> Vec<Verdict> {
    if let Some(derived) = refuse_derived(hosts, patches) {
        return derived;
    }
    match (hosts, patches) {
        ([], _) => vec![Verdict::New(Novelty::Added); patches.len()],
        ([host], [patch]) => vec![compare(host, patch)],
        _ if hosts.iter().chain(patches).all(|facts| has_constant(facts)) => {
            match_in_order(hosts, patches)
        }
        _ => match_state(hosts, patches),
    }
}

fn refuse_derived(hosts: &[&StaticFacts], patches: &[&StaticFacts]) -> Option<Vec<Verdict>> {
    let mut both = hosts.iter().chain(patches);
    both.any(|facts| facts.is_derived())
        .then(|| vec![Verdict::Refused(Refusal::Derived); patches.len()])
}

/// The verdict on a static whose counterpart is certain.
fn compare(host: &StaticFacts, patch: &StaticFacts) -> Verdict {
    let symbol = host.symbol.clone();
    if is_renewed(host, patch) {
        Verdict::New(Novelty::Wished { instead: symbol })
    } else if host.storage.is_thread_local() != patch.storage.is_thread_local() {
        Verdict::Refused(Refusal::ThreadLocal)
    } else if host.size != patch.size {
        Verdict::Refused(Refusal::Size {
            host: host.size,
            patch: patch.size,
        })
    } else if host.align < patch.align {
        Verdict::Refused(Refusal::Align {
            host: host.align,
            patch: patch.align,
        })
    } else if patch.wish != Some(Wish::Keep) && constants(host) != constants(patch) {
        let instead = Some(symbol);
        Verdict::New(Novelty::OtherContent { instead })
    } else if host.bytes != patch.bytes || host.pointers != patch.pointers {
        Verdict::Kept { host: symbol }
    } else {
        Verdict::Same { host: symbol }
    }
}

/// Whether a static that wishes to be new is made of something else than the host's. That other
/// functions have other names says nothing: closures are numbered.
fn is_renewed(host: &StaticFacts, patch: &StaticFacts) -> bool {
    matches!(patch.wish, Some(Wish::New { .. }))
        && (host.wish != patch.wish
            || host.storage.is_thread_local() != patch.storage.is_thread_local()
            || (host.size, host.bytes) != (patch.size, patch.bytes)
            || host.align < patch.align
            || constants(host) != constants(patch))
}

fn constants(facts: &StaticFacts) -> Vec<&(u64, Pointee)> {
    facts
        .pointers
        .iter()
        .filter(|(_, pointee)| matches!(pointee, Pointee::Constant(_)))
        .collect()
}

/// Whether a static points at read-only data, as a registration with a description does.
fn has_constant(facts: &StaticFacts) -> bool {
    !constants(facts).is_empty()
}

/// All that tells statics of one path apart.
type Content<'facts> = (bool, u64, u64, u64, &'facts [(u64, Pointee)]);

fn content<'facts>(facts: &&'facts StaticFacts) -> Content<'facts> {
    (
        facts.storage.is_thread_local(),
        facts.size,
        facts.align,
        facts.bytes,
        &facts.pointers,
    )
}

/// Registrations: equal ones are matched in order (the longest common subsequence), the rest are new.
fn match_in_order(hosts: &[&StaticFacts], patches: &[&StaticFacts]) -> Vec<Verdict> {
    let (rows, columns) = (hosts.len(), patches.len());
    let mut lengths = vec![vec![0_usize; columns + 1]; rows + 1];
    for row in (0..rows).rev() {
        for column in (0..columns).rev() {
            lengths[row][column] = if content(&hosts[row]) == content(&patches[column]) {
                lengths[row + 1][column + 1] + 1
            } else {
                lengths[row + 1][column].max(lengths[row][column + 1])
            };
        }
    }
    let new = Novelty::OtherContent { instead: None };
    let mut verdicts = vec![Verdict::New(new); columns];
    let (mut row, mut column) = (0, 0);
    while row < rows && column < columns {
        if content(&hosts[row]) == content(&patches[column]) {
            verdicts[column] = Verdict::Same {
                host: hosts[row].symbol.clone(),
            };
            row += 1;
            column += 1;
        } else if lengths[row + 1][column] >= lengths[row][column + 1] {
            row += 1;
        } else {
            column += 1;
        }
    }
    verdicts
}

/// Plain state: content that occurs once on either side tells a static; the rest must be equal in
/// number and, one by one, in content.
fn match_state(hosts: &[&StaticFacts], patches: &[&StaticFacts]) -> Vec<Verdict> {
    let host_counts = count(hosts);
    let patch_counts = count(patches);
    let told = |facts: &&StaticFacts| {
        let content = content(facts);
        host_counts.get(&content) == Some(&1) && patch_counts.get(&content) == Some(&1)
    };
    let rest: Vec<&&StaticFacts> = hosts.iter().filter(|facts| !told(facts)).collect();
    let left: Vec<&&StaticFacts> = patches.iter().filter(|facts| !told(facts)).collect();
    let in_step = rest.len() == left.len()
        && rest
            .iter()
            .zip(&left)
            .all(|(host, patch)| content(host) == content(patch));
    let mut rest_in_order = rest.iter();
    let verdict = |patch: &&StaticFacts| {
        let same = |host: &&StaticFacts| Verdict::Same {
            host: host.symbol.clone(),
        };
        if told(patch) {
            let host = hosts.iter().find(|host| content(host) == content(patch));
            host.map_or(Verdict::Refused(Refusal::Ambiguous), same)
        } else if in_step {
            let host = rest_in_order.next();
            host.map_or(Verdict::Refused(Refusal::Ambiguous), |host| same(host))
        } else if rest.is_empty() {
            Verdict::New(Novelty::Added)
        } else {
            Verdict::Refused(Refusal::Ambiguous)
        }
    };
    let verdicts: Vec<Verdict> = patches.iter().map(verdict).collect();
    debug_assert!(hosts_are_distinct(&verdicts));
    verdicts
}

fn count<'facts>(statics: &[&'facts StaticFacts]) -> HashMap<Content<'facts>, usize> {
    let mut counts = HashMap::new();
    for facts in statics {
        *counts.entry(content(facts)).or_insert(0) += 1;
    }
    counts
}

fn hosts_are_distinct(verdicts: &[Verdict]) -> bool {
    let mut seen = HashSet::new();
    verdicts.iter().all(|verdict| match verdict {
        Verdict::Same { host } | Verdict::Kept { host } => seen.insert(host),
        _ => true,
    })
}

#[cfg(test)]
mod tests;
