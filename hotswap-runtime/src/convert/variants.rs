//! Conversions of enums: a value is taken apart into its fields, and put together of the new ones, or made of
//! the old ones by a function of the user's.

use crate::convert::context::Context;
use crate::convert::copy::Scratch;
use crate::convert::failure::Failure;
use crate::convert::run::{self, Outcome};
use crate::convert::{Branch, Conversion, How, Index, Making, undo};
use crate::migrate::code_change::{Ask, Lent, Old, Run, Told};
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
    if let Some(run) = branch.by {
        by_function(context, conversion, (run, &fields), new)?;
        // SAFETY: the function has made a value of the new enum, which nobody uses if it is no good.
        let made = unsafe {
            let made = (to.project)(new, &mut Vec::new());
            if made != variant {
                undo::drop_whole(context, conversion.new, new);
            }
            made
        };
        if made != variant {
            return Err(other_variant(conversion, to, made, variant));
        }
        context.drops(&branch.dropped, |field| fields[field.at]);
        return Ok(());
    }
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

/// Has a function make the new value of these fields.
fn by_function(
    context: &mut Context<'_>,
    conversion: &Conversion,
    (run, fields): (Run, &[*const u8]),
    new: *mut u8,
) -> Outcome {
    let name = conversion.new.name;
    let lent: Vec<Option<*const u8>> = fields.iter().copied().map(Some).collect();
    let versions = context.conversions.versions;
    let told = context.call(name, || {
        run(Ask::Run {
            old: Old {
                variant: None,
                from: versions.from,
                to: versions.to,
            },
            lent: Lent { fields: &lent },
            new,
        })
    })?;
    match told {
        Told::Made => Ok(()),
        Told::Failed(reason) => Err(Failure::new(name(), reason)),
        Told::Types { .. } => Err(Failure::new(name(), "its function did nothing")),
    }
}

/// Why a function's value is not taken: a value tells by its variant how it was made.
fn other_variant(conversion: &Conversion, of: &Choice, made: u32, expected: u32) -> Box<Failure> {
    let name = |number: u32| of.variants[number as usize].name;
    let (made, expected) = (name(made), name(expected));
    let reason =
        format!("the function for variant `{expected}` made a value of the variant `{made}`");
    Failure::new((conversion.new.name)(), reason)
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
    let conversion = context.conversions.get(index);
    let Some((_, to, branches)) = parts(conversion) else {
        return;
    };
    let mut fields = Vec::new();
    // SAFETY: a value of the new enum is at `new`. No two old variants become one, so its variant tells the branch
    // that made it: all of its parts, or a function all of it.
    unsafe {
        let variant = (to.project)(new, &mut fields);
        let made_it = |branch: &&Branch| branch.variant == Some(variant);
        match branches.iter().find(made_it) {
            Some(branch) if branch.by.is_some() => undo::drop_whole(context, conversion.new, new),
            Some(branch) => discard_parts(context, branch, branch.parts.len(), &fields),
            None => {}
        }
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
