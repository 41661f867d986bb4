//! Functions of the program's that run at swaps.

use std::fmt;

use serde::{Deserialize, Serialize};

/// When a function runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum When {
    /// Before its version is current, and before anything changed: if it fails, the version never is.
    OnLoad,
    /// Before another version takes the place of its own.
    BeforeSwap,
    /// After its version has become current.
    AfterSwap,
    /// Before its version's image is taken out of memory.
    OnPurge,
}

impl When {
    /// All of them.
    pub const ALL: [Self; 4] = [
        Self::OnLoad,
        Self::BeforeSwap,
        Self::AfterSwap,
        Self::OnPurge,
    ];

    /// As the attribute is written.
    #[must_use]
    pub fn attribute(self) -> &'static str {
        match self {
            Self::OnLoad => "on_load",
            Self::BeforeSwap => "before_swap",
            Self::AfterSwap => "after_swap",
            Self::OnPurge => "on_purge",
        }
    }
}

impl fmt::Display for When {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.attribute())
    }
}

/// Such a function.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Hook {
    /// When it runs.
    pub when: When,
    /// Its path, for reports.
    pub path: String,
    /// Whether it is in the image; else it is in the executable.
    #[serde(default)]
    pub in_image: bool,
    /// The virtual address of the function that the attribute has made, which calls it.
    pub address: u64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hooks_as_text() {
        let hook = Hook {
            when: When::BeforeSwap,
            path: "app::flush".into(),
            in_image: true,
            address: 7,
        };
        let text = r#"{"when":"before-swap","path":"app::flush","in_image":true,"address":7}"#;
        assert_eq!(serde_json::to_string(&hook).unwrap(), text);
        assert_eq!(serde_json::from_str::<Hook>(text).unwrap(), hook);
        let names = When::ALL.map(|when| when.to_string());
        assert_eq!(names, ["on_load", "before_swap", "after_swap", "on_purge"]);
    }
}
