//! Assembles new values beside the old ones.
//!
//! A function here either makes its whole value, or fails and leaves nothing of it. The old value is
//! only read; what moves is in both until one of them is taken apart.

use crate::convert::context::Context;
use crate::convert::copy::{Block, Scratch};
use crate::convert::failure::Failure;
use crate::convert::{Conversion, How, Index, Making, Room, parallel, undo};
use crate::migrate::hook::{Answer, Hook, Request};
use crate::migrate::schema::Maker;
use crate::migrate::sequence::Sequence;

/// What comes of making a value.
pub(crate) type Outcome = Result<(), Box<Failure>>;

/// What stopped the making of values in a row: for which of them, and why.
pub(crate) type Stopped = (usize, Box<Failure>);

/// The failure as seen from the container, whose elements before these are so many.
fn of_element(before: usize) -> impl Fn(Stopped) -> Box<Failure> {
    move |(number, failure)| failure.within(format!("[{}]", before + number))
}

/// Makes the new value of an old one.
///
/// # Safety
///
/// A value of the conversion's old type is at `old`, which nobody changes meanwhile; `new` is good for
/// writing a value of its new type. After success, one of the two must be taken apart by
/// [`undo::discard`] or [`undo::release`] before the other is used as a value.
pub(crate) unsafe fn convert(
    context: &mut Context<'_>,
    index: Index,
    old: *const u8,
    new: *mut u8,
) -> Outcome {
    let conversion: &Conversion = context.conversions.get(index);
    // SAFETY: the caller's promise, for what the schemas and `resolve` tell of both types.
    unsafe {
        match &conversion.how {
            How::Record(_) => super::records::convert(context, index, (old, 1), new)
                .map_err(|(_, failure)| failure)?,
            How::Choice { .. } => super::variants::convert(context, index, old, new)?,
            How::Array { len, element } => {
                parallel::elements(context, *element, (old, *len), new).map_err(of_element(0))?;
            }
            How::Boxed(element) => {
                context.deeper(index, |context| boxed(context, *element, old, new))?;
            }
            How::Sequence {
                old: from,
                new: to,
                element,
            } => context.deeper(index, |context| {
                sequence(context, *element, (from, old), (to, new))
            })?,
            How::Cellular { .. } => cellular(context, index, old, new)?,
            How::Shared { .. } => {
                context.deeper(index, |context| {
                    super::shared::convert(context, index, old, new)
                })?;
            }
            How::Entries { .. } => {
                context.deeper(index, |context| {
                    super::entries::convert(context, index, old, new)
                })?;
            }
            How::Pieces { .. } => {
                context.deeper(index, |context| {
                    super::pieces::convert(context, index, old, new)
                })?;
            }
            How::Custom { .. } => {
                context.deeper(index, |context| {
                    super::custom::convert(context, index, old, new)
                })?;
            }
            How::Whole(_) => super::whole::convert(context, index, old, new)?,
        }
    }
    context.values += 1;
    Ok(())
}

/// Makes a field that is not just copied.
///
/// # Safety
///
/// `old` is the address of the field that it is made from, if it is made from one; `new` is good for
/// writing it.
pub(crate) unsafe fn make(
    context: &mut Context<'_>,
    by: Making,
    old: *const u8,
    new: *mut u8,
    owner: &Conversion,
) -> Outcome {
    match by {
        // SAFETY: the caller's promise.
        Making::Conversion(index) => unsafe { convert(context, index, old, new) },
        Making::Default(maker, _) => default(context, maker, new, owner),
        Making::Hook(hook, _) => run_hook(context, hook, old, new, owner),
    }
}

fn default(context: &mut Context<'_>, maker: Maker, new: *mut u8, owner: &Conversion) -> Outcome {
    context.call(owner.new.name, || maker(new))
}

fn run_hook(
    context: &mut Context<'_>,
    hook: Hook,
    old: *const u8,
    new: *mut u8,
    owner: &Conversion,
) -> Outcome {
    let answered = context.call(owner.new.name, || hook(Request::Run { old, new }))?;
    answer(answered).map_err(|reason| Failure::new((owner.new.name)(), reason))
}

/// What a hook has answered to being run.
pub(crate) fn answer(answer: Answer) -> Result<(), String> {
    match answer {
        Answer::Made => Ok(()),
        Answer::Failed(reason) => Err(reason),
        Answer::Types { .. } => Err("its function did nothing".to_owned()),
    }
}

/// Makes elements in a row.
///
/// # Safety
///
/// So many values of the conversion's old type are at `old`, as for [`convert`]; `new` is good for
/// writing as many of its new type.
pub(crate) unsafe fn elements(
    context: &mut Context<'_>,
    index: Index,
    (old, len): (*const u8, usize),
    new: *mut u8,
) -> Result<(), Stopped> {
    let conversion: &Conversion = context.conversions.get(index);
    if let How::Record(_) = conversion.how {
        context.values += len as u64;
        // SAFETY: the caller's promise.
        return unsafe { super::records::convert(context, index, (old, len), new) };
    }
    let (from, to) = (conversion.old.size, conversion.new.size);
    for number in 0..len {
        // SAFETY: the caller's promise, for each of the elements.
        let outcome = unsafe {
            let (old, new) = (old.add(number * from), new.add(number * to));
            convert(context, index, old, new)
        };
        if let Err(failure) = outcome {
            // SAFETY: as many have been made.
            unsafe { undo::discard_elements(context, index, (new, number)) };
            return Err((number, failure));
        }
    }
    Ok(())
}

unsafe fn boxed(
    context: &mut Context<'_>,
    element: Index,
    old: *const u8,
    new: *mut u8,
) -> Outcome {
    let conversion = context.conversions.get(element);
    let Some(block) = Block::new(conversion.new.size, conversion.new.align, 1) else {
        return Err(Failure::new((conversion.new.name)(), "is too large"));
    };
    // SAFETY: a box is the address of its value, and the block is good for the new one.
    unsafe {
        let value = old.cast::<*const u8>().read();
        convert(context, element, value, block.start)?;
        new.cast::<*mut u8>().write(block.into_start());
    }
    Ok(())
}

unsafe fn sequence(
    context: &mut Context<'_>,
    element: Index,
    (from, old): (&Sequence, *const u8),
    (to, new): (&Sequence, *mut u8),
) -> Outcome {
    let conversion = context.conversions.get(element);
    let size = conversion.new.size;
    // SAFETY: a container of the old type is at `old`.
    let [first, second] = unsafe { (from.spans)(old) };
    let len = first.1 + second.1;
    let Some(block) = Block::new(size, conversion.new.align, len) else {
        return Err(Failure::new(
            (conversion.new.name)(),
            "has too many elements",
        ));
    };
    // SAFETY: the spans are elements of the old type, and the block has room for as many new ones.
    // `adopt` gets a buffer made for exactly these.
    unsafe {
        parallel::elements(context, element, first, block.start).map_err(of_element(0))?;
        let rest = block.start.add(first.1 * size);
        if let Err(stopped) = parallel::elements(context, element, second, rest) {
            undo::discard_elements(context, element, (block.start, first.1));
            return Err(of_element(first.1)(stopped));
        }
        (to.adopt)(block.into_start(), len, new);
    }
    Ok(())
}

unsafe fn cellular(
    context: &mut Context<'_>,
    index: Index,
    old: *const u8,
    new: *mut u8,
) -> Outcome {
    let conversion = context.conversions.get(index);
    let How::Cellular {
        old: from,
        new: to,
        element,
    } = &conversion.how
    else {
        return Ok(());
    };
    let inner = context.conversions.get(*element);
    let is_kept = context.behind_others > 0;
    if from.hold.is_some() && !is_kept {
        context.progress.meets_locks(true);
        if context.progress.is_cancelled() {
            return Err(Failure::new((conversion.old.name)(), "took too long"));
        }
    }
    // SAFETY: a cell of the old type is at `old`. Nobody uses it, or it is behind a reference that keeps
    // it there until it is given back.
    let inside = unsafe {
        match from.hold.filter(|_| is_kept) {
            Some(hold) => hold(old).map(|(inside, held)| {
                context.shared.hold(held);
                inside
            }),
            None => (from.peek)(old),
        }
    };
    let inside = inside.map_err(|reason| Failure::new((conversion.old.name)(), reason))?;
    let mut scratch = Scratch::new(Room {
        size: inner.new.size,
        align: inner.new.align,
    });
    let room = scratch.start();
    // SAFETY: the value inside is of the element's old type, and there is room for a new one, which
    // `wrap` moves out of it.
    unsafe {
        convert(context, *element, inside.value, room)?;
        (to.wrap)(room, inside.poisoned, new);
    }
    Ok(())
}
