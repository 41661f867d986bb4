//! What stands in the parentheses of `#[hotswap::server(…)]`.

use syn::parse::{Parse, ParseStream};
use syn::punctuated::Punctuated;
use syn::{Error, Ident, Path, Token, parenthesized, parse_quote};

/// The options of one attribute.
pub(super) struct ServerOptions {
    /// Where the crate `hotswap` is found.
    pub(super) krate: Path,
    /// The types of servers that this one comes after.
    pub(super) after: Vec<Path>,
}

impl Parse for ServerOptions {
    fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        let mut options = Self {
            krate: parse_quote!(::hotswap),
            after: Vec::new(),
        };
        while !input.is_empty() {
            options.read_one(input)?;
            if !input.is_empty() {
                input.parse::<Token![,]>()?;
            }
        }
        Ok(options)
    }
}

impl ServerOptions {
    fn read_one(&mut self, input: ParseStream<'_>) -> syn::Result<()> {
        if input.peek(Token![crate]) {
            let token = input.parse::<Token![crate]>()?;
            if input.parse::<Token![=]>().is_err() {
                let message = "`crate` needs a path: `crate = path::to::hotswap`";
                return Err(Error::new(token.span, message));
            }
            self.krate = input.call(Path::parse_mod_style)?;
            return Ok(());
        }
        let name: Ident = input.parse()?;
        if name != "after" {
            let message = format!(
                "unknown option `{name}`: a server can come `after(Other, path::to::Another)`"
            );
            return Err(Error::new(name.span(), message));
        }
        if !input.peek(syn::token::Paren) {
            let message = "`after` needs types of servers: `after(Other, path::to::Another)`";
            return Err(Error::new(name.span(), message));
        }
        let types;
        parenthesized!(types in input);
        let types = Punctuated::<Path, Token![,]>::parse_terminated(&types)?;
        self.after.extend(types);
        Ok(())
    }
}
