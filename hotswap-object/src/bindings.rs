//! What each static of a patch is bound to.

use std::collections::{HashMap, HashSet};

/// What a static or thread-local of a patch is bound to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Binding {
    /// The host's static of that name, found through its dynamic symbols.
    Host {
        /// Name in the host's dynamic symbol table.
        symbol: String,
    },
    /// The host's thread-local at that distance from the thread pointer.
    HostThreadLocal {
        /// Bytes from the thread pointer; negative on x86_64.
        offset: i64,
    },
    /// The image's own copy.
    Image,
    /// A symbol of another image that is loaded globally.
    Global {
        /// Name in that image's dynamic symbol table.
        symbol: String,
    },
}

/// How the symbols of a patch are bound.
#[derive(Debug, Clone, Default)]
pub struct Bindings {
    /// Binding by symbol name in the patch. Every static that [`inspect`](crate::inspect)
    /// reports must be here. Undefined symbols may be: those bound to [`Binding::Image`] keep
    /// their direct references, others go through the global offset table.
    pub symbols: HashMap<String, Binding>,
    /// Thread-locals that the host defines and the image does not, with their distance from
    /// the thread pointer.
    pub host_thread_locals: HashMap<String, i64>,
    /// Initialisers (by the symbol of the static that holds them) that ran in the host and
    /// must not run again.
    pub dropped_initialisers: HashSet<String>,
}
