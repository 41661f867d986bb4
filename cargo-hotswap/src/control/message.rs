//! The messages between a verb and a tool that runs a program.
//!
//! A connection starts with `Hello` in both directions. Each message is a JSON object with one key,
//! its name in kebab-case, in the frames of [`hotswap_protocol::frame`].

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::session::modules::ModuleStatus;
use crate::status::RunStatus;

/// The number of this protocol; raised when a message changes its meaning or loses a field.
pub const PROTOCOL: u32 = 1;

/// What a verb asks.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Request {
    /// The first message of every connection.
    Hello {
        /// The sender's [`PROTOCOL`].
        protocol: u32,
        /// The sender's name and version.
        client: String,
    },
    /// Tell what is known about the run. Answered by [`Response::Status`].
    Status {},
    /// Tell events as they happen. Answered by any number of [`Response::Line`], the last events
    /// first; nothing is asked on this connection afterwards.
    Follow {},
    /// Do something. Answered by [`Response::Outcome`] when it is done.
    Do {
        /// What.
        verb: Verb,
    },
}

/// What a tool can be asked to do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verb {
    /// Start the program again on the newest code.
    Restart,
    /// The same, if the state in all cells can be carried over.
    RestartWithState,
    /// Make the code of the version before current again.
    Revert,
    /// End the program, and the tool with it.
    Quit,
    /// Compile a crate, edited or not, and make it live.
    Compile {
        /// The crate.
        module: String,
    },
    /// Make live what was edited and is not.
    Load {
        /// Only in this crate.
        #[serde(default)]
        module: Option<String>,
    },
    /// Compile what was edited, and tell whether it could go live.
    Check,
    /// Tell about crates.
    Modules {
        /// Only about this one.
        #[serde(default)]
        module: Option<String>,
    },
}

impl Verb {
    /// Its name on the command line.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Restart | Self::RestartWithState => "restart",
            Self::Revert => "revert",
            Self::Quit => "quit",
            Self::Compile { .. } => "c",
            Self::Load { module: Some(_) } => "l",
            Self::Load { module: None } => "lm",
            Self::Check => "check",
            Self::Modules { .. } => "m",
        }
    }
}

/// What a tool answers.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Response {
    /// Who answers.
    Hello(Hello),
    /// What is known about the run.
    Status(Box<RunStatus>),
    /// An event.
    Line(Line),
    /// How what was asked for ended.
    Outcome(Outcome),
    /// The request was not taken.
    Error {
        /// Why.
        message: String,
    },
}

/// The tool's side of the greeting.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Hello {
    /// The sender's [`PROTOCOL`].
    pub protocol: u32,
    /// The tool's version.
    pub tool: String,
    /// The tool's process id.
    pub pid: u32,
    /// The process id of the program; none if it does not run at the moment.
    pub program: Option<u32>,
    /// The name of the program.
    pub name: String,
    /// The program's executable.
    pub executable: PathBuf,
    /// The folder of its workspace; empty from tools that did not tell.
    pub workspace: PathBuf,
}

/// An event, as it is told.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Line {
    /// Its JSON form, without the line's end; empty if it has none.
    pub json: String,
    /// Its form for people: whole lines, with colours; empty if there is nothing to be seen.
    pub text: String,
}

/// How a verb ended.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Outcome {
    /// Done, refused or failed.
    pub result: OutcomeKind,
    /// The same in words, for people.
    pub message: String,
    /// The process id of the program that it is about.
    pub pid: Option<u32>,
    /// The version that is current afterwards.
    pub version: Option<u64>,
    /// The exit code, if the program ended.
    pub code: Option<i32>,
    /// The signal that ended the program, if one did.
    pub signal: Option<i32>,
    /// The crates that were asked for.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub modules: Vec<ModuleStatus>,
}

/// Whether a verb did what it is for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum OutcomeKind {
    /// It did.
    Done,
    /// It was refused; the program is as it was.
    Refused,
    /// It could not be done.
    #[default]
    #[serde(other)]
    Failed,
}

impl Outcome {
    /// What was asked for is done.
    pub fn done(message: impl Into<String>) -> Self {
        Self {
            result: OutcomeKind::Done,
            message: message.into(),
            ..Self::default()
        }
    }

    /// What was asked for could not be done.
    pub fn failed(message: impl Into<String>) -> Self {
        Self {
            message: message.into(),
            ..Self::default()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Outcome, OutcomeKind, PROTOCOL, Request, Response, Verb};

    #[test]
    fn messages_as_text() {
        let hello = Request::Hello {
            protocol: PROTOCOL,
            client: "c".into(),
        };
        for (value, text) in [
            (hello, r#"{"hello":{"protocol":1,"client":"c"}}"#),
            (Request::Status {}, r#"{"status":{}}"#),
            (
                Request::Do { verb: Verb::Quit },
                r#"{"do":{"verb":"quit"}}"#,
            ),
            (
                Request::Do {
                    verb: Verb::Load { module: None },
                },
                r#"{"do":{"verb":{"load":{"module":null}}}}"#,
            ),
        ] {
            assert_eq!(serde_json::to_string(&value).unwrap(), text);
            assert_eq!(serde_json::from_str::<Request>(text).unwrap(), value);
        }
    }

    #[test]
    fn a_newer_tool_is_understood() {
        let text = r#"{"outcome":{"result":"postponed","message":"m","until":7}}"#;
        let Response::Outcome(outcome) = serde_json::from_str(text).unwrap() else {
            panic!("no outcome");
        };
        assert_eq!(outcome, Outcome::failed("m"));
        assert_eq!(outcome.result, OutcomeKind::Failed);
    }
}
