//! Counts every reference to state in an object, as if all of it were bound to a host.

use std::collections::HashMap;

use object::elf;

use crate::bindings::{Binding, Bindings};
use crate::elf::Elf;
use crate::error::{ObjectError, RewriteError};
use crate::facts::statics;
use crate::rewrite::{SiteCounts, rewrite_all};
use crate::state::roles;

/// What a rewrite of an object would do.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Audit {
    /// Statics and thread-locals the object defines.
    pub statics: usize,
    /// References that can be rewritten, by form.
    pub counts: SiteCounts,
    /// Those that can't.
    pub refused: Vec<RewriteError>,
}

/// Rewrites an object with all its state bound to a host, and counts.
///
/// # Errors
///
/// If the object is malformed.
pub fn audit(object: &[u8]) -> Result<Audit, ObjectError> {
    let elf = Elf::object(object)?;
    let roles = roles(&elf);
    let mut symbols = HashMap::new();
    for index in statics(&elf, &roles) {
        let symbol = &elf.symbols[index];
        let binding = if symbol.kind == elf::STT_TLS {
            Binding::HostThreadLocal { offset: -4096 }
        } else {
            Binding::Host {
                symbol: symbol.name.to_owned(),
            }
        };
        symbols.insert(symbol.name.to_owned(), binding);
    }
    let statics = symbols.len();
    let bindings = Bindings {
        symbols,
        ..Bindings::default()
    };
    match rewrite_all(&elf, &bindings) {
        Ok(outcome) => Ok(Audit {
            statics,
            counts: outcome.counts,
            refused: outcome.refused,
        }),
        Err(RewriteError::Object(error)) => Err(error),
        Err(error) => Ok(Audit {
            statics,
            counts: SiteCounts::default(),
            refused: vec![error],
        }),
    }
}
