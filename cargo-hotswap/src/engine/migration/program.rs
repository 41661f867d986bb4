//! What the program is told of cells: where they and the functions for them are, and the plans.

use anyhow::Result;
use hotswap_layout::Descriptions;
use hotswap_layout::migrate;
use hotswap_layout::report::type_name;
use hotswap_object::Binding;
use hotswap_protocol::state;

use super::{Known, Next, Plan};
use crate::cells;
use crate::host::Host;
use crate::image::Linked;
use crate::image::state::State;

/// What the program is told of cells.
#[derive(Debug)]
pub struct ForProgram {
    /// The host's.
    pub base: Vec<state::Cell>,
    /// Those that code of the image uses.
    pub image: Vec<state::Cell>,
    /// The host's functions that make whole values.
    pub base_functions: Vec<state::Function>,
    /// Those of the image.
    pub image_functions: Vec<state::Function>,
    /// What becomes of their values.
    pub migration: state::Migration,
    /// And how they get back.
    pub back: state::Back,
}

/// What the program is told of a plan, whose code is in this image, and of the way back. `next` is what
/// is known of that code.
///
/// # Errors
///
/// The image is damaged.
pub fn for_program(
    (plan, next): (&Plan, &Known),
    back: state::Back,
    host: &Host,
    linked: Option<&Linked>,
    state: &State,
) -> Result<ForProgram> {
    Ok(ForProgram {
        base: base_cells(host),
        image: match linked {
            Some(linked) => image_cells(&plan.cells, linked, state)?,
            None => Vec::new(),
        },
        base_functions: functions(&host.descriptions, |symbol| {
            host.symbols.symbols.get(symbol).map(|it| it.address)
        }),
        image_functions: match linked {
            Some(linked) => image_functions(&next.descriptions, linked)?,
            None => Vec::new(),
        },
        migration: plan.migration.clone(),
        back,
    })
}

/// The cells of an executable, as its program is told of them.
pub fn base_cells(host: &Host) -> Vec<state::Cell> {
    let address = |symbol: &String| host.symbols.symbols.get(symbol).map(|it| it.address);
    let cells = host.cells.iter().map(|facts| state::Cell {
        path: facts.path.clone(),
        layout: facts.fingerprint.clone(),
        type_name: type_name(&facts.type_name),
        handle: address(&facts.symbol),
        schema: facts.schema.as_ref().and_then(address),
        init: facts.init.as_ref().and_then(address),
    });
    cells.collect()
}

/// The functions of a version that make whole values, of those that a file has.
fn functions(
    descriptions: &Descriptions,
    address: impl Fn(&str) -> Option<u64>,
) -> Vec<state::Function> {
    let functions = descriptions.function_symbols().filter_map(|symbol| {
        Some(state::Function {
            symbol: symbol.to_owned(),
            address: address(symbol)?,
        })
    });
    functions.collect()
}

fn image_functions(descriptions: &Descriptions, linked: &Linked) -> Result<Vec<state::Function>> {
    let addresses = cells::addresses(&linked.bytes, descriptions.function_symbols())?;
    Ok(functions(descriptions, |symbol| {
        addresses.get(symbol).copied()
    }))
}

fn image_cells(cells: &[Next], linked: &Linked, state: &State) -> Result<Vec<state::Cell>> {
    let symbols = cells.iter().flat_map(|next| {
        let facts = &next.facts;
        let functions = facts.init.iter().chain(&facts.schema);
        functions.chain([&facts.symbol]).map(String::as_str)
    });
    let addresses = cells::addresses(&linked.bytes, symbols)?;
    let address = |symbol: &String| addresses.get(symbol.as_str()).copied();
    let cell = |Next { facts, layout }: &Next| {
        let brought = state.bindings.symbols.get(&facts.symbol) == Some(&Binding::Image);
        state::Cell {
            path: facts.path.clone(),
            layout: layout.clone(),
            type_name: type_name(&facts.type_name),
            handle: address(&facts.symbol).filter(|_| brought),
            schema: facts.schema.as_ref().and_then(address),
            init: facts.init.as_ref().and_then(address),
        }
    };
    Ok(cells.iter().map(cell).collect())
}

pub(super) fn of_type(change: migrate::TypeChange, offset: u32) -> state::TypeChange {
    let how = match change.how {
        migrate::How::Fields(fields) => state::How::Fields(of_fields(fields, offset)),
        migrate::How::Variants(variants) => {
            let variants = variants.into_iter().map(|variant| state::VariantChange {
                old: variant.old,
                new: variant.new,
                fields: of_fields(variant.fields, offset),
                with: variant.with,
            });
            state::How::Variants(variants.collect())
        }
        migrate::How::Elements(elements) => {
            let elements = elements.into_iter();
            state::How::Elements(elements.map(|it| it.map(|at| at + offset)).collect())
        }
        migrate::How::Whole(whole) => state::How::Whole(of_whole(whole)),
    };
    state::TypeChange {
        old: type_name(&change.old),
        new: type_name(&change.new),
        old_size: change.old_size,
        new_size: change.new_size,
        how,
    }
}

fn of_whole(whole: migrate::Whole) -> state::Whole {
    let takes = whole.takes.into_iter().map(|taken| match taken {
        migrate::Taken::Nothing => state::Taken::Nothing,
        migrate::Taken::Value => state::Taken::Value,
        migrate::Taken::Field { name, offset } => state::Taken::Field { name, offset },
        migrate::Taken::OfVariant { variant, name } => state::Taken::OfVariant { variant, name },
    });
    state::Whole {
        function: whole.function,
        takes: takes.collect(),
        parts: whole.parts.map(|parts| {
            let parts = parts.into_iter().map(|part| state::MovedPart {
                from: part.from,
                to: part.to,
                bytes: part.bytes,
            });
            parts.collect()
        }),
    }
}

fn of_fields(fields: migrate::Fields, offset: u32) -> state::Fields {
    let source = |source| match source {
        migrate::Source::Same { from } => state::Source::Same { from },
        migrate::Source::Changed { from, by } => state::Source::Changed {
            from,
            by: by + offset,
        },
        migrate::Source::Default => state::Source::Default,
        migrate::Source::With { from } => state::Source::With { from },
        migrate::Source::Back { from } => state::Source::Back { from },
    };
    let new = fields.new.into_iter().map(|field| state::FieldChange {
        name: field.name,
        source: source(field.source),
    });
    state::Fields {
        new: new.collect(),
        removed: fields.removed,
    }
}
