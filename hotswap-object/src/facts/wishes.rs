//! What shall become of statics whose initialisers or names are edited, as their sources say.

use serde::{Deserialize, Serialize};

use crate::elf::Elf;
use crate::error::ObjectError;
use crate::facts::schemas;
use crate::names::canonical_path;
use crate::state::STATIC_SECTION;

/// The name of the static that says it, beside the one that it is about.
const NAME: &str = "__HOTSWAP_STATIC";

/// What shall become of a static's value.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Wish {
    /// It stays, whatever becomes of the initialiser.
    Keep,
    /// The static is a new one when what it is made of changes.
    New {
        /// Stands for the text of its type and initialiser.
        text: String,
        /// Stands for its type with all that is reachable from it, where that is known.
        layout: Option<String>,
    },
    /// It is the one that had this canonical path.
    Was(String),
}

/// A wish and the static that it is about.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct WishFacts {
    /// The canonical path of the static; of a thread-local's owner.
    pub path: String,
    /// The wish.
    pub wish: Wish,
}

impl WishFacts {
    /// Whether it is about the static of this canonical path.
    pub fn is_about(&self, path: &str) -> bool {
        let rest = path.strip_prefix(self.path.as_str());
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with("::{"))
    }
}

/// The first part of a path.
fn crate_of(path: &str) -> &str {
    path.split_once("::").map_or(path, |(first, _)| first)
}

/// Reads all wishes of an object.
pub fn read(elf: &Elf<'_>) -> Result<Vec<WishFacts>, ObjectError> {
    let texts = schemas::texts(elf, STATIC_SECTION, NAME)?;
    let wish = |found: schemas::SchemaFacts| {
        let damaged = || ObjectError::malformed(format!("the wish {} is damaged", found.symbol));
        let path = canonical_path(&found.symbol);
        // It stands in an unnamed constant beside the static.
        let scope = path
            .strip_suffix(NAME)
            .and_then(|path| path.strip_suffix("::"));
        let scope = scope
            .and_then(|path| path.rsplit_once("::"))
            .ok_or_else(damaged)?
            .0;
        let mut words = found.text.split(' ');
        let (Some(word), Some(name), Some(text)) = (words.next(), words.next(), words.next())
        else {
            return Err(damaged());
        };
        let wish = match word {
            "keep" => Wish::Keep,
            "new" => Wish::New {
                text: text.to_owned(),
                layout: None,
            },
            "was" => Wish::Was(match text.strip_prefix("crate::") {
                Some(path) => format!("{}::{path}", crate_of(scope)),
                None => format!("{scope}::{text}"),
            }),
            _ => return Err(damaged()),
        };
        Ok(WishFacts {
            path: format!("{scope}::{name}"),
            wish,
        })
    };
    texts.into_iter().map(wish).collect()
}
