//! Conversions of enums: a value is taken apart into its fields, and put together of the new ones.

use crate::convert::context::Context;
use crate::convert::copy::Scratch;
use crate::convert::failure::Failure;
use crate::convert::run::{self, Outcome};
use crate::convert::{Branch, Conversion, How, Index, Making, undo};
use crate::migrate::schema::Choice;

fn parts(conversion: &Conversion) -> Option<(&'static Choice, &'static Choice, &[Branch])> {
    match &conversion.how {
        How::Choice { old, new, branches } => Some((*old, *new, branches)),
        _ => None,
    }
}

/// Makes a new value.
///
/// # Safety
///
/// That of [`run::convert`], for a conversion of enums.
pub(crate) unsafe fn convert(
    context: &mut Context<'_>,
    index: Index,
    old: *const u8,
    new: *mut u8,
) -> Outcome {
    let conversion: &Conversion = context.conversions.get(index);
    let Some((from, to, branches)) = parts(conversion) else {
        return Ok(());
    };
    let mut fields = Vec::new();
    // SAFETY: a value of the old enum is at `old`.
    let variant = unsafe { (from.project)(old, &mut fields) };
    let branch = &branches[variant as usize];
    let Some(variant) = branch.variant else {
        let reason = format!(
            "a value is of the variant `{}`, which is no more",
            branch.name
        );
        return Err(Failure::new((conversion.new.name)(), reason));
    };
    let mut scratch = Scratch::new(branch.room);
    let room = scratch.start();
    let mut made = Vec::with_capacity(branch.parts.len());
    for (number, part) in branch.parts.iter().enumerate() {
        let old_field = fields.get(part.from).copied().unwrap_or(old);
        let Some((by, offset)) = part.made else {
            made.push(old_field);
            continue;
        };
        // SAFETY: `project` told where the field is, and the room has a place for the new one.
        let outcome = unsafe {
            let place = room.add(offset);
            made.push(place.cast_const());
            run::make(context, by, old_field, place, conversion)
        };
        if let Err(failure) = outcome {
            // SAFETY: the parts before this one have been made.
            unsafe { discard_parts(context, branch, number, &made) };
            return Err(failure.within(part.field));
        }
    }
    // SAFETY: each part is a value of the new field's type, and moves.
    unsafe { (to.build)(variant, &made, new) };
    context.drops(&branch.dropped, |field| fields[field.at]);
    Ok(())
}

unsafe fn discard_parts(
    context: &mut Context<'_>,
    branch: &Branch,
    count: usize,
    places: &[*const u8],
) {
    for (part, place) in branch.parts[..count].iter().zip(places) {
        if let Some((by, _)) = part.made {
            // SAFETY: the part was made so, at this place.
            unsafe { undo::discard_made(context, by, place.cast_mut()) };
        }
    }
}

/// Takes apart an assembled value.
///
/// # Safety
///
/// That of [`undo::discard`], for a conversion of enums.
pub(crate) unsafe fn discard(context: &mut Context<'_>, index: Index, new: *mut u8) {
    let Some((_, to, branches)) = parts(context.conversions.get(index)) else {
        return;
    };
    let mut fields = Vec::new();
    // SAFETY: a value of the new enum is at `new`.
    let variant = unsafe { (to.project)(new, &mut fields) };
    // No two old variants become one, so this is the branch that made it.
    let branch = branches
        .iter()
        .find(|branch| branch.variant == Some(variant));
    if let Some(branch) = branch {
        // SAFETY: all of its parts were made.
        unsafe { discard_parts(context, branch, branch.parts.len(), &fields) };
    }
}

/// Takes apart an old value.
///
/// # Safety
///
/// That of [`undo::release`], for a conversion of enums.
pub(crate) unsafe fn release(context: &mut Context<'_>, index: Index, old: *mut u8) {
    let Some((from, _, branches)) = parts(context.conversions.get(index)) else {
        return;
    };
    let mut fields = Vec::new();
    // SAFETY: a value of the old enum is at `old`.
    let variant = unsafe { (from.project)(old, &mut fields) };
    let branch = &branches[variant as usize];
    for part in &branch.parts {
        if let Some((Making::Conversion(inner), _)) = part.made {
            // SAFETY: another value was made of this field.
            unsafe { undo::release(context, inner, fields[part.from].cast_mut()) };
        }
    }
    for field in &branch.dropped {
        // SAFETY: nothing took this field over.
        context.drop_quietly(|| unsafe { (field.destructor)(fields[field.at].cast_mut()) });
    }
}
