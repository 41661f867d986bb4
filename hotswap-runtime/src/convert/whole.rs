//! Conversions by a function of the user's that makes the whole new value (`code_change`).
//!
//! It gets fields by reference that both versions have alike. So nothing moves: the new value owns
//! all of itself, and the old one stays whole until it is dropped.

use std::ptr;

use crate::convert::context::Context;
use crate::convert::copy::Scratch;
use crate::convert::failure::Failure;
use crate::convert::run::Outcome;
use crate::convert::{Conversion, How, Index, Room, Take};
use crate::migrate::code_change::{Ask, Lent, Old, Told};

/// Makes a new value.
///
/// # Safety
///
/// That of [`run::convert`](super::run::convert), for a conversion by such a function.
pub(crate) unsafe fn convert(
    context: &mut Context<'_>,
    index: Index,
    old: *const u8,
    new: *mut u8,
) -> Outcome {
    let conversion: &Conversion = context.conversions.get(index);
    let How::Whole(whole) = &conversion.how else {
        return Ok(());
    };
    let mut places = Vec::new();
    // SAFETY: a value of the old type is at `old`.
    let variant = whole
        .old
        .map(|choice| (choice, unsafe { (choice.project)(old, &mut places) }));
    let field = |take: &Take| match *take {
        Take::Nothing => None,
        // `resolve` has seen to it that the field lies within the value.
        Take::At(offset) => Some(old.wrapping_add(offset)),
        Take::Of {
            variant: of,
            number,
        } => {
            let is_it = variant.is_some_and(|(_, variant)| variant == of);
            is_it.then(|| places[number])
        }
    };
    let fields: Vec<_> = whole.takes.iter().map(field).collect();
    let versions = context.conversions.versions;
    let mut scratch = Scratch::new(whole.parts.as_ref().map_or(Room::NONE, |parts| parts.room));
    let made = match whole.parts {
        Some(_) => scratch.start(),
        None => new,
    };
    let told = context.call(conversion.new.name, || {
        (whole.run)(Ask::Run {
            old: Old {
                variant: variant.map(|(choice, variant)| choice.variants[variant as usize].name),
                from: versions.from,
                to: versions.to,
            },
            lent: Lent { fields: &fields },
            new: made,
        })
    })?;
    match told {
        Told::Made => {
            if whole.counted {
                context.dropped.push((old, conversion.old));
            }
            for &(from, to, bytes) in whole.parts.iter().flat_map(|parts| &parts.moves) {
                // SAFETY: `resolve` has seen to it that parts lie within what was made and within the
                // new value, which has room there. They move: what was made is not used again.
                unsafe { ptr::copy_nonoverlapping(made.add(from), new.add(to), bytes) };
            }
            Ok(())
        }
        Told::Failed(reason) => Err(Failure::new((conversion.new.name)(), reason)),
        Told::Types { .. } => {
            let reason = "its function did nothing";
            Err(Failure::new((conversion.new.name)(), reason))
        }
    }
}
