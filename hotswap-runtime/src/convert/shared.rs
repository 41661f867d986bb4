//! Conversions of counted references: each value behind them is changed once, and stays shared.

use std::collections::HashMap;

use crate::convert::context::Context;
use crate::convert::dropped::{self, Counts};
use crate::convert::failure::Failure;
use crate::convert::run::{self, Outcome};
use crate::convert::{Conversion, How, Index, undo};
use crate::migrate::shared::{Shared, Target};

/// The values behind counted references that a walk has met.
#[derive(Default)]
pub(crate) struct SharedValues {
    all: Vec<SharedValue>,
    /// Where in `all`, by the old value's address.
    by_address: HashMap<usize, usize>,
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
    let Some(target) = (unsafe { (from.target)(old) }) else {
        // SAFETY: a weak reference is made, of a value that is gone.
        unsafe { (to.refer)(None, new) };
        return Ok(());
    };
    let known = context.shared.by_address.get(&target.value.addr()).copied();
    let number = match known {
        Some(number) => number,
        None => {
            let number = context.shared.add(target, (from, to), element);
            let place = context.shared.all[number].new.cast_mut();
            context.behind_shared += 1;
            // SAFETY: the value is there, and the new allocation has room for one. The value may
            // refer to itself: it is known already.
            let outcome = unsafe { run::convert(context, element, target.value, place) };
            context.behind_shared -= 1;
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

impl SharedValues {
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
            (value.to.let_go)(value.new);
        }
    }
}
