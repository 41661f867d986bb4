//! What stands in the way of a migration, in words, type by type.

use super::matching::Conflict;
use crate::compare;
use crate::finding::{Cause, Finding, Reached, Verdict};
use crate::program::{Place, Program};

/// What is missing for a value to become one of another type.
#[derive(Clone, Debug)]
pub(super) enum Lack {
    /// A function from one type to the other.
    Conversion {
        old: String,
        new: String,
        back: bool,
    },
    /// The type does not describe itself, in one of the versions or both.
    Description { path: String, old: bool, new: bool },
    /// One definition, and no more.
    Definition,
    /// It was a struct and is an enum, or the like.
    Kind,
    /// It can't be taken apart; what the guard found in it.
    Parts {
        what: &'static str,
        cause: Cause,
        differences: Option<(String, Vec<String>)>,
    },
    /// A value for a field that was dropped on the way forward.
    Value,
    /// The function that made the field has no counterpart.
    WayBack,
    /// The function that made the variant has no counterpart.
    VariantWayBack,
    /// The type that the function reads or makes, as it was.
    HookType,
    /// What is wrong with the function that makes whole values.
    Function(FunctionLack),
}

/// What is wrong with a function that makes whole values.
#[derive(Clone, Debug)]
pub(super) enum FunctionLack {
    /// There are two for one type.
    Several([String; 2]),
    /// It takes a field that the old type does not have.
    NoField { function: String, field: String },
    /// It takes a field as what it was not.
    OtherType {
        function: String,
        field: String,
        takes: String,
        old: String,
    },
    /// It takes a field of a variant, and the old type does not say how to tell its variants.
    Variants { path: String },
    /// What it makes is not what the older type consists of.
    Parts { function: String, problem: String },
    /// It made the value on the way here.
    WayBack(String),
    /// Nothing is known of its types.
    Unknown(String),
}

/// The refusals of one type.
struct Refused {
    pair: (Place, Place),
    cause: Cause,
    differences: Vec<String>,
    reasons: Vec<String>,
    help: Vec<String>,
    reached: Reached,
}

/// All refusals of a migration.
#[derive(Default)]
pub(super) struct Refusals {
    types: Vec<Refused>,
    unknown: Vec<Finding>,
}

impl Refusals {
    /// A value of this type has no way.
    pub(super) fn whole(&mut self, pair: (Place, Place), lack: Lack, reached: &Reached) {
        self.add(pair, "", lack, reached);
    }

    /// A part of this type has no way.
    pub(super) fn part(&mut self, pair: (Place, Place), part: &str, lack: Lack, reached: &Reached) {
        self.add(pair, part, lack, reached);
    }

    fn add(&mut self, pair: (Place, Place), part: &str, lack: Lack, reached: &Reached) {
        let words = words(part, lack);
        let refused = self.of(pair, reached);
        refused.cause = words.cause;
        refused.differences.extend(words.differences);
        push_new(&mut refused.reasons, words.reason);
        push_new(&mut refused.help, words.help);
    }

    /// The parts of both types can't be matched.
    pub(super) fn conflict(
        &mut self,
        pair: (Place, Place),
        prefix: &str,
        conflict: &Conflict,
        reached: &Reached,
    ) {
        let refused = self.of(pair, reached);
        let (difference, help) = match conflict {
            Conflict::Several {
                new,
                old: [one, other],
            } => (
                format!("`{new}` can be made of `{one}` and of `{other}`"),
                format!(
                    "take `was` away from `{new}` if it is the old `{new}`, else give it a name that the running version does not have"
                ),
            ),
            Conflict::Shared {
                old,
                new: [one, other],
            } => (
                format!("`{old}` can become `{one}` and `{other}`"),
                "leave `was` at one of them".to_owned(),
            ),
            Conflict::Unknown { new, was } => (
                format!("`{new}` was `{was}`, which the running version does not have"),
                format!(
                    "write the name that it has in the running version, or take `was` away or add `#[migrate(default = …)]` if `{new}` is new"
                ),
            ),
        };
        refused.differences.push(format!("{prefix}{difference}"));
        push_new(
            &mut refused.reasons,
            "nothing tells which value it gets".to_owned(),
        );
        push_new(&mut refused.help, help);
    }

    /// A cell of which the debug information says nothing.
    pub(super) fn unknown(&mut self, path: &str, symbol: &str, reached: &Reached) {
        let finding = compare::unknown(path, symbol, reached.clone());
        self.unknown.push(finding);
    }

    fn of(&mut self, pair: (Place, Place), reached: &Reached) -> &mut Refused {
        let known = self.types.iter().position(|refused| refused.pair == pair);
        let at = known.unwrap_or_else(|| {
            self.types.push(Refused {
                pair,
                cause: Cause::Layout,
                differences: Vec::new(),
                reasons: Vec::new(),
                help: Vec::new(),
                reached: reached.clone(),
            });
            self.types.len() - 1
        });
        &mut self.types[at]
    }

    /// As findings.
    pub(super) fn finish(self, old: &Program, new: &Program) -> Vec<Finding> {
        let finding = |refused: Refused| {
            let (before, after) = refused.pair;
            let subject = old.object(before).full_name(before.node);
            let mut differences = refused.differences;
            if differences.is_empty() {
                differences = compare::differences(old, new, before, after);
            }
            if differences.is_empty() {
                differences.push("something that it holds changed".to_owned());
            }
            Finding {
                subject,
                verdict: Verdict::Refused,
                cause: refused.cause,
                differences,
                old: Some(compare::layout(old, before)),
                new: Some(compare::layout(new, after)),
                reason: format!(
                    "{} holds values of it, and {}",
                    refused.reached.root,
                    refused.reasons.join("; ")
                ),
                reached: vec![refused.reached],
                help: refused.help.join("; "),
            }
        };
        self.types
            .into_iter()
            .map(finding)
            .chain(self.unknown)
            .collect()
    }
}

fn push_new(texts: &mut Vec<String>, text: String) {
    if !texts.contains(&text) {
        texts.push(text);
    }
}

struct Words {
    cause: Cause,
    differences: Vec<String>,
    reason: String,
    help: String,
}

/// What is told of a lack; `part` names the field, or is empty for the whole type.
fn words(part: &str, lack: Lack) -> Words {
    let on = match part {
        "" => "the field that holds it".to_owned(),
        part => part.to_owned(),
    };
    let about = |text: &str| match part {
        "" => vec![text.to_owned()],
        part => vec![format!("{part}: {text}")],
    };
    let layout = |differences, reason: &str, help: String| Words {
        cause: Cause::Layout,
        differences,
        reason: reason.to_owned(),
        help,
    };
    match lack {
        Lack::Conversion { old, new, back } => conversion(&on, about, (old, new), back),
        Lack::Description { path, old, new } => description(&path, (old, new)),
        Lack::Definition => Words {
            cause: Cause::Opaque,
            differences: about("more than one definition, or none"),
            reason: "types of one path can't be told apart".to_owned(),
            help: "give one of the types another name, then restart the program".to_owned(),
        },
        Lack::Kind => layout(
            about("a struct, an enum or a container became another of these"),
            "no rule makes one of the other",
            format!(
                "write `#[migrate(with = …)]` on {on} under another type name, or restart the program"
            ),
        ),
        Lack::Parts {
            what,
            cause,
            differences,
        } => {
            let inner = differences.map_or_else(String::new, |(subject, differences)| {
                format!(" (`{subject}`: {})", differences.join(", "))
            });
            Words {
                cause,
                differences: about(&format!("it is {what} whose type changed{inner}")),
                reason: format!("values behind {what} can't be carried over"),
                help: "undo the change, or restart the program".to_owned(),
            }
        }
        Lack::Value => layout(
            about("dropped on the way here"),
            "the older version has no value for it",
            format!(
                "restart the program, go forward instead of back, or write `#[migrate(default = …)]` on {on} before you drop it the next time"
            ),
        ),
        Lack::WayBack => layout(
            about("made by a function on the way here"),
            "nothing makes the older value of it",
            format!("write `#[migrate(back = …)]` beside `with` on {on}, save, and go back then"),
        ),
        Lack::VariantWayBack => layout(
            about("made by a function on the way here"),
            "nothing makes the older value of it",
            "write a function marked `#[hotswap::code_change(down)]` for the enum, save, and go back then"
                .to_owned(),
        ),
        Lack::HookType => layout(
            about("the type that its function takes or gives changed too"),
            "a function can only take a value of a type that both versions have alike",
            "leave the old type as it is and give the changed one another name".to_owned(),
        ),
        Lack::Function(lack) => function(lack),
    }
}

fn function(lack: FunctionLack) -> Words {
    const MADE_OF: &str = "its new value is made of fields that both versions have alike";
    const REMOVE: &str = "remove the function if it was for an earlier change";
    let (difference, reason, help) = match lack {
        FunctionLack::Several([one, other]) => (
            format!("`{one}` and `{other}` both make its values"),
            "nothing tells which one is meant",
            "remove one of them".to_owned(),
        ),
        FunctionLack::NoField { function, field } => (
            format!(
                "`{function}` takes `{field}`, and there is no such field in the running version"
            ),
            MADE_OF,
            format!("make the parameter an `Option<&…>`, or {REMOVE}"),
        ),
        FunctionLack::OtherType {
            function,
            field,
            takes,
            old,
        } => {
            let was = match takes == old {
                true => "whose layout changes too".to_owned(),
                false => format!("and the field was `{old}`"),
            };
            (
                format!("`{function}` takes `{field}: &{takes}`, {was}"),
                MADE_OF,
                format!(
                    "take the type that it was, and change what is inside in another edit; {REMOVE}"
                ),
            )
        }
        FunctionLack::Variants { path } => {
            return Words {
                differences: vec!["its variants can't be told apart".to_owned()],
                ..description(&path, (true, false))
            };
        }
        FunctionLack::WayBack(function) => (
            format!("made by `{function}` on the way here"),
            "nothing makes the older value of it",
            "write a function marked `#[hotswap::code_change(down)]`, save, and go back then"
                .to_owned(),
        ),
        FunctionLack::Parts { function, problem } => (
            format!("`{function}` {problem}"),
            "the older value consists of just what the function makes",
            "have it make a struct with the older type's fields, save, and go back then".to_owned(),
        ),
        FunctionLack::Unknown(function) => (
            format!("`{function}` makes values, and debug information does not tell of which type"),
            "nothing tells what becomes of it",
            "remove the function, or restart the program".to_owned(),
        ),
    };
    Words {
        cause: Cause::Layout,
        differences: vec![difference],
        reason: reason.to_owned(),
        help,
    }
}

fn conversion(
    on: &str,
    about: impl Fn(&str) -> Vec<String>,
    (old, new): (String, String),
    back: bool,
) -> Words {
    let help = match back {
        false => format!(
            "on {on}, write `#[migrate(with = convert)]` and a function `fn convert(old: &{old}) -> {new}`, or name the old type as in `#[migrate(was = \"name: {old}\")]` if `{new}` is `From<{old}>`"
        ),
        true => format!("write `#[migrate(back = …)]` on {on}, save, and go back then"),
    };
    Words {
        cause: Cause::Layout,
        differences: about(&format!("type `{old}`, now `{new}`")),
        reason: "nothing makes a value of the new type of one of the old".to_owned(),
        help,
    }
}

fn description(path: &str, (old, new): (bool, bool)) -> Words {
    let (reason, help) = match (old, new) {
        (true, _) => (
            "the running version does not say how its values change",
            format!(
                "undo the change, write `#[derive(hotswap::Migrate)]` on `{path}`, save, and make the change then; or restart the program"
            ),
        ),
        _ => (
            "the edited version does not say how its values change",
            format!("write `#[derive(hotswap::Migrate)]` on `{path}`"),
        ),
    };
    Words {
        cause: Cause::Layout,
        differences: Vec::new(),
        reason: reason.to_owned(),
        help,
    }
}
