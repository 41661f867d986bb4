//! Takes values apart: assembled ones that shall not be, and old ones that others have followed.
//!
//! Either way only what the value has for itself goes; what moved bit by bit belongs to the other.

use crate::convert::context::Context;
use crate::convert::copy::Block;
use crate::convert::{
    Conversion, How, Index, Making, Record, Step, custom, entries, pieces, variants,
};
use crate::migrate::schema::Schema;

/// Takes apart an assembled value, leaving what belongs to the old one.
///
/// # Safety
///
/// `run::convert` has made the value at `new` by this conversion, and nobody uses it again.
pub(crate) unsafe fn discard(context: &mut Context<'_>, index: Index, new: *mut u8) {
    let conversion: &Conversion = context.conversions.get(index);
    if !conversion.discards {
        return;
    }
    // SAFETY: the caller's promise: each part is one that the conversion has made.
    unsafe {
        match &conversion.how {
            How::Record(record) => discard_steps(context, &record.steps, new),
            How::Choice { .. } => variants::discard(context, index, new),
            How::Array { len, element } => discard_elements(context, *element, (new, *len)),
            How::Boxed(element) => {
                let value = new.cast::<*mut u8>().read();
                discard(context, *element, value);
                let inner = context.conversions.get(*element).new;
                drop(Block::adopt(value, inner.size, inner.align));
            }
            How::Sequence {
                new: to, element, ..
            } => {
                for (start, len) in (to.spans)(new) {
                    discard_elements(context, *element, (start.cast_mut(), len));
                }
                (to.release)(new);
            }
            How::Cellular {
                new: to, element, ..
            } => {
                if let Ok(inside) = (to.peek)(new) {
                    discard(context, *element, inside.value.cast_mut());
                }
            }
            How::Shared { new: to, .. } => (to.release)(new),
            How::Entries { .. } => entries::discard(context, index, new),
            How::Pieces { .. } => pieces::discard(context, index, new),
            How::Custom { .. } => custom::discard(context, index, new),
            How::Whole(_) => drop_whole(context, conversion.new, new),
        }
    }
}

/// Takes apart what steps have made of a struct.
///
/// # Safety
///
/// As for [`discard`], for the fields that these steps make.
pub(crate) unsafe fn discard_steps(context: &mut Context<'_>, steps: &[Step], new: *mut u8) {
    for step in steps {
        if let Step::Make { to, by, .. } = *step {
            // SAFETY: the caller's promise.
            unsafe { discard_made(context, by, new.add(to)) };
        }
    }
}

/// Takes apart a field that was made.
///
/// # Safety
///
/// It was made so, and nobody uses it again.
pub(crate) unsafe fn discard_made(context: &mut Context<'_>, by: Making, field: *mut u8) {
    match by {
        // SAFETY: the caller's promise.
        Making::Conversion(index) => unsafe { discard(context, index, field) },
        Making::Default(_, Some(destructor)) | Making::Hook(_, Some(destructor)) => {
            // SAFETY: the field is a value of its own.
            context.drop_quietly(|| unsafe { destructor(field) });
        }
        Making::Default(_, None) | Making::Hook(_, None) => {}
    }
}

/// Takes apart assembled elements in a row.
///
/// # Safety
///
/// As for [`discard`], for each.
pub(crate) unsafe fn discard_elements(
    context: &mut Context<'_>,
    index: Index,
    (new, len): (*mut u8, usize),
) {
    let conversion = context.conversions.get(index);
    if !conversion.discards {
        return;
    }
    let size = conversion.new.size;
    for number in 0..len {
        // SAFETY: the caller's promise.
        unsafe { discard(context, index, new.add(number * size)) };
    }
}

/// Takes apart an old value, leaving what has moved into the new one.
///
/// # Safety
///
/// `run::convert` has made another value of the one at `old` by this conversion; that one counts now,
/// and nobody uses the old one again.
pub(crate) unsafe fn release(context: &mut Context<'_>, index: Index, old: *mut u8) {
    let conversion: &Conversion = context.conversions.get(index);
    if !conversion.releases {
        return;
    }
    // SAFETY: the caller's promise: what is dropped or freed here has not moved.
    unsafe {
        match &conversion.how {
            How::Record(record) => release_record(context, record, old),
            How::Choice { .. } => variants::release(context, index, old),
            How::Array { len, element } => release_elements(context, *element, (old, *len)),
            How::Boxed(element) => {
                let value = old.cast::<*mut u8>().read();
                release(context, *element, value);
                let inner = context.conversions.get(*element).old;
                drop(Block::adopt(value, inner.size, inner.align));
            }
            How::Sequence {
                old: from, element, ..
            } => {
                for (start, len) in (from.spans)(old) {
                    release_elements(context, *element, (start.cast_mut(), len));
                }
                (from.release)(old);
            }
            How::Cellular {
                old: from, element, ..
            } => {
                if let Ok(inside) = (from.peek)(old) {
                    release(context, *element, inside.value.cast_mut());
                }
            }
            How::Shared { old: from, .. } => (from.release)(old),
            How::Entries { .. } => entries::release(context, index, old),
            How::Pieces { .. } => pieces::release(context, index, old),
            How::Custom { .. } => custom::release(context, index, old),
            How::Whole(_) => drop_whole(context, conversion.old, old),
        }
    }
}

/// Drops a value that shares nothing with another.
///
/// # Safety
///
/// A value of the schema's type is there, and nobody uses it again.
pub(crate) unsafe fn drop_whole(context: &mut Context<'_>, schema: &Schema, value: *mut u8) {
    if let Some(destructor) = schema.drop {
        // SAFETY: the caller's promise.
        context.drop_quietly(|| unsafe { destructor(value) });
    }
}

unsafe fn release_record(context: &mut Context<'_>, record: &Record, old: *mut u8) {
    for step in &record.steps {
        if let Step::Make {
            from,
            by: Making::Conversion(index),
            ..
        } = *step
        {
            // SAFETY: the caller's promise.
            unsafe { release(context, index, old.add(from)) };
        }
    }
    for field in &record.dropped {
        // SAFETY: nothing took this field over.
        context.drop_quietly(|| unsafe { (field.destructor)(old.add(field.at)) });
    }
}

unsafe fn release_elements(context: &mut Context<'_>, index: Index, (old, len): (*mut u8, usize)) {
    let conversion = context.conversions.get(index);
    if !conversion.releases {
        return;
    }
    let size = conversion.old.size;
    for number in 0..len {
        // SAFETY: the caller's promise.
        unsafe { release(context, index, old.add(number * size)) };
    }
}
