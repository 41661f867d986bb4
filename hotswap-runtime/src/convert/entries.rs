//! Conversions of maps and sets: elements are visited there and inserted here, one by one.

use crate::convert::context::Context;
use crate::convert::copy::Scratch;
use crate::convert::failure::Failure;
use crate::convert::run::{self, Outcome};
use crate::convert::{Conversion, EntryPart, How, Index, Room, undo};
use crate::migrate::maps::{Entries, Entry};

fn parts(conversion: &Conversion) -> Option<(&'static Entries, &'static Entries, &[EntryPart])> {
    match &conversion.how {
        How::Entries { old, new, parts } => Some((*old, *new, parts)),
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
    let mut room = Room::NONE;
    let offsets: Vec<usize> = parts
        .iter()
        .map(|part| room.add(part.size, part.align))
        .collect();
    let mut scratch = Scratch::new(room);
    let room = scratch.start();
    let mut outcome = Ok(());
    // SAFETY: a container of the old type is at `old`, and `new` has room for one of the new. The
    // elements are values of the parts' old types, and the room has a place for each new one.
    unsafe {
        (to.start)((from.len)(old), (from.manner)(old), new);
        (from.visit)(old, &mut |entry| {
            outcome = insert(context, conversion, parts, entry, (room, &offsets), new);
            outcome.is_ok()
        });
        if outcome.is_err() {
            discard(context, index, new);
        }
    }
    outcome
}

unsafe fn insert(
    context: &mut Context<'_>,
    conversion: &Conversion,
    parts: &[EntryPart],
    entry: Entry,
    (room, offsets): (*mut u8, &[usize]),
    new: *mut u8,
) -> Outcome {
    let How::Entries { new: to, .. } = &conversion.how else {
        return Ok(());
    };
    let mut made = entry;
    for (number, part) in parts.iter().enumerate() {
        let Some(by) = part.by else { continue };
        // SAFETY: as in `convert`.
        let outcome = unsafe {
            let place = room.add(offsets[number]);
            made[number] = place;
            run::convert(context, by, entry[number], place)
        };
        if let Err(failure) = outcome {
            // SAFETY: the parts before this one have been made.
            unsafe { discard_parts(context, &parts[..number], made) };
            return Err(failure.within(PART_NAMES[parts.len() - 1][number]));
        }
    }
    // Hashes and comparisons are the user's.
    // SAFETY: the parts are values of the new types; they move unless this panics.
    let inserted = context.call(conversion.new.name, || unsafe { (to.insert)(new, made) });
    let failure = match inserted {
        Ok(true) => return Ok(()),
        Ok(false) => Failure::new(
            (conversion.new.name)(),
            "two elements have become equal, so that one would be lost",
        ),
        Err(failure) => failure,
    };
    // SAFETY: the parts have been made, and are not in the container.
    unsafe { discard_parts(context, parts, made) };
    Err(failure)
}

/// What the parts of an element are called, by how many there are.
pub(crate) const PART_NAMES: [&[&str]; 2] = [&["[element]"], &["[key]", "[value]"]];

unsafe fn discard_parts(context: &mut Context<'_>, parts: &[EntryPart], made: Entry) {
    for (part, place) in parts.iter().zip(made) {
        if let Some(by) = part.by {
            // SAFETY: the part was made by this conversion.
            unsafe { undo::discard(context, by, place.cast_mut()) };
        }
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
    let is_there = |part: &EntryPart| {
        part.by
            .is_some_and(|by| context.conversions.get(by).discards)
    };
    let any = parts.iter().any(is_there);
    // SAFETY: a container of the new type is there, whose elements were made so; it has them
    // wrapped, so that freeing it drops none.
    unsafe {
        if any {
            (to.visit)(new, &mut |entry| {
                discard_parts(context, parts, entry);
                true
            });
        }
        (to.release)(new);
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
    let is_there = |part: &EntryPart| {
        part.by
            .is_some_and(|by| context.conversions.get(by).releases)
    };
    let any = parts.iter().any(is_there);
    // SAFETY: a container of the old type is there, and others were made of its elements; freeing
    // it drops none.
    unsafe {
        if any {
            (from.visit)(old, &mut |entry| {
                for (part, place) in parts.iter().zip(entry) {
                    if let Some(by) = part.by {
                        undo::release(context, by, place.cast_mut());
                    }
                }
                true
            });
        }
        (from.release)(old);
    }
}
