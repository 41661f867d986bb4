//! `#[hotswap(keep)]`, `#[hotswap(new)]` and `#[hotswap(was = "OLD")]` on statics: what becomes of the value
//! when the initialiser or the name is edited.

use proc_macro2::TokenStream;
use quote::quote;
use syn::ext::IdentExt as _;
use syn::parse::{Parse, ParseStream};
use syn::{Error, Ident, Item, LitStr, Path, Token, Type, parse_quote};

use crate::expand::Form;
use crate::hygiene;

/// What stands in the attribute.
struct Wish {
    /// `keep`, `new` or `was`.
    word: Ident,
    /// The path behind `was`.
    old: Option<LitStr>,
    /// Where the crate `hotswap` is found.
    krate: Path,
}

const WORDS: &str = "write `#[hotswap(keep)]`, and the value stays when the initialiser is edited, or \
                     `#[hotswap(new)]`, and the static starts afresh then; or `#[hotswap(was = \"OLD\")]`, \
                     and a static with another name has its value";

const OLD: &str = "`was` is a static's name in the same module, or its path: `was = \"OLD\"`, `was = \"crate::state::OLD\"`";

impl Parse for Wish {
    fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        let word = input.call(Ident::parse_any);
        let word = word.map_err(|error| Error::new(error.span(), WORDS))?;
        let mut old = None;
        if word == "was" {
            let value = input
                .parse::<Token![=]>()
                .and_then(|_| input.parse::<LitStr>());
            let value = value.map_err(|error| Error::new(error.span(), OLD))?;
            if !is_old_path(&value.value()) {
                return Err(Error::new(value.span(), OLD));
            }
            old = Some(value);
        } else if word != "keep" && word != "new" {
            return Err(Error::new(
                word.span(),
                format!("unknown wish `{word}`: {WORDS}"),
            ));
        }
        let mut krate = parse_quote!(::hotswap);
        if input.parse::<Option<Token![,]>>()?.is_some() && !input.is_empty() {
            input.parse::<Token![crate]>()?;
            input.parse::<Token![=]>()?;
            krate = input.parse()?;
        }
        match input.is_empty() {
            true => Ok(Self { word, old, krate }),
            false => Err(input.error(WORDS)),
        }
    }
}

/// Whether it is a name, or a path from the crate's root.
fn is_old_path(text: &str) -> bool {
    let (names, is_path) = match text.strip_prefix("crate::") {
        Some(names) => (names, true),
        None => (text, false),
    };
    let mut names = names.split("::");
    let is_name = |name: &str| syn::parse_str::<Ident>(name).is_ok();
    names.clone().all(is_name) && (is_path || names.nth(1).is_none())
}

/// Expands the attribute. What is wrong is said in both forms.
pub(crate) fn expand(wish: TokenStream, item: TokenStream, form: Form) -> TokenStream {
    match mark(wish, item.clone()) {
        Ok(mark) if form == Form::Hot => quote!(#item #mark),
        Ok(_) => item,
        Err(error) => {
            let error = error.into_compile_error();
            quote!(#error #item)
        }
    }
}

/// What tells the tool of the wish: the word, the static's name, and what it is made of.
fn mark(wish: TokenStream, item: TokenStream) -> syn::Result<TokenStream> {
    let Wish { word, old, krate } = syn::parse2(wish)?;
    let (name, made_of) = match syn::parse2(item)? {
        Item::Static(item) => {
            let (ty, init) = (&item.ty, &item.expr);
            (item.ident.clone(), quote!(#ty = #init).to_string())
        }
        // What `thread_local!` makes of a static.
        Item::Const(item) if is_key(&item.ty) => {
            let (ty, init) = (&item.ty, &item.expr);
            (item.ident.clone(), quote!(#ty = #init).to_string())
        }
        other => {
            let message = "only a static has a value that can be kept or made new, or an old name";
            return Err(Error::new_spanned(other, message));
        }
    };
    let private = hygiene::private(&krate);
    let about = match old {
        Some(old) => old.value().replace("r#", ""),
        None => format!("{:016x}", digest(&made_of)),
    };
    let text = format!("{word} {} {about}", name.unraw());
    Ok(quote! {
        const _: () = {
            #[used]
            #[unsafe(link_section = "hotswap_statics")]
            static __HOTSWAP_STATIC: #private::Description = #private::Description::new(#text);
        };
    })
}

fn is_key(ty: &Type) -> bool {
    match ty {
        Type::Path(path) => path
            .path
            .segments
            .last()
            .is_some_and(|last| last.ident == "LocalKey"),
        _ => false,
    }
}

/// FNV-1a, which is the same in every process. It tells apart two texts of one item.
fn digest(text: &str) -> u64 {
    text.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn expanded(wish: TokenStream, item: TokenStream) -> String {
        expand(wish, item, Form::Hot).to_string()
    }

    #[test]
    fn the_mark_tells_the_word_the_name_and_what_it_is_made_of() {
        let mark = |item: TokenStream| {
            let text = expanded(quote!(new), item);
            let start = text.find("\"new ").expect("is marked");
            text[start + 1..]
                .split('"')
                .next()
                .unwrap_or_default()
                .to_owned()
        };
        let first = mark(quote!(
            static COUNT: u32 = 1;
        ));
        assert!(
            first.starts_with("new COUNT ") && first.len() == 26,
            "{first}"
        );
        assert_eq!(
            first,
            mark(quote!(
                pub static COUNT: u32 = 1;
            ))
        );
        assert_ne!(
            first,
            mark(quote!(
                static COUNT: u32 = 2;
            ))
        );
        assert_ne!(
            first,
            mark(quote!(
                static COUNT: u64 = 1;
            ))
        );
        assert!(
            mark(quote!(
                static mut r#TYPE: u32 = 1;
            ))
            .starts_with("new TYPE ")
        );
        let key = quote!(
            const KEY: ::std::thread::LocalKey<u32> = { key() };
        );
        assert!(mark(key).starts_with("new KEY "));
    }

    #[test]
    fn the_mark_tells_the_old_path() {
        for (wish, expected) in [
            (quote!(was = "OLD"), "was NEW OLD"),
            (quote!(was = "r#OLD"), "was NEW OLD"),
            (quote!(was = "crate::a::OLD"), "was NEW crate::a::OLD"),
            (
                quote!(was = "crate::OLD", crate = my::hotswap),
                "was NEW crate::OLD",
            ),
        ] {
            let item = quote!(
                static NEW: u8 = 1;
            );
            let text = expanded(wish, item);
            assert!(text.contains(&format!("\"{expected}\"")), "{text}");
        }
    }

    #[test]
    fn it_leaves_the_item_as_it_is_written() {
        let item = quote!(
            static COUNT: u32 = 1;
        );
        assert_eq!(
            expand(quote!(keep), item.clone(), Form::Plain).to_string(),
            item.to_string()
        );
        assert!(expanded(quote!(keep), item.clone()).starts_with(&item.to_string()));
    }

    #[test]
    fn mistakes_are_named() {
        for (wish, item, expected) in [
            (
                quote!(),
                quote!(
                    static A: u8 = 1;
                ),
                "write `#[hotswap(keep)]`",
            ),
            (
                quote!(fresh),
                quote!(
                    static A: u8 = 1;
                ),
                "unknown wish `fresh`",
            ),
            (
                quote!(was),
                quote!(
                    static A: u8 = 1;
                ),
                "`was` is a static's name",
            ),
            (
                quote!(was = "a::B"),
                quote!(
                    static A: u8 = 1;
                ),
                "`was` is a static's name",
            ),
            (
                quote!(keep, keep),
                quote!(
                    static A: u8 = 1;
                ),
                "expected `crate`",
            ),
            (
                quote!(keep),
                quote!(
                    const A: u8 = 1;
                ),
                "only a static",
            ),
            (
                quote!(new),
                quote!(
                    fn a() {}
                ),
                "only a static",
            ),
        ] {
            for form in [Form::Plain, Form::Hot] {
                let text = expand(wish.clone(), item.clone(), form).to_string();
                assert!(
                    text.contains("compile_error") && text.contains(expected),
                    "{text}"
                );
                assert!(text.ends_with(&item.to_string()));
            }
        }
    }
}
