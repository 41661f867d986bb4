//! From the attribute and its item to what takes their place.

mod block;
mod function;
mod logged;
mod shim;

use proc_macro2::TokenStream;
use quote::quote;
use syn::{Attribute, Item};

use crate::check;
use crate::options::Options;
use crate::parse::{self, Target};

/// For whom the item is compiled.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Form {
    /// For anybody: the item stays as it is written.
    Plain,
    /// For `cargo hotswap`: calls go through the table.
    Hot,
}

/// Expands one attribute. What is wrong is said in both forms; only an item that cannot be read is
/// left to the compiler, which may know more of the language.
pub(crate) fn entry(options: TokenStream, item: TokenStream, form: Form) -> TokenStream {
    if form == Form::Plain && syn::parse2::<Item>(item.clone()).is_err() {
        return item;
    }
    match hot(options, item.clone()) {
        Ok(hot) if form == Form::Hot => hot,
        Ok(_) => item,
        Err(error) => {
            let error = error.into_compile_error();
            quote!(#error #item)
        }
    }
}

fn hot(options: TokenStream, item: TokenStream) -> syn::Result<TokenStream> {
    let options: Options = syn::parse2(options)?;
    if options.skip {
        return Ok(item);
    }
    match parse::target(item)? {
        Target::Function(function) => {
            check::function(&function.attrs, &function.sig)?;
            Ok(function::expand(&options, function))
        }
        Target::Impl(block) => block::implementation(&options, block),
        Target::Module(module) => block::module(&options, module),
    }
}

/// If other macros are still to be expanded on an item, adds this one after them, so that the hot
/// form is made of what they leave. Tells whether it did.
fn after_other_macros(options: &Options, attributes: &mut Vec<Attribute>) -> bool {
    let others = !options.last && attributes.iter().any(parse::is_macro);
    if others {
        attributes.push(options.as_last_attribute());
    }
    others
}

#[cfg(test)]
mod tests;
