//! `#[hotswap::on_load]`, `before_swap`, `after_swap` and `on_purge`: functions that run at swaps.

use proc_macro2::TokenStream;
use quote::{ToTokens, quote};
use syn::parse::Parser;
use syn::punctuated::Punctuated;
use syn::spanned::Spanned as _;
use syn::{Error, Expr, FnArg, Item, ItemFn, Meta, Path, Safety, Token, parse_quote};

use crate::expand::Form;
use crate::hygiene::{self, local};

/// When the function runs: the attribute's name.
#[derive(Clone, Copy)]
pub(crate) struct When(pub(crate) &'static str);

/// Expands one attribute. What is wrong is said in both forms.
pub(crate) fn expand(
    when: When,
    options: TokenStream,
    item: TokenStream,
    form: Form,
) -> TokenStream {
    let read = || {
        let krate = crate_path(options)?;
        let function = function(when, item.clone())?;
        check(when, &function)?;
        Ok(output(when, &krate, function, form))
    };
    read().unwrap_or_else(|error: Error| {
        let error = error.into_compile_error();
        quote!(#error #item)
    })
}

fn crate_path(options: TokenStream) -> syn::Result<Path> {
    let mut krate = parse_quote!(::hotswap);
    for option in Punctuated::<Meta, Token![,]>::parse_terminated.parse2(options)? {
        let path = match &option {
            Meta::NameValue(option) if option.path.is_ident("crate") => match &option.value {
                Expr::Path(path) => Some(path.path.clone()),
                _ => None,
            },
            _ => None,
        };
        krate = path.ok_or_else(|| {
            let message = "unknown option: there is only `crate = path::to::hotswap`";
            Error::new_spanned(option, message)
        })?;
    }
    Ok(krate)
}

fn function(When(when): When, item: TokenStream) -> syn::Result<ItemFn> {
    match syn::parse2(item)? {
        Item::Fn(function) => Ok(function),
        other => {
            let message =
                format!("`{when}` stands on a function: `#[hotswap::{when}] fn name() {{ … }}`");
            Err(Error::new(other.span(), message))
        }
    }
}

/// Says what such a function can't be.
fn check(When(when): When, function: &ItemFn) -> syn::Result<()> {
    let signature = &function.sig;
    let wrong: Option<(&dyn ToTokens, &str)> = match signature {
        it if it.asyncness.is_some() => Some((
            &signature.asyncness,
            "can't be `async`, since nothing would drive its future: start a runtime in it, or hand the \
             work to one",
        )),
        it if !it.generics.params.is_empty() || it.generics.where_clause.is_some() => Some((
            &signature.generics,
            "can't be generic, since it is one function that is called by its address",
        )),
        it if it.constness.is_some() => Some((&signature.constness, "can't be `const`")),
        it if it.abi.is_some() => Some((&signature.abi, "can't be `extern`")),
        it if it.variadic.is_some() => Some((&signature.variadic, "can't be variadic")),
        it if matches!(it.safety, Safety::Unsafe(_)) => Some((
            &signature.safety,
            "can't be `unsafe`, since nobody would answer for the call: put an `unsafe` block into it",
        )),
        _ => None,
    };
    if let Some((tokens, why)) = wrong {
        return Err(Error::new_spanned(
            tokens,
            format!("a function that is marked `{when}` {why}"),
        ));
    }
    let odd = match signature.inputs.first() {
        Some(FnArg::Receiver(receiver)) => Some(receiver.span()),
        _ => signature.inputs.iter().nth(1).map(FnArg::span),
    };
    match odd {
        Some(span) => {
            let message = format!(
                "a function that is marked `{when}` takes nothing, or one `hotswap::Swap`, and is no method"
            );
            Err(Error::new(span, message))
        }
        None => Ok(()),
    }
}

fn output(When(when): When, krate: &Path, function: ItemFn, form: Form) -> TokenStream {
    let private = hygiene::private(krate);
    let ItemFn {
        attrs,
        vis,
        sig,
        block,
        ..
    } = function;
    let (name, swap, run_name) = (&sig.ident, local("__hotswap_swap"), local("__hotswap_run"));
    let takes = sig.inputs.first().map(|_| quote!(#swap));
    let unused = takes.is_none().then(|| quote!(let _ = #swap;));
    let word = format!("{} ", when.replace('_', "-"));
    let text = format!("::{}", crate::migrate::unraw(name));
    let run = quote! {
        fn #run_name(#swap: #krate::Swap) -> ::core::result::Result<(), ::std::string::String> {
            #unused
            #private::hook_outcome(#name(#takes))
        }
    };
    let new = quote! {
        #private::SwapHook::new(::core::concat!(#word, ::core::module_path!(), #text), #run_name)
    };
    match form {
        // Inside of the function, so that its path names all of it.
        Form::Hot => quote! {
            #(#attrs)*
            #vis #sig {
                #run
                #[used]
                #[unsafe(link_section = "hotswap_hooks")]
                static __HOTSWAP_HOOK: #private::SwapHook = #new;
                #block
            }
        },
        // Nothing calls the function, but its form is checked, and it counts as used.
        Form::Plain => quote! {
            #(#attrs)*
            #vis #sig #block
            const _: #private::SwapHook = {
                #run
                #new
            };
        },
    }
}

#[cfg(test)]
mod tests;
