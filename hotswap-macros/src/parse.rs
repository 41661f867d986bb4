//! What an attribute can stand on, and which attributes beside it are other macros.

use proc_macro2::TokenStream;
use syn::{Attribute, Error, Item, ItemFn, ItemImpl, ItemMod};

/// The item under the attribute.
pub(crate) enum Target {
    Function(ItemFn),
    Impl(ItemImpl),
    Module(ItemMod),
}

/// Reads the item, or says what the attribute can stand on.
pub(crate) fn target(item: TokenStream) -> syn::Result<Target> {
    match syn::parse2(item)? {
        Item::Fn(function) => Ok(Target::Function(function)),
        Item::Impl(block) => Ok(Target::Impl(block)),
        Item::Mod(module) => Ok(Target::Module(module)),
        Item::Trait(item) => Err(Error::new(
            item.ident.span(),
            "a trait cannot be marked, since its methods are generic over the type that \
             implements it: mark the `impl` blocks, or methods in them",
        )),
        Item::Verbatim(tokens) => Err(Error::new_spanned(
            tokens,
            "a function without a body cannot be an entry: mark the function that implements it",
        )),
        other => Err(Error::new_spanned(
            other,
            "only a function, an `impl` block or an inline module can be marked as entry",
        )),
    }
}

/// Attributes that the compiler itself knows and that expand to nothing.
const INERT: &[&str] = &[
    "allow",
    "automatically_derived",
    "cfg",
    "cold",
    "deny",
    "deprecated",
    "doc",
    "expect",
    "export_name",
    "forbid",
    "inline",
    "instruction_set",
    "link_section",
    "macro_use",
    "must_use",
    "no_mangle",
    "optimize",
    "path",
    "target_feature",
    "track_caller",
    "unsafe",
    "used",
    "warn",
];

/// Tools whose attributes expand to nothing.
const TOOLS: &[&str] = &["clippy", "diagnostic", "miri", "rust_analyzer", "rustfmt"];

/// Whether the attribute is, or may turn out to be, another macro.
pub(crate) fn is_macro(attribute: &Attribute) -> bool {
    let path = attribute.path();
    let first = &path.segments[0].ident;
    let known = if path.segments.len() == 1 {
        INERT
    } else {
        TOOLS
    };
    !known.iter().any(|name| first == name)
}

/// Whether one of `attributes` is the built-in attribute `name`, also as `unsafe(name)`.
pub(crate) fn has(attributes: &[Attribute], name: &str) -> bool {
    attributes.iter().any(|attribute| {
        let path = attribute.path();
        path.is_ident(name)
            || path.is_ident("unsafe")
                && attribute
                    .parse_args::<syn::Meta>()
                    .is_ok_and(|meta| meta.path().is_ident(name))
    })
}
