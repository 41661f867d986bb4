//! What functions say of themselves that make whole values (`code_change`).

use super::Text;

/// A function that makes whole values of a type, which its static's type names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Function {
    /// The mangled name of its static.
    pub(crate) symbol: String,
    /// Its own.
    pub(crate) function: String,
    /// Its path, for people.
    pub(crate) path: String,
    /// The fields that it takes, in the order of its parameters.
    pub(crate) takes: Vec<Taken>,
    /// Whether it is for the way back: it takes a value of the type, and makes what the older type consists of.
    pub(crate) down: bool,
}

/// A field of the old value that a function takes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Taken {
    /// The variant that it is of.
    pub(crate) variant: Option<String>,
    pub(crate) name: String,
    /// Whether it may be missing.
    pub(crate) optional: bool,
}

impl Taken {
    /// As it is written.
    pub(crate) fn written(&self) -> String {
        match &self.variant {
            Some(variant) => format!("{variant}.{}", self.name),
            None => self.name.clone(),
        }
    }
}

impl Function {
    /// Reads the text, if it is about a function.
    pub(super) fn parse(text: Text<'_>) -> Result<Option<Function>, String> {
        let mut lines = text.text.lines();
        let first = lines.next().unwrap_or_default();
        let Some((word, path)) = first.split_once(' ') else {
            return Ok(None);
        };
        let down = match word {
            "code-change" => false,
            "code-change-down" => true,
            _ => return Ok(None),
        };
        let function = text.function.ok_or("it has no function")?;
        let taken = |line: &str| {
            let (word, name) = line.split_once(' ').unwrap_or((line, ""));
            let optional = match word {
                "given" => false,
                "perhaps" => true,
                _ => return Err(format!("`{word}` is unknown")),
            };
            let (variant, name) = match name.split_once('.') {
                Some((variant, name)) => (Some(variant.to_owned()), name),
                None => (None, name),
            };
            Ok(Taken {
                variant,
                name: name.to_owned(),
                optional,
            })
        };
        Ok(Some(Function {
            symbol: text.symbol.to_owned(),
            function: function.to_owned(),
            path: path.to_owned(),
            takes: lines.map(taken).collect::<Result<_, _>>()?,
            down,
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str, function: Option<&str>) -> Result<Option<Function>, String> {
        let symbol = "s";
        Function::parse(Text {
            symbol,
            text,
            function,
        })
    }

    #[test]
    fn functions_tell_what_they_take() {
        let text = "code-change app::grow\ngiven hp\nperhaps Open.since\n";
        let found = parse(text, Some("f")).unwrap().unwrap();
        assert_eq!((&*found.path, &*found.function), ("app::grow", "f"));
        let takes = found.takes.iter().map(|it| (it.written(), it.optional));
        let expected = [("hp".to_owned(), false), ("Open.since".to_owned(), true)];
        assert_eq!(takes.collect::<Vec<_>>(), expected);
        assert!(!found.down);
        let text = "code-change-down app::shrink\ngiven world\n";
        assert!(parse(text, Some("f")).unwrap().unwrap().down);
        assert_eq!(parse("type World struct\n", None), Ok(None));
    }

    #[test]
    fn what_is_not_understood_is_an_error() {
        for (text, function, expected) in [
            ("code-change a::f\n", None, "it has no function"),
            (
                "code-change a::f\nowned x\n",
                Some("f"),
                "`owned` is unknown",
            ),
        ] {
            assert_eq!(parse(text, function).unwrap_err(), expected);
        }
    }
}
