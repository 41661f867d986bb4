//! The text that describes a definition to the tool. Its grammar stands with the runtime's
//! `Description`.

use std::fmt::Write as _;

use quote::ToTokens as _;

use super::{Body, Definition, Field};
use crate::signature;

/// The text before the line with the path, and the text after it: the path is known only where the
/// macro's output is compiled.
pub(super) fn text(definition: &Definition) -> (String, String) {
    let mut text = String::new();
    if !definition.container.is_empty() {
        let positions = super::container::positions(definition);
        let positions: Vec<String> = positions.iter().map(usize::to_string).collect();
        line(&mut text, "container", &positions.join(" "));
    }
    match &definition.body {
        _ if !definition.container.is_empty() => {}
        Body::Struct(fields) => {
            for field in fields {
                write_field(&mut text, "", field);
            }
        }
        Body::Enum(variants) => {
            for variant in variants {
                let name = super::unraw(&variant.ident);
                line(&mut text, "variant", &name);
                for was in &variant.options.was {
                    line(&mut text, "was", was);
                }
                if variant.options.with.is_some() {
                    text.push_str("with\n");
                }
                for field in &variant.fields {
                    write_field(&mut text, &format!("{name}."), field);
                }
            }
        }
    }
    let kind = match definition.body {
        Body::Struct(_) => "struct",
        Body::Enum(_) => "enum",
    };
    let name = super::unraw(&definition.input.ident);
    (
        format!("type {name} {kind}\npath "),
        format!("::{name}\n{text}"),
    )
}

fn write_field(text: &mut String, owner: &str, field: &Field) {
    let Field { name, ty, .. } = field;
    let options = &field.options;
    let written = signature::tokens(ty.to_token_stream());
    line(text, "field", &format!("{owner}{name} {written}"));
    for was in &options.was {
        line(text, "was", was);
    }
    if let Some(was_type) = &options.was_type {
        let written = signature::tokens(was_type.to_token_stream());
        line(text, "was-type", &written);
    }
    for (word, is_there) in [
        ("default", options.default.is_some()),
        ("with", options.with.is_some()),
        ("back", options.back.is_some()),
    ] {
        if is_there {
            text.push_str(word);
            text.push('\n');
        }
    }
}

fn line(text: &mut String, word: &str, argument: &str) {
    // Writing to a `String` can't fail.
    let _ = writeln!(text, "{word} {argument}");
}
