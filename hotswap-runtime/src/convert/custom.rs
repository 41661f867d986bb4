//! Conversions of containers of the user's: elements are listed there, changed, and a container is built
//! of them here.

use crate::convert::context::Context;
use crate::convert::copy::Block;
use crate::convert::entries::PART_NAMES;
use crate::convert::failure::Failure;
use crate::convert::run::{self, Outcome};
use crate::convert::{Conversion, EntryPart, How, Index, Room, undo};
use crate::migrate::container::{Custom, Listed};
use crate::migrate::maps::Entry;
use crate::migrate::schema::Schema;

fn parts(conversion: &Conversion) -> Option<(&'static Custom, &'static Custom, &[EntryPart])> {
    match &conversion.how {
        How::Custom { old, new, parts } => Some((*old, *new, parts)),
        _ => None,
    }
}

/// Makes a new container.
///
/// # Safety
///
/// That of [`run::convert`], for a conversion of such containers.
pub(crate) unsafe fn convert(
    context: &mut Context<'_>,
    index: Index,
    old: *const u8,
    new: *mut u8,
) -> Outcome {
    let conversion: &Conversion = context.conversions.get(index);
    let Some((from, to, parts)) = parts(conversion) else {
        return Ok(());
    };
    if context.behind_shared > 0 {
        // Its elements are listed by whoever has it alone. Whether somebody else has a reference is
        // known only at the end.
        let reason = "a container of the program's own can't be changed behind an `Rc` or `Arc`";
        return Err(Failure::new((conversion.new.name)(), reason));
    }
    // SAFETY: a container of the old type is at `old`, which nobody else has.
    let listed = unsafe { list(context, from, conversion.old, old.cast_mut())? };
    let mut room = Room::NONE;
    let offsets: Vec<usize> = parts
        .iter()
        .map(|part| match part.by {
            Some(_) => room.add(part.size, part.align),
            None => 0,
        })
        .collect();
    let stride = room.size.next_multiple_of(room.align);
    let count = listed.elements.len();
    let Some(block) = Block::new(stride, room.align, count) else {
        return Err(Failure::new(
            (conversion.new.name)(),
            "has too many elements",
        ));
    };
    let mut made: Vec<Entry> = Vec::with_capacity(count);
    for (number, entry) in listed.elements.iter().enumerate() {
        let room = block.start.wrapping_add(number * stride);
        // SAFETY: the element's parts are of their old types, and the block has room for each new one.
        let outcome = unsafe { element(context, parts, *entry, (room, &offsets)) };
        match outcome {
            Ok(entry) => made.push(entry),
            Err(failure) => {
                // SAFETY: these have been made.
                unsafe { discard_all(context, parts, &made) };
                return Err(failure.within(format!("[{number}]")));
            }
        }
    }
    let releases = needs(context, parts, |conversion| conversion.releases);
    let old_elements = listed.elements;
    let listed = Listed {
        elements: made,
        numbers: listed.numbers,
        rest: listed.rest,
    };
    // SAFETY: the elements are of the new type; they move unless this fails or panics.
    let built = context.call(conversion.new.name, || unsafe { (to.build)(&listed, new) });
    let built = built
        .and_then(|built| built.map_err(|reason| Failure::new((conversion.new.name)(), reason)));
    if built.is_err() {
        // SAFETY: they have been made, and are in no container.
        unsafe { discard_all(context, parts, &listed.elements) };
    } else if releases {
        context.listed.insert((old.addr(), index), old_elements);
    }
    built
}

/// Asks a container what is in it. It lends the container alone to the user's function.
///
/// # Safety
///
/// A container is there, and nobody else uses it.
unsafe fn list(
    context: &mut Context<'_>,
    custom: &Custom,
    schema: &Schema,
    container: *mut u8,
) -> Result<Listed, Box<Failure>> {
    let progress = context.progress;
    progress.lend_alone(true);
    // SAFETY: the caller's promise.
    let listed = context.call(schema.name, || unsafe { (custom.list)(container) });
    progress.lend_alone(false);
    listed
}

/// Makes the parts of an element that change, all or none, and tells where all are.
unsafe fn element(
    context: &mut Context<'_>,
    parts: &[EntryPart],
    entry: Entry,
    (room, offsets): (*mut u8, &[usize]),
) -> Result<Entry, Box<Failure>> {
    let mut made = entry;
    for (number, part) in parts.iter().enumerate() {
        let Some(by) = part.by else { continue };
        // SAFETY: the caller's promise.
        let outcome = unsafe {
            let place = room.add(offsets[number]);
            made[number] = place;
            run::convert(context, by, entry[number], place)
        };
        if let Err(failure) = outcome {
            // SAFETY: the parts before this one have been made.
            unsafe { discard_parts(context, &parts[..number], made) };
            return Err(match parts.len() {
                1 => failure,
                _ => failure.within(PART_NAMES[1][number]),
            });
        }
    }
    Ok(made)
}

unsafe fn discard_parts(context: &mut Context<'_>, parts: &[EntryPart], made: Entry) {
    for (part, place) in parts.iter().zip(made) {
        if let Some(by) = part.by {
            // SAFETY: the part was made by this conversion.
            unsafe { undo::discard(context, by, place.cast_mut()) };
        }
    }
}

unsafe fn discard_all(context: &mut Context<'_>, parts: &[EntryPart], made: &[Entry]) {
    for entry in made {
        // SAFETY: the caller's promise: these were made by the conversion.
        unsafe { discard_parts(context, parts, *entry) };
    }
}

/// Takes apart an assembled container.
///
/// # Safety
///
/// That of [`undo::discard`], for a conversion of such containers.
pub(crate) unsafe fn discard(context: &mut Context<'_>, index: Index, new: *mut u8) {
    let Some((_, to, parts)) = parts(context.conversions.get(index)) else {
        return;
    };
    let any = needs(context, parts, |conversion| conversion.discards);
    // SAFETY: a container of the new type is there, whose elements were made so. Taking it away drops
    // none of them.
    unsafe {
        if any {
            for entry in list_quietly(context, to, new) {
                discard_parts(context, parts, entry);
            }
        }
        context.drop_quietly(|| (to.release)(new));
    }
}

/// Takes apart an old container.
///
/// # Safety
///
/// That of [`undo::release`], for a conversion of such containers.
pub(crate) unsafe fn release(context: &mut Context<'_>, index: Index, old: *mut u8) {
    let Some((from, _, parts)) = parts(context.conversions.get(index)) else {
        return;
    };
    // SAFETY: a container of the old type is there, and others were made of its elements, which were
    // listed for that. Taking it away drops none of them.
    unsafe {
        for entry in context
            .listed
            .remove(&(old.addr(), index))
            .unwrap_or_default()
        {
            for (part, place) in parts.iter().zip(entry) {
                if let Some(by) = part.by {
                    undo::release(context, by, place.cast_mut());
                }
            }
        }
        context.drop_quietly(|| (from.release)(old));
    }
}

fn needs(context: &Context<'_>, parts: &[EntryPart], is_it: fn(&Conversion) -> bool) -> bool {
    let conversions = context.conversions;
    let mut by = parts.iter().filter_map(|part| part.by);
    by.any(|by| is_it(conversions.get(by)))
}

/// What is in a container, where it is too late for a panic to stop anything: nothing then.
unsafe fn list_quietly(
    context: &mut Context<'_>,
    custom: &Custom,
    container: *mut u8,
) -> Vec<Entry> {
    let mut listed = Listed::default();
    // SAFETY: the caller's promise.
    context.drop_quietly(|| listed = unsafe { (custom.list)(container) });
    listed.elements
}
