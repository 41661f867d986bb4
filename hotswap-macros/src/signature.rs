//! The signature's text, as part of an entry's identity.

use proc_macro2::{Delimiter, TokenStream, TokenTree};
use quote::ToTokens;
use syn::{FnArg, Pat, PatWild, Signature, Token};

/// The signature as text that changes exactly when its meaning may: without the arguments' names,
/// without line breaks and the commas they bring along.
pub(crate) fn text(signature: &Signature, track_caller: bool) -> String {
    let mut signature = signature.clone();
    for argument in &mut signature.inputs {
        match argument {
            FnArg::Receiver(receiver) => {
                receiver.attrs.clear();
                receiver.mutability = None;
            }
            FnArg::Typed(argument) => {
                argument.attrs.clear();
                *argument.pat = Pat::Wild(PatWild {
                    attrs: Vec::new(),
                    underscore_token: <Token![_]>::default(),
                });
            }
        }
    }
    let mut text = String::new();
    if track_caller {
        text.push_str("#[track_caller] ");
    }
    write(signature.to_token_stream(), &mut text);
    text
}

/// The tokens as text, with a blank only where two words would run together.
pub(crate) fn tokens(tokens: TokenStream) -> String {
    let mut text = String::new();
    write(tokens, &mut text);
    text
}

/// Writes tokens with a blank only where two words would run together.
fn write(tokens: TokenStream, text: &mut String) {
    for token in tokens {
        match token {
            TokenTree::Group(group) => {
                let (open, close) = match group.delimiter() {
                    Delimiter::Parenthesis => ("(", ")"),
                    Delimiter::Brace => ("{", "}"),
                    Delimiter::Bracket => ("[", "]"),
                    Delimiter::None => ("", ""),
                };
                text.push_str(open);
                write(group.stream(), text);
                drop_comma(text);
                text.push_str(close);
            }
            TokenTree::Punct(punct) => {
                if punct.as_char() == '>' {
                    drop_comma(text);
                }
                text.push(punct.as_char());
            }
            word => {
                if text.ends_with(|last: char| last.is_alphanumeric() || last == '_') {
                    text.push(' ');
                }
                text.push_str(&word.to_string());
            }
        }
    }
}

fn drop_comma(text: &mut String) {
    if text.ends_with(',') {
        text.pop();
    }
}
