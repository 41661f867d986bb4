//! From an implementation of `Server` to its cells and its entry.

use proc_macro2::{Ident, Span, TokenStream};
use quote::quote;
use syn::spanned::Spanned as _;
use syn::{Error, ImplItem, ItemImpl, Path, Type, parse_quote};

use crate::hygiene;
use options::ServerOptions;

mod options;

/// The kinds of messages, and what is filled in where there is none.
const KINDS: [&str; 5] = ["Args", "Call", "Reply", "Cast", "Info"];

/// Expands the attribute. The form is the same for all: cells and entries know what they are built for.
pub(crate) fn expand(options: TokenStream, item: TokenStream) -> TokenStream {
    let read = || {
        let options: ServerOptions = syn::parse2(options)?;
        let block: ItemImpl = syn::parse2(item.clone())?;
        Definition::read(options, block)
    };
    match read() {
        Ok(definition) => definition.expand(),
        Err(error) => {
            let error = error.into_compile_error();
            quote!(#error #item)
        }
    }
}

/// An implementation that has been checked.
struct Definition {
    krate: Path,
    /// The types that this one comes after.
    after: Vec<Path>,
    private: Path,
    block: ItemImpl,
    name: Ident,
}

impl Definition {
    fn read(options: ServerOptions, block: ItemImpl) -> syn::Result<Self> {
        if block.trait_.is_none() {
            let message =
                "this attribute stands on an implementation: `impl hotswap::Server for …`";
            return Err(Error::new(block.self_ty.span(), message));
        }
        let generic = "a server's type can't be generic, since the states of all its servers are in \
                       one static: implement `Server` for one concrete type";
        if let Some(parameter) = block.generics.params.first() {
            return Err(Error::new(parameter.span(), generic));
        }
        let name = match &*block.self_ty {
            Type::Path(path) if path.qself.is_none() => path.path.segments.last(),
            _ => None,
        };
        let Some(name) = name else {
            let message = "a server's type is a struct or an enum, named by its path";
            return Err(Error::new(block.self_ty.span(), message));
        };
        if !name.arguments.is_empty() {
            return Err(Error::new(name.arguments.span(), generic));
        }
        let name = name.ident.clone();
        let ServerOptions { krate, after } = options;
        Ok(Self {
            private: hygiene::private(&krate),
            krate,
            after,
            block,
            name,
        })
    }

    fn declares(&self, kind: &str) -> bool {
        let mut items = self.block.items.iter();
        items.any(|item| matches!(item, ImplItem::Type(item) if item.ident == kind))
    }

    fn defines(&self, function: &str) -> bool {
        let mut items = self.block.items.iter();
        items.any(|item| matches!(item, ImplItem::Fn(item) if item.sig.ident == function))
    }

    /// The static with values of this kind.
    fn cell(&self, kind: &str) -> Ident {
        let name = screaming(&self.name.to_string());
        Ident::new(&format!("__{name}_{kind}"), self.name.span())
    }

    fn entry(&self) -> Ident {
        let name = screaming(&self.name.to_string()).to_lowercase();
        Ident::new(&format!("__{name}_server"), self.name.span())
    }

    fn expand(mut self) -> TokenStream {
        let declared: Vec<&str> = KINDS
            .into_iter()
            .filter(|kind| self.declares(kind))
            .collect();
        self.complete(&declared);
        let cells = self.cells(&declared);
        let Self {
            krate,
            private,
            block,
            ..
        } = &self;
        let (server, entry) = (&block.self_ty, self.entry());
        let statics = declared.iter().map(|kind| {
            let (cell, kind) = (self.cell(&upper(kind)), ident(kind));
            quote! {
                #[doc(hidden)]
                static #cell: #krate::Live<
                    #private::Messages<<#server as #krate::Server>::#kind>
                > = #krate::Live::new(#private::nothing);
            }
        });
        let states = self.cell("STATES");
        quote! {
            #[doc(hidden)]
            static #states: #krate::Live<#private::States<#server>> =
                #krate::Live::new(#private::nothing);
            #(#statics)*
            #[doc(hidden)]
            #[#krate::entry(crate = #krate)]
            fn #entry() {
                #private::serve::<#server>(#entry);
            }
            #cells
            // Computed in any case, so that a circle is an error.
            const _: usize = <#server as #krate::Server>::__AFTER;
        }
    }

    /// Fills in the types that are left out, and their handlers.
    fn complete(&mut self, declared: &[&str]) {
        let krate = &self.krate;
        let context = quote!(_: &mut #krate::server::Context<'_, Self>);
        let mut items: Vec<ImplItem> = Vec::new();
        for kind in KINDS {
            if declared.contains(&kind) {
                continue;
            }
            let name = ident(kind);
            items.push(match kind {
                "Args" | "Reply" => parse_quote! { type #name = (); },
                _ => parse_quote! { type #name = #krate::server::Never; },
            });
            let handler = match kind {
                "Call" => "handle_call",
                "Cast" => "handle_cast",
                "Info" => "handle_info",
                _ => continue,
            };
            if self.defines(handler) {
                continue;
            }
            let result = (kind == "Call").then(|| quote!(-> Self::Reply));
            let handler = ident(handler);
            items.push(parse_quote! {
                fn #handler(&mut self, message: Self::#name, #context) #result {
                    match message {}
                }
            });
        }
        if !self.defines("show") {
            let private = &self.private;
            items.push(parse_quote! {
                fn show(&self) -> ::core::option::Option<::std::string::String> {
                    #[allow(unused_imports)]
                    use #private::NoText as _;
                    #private::Probe::<Self>::TEXT.map(|text| text(self))
                }
            });
        }
        self.block.items.extend(items);
    }

    /// The implementation, with the function that names the cells.
    fn cells(&self, declared: &[&str]) -> TokenStream {
        let Self {
            krate,
            private,
            after,
            ..
        } = self;
        let cell = |kind: &str| {
            if declared.contains(&kind) {
                let cell = self.cell(&upper(kind));
                quote!(::core::option::Option::Some(&#cell))
            } else {
                quote!(::core::option::Option::None)
            }
        };
        let (args, calls, casts, infos) = (cell("Args"), cell("Call"), cell("Cast"), cell("Info"));
        let replies = cell("Reply");
        // What has no cell is `()`.
        let unit = |kind: &str| {
            if declared.contains(&kind) {
                quote!(|| ::core::option::Option::None)
            } else {
                quote!(|| ::core::option::Option::Some(()))
            }
        };
        let (no_args, no_reply) = (unit("Args"), unit("Reply"));
        let (states, entry) = (self.cell("STATES"), self.entry());
        let mut block = self.block.clone();
        block.items.push(parse_quote! {
            fn __cells() -> #private::Cells<Self> {
                #private::Cells {
                    states: &#states,
                    args: #args,
                    no_args: #no_args,
                    calls: #calls,
                    replies: #replies,
                    no_reply: #no_reply,
                    casts: #casts,
                    infos: #infos,
                    after: &[#(#private::states_of::<#after>),*],
                    serve: #entry,
                }
            }
        });
        if !after.is_empty() {
            block.items.push(parse_quote! {
                const __AFTER: usize = #private::place(&[#(<#after as #krate::Server>::__AFTER),*]);
            });
        }
        quote!(#block)
    }
}

fn ident(name: &str) -> Ident {
    Ident::new(name, Span::call_site())
}

fn upper(kind: &str) -> String {
    // In the plural, as it is a store.
    match kind {
        "Args" => "ARGS".to_owned(),
        "Reply" => "REPLIES".to_owned(),
        kind => format!("{}S", kind.to_uppercase()),
    }
}

/// `ChatRoom` as `CHAT_ROOM`.
fn screaming(name: &str) -> String {
    let mut text = String::new();
    let mut after_lower = false;
    for letter in name.trim_start_matches("r#").chars() {
        if letter.is_uppercase() && after_lower {
            text.push('_');
        }
        after_lower = letter.is_lowercase() || letter.is_ascii_digit();
        text.extend(letter.to_uppercase());
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_with_some_kinds_of_messages() {
        let item = "impl Server for ChatRoom {
            type Call = Ask;
            type Info = Tick;
            fn init(_: (), _: &mut Context<'_, Self>) -> Init<Self> { Ok(Self) }
            fn handle_call(&mut self, ask: Ask, _: &mut Context<'_, Self>) {}
            fn handle_info(&mut self, tick: Tick, _: &mut Context<'_, Self>) {}
        }";
        let parse = |text: &str| text.parse::<TokenStream>().unwrap();
        let options = "after(Store, db::Pool), crate = my::hotswap";
        let expanded = expand(parse(options), parse(item));
        let file = syn::parse2(expanded.clone());
        let file = file.unwrap_or_else(|error| panic!("{error}: {expanded}"));
        insta::assert_snapshot!(prettyplease::unparse(&file));
    }

    #[test]
    fn names_of_types_as_names_of_statics() {
        for (name, expected) in [
            ("Counter", "COUNTER"),
            ("ChatRoom", "CHAT_ROOM"),
            ("HTTPServer", "HTTPSERVER"),
            ("Room2Door", "ROOM2_DOOR"),
            ("r#Type", "TYPE"),
        ] {
            assert_eq!(screaming(name), expected);
        }
    }
}
