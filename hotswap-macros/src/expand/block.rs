//! Marked `impl` blocks and modules: each function inside becomes an entry.

use proc_macro2::TokenStream;
use quote::ToTokens;
use syn::{Attribute, ImplItem, Item, ItemImpl, ItemMod, TraitItem};

use super::{after_other_macros, function};
use crate::check::{self, Errors};
use crate::options::Options;

/// The hot form of a marked `impl` block.
pub(super) fn implementation(options: &Options, mut block: ItemImpl) -> syn::Result<TokenStream> {
    check::impl_generics(&block.generics)?;
    if after_other_macros(options, &mut block.attrs) {
        return Ok(block.into_token_stream());
    }
    let mut errors = Errors::default();
    methods(options, &mut block, &mut errors);
    errors.into_result()?;
    Ok(block.into_token_stream())
}

/// The hot form of a marked module.
pub(super) fn module(options: &Options, mut module: ItemMod) -> syn::Result<TokenStream> {
    check::inline_module(&mut module)?;
    if after_other_macros(options, &mut module.attrs) {
        return Ok(module.into_token_stream());
    }
    let mut errors = Errors::default();
    items(options, &mut module, &mut errors);
    errors.into_result()?;
    Ok(module.into_token_stream())
}

fn items(options: &Options, module: &mut ItemMod, errors: &mut Errors) {
    let items = match check::inline_module(module) {
        Ok(items) => items,
        Err(error) => return errors.push(check::in_block(error)),
    };
    for item in items {
        match item {
            Item::Fn(function) if !is_decided(options, &function.attrs) => {
                match check::function(&function.attrs, &function.sig) {
                    Ok(()) => {
                        let hot = function::expand(options, function.clone());
                        *item = Item::Verbatim(hot);
                    }
                    Err(error) => errors.push(check::in_block(error)),
                }
            }
            Item::Impl(block) if !is_decided(options, &block.attrs) => {
                match check::impl_generics(&block.generics) {
                    Ok(()) if after_other_macros(options, &mut block.attrs) => {}
                    Ok(()) => methods(options, block, errors),
                    Err(error) => errors.push(check::in_block(error)),
                }
            }
            Item::Mod(inner) if !is_decided(options, &inner.attrs) => {
                let later = after_other_macros(options, &mut inner.attrs);
                if !later {
                    self::items(options, inner, errors);
                }
            }
            Item::Trait(item) if !is_decided(options, &item.attrs) => {
                default_methods(options, &item.items, errors);
            }
            _ => {}
        }
    }
}

fn methods(options: &Options, block: &mut ItemImpl, errors: &mut Errors) {
    for item in &mut block.items {
        let ImplItem::Fn(method) = item else {
            continue;
        };
        if is_decided(options, &method.attrs) {
            continue;
        }
        match check::function(&method.attrs, &method.sig) {
            Ok(()) => {
                let hot = function::expand_method(options, method.clone());
                *item = ImplItem::Verbatim(hot);
            }
            Err(error) => errors.push(check::in_block(error)),
        }
    }
}

fn default_methods(options: &Options, items: &[TraitItem], errors: &mut Errors) {
    for item in items {
        if let TraitItem::Fn(method) = item
            && method.default.is_some()
            && !is_decided(options, &method.attrs)
        {
            errors.push(check::default_method(&method.sig.ident));
        }
    }
}

/// Whether the item has an attribute of its own that says what becomes of it, or is a test.
fn is_decided(options: &Options, attributes: &[Attribute]) -> bool {
    attributes.iter().any(|attribute| {
        options.is_this_macro(attribute)
            || attribute
                .path()
                .segments
                .last()
                .is_some_and(|last| last.ident == "test")
    })
}
