//! What a type consists of, as far as migrations take it apart.

use crate::graph::{Kind, NONE, Role};
use crate::names;
use crate::program::{Place, Program};

/// The type of a cell, whose first argument is that of the value.
pub(super) const CELL: &str = "hotswap::live::Live";

/// Bytes of a thin pointer.
const POINTER: u64 = 8;

/// Types of the standard library and of the runtime that are taken apart, and how many of their arguments are elements; the rest are
/// allocators and hashers.
const CONTAINERS: [(&str, usize); 18] = [
    ("alloc::vec::Vec", 1),
    ("alloc::collections::vec_deque::VecDeque", 1),
    ("std::collections::hash::map::HashMap", 2),
    ("std::collections::hash::set::HashSet", 1),
    ("alloc::collections::btree::map::BTreeMap", 2),
    ("alloc::collections::btree::set::BTreeSet", 1),
    ("alloc::boxed::Box", 1),
    ("alloc::rc::Rc", 1),
    ("alloc::rc::Weak", 1),
    ("alloc::sync::Arc", 1),
    ("alloc::sync::Weak", 1),
    ("core::option::Option", 1),
    ("core::result::Result", 2),
    ("core::cell::Cell", 1),
    ("core::cell::RefCell", 1),
    ("std::sync::poison::mutex::Mutex", 1),
    ("std::sync::poison::rwlock::RwLock", 1),
    ("hotswap::pieces::Pieces", 1),
];

/// A type taken apart.
#[derive(Clone, Debug)]
pub(super) enum Shape {
    Tuple(Vec<Field>),
    Struct(Vec<Field>),
    Enum(Vec<Variant>),
    Container(Container),
    Array {
        element: Place,
        count: i128,
    },
    /// Without a value, whatever its argument.
    Phantom,
    /// What can't be taken apart, and what it is.
    Whole(&'static str),
}

/// A container or pointer of the standard library, or the runtime's container.
#[derive(Clone, Debug)]
pub(super) struct Container {
    pub(super) elements: Vec<Place>,
    /// Arguments that have to stay as they are.
    pub(super) others: Vec<Place>,
}

/// A field; its type may be missing, which stands for `()`.
#[derive(Clone, Debug)]
pub(super) struct Field {
    pub(super) name: String,
    pub(super) place: Place,
    /// In bytes, from the beginning of the value.
    pub(super) offset: u64,
}

#[derive(Clone, Debug)]
pub(super) struct Variant {
    pub(super) name: String,
    pub(super) fields: Vec<Field>,
}

/// The first type argument of a type.
pub(super) fn argument(program: &Program, place: Place) -> Option<Place> {
    arguments(program, place).into_iter().next()
}

/// All type arguments of a type.
pub(super) fn arguments(program: &Program, place: Place) -> Vec<Place> {
    targets(program, place, Role::Argument)
}

fn targets(program: &Program, place: Place, role: Role) -> Vec<Place> {
    let items = program.object(place).items(place.node).iter();
    let items = items.filter(|item| item.role == role);
    items.map(|item| place.at(item.target)).collect()
}

/// The size of a type in bytes, which debug information leaves to be told for arrays and thin pointers; 0 where it is
/// not known.
pub(super) fn size(program: &Program, place: Place) -> u64 {
    if place.node == NONE {
        return 0;
    }
    let node = program.object(place).node(place.node);
    match (node.size, node.kind) {
        (Some(size), _) => size,
        (None, Kind::Pointer) => POINTER,
        (None, Kind::Array) => match of(program, place) {
            Shape::Array { element, count } => {
                let count = u64::try_from(count).unwrap_or(0);
                size(program, element).saturating_mul(count)
            }
            _ => 0,
        },
        _ => 0,
    }
}

/// Takes a type apart.
pub(super) fn of(program: &Program, place: Place) -> Shape {
    let types = program.object(place);
    let node = types.node(place.node);
    let name = types.name(node.name);
    let path = types.base_path(place.node);
    if node.kind == Kind::Array {
        let element = types.items(place.node).iter();
        let mut element = element.filter(|item| item.role == Role::Element);
        return match element.next() {
            Some(item) => Shape::Array {
                element: place.at(item.target),
                count: item.value,
            },
            None => Shape::Whole("an array of unknown length"),
        };
    }
    match names::shape(name) {
        names::Shape::Pointer(..) => return Shape::Whole("a reference or raw pointer"),
        names::Shape::Function(_) => return Shape::Whole("a function pointer"),
        names::Shape::Whole => return Shape::Whole("a trait object"),
        names::Shape::Bracket('(') if node.kind == Kind::Struct => {
            return Shape::Tuple(fields(program, place));
        }
        names::Shape::Bracket(_) => return Shape::Whole("a slice"),
        names::Shape::Path(_) => {}
    }
    if path == "core::marker::PhantomData" {
        return Shape::Phantom;
    }
    if let Some((_, count)) = CONTAINERS.iter().find(|(known, _)| *known == path) {
        return container(program, place, *count);
    }
    if names::is_unnamed(&path) {
        return Shape::Whole("a closure or future");
    }
    match node.kind {
        Kind::Enumeration => Shape::Enum(c_like(program, place)),
        Kind::Struct if has_variants(program, place) => Shape::Enum(variants(program, place)),
        Kind::Struct => Shape::Struct(fields(program, place)),
        Kind::Union => Shape::Whole("a union"),
        _ => Shape::Whole("a basic type"),
    }
}

/// A container of the standard library with so many kinds of elements.
fn container(program: &Program, place: Place, count: usize) -> Shape {
    let types = program.object(place);
    let full = types.full_name(place.node);
    if names::arguments(&full).take(count).any(is_unsized) {
        return Shape::Whole("a pointer to what has no fixed size");
    }
    let variants = variants(program, place);
    let (mut elements, mut others) = (Vec::new(), Vec::new());
    if !variants.is_empty() {
        // `Option` and `Result` name their arguments in the variants alone.
        let fields = variants.iter().flat_map(|variant| &variant.fields);
        elements.extend(fields.map(|field| field.place));
    } else if types.node(place.node).kind == Kind::Pointer {
        elements = targets(program, place, Role::Pointee);
        others = arguments(program, place);
    } else {
        elements = arguments(program, place);
        others = elements.split_off(count.min(elements.len()));
    }
    match elements.len() == count && count > 0 {
        true => Shape::Container(Container { elements, others }),
        false => Shape::Whole("a container that debug information does not describe"),
    }
}

/// Whether the name of a type argument is that of a type without a fixed size.
fn is_unsized(argument: &str) -> bool {
    let slice = || {
        let inner = argument.strip_prefix('[')?.strip_suffix(']')?;
        let mut depth = 0_i32;
        let counted = inner.bytes().any(|byte| {
            match byte {
                b'<' | b'(' | b'[' => depth += 1,
                b'>' | b')' | b']' => depth -= 1,
                _ => {}
            }
            byte == b';' && depth == 0
        });
        Some(!counted)
    };
    argument == "str" || names::is_trait_object(argument) || slice().unwrap_or(false)
}

fn fields(program: &Program, place: Place) -> Vec<Field> {
    let types = program.object(place);
    let items = types.items(place.node).iter();
    items
        .filter(|item| item.role == Role::Field)
        .map(|item| Field {
            name: crate::compare::field_name(types.name(item.name)).to_owned(),
            place: place.at(item.target),
            offset: u64::try_from(item.value).unwrap_or(0),
        })
        .collect()
}

fn has_variants(program: &Program, place: Place) -> bool {
    let items = program.object(place).items(place.node);
    items
        .iter()
        .any(|item| matches!(item.role, Role::Variant | Role::OtherVariant | Role::Tag))
}

fn variants(program: &Program, place: Place) -> Vec<Variant> {
    let types = program.object(place);
    let items = types.items(place.node).iter();
    items
        .filter(|item| matches!(item.role, Role::Variant | Role::OtherVariant))
        .map(|item| Variant {
            name: types.name(item.name).to_owned(),
            fields: match item.target {
                NONE => Vec::new(),
                target => fields(program, place.at(target)),
            },
        })
        .collect()
}

fn c_like(program: &Program, place: Place) -> Vec<Variant> {
    let types = program.object(place);
    let items = types.items(place.node).iter();
    items
        .filter(|item| item.role == Role::Enumerator)
        .map(|item| Variant {
            name: types.name(item.name).to_owned(),
            fields: Vec::new(),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::is_unsized;

    #[test]
    fn types_without_a_size_are_told_by_name() {
        for (name, expected) in [
            ("[a::T]", true),
            ("[[u8; 3]]", true),
            ("[u8; 3]", false),
            ("[a::T<[u8; 2]>; 3]", false),
            ("str", true),
            ("dyn a::Tr", true),
            ("(dyn a::Tr + core::marker::Send)", true),
            ("alloc::vec::Vec<[u8; 3]>", false),
        ] {
            assert_eq!(is_unsized(name), expected, "{name}");
        }
    }
}
