//! The runtime's own source files for the call gate, for the lock of cells, for calls of servers and for
//! containers in pieces, compiled with loom's atomics.
//!
//! They are those of `hotswap-runtime/src`; the tests stand beside them here, since what they test
//! is not public.

#![cfg(test)]

#[path = "../../../hotswap-runtime/src/hidden.rs"]
#[expect(dead_code, reason = "the lock only wipes what holders leave")]
mod hidden;
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

#[path = "../../../hotswap-runtime/src/server"]
#[expect(
    dead_code,
    reason = "futures and most errors are no matter of schedules"
)]
mod server {
    //! The part of `server.rs` that has no statics.

    pub(crate) mod errors;
    pub(crate) mod waiter;
}

#[path = "../../../hotswap-runtime/src/pieces"]
mod pieces {
    //! The part of `pieces.rs` that has no statics.

    pub(crate) mod stage;
}

mod calls;
mod guards;
mod tests;
mod touches;
