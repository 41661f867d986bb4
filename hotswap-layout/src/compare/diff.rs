//! The differences of one pair of nodes, field by field, without those of what they refer to.

use crate::graph::{Item, Kind, MAX_DEPTH, NONE, Role};
use crate::program::{Place, Program};

/// A difference of two nodes.
#[derive(Debug)]
struct Difference {
    text: String,
    /// Something was added, removed, renamed or retyped; otherwise it only moved, as it does when something else grew.
    structural: bool,
}

/// Two nodes that stand at the same place of two nodes.
#[derive(Clone, Debug)]
pub(super) struct Child {
    pub(super) old: Place,
    pub(super) new: Place,
    pub(super) step: String,
}

impl Child {
    /// A pair that no item of a node leads to.
    pub(super) fn of_method(old: Place, new: Place, step: String) -> Child {
        Child { old, new, step }
    }
}

/// What differs in a pair of nodes, and where to go from there.
#[derive(Debug, Default)]
pub(super) struct Own {
    differences: Vec<Difference>,
    pub(super) children: Vec<Child>,
    /// For a pointer to a trait object: the words of its vtable, where their number changed.
    pub(super) vtable_words: Option<(String, String)>,
    /// A part that lies inside differs by itself: what moved here is its consequence.
    differs_inside: bool,
}

impl Own {
    /// True if this pair has a difference of its own and does not merely follow from one inside.
    pub(super) fn is_cause(&self) -> bool {
        self.differences
            .iter()
            .any(|difference| difference.structural)
            || (!self.differences.is_empty() && !self.differs_inside)
    }

    pub(super) fn texts(&self) -> Vec<String> {
        self.differences
            .iter()
            .map(|difference| difference.text.clone())
            .collect()
    }

    fn structural(&mut self, text: String) {
        self.differences.push(Difference {
            text,
            structural: true,
        });
    }

    fn moved(&mut self, text: String) {
        self.differences.push(Difference {
            text,
            structural: false,
        });
    }
}

/// Compares a pair whose names are known to be equal.
pub(super) fn own(old: &Program, new: &Program, old_place: Place, new_place: Place) -> Own {
    let mut pair = Pair {
        old,
        new,
        own: Own::default(),
    };
    pair.nodes(old_place, new_place);
    pair.own
}

struct Pair<'a> {
    old: &'a Program,
    new: &'a Program,
    own: Own,
}

impl Pair<'_> {
    fn nodes(&mut self, old_place: Place, new_place: Place) {
        let old = self.old.object(old_place).node(old_place.node);
        let new = self.new.object(new_place).node(new_place.node);
        if old.kind != new.kind {
            self.own
                .structural(format!("{} became {}", kind(old.kind), kind(new.kind)));
        }
        self.items(old_place, new_place, "");
        if let (Some(before), Some(after)) = (old.size, new.size)
            && before != after
        {
            self.own.moved(format!("size: {before} bytes, now {after}"));
        }
        if old.align != new.align {
            self.own
                .moved(format!("alignment: {} bytes, now {}", old.align, new.align));
        }
    }

    fn items(&mut self, old_place: Place, new_place: Place, prefix: &str) {
        let (old_types, new_types) = (self.old.object(old_place), self.new.object(new_place));
        let (before, after) = (
            old_types.items(old_place.node),
            new_types.items(new_place.node),
        );
        let mut matched = vec![false; after.len()];
        for (position, item) in before.iter().enumerate() {
            let label = label(item, old_types.name(item.name));
            // Tuples may repeat a name only by mistake, but closures can capture two fields of one name.
            let found = (0..after.len()).find(|at| {
                let other = &after[*at];
                !matched[*at]
                    && same_part(
                        item,
                        old_types.name(item.name),
                        other,
                        new_types.name(other.name),
                    )
            });
            match found {
                Some(at) => {
                    matched[at] = true;
                    let targets = ((old_place, item), (new_place, &after[at]));
                    let at_top = prefix.is_empty();
                    self.part(
                        &format!("{prefix}{label}"),
                        targets.0,
                        targets.1,
                        at_top.then_some(position),
                    );
                }
                None => self.own.structural(format!("{prefix}{label}: removed")),
            }
        }
        for (item, _) in after.iter().zip(&matched).filter(|(_, matched)| !**matched) {
            let label = label(item, new_types.name(item.name));
            let what = if item.role == Role::Field {
                format!(
                    ": added (`{}` at offset {})",
                    new_types.identity(item.target),
                    item.value
                )
            } else {
                ": added".to_owned()
            };
            self.own.structural(format!("{prefix}{label}{what}"));
        }
    }

    /// `position` is that of an item of the pair itself, and nothing for one of a variant.
    fn part(
        &mut self,
        label: &str,
        old: (Place, &Item),
        new: (Place, &Item),
        position: Option<usize>,
    ) {
        let ((old_place, before), (new_place, after)) = (old, new);
        self.values(label, before, after);
        let (old_target, new_target) = (old_place.at(before.target), new_place.at(after.target));
        if old_target.node == NONE && new_target.node == NONE {
            return;
        }
        let (old_types, new_types) = (self.old.object(old_place), self.new.object(new_place));
        let known = old_target.node != NONE && new_target.node != NONE;
        let deep_equal = known && self.old.deep(old_target) == self.new.deep(new_target);
        if !deep_equal {
            let (old_name, new_name) = (
                old_types.identity(old_target.node),
                new_types.identity(new_target.node),
            );
            let is_vtable = |name: &str| name.starts_with("&[usize; ");
            if old_name != new_name
                && label.ends_with("`vtable`")
                && is_vtable(&old_name)
                && is_vtable(&new_name)
            {
                self.own.vtable_words = Some((old_name, new_name));
                return;
            }
            if !known || old_name != new_name {
                return self
                    .own
                    .structural(format!("{label}: type `{old_name}`, now `{new_name}`"));
            }
        }
        if position.is_some() && matches!(before.role, Role::Variant | Role::OtherVariant) {
            return self.items(old_target, new_target, &format!("{label}, "));
        }
        self.own.differs_inside |= before.role.is_by_value()
            && !deep_equal
            && differs_inside((self.old, self.new), (old_target, new_target), 0);
        let step = step(before, old_types.name(before.name));
        self.own.children.push(Child {
            old: old_target,
            new: new_target,
            step,
        });
    }

    fn values(&mut self, label: &str, before: &Item, after: &Item) {
        if before.role != after.role {
            return self.own.moved(format!("{label}: another way to tell it"));
        }
        if before.value == after.value {
            return;
        }
        let (old, new) = (before.value, after.value);
        let text = match before.role {
            Role::Field | Role::Tag => format!("{label}: offset {old}, now {new}"),
            Role::Variant => format!("{label}: tag {old}, now {new}"),
            Role::Enumerator => format!("{label}: value {old}, now {new}"),
            Role::Element => format!("{old} elements, now {new}"),
            _ => return,
        };
        self.own.moved(text);
    }
}

/// True if two nodes differ in what lies in them by value. That is a tree, so this ends, and at its lowest difference there
/// is a pair that differs by itself.
fn differs_inside(programs: (&Program, &Program), places: (Place, Place), depth: u32) -> bool {
    let ((old, new), (old_place, new_place)) = (programs, places);
    if depth > MAX_DEPTH || old.deep(old_place) == new.deep(new_place) {
        return false;
    }
    if old.shallow(old_place) != new.shallow(new_place) {
        return true;
    }
    let (old_types, new_types) = (old.object(old_place), new.object(new_place));
    // Equal shallow hashes mean that the items correspond.
    let items = old_types
        .items(old_place.node)
        .iter()
        .zip(new_types.items(new_place.node));
    items
        .filter(|(before, after)| before.target != NONE && after.target != NONE)
        .any(|(before, after)| {
            let targets = (old_place.at(before.target), new_place.at(after.target));
            let renamed = || old_types.identity(before.target) != new_types.identity(after.target);
            old.deep(targets.0) != new.deep(targets.1)
                && (renamed()
                    || (before.role.is_by_value() && differs_inside(programs, targets, depth + 1)))
        })
}

/// True if two items are the same part: by name where they have one, else by what they are and where they stand.
fn same_part(old: &Item, old_name: &str, new: &Item, new_name: &str) -> bool {
    let is_variant = |role| matches!(role, Role::Variant | Role::OtherVariant);
    match old.role {
        Role::Variant | Role::OtherVariant => is_variant(new.role) && old_name == new_name,
        Role::Field | Role::Enumerator => new.role == old.role && old_name == new_name,
        Role::Argument | Role::Parameter => new.role == old.role && old.value == new.value,
        Role::Tag | Role::Element | Role::Pointee | Role::Result => new.role == old.role,
    }
}

fn label(item: &Item, name: &str) -> String {
    match item.role {
        Role::Field => format!("field `{}`", field_name(name)),
        Role::Variant | Role::OtherVariant | Role::Enumerator => format!("variant `{name}`"),
        Role::Tag => "tag".to_owned(),
        Role::Argument => format!("type argument `{name}`"),
        Role::Element => "elements".to_owned(),
        Role::Pointee => "what it points at".to_owned(),
        Role::Parameter => format!("argument {}", item.value),
        Role::Result => "result".to_owned(),
    }
}

/// Fields of tuples are called `__0` in debug information.
pub(crate) fn field_name(name: &str) -> &str {
    match name.strip_prefix("__") {
        Some(number) if !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit()) => {
            number
        }
        _ => name,
    }
}

fn step(item: &Item, name: &str) -> String {
    match item.role {
        Role::Field => format!(".{}", field_name(name)),
        Role::Argument if name.is_empty() => format!("<{}>", item.value),
        Role::Argument => format!("<{name}>"),
        Role::Element => "[]".to_owned(),
        Role::Pointee => "*".to_owned(),
        Role::Parameter => format!("(argument {})", item.value),
        Role::Result => "(result)".to_owned(),
        Role::Variant | Role::OtherVariant | Role::Enumerator => format!("::{name}"),
        Role::Tag => "(tag)".to_owned(),
    }
}

pub(super) fn kind(kind: Kind) -> &'static str {
    match kind {
        Kind::Base => "a base type",
        Kind::Pointer => "a pointer",
        Kind::Struct => "a struct or an enum with data",
        Kind::Union => "a union",
        Kind::Array => "an array",
        Kind::Enumeration => "an enum without data",
        Kind::Function => "a function",
        Kind::Unknown => "something unknown",
    }
}
