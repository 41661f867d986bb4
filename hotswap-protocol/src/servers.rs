//! The servers of a program: what they do, and what they can be told.

use serde::{Deserialize, Serialize};

/// What is asked about servers. A server is named by its name, or by its number in decimal digits.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum ServerOrder {
    /// Tell about all.
    List {},
    /// Hold back the messages of one server or, without a name, of all at the same time, those that are
    /// started later too. None is held back if one does not finish what it does in time.
    Suspend {
        /// Which.
        #[serde(default)]
        server: Option<String>,
        /// How long handlers may still run, in milliseconds.
        limit_ms: u64,
        /// They go on by themselves when this connection ends.
        #[serde(default)]
        only_while_connected: bool,
    },
    /// Let one server go on or, without a name, all.
    Resume {
        /// Which.
        #[serde(default)]
        server: Option<String>,
    },
    /// Show the state of one server as text.
    State {
        /// Which.
        server: String,
        /// How long the handler that runs may still run, in milliseconds.
        limit_ms: u64,
    },
}

/// The servers that an order is about, as they are after it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ServersReport {
    /// In the order in which they were started.
    pub servers: Vec<ServerReport>,
    /// The state that was asked for.
    pub state: Option<String>,
}

/// One server.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ServerReport {
    /// Its number.
    pub number: u64,
    /// The name that it was started under.
    pub name: Option<String>,
    /// Its type.
    pub kind: String,
    /// What it does.
    pub activity: ServerActivity,
    /// Milliseconds since it began with the message that it handles.
    pub busy_ms: Option<u64>,
    /// Messages that wait.
    pub waiting: u64,
    /// Messages that were handled.
    pub handled: u64,
    /// How often it was started again.
    pub restarts: u64,
    /// The version whose code ran last.
    pub version: u64,
}

/// What a server does.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum ServerActivity {
    /// It is being started.
    Starting,
    /// It waits for messages.
    Idle,
    /// It handles a message.
    Busy,
    /// Its messages are held back.
    Suspended,
    /// A new version has come, and servers that it comes after are not in it yet.
    Waiting,
    /// It is ending.
    Ending,
    /// Something that this side does not know.
    #[default]
    #[serde(other)]
    Other,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn orders_as_text() {
        let (server, limit_ms) = (Some("a".to_owned()), 5);
        for (order, text) in [
            (ServerOrder::List {}, r#"{"list":{}}"#),
            (
                ServerOrder::Suspend {
                    server,
                    limit_ms,
                    only_while_connected: true,
                },
                r#"{"suspend":{"server":"a","limit_ms":5,"only_while_connected":true}}"#,
            ),
            (
                ServerOrder::Resume { server: None },
                r#"{"resume":{"server":null}}"#,
            ),
            (
                ServerOrder::State {
                    server: "7".to_owned(),
                    limit_ms,
                },
                r#"{"state":{"server":"7","limit_ms":5}}"#,
            ),
        ] {
            assert_eq!(serde_json::to_string(&order).unwrap(), text);
            assert_eq!(serde_json::from_str::<ServerOrder>(text).unwrap(), order);
        }
        let all: ServerOrder = serde_json::from_str(r#"{"resume":{}}"#).unwrap();
        assert_eq!(all, ServerOrder::Resume { server: None });
    }

    #[test]
    fn a_newer_program_is_understood() {
        let text = r#"{"servers":[{"number":1,"activity":"dancing","partner":2}]}"#;
        let report: ServersReport = serde_json::from_str(text).unwrap();
        assert_eq!(report.servers[0].activity, ServerActivity::Other);
        assert_eq!(report.state, None);
    }
}
