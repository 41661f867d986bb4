//! The hot form of a function: its head stays, its body becomes a call through the table.

use proc_macro2::TokenStream;
use quote::{ToTokens, quote};
use syn::{AttrStyle, Attribute, ImplItemFn, ItemFn};

use super::after_other_macros;
use super::shim::Shim;
use crate::options::Options;

/// The hot form of a function that has been checked.
pub(super) fn expand(options: &Options, mut function: ItemFn) -> TokenStream {
    if after_other_macros(options, &mut function.attrs) {
        return function.into_token_stream();
    }
    let ItemFn {
        attrs,
        vis,
        sig,
        block,
        ..
    } = function;
    let shim = Shim::new(options, &attrs, sig, *block);
    assemble(&attrs, vis, &shim)
}

/// The hot form of a method in a marked block that has been checked.
pub(super) fn expand_method(options: &Options, mut method: ImplItemFn) -> TokenStream {
    if after_other_macros(options, &mut method.attrs) {
        return method.into_token_stream();
    }
    let ImplItemFn {
        attrs,
        vis,
        modifiers,
        sig,
        block,
    } = method;
    let defaultness = modifiers.defaultness;
    let shim = Shim::new(options, &attrs, sig, block);
    assemble(&attrs, quote!(#vis #defaultness), &shim)
}

/// Puts head and body together, without `inline`: a copy in another crate would have a copy of the
/// body too, and there must be one.
fn assemble(attributes: &[Attribute], visibility: impl ToTokens, shim: &Shim) -> TokenStream {
    let (outer, inner): (Vec<&Attribute>, Vec<&Attribute>) = attributes
        .iter()
        .filter(|attribute| !attribute.path().is_ident("inline"))
        .partition(|attribute| matches!(attribute.style, AttrStyle::Outer));
    let signature = shim.signature();
    let body = shim.body();
    quote! {
        #(#outer)*
        #visibility #signature {
            #(#inner)*
            #body
        }
    }
}
