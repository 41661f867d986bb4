//! Rewrites ELF object files so that a patch shares the state of the program it is loaded into.
//!
//! Everything here is pure: bytes go in, facts or bytes come out. The order of work is
//! [`inspect`] the objects of host and patch, [`expose`] the host's objects before the host is
//! linked, match the statics of both with [`statics::match_statics`], and [`rewrite`] the
//! patch's objects, or the [`slice`] of each that an edit concerns as its [`pieces`] tell, with the
//! resulting [`Bindings`], and [`thin`] them, before they are linked as an image.

mod bindings;
mod constants;
mod elf;
mod error;
mod expose;
mod facts;
mod host;
mod names;
mod pieces;
mod rewrite;
mod slice;
mod state;
mod thin;
mod x86_64;

pub mod audit;
pub mod statics;

pub use bindings::{Binding, Bindings};
pub use error::{ObjectError, RewriteError, Site};
pub use expose::expose;
pub use facts::{
    EntryFacts, FunctionPointer, InitialiserFacts, ObjectFacts, Pointee, SchemaFacts, Scope,
    StaticFacts, Storage, SymbolFacts, SymbolKind, Wish, WishFacts, inspect,
};
pub use host::{HostFacts, HostSymbol, read_host};
pub use names::{canonical_path, exact_path, identity};
pub use pieces::{Pieces, pieces};
pub use rewrite::{Form, Rewritten, SiteCounts, rewrite};
pub use slice::slice;
pub use state::{ENTRY_SECTION, HOOK_SECTION, SCHEMA_SECTION, STATIC_SECTION};
pub use thin::thin;
