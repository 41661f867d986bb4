//! Servers: state that handles one message after the other, each in the current version.
//!
//! A server is a value with a mailbox and a loop. The loop belongs to the runtime, so it is never old:
//! each message is handled by the code that is current, and between two messages a swap may change the
//! code, the type of the state and the types of the messages that wait. It is OTP's `gen_server`.
//!
//! ```
//! use hotswap::server::{Context, Init};
//!
//! #[derive(hotswap::Migrate)]
//! struct Counter {
//!     count: u64,
//! }
//!
//! #[derive(hotswap::Migrate)]
//! enum Ask {
//!     Add(u64),
//!     Get,
//! }
//!
//! #[hotswap::server]
//! impl hotswap::Server for Counter {
//!     type Call = Ask;
//!     type Reply = u64;
//!
//!     fn init(_: (), _: &mut Context<'_, Self>) -> Init<Self> {
//!         Ok(Self { count: 0 })
//!     }
//!
//!     fn handle_call(&mut self, ask: Ask, _: &mut Context<'_, Self>) -> u64 {
//!         if let Ask::Add(more) = ask {
//!             self.count += more;
//!         }
//!         self.count
//!     }
//! }
//!
//! let counter = hotswap::server::spawn::<Counter>(())?;
//! counter.call(Ask::Add(2))?;
//! assert_eq!(counter.call(Ask::Get)?, 2);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

pub(crate) mod after;
pub(crate) mod cells;
pub(crate) mod registry;
pub(crate) mod serve;
pub(crate) mod system;
pub(crate) mod waiter;

mod any;
mod context;
mod control;
mod errors;
mod handle;
mod pending;
mod policy;
mod run;
mod spawn;

use std::error::Error;

use crate::migrate::Migrate;
use crate::migrate::schema::Schema;

pub use any::{AnyHandle, find};
pub use context::Context;
pub use errors::{BusyError, CallError, Reason, SendError, SpawnError, StateError};
pub use handle::{Handle, handles, whereis};
pub use pending::Pending;
pub use policy::{Intensity, Restart};
pub use run::ServerLoop;
pub use spawn::{Options, spawn};
pub use system::{Activity, ServerStatus, resume_all, servers, suspend_all};

/// What [`Server::init`] gives: the first state, or why there is none.
pub type Init<S> = Result<S, Box<dyn Error + Send + Sync>>;

/// A message that does not exist: what a server has that does not say what it takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Never {}

impl Migrate for Never {
    fn schema() -> &'static Schema {
        const { &Schema::opaque::<Self>() }
    }
}

/// That a server has ended, as it is told to those that monitor it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Down {
    /// Its number.
    pub server: u64,
    /// The name that it was started under.
    pub name: Option<String>,
    /// Why.
    pub reason: Reason,
    /// Whether it is started again.
    pub restarts: bool,
}

/// A type whose values are servers. Write `#[hotswap::server]` on the implementation, which fills in
/// what is left out: a type of messages that is missing has no values, and needs no handler.
///
/// # Between two versions
///
/// State, arguments and all messages are in cells ([`Live`](crate::Live)): when an edit changes such a
/// type, all values of it are carried over, those that wait in mailboxes too, or the edit is refused.
/// A swap that changes the type of the state or of replies waits for handlers that run, and those that
/// would begin wait for it. A swap that changes neither waits for nobody: a handler that runs ends in
/// the version that it began in.
///
/// # Locks and calls
///
/// Handlers of one server run one after the other, those of different servers side by side. A handler
/// may call other servers. While it waits for a server of its own type, a swap that changes that type
/// has to wait too, and tries again.
pub trait Server: Migrate + Send + Sized + 'static {
    /// What it is started with, also when it is started again. `()` if left out.
    type Args: Migrate + Clone + Send;
    /// What it is asked.
    type Call: Migrate + Send;
    /// What it replies.
    type Reply: Migrate + Send;
    /// What it is told without a reply.
    type Cast: Migrate + Send;
    /// What else reaches it.
    type Info: Migrate + Send;

    /// Makes the first state, on the server's own thread or task. Calls made meanwhile wait.
    ///
    /// # Errors
    ///
    /// Why it can't be started.
    fn init(args: Self::Args, context: &mut Context<'_, Self>) -> Init<Self>;

    /// Handles a call.
    fn handle_call(&mut self, call: Self::Call, context: &mut Context<'_, Self>) -> Self::Reply;

    /// Handles a cast.
    fn handle_cast(&mut self, cast: Self::Cast, context: &mut Context<'_, Self>);

    /// Handles any other message.
    fn handle_info(&mut self, info: Self::Info, context: &mut Context<'_, Self>);

    /// Hears that a server has ended which this one monitors.
    fn handle_down(&mut self, down: Down, context: &mut Context<'_, Self>) {
        let _ = (down, context);
    }

    /// Runs first in a new version, before the next message: for what a change of types alone does not
    /// do. The state has the new type already. `from` and `to` are numbers of versions; all versions
    /// count, also those that changed nothing here, and versions in which no message came are skipped.
    ///
    /// With `#[hotswap::server(after(Store, crate::db::Pool))]` it runs when it has run for all servers of
    /// these types, which don't wait for a message then; messages wait that long too. A handler of theirs
    /// that runs is waited for, unless it waits for a reply, but no longer than
    /// [`SwapLimits::order`](crate::SwapLimits::order). Types that come after one another in a circle
    /// do not compile.
    fn code_change(&mut self, from: u64, to: u64) {
        let _ = (from, to);
    }

    /// Runs before the state is dropped, also after a panic of a handler.
    fn terminate(&mut self, reason: &Reason) {
        let _ = reason;
    }

    /// The state for people: what [`AnyHandle::state`] and `cargo hotswap state` show. The attribute
    /// takes it from `Debug` where the type has that; else there is none.
    fn show(&self) -> Option<String> {
        None
    }

    /// The place in the order of types that `after` declares.
    #[doc(hidden)]
    const __AFTER: usize = 0;

    #[doc(hidden)]
    fn __cells() -> cells::Cells<Self>;
}
