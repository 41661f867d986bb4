//! What stands in an entry's place: the descriptor, the body as a closure, and the call.

use proc_macro2::{Ident, Span, TokenStream};
use quote::{ToTokens, format_ident, quote};
use syn::{
    Attribute, Block, FnArg, Pat, Path, ReturnType, Signature, TraitBound, Type, parse_quote,
};

use super::logged::{self, Shown};
use crate::hygiene::{self, local};
use crate::options::Options;
use crate::result::{self, Crossing, Kind};
use crate::{parse, rename, signature};

/// An entry that has been checked, taken apart.
pub(super) struct Shim {
    untracked: bool,
    track_caller: bool,
    /// Where everything is found that the output names.
    private: Path,
    name: Ident,
    /// The signature's text, as part of the identity.
    text: String,
    signature: Signature,
    arguments: Vec<Argument>,
    crossing: Crossing,
    /// The type that a closure with the user's body returns.
    output: Type,
    body: Block,
}

/// One argument, or the caller's location.
struct Argument {
    /// Its name in the shim and in the closure around the user's body.
    name: Ident,
    /// What the user's body calls it.
    pattern: TokenStream,
    /// What the shim passes.
    value: TokenStream,
}

impl Shim {
    pub(super) fn new(
        options: &Options,
        attributes: &[Attribute],
        mut signature: Signature,
        mut body: Block,
    ) -> Self {
        let track_caller = parse::has(attributes, "track_caller");
        let text = signature::text(&signature, track_caller);
        let crossing = Crossing::of(&signature);
        let output = match (&crossing, &signature.output) {
            (Crossing::Never | Crossing::AsyncNever, _) => {
                parse_quote!(::core::convert::Infallible)
            }
            (_, ReturnType::Default) => parse_quote!(()),
            (_, ReturnType::Type(_, output)) => result::nameable(output),
        };
        let (mut arguments, shown) = take_arguments(&mut signature);
        if signature.receiver().is_some() {
            rename::self_in(&mut body);
        }
        if track_caller {
            let location = local("__hotswap_location");
            rename::location_in(&mut body, &location);
            arguments.push(Argument {
                name: local("__hotswap_caller"),
                pattern: quote!(#location),
                value: quote!(::core::panic::Location::caller()),
            });
        }
        let private = hygiene::private(&options.krate);
        let chosen = logged::chosen(&signature.ident);
        if !chosen.is_empty() {
            body = logged::told(&private, &signature.ident, &chosen, &shown, &body);
        }
        Self {
            untracked: options.untracked,
            track_caller,
            private,
            name: signature.ident.clone(),
            text,
            signature,
            arguments,
            crossing,
            output,
            body,
        }
    }

    /// The signature that callers see.
    pub(super) fn signature(&self) -> Signature {
        let mut signature = self.signature.clone();
        let output: Type = match &self.crossing {
            Crossing::Async(output) => (**output).clone(),
            Crossing::AsyncNever => {
                let private = &self.private;
                parse_quote!(<fn() -> ! as #private::Returns>::Result)
            }
            _ => return signature,
        };
        signature.asyncness = None;
        // Written by this crate, of edition 2024, the type captures every lifetime, as an `async
        // fn` does in all editions.
        let future = Ident::new("impl", Span::mixed_site());
        signature.output = parse_quote!(-> #future ::core::future::Future<Output = #output>);
        signature
    }

    /// What stands between the shim's braces.
    pub(super) fn body(&self) -> TokenStream {
        let descriptor = self.descriptor();
        let call = self.call();
        let result = match &self.crossing {
            Crossing::Never => quote!(match #call {}),
            Crossing::AsyncNever => {
                let future = local("__hotswap_future");
                quote! {
                    let #future = #call;
                    async move { match #future.await {} }
                }
            }
            Crossing::PinnedFuture if !self.untracked => {
                let private = &self.private;
                quote!(#private::pin_box(#call))
            }
            Crossing::Callable(kind, bound) => callable(*kind, bound, &call),
            _ => call,
        };
        quote!(#descriptor #result)
    }

    fn descriptor(&self) -> TokenStream {
        let Self {
            private,
            name,
            text,
            ..
        } = self;
        let path = format!("::{}", name);
        let mut flags = quote!(0);
        for (set, flag) in [
            (self.untracked, "UNTRACKED"),
            (self.crossing.is_future(), "FUTURE"),
            (self.crossing.is_hidden(), "HIDDEN"),
            (self.track_caller, "LOCATION"),
        ] {
            if set {
                let flag = Ident::new(flag, Span::mixed_site());
                flags.extend(quote!(| #private::#flag));
            }
        }
        let (witness, hidden) = if self.crossing.is_hidden() {
            (
                quote! {
                    struct __HotswapWitness;
                    impl #private::Witness for __HotswapWitness {
                        fn entry() -> &'static #private::Descriptor {
                            &__HOTSWAP_ENTRY
                        }
                    }
                },
                quote!(::core::option::Option::Some(#private::ask::<__HotswapWitness>)),
            )
        } else {
            (quote!(), quote!(::core::option::Option::None))
        };
        quote! {
            #[used]
            #[unsafe(link_section = "hotswap_entries")]
            static __HOTSWAP_ENTRY: #private::Descriptor = #private::Descriptor::new(
                ::core::concat!(::core::module_path!(), #path),
                #text,
                #flags,
                #hidden,
            );
            #witness
        }
    }

    /// The call through the table, with the body as its last argument.
    fn call(&self) -> TokenStream {
        let private = &self.private;
        let mode = match (self.untracked, self.crossing.is_future()) {
            (true, _) => quote!(Untracked),
            (false, false) => quote!(Tracked),
            (false, true) => quote!(TrackedFuture),
        };
        let call = format_ident!("call{}", self.arguments.len());
        let types = std::iter::repeat_n(quote!(_), self.arguments.len() + 1);
        let names: Vec<&Ident> = self
            .arguments
            .iter()
            .map(|argument| &argument.name)
            .collect();
        let values = self.arguments.iter().map(|argument| &argument.value);
        let result = match &self.crossing {
            Crossing::Async(_) | Crossing::AsyncNever => self.future(),
            _ => self.applied(),
        };
        quote! {
            #private::#call::<#private::#mode, #(#types),*>(
                &__HOTSWAP_ENTRY,
                #(#values,)*
                |#(#private::Arg([#names])),*| {
                    #private::anchor(&__HOTSWAP_ENTRY);
                    #private::Arg([#result])
                },
            )
        }
    }

    /// The user's body of an `async fn`, as a boxed future.
    ///
    /// Arguments become variables in the order and with the lifetimes that the compiler gives them.
    fn future(&self) -> TokenStream {
        let Self {
            private,
            output,
            body,
            ..
        } = self;
        let bindings = self.arguments.iter().map(|argument| {
            let Argument { name, pattern, .. } = argument;
            quote!(let #name = #name; let #pattern = #name;)
        });
        let result = local("__hotswap_result");
        // The type of `return` must be known before the body.
        let early = (!contains_infer(output)).then(|| {
            quote! {
                if let ::core::option::Option::Some(#result) = ::core::option::Option::None::<#output> {
                    return #result;
                }
            }
        });
        quote! {
            #private::FutureBox::<_, #output>::new::<__HotswapWitness>(async move {
                #(#bindings)*
                #early
                #[allow(clippy::diverging_sub_expression)]
                let #result: #output = #body;
                #[allow(unreachable_code)]
                #result
            })
        }
    }

    /// The user's body of any other function, called with the arguments, and boxed if need be.
    fn applied(&self) -> TokenStream {
        let private = &self.private;
        let apply = format_ident!("apply{}", self.arguments.len());
        let names = self.arguments.iter().map(|argument| &argument.name);
        let patterns = self.arguments.iter().map(|argument| &argument.pattern);
        let (output, body) = (&self.output, &self.body);
        let (declared, apply) = match &self.crossing {
            Crossing::Callable(_, bound) if !result::mentions_self(bound) => {
                (self.bounded_apply(bound), quote!(__hotswap_apply))
            }
            _ => (quote!(), quote!(#private::#apply)),
        };
        let applied = quote! {
            #apply(#(#names,)* #[inline(always)] |#(#patterns),*| -> #output #body)
        };
        let boxed = match &self.crossing {
            Crossing::Future(output) => {
                let output = result::nameable(output);
                quote!(#private::FutureBox::<_, #output>::new::<__HotswapWitness>(#applied))
            }
            Crossing::Iterator { double_ended } => {
                let iterator = if *double_ended {
                    "DoubleEndedBox"
                } else {
                    "IteratorBox"
                };
                let iterator = Ident::new(iterator, Span::mixed_site());
                quote!(#private::#iterator::new::<__HotswapWitness>(#applied))
            }
            Crossing::Format(format) => {
                let format = Ident::new(format, Span::mixed_site());
                quote!(#private::#format::new::<__HotswapWitness>(#applied))
            }
            Crossing::Callable(_, bound) => {
                let function = local("__hotswap_function");
                quote! {
                    #private::CallableBox::<_, dyn #bound + '_>::new::<__HotswapWitness>(
                        #applied,
                        |#function| #function,
                    )
                }
            }
            Crossing::Value => quote!(#private::by_value::<__HotswapWitness, _>(#applied)),
            _ => applied,
        };
        if declared.is_empty() {
            boxed
        } else {
            quote!({ #declared #boxed })
        }
    }

    /// A function that calls the user's body, and tells the compiler of what kind the result is:
    /// only so can it infer the arguments of the closure that is returned.
    fn bounded_apply(&self, bound: &TraitBound) -> TokenStream {
        let lifetimes = result::lifetimes(bound);
        let types: Vec<Ident> = (0..self.arguments.len())
            .map(|index| format_ident!("A{index}"))
            .collect();
        let names: Vec<&Ident> = self
            .arguments
            .iter()
            .map(|argument| &argument.name)
            .collect();
        quote! {
            #[inline(always)]
            fn __hotswap_apply<#(#lifetimes,)* #(#types,)* R: #bound>(
                #(#names: #types,)*
                body: impl ::core::ops::FnOnce(#(#types),*) -> R,
            ) -> R {
                body(#(#names),*)
            }
        }
    }
}

/// The closure that stands for one that is boxed.
fn callable(kind: Kind, bound: &TraitBound, call: &TokenStream) -> TokenStream {
    let function = local("__hotswap_function");
    let count = result::call(&bound.path).map_or(0, |call| call.inputs.len());
    let names: Vec<Ident> = (0..count).map(argument_name).collect();
    let (mutable, access) = match kind {
        Kind::Shared => (quote!(), quote!(get)),
        Kind::Exclusive => (quote!(mut), quote!(get_mut)),
        Kind::Once => (quote!(), quote!(into_object)),
    };
    quote! {
        let #mutable #function = #call;
        move |#(#names),*| (#function.#access())(#(#names),*)
    }
}

/// Gives every argument a name in the signature, and tells what it was called, and what the body calls what is
/// in it.
fn take_arguments(signature: &mut Signature) -> (Vec<Argument>, Vec<Shown>) {
    let (mut arguments, mut shown) = (Vec::new(), Vec::new());
    for (index, input) in signature.inputs.iter_mut().enumerate() {
        let name = argument_name(index);
        arguments.push(match input {
            FnArg::Receiver(receiver) => {
                let renamed = rename::self_at(receiver.self_token.span);
                shown.push(Shown {
                    name: "self".to_owned(),
                    variable: renamed.clone(),
                });
                let mutability = receiver.mutability.take();
                let value = receiver.self_token.to_token_stream();
                Argument {
                    name,
                    pattern: quote!(#mutability #renamed),
                    value,
                }
            }
            FnArg::Typed(input) => {
                shown.extend(logged::variables(&input.pat));
                let attributes = std::mem::take(&mut input.attrs);
                let pattern = std::mem::replace(&mut *input.pat, Pat::Verbatim(quote!(#name)));
                Argument {
                    pattern: quote!(#(#attributes)* #pattern),
                    value: quote!(#name),
                    name,
                }
            }
        });
    }
    (arguments, shown)
}

fn argument_name(index: usize) -> Ident {
    local(&format!("__hotswap_{index}"))
}

fn contains_infer(of: &Type) -> bool {
    use syn::visit::Visit;
    struct Finder(bool);
    impl<'ast> Visit<'ast> for Finder {
        fn visit_type_infer(&mut self, _: &'ast syn::TypeInfer) {
            self.0 = true;
        }
    }
    let mut finder = Finder(false);
    finder.visit_type(of);
    finder.0
}
