//! Conversions of containers in pieces: all elements at once, or each piece when it is first used.

use std::ptr;
use std::sync::Arc;

use crate::convert::context::Context;
use crate::convert::failure::Failure;
use crate::convert::run::{self, Outcome};
use crate::convert::{How, Index, undo};
use crate::pieces::chain::Link;
use crate::pieces::piece::{Body, Changes, ELEMENTS, Piece};

/// The conversion of a piece, and whether it waits until the piece is used.
fn parts(context: &Context<'_>, index: Index) -> Option<(Index, bool)> {
    match context.conversions.get(index).how {
        How::Pieces { piece, lazy } => Some((piece, lazy)),
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
    let Some((piece, lazy)) = parts(context, index) else {
        return Ok(());
    };
    // SAFETY: a container is there, which begins with its body whatever its elements are.
    let body = unsafe { &*old.cast::<Body>() };
    if context.behind_shared > 0 {
        // Whoever has a reference could change pieces meanwhile.
        let reason = "elements of `Pieces` can't be changed behind an `Rc` or `Arc`";
        return Err(Failure::new(context.type_name(index), reason));
    }
    if lazy {
        let conversions = Arc::clone(context.conversions);
        let later = body.later(Link { conversions, piece });
        // SAFETY: there is room for a container. One of the two is forgotten, see below.
        unsafe { ptr::copy_nonoverlapping(&raw const *later, new.cast::<Body>(), 1) };
        return Ok(());
    }
    let mut made: Vec<Piece> = Vec::with_capacity(body.pieces.len());
    for (number, old) in body.pieces.iter().enumerate() {
        let place = Piece::empty(0);
        // A swap before this one may have left this piece for later.
        let outcome = body.changes.bring(old);
        // SAFETY: the piece is a `Vec` of the old type then, and there is room for one of the new type.
        let outcome = outcome
            .and_then(|()| unsafe { run::convert(context, piece, old.place(), place.place()) });
        if let Err(failure) = outcome {
            // SAFETY: these have been made.
            unsafe { discard_all(context, piece, &made) };
            return Err(failure.within(format!("[{}…]", number * ELEMENTS)));
        }
        made.push(place);
    }
    let new_body = Body {
        pieces: made,
        len: body.len,
        changes: Changes::NONE,
    };
    // SAFETY: there is room for a container.
    unsafe { new.cast::<Body>().write(new_body) };
    Ok(())
}

unsafe fn discard_all(context: &mut Context<'_>, piece: Index, made: &[Piece]) {
    for made in made {
        // SAFETY: the caller's promise: it was made by this conversion.
        unsafe { undo::discard(context, piece, made.place()) };
    }
}

/// Takes apart an assembled container.
///
/// # Safety
///
/// That of [`undo::discard`], for a conversion of such containers.
pub(crate) unsafe fn discard(context: &mut Context<'_>, index: Index, new: *mut u8) {
    let Some((piece, lazy)) = parts(context, index) else {
        return;
    };
    // SAFETY: a container that was made so is there, and nobody uses it again. The pieces of one that waits
    // are the old one's.
    unsafe {
        let body = new.cast::<Body>().read();
        if lazy {
            body.forget();
        } else {
            discard_all(context, piece, &body.pieces);
        }
    }
}

/// Takes apart an old container.
///
/// # Safety
///
/// That of [`undo::release`], for a conversion of such containers.
pub(crate) unsafe fn release(context: &mut Context<'_>, index: Index, old: *mut u8) {
    let Some((piece, lazy)) = parts(context, index) else {
        return;
    };
    // SAFETY: another container was made of this one, which nobody uses again. One that waits has its pieces.
    unsafe {
        let body = old.cast::<Body>().read();
        if lazy {
            body.forget();
        } else {
            for old in &body.pieces {
                undo::release(context, piece, old.place());
            }
        }
    }
}
