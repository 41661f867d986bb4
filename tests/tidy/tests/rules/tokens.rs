//! Rust files as flat lists of tokens, so that comments and strings don't count.

use proc_macro2::{Delimiter, TokenStream, TokenTree};

use crate::repository::SourceFile;

/// The tokens of a file in order, delimiters included.
pub fn read(file: &SourceFile) -> Vec<String> {
    // A byte-order mark or shebang would be no token; there is none here.
    let stream: TokenStream = file
        .text
        .parse()
        .unwrap_or_else(|error| panic!("{}: {error}", file.path));
    let mut tokens = Vec::new();
    flatten(stream, &mut tokens);
    tokens
}

fn flatten(stream: TokenStream, tokens: &mut Vec<String>) {
    for token in stream {
        match token {
            TokenTree::Group(group) => {
                let (open, close) = match group.delimiter() {
                    Delimiter::Brace => ("{", "}"),
                    Delimiter::Bracket => ("[", "]"),
                    Delimiter::Parenthesis => ("(", ")"),
                    Delimiter::None => ("", ""),
                };
                tokens.push(open.to_owned());
                flatten(group.stream(), tokens);
                tokens.push(close.to_owned());
            }
            other => tokens.push(other.to_string()),
        }
    }
}

/// How often these tokens follow each other.
pub fn count(tokens: &[String], sequence: &[&str]) -> usize {
    tokens
        .windows(sequence.len())
        .filter(|window| window == &sequence)
        .count()
}

/// Whether these tokens follow each other somewhere.
pub fn contains(tokens: &[String], sequence: &[&str]) -> bool {
    count(tokens, sequence) > 0
}

/// Unsafe blocks and implementations.
pub fn unsafe_places(tokens: &[String]) -> usize {
    count(tokens, &["unsafe", "{"]) + count(tokens, &["unsafe", "impl"])
}
