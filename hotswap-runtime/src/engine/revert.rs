//! Going back without the tool: bodies that were kept, and values by the patch's own plan.
//!
//! It happens on a thread of its own, in turn with what clients do, and is a version like any other.

use std::io::Write as _;
use std::thread::{self, JoinHandle};
use std::time::Instant;

use hotswap_protocol::event::{Cause, Event, Reverted};
use hotswap_protocol::message::{CommitReport, ErrorCode};

use crate::engine::events;
use crate::engine::fork;
use crate::engine::listen;
use crate::engine::state;
use crate::engine::swap;
use crate::engine::version::{self, Before, Origin, Values, Version};
use crate::on_panic;
use crate::revert::RevertError;
use crate::table::{self, Bodies};
use crate::transaction::Aborted;

/// What is to be done, and why.
#[derive(Debug, Clone)]
pub(crate) struct Order {
    pub(crate) cause: Cause,
    /// Only if this version is current.
    pub(crate) from: Option<u64>,
}

/// A revert that was made.
#[derive(Debug, Clone)]
pub(crate) struct Done {
    pub(crate) version: u64,
    pub(crate) to: u64,
    pub(crate) report: CommitReport,
}

impl RevertError {
    /// The protocol's name for the failure.
    pub(crate) fn code(&self) -> ErrorCode {
        match self {
            Self::First | Self::Dropped | Self::NoWay { .. } => ErrorCode::RevertRefused,
            Self::InUse(_) => ErrorCode::StateBusy,
            Self::Failed(_) => ErrorCode::StateFailed,
            Self::Busy => ErrorCode::Busy,
            Self::NoPatches | Self::Thread(_) => ErrorCode::Unsupported,
        }
    }
}

/// The program's own code asks for it.
pub(crate) fn revert() -> Result<u64, RevertError> {
    let order = Order {
        cause: Cause::Program {},
        from: None,
    };
    let done = start(order)?.join();
    // A panic there is a fault of the runtime's own.
    let done = done.map_err(|_| RevertError::Thread("it panicked".to_owned()))?;
    done.map(|done| done.version)
}

/// An entry of this version has panicked. The thread that panics does not wait.
pub(crate) fn revert_after_panic(version: u64, entry: String) {
    let thread = thread::current().name().map(str::to_owned);
    let order = Order {
        cause: Cause::Panic { entry, thread },
        from: Some(version),
    };
    // Without a thread, or where patches have ended, the program goes on as it is.
    if start(order).is_err() {
        on_panic::stays();
    }
}

fn start(order: Order) -> Result<JoinHandle<Result<Done, RevertError>>, RevertError> {
    let service = listen::service().ok_or(RevertError::NoPatches)?;
    let work = move || service.revert(&order);
    listen::with_signals_blocked(|| {
        let builder = thread::Builder::new().name("hotswap-revert".to_owned());
        builder.spawn(work)
    })
    .map_err(|error| RevertError::Thread(error.to_string()))
}

/// Goes back, and tells of it. To be called in turn with other swaps.
pub(crate) fn execute(order: &Order) -> Result<Done, RevertError> {
    let from = table::current_version();
    if order.from.is_some_and(|expected| expected != from) {
        // Somebody was faster.
        return Err(RevertError::Busy);
    }
    let outcome = go_back();
    match &outcome {
        Ok(done) => tell(&Event::Reverted(Reverted {
            version: done.version,
            from,
            to: done.to,
            cause: order.cause.clone(),
            migrated: done.report.migrated,
            pause_us: done.report.pause_us,
        })),
        // Others get the error.
        Err(error) if matches!(order.cause, Cause::Panic { .. }) => {
            on_panic::stays();
            tell(&Event::NotReverted {
                version: from,
                cause: order.cause.clone(),
                reason: error.to_string(),
            });
        }
        Err(_) => {}
    }
    outcome
}

fn go_back() -> Result<Done, RevertError> {
    let started = Instant::now();
    let (before, number) = fork::undivided(|| (version::before_current(), version::next_number()));
    let way = match before {
        Before::Way(way) => way,
        Before::Nothing => return Err(RevertError::First),
        Before::Dropped => return Err(RevertError::Dropped),
    };
    let to = way.to;
    let no_way = |reason| RevertError::NoWay { to, reason };
    let plan = match &way.values {
        Values::Change(plan) => plan,
        Values::Stay(reasons) => return Err(no_way(reasons.join("; "))),
    };
    let cells = fork::undivided(|| version::cells_of(to)).unwrap_or_default();
    let current = fork::undivided(version::cells_of_current);
    // Once values are assembled, this thread has the turn itself.
    let hooks = fork::undivided(|| version::hooks_of(to));
    let state = state::prepare_back((&current, &cells), plan, number);
    let state = state.map_err(|error| no_way(error.to_string()))?;
    let mut warnings = swap::before_swap(number);
    let state = state.assemble().map_err(|aborted| match aborted {
        Aborted::Busy(reason) => RevertError::InUse(reason),
        Aborted::Failed(reason) | Aborted::Stuck(reason) => RevertError::Failed(reason),
    })?;
    let version = Version::loading(number, None, None).with_facts(cells, hooks.clone());
    let mut report = swap::flip(state, (number, &hooks), started, || {
        on_panic::unwatch();
        version::commit(version, Origin::Revert(to), Vec::new(), || {
            table::restore(number, &way.bodies);
            Bodies::default()
        });
    });
    warnings.append(&mut report.warnings);
    report.warnings = warnings;
    Ok(Done {
        version: number,
        to,
        report,
    })
}

/// Tells all that listen; if nobody does, whoever reads what the program writes.
fn tell(event: &Event) {
    if fork::undivided(|| events::tell(event)) {
        return;
    }
    let (cause, outcome) = match event {
        Event::Reverted(Reverted { to, cause, .. }) => {
            (cause, format!("went back to the code of version {to}"))
        }
        Event::NotReverted { cause, reason, .. } => (cause, format!("could not go back: {reason}")),
        _ => return,
    };
    if let Cause::Panic { entry, .. } = cause {
        let text =
            format!("hotswap: `{entry}` panicked soon after a swap, and the program {outcome}\n");
        let _ = std::io::stderr().write_all(text.as_bytes());
    }
}
