//! What types say of themselves for migrations: the texts that `#[derive(Migrate)]` leaves in objects, and those of
//! functions that make whole values.

mod functions;

use std::collections::HashMap;

use crate::error::LayoutError;
use crate::names;
pub(crate) use functions::{Function, Taken};

/// What a type says about its parts, by the names that they have in the source.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Description {
    /// The positions of the elements' types among the type arguments, if it is a container.
    pub(crate) elements: Option<Vec<usize>>,
    /// Of a struct.
    fields: Vec<Part>,
    variants: Vec<Variant>,
}

/// What is said about a variant.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Variant {
    pub(crate) part: Part,
    fields: Vec<Part>,
}

/// What is said about a field or variant.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Part {
    pub(crate) name: String,
    /// Names that it had before.
    pub(crate) was: Vec<String>,
    /// It is made of a value of another type by `From`.
    pub(crate) converts: bool,
    /// It has a default of its own.
    pub(crate) default: bool,
    /// A function makes it of the old value.
    pub(crate) with: bool,
    /// A function makes the old value of it.
    pub(crate) back: bool,
}

impl Description {
    /// What is said about a field; `variant` is none for those of a struct.
    pub(crate) fn field(&self, variant: Option<&str>, name: &str) -> Part {
        let fields = match variant {
            None => &self.fields,
            Some(variant) => match self.variants.iter().find(|it| it.part.name == variant) {
                Some(variant) => &variant.fields,
                None => return Part::named(name),
            },
        };
        let found = fields.iter().find(|field| field.name == name);
        found.cloned().unwrap_or_else(|| Part::named(name))
    }

    /// What is said about a variant.
    pub(crate) fn variant(&self, name: &str) -> Part {
        let found = self.variants.iter().find(|it| it.part.name == name);
        found.map_or_else(|| Part::named(name), |variant| variant.part.clone())
    }

    /// Reads the lines of a description; the result is the path that it gives the type, and the rest.
    fn parse(text: &str) -> Result<(String, Description), String> {
        let mut path = None;
        let mut description = Description::default();
        let mut last = Place::Nothing;
        for line in text.lines().map(str::trim) {
            let (word, rest) = line.split_once(' ').unwrap_or((line, ""));
            let rest = rest.trim();
            match word {
                "" | "type" => {}
                "path" => path = Some(rest.to_owned()),
                "container" => {
                    let positions: Result<Vec<usize>, _> =
                        rest.split(' ').map(str::parse).collect();
                    let positions = positions.map_err(|_| format!("`{rest}` are no positions"))?;
                    description.elements = Some(positions);
                }
                "field" => last = description.add_field(rest),
                "variant" => {
                    description.variant_mut(rest);
                    last = Place::Variant(plain(rest).to_owned());
                }
                _ => description.remark(&last, word, rest)?,
            }
        }
        let path = path.ok_or_else(|| "it has no `path`".to_owned())?;
        Ok((path, description))
    }

    /// `[VARIANT.]NAME TYPE`; the type is for people.
    fn add_field(&mut self, text: &str) -> Place {
        let name = text.split_once(' ').map_or(text, |(name, _)| name);
        match name.split_once('.') {
            None => {
                self.fields.push(Part::named(name));
                Place::Field(None)
            }
            Some((variant, name)) => {
                let fields = &mut self.variant_mut(variant).fields;
                fields.push(Part::named(name));
                Place::Field(Some(plain(variant).to_owned()))
            }
        }
    }

    fn variant_mut(&mut self, name: &str) -> &mut Variant {
        let name = plain(name);
        let known = self.variants.iter().position(|it| it.part.name == name);
        let at = known.unwrap_or_else(|| {
            self.variants.push(Variant {
                part: Part::named(name),
                fields: Vec::new(),
            });
            self.variants.len() - 1
        });
        &mut self.variants[at]
    }

    /// A word about the field or variant that was named last.
    fn remark(&mut self, about: &Place, word: &str, rest: &str) -> Result<(), String> {
        let part = match about {
            Place::Nothing => None,
            Place::Field(None) => self.fields.last_mut(),
            Place::Field(Some(variant)) => self.variant_mut(variant).fields.last_mut(),
            Place::Variant(name) => Some(&mut self.variant_mut(name).part),
        };
        let part = part.ok_or_else(|| format!("`{word}` stands before any field"))?;
        match word {
            "was" => part.was.push(plain(rest).to_owned()),
            "was-type" => part.converts = true,
            "default" => part.default = true,
            "with" => part.with = true,
            "back" => part.back = true,
            _ => return Err(format!("`{word}` is unknown")),
        }
        Ok(())
    }
}

/// What a remark is about.
enum Place {
    Nothing,
    /// The last field, of a variant or of the struct.
    Field(Option<String>),
    Variant(String),
}

impl Part {
    pub(crate) fn named(name: &str) -> Part {
        Part {
            name: plain(name).to_owned(),
            ..Part::default()
        }
    }

    /// Whether something makes it of a value of another type.
    pub(crate) fn is_made(&self) -> bool {
        self.with || self.converts
    }
}

/// A name as debug information has it.
fn plain(name: &str) -> &str {
    name.strip_prefix("r#").unwrap_or(name)
}

/// One text, as it stands in an object.
#[derive(Clone, Copy, Debug)]
pub struct Text<'a> {
    /// The mangled name of the static that holds it.
    pub symbol: &'a str,
    /// The text.
    pub text: &'a str,
    /// The mangled name of the function that it is about, if it is about one.
    pub function: Option<&'a str>,
}

/// The descriptions of all types of one version, and of the functions that make whole values of them.
#[derive(Debug, Default)]
pub struct Descriptions {
    /// In the order of their symbols.
    functions: Vec<Function>,
    /// By path without arguments; none where types of one path say different things.
    by_path: HashMap<String, Option<Description>>,
}

impl Descriptions {
    /// Reads texts.
    ///
    /// # Errors
    ///
    /// If one is not of this version of the runtime's macros.
    pub fn read<'a>(
        texts: impl IntoIterator<Item = Text<'a>>,
    ) -> Result<Descriptions, LayoutError> {
        let mut descriptions = Descriptions::default();
        for text in texts {
            let Text { symbol, .. } = text;
            let wrong = |reason| LayoutError::Description {
                symbol: format!("{:#}", rustc_demangle::demangle(symbol)),
                reason,
            };
            if let Some(function) = Function::parse(text).map_err(wrong)? {
                descriptions.functions.push(function);
                continue;
            }
            let (path, description) = Description::parse(text.text).map_err(wrong)?;
            let path = described(symbol).unwrap_or(path);
            let known = descriptions.by_path.entry(path);
            known
                .and_modify(|known| {
                    if known.as_ref() != Some(&description) {
                        *known = None;
                    }
                })
                .or_insert(Some(description));
        }
        let functions = &mut descriptions.functions;
        functions.sort_by(|a, b| a.symbol.cmp(&b.symbol));
        // An object may be told of twice.
        functions.dedup();
        Ok(descriptions)
    }

    /// The same, where no function is to be had: their version is not the one that runs.
    #[must_use]
    pub fn without_functions(&self) -> Descriptions {
        Descriptions {
            functions: Vec::new(),
            by_path: self.by_path.clone(),
        }
    }

    /// The functions that make whole values.
    pub(crate) fn functions(&self) -> &[Function] {
        &self.functions
    }

    /// The mangled names of the functions that make whole values.
    pub fn function_symbols(&self) -> impl Iterator<Item = &str> {
        self.functions.iter().map(|it| it.function.as_str())
    }

    /// What the type with this path, without arguments, says of itself.
    pub(crate) fn of(&self, path: &str) -> Option<&Description> {
        self.by_path.get(path)?.as_ref()
    }
}

/// The path of the type that a static inside `<Type as Trait>::…` is about. It knows the functions that the type stands
/// in, of which the text says nothing.
fn described(symbol: &str) -> Option<String> {
    let path = format!("{:#}", rustc_demangle::demangle(symbol));
    let inner = path.strip_prefix('<')?;
    let end = inner.find([' ', '<'])?;
    let is_path = !inner[..end].is_empty() && inner[end..].contains(" as ");
    is_path.then(|| names::without_positions(&inner[..end]).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn part(text: &str) -> Part {
        let (name, words) = text.split_once(':').unwrap_or((text, ""));
        let mut part = Part::named(name);
        for word in words.split(' ').filter(|word| !word.is_empty()) {
            match word.strip_prefix("was=") {
                Some(name) => part.was.push(name.to_owned()),
                None => match word {
                    "converts" => part.converts = true,
                    "default" => part.default = true,
                    "with" => part.with = true,
                    "back" => part.back = true,
                    other => panic!("{other}"),
                },
            }
        }
        part
    }

    #[test]
    fn lines_say_what_became_of_which_part() {
        let text = "type World struct\npath app::World\nfield hp u32\nwas health\nwas-type u16\n\
                    field r#type Vec < u8 >\ndefault\nwith\nback\n";
        let (path, description) = Description::parse(text).unwrap();
        assert_eq!(path, "app::World");
        let hp = part("hp:was=health converts");
        assert_eq!(description.field(None, "hp"), hp);
        let other = part("type:default with back");
        assert_eq!(description.field(None, "type"), other);
        assert_eq!(description.field(None, "none"), part("none"));

        let text = "type Map struct\npath app::Map\ncontainer 0 2\n";
        let (_, description) = Description::parse(text).unwrap();
        assert_eq!(description.elements, Some(vec![0, 2]));

        let text = "type E enum\npath app::E\nvariant A\nwas Old\nfield A.0 u8\nwith\nvariant B\nfield B.x u8\n";
        let (_, description) = Description::parse(text).unwrap();
        assert_eq!(description.variant("A"), part("A:was=Old"));
        assert_eq!(description.field(Some("A"), "0"), part("0:with"));
        assert_eq!(description.field(Some("B"), "x"), part("x"));
    }

    #[test]
    fn what_is_not_understood_is_an_error() {
        for (text, expected) in [
            ("type A struct\n", "it has no `path`"),
            ("path a::A\nwas x\n", "`was` stands before any field"),
            ("path a::A\ncontainer 0 b\n", "`0 b` are no positions"),
            ("path a::A\nfield x u8\nlazy\n", "`lazy` is unknown"),
        ] {
            assert_eq!(Description::parse(text).unwrap_err(), expected);
        }
    }

    #[test]
    fn types_of_one_path_that_differ_say_nothing() {
        let text = |symbol, text| Text {
            symbol,
            text,
            function: None,
        };
        let one = text("a", "path app::A\nfield x u8\n");
        let other = text("b", "path app::A\nfield y u8\n");
        assert!(
            Descriptions::read([one, one])
                .unwrap()
                .of("app::A")
                .is_some()
        );
        assert!(
            Descriptions::read([one, other])
                .unwrap()
                .of("app::A")
                .is_none()
        );
    }
}
