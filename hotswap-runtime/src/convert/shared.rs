//! Conversions of counted references: each value behind them is changed once, and stays shared.
//!
//! Whether all references to a value are in cells is known when all were found, since a value may refer
//! to itself. Until then others may have one too. So they are kept from what they could change or
//! drop while it is read: locks are held, and what only a weak reference leads to is kept alive.

use std::collections::HashMap;

use crate::convert::context::Context;
use crate::convert::dropped::{self, Counts};
use crate::convert::failure::Failure;
use crate::convert::run::{self, Outcome};
use crate::convert::{Conversion, How, Index, undo};
use crate::migrate::cells::Held;
use crate::migrate::shared::{Shared, Target};

/// The values behind counted references that a walk has met.
#[derive(Default)]
pub(crate) struct SharedValues {
    all: Vec<SharedValue>,
    /// Where in `all`, by the old value's address.
    by_address: HashMap<usize, usize>,
    /// Locks in such values.
    held: Vec<Held>,
    /// Values that a strong reference of the walk's own keeps alive.
    kept: Vec<(&'static Shared, *const u8)>,
}

struct SharedValue {
    old: Target,
    new: *const u8,
    from: &'static Shared,
    to: &'static Shared,
    element: Index,
    /// Whether the new value is there.
    made: bool,
    /// The references found so far.
    strong: usize,
    weak: usize,
}

/// Makes a new reference.
///
/// # Safety
///
/// That of [`run::convert`], for a conversion of counted references.
pub(crate) unsafe fn convert(
    context: &mut Context<'_>,
    index: Index,
    old: *const u8,
    new: *mut u8,
) -> Outcome {
    let conversion: &Conversion = context.conversions.get(index);
    let How::Shared {
        old: from,
        new: to,
        element,
    } = conversion.how
    else {
        return Ok(());
    };
    // SAFETY: a reference of the old type is at `old`.
    let Some(found) = (unsafe { find(context, from, old) }) else {
        // SAFETY: a weak reference is made, of a value that is gone.
        unsafe { (to.refer)(None, new) };
        return Ok(());
    };
    let number = match found {
        Found::Known(number) => number,
        Found::New(target) => {
            let number = context.shared.add(target, (from, to), element);
            let place = context.shared.all[number].new.cast_mut();
            let is_only = !from.weak && (target.strong, target.weak) == (1, 0);
            let others = usize::from(!is_only);
            context.behind_shared += 1;
            context.behind_others += others;
            // SAFETY: the value is there, and the new allocation has room for one. The value may
            // refer to itself: it is known already.
            let outcome = unsafe { run::convert(context, element, target.value, place) };
            context.behind_shared -= 1;
            context.behind_others -= others;
            outcome?;
            context.shared.all[number].made = true;
            number
        }
    };
    let value = &mut context.shared.all[number];
    if from.weak {
        value.weak += 1;
    } else {
        value.strong += 1;
    }
    // SAFETY: the allocation is counted by the list.
    unsafe { (to.refer)(Some(value.new), new) };
    Ok(())
}

/// A value behind a reference.
enum Found {
    /// It was met before, and has this number.
    Known(usize),
    New(Target),
}

/// Finds the value behind a reference, unless it is gone. A new one lives until [`let_others_go`].
///
/// # Safety
///
/// A reference is at the address, and nobody changes it.
unsafe fn find(context: &mut Context<'_>, from: &'static Shared, old: *const u8) -> Option<Found> {
    // SAFETY: the caller's promise.
    let target = unsafe { (from.target)(old) }?;
    let known = context.shared.by_address.get(&target.value.addr());
    if let Some(number) = known {
        return Some(Found::Known(*number));
    }
    if !from.weak {
        return Some(Found::New(target));
    }
    // Whoever has a strong reference may be about to drop it.
    // SAFETY: as before; the reference that is counted here is given back once.
    unsafe {
        if !(from.keep)(old) {
            return None;
        }
        let counted = (from.target)(old).filter(|target| target.strong > 1);
        let Some(counted) = counted else {
            // There is none but this one.
            context.drop_quietly(|| (from.give_back)(target.value));
            return None;
        };
        context.shared.kept.push((from, target.value));
        Some(Found::New(Target {
            strong: counted.strong - 1,
            ..counted
        }))
    }
}

/// Gives back what others were kept from.
///
/// # Safety
///
/// No old value is read again, unless [`check_found`] has found that nobody else has a reference.
pub(crate) unsafe fn let_others_go(context: &mut Context<'_>) {
    context.shared.held.clear();
    for (shared, value) in std::mem::take(&mut context.shared.kept) {
        // SAFETY: it was counted when the value was met. Others may have given up theirs meanwhile.
        context.drop_quietly(|| unsafe { (shared.give_back)(value) });
    }
}

impl SharedValues {
    /// Holds a lock until all references were found.
    pub(crate) fn hold(&mut self, held: Held) {
        self.held.push(held);
    }

    /// Whether no counted reference was met.
    pub(crate) fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    fn add(
        &mut self,
        old: Target,
        (from, to): (&'static Shared, &'static Shared),
        element: Index,
    ) -> usize {
        let number = self.all.len();
        self.by_address.insert(old.value.addr(), number);
        self.all.push(SharedValue {
            old,
            new: (to.blank)(),
            from,
            to,
            element,
            made: false,
            strong: 0,
            weak: 0,
        });
        number
    }
}

/// Fails if somebody has a reference that was not found: it would go on leading to the old value.
///
/// # Safety
///
/// All old values that the walk has met are there, and nobody changes them.
pub(crate) unsafe fn check_found(context: &Context<'_>) -> Outcome {
    let is_found = |value: &SharedValue, more: Counts| {
        let Target { strong, weak, .. } = value.old;
        (value.strong + more.strong, value.weak + more.weak) == (strong, weak)
    };
    let all = &context.shared.all;
    if all.iter().all(|value| is_found(value, Counts::default())) {
        return Ok(());
    }
    // SAFETY: the caller's promise; what is dropped is a part of such values.
    let dropped = unsafe { dropped::count(&context.dropped, &context.shared.by_address) };
    for value in all {
        let more = dropped.get(&value.old.value.addr());
        let more = more.copied().unwrap_or_default();
        if !is_found(value, more) {
            let Target { strong, weak, .. } = value.old;
            let reason = format!(
                "a value is shared by {} references, of which {} were found in the cells: \
                 somebody holds another one, which would lead to the old value",
                strong + weak,
                value.strong + value.weak + more.strong + more.weak,
            );
            return Err(Failure::new(context.type_name(value.element), reason));
        }
    }
    Ok(())
}

/// Takes all new values apart.
///
/// # Safety
///
/// All values that the walk has assembled in cells were discarded, and nobody uses what is left.
pub(crate) unsafe fn discard_all(context: &mut Context<'_>) {
    let all = std::mem::take(&mut context.shared).all;
    // SAFETY: each value that is there was made so; the list's own reference keeps its memory until
    // no other value can refer to it.
    unsafe {
        for value in all.iter().filter(|value| value.made) {
            undo::discard(context, value.element, value.new.cast_mut());
        }
        for value in &all {
            (value.to.let_go)(value.new);
        }
    }
}

/// Keeps the memory of all old values, until [`release_all`].
///
/// # Safety
///
/// All old values are still counted.
pub(crate) unsafe fn retain_all(context: &Context<'_>) {
    for value in &context.shared.all {
        // SAFETY: the caller's promise.
        unsafe { (value.from.retain)(value.old.value) };
    }
}

/// Takes all old values apart, and gives up what the list holds of the new ones.
///
/// # Safety
///
/// The new values count now. [`retain_all`] was called, and all values that refer to the old ones
/// were released.
pub(crate) unsafe fn release_all(context: &mut Context<'_>) {
    let all = std::mem::take(&mut context.shared).all;
    // SAFETY: the caller's promise.
    unsafe {
        for value in &all {
            undo::release(context, value.element, value.old.value.cast_mut());
        }
        for value in &all {
            (value.from.let_go)(value.old.value);
            // Where only weak references are left, the value goes.
            context.drop_quietly(|| (value.to.give_back)(value.new));
        }
    }
}
