//! Names in what the macros emit that no name of the user's can meet.

use proc_macro2::{Ident, Span};
use quote::format_ident;
use syn::{Path, parse_quote};

/// The module of the runtime for what the macros emit. It is named for the version, so that macros and
/// a runtime that don't belong together are a compile error.
pub(crate) fn private(krate: &Path) -> Path {
    let version = format_ident!("v{}", env!("CARGO_PKG_VERSION").replace('.', "_"));
    parse_quote!(#krate::__private::#version)
}

/// A variable that the user's code cannot see.
pub(crate) fn local(name: &str) -> Ident {
    Ident::new(name, Span::mixed_site())
}
