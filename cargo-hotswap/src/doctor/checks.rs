//! The checks: pure functions from facts to findings.

use serde::Serialize;

use super::facts::Facts;

pub mod build;
pub mod place;

/// How a check came out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// As it should be.
    Ok,
    /// It works, but slower, less or otherwise than one may think.
    Warning,
    /// Edits can't go live like this.
    Problem,
}

/// What a check found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// The check's name.
    pub check: &'static str,
    /// How it came out.
    pub status: Status,
    /// What is so.
    pub message: String,
    /// What to change.
    pub help: Option<String>,
}

fn ok(check: &'static str, message: impl Into<String>) -> Finding {
    Finding {
        check,
        status: Status::Ok,
        message: message.into(),
        help: None,
    }
}

fn warning(check: &'static str, message: impl Into<String>, help: impl Into<String>) -> Finding {
    Finding {
        check,
        status: Status::Warning,
        message: message.into(),
        help: Some(help.into()),
    }
}

fn problem(check: &'static str, message: impl Into<String>, help: impl Into<String>) -> Finding {
    Finding {
        check,
        status: Status::Problem,
        message: message.into(),
        help: Some(help.into()),
    }
}

/// All findings, in the order in which a build meets them.
pub fn all(facts: &Facts) -> Vec<Finding> {
    let mut found = vec![build::toolchain(facts), build::target(facts)];
    found.extend(build::wrappers(facts));
    found.push(build::linker(facts));
    found.push(build::patch_linker(facts));
    found.extend(build::profile(facts));
    found.extend(build::rustflags(facts));
    found.extend(place::package(facts));
    found.push(place::settings(facts));
    found.extend(place::folders(facts));
    found.extend(place::watching(facts));
    found.extend(place::system(facts));
    found
}
