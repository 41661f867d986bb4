//! Layouts of nodes for people.

use super::diff;
use crate::finding::Layout;
use crate::graph::{Item, NONE, ObjectTypes, Role};
use crate::program::{Place, Program};

/// The layout of a node, one line for each part.
pub(crate) fn of(program: &Program, place: Place) -> Layout {
    let types = program.object(place);
    let node = types.node(place.node);
    let mut lines = Vec::new();
    for item in types.items(place.node) {
        part(types, item, "", &mut lines);
    }
    Layout {
        name: types.full_name(place.node),
        size: node.size,
        align: node.align,
        lines,
    }
}

fn part(types: &ObjectTypes, item: &Item, indent: &str, lines: &mut Vec<String>) {
    let name = types.name(item.name);
    let target = || types.full_name(item.target);
    match item.role {
        Role::Field => {
            let size = (item.target != NONE)
                .then(|| types.node(item.target).size)
                .flatten()
                .map_or_else(String::new, |size| match size {
                    1 => ", 1 byte".to_owned(),
                    _ => format!(", {size} bytes"),
                });
            let name = diff::field_name(name);
            lines.push(format!(
                "{indent}{:>4}  {name}: {}{size}",
                item.value,
                target()
            ));
        }
        Role::Tag => lines.push(format!("{indent}{:>4}  tag: {}", item.value, target())),
        Role::Variant | Role::OtherVariant => {
            let tag = if item.role == Role::Variant {
                format!(" = {}", item.value)
            } else {
                String::new()
            };
            lines.push(format!("{indent}{name}{tag}"));
            if item.target != NONE {
                let deeper = format!("{indent}  ");
                for field in types.items(item.target) {
                    part(types, field, &deeper, lines);
                }
            }
        }
        Role::Enumerator => lines.push(format!("{indent}{name} = {}", item.value)),
        Role::Parameter => lines.push(format!("{indent}argument {}: {}", item.value, target())),
        Role::Result => lines.push(format!("{indent}result: {}", target())),
        Role::Argument | Role::Element | Role::Pointee => {}
    }
}
