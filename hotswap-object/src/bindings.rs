//! What each static of a patch is bound to.

use std::collections::{HashMap, HashSet};

use crate::facts::{ObjectFacts, Scope, SymbolKind};

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
    /// reports must be here. Read-only statics may be, which are the image's own unless they are bound to
    /// [`Binding::Host`]. Undefined symbols may be: those bound to [`Binding::Image`] keep
    /// their direct references, others go through the global offset table.
    pub symbols: HashMap<String, Binding>,
    /// Thread-locals that the host defines and the image does not, with their distance from
    /// the thread pointer.
    pub host_thread_locals: HashMap<String, i64>,
    /// Initialisers (by the symbol of the static that holds them) that ran in the host and
    /// must not run again.
    pub dropped_initialisers: HashSet<String>,
}

impl Bindings {
    /// Tells that an object belongs to the image: what it defines beside state and functions is
    /// referred to directly by the image's other objects. Without this such references go
    /// through the global offset table, which is right too but slower.
    pub fn bind_own(&mut self, facts: &ObjectFacts) {
        let constants = facts.symbols.iter().filter(|symbol| {
            !symbol.state && symbol.scope != Scope::Local && symbol.kind != SymbolKind::Function
        });
        for symbol in constants {
            self.symbols
                .entry(symbol.name.clone())
                .or_insert(Binding::Image);
        }
    }
}
