//! What becomes of the fields of a struct or variant: each new one has a source, each old one an end.

use hotswap_protocol::state::{self, Source, TypeChange};

use crate::convert::resolve::{Outcome, Refused};
use crate::convert::{Dropped, Making, dropped};
use crate::migrate::hook::{Answer, Hook, Request, TypeFacts};
use crate::migrate::schema::Field;

/// How a new field takes its value.
pub(super) enum Taken {
    /// The old field as it is.
    Whole,
    /// The old field, by the change with this index.
    Changed(u32),
    /// Made otherwise.
    Made(Making),
}

/// The fields of both versions, and what was found of them so far.
pub(super) struct Known<'a> {
    planned: &'a TypeChange,
    changes: &'a state::Fields,
    from: &'static [Field],
    to: &'static [Field],
    /// For each old field whether it moves into a new one, and whether it is read.
    moved: Vec<bool>,
    read: Vec<bool>,
}

impl<'a> Known<'a> {
    pub(super) fn new(
        planned: &'a TypeChange,
        changes: &'a state::Fields,
        (from, to): (&'static [Field], &'static [Field]),
    ) -> Self {
        Self {
            planned,
            changes,
            from,
            to,
            moved: vec![false; from.len()],
            read: vec![false; from.len()],
        }
    }

    fn refuse(&self, reason: impl Into<String>) -> Refused {
        Refused::new(self.planned, reason)
    }

    fn old(&self, name: &str) -> Outcome<usize> {
        let found = self.from.iter().position(|field| field.name == name);
        found.ok_or_else(|| self.refuse(format!("there was no field `{name}`")))
    }

    /// Where a new field comes from: the number of the old one, if any, and how.
    pub(super) fn source(&mut self, field: &Field) -> Outcome<(Option<usize>, Taken)> {
        let mut changes = self.changes.new.iter();
        let change = changes.find(|change| change.name == field.name);
        let change = change.ok_or_else(|| {
            self.refuse(format!("the plan says nothing of field `{}`", field.name))
        })?;
        match &change.source {
            Source::Same { from } => {
                let number = self.take(from)?;
                self.check_same(field, number)?;
                Ok((Some(number), Taken::Whole))
            }
            Source::Changed { from, by } => Ok((Some(self.take(from)?), Taken::Changed(*by))),
            Source::Default => {
                let maker = field.default.ok_or_else(|| self.no_default(field))?;
                Ok((None, Taken::Made(Making::Default(maker, field.drop))))
            }
            Source::With { from } => {
                let number = self.read(from)?;
                let hook = self.hook(field.with, "with", field.name)?;
                self.check_hook(hook, number, field)?;
                Ok((Some(number), Taken::Made(Making::Hook(hook, field.drop))))
            }
            Source::Back { from } => {
                let number = self.read(from)?;
                let hook = self.hook(self.from[number].back, "back", from)?;
                self.check_hook(hook, number, field)?;
                Ok((Some(number), Taken::Made(Making::Hook(hook, field.drop))))
            }
        }
    }

    fn no_default(&self, field: &Field) -> Refused {
        self.refuse(format!(
            "the new field `{}` has no value: its type `{}` has no `Default`; write \
             `#[migrate(default = …)]` on it",
            field.name,
            (field.type_name)()
        ))
    }

    /// The number of an old field that moves.
    fn take(&mut self, name: &str) -> Outcome<usize> {
        let number = self.old(name)?;
        if std::mem::replace(&mut self.moved[number], true) {
            return Err(self.refuse(format!("the plan moves the old field `{name}` twice")));
        }
        Ok(number)
    }

    /// The number of an old field that is read.
    fn read(&mut self, name: &str) -> Outcome<usize> {
        let number = self.old(name)?;
        self.read[number] = true;
        Ok(number)
    }

    fn check_same(&self, field: &Field, number: usize) -> Outcome<()> {
        let old = &self.from[number];
        if (old.size, old.align) == (field.size, field.align) {
            return Ok(());
        }
        Err(self.refuse(format!(
            "field `{}` is to be moved as it is, but it has {} bytes and had {}",
            field.name, field.size, old.size
        )))
    }

    fn hook(&self, hook: Option<Hook>, what: &str, field: &str) -> Outcome<Hook> {
        hook.ok_or_else(|| self.refuse(format!("field `{field}` has no function `{what}`")))
    }

    /// The function takes what the old field is, and makes what the new one is.
    fn check_hook(&self, hook: Hook, number: usize, field: &Field) -> Outcome<()> {
        let Answer::Types { old, new, .. } = hook(Request::Describe) else {
            return Err(self.refuse(format!("field `{}` has no function", field.name)));
        };
        let (takes, makes) = (facts(&self.from[number]), facts(field));
        if old != takes {
            return Err(self.refuse(format!(
                "the function for field `{}` takes `&{}`, and the old field `{}` is `{}`",
                field.name, old.name, self.from[number].name, takes.name
            )));
        }
        if new != makes {
            return Err(self.refuse(format!(
                "the function for field `{}` makes `{}`, and the field is `{}`",
                field.name, new.name, makes.name
            )));
        }
        Ok(())
    }

    /// The old fields that nothing takes over, by number, when all new ones have their source.
    pub(super) fn dropped(&self) -> Outcome<Vec<Dropped>> {
        for change in &self.changes.new {
            if !self.to.iter().any(|field| field.name == change.name) {
                return Err(self.refuse(format!("there is no field `{}`", change.name)));
            }
        }
        let mut found = Vec::new();
        for (number, field) in self.from.iter().enumerate() {
            let removed = self.changes.removed.iter().any(|name| name == field.name);
            if self.moved[number] {
                if removed {
                    let reason = format!("the plan moves and removes field `{}`", field.name);
                    return Err(self.refuse(reason));
                }
            } else if removed || self.read[number] {
                found.extend(dropped_field((number, field)));
            } else {
                let reason = format!("the plan says nothing of the old field `{}`", field.name);
                return Err(self.refuse(reason));
            }
        }
        Ok(found)
    }
}

fn dropped_field((number, field): (usize, &Field)) -> Option<Dropped> {
    let schema = || field.schema.map(|of| of());
    field.drop.map(|destructor| Dropped {
        at: number,
        destructor,
        counted: schema().filter(|it| dropped::may_count(it)),
    })
}

/// What is dropped where a function has read all of these old fields, and taken none.
pub(super) fn read_all(from: &[Field]) -> Vec<Dropped> {
    from.iter().enumerate().filter_map(dropped_field).collect()
}

pub(super) fn facts(field: &Field) -> TypeFacts {
    TypeFacts {
        name: (field.type_name)(),
        size: field.size,
        align: field.align,
    }
}
