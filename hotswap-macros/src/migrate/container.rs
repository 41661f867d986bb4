//! Containers of the user's: types whose elements are changed one by one.

use proc_macro2::{Ident, TokenStream};
use quote::quote;
use syn::{Error, Generics, WherePredicate, parse_quote};

use super::{Definition, Field};

/// Checks that the elements' types are type parameters.
pub(super) fn check<'a>(
    container: &[Ident],
    generics: &Generics,
    mut fields: impl Iterator<Item = &'a Field>,
) -> syn::Result<()> {
    if let [first, ..] = container
        && fields.any(|field| field.options.says_something())
    {
        let message =
            "a container is built of its elements, so `#[migrate]` on a field says nothing";
        return Err(Error::new(first.span(), message));
    }
    for element in container {
        if !generics.type_params().any(|it| it.ident == *element) {
            let message = format!("`{element}` is no type parameter of the container");
            return Err(Error::new(element.span(), message));
        }
    }
    match container {
        [one, other] if one == other => {
            let message = "keys and values are of different type parameters";
            Err(Error::new(other.span(), message))
        }
        _ => Ok(()),
    }
}

/// The positions of the elements' types among the type parameters, as the description has them.
pub(super) fn positions(definition: &Definition) -> Vec<usize> {
    let generics = &definition.input.generics;
    let position = |element: &Ident| generics.type_params().position(|it| it.ident == *element);
    definition.container.iter().filter_map(position).collect()
}

/// The container's entry in its schema.
pub(super) fn shape(definition: &Definition) -> TokenStream {
    let private = &definition.private;
    match definition.container.len() {
        1 => quote!(#private::Shape::Custom(#private::Custom::container::<Self>())),
        _ => quote!(#private::Shape::Custom(#private::Custom::map::<Self>())),
    }
}

/// The generics with what has to hold for the container: its elements are `Migrate`, and it is what its own
/// `Of` makes of them.
pub(super) fn bounded(definition: &Definition) -> Generics {
    let krate = &definition.krate;
    let mut bounded = definition.input.generics.clone();
    let is_one: WherePredicate = match definition.container.as_slice() {
        [key, value] => parse_quote! {
            Self: #krate::MapContainer<Key = #key, Value = #value, Of<#key, #value> = Self>
        },
        elements => parse_quote! {
            Self: #krate::Container<#(Element = #elements, Of<#elements> = Self),*>
        },
    };
    let is_map = definition.container.len() == 2;
    for parameter in bounded.type_params_mut() {
        if !definition.container.contains(&parameter.ident) {
            continue;
        }
        parameter.bounds.push(parse_quote!(#krate::Migrate));
        if is_map && parameter.ident == definition.container[0] {
            parameter.bounds.push(parse_quote!(::core::hash::Hash));
            parameter.bounds.push(parse_quote!(::core::cmp::Eq));
        }
    }
    bounded.make_where_clause().predicates.push(is_one);
    bounded
}
