//! The runtime's own source files for the call gate and for the lock of cells, compiled with loom's atomics.
//!
//! They are those of `hotswap-runtime/src`; the tests stand beside them here, since what they test
//! is not public.

#![cfg(test)]

#[path = "../../../hotswap-runtime/src/sync.rs"]
mod sync;

#[path = "../../../hotswap-runtime/src/inflight"]
mod inflight {
    //! The part of `inflight.rs` that has no statics.

    pub(crate) mod record;
}

#[path = "../../../hotswap-runtime/src/table"]
mod table {
    //! The part of `table.rs` that has no statics.

    pub(crate) mod switch;
}

#[path = "../../../hotswap-runtime/src/live"]
mod live {
    //! The part of `live.rs` that has no statics.

    pub(crate) mod lock;
}

mod guards;
mod tests;
