//! The implementation of `Migrate`: a table in the hot form, next to nothing in the plain one.

use proc_macro2::{Ident, Literal, TokenStream};
use quote::{format_ident, quote, quote_spanned};
use syn::spanned::Spanned as _;
use syn::{GenericParam, Generics, parse_quote};

use super::{Body, Definition, Field, Variant, around, container, describe, migrate_trait};
use crate::expand::Form;
use crate::hygiene::local;

/// The implementations for a definition.
pub(super) fn expand(definition: &Definition, form: Form) -> TokenStream {
    let Definition { krate, private, .. } = definition;
    let name = &definition.input.ident;
    let bounded = match definition.container.is_empty() {
        true => bounded(&definition.input.generics, &migrate_trait(krate)),
        false => container::bounded(definition),
    };
    let (impl_generics, type_generics, where_clause) = bounded.split_for_impl();
    let migrate = migrate_trait(krate);
    let body = match form {
        Form::Plain => plain(definition),
        Form::Hot => hot(definition),
    };
    let choose = match (&definition.body, form) {
        (Body::Enum(variants), Form::Hot) if definition.container.is_empty() => {
            let methods = choose(private, variants);
            quote! {
                #[automatically_derived]
                impl #impl_generics #private::Choose for #name #type_generics #where_clause {
                    #methods
                }
            }
        }
        _ => quote!(),
    };
    quote! {
        #[automatically_derived]
        impl #impl_generics #migrate for #name #type_generics #where_clause {
            fn schema() -> &'static #private::Schema {
                #body
            }
        }
        #choose
    }
}

/// The generics, with the bound `Migrate` on each type.
fn bounded(generics: &Generics, migrate: &TokenStream) -> Generics {
    let mut bounded = generics.clone();
    for parameter in &mut bounded.params {
        if let GenericParam::Type(parameter) = parameter {
            parameter.bounds.push(parse_quote!(#migrate));
        }
    }
    bounded
}

/// Without `cargo hotswap` no value is ever changed. The user's functions are named nevertheless,
/// so that their types are checked and none counts as unused.
fn plain(definition: &Definition) -> TokenStream {
    let private = &definition.private;
    let functions = definition.fields().flat_map(|field| {
        let hooks = hooks(private, field).map(|(_, hook)| quote!(let _: #private::Hook = #hook;));
        let default =
            own_default(private, field).map(|default| quote!(let _: #private::Maker = #default;));
        hooks.chain(default).collect::<Vec<_>>()
    });
    let variants = match &definition.body {
        Body::Struct(_) => &[],
        Body::Enum(variants) => variants.as_slice(),
    };
    let of_variants = variants
        .iter()
        .filter_map(|variant| function(private, variant));
    let of_variants = of_variants.map(|function| quote!(let _: #private::Run = #function;));
    let functions = functions.chain(of_variants);
    let checks = lazy_checks(definition);
    quote! {
        #(#functions)*
        #(#checks)*
        const { &#private::Schema::opaque::<Self>() }
    }
}

/// Statements that compile where `lazy` stands on fields that can be lazy.
fn lazy_checks(definition: &Definition) -> impl Iterator<Item = TokenStream> {
    let private = &definition.private;
    let lazy = definition.fields().filter(|field| field.options.lazy);
    lazy.map(move |field| {
        let check = quote_spanned!(field.ty.span()=> #private::is_lazy);
        let ty = &field.ty;
        quote!(#check::<#ty>();)
    })
}

fn hot(definition: &Definition) -> TokenStream {
    let private = &definition.private;
    let checks = lazy_checks(definition);
    let (before, after) = describe::text(definition);
    let shape = match &definition.body {
        _ if !definition.container.is_empty() => container::shape(definition),
        Body::Struct(fields) => {
            let fields = fields.iter().map(|field| {
                let member = member(field);
                entry(
                    private,
                    field,
                    &quote!(::core::mem::offset_of!(Self, #member)),
                )
            });
            quote!(#private::Shape::Record(const { &[#(#fields),*] }))
        }
        Body::Enum(variants) => {
            let variants = variants.iter().map(|variant| {
                let name = super::unraw(&variant.ident);
                let fields = variant
                    .fields
                    .iter()
                    .map(|field| entry(private, field, &quote!(0)));
                let function = function(private, variant);
                let function = function.map(|function| quote!(.with_function(#function)));
                quote!(#private::Variant::new(#name, const { &[#(#fields),*] }) #function)
            });
            quote!(#private::Shape::Choice(#private::Choice::of::<Self>(const { &[#(#variants),*] })))
        }
    };
    quote! {
        #[used]
        #[unsafe(link_section = "hotswap_schemas")]
        static __HOTSWAP_SCHEMA: #private::Description = #private::Description::new(
            ::core::concat!(#before, ::core::module_path!(), #after),
        );
        #[allow(unused_imports)]
        use #private::{Differ as _, NoContainer as _, NoDefault as _, NoOwnDrop as _, NoSchema as _, NoSize as _};
        #(#checks)*
        const {
            &#private::Schema::of::<Self>(#shape).with_own_drop(#private::Probe::<Self>::OWN_DROP)
        }
    }
}

/// The field's entry in the table.
fn entry(private: &syn::Path, field: &Field, offset: &TokenStream) -> TokenStream {
    let Field { name, ty, .. } = field;
    let default = own_default(private, field).map_or_else(
        || quote!(#private::Probe::<#ty>::DEFAULT),
        |default| quote!(::core::option::Option::Some(#default)),
    );
    let hooks = hooks(private, field).map(|(method, hook)| quote!(.#method(#hook)));
    let around = around::schema(private, ty);
    let around = around.map(|around| quote!(.around(#around)));
    let lazily = field.options.lazy.then(|| quote!(.lazily()));
    quote! {
        #private::Field::of::<#ty>(#name, #offset, #private::Probe::<#ty>::SCHEMA)
            #around
            .with_default(#default)
            #(#hooks)*
            #lazily
    }
}

/// The field's own default, as a function.
fn own_default(private: &syn::Path, field: &Field) -> Option<TokenStream> {
    let ty = &field.ty;
    let value = field.options.default.as_ref()?;
    let place = local("__hotswap_place");
    Some(quote!(|#place| #private::put::<#ty>(#place, #value)))
}

/// The field's functions, each with the method that enters it into the table.
fn hooks(private: &syn::Path, field: &Field) -> impl Iterator<Item = (Ident, TokenStream)> {
    let ty = &field.ty;
    let options = &field.options;
    let request = local("__hotswap_request");
    let old = options
        .was_type
        .as_ref()
        .map_or_else(|| quote!(_), |old| quote!(#old));
    let ask = |from: &TokenStream, to: &TokenStream, function: &TokenStream| quote!(|#request| #private::ask_hook::<#from, #to, _, _>(#function, #request));
    let new = quote!(#ty);
    let with = match (&options.with, &options.was_type) {
        (Some(function), _) => Some(quote!(#function)),
        (None, Some(old)) => Some(quote!(#private::from_clone::<#old, #ty>)),
        (None, None) => None,
    };
    let with = with.map(|with| (format_ident!("with_hook"), ask(&old, &new, &with)));
    let back = options.back.as_ref().map(|back| {
        (
            format_ident!("with_way_back"),
            ask(&new, &old, &quote!(#back)),
        )
    });
    [with, back].into_iter().flatten()
}

/// The function that makes values of a variant of the old one's fields.
fn function(private: &syn::Path, variant: &Variant) -> Option<TokenStream> {
    let function = variant.options.with.as_ref()?;
    let ask = local("__hotswap_ask");
    Some(
        quote_spanned!(function.span()=> |#ask| #private::of_fields::<Self, _, _>(#function, #ask)),
    )
}

/// How values of an enum are taken apart and put together.
fn choose(private: &syn::Path, variants: &[Variant]) -> TokenStream {
    let some_field = variants.iter().any(|variant| !variant.fields.is_empty());
    let name = |name: &str| {
        if some_field {
            local(name).to_string()
        } else {
            "_".to_owned()
        }
    };
    let (fields, parts) = (name("__hotswap_fields"), name("__hotswap_parts"));
    let fields: TokenStream = fields.parse().unwrap_or_default();
    let parts: TokenStream = parts.parse().unwrap_or_default();
    let index = |index: usize| Literal::u32_suffixed(u32::try_from(index).unwrap_or(u32::MAX));
    let project = variants.iter().enumerate().map(|(number, variant)| {
        let names: Vec<Ident> = (0..variant.fields.len())
            .map(|number| local(&format!("__hotswap_{number}")))
            .collect();
        let pattern = pattern(variant, &names);
        let number = index(number);
        quote!(Self::#pattern => { #(#fields.add(#names);)* #number })
    });
    let build = variants.iter().enumerate().map(|(number, variant)| {
        let ident = &variant.ident;
        let members = variant.fields.iter().map(member);
        let number = index(number);
        quote!(#number => Self::#ident { #(#members: #parts.take()),* },)
    });
    let build = build.collect::<Vec<_>>();
    let project = project.collect::<Vec<_>>();
    let variant = local("__hotswap_variant");
    quote! {
        fn project(&self, #fields: &mut #private::Fields<'_>) -> u32 {
            match *self { #(#project)* }
        }

        fn build(#variant: u32, #parts: &mut #private::Parts<'_>) -> Self {
            match #variant {
                #(#build)*
                _ => ::core::unreachable!("no such variant"),
            }
        }
    }
}

/// The pattern that binds a variant's fields by reference.
fn pattern(variant: &Variant, names: &[Ident]) -> TokenStream {
    let ident = &variant.ident;
    let members = variant.fields.iter().map(member);
    quote!(#ident { #(#members: ref #names),* })
}

/// A field's name or number, as in `value.name` and in braces.
fn member(field: &Field) -> TokenStream {
    match &field.ident {
        Some(ident) => quote!(#ident),
        None => {
            let index = Literal::usize_unsuffixed(field.name.parse().unwrap_or(0));
            quote!(#index)
        }
    }
}
