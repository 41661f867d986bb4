//! What the program does by itself.

use hotswap_protocol::event::{Cause, Event as Told, Reverted};

use super::Session;
use crate::control::message::Verb;
use crate::events::{BackCause, Event};

impl Session<'_> {
    /// The program tells of something.
    pub(super) fn told(&mut self, told: Told) {
        match told {
            Told::Version { number, state } => self.talk.report(&Event::Version {
                version: number,
                state: state.to_string(),
            }),
            Told::Reverted(reverted) => {
                // Any save brings the newest code again.
                self.running.behind = true;
                self.talk.report(&went_back(reverted));
            }
            Told::NotReverted {
                version,
                cause,
                reason,
            } => {
                let message = not_back(version, cause, &reason);
                self.talk.report(&Event::Warning { message });
            }
            Told::OutOfOrder {
                server,
                behind,
                waited_ms,
            } => {
                let message = out_of_order(&server, &behind, waited_ms);
                self.talk.report(&Event::Warning { message });
            }
            Told::RestartAsked {} => {
                let _nothing_ends = self.order(
                    Verb::Restart,
                    "asked for by the program itself".to_owned(),
                    None,
                );
            }
            // Of a newer program.
            _ => {}
        }
    }
}

fn went_back(reverted: Reverted) -> Event {
    let (cause, entry, thread) = match reverted.cause {
        Cause::Panic { entry, thread } => (BackCause::Panic, Some(entry), thread),
        Cause::Request {} => (BackCause::Request, None, None),
        // Its own code, or what a newer program gives as a cause.
        _ => (BackCause::Program, None, None),
    };
    Event::WentBack {
        version: reverted.version,
        from: reverted.from,
        reverts_to: reverted.to,
        cause,
        entry,
        thread,
        values: reverted.migrated,
        pause_ms: reverted.pause_us as f64 / 1e3,
    }
}

fn out_of_order(server: &str, behind: &[String], waited_ms: u64) -> String {
    format!(
        "server {server} is in the new version before servers that it comes after: {}\n  = why: their \
         handlers had not returned when it had waited for {} s\n  = help: let handlers return sooner, or \
         set a longer `SwapLimits::order`",
        behind.join(", "),
        waited_ms as f64 / 1e3
    )
}

fn not_back(version: u64, cause: Cause, reason: &str) -> String {
    let what = match cause {
        Cause::Panic { entry, .. } => format!("entry `{entry}` panicked in version {version}"),
        _ => "the program was asked to go back".to_owned(),
    };
    format!(
        "{what}, and the program stays on that version\n  = why: {reason}\n  = help: save what mends \
         it, or start the program anew with `cargo hotswap restart`"
    )
}
