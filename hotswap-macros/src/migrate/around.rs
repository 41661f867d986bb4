//! Schemas of containers with types inside that have none: put together of how the type is written.
//!
//! A name may mean another type than the standard library's, so each step asks whether it does.

use proc_macro2::{Literal, TokenStream};
use quote::quote;
use syn::{GenericArgument, Path, PathArguments, Type, TypePath};

/// An expression for the function that gives the schema of this type as a container of what stands in it, of type
/// `Option<Of>`; none for what does not look like one.
pub(super) fn schema(private: &Path, ty: &Type) -> Option<TokenStream> {
    if is_plain(ty) {
        return None;
    }
    Some(match ty {
        Type::Tuple(tuple) if !tuple.elems.is_empty() => {
            let fields = tuple.elems.iter().enumerate().map(|(number, of)| {
                let (name, index) = (number.to_string(), Literal::usize_unsuffixed(number));
                let offset = quote!(::core::mem::offset_of!(#ty, #index));
                field(private, of, &name, &offset)
            });
            let shape = quote!(#private::Shape::Record(const { &[#(#fields),*] }));
            some(private, &quote!(#private::Schema::of::<#ty>(#shape)))
        }
        Type::Array(array) => {
            let (of, len) = (&array.elem, &array.len);
            let element = element(private, of);
            let shape = quote!(#private::Shape::Array { len: #len, element: #element });
            some(private, &quote!(#private::Schema::of::<#ty>(#shape)))
        }
        Type::Paren(inner) => return schema(private, &inner.elem),
        Type::Group(inner) => return schema(private, &inner.elem),
        Type::Path(path) => return container(private, ty, path),
        _ => return None,
    })
}

/// Whether only types with a schema of their own stand in it, as far as their names tell: it saves the compiler work,
/// and if one means another type, that has a schema or can only be moved.
fn is_plain(ty: &Type) -> bool {
    const NAMES: &[&str] = &[
        "u8", "u16", "u32", "u64", "u128", "usize", "i8", "i16", "i32", "i64", "i128", "isize",
        "f32", "f64", "bool", "char", "String",
    ];
    let is_plain_argument = |argument: &GenericArgument| match argument {
        GenericArgument::Type(ty) => is_plain(ty),
        _ => false,
    };
    match ty {
        Type::Tuple(tuple) => tuple.elems.iter().all(is_plain),
        Type::Array(array) => is_plain(&array.elem),
        Type::Reference(_) | Type::Ptr(_) => true,
        Type::Path(path) => path.path.segments.last().is_some_and(|last| {
            let is_in = |names: &[&str]| names.iter().any(|name| last.ident == name);
            match &last.arguments {
                PathArguments::None => is_in(NAMES),
                PathArguments::AngleBracketed(arguments) => {
                    is_in(CONTAINERS) && arguments.args.iter().all(is_plain_argument)
                }
                PathArguments::Parenthesized(_) => false,
            }
        }),
        _ => false,
    }
}

/// The names of containers that are looked into.
const CONTAINERS: &[&str] = &[
    "Vec", "VecDeque", "Box", "Option", "Result", "HashMap", "BTreeMap", "HashSet", "BTreeSet",
];

/// The same for a path, if its last name is that of a container.
fn container(private: &Path, ty: &Type, path: &TypePath) -> Option<TokenStream> {
    let last = path.path.segments.last()?;
    let PathArguments::AngleBracketed(arguments) = &last.arguments else {
        return None;
    };
    let types = arguments.args.iter().map(|argument| match argument {
        GenericArgument::Type(ty) => Some(ty),
        _ => None,
    });
    let types: Vec<&Type> = types.collect::<Option<_>>()?;
    let around = quote!(#private::around);
    let elements = |types: &[&Type]| {
        let elements = types.iter().map(|of| element(private, of));
        quote!(const { &[#(#elements),*] })
    };
    let entries = |count: usize| {
        let parts = elements(&types[..count]);
        quote!(#around::entries::<#ty>(#private::Probe::<#ty>::ENTRIES, #parts))
    };
    let (name, made) = match (last.ident.to_string().as_str(), types.as_slice()) {
        ("Vec", [of]) => {
            let element = element(private, of);
            (quote!(Vec), quote!(#around::vec::<#of>(#element)))
        }
        ("VecDeque", [of]) => {
            let element = element(private, of);
            (quote!(Deque), quote!(#around::deque::<#of>(#element)))
        }
        ("Box", [of]) if !matches!(of, Type::TraitObject(_) | Type::Slice(_)) => {
            let element = element(private, of);
            (quote!(Box), quote!(#around::boxed::<#of>(#element)))
        }
        ("Option", [of]) => {
            let some = variant(private, "Some", of);
            let variants = quote!(const { &[#private::Variant::new("None", &[]), #some] });
            (quote!(Option), quote!(#around::option::<#of>(#variants)))
        }
        ("Result", [of, error]) => {
            let (ok, err) = (variant(private, "Ok", of), variant(private, "Err", error));
            let variants = quote!(const { &[#ok, #err] });
            (
                quote!(Result),
                quote!(#around::result::<#of, #error>(#variants)),
            )
        }
        ("HashMap", [_, _] | [_, _, _]) => (quote!(HashMap), entries(2)),
        ("BTreeMap", [_, _]) => (quote!(BTreeMap), entries(2)),
        ("HashSet", [_] | [_, _]) => (quote!(HashSet), entries(1)),
        ("BTreeSet", [_]) => (quote!(BTreeSet), entries(1)),
        _ => return None,
    };
    let made = some(private, &made);
    // Only a box holds what has no size.
    let last = types.last()?;
    Some(quote! {
        if #private::around::Same::<#ty, #around::#name<#(#types),*>>::IS
            && #private::Probe::<#last>::OPAQUE.is_some()
        {
            #made
        } else {
            ::core::option::Option::None
        }
    })
}

fn some(private: &Path, schema: &TokenStream) -> TokenStream {
    quote!(::core::option::Option::Some((|| const { &#schema }) as #private::Of))
}

/// The function that gives an element's schema.
fn element(private: &Path, of: &Type) -> TokenStream {
    let around = schema(private, of);
    let around = around.unwrap_or_else(|| quote!(::core::option::Option::None));
    quote!(#private::around::element(#private::Probe::<#of>::SCHEMA, #around, #private::Probe::<#of>::OPAQUE))
}

fn field(private: &Path, of: &Type, name: &str, offset: &TokenStream) -> TokenStream {
    let element = element(private, of);
    quote!(#private::Field::of::<#of>(#name, #offset, ::core::option::Option::Some(#element)))
}

fn variant(private: &Path, name: &str, of: &Type) -> TokenStream {
    let field = field(private, of, "0", &quote!(0));
    quote!(#private::Variant::new(#name, const { &[#field] }))
}
