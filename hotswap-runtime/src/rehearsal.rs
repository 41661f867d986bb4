//! Migrations without a swap, for this workspace's tests and benches: cells get values of another
//! type that stands in the same program.

use std::ptr;
use std::time::Duration;

use hotswap_protocol::state::Migration;

use crate::convert::Versions;
use crate::convert::resolve::{Functions, Resolver};
use crate::live::Live;
use crate::migrate::Migrate;
use crate::migrate::code_change::Run;
use crate::transaction::{Aborted, Change, Done, SwapLimits, Transaction};

/// A transaction without a swap.
pub struct Rehearsal<'a> {
    resolver: Resolver<'a>,
    changes: Vec<Change>,
}

/// What a rehearsal did.
#[derive(Debug)]
pub struct Rehearsed {
    /// How long the cells were held.
    pub pause: Duration,
    /// How long it took to assemble the new values.
    pub assembling: Duration,
    /// Values that got a new layout.
    pub values: u64,
    /// What went wrong when it was too late.
    pub warnings: Vec<String>,
}

impl<'a> Rehearsal<'a> {
    /// A transaction by this plan, which changes nothing yet.
    #[must_use]
    pub fn new(migration: &'a Migration) -> Self {
        Self {
            resolver: Resolver::new(&migration.types),
            changes: Vec::new(),
        }
    }

    /// The same, where the plan may name these functions. They hear of the versions 1 and 2.
    #[must_use]
    pub fn with_functions(mut self, functions: impl IntoIterator<Item = (String, Run)>) -> Self {
        let functions = functions.into_iter().collect::<Functions>();
        let versions = Versions { from: 1, to: 2 };
        let functions = (functions.clone(), functions);
        self.resolver = self.resolver.with_functions(functions, versions);
        self
    }

    /// Adds a cell, whose value is to become a `B` by this change. After [`run`](Self::run) has
    /// succeeded, the cell is the one that is given here.
    ///
    /// # Errors
    ///
    /// Why the plan does not fit the types.
    ///
    /// # Safety
    ///
    /// The plan moves only fields whose types are the same. Once the transaction has succeeded,
    /// nobody uses the cell as one of `A`; before, nobody uses it as one of `B`.
    pub unsafe fn add<A: Migrate, B: Migrate>(
        &mut self,
        path: &str,
        cell: &'static Live<A>,
        change: u32,
    ) -> Result<&'static Live<B>, String> {
        let resolved = self.resolver.resolve(change, A::schema(), B::schema());
        self.changes.push(Change {
            path: path.to_owned(),
            handle: cell.handle(),
            conversion: resolved.map_err(|error| format!("refused: {error}"))?,
        });
        // SAFETY: handles do not depend on the type, and the caller promises to wait for the value.
        Ok(unsafe { &*ptr::from_ref(cell).cast::<Live<B>>() })
    }

    /// Changes all cells, or none.
    ///
    /// # Errors
    ///
    /// The text of what would have refused the swap.
    pub fn run(self, limits: SwapLimits) -> Result<Rehearsed, String> {
        let transaction = Transaction::new(
            self.resolver
                .finish()
                .map_err(|error| format!("refused: {error}"))?,
            self.changes,
        );
        let assembled = transaction.assemble(limits, || ()).map_err(|error| {
            let kind = match error {
                Aborted::Busy(_) => "busy",
                Aborted::Failed(_) => "failed",
                Aborted::Stuck(_) => "stuck",
            };
            format!("{kind}: {error}")
        })?;
        let Done {
            pause,
            assembling,
            values,
            warnings,
        } = assembled.commit(|| ());
        Ok(Rehearsed {
            pause,
            assembling,
            values,
            warnings,
        })
    }
}

impl std::fmt::Debug for Rehearsal<'_> {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("Rehearsal")
            .field("changes", &self.changes)
            .finish_non_exhaustive()
    }
}
