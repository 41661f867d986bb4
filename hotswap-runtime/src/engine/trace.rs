//! Tells what happens to versions as events of `tracing`, for the feature of that name.
//!
//! They are emitted by a thread of their own, so that a subscriber may ask the runtime for anything, and is
//! waited for by nobody.

use std::thread;

use hotswap_protocol::event::{Event, Reverted};

use crate::engine::events;
use crate::engine::listen;

/// Begins to. Without a thread nothing is emitted.
pub(crate) fn begin() {
    let (subscription, all) = events::ALL.subscribe();
    let emit = move || {
        let _subscription = subscription;
        all.iter().for_each(|event| emit(&event));
    };
    listen::with_signals_blocked(|| {
        let builder = thread::Builder::new().name("hotswap-tracing".to_owned());
        drop(builder.spawn(emit));
    });
}

fn emit(event: &Event) {
    match event {
        Event::Version { number, state } => {
            tracing::info!(target: "hotswap", version = number, %state, "version is {state}");
        }
        Event::Reverted(Reverted {
            version, from, to, ..
        }) => {
            tracing::warn!(target: "hotswap", version, from, to, "went back to the code of version {to}");
        }
        Event::NotReverted {
            version, reason, ..
        } => tracing::error!(target: "hotswap", version, %reason, "could not go back"),
        Event::OutOfOrder { server, behind, .. } => {
            tracing::warn!(
                target: "hotswap", %server, ?behind, "is in a new version before servers that it comes after"
            );
        }
        _ => {}
    }
}
