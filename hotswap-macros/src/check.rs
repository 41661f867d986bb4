//! What cannot be an entry, and what to write instead.

use proc_macro2::Span;
use syn::spanned::Spanned;
use syn::visit::{self, Visit};
use syn::{Attribute, Error, FnArg, GenericParam, Generics, ItemMod, Signature, TypeImplTrait};

use crate::parse;

/// The most arguments an entry can take, with the receiver and a caller's location.
pub(crate) const MOST_ARGUMENTS: usize = 16;

/// Checks a function; `attributes` are those on it.
pub(crate) fn function(attributes: &[Attribute], signature: &Signature) -> syn::Result<()> {
    let mut errors = Errors::default();
    let name = &signature.ident;
    if let Some(token) = &signature.constness {
        errors.add(
            token.span,
            format!(
                "an entry cannot be a `const fn`, whose calls may be evaluated when the program \
                 is compiled: remove `const`, or mark a function that calls `{name}`"
            ),
        );
    }
    if let Some(abi) = &signature.abi
        && abi.name.as_ref().is_none_or(|name| name.value() != "Rust")
    {
        errors.add(
            abi.span(),
            format!(
                "an entry cannot be `extern`, since foreign code holds its address: let `{name}` \
                 call an entry that does the work"
            ),
        );
    }
    if let Some(dots) = &signature.variadic {
        errors.add(
            dots.span(),
            "an entry cannot take a variable number of arguments: let the function call an entry \
             that takes a `VaList`",
        );
    }
    generics(&mut errors, &signature.generics, || {
        format!(
            "an entry cannot be generic over types or constants, since every instance is code of \
             its own: let `{name}` call an entry that takes concrete types, `&dyn Trait` or \
             `Box<dyn Trait>`"
        )
    });
    arguments(&mut errors, attributes, signature);
    errors.into_result()
}

fn arguments(errors: &mut Errors, attributes: &[Attribute], signature: &Signature) {
    let mut implicit = ImplTraits::default();
    for argument in &signature.inputs {
        implicit.visit_fn_arg(argument);
        let (FnArg::Receiver(syn::Receiver { attrs, .. })
        | FnArg::Typed(syn::PatType { attrs, .. })) = argument;
        let conditional = attrs.iter().find(|attribute| {
            attribute.path().is_ident("cfg") || attribute.path().is_ident("cfg_attr")
        });
        if let Some(attribute) = conditional {
            errors.add(
                attribute.span(),
                "an argument of an entry cannot be conditional: write the function twice, each \
                 under a `#[cfg]` of its own",
            );
        }
    }
    for span in implicit.found {
        errors.add(
            span,
            "an entry cannot take `impl Trait`, which makes it generic: take a concrete type, \
             `&dyn Trait` or `Box<dyn Trait>`",
        );
    }
    let location = usize::from(parse::has(attributes, "track_caller"));
    let count = signature.inputs.len() + location;
    if count > MOST_ARGUMENTS {
        errors.add(
            signature.ident.span(),
            format!(
                "an entry takes at most {MOST_ARGUMENTS} arguments, this one has {count}: take a \
                 struct or a tuple"
            ),
        );
    }
}

/// Checks the head of an `impl` block.
pub(crate) fn impl_generics(block: &Generics) -> syn::Result<()> {
    let mut errors = Errors::default();
    generics(&mut errors, block, || {
        "functions of a generic `impl` block cannot be entries, since every instance is code of \
         its own: mark functions that take concrete types, and call them from here"
            .to_owned()
    });
    errors.into_result()
}

fn generics(errors: &mut Errors, generics: &Generics, message: impl Fn() -> String) {
    let generic = generics
        .params
        .iter()
        .find(|parameter| !matches!(parameter, GenericParam::Lifetime(_)));
    if let Some(parameter) = generic {
        errors.add(parameter.span(), message());
    }
}

/// The items of an inline module.
pub(crate) fn inline_module(module: &mut ItemMod) -> syn::Result<&mut Vec<syn::Item>> {
    let name = module.ident.clone();
    match &mut module.content {
        Some((_, items)) => Ok(items),
        None => Err(Error::new(
            name.span(),
            format!(
                "the file of module `{name}` cannot be seen from here: mark the functions in it, \
                 or write the module inline"
            ),
        )),
    }
}

/// Says that a trait's default methods cannot be entries.
pub(crate) fn default_method(name: &syn::Ident) -> Error {
    Error::new(
        name.span(),
        format!(
            "the default method `{name}` cannot be an entry, since it is generic over the type \
             that implements the trait: let it call an entry, or mark it \
             `#[hotswap::entry(skip)]`"
        ),
    )
}

/// Adds, to what is wrong with a function in a marked block, the way to leave it out.
pub(crate) fn in_block(error: Error) -> Error {
    let mut all = error.into_iter().map(|error| {
        Error::new(
            error.span(),
            format!("{error}; or mark it `#[hotswap::entry(skip)]`"),
        )
    });
    let first = all
        .next()
        .unwrap_or_else(|| Error::new(Span::call_site(), ""));
    all.fold(first, |mut errors, error| {
        errors.combine(error);
        errors
    })
}

/// Errors to be reported together.
#[derive(Default)]
pub(crate) struct Errors {
    all: Option<Error>,
}

impl Errors {
    fn add(&mut self, span: Span, message: impl std::fmt::Display) {
        self.push(Error::new(span, message));
    }

    pub(crate) fn push(&mut self, error: Error) {
        match &mut self.all {
            Some(all) => all.combine(error),
            None => self.all = Some(error),
        }
    }

    pub(crate) fn into_result(self) -> syn::Result<()> {
        self.all.map_or(Ok(()), Err)
    }
}

/// Finds every `impl Trait`.
#[derive(Default)]
struct ImplTraits {
    found: Vec<Span>,
}

impl<'ast> Visit<'ast> for ImplTraits {
    fn visit_type_impl_trait(&mut self, node: &'ast TypeImplTrait) {
        self.found.push(node.span());
        visit::visit_type_impl_trait(self, node);
    }
}
