//! What stands in `#[migrate(…)]` on a type, a field and a variant.

use proc_macro2::Span;
use syn::ext::IdentExt as _;
use syn::parse::{Parse, ParseStream, Parser};
use syn::punctuated::Punctuated;
use syn::spanned::Spanned;
use syn::{
    Attribute, Error, Expr, Ident, LitStr, Meta, Path, Token, Type, parenthesized, parse_quote,
    token,
};

/// The options of a type.
pub(super) struct TypeOptions {
    /// Where the crate `hotswap` is found.
    pub(super) krate: Path,
    /// It is a container of elements of these type parameters.
    pub(super) container: Vec<Ident>,
}

/// The options of a field.
#[derive(Default)]
pub(super) struct FieldOptions {
    /// The names that it had, of several versions.
    pub(super) was: Vec<String>,
    /// The old type, of which there is a `From`.
    pub(super) was_type: Option<Type>,
    /// The value where there is no old one.
    pub(super) default: Option<Expr>,
    /// The function that makes the value from the old one.
    pub(super) with: Option<Expr>,
    /// The function for the way back.
    pub(super) back: Option<Expr>,
    /// Whether the elements inside are changed when they are first used.
    pub(super) lazy: bool,
}

/// The options of a variant.
#[derive(Default)]
pub(super) struct VariantOptions {
    /// The names that it had, of several versions.
    pub(super) was: Vec<String>,
    /// The function that makes a value of this variant of the old one's fields.
    pub(super) with: Option<Expr>,
}

/// One option as it is written.
struct Raw {
    name: Ident,
    value: Option<Expr>,
    /// What stands in parentheses behind the name.
    list: Vec<Ident>,
}

impl Parse for Raw {
    fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        let name = input.call(Ident::parse_any)?;
        let mut list = Vec::new();
        if name == "container" && input.peek(token::Paren) {
            let content;
            parenthesized!(content in input);
            list.extend(Punctuated::<Ident, Token![,]>::parse_terminated(&content)?);
        }
        let value = if input.peek(Token![=]) {
            input.parse::<Token![=]>()?;
            Some(input.parse()?)
        } else {
            None
        };
        Ok(Self { name, value, list })
    }
}

/// All options in the attributes `migrate`, each at most once but for `was`.
fn options(attributes: &[Attribute]) -> syn::Result<Vec<Raw>> {
    let mut all: Vec<Raw> = Vec::new();
    for attribute in attributes.iter().filter(|a| a.path().is_ident("migrate")) {
        let parse = Punctuated::<Raw, Token![,]>::parse_terminated;
        let list = attribute.meta.require_list()?;
        for option in Parser::parse2(parse, list.tokens.clone())? {
            if option.name != "was" && all.iter().any(|other| other.name == option.name) {
                let message = format!("`{}` is said twice", option.name);
                return Err(Error::new(option.name.span(), message));
            }
            all.push(option);
        }
    }
    Ok(all)
}

impl Raw {
    fn value(self, example: &str) -> syn::Result<Expr> {
        let Self { name, value, .. } = self;
        value.ok_or_else(|| Error::new(name.span(), format!("`{name}` needs a value: `{example}`")))
    }

    /// The value as a text.
    fn text(self, example: &str) -> syn::Result<LitStr> {
        let name = self.name.clone();
        match self.value(example)? {
            Expr::Lit(syn::ExprLit {
                lit: syn::Lit::Str(text),
                ..
            }) => Ok(text),
            other => Err(Error::new(
                other.span(),
                format!("`{name}` is a text: `{example}`"),
            )),
        }
    }

    /// It has no value.
    fn alone(&self) -> syn::Result<()> {
        match &self.value {
            None => Ok(()),
            Some(value) => {
                let message = format!("`{}` stands alone, without a value", self.name);
                Err(Error::new(value.span(), message))
            }
        }
    }

    fn unknown(&self, known: &str) -> Error {
        let name = &self.name;
        Error::new(name.span(), format!("unknown option `{name}`: {known}"))
    }
}

impl TypeOptions {
    pub(super) fn read(attributes: &[Attribute]) -> syn::Result<Self> {
        let mut krate = parse_quote!(::hotswap);
        let mut container = Vec::new();
        for option in options(attributes)? {
            if option.name == "container" {
                if !(1..=2).contains(&option.list.len()) || option.value.is_some() {
                    let message = "`container` names the type parameters of the elements: \
                                   `container(T)`, or `container(K, V)` for a map";
                    return Err(Error::new(option.name.span(), message));
                }
                container = option.list;
                continue;
            }
            if option.name != "crate" {
                return Err(option
                    .unknown("on a type they are `container(T)` and `crate = path::to::hotswap`"));
            }
            let value = option.value("crate = path::to::hotswap")?;
            krate = match value {
                Expr::Path(path) => path.path,
                other => {
                    let message = "`crate` is a path: `crate = path::to::hotswap`";
                    return Err(Error::new(other.span(), message));
                }
            };
        }
        Ok(Self { krate, container })
    }
}

impl FieldOptions {
    /// Whether anything is said.
    pub(super) fn says_something(&self) -> bool {
        let Self {
            was,
            was_type,
            default,
            with,
            back,
            lazy,
        } = self;
        let functions = [default, with, back];
        *lazy || !was.is_empty() || was_type.is_some() || functions.iter().any(|it| it.is_some())
    }

    pub(super) fn read(attributes: &[Attribute]) -> syn::Result<Self> {
        let mut found = Self::default();
        for option in options(attributes)? {
            let name = option.name.to_string();
            match name.as_str() {
                "was" => {
                    let text =
                        option.text("was = \"old_name\"` or `was = \"old_name: OldType\"")?;
                    let (name, old_type) = old_field(&text)?;
                    add_name(&mut found.was, name, &text)?;
                    if old_type.is_some() && found.was_type.is_some() {
                        let message =
                            "another `was` names a type: one function makes the value, of one type";
                        return Err(Error::new(text.span(), message));
                    }
                    found.was_type = found.was_type.or(old_type);
                }
                "default" => found.default = Some(option.value("default = expression")?),
                "with" => found.with = Some(option.value("with = path::to::function")?),
                "back" => found.back = Some(option.value("back = path::to::function")?),
                "lazy" => {
                    option.alone()?;
                    found.lazy = true;
                }
                _ => {
                    return Err(option.unknown(
                        "on a field they are `was`, `default`, `with`, `back` and `lazy`",
                    ));
                }
            }
        }
        Ok(found)
    }
}

impl VariantOptions {
    pub(super) fn read(attributes: &[Attribute]) -> syn::Result<Self> {
        let mut found = Self::default();
        for option in options(attributes)? {
            if option.name == "with" {
                found.with = Some(option.value("with = path::to::function")?);
                continue;
            }
            if option.name != "was" {
                return Err(option.unknown(
                    "on a variant they are `was = \"OldName\"` and `with = path::to::function`",
                ));
            }
            let text = option.text("was = \"OldName\"")?;
            let name = old_name(&text.value()).ok_or_else(|| not_a_name(&text, "variant"))?;
            add_name(&mut found.was, name, &text)?;
        }
        Ok(found)
    }
}

fn add_name(names: &mut Vec<String>, name: String, text: &LitStr) -> syn::Result<()> {
    if names.contains(&name) {
        let message = format!("`{name}` is said twice");
        return Err(Error::new(text.span(), message));
    }
    names.push(name);
    Ok(())
}

/// A name as debug information has it. It may be a word of the language, since that needs no `r#` in a text.
fn old_name(text: &str) -> Option<String> {
    let name = Ident::parse_any.parse_str(text).ok()?;
    Some(super::unraw(&name))
}

/// A field's old name, and its old type if that is said.
fn old_field(text: &LitStr) -> syn::Result<(String, Option<Type>)> {
    let value = text.value();
    let (name, old_type) = match value.split_once(':') {
        Some((name, old_type)) => (name.trim(), Some(old_type.trim())),
        None => (value.trim(), None),
    };
    let is_number = !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_digit());
    let number = is_number.then(|| name.to_owned());
    let name = number
        .or_else(|| old_name(name))
        .ok_or_else(|| not_a_name(text, "field"))?;
    let old_type = old_type.map(|old_type| {
        let tokens = old_type.parse().ok().map(|tokens| at(text.span(), tokens));
        tokens
            .and_then(|tokens| syn::parse2(tokens).ok())
            .ok_or_else(|| {
                let message = format!("`{old_type}` is not a type: `was = \"old_name: OldType\"`");
                Error::new(text.span(), message)
            })
    });
    Ok((name, old_type.transpose()?))
}

fn not_a_name(text: &LitStr, what: &str) -> Error {
    let message = format!("`{}` is not the name of a {what}", text.value());
    Error::new(text.span(), message)
}

/// The tokens as if they stood at `span`, so that errors point there.
fn at(span: Span, tokens: proc_macro2::TokenStream) -> proc_macro2::TokenStream {
    tokens
        .into_iter()
        .map(|mut token| {
            if let proc_macro2::TokenTree::Group(group) = &token {
                let inner = at(span, group.stream());
                token = proc_macro2::Group::new(group.delimiter(), inner).into();
            }
            token.set_span(span);
            token
        })
        .collect()
}

/// Where `repr(packed)` is said.
pub(super) fn packed(attributes: &[Attribute]) -> Option<Span> {
    let reprs = attributes.iter().filter(|a| a.path().is_ident("repr"));
    reprs
        .filter_map(|repr| {
            repr.parse_args_with(Punctuated::<Meta, Token![,]>::parse_terminated)
                .ok()
        })
        .flatten()
        .find(|meta| meta.path().is_ident("packed"))
        .map(|meta| meta.span())
}
