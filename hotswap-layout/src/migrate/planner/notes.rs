//! What people are told of the types that change.

use super::{Pair, Planner};
use crate::compare;
use crate::finding::{Cause, Finding, Verdict};
use crate::migrate::Source;
use crate::migrate::shape::Field;

impl Planner<'_> {
    /// Notes what becomes of a field, where there is something to say.
    pub(super) fn tell(
        &mut self,
        pair: Pair,
        prefix: &str,
        source: &Source,
        field: &Field,
        from: Option<&Field>,
    ) {
        let name = &field.name;
        let types = |from: &Field| {
            self.readable(Pair {
                old: from.place,
                new: field.place,
            })
        };
        let text = match (source, from) {
            (Source::Default, _) => "added, with its default".to_owned(),
            (Source::With { .. } | Source::Back { .. }, Some(from)) => {
                let (old, new) = types(from);
                match (from.name == *name, old == new) {
                    (true, _) => format!("converted from `{old}` to `{new}`"),
                    (false, true) => format!("made from `{}`", from.name),
                    (false, false) => format!("made from `{}` (`{old}`)", from.name),
                }
            }
            (_, Some(from)) if from.name != *name => format!("was `{}`", from.name),
            _ => return,
        };
        self.note(pair, format!("{prefix}field `{name}`: {text}"));
    }

    /// Notes a change of a type.
    pub(super) fn note(&mut self, pair: Pair, text: String) {
        let (_, subject) = self.names(pair);
        if let Some(known) = self
            .told
            .iter_mut()
            .find(|finding| finding.subject == subject)
        {
            known.differences.push(text);
            return;
        }
        self.told.push(Finding {
            subject,
            verdict: Verdict::Migrated,
            cause: Cause::Layout,
            differences: vec![text],
            old: Some(compare::layout(self.old.types, pair.old)),
            new: Some(compare::layout(self.new.types, pair.new)),
            reached: vec![self.reached.clone()],
            reason: "its values are carried over to the new layout".to_owned(),
            help: String::new(),
        });
    }
}
