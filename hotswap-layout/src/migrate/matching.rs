//! Which part of a new type is which of the old one: by name, and by what either says it was called.

use crate::descriptions::Part;

/// Where a part of the new type comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Origin {
    /// It is new.
    New,
    /// The old part of this position, which has the same name.
    Named(usize),
    /// The old part of this position, whose name the new one says it had.
    Was(usize),
    /// The old part of this position, which says that it had the new one's name.
    Becomes(usize),
}

impl Origin {
    /// The position of the old part.
    pub(super) fn position(self) -> Option<usize> {
        match self {
            Origin::New => None,
            Origin::Named(at) | Origin::Was(at) | Origin::Becomes(at) => Some(at),
        }
    }
}

/// Why the parts can't be matched.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Conflict {
    /// Both old parts could become the new one.
    Several { new: String, old: [String; 2] },
    /// The old part could become both new ones.
    Shared { old: String, new: [String; 2] },
    /// The new part says that it had a name that no old part has, so nothing tells whether it is new.
    Unknown { new: String, was: String },
}

/// Finds the origin of each new part.
///
/// A name in `was` counts only while no new part has it, and one that an old part says it had only while no old part has
/// it: both stay in the source after the edit that they were written for.
pub(super) fn origins(old: &[Part], new: &[Part]) -> Result<Vec<Origin>, Conflict> {
    let mut origins: Vec<Origin> = Vec::with_capacity(new.len());
    for part in new {
        let origin = origin(part, old, new)?;
        let taken = origins.iter().position(|other| {
            let at = other.position();
            at.is_some() && at == origin.position()
        });
        if let (Some(other), Some(at)) = (taken, origin.position()) {
            return Err(Conflict::Shared {
                old: old[at].name.clone(),
                new: [new[other].name.clone(), part.name.clone()],
            });
        }
        origins.push(origin);
    }
    Ok(origins)
}

fn origin(part: &Part, old: &[Part], new: &[Part]) -> Result<Origin, Conflict> {
    let position = |name: &str| old.iter().position(|other| other.name == name);
    let is_new = |name: &str| new.iter().any(|other| other.name == name);
    let named = position(&part.name).map(Origin::Named);
    let was = part.was.iter().filter(|name| !is_new(name));
    let was = was.filter_map(|name| position(name)).map(Origin::Was);
    let becomes = old.iter().enumerate().filter(|(_, other)| {
        named.is_none() && other.was.contains(&part.name) && !is_new(&other.name)
    });
    let becomes = becomes.map(|(at, _)| Origin::Becomes(at));
    let mut found: Vec<Origin> = Vec::new();
    for candidate in named.into_iter().chain(was).chain(becomes) {
        let known = found
            .iter()
            .any(|other| other.position() == candidate.position());
        if !known {
            found.push(candidate);
        }
    }
    match found.as_slice() {
        [] => match part.was.iter().find(|name| !is_new(name)) {
            Some(was) if !part.default => Err(Conflict::Unknown {
                new: part.name.clone(),
                was: was.clone(),
            }),
            _ => Ok(Origin::New),
        },
        [one] => Ok(*one),
        [first, second, ..] => {
            let name = |origin: &Origin| {
                let at = origin.position();
                at.map_or_else(String::new, |at| old[at].name.clone())
            };
            Err(Conflict::Several {
                new: part.name.clone(),
                old: [name(first), name(second)],
            })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `name` or `name<was`, separated by spaces; `!` marks a default.
    fn parts(text: &str) -> Vec<Part> {
        let part = |text: &str| {
            let (text, default) = match text.strip_suffix('!') {
                Some(text) => (text, true),
                None => (text, false),
            };
            let (name, was) = text.split_once('<').unwrap_or((text, ""));
            let was = was.split(',').filter(|was| !was.is_empty());
            Part {
                name: name.to_owned(),
                was: was.map(str::to_owned).collect(),
                default,
                ..Part::default()
            }
        };
        text.split(' ')
            .filter(|text| !text.is_empty())
            .map(part)
            .collect()
    }

    #[test]
    fn parts_are_matched_by_name_then_by_what_they_were() {
        for (old, new, expected) in [
            ("a b", "b a", "b a"),
            ("a", "a b", "a +"),
            ("a b", "a", "a"),
            ("a", "b<a", "a"),
            // Written for an earlier edit, or for several.
            ("b", "b<a", "b"),
            ("a", "c<b,a", "a"),
            ("b", "a b<a", "+ b"),
            ("a b<a", "a", "a"),
            // The way back.
            ("b<a", "a", "b"),
            ("b<a", "a b", "+ b"),
            ("", "a<x!", "+"),
            // Doubts.
            ("a b", "b<a", "`b` of b, a"),
            ("a", "b<a c<a", "a is b, c"),
            ("x", "b<a", "b was a"),
            ("b<a c<a", "a", "`a` of b, c"),
        ] {
            let (before, after) = (parts(old), parts(new));
            let found = match origins(&before, &after) {
                Ok(origins) => {
                    let names = origins.iter().map(|origin| match origin.position() {
                        Some(at) => before[at].name.as_str(),
                        None => "+",
                    });
                    names.collect::<Vec<_>>().join(" ")
                }
                Err(Conflict::Several { new, old }) => format!("`{new}` of {}", old.join(", ")),
                Err(Conflict::Shared { old, new }) => format!("{old} is {}", new.join(", ")),
                Err(Conflict::Unknown { new, was }) => format!("{new} was {was}"),
            };
            assert_eq!(found, expected, "{old} to {new}");
        }
    }
}
