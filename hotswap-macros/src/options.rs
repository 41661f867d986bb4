//! What stands in the parentheses of `#[hotswap::entry(…)]`.

use syn::parse::{Parse, ParseStream};
use syn::punctuated::Punctuated;
use syn::{Attribute, Error, Ident, Path, Token, parse_quote};

/// The options of one attribute.
#[derive(Clone)]
pub(crate) struct Options {
    /// Calls are not counted.
    pub(crate) untracked: bool,
    /// The function stays as it is, though the block it stands in is marked.
    pub(crate) skip: bool,
    /// All other attribute macros have been expanded.
    pub(crate) last: bool,
    /// Where the crate `hotswap` is found.
    pub(crate) krate: Path,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            untracked: false,
            skip: false,
            last: false,
            krate: parse_quote!(::hotswap),
        }
    }
}

impl Parse for Options {
    fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        let mut options = Self::default();
        for option in Punctuated::<RawOption, Token![,]>::parse_terminated(input)? {
            match option {
                RawOption::Crate(path) => options.krate = path,
                RawOption::Flag(flag) if flag == "untracked" => options.untracked = true,
                RawOption::Flag(flag) if flag == "skip" => options.skip = true,
                RawOption::Flag(flag) if flag == "__last" => options.last = true,
                RawOption::Flag(flag) => {
                    return Err(Error::new(
                        flag.span(),
                        format!(
                            "unknown option `{flag}`: an entry can be `untracked`, a function in \
                             a marked block can be `skip`"
                        ),
                    ));
                }
            }
        }
        Ok(options)
    }
}

enum RawOption {
    Flag(Ident),
    Crate(Path),
}

impl Parse for RawOption {
    fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        if input.peek(Token![crate]) {
            let token = input.parse::<Token![crate]>()?;
            if input.parse::<Token![=]>().is_err() {
                let message = "`crate` needs a path: `crate = path::to::hotswap`";
                return Err(Error::new(token.span, message));
            }
            return input.call(Path::parse_mod_style).map(Self::Crate);
        }
        input.parse().map(Self::Flag)
    }
}

impl Options {
    /// The attribute that marks a function once the others on it have been expanded.
    pub(crate) fn as_last_attribute(&self) -> Attribute {
        let krate = &self.krate;
        let untracked = self.untracked.then(|| quote::quote!(untracked,));
        parse_quote!(#[#krate::entry(#untracked crate = #krate, __last)])
    }

    /// Whether `attribute` is this macro.
    pub(crate) fn is_this_macro(&self, attribute: &Attribute) -> bool {
        let names: Vec<&Ident> = attribute.path().segments.iter().map(|s| &s.ident).collect();
        let krate = self.krate.segments.last().map(|segment| &segment.ident);
        match names.as_slice() {
            [macro_name] => *macro_name == "entry",
            [.., before, macro_name] => {
                *macro_name == "entry" && (*before == "hotswap" || Some(*before) == krate)
            }
            [] => false,
        }
    }
}
