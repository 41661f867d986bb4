//! Walks both versions' graphs side by side from the roots, a pair of nodes at a time, each pair once.

use std::collections::{BTreeSet, VecDeque};

use super::changes::Changes;
use super::diff::{self, Child};
use super::traits::Traits;
use super::verdict::{self, RootKind};
use super::{Suspect, layout};
use crate::finding::{Cause, Finding, Reached, Verdict};
use crate::graph::{DECLARED, Kind, OPAQUE, OPEN, TRAIT_OBJECT};
use crate::hash::{QuickMap, QuickSet};
use crate::names;
use crate::program::{Place, Program};

/// A finding is told with at most this many of the roots that lead to it.
const MAX_ROOTS: usize = 8;

type Pair = (Place, Place);

/// A pair that was reached, and from where.
struct Step {
    pair: Pair,
    from: usize,
    name: String,
}

pub(crate) struct Walk<'a> {
    old: &'a Program,
    new: &'a Program,
    changes: &'a Changes,
    traits: Traits<'a>,
    /// Pairs from which nothing but equal ones is reached.
    clean: QuickSet<Pair>,
    /// Findings by subject and cause.
    numbers: QuickMap<String, usize>,
    findings: Vec<Finding>,
}

impl<'a> Walk<'a> {
    pub(super) fn new(old: &'a Program, new: &'a Program, changes: &'a Changes) -> Walk<'a> {
        Walk {
            old,
            new,
            changes,
            traits: Traits::new(old, new),
            clean: QuickSet::default(),
            numbers: QuickMap::default(),
            findings: Vec::new(),
        }
    }

    /// Walks from all of these. `migrated` are the types whose values are carried over where cells hold them.
    pub(super) fn all(mut self, suspects: &[Suspect], migrated: &BTreeSet<String>) -> Vec<Finding> {
        let mut kept = Vec::new();
        for suspect in suspects {
            let has_other_slot = suspect.kind == RootKind::Entry
                && self.old.deep(suspect.old) != self.new.deep(suspect.new);
            if has_other_slot && !migrated.is_empty() {
                let known = (
                    std::mem::take(&mut self.numbers),
                    std::mem::take(&mut self.findings),
                );
                self.root(suspect);
                let found = std::mem::take(&mut self.findings);
                (self.numbers, self.findings) = known;
                let is_migrated = |finding: &Finding| {
                    finding.cause == Cause::Layout && migrated.contains(&finding.subject)
                };
                if !found.is_empty() && found.iter().all(is_migrated) {
                    kept.push(verdict::kept_beside(&suspect.path, &found));
                    continue;
                }
            }
            self.root(suspect);
        }
        self.findings.extend(kept);
        self.findings
    }

    /// What tells two types apart that should be the same, by name and all that is reachable from them.
    pub(crate) fn differences(&mut self, old: Place, new: Place) -> Vec<Finding> {
        let suspect = Suspect {
            kind: RootKind::Static,
            path: String::new(),
            old,
            new,
        };
        self.numbers.clear();
        self.findings.clear();
        self.root(&suspect);
        std::mem::take(&mut self.findings)
    }

    fn root(&mut self, suspect: &Suspect) {
        let pair = (suspect.old, suspect.new);
        let (old_name, new_name) = (self.name(self.old, pair.0), self.name(self.new, pair.1));
        let is_function = self.old.object(pair.0).node(pair.0.node).kind == Kind::Function;
        if old_name != new_name && !is_function {
            let texts = vec![format!("type: `{old_name}`, now `{new_name}`")];
            self.found(suspect, pair, Cause::Layout, texts, &[], &suspect.path);
            return;
        }
        let is_clean = self.all_from(suspect);
        let flags = self.old.flags(pair.0) | self.new.flags(pair.1);
        if is_clean && flags & OPAQUE == 0 && self.old.deep(pair.0) != self.new.deep(pair.1) {
            // The walk has to find what the fingerprints see. If it ever doesn't, nothing is proven.
            let texts = vec!["its layout differs".to_owned()];
            self.found(suspect, pair, Cause::Layout, texts, &[], &suspect.path);
        }
    }

    /// Walks all that a root leads to; true if there was nothing to find.
    fn all_from(&mut self, suspect: &Suspect) -> bool {
        let mut steps = vec![Step {
            pair: (suspect.old, suspect.new),
            from: 0,
            name: String::new(),
        }];
        let mut visited: QuickSet<Pair> = QuickSet::default();
        let mut queue = VecDeque::from([0]);
        let mut is_clean = true;
        while let Some(at) = queue.pop_front() {
            let pair = steps[at].pair;
            if self.is_same(pair) || self.clean.contains(&pair) || !visited.insert(pair) {
                continue;
            }
            for child in self.visit(suspect, &steps, at, &mut is_clean) {
                queue.push_back(steps.len());
                steps.push(Step {
                    pair: (child.old, child.new),
                    from: at,
                    name: child.step,
                });
            }
        }
        if is_clean {
            self.clean.extend(visited);
        }
        is_clean
    }

    fn name(&self, program: &Program, place: Place) -> String {
        program.object(place).identity(place.node)
    }

    fn is_same(&self, (old, new): Pair) -> bool {
        let flags = self.old.flags(old) | self.new.flags(new);
        let open = self.changes.open_matters && flags & OPEN != 0;
        self.old.deep(old) == self.new.deep(new) && !open && flags & OPAQUE == 0
    }

    /// Looks at a pair and gives the pairs to go on with.
    fn visit(
        &mut self,
        suspect: &Suspect,
        steps: &[Step],
        at: usize,
        is_clean: &mut bool,
    ) -> Vec<Child> {
        let (old, new) = steps[at].pair;
        if (self.old.flags(old) | self.new.flags(new)) & DECLARED != 0 {
            return self.declared(suspect, steps, at, is_clean);
        }
        let own = diff::own(self.old, self.new, old, new);
        if own.is_cause() {
            *is_clean = false;
            let name = self.name(self.old, old);
            let subject = if at == 0 && self.old.object(old).node(old.node).kind == Kind::Function {
                suspect.path.clone()
            } else {
                name
            };
            let cause = match suspect.kind {
                _ if names::is_unnamed(names::base(&subject)) => Cause::Unnamed,
                RootKind::TypeId => Cause::TypeId,
                _ => Cause::Layout,
            };
            self.found(
                suspect,
                (old, new),
                cause,
                own.texts(),
                &path(steps, at),
                &subject,
            );
        }
        if let Some(words) = &own.vtable_words {
            self.vtable_words(suspect, steps, at, words, is_clean);
        }
        let mut children = own.children;
        if self.old.flags(old) & TRAIT_OBJECT != 0 {
            self.trait_object(suspect, steps, at, is_clean, &mut children);
        }
        children
    }

    /// A vtable has more or fewer words than before. Where the trait's methods tell how, they do it better.
    fn vtable_words(
        &mut self,
        suspect: &Suspect,
        steps: &[Step],
        at: usize,
        words: &(String, String),
        is_clean: &mut bool,
    ) {
        let (old, new) = steps[at].pair;
        let types = self.old.object(old);
        let pointee = types
            .items(old.node)
            .first()
            .map(|pointer| types.identity(pointer.target));
        let name = pointee.as_deref().unwrap_or("").trim_start_matches('*');
        if self.changes.open_matters && !self.traits.change(name).differences.is_empty() {
            return;
        }
        *is_clean = false;
        let texts = vec![format!("its vtable: `{}`, now `{}`", words.0, words.1)];
        self.found(
            suspect,
            (old, new),
            Cause::TraitObject,
            texts,
            &path(steps, at),
            name,
        );
    }

    fn trait_object(
        &mut self,
        suspect: &Suspect,
        steps: &[Step],
        at: usize,
        is_clean: &mut bool,
        children: &mut Vec<Child>,
    ) {
        let (old, new) = steps[at].pair;
        let name = self.name(self.old, old);
        for changed in &self.changes.types {
            if names::mentions(&name, &changed.name) {
                children.push(Child::of_method(
                    changed.old,
                    changed.new,
                    format!("({})", changed.name),
                ));
            }
        }
        let change = self.traits.change(&name);
        children.extend(change.children.iter().cloned());
        if !change.differences.is_empty() {
            *is_clean = false;
            let path = path(steps, at);
            let number = self.found(
                suspect,
                (old, new),
                Cause::TraitObject,
                change.differences.clone(),
                &path,
                &name,
            );
            if let (Some(number), Some((before, after))) = (number, &change.layouts) {
                self.findings[number].old = Some(before.clone());
                self.findings[number].new = Some(after.clone());
            }
        }
    }

    /// A type that is only declared here may be defined in another object.
    fn declared(
        &mut self,
        suspect: &Suspect,
        steps: &[Step],
        at: usize,
        is_clean: &mut bool,
    ) -> Vec<Child> {
        let (old, new) = steps[at].pair;
        let definitions = |program: &'a Program, place: Place| {
            if program.flags(place) & DECLARED == 0 {
                return vec![place];
            }
            program.definitions(program.object(place).keys[place.node as usize])
        };
        // With two definitions of one path, nothing tells which one is meant.
        if let ([old], [new]) = (&*definitions(self.old, old), &*definitions(self.new, new)) {
            return vec![Child::of_method(*old, *new, String::new())];
        }
        *is_clean = false;
        let texts = vec!["declared, but nowhere or ambiguously defined".to_owned()];
        let subject = self.name(self.old, old);
        self.found(
            suspect,
            (old, new),
            Cause::Opaque,
            texts,
            &path(steps, at),
            &subject,
        );
        Vec::new()
    }

    /// Notes a finding, or one more root of a known one. Gives its number if it is new.
    fn found(
        &mut self,
        suspect: &Suspect,
        (old, new): Pair,
        cause: Cause,
        differences: Vec<String>,
        path: &[String],
        subject: &str,
    ) -> Option<usize> {
        let reached = Reached {
            root: suspect.kind.named(&suspect.path),
            path: path.to_vec(),
        };
        if let Some(number) = self.numbers.get(subject) {
            let finding = &mut self.findings[*number];
            let known = finding
                .reached
                .iter()
                .any(|known| known.root == reached.root);
            if !known && finding.reached.len() < MAX_ROOTS {
                finding.reached.push(reached);
            }
            return None;
        }
        let (reason, help) = verdict::refusal(cause, suspect.kind, &suspect.path, subject);
        self.numbers.insert(subject.to_owned(), self.findings.len());
        self.findings.push(Finding {
            subject: subject.to_owned(),
            verdict: Verdict::Refused,
            cause,
            differences,
            old: Some(layout::of(self.old, old)),
            new: Some(layout::of(self.new, new)),
            reached: vec![reached],
            reason,
            help,
        });
        Some(self.findings.len() - 1)
    }
}

/// The steps that led to a pair.
fn path(steps: &[Step], mut at: usize) -> Vec<String> {
    let mut path = Vec::new();
    while at != 0 {
        if !steps[at].name.is_empty() {
            path.push(steps[at].name.clone());
        }
        at = steps[at].from;
    }
    path.reverse();
    path
}
