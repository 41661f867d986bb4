//! What a function marked `code_change` takes and makes, and what it can't.

use syn::spanned::Spanned;
use syn::{
    Attribute, Error, FnArg, GenericArgument, Ident, LitStr, Pat, PatType, PathArguments,
    ReturnType, Type,
};

/// What the function takes and makes.
pub(super) struct Signature {
    /// The type of the value that it makes.
    pub(super) makes: Type,
    /// The parameter that tells of the old value.
    pub(super) old: Ident,
    /// The fields of the old value that it takes.
    pub(super) fields: Vec<Parameter>,
}

/// A parameter that is a field of the old value.
pub(super) struct Parameter {
    pub(super) ident: Ident,
    /// The field's name; with a variant's before it and a dot, if it is one of a variant.
    pub(super) name: String,
    pub(super) kind: Kind,
    /// The field's type.
    pub(super) ty: Type,
}

/// Whether the field must be there.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// `&T`.
    Given,
    /// `Option<&T>`.
    Perhaps,
}

impl Signature {
    /// Reads a signature, and takes the attributes away that only this macro knows.
    pub(super) fn read(signature: &mut syn::Signature, down: bool) -> syn::Result<Self> {
        check(signature)?;
        let makes = makes(signature)?;
        let span = signature.ident.span();
        let mut inputs = signature.inputs.iter_mut();
        let old = match inputs.next() {
            Some(FnArg::Typed(old)) if matches!(&*old.ty, Type::Reference(_)) => ident(old)?,
            Some(FnArg::Receiver(receiver)) => {
                return Err(Error::new(
                    receiver.span(),
                    "there is no new value yet that could be `self`: the first parameter is \
                     `old: &hotswap::Old<'_>`",
                ));
            }
            other => {
                return Err(Error::new(
                    other.map_or(span, |other| other.span()),
                    "the first parameter tells of the old value: `old: &hotswap::Old<'_>`",
                ));
            }
        };
        let mut fields = Vec::new();
        for input in inputs {
            // Only the first one can be a receiver.
            if let FnArg::Typed(input) = input {
                fields.push(Parameter::read(input)?);
            }
        }
        if down && !matches!(fields.as_slice(), [value] if value.kind == Kind::Given) {
            return Err(Error::new(
                span,
                "on the way back it takes the whole value, and makes a struct with the older type's \
                 fields: `(old: &hotswap::Old<'_>, value: &World) -> Before`",
            ));
        }
        Ok(Self { makes, old, fields })
    }

    /// The names of all parameters.
    pub(super) fn names(&self) -> impl Iterator<Item = &Ident> {
        let fields = self.fields.iter().map(|field| &field.ident);
        std::iter::once(&self.old).chain(fields)
    }
}

/// What such a function can't be.
fn check(signature: &syn::Signature) -> syn::Result<()> {
    let refuse = |span, message: &str| Err(Error::new(span, message));
    if let Some(token) = &signature.constness {
        return refuse(token.span, "it runs while the program does: remove `const`");
    }
    if let Some(token) = &signature.asyncness {
        return refuse(
            token.span,
            "cells are held while it runs, so it can't wait for others: remove `async`",
        );
    }
    if let syn::Safety::Unsafe(token) = &signature.safety {
        return refuse(
            token.span,
            "the swap calls it, and knows of no promise to keep: remove `unsafe`",
        );
    }
    if let Some(abi) = &signature.abi {
        return refuse(
            abi.span(),
            "the swap calls it as a function of Rust: remove `extern`",
        );
    }
    if let Some(dots) = &signature.variadic {
        return refuse(dots.span(), "each parameter is one field of the old value");
    }
    if let Some(parameter) = signature.generics.params.first() {
        return refuse(
            parameter.span(),
            "it belongs to one type, so it can't be generic: write one for each type that is in \
             use, such as `World<u8>`, and leave lifetimes out",
        );
    }
    Ok(())
}

/// The type of the value: the function's result, or what is in a `Result`.
fn makes(signature: &syn::Signature) -> syn::Result<Type> {
    let ReturnType::Type(_, result) = &signature.output else {
        return Err(Error::new(
            signature.ident.span(),
            "it has to return the new value: `-> World`, or `-> Result<World, String>` if it can \
             fail",
        ));
    };
    let made = in_result(result).unwrap_or(result);
    if let Type::ImplTrait(hidden) = made {
        let message = "the type has to be named whose values it makes";
        return Err(Error::new(hidden.span(), message));
    }
    if let Type::Path(path) = made
        && path.path.is_ident("Self")
    {
        let message = "write the type's name, since `Self` is not known where the swap calls it";
        return Err(Error::new(path.span(), message));
    }
    Ok(made.clone())
}

/// `T` of a `Result<T, …>`, however that is named.
fn in_result(ty: &Type) -> Option<&Type> {
    let Type::Path(path) = ty else { return None };
    let last = path.path.segments.last()?;
    if last.ident != "Result" {
        return None;
    }
    first_argument(&last.arguments)
}

fn first_argument(arguments: &PathArguments) -> Option<&Type> {
    let PathArguments::AngleBracketed(arguments) = arguments else {
        return None;
    };
    arguments.args.iter().find_map(|argument| match argument {
        GenericArgument::Type(ty) => Some(ty),
        _ => None,
    })
}

impl Parameter {
    fn read(input: &mut PatType) -> syn::Result<Self> {
        let ident = ident(input)?;
        let name = name(&mut input.attrs)?.unwrap_or_else(|| crate::migrate::unraw(&ident));
        if let Some(other) = input.attrs.first() {
            let message = "the only attribute of a parameter here is `#[field(\"name\")]`";
            return Err(Error::new(other.span(), message));
        }
        let is_of_variant = name.contains('.');
        let (kind, ty) = field_type(&input.ty).ok_or_else(|| {
            let message = format!(
                "the old value's field `{name}` is lent: `&T` with the field's type, or \
                 `Option<&T>` if there may be no such field"
            );
            Error::new(input.ty.span(), message)
        })?;
        if let Some(owned) = unsized_name(ty) {
            let message = format!("name the field's own type, such as `{owned}`");
            return Err(Error::new(input.ty.span(), message));
        }
        if is_of_variant && kind == Kind::Given {
            let message = format!(
                "a value may be of another variant than that of `{name}`: take an `Option<&T>`"
            );
            return Err(Error::new(input.ty.span(), message));
        }
        let ty = ty.clone();
        Ok(Self {
            ident,
            name,
            kind,
            ty,
        })
    }
}

/// The type behind `&T` or `Option<&T>`.
fn field_type(ty: &Type) -> Option<(Kind, &Type)> {
    match ty {
        Type::Reference(reference) if reference.mutability.is_none() => {
            Some((Kind::Given, &reference.elem))
        }
        Type::Path(path) => {
            let last = path.path.segments.last()?;
            let inner = (last.ident == "Option").then(|| first_argument(&last.arguments));
            match inner.flatten()? {
                Type::Reference(reference) if reference.mutability.is_none() => {
                    Some((Kind::Perhaps, &reference.elem))
                }
                _ => None,
            }
        }
        _ => None,
    }
}

/// For a type without a fixed size, one that a field can have.
fn unsized_name(ty: &Type) -> Option<&'static str> {
    match ty {
        Type::Path(path) if path.path.is_ident("str") => Some("&String"),
        Type::Slice(_) => Some("&Vec<T>"),
        Type::TraitObject(_) => Some("&Box<dyn Trait>"),
        _ => None,
    }
}

/// The name in `#[field("…")]`, which is taken away.
fn name(attributes: &mut Vec<Attribute>) -> syn::Result<Option<String>> {
    let Some(at) = attributes.iter().position(|it| it.path().is_ident("field")) else {
        return Ok(None);
    };
    let attribute = attributes.remove(at);
    let text: LitStr = attribute.parse_args()?;
    let name = text.value();
    let is_name = |part: &str| {
        let is_number = !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
        is_number || syn::parse_str::<Ident>(part).is_ok()
    };
    let parts: Vec<&str> = name.split('.').collect();
    if parts.len() > 2 || !parts.iter().all(|part| is_name(part)) {
        let message = "write the old field's name, as in `#[field(\"name\")]`, `#[field(\"0\")]` \
                       or, of a variant, `#[field(\"Open.name\")]`";
        return Err(Error::new(text.span(), message));
    }
    let parts = parts
        .iter()
        .map(|part| part.strip_prefix("r#").unwrap_or(part));
    Ok(Some(parts.collect::<Vec<_>>().join(".")))
}

fn ident(input: &PatType) -> syn::Result<Ident> {
    match &*input.pat {
        Pat::Ident(pat)
            if pat.by_ref.is_none() && pat.subpat.is_none() && pat.mutability.is_none() =>
        {
            Ok(pat.ident.clone())
        }
        other => Err(Error::new(
            other.span(),
            "a parameter is called as the old value's field: write a plain name",
        )),
    }
}
