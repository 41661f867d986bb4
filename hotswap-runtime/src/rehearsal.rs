//! Migrations without a swap, for this workspace's tests and benches: one cell, from one type to
//! another that stands in the same program.

use std::ptr;

use hotswap_protocol::state::Migration;

use crate::convert::resolve::Resolver;
use crate::live::Live;
use crate::migrate::Migrate;
use crate::transaction::{Change, Done, Transaction, limits};

/// What a rehearsal did.
#[derive(Debug)]
pub struct Rehearsed {
    /// How long the cells were held, in microseconds.
    pub pause_us: u128,
    /// Values that got a new layout.
    pub values: u64,
    /// What went wrong when it was too late.
    pub warnings: Vec<String>,
}

/// Changes the value of a cell from an `A` to a `B`, and gives the cell as one of `B`.
///
/// # Errors
///
/// The text of what would have refused the swap.
///
/// # Safety
///
/// The plan moves only fields whose types are the same, and nobody uses the cell as one of `A`
/// afterwards, if this succeeds.
pub unsafe fn rehearse<A: Migrate, B: Migrate>(
    cell: &'static Live<A>,
    migration: &Migration,
    change: u32,
) -> Result<(&'static Live<B>, Rehearsed), String> {
    let mut resolver = Resolver::new(&migration.types);
    let conversion = resolver
        .resolve(change, A::schema(), B::schema())
        .map_err(|error| format!("refused: {error}"))?;
    let changes = vec![Change {
        path: "cell".to_owned(),
        handle: cell.handle(),
        conversion,
    }];
    let transaction = Transaction::new(resolver.finish(), changes);
    let assembled = transaction.assemble(limits(), || ());
    let done = assembled.map_err(|error| error.to_string())?.commit(|| ());
    let Done {
        pause,
        values,
        warnings,
    } = done;
    let rehearsed = Rehearsed {
        pause_us: pause.as_micros(),
        values,
        warnings,
    };
    // SAFETY: handles do not depend on the type, and the value behind this one is a `B` now.
    let cell = unsafe { &*ptr::from_ref(cell).cast::<Live<B>>() };
    Ok((cell, rehearsed))
}
