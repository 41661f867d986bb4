//! Verdicts and the words for them: why a change is refused and what to do.

use crate::finding::{Cause, Finding, Reached, Verdict};
use crate::program::EntryBody;

/// What a walk began from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum RootKind {
    Entry,
    Static,
    ThreadLocal,
    TypeId,
}

impl RootKind {
    pub(super) fn named(self, path: &str) -> String {
        match self {
            RootKind::Entry => format!("entry `{path}`"),
            RootKind::Static => format!("static `{path}`"),
            RootKind::ThreadLocal => format!("thread-local `{path}`"),
            RootKind::TypeId => format!("`TypeId` of `{path}`"),
        }
    }
}

/// An entry whose signature was edited.
pub(super) fn kept(path: &str, old: &EntryBody, new: &EntryBody) -> Finding {
    Finding {
        subject: path.to_owned(),
        verdict: Verdict::Kept,
        cause: Cause::Signature,
        differences: vec![format!(
            "signature: `{}`, now `{}`",
            old.signature, new.signature
        )],
        old: None,
        new: None,
        reached: Vec::new(),
        reason: format!(
            "callers that run already go on with the old `{path}` and its types; new code calls the new one"
        ),
        help: String::new(),
    }
}

/// An entry with types in its signature that are migrated where cells hold them.
pub(super) fn kept_beside(path: &str, migrated: &[Finding]) -> Finding {
    let difference = |finding: &Finding| format!("`{}` in its signature changed", finding.subject);
    Finding {
        subject: path.to_owned(),
        verdict: Verdict::Kept,
        cause: Cause::Signature,
        differences: migrated.iter().map(difference).collect(),
        old: None,
        new: None,
        reached: Vec::new(),
        reason: format!(
            "who holds a value of the old layout goes on with the old `{path}`; new code calls the new one"
        ),
        help: String::new(),
    }
}

/// Something at `path` about which the debug information says nothing.
pub(crate) fn unknown(path: &str, symbol: &str, reached: Reached) -> Finding {
    Finding {
        subject: path.to_owned(),
        verdict: Verdict::Refused,
        cause: Cause::Unknown,
        differences: vec![format!("no debug information about `{symbol}`")],
        old: None,
        new: None,
        reached: vec![reached],
        reason: "what is not known cannot be proven to be the same".to_owned(),
        help: "build hot crates with `debug = 2` and without LTO, then restart the program"
            .to_owned(),
    }
}

/// Why a change of `subject` that is reached from a root can't go live, and what to do.
pub(super) fn refusal(cause: Cause, kind: RootKind, path: &str, subject: &str) -> (String, String) {
    let root = kind.named(path);
    let reason = match (cause, kind) {
        (Cause::Opaque, _) => format!("{root} leads to it, and nothing tells what it is"),
        (Cause::TraitObject, _) => {
            format!("{root} leads to objects made by the old code, whose methods the new code would look for elsewhere")
        }
        (Cause::Unnamed, _) => {
            format!("{root} holds a closure or future of the old code, and the new code would take it for its own")
        }
        (_, RootKind::Static | RootKind::ThreadLocal) => {
            format!("{root} keeps its value, which has the old layout, and the new code would read it as the new one")
        }
        (_, RootKind::Entry) => {
            format!("{root} has the signature it had, so code that is running may hold or expect a value of the old layout")
        }
        (_, RootKind::TypeId) => {
            "its values can be stored by `TypeId`, which stays the same, and the new code would take an old one for its own"
                .to_owned()
        }
    };
    let help = match (cause, kind) {
        (Cause::TraitObject, _) => {
            "restart the program, or leave the trait as it is and put new methods into another trait".to_owned()
        }
        (Cause::Opaque, _) => "build hot crates with `debug = 2` and without LTO, then restart the program".to_owned(),
        (_, RootKind::Static | RootKind::ThreadLocal) => {
            format!("restart the program, or undo the change, or declare a new item beside `{path}`")
        }
        (_, RootKind::Entry) => {
            format!("restart the program, or undo the change; if the old callers may go on as they are, give the new type another name and use it in the signature of `{path}`")
        }
        (_, RootKind::TypeId) => format!("restart the program, or give the changed `{subject}` another name"),
    };
    (reason, help)
}
