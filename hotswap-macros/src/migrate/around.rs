//! Schemas of containers with types inside that have none: put together of how the type is written.
//!
//! A name may mean another type than the standard library's, so each step asks whether it does.

use proc_macro2::{Literal, TokenStream};
use quote::{format_ident, quote};
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
    "Rc", "Arc", "Weak", "Cell", "RefCell", "Mutex", "RwLock",
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
    let name = last.ident.to_string();
    let made = made(private, ty, &name, &types)?;
    let schema = some(private, &made);
    let meant: &[&str] = match name.as_str() {
        "VecDeque" => &["Deque"],
        "Weak" => &["RcWeak", "ArcWeak"],
        name => &[name],
    };
    let meant = meant.iter().map(|name| {
        let name = format_ident!("{name}");
        quote!(#private::around::Same::<#ty, #private::around::#name<#(#types),*>>::IS)
    });
    // Only a box, counted references and locks hold what has no size.
    let last = types.last()?;
    Some(quote! {
        if #(#meant)|* && #private::Probe::<#last>::OPAQUE.is_some() {
            #schema
        } else {
            ::core::option::Option::None
        }
    })
}

/// The schema of the container that is meant by a name.
fn made(private: &Path, ty: &Type, name: &str, types: &[&Type]) -> Option<TokenStream> {
    let (around, probe) = (quote!(#private::around), quote!(#private::Probe::<#ty>));
    let element = |of: &Type| element(private, of);
    let entries = |count: usize| {
        let parts = types[..count].iter().map(|of| element(of));
        quote!(#around::entries::<#ty>(#probe::ENTRIES, const { &[#(#parts),*] }))
    };
    Some(match (name, types) {
        (_, [Type::TraitObject(_) | Type::Slice(_)]) => return None,
        ("Vec", [of]) => {
            let element = element(of);
            quote!(#around::vec::<#of>(#element))
        }
        ("VecDeque", [of]) => {
            let element = element(of);
            quote!(#around::deque::<#of>(#element))
        }
        ("Box", [of]) => {
            let element = element(of);
            quote!(#around::boxed::<#of>(#element))
        }
        ("Rc" | "Arc" | "Weak", [of]) => {
            let element = element(of);
            quote!(#around::shared::<#ty>(#probe::SHARED, #element))
        }
        ("Cell" | "RefCell" | "Mutex" | "RwLock", [of]) => {
            let element = element(of);
            quote!(#around::cellular::<#ty>(#probe::CELLULAR, #element))
        }
        ("Option", [of]) => {
            let some = variant(private, "Some", of);
            let variants = quote!(const { &[#private::Variant::new("None", &[]), #some] });
            quote!(#around::option::<#of>(#variants))
        }
        ("Result", [of, error]) => {
            let (ok, err) = (variant(private, "Ok", of), variant(private, "Err", error));
            quote!(#around::result::<#of, #error>(const { &[#ok, #err] }))
        }
        ("HashMap", [_, _] | [_, _, _]) | ("BTreeMap", [_, _]) => entries(2),
        ("HashSet", [_] | [_, _]) | ("BTreeSet", [_]) => entries(1),
        _ => return None,
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
