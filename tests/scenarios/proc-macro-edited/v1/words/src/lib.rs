//! Expands to a word.

use proc_macro::TokenStream;

#[proc_macro]
pub fn word(_: TokenStream) -> TokenStream {
    "\"macro one\"".parse().unwrap()
}
