//! From a type's definition to its schema and its description.

mod around;
mod attributes;
mod container;
mod describe;
mod schema;

use proc_macro2::{Ident, TokenStream};
use quote::quote;
use syn::ext::IdentExt as _;
use syn::{Data, DeriveInput, Error, Path, Type};

use crate::expand::Form;
use crate::hygiene;
use attributes::{FieldOptions, TypeOptions, VariantOptions};

/// Expands the derive macro. What is wrong is said in both forms.
pub(crate) fn derive(input: TokenStream, form: Form) -> TokenStream {
    let read = syn::parse2::<DeriveInput>(input).and_then(Definition::read);
    match read {
        Ok(definition) => schema::expand(&definition, form),
        Err(error) => error.into_compile_error(),
    }
}

/// A type's definition that has been checked.
struct Definition {
    /// Where everything is found that the output names.
    krate: Path,
    private: Path,
    input: DeriveInput,
    body: Body,
    /// The type parameters of its elements, if it is a container.
    container: Vec<Ident>,
}

/// What a type consists of.
enum Body {
    Struct(Vec<Field>),
    Enum(Vec<Variant>),
}

/// A field of a struct or variant.
struct Field {
    /// Its name, or its number.
    name: String,
    /// Its name where it has one.
    ident: Option<Ident>,
    ty: Type,
    options: FieldOptions,
}

/// A variant of an enum.
struct Variant {
    ident: Ident,
    fields: Vec<Field>,
    options: VariantOptions,
}

impl Definition {
    fn read(input: DeriveInput) -> syn::Result<Self> {
        let options = TypeOptions::read(&input.attrs)?;
        if let Some(packed) = attributes::packed(&input.attrs) {
            return Err(Error::new(
                packed,
                "a packed type can't be taken apart field by field: leave out the derive, and the \
                 type is moved as it is",
            ));
        }
        let body = match &input.data {
            Data::Struct(data) => Body::Struct(fields(&data.fields)?),
            Data::Enum(data) => Body::Enum(
                data.variants
                    .iter()
                    .map(variant)
                    .collect::<Result<_, _>>()?,
            ),
            Data::Union(data) => {
                return Err(Error::new(
                    data.union_token.span,
                    "which field of a union is valid is not known, so it can only be moved: leave \
                     out the derive",
                ));
            }
        };
        let krate = options.krate;
        let definition = Self {
            private: hygiene::private(&krate),
            krate,
            input,
            body,
            container: options.container,
        };
        let (container, generics) = (&definition.container, &definition.input.generics);
        container::check(container, generics, definition.fields())?;
        Ok(definition)
    }

    /// All fields, those of variants too.
    fn fields(&self) -> impl Iterator<Item = &Field> {
        let (own, of_variants) = match &self.body {
            Body::Struct(fields) => (fields.as_slice(), [].as_slice()),
            Body::Enum(variants) => ([].as_slice(), variants.as_slice()),
        };
        own.iter()
            .chain(of_variants.iter().flat_map(|variant| &variant.fields))
    }
}

fn variant(variant: &syn::Variant) -> syn::Result<Variant> {
    Ok(Variant {
        ident: variant.ident.clone(),
        fields: fields(&variant.fields)?,
        options: VariantOptions::read(&variant.attrs)?,
    })
}

fn fields(fields: &syn::Fields) -> syn::Result<Vec<Field>> {
    let field = |(index, field): (usize, &syn::Field)| {
        let name = match &field.ident {
            Some(ident) => unraw(ident),
            None => index.to_string(),
        };
        Ok(Field {
            options: FieldOptions::read(&field.attrs)?,
            name,
            ident: field.ident.clone(),
            ty: field.ty.clone(),
        })
    };
    fields.iter().enumerate().map(field).collect()
}

/// A name as it stands in debug information: without `r#`.
pub(crate) fn unraw(ident: &Ident) -> String {
    ident.unraw().to_string()
}

/// `Migrate` as macro output names it.
fn migrate_trait(krate: &Path) -> TokenStream {
    quote!(#krate::Migrate)
}

#[cfg(test)]
mod tests;
