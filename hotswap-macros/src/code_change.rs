//! `#[hotswap::code_change]`: a function that makes a whole value of the fields of an old one.

mod signature;

use proc_macro2::{Literal, TokenStream};
use quote::{format_ident, quote};
use syn::parse::Parser;
use syn::punctuated::Punctuated;
use syn::{Attribute, Error, Ident, Item, ItemFn, Meta, Path, Token, parse_quote};

use crate::expand::Form;
use crate::hygiene::{self, local};
use signature::{Kind, Parameter, Signature};

/// Expands one attribute. What is wrong is said in both forms.
pub(crate) fn expand(options: TokenStream, item: TokenStream, form: Form) -> TokenStream {
    let read = Options::read(options).and_then(|options| {
        let mut function = function(item.clone())?;
        let signature = Signature::read(&mut function.sig, options.down)?;
        Ok(output(&options, function, &signature, form))
    });
    read.unwrap_or_else(|error| {
        let error = error.into_compile_error();
        match syn::parse2::<Item>(item.clone()) {
            // What else is wrong with it is of no interest as long as this is.
            Ok(Item::Fn(_)) => error,
            _ => quote!(#error #item),
        }
    })
}

/// What stands in the parentheses.
struct Options {
    /// Where the crate `hotswap` is found.
    krate: Path,
    /// Whether the function is for the way back.
    down: bool,
}

impl Options {
    fn read(options: TokenStream) -> syn::Result<Self> {
        let mut found = Self {
            krate: parse_quote!(::hotswap),
            down: false,
        };
        for option in Punctuated::<Meta, Token![,]>::parse_terminated.parse2(options)? {
            match option {
                Meta::Path(path) if path.is_ident("down") => found.down = true,
                Meta::NameValue(option) if option.path.is_ident("crate") => {
                    found.krate = match option.value {
                        syn::Expr::Path(path) => path.path,
                        other => {
                            let message = "`crate` is a path: `crate = path::to::hotswap`";
                            return Err(Error::new_spanned(other, message));
                        }
                    };
                }
                other => {
                    return Err(Error::new_spanned(
                        other,
                        "unknown option: the type is told by the function itself; there are `down`, for \
                         the way back, and `crate = path::to::hotswap`",
                    ));
                }
            }
        }
        Ok(found)
    }
}

fn function(item: TokenStream) -> syn::Result<ItemFn> {
    match syn::parse2(item)? {
        Item::Fn(function) => Ok(function),
        other => Err(Error::new_spanned(
            item_head(&other),
            "`code_change` stands on a function that makes the new value of a type; on the type \
             itself write `#[derive(hotswap::Migrate)]`",
        )),
    }
}

/// What to underline of an item: its name, where it has one.
fn item_head(item: &Item) -> TokenStream {
    match item {
        Item::Struct(item) => {
            let name = &item.ident;
            quote!(#name)
        }
        Item::Enum(item) => {
            let name = &item.ident;
            quote!(#name)
        }
        other => quote!(#other),
    }
}

fn output(options: &Options, function: ItemFn, signature: &Signature, form: Form) -> TokenStream {
    let private = hygiene::private(&options.krate);
    let ItemFn {
        attrs,
        vis,
        sig,
        block,
        ..
    } = function;
    let word = match options.down {
        true => "code-change-down ",
        false => "code-change ",
    };
    let descriptor = descriptor(&private, (word, &sig.ident), signature, form);
    let run = run(&private, signature);
    let body = local("__hotswap_body");
    let (inputs, output) = (&sig.inputs, &sig.output);
    let names = signature.names();
    let attrs: Vec<Attribute> = attrs;
    quote! {
        #(#attrs)*
        #[allow(dead_code, clippy::ptr_arg, clippy::unnecessary_wraps)]
        #vis #sig {
            #descriptor
            #run
            fn #body(#inputs) #output #block
            #body(#(#names),*)
        }
    }
}

/// The static by which the tool knows the function.
fn descriptor(
    private: &Path,
    (word, name): (&str, &Ident),
    signature: &Signature,
    form: Form,
) -> TokenStream {
    let Signature { makes, fields, .. } = signature;
    let run = local("__hotswap_run");
    let types = fields.iter().map(|Parameter { kind, ty, .. }| match kind {
        Kind::Given => quote!(#private::Given<#ty>),
        Kind::Perhaps => quote!(#private::Perhaps<#ty>),
    });
    let mut text = format!("::{}\n", crate::migrate::unraw(name));
    for Parameter { name, kind, .. } in fields {
        let word = match kind {
            Kind::Given => "given",
            Kind::Perhaps => "perhaps",
        };
        text += &format!("{word} {name}\n");
    }
    let item = match form {
        Form::Hot => quote! {
            #[used]
            #[unsafe(link_section = "hotswap_schemas")]
            static __HOTSWAP_SCHEMA
        },
        // Without `cargo hotswap` nothing calls the function, but its form is checked.
        Form::Plain => quote!(const _),
    };
    quote! {
        #item: #private::CodeChange<#makes, (#(#types,)*)> = #private::CodeChange::new(
            ::core::concat!(#word, ::core::module_path!(), #text),
            #run,
        );
    }
}

/// The function with its types erased.
fn run(private: &Path, signature: &Signature) -> TokenStream {
    let Signature { makes, fields, .. } = signature;
    let method = |kind: &Kind| match kind {
        Kind::Given => format_ident!("given"),
        Kind::Perhaps => format_ident!("perhaps"),
    };
    let [run, body, ask, old, lent] =
        ["run", "body", "ask", "old", "lent"].map(|name| local(&format!("__hotswap_{name}")));
    let takes = fields.iter().map(|Parameter { kind, ty, .. }| {
        let method = method(kind);
        quote!(#private::Parameter::#method::<#ty>)
    });
    let gets = fields.iter().enumerate().map(|(number, parameter)| {
        let Parameter { kind, ty, .. } = parameter;
        let (method, number) = (method(kind), Literal::usize_unsuffixed(number));
        quote!(#lent.#method::<#ty>(#number))
    });
    let unused = fields.is_empty().then(|| quote!(let _ = #lent;));
    quote! {
        fn #run(#ask: #private::Ask<'_>) -> #private::Told {
            #private::change::<#makes, _, _>(#ask, &[#(#takes),*], |#old, #lent| {
                #unused
                #body(#old #(, #gets)*)
            })
        }
    }
}

#[cfg(test)]
mod tests;
