//! Conversions of structs and tuples in a row, a step for many of them at a time.

use crate::convert::context::Context;
use crate::convert::copy::{self, Row};
use crate::convert::run::{self, Stopped};
use crate::convert::{Conversion, How, Index, Making, Step, undo};
use crate::migrate::hook::Request;

/// So many values are made at a time: few enough that all of them stay in the cache.
const AT_A_TIME: usize = 64;

/// Makes new values of `len` old ones in a row.
///
/// # Safety
///
/// That of [`run::convert`], for each of them and a conversion of structs.
pub(crate) unsafe fn convert(
    context: &mut Context<'_>,
    index: Index,
    (old, len): (*const u8, usize),
    new: *mut u8,
) -> Result<(), Stopped> {
    let conversion: &Conversion = context.conversions.get(index);
    let (from, to) = (conversion.old.size, conversion.new.size);
    let mut start = 0;
    while start < len {
        let count = AT_A_TIME.min(len - start);
        // SAFETY: the caller's promise, for some of the values.
        let outcome = unsafe {
            let old = old.add(start * from);
            some(context, conversion, (old, count), new.add(start * to))
        };
        if let Err((number, failure)) = outcome {
            // SAFETY: the values before these have been made.
            unsafe { undo::discard_elements(context, index, (new, start)) };
            return Err((start + number, failure));
        }
        start += count;
    }
    Ok(())
}

/// Makes a few values, all or none.
unsafe fn some(
    context: &mut Context<'_>,
    conversion: &Conversion,
    (old, count): (*const u8, usize),
    new: *mut u8,
) -> Result<(), Stopped> {
    let How::Record(record) = &conversion.how else {
        return Ok(());
    };
    let (old, new) = (
        Row {
            first: old,
            stride: conversion.old.size,
        },
        Row {
            first: new,
            stride: conversion.new.size,
        },
    );
    for (number, step) in record.steps.iter().enumerate() {
        // SAFETY: the caller's promise: `resolve` has seen to it that steps stay within both types.
        let outcome = unsafe { one_step(context, conversion, step, (old, new), count) };
        if let Err((made, failure)) = outcome {
            // SAFETY: this step has made its field in so many values, those before in all.
            unsafe {
                discard(context, &record.steps[number..=number], new, made);
                discard(context, &record.steps[..number], new, count);
            }
            return Err((made, failure));
        }
    }
    for number in 0..count {
        let value = old.first.wrapping_add(number * old.stride);
        context.drops(&record.dropped, |field| value.wrapping_add(field.at));
    }
    Ok(())
}

unsafe fn discard(context: &mut Context<'_>, steps: &[Step], new: Row<*mut u8>, count: usize) {
    for number in 0..count {
        // SAFETY: the caller's promise: the steps have made their fields there.
        unsafe { undo::discard_steps(context, steps, new.first.add(number * new.stride)) };
    }
}

/// Does one step for a few values.
unsafe fn one_step(
    context: &mut Context<'_>,
    conversion: &Conversion,
    step: &Step,
    (old, new): (Row<*const u8>, Row<*mut u8>),
    count: usize,
) -> Result<(), Stopped> {
    match step {
        &Step::Copy { from, to, bytes } => {
            // SAFETY: the caller's promise.
            unsafe { copy::column(old.at(from), new.at(to), bytes, count) };
            Ok(())
        }
        Step::Make {
            to,
            field,
            by: Making::Default(maker, _),
            ..
        } => {
            let outcome = context.call_each(conversion.new.name, count, |number| {
                maker(new.first.wrapping_add(number * new.stride + to));
                Ok(())
            });
            outcome.map_err(|(number, failure)| (number, failure.within(&**field)))
        }
        Step::Make {
            from,
            to,
            field,
            by: Making::Hook(hook, _),
        } => {
            let outcome = context.call_each(conversion.new.name, count, |number| {
                let old = old.first.wrapping_add(number * old.stride + from);
                let new = new.first.wrapping_add(number * new.stride + to);
                run::answer(hook(Request::Run { old, new }))
            });
            outcome.map_err(|(number, failure)| (number, failure.within(&**field)))
        }
        Step::Make {
            from,
            to,
            field,
            by,
        } => {
            for number in 0..count {
                // SAFETY: the caller's promise.
                let outcome = unsafe {
                    let old = old.first.add(number * old.stride + from);
                    let new = new.first.add(number * new.stride + to);
                    run::make(context, *by, old, new, conversion)
                };
                outcome.map_err(|failure| (number, failure.within(&**field)))?;
            }
            Ok(())
        }
    }
}
