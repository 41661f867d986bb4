//! Which conversions can wait until values are first used: those that can't fail then, and need nothing
//! but the value itself.

use crate::convert::{Branch, Conversions, How, Index, Making, Step};
use crate::migrate::hook::{Answer, Request};

/// Why elements can't be changed when they are first used: a type and the reason.
pub(crate) type Reason = (&'static str, String);

/// Looks at all containers in a graph whose elements are to wait.
pub(crate) fn check(conversions: &Conversions) -> Result<(), Reason> {
    let waiting = conversions.all.iter().filter_map(|it| match it.how {
        How::Pieces { piece, lazy: true } => Some(piece),
        _ => None,
    });
    for piece in waiting {
        let mut look = Look {
            conversions,
            above: Vec::new(),
        };
        look.at(piece)?;
    }
    Ok(())
}

struct Look<'a> {
    conversions: &'a Conversions,
    /// What leads to the conversion that is looked at.
    above: Vec<Index>,
}

impl Look<'_> {
    fn at(&mut self, index: Index) -> Result<(), Reason> {
        let conversions = self.conversions;
        let conversion = conversions.get(index);
        let owner = (conversion.new.name)();
        let no = |reason: String| Err((owner, reason));
        if self.above.contains(&index) {
            return no(
                "its values may be nested to any depth, which needs a stack of its own".into(),
            );
        }
        self.above.push(index);
        match &conversion.how {
            How::Record(record) => {
                for step in &record.steps {
                    if let Step::Make { by, field, .. } = step {
                        self.making(*by).map_err(|it| in_field(it, field, owner))?;
                    }
                }
            }
            How::Choice { branches, .. } => {
                let gone = branches.iter().find(|branch| branch.variant.is_none());
                if let Some(Branch { name, .. }) = gone {
                    return no(format!(
                        "its variant `{name}` was removed, and a value may be one"
                    ));
                }
                if let Some(made) = branches.iter().find(|branch| branch.by.is_some()) {
                    return no(format!(
                        "a function makes its variant `{}`, which may fail",
                        made.name
                    ));
                }
                for part in branches.iter().flat_map(|branch| &branch.parts) {
                    if let Some((by, _)) = part.made {
                        let made = self.making(by);
                        made.map_err(|it| in_field(it, part.field, owner))?;
                    }
                }
            }
            How::Array { element, .. }
            | How::Boxed(element)
            | How::Sequence { element, .. }
            | How::Cellular { element, .. } => self.at(*element)?,
            How::Pieces { piece, .. } => self.at(*piece)?,
            How::Entries { parts, .. } => match parts.as_slice() {
                [key, value] if key.by.is_none() => {
                    value.by.map_or(Ok(()), |value| self.at(value))?;
                }
                _ => return no("its keys change, and two of them may become equal".into()),
            },
            How::Shared { .. } => {
                return no("counted references are changed all at once".into());
            }
            How::Custom { .. } => {
                return no("a container of the program's may fail".into());
            }
            How::Whole(_) => {
                return no("a `code_change` function makes it, which may fail".into());
            }
        }
        self.above.pop();
        Ok(())
    }

    fn making(&mut self, by: Making) -> Result<(), Reason> {
        match by {
            Making::Conversion(index) => self.at(index),
            Making::Default(..) => Ok(()),
            Making::Hook(hook, _) => match hook(Request::Describe) {
                Answer::Types {
                    can_fail: false, ..
                } => Ok(()),
                _ => Err(("", "the function that makes it returns a `Result`".into())),
            },
        }
    }
}

/// Names the field where the reason names no type.
fn in_field((type_name, reason): Reason, field: &str, owner: &'static str) -> Reason {
    match type_name {
        "" => (owner, format!("field `{field}`: {reason}")),
        _ => (type_name, reason),
    }
}
